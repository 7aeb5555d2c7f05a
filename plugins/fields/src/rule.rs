//! The rules: one `[[field]]` each, or `[[pattern]]`s that fill several fields.

use crate::kind::{Kind, fit, is_sound, reading};
use crate::method::{self, Method};
use mailmill_sdk::name::TEXTS;
use mailmill_sdk::settings::{Json, Table, nearest};
use mailmill_sdk::text::joined;
use mailmill_sdk::{Field, Host, Reading, Value};

/// The most fields.
const FIELDS_MAX: usize = 200;
/// The longest name of a field, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// What every field can say.
const KEYS: [&str; 8] = ["name", "description", "type", "locale", "time_zone", "currency", "required", "default"];
/// What a field says that looks for itself.
const SEARCH_KEYS: [&str; 7] = ["from", "check_for", "pattern", "after", "before", "at", "length"];
/// Names besides those of texts that every message has.
const TAKEN: [&str; 2] = ["attachments", "received"];

/// Where to look, what to take, and the fields that it makes.
#[derive(Debug)]
pub(crate) struct Search<P> {
    /// The first one that has something is taken.
    pub(crate) sources: Vec<Field>,
    pub(crate) method: Method<P>,
    /// The method in words that follow where it was found: `after "Order:"`.
    pub(crate) how: String,
    pub(crate) rules: Vec<Rule>,
}

/// A field to be made.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) reading: Reading,
    /// The group of the pattern that holds it.
    pub(crate) group: usize,
    pub(crate) required: bool,
    pub(crate) default: Value,
}

/// Reads all rules, and complains about whatever is wrong.
pub(crate) fn searches<H: Host>(host: &H, root: &Table<'_>) -> Vec<Search<H::Pattern>> {
    root.allow(&["field", "pattern", "test", "locale", "time_zone", "currency"]);
    let reading = reading(host, root, &Reading::default());
    let mut reader = Reader { host, names: Vec::new() };
    let mut searches = Vec::new();
    for table in root.tables("field") {
        searches.extend(reader.field(&table, &reading));
    }
    for table in root.tables("pattern") {
        searches.extend(reader.pattern(&table, &reading));
    }
    if reader.names.len() > FIELDS_MAX {
        let count = reader.names.len();
        root.complain("field", format!("there are {count} fields; at most {FIELDS_MAX} are allowed"), None);
    }
    searches
}

struct Reader<'a, H> {
    host: &'a H,
    /// The names of all fields so far.
    names: Vec<String>,
}

