//! The preprocessing rules of a job: which are on, and in which order.

use super::jobs::address;
use super::{back, told};
use crate::config::{ApplyTo, Job, Steps};
use crate::job::{Change, StepPlace};
use crate::message::document::CutKind;
use crate::rules::Offer;
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::Answer;
use crate::web::form::Order;
use crate::web::news::News;
use crate::web::page::{self, Frame, badge, in_path};
use crate::web::{job_files, steps};
use axum::extract::{Path, State};
use maud::{Markup, html};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let job = job_files::load(&site, &name)?;
    let rules = site.reloader.current();
    let enabled = steps::enabled(&job, &rules);
    let offers = rules.offers();
    let known = |step: &String| offers.iter().find(|offer| offer.step == *step);
    let applied: Vec<&str> = steps::kinds(&job).map(CutKind::name).collect();
    // Forwards are found in any case, so that nothing inside of them is taken for a quote.
    let is_of_use = |kind: &CutKind| *kind == CutKind::Forward || job.preprocess.kinds.contains(*kind);
    let cuts_nothing = |offer: &Offer| !offer.kinds.iter().any(is_of_use);
    // What follows the recommendation has them all on, and chooses by kind.
    let follows = job.preprocess.steps == Steps::Recommended;
    let idle: BTreeSet<&str> = offers
        .iter()
        .filter(|offer| !follows && enabled.contains(&offer.step) && cuts_nothing(offer))
        .flat_map(|offer| offer.kinds.iter().map(|kind| kind.name()))
        .collect();
    let suspended: Vec<String> = rules.suspensions().iter().map(|suspension| suspension.step.clone()).collect();
    let to = format!("{}/steps", address(&name));
    let others: Vec<&Offer> = offers.iter().filter(|offer| !enabled.contains(&offer.step)).collect();
    let trial = super::trial::cleaning(&site, &visitor, &name).await?;
    let body = html! {
        h1 { "Preprocessing rules of job " (name) }
        p { "They run from top to bottom, on " (steps::messages(&job)) ". Kinds that are cut: " @if applied.is_empty() { "none" } (applied.join(", ")) "." }
        @if visitor.is_admin() { (scope(&visitor, &to, &job, !idle.is_empty())) }
        @if follows { p.note { "This job follows what is recommended. The first change here writes its list down; what is recommended later does not reach it then." } }
        @if !idle.is_empty() { p.note { "Rules are on that cut nothing, as this job does not cut their kind: " (idle.into_iter().collect::<Vec<_>>().join(", ")) ". Tick it above if you want it cut." } }
        p { a href="#try" { "Try a message with these rules" } @if visitor.is_admin() { " · " a href="/rules/new" { "New preprocessing rule" } } }
        h2 { "On" }
        @if enabled.is_empty() { p.empty { "No rule is on: nothing is cut." } }
        @if visitor.is_admin() { form #move-step method="post" action=(to) hidden { (visitor.csrf_field()) input type="hidden" name="what" value="move"; input type="hidden" name="step"; input type="hidden" name="place"; } }
        ol.steps data-move=[visitor.is_admin().then_some("move-step")] {
            @for (place, step) in (1..).zip(&enabled) {
                li id=(format!("step-{step}")) data-step=(step) data-place=(place) {
                    span.dim { (place) }
                    (what(&name, step, known(step), &html! {
                        @if known(step).is_some_and(cuts_nothing) { " " (badge("this job does not cut this kind", if follows { "calm" } else { "warn" })) }
                        @if suspended.contains(step) { " " (badge("left out: suspended", "bad")) }
                    }))
                    @if visitor.is_admin() {
                        div.acts {
                            @if place > 1 { (order(&visitor, &to, "move", step, Some(place - 1), "Up")) }
                            @if place < enabled.len() { (order(&visitor, &to, "move", step, Some(place + 1), "Down")) }
                            (order(&visitor, &to, "disable", step, None, "Switch off"))
                        }
                    }
                }
            }
        }
        h2 { "Off" }
        @if visitor.is_admin() && others.iter().any(|offer| offer.recommended) { (order(&visitor, &to, "enable", "recommended", None, "Switch on all that are recommended")) }
        ol.steps {
            @for offer in &others {
                li id=(format!("step-{}", offer.step)) { span {} (what(&name, &offer.step, Some(offer), &html! { @if offer.recommended { " " (badge("recommended", "good")) } })) @if visitor.is_admin() { div.acts { (order(&visitor, &to, "enable", &offer.step, None, "Switch on")) } } }
            }
        }
        (trial)
    };
    Ok(page::shown(&Frame::new("Preprocessing rules", "/jobs", &visitor), &body))
}

