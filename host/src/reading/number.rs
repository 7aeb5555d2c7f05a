//! Numbers as people write them: `1.234,50`, `1,234.50`, `1 234,50`, `１２`.

use super::locale::Numbers;
use crate::field::Decimal;

/// The digits of which a float keeps the first ones: so many always fit.
const FLOAT_DIGITS_MAX: usize = 18;
/// The longest text that is looked at, in bytes.
const SOURCE_BYTES_MAX: usize = 200;
/// Zeros of other digits that mail has: Arabic, Persian, Devanagari, Thai, full width.
const ZEROS: [char; 5] = ['\u{660}', '\u{6F0}', '\u{966}', '\u{E50}', '\u{FF10}'];

/// A number, digit by digit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Digits {
    negative: bool,
    whole: String,
    fraction: String,
}

/// A whole number, with groups but without a fraction.
pub(super) fn integer(text: &str, numbers: Numbers) -> Option<i64> {
    let digits = digits(text, numbers)?;
    if !digits.fraction.is_empty() {
        return None;
    }
    units(&digits, "")
}

/// A decimal number, exactly: at most 18 digits behind the point, and 19 in all.
pub(super) fn decimal(text: &str, numbers: Numbers) -> Option<Decimal> {
    let digits = digits(text, numbers)?;
    let scale = u8::try_from(digits.fraction.len()).ok().filter(|scale| *scale <= Decimal::SCALE_MAX)?;
    Some(Decimal { units: units(&digits, &digits.fraction)?, scale })
}

/// A decimal number that can have an exponent, such as `1.5e-3`: its first 18 digits, at most 18 of them behind the
/// point. None if it is larger than 10^18.
pub(super) fn float(text: &str, numbers: Numbers) -> Option<Decimal> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let digits = digits(mantissa, numbers)?;
    // 0.00 has no first digit that counts.
    let all = format!("{}{}", digits.whole, digits.fraction);
    let significant = all.trim_start_matches('0');
    let mut kept: String = significant.chars().take(FLOAT_DIGITS_MAX).collect();
    let dropped = i64::try_from(significant.len() - kept.len()).ok()?;
    // The number is `kept` × 10^-`scale`.
    let mut scale = i64::try_from(digits.fraction.len()).ok()? - i64::from(exponent) - dropped;
    while scale > i64::from(Decimal::SCALE_MAX) && !kept.is_empty() {
        kept.pop();
        scale -= 1;
    }
    if kept.is_empty() {
        return Some(Decimal { units: 0, scale: 0 });
    }
    while scale < 0 {
        if kept.len() >= FLOAT_DIGITS_MAX {
            return None;
        }
        kept.push('0');
        scale += 1;
    }
    let sign = if digits.negative { "-" } else { "" };
    let units = format!("{sign}{kept}").parse().ok()?;
    Some(Decimal { units, scale: u8::try_from(scale).ok()? })
}

fn units(digits: &Digits, fraction: &str) -> Option<i64> {
    let sign = if digits.negative { "-" } else { "" };
    format!("{sign}{}{fraction}", digits.whole).parse().ok()
}

/// A character of a number in its usual form: ASCII digits, one kind of minus, of space and of apostrophe.
pub(super) fn usual(character: char) -> char {
    let digit = ZEROS.iter().find_map(|zero| {
        let value = u32::from(character).checked_sub(u32::from(*zero)).filter(|value| *value < 10)?;
        char::from_digit(value, 10)
    });
    match character {
        '\u{2212}' | '\u{2013}' | '\u{FF0D}' => '-',
        '\u{A0}' | '\u{202F}' | '\u{2009}' | '\u{3000}' => ' ',
        '\u{2019}' => '\'',
        // The point and the comma of Arabic.
        '\u{66B}' => '\u{66B}',
        _ => digit.unwrap_or(character),
    }
}

/// Splits a number into its digits, and checks its groups.
fn digits(text: &str, numbers: Numbers) -> Option<Digits> {
    if text.len() > SOURCE_BYTES_MAX {
        return None;
    }
    let text: String = text.trim().chars().map(usual).collect();
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let is_point = |c: char| c == numbers.decimal || (c == '\u{66B}' && !numbers.groups.is_empty());
    let (whole, fraction) = match unsigned.split_once(is_point) {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (unsigned, ""),
    };
    let whole = if whole.is_empty() && !fraction.is_empty() { String::new() } else { ungrouped(whole, numbers)? };
    let all_digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| Digits { negative, whole, fraction: fraction.to_owned() })
}

