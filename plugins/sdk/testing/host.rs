//! A small host for the unit tests of plugins: a message made of texts.

use mailmill_sdk::{
    Attachment, BodyKind, Conversation, CutKind, Field, Form, Host, Level, PatternError, Reading, Span, Value,
};
use regex::{Regex, RegexSet};
use std::cell::RefCell;

#[derive(Debug)]
pub(crate) struct TestHost {
    pub(crate) fields: Vec<(Field, String)>,
    pub(crate) extracted: Vec<(String, Value)>,
    pub(crate) thread: Conversation,
    pub(crate) log: RefCell<Vec<String>>,
    /// What is said of where fields come from: the field, how, and the text.
    pub(crate) found: RefCell<Vec<String>>,
}

impl TestHost {
    pub(crate) fn new(fields: &[(Field, &str)]) -> Self {
        let fields = fields.iter().map(|(field, text)| (field.clone(), (*text).to_owned())).collect();
        let (log, found) = (RefCell::default(), RefCell::default());
        Self { fields, extracted: Vec::new(), thread: Conversation::New, log, found }
    }

    fn get(&self, field: &Field) -> Option<String> {
        if let Field::Extracted(name) = field {
            return Some(self.extracted(name)).filter(|value| *value != Value::None).map(|value| value.to_string());
        }
        self.fields.iter().find(|(other, _)| other == field).map(|(_, text)| text.clone())
    }
}

fn span(range: std::ops::Range<usize>) -> Span {
    Span { start: range.start as u32, end: range.end as u32 }
}

fn decimal(text: &str) -> Option<Value> {
    match mailmill_sdk::number(text)? {
        Value::Integer(units) => Some(Value::Decimal { units, scale: 0 }),
        decimal => Some(decimal),
    }
}

/// `12.50 EUR`, or `12.50` of a currency of its own.
fn money(text: &str, own: &str) -> Option<Value> {
    let (number, currency) = text.split_once(' ').unwrap_or((text, own));
    let Value::Decimal { units, scale } = decimal(number)? else { return None };
    (currency.len() == 3).then(|| Value::Currency { units, scale, currency: currency.to_owned() })
}

/// `2026-01-31` or `2026-01-31T10:00Z`, with seconds or without.
fn date_time(text: &str) -> Option<Value> {
    let (date, time) = text.trim_end_matches('Z').split_once('T').unwrap_or((text, "00:00"));
    let numbers = |text: &str, mark| text.split(mark).map(|part| part.parse().ok()).collect::<Option<Vec<i64>>>();
    let (date, time) = (numbers(date, '-')?, numbers(time, ':')?);
    let ([year, month, day], [hour, minute, rest @ ..]) = (date.as_slice(), time.as_slice()) else { return None };
    let is_date = (1..=12).contains(month) && (1..=31).contains(day) && !(*month == 2 && *day > 29);
    // Howard Hinnant's days_from_civil: years begin in March.
    let (y, m) = if *month <= 2 { (year - 1, month + 9) } else { (*year, month - 3) };
    let days = y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day - 719_469;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + rest.first().copied().unwrap_or_default();
    is_date.then_some(Value::DateTime { seconds, offset_minutes: 0 })
}

fn error(error: &regex::Error) -> PatternError {
    PatternError { reason: error.to_string(), offset: Some(0) }
}

impl Host for TestHost {
    type Pattern = Regex;
    type PatternSet = RegexSet;
    type Selector = ();

