//! A report as a story for people: hop by hop, with each cut in its place.

use crate::action::{Change, Outcome, Plan, Update};
use crate::message::Address;
use crate::message::document::Cut;
use crate::paint::{Paint, Style};
use crate::plugin::capabilities::Level;
use crate::report::{Body, Facts, Report, micros};
use crate::rules::Hop;
use crate::store::Receipt;
use crate::tame::{short, tame};
use crate::thread::{Conversation, Finding};
use crate::ticket::{TicketNumber, Visibility};
use std::fmt::Write as _;

/// The most characters of one line of a message that are shown.
const LINE_CHARS_MAX: usize = 160;
/// The most bytes of a body that are shown; the rest is counted.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// The hop that cuts.
const PREPROCESS: u8 = 4;

/// What happened to a message in the hops that a report does not hold.
#[derive(Debug, Default)]
pub(crate) struct Ends<'a> {
    /// Hop 1: where the message came from.
    pub(crate) fetched: &'a str,
    /// Hop 8: what was committed.
    pub(crate) committed: &'a str,
    /// Hop 9: what becomes of it in its mailbox.
    pub(crate) marked: &'a str,
}

/// The whole story.
pub(crate) fn story(report: &Report, ends: &Ends<'_>, paint: Paint) -> String {
    let mut story = String::new();
    for (number, name, mut text) in hops(report, ends, paint) {
        if number == PREPROCESS {
            text = format!("{text}\n{}", in_place(&report.body, paint));
        }
        let label = paint.paint(Style::Heading, format!("{number} {name:<11}"));
        let mut lines = text.lines();
        let _ = writeln!(story, "{label} {}", lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(story, "              {line}");
        }
    }
    for warning in &report.warnings {
        let _ = writeln!(story, "{}", paint.paint(Style::Bad, format!("warning: {}", tame(warning))));
    }
    let _ = writeln!(story, "{}", paint.paint(Style::Dim, times(report)));
    let revision = paint.paint(Style::Dim, format!("rules in force: revision {}", report.revision));
    let _ = writeln!(story, "{revision}");
    story
}

/// What each hop did: its number, its name, and some lines. The body with its cuts, [`in_place`], is not among them.
pub(crate) fn hops(report: &Report, ends: &Ends<'_>, paint: Paint) -> [(u8, &'static str, String); 9] {
    [
        (1, "fetch", ends.fetched.to_owned()),
        (2, "parse", parse(&report.message)),
        (3, "thread", thread(report)),
        (PREPROCESS, "preprocess", preprocess(report)),
        (5, "extract", fields(report)),
        (6, "statements", statements(report, paint)),
        (7, "plan", plan(report, paint)),
        (8, "commit", ends.committed.to_owned()),
        (9, "mark", ends.marked.to_owned()),
    ]
}

/// How long the hops took, and which steps took most of it.
pub(crate) fn times(report: &Report) -> String {
    const STEPS_SHOWN: usize = 3;
    let mut steps: Vec<_> = report.steps.iter().collect();
    steps.sort_by_key(|step| std::cmp::Reverse(step.time));
    let slowest: Vec<String> =
        steps.iter().take(STEPS_SHOWN).map(|step| format!("{} {}", step.step, millis(micros(step.time)))).collect();
    let hops = report.micros.each().map(|(hop, took)| format!("{hop} {}", millis(took)));
    let steps = if slowest.is_empty() { String::new() } else { format!("; slowest steps: {}", slowest.join(", ")) };
    format!("took {}{steps}", hops.join(", "))
}

fn millis(micros: u64) -> String {
    format!("{}.{:02} ms", micros / 1000, micros % 1000 / 10)
}

fn parse(facts: &Facts) -> String {
    let sender = facts.sender.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let client = if facts.client.name.is_empty() {
        "an unknown mail client".to_owned()
    } else {
        format!("{} ({})", facts.client.name, tame(&facts.client.evidence))
    };
    let mut text = format!(
        "\"{}\" from {}\nlooks like {client}; origin: {}",
        short(&facts.subject, LINE_CHARS_MAX),
        short(&sender, LINE_CHARS_MAX),
        facts.origin
    );
    for attachment in &facts.attachments {
        let name = if attachment.name.is_empty() { "without a name" } else { &attachment.name };
        let place = if attachment.inline { "inline" } else { "attached" };
        let _ = write!(text, "\n{place}: {} ({}, {} bytes", short(name, 80), attachment.media_type, attachment.bytes);
        if let Some(seen) = &attachment.seen {
            let _ = write!(text, ", looks like {seen}");
        }
        text.push(')');
        if let Some(description) = &attachment.description {
            let _ = write!(text, ": {}", short(description, 200));
        }
        if let Some(reason) = &attachment.refused {
            let _ = write!(text, "\n  not attached: {}", short(reason, 120));
        }
    }
    for defect in &facts.defects {
        let _ = write!(text, "\ndefect: {}", short(&defect.0, LINE_CHARS_MAX));
    }
    text
}

