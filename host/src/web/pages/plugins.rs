//! The plugins: what is there, and what runs.

use crate::plugin::{Component, LoadError};
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::page::{self, Frame, badge, text};
use axum::extract::State;
use maud::{Markup, html};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) async fn list(State(site): State<Arc<Site>>, visitor: Visitor) -> Answer {
    let folder = site.config.plugins.clone();
    let engine = site.reloader.engine().clone();
    let load = move || -> std::io::Result<Vec<(PathBuf, Result<Component, LoadError>)>> {
        let mut found = Vec::new();
        for path in components(&folder)? {
            let component = engine.load(&path);
            found.push((path, component));
        }
        Ok(found)
    };
    let found = tokio::task::spawn_blocking(load).await?.map_err(|error| Fault::Failed(error.to_string()))?;
    let rules = site.reloader.current();
    let rows: Vec<Vec<Markup>> = found
        .iter()
        .map(|(path, component)| {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match component {
                Ok(component) => {
                    let about = component.about();
                    let runs = rules.steps().iter().filter(|step| step.component.about().name == about.name);
                    let steps: Vec<&str> = runs.map(|step| &*step.name).collect();
                    vec![
                        text(&file),
                        html! { (about.name) " " (about.version) },
                        text(component.world()),
                        text(&about.summary),
                        html! { @if steps.is_empty() { (badge("off", "calm")) } @else { (steps.len()) " steps" br; span.dim { (steps.join(", ")) } } },
                    ]
                }
                Err(error) => vec![text(&file), badge("cannot be used", "bad"), text(""), text(error), text("")],
            }
        })
        .collect();
    let body = html! {
        h1 { "Plugins" }
        p { "They lie in " code { (site.config.plugins.display().to_string()) } ". A plugin is off until the pipeline names it." }
        (page::table("Plugins", &["File", "Plugin", "World", "What it does", "Runs as"], &rows, "There is no plugin."))
    };
    Ok(page::shown(&Frame::new("Plugins", "/plugins", &visitor), &body))
}

fn components(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    let mut found: Vec<PathBuf> =
        entries.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "wasm")).collect();
    found.sort();
    Ok(found)
}
