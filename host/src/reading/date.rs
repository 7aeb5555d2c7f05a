//! Dates as people write them: `31. Januar 2026, 10:00 Uhr`, `1/31/2026 2 PM`, `2026年1月31日`.

use super::civil::{Civil, day_of_date, full_year, offset, standard};
use super::locale::{Locale, Order};
use super::number::usual;

/// The longest text that is looked at, in bytes.
const SOURCE_BYTES_MAX: usize = 200;
/// The most digits of a number of a date.
const DIGITS_MAX: usize = 4;
/// What can stand between the numbers of a date without the name of a month.
const DATE_MARKS: [&str; 8] = ["年", "月", "日", "년", "월", "일", "tháng", "năm"];
/// What stands after an hour that has no minutes.
const HOUR_MARKS: [&str; 8] = ["uhr", "h", "時", "时", "시", "点", "點", "giờ"];

/// Reads a date, with or without a time. The forms of RFC 3339 and of mail are read in every locale.
pub(super) fn read(text: &str, locale: Option<&Locale>) -> Option<Civil> {
    let text = text.trim();
    if text.len() > SOURCE_BYTES_MAX {
        return None;
    }
    if let Some(civil) = standard(text) {
        return Some(civil);
    }
    let locale = locale?;
    let text: String = text.to_lowercase().chars().map(usual).collect();
    let (rest, offset_minutes) = match text.rsplit_once(' ').map(|(rest, word)| (rest, offset(word))) {
        Some((rest, Some(minutes))) => (rest, Some(minutes)),
        _ => (text.as_str(), None),
    };
    let (day, clock) = Parts::of(rest)?.date_time(locale)?;
    match clock {
        Some(clock) => Some(Civil::new(day, clock, offset_minutes)),
        // Without a time, an offset says nothing.
        None => offset_minutes.is_none().then(|| Civil::new(day, 0, None)),
    }
}

/// The numbers of a text, and what stands before, between and after them.
#[derive(Debug)]
struct Parts<'a> {
    numbers: Vec<Number>,
    /// One more than there are numbers.
    gaps: Vec<&'a str>,
}

#[derive(Debug, Clone, Copy)]
struct Number {
    value: i64,
    digits: usize,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (mut numbers, mut gaps) = (Vec::new(), Vec::new());
        let mut rest = text;
        loop {
            let start = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (gap, after) = rest.split_at_checked(start)?;
            gaps.push(gap);
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = after.split_at_checked(digits)?;
            if number.is_empty() {
                return Some(Self { numbers, gaps });
            }
            if digits > DIGITS_MAX {
                return None;
            }
            numbers.push(Number { value: number.parse().ok()?, digits });
            rest = after;
        }
    }

    /// The day since 1970-01-01, and the time of the day if there is one.
    fn date_time(&self, locale: &Locale) -> Option<(i64, Option<i64>)> {
        let month = self.month(locale);
        let of_date = if month.is_some() { 2 } else { 3 };
        let colon = (1..self.numbers.len()).find(|at| self.gap(*at).trim() == ":");
        let (date, time) = match colon.map(|at| at - 1) {
            // The time stands first: up to three numbers with colons in between, and a fraction of a second.
            Some(0) => {
                let length = self.numbers.len().checked_sub(of_date)?;
                (length..self.numbers.len(), 0..length)
            }
            Some(at) if at != of_date => return None,
            _ => (0..of_date, of_date..self.numbers.len()),
        };
        let clock = if time.is_empty() { None } else { Some(self.clock(time.start, time.end, locale)?) };
        Some((self.day(date.start, month, locale)?, clock))
    }

    /// What stands before the number at `at`.
    fn gap(&self, at: usize) -> &'a str {
        self.gaps.get(at).copied().unwrap_or_default()
    }

    fn words(&self) -> impl Iterator<Item = &'a str> {
        self.gaps.iter().flat_map(|gap| words(gap))
    }

    /// The month that is named: by its whole name, or else by the last word that can be short for one, since the names
    /// of days come first.
    fn month(&self, locale: &Locale) -> Option<i64> {
        let found = || self.words().filter_map(|word| locale.month(word));
        found().find(|(_, whole)| *whole).or_else(|| found().last()).map(|(month, _)| month)
    }

    fn day(&self, first: usize, month: Option<i64>, locale: &Locale) -> Option<i64> {
        let number = |at: usize| self.numbers.get(first + at).copied();
        let (one, two) = (number(0)?, number(1)?);
        let (year, month, day) = match month {
            Some(month) if one.digits > 2 || (two.digits <= 2 && locale.order == Order::YearMonthDay) => {
                (one, month, two)
            }
            Some(month) => (two, month, one),
            None => {
                let three = number(2)?;
                if !(1..=2).all(|at| separates(self.gap(first + at))) {
                    return None;
                }
                match locale.order {
                    _ if one.digits > 2 => (one, two.value, three),
                    Order::YearMonthDay => (one, two.value, three),
                    Order::DayMonthYear => (three, two.value, one),
                    Order::MonthDayYear => (three, one.value, two),
                }
            }
        };
        let year = match year.digits {
            1 | 2 => full_year(year.value),
            3 => return None,
            _ => year.value,
        };
        if day.digits > 2 {
            return None;
        }
        day_of_date(year, month, day.value)
    }

    /// What half of the day is named, if one is: by a word, or by two letters, such as `p.m.`
    fn after_noon(&self, locale: &Locale) -> Option<bool> {
        let named = self.words().find_map(|word| locale.is_after_noon(word));
        let is_letter = |word: &&str| word.chars().nth(1).is_none();
        let pairs = self.words().zip(self.words().skip(1)).filter(|(one, two)| is_letter(one) && is_letter(two));
        named.or_else(|| pairs.map(|(one, two)| format!("{one}{two}")).find_map(|word| locale.is_after_noon(&word)))
    }

    /// Seconds since midnight.
    fn clock(&self, first: usize, end: usize, locale: &Locale) -> Option<i64> {
        let number = |at: usize| self.numbers.get(first + at).copied().filter(|_| first + at < end);
        let hour = number(0)?.value;
        let (minute, second) = (number(1), number(2));
        let after_noon = self.after_noon(locale);
        let has_mark = words(self.gap(first + 1)).next().is_some_and(|word| HOUR_MARKS.contains(&word));
        let set_apart = |at: usize| self.gap(first + at).chars().any(|c| matches!(c, ':' | '.') || c.is_alphabetic());
        let well_formed = match (minute, second) {
            (None, _) => has_mark || after_noon.is_some(),
            (Some(minute), None) => set_apart(1) && minute.digits == 2,
            (Some(minute), Some(second)) => set_apart(1) && set_apart(2) && minute.digits == 2 && second.digits == 2,
        };
        // A fourth number is a fraction of a second.
        let is_fraction = number(3).is_none() || (number(4).is_none() && self.gap(first + 3) == ".");
        let hour = match (after_noon, hour) {
            (Some(true), 1..12) => hour + 12,
            (Some(false), 12) => 0,
            _ => hour,
        };
        let (minute, second) = (minute.map_or(0, |minute| minute.value), second.map_or(0, |second| second.value));
        let fits = well_formed && is_fraction && hour < 24 && minute < 60 && second <= 60;
        fits.then_some(hour * 3600 + minute * 60 + second)
    }
}