/// Which messages are cleaned, and of what.
fn scope(visitor: &Visitor, to: &str, job: &Job, is_open: bool) -> Markup {
    let (kinds, apply_to) = (job.preprocess.kinds, job.preprocess.apply_to);
    html! {
        details open[is_open] {
            summary { "Change the messages and the kinds" }
            form.wide method="post" action=(to) {
                (visitor.csrf_field())
                input type="hidden" name="what" value="scope";
                label for="apply_to" { "Messages that are cleaned" }
                select #apply_to name="apply_to" {
                    option value="active-follow-ups" selected[apply_to == ApplyTo::ActiveFollowUps] { "Follow-ups of active tickets: what they quote is on the ticket already" }
                    option value="all" selected[apply_to == ApplyTo::All] { "All messages" }
                }
                fieldset {
                    legend { "Kinds that are cut" }
                    @for kind in CutKind::ALL { label.tick { input type="checkbox" name="kind" value=(kind.name()) checked[kinds.contains(kind)]; span { (kind.name()) } } }
                }
                button type="submit" { "Save" }
            }
        }
    }
}

/// What a step is.
fn what(job: &str, step: &str, offer: Option<&Offer>, badges: &Markup) -> Markup {
    html! {
        div {
            @match offer {
                Some(offer) => {
                    a href=(format!("/rules/file?step={}&job={}", in_path(step), in_path(job))) { (step) }
                    @for kind in &offer.kinds { " " (badge(kind.name(), "calm")) }
                    (badges)
                    @if let Some(summary) = &offer.summary { span.what { (summary) } }
                }
                None => { (step) " " (badge("the pipeline has no such step", "bad")) }
            }
        }
    }
}

/// A button for one change. Its label says which step, to who cannot see beside what it stands.
fn order(visitor: &Visitor, to: &str, what: &str, step: &str, place: Option<usize>, label: &str) -> Markup {
    let spoken = (step != "recommended").then(|| format!("{label}: {step}"));
    html! {
        form.inline method="post" action=(to) {
            (visitor.csrf_field())
            input type="hidden" name="what" value=(what);
            input type="hidden" name="step" value=(step);
            @if let Some(place) = place { input type="hidden" name="place" value=(place); }
            button.quiet type="submit" aria-label=[spoken] { (label) }
        }
    }
}

pub(super) async fn change(State(site): State<Arc<Site>>, Path(name): Path<String>, order: Order) -> Answer {
    let (fields, by) = (&order.fields, order.visitor.name());
    let step = fields.text("step").to_owned();
    // Where the eyes were, and the keys.
    let there = format!("{}/steps#step-{}", address(&name), in_path(&step));
    let place = fields.filled("place").and_then(|place| place.parse().ok());
    let change = match fields.text("what") {
        "scope" => {
            steps::set_scope(&site, &name, Some(fields.all("kind").collect()), fields.filled("apply_to"), by).await?;
            return told(News::StepsSaved, &format!("{}/steps", address(&name)));
        }
        "enable" => Change::Enable { steps: vec![step], place: None },
        "disable" => Change::Disable { steps: vec![step] },
        _ => Change::Move { step, place: StepPlace::At(place.unwrap_or(1)) },
    };
    steps::change(&site, &name, &change, by).await?;
    back(&there)
}
