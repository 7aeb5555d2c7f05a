//! Values of a file, set in place: comments, order and form of the rest stay.

use toml_edit::{DocumentMut, Item, Table, TomlError, Value};

/// A value to set, by its keys; none: the key is to be gone, so that what applies without it applies.
pub type Wanted = (&'static [&'static str], Option<Value>);

/// The text with these values. A value that is there already in other words, such as `30m` for `1800s`, is left as it is written only
/// if it is equal.
///
/// # Errors
/// If the text is no TOML.
pub fn with_values(text: &str, wanted: Vec<Wanted>) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    for (keys, value) in wanted {
        let Some((last, above)) = keys.split_last() else { continue };
        match value {
            Some(value) => set(document.as_table_mut(), above, last, value),
            None => unset(document.as_item_mut(), above, last),
        }
    }
    Ok(document.to_string())
}

fn set(table: &mut Table, above: &[&str], last: &str, value: Value) {
    let Some((first, rest)) = above.split_first() else {
        match table.get_mut(last) {
            Some(Item::Value(old)) => replace(old, value),
            _ => _ = table.insert(last, Item::Value(value)),
        }
        return;
    };
    let inner = table.entry(first).or_insert_with(|| Item::Table(Table::new()));
    match inner {
        Item::Table(inner) => set(inner, rest, last, value),
        Item::Value(Value::InlineTable(inner)) => {
            match (rest.is_empty(), inner.get_mut(last)) {
                (true, Some(old)) => replace(old, value),
                (true, None) => _ = inner.insert(last, value),
                // Tables in tables that stand on one line are not written by hand: nothing here needs them.
                (false, _) => {}
            }
        }
        _ => {}
    }
}

/// Puts a value in the place of another; the comment behind it stays.
fn replace(old: &mut Value, mut new: Value) {
    if same(old, &new) {
        return;
    }
    *new.decor_mut() = old.decor().clone();
    *old = new;
}

/// Whether two values are the same, however they are written.
fn same(one: &Value, other: &Value) -> bool {
    let bare = |value: &Value| {
        let mut value = value.clone();
        value.decor_mut().clear();
        value.to_string()
    };
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.value() == other.value(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| same(one, other))
        }
        (Value::InlineTable(one), Value::InlineTable(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        _ => bare(one) == bare(other),
    }
}

fn unset(item: &mut Item, above: &[&str], last: &str) {
    let mut item = item;
    for key in above {
        // Not the item's own `get_mut`: it makes an entry of what is not there.
        match item.as_table_like_mut().and_then(|table| table.get_mut(key)) {
            Some(inner) => item = inner,
            None => return,
        }
    }
    if let Some(table) = item.as_table_like_mut() {
        table.remove(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml_edit::Array;

    const JOB: &str = "# Our mail\n[source]\ntype = 'imap' # as ever\nhost = \"mail.example.org\"\n\n# Often\n[schedule]\nevery = \"1m\"\n";

    fn check(wanted: Vec<Wanted>, expect: &str) {
        assert_eq!(with_values(JOB, wanted).unwrap(), expect);
    }

    #[test]
    fn comments_order_and_form_stay() {
        check(vec![(&["source", "type"], Some("imap".into()))], JOB);
        check(vec![(&["source", "type"], Some("pop3".into()))], &JOB.replace("'imap'", "\"pop3\""));
        check(vec![(&["source", "port"], Some(993.into()))], &JOB.replace("org\"\n", "org\"\nport = 993\n"));
        check(vec![(&["schedule", "every"], None)], &JOB.replace("every = \"1m\"\n", ""));
        check(vec![(&["schedule", "window"], None), (&["nothing", "here"], None)], JOB);
        let gone_and_set: Vec<Wanted> =
            vec![(&["handling", "on_success"], None), (&["handling", "purge"], Some(true.into()))];
        check(gone_and_set, &format!("{JOB}\n[handling]\npurge = true\n"));
        let names: Array = ["INBOX", "Help"].into_iter().collect();
        check(
            vec![(&["source", "mailbox"], Some(Value::Array(names)))],
            &JOB.replace("org\"\n", "org\"\nmailbox = [\"INBOX\", \"Help\"]\n"),
        );
        check(vec![(&["handling", "purge"], Some(true.into()))], &format!("{JOB}\n[handling]\npurge = true\n"));
    }

    #[test]
    fn tables_on_one_line_are_changed_there() {
        let text = "source = { type = \"imap\", host = \"a\" } # here\n";
        let changed = with_values(text, vec![(&["source", "host"], Some("b".into()))]).unwrap();
        assert_eq!(changed, "source = { type = \"imap\", host = \"b\" } # here\n");
    }
}
