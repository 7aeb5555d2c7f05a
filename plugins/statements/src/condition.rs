//! Conditions: `ticket is not blank and (origin is "human" or sender contains "@example.org")`.
//!
//! `not` binds tighter than `and`, and `and` tighter than `or`.

use crate::name::Name;
use crate::operator::{Parser, Test};
use crate::token::{Fault, Kind, fault, tokens};
use mailmill_sdk::text::{joined, spaced};
use mailmill_sdk::{Config, Host, Value};

/// The longest condition, in bytes.
const SOURCE_BYTES_MAX: usize = 4096;
/// How deep parentheses and `not` may nest.
const DEPTH_MAX: usize = 32;
/// How much of a value the report shows, in characters.
const SHOWN_CHARS_MAX: usize = 80;

/// A condition, checked.
#[derive(Debug)]
pub(crate) struct Condition<P> {
    source: String,
    root: Node<P>,
}

#[derive(Debug)]
enum Node<P> {
    All(Vec<Node<P>>),
    Any(Vec<Node<P>>),
    Not(Box<Node<P>>),
    Test { name: Name, test: Test<P> },
}

impl<P> Condition<P> {
    /// Reads a condition and checks its names, types and constants.
    pub(crate) fn parse<H: Host<Pattern = P>>(host: &H, source: &str, config: &Config) -> Result<Self, Fault> {
        if source.len() > SOURCE_BYTES_MAX {
            return fault(0, format!("the condition is longer than {SOURCE_BYTES_MAX} bytes"));
        }
        let tokens = tokens(host, source, 0)?;
        let mut parser = Parser::new(host, &tokens, config, source.len());
        let root = any(&mut parser, 0)?;
        match parser.next() {
            None => Ok(Self { source: spaced(source.split_whitespace()), root }),
            Some(token) => fault(token.at, "here `and`, `or` or the end of the condition is expected"),
        }
    }

    /// Whether it holds for the message, and in words with the values that were looked at.
    pub(crate) fn evaluate<H: Host<Pattern = P>>(&self, host: &H) -> (bool, String) {
        let mut seen = Vec::new();
        let holds = self.root.holds(host, &mut seen);
        let values = seen.iter().map(|(name, value)| format!("{name} = {}", shown(value)));
        (holds, format!("{} [{}]", self.source, joined(values, "; ")))
    }
}

impl<P> Node<P> {
    fn holds<H: Host<Pattern = P>>(&self, host: &H, seen: &mut Vec<(String, Value)>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(host, seen)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(host, seen)),
            Self::Not(node) => !node.holds(host, seen),
            Self::Test { name, test } => {
                let value = name.value(host);
                let holds = test.holds(host, name, &value);
                if !seen.iter().any(|(other, _)| *other == name.name) {
                    seen.push((name.name.clone(), value));
                }
                holds
            }
        }
    }
}

/// A value as the report shows it: short, on one line.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::None => return "blank".to_owned(),
        Value::Text(text) | Value::Html(text) => text,
        Value::Integer(_)
        | Value::Decimal { .. }
        | Value::Boolean(_)
        | Value::DateTime { .. }
        | Value::Currency { .. } => return value.to_string(),
    };
    let short: String = text.chars().take(SHOWN_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("\"{short}{more}\"")
}

fn any<H: Host>(parser: &mut Parser<'_, H>, depth: usize) -> Result<Node<H::Pattern>, Fault> {
    let mut nodes = vec![all(parser, depth)?];
    while parser.take_word("or") {
        nodes.push(all(parser, depth)?);
    }
    Ok(Node::Any(nodes))
}

fn all<H: Host>(parser: &mut Parser<'_, H>, depth: usize) -> Result<Node<H::Pattern>, Fault> {
    let mut nodes = vec![unary(parser, depth)?];
    while parser.take_word("and") {
        nodes.push(unary(parser, depth)?);
    }
    Ok(Node::All(nodes))
}

fn unary<H: Host>(parser: &mut Parser<'_, H>, depth: usize) -> Result<Node<H::Pattern>, Fault> {
    if depth > DEPTH_MAX {
        return fault(parser.at(), format!("parentheses and `not` nest deeper than {DEPTH_MAX}"));
    }
    if parser.take_word("not") {
        return Ok(Node::Not(Box::new(unary(parser, depth + 1)?)));
    }
    if parser.take_sign("(") {
        let inner = any(parser, depth + 1)?;
        parser.expect_sign(")")?;
        return Ok(inner);
    }
    let at = parser.at();
    match parser.next().map(|token| &token.kind) {
        Some(Kind::Word(word)) if word == "has" && parser.take_word("attachment") => {
            Ok(Node::Test { name: Name::attachment_types(), test: parser.attachment()? })
        }
        Some(Kind::Word(word)) => {
            let name = Name::find(word, &parser.config.fields, at)?;
            let test = parser.test(&name)?;
            Ok(Node::Test { name, test })
        }
        _ => fault(at, "here the name of a field is expected, such as `subject`"),
    }
}
