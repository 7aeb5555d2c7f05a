//! `classes.toml`: the classes of tickets, and the life that each leads.

use crate::config::reader::{self, Section};
use crate::diagnostic::{Diagnostics, Source, suggestion};
use crate::ticket::{ClassSpec, Classes, Series, Status, TicketClass};
use std::ops::Range;
use toml::Spanned;
use toml::de::DeValue;

/// The file, in the folder of the rules.
pub(super) const FILE: &str = "classes.toml";
/// The most classes, and the most statuses of one.
const NAMES_MAX: usize = 100;
/// The longest name of a class or a status, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A name and where it stands.
type Named = (String, Range<usize>);

/// Reads the file, and reports all that is wrong with it.
pub(super) fn read(source: &Source, out: &mut Diagnostics) -> Option<Classes> {
    let table = reader::parse(source, out)?;
    let errors = out.errors();
    let mut root = Section::root(source, &table);
    let common = Keys::read(source, &mut root, out);
    let list = root.value("class");
    root.finish(out);
    let items = list.and_then(|list| list.get_ref().as_array());
    let Some(items) = items.filter(|items| !items.is_empty() && items.len() <= NAMES_MAX) else {
        let at = list.map_or(0..0, Spanned::span);
        let reason = format!("the file has 1 to {NAMES_MAX} classes: write a [[class]] with its name for each");
        out.push(source.error(at, reason));
        return None;
    };
    let mut read: Vec<Class> = Vec::new();
    for item in items {
        let Some(class) = class(source, item, &common, out) else { continue };
        if read.iter().any(|other| other.spec.class == class.spec.class) {
            let reason = format!("there are two classes named \"{}\"", class.spec.class);
            out.push(source.error(class.name_at.clone(), reason));
        }
        if let Some(other) = read.iter().find(|other| is_ambiguous(&other.spec.series, &class.spec.series)) {
            let (prefix, class_name, other_name) = (class.spec.series.prefix(), &class.spec.class, &other.spec.class);
            let reason = format!(
                "the classes \"{other_name}\" and \"{class_name}\" count under one prefix, \"{prefix}\", with different digits"
            );
            let help = "give one of them a prefix of its own, or both the same digits: then they are counted together";
            out.push(source.error(class.number_at.clone(), reason).help(help));
        }
        read.push(class);
    }
    (out.errors() == errors).then(|| Classes::new(read.into_iter().map(|class| class.spec).collect()))
}

/// Numbers of two series that are not one must differ in their prefix.
fn is_ambiguous(one: &Series, other: &Series) -> bool {
    one.prefix() == other.prefix() && one != other
}

/// A class, and where what others can be at odds with stands.
struct Class {
    spec: ClassSpec,
    name_at: Range<usize>,
    number_at: Range<usize>,
}

/// The keys that stand at the top for all classes, and in a class for itself.
#[derive(Clone, Default)]
struct Keys {
    number: Option<(Series, Range<usize>)>,
    statuses: Option<Vec<Named>>,
    initial: Option<Named>,
    terminal: Option<Vec<Named>>,
    reopen: Option<Named>,
}

impl Keys {
    fn read(source: &Source, section: &mut Section<'_, '_>, out: &mut Diagnostics) -> Self {
        Self {
            number: section.value("number").and_then(|value| number(source, value, out)),
            statuses: section.value("statuses").and_then(|value| names(source, "statuses", value, out)),
            initial: section.value("initial").and_then(|value| name(source, "initial", value, out)),
            terminal: section.value("terminal").and_then(|value| names(source, "terminal", value, out)),
            reopen: section.value("reopen").and_then(|value| name(source, "reopen", value, out)),
        }
    }

    /// These keys, and those of all classes where there are none.
    fn or(self, common: &Self) -> Self {
        Self {
            number: self.number.or_else(|| common.number.clone()),
            statuses: self.statuses.or_else(|| common.statuses.clone()),
            initial: self.initial.or_else(|| common.initial.clone()),
            terminal: self.terminal.or_else(|| common.terminal.clone()),
            reopen: self.reopen.or_else(|| common.reopen.clone()),
        }
    }
}

