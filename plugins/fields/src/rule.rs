//! The rules: one `[[field]]` each.

use mailmill_sdk::settings::{Json, Table, nearest};
use mailmill_sdk::text::joined;
use mailmill_sdk::{Field, Host, Value, ValueType};

/// The most fields.
const FIELDS_MAX: usize = 200;
/// The longest name of a field, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The longest text of a field, in characters.
const TEXT_CHARS_MAX: usize = 1000;
/// The largest whole number, and the smallest with its sign changed.
const INTEGER_MAX: i64 = 99_999_999;
/// The last character at which a field may start.
const POSITION_MAX: usize = 1_000_000;

const KEYS: [&str; 12] = [
    "name",
    "type",
    "description",
    "from",
    "pattern",
    "after",
    "before",
    "check_for",
    "at",
    "length",
    "required",
    "default",
];
const SOURCES: [&str; 9] =
    ["subject", "body", "whole-body", "subject-and-body", "sender", "recipients", "message-id", "client", "origin"];

/// A field to be made.
#[derive(Debug)]
pub(crate) struct Rule<P> {
    pub(crate) name: String,
    pub(crate) kind: ValueType,
    /// Where to look, in this order.
    pub(crate) sources: Vec<Field>,
    pub(crate) method: Method<P>,
    pub(crate) required: bool,
    pub(crate) default: Value,
}

/// What to take.
#[derive(Debug)]
pub(crate) enum Method<P> {
    /// All of it.
    Whole,
    /// A group of a pattern's first match.
    Pattern { pattern: P, group: usize },
    /// Whether the pattern matches.
    CheckFor(P),
    /// Characters by their position, counted from 0.
    Position { at: usize, length: usize },
}

/// Reads all rules, and complains about whatever is wrong.
pub(crate) fn rules<H: Host>(host: &H, root: &Table<'_>) -> Vec<Rule<H::Pattern>> {
    root.allow(&["field", "test"]);
    let tables = root.tables("field");
    if tables.len() > FIELDS_MAX {
        root.complain("field", format!("there are {} fields; at most {FIELDS_MAX} are allowed", tables.len()), None);
    }
    let mut rules: Vec<Rule<H::Pattern>> = Vec::new();
    for table in tables.iter().take(FIELDS_MAX) {
        let Some(rule) = rule(host, table) else { continue };
        if rules.iter().any(|other| other.name == rule.name) {
            table.complain("name", format!("there is another field \"{}\": names must differ", rule.name), None);
        }
        rules.push(rule);
    }
    rules
}

/// Reads a text as a value of this type, within the limits of fields.
pub(crate) fn fit(kind: ValueType, text: &str) -> Result<Value, String> {
    match kind.read(text) {
        None => Err(format!("\"{}\" is no {kind}", excerpt(text))),
        Some(Value::Integer(number)) if number.abs() > INTEGER_MAX => {
            Err(format!("{number} is outside of -{INTEGER_MAX} to {INTEGER_MAX}"))
        }
        Some(Value::Text(text)) if text.chars().count() > TEXT_CHARS_MAX => {
            Err(format!("the text is longer than {TEXT_CHARS_MAX} characters"))
        }
        Some(value) => Ok(value),
    }
}

fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

fn rule<H: Host>(host: &H, table: &Table<'_>) -> Option<Rule<H::Pattern>> {
    table.allow(&KEYS);
    let name = table.required_text("name").filter(|name| is_name(table, name));
    let method = method(host, table);
    let kind = kind(table, method.as_ref());
    let sources = sources(table);
    let default = kind.map_or(Value::None, |kind| default(table, kind));
    // Only for readers, but it must be a text.
    let _ = table.text("description");
    let required = table.boolean("required").unwrap_or(false);
    Some(Rule { name: name?.to_owned(), kind: kind?, sources: sources?, method: method?, required, default })
}

fn is_name(table: &Table<'_>, name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(allowed);
    if !well_formed || name.len() > NAME_BYTES_MAX {
        let reason = format!("a name is a lower-case letter, then letters, digits and `-`, at most {NAME_BYTES_MAX}");
        table.complain("name", reason, None);
    }
    well_formed
}

/// The type: text, unless it is said or the method makes something else.
fn kind<P>(table: &Table<'_>, method: Option<&Method<P>>) -> Option<ValueType> {
    let checks = matches!(method, Some(Method::CheckFor(_)));
    let Some(name) = table.text("type") else {
        return Some(if checks { ValueType::Boolean } else { ValueType::Text });
    };
    let Some(kind) = ValueType::ALL.into_iter().find(|kind| kind.name() == name) else {
        let names = ValueType::ALL.map(ValueType::name);
        table.complain("type", format!("unknown type \"{name}\": {}", expected(name, &names)), None);
        return None;
    };
    if checks && kind != ValueType::Boolean {
        table.complain("type", "a field with `check_for` is of type boolean", None);
    }
    Some(kind)
}

fn sources(table: &Table<'_>) -> Option<Vec<Field>> {
    let name = table.required_text("from")?;
    let source = match name {
        "subject" => Field::Subject,
        "body" => Field::Body,
        "whole-body" => Field::WholeBody,
        "subject-and-body" => return Some(vec![Field::Subject, Field::Body]),
        "sender" => Field::Sender,
        "recipients" => Field::Recipients,
        "message-id" => Field::MessageId,
        "client" => Field::Client,
        "origin" => Field::Origin,
        _ => match name.strip_prefix("header:").map(str::trim) {
            Some(header) if !header.is_empty() => Field::Header(header.to_owned()),
            _ => {
                let reason = format!("unknown source \"{name}\": {}, header:NAME", expected(name, &SOURCES));
                table.complain("from", reason, None);
                return None;
            }
        },
    };
    Some(vec![source])
}

