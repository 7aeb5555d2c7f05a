//! The preprocessing rules of a job, for pages and scripts: which are on and in which order, which messages they run on, what is cut.

use super::error::Fault;
use super::{Site, job_files};
use crate::config::{ApplyTo, Job, JobFile, Steps, Wanted, with_values};
use crate::job::{Change, Known};
use crate::message::document::CutKind;
use crate::rules::RuleSet;
use toml_edit::{Array, Value};

/// The steps that are on, in their order.
pub(super) fn enabled(job: &Job, rules: &RuleSet) -> Vec<String> {
    match &job.preprocess.steps {
        Steps::Recommended => rules.recommended_steps(),
        Steps::Named(steps) => steps.clone(),
    }
}

/// The kinds that a job cuts.
pub(super) fn kinds(job: &Job) -> impl Iterator<Item = CutKind> {
    CutKind::ALL.into_iter().filter(|kind| job.preprocess.kinds.contains(*kind))
}

/// Which messages a job cleans, in words.
pub(super) fn messages(job: &Job) -> &'static str {
    match job.preprocess.apply_to {
        ApplyTo::ActiveFollowUps => "follow-ups of active tickets",
        ApplyTo::All => "all messages",
    }
}

/// Changes the list of a job by one step.
pub(super) async fn change(site: &Site, name: &str, change: &Change, by: &str) -> Result<(), Fault> {
    let rules = site.reloader.current();
    let file = JobFile::read(&job_files::find(site, name)?)?;
    let before = enabled(file.job(), &rules);
    let after = change.apply(&before, &Known::of(&rules)).map_err(|error| Fault::Refused(error.to_string()))?;
    if after == before {
        return Ok(());
    }
    file.write(&file.with_steps(&after)?)?;
    let (what, steps) = match change {
        Change::Enable { steps, .. } => ("enable-step", steps.join(", ")),
        Change::Disable { steps } => ("disable-step", steps.join(", ")),
        Change::Move { step, .. } => ("move-step", step.clone()),
    };
    Ok(site.ctx.store.note(by, what, name, &steps).await?)
}

/// Writes down the whole list of a job.
pub(super) async fn set(site: &Site, name: &str, steps: &[String], by: &str) -> Result<(), Fault> {
    let rules = site.reloader.current();
    let file = JobFile::read(&job_files::find(site, name)?)?;
    let known = Known::of(&rules);
    if let Some(step) = steps.iter().find(|step| !known.all.contains(step)) {
        return Err(Fault::Refused(format!(
            "there is no preprocess step {step:?}; there are: {}",
            known.all.join(", ")
        )));
    }
    if let Some(step) =
        steps.iter().enumerate().find_map(|(at, step)| steps.iter().take(at).find(|other| *other == step))
    {
        return Err(Fault::Refused(format!("step {step:?} is named twice")));
    }
    let text = file.with_steps(steps)?;
    write(site, &file, &text, name, by).await
}

/// Writes down which messages are cleaned, and of what; what is none stays.
pub(super) async fn set_scope(
    site: &Site,
    name: &str,
    kinds: Option<Vec<&str>>,
    apply_to: Option<&str>,
    by: &str,
) -> Result<(), Fault> {
    let path = job_files::find(site, name)?;
    let file = JobFile::read(&path)?;
    let kinds =
        kinds.map(|kinds| (&["preprocess", "kinds"][..], Some(Value::Array(kinds.into_iter().collect::<Array>()))));
    let apply_to = apply_to.map(|word| (&["preprocess", "apply_to"][..], Some(Value::from(word))));
    let wanted: Vec<Wanted> = kinds.into_iter().chain(apply_to).collect();
    let text = with_values(file.text(), wanted).map_err(|error| Fault::Refused(error.to_string()))?;
    Job::parse(&path, &text)?;
    write(site, &file, &text, name, by).await
}

async fn write(site: &Site, file: &JobFile, text: &str, name: &str, by: &str) -> Result<(), Fault> {
    if text != file.text() {
        file.write(text)?;
        site.ctx.store.note(by, "edit-job", name, &job_files::difference(name, file.text(), text)).await?;
    }
    Ok(())
}
