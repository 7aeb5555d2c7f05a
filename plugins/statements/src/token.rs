//! Words of the condition language, with their places.

use mailmill_sdk::{Form, Host, Reading, Value, number};

/// What is wrong with a condition or a macro, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: String,
    pub(crate) at: usize,
}

#[cold]
pub(crate) fn fault<T>(at: usize, reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { reason: reason.into(), at })
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A keyword or name, such as `is` or `header:X-Priority`.
    Word(String),
    /// A text, number, date or truth value.
    Literal(Value),
    /// A pattern between slashes.
    Pattern(String),
    /// A sign, such as `(` or `>=`.
    Sign(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) at: usize,
}

const SIGNS: [&str; 10] = [">=", "<=", ">", "<", "(", ")", "[", "]", ",", "|"];

/// Splits `source` into tokens; their places count from `base`.
pub(crate) fn tokens<H: Host>(host: &H, source: &str, base: usize) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let at = base + source.len() - rest.len();
        let (kind, length) = token(host, first, rest, at)?;
        tokens.push(Token { kind, at });
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

fn token<H: Host>(host: &H, first: char, rest: &str, at: usize) -> Result<(Kind, usize), Fault> {
    if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
        return Ok((Kind::Sign(sign), sign.len()));
    }
    match first {
        '"' => quoted(rest, '"', at).map(|(text, length)| (Kind::Literal(Value::Text(text)), length)),
        '\'' => quoted(rest, '\'', at).map(|(text, length)| (Kind::Literal(Value::Text(text)), length)),
        '/' => pattern(rest, at),
        _ if first.is_ascii_digit() || first == '-' => {
            let word = leading(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | ':' | '.'));
            let date = || host.read(word, Form::DateTime, &Reading::default()).ok();
            match number(word).or_else(date) {
                Some(value) => Ok((Kind::Literal(value), word.len())),
                None => fault(at, format!("\"{word}\" is neither a number nor a date such as 2026-01-31T10:00Z")),
            }
        }
        _ if first.is_alphabetic() => {
            let word = leading(rest, |c| c.is_alphanumeric() || matches!(c, '-' | '_' | ':' | '.'));
            let kind = match word {
                "true" => Kind::Literal(Value::Boolean(true)),
                "false" => Kind::Literal(Value::Boolean(false)),
                _ => Kind::Word(word.to_owned()),
            };
            Ok((kind, word.len()))
        }
        '=' | '!' => fault(at, format!("'{first}' is no operator: write `is` or `is not`")),
        _ => fault(at, format!("unexpected character '{first}'")),
    }
}

fn leading(text: &str, belongs: impl Fn(char) -> bool) -> &str {
    text.find(|c| !belongs(c)).and_then(|end| text.get(..end)).unwrap_or(text)
}

/// A text in quotes. In double quotes, `\"`, `\\`, `\n` and `\t` have their meaning; in single quotes nothing has.
fn quoted(rest: &str, quote: char, at: usize) -> Result<(String, usize), Fault> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((offset, character)) = characters.next() {
        match character {
            _ if character == quote => return Ok((text, offset + 1)),
            '\\' if quote == '"' => match characters.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                _ => {
                    return fault(
                        at + offset,
                        "after a backslash come \", \\, n or t; in single quotes it stands for itself",
                    );
                }
            },
            _ => text.push(character),
        }
    }
    fault(at, format!("the text has no closing {quote}"))
}

/// `/pattern/`; a slash inside is written `\/`.
fn pattern(rest: &str, at: usize) -> Result<(Kind, usize), Fault> {
    let mut escaped = false;
    for (offset, character) in rest.char_indices().skip(1) {
        match character {
            '/' if !escaped => {
                let source = rest.get(1..offset).unwrap_or_default();
                return Ok((Kind::Pattern(source.to_owned()), offset + 1));
            }
            _ => escaped = character == '\\' && !escaped,
        }
    }
    fault(at, "the pattern has no closing /")
}
