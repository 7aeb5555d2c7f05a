//! Plugins and how their steps fare, for pages and scripts.

use super::Site;
use super::error::Fault;
use crate::plugin::LoadError;
use crate::rules::inspection::{Inspection, components, steps_of};
use crate::rules::pipeline::{Use, uses};
use crate::rules::{Hop, RuleSet};
use std::path::PathBuf;
use std::sync::Arc;

/// A file of the folder, and what lies in it.
pub(super) type Found = (PathBuf, Result<Inspection, LoadError>);

/// All plugins of the folder, by name. Loading may take its time, so it is done beside the threads that answer.
pub(super) async fn load_all(site: &Arc<Site>) -> Result<Vec<Found>, Fault> {
    load(site, |_| true).await
}

/// The plugin of that name.
pub(super) async fn find(site: &Arc<Site>, name: &str) -> Result<Found, Fault> {
    let wanted = name.to_owned();
    let found = load(site, move |path| path.file_stem().is_some_and(|stem| stem == wanted.as_str())).await?;
    found.into_iter().next().ok_or_else(|| Fault::NotFound(format!("plugin {name}")))
}

async fn load(site: &Arc<Site>, is_wanted: impl Fn(&PathBuf) -> bool + Send + 'static) -> Result<Vec<Found>, Fault> {
    let site = site.clone();
    let load = move || -> std::io::Result<Vec<Found>> {
        let used = uses(&site.config.rules);
        let paths = components(&site.config.plugins)?.into_iter().filter(is_wanted);
        Ok(paths.map(|path| (path.clone(), inspect(&site, path, &used))).collect())
    };
    Ok(tokio::task::spawn_blocking(load).await??)
}

fn inspect(site: &Site, path: PathBuf, used: &[Use]) -> Result<Inspection, LoadError> {
    let component = site.reloader.engine().load(&path)?;
    let steps = steps_of(&path, used);
    Ok(Inspection { path, component, steps, limits: site.config.plugin_limits.clone() })
}

/// Leaves a preprocessing step out, for all jobs; whether it was called until now.
pub(super) async fn suspend(site: &Site, step: &str, by: &str) -> Result<bool, Fault> {
    let changed = with_step(site, step)?.suspend(step, by);
    if changed {
        site.ctx.store.note(by, "suspend-step", step, "").await?;
    }
    Ok(changed)
}

/// Has a step called again; whether it was left out until now.
pub(super) async fn resume(site: &Site, step: &str, by: &str) -> Result<bool, Fault> {
    let changed = with_step(site, step)?.resume(step);
    if changed {
        site.ctx.store.note(by, "resume-step", step, "").await?;
    }
    Ok(changed)
}

/// The rules, if they have such a preprocessing step.
fn with_step(site: &Site, step: &str) -> Result<Arc<RuleSet>, Fault> {
    let rules = site.reloader.current();
    let is_known = rules.steps().iter().any(|own| own.hop == Hop::Preprocess && &*own.name == step);
    if is_known { Ok(rules) } else { Err(Fault::NotFound(format!("preprocessing step {step}"))) }
}
