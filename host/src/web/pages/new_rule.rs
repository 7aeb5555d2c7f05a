//! A preprocessing rule of one's own: a name, a regular expression, and what is cut where it matches.

use super::{told, trial};
use crate::message::document::CutKind;
use crate::rules::RuleSet;
use crate::web::Site;
use crate::web::access::{Admin, Visitor};
use crate::web::error::{Answer, Fault};
use crate::web::form::{Fields, Order};
use crate::web::news::News;
use crate::web::page::{self, Frame, in_path};
use crate::web::rule_files::{self, Change};
use crate::web::trial::{CleanedBy, Trial, rehearse, with_files};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use std::sync::Arc;
use toml_edit::Value;

/// The longest name of a rule, in bytes.
const NAME_BYTES_MAX: usize = 60;
/// The file that lists the steps.
const PIPELINE: &str = "pipeline.toml";
/// What can be cut: as it is written, and in words.
const EXTENTS: [(&str, &str); 4] = [
    ("match", "what it matches"),
    ("after", "what it matches, and all after it"),
    ("before", "all before it, and what it matches"),
    ("quote", "what it matches as the line above a quote, and the quote below"),
];

pub(super) async fn page(Admin(visitor): Admin) -> Answer {
    Ok(shown(&visitor, &Fields::default(), StatusCode::OK, &html! {}))
}

fn shown(visitor: &Visitor, fields: &Fields, status: StatusCode, tried: &Markup) -> Response {
    let value = |name: &str| fields.text(name).to_owned();
    let message = fields.maybe("message").unwrap_or(trial::SAMPLE);
    let body = html! {
        h1 { "New preprocessing rule" }
        p { "It becomes a file of its own, and a step that is off until a job switches it on. More can be said in the file: " a href="/rules" { "Rules" } "." }
        form.wide method="post" action="/rules/new" {
            (visitor.csrf_field())
            label for="name" { "Name" }
            input #name name="name" required value=(value("name")) autocomplete="off" aria-describedby="name-hint";
            p #name-hint.hint { "Small letters, digits and -. Its file and its step are called like that." }
            label for="summary" { "What it does, in a sentence" }
            input #summary name="summary" required value=(value("summary")) autocomplete="off";
            label for="pattern" { "Regular expression" }
            input.code-line #pattern name="pattern" required spellcheck="false" value=(value("pattern")) autocomplete="off" aria-describedby="pattern-hint";
            p #pattern-hint.hint { "(?m) at its start: ^ and $ are the ends of lines. (?i): small and capital letters are the same. (?s): a point is also a line end." }
            label for="cut" { "What is cut" }
            select #cut name="cut" { @for (word, words) in EXTENTS { option value=(word) selected[word == fields.text("cut")] { (words) } } }
            label for="kind" { "Of which kind that is" }
            select #kind name="kind" { @for kind in CutKind::ALL { option value=(kind.name()) selected[kind.name() == fields.text("kind")] { (kind.name()) } } }
            label for="message" { "A message to try it on, with its header" }
            textarea #message name="message" rows="10" spellcheck="false" { (message) }
            div.row {
                button.quiet type="submit" name="what" value="try" data-part="tried" { "Try it" }
                button type="submit" name="what" value="save" { "Save" }
            }
        }
        section #tried aria-live="polite" { (tried) }
    };
    (status, page::document(&Frame::new("New preprocessing rule", "/rules", visitor), &body)).into_response()
}

/// The files of a new rule: its own, and the pipeline with a step for it.
struct NewRule {
    name: String,
    path: String,
    text: String,
    pipeline_before: String,
    pipeline: String,
}

impl NewRule {
    fn of(site: &Site, fields: &Fields) -> Result<Result<Self, &'static str>, Fault> {
        let is_trial = fields.text("what") == "try";
        let name = fields.filled("name").or(is_trial.then_some("new-rule")).unwrap_or_default();
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
            return Ok(Err("The name of a rule has small letters, digits and - only."));
        }
        // What is only tried needs no description.
        let summary = fields.filled("summary").or(is_trial.then_some("being tried"));
        let (Some(summary), Some(pattern)) = (summary, fields.filled("pattern")) else {
            return Ok(Err("Write a sentence that says what it does, and a regular expression."));
        };
        let quoted = |text: &str| Value::from(text).to_string();
        let summary = summary.replace(char::is_control, " ");
        let text = format!(
            "# {summary}\n\n[[rule]]\nname = {}\nkind = {}\npattern = {}\ncut = {}\n",
            quoted(name),
            quoted(fields.text("kind")),
            quoted(pattern),
            quoted(fields.text("cut")),
        );
        let path = format!("preprocess/{name}.toml");
        let pipeline_before = std::fs::read_to_string(site.config.rules.join(PIPELINE))?;
        let gap = if pipeline_before.ends_with('\n') { "\n" } else { "\n\n" };
        let pipeline = format!(
            "{pipeline_before}{gap}[[step]]\nname = {}\nhop = \"preprocess\"\nplugin = \"reply\"\nrules = {}\nreuse = true\nrecommended = false\n",
            quoted(name),
            quoted(&path),
        );
        Ok(Ok(Self { name: name.to_owned(), path, text, pipeline_before, pipeline }))
    }

    fn changes(&self) -> [Change; 2] {
        let own = Change { path: self.path.clone(), before: None, after: Some(self.text.clone()) };
        let (before, after) = (Some(self.pipeline_before.clone()), Some(self.pipeline.clone()));
        [own, Change { path: PIPELINE.to_owned(), before, after }]
    }
}

pub(super) async fn create(State(site): State<Arc<Site>>, order: Order) -> Answer {
    let Order { visitor, fields } = &order;
    let refused = |fault: &str| {
        let fault = html! { p.fault.listing role="alert" { "Nothing is saved.\n" (fault) } };
        Ok(shown(visitor, fields, StatusCode::UNPROCESSABLE_ENTITY, &fault))
    };
    let rule = match NewRule::of(&site, fields)? {
        Ok(rule) => rule,
        Err(fault) => return refused(fault),
    };
    if fields.text("what") == "try" {
        let files = rule.changes().map(|change| (change.path, change.after)).to_vec();
        let loaded = with_files(&site, files, |rules, plugins, engine| {
            RuleSet::load_untested(rules, plugins, engine).map(|untested| untested.to_try())
        });
        let rules = match loaded.await? {
            Ok(rules) => rules,
            Err(found) => return refused(&found),
        };
        let message = trial::message(&site, fields).await?;
        let cleaned_by = CleanedBy::Only(vec![rule.name]);
        let tried = rehearse(&site, Trial { job: String::new(), message, rules, cleaned_by }).await?;
        let matched = tried.0.body.cuts.len();
        let answer = html! {
            p.done role="status" { @match matched { 0 => "Your rule matches nowhere in this message.", 1 => "Your rule matches once.", _ => { "Your rule matches " (matched) " times." } } }
            (super::message::in_place(&tried.0.body))
            @for warning in &tried.0.warnings { p.note { "Warning: " (warning) } }
        };
        return Ok(shown(visitor, fields, StatusCode::OK, &answer));
    }
    let changes = rule.changes();
    let set = match rule_files::check(&site, &changes).await? {
        Ok(set) => set,
        Err(found) => return refused(&found),
    };
    match rule_files::save(&site, &set, &changes, visitor.name()).await {
        Err(Fault::Changed(fault)) => return refused(&fault),
        saved => saved?,
    }
    rule_files::in_force(&site, set.revision()).await;
    told(News::RuleMade, &format!("/rules/file?path={}", in_path(&rule.path)))
}
