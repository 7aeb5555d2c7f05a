//! The host's functions and the plugin's, as traits.

/// A piece of a text, as byte offsets; `end` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset just after the last byte.
    pub end: u32,
}

/// What can be read of a message; see `field` in `wit/rules.wit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The decoded subject.
    Subject,
    /// `Name <address>` of the author.
    Sender,
    /// All recipients, joined with `, `.
    Recipients,
    /// The Message-ID without its angle brackets.
    MessageId,
    /// The mail client, as guessed by the host.
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
    /// The sender's address.
    SenderAddress,
    /// The sender's name.
    SenderName,
    /// The addresses of all recipients, one on each line.
    RecipientAddresses,
    /// The addresses of a header field, one on each line.
    HeaderAddresses(String),
    /// The file names of the attachments, one on each line.
    AttachmentNames,
    /// The media types of the attachments, one on each line.
    AttachmentTypes,
}

/// A value; see `value` in `wit/rules.wit`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// Blank.
    #[default]
    None,
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `units` × 10^-`scale`.
    Decimal {
        /// The digits.
        units: i64,
        /// How many stand behind the point.
        scale: u8,
    },
    /// True or false.
    Boolean(bool),
    /// A point in time.
    DateTime {
        /// Seconds since the epoch.
        seconds: i64,
        /// Offset from UTC.
        offset_minutes: i16,
    },
    /// `units` × 10^-`scale` of a currency.
    Currency {
        /// The digits.
        units: i64,
        /// How many stand behind the point.
        scale: u8,
        /// Three letters of ISO 4217.
        currency: String,
    },
    /// HTML.
    Html(String),
}

/// The type of a field or argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A decimal number.
    Decimal,
    /// True or false.
    Boolean,
    /// A point in time.
    DateTime,
    /// An amount of money.
    Currency,
    /// HTML.
    Html,
}

/// Why a piece is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutKind {
    /// Text of an earlier message.
    Quote,
    /// A forwarded message.
    Forward,
    /// A signature or device line.
    Signature,
    /// A legal notice.
    Disclaimer,
    /// What a mail system put in.
    Banner,
    /// Anything else.
    Other,
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// What kind of body the message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// None.
    Empty,
    /// Plain text.
    Plain,
    /// Made from HTML.
    Html,
}

/// A ticket that the message refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Its number.
    pub number: String,
    /// Its class.
    pub class: String,
    /// Its status.
    pub status: String,
}

/// Which conversation the message belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conversation {
    /// A new one.
    New,
    /// It follows up an active ticket.
    Active(Ticket),
    /// It follows up a ticket in a terminal state.
    Inactive(Ticket),
}

/// A part of the message that is not its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// File name; may be empty.
    pub name: String,
    /// Media type, lower case.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// Whether the body refers to it.
    pub inline: bool,
}

/// Why a pattern does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// What is wrong.
    pub reason: String,
    /// Where in the pattern, in bytes.
    pub offset: Option<u32>,
}

/// What is wrong with a plugin's rules, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong and what to do.
    pub reason: String,
    /// The path to the offending value, outermost key first.
    pub path: Vec<String>,
    /// Byte offset inside the value.
    pub offset: Option<u32>,
}

/// Why a plugin gave up on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub reason: String,
    /// The rule to blame.
    pub rule: Option<String>,
}

/// An argument of a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ValueType,
    /// Whether an action without it is refused.
    pub required: bool,
    /// The texts that it can be; empty: whatever its type allows.
    pub choices: Vec<String>,
    /// Whether it is a text of one line.
    pub one_line: bool,
}

/// An action that the host can carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verb {
    /// Its name.
    pub name: String,
    /// What it takes.
    pub arguments: Vec<Argument>,
}

/// A field that an extractor makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ValueType,
}

/// What an instance is configured with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The rule file as JSON.
    pub rules: String,
    /// The actions that the host knows.
    pub verbs: Vec<Verb>,
    /// The fields that the extractors make; for processors.
    pub fields: Vec<Declaration>,
}

/// What a plugin says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
}

/// A named value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The verb.
    pub verb: String,
    /// Its arguments.
    pub arguments: Vec<Entry>,
    /// The statement that asked.
    pub statement: String,
}

/// A condition that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The statement it belongs to.
    pub statement: String,
    /// The condition in words, with the values it saw.
    pub condition: String,
    /// Whether it was true.
    pub holds: bool,
}

/// What is to become of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What to do, in order.
    pub actions: Vec<Action>,
    /// How it came to that.
    pub decisions: Vec<Decision>,
    /// Whether later processors are skipped.
    pub stop: bool,
}

/// Whether further preprocessors look at the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They do.
    Next,
    /// They do not.
    Stop,
}

/// What a text is to be; see `lookup` in `wit/rules.wit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A whole number.
    Integer,
    /// A decimal number.
    Decimal,
    /// A decimal number that can have an exponent.
    Float,
    /// An amount of money.
    Currency,
    /// True or false.
    Boolean,
    /// A point in time.
    DateTime,
    /// The number of a ticket.
    Ticket,
}

/// How a text is to be understood; an empty text stands for what is the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// How numbers and dates are written.
    pub locale: String,
    /// Where times without an offset are.
    pub time_zone: String,
    /// The currency of amounts without one.
    pub currency: String,
}

