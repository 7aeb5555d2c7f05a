//! Operators: what a condition can ask of a field. A new one is an arm of [`Parser::test`] and a [`Test`].

use crate::argument::no_choice;
use crate::name::Name;
use crate::token::{Fault, Kind, Token, fault};
use mailmill_sdk::text::{joined, lower, split_around};
use mailmill_sdk::{Config, Host, Value, ValueType, Verb, literal_pattern};
use std::cmp::Ordering;

/// What is asked of a field.
#[derive(Debug)]
pub(crate) enum Test<P> {
    /// `is blank`, `is not blank`
    Blank { wanted: bool },
    /// `is`, `is not`, `is in [...]`, `is not in [...]`
    OneOf { operands: Vec<Operand>, wanted: bool },
    /// `>`, `<`, `>=`, `<=`
    Order { operand: Operand, allowed: Allowed },
    /// `is before`, `is after`, with the seconds that are at least in between.
    Apart { operand: Operand, after: bool, seconds_min: i64 },
    /// `contains`, `starts with`, `ends with`, `matches`: the host searches.
    Search(P),
    /// `contains`, `starts with`, `ends with`, with another field.
    Part { part: Part, other: Name },
    /// `is in domain`, `is not in domain`: the host searches the addresses.
    Domain { addresses: Name, pattern: P, wanted: bool },
    /// Nothing but the name of a boolean field.
    Truth,
}

/// The right side of a comparison.
#[derive(Debug)]
pub(crate) enum Operand {
    Literal(Value),
    Name(Name),
}

impl Operand {
    fn value<H: Host>(&self, host: &H) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Name(name) => name.value(host),
        }
    }
}

impl<P> Test<P> {
    /// Whether it holds. A blank field equals nothing, and is neither more nor less than anything.
    pub(crate) fn holds<H: Host<Pattern = P>>(&self, host: &H, name: &Name, value: &Value) -> bool {
        match self {
            Self::Blank { wanted } => value.is_blank() == *wanted,
            Self::OneOf { operands, wanted } => {
                let equals = |operand: &Operand| value.compare(&operand.value(host)) == Some(Ordering::Equal);
                operands.iter().any(equals) == *wanted
            }
            Self::Order { operand, allowed } => value.compare(&operand.value(host)).is_some_and(allowed),
            Self::Apart { operand, after, seconds_min } => match (value, operand.value(host)) {
                (Value::DateTime { seconds: own, .. }, Value::DateTime { seconds: other, .. }) => {
                    let (late, early) = if *after { (*own, other) } else { (other, *own) };
                    late.saturating_sub(early) >= *seconds_min
                }
                _ => false,
            },
            Self::Search(pattern) => name.searchable().is_some_and(|field| host.matches(field, pattern)),
            Self::Part { part, other } => part.holds(value, &other.value(host)),
            Self::Domain { addresses, pattern, wanted } => {
                addresses.searchable().is_some_and(|field| host.matches(field, pattern)) == *wanted
            }
            Self::Truth => *value == Value::Boolean(true),
        }
    }
}

/// Where a text is to have another one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Any,
    Start,
    End,
}

impl Part {
    /// As a pattern, for a text that is known now.
    fn pattern(self, literal: &str) -> String {
        match self {
            Self::Any => format!("(?i){literal}"),
            Self::Start => format!(r"(?i)\A\s*{literal}"),
            Self::End => format!(r"(?i){literal}\s*\z"),
        }
    }

    /// Whether a text has another one there, in any case; what is blank is part of nothing.
    fn holds(self, value: &Value, other: &Value) -> bool {
        let text = |value: &Value| match value {
            Value::Text(text) | Value::Html(text) => Some(lower(text.trim())),
            _ => None,
        };
        match (text(value), text(other)) {
            (Some(text), Some(part)) if !part.is_empty() => match self {
                Self::Any => split_around(&text, &part).is_some(),
                Self::Start => text.starts_with(&part),
                Self::End => text.ends_with(&part),
            },
            _ => false,
        }
    }
}

