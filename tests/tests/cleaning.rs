//! The cases of `tests/corpus/cleaning`, through the real program, the shipped rules and the plugins.

use anyhow::Result;
use mailmill_tests::Installation;
use mailmill_tests::cleaning::{self, Case, Expect};
use similar::TextDiff;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many cases there are at least.
const CASES_MIN: usize = 300;
/// How the files of public cases end, which are no part of the repository.
const PUBLIC: &str = "-cases";
/// How many cases each client has at least.
const PER_CLIENT_MIN: usize = 3;
/// How many cases each language has at least.
const PER_LANGUAGE_MIN: usize = 2;
/// The mail clients that have rules of their own.
const CLIENTS: [&str; 28] = [
    "aol",
    "apple-mail",
    "front",
    "gmail",
    "gmx",
    "hotmail",
    "hubspot",
    "ios-mail",
    "mailmate",
    "mailru",
    "missive",
    "notes",
    "outlook",
    "outlook-mac",
    "outlook-mobile",
    "outlook-web",
    "proton",
    "qq",
    "roundcube",
    "samsung",
    "spark",
    "thunderbird",
    "tutanota",
    "windows-mail",
    "yahoo",
    "yandex",
    "zimbra",
    "zoho",
];
/// The languages that are covered.
const LANGUAGES: [&str; 27] = [
    "ar", "ca", "cs", "da", "de", "el", "en", "es", "fi", "fr", "hr", "hu", "it", "ja", "ko", "nl", "no", "pl", "pt",
    "ro", "ru", "sk", "sv", "tr", "uk", "vi", "zh",
];

/// White space at line ends and doubled blank lines do not count, as in the rule files' own tests.
fn tidy(text: &str) -> String {
    let mut lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    lines.join("\n") + "\n"
}

/// How an answer differs from what was expected, line by line; none if it does not.
fn difference(case: &Case, answer: &str) -> Option<String> {
    let Expect::Text(expected) = &case.expect else { return Some("the case expects no text\n".to_owned()) };
    let (expected, found) = (tidy(expected), tidy(answer));
    let diff = TextDiff::from_lines(&expected, &found);
    (expected != found).then(|| diff.unified_diff().header("expected", "found").to_string())
}

#[test]
fn bodies_are_cleaned_as_expected() -> Result<()> {
    let (cases, reasons) = (cleaning::own()?, cleaning::reasons()?);
    let (answers, _) = cleaning::answers(&Installation::new()?, &cases)?;
    let mut report = String::new();
    let mut failed: BTreeMap<(&str, &str), ()> = BTreeMap::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let known = reasons.get(&case.file).is_some_and(|names| names.contains_key(&case.name));
        let Some(difference) = difference(case, answer) else { continue };
        failed.insert((&case.file, &case.name), ());
        if !known {
            writeln!(report, "{}.toml: {}\n{difference}", case.file, case.name)?;
        }
    }
    for (file, names) in reasons.iter().filter(|(file, _)| !file.ends_with(PUBLIC)) {
        for name in names.keys().filter(|name| !failed.contains_key(&(file.as_str(), name.as_str()))) {
            writeln!(report, "{file}.toml: {name}\nno longer fails (or does not exist): take it off the list\n")?;
        }
    }
    assert!(report.is_empty(), "{} of {} cases fail:\n\n{report}", failed.len(), cases.len());
    Ok(())
}

#[test]
fn each_failure_has_a_reason() -> Result<()> {
    for (file, names) in cleaning::reasons()? {
        for (name, reason) in names {
            assert!(reason.trim().len() > 10, "{file}: {name}: {reason:?} is no reason");
        }
    }
    Ok(())
}

#[test]
fn each_client_and_language_has_its_cases() -> Result<()> {
    let cases = cleaning::own()?;
    assert!(cases.len() >= CASES_MIN, "there are {} cases only", cases.len());
    for client in CLIENTS {
        let count = cases.iter().filter(|case| case.client == client).count();
        assert!(count >= PER_CLIENT_MIN, "{client} has {count} cases");
    }
    for language in LANGUAGES {
        let count = cases.iter().filter(|case| case.language == language).count();
        assert!(count >= PER_LANGUAGE_MIN, "{language} has {count} cases");
    }
    for case in cases {
        let known = case.client.is_empty() || case.client == "k9" || CLIENTS.contains(&case.client.as_str());
        assert!(known, "{}: {:?} is no client with cases of its own", case.file, case.client);
        assert!(LANGUAGES.contains(&case.language.as_str()), "{}: {:?} is not covered", case.file, case.language);
    }
    Ok(())
}
