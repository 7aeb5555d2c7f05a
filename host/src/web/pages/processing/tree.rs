//! Statements as a tree that reads like sentences: IF what is asked, THEN what is done, ELSE what is done otherwise.

use crate::action::verbs;
use maud::{Markup, html};
use toml::{Table, Value};

/// How deep statements are shown.
const DEPTH_MAX: usize = 12;

/// The statements of a file, in the order in which they are looked at.
pub(super) fn statements(file: &Table) -> Markup {
    html! { ol.statements { @for statement in list(file, "statement") { li { (statement_or_action(statement, 0)) } } } }
}

/// The tables of a list.
pub(super) fn list<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

fn statement_or_action(table: &Table, depth: usize) -> Markup {
    let said = |key: &str| table.get(key).and_then(Value::as_str);
    if depth > DEPTH_MAX {
        return html! { p.dim { "… and more inside of it" } };
    }
    if let Some(verb) = said("do") {
        return action(verb, table);
    }
    html! {
        @if let Some(name) = said("name") { p.name { (name) } }
        @if let Some(asked) = said("if") { p { (keyword("If")) (condition(asked)) } } @else { p { (keyword("Always")) } }
        (branch(table, "then", depth))
        @for other in list(table, "else_if") {
            p { (keyword("Else if")) (condition(other.get("if").and_then(Value::as_str).unwrap_or_default())) }
            (branch(other, "then", depth))
        }
        @if table.contains_key("else") { p { (keyword("Else")) } (branch(table, "else", depth)) }
        @if table.get("stop").and_then(Value::as_bool) == Some(true) {
            p.dim { "Once one of these branches was taken, no further statement is looked at." }
        }
    }
}

fn branch(table: &Table, key: &str, depth: usize) -> Markup {
    html! { ul.tree { @for inner in list(table, key) { li { (statement_or_action(inner, depth + 1)) } } } }
}

fn keyword(word: &str) -> Markup {
    html! { strong.keyword { (word) } " " }
}

/// What is done, in words, and with what.
fn action(name: &str, table: &Table) -> Markup {
    let phrase = verbs().iter().find(|verb| verb.name == name).map_or(name, |verb| verb.phrase);
    html! {
        p {
            span.verb title=(format!("do = \"{name}\"")) { (phrase) }
            @for (key, value) in table.iter().filter(|(key, _)| *key != "do") { ", " (key) " " (shown(value)) }
        }
    }
}

/// A value without the marks that the file needs around it.
fn shown(value: &Value) -> Markup {
    match value {
        Value::String(text) => html! { code { (text) } },
        Value::Array(values) => {
            html! { @for (index, value) in values.iter().enumerate() { @if index > 0 { ", " } (shown(value)) } }
        }
        Value::Table(table) => {
            html! { @for (index, (key, value)) in table.iter().enumerate() { @if index > 0 { ", " } (key) " " (shown(value)) } }
        }
        other => html! { code { (other) } },
    }
}

/// A condition: what is compared with is set off, and so is what joins its parts.
fn condition(text: &str) -> Markup {
    html! {
        @for piece in pieces(text) {
            @match piece {
                Piece::Literal(literal) => code { (literal) },
                Piece::Joint(word) => strong { (word) },
                Piece::Words(words) => (words),
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    /// A text in quotes or a pattern between slashes, with them.
    Literal(&'a str),
    /// `and`, `or`.
    Joint(&'a str),
    /// Fields, operators, numbers.
    Words(&'a str),
}

/// The pieces of a condition, which are all of it. What they mean is for the plugin to say that reads conditions; this only tells
/// what stands in quotes from what does not.
fn pieces(condition: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = condition;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '/' => literal_length(rest, first),
            letter if letter.is_alphanumeric() => {
                rest.find(|at: char| !(at.is_alphanumeric() || "-.:_".contains(at))).unwrap_or(rest.len())
            }
            other => other.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        rest = after;
        found.push(match piece {
            "and" | "or" => Piece::Joint(piece),
            _ if matches!(first, '"' | '/') => Piece::Literal(piece),
            _ => Piece::Words(piece),
        });
    }
    found
}

/// The length in bytes of what begins with a mark and ends with the next one that has no `\` before it.
fn literal_length(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == mark => return at + letter.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_of_a_condition_are_all_of_it() {
        let condition =
            r#"not subject matches /a "and\/ b/ and origin is in ["or", "a\"not"] or header:X-Is-not is "open"#;
        let pieces = pieces(condition);
        let joined: String =
            pieces.iter().map(|(Piece::Literal(it) | Piece::Joint(it) | Piece::Words(it))| *it).collect();
        assert_eq!(joined, condition);
        let of = |kind: fn(&Piece<'_>) -> bool| pieces.iter().filter(|piece| kind(piece)).count();
        assert_eq!(of(|piece| matches!(piece, Piece::Joint(_))), 2, "{pieces:?}");
        assert!(pieces.contains(&Piece::Literal(r#"/a "and\/ b/"#)), "{pieces:?}");
        assert!(pieces.contains(&Piece::Literal(r#""a\"not""#)), "{pieces:?}");
    }

    #[test]
    fn a_statement_reads_like_a_sentence() {
        let file = "[[statement]]\nname = \"one\"\nif = 'subject is \"<b>\" and ticket is blank'\nthen = [{ do = \"add-participants\", addresses = [\"a@b.example\", \"c@d.example\"] }]\n\
                    else_if = [{ if = 'attachments > 3', then = [{ do = \"gone-verb\" }] }]\nelse = [{ name = \"in it\", then = [{ do = \"ignore\", reason = \"{{ subject }}\" }] }]\nstop = true\n";
        let shown = statements(&file.parse().unwrap()).into_string();
        for part in [
            "<strong class=\"keyword\">If</strong> subject is <code>&quot;&lt;b&gt;&quot;</code> <strong>and</strong> ticket is blank",
            ">add participants</span>, addresses <code>a@b.example</code>, <code>c@d.example</code>",
            "<strong class=\"keyword\">Else if</strong> attachments &gt; 3",
            ">gone-verb</span>",
            "<strong class=\"keyword\">Always</strong>",
            ">ignore the message</span>, reason <code>{{ subject }}</code>",
            "no further statement",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }
}
