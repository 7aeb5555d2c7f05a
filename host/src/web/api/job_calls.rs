//! The calls that change jobs, and try them.

use super::answers::Done;
use super::caller::{Caller, Changer};
use super::{Answer, Body, Path, Problem, Refusal, Refused};
use crate::config::Steps;
use crate::job;
use crate::message::document::CutKind;
use crate::oauth::Prompt;
use crate::store::Sha256;
use crate::web::connection::{Line, begin, collected};
use crate::web::error::Fault;
use crate::web::grants::{self, Progress};
use crate::web::{Site, job_files, steps};
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// How many runs are told.
const RUNS: usize = 10;

type Here = State<Arc<Site>>;

/// A file as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct File {
    /// Its text.
    pub(super) text: String,
    /// The SHA-256 of its text: what replaces it says with this what it replaces.
    pub(super) digest: String,
}

impl File {
    /// The file of that text.
    pub(super) fn of(text: String) -> Self {
        Self { digest: digest(&text), text }
    }
}

/// What a text is recognised by.
pub(super) fn digest(text: &str) -> String {
    Sha256::of(text.as_bytes()).to_string()
}

/// A file as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewText {
    /// Its text.
    text: String,
    /// The digest of the text that it replaces.
    digest: String,
}

/// A job as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewJob {
    /// Its name: letters, digits, `-` and `_`.
    name: String,
    /// Its file.
    text: String,
    /// Kept in `NAME.password`, which the file then names: `password = { file = "NAME.password" }`.
    password: Option<String>,
}

/// A password.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Password {
    /// The password.
    password: String,
}

/// How a test went.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tested {
    /// Whether the settings work.
    works: bool,
    /// Its steps, in order.
    steps: Vec<TestStep>,
}

/// A step of a test.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TestStep {
    /// `ok`, `warning` or `failed`.
    mark: String,
    /// What was tried, how long it took, and what came of it.
    text: String,
}

/// A mailbox of a server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Mailbox {
    /// Its name, as a job's file has it.
    name: String,
    /// Whether it can hold messages itself.
    holds_mail: bool,
    /// What the server says it is for.
    purpose: Option<String>,
}

/// The preprocessing rules of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobSteps {
    /// Whether the job follows what is recommended, also when that changes.
    follows_recommended: bool,
    /// The steps that are on, in their order.
    steps: Vec<String>,
    /// All steps that there are, in the order of the pipeline.
    available: Vec<String>,
    /// The kinds that are cut.
    kinds: Vec<String>,
    /// `active-follow-ups` or `all`: the messages that are cleaned.
    apply_to: String,
}

/// The preprocessing rules that a job is to have; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewSteps {
    /// The steps that are on, in their order.
    steps: Option<Vec<String>>,
    /// The kinds that are cut.
    kinds: Option<Vec<String>>,
    /// `active-follow-ups` or `all`.
    apply_to: Option<String>,
}

/// How far a job is with its right to read the mail.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Grant {
    /// `none` was asked for since the daemon started, `begun`, `waiting` for somebody, `granted`, or `failed`.
    state: String,
    /// What somebody opens.
    url: Option<String>,
    /// What they enter there.
    code: Option<String>,
    /// Why it failed.
    error: Option<String>,
}

/// Makes a job; nothing is kept if its file would not load.
#[utoipa::path(post, path = "/api/v1/jobs", request_body = NewJob, responses((status = 200, body = File), Refused), security(("token" = [])))]
pub(super) async fn create(State(site): Here, by: Changer, Body(new): Body<NewJob>) -> Answer<File> {
    let NewJob { name, text, password } = new;
    let secrets = |folder: &std::path::Path| match &password {
        Some(password) => job_files::keep_secret(folder, &format!("{name}.password"), password),
        None => Ok(()),
    };
    job_files::create(&site, &name, &text, secrets, by.name()).await?;
    Ok(Json(File::of(text)))
}

/// Removes a job's file. Tickets, receipts and the log stay.
#[utoipa::path(delete, path = "/api/v1/jobs/{name}", params(("name" = String, Path)), responses((status = 200, body = Done), Refused), security(("token" = [])))]
pub(super) async fn delete(State(site): Here, by: Changer, Path(name): Path<String>) -> Answer<Done> {
    job_files::delete(&site, &name, by.name()).await?;
    Ok(Json(Done { changed: true }))
}

