//! From a form to the values of a job's file, and back.

use super::draft::Secrets;
use crate::config::Wanted;
use crate::web::form::Fields;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Value};

/// The keys of the schedule that are texts.
const TEXTS: [&str; 4] = ["every", "window", "cron", "time_zone"];
/// Those that are lists.
const LISTS: [&str; 2] = ["at", "days"];

/// A job's file, to read from it what it says.
pub(super) struct Written(DocumentMut);

impl Written {
    /// The file of this text; of one that is no TOML, an empty one.
    pub(super) fn of(text: &str) -> Self {
        Self(text.parse().unwrap_or_default())
    }

    fn item(&self, keys: &[&str]) -> Option<&Item> {
        keys.iter().try_fold(self.0.as_item(), |item, key| item.get(key))
    }

    /// What the file says there, as people write it in a form; none if it says nothing.
    pub(super) fn text(&self, keys: &[&str]) -> Option<String> {
        let bare = |value: &Value| match value {
            Value::String(text) => text.value().clone(),
            other => {
                let mut other = other.clone();
                other.decor_mut().clear();
                other.to_string()
            }
        };
        match self.item(keys)?.as_value()? {
            Value::Array(list) => Some(list.iter().map(bare).collect::<Vec<_>>().join(", ")),
            value => Some(bare(value)),
        }
    }

    /// Whether the file says yes there; none if it says nothing.
    pub(super) fn flag(&self, keys: &[&str]) -> Option<bool> {
        self.item(keys)?.as_bool()
    }

    /// Whether there is anything.
    pub(super) fn has(&self, keys: &[&str]) -> bool {
        self.item(keys).is_some()
    }
}

/// All values of a form.
pub(super) fn wanted(fields: &Fields, secrets: &Secrets) -> Vec<Wanted> {
    let is_imap = fields.text("type") != "pop3";
    let mut wanted = account(fields, is_imap, secrets);
    wanted.extend(oauth(fields, secrets));
    wanted.extend(schedule(fields));
    wanted.extend(handling(fields, is_imap));
    wanted
}

/// The values of a form, without those that apply anyway and are not written down.
pub(super) fn changed(fields: &Fields, file: &Written, secrets: &Secrets) -> Vec<Wanted> {
    let is_imap = fields.text("type") != "pop3";
    let mut wanted = wanted(fields, secrets);
    wanted.retain(|(keys, value)| {
        let usual = match keys {
            ["source", "security"] => "\"tls\"",
            ["source", "mailbox"] => "\"INBOX\"",
            ["source", "existing_mail"] => "\"pass-over\"",
            ["handling", "on_success" | "on_rejection"] => {
                if is_imap {
                    "{ seen = true }"
                } else {
                    "{}"
                }
            }
            ["handling", "purge"] => "false",
            _ => return true,
        };
        file.has(keys) || value.as_ref().is_some_and(|value| value.to_string().trim() != usual)
    });
    wanted
}

/// Whether the job gets tokens as an application, and needs no password.
pub(super) fn has_application(fields: &Fields) -> bool {
    fields.text("authentication") == "oauth2" && fields.text("provider") != "token"
}

/// A secret in a file.
fn in_file(name: &str) -> Value {
    Value::InlineTable([("file", name)].into_iter().collect())
}

fn account(fields: &Fields, is_imap: bool, secrets: &Secrets) -> Vec<Wanted> {
    let text = |name: &str| Some(Value::from(fields.text(name).trim()));
    let port = fields.filled("port").map(|port| port.parse::<i64>().map_or_else(|_| Value::from(port), Value::from));
    let mut wanted: Vec<Wanted> = vec![
        (&["source", "type"], Some(Value::from(if is_imap { "imap" } else { "pop3" }))),
        (&["source", "host"], text("host")),
        (&["source", "port"], port),
        (&["source", "security"], text("security")),
        (&["source", "reject_invalid_certificates"], (!fields.is_ticked("reject")).then(|| Value::from(false))),
        (&["source", "fingerprint"], fields.filled("fingerprint").map(Value::from)),
        (&["source", "ca_file"], fields.filled("ca_file").map(Value::from)),
        (&["source", "authentication"], text("authentication").filter(|_| fields.text("authentication") != "password")),
        (&["source", "user"], text("user")),
    ];
    if has_application(fields) {
        wanted.push((&["source", "password"], None));
    } else if let Some(place) = &secrets.password {
        wanted.push((&["source", "password"], Some(in_file(place))));
    }
    let mailbox = fields.all("mailbox").collect::<Vec<_>>().join(",");
    wanted.push((&["source", "mailbox"], Some(mailbox).filter(|_| is_imap).and_then(|names| mailboxes(&names))));
    if let Some(existing) = fields.filled("existing_mail") {
        wanted.push((&["source", "existing_mail"], Some(Value::from(existing))));
    }
    wanted
}

