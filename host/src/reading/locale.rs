//! Locales: how numbers and dates are written in a language.

mod table;

use table::{LANGUAGES, Language};

/// The order of a date that is written in numbers, unless it starts with a year of four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    DayMonthYear,
    MonthDayYear,
    YearMonthDay,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    /// What stands before the fraction.
    pub(super) decimal: char,
    /// What can stand between groups of digits. A space stands for every kind of space, `'` for every apostrophe.
    pub(super) groups: &'static str,
    /// Whether groups before the last one can have two digits, as in India.
    pub(super) pairs: bool,
}

impl Numbers {
    /// A point, and no groups: how numbers are written where no locale is given.
    pub(super) const PLAIN: Self = Self { decimal: '.', groups: "", pairs: false };
}

/// How numbers and dates are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Locale {
    language: &'static Language,
    pub(super) numbers: Numbers,
    pub(super) order: Order,
}

impl Locale {
    /// The locale of a tag such as `de`, `de-CH` or `en_GB` (BCP 47). A region that has no ways of its own is written as
    /// its language is.
    pub(super) fn find(tag: &str) -> Result<Self, String> {
        let (name, region) = tag.split_once(['-', '_']).unwrap_or((tag, ""));
        let name = name.to_ascii_lowercase();
        let region = region.to_ascii_uppercase();
        let Some(language) = LANGUAGES.iter().find(|language| language.tag == name) else {
            let known: Vec<&str> = LANGUAGES.iter().map(|language| language.tag).collect();
            return Err(format!(
                "unknown locale \"{tag}\": there are {}, and each with a region, such as de-CH",
                known.join(", ")
            ));
        };
        if !(region.is_empty() || region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_uppercase())) {
            return Err(format!("unknown locale \"{tag}\": after the language comes a region, such as {name}-CH"));
        }
        Ok(Self {
            language,
            numbers: numbers(language, &region),
            order: match (language.tag, region.as_str()) {
                ("en", "" | "US" | "PH") => Order::MonthDayYear,
                ("en", _) => Order::DayMonthYear,
                _ => language.order,
            },
        })
    }

    /// The month, 1 to 12, that a word in lower case is the name of, and whether it is the whole name. A name can be
    /// cut short to three letters, and can have an ending.
    pub(super) fn month(&self, word: &str) -> Option<(i64, bool)> {
        const LETTERS_MIN: usize = 3;
        const ENDING_MAX: usize = 3;
        let names = || {
            (1..)
                .zip(self.language.months.split(' '))
                .flat_map(|(at, names)| names.split('|').map(move |name| (at, name)))
        };
        if let Some((at, _)) = names().find(|(_, name)| *name == word) {
            return Some((at, true));
        }
        let letters = word.chars().count();
        let is_part = |name: &str| letters >= LETTERS_MIN && name.starts_with(word);
        let has_ending = |name: &str| {
            let length = name.chars().count();
            length > LETTERS_MIN && letters <= length + ENDING_MAX && word.starts_with(name)
        };
        let mut found = names().filter(|(_, name)| is_part(name) || has_ending(name)).map(|(at, _)| at);
        let first = found.next()?;
        found.all(|other| other == first).then_some((first, false))
    }

    /// Whether a word in lower case says that it is before noon (false) or after it (true).
    pub(super) fn is_after_noon(&self, word: &str) -> Option<bool> {
        let says = |words: &str| words.split('|').any(|known| !known.is_empty() && is_or_ends_with(word, known));
        let (before, after) = self.language.halves;
        if says(after) { Some(true) } else { says(before).then_some(false) }
    }
}

/// Chinese, Japanese and Korean put no space between words.
fn is_or_ends_with(word: &str, known: &str) -> bool {
    word == known || (known.chars().all(|c| c > '\u{2E80}') && word.ends_with(known))
}

fn numbers(language: &Language, region: &str) -> Numbers {
    let (decimal, groups) = match (language.tag, region) {
        ("de" | "it", "CH" | "LI") => ('.', "'"),
        ("es", "MX" | "US" | "GT" | "HN" | "NI" | "SV" | "PA" | "DO" | "PR" | "PE") => ('.', ", "),
        ("ar", "MA" | "DZ" | "TN" | "LY" | "MR") => (',', "."),
        ("en", "ZA") => (',', " "),
        _ => (language.decimal, language.groups),
    };
    Numbers { decimal, groups, pairs: (language.tag, region) == ("en", "IN") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_found_by_their_tags() {
        let check = |tag: &str, decimal, groups, order| {
            let found = Locale::find(tag).expect("is known");
            assert_eq!((found.numbers.decimal, found.numbers.groups, found.order), (decimal, groups, order), "{tag}");
        };
        check("de", ',', ". ", Order::DayMonthYear);
        check("DE_at", ',', ". ", Order::DayMonthYear);
        check("de-CH", '.', "'", Order::DayMonthYear);
        check("en", '.', ",", Order::MonthDayYear);
        check("en-US", '.', ",", Order::MonthDayYear);
        check("en-GB", '.', ",", Order::DayMonthYear);
        check("ja", '.', ",", Order::YearMonthDay);
        let refused = |tag: &str, expect: &str| {
            let reason = Locale::find(tag).expect_err("is refused");
            assert!(reason.starts_with(expect), "{tag}: {reason}");
        };
        refused("xx", "unknown locale \"xx\": there are en, de, fr");
        refused("deu", "unknown locale \"deu\": there are en, de, fr");
        refused("", "unknown locale \"\": there are");
        refused("de-Latn-DE", "unknown locale \"de-Latn-DE\": after the language comes a region");
    }

    #[test]
    fn every_language_has_twelve_months_or_counts_them() {
        for language in &LANGUAGES {
            let locale = Locale::find(language.tag).expect("is known");
            let months: Vec<&str> = language.months.split(' ').filter(|names| !names.is_empty()).collect();
            assert!(matches!(months.len(), 0 | 12), "{} has {} months", language.tag, months.len());
            for (at, names) in (1..).zip(months) {
                for name in names.split('|') {
                    assert_eq!(locale.month(name), Some((at, true)), "{} {name}", language.tag);
                    assert_eq!(name, name.to_lowercase(), "{} {name}", language.tag);
                }
            }
        }
    }

    #[test]
    fn months_can_be_cut_short_and_have_endings() {
        let check = |tag: &str, word: &str, expect: Option<i64>| {
            let found = Locale::find(tag).expect("is known").month(word).map(|(month, _)| month);
            assert_eq!(found, expect, "{tag} {word}");
        };
        check("en", "sept", Some(9));
        check("en", "ma", None);
        check("en", "jun", Some(6));
        check("fr", "juil", Some(7));
        check("fr", "jui", None);
        check("de", "mrz", Some(3));
        check("cs", "červen", Some(6));
        check("cs", "července", Some(7));
        check("cs", "čer", None);
        check("fi", "tammikuuta", Some(1));
        check("fi", "tammi", Some(1));
        check("hu", "júniusi", Some(6));
        check("ru", "янв", Some(1));
        check("el", "μαΐ", Some(5));
        check("de", "montag", None);
        check("ja", "月", None);
    }
}
