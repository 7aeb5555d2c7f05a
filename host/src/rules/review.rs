//! What is to be said of rules that are sound: patterns that may be given up, and clients that nobody has.

use super::file::{RuleFiles, Text};
use crate::diagnostic::{Diagnostics, suggestion};
use crate::message::client;
use crate::plugin::patterns::Pattern;
use crate::plugin::patterns::rewrite::{Purpose, linear};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Warns of what is in the rules of one step; `bounded` are the patterns of its plugin that need the bounded engine.
pub(super) fn review(files: &RuleFiles, bounded: &[Arc<Pattern>], out: &mut Diagnostics) {
    files.each_text(|text| {
        for pattern in bounded {
            warn_of_pattern(text, pattern, out);
        }
        warn_of_client(text, out);
    });
}

/// Where byte `offset` of the pattern stands in the text: the pattern is the text, or it stands in a condition.
fn place(text: &Text<'_>, pattern: &str, offset: usize) -> Option<usize> {
    if text.text == pattern {
        return Some(offset);
    }
    if text.key() != "if" {
        return None;
    }
    let as_it_is = text.text.find(pattern).map(|at| at + offset);
    as_it_is.or_else(|| {
        // Between slashes, its own slashes are escaped.
        let before = pattern.get(..offset)?.matches('/').count();
        Some(text.text.find(&pattern.replace('/', r"\/"))? + offset + before)
    })
}

fn warn_of_pattern(text: &Text<'_>, pattern: &Pattern, out: &mut Diagnostics) {
    let Some((need, offset)) = pattern.need() else { return };
    let offset = offset.and_then(|offset| usize::try_from(offset).ok()).unwrap_or_default();
    let Some(at) = place(text, pattern.source(), offset) else { return };
    let purpose = purpose(text);
    let reason = format!(
        "the pattern needs {}, so the bounded engine runs it: on a long or unlucky text it is given up",
        need.name()
    );
    let warning = text.warning(u32::try_from(at).ok(), reason);
    out.push(warning.help(match linear(pattern.source(), purpose) {
        Some(rewritten) => format!("this finds the same in linear time: {rewritten}"),
        None => match linear(pattern.source(), Purpose::Start).filter(|_| purpose == Purpose::Span) {
            Some(rewritten) => format!(
                "no linear pattern is known that finds the same; to cut all from the match on, with cut = \"after\", \
                 this one does: {rewritten}"
            ),
            None => "no linear pattern is known that finds the same".to_owned(),
        },
    }));
}

/// What the matches of a pattern are for. Where it cannot be told, all of them counts.
fn purpose(text: &Text<'_>) -> Purpose {
    let table = text.path.first().map(String::as_str).unwrap_or_default();
    match (table, text.key()) {
        (_, "if") => Purpose::Presence,
        ("rule", "pattern") => {
            let cut = text.beside.iter().find(|(key, _)| key == "cut").map(|(_, value)| value.as_str());
            match cut {
                Some("before") => Purpose::End,
                Some("after") => Purpose::Start,
                Some("quote") => Purpose::Lines,
                _ => Purpose::Span,
            }
        }
        ("rule", _) => Purpose::Presence,
        ("field", "pattern") => Purpose::Value,
        _ => Purpose::Span,
    }
}

/// A rule for a client that no message comes from never looks at any.
fn warn_of_client(text: &Text<'_>, out: &mut Diagnostics) {
    let is_client = text.key() == "clients" && text.path.first().is_some_and(|table| table == "rule");
    if is_client && !client::names().any(|known| known == text.text.to_lowercase()) {
        let warning = text.warning(None, format!("no mail client is called \"{}\" here", text.text));
        let all = || {
            let known: BTreeSet<_> = client::names().collect();
            format!("known are: {}", known.into_iter().collect::<Vec<_>>().join(", "))
        };
        out.push(warning.help(suggestion(text.text, client::names()).unwrap_or_else(all)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::plugin::patterns::PatternCache;
    use std::path::Path;

    fn check(rules: &str, patterns: &[&str], expect: &[(&str, &str)]) {
        let mut out = Diagnostics::default();
        let files = RuleFiles::read(vec![Source::new(Path::new("a.toml"), rules)], None, &mut out).unwrap();
        let cache = PatternCache::default();
        let patterns: Vec<_> = patterns.iter().map(|source| cache.pattern(source).unwrap()).collect();
        review(&files, &patterns, &mut out);
        assert_eq!(out.errors(), 0, "{}", out.render(false));
        let found: Vec<_> = out
            .iter()
            .map(|one| {
                let at = one.position().unwrap();
                (format!("{}:{}", at.line, at.column), one.help.clone().unwrap())
            })
            .collect();
        let expect: Vec<_> = expect.iter().map(|(at, help)| ((*at).to_owned(), (*help).to_owned())).collect();
        assert_eq!(found, expect, "{rules}");
    }

    #[test]
    fn a_pattern_is_shown_in_its_place_with_its_rewrite() {
        let same = |pattern: &str| format!("this finds the same in linear time: {pattern}");
        let none = "no linear pattern is known that finds the same";
        let rule = |cut: &str| format!("[[rule]]\ncut = '{cut}'\npattern = 'ab(?=c)'\n");
        check(&rule("after"), &["ab(?=c)"], &[("3:14", &same("abc"))]);
        check(&rule("before"), &["ab(?=c)"], &[("3:14", none)]);
        let other = "; to cut all from the match on, with cut = \"after\", this one does: abc";
        check(&rule("match"), &["ab(?=c)"], &[("3:14", &format!("{none}{other}"))]);
        check("[[rule]]\nsubject = '(?<=a)b'\n", &["(?<=a)b"], &[("2:12", &same("ab"))]);
        check("[[rule]]\nheaders = { X-A = '(?<=a)b' }\n", &["(?<=a)b"], &[("2:20", &same("ab"))]);
        check("[[field]]\npattern = 'a(?=b)'\n", &["a(?=b)"], &[("2:13", &same("(?<value>a)b"))]);
        check("[[x]]\nif = 'body matches /a\\/(?=b)/'\n", &["a/(?=b)"], &[("2:24", &same("a/b"))]);
        check("[[test]]\nbody = 'a(?=b)'\n", &["a(?=b)"], &[]);
        check("[[rule]]\npattern = '(a)\\1'\n", &["(a)\\1"], &[("2:15", none)]);
    }

    #[test]
    fn an_unknown_client_is_pointed_out() {
        check("[[rule]]\nclients = ['Gmail', 'outlok']\n", &[], &[("2:21", "did you mean `outlook`?")]);
    }
}