/// The host's functions, as `wit/rules.wit` documents them.
///
/// `cut` and `replace` exist for preprocessors only; in the other worlds they are not imported.
pub trait Host {
    /// A compiled regular expression.
    type Pattern;
    /// Many regular expressions, tried in one pass.
    type PatternSet;
    /// A compiled CSS selector.
    type Selector;

    /// Compiles a regular expression.
    ///
    /// # Errors
    /// If the source is no regular expression of the supported dialect, or too large.
    fn pattern(&self, source: &str) -> Result<Self::Pattern, PatternError>;
    /// The names of a pattern's groups, by their index.
    fn groups(&self, pattern: &Self::Pattern) -> Vec<Option<String>>;
    /// Compiles many regular expressions.
    ///
    /// # Errors
    /// As [`Host::pattern`], for the first that fails.
    fn pattern_set(&self, sources: &[String]) -> Result<Self::PatternSet, PatternError>;
    /// Compiles a CSS selector.
    ///
    /// # Errors
    /// If the source is no selector.
    fn selector(&self, source: &str) -> Result<Self::Selector, PatternError>;

    /// Calls a preprocessor for messages in whose body the pattern matches. Only while it is configured.
    fn wake_on_match(&self, pattern: &Self::Pattern);
    /// Calls a preprocessor for messages in whose body the selector finds something. Only while it is configured.
    fn wake_on_element(&self, selector: &Self::Selector);

    /// Copies a whole field.
    fn text(&self, field: &Field) -> Option<String>;
    /// Copies a piece of a field.
    fn slice(&self, field: &Field, at: Span) -> String;
    /// The length of a field in bytes.
    fn length(&self, field: &Field) -> u32;
    /// A piece of a field as sanitised HTML.
    fn html(&self, field: &Field, at: Span) -> String;
    /// The typed value of an extracted field, or of one of those that every message has.
    fn extracted(&self, name: &str) -> Value;
    /// The message's own time, as [`Value::DateTime`].
    fn received(&self) -> Value;
    /// The conversation it belongs to.
    fn thread(&self) -> Conversation;
    /// The kind of its body.
    fn kind_of_body(&self) -> BodyKind;
    /// Its attachments.
    fn attachments(&self) -> Vec<Attachment>;
    /// Says where the value of an extracted field comes from, for the report.
    fn found(&self, name: &str, how: &str, at: Option<(&Field, Span)>);

    /// Whether the pattern matches anywhere in the field.
    fn matches(&self, field: &Field, pattern: &Self::Pattern) -> bool;
    /// Which patterns of the set match.
    fn which(&self, field: &Field, set: &Self::PatternSet) -> Vec<u32>;
    /// The first match at or after `start`.
    fn find(&self, field: &Field, pattern: &Self::Pattern, start: u32) -> Option<Span>;
    /// All matches, at most `limit`.
    fn find_all(&self, field: &Field, pattern: &Self::Pattern, limit: u32) -> Vec<Span>;
    /// The groups of the first match at or after `start`; empty if there is none.
    fn captures(&self, field: &Field, pattern: &Self::Pattern, start: u32) -> Vec<Option<Span>>;
    /// The spans of the body that matching elements cover.
    fn elements(&self, selector: &Self::Selector, limit: u32) -> Vec<Span>;

    /// Reads a text.
    ///
    /// # Errors
    /// The rest of a sentence that begins with the text: `is no integer`.
    fn read(&self, text: &str, what: Form, how: &Reading) -> Result<Value, String>;
    /// What is wrong with a locale, if something is.
    fn fault_of_locale(&self, tag: &str) -> Option<String>;
    /// What is wrong with a time zone, if something is.
    fn fault_of_time_zone(&self, name: &str) -> Option<String>;
    /// What is wrong with a currency, if something is.
    fn fault_of_currency(&self, code: &str) -> Option<String>;
    /// What the host fills in in this argument of this verb: `ticket` for `{ticket}`. There, `{{` stands for `{`.
    fn placeholders(&self, verb: &str, argument: &str) -> Vec<String>;

    /// Cuts a span of the body.
    fn cut(&self, at: Span, kind: CutKind, rule: &str);
    /// Puts a text in the place of a span of the body.
    fn replace(&self, at: Span, text: &str, rule: &str);

    /// Tells the operator something.
    fn log(&self, level: Level, text: &str);
}

/// A plugin's life.
pub trait Plugin<H: Host>: Sized {
    /// What it says of itself.
    const ABOUT: About;
    /// Takes the rules.
    ///
    /// # Errors
    /// Everything that is wrong with them, at once.
    fn configure(host: &H, config: &Config) -> Result<Self, Vec<Diagnostic>>;
}

/// Finds what nobody needs to read again, and cuts it.
pub trait Preprocessor<H: Host>: Plugin<H> {
    /// Looks at the message.
    ///
    /// # Errors
    /// If it has to give up on this message.
    fn preprocess(&self, host: &H) -> Result<Verdict, Failure>;
}

/// Takes fields out of a message.
pub trait Extractor<H: Host>: Plugin<H> {
    /// The fields it makes.
    fn declares(&self) -> Vec<Declaration>;
    /// Takes them out of the message.
    ///
    /// # Errors
    /// If it has to give up on this message.
    fn extract(&self, host: &H) -> Result<Vec<Entry>, Failure>;
}

/// Decides what a message becomes.
pub trait Processor<H: Host>: Plugin<H> {
    /// Decides.
    ///
    /// # Errors
    /// If it has to give up on this message.
    fn process(&self, host: &H) -> Result<Outcome, Failure>;
}
