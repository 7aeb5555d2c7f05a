//! The preprocessing steps as people choose among them.

use super::file::RuleFiles;
use super::{Hop, RuleSet};
use crate::message::document::CutKind;
use serde::Serialize;
use serde_json::Value as Json;

/// The tables of a rule file, with the kind of what they find.
const TABLES: [(&str, CutKind); 9] = [
    ("attribution", CutKind::Quote),
    ("header-block", CutKind::Quote),
    ("original-ruler", CutKind::Quote),
    ("container", CutKind::Quote),
    ("quoted-lines", CutKind::Quote),
    ("forward-ruler", CutKind::Forward),
    ("forward-subject", CutKind::Forward),
    ("device-line", CutKind::Signature),
    ("closing", CutKind::Signature),
];
/// With this key, the tables of quotes cut nothing; without it, those of forwarded messages do not.
const FORWARDS_ONLY: &str = "forwards-only";
/// The list of the tables that it uses with all languages.
const FIND: &str = "find";

/// A preprocessing step, as it is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Its name.
    pub step: String,
    /// What it does, in a sentence; none if nobody has said so.
    pub summary: Option<String>,
    /// The kinds that it cuts, as far as its rules tell.
    pub kinds: Vec<CutKind>,
    /// Whether it is one of the recommended steps.
    pub recommended: bool,
    /// Its plugin.
    pub plugin: String,
}

impl RuleSet {
    /// The preprocessing steps, in the order of the pipeline.
    #[must_use]
    pub fn offers(&self) -> Vec<Offer> {
        let steps = self.steps.iter().filter(|step| step.hop == Hop::Preprocess);
        let offer = |step: &super::Step| Offer {
            step: step.name.to_string(),
            summary: step.summary.clone().or_else(|| Some(step.component.about().summary.clone())),
            kinds: kinds(&step.files),
            recommended: step.recommended,
            plugin: step.component.about().name.clone(),
        };
        steps.map(offer).collect()
    }
}

fn kinds(files: &RuleFiles) -> Vec<CutKind> {
    let rules = files.rules.get("rule").and_then(Json::as_array).into_iter().flatten();
    let named: Vec<&str> = rules.filter_map(|rule| rule.get("kind")?.as_str()).collect();
    let find = files.rules.get(FIND).and_then(Json::as_array).into_iter().flatten();
    let found: Vec<&str> = find.filter_map(Json::as_str).collect();
    let is_set =
        |key: &str| found.contains(&key) || files.rules.get(key).is_some_and(|value| *value != Json::Bool(false));
    let is_found = |kind: CutKind| {
        let kept_back = match kind {
            CutKind::Quote => is_set(FORWARDS_ONLY),
            CutKind::Forward => !is_set(FORWARDS_ONLY),
            _ => false,
        };
        TABLES.iter().any(|(table, other)| *other == kind && !kept_back && is_set(table))
    };
    let cuts = |kind: &CutKind| is_found(*kind) || named.contains(&kind.name());
    CutKind::ALL.into_iter().filter(cuts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Diagnostics, Source};
    use std::path::Path;

    #[test]
    fn kinds_are_those_of_the_rules_and_tables() {
        let check = |rules: &str, expect: &[CutKind]| {
            let source = Source::new(Path::new("a.toml"), rules);
            let files = RuleFiles::read(vec![source], None, &mut Diagnostics::default()).unwrap();
            assert_eq!(kinds(&files), expect, "{rules}");
        };
        check("", &[]);
        check("[[rule]]\nkind = 'banner'\n[[rule]]\nkind = 'quote'\n", &[CutKind::Quote, CutKind::Banner]);
        check("find = ['attribution', 'device-line']", &[CutKind::Quote, CutKind::Signature]);
        check("quoted-lines = false\n[closing]\nen = ['Regards']\n", &[CutKind::Signature]);
        check(
            "forwards-only = true\n[attribution]\nen = ['On … wrote:']\n[forward-ruler]\nen = ['x']\n",
            &[CutKind::Forward],
        );
    }

    #[test]
    fn the_first_comment_is_the_summary() {
        let check = |rules: &str, expect: Option<&str>| {
            let source = Source::new(Path::new("a.toml"), rules);
            let files = RuleFiles::read(vec![source], None, &mut Diagnostics::default()).unwrap();
            assert_eq!(files.summary().as_deref(), expect, "{rules:?}");
        };
        check("# Gmail, on the web\n#  and on phones.\n#\n# More.\na = 1\n", Some("Gmail, on the web and on phones."));
        check("a = 1 # no summary\n# nor this\n", None);
        check("\n# late\n", None);
    }
}
