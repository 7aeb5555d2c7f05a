//! Which rules were in force: noted in the store whenever others come into force.

use crate::rules::{Reloader, RuleSet};
use crate::store::{NewRevision, Store};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

/// Where the system says what its users are called.
const USERS: &str = "/etc/passwd";

/// Notes the rules in force. That they cannot be noted holds up no mail.
pub(super) async fn note(store: &Store, reloader: &Reloader, folder: &Path) {
    let rules = reloader.current();
    let revision = NewRevision {
        revision: rules.revision().to_string(),
        changed_by: reloader.author_of(rules.revision()).unwrap_or_else(|| changed_by(&rules, folder)),
        origin: folder.display().to_string(),
        tests: u64::try_from(rules.tests()).unwrap_or(u64::MAX),
        content: rules.content().clone(),
    };
    if let Err(error) = store.note_revision(&revision).await {
        tracing::warn!(%error, "which rules came into force could not be recorded");
    }
}

/// The owner of the rule file that was changed last; empty if that cannot be told.
fn changed_by(rules: &RuleSet, folder: &Path) -> String {
    let owner = |(path, _): &(String, String)| {
        let file = std::fs::metadata(folder.join(path)).ok()?;
        Some((file.modified().unwrap_or(SystemTime::UNIX_EPOCH), file.uid()))
    };
    let last = rules.content().files.iter().filter_map(owner).max();
    let users = || std::fs::read_to_string(USERS).unwrap_or_default();
    last.map(|(_, uid)| name_of(&users(), uid).unwrap_or_else(|| format!("user {uid}"))).unwrap_or_default()
}

/// The name of a user, from lines such as `ann:x:1000:…`.
fn name_of(users: &str, uid: u32) -> Option<String> {
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then_some(name)
    });
    found.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names() {
        let check = |uid, expect: Option<&str>| {
            assert_eq!(name_of("root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/:\nbroken\n", uid).as_deref(), expect);
        };
        check(0, Some("root"));
        check(1000, Some("ann"));
        check(7, None);
    }
}