    fn pattern(&self, source: &str) -> Result<Regex, PatternError> {
        Regex::new(source).map_err(|e| error(&e))
    }
    fn groups(&self, pattern: &Regex) -> Vec<Option<String>> {
        pattern.capture_names().map(|name| name.map(str::to_owned)).collect()
    }
    fn pattern_set(&self, sources: &[String]) -> Result<RegexSet, PatternError> {
        RegexSet::new(sources).map_err(|e| error(&e))
    }
    fn selector(&self, _: &str) -> Result<(), PatternError> {
        Ok(())
    }
    fn wake_on_match(&self, _: &Regex) {}
    fn wake_on_element(&self, (): &()) {}
    fn text(&self, field: &Field) -> Option<String> {
        self.get(field)
    }
    fn slice(&self, field: &Field, at: Span) -> String {
        self.get(field).unwrap_or_default()[at.start as usize..at.end as usize].to_owned()
    }
    fn length(&self, field: &Field) -> u32 {
        self.get(field).map_or(0, |text| text.len() as u32)
    }
    fn html(&self, field: &Field, at: Span) -> String {
        format!("<p>{}</p>", self.slice(field, at))
    }
    fn extracted(&self, name: &str) -> Value {
        if let Some((_, value)) = self.extracted.iter().find(|(other, _)| other == name) {
            return value.clone();
        }
        let (ticket, part) = match (&self.thread, name.strip_prefix("inactive-")) {
            (Conversation::Active(ticket), None) => (ticket, name),
            (Conversation::Inactive(ticket), Some(part)) => (ticket, part),
            _ => return Value::None,
        };
        match part {
            "ticket" => Value::Text(ticket.number.clone()),
            "ticket.class" => Value::Text(ticket.class.clone()),
            "ticket.status" => Value::Text(ticket.status.clone()),
            _ => Value::None,
        }
    }
    fn received(&self) -> Value {
        Value::DateTime { seconds: 0, offset_minutes: 0 }
    }
    fn thread(&self) -> Conversation {
        self.thread.clone()
    }
    fn kind_of_body(&self) -> BodyKind {
        BodyKind::Plain
    }
    fn attachments(&self) -> Vec<Attachment> {
        Vec::new()
    }
    fn found(&self, name: &str, how: &str, at: Option<(&Field, Span)>) {
        let text = at.map(|(field, at)| self.slice(field, at)).unwrap_or_default();
        self.found.borrow_mut().push(format!("{name}: {how}: {text}"));
    }
    fn matches(&self, field: &Field, pattern: &Regex) -> bool {
        self.get(field).is_some_and(|text| pattern.is_match(&text))
    }
    fn which(&self, field: &Field, set: &RegexSet) -> Vec<u32> {
        self.get(field).map_or_else(Vec::new, |text| set.matches(&text).iter().map(|index| index as u32).collect())
    }
    fn find(&self, field: &Field, pattern: &Regex, start: u32) -> Option<Span> {
        pattern.find_at(&self.get(field)?, start as usize).map(|found| span(found.range()))
    }
    fn find_all(&self, field: &Field, pattern: &Regex, limit: u32) -> Vec<Span> {
        let text = self.get(field).unwrap_or_default();
        pattern.find_iter(&text).take(limit as usize).map(|found| span(found.range())).collect()
    }
    fn captures(&self, field: &Field, pattern: &Regex, start: u32) -> Vec<Option<Span>> {
        let text = self.get(field).unwrap_or_default();
        let found = pattern.captures_at(&text, start as usize);
        found.map_or_else(Vec::new, |found| found.iter().map(|group| group.map(|group| span(group.range()))).collect())
    }
    fn elements(&self, (): &(), _: u32) -> Vec<Span> {
        Vec::new()
    }
    fn read(&self, text: &str, what: Form, how: &Reading) -> Result<Value, String> {
        let value = match what {
            Form::Integer => text.parse().ok().map(Value::Integer),
            Form::Decimal | Form::Float => decimal(text),
            Form::Currency => money(text, &how.currency),
            Form::Boolean => text.parse().ok().map(Value::Boolean),
            Form::DateTime => date_time(text),
            Form::Ticket => text.strip_prefix('T').map(|_| Value::Text(text.to_owned())),
        };
        value.ok_or_else(|| format!("is no {what:?} ({} {})", how.locale, how.time_zone))
    }
    fn fault_of_locale(&self, tag: &str) -> Option<String> {
        (tag == "xx").then(|| "unknown locale".to_owned())
    }
    fn fault_of_time_zone(&self, name: &str) -> Option<String> {
        (name == "xx").then(|| "unknown time zone".to_owned())
    }
    fn fault_of_currency(&self, code: &str) -> Option<String> {
        (code == "xx").then(|| "unknown currency".to_owned())
    }
    fn placeholders(&self, verb: &str, _: &str) -> Vec<String> {
        if verb == "notify" { vec!["ticket".to_owned(), "tag".to_owned()] } else { Vec::new() }
    }
    fn cut(&self, _: Span, _: CutKind, _: &str) {
        panic!("this plugin is no preprocessor");
    }
    fn replace(&self, _: Span, _: &str, _: &str) {
        panic!("this plugin is no preprocessor");
    }
    fn log(&self, _: Level, text: &str) {
        self.log.borrow_mut().push(text.to_owned());
    }
}
