//! The calls about rules and plugins.

use super::answers::{Difference, Done, Plugin, Revision, Sides, Suspended};
use super::caller::{Caller, Changer};
use super::job_calls::{File, digest};
use super::{Answer, Body, Path, Problem, Query, Refused};
use crate::plugin::{LoadError, Suspension};
use crate::revisions;
use crate::rules::RuleSet;
use crate::rules::inspection::Inspection;
use crate::web::error::Fault;
use crate::web::plugins::{self, Found};
use crate::web::rule_files::{self, Change};
use crate::web::{Site, history};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// The most files that are changed at once.
const CHANGES_MAX: usize = 100;

type Here = State<Arc<Site>>;

/// Which file.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Its path below the folder of the rules, such as `preprocess/gmail.toml`.
    path: String,
}

/// A file as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewFile {
    /// Its path below the folder of the rules.
    path: String,
    /// Its text; left out: there is to be no such file.
    text: Option<String>,
    /// The digest of the text that it replaces; left out: there is no such file yet.
    digest: Option<String>,
}

/// Files that change together.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewFiles {
    /// The files.
    files: Vec<NewFile>,
    /// Whether nothing is written: it is only said what would be.
    #[serde(default)]
    check_only: bool,
}

/// What a change of rules comes to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewRules {
    /// Whether the files were written.
    changed: bool,
    /// The revision of the rules with them.
    revision: String,
    /// How many tests of their own they have passed.
    tests: usize,
    /// How the files change, as a unified difference.
    difference: String,
}

/// The rule files, by path.
#[utoipa::path(get, path = "/api/v1/rules/files", responses((status = 200, body = Vec<String>), (status = 401, body = Problem)), security(("token" = [])))]
pub(super) async fn files(State(site): Here, _: Caller) -> Answer<Vec<String>> {
    Ok(Json(rule_files::list(&site)?))
}

/// A rule file.
#[utoipa::path(get, path = "/api/v1/rules/file", params(Which), responses((status = 200, body = File), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn file(State(site): Here, _: Caller, Query(which): Query<Which>) -> Answer<File> {
    Ok(Json(File::of(rule_files::read(&site, &which.path)?)))
}

/// Changes rule files, makes new ones, removes some: all together, and only if the whole set is sound then and its tests pass.
#[utoipa::path(post, path = "/api/v1/rules/changes", request_body = NewFiles, responses((status = 200, body = NewRules), Refused), security(("token" = [])))]
pub(super) async fn change(State(site): Here, by: Changer, Body(new): Body<NewFiles>) -> Answer<NewRules> {
    if new.files.is_empty() || new.files.len() > CHANGES_MAX {
        return Err(Fault::Refused(format!("Name 1 to {CHANGES_MAX} files.")).into());
    }
    let mut changes: Vec<Change> = Vec::new();
    for NewFile { path, text: after, digest: known } in new.files {
        let before = rule_files::read_maybe(&site, &path)?;
        if before.as_deref().map(digest) != known {
            return Err(
                Fault::Changed(format!("The rule file {path} has another digest by now: read it again.")).into()
            );
        }
        if changes.iter().any(|change| change.path == path) {
            return Err(Fault::Refused(format!("The rule file {path} is named twice.")).into());
        }
        changes.push(Change { path, before, after });
    }
    changes.retain(|change| change.before != change.after);
    let set = rule_files::check(&site, &changes).await?.map_err(Fault::Refused)?;
    let changed = !new.check_only && !changes.is_empty();
    if changed {
        rule_files::save(&site, &set, &changes, by.name()).await?;
    }
    let difference = rule_files::differences(&changes);
    Ok(Json(NewRules { changed, revision: set.revision().to_string(), tests: set.tests(), difference }))
}

