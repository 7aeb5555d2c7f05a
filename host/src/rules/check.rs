//! The rule files' own tests: `[[test]]` tables with a small message and what is expected of it.

use super::coverage::Reached;
use super::file::OwnTest;
use super::{Hop, Instances, RuleSet, Step, StepFault, StepReport};
use crate::action::{self, Action, Facts};
use crate::diagnostic::{Diagnostic, Diagnostics, suggestion};
use crate::field::{Entry, Value};
use crate::message::document::{CutKind, CutKinds};
use crate::message::{Message, parse};
use crate::outgoing::Wording;
use crate::plugin::capabilities::LogLine;
use crate::thread::Conversation;
use crate::ticket::{ClassSpec, Classes, Status, TicketNumber, TicketSummary};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The key of the verb in an expected action, as in statements.
const DO: &str = "do";

/// The keys of a [`Case`].
const KEYS: [&str; 9] = ["name", "from", "subject", "headers", "body", "html", "ticket", "drop", "expect"];

/// A `[[test]]` table. Which `expect` makes sense depends on the hop of the step whose rules are tested.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    from: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    headers: Map<String, Json>,
    body: Option<String>,
    html: Option<String>,
    ticket: Option<Ticket>,
    /// Preprocess: the kinds of cut to apply; as in a job, quotes alone if not given.
    #[serde(default = "quotes")]
    drop: CutKinds,
    expect: Json,
}

fn quotes() -> CutKinds {
    [CutKind::Quote].into_iter().collect()
}

/// The ticket that the message follows up.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ticket {
    number: Option<TicketNumber>,
    class: Option<String>,
    status: Option<String>,
}

/// What became of one own test of a rule file.
#[derive(Debug, Clone)]
pub struct TestRun {
    /// The file.
    pub file: PathBuf,
    /// The line of its `[[test]]`, counted from 1.
    pub line: usize,
    /// The step whose rules it tests.
    pub step: Arc<str>,
    /// Its name; empty if it has none.
    pub name: String,
    /// What became of it.
    pub result: TestResult,
    /// What the plugin under test logged.
    pub log: Vec<LogLine>,
    /// What of the rules it reached.
    pub(super) reached: Reached,
    pub(super) test: OwnTest,
}

/// How a test ended.
#[derive(Debug, Clone)]
pub enum TestResult {
    /// All is as expected.
    Passed,
    /// Something else came out.
    Different {
        /// What is expected and what was found, line by line: `-` is missing, `+` is too much.
        difference: String,
        /// What `expect` would have to say.
        found: Json,
    },
    /// It came to nothing that could be compared, and why.
    Failed(String),
    /// The table itself is wrong.
    Invalid(Vec<Diagnostic>),
}

impl TestRun {
    /// Whether it passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        matches!(self.result, TestResult::Passed)
    }

    /// What is wrong; nothing if it passed.
    fn diagnostics(&self) -> Vec<Diagnostic> {
        let error = |reason| vec![self.test.source.error(self.test.span.clone(), reason)];
        match &self.result {
            TestResult::Passed => Vec::new(),
            TestResult::Different { difference, .. } => {
                error(format!("the test \"{}\" fails:\n{difference}", self.name))
            }
            TestResult::Failed(reason) => error(format!("the test \"{}\" fails: {reason}", self.name)),
            TestResult::Invalid(diagnostics) => diagnostics.clone(),
        }
    }
}

/// Runs the own tests of all steps and reports those that fail.
pub(super) fn run(instances: &mut Instances, out: &mut Diagnostics) {
    out.extend(run_those(instances, |_| true).iter().flat_map(TestRun::diagnostics));
}

/// Runs the own tests that stand in these files, in the order of the steps.
pub(super) fn run_those(instances: &mut Instances, is_wanted: impl Fn(&Path) -> bool) -> Vec<TestRun> {
    let set = &instances.set().clone();
    let tests = set.steps.iter().flat_map(|step| step.files.tests.iter().map(move |test| (step, test)));
    let wanted = tests.filter(|(_, test)| is_wanted(test.source.path()));
    wanted.map(|(step, test)| run_test(set, instances, step, test)).collect()
}

