//! The calls about rules and plugins.

use super::answers::{Difference, Done, Plugin, Revision, Sides, Suspended};
use super::caller::{Caller, Changer};
use super::{Answer, Path, Problem, Query};
use crate::plugin::{LoadError, Suspension};
use crate::revisions;
use crate::rules::RuleSet;
use crate::rules::inspection::Inspection;
use crate::web::plugins::{self, Found};
use crate::web::{Site, history};
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

type Here = State<Arc<Site>>;

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