fn thread(report: &Report) -> String {
    let (taken, refused): (Vec<&Finding>, Vec<&Finding>) = report.thread.iter().partition(|finding| finding.taken);
    let is_held = report.quarantine.as_ref().is_some_and(|cause| cause.hop == "thread");
    let mut lines = Vec::new();
    if !is_held || refused.is_empty() {
        lines.push(conversation(report, taken.first().copied()));
    }
    lines.extend(refused.into_iter().map(|finding| {
        let Finding { ticket, link, because, .. } = finding;
        format!("was not taken as an answer to {ticket}: {}, but {}", link.clause(), tame(because))
    }));
    lines.join("\n")
}

fn conversation(report: &Report, taken: Option<&Finding>) -> String {
    let why = taken.map(|finding| format!(": {}; {}", finding.link.clause(), tame(&finding.because)));
    let why = why.unwrap_or_default();
    match &report.conversation {
        Conversation::New if report.thread.is_empty() => {
            "a new conversation: no ticket tag, and no reply to a message that is known".to_owned()
        }
        Conversation::New => "a new conversation".to_owned(),
        Conversation::Active(ticket) => {
            format!("follows up {}, {}, {}{why}", ticket.number, ticket.class.name(), ticket.status.name())
        }
        Conversation::Inactive(ticket) => {
            format!(
                "refers to {}, which is {}, so that it is not a follow-up{why}",
                ticket.number,
                ticket.status.name()
            )
        }
    }
}

fn preprocess(report: &Report) -> String {
    let body = &report.body;
    let mut lines = Vec::new();
    let looked: Vec<&str> =
        report.steps.iter().filter(|step| step.hop == Hop::Preprocess).map(|step| step.step.as_str()).collect();
    let idle = match body.idle {
        0 => String::new(),
        1 => " (1 other step found nothing that it looks for)".to_owned(),
        idle => format!(" ({idle} other steps found nothing that they look for)"),
    };
    lines.push(match (looked.is_empty(), body.cuts.is_empty()) {
        (true, _) if body.idle > 0 => "nothing to cut: no step found anything that it looks for".to_owned(),
        (true, _) => {
            let why = body.skipped.as_deref().unwrap_or("the rules have no preprocess step");
            format!("no rule looked: {}", tame(why))
        }
        (false, true) => format!("nothing to cut; looked: {}{idle}", looked.join(", ")),
        (false, false) => format!("{} proposed; looked: {}{idle}", cuts(body.cuts.len()), looked.join(", ")),
    });
    for step in &report.steps {
        let remarks = step.log.iter().filter(|line| line.level < Level::Warn);
        lines.extend(remarks.map(|line| format!("{}: {}", step.step, tame(&line.text))));
    }
    lines.join("\n")
}

fn cuts(count: usize) -> String {
    if count == 1 { "1 cut".to_owned() } else { format!("{count} cuts") }
}

/// The body's text, each line marked: `|` stays, `-` is cut, `~` was proposed but is of a kind that the job keeps.
pub(crate) fn in_place(body: &Body, paint: Paint) -> String {
    let Some(whole) = &body.whole else { return String::new() };
    let kept_all = body.left.as_deref() == Some(whole.as_str());
    let mut text = String::new();
    let mut from = 0;
    let end = whole.floor_char_boundary(BODY_BYTES_MAX.min(whole.len()));
    while from < end {
        let (to, cut) = piece(body, from, end);
        let Some(part) = whole.get(from..to) else { break };
        mark(&mut text, part, cut.map(|cut| (cut, body.applied.contains(cut.kind) && !kept_all)), paint);
        from = to;
    }
    if end < whole.len() {
        let _ = writeln!(text, "… {} more bytes", whole.len() - end);
    }
    text
}