fn class(source: &Source, item: &Spanned<DeValue<'_>>, common: &Keys, out: &mut Diagnostics) -> Option<Class> {
    let mut section = Section::of(source, "class", item, out)?;
    let own: Option<Named> = match section.value("name") {
        Some(value) => name(source, "name", value, out),
        None => {
            out.push(section.error("name", "the class has no `name`"));
            None
        }
    };
    let keys = Keys::read(source, &mut section, out);
    let is_own = keys.statuses.is_some();
    section.finish(out);
    let (class, name_at) = own?;
    let keys = keys.or(common);
    let missing = [
        ("number", keys.number.is_none()),
        ("statuses", keys.statuses.is_none()),
        ("initial", keys.initial.is_none()),
        ("terminal", keys.terminal.is_none()),
    ];
    for (key, _) in missing.iter().filter(|(_, is_missing)| *is_missing) {
        let reason = format!("the class \"{class}\" has no `{key}`, nor is there one at the top of the file");
        out.push(source.error(name_at.clone(), reason));
    }
    let (series, number_at) = keys.number?;
    let (statuses, initial, terminal) = (keys.statuses?, keys.initial?, keys.terminal?);
    let said = std::iter::once(("initial", &initial)).chain(keys.reopen.iter().map(|named| ("reopen", named)));
    for (key, (status, at)) in said.chain(terminal.iter().map(|named| ("terminal", named))) {
        if !statuses.iter().any(|(known, _)| known == status) {
            let known: Vec<&str> = statuses.iter().map(|(known, _)| known.as_str()).collect();
            let help =
                suggestion(status, known.iter().copied()).unwrap_or_else(|| format!("it has {}", known.join(", ")));
            // A class whose own statuses do not go with what holds for all is to blame itself.
            let at = if is_own && at.start < item.span().start { name_at.clone() } else { at.clone() };
            let reason = format!("`{key}` of the class \"{class}\": it has no status \"{status}\"");
            out.push(source.error(at, reason).help(help));
        }
    }
    if terminal.iter().any(|(status, _)| *status == initial.0) {
        let reason = format!("the class \"{class}\" begins where its life is over: \"{}\"", initial.0);
        out.push(source.error(initial.1.clone(), reason));
    }
    let status = |(name, _): &Named| Status::new(name);
    let reopen = keys.reopen.as_ref().unwrap_or(&initial);
    let spec = ClassSpec {
        class: TicketClass::new(&class),
        series,
        statuses: statuses.iter().map(status).collect(),
        initial: status(&initial),
        reopened: status(reopen),
        closed: status(terminal.first()?),
        terminal: terminal.iter().map(status).collect(),
    };
    Some(Class { spec, name_at, number_at })
}

