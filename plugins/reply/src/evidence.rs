//! What in a line tells of a mail: addresses and dates.

use crate::lines::is_small;

/// What was found in a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// An address.
    pub address: bool,
    /// A time of day.
    pub time: bool,
    /// A year, or a date in digits.
    pub date: bool,
    /// Any digit.
    pub digits: bool,
    /// The end of one sentence and the start of the next.
    pub sentences: bool,
}

impl Evidence {
    /// What there is in `text`.
    pub(crate) fn of(text: &str) -> Self {
        let mut evidence = Self::default();
        let mut before = "";
        for word in text.split_whitespace() {
            evidence.address |= is_address(word);
            if word.bytes().any(|byte| byte.is_ascii_digit()) {
                evidence.digits = true;
                let bare = word.trim_matches(|c: char| !is_part(c));
                evidence.time |= is_time(bare);
                evidence.date |= is_date(bare);
            }
            evidence.sentences |= ends_sentence(before) && word.starts_with(is_capital);
            before = word;
        }
        evidence
    }

    /// Whether it can be nothing but the line above a mail: an address and a date.
    pub(crate) fn is_certain(self) -> bool {
        self.address && (self.date || self.time)
    }

    /// How much of it there is: an address weighs as much as date and time.
    pub(crate) fn score(self) -> u8 {
        u8::from(self.address) * 2 + u8::from(self.time) + u8::from(self.date)
    }
}

/// Whether a character is part of a word or number.
fn is_part(c: char) -> bool {
    c.is_alphabetic() || c.is_ascii_digit()
}

/// Whether a letter has a small form.
fn is_capital(c: char) -> bool {
    !c.to_lowercase().eq([c])
}

fn is_address(word: &str) -> bool {
    word.split_once('@')
        .is_some_and(|(local, domain)| local.ends_with(|c: char| !c.is_whitespace()) && domain.starts_with(is_part))
}

fn is_time(word: &str) -> bool {
    let mut groups = word.split([':', '.', 'h', '時', '点', '시']);
    let digits = |group: Option<&str>| group.is_some_and(|group| matches!(group.len(), 1 | 2) && is_number(group));
    let first = digits(groups.next());
    let second = groups.next().map(|group| group.get(..2).unwrap_or(group));
    first && digits(second) && groups.all(|group| group.len() <= 4)
}

/// Whether a word with digits is a date.
fn is_date(word: &str) -> bool {
    if word.contains(['年', '月', '日', '년', '월']) {
        return true;
    }
    let groups = || word.split(['.', '/', '-']);
    let is_year =
        |group: &str| group.len() == 4 && is_number(group) && (group.starts_with("19") || group.starts_with("20"));
    let numbers = groups().filter(|group| is_number(group) && group.len() <= 4).count();
    numbers >= 3 && groups().count() == numbers || groups().any(is_year)
}

fn is_number(group: &str) -> bool {
    !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit())
}

/// A word of some length with a full stop: not `Sept.` or `p.m.`.
fn ends_sentence(word: &str) -> bool {
    word.ends_with(['!', '?'])
        || word.strip_suffix('.').is_some_and(|bare| bare.chars().nth(4).is_some() && bare.chars().all(is_small))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let found = Evidence::of(text);
        let flags = [(found.address, 'a'), (found.time, 't'), (found.date, 'd'), (found.sentences, 's')];
        let found: String = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn dates_times_and_addresses_are_seen() {
        check("On 9/6/2017 12:55 PM, Danielle Fischer wrote:", "td");
        check("Le 3 mai 2024 à 10h15, Anne <anne@example.fr> a écrit :", "atd");
        check("2022年1月1日(金) 9:00 N", "td");
        check("klo 17.50 Matti", "t");
        check("version 2 yesterday", "");
        check("I wrote it yesterday. As Bob wrote:", "s");
        check("Am Fr., 28. Apr. 2017 um 11:53 Uhr", "td");
    }
}