/// The stretch from an offset up to the next border of a cut, and the cut that it belongs to.
pub(crate) fn piece(body: &Body, from: usize, end: usize) -> (usize, Option<&Cut>) {
    let covers = |cut: &&Cut| cut.span.range().contains(&from);
    // A cut that is applied says more than one that is not.
    let cut = body.cuts.iter().filter(covers).max_by_key(|cut| body.applied.contains(cut.kind));
    let borders = body.cuts.iter().flat_map(|cut| [cut.span.start as usize, cut.span.end as usize]);
    let next = borders.filter(|border| *border > from).min().unwrap_or(end);
    (next.min(end), cut)
}

fn mark(text: &mut String, part: &str, cut: Option<(&Cut, bool)>, paint: Paint) {
    let (sign, style) = match cut {
        None => ('|', None),
        Some((_, true)) => ('-', Some(Style::Cut)),
        Some((_, false)) => ('~', Some(Style::Dim)),
    };
    let part = part.strip_suffix('\n').unwrap_or(part);
    for (number, line) in part.split('\n').enumerate() {
        let line = short(line, LINE_CHARS_MAX);
        let line = style.map_or_else(|| line.clone(), |style| paint.paint(style, &line));
        let _ = write!(text, "{sign} {line}");
        if let (0, Some((cut, _))) = (number, cut) {
            let label = format!("   [{}: {}, {}]", cut.kind, cut.step, short(&cut.rule, 60));
            text.push_str(&paint.paint(Style::Dim, label));
        }
        text.push('\n');
    }
}

fn fields(report: &Report) -> String {
    if report.fields.is_empty() {
        return "no fields".to_owned();
    }
    let lines: Vec<String> = report
        .fields
        .iter()
        .map(|field| {
            let kind = field.value.value_type().map_or_else(|| "blank".to_owned(), |kind| kind.to_string());
            format!("{} = {} ({kind})", field.name, short(&field.value.to_string(), LINE_CHARS_MAX))
        })
        .collect();
    lines.join("\n")
}

fn statements(report: &Report, paint: Paint) -> String {
    let mut lines: Vec<String> = report
        .decisions
        .iter()
        .map(|decision| {
            let result = if decision.holds { paint.paint(Style::Good, "yes") } else { "no".to_owned() };
            format!("{}: {} → {result}", decision.statement, tame(&decision.condition))
        })
        .collect();
    for action in &report.actions {
        let branch = if came_from_else(report, &action.statement) { "else branch of" } else { "statement" };
        lines.push(format!("asks for {} ({branch} \"{}\")", action.verb, action.statement));
    }
    if lines.is_empty() { "no statement looked".to_owned() } else { lines.join("\n") }
}

/// Whether a statement has looked at its conditions, and none held.
fn came_from_else(report: &Report, statement: &str) -> bool {
    let mut decisions = report.decisions.iter().filter(|decision| decision.statement == statement).peekable();
    decisions.peek().is_some() && decisions.all(|decision| !decision.holds)
}

fn plan(report: &Report, paint: Paint) -> String {
    if let Some(cause) = &report.quarantine {
        let step = cause.step.as_ref().map(|step| format!(", step \"{step}\"")).unwrap_or_default();
        let text = format!("quarantined at {}{step}: {}", cause.hop, tame(&cause.reason));
        return paint.paint(Style::Bad, text);
    }
    report.plan.as_ref().map_or_else(|| "nothing".to_owned(), planned)
}

fn planned(plan: &Plan) -> String {
    match &plan.outcome {
        Outcome::Accepted => plan.changes.iter().map(change).collect::<Vec<_>>().join("\n"),
        Outcome::Rejected { reason } => format!("rejected: {}", tame(reason)),
        Outcome::Ignored { reason } => format!("ignored: {}", tame(reason)),
    }
}