fn expected(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"? There are {}", joined(known, ", ")),
        None => format!("there are {}", joined(known, ", ")),
    }
}

fn default(table: &Table<'_>, kind: ValueType) -> Value {
    let text = match table.value("default") {
        None => return Value::None,
        Some(Json::Text(text) | Json::Number(text)) => text.clone(),
        Some(Json::Truth(truth)) => truth.to_string(),
        Some(Json::Nothing | Json::List(_) | Json::Table(_)) => {
            table.complain("default", "expected a text, a number, or true or false", None);
            return Value::None;
        }
    };
    fit(kind, &text).unwrap_or_else(|reason| {
        table.complain("default", reason, None);
        Value::None
    })
}

/// The method, from the keys that are given: they exclude each other.
fn method<H: Host>(host: &H, table: &Table<'_>) -> Option<Method<H::Pattern>> {
    let has = |key: &str| table.value(key).is_some();
    let ways = [has("pattern"), has("after") || has("before"), has("check_for"), has("at") || has("length")];
    if ways.iter().filter(|way| **way).count() > 1 {
        table.complain_here("take one of `pattern`, `after` and `before`, `check_for`, `at` and `length`");
        return None;
    }
    match ways {
        [true, ..] => pattern(host, table),
        [_, true, ..] => tags(host, table),
        [_, _, true, _] => check_for(host, table),
        [_, _, _, true] => position(table),
        _ => Some(Method::Whole),
    }
}

fn pattern<H: Host>(host: &H, table: &Table<'_>) -> Option<Method<H::Pattern>> {
    let source = table.text("pattern")?;
    match host.pattern(source) {
        Ok(pattern) => Some(Method::Pattern { pattern, group: value_group(source) }),
        Err(error) => {
            table.complain("pattern", error.reason, error.offset);
            None
        }
    }
}

/// Between two texts, in any case; without `before`, to the end of the line.
fn tags<H: Host>(host: &H, table: &Table<'_>) -> Option<Method<H::Pattern>> {
    let after = part(table, "after")?;
    let source = match (after.is_empty(), part(table, "before")?) {
        (false, before) if before.is_empty() => format!(r"(?i){after}[ \t]*([^\n]*)"),
        (true, before) => format!(r"(?is)\A(.*?){before}"),
        (false, before) => format!(r"(?is){after}(.*?){before}"),
    };
    compiled(host, table, "after", &source).map(|pattern| Method::Pattern { pattern, group: 1 })
}

fn check_for<H: Host>(host: &H, table: &Table<'_>) -> Option<Method<H::Pattern>> {
    let source = format!("(?i){}", part(table, "check_for")?);
    compiled(host, table, "check_for", &source).map(Method::CheckFor)
}

/// A text that is looked for literally, as the source of a pattern; empty if the key is not given.
fn part(table: &Table<'_>, key: &str) -> Option<String> {
    if table.value(key).is_none() {
        return Some(String::new());
    }
    let text = table.text(key)?;
    if text.is_empty() {
        table.complain(key, "the text to look for is empty", None);
        return None;
    }
    Some(mailmill_sdk::literal_pattern(text))
}

fn compiled<H: Host>(host: &H, table: &Table<'_>, key: &str, source: &str) -> Option<H::Pattern> {
    host.pattern(source).map_err(|error| table.complain(key, error.reason, None)).ok()
}

fn position<P>(table: &Table<'_>) -> Option<Method<P>> {
    let at = if table.value("at").is_some() { table.count("at")? } else { 0 };
    let length = if table.value("length").is_some() { table.count("length")? } else { TEXT_CHARS_MAX };
    if at > POSITION_MAX {
        table.complain("at", format!("a field starts at most at character {POSITION_MAX}"), None);
    }
    if length == 0 || length > TEXT_CHARS_MAX {
        table.complain("length", format!("a field has 1 to {TEXT_CHARS_MAX} characters"), None);
    }
    Some(Method::Position { at, length })
}

/// Which group of a pattern holds the value: the one named `value`, or else the first, or else the whole match.
///
/// Groups are counted here because the host numbers them by their opening parentheses and tells no names.
fn value_group(source: &str) -> usize {
    let mut groups = 0;
    let mut class_depth = 0_usize;
    let mut rest = source.char_indices();
    while let Some((at, character)) = rest.next() {
        let after = source.get(at + character.len_utf8()..).unwrap_or_default();
        match character {
            '\\' => drop(rest.next()),
            '[' => class_depth += 1,
            ']' => class_depth = class_depth.saturating_sub(1),
            '(' if class_depth == 0 => {
                let named = after.strip_prefix("?P<").or_else(|| after.strip_prefix("?<"));
                // `(?<=` and `(?<!` look behind.
                let name = named.filter(|name| !name.starts_with(['=', '!']));
                groups += usize::from(name.is_some() || !after.starts_with('?'));
                if name.is_some_and(|name| name.starts_with("value>")) {
                    return groups;
                }
            }
            _ => {}
        }
    }
    usize::from(groups > 0)
}

#[cfg(test)]
mod tests {
    use super::value_group;

    #[test]
    fn the_group_of_the_value_is_found() {
        let check = |source, expect| assert_eq!(value_group(source), expect, "{source}");
        check("abc", 0);
        check("a(?:b)c", 0);
        check("a(b)(c)", 1);
        check(r"(a)(?:b)\((?<value>c)", 2);
        check(r"(a)(?P<value>c)", 2);
        check(r"(?<=a)(?<!b)(c)", 1);
        check(r"(?<=a)c", 0);
        check(r"[(]x[^)(]y", 0);
        check(r"(?i)(a)", 1);
    }
}
