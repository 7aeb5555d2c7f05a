//! When a rule looks at a message: conditions on its header, all of which must hold.

use mailmill_sdk::settings::{Json, Table};
use mailmill_sdk::text::lower;
use mailmill_sdk::{Field, Host};

/// The keys of a rule that are conditions.
pub(crate) const KEYS: [&str; 5] = ["clients", "from", "to", "subject", "headers"];

/// What must be true of a message for a rule to look at it.
pub(crate) struct Condition<H: Host> {
    /// The mail clients, one of which must have written it; empty: any.
    clients: Vec<String>,
    /// The patterns that must match in these fields.
    fields: Vec<(Field, H::Pattern)>,
}

impl<H: Host> Condition<H> {
    /// Reads the conditions of a rule; none if one of them is wrong.
    pub(crate) fn read(host: &H, table: &Table<'_>) -> Option<Self> {
        let mut sound = true;
        let mut fields = Vec::new();
        let mut add = |table: &Table<'_>, key: &str, field: Field| {
            if table.value(key).is_some() {
                let pattern = compiled(host, table, key);
                sound &= pattern.is_some();
                fields.extend(pattern.map(|pattern| (field, pattern)));
            }
        };
        add(table, "from", Field::Sender);
        add(table, "to", Field::Recipients);
        add(table, "subject", Field::Subject);
        if let Some(headers) = table.table("headers") {
            for name in headers.keys() {
                add(&headers, name, Field::Header(name.to_owned()));
            }
        }
        let clients: Vec<String> = table.texts("clients").into_iter().map(lower).collect();
        if matches!(table.value("clients"), Some(Json::List(items)) if items.is_empty()) {
            table.complain("clients", "the list is empty: for any client, leave the key out", None);
        }
        sound.then_some(Self { clients, fields })
    }

    /// Whether the message is one that the rule is for. A field that the message does not have matches nothing.
    pub(crate) fn holds(&self, host: &H) -> bool {
        let by_client = || {
            let client = host.text(&Field::Client).unwrap_or_default();
            self.clients.contains(&client)
        };
        (self.clients.is_empty() || by_client())
            && self.fields.iter().all(|(field, pattern)| host.matches(field, pattern))
    }
}

fn compiled<H: Host>(host: &H, table: &Table<'_>, key: &str) -> Option<H::Pattern> {
    let source = table.text(key)?;
    host.pattern(source).map_err(|error| table.complain(key, error.reason, error.offset)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestHost;
    use mailmill_sdk::{Diagnostic, settings};

    fn read(rule: &str) -> Result<Option<Condition<TestHost>>, Vec<Diagnostic>> {
        settings::read(rule, |root| Condition::read(&TestHost::new(&[]), root))
    }

    /// Whether a rule looks at a message of Ann's.
    fn check(rule: &str, expect: bool) {
        let host = TestHost::new(&[
            (Field::Sender, "Ann <ann@example.org>"),
            (Field::Recipients, "desk@example.org, bob@example.org"),
            (Field::Subject, "Lamp"),
            (Field::Client, "outlook"),
            (Field::Header("X-Desk".to_owned()), "7"),
        ]);
        let condition = read(rule).expect("the rule is good").expect("a condition");
        assert_eq!(condition.holds(&host), expect, "{rule}");
    }

    #[test]
    fn all_conditions_must_hold() {
        check("{}", true);
        check(r#"{"clients": ["gmail", "Outlook"]}"#, true);
        check(r#"{"clients": ["gmail"]}"#, false);
        check(r#"{"from": "ann@", "to": "bob@", "subject": "^Lamp$", "headers": {"X-Desk": "^[0-9]$"}}"#, true);
        check(r#"{"from": "bob@"}"#, false);
        check(r#"{"to": "ann@"}"#, false);
        check(r#"{"subject": "^Light$"}"#, false);
        check(r#"{"headers": {"X-Desk": "", "X-Other": ""}}"#, false);
    }

    #[test]
    fn faults_are_told_with_their_place() {
        let check = |rule: &str, expect: &[&str]| {
            let found: Vec<String> =
                read(rule).err().unwrap_or_default().iter().map(|one| one.path.join(".")).collect();
            assert_eq!(found, expect, "{rule}");
        };
        check(r#"{"clients": []}"#, &["clients"]);
        check(r#"{"clients": "gmail"}"#, &["clients"]);
        check(r#"{"from": "a(", "headers": {"X-Desk": "b("}}"#, &["from", "headers.X-Desk"]);
        check(r#"{"headers": {"X-Desk": 7}}"#, &["headers.X-Desk"]);
    }
}