/// Reads tokens one after the other.
pub(crate) struct Parser<'a, H: Host> {
    host: &'a H,
    tokens: &'a [Token],
    pub(crate) config: &'a Config,
    end: usize,
}

impl<'a, H: Host> Parser<'a, H> {
    pub(crate) fn new(host: &'a H, tokens: &'a [Token], config: &'a Config, end: usize) -> Self {
        Self { host, tokens, config, end }
    }

    /// Where the next token starts.
    pub(crate) fn at(&self) -> usize {
        self.tokens.first().map_or(self.end, |token| token.at)
    }

    pub(crate) fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn take(&mut self, wanted: impl Fn(&Kind) -> bool) -> bool {
        let found = self.tokens.first().is_some_and(|token| wanted(&token.kind));
        if found {
            self.next();
        }
        found
    }

    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        self.take(|kind| matches!(kind, Kind::Word(found) if found == word))
    }

    pub(crate) fn take_sign(&mut self, sign: &str) -> bool {
        self.take(|kind| matches!(kind, Kind::Sign(found) if *found == sign))
    }

    pub(crate) fn expect_sign(&mut self, sign: &str) -> Result<(), Fault> {
        if self.take_sign(sign) { Ok(()) } else { fault(self.at(), format!("here `{sign}` is expected")) }
    }

    /// Reads what is asked of the field `name`.
    pub(crate) fn test(&mut self, name: &Name) -> Result<Test<H::Pattern>, Fault> {
        let at = self.at();
        if self.take_word("is") {
            return self.is(name, at);
        }
        if self.take_word("equals") {
            return Ok(Test::OneOf { operands: self.list(|parser| parser.operand(name))?, wanted: true });
        }
        for (sign, allowed) in ORDERS {
            if self.take_sign(sign) {
                return self.order(name, at, allowed);
            }
        }
        if self.take_word("contains") {
            return self.search(name, at, Part::Any);
        }
        if self.take_word("starts") {
            self.expect_word("with")?;
            return self.search(name, at, Part::Start);
        }
        if self.take_word("ends") {
            self.expect_word("with")?;
            return self.search(name, at, Part::End);
        }
        if self.take_word("matches") {
            return self.matches(name, at);
        }
        if let Some(Kind::Word(word)) = self.tokens.first().map(|token| &token.kind) {
            if matches!(word.as_str(), "not" | "does" | "doesn") {
                let reason =
                    format!("`not` stands before the name: write `not {} contains …`, or `is not …`", name.name);
                return fault(at, reason);
            }
            if let Some(right) = meant(word) {
                return fault(at, format!("there is no operator `{word}`: write `{} {right}`", name.name));
            }
        }
        if name.kind == ValueType::Boolean {
            return Ok(Test::Truth);
        }
        fault(at, format!("after `{}` an operator is expected: {OPERATORS}", name.name))
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Fault> {
        if self.take_word(word) { Ok(()) } else { fault(self.at(), format!("here `{word}` is expected")) }
    }

    fn is(&mut self, name: &Name, at: usize) -> Result<Test<H::Pattern>, Fault> {
        let wanted = !self.take_word("not");
        if self.take_word("blank") {
            return Ok(Test::Blank { wanted });
        }
        for (word, after) in [("before", false), ("after", true)] {
            if wanted && self.take_word(word) {
                return self.apart(name, at, after);
            }
        }
        let here = self.at();
        if let Some(Kind::Word(word)) = self.tokens.first().map(|token| &token.kind)
            && !self.is_field(word)
            && let Some(right) = meant_behind_is(word)
        {
            return fault(here, format!("there is no operator `is {word}`: write `{} {right}`", name.name));
        }
        if !self.take_word("in") {
            return Ok(Test::OneOf { operands: vec![self.operand(name)?], wanted });
        }
        if self.take_word("domain") {
            return self.domain(name, at, wanted);
        }
        if !self.is_sign("[") {
            return fault(self.at(), "here `[` is expected, or `domain`");
        }
        Ok(Test::OneOf { operands: self.list(|parser| parser.operand(name))?, wanted })
    }

    fn is_field(&self, name: &str) -> bool {
        Name::find(name, &self.config.fields, 0).is_ok()
    }

    fn is_sign(&self, sign: &str) -> bool {
        self.tokens.first().is_some_and(|token| matches!(token.kind, Kind::Sign(found) if found == sign))
    }

    /// One item, or several between brackets.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        if !self.take_sign("[") {
            return Ok(vec![item(self)?]);
        }
        let mut items = vec![item(self)?];
        while self.take_sign(",") {
            items.push(item(self)?);
        }
        self.expect_sign("]")?;
        Ok(items)
    }

    /// `due is before received by at least 2 days`
    fn apart(&mut self, name: &Name, at: usize, after: bool) -> Result<Test<H::Pattern>, Fault> {
        if name.kind != ValueType::DateTime {
            return fault(at, format!("`{}` is of type {}: only dates are before or after", name.name, name.kind));
        }
        let operand = self.operand(name)?;
        let seconds_min = if self.take_word("by") {
            self.expect_word("at")?;
            self.expect_word("least")?;
            self.duration()?
        } else {
            1
        };
        Ok(Test::Apart { operand, after, seconds_min })
    }

    /// A duration in seconds, such as `2 days`.
    fn duration(&mut self) -> Result<i64, Fault> {
        let at = self.at();
        let count = match self.next().map(|token| &token.kind) {
            Some(Kind::Literal(Value::Integer(count))) if *count > 0 => *count,
            _ => return fault(at, "here a duration is expected, such as `2 days`"),
        };
        let unit_at = self.at();
        let unit = match self.next().map(|token| &token.kind) {
            Some(Kind::Word(word)) => word.as_str(),
            _ => "",
        };
        let seconds = match unit {
            "second" | "seconds" => 1,
            "minute" | "minutes" => 60,
            "hour" | "hours" => 3600,
            "day" | "days" => 86_400,
            "week" | "weeks" => 604_800,
            _ => return fault(unit_at, "here `seconds`, `minutes`, `hours`, `days` or `weeks` is expected"),
        };
        match count.checked_mul(seconds) {
            Some(seconds) if seconds <= DURATION_SECONDS_MAX => Ok(seconds),
            _ => fault(at, "a duration is at most 36500 days long"),
        }
    }

    /// `sender is in domain "example.org"`, or in one of a list; `*.example.org` is any domain below it.
    fn domain(&mut self, name: &Name, at: usize, wanted: bool) -> Result<Test<H::Pattern>, Fault> {
        let Some(addresses) = name.addresses() else {
            return fault(
                at,
                format!("`{}` holds no addresses: ask for sender, recipients or a header field", name.name),
            );
        };
        let start = self.at();
        let domains = self.list(|parser| {
            let at = parser.at();
            let domain = parser.text()?.trim();
            let below = domain.strip_prefix("*.");
            let rest = below.unwrap_or(domain);
            if rest.is_empty() || rest.contains(['@', '*', ' ']) {
                return fault(at, "here a domain is expected, such as \"example.org\" or \"*.example.org\"");
            }
            let labels = if below.is_some() { r"(?:[^@\s.]+\.)+" } else { "" };
            Ok(format!("{labels}{}", literal_pattern(rest)))
        })?;
        let source = format!("(?im)@(?:{})[ \t]*$", joined(domains, "|"));
        let pattern = self.host.pattern(&source).map_err(|error| Fault { reason: error.reason, at: start })?;
        Ok(Test::Domain { addresses, pattern, wanted })
    }

    /// `has attachment`, and then maybe `of type "image/*"`, or of one of a list.
    pub(crate) fn attachment(&mut self) -> Result<Test<H::Pattern>, Fault> {
        if !self.take_word("of") {
            return Ok(Test::Blank { wanted: false });
        }
        self.expect_word("type")?;
        let start = self.at();
        let types = self.list(|parser| {
            let at = parser.at();
            let media_type = parser.text()?.trim();
            match media_type.split_once('/') {
                Some((kind, subtype)) if !kind.is_empty() && !subtype.is_empty() => {
                    let parts = media_type.split('*').map(literal_pattern);
                    Ok(joined(parts, r"[^/\n]*"))
                }
                _ => fault(at, "here a media type is expected, such as \"application/pdf\" or \"image/*\""),
            }
        })?;
        let source = format!("(?im)^(?:{})$", joined(types, "|"));
        let pattern = self.host.pattern(&source).map_err(|error| Fault { reason: error.reason, at: start })?;
        Ok(Test::Search(pattern))
    }

    /// A text in quotes.
    fn text(&mut self) -> Result<&'a str, Fault> {
        let at = self.at();
        match self.next().map(|token| &token.kind) {
            Some(Kind::Literal(Value::Text(text))) if !text.is_empty() => Ok(text),
            _ => fault(at, "here a text in quotes is expected"),
        }
    }

    fn order(&mut self, name: &Name, at: usize, allowed: Allowed) -> Result<Test<H::Pattern>, Fault> {
        if matches!(name.kind, ValueType::Text | ValueType::Boolean | ValueType::Html) {
            let reason = format!("`{}` is of type {}: only numbers and dates are more or less", name.name, name.kind);
            return fault(at, reason);
        }
        Ok(Test::Order { operand: self.operand(name)?, allowed })
    }

    /// A text that is searched for: a known one as a pattern that the host runs, so that the body is not copied.
    fn search(&mut self, name: &Name, at: usize, part: Part) -> Result<Test<H::Pattern>, Fault> {
        check_searchable(name, at)?;
        let at = self.at();
        if let Some(Token { kind: Kind::Word(word), .. }) = self.tokens.first() {
            self.next();
            let other = Name::find(word, &self.config.fields, at)?;
            if other.kind != ValueType::Text {
                return fault(at, format!("`{}` is of type {}: only a text is part of a text", other.name, other.kind));
            }
            return Ok(Test::Part { part, other });
        }
        let pattern = self.host.pattern(&part.pattern(&literal_pattern(self.text()?)));
        pattern.map(Test::Search).map_err(|error| Fault { reason: error.reason, at })
    }

    fn matches(&mut self, name: &Name, at: usize) -> Result<Test<H::Pattern>, Fault> {
        check_searchable(name, at)?;
        let at = self.at();
        let source = match self.next().map(|token| &token.kind) {
            Some(Kind::Pattern(source) | Kind::Literal(Value::Text(source))) => source,
            _ => return fault(at, "here a pattern is expected: /…/ or '…'"),
        };
        self.host.pattern(source).map(Test::Search).map_err(|error| {
            let inside = error.offset.and_then(|offset| usize::try_from(offset).ok());
            // The pattern starts after its slash or quote.
            Fault { reason: error.reason, at: at + inside.map_or(0, |offset| offset + 1) }
        })
    }

    fn operand(&mut self, name: &Name) -> Result<Operand, Fault> {
        let at = self.at();
        let operand = match self.next().map(|token| &token.kind) {
            Some(Kind::Literal(value)) => Operand::Literal(self.with_currency(value.clone())),
            Some(Kind::Word(word)) => Operand::Name(Name::find(word, &self.config.fields, at)?),
            Some(Kind::Pattern(_) | Kind::Sign(_)) | None => return fault(at, "here a value is expected"),
        };
        let kind = match &operand {
            Operand::Literal(value) => value.value_type().unwrap_or(ValueType::Text),
            Operand::Name(other) => other.kind,
        };
        if !comparable(name.kind, kind) {
            let hint = if name.kind == ValueType::Currency { ": write an amount such as 100 EUR" } else { "" };
            let reason = format!("`{}` is of type {} and cannot be compared with {kind}{hint}", name.name, name.kind);
            return fault(at, reason);
        }
        match self.no_choice(name, &operand) {
            Some(reason) => fault(at, reason),
            None => Ok(operand),
        }
    }

    /// A number with three capital letters after it is an amount of money.
    fn with_currency(&mut self, number: Value) -> Value {
        let is_code = |word: &str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        let (units, scale) = match &number {
            Value::Integer(units) => (*units, 0),
            Value::Decimal { units, scale } => (*units, *scale),
            _ => return number,
        };
        match self.tokens.first().map(|token| &token.kind) {
            Some(Kind::Word(word)) if is_code(word) => {
                self.next();
                Value::Currency { units, scale, currency: word.clone() }
            }
            _ => number,
        }
    }

    /// Why the name can never have the value, if it has the choices of an argument.
    fn no_choice(&self, name: &Name, operand: &Operand) -> Option<String> {
        let (Some(argument), Operand::Literal(Value::Text(text))) = (name.argument(), operand) else { return None };
        let argument_of = |verb: &'a Verb| verb.arguments.iter().find(|row| row.name == argument);
        let row = self.config.verbs.iter().find_map(argument_of)?;
        no_choice(row, text.trim(), str::eq_ignore_ascii_case)
    }
}

