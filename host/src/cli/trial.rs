//! `mailmill try`: all nine hops for one message, and nothing stored.

use super::{Done, Failure, Global, print, print_json};
use crate::config::{ApplyTo, Handling, Job, job_files};
use crate::content::Spool;
use crate::job::{Reception, cleaning, entry};
use crate::mailbox::{Disposition, MessageKey, RawMessage};
use crate::message::document::CutKinds;
use crate::paint::{Paint, Style, stdout_has_colour};
use crate::pipeline::{self, Cleaning};
use crate::report::Report;
use crate::rules::RuleSet;
use crate::store::{Receipt, Store};
use crate::story::result;
use crate::story::{Ends, story};
use anyhow::Context as _;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
The message goes through all nine hops. What would be committed is committed to the database in a transaction that is \
rolled back: tickets that the message refers to are found, and nothing is changed.

Without --job, it is handled as the only job would handle it. If there are several jobs, or none, all recommended \
preprocessing steps look and all kinds are cut, whether or not it is a follow-up.")]
pub(super) struct Options {
    /// The message, as a file (RFC 5322, .eml); - for standard input
    message: PathBuf,
    /// Handle it as this job would [default: the only one there is]
    #[arg(long)]
    job: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Print the body's HTML rendering instead, sanitised, with the same cuts
    #[arg(long, conflicts_with = "json")]
    html: bool,
}

pub(super) async fn run(global: &Global, options: Options) -> Done {
    let config = global.load_or_default()?;
    let engine = super::engine(&config)?;
    let rules = RuleSet::load(&config.rules, &config.plugins, &engine).map_err(Failure::Diagnostics)?;
    let job = match &options.job {
        Some(name) => Some(super::find_job(&config, name)?),
        None => only_job(&config.jobs)?,
    };
    let jobs = Job::load_all(&config.jobs).unwrap_or_default();
    let outlets = crate::outbox::outlets(&config, &jobs);
    let (name, handling, wanted, reception) = match &job {
        Some(job) => {
            let reception = Reception::of(job, &outlets.own_addresses);
            (job.name.clone(), job.handling.clone(), cleaning(job, &rules), reception)
        }
        None => {
            let reception = Reception::usual(&outlets.own_addresses);
            ("try".to_owned(), as_usual(), everything(&rules), reception)
        }
    };

    let raw = read(&options.message, &crate::job::spool(&config))?;
    let store = open(&config.store.path).await?;
    let mut tags = crate::daemon::tags(&config)?;
    let sender = crate::outbox::sender(&config, &jobs, &tags, &store).await?;
    tags.own_ids = sender.as_ref().map(|sender| sender.ids.clone());
    let store = store.sending_as(sender);
    let parsed = pipeline::parse(raw, &tags, &crate::daemon::attachment_limits(&config))?;
    let threading = reception.thread(&store, &parsed, rules.classes()).await?;
    let verdict = pipeline::run(&mut rules.instances(), &parsed, &threading, &wanted, &outlets);
    let report = verdict.report.clone().with_texts(&parsed.message);
    if options.html {
        return print(&parsed.message.document.html_view(&report.body.cuts, report.body.applied));
    }
    let receipt = store.rehearse(&reception.admitted(entry(&name, &handling, None, &parsed, verdict))).await?;
    if options.json {
        return print_json(&Trial { report: &report, receipt: &receipt });
    }
    let ends = Ends {
        fetched: &format!("{}, {} bytes", named(&options.message), parsed.raw.content.len()),
        committed: &format!("would be {}: {}", receipt.outcome.name(), result(&receipt)),
        marked: &marked(&receipt),
    };
    let handled = match &job {
        Some(job) => format!("handled as job \"{}\" does\n", job.name),
        None => "handled as if for every message and every kind of cut; see --job NAME\n".to_owned(),
    };
    let paint = Paint::new(stdout_has_colour());
    print(&format!("{}{}", paint.paint(Style::Dim, handled), story(&report, &ends, paint)))
}

fn named(message: &Path) -> String {
    if message == Path::new("-") { "from standard input".to_owned() } else { message.display().to_string() }
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Trial<'a> {
    report: &'a Report,
    receipt: &'a Receipt,
}

/// The job of a folder that has just one.
fn only_job(folder: &Path) -> Result<Option<Job>, Failure> {
    let files = job_files(folder).with_context(|| format!("cannot list the folder {}", folder.display()))?;
    match files.as_slice() {
        [file] => Job::load(file).map(Some).map_err(Failure::Diagnostics),
        _ => Ok(None),
    }
}

/// What jobs do unless told otherwise.
fn as_usual() -> Handling {
    let seen = Disposition::SEEN;
    Handling { on_success: seen.clone(), on_rejection: seen, purge: false }
}

fn everything(rules: &RuleSet) -> Cleaning {
    Cleaning { steps: rules.recommended_steps(), kinds: CutKinds::ALL, apply_to: ApplyTo::All }
}

fn read(path: &Path, spool: &Spool) -> Result<RawMessage, Failure> {
    let content = if path == Path::new("-") {
        spool.read_all(std::io::stdin().lock(), u64::MAX)?.context("standard input cannot be read")?
    } else {
        let cannot_read = || format!("the message {} cannot be read", path.display());
        let file = std::fs::File::open(path).with_context(cannot_read)?;
        spool.read_all(file, u64::MAX)?.with_context(cannot_read)?
    };
    let key = MessageKey { mailbox: "try".to_owned(), uid_validity: 0, uid: path.display().to_string() };
    Ok(RawMessage { key, received: None, content })
}

/// The database of the settings if there is one, else an empty one in memory.
async fn open(path: &Path) -> Result<Store, Failure> {
    Ok(if path.exists() { Store::open(path).await? } else { Store::in_memory().await? })
}

fn marked(receipt: &Receipt) -> String {
    let disposition = &receipt.disposition;
    let marks: Vec<&str> = [(disposition.seen, "read"), (disposition.deleted, "deleted")]
        .into_iter()
        .filter_map(|(wanted, mark)| wanted.then_some(mark))
        .collect();
    if marks.is_empty() {
        "would be left as it is".to_owned()
    } else {
        format!("would be marked as {}", marks.join(" and "))
    }
}
