//! `mailmill rules`: the preprocessing steps, and which of them a job runs, in which order.

use super::table::{short, table};
use super::{Done, Failure, Global, print, print_json};
use crate::config::{ApplyTo, Config, EditError, Job, JobFile, Steps, job_files};
use crate::job::{Change, Known, StepPlace, find};
use crate::message::document::CutKind;
use crate::rules::{Offer, RuleSet};
use clap::{Args, Subcommand};
use serde::Serialize;
use similar::TextDiff;
use std::fmt::Write as _;
use std::path::Path;

/// How wide a summary is in a table.
const SUMMARY_CHARS_MAX: usize = 80;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the preprocessing steps: what each does, which kinds it cuts, and where the jobs have it
    List {
        /// Show the steps as this job has them: those it runs first, in its order
        job: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have a job run steps; "recommended" stands for the recommended ones in their order
    #[command(after_help = AFTER_CHANGE)]
    Enable {
        /// The job, as its file is called, without .toml
        job: String,
        /// The steps, or "recommended"
        #[arg(required = true, value_name = "STEP")]
        steps: Vec<String>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        how: How,
    },
    /// Have a job run steps no more
    #[command(after_help = AFTER_CHANGE)]
    Disable {
        /// The job, as its file is called, without .toml
        job: String,
        /// The steps
        #[arg(required = true, value_name = "STEP")]
        steps: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Have a job run a step earlier or later
    #[command(after_help = AFTER_CHANGE, mut_group("Place", |place| place.required(true)))]
    Move {
        /// The job, as its file is called, without .toml
        job: String,
        /// The step
        step: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        how: How,
    },
    #[command(flatten)]
    History(super::history::Command),
}

const AFTER_CHANGE: &str = "\
The job's file is changed in place: its comments, order and form stay. A running daemon takes the change up at once.";

// No doc comment: clap would take it for the command's.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct Place {
    /// Directly before this step
    #[arg(long, value_name = "STEP")]
    before: Option<String>,
    /// Directly after this step
    #[arg(long, value_name = "STEP")]
    after: Option<String>,
    /// As the one of this number, counted from 1
    #[arg(long, value_name = "N")]
    at: Option<usize>,
}

#[derive(Debug, Args)]
pub(super) struct How {
    /// Show how the file would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Place {
    fn chosen(self) -> Option<StepPlace> {
        let before = self.before.map(StepPlace::Before);
        before.or(self.after.map(StepPlace::After)).or(self.at.map(StepPlace::At))
    }
}

pub(super) fn run(global: &Global, command: Command) -> Done {
    let config = global.load()?;
    let engine = super::engine(&config)?;
    let rules = RuleSet::load(&config.rules, &config.plugins, &engine).map_err(Failure::Diagnostics)?;
    match command {
        Command::List { job: None, json } => list_all(&config, &rules, json),
        Command::List { job: Some(job), json } => list_of(&config, &rules, &job, json),
        Command::Enable { job, steps, place, how } => {
            change(&config, &rules, &job, &Change::Enable { steps, place: place.chosen() }, &how)
        }
        Command::Disable { job, steps, how } => change(&config, &rules, &job, &Change::Disable { steps }, &how),
        Command::Move { job, step, place, how } => {
            let place = place.chosen().unwrap_or(StepPlace::At(1));
            change(&config, &rules, &job, &Change::Move { step, place }, &how)
        }
        // It needs no rules that are sound: the command line takes it elsewhere.
        Command::History(_) => Ok(()),
    }
}

/// A step as it is listed for a job.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    offer: Offer,
    /// Where the job has it, counted from 1; none if it does not run it.
    place: Option<usize>,
    /// Whether the pipeline has it: a job's file may name one that is gone.
    known: bool,
}

/// A step as it is listed for all jobs.
#[derive(Debug, Serialize)]
struct Offered {
    #[serde(flatten)]
    offer: Offer,
    /// The jobs that run it.
    jobs: Vec<String>,
}

fn list_all(config: &Config, rules: &RuleSet, json: bool) -> Done {
    // A file with errors is what `check` is for: the others are shown.
    let jobs: Vec<Job> = job_files(&config.jobs)?.iter().filter_map(|file| Job::load(file).ok()).collect();
    let offered = rules.offers().into_iter().map(|offer| {
        let run = |job: &&Job| steps_of(job, rules).contains(&offer.step);
        Offered { jobs: jobs.iter().filter(run).map(|job| job.name.clone()).collect(), offer }
    });
    let offered: Vec<Offered> = offered.collect();
    if json {
        return print_json(&offered);
    }
    let row = |Offered { offer, jobs }: &Offered| {
        let jobs = if jobs.is_empty() { "-".to_owned() } else { short(&jobs.join(", "), SUMMARY_CHARS_MAX) };
        vec![offer.step.clone(), kinds(&offer.kinds), recommended(offer), jobs, summary(offer)]
    };
    let rows: Vec<_> = offered.iter().map(row).collect();
    print(&table(&["STEP", "CUTS", "RECOMMENDED", "JOBS", "SUMMARY"], &rows))
}