fn run_test(set: &RuleSet, instances: &mut Instances, step: &Step, test: &OwnTest) -> TestRun {
    let error = |reason: String| test.source.error(test.span.clone(), reason);
    let unknown = unknown_keys(test);
    let case = Case::deserialize(&test.content);
    let name = case.as_ref().map_or_else(
        |_| test.content.get("name").and_then(Json::as_str).unwrap_or_default().to_owned(),
        |case| case.name.clone(),
    );
    let mut seen = Seen { step: step.name.clone(), reached: Reached::default(), log: Vec::new() };
    let result = match &case {
        _ if !unknown.is_empty() => TestResult::Invalid(unknown),
        Ok(case) => run_case(set, instances, step, case, &mut seen),
        Err(fault) => TestResult::Invalid(vec![error(format!("this test makes no sense: {fault}"))]),
    };
    TestRun {
        file: test.source.path().to_owned(),
        line: error(String::new()).position().map_or(1, |at| at.line),
        step: step.name.clone(),
        name,
        result,
        log: seen.log,
        reached: seen.reached,
        test: test.clone(),
    }
}

/// What is seen of a test while it runs.
struct Seen {
    /// The step under test.
    step: Arc<str>,
    reached: Reached,
    log: Vec<LogLine>,
}

impl Seen {
    fn steps(&mut self, steps: &[StepReport]) {
        let own = steps.iter().filter(|step| *step.step == *self.step);
        self.log.extend(own.flat_map(|step| step.log.iter().cloned()));
    }

    fn fault(&mut self, fault: &StepFault) -> String {
        self.steps(&fault.steps);
        fault.to_string()
    }
}

fn run_case(set: &RuleSet, instances: &mut Instances, step: &Step, case: &Case, seen: &mut Seen) -> TestResult {
    let compared = match step.hop {
        Hop::Preprocess => cleaned(set, instances, case, step, seen),
        Hop::Extract => extracted(instances, case, seen),
        Hop::Process => decided(instances, case, seen),
    };
    match compared {
        Ok(Compared { expected, found, .. }) if expected == found => TestResult::Passed,
        Ok(Compared { expected, found, json }) => {
            TestResult::Different { difference: difference(&expected, &found), found: json }
        }
        Err(reason) => TestResult::Failed(reason),
    }
}

/// Both sides of a test.
struct Compared {
    expected: String,
    found: String,
    /// What was found, as `expect` would say it.
    json: Json,
}

/// The keys of a test that mean nothing, each with its place.
fn unknown_keys(test: &OwnTest) -> Vec<Diagnostic> {
    let keys = test.content.as_object().into_iter().flat_map(Map::keys);
    let unknown = keys.filter(|key| !KEYS.contains(&key.as_str()));
    let diagnostic = |key: &String| {
        let help = suggestion(key, KEYS).unwrap_or_else(|| format!("known here: `{}`", KEYS.join("`, `")));
        test.source.error(test.key_span(key), format!("unknown key `{key}` in a test")).help(help)
    };
    unknown.map(diagnostic).collect()
}

/// What the recommended preprocess steps together, and the one whose test it is, leave of the body. White space at line
/// ends and doubled blank lines do not count.
fn cleaned(
    set: &RuleSet,
    instances: &mut Instances,
    case: &Case,
    step: &Step,
    seen: &mut Seen,
) -> Result<Compared, String> {
    let expected = case.expect.as_str().ok_or("`expect` must be the text that is left")?;
    let message = Arc::new(case.message());
    let wanted = set.steps.iter().filter(|other| other.hop == Hop::Preprocess);
    let wanted = wanted.filter(|other| other.recommended || other.name == step.name);
    let steps: Vec<String> = wanted.map(|step| step.name.to_string()).collect();
    let conversation = case.conversation(instances.classes())?;
    let done = instances.preprocess(&message, &conversation, &steps);
    seen.reached.cuts(&done.cuts);
    seen.steps(&done.steps);
    if let Some(fault) = done.steps.into_iter().find_map(|step| step.fault.or(step.warnings.into_iter().next())) {
        return Err(fault);
    }
    let left = message.document.view(&done.cuts, case.drop);
    let found = tidy(left.text());
    Ok(Compared { expected: tidy(expected), json: Json::from(found.as_str()), found })
}

fn tidy(text: &str) -> String {
    let mut lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    lines.join("\n")
}

/// The fields that all extractors make, one per line, by name.
fn extracted(instances: &mut Instances, case: &Case, seen: &mut Seen) -> Result<Compared, String> {
    let expected = case.expect.as_object().ok_or("`expect` must be a table of fields")?;
    let message = Arc::new(case.message());
    let conversation = case.conversation(instances.classes())?;
    let done = instances.extract(&message, &conversation, &[], CutKinds::NONE);
    let done = done.map_err(|fault| seen.fault(&fault))?;
    seen.steps(&done.steps);
    let fields = done.fields;
    seen.reached.fields(&fields);
    Ok(Compared {
        expected: lines(expected.iter().map(|(name, value)| (name.as_str(), plain(value)))),
        found: lines(shown(&fields)),
        json: made(&fields).map(|field| (field.name.clone(), as_expected(&field.value))).collect(),
    })
}

