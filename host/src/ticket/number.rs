//! Numbers of tickets: `T00001`.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The longest prefix of a number, in bytes.
const PREFIX_BYTES_MAX: usize = 10;
/// The fewest digits of a number: any word with a digit or two would be one.
const DIGITS_MIN: u8 = 3;
/// The most digits of a number: all that a 64-bit integer is sure to hold.
const DIGITS_MAX: u8 = 18;

/// A series of numbers: what they look like, and what is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    prefix: String,
    digits: u8,
}

impl Series {
    /// The series of this prefix, whose numbers have at least so many digits.
    ///
    /// # Errors
    /// The part that is wrong (`prefix` or `digits`), and what is wrong with it.
    pub fn new(prefix: &str, digits: u64) -> Result<Self, (&'static str, String)> {
        let is_sign = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
        let begins = prefix.starts_with(|first: char| first.is_ascii_uppercase());
        if !begins || !prefix.bytes().all(is_sign) || prefix.len() > PREFIX_BYTES_MAX {
            let expected = "a capital letter, then capital letters, `-` or `_`, at most 10 in all, such as \"INC\"";
            return Err(("prefix", format!("\"{prefix}\" is no prefix of numbers: write {expected}")));
        }
        match u8::try_from(digits) {
            Ok(digits) if (DIGITS_MIN..=DIGITS_MAX).contains(&digits) => Ok(Self { prefix: prefix.to_owned(), digits }),
            _ => Err(("digits", format!("numbers have {DIGITS_MIN} to {DIGITS_MAX} digits, not {digits}"))),
        }
    }

    /// What its numbers begin with, which no other series has.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How many digits its numbers have at least.
    #[must_use]
    pub fn digits(&self) -> u8 {
        self.digits
    }

    /// The `sequence`-th number, counted from 1.
    #[must_use]
    pub fn number(&self, sequence: u64) -> TicketNumber {
        TicketNumber { series: self.clone(), sequence }
    }
}

impl Default for Series {
    /// `T` and five digits.
    fn default() -> Self {
        Self { prefix: "T".to_owned(), digits: 5 }
    }
}

/// A ticket's number: the prefix of its series and some digits, such as `T00001`. How many zeros are written makes no
/// difference.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TicketNumber {
    series: Series,
    sequence: u64,
}

impl TicketNumber {
    /// The number of the `sequence`-th ticket of the series `T`, counted from 1.
    #[must_use]
    pub fn new(sequence: u64) -> Self {
        Series::default().number(sequence)
    }

    /// Reads what can be a number of some series, any case, surrounding white space ignored: ` t00001 ` is `T00001`.
    /// None if it cannot be. Whether there is such a ticket, the store knows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, digits) = split(text)?;
        let series = Series::new(&prefix.to_ascii_uppercase(), u64::try_from(digits.len()).ok()?).ok()?;
        digits.parse().ok().map(|sequence| series.number(sequence))
    }

    /// The prefix of its series.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.series.prefix
    }

    /// How many digits it has at least. Of one that was read: how many were written.
    #[must_use]
    pub fn digits(&self) -> u8 {
        self.series.digits
    }

    /// The position in its series, counted from 1.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// The prefix and the digits.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
    let at = text.len().checked_sub(digits)?;
    if digits <= usize::from(DIGITS_MAX) { text.split_at_checked(at) } else { None }
}

impl PartialEq for TicketNumber {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for TicketNumber {}

impl PartialOrd for TicketNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TicketNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.prefix(), self.sequence).cmp(&(other.prefix(), other.sequence))
    }
}

impl Hash for TicketNumber {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.prefix(), self.sequence).hash(state);
    }
}

impl fmt::Display for TicketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:0width$}", self.series.prefix, self.sequence, width = usize::from(self.series.digits))
    }
}

impl From<TicketNumber> for String {
    fn from(number: TicketNumber) -> Self {
        number.to_string()
    }
}

impl TryFrom<String> for TicketNumber {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let expected = "letters and three digits or more, such as T00001";
        Self::parse(&text).ok_or_else(|| format!("\"{text}\" is no ticket number: expected {expected}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticket_numbers_are_read_and_written() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(TicketNumber::parse(text).map(|n| n.to_string()).as_deref(), expect, "{text:?}");
        };
        check("T00001", Some("T00001"));
        check(" t01234 ", Some("T01234"));
        check("T123456", Some("T123456"));
        check("chg-007", Some("CHG-007"));
        check("T01", None);
        check("T0000x", None);
        check("00001", None);
        check("-00001", None);
        check("T+0001", None);
        check("ABCDEFGHIJK001", None);
        check("T999999999999999999", Some("T999999999999999999"));
        check("T9999999999999999999", None);
    }

    #[test]
    fn zeros_make_no_difference() {
        assert_eq!(TicketNumber::parse("T001"), TicketNumber::parse("T00001"));
        assert_ne!(TicketNumber::parse("T001"), TicketNumber::parse("U001"));
    }

    #[test]
    fn a_number_is_written_with_the_digits_of_its_series() {
        let series = Series::new("CR-", 4).expect("is a series");
        let check = |sequence, expect: &str| assert_eq!(series.number(sequence).to_string(), expect);
        check(12, "CR-0012");
        check(123_456, "CR-123456");
    }

    #[test]
    fn a_series_has_a_prefix_and_some_digits() {
        let check = |prefix: &str, digits: u64, expect: &str| {
            assert_eq!(Series::new(prefix, digits).expect_err("is refused").1, expect);
        };
        let expected = "a capital letter, then capital letters, `-` or `_`, at most 10 in all, such as \"INC\"";
        for prefix in ["", "t", "-T", "T1", "Ä", "ABCDEFGHIJK"] {
            check(prefix, 5, &format!("\"{prefix}\" is no prefix of numbers: write {expected}"));
        }
        check("T", 2, "numbers have 3 to 18 digits, not 2");
        check("T", 19, "numbers have 3 to 18 digits, not 19");
        assert!(Series::new("ABCDEFGHIJ", 3).is_ok() && Series::new("T", 18).is_ok());
    }
}
