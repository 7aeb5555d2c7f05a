//! What a plugin can do during one call: read the message being handled and, if it is a preprocessor, cut.
//!
//! This is the whole of a plugin's power, written without any knowledge of WebAssembly: the component bindings and
//! native runs of the same plugins (in tests and benches) both end here.

use super::found::Found;
use super::patterns::{Exceeded, Pattern, PatternSet, Selector};
use super::sight::Sight;
use crate::field::Value;
use crate::message::Message;
use crate::message::document::{self, Cut, CutKind, CutKinds, Span};
use crate::thread::Conversation;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// The most cuts and replacements that one call may make.
pub const EDITS_MAX: usize = 10_000;
/// The most bytes of log that one call may write; what is beyond is dropped, with a remark.
pub const LOG_BYTES_MAX: usize = 64 * 1024;
/// The most fields of which one call may say where they come from; what is beyond is dropped.
const FOUND_MAX: usize = 1_000;

/// What can be read of a message; see `field` in `wit/rules.wit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The decoded subject.
    Subject,
    /// The author.
    Sender,
    /// To and Cc.
    Recipients,
    /// The Message-ID.
    MessageId,
    /// The mail client, as guessed.
    Client,
    /// Who or what wrote it.
    Origin,
    /// The body as it stands.
    Body,
    /// The whole body.
    WholeBody,
    /// A header field.
    Header(String),
    /// An extracted field, as text, or one of those that every message has.
    Extracted(String),
    /// The author's address.
    SenderAddress,
    /// The author's name.
    SenderName,
    /// The addresses of To and Cc, one on each line.
    RecipientAddresses,
    /// The addresses of a header field, one on each line.
    HeaderAddresses(String),
    /// The file names of the attachments, one on each line.
    AttachmentNames,
    /// The media types of the attachments, one on each line.
    AttachmentTypes,
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// For the author of the plugin.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

/// A line that a plugin wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub text: String,
}

/// A call that a plugin may not make like this. The plugin is ended with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// A span outside the field, or inside a character.
    #[error("the span {start}..{end} does not fit a field of {length} bytes, or lies inside a character")]
    Span {
        /// Its start.
        start: u32,
        /// Its end.
        end: u32,
        /// The field's length in bytes.
        length: usize,
    },
    /// Too many edits.
    #[error("more than {EDITS_MAX} cuts in one call")]
    TooManyEdits,
    /// Replacements must not overlap.
    #[error("the replacement {start}..{end} overlaps another edit of the same call")]
    Overlap {
        /// Its start.
        start: u32,
        /// Its end.
        end: u32,
    },
    /// A replacement of nothing.
    #[error("a replacement needs a span that is not empty")]
    EmptyReplacement,
}

/// A pattern of the bounded engine that did not come to an end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern `{pattern}` was given up: {reason}")]
pub struct GivenUp {
    /// Its source.
    pub pattern: String,
    /// Why.
    pub reason: Exceeded,
}

/// One call of one plugin for one message: what it sees, and what it has done so far.
#[derive(Debug)]
pub struct Call {
    sight: Arc<Sight>,
    step: Arc<str>,
    edits: Vec<(Span, CutKind, String, Option<String>)>,
    log: Vec<LogLine>,
    log_bytes: usize,
    found: Vec<Found>,
    /// When searches are given up.
    until: Option<Instant>,
    /// Whether a pattern that is given up counts as one that finds nothing.
    does_without: bool,
    given_up: RefCell<Vec<GivenUp>>,
}

/// What a call has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects {
    /// The cuts, in the whole text, in the order made.
    pub cuts: Vec<Cut>,
    /// What was logged.
    pub log: Vec<LogLine>,
    /// Where fields come from.
    pub found: Vec<Found>,
    /// The patterns that were given up and then counted as finding nothing.
    pub given_up: Vec<GivenUp>,
}

impl Call {
    /// A call of the plugin of `step`, which reads on where others have stopped.
    #[must_use]
    pub fn new(sight: Arc<Sight>, step: Arc<str>) -> Self {
        Self {
            sight,
            step,
            edits: Vec::new(),
            log: Vec::new(),
            log_bytes: 0,
            found: Vec::new(),
            until: None,
            does_without: false,
            given_up: RefCell::default(),
        }
    }