/// `{ prefix = "T", digits = 5 }`
fn number(source: &Source, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<(Series, Range<usize>)> {
    let mut section = Section::of(source, "number", value, out)?;
    let (prefix, digits) = (section.required::<String>("prefix", out), section.optional("digits", 5, out));
    let series = match (prefix, digits) {
        (Some(prefix), Some(digits)) => {
            Series::new(&prefix, digits).map_err(|(key, reason)| out.push(section.error(key, reason))).ok()
        }
        _ => None,
    };
    section.finish(out);
    Some((series?, value.span()))
}

/// A list of at least one name, each once.
fn names(source: &Source, key: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Vec<Named>> {
    let items = value.get_ref().as_array().map(|items| items.iter().collect::<Vec<_>>()).unwrap_or_default();
    if items.is_empty() || items.len() > NAMES_MAX {
        let reason = format!("`{key}` must be a list of 1 to {NAMES_MAX} names, such as [\"new\", \"closed\"]");
        out.push(source.error(value.span(), reason));
        return None;
    }
    let mut read: Vec<Named> = Vec::new();
    for item in items {
        let Some(named) = name(source, key, item, out) else { continue };
        if read.iter().any(|(other, _)| *other == named.0) {
            out.push(source.error(named.1, format!("\"{}\" stands twice in `{key}`", named.0)));
        } else {
            read.push(named);
        }
    }
    Some(read)
}

fn name(source: &Source, key: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Named> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = |text: &&str| {
        text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.len() <= NAME_BYTES_MAX
            && text.bytes().all(allowed)
    };
    let read = value.get_ref().as_str().filter(is_name);
    if read.is_none() {
        let expected = "a lower-case letter, then letters, digits and `-`, at most 64";
        out.push(source.error(value.span(), format!("`{key}` takes names: {expected}, such as \"open\"")));
    }
    read.map(|text| (text.to_owned(), value.span()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn classes(text: &str) -> Result<Classes, String> {
        let mut out = Diagnostics::default();
        let read = read(&Source::new(Path::new("classes.toml"), text), &mut out);
        out.or(read).map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn the_shipped_file_says_what_holds_without_it() {
        assert_eq!(classes(include_str!("../../../rules/classes.toml")).unwrap(), Classes::default());
    }

    #[test]
    fn a_class_takes_from_the_top_what_it_does_not_say() {
        let read = classes(
            "number = { prefix = 'T' }\nstatuses = ['new', 'done']\ninitial = 'new'\nterminal = ['done']\n\
             [[class]]\nname = 'a'\n[[class]]\nname = 'b'\nnumber = { prefix = 'B-', digits = 4 }\nreopen = 'done'\n",
        )
        .unwrap();
        let [a, b] = [read.get("a").unwrap(), read.get("b").unwrap()];
        assert_eq!(
            (a.series.number(1).to_string(), b.series.number(1).to_string()),
            ("T00001".into(), "B-0001".into())
        );
        assert_eq!((a.reopened.name(), b.reopened.name(), b.closed.name()), ("new", "done", "done"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        const TOP: &str = "number = { prefix = 'T', digits = 5 }\nstatuses = ['new', 'open', 'closed']\ninitial = 'new'\n\
                           terminal = ['closed']\n[[class]]\nname = 'a'\n";
        let check =
            |more: &str, expect: &str| assert_eq!(classes(&format!("{TOP}{more}")).unwrap_err(), expect, "{more}");
        check(
            "initial = 'nwe'",
            "classes.toml:7:11: `initial` of the class \"a\": it has no status \"nwe\" (it has new, open, closed)",
        );
        check(
            "terminal = ['closed', 'gone']",
            "classes.toml:7:23: `terminal` of the class \"a\": it has no status \"gone\" (did you mean `open`?)",
        );
        check(
            "statuses = ['new', 'open', 'over']",
            "classes.toml:6:8: `terminal` of the class \"a\": it has no status \"closed\" (it has new, open, over)",
        );
        check("initial = 'closed'", "classes.toml:7:11: the class \"a\" begins where its life is over: \"closed\"");
        check("[[class]]\nname = 'a'", "classes.toml:8:8: there are two classes named \"a\"");
        check(
            "[[class]]\nname = 'b'\nnumber = { prefix = 'T', digits = 6 }",
            "classes.toml:9:10: the classes \"a\" and \"b\" count under one prefix, \"T\", with different digits (give one \
             of them a prefix of its own, or both the same digits: then they are counted together)",
        );
        check(
            "number = { prefix = 'x1', digits = 5 }",
            "classes.toml:7:21: \"x1\" is no prefix of numbers: write a capital letter, then capital letters, `-` or `_`, \
             at most 10 in all, such as \"INC\"",
        );
        check("number = { prefix = 'X', digits = 30 }", "classes.toml:7:35: numbers have 3 to 18 digits, not 30");
        check(
            "statuses = []",
            "classes.toml:7:12: `statuses` must be a list of 1 to 100 names, such as [\"new\", \"closed\"]",
        );
        check("terminal = ['closed', 'closed']", "classes.toml:7:23: \"closed\" stands twice in `terminal`");
        check(
            "reopen = 'Open'",
            "classes.toml:7:10: `reopen` takes names: a lower-case letter, then letters, digits and `-`, at most 64, such \
             as \"open\"",
        );
        check("initail = 'new'", "classes.toml:7:1: unknown key `initail` (did you mean `initial`?)");
        check("[[class]]\nnumber = { prefix = 'T' }", "classes.toml:7:1: the class has no `name`");
    }

    #[test]
    fn a_file_without_what_a_class_needs_is_refused() {
        let no = |key: &str| {
            format!("classes.toml:2:8: the class \"a\" has no `{key}`, nor is there one at the top of the file")
        };
        let expect = ["number", "statuses", "initial", "terminal"].map(no).join("\n");
        assert_eq!(classes("[[class]]\nname = 'a'").unwrap_err(), expect);
        let none = "the file has 1 to 100 classes: write a [[class]] with its name for each";
        assert_eq!(classes("").unwrap_err(), format!("classes.toml:1:1: {none}"));
    }
}
