//! Whether what rules send can be sent, as far as that shows before there is a message.

use super::RuleSet;
use super::file::Text;
use super::pipeline::Hop;
use crate::diagnostic::{Diagnostics, suggestion};
use crate::outgoing::{Outlets, address};

/// What stands in a text that depends on the message.
const MACRO: &str = "{{";
/// What `to` can be besides an address.
const RECIPIENTS: [&str; 2] = ["requester", "participants"];

impl RuleSet {
    /// Warns of each action that would send nothing: where there is no mail server, or no webhook or Maildir of that name.
    #[must_use]
    pub fn check_outlets(&self, outlets: &Outlets) -> Diagnostics {
        let mut out = Diagnostics::default();
        for step in self.steps.iter().filter(|step| step.hop == Hop::Process) {
            step.files.each_text(|text| check(text, outlets, &mut out));
        }
        out
    }
}

/// Looks at what an action does.
fn check(text: &Text<'_>, outlets: &Outlets, out: &mut Diagnostics) {
    if text.key() != "do" {
        return;
    }
    let argument = |name: &str| {
        let given = text.beside.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        given.filter(|given| !given.contains(MACRO))
    };
    let known = |names: &std::collections::BTreeSet<String>, name: &str| {
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        suggestion(name, all.iter().copied()).unwrap_or_else(|| match all.as_slice() {
            [] => "there is none".to_owned(),
            _ => format!("there are {}", all.join(", ")),
        })
    };
    match text.text {
        "notify" | "forward" => {
            if !outlets.mail {
                let reason = format!("`{}` sends nothing: [smtp] of mailmill.toml has no `server`", text.text);
                out.push(text.warning(None, reason).help("give `server` and `from` there; see docs/outbox.md"));
            }
            let is_word = |to: &str| RECIPIENTS.iter().any(|word| word.eq_ignore_ascii_case(to.trim()));
            if let Some(to) = argument("to").filter(|to| !is_word(to) && address(to).is_none()) {
                let reason = format!("`{}` sends nothing: \"{to}\" is no address", text.text);
                out.push(text.warning(None, reason).help("write `Name <local@domain>`, `requester` or `participants`"));
            }
        }
        "webhook" => {
            if let Some(name) = argument("name").filter(|name| !outlets.webhooks.contains(*name)) {
                let reason = format!("`webhook` calls nothing: mailmill.toml has no [webhook.{name}]");
                out.push(text.warning(None, reason).help(known(&outlets.webhooks, name)));
            }
        }
        "store-maildir" => {
            if let Some(name) = argument("folder").filter(|name| !outlets.maildirs.contains(*name)) {
                let reason = format!("`store-maildir` stores nothing: [maildir] of mailmill.toml has no `{name}`");
                out.push(text.warning(None, reason).help(known(&outlets.maildirs, name)));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::RuleFiles;
    use super::*;
    use crate::diagnostic::Source;
    use std::path::Path;

    fn checked(then: &str, outlets: &Outlets, expect: &[&str]) {
        let rules = format!("[[statement]]\nthen = [{{ if = 'body is blank', then = [\n{then}\n] }}]\n");
        let mut out = Diagnostics::default();
        let files = RuleFiles::read(vec![Source::new(Path::new("a.toml"), &rules)], None, &mut out).unwrap();
        files.each_text(|text| check(text, outlets, &mut out));
        assert_eq!(out.errors(), 0);
        let found: Vec<&str> = out.iter().map(|one| one.reason.as_str()).collect();
        assert_eq!(found, expect, "{then}");
        assert!(out.iter().all(|one| one.position().is_some_and(|at| at.line == 3)), "{}", out.render(false));
    }

    #[test]
    fn what_would_send_nothing_is_told_before_there_is_a_message() {
        let names = |name: &str| std::iter::once(name.to_owned()).collect();
        let all = Outlets { mail: true, webhooks: names("billing"), maildirs: names("archive"), ..Outlets::default() };
        let none = Outlets::default();
        let notify = "{ do = 'notify', text = 'x' }";
        checked(notify, &all, &[]);
        checked(notify, &none, &["`notify` sends nothing: [smtp] of mailmill.toml has no `server`"]);
        let forward = |to: &str| format!("{{ do = 'forward', to = '{to}' }}");
        for sound in ["bo@b.example", "Bo <bo@b.example>", "Requester", "participants", "{{ mail }}"] {
            checked(&forward(sound), &all, &[]);
        }
        checked(&forward("Bo"), &all, &["`forward` sends nothing: \"Bo\" is no address"]);
        let webhook = |name: &str| format!("{{ do = 'webhook', name = '{name}' }}");
        checked(&webhook("billing"), &all, &[]);
        checked(&webhook("{{ name }}"), &all, &[]);
        checked(&webhook("biling"), &all, &["`webhook` calls nothing: mailmill.toml has no [webhook.biling]"]);
        let store = |name: &str| format!("{{ do = 'store-maildir', folder = '{name}' }}");
        checked(&store("archive"), &all, &[]);
        checked(&store("x"), &none, &["`store-maildir` stores nothing: [maildir] of mailmill.toml has no `x`"]);
    }
}