/// A job's file.
#[utoipa::path(get, path = "/api/v1/jobs/{name}/file", params(("name" = String, Path)), responses((status = 200, body = File), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn file(State(site): Here, _: Caller, Path(name): Path<String>) -> Answer<File> {
    let path = job_files::find(&site, &name)?;
    Ok(Json(File::of(std::fs::read_to_string(path).map_err(Fault::from)?)))
}

/// Replaces a job's file; nothing is written if it would not load, or has changed since it was read.
#[utoipa::path(put, path = "/api/v1/jobs/{name}/file", params(("name" = String, Path)), request_body = NewText, responses((status = 200, body = File), Refused), security(("token" = [])))]
pub(super) async fn replace_file(
    State(site): Here,
    by: Changer,
    Path(name): Path<String>,
    Body(new): Body<NewText>,
) -> Answer<File> {
    let path = job_files::find(&site, &name)?;
    let before = std::fs::read_to_string(path).map_err(Fault::from)?;
    if digest(&before) != new.digest {
        return Err(Fault::Changed(format!("The file of job {name} has another digest by now: read it again.")).into());
    }
    job_files::replace(&site, &name, &before, &new.text, by.name()).await?;
    Ok(Json(File::of(new.text)))
}

/// Keeps a password for a job in `NAME.password`, beside its file, and has the job try it at once.
#[utoipa::path(put, path = "/api/v1/jobs/{name}/password", params(("name" = String, Path)), request_body = Password, responses((status = 200, body = Done), Refused), security(("token" = [])))]
pub(super) async fn set_password(
    State(site): Here,
    by: Changer,
    Path(name): Path<String>,
    Body(new): Body<Password>,
) -> Answer<Done> {
    job_files::find(&site, &name)?;
    job_files::keep_secret(&site.config.jobs, &format!("{name}.password"), &new.password)?;
    // A job whose login failed waits long before it tries again, and does not watch its password.
    site.ctx.store.request_run(&name).await?;
    site.ctx.store.note(by.name(), "set-password", &name, "api").await?;
    Ok(Json(Done { changed: true }))
}

/// Tries the settings of a job on its server, up to counting the messages that wait; changes nothing there.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/test", params(("name" = String, Path)), responses((status = 200, body = Tested), Refused), security(("token" = [])))]
pub(super) async fn test(State(site): Here, by: Changer, Path(name): Path<String>) -> Answer<Tested> {
    let job = job_files::load(&site, &name)?;
    site.ctx.store.note(by.name(), "test-connection", &name, "api").await?;
    let lines = collected(begin(&site, job, format!("The settings of job {name} work."), ())).await;
    let works = lines.iter().all(|line| line.mark != "failed");
    let step = |Line { mark, text, .. }| TestStep { mark: mark.to_owned(), text };
    Ok(Json(Tested { works, steps: lines.into_iter().map(step).collect() }))
}

/// The mailboxes that a job's server has, as it says now.
#[utoipa::path(get, path = "/api/v1/jobs/{name}/mailboxes", params(("name" = String, Path)), responses((status = 200, body = Vec<Mailbox>), Refused), security(("token" = [])))]
pub(super) async fn mailboxes(State(site): Here, _: Changer, Path(name): Path<String>) -> Answer<Vec<Mailbox>> {
    let job = job_files::load(&site, &name)?;
    let ctx = &site.ctx;
    let refused = |error: String| Refusal::from(Fault::Refused(error));
    let account = job::account(&job, ctx.limits.message_bytes_max, &ctx.tokens, &ctx.spool);
    let account = account.map_err(|error| refused(format!("The job's password cannot be read: {error}")))?;
    let folders = account.folders().await.map_err(|error| refused(error.to_string()))?;
    let mailbox = |folder: crate::mailbox::Folder| Mailbox {
        name: folder.name,
        holds_mail: folder.holds_mail,
        purpose: folder.purpose.map(str::to_owned),
    };
    Ok(Json(folders.into_iter().map(mailbox).collect()))
}