    /// The same call, in which a pattern that is given up counts as one that finds nothing: for plugins of which nothing
    /// worse can come than a cut too few.
    #[must_use]
    pub fn doing_without(mut self) -> Self {
        self.does_without = true;
        self
    }

    /// Gives up searches of the bounded engine at that time.
    pub fn search_until(&mut self, until: Instant) {
        self.until = Some(until);
    }

    /// Ends the call and hands over what it did. Cuts of nothing are left out.
    #[must_use]
    pub fn finish(self) -> Effects {
        let Self { sight, step, edits, log, found, given_up, .. } = self;
        let view = sight.view();
        let mut cuts = Vec::new();
        for (span, kind, rule, replacement) in edits {
            // A quote takes along what was cut inside of it. A signature does not take a quote along: the job may want to
            // keep quotes.
            let is_whole = replacement.is_some() || matches!(kind, CutKind::Quote | CutKind::Forward);
            let spans = if is_whole { view.to_whole(span).into_iter().collect() } else { view.pieces(span) };
            cuts.extend(spans.into_iter().map(|span| Cut {
                span,
                kind,
                rule: rule.clone(),
                step: step.to_string(),
                replacement: replacement.clone(),
            }));
        }
        Effects { cuts, log, found, given_up: given_up.into_inner() }
    }

    /// The message being handled.
    #[must_use]
    pub fn message(&self) -> &Message {
        self.sight.message()
    }

    /// The conversation it belongs to.
    #[must_use]
    pub fn conversation(&self) -> &Conversation {
        self.sight.conversation()
    }