fn change(change: &Change) -> String {
    match change {
        Change::CreateTicket { class, status, subject, requester, assignment, participants, fields, .. } => {
            let requester = if requester.email.is_empty() && requester.name.is_empty() {
                "nobody (the message names no sender)".to_owned()
            } else {
                short(&requester.to_string(), 80)
            };
            let mut text = format!("create a ticket ({}) \"{}\" for {requester}", class.name(), short(subject, 80));
            // What nearly all begin with goes without saying.
            if status.name() != "new" {
                let _ = write!(text, ", {}", status.name());
            }
            if !assignment.is_nobody() {
                let _ = write!(text, ", assigned to {}", short(&assignment.to_string(), 80));
            }
            if !participants.is_empty() {
                let _ = write!(text, ", with {}", listed(participants));
            }
            for field in fields.iter().filter(|field| !field.value.is_blank()) {
                let _ = write!(text, "\n  with {} \"{}\"", field.name, short(&field.value.to_string(), 60));
            }
            text
        }
        Change::UpdateTicket { ticket, update } => format!("change {ticket}: {}", updated(update)),
        Change::AddParticipants { ticket, participants } => format!("add {} to {ticket}", listed(participants)),
        Change::AddComment { ticket, visibility, text, .. } => {
            let ticket = ticket.as_ref().map_or_else(|| "the new ticket".to_owned(), ToString::to_string);
            let article = if *visibility == Visibility::Internal { "an" } else { "a" };
            format!("add {article} {} comment to {ticket}: \"{}\"", visibility.name(), short(text.trim(), 60))
        }
        Change::SetStatus { ticket, status } => format!("set the status of {ticket} to {}", status.name()),
        Change::SetField { ticket, field } => {
            format!("set {} of {ticket} to \"{}\"", field.name, short(&field.value.to_string(), 60))
        }
        Change::Send { outgoing, withheld: Some(reason), .. } => {
            format!("not sent: {}, because {}", short(&outgoing.describe(), 120), short(reason, 300))
        }
        Change::Send { outgoing, withheld: None, .. } => {
            format!("send {} once this is committed", short(&outgoing.describe(), 120))
        }
    }
}

/// The new values of attributes.
fn updated(update: &Update) -> String {
    let value = |text: &str| if text.is_empty() { "nobody".to_owned() } else { format!("\"{}\"", short(text, 60)) };
    let attributes = [
        ("subject", update.subject.as_deref().map(value)),
        ("status", update.status.as_ref().map(|status| status.name().to_owned())),
        ("requester", update.requester.as_ref().map(|requester| short(&requester.to_string(), 80))),
        ("person", update.person.as_deref().map(value)),
        ("group", update.group.as_deref().map(value)),
    ];
    let new = attributes.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    new.collect::<Vec<_>>().join(", ")
}

/// A few people, and how many more.
fn listed(people: &[Address]) -> String {
    const SHOWN_MAX: usize = 5;
    let shown: Vec<String> = people.iter().take(SHOWN_MAX).map(|person| short(&person.to_string(), 60)).collect();
    let more = people.len().saturating_sub(SHOWN_MAX);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// What a receipt says, in short.
pub(crate) fn result(receipt: &Receipt) -> String {
    let list = |numbers: &[TicketNumber]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !receipt.created.is_empty() {
        parts.push(format!("created {}", list(&receipt.created)));
    }
    if !receipt.updated.is_empty() {
        parts.push(format!("updated {}", list(&receipt.updated)));
    }
    parts.extend(receipt.withheld.iter().map(|reason| format!("not sent: {}", short(reason, 300))));
    if parts.is_empty() { short(receipt.outcome.reason(), 100) } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::document::{BodyKind, CutKind, CutKinds, Span};

    #[test]
    fn cuts_are_shown_in_their_place() {
        let cut = |start, end, kind| Cut {
            span: Span::new(start, end),
            kind,
            rule: "rule".into(),
            step: "gmail".into(),
            replacement: None,
        };
        let body = Body {
            kind: BodyKind::Plain,
            cuts: vec![cut(6, 13, CutKind::Signature), cut(13, 21, CutKind::Quote)],
            applied: [CutKind::Quote].into_iter().collect::<CutKinds>(),
            whole: Some("hello\n-- \nAnn\n> a\n> b\n".replace("-- \nAnn\n", "-- Ann\n").clone()),
            left: Some("hello\n-- Ann\n".into()),
            left_in_plan: false,
            skipped: None,
            idle: 0,
        };
        let expect = "| hello\n~ -- Ann   [signature: gmail, rule]\n- > a   [quote: gmail, rule]\n- > b\n";
        assert_eq!(in_place(&body, Paint::new(false)), expect);
    }
    #[test]
    fn a_large_body_is_shown_up_to_the_limit() {
        let whole = "ä".repeat(BODY_BYTES_MAX);
        let body = Body {
            kind: BodyKind::Plain,
            cuts: Vec::new(),
            applied: CutKinds::NONE,
            whole: Some(format!("x\n{}", whole.replace("ää", "ä\n"))),
            left: None,
            left_in_plan: false,
            skipped: None,
            idle: 0,
        };
        let shown = in_place(&body, Paint::new(false));
        assert!(shown.len() < 3 * BODY_BYTES_MAX, "{} bytes", shown.len());
        assert!(shown.ends_with(&format!("… {} more bytes\n", body.whole.unwrap().len() - BODY_BYTES_MAX)), "{shown}");
    }
}