/// The times at which rules came into force, latest first.
#[utoipa::path(get, path = "/api/v1/revisions", responses((status = 200, body = Vec<Revision>), (status = 401, body = Problem)), security(("token" = [])))]
pub(super) async fn revisions(State(site): Here, _: Caller) -> Answer<Vec<Revision>> {
    Ok(Json(site.ctx.store.revisions().await?.into_iter().map(Revision::from).collect()))
}

/// How the rules of two revisions differ.
#[utoipa::path(get, path = "/api/v1/revisions/difference", params(Sides), responses((status = 200, body = Difference), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)), security(("token" = [])))]
pub(super) async fn difference(State(site): Here, _: Caller, Query(sides): Query<Sides>) -> Answer<Difference> {
    let (from, to) = (history::find(&site, &sides.from).await?, history::find(&site, &sides.to).await?);
    let difference = revisions::difference(&from, &to);
    Ok(Json(Difference { from: from.name, to: to.name, difference }))
}

/// Puts the rule files of a revision back, if they are sound.
#[utoipa::path(post, path = "/api/v1/revisions/{revision}/rollback", params(("revision" = String, Path)), responses((status = 200, body = Done), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)), security(("token" = [])))]
pub(super) async fn roll_back(State(site): Here, by: Changer, Path(revision): Path<String>) -> Answer<Done> {
    let (name, planned) = history::rollback(&site, &revision).await?;
    let changed = planned.is_some();
    if let Some(rollback) = planned {
        history::put_back(&site, &name, rollback, by.name()).await?;
    }
    Ok(Json(Done { changed }))
}

impl From<&Arc<Suspension>> for Suspended {
    fn from(suspension: &Arc<Suspension>) -> Self {
        let Suspension { step, by, since, .. } = &**suspension;
        Self { step: step.clone(), reason: suspension.to_string(), by: by.clone(), since: *since }
    }
}

impl Plugin {
    fn of((path, seen): &Found, rules: &RuleSet) -> Self {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let hash = seen.as_ref().ok().map(|seen| seen.component.hash());
        let suspensions = rules.suspensions();
        let suspended = suspensions.iter().filter(|suspension| Some(suspension.hash.as_str()) == hash);
        Self {
            suspended: suspended.map(Suspended::from).collect(),
            about: seen.as_ref().ok().map(Inspection::json),
            fault: seen.as_ref().err().map(LoadError::to_string),
            name,
        }
    }
}

/// The plugins in the folder, by name.
#[utoipa::path(get, path = "/api/v1/plugins", responses((status = 200, body = Vec<Plugin>), (status = 401, body = Problem)), security(("token" = [])))]
pub(super) async fn all_plugins(State(site): Here, _: Caller) -> Answer<Vec<Plugin>> {
    let (found, rules) = (plugins::load_all(&site).await?, site.reloader.current());
    Ok(Json(found.iter().map(|found| Plugin::of(found, &rules)).collect()))
}

/// A plugin, and all that it could ever do.
#[utoipa::path(get, path = "/api/v1/plugins/{name}", params(("name" = String, Path)), responses((status = 200, body = Plugin), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn plugin(State(site): Here, _: Caller, Path(name): Path<String>) -> Answer<Plugin> {
    Ok(Json(Plugin::of(&plugins::find(&site, &name).await?, &site.reloader.current())))
}

/// Leaves a preprocessing step out, for all jobs.
#[utoipa::path(post, path = "/api/v1/steps/{step}/suspend", params(("step" = String, Path)), responses((status = 200, body = Done), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn suspend(State(site): Here, by: Changer, Path(step): Path<String>) -> Answer<Done> {
    Ok(Json(Done { changed: plugins::suspend(&site, &step, by.name()).await? }))
}

/// Has a step called again that was left out.
#[utoipa::path(post, path = "/api/v1/steps/{step}/resume", params(("step" = String, Path)), responses((status = 200, body = Done), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn resume(State(site): Here, by: Changer, Path(step): Path<String>) -> Answer<Done> {
    Ok(Json(Done { changed: plugins::resume(&site, &step, by.name()).await? }))
}
