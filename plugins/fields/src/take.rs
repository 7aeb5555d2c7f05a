//! Taking the text of a field out of a message.

use crate::rule::{Method, Rule};
use mailmill_sdk::{Field, Host};

/// The text that the rule takes: from the first source that has one. None if there is none, or it is blank.
pub(crate) fn take<H: Host>(host: &H, rule: &Rule<H::Pattern>) -> Option<String> {
    if let Method::CheckFor(pattern) = &rule.method {
        let found = rule.sources.iter().any(|source| host.matches(source, pattern));
        return Some(found.to_string());
    }
    let texts = rule.sources.iter().filter_map(|source| from(host, source, &rule.method));
    texts.map(|text| text.trim().to_owned()).find(|text| !text.is_empty())
}

fn from<H: Host>(host: &H, source: &Field, method: &Method<H::Pattern>) -> Option<String> {
    match method {
        Method::Whole => host.text(source),
        Method::Pattern { pattern, group } => {
            let groups = host.captures(source, pattern, 0);
            groups.get(*group).copied().flatten().map(|at| host.slice(source, at))
        }
        Method::Position { at, length } => host.text(source).map(|text| text.chars().skip(*at).take(*length).collect()),
        Method::CheckFor(pattern) => Some(host.matches(source, pattern).to_string()),
    }
}
