//! `mailmill check` and `mailmill test-connection`: is all sound before the daemon relies on it?

use super::{Done, Failure, Global, print, print_json, ready};
use crate::config::{Config, Job, JobSource, job_files};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::mailbox::Step;
use crate::oauth::Tokens;
use crate::outbox;
use crate::paint::{Paint, Style, stdout_has_colour};
use crate::rules::RuleSet;
use clap::Args;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Print the faults as JSON
    #[arg(long)]
    json: bool,
}

/// What a check has found sound.
struct Sound {
    rules: Arc<RuleSet>,
    jobs: Vec<Job>,
    warnings: Diagnostics,
}

/// Loads everything as the daemon would, the rules' own tests included, and reports all faults at once.
pub(super) async fn run(global: &Global, options: Options) -> Done {
    match check(global) {
        Err(Failure::Diagnostics(diagnostics)) if options.json => {
            print_json(&serde_json::json!({ "ok": false, "faults": &diagnostics }))?;
            Err(Failure::Diagnostics(diagnostics))
        }
        Err(failure) => Err(failure),
        Ok(sound) if options.json => print_json(&serde_json::json!({
            "ok": true,
            "revision": sound.rules.revision().to_string(),
            "jobs": sound.jobs.iter().map(|job| &job.name).collect::<Vec<_>>(),
            "tests": sound.rules.tests(),
            "warnings": &sound.warnings,
        })),
        Ok(sound) => {
            eprint!("{}", sound.warnings.render(crate::paint::stderr_has_colour()));
            print(&summary(&sound))
        }
    }
}

fn summary(Sound { rules, jobs, .. }: &Sound) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "settings  sound");
    let _ = writeln!(text, "jobs      {} sound", jobs.len());
    for step in rules.steps() {
        let about = step.component.about();
        let _ = writeln!(text, "step      {:<14} {} {}", step.name, about.name, about.version);
    }
    let _ = writeln!(text, "tests     {} passed", rules.tests());
    let _ = writeln!(text, "revision  {}", rules.revision());
    text
}

fn check(global: &Global) -> Result<Sound, Failure> {
    let file = global.path()?;
    let (config, mut faults) = Config::load_what_is_sound(&file);
    let Some(mut config) = config else { return Err(Failure::Diagnostics(faults)) };
    global.override_folders(&mut config);
    // With an error in the settings the folders may be the wrong ones: then what is not there says nothing.
    let is_worth_a_look = |folder: &Path| faults.is_empty() || folder.exists();
    let (look_at_jobs, look_at_rules) = (is_worth_a_look(&config.jobs), is_worth_a_look(&config.rules));
    ready::settings(&file, &config, &mut faults);
    let jobs = if look_at_jobs { load_jobs(&config.jobs, &mut faults) } else { Vec::new() };
    ready::jobs(&config.jobs, &jobs, &mut faults);
    faults.extend(outbox::check_maildirs(&config, &jobs).err().into_iter().flatten());
    let rules = if look_at_rules { load_rules(&config, &mut faults)? } else { None };
    if let Some(rules) = &rules
        && let Err(found) = crate::job::check_steps(&jobs, &config.jobs, rules)
    {
        faults.extend(found);
    }
    faults.extend(rules.iter().flat_map(|rules| rules.warnings().iter().cloned()));
    let outlets = outbox::outlets(&config, &jobs);
    faults.extend(rules.iter().flat_map(|rules| rules.check_outlets(&outlets)));
    match rules {
        Some(rules) if faults.errors() == 0 => Ok(Sound { rules, jobs, warnings: faults }),
        _ => Err(Failure::Diagnostics(faults)),
    }
}

/// The jobs that are sound in themselves.
fn load_jobs(folder: &Path, faults: &mut Diagnostics) -> Vec<Job> {
    let files = match job_files(folder) {
        Ok(files) => files,
        Err(error) => {
            faults.push(Diagnostic::error(folder, format!("cannot list the folder of the jobs: {error}")));
            return Vec::new();
        }
    };
    if files.is_empty() {
        let reason = "no job: the folder holds no .toml file, so there is no mailbox to watch";
        let help = format!("write one: mailmill config example --job > {}", folder.join("NAME.toml").display());
        faults.push(Diagnostic::error(folder, reason).help(help));
    }
    files.iter().filter_map(|file| Job::load(file).map_err(|found| faults.extend(found)).ok()).collect()
}