fn list_of(config: &Config, rules: &RuleSet, job: &str, json: bool) -> Done {
    let job = Job::load(&find(&config.jobs, job)?).map_err(Failure::Diagnostics)?;
    let steps = listed(&job, rules);
    let preprocess = &job.preprocess;
    if json {
        return print_json(&serde_json::json!({
            "job": job.name,
            "follows_recommended": preprocess.steps == Steps::Recommended,
            "kinds": preprocess.kinds,
            "apply_to": preprocess.apply_to,
            "steps": steps,
        }));
    }
    let row = |Listed { offer, place, .. }: &Listed| {
        let place = place.map_or_else(|| "-".to_owned(), |place| place.to_string());
        vec![place, offer.step.clone(), kinds(&offer.kinds), recommended(offer), summary(offer)]
    };
    let rows: Vec<_> = steps.iter().map(row).collect();
    let applied: Vec<CutKind> = CutKind::ALL.into_iter().filter(|kind| preprocess.kinds.contains(*kind)).collect();
    let messages = match preprocess.apply_to {
        ApplyTo::ActiveFollowUps => "follow-ups of active tickets",
        ApplyTo::All => "all messages",
    };
    let mut text = table(&["PLACE", "STEP", "CUTS", "RECOMMENDED", "SUMMARY"], &rows);
    let _ = writeln!(text, "\njob \"{}\" applies cuts of these kinds: {}; to {messages}", job.name, kinds(&applied));
    if preprocess.steps == Steps::Recommended {
        text.push_str("its file says steps = \"recommended\": it follows what pipeline.toml recommends\n");
    }
    print(&text)
}

/// The steps that the job runs, in its order, and then the others.
fn listed(job: &Job, rules: &RuleSet) -> Vec<Listed> {
    let mut offers = rules.offers();
    let mut listed = Vec::new();
    for (index, step) in steps_of(job, rules).into_iter().enumerate() {
        let known = offers.iter().position(|offer| offer.step == step).map(|at| offers.remove(at));
        let gone = || Offer {
            summary: Some("pipeline.toml has no such step".to_owned()),
            kinds: Vec::new(),
            recommended: false,
            plugin: String::new(),
            step,
        };
        listed.push(Listed { known: known.is_some(), offer: known.unwrap_or_else(gone), place: Some(index + 1) });
    }
    listed.extend(offers.into_iter().map(|offer| Listed { offer, place: None, known: true }));
    listed
}

fn steps_of(job: &Job, rules: &RuleSet) -> Vec<String> {
    match &job.preprocess.steps {
        Steps::Recommended => rules.recommended_steps(),
        Steps::Named(steps) => steps.clone(),
    }
}

fn kinds(kinds: &[CutKind]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

fn recommended(offer: &Offer) -> String {
    if offer.recommended { "yes" } else { "no" }.to_owned()
}

fn summary(offer: &Offer) -> String {
    short(offer.summary.as_deref().unwrap_or_default(), SUMMARY_CHARS_MAX)
}

fn change(config: &Config, rules: &RuleSet, job: &str, change: &Change, how: &How) -> Done {
    let path = find(&config.jobs, job)?;
    let file = JobFile::read(&path).map_err(failure)?;
    let before = steps_of(file.job(), rules);
    let after = change.apply(&before, &Known::of(rules))?;
    if after == before {
        return print(&format!("nothing to change: job \"{job}\" runs {}\n", in_words(&before)));
    }
    let text = file.with_steps(&after).map_err(failure)?;
    if how.dry_run {
        return print(&difference(&path, file.text(), &text));
    }
    file.write(&text).map_err(failure)?;
    print(&account(file.job(), rules, &before, &after))
}

fn failure(error: EditError) -> Failure {
    match error {
        EditError::Diagnostics(diagnostics) => Failure::Diagnostics(diagnostics),
        other => Failure::Other(other.into()),
    }
}

fn in_words(steps: &[String]) -> String {
    if steps.is_empty() { "no step".to_owned() } else { steps.join(", ") }
}

fn difference(path: &Path, before: &str, after: &str) -> String {
    let name = path.display().to_string();
    TextDiff::from_lines(before, after).unified_diff().header(&name, &name).to_string()
}

/// What has changed, and what else there is to know.
fn account(job: &Job, rules: &RuleSet, before: &[String], after: &[String]) -> String {
    let mut text = String::new();
    let of = after.len();
    for step in before.iter().filter(|step| !after.contains(step)) {
        let _ = writeln!(text, "disabled  {step}");
    }
    let kept_in = |list: &[String], other: &[String]| -> Vec<String> {
        list.iter().filter(|step| other.contains(step)).cloned().collect()
    };
    let is_moved = kept_in(before, after) != kept_in(after, before);
    for (at, step) in (1..).zip(after) {
        if !before.contains(step) {
            let _ = writeln!(text, "enabled   {step}, at place {at} of {of}");
        }
    }
    let _ = writeln!(
        text,
        "job \"{}\" {} {}",
        job.name,
        if is_moved { "now runs, in this order:" } else { "runs" },
        in_words(after)
    );
    if job.preprocess.steps == Steps::Recommended {
        text.push_str(
            "note: its file said steps = \"recommended\" and lists its steps now: what pipeline.toml recommends later on \
             does not reach it by itself\n",
        );
    }
    for offer in rules.offers().iter().filter(|offer| after.contains(&offer.step) && !before.contains(&offer.step)) {
        let is_idle = !offer.kinds.is_empty() && !offer.kinds.iter().any(|kind| job.preprocess.kinds.contains(*kind));
        if is_idle {
            let _ = writeln!(
                text,
                "note: {} cuts {} only, and `kinds` in the job's file does not have it: nothing of it is cut",
                offer.step,
                kinds(&offer.kinds)
            );
        }
    }
    text
}
