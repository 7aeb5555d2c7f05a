//! When a rule looks at a message: conditions on its header, all of which must hold.

use crate::settings::Table;
use crate::text::lower;
use crate::{Field, Host};

/// The keys of a rule that are conditions.
pub(super) const KEYS: [&str; 5] = ["clients", "from", "to", "subject", "headers"];

/// What must be true of a message for a rule to look at it.
pub(super) struct Condition<H: Host> {
    /// The mail clients, one of which must have written it; empty: any.
    clients: Vec<String>,
    /// The patterns that must match in these fields.
    fields: Vec<(Field, H::Pattern)>,
}

impl<H: Host> Condition<H> {
    /// Reads the conditions of a rule; none if one of them is wrong.
    pub(super) fn read(host: &H, table: &Table<'_>) -> Option<Self> {
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
        if table.value("clients").is_some() && clients.is_empty() {
            table.complain("clients", "a list of mail clients: without any, leave the key out", None);
            return None;
        }
        sound.then_some(Self { clients, fields })
    }

    /// Whether the message is one that the rule is for. A field that the message does not have matches nothing.
    pub(super) fn holds(&self, host: &H) -> bool {
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