/// The digits without what stands between their groups. All groups are set apart in the same way.
fn ungrouped(text: &str, numbers: Numbers) -> Option<String> {
    let is_separator = |c: char| numbers.groups.contains(c) || (c == '\u{66C}' && !numbers.groups.is_empty());
    let separator = text.chars().find(|c| is_separator(*c));
    let groups: Vec<&str> = match separator {
        Some(separator) => text.split(separator).collect(),
        None => vec![text],
    };
    let last = groups.len() - 1;
    let fits = |(at, group): (usize, &&str)| {
        let length_fits = match at {
            _ if last == 0 => !group.is_empty(),
            0 => (1..=3).contains(&group.len()),
            _ if at == last => group.len() == 3,
            _ => group.len() == 3 || (numbers.pairs && group.len() == 2),
        };
        length_fits && group.bytes().all(|byte| byte.is_ascii_digit())
    };
    groups.iter().enumerate().all(fits).then(|| groups.concat())
}

#[cfg(test)]
mod tests {
    use super::super::locale::Locale;
    use super::*;

    fn numbers(tag: &str) -> Numbers {
        if tag.is_empty() { Numbers::PLAIN } else { Locale::find(tag).expect("is known").numbers }
    }

    fn check(read: fn(&str, Numbers) -> Option<Decimal>, tag: &str, text: &str, expect: Option<&str>) {
        assert_eq!(read(text, numbers(tag)).map(|value| value.to_string()).as_deref(), expect, "{tag} {text:?}");
    }

    #[test]
    fn decimals_are_read_as_the_locale_writes_them() {
        let check = |tag, text, expect| check(decimal, tag, text, expect);
        check("", "1234.50", Some("1234.50"));
        check("", "1,234.50", None);
        check("de", "1.234,50", Some("1234.50"));
        check("de", "1234,5", Some("1234.5"));
        check("de", "1 234,50", Some("1234.50"));
        check("de", "-1.234.567", Some("-1234567"));
        check("de", "1.234", Some("1234"));
        check("de", "12.50", None);
        check("de", "1.23.456", None);
        check("de", "1.234 567", None);
        check("de", "1,234,5", None);
        check("de-CH", "1’234.50", Some("1234.50"));
        check("en", "1,234.50", Some("1234.50"));
        check("en", "1234,50", None);
        check("en", ",123", None);
        check("en", "12,34,567", None);
        check("en-IN", "12,34,567.8", Some("1234567.8"));
        check("fr", "1\u{202F}234,50", Some("1234.50"));
        check("fr", "−12,5", Some("-12.5"));
        check("fi", "1\u{A0}234,50", Some("1234.50"));
        check("es-MX", "1,234.50", Some("1234.50"));
        check("ar", "١٬٢٣٤٫٥", Some("1234.5"));
        check("ja", "１２３.５", Some("123.5"));
        check("de", "12,", None);
        check("de", ",5", Some("0.5"));
        check("de", "", None);
        check("de", "-", None);
        check("de", "١2", Some("12"));
    }

    #[test]
    fn decimals_have_limits() {
        let check = |text, expect| check(decimal, "", text, expect);
        check("9223372036854775807", Some("9223372036854775807"));
        check("9223372036854775808", None);
        check("-9223372036854775808", Some("-9223372036854775808"));
        check("9.223372036854775807", Some("9.223372036854775807"));
        check("0.123456789012345678", Some("0.123456789012345678"));
        check("0.1234567890123456789", None);
        check(&"1".repeat(201), None);
    }

    #[test]
    fn floats_have_exponents_and_limits() {
        let check = |tag, text, expect| check(float, tag, text, expect);
        check("", "1.5e3", Some("1500"));
        check("", "-1.5E-3", Some("-0.0015"));
        check("de", "1,5e2", Some("150"));
        check("", "3.14159265358979323846", Some("3.14159265358979323"));
        check("", "999999999999999999", Some("999999999999999999"));
        check("", "1e17", Some("100000000000000000"));
        check("", "1e18", None);
        check("", "1e99999", None);
        check("", "1e-18", Some("0.000000000000000001"));
        check("", "1e-19", Some("0"));
        check("", "1e-99999", Some("0"));
        check("", "0.00", Some("0"));
        check("", "1e", None);
        check("", "e5", None);
        check("", "NaN", None);
        check("", "inf", None);
        check("", "1e99999999999", None);
    }

    #[test]
    fn whole_numbers_have_no_fraction() {
        let check = |tag, text, expect: Option<i64>| assert_eq!(integer(text, numbers(tag)), expect, "{tag} {text:?}");
        check("de", "1.234", Some(1234));
        check("de", "1234,00", None);
        check("", "-12", Some(-12));
        check("", "+12", Some(12));
        check("", "--12", None);
        check("", "12 345", None);
        check("", "99999999999999999999", None);
    }
}