fn load_rules(config: &Config, faults: &mut Diagnostics) -> Result<Option<Arc<RuleSet>>, Failure> {
    let engine = super::engine(config)?;
    Ok(RuleSet::load(&config.rules, &config.plugins, &engine).map_err(|found| faults.extend(found)).ok())
}

#[derive(Debug, Args)]
pub(super) struct Connection {
    /// The job, as its file is called, without .toml
    job: String,
    /// Print the steps as JSON
    #[arg(long)]
    json: bool,
}

/// Tries a job's settings on its server; each step is shown when it is done.
pub(super) async fn connection(global: &Global, options: Connection) -> Done {
    let config = global.load()?;
    let job = super::find_job(&config, &options.job)?;
    let tokens = Tokens::beside(&config.store.path);
    let spool = crate::job::spool(&config);
    let account = match crate::job::account(&job, config.limits.message_bytes_max.get(), &tokens, &spool) {
        Ok(account) => account,
        Err(error) if options.json => {
            let fault = format!("the job's password cannot be read: {error}");
            print_json(&serde_json::json!({ "job": job.name, "ok": false, "steps": [], "fault": fault }))?;
            return Err(Failure::Silent);
        }
        Err(error) => return Err(anyhow::Error::new(error).context("the job's password cannot be read").into()),
    };
    let mut warnings: Vec<String> = password_warning(&job).into_iter().collect();
    let paint = Paint::new(stdout_has_colour());
    if let Some(warning) = warnings.first().filter(|_| !options.json) {
        print(&warning_line(warning, paint))?;
    }
    let mut steps = Vec::new();
    let outcome = account
        .test(|step: Step| {
            let warning = warning(&step);
            if options.json {
                steps.push(json(&step));
            } else {
                let _ = print(&line(&step, paint));
                let _ = warning.iter().try_for_each(|warning| print(&warning_line(warning, paint)));
            }
            warnings.extend(warning);
        })
        .await;
    if options.json {
        let fault = outcome.as_ref().err().map(ToString::to_string);
        print_json(&serde_json::json!({
            "job": job.name, "ok": fault.is_none(), "steps": steps, "fault": fault, "warnings": warnings,
        }))?;
        return outcome.map_err(|_| Failure::Silent);
    }
    match outcome {
        Ok(()) => print(&format!("{}: the settings of job \"{}\" work\n", paint.paint(Style::Good, "ok"), job.name)),
        Err(error) => Err(error.into()),
    }
}

/// What is to be said of the way a job's password is kept.
fn password_warning(job: &Job) -> Option<String> {
    match &job.source {
        JobSource::Imap(imap) => imap.server.password.as_ref()?.resolve().ok()?.warning,
        JobSource::Pop3(pop3) => pop3.server.password.as_ref()?.resolve().ok()?.warning,
        JobSource::Maildir(_) | JobSource::Folder(_) => None,
    }
}

fn json(step: &Step) -> serde_json::Value {
    serde_json::json!({
        "step": step.stage.to_string(),
        "ok": step.outcome.is_ok(),
        "ms": step.took.as_millis(),
        "seen": seen(step),
        "details": step.outcome.as_ref().ok(),
    })
}

fn line(step: &Step, paint: Paint) -> String {
    let sign = if step.outcome.is_ok() { paint.paint(Style::Good, "ok") } else { paint.paint(Style::Bad, "no") };
    format!("{sign}  {:<14} {:>5} ms  {}\n", step.stage, step.took.as_millis(), crate::paint::tame(&seen(step)))
}

fn warning_line(warning: &str, paint: Paint) -> String {
    format!("{}: {}\n", paint.paint(Style::Bad, "warning"), crate::paint::tame(warning))
}

/// What a step saw, or why it failed.
fn seen(step: &Step) -> String {
    step.outcome.as_ref().map_or_else(ToString::to_string, ToString::to_string)
}

/// What a step warns of.
fn warning(step: &Step) -> Option<String> {
    Some(step.outcome.as_ref().ok()?.warning()?.to_string())
}