/// The path of a text of an OAuth 2.0 client.
fn oauth_keys(key: &str) -> &'static [&'static str] {
    match key {
        "provider" => &["source", "oauth", "provider"],
        "client_id" => &["source", "oauth", "client_id"],
        "tenant" => &["source", "oauth", "tenant"],
        "grant" => &["source", "oauth", "grant"],
        "token_url" => &["source", "oauth", "token_url"],
        "device_url" => &["source", "oauth", "device_url"],
        _ => &["source", "oauth", "authorize_url"],
    }
}

fn oauth(fields: &Fields, secrets: &Secrets) -> Vec<Wanted> {
    if !has_application(fields) {
        return vec![(&["source", "oauth"], None)];
    }
    let texts = ["provider", "client_id", "tenant", "grant", "token_url", "device_url", "authorize_url"];
    let text = |key: &'static str| (oauth_keys(key), fields.filled(key).map(Value::from));
    let mut wanted: Vec<Wanted> = texts.into_iter().map(text).collect();
    let scopes = fields.filled("scopes").map(|scopes| {
        let each = scopes.split(',').map(str::trim).filter(|scope| !scope.is_empty());
        Value::Array(each.collect())
    });
    wanted.push((&["source", "oauth", "scopes"], scopes));
    if let Some(place) = &secrets.client_secret {
        wanted.push((&["source", "oauth", "client_secret"], Some(in_file(place))));
    }
    wanted
}

fn mailboxes(text: &str) -> Option<Value> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(Value::from(*one)),
        several => Some(Value::Array(several.iter().copied().collect())),
    }
}

pub(super) fn schedule(fields: &Fields) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for key in TEXTS {
        wanted.push((schedule_keys(key), fields.filled(key).map(Value::from)));
    }
    for key in LISTS {
        let text = fields.all(key).collect::<Vec<_>>().join(",");
        let list = Some(text).filter(|text| !text.is_empty()).map(|text| {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            Value::Array(
                words
                    .map(|word| word.parse::<i64>().map_or_else(|_| Value::from(word), Value::from))
                    .collect::<Array>(),
            )
        });
        wanted.push((schedule_keys(key), list));
    }
    for key in ["from", "until"] {
        // A date is no text in TOML.
        let date = fields
            .filled(key)
            .map(|text| text.parse::<toml_edit::Datetime>().map_or_else(|_| Value::from(text), Value::from));
        wanted.push((schedule_keys(key), date));
    }
    wanted
}

/// The path of a key of the schedule.
fn schedule_keys(key: &str) -> &'static [&'static str] {
    match key {
        "every" => &["schedule", "every"],
        "window" => &["schedule", "window"],
        "cron" => &["schedule", "cron"],
        "time_zone" => &["schedule", "time_zone"],
        "at" => &["schedule", "at"],
        "days" => &["schedule", "days"],
        "from" => &["schedule", "from"],
        _ => &["schedule", "until"],
    }
}

fn handling(fields: &Fields, is_imap: bool) -> Vec<Wanted> {
    let disposition = |prefix: &str| {
        let mut table = InlineTable::new();
        for key in ["seen", "deleted"] {
            if fields.is_ticked(&format!("{prefix}-{key}")) && (is_imap || key == "deleted") {
                table.insert(key, true.into());
            }
        }
        for key in ["move", "keyword"] {
            if let Some(value) = fields.filled(&format!("{prefix}-{key}")).filter(|_| is_imap) {
                table.insert(key, value.into());
            }
        }
        Some(Value::InlineTable(table))
    };
    vec![
        (&["handling", "on_success"], disposition("success")),
        (&["handling", "on_rejection"], disposition("rejection")),
        (&["handling", "purge"], Some(Value::from(fields.is_ticked("purge")))),
    ]
}
