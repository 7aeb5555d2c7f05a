//! `mailmill check` and `mailmill test-connection`: is all sound before the daemon relies on it?

use super::paint::{Paint, Style, stdout_has_colour};
use super::{Done, Failure, Global, print, print_json};
use crate::config::Job;
use crate::mailbox::Step;
use crate::rules::RuleSet;
use anyhow::Context as _;
use clap::Args;
use std::fmt::Write as _;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Print the faults as JSON
    #[arg(long)]
    json: bool,
}

/// Loads everything as the daemon would, the rules' own tests included, and reports all faults at once.
pub(super) async fn run(global: &Global, options: Options) -> Done {
    let outcome = check(global);
    match outcome {
        Err(Failure::Diagnostics(diagnostics)) if options.json => {
            print_json(&serde_json::json!({ "ok": false, "faults": &diagnostics }))?;
            Err(Failure::Diagnostics(diagnostics))
        }
        Err(failure) => Err(failure),
        Ok((rules, jobs)) if options.json => print_json(&serde_json::json!({
            "ok": true,
            "revision": rules.revision().to_string(),
            "jobs": jobs.iter().map(|job| &job.name).collect::<Vec<_>>(),
            "tests": rules.tests(),
        })),
        Ok((rules, jobs)) => {
            let mut text = String::new();
            let _ = writeln!(text, "settings  sound");
            let _ = writeln!(text, "jobs      {} sound", jobs.len());
            for step in rules.steps() {
                let component = &step.component;
                let _ = writeln!(
                    text,
                    "step      {:<14} {} {}",
                    step.name,
                    component.about().name,
                    component.about().version
                );
            }
            let _ = writeln!(text, "tests     {} passed", rules.tests());
            let _ = writeln!(text, "revision  {}", rules.revision());
            print(&text)
        }
    }
}

fn check(global: &Global) -> Result<(Arc<RuleSet>, Vec<Job>), Failure> {
    let config = global.load()?;
    let engine = crate::daemon::engine(&config)?;
    let mut faults = crate::diagnostic::Diagnostics::default();
    let jobs = Job::load_all(&config.jobs).map_err(|found| faults.extend(found)).ok();
    let rules = RuleSet::load(&config.rules, &config.plugins, &engine).map_err(|found| faults.extend(found)).ok();
    if let (Some(jobs), Some(rules)) = (&jobs, &rules)
        && let Err(found) = crate::job::check_steps(jobs, &config.jobs, rules)
    {
        faults.extend(found);
    }
    match (rules, jobs) {
        (Some(rules), Some(jobs)) if faults.is_empty() => Ok((rules, jobs)),
        _ => Err(Failure::Diagnostics(faults)),
    }
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
    let jobs = Job::load_all(&config.jobs).map_err(Failure::Diagnostics)?;
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    let job = jobs.into_iter().find(|job| job.name == options.job);
    let job = job.with_context(|| format!("there is no job \"{}\"; there are: {}", options.job, names.join(", ")))?;
    let account = crate::job::account(&job, config.limits.message_bytes_max.get())
        .context("the job's password cannot be read")?;
    let paint = Paint::new(stdout_has_colour());
    let mut steps = Vec::new();
    let outcome = account
        .test(|step: Step| {
            if options.json {
                steps.push(json(&step));
            } else {
                let _ = print(&line(&step, paint));
            }
        })
        .await;
    if options.json {
        let fault = outcome.as_ref().err().map(ToString::to_string);
        print_json(&serde_json::json!({ "job": job.name, "ok": fault.is_none(), "steps": steps, "fault": fault }))?;
        return outcome.map_err(|_| Failure::Silent);
    }
    match outcome {
        Ok(()) => print(&format!("{}: the settings of job \"{}\" work\n", paint.paint(Style::Good, "ok"), job.name)),
        Err(error) => Err(error.into()),
    }
}

fn json(step: &Step) -> serde_json::Value {
    serde_json::json!({
        "step": step.stage.to_string(),
        "ok": step.outcome.is_ok(),
        "ms": step.took.as_millis(),
        "seen": step.outcome.as_ref().map_or_else(ToString::to_string, Clone::clone),
    })
}

fn line(step: &Step, paint: Paint) -> String {
    let seen = step.outcome.as_ref().map_or_else(ToString::to_string, Clone::clone);
    let sign = if step.outcome.is_ok() { paint.paint(Style::Good, "ok") } else { paint.paint(Style::Bad, "no") };
    format!("{sign}  {:<14} {:>5} ms  {}\n", step.stage, step.took.as_millis(), super::paint::tame(&seen))
}