impl<H: Host> Reader<'_, H> {
    /// A field that looks for itself.
    fn field(&mut self, table: &Table<'_>, outer: &Reading) -> Option<Search<H::Pattern>> {
        let known: Vec<&str> = KEYS.into_iter().chain(SEARCH_KEYS).collect();
        table.allow(&known);
        let sources = sources(table);
        let method = method::read(self.host, table);
        let checks = matches!(method, Some(Method::CheckFor(_)));
        let rule = self.rule(table, outer, checks);
        let (method, mut rule) = (method?, rule?);
        if let Method::Pattern(pattern) = &method {
            rule.group = method::value_group(&self.host.groups(pattern));
        }
        Some(Search { sources: sources?, method, how: method::describe(table), rules: vec![rule] })
    }

    /// A pattern that fills the fields that its groups are named for.
    fn pattern(&mut self, table: &Table<'_>, outer: &Reading) -> Option<Search<H::Pattern>> {
        table.allow(&["description", "from", "pattern", "field", "locale", "time_zone", "currency"]);
        let _ = table.text("description");
        let reading = reading(self.host, table, outer);
        let sources = sources(table);
        let pattern = table.required_text("pattern").and_then(|_| method::pattern(self.host, table));
        let fields = table.tables("field");
        if fields.is_empty() {
            table.complain_here("a [[pattern]] has at least one [[pattern.field]]");
        }
        let groups = pattern.as_ref().map(|pattern| self.host.groups(pattern));
        let rules: Vec<Option<Rule>> =
            fields.iter().map(|field| self.captured(field, &reading, groups.as_deref())).collect();
        let rules = rules.into_iter().collect::<Option<Vec<Rule>>>()?;
        let how = method::describe(table);
        Some(Search { sources: sources?, method: Method::Pattern(pattern?), how, rules })
    }

    /// A field that a group of a pattern fills: the group of its name, with `_` for `-`, or the one that it names.
    fn captured(&mut self, table: &Table<'_>, outer: &Reading, groups: Option<&[Option<String>]>) -> Option<Rule> {
        let known: Vec<&str> = KEYS.into_iter().chain(["group"]).collect();
        table.allow(&known);
        let rule = self.rule(table, outer, false)?;
        let wanted = table.text("group").map_or_else(|| underscored(&rule.name), str::to_owned);
        let groups = groups?;
        let Some(group) = groups.iter().position(|group| group.as_deref() == Some(wanted.as_str())) else {
            let named: Vec<&str> = groups.iter().flatten().map(String::as_str).collect();
            let reason = match named.as_slice() {
                [] => format!("the pattern has no group (?<{wanted}>…)"),
                named => format!("the pattern has no group (?<{wanted}>…): it has {}", joined(named, ", ")),
            };
            table.complain(if table.value("group").is_some() { "group" } else { "name" }, reason, None);
            return None;
        };
        Some(Rule { group, ..rule })
    }

    /// What all fields have: name, type, default.
    fn rule(&mut self, table: &Table<'_>, outer: &Reading, checks: bool) -> Option<Rule> {
        let name = table.required_text("name").filter(|name| self.is_name(table, name));
        let kind = kind(table, checks);
        let reading = reading(self.host, table, outer);
        let default = kind.map_or(Value::None, |kind| self.default(table, kind, &reading));
        // Only for readers, but it must be a text.
        let _ = table.text("description");
        let required = table.boolean("required").unwrap_or(false);
        let name = name?.to_owned();
        self.names.push(name.clone());
        Some(Rule { name, kind: kind?, reading, group: 0, required, default })
    }

    fn is_name(&self, table: &Table<'_>, name: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(allowed);
        if !well_formed || name.len() > NAME_BYTES_MAX {
            let reason =
                format!("a name is a lower-case letter, then letters, digits and `-`, at most {NAME_BYTES_MAX}");
            table.complain("name", reason, None);
        } else if Field::named(name).is_some() || TAKEN.contains(&name) {
            table.complain("name", format!("every message has a field \"{name}\": take another name"), None);
        } else if self.names.iter().any(|other| other == name) {
            table.complain("name", format!("there is another field \"{name}\": names must differ"), None);
        }
        well_formed
    }

    fn default(&self, table: &Table<'_>, kind: Kind, reading: &Reading) -> Value {
        let fitted = match table.value("default") {
            None => return Value::None,
            // What is wrong there is told there, and once.
            Some(_) if !is_sound(self.host, reading) => return Value::None,
            Some(Json::Text(text)) => fit(self.host, kind, reading, text.trim()),
            Some(Json::Number(number)) => {
                let plain = Reading { locale: String::new(), ..reading.clone() };
                fit(self.host, kind, &plain, number)
            }
            Some(Json::Truth(truth)) => fit(self.host, kind, reading, if *truth { "true" } else { "false" }),
            Some(Json::Nothing | Json::List(_) | Json::Table(_)) => {
                Err("expected a text, a number, or true or false".to_owned())
            }
        };
        fitted.unwrap_or_else(|reason| {
            table.complain("default", reason, None);
            Value::None
        })
    }
}

fn underscored(name: &str) -> String {
    name.chars().map(|c| if c == '-' { '_' } else { c }).collect()
}

/// The type: text, unless it is said or the method makes something else.
fn kind(table: &Table<'_>, checks: bool) -> Option<Kind> {
    let Some(name) = table.text("type") else { return Some(if checks { Kind::Boolean } else { Kind::Text }) };
    match Kind::find(name) {
        Ok(kind) => {
            if checks && kind != Kind::Boolean {
                table.complain("type", "a field with `check_for` is of type boolean", None);
            }
            Some(kind)
        }
        Err(reason) => {
            table.complain("type", reason, None);
            None
        }
    }
}

fn sources(table: &Table<'_>) -> Option<Vec<Field>> {
    let name = table.required_text("from")?.trim();
    if name == "subject-and-body" {
        return Some(vec![Field::Subject, Field::Body]);
    }
    if let Some(source) = Field::named(name) {
        return Some(vec![source]);
    }
    let known = || TEXTS.into_iter().chain(["subject-and-body"]);
    let hint = match nearest(name, known()) {
        Some(near) => format!("did you mean \"{near}\"? "),
        None => String::new(),
    };
    table.complain("from", format!("unknown source \"{name}\": {hint}there are {}", joined(known(), ", ")), None);
    None
}