/// The words of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty())
}

/// Whether a text can stand between the numbers of a date without the name of a month.
fn separates(gap: &str) -> bool {
    words(gap).all(|word| DATE_MARKS.contains(&word)) && !gap.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tag: &str, text: &str, expect: Option<&str>) {
        let locale = Locale::find(tag).ok();
        let found = read(text, locale.as_ref()).map(|civil| civil.in_utc().to_string());
        assert_eq!(found.as_deref(), expect.map(|at| format!("{at}+00:00")).as_deref(), "{tag} {text:?}");
    }

    fn dates(tag: &str, texts: &[&str]) {
        for text in texts {
            check(tag, text, Some("2026-01-31T00:00:00"));
        }
    }

    fn times(tag: &str, texts: &[&str]) {
        for text in texts {
            check(tag, text, Some("2026-01-31T14:30:00"));
        }
    }

    #[test]
    fn every_language_has_its_dates() {
        dates(
            "en",
            &[
                "January 31, 2026",
                "Jan. 31st, 2026",
                "31 January 2026",
                "Saturday, January 31, 2026",
                "1/31/2026",
                "1/31/26",
            ],
        );
        dates("en-GB", &["31/01/2026", "31 Jan 2026", "31.1.26", "Sat 31st of January 2026"]);
        dates(
            "de",
            &[
                "31. Januar 2026",
                "31.01.2026",
                "31.1.26",
                "Sa., 31. Jan. 2026",
                "31-01-2026",
                "2026-01-31",
                "31. Jänner 2026",
            ],
        );
        dates("fr", &["31 janvier 2026", "samedi 31 janv. 2026", "31/01/2026", "le 31 janvier 2026"]);
        dates("es", &["31 de enero de 2026", "sábado, 31 ene. 2026", "31/1/2026"]);
        dates("it", &["31 gennaio 2026", "sab 31 gen 2026", "31/01/2026"]);
        dates("pt", &["31 de janeiro de 2026", "31 jan. 2026", "31/01/2026"]);
        dates("nl", &["31 januari 2026", "za 31 jan. 2026", "31-01-2026"]);
        dates("pl", &["31 stycznia 2026", "31 sty 2026 r.", "31.01.2026"]);
        dates("da", &["31. januar 2026", "31/1-2026"]);
        dates("sv", &["31 januari 2026", "den 31 jan. 2026", "2026-01-31"]);
        dates("no", &["31. januar 2026", "31.01.2026"]);
        dates("fi", &["31. tammikuuta 2026", "31.1.2026"]);
        dates("cs", &["31. ledna 2026", "31. 1. 2026"]);
        dates("sk", &["31. januára 2026", "31. 1. 2026"]);
        dates("hu", &["2026. január 31.", "2026. 01. 31.", "26. jan. 31."]);
        dates("ro", &["31 ianuarie 2026", "31.01.2026"]);
        dates("hr", &["31. siječnja 2026.", "31. 1. 2026."]);
        dates("ca", &["31 de gener de 2026", "31/1/2026"]);
        dates("el", &["31 Ιανουαρίου 2026", "31 ΙΑΝ 2026", "31/1/2026"]);
        dates("ru", &["31 января 2026 г.", "31 янв. 2026", "31.01.2026"]);
        dates("uk", &["31 січня 2026 р.", "31.01.2026"]);
        dates("tr", &["31 Ocak 2026", "31.01.2026"]);
        dates("vi", &["31 tháng 1, 2026", "31 tháng 1 năm 2026", "31/01/2026"]);
        dates("zh", &["2026年1月31日", "2026/1/31", "2026年1月31日 星期六"]);
        dates("ja", &["2026年1月31日", "2026年1月31日(土)", "２０２６年１月３１日"]);
        dates("ko", &["2026년 1월 31일", "2026. 1. 31.", "2026년 1월 31일 (토)"]);
        dates("ar", &["31 يناير 2026", "٣١ يناير ٢٠٢٦", "31/1/2026"]);
    }

    #[test]
    fn dates_can_have_a_time() {
        times(
            "en",
            &[
                "January 31, 2026 at 2:30 PM",
                "1/31/2026 14:30",
                "2:30 p.m. on January 31, 2026",
                "1/31/2026, 2:30:00 pm",
            ],
        );
        times(
            "de",
            &["31. Januar 2026 um 14:30 Uhr", "31.01.2026 14.30 Uhr", "am 31.01.2026, 14:30", "14:30 Uhr, 31.01.2026"],
        );
        times("fr", &["31 janvier 2026 à 14h30", "31/01/2026 14 h 30"]);
        times("fi", &["31.1.2026 klo 14.30"]);
        times("da", &["31. januar 2026 kl. 14.30"]);
        times("zh", &["2026年1月31日 下午2:30", "2026年1月31日14时30分", "2026年1月31日下午2时30分"]);
        times("ja", &["2026年1月31日 14時30分", "2026年1月31日 午後2時30分"]);
        times("ko", &["2026년 1월 31일 오후 2시 30분", "2026. 1. 31. 오후 2:30"]);
        times("el", &["31 Ιανουαρίου 2026, 2:30 μ.μ."]);
        check("en", "January 31, 2026 12 AM", Some("2026-01-31T00:00:00"));
        check("en", "January 31, 2026 12:00 PM", Some("2026-01-31T12:00:00"));
        check("de", "31.01.2026 10 Uhr", Some("2026-01-31T10:00:00"));
        check("de", "am 31.01.2026 um 12:00", Some("2026-01-31T12:00:00"));
        check("de", "31.01.2026 10:00:07.250", Some("2026-01-31T10:00:07"));
    }

    #[test]
    fn an_offset_is_kept() {
        let locale = Locale::find("de").expect("is known");
        let check = |text: &str, expect: Option<Option<i16>>| {
            assert_eq!(read(text, Some(&locale)).map(|civil| civil.offset_minutes), expect, "{text}");
        };
        check("31.01.2026 10:00 +0100", Some(Some(60)));
        check("31.01.2026 10:00 UTC", Some(Some(0)));
        check("31.01.2026 10:00 MEZ", Some(None));
        check("31.01.2026 10:00", Some(None));
        check("31.01.2026 +0100", None);
        check("2026-01-31T10:00-05:00", Some(Some(-300)));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "tomorrow",
            "31",
            "31.01.",
            "31.13.2026",
            "30.02.2026",
            "01/31/2026",
            "5 Stück am 3. 2026",
            "31.01.2026 10 30",
            "31.01.2026 25:00",
            "31.01.2026 10:60",
            "31.01.2026 10",
            "31.01.2026 4711",
            "31.01.20260",
            "31. Januar",
            "Januar 2026",
            "99999999999999999999",
            ":::",
        ] {
            check("de", text, None);
        }
        check("de", &format!("31. Januar 2026{}", " ".repeat(300)), Some("2026-01-31T00:00:00"));
        check("de", &format!("31. Januar {}2026", " ".repeat(300)), None);
        check("xx", "31.01.2026", None);
    }
}