/// The next ten runs of a job, as its schedule says.
#[utoipa::path(get, path = "/api/v1/jobs/{name}/runs", params(("name" = String, Path)), responses((status = 200, body = Vec<String>), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)), security(("token" = [])))]
pub(super) async fn runs(State(site): Here, _: Caller, Path(name): Path<String>) -> Answer<Vec<String>> {
    let job = job_files::load(&site, &name)?;
    Ok(Json(job.schedule.runs.runs_after(Timestamp::now()).take(RUNS).map(|at| at.to_string()).collect()))
}

/// The preprocessing rules of a job.
#[utoipa::path(get, path = "/api/v1/jobs/{name}/steps", params(("name" = String, Path)), responses((status = 200, body = JobSteps), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)), security(("token" = [])))]
pub(super) async fn steps(State(site): Here, _: Caller, Path(name): Path<String>) -> Answer<JobSteps> {
    seen_steps(&site, &name)
}

fn seen_steps(site: &Site, name: &str) -> Answer<JobSteps> {
    let (job, rules) = (job_files::load(site, name)?, site.reloader.current());
    let kinds = CutKind::ALL.into_iter().filter(|kind| job.preprocess.kinds.contains(*kind));
    let apply_to = serde_json::to_value(job.preprocess.apply_to).unwrap_or_default();
    Ok(Json(JobSteps {
        follows_recommended: job.preprocess.steps == Steps::Recommended,
        steps: steps::enabled(&job, &rules),
        available: rules.offers().into_iter().map(|offer| offer.step).collect(),
        kinds: kinds.map(|kind| kind.name().to_owned()).collect(),
        apply_to: apply_to.as_str().unwrap_or_default().to_owned(),
    }))
}

/// Sets the preprocessing rules of a job: which are on, their order, what is cut of which messages.
#[utoipa::path(put, path = "/api/v1/jobs/{name}/steps", params(("name" = String, Path)), request_body = NewSteps, responses((status = 200, body = JobSteps), Refused), security(("token" = [])))]
pub(super) async fn set_steps(
    State(site): Here,
    by: Changer,
    Path(name): Path<String>,
    Body(new): Body<NewSteps>,
) -> Answer<JobSteps> {
    let kinds = new.kinds.as_ref().map(|kinds| kinds.iter().map(String::as_str).collect());
    steps::set_scope(&site, &name, kinds, new.apply_to.as_deref(), by.name()).await?;
    if let Some(wanted) = &new.steps {
        steps::set(&site, &name, wanted, by.name()).await?;
    }
    seen_steps(&site, &name)
}

impl From<Option<Progress>> for Grant {
    fn from(progress: Option<Progress>) -> Self {
        let of = |state: &str| Self { state: state.to_owned(), ..Self::default() };
        match progress {
            None => of("none"),
            Some(Progress::Begun) => of("begun"),
            Some(Progress::Waiting(Prompt::Code { url, code, .. })) => {
                Self { url: Some(url), code: Some(code), ..of("waiting") }
            }
            Some(Progress::Waiting(Prompt::Open { url })) => Self { url: Some(url), ..of("waiting") },
            Some(Progress::Granted) => of("granted"),
            Some(Progress::Failed(error)) => Self { error: Some(error), ..of("failed") },
        }
    }
}

/// How far a job is with its right to read the mail (OAuth 2.0).
#[utoipa::path(get, path = "/api/v1/jobs/{name}/authorization", params(("name" = String, Path)), responses((status = 200, body = Grant), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn grant(State(site): Here, _: Changer, Path(name): Path<String>) -> Answer<Grant> {
    job_files::find(&site, &name)?;
    Ok(Json(site.grants.progress(&name).into()))
}

/// Begins to ask for a job's right to read the mail (OAuth 2.0): what somebody has to do is told a moment later.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/authorization", params(("name" = String, Path)), responses((status = 200, body = Done), Refused), security(("token" = [])))]
pub(super) async fn authorize(State(site): Here, by: Changer, Path(name): Path<String>) -> Answer<Done> {
    grants::begin(&site, &name, by.name()).await?;
    Ok(Json(Done { changed: true }))
}
