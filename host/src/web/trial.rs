//! A message tried on rules: those in force, or with a file of theirs as it is being edited. Nothing is stored or sent.

use super::Site;
use super::error::Fault;
use crate::config::{ApplyTo, Handling};
use crate::diagnostic::Diagnostics;
use crate::job::{Reception, cleaning, entry};
use crate::mailbox::{Disposition, MessageKey, RawMessage};
use crate::message::document::CutKinds;
use crate::pipeline::{self, Cleaning};
use crate::plugin::Engine;
use crate::report::Report;
use crate::rules::RuleSet;
use crate::store::Receipt;
use std::path::Path;
use std::sync::Arc;

/// How deep folders of rules may lie in each other.
pub(super) const DEPTH_MAX: usize = 8;

/// What is tried.
#[derive(Debug)]
pub(super) struct Trial {
    /// As which job would handle it; empty: none, with every recommended step and every kind of cut.
    pub(super) job: String,
    /// The message.
    pub(super) message: Vec<u8>,
    /// On which rules.
    pub(super) rules: Arc<RuleSet>,
    /// By what it is cleaned.
    pub(super) cleaned_by: CleanedBy,
}

/// By what a message is cleaned that is tried.
#[derive(Debug)]
pub(super) enum CleanedBy {
    /// By what cleans it when it is received, if anything does.
    Job,
    /// By the job's steps and by these, whatever message it is.
    JobAnd(Vec<String>),
    /// By these steps alone, whatever message it is.
    Only(Vec<String>),
}

impl CleanedBy {
    /// The job's steps: as it would be received, or in any case.
    pub(super) fn of(is_about_cleaning: bool) -> Self {
        if is_about_cleaning { Self::JobAnd(Vec::new()) } else { Self::Job }
    }
}

/// All nine hops, up to a transaction that is rolled back.
pub(super) async fn rehearse(site: &Site, trial: Trial) -> Result<(Report, Receipt), Fault> {
    let Trial { job: name, message, rules, cleaned_by } = trial;
    let ctx = &site.ctx;
    let job = if name.is_empty() { None } else { Some(super::job_files::load(site, &name)?) };
    let outlets = ctx.outlets.borrow().clone();
    let seen = Disposition::SEEN;
    let usual = Handling { on_success: seen.clone(), on_rejection: seen, purge: false };
    let (handling, mut wanted, reception) = match &job {
        Some(job) => (job.handling.clone(), cleaning(job, &rules), Reception::of(job, &outlets.own_addresses)),
        None => {
            let all = Cleaning { steps: rules.recommended_steps(), kinds: CutKinds::ALL, apply_to: ApplyTo::All };
            (usual, all, Reception::usual(&outlets.own_addresses))
        }
    };
    match cleaned_by {
        CleanedBy::Job => {}
        CleanedBy::JobAnd(steps) => {
            wanted.apply_to = ApplyTo::All;
            let missing: Vec<String> = steps.into_iter().filter(|step| !wanted.steps.contains(step)).collect();
            wanted.steps.extend(missing);
        }
        CleanedBy::Only(steps) => {
            wanted = Cleaning { steps, kinds: CutKinds::ALL, apply_to: ApplyTo::All };
        }
    }
    let failed = |error: crate::content::Error| Fault::Failed(error.to_string());
    let content = ctx.spool.read_all(message.as_slice(), u64::MAX).map_err(failed)??;
    let key = MessageKey { mailbox: "try".to_owned(), uid_validity: 0, uid: "pasted".to_owned() };
    let parsed =
        pipeline::parse(RawMessage { key, received: None, content }, &ctx.tags, &ctx.attachments).map_err(failed)?;
    let threading = reception.thread(&ctx.store, &parsed, rules.classes()).await?;
    // Rules may take their time: not on a thread that answers others.
    let run = move || {
        let verdict = pipeline::run(&mut rules.instances(), &parsed, &threading, &wanted, &outlets);
        (verdict, parsed)
    };
    let (verdict, parsed) = tokio::task::spawn_blocking(run).await?;
    let report = verdict.report.clone().with_texts(&parsed.message);
    let name = if name.is_empty() { "try" } else { &name };
    let receipt = ctx.store.rehearse(&reception.admitted(entry(name, &handling, None, &parsed, verdict))).await?;
    Ok((report, receipt))
}

/// What is made of the rules where files have these texts (none: are not there), loaded in a folder of its own; what is wrong, if they cannot be loaded.
pub(super) async fn with_files<T: Send + 'static>(
    site: &Site,
    files: Vec<(String, Option<String>)>,
    load: impl FnOnce(&Path, &Path, &Engine) -> Result<T, Diagnostics> + Send + 'static,
) -> Result<Result<T, String>, Fault> {
    let (rules, plugins) = (site.config.rules.clone(), site.config.plugins.clone());
    let engine = site.reloader.engine().clone();
    let work = move || -> std::io::Result<Result<T, String>> {
        let copy = tempfile::tempdir()?;
        copy_rules(&rules, copy.path(), 0)?;
        for (path, text) in files {
            let path = copy.path().join(path);
            match text {
                Some(text) => {
                    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                    std::fs::write(path, text)?;
                }
                None => std::fs::remove_file(path)?,
            }
        }
        let shown = |found: Diagnostics| {
            found.to_string().replace(&copy.path().display().to_string(), &rules.display().to_string())
        };
        Ok(load(copy.path(), &plugins, &engine).map_err(shown))
    };
    Ok(tokio::task::spawn_blocking(work).await??)
}

fn copy_rules(from: &Path, to: &Path, depth: usize) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            if depth < DEPTH_MAX {
                std::fs::create_dir(&target)?;
                copy_rules(&entry.path(), &target, depth + 1)?;
            }
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
