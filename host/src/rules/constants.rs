//! Whether actions can be carried out at all, as far as that shows before there is a message. What an argument's type and
//! choices say of a constant is the plugin's to check; the rest is known here only.

use super::file::RuleFiles;
use crate::action::{Given, Written, verbs};
use crate::diagnostic::Diagnostics;
use crate::ticket::{ClassSpec, Classes};
use serde_json::{Map, Value as Json};

/// The plugin whose rules are looked at: what others make of theirs is not known.
pub(super) const PLUGIN: &str = "statements";
/// What stands in a text that depends on the message.
const MACRO: &str = "{{";

/// Reports each action that no message could be handled with.
pub(super) fn check(files: &RuleFiles, classes: &Classes, out: &mut Diagnostics) {
    let mut checker = Checker { files, classes, out };
    checker.list(files.rules.get("statement"), &["statement".to_owned()], None);
}

struct Checker<'a> {
    files: &'a RuleFiles,
    classes: &'a Classes,
    out: &'a mut Diagnostics,
}

impl<'a> Checker<'a> {
    /// Goes through a list of actions and statements. `class` is that of the ticket that was created before it; none: it
    /// was not, or is not known. The same behind the list.
    fn list(
        &mut self,
        list: Option<&'a Json>,
        path: &[String],
        mut class: Option<&'a ClassSpec>,
    ) -> Option<&'a ClassSpec> {
        let items = list.and_then(Json::as_array).into_iter().flatten().enumerate();
        let items: Vec<_> =
            items.filter_map(|(at, item)| Some((joined(path, &[&at.to_string()]), item.as_object()?))).collect();
        for (at, item) in &items {
            class = match item.get("do").and_then(Json::as_str) {
                Some(verb) => self.action(verb, item, at, class),
                None => self.statement(item, at, class),
            };
        }
        self.verdicts(&items);
        class
    }

    fn statement(
        &mut self,
        item: &'a Map<String, Json>,
        path: &[String],
        class: Option<&'a ClassSpec>,
    ) -> Option<&'a ClassSpec> {
        let mut after = vec![self.list(item.get("then"), &joined(path, &["then"]), class)];
        let branches = item.get("else_if").and_then(Json::as_array).into_iter().flatten().enumerate();
        for (at, branch) in branches {
            after.push(self.list(branch.get("then"), &joined(path, &["else_if", &at.to_string(), "then"]), class));
        }
        after.push(self.list(item.get("else"), &joined(path, &["else"]), class));
        // Which of the branches was taken, nobody knows.
        class.filter(|class| after.iter().all(|other| *other == Some(*class)))
    }

    /// Checks an action; the class of the ticket that the next ones are about.
    fn action(
        &mut self,
        name: &str,
        item: &'a Map<String, Json>,
        path: &[String],
        class: Option<&'a ClassSpec>,
    ) -> Option<&'a ClassSpec> {
        let verb = verbs().iter().find(|verb| verb.name == name)?;
        let given = |value: &'a Json| match value {
            Json::String(text) if !text.contains(MACRO) => Given::Text(text),
            Json::Bool(_) | Json::Number(_) => Given::Value,
            _ => Given::Open,
        };
        let arguments = item.iter().map(|(name, value)| (name.as_str(), given(value))).collect();
        let written = Written { verb, arguments, classes: self.classes, class };
        for (argument, fault) in written.faults() {
            let place = joined(path, &[argument.filter(|name| item.contains_key(*name)).unwrap_or("do")]);
            self.report(&place, &format!("{name}: {fault}"));
        }
        match item.get("class") {
            Some(_) if verb.creates => written.creates().and_then(|spec| self.classes.get(spec.class.name())),
            _ => class,
        }
    }

    /// Reports what decides about the message as a whole and stands beside something else that is done as well.
    fn verdicts(&mut self, items: &[(Vec<String>, &'a Map<String, Json>)]) {
        let verb = |item: &Map<String, Json>| {
            let name = item.get("do").and_then(Json::as_str)?;
            verbs().iter().find(|verb| verb.name == name)
        };
        let done: Vec<_> = items.iter().filter_map(|(path, item)| Some((path, verb(item)?))).collect();
        let Some((path, verdict)) = done.iter().find(|(_, verb)| verb.verdict) else { return };
        if let Some((_, other)) = done.iter().find(|(other, _)| other != path) {
            let reason = format!("{}: it must be the only action, but {} is asked for too", verdict.name, other.name);
            self.report(&joined(path, &["do"]), &reason);
        }
    }

    fn report(&mut self, path: &[String], reason: &str) {
        self.out.extend(self.files.diagnostic(path, None, reason));
    }
}

fn joined(path: &[String], keys: &[&str]) -> Vec<String> {
    path.iter().cloned().chain(keys.iter().map(|key| (*key).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use std::path::Path;

    /// What is said of a statement with this text behind its name, each with line and column.
    fn checked(text: &str, expect: &[&str]) {
        let rules = format!("[[statement]]\nname = 's'\n{text}\n");
        let mut out = Diagnostics::default();
        let files = RuleFiles::read(vec![Source::new(Path::new("a.toml"), &rules)], None, &mut out).unwrap();
        check(&files, &Classes::default(), &mut out);
        let found: Vec<_> = out.iter().map(ToString::to_string).collect();
        let expect: Vec<_> = expect.iter().map(|line| format!("a.toml:{line}")).collect();
        assert_eq!(found, expect, "{text}");
    }

    fn then(actions: &str, expect: &[&str]) {
        checked(&format!("then = [\n{actions}\n]"), expect);
    }

    const INCIDENT: &str = "but a ticket of the class incident is new, open, pending, resolved, closed";

    #[test]
    fn what_could_be_carried_out_is_taken() {
        for sound in [
            "{ do = 'create-ticket', class = 'incident', status = 'closed', requester = 'Bo <bo@b.example>' }",
            "{ do = 'create-ticket', class = '{{ subject }}', status = 'approved' }",
            "{ do = 'create-ticket', class = 'incident', status = '{{ subject }}', requester = '{{ body }}' }",
            "{ do = 'create-ticket', class = 'approval-request' }, { do = 'close', status = 'declined' }",
            "{ do = 'create-ticket', class = 'incident' }, { do = 'set-status', ticket = '{{ ticket }}', status = 'approved' }",
            "{ do = 'set-status', status = 'approved' }",
            "{ do = 'set-field', field = 'a-1', text = '{{ subject }}', integer = '{{ n }}' }",
            "{ do = 'set-field', field = '{{ subject }}' }, { do = 'set-field', field = 'a', text = '', integer = 3 }",
            "{ do = 'update-ticket', person = '{{ subject }}' }, { do = 'assign', group = 'a' }",
            "{ do = 'add-participants', participants = 'a@b.example; \"Lee, Bo\" <bo@b.example>' }",
            "{ do = 'forward', to = '' }, { do = 'notify', text = 'x', subject = '' }, { do = 'comment', text = ' ' }",
            "{ if = 'body is blank', then = [{ do = 'ignore', reason = 'x' }] }, { do = 'comment' }",
            "{ do = 'no-verb' }, { do = 'close', status = 'open' }",
        ] {
            then(sound, &[]);
        }
        // Which ticket there is depends on the branch that is taken.
        checked(
            "if = 'a'\nthen = [{ do = 'create-ticket', class = 'incident' }]\nelse = [{ do = 'create-ticket', class = 'approval-request' }]\n[[statement]]\nname = 't'\nthen = [{ do = 'set-status', status = 'approved' }]",
            &[],
        );
    }

    #[test]
    fn what_no_message_could_be_handled_with_is_told_with_its_place() {
        then(
            "{ do = 'create-ticket', class = 'incident', status = 'approved' }",
            &[&format!("4:54: create-ticket: the argument `status` is \"approved\", {INCIDENT}")],
        );
        then(
            "{ do = 'create-ticket', class = 'incident', requester = 'Bo' }",
            &[
                "4:57: create-ticket: the argument `requester` is \"Bo\", which is no address such as `Ann Lee <ann@example.org>`",
            ],
        );
        then(
            "{ do = 'set-field', field = 'Bad Field', text = 'x', integer = 3 }",
            &[
                "4:8: set-field: the arguments text, integer exclude each other: a field has one value",
                "4:29: set-field: the argument `field` is \"Bad Field\", which is no name of a field (lower-case letters, digits and `-`, at most 64)",
            ],
        );
        then(
            "{ do = 'set-field', field = ' ' }, { do = 'ignore', reason = '' }",
            &[
                "4:29: set-field: the argument `field` is missing or blank",
                "4:43: ignore: it must be the only action, but set-field is asked for too",
                "4:62: ignore: the argument `reason` is missing or blank",
            ],
        );
        then(
            "{ do = 'comment', ticket = '7' }",
            &["4:28: comment: the argument `ticket` is \"7\", which is no ticket number"],
        );
        let nothing = "at least one of the arguments";
        then(
            "{ do = 'update-ticket', person = ' ' }, { do = 'assign' }",
            &[
                &format!("4:8: update-ticket: {nothing} subject, status, requester, person, group is needed"),
                &format!("4:48: assign: {nothing} person, group is needed"),
            ],
        );
        then(
            "{ do = 'update-ticket', requester = 'Bo' }, { do = 'add-participants', participants = 'a@b.example, Cy' }",
            &[
                "4:37: update-ticket: the argument `requester` is \"Bo\", which is no address such as `Ann Lee <ann@example.org>`",
                "4:87: add-participants: the argument `participants` is \"Cy\", which is no address such as `Ann Lee <ann@example.org>`",
            ],
        );
        let long = format!("{{ do = 'reject', reason = '{}' }}", "x".repeat(1001));
        then(
            &long,
            &[
                "4:27: reject: the argument `reason` is 1001 characters long; at most 1000 are allowed (shorten it: `{{ name | first 1000 }}`)",
            ],
        );
    }

    #[test]
    fn the_class_of_a_ticket_that_was_just_created_is_known() {
        let create = "{ do = 'create-ticket', class = 'incident' },\n";
        for verb in ["set-status", "update-ticket", "close"] {
            let column = 21 + verb.len();
            let expect = format!("5:{column}: {verb}: the argument `status` is \"approved\", {INCIDENT}");
            then(&format!("{create}{{ do = '{verb}', status = 'approved' }}"), &[&expect]);
        }
        then(
            &format!("{create}{{ if = 'a', then = [{{ do = 'set-status', status = 'declined' }}] }}"),
            &[&format!("5:51: set-status: the argument `status` is \"declined\", {INCIDENT}")],
        );
        checked(
            "if = 'a'\nthen = []\nelse_if = [{ if = 'b', then = [{ do = 'assign' }] }]\nelse = [{ do = 'comment' }, { do = 'reject', reason = 'x' }]",
            &[
                "5:39: assign: at least one of the arguments person, group is needed",
                "6:36: reject: it must be the only action, but comment is asked for too",
            ],
        );
    }
}