/// The longest duration: 36500 days.
const DURATION_SECONDS_MAX: i64 = 36_500 * 86_400;

/// What somebody means who writes an operator as other languages call it, or as one word; in the order of the list.
const MEANT: [(&[&str], &str); 14] = [
    (&["is-blank", "blank", "is-empty", "empty", "isblank"], "is blank"),
    (&["is-not-blank", "not-blank", "is-not-empty", "exists"], "is not blank"),
    (&["is-equal-to", "equal", "eq"], "is …"),
    (&["is-not", "not-equals", "not-equal", "ne"], "is not …"),
    (&["in", "is-in", "in-list", "one-of", "is-in-list"], "is in […]"),
    (&["is-not-in", "not-in"], "is not in […]"),
    (&["starts-with", "startswith", "begins", "begins-with"], "starts with …"),
    (&["ends-with", "endswith"], "ends with …"),
    (&["contain", "includes", "has"], "contains …"),
    (&["match", "regex", "like", "is-like"], "matches /…/"),
    (&["greater", "greater-than", "more", "gt", "is-greater-than"], "> …"),
    (&["less", "less-than", "lt", "is-less-than"], "< …"),
    (&["before", "is-before"], "is before …"),
    (&["after", "is-after"], "is after …"),
];

/// The operator that a word stands for that is none.
fn meant(word: &str) -> Option<&'static str> {
    let word = lower(word);
    let is = |(words, _): &&(&[&str], &str)| words.contains(&word.as_str());
    MEANT.iter().find(is).map(|(_, right)| *right)
}

/// The same for a word behind `is`: `is empty`, `is greater than`.
fn meant_behind_is(word: &str) -> Option<&'static str> {
    match word {
        "in" => None,
        "equal" => Some("is …"),
        "one" => Some("is in […]"),
        word => meant(word),
    }
}

const OPERATORS: &str = "is (or equals), is not, is blank, is not blank, is in [...], is in domain, is before, is after, contains, \
     starts with, ends with, matches, >, <, >=, <=";

/// Whether two values in this order pass.
type Allowed = fn(Ordering) -> bool;

const ORDERS: [(&str, Allowed); 4] =
    [(">=", Ordering::is_ge), ("<=", Ordering::is_le), (">", Ordering::is_gt), ("<", Ordering::is_lt)];

fn comparable(a: ValueType, b: ValueType) -> bool {
    let is_number = |kind| matches!(kind, ValueType::Integer | ValueType::Decimal);
    (a == b && a != ValueType::Html) || (is_number(a) && is_number(b))
}

fn check_searchable(name: &Name, at: usize) -> Result<(), Fault> {
    if name.searchable().is_some() {
        return Ok(());
    }
    fault(at, format!("`{}` cannot be searched: ask with `is`, `is in [...]` or `is blank`", name.name))
}
