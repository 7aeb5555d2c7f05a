//! Macros in texts: `Re: {{ subject | first 100 | default "(none)" }}`.

use crate::name::Name;
use crate::token::{Fault, Kind, Token, fault, tokens};
use mailmill_sdk::text::{lower, spaced, split_around};
use mailmill_sdk::{Declaration, Host, Value, ValueType};

/// A text with macros, checked.
#[derive(Debug)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    target: Target,
    /// Whether the host fills something in: then what is to stay as it is has its braces doubled.
    is_filled: bool,
}

/// What a text can have in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// The extracted fields.
    pub(crate) fields: &'a [Declaration],
    /// What the host fills in, such as `ticket` for `{ticket}`.
    pub(crate) places: &'a [String],
}

/// Where the text goes. What a message puts into it is escaped accordingly: it stays what it is, a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A text of any form.
    Text,
    /// A text of one line, such as a subject or a header field.
    Line,
    /// HTML.
    Html,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Macro { name: Name, filters: Vec<Filter> },
}

#[derive(Debug)]
enum Filter {
    First(usize),
    Lower,
    OneLine,
    Default(String),
}

const FILTERS: &str = "first NUMBER, lower, one-line, default \"TEXT\"";

impl Template {
    /// Reads a text and checks its macros. A literal `{{` is written `{{ "{{" }}`.
    pub(crate) fn parse<H: Host>(host: &H, source: &str, setting: &Setting<'_>, target: Target) -> Result<Self, Fault> {
        let is_filled = !setting.places.is_empty();
        let written = |text: &str| if is_filled { kept(text, setting.places) } else { text.to_owned() };
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some((text, rest)) = source.get(at..).and_then(|rest| split_around(rest, "{{")) {
            push_text(&mut pieces, written(text));
            let start = at + text.len() + 2;
            let Some(length) = macro_length(rest) else {
                return fault(start - 2, "the macro has no closing }}");
            };
            pieces.push(piece(host, rest.get(..length).unwrap_or_default(), start, setting, target)?);
            at = start + length + 2;
        }
        push_text(&mut pieces, written(source.get(at..).unwrap_or_default()));
        Ok(Self { pieces, target, is_filled })
    }

    /// The name, if the text is one macro without filters and nothing else: then its value keeps its type.
    pub(crate) fn sole_name(&self) -> Option<&Name> {
        match self.pieces.as_slice() {
            [Piece::Macro { name, filters }] if filters.is_empty() => Some(name),
            _ => None,
        }
    }

    /// The text, if there is nothing but one.
    pub(crate) fn constant(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text for the message.
    pub(crate) fn render<H: Host>(&self, host: &H) -> String {
        let render = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Macro { name, filters } => {
                let text = filters.iter().fold(name.value(host).to_string(), |text, filter| filter.apply(text));
                let text = self.target.escaped(text, name.kind);
                if self.is_filled { kept(&text, &[]) } else { text }
            }
        };
        self.pieces.iter().map(render).collect()
    }
}

impl Target {
    fn escaped(self, text: String, kind: ValueType) -> String {
        match self {
            Self::Text => text,
            Self::Line => text.chars().map(|c| if ends_line(c) { ' ' } else { c }).collect(),
            // The host has sanitised it.
            Self::Html if kind == ValueType::Html => text,
            Self::Html => escaped_html(&text),
        }
    }
}

/// Whether a character ends a line, or does something else that is not shown.
pub(crate) fn ends_line(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

fn escaped_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' => html.push_str("<br>"),
            _ => html.push(character),
        }
    }
    html
}

impl Filter {
    fn apply(&self, text: String) -> String {
        match self {
            Self::First(count) => text.chars().take(*count).collect(),
            Self::Lower => lower(&text),
            Self::OneLine => spaced(text.split_whitespace()),
            Self::Default(other) if text.trim().is_empty() => other.clone(),
            Self::Default(_) => text,
        }
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: String) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
}

/// A text that the host leaves as it is, but for these places.
fn kept(text: &str, places: &[String]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = split_around(rest, "{") {
        let is_place = |place: &String| after.strip_prefix(place.as_str()).is_some_and(|end| end.starts_with('}'));
        kept.push_str(before);
        kept.push_str(if places.iter().any(is_place) { "{" } else { "{{" });
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// The bytes before `}}`; braces in quotes do not count.
fn macro_length(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match quote {
            Some(open) if character == open && !escaped => quote = None,
            Some(open) => escaped = open == '"' && character == '\\' && !escaped,
            None if text.get(at..).is_some_and(|rest| rest.starts_with("}}")) => return Some(at),
            None if matches!(character, '"' | '\'') => quote = Some(character),
            None => {}
        }
    }
    None
}

fn piece<H: Host>(host: &H, source: &str, base: usize, setting: &Setting<'_>, target: Target) -> Result<Piece, Fault> {
    let tokens = tokens(host, source, base)?;
    let end = base + source.len();
    let mut parts = tokens.split(|token| token.kind == Kind::Sign("|"));
    match parts.next() {
        Some([Token { kind: Kind::Literal(Value::Text(text)), .. }]) if parts.next().is_none() => {
            Ok(Piece::Text(if setting.places.is_empty() { text.clone() } else { kept(text, &[]) }))
        }
        Some([Token { kind: Kind::Word(word), at }]) => {
            let name = Name::find(word, setting.fields, *at)?;
            let filters = parts.map(|part| filter(part, end)).collect::<Result<Vec<_>, _>>()?;
            if name.kind == ValueType::Html {
                check_html(word, *at, &filters, target)?;
            }
            Ok(Piece::Macro { name, filters })
        }
        _ => fault(base, "in a macro stands the name of a field, then filters: {{ subject | first 100 }}"),
    }
}

/// HTML goes into HTML only, and as a whole.
fn check_html(word: &str, at: usize, filters: &[Filter], target: Target) -> Result<(), Fault> {
    if target != Target::Html {
        return fault(at, format!("`{word}` is of type html: only an argument of that type takes it"));
    }
    if filters.iter().any(|filter| !matches!(filter, Filter::Default(_))) {
        return fault(at, format!("`{word}` is of type html: of the filters, only `default` goes with it"));
    }
    Ok(())
}

fn filter(tokens: &[Token], end: usize) -> Result<Filter, Fault> {
    let at = tokens.first().map_or(end, |token| token.at);
    let kinds: Vec<&Kind> = tokens.iter().map(|token| &token.kind).collect();
    let filter = match kinds.as_slice() {
        [Kind::Word(word)] => match word.as_str() {
            "lower" => Some(Filter::Lower),
            "one-line" => Some(Filter::OneLine),
            _ => None,
        },
        [Kind::Word(word), Kind::Literal(Value::Integer(count))] if word == "first" => {
            usize::try_from(*count).ok().map(Filter::First)
        }
        [Kind::Word(word), Kind::Literal(Value::Text(text))] if word == "default" => {
            Some(Filter::Default(text.clone()))
        }
        _ => None,
    };
    filter.ok_or_else(|| Fault { reason: format!("there is no such filter; there are {FILTERS}"), at })
}
