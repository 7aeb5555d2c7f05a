//! The plugins: what is there, what runs, how it fares, and all that each could ever do.

use super::told;
use crate::plugin::{Import, LoadError, Suspension};
use crate::rules::inspection::{Inspection, can};
use crate::rules::{Hop, Step};
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::news::News;
use crate::web::page::{self, Frame, badge, bytes, in_path, text, time};
use crate::web::{Site, plugins};
use axum::extract::{Path, State};
use maud::{Markup, html};
use std::sync::Arc;

pub(super) async fn list(State(site): State<Arc<Site>>, visitor: Visitor) -> Answer {
    let found = plugins::load_all(&site).await?;
    let rules = site.reloader.current();
    let files: Vec<Vec<Markup>> = found.iter().map(|(path, seen)| plugin(path, seen.as_ref())).collect();
    let steps: Vec<Vec<Markup>> = rules.steps().iter().map(|own| step(&site, &visitor, own)).collect();
    let suspended = rules.suspensions();
    let body = html! {
        h1 { "Plugins" }
        @for suspension in &suspended { p.fault role="status" { "Step " (suspension.step) " is left out since " (time(suspension.since)) ": " (suspension.to_string()) "." } }
        p { "They lie in " code { (site.config.plugins.display().to_string()) } ". A plugin is off until the pipeline names it." }
        (page::table("Plugins", &["Plugin", "World", "What it does", "Runs as"], &files, "There is no plugin."))
        h2 { "How the steps fare" }
        p { "Since the daemon started. A preprocessing step that fails " (site.config.plugin_limits.faults_max) " times in a row is left out by itself. Here, too, it can be left out for all jobs: until it is resumed, its plugin or its rules change, or the daemon starts anew." }
        (page::table("Steps", &["Step", "Hop", "Plugin", "Calls", "Faults", "State", "Tell it"], &steps, "The pipeline has no step."))
    };
    Ok(page::shown(&Frame::new("Plugins", "/plugins", &visitor), &body))
}

fn plugin(path: &std::path::Path, seen: Result<&Inspection, &LoadError>) -> Vec<Markup> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match seen {
        Err(error) => vec![text(&name), badge("cannot be used", "bad"), text(error), text("")],
        Ok(seen) => {
            let about = seen.component.about();
            let steps: Vec<&str> = seen.steps.iter().map(|step| step.step.as_str()).collect();
            vec![
                html! { a href=(format!("/plugins/{}", in_path(&name))) { (about.name) } " " (about.version) },
                text(seen.component.world()),
                text(&about.summary),
                html! { @if steps.is_empty() { (badge("off", "calm")) } @else { (steps.len()) @if steps.len() == 1 { " step" } @else { " steps" } br; span.dim { (steps.join(", ")) } } },
            ]
        }
    }
}

fn step(site: &Site, visitor: &Visitor, step: &Step) -> Vec<Markup> {
    let about = step.component.about();
    let counted = site.ctx.metrics.of_step(&step.name, &format!("{} {}", about.name, about.version));
    let suspension = step.health.suspension();
    vec![
        text(&step.name),
        text(step.hop),
        text(&about.name),
        text(counted.calls),
        html! { @if counted.faults > 0 { span.bad { (counted.faults) } } @else { "0" } },
        html! { @match &suspension { Some(suspension) => (state(suspension)), None => (badge("called", "good")) } },
        html! { @if visitor.is_admin() && step.hop == Hop::Preprocess { (order(visitor, &step.name, suspension.is_some())) } },
    ]
}

fn state(suspension: &Suspension) -> Markup {
    html! {
        (badge("left out", "bad"))
        @if let Some(by) = &suspension.by { br; span.dim { "by " (by) } } @else { br; span.dim { (suspension.last) } }
    }
}

fn order(visitor: &Visitor, step: &str, is_suspended: bool) -> Markup {
    let (what, label) = if is_suspended { ("resume", "Resume") } else { ("suspend", "Suspend") };
    html! {
        form.inline method="post" action=(format!("/plugins/steps/{}/{what}", in_path(step))) {
            (visitor.csrf_field())
            button.quiet type="submit" aria-label=(format!("{label}: {step}")) { (label) }
        }
    }
}

pub(super) async fn suspend(State(site): State<Arc<Site>>, Path(step): Path<String>, order: Order) -> Answer {
    plugins::suspend(&site, &step, order.visitor.name()).await?;
    told(News::Suspended, "/plugins")
}

pub(super) async fn resume(State(site): State<Arc<Site>>, Path(step): Path<String>, order: Order) -> Answer {
    plugins::resume(&site, &step, order.visitor.name()).await?;
    told(News::StepResumed, "/plugins")
}

pub(super) async fn show(State(site): State<Arc<Site>>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let (_, seen) = plugins::find(&site, &name).await?;
    let seen = seen.map_err(|error| Fault::Refused(error.to_string()))?;
    let title = format!("Plugin {name}");
    Ok(page::shown(&Frame::new(&title, "/plugins", &visitor), &inspected(&seen, &name)))
}

/// All that `mailmill plugin inspect` says.
fn inspected(seen: &Inspection, name: &str) -> Markup {
    let (component, about, limits) = (&seen.component, seen.component.about(), &seen.limits);
    let (system, own): (Vec<&Import>, Vec<&Import>) = component.imports().iter().partition(|import| import.is_system());
    html! {
        h1 { "Plugin " (name) }
        p { (about.summary) }
        dl {
            dt { "Name, version" } dd { (about.name) " " (about.version) }
            dt { "Kind (WIT world)" } dd { (component.world()) ": " (can(component.world())) }
            dt { "File" } dd { code { (seen.path.display().to_string()) } @if let Some(length) = seen.bytes() { ", " (bytes(length)) } }
            dt { "Hash (SHA-256)" } dd { code { (component.hash()) } }
            dt { "Used by" } dd { (seen.used_by()) }
            dt { "For one message" } dd { (limits.deadline_ms) " ms, " (limits.memory_mb) " MiB of memory and " (limits.host_calls_max) " calls of the host at most" }
        }
        h2 { "What it may ask the host for, and nothing else" }
        (imports(&own, "Nothing."))
        @if !system.is_empty() {
            p { "Its runtime wants a system (WASI), and gets one with nothing in it: no files, no network, no environment, a clock that stands still, the same random numbers in each call." }
            (imports(&system, ""))
        }
        h2 { "What it offers" }
        ul { @for export in component.exports() { li { code { (export) } } } }
        @if let Some(schema) = seen.schema() {
            h2 { "The schema of its rules" }
            details { summary { "JSON Schema" } pre { (format!("{schema:#}")) } }
        }
        p { a href="/plugins" { "All plugins" } }
    }
}

fn imports(imports: &[&Import], empty: &str) -> Markup {
    html! {
        @if imports.is_empty() { p.empty { (empty) } }
        @else { ul { @for import in imports { li { code { (import.name) } @if !import.functions.is_empty() { ": " (import.functions.join(", ")) } } } } }
    }
}
