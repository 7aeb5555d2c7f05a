//! Plugins run natively: the same logic as in the components, on the host's own capabilities. A pattern that is given up finds
//! nothing, as for a preprocessor.

use mailmill::field::Value as HostValue;
use mailmill::message::document::{BodyKind as HostBodyKind, CutKind as HostCutKind, Span as HostSpan};
use mailmill::plugin::capabilities::{Call, Effects, Level as HostLevel, Source};
use mailmill::plugin::patterns::{Pattern, PatternCache, PatternError as HostPatternError, PatternSet, Selector};
use mailmill::plugin::sight::Finders;
use mailmill::reading::{self, Form as HostForm};
use mailmill::thread::Conversation as HostConversation;
use mailmill_sdk::{
    Attachment, BodyKind, Conversation, CutKind, Failure, Field, Form, Host, Level, PatternError, Reading, Span,
    Ticket, Value,
};
use std::cell::RefCell;
use std::sync::Arc;

/// The host's functions for plugins that run natively.
pub(crate) struct Native {
    patterns: PatternCache,
    call: RefCell<Option<Call>>,
    /// What the plugin that was configured last asked to be called for, and all that it compiled.
    configured: RefCell<(Finders, Finders)>,
}

impl Native {
    /// A host that shares compiled patterns with others of the same cache.
    pub(crate) fn new(patterns: PatternCache) -> Self {
        Self { patterns, call: RefCell::new(None), configured: RefCell::default() }
    }

    /// What a plugin that was just configured asked to be called for, and all that it compiled.
    pub(crate) fn configured(&self) -> (Finders, Finders) {
        self.configured.take()
    }

    /// Lets `plugin` look at the message of `call`.
    pub(crate) fn run<T>(
        &self,
        call: Call,
        plugin: impl FnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<(Effects, T), Failure> {
        self.call.replace(Some(call));
        let answer = plugin(self)?;
        Ok((self.call.take().expect("a call is running").finish(), answer))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Call) -> T) -> T {
        look(self.call.borrow_mut().as_mut().expect("only called while a message is being handled"))
    }
}

impl Host for Native {
    type Pattern = Arc<Pattern>;
    type PatternSet = PatternSet;
    type Selector = Arc<Selector>;

    fn pattern(&self, source: &str) -> Result<Self::Pattern, PatternError> {
        let pattern = self.patterns.pattern(source).map_err(pattern_error)?;
        self.configured.borrow_mut().1.patterns.push(pattern.clone());
        Ok(pattern)
    }
    fn groups(&self, pattern: &Self::Pattern) -> Vec<Option<String>> {
        pattern.capture_names().into_iter().map(|name| name.map(str::to_owned)).collect()
    }
    fn pattern_set(&self, sources: &[String]) -> Result<Self::PatternSet, PatternError> {
        self.patterns.pattern_set(sources).map_err(pattern_error)
    }
    fn selector(&self, source: &str) -> Result<Self::Selector, PatternError> {
        let selector = self.patterns.selector(source).map_err(pattern_error)?;
        self.configured.borrow_mut().1.selectors.push(selector.clone());
        Ok(selector)
    }
    fn wake_on_match(&self, pattern: &Self::Pattern) {
        self.configured.borrow_mut().0.patterns.push(pattern.clone());
    }
    fn wake_on_element(&self, selector: &Self::Selector) {
        self.configured.borrow_mut().0.selectors.push(selector.clone());
    }
    fn text(&self, field: &Field) -> Option<String> {
        self.with(|call| call.text(&source(field)).map(|text| text.into_owned()))
    }
    fn slice(&self, field: &Field, at: Span) -> String {
        self.with(|call| call.slice(&source(field), to_host(at)).expect("the span fits"))
    }
    fn length(&self, field: &Field) -> u32 {
        self.with(|call| call.text(&source(field)).map_or(0, |text| u32::try_from(text.len()).unwrap_or(u32::MAX)))
    }
    fn html(&self, field: &Field, at: Span) -> String {
        self.with(|call| call.html(&source(field), to_host(at)).expect("the span fits"))
    }
    fn extracted(&self, name: &str) -> Value {
        self.with(|call| value(call.extracted(name)))
    }
    fn received(&self) -> Value {
        self.with(|call| value(HostValue::DateTime(call.message().received)))
    }
    fn thread(&self) -> Conversation {
        let ticket = |ticket: &mailmill::ticket::TicketSummary| Ticket {
            number: ticket.number.to_string(),
            class: ticket.class.name().to_owned(),
            status: ticket.status.name().to_owned(),
        };
        self.with(|call| match call.conversation() {
            HostConversation::New => Conversation::New,
            HostConversation::Active(found) => Conversation::Active(ticket(found)),
            HostConversation::Inactive(found) => Conversation::Inactive(ticket(found)),
        })
    }
    fn kind_of_body(&self) -> BodyKind {
        self.with(|call| match call.message().document.kind() {
            HostBodyKind::Empty => BodyKind::Empty,
            HostBodyKind::Plain => BodyKind::Plain,
            HostBodyKind::Html => BodyKind::Html,
        })
    }
    fn attachments(&self) -> Vec<Attachment> {
        self.with(|call| {
            let attachments = call.message().attachments.iter();
            let attachment = |found: &mailmill::message::Attachment| Attachment {
                name: found.name.clone(),
                media_type: found.media_type.clone(),
                size: found.enclosure.size,
                inline: found.inline,
            };
            attachments.map(attachment).collect()
        })
    }
    fn found(&self, name: &str, how: &str, at: Option<(&Field, Span)>) {
        let at = at.map(|(field, at)| (source(field), to_host(at)));
        self.with(|call| call.found(name, how, at).expect("the span fits"));
    }
    fn matches(&self, field: &Field, pattern: &Self::Pattern) -> bool {
        self.with(|call| call.matches(&source(field), pattern)).unwrap_or_default()
    }
    fn which(&self, field: &Field, set: &Self::PatternSet) -> Vec<u32> {
        self.with(|call| call.which(&source(field), set)).unwrap_or_default()
    }
    fn find(&self, field: &Field, pattern: &Self::Pattern, start: u32) -> Option<Span> {
        self.with(|call| call.find(&source(field), pattern, start)).unwrap_or_default().map(from_host)
    }
    fn find_all(&self, field: &Field, pattern: &Self::Pattern, limit: u32) -> Vec<Span> {
        let found = self.with(|call| call.find_all(&source(field), pattern, limit)).unwrap_or_default();
        found.into_iter().map(from_host).collect()
    }
    fn captures(&self, field: &Field, pattern: &Self::Pattern, start: u32) -> Vec<Option<Span>> {
        let groups = self.with(|call| call.captures(&source(field), pattern, start)).unwrap_or_default();
        groups.into_iter().map(|group| group.map(from_host)).collect()
    }
    fn elements(&self, selector: &Self::Selector, limit: u32) -> Vec<Span> {
        self.with(|call| call.elements(selector, limit).into_iter().map(from_host).collect())
    }
    fn read(&self, text: &str, what: Form, how: &Reading) -> Result<Value, String> {
        let form = match what {
            Form::Integer => HostForm::Integer,
            Form::Decimal => HostForm::Decimal,
            Form::Float => HostForm::Float,
            Form::Currency => HostForm::Currency,
            Form::Boolean => HostForm::Boolean,
            Form::DateTime => HostForm::DateTime,
            Form::Ticket => HostForm::Ticket,
        };
        let how = reading::Reading { locale: &how.locale, time_zone: &how.time_zone, currency: &how.currency };
        how.value(text, form).map(value)
    }
    fn fault_of_locale(&self, tag: &str) -> Option<String> {
        reading::fault_of_locale(tag)
    }
    fn fault_of_time_zone(&self, name: &str) -> Option<String> {
        reading::fault_of_time_zone(name)
    }
    fn fault_of_currency(&self, code: &str) -> Option<String> {
        reading::fault_of_currency(code)
    }
    fn placeholders(&self, verb: &str, argument: &str) -> Vec<String> {
        mailmill::action::placeholders(verb, argument).iter().map(|place| (*place).to_owned()).collect()
    }
    fn cut(&self, at: Span, kind: CutKind, rule: &str) {
        self.with(|call| call.cut(to_host(at), cut_kind(kind), rule.to_owned()).expect("the cut fits"));
    }
    fn replace(&self, at: Span, text: &str, rule: &str) {
        self.with(|call| call.replace(to_host(at), text.to_owned(), rule.to_owned()).expect("the replacement fits"));
    }
    fn log(&self, level: Level, text: &str) {
        let level = match level {
            Level::Debug => HostLevel::Debug,
            Level::Info => HostLevel::Info,
            Level::Warn => HostLevel::Warn,
            Level::Error => HostLevel::Error,
        };
        // What is logged while rules are taken concerns no message.
        if let Some(call) = self.call.borrow_mut().as_mut() {
            call.log(level, text);
        }
    }
}