/// The actions that the message comes to, one per line. Arguments count where `expect` gives them.
fn decided(instances: &mut Instances, case: &Case, seen: &mut Seen) -> Result<Compared, String> {
    let expected = case.expect.as_array().ok_or("`expect` must be a list of verbs, or of tables with `do`")?;
    let (message, conversation) = (Arc::new(case.message()), case.conversation(instances.classes())?);
    let fields = instances.extract(&message, &conversation, &[], CutKinds::NONE).map_err(|fault| fault.to_string())?;
    let done = instances.process(&message, &conversation, &[], CutKinds::NONE, &fields.fields);
    let done = done.map_err(|fault| seen.fault(&fault))?;
    seen.steps(&done.steps);
    seen.reached.statements(&done);
    let mut actions = done.actions;
    action::shorten(&mut actions);
    // What would be quarantined is not sound, whatever the test expects.
    let facts = Facts {
        sender: message.sender.as_ref(),
        recipients: &message.recipients,
        subject: &message.subject,
        body: message.document.text(),
        conversation: &conversation,
        classes: instances.classes(),
        sending: action::Sending::default(),
    };
    action::plan(&actions, &facts).map_err(|error| error.to_string())?;
    actions.iter_mut().for_each(as_sent);
    let asked = |at: usize| expected.get(at).and_then(Json::as_object);
    let found = actions.iter().enumerate().map(|(at, action)| action_line(action, asked(at)));
    let found: Vec<_> = found.collect();
    let json = actions.iter().enumerate().map(|(at, action)| action_json(action, asked(at))).collect();
    let expected: Vec<_> = expected.iter().map(expected_line).collect();
    Ok(Compared { expected: expected.join("\n"), found: found.join("\n"), json })
}

/// Shows texts as they are sent, with the places in them that are filled then.
fn as_sent(action: &mut Action) {
    for entry in &mut action.arguments {
        if let ([ticket, tag], Value::Text(text)) = (action::placeholders(&action.verb, &entry.name), &mut entry.value)
        {
            *text = Wording::from(std::mem::take(text)).filled(&format!("{{{ticket}}}"), &format!("{{{tag}}}"));
        }
    }
}

/// An action as `expect` would say it, with the arguments that the test asks for.
fn action_json(action: &Action, asked: Option<&Map<String, Json>>) -> Json {
    let Some(asked) = asked else { return Json::from(action.verb.as_str()) };
    let value = |name: &String| action.arguments.iter().find(|argument| argument.name == *name);
    let arguments = asked.keys().filter(|name| *name != DO).filter_map(|name| Some((name.clone(), value(name)?)));
    let arguments = arguments.map(|(name, entry)| (name, as_expected(&entry.value)));
    [(DO.to_owned(), Json::from(action.verb.as_str()))].into_iter().chain(arguments).collect()
}

/// A value as `expect` would say it.
fn as_expected(value: &Value) -> Json {
    match value {
        Value::Integer(number) => Json::from(*number),
        Value::Boolean(truth) => Json::from(*truth),
        Value::None | Value::Text(_) | Value::Decimal(_) | Value::DateTime(_) | Value::Currency(_) | Value::Html(_) => {
            Json::from(value.to_string())
        }
    }
}

/// `verb argument="value"`, with the arguments that the test asks for.
fn action_line(action: &Action, asked: Option<&Map<String, Json>>) -> String {
    let names = asked.into_iter().flat_map(Map::keys).filter(|name| *name != DO);
    let value = |name: &String| action.arguments.iter().find(|argument| argument.name == *name);
    let arguments =
        names.map(|name| (name.as_str(), value(name).map_or(String::new(), |entry| entry.value.to_string())));
    with_arguments(&action.verb, arguments)
}

fn expected_line(expected: &Json) -> String {
    let Some(table) = expected.as_object() else { return plain(expected) };
    let verb = table.get(DO).map(plain).unwrap_or_default();
    let arguments = table.iter().filter(|(name, _)| *name != DO).map(|(name, value)| (name.as_str(), plain(value)));
    with_arguments(&verb, arguments)
}

fn with_arguments<'a>(verb: &str, arguments: impl Iterator<Item = (&'a str, String)>) -> String {
    arguments.fold(verb.to_owned(), |mut line, (name, value)| {
        // Writing to a string cannot fail.
        let _ = write!(line, " {name}={value:?}");
        line
    })
}

fn made(fields: &[Entry]) -> impl Iterator<Item = &Entry> {
    fields.iter().filter(|field| field.value != Value::None)
}

