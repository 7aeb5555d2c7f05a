//! A small host for the unit tests of plugins: a message made of texts.

use mailmill_sdk::{Attachment, BodyKind, Conversation, CutKind, Field, Host, Level, PatternError, Span, Value};
use regex::{Regex, RegexSet};
use std::cell::RefCell;

#[derive(Debug)]
pub(crate) struct TestHost {
    pub(crate) fields: Vec<(Field, String)>,
    pub(crate) extracted: Vec<(String, Value)>,
    pub(crate) thread: Conversation,
    pub(crate) log: RefCell<Vec<String>>,
}

impl TestHost {
    pub(crate) fn new(fields: &[(Field, &str)]) -> Self {
        let fields = fields.iter().map(|(field, text)| (field.clone(), (*text).to_owned())).collect();
        Self { fields, extracted: Vec::new(), thread: Conversation::New, log: RefCell::default() }
    }

    fn get(&self, field: &Field) -> Option<String> {
        if let Field::Extracted(name) = field {
            let found = self.extracted.iter().find(|(other, _)| other == name);
            return found.map(|(_, value)| value.to_string());
        }
        self.fields.iter().find(|(other, _)| other == field).map(|(_, text)| text.clone())
    }
}

fn span(range: std::ops::Range<usize>) -> Span {
    Span { start: range.start as u32, end: range.end as u32 }
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
    fn extracted(&self, name: &str) -> Value {
        self.extracted.iter().find(|(other, _)| other == name).map_or(Value::None, |(_, value)| value.clone())
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