fn source(field: &Field) -> Source {
    match field {
        Field::Subject => Source::Subject,
        Field::Sender => Source::Sender,
        Field::Recipients => Source::Recipients,
        Field::MessageId => Source::MessageId,
        Field::Client => Source::Client,
        Field::Origin => Source::Origin,
        Field::Body => Source::Body,
        Field::WholeBody => Source::WholeBody,
        Field::Header(name) => Source::Header(name.clone()),
        Field::Extracted(name) => Source::Extracted(name.clone()),
        Field::SenderAddress => Source::SenderAddress,
        Field::SenderName => Source::SenderName,
        Field::RecipientAddresses => Source::RecipientAddresses,
        Field::HeaderAddresses(name) => Source::HeaderAddresses(name.clone()),
        Field::AttachmentNames => Source::AttachmentNames,
        Field::AttachmentTypes => Source::AttachmentTypes,
    }
}

fn value(value: HostValue) -> Value {
    match value {
        HostValue::None => Value::None,
        HostValue::Text(text) => Value::Text(text),
        HostValue::Integer(number) => Value::Integer(number),
        HostValue::Decimal(number) => Value::Decimal { units: number.units, scale: number.scale },
        HostValue::Boolean(truth) => Value::Boolean(truth),
        HostValue::DateTime(at) => Value::DateTime { seconds: at.seconds, offset_minutes: at.offset_minutes },
        HostValue::Currency(money) => Value::Currency {
            units: money.amount.units,
            scale: money.amount.scale,
            currency: money.currency().to_owned(),
        },
        HostValue::Html(html) => Value::Html(html),
    }
}

fn cut_kind(kind: CutKind) -> HostCutKind {
    match kind {
        CutKind::Quote => HostCutKind::Quote,
        CutKind::Forward => HostCutKind::Forward,
        CutKind::Signature => HostCutKind::Signature,
        CutKind::Disclaimer => HostCutKind::Disclaimer,
        CutKind::Banner => HostCutKind::Banner,
        CutKind::Other => HostCutKind::Other,
    }
}

fn pattern_error(error: HostPatternError) -> PatternError {
    PatternError { reason: error.reason, offset: error.offset }
}

fn to_host(span: Span) -> HostSpan {
    HostSpan { start: span.start, end: span.end }
}

fn from_host(span: HostSpan) -> Span {
    Span { start: span.start, end: span.end }
}