fn shown(fields: &[Entry]) -> impl Iterator<Item = (&str, String)> {
    made(fields).map(|field| (field.name.as_str(), field.value.to_string()))
}

/// `name = value` lines, by name.
fn lines<'a>(entries: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut lines: Vec<_> = entries.map(|(name, value)| format!("{name} = {value}")).collect();
    lines.sort();
    lines.join("\n")
}

/// A value of a test as text.
pub(super) fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Both texts, line by line: `-` is missing, `+` is too much.
fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let same_start = expected.iter().zip(&found).take_while(|(one, other)| one == other).count();
    let rest = |lines: &[&str]| lines.len() - same_start;
    let most = rest(&expected).min(rest(&found));
    let backwards = expected.iter().rev().zip(found.iter().rev()).take(most);
    let same_end = backwards.take_while(|(one, other)| one == other).count();
    let marked = |mark, lines: &[&str], from: usize, to: usize| -> Vec<String> {
        lines.iter().take(to).skip(from).map(|line| format!("{mark} {line}").trim_end().to_owned()).collect()
    };
    [
        marked(' ', &expected, 0, same_start),
        marked('-', &expected, same_start, expected.len() - same_end),
        marked('+', &found, same_start, found.len() - same_end),
        marked(' ', &expected, expected.len() - same_end, expected.len()),
    ]
    .concat()
    .join("\n")
}

impl Case {
    /// The message, as it would have come by mail.
    fn message(&self) -> Message {
        let mut raw = String::new();
        let from = self.from.as_deref().unwrap_or("Someone <someone@example.org>");
        let given = self.headers.iter().map(|(name, value)| (name.as_str(), plain(value)));
        let subject = self.subject.clone().unwrap_or_default();
        let kind = if self.html.is_some() { "text/html" } else { "text/plain" };
        let usual = [("From", from.to_owned()), ("Subject", subject), ("MIME-Version", "1.0".to_owned())];
        for (name, value) in usual.into_iter().chain(given) {
            // A line end in a value would end the header field; writing to a string cannot fail.
            let _ = write!(raw, "{name}: {}\r\n", value.replace(['\r', '\n'], " "));
        }
        let body = self.html.as_deref().or(self.body.as_deref()).unwrap_or_default();
        let _ = write!(raw, "Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}");
        parse(raw.as_bytes(), None)
    }

    /// The conversation; an error if there is no such class, or no such status of it.
    fn conversation(&self, classes: &Classes) -> Result<Conversation, String> {
        let Some(ticket) = &self.ticket else { return Ok(Conversation::New) };
        let named = |name: &String| {
            let known = || classes.names().join(", ");
            classes.get(name).ok_or_else(|| format!("there is no class \"{name}\" of tickets; there are {}", known()))
        };
        // A reply to no matter what: of the class of which most are, and in the midst of its life.
        let spec = match &ticket.class {
            Some(name) => named(name)?,
            None => classes.iter().next().ok_or("there is no class of tickets")?,
        };
        let number = ticket.number.clone().unwrap_or_else(|| spec.series.number(1));
        let status = ticket.status.as_deref().map_or(Ok(&spec.reopened), |name| status(spec, name))?.clone();
        let is_over = spec.terminal.contains(&status);
        let summary = TicketSummary { number, class: spec.class.clone(), status };
        Ok(if is_over { Conversation::Inactive(summary) } else { Conversation::Active(summary) })
    }
}

fn status<'c>(spec: &'c ClassSpec, name: &str) -> Result<&'c Status, String> {
    let known = || spec.statuses.iter().map(Status::name).collect::<Vec<_>>().join(", ");
    spec.status(name).ok_or_else(|| format!("{} has no status \"{name}\"; it has {}", spec.class, known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_shown_line_by_line() {
        let check = |expected: &str, found: &str, expect: &str| assert_eq!(difference(expected, found), expect);
        check("a\nb\nc", "a\nx\ny\nc", "  a\n- b\n+ x\n+ y\n  c");
        check("", "a", "+ a");
        check("a", "", "- a");
        check("a\na", "a", "  a\n- a");
    }

    #[test]
    fn a_case_becomes_a_message() {
        let case: Case = serde_json::from_str(
            r#"{"name":"n","subject":"Zürich","from":"Änne <a@example.org>","headers":{"X-Priority":"1"},"html":"<p>Hallo</p>","expect":""}"#,
        )
        .unwrap();
        let message = case.message();
        assert_eq!(message.subject, "Zürich");
        assert_eq!(message.sender.as_ref().unwrap().to_string(), "Änne <a@example.org>");
        assert_eq!(message.header("x-priority"), Some("1"));
        assert_eq!(message.document.text().trim(), "Hallo");
    }
}