    /// The whole text of a field; none if the message does not have it.
    #[must_use]
    pub fn text(&self, source: &Source) -> Option<Cow<'_, str>> {
        let message = self.message();
        match source {
            Source::Subject => Some(Cow::Borrowed(message.subject.as_str())),
            Source::Sender => message.sender.as_ref().map(|sender| Cow::Owned(sender.to_string())),
            Source::Recipients => Some(Cow::Owned(joined(message))),
            Source::MessageId => message.message_id.as_ref().map(|id| Cow::Borrowed(id.0.as_str())),
            Source::Client => Some(Cow::Borrowed(message.client.name.as_str())),
            Source::Origin => Some(Cow::Borrowed(message.origin.name())),
            Source::Body => Some(Cow::Borrowed(self.sight.view().text())),
            Source::WholeBody => Some(Cow::Borrowed(message.document.text())),
            Source::Header(name) => message.header(name).map(Cow::Borrowed),
            Source::Extracted(name) => match self.extracted(name) {
                Value::None => None,
                value => Some(Cow::Owned(value.to_string())),
            },
            Source::SenderAddress => message.sender.as_ref().map(|sender| Cow::Owned(one_line(&sender.email))),
            Source::SenderName => message.sender.as_ref().map(|sender| Cow::Borrowed(sender.name.as_str())),
            Source::RecipientAddresses => lines(message.recipients.iter().map(|one| one.email.as_str())),
            Source::HeaderAddresses(name) => lines(message.header_addresses(name).map(|one| one.email.as_str())),
            Source::AttachmentNames => lines(message.attachments.iter().map(|one| one.name.as_str())),
            // What one is said to be, and what it is: rules that look for programs find both.
            Source::AttachmentTypes => lines(message.attachments.iter().flat_map(|one| {
                let seen = one.seen.as_deref().filter(|seen| *seen != one.media_type);
                std::iter::once(one.media_type.as_str()).chain(seen)
            })),
        }
    }

    /// A piece of a field.
    ///
    /// # Errors
    /// If the span does not fit.
    pub fn slice(&self, source: &Source, at: Span) -> Result<String, Misuse> {
        let text = self.text(source).unwrap_or_default();
        text.get(at.range()).filter(|_| at.start <= at.end).map(str::to_owned).ok_or(Misuse::Span {
            start: at.start,
            end: at.end,
            length: text.len(),
        })
    }

    /// A piece of a field as sanitised HTML: of an HTML body with its formatting, of everything else escaped.
    ///
    /// # Errors
    /// If the span does not fit.
    pub fn html(&self, source: &Source, at: Span) -> Result<String, Misuse> {
        let text = self.slice(source, at)?;
        let document = &self.message().document;
        let whole = match source {
            Source::Body => self.sight.view().clone(),
            Source::WholeBody => document.view(&[], CutKinds::NONE),
            _ => return Ok(document::text_as_html(&text)),
        };
        Ok(document.html_piece(&whole, at))
    }

    /// The typed value of a field that an extractor made, or of one that every message has.
    #[must_use]
    pub fn extracted(&self, name: &str) -> Value {
        let made = self.sight.extracted().iter().find(|entry| entry.name == name);
        made.map_or_else(|| self.ticket_field(name), |entry| entry.value.clone())
    }

    /// What is known of the ticket that the message follows up.
    fn ticket_field(&self, name: &str) -> Value {
        let (ticket, part) = match (self.sight.conversation(), name.strip_prefix("inactive-")) {
            (Conversation::Active(ticket), None) => (ticket, name),
            (Conversation::Inactive(ticket), Some(part)) => (ticket, part),
            _ => return Value::None,
        };
        match part {
            "ticket" => Value::Text(ticket.number.to_string()),
            "ticket.class" => Value::Text(ticket.class.name().to_owned()),
            "ticket.status" => Value::Text(ticket.status.name().to_owned()),
            _ => Value::None,
        }
    }

    /// Whether the pattern matches anywhere in the field.
    ///
    /// # Errors
    /// If it is given up, and the call does not do without it.
    pub fn matches(&self, source: &Source, pattern: &Pattern) -> Result<bool, GivenUp> {
        if *source == Source::Body && pattern.need().is_none() {
            return Ok(self.sight.matches(pattern));
        }
        self.search(source, pattern, |text| pattern.is_match(text, self.until))
    }

    /// Which patterns of the set match.
    ///
    /// # Errors
    /// If one of them is given up.
    pub fn which(&self, source: &Source, set: &PatternSet) -> Result<Vec<u32>, GivenUp> {
        let mut hits = Vec::new();
        for (index, pattern) in (0u32..).zip(set.patterns()) {
            if self.matches(source, pattern)? {
                hits.push(index);
            }
        }
        Ok(hits)
    }

    /// The first match at or after byte `start`. An offset inside a character counts as the next character's.
    ///
    /// # Errors
    /// If the pattern is given up.
    pub fn find(&self, source: &Source, pattern: &Pattern, start: u32) -> Result<Option<Span>, GivenUp> {
        self.search(source, pattern, |text| {
            let Some(start) = start_in(text, start) else { return Ok(None) };
            Ok(pattern.find_at(text, start, self.until)?.map(span))
        })
    }

    /// All matches, at most `limit`.
    ///
    /// # Errors
    /// If the pattern is given up, wherever that happens.
    pub fn find_all(&self, source: &Source, pattern: &Pattern, limit: u32) -> Result<Vec<Span>, GivenUp> {
        if *source == Source::Body && pattern.need().is_none() {
            return Ok(self.sight.find_all(pattern, limit as usize));
        }
        self.search(source, pattern, |text| {
            Ok(pattern.find_all(text, limit as usize, self.until)?.into_iter().map(span).collect())
        })
    }

    /// The groups of the first match at or after byte `start`; empty if there is none.
    ///
    /// # Errors
    /// If the pattern is given up.
    pub fn captures(&self, source: &Source, pattern: &Pattern, start: u32) -> Result<Vec<Option<Span>>, GivenUp> {
        self.search(source, pattern, |text| {
            let Some(start) = start_in(text, start) else { return Ok(Vec::new()) };
            Ok(pattern.captures_at(text, start, self.until)?.into_iter().map(|group| group.map(span)).collect())
        })
    }

    /// Runs a search over a field. A pattern that was given up before is not tried again.
    fn search<T: Default>(
        &self,
        source: &Source,
        pattern: &Pattern,
        run: impl FnOnce(&str) -> Result<T, Exceeded>,
    ) -> Result<T, GivenUp> {
        if *source == Source::Body && !self.sight.may_match(pattern) {
            return Ok(T::default());
        }
        if self.given_up.borrow().iter().any(|given_up| given_up.pattern == pattern.source()) {
            return Ok(T::default());
        }
        let Some(text) = self.text(source) else { return Ok(T::default()) };
        run(&text).or_else(|reason| {
            let given_up = GivenUp { pattern: pattern.source().to_owned(), reason };
            if !self.does_without {
                return Err(given_up);
            }
            self.given_up.borrow_mut().push(given_up);
            Ok(T::default())
        })
    }

    /// The spans of the body that matching elements cover, at most `limit`; what is cut already is left out.
    #[must_use]
    pub fn elements(&self, selector: &Selector, limit: u32) -> Vec<Span> {
        self.sight.elements(selector, limit as usize)
    }

    /// Cuts a span of the body.
    ///
    /// # Errors
    /// If the span does not fit, or there are too many edits.
    pub fn cut(&mut self, at: Span, kind: CutKind, rule: String) -> Result<(), Misuse> {
        self.check_edit(at)?;
        self.edits.push((at, kind, rule, None));
        Ok(())
    }

    /// Puts a text in the place of a span of the body.
    ///
    /// # Errors
    /// If the span does not fit, is empty or overlaps another edit of this call, or there are too many edits.
    pub fn replace(&mut self, at: Span, text: String, rule: String) -> Result<(), Misuse> {
        self.check_edit(at)?;
        if at.is_empty() {
            return Err(Misuse::EmptyReplacement);
        }
        if self.edits.iter().any(|(other, ..)| other.start < at.end && at.start < other.end) {
            return Err(Misuse::Overlap { start: at.start, end: at.end });
        }
        self.edits.push((at, CutKind::Other, rule, Some(text)));
        Ok(())
    }

    /// Writes a line into the message's report.
    pub fn log(&mut self, level: Level, text: &str) {
        if self.log_bytes > LOG_BYTES_MAX {
            return;
        }
        self.log_bytes += text.len().max(1);
        let (level, text) = if self.log_bytes > LOG_BYTES_MAX {
            (Level::Warn, format!("more than {LOG_BYTES_MAX} bytes of log: the rest is left out"))
        } else {
            (level, text.to_owned())
        };
        self.log.push(LogLine { level, text });
    }

    /// Keeps where the value of a field comes from.
    ///
    /// # Errors
    /// If the span does not fit.
    pub fn found(&mut self, name: &str, how: &str, at: Option<(Source, Span)>) -> Result<(), Misuse> {
        let text = at.as_ref().map(|(source, at)| self.slice(source, *at)).transpose()?;
        if self.found.len() < FOUND_MAX {
            let at = at.as_ref().zip(text.as_deref()).map(|((source, _), text)| (source, text));
            self.found.push(Found::new(name, how, at));
        }
        Ok(())
    }

    fn check_edit(&self, at: Span) -> Result<(), Misuse> {
        if self.edits.len() >= EDITS_MAX {
            return Err(Misuse::TooManyEdits);
        }
        let text = self.sight.view().text();
        if at.start > at.end || text.get(at.range()).is_none() {
            return Err(Misuse::Span { start: at.start, end: at.end, length: text.len() });
        }
        Ok(())
    }
}

/// What is not empty of these, one on each line; none if nothing is.
fn lines<'a>(items: impl Iterator<Item = &'a str>) -> Option<Cow<'a, str>> {
    let items: Vec<String> = items.map(one_line).filter(|item| !item.is_empty()).collect();
    (!items.is_empty()).then(|| Cow::Owned(items.join("\n")))
}

/// A text without line ends: what is one line stays one.
fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn joined(message: &Message) -> String {
    message.recipients.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn span(range: Range<usize>) -> Span {
    Span::new(range.start, range.end)
}

fn start_in(text: &str, start: u32) -> Option<usize> {
    let start = start as usize;
    (start <= text.len()).then(|| text.ceil_char_boundary(start))
}
