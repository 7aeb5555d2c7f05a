use super::*;
use crate::field::ValueType;
use proptest::prelude::*;

const PLAIN: Reading<'_> = Reading { locale: "", time_zone: "", currency: "" };
const GERMAN: Reading<'_> = Reading { locale: "de", time_zone: "Europe/Berlin", currency: "EUR" };

fn check(reading: Reading<'_>, form: Form, text: &str, expect: Result<&str, &str>) {
    let found = reading.value(text, form).map(|value| value.to_string());
    assert_eq!(found.as_deref().map_err(String::as_str), expect, "{reading:?} {form:?} {text:?}");
}

#[test]
fn without_a_locale_texts_are_read_as_they_are_the_same_everywhere() {
    let check = |form, text, expect| check(PLAIN, form, text, expect);
    check(Form::Integer, " -12 ", Ok("-12"));
    check(Form::Integer, "9223372036854775808", Err("is no integer"));
    check(Form::Decimal, "12.50", Ok("12.50"));
    check(Form::Decimal, "12,50", Err("is no decimal"));
    check(Form::Float, "1.5e3", Ok("1500"));
    check(Form::Float, "much", Err("is no float"));
    check(Form::Currency, "12.50 EUR", Ok("12.50 EUR"));
    check(Form::Currency, "12.50", Err("has no currency: the field can say which with `currency`"));
    check(Form::Boolean, "Yes", Ok("true"));
    check(Form::Boolean, "0", Ok("false"));
    check(Form::Boolean, "perhaps", Err("is no boolean"));
    check(Form::DateTime, "2026-01-31", Ok("2026-01-31T00:00:00+00:00"));
    check(Form::DateTime, "0001-01-01", Ok("0001-01-01T00:00:00+00:00"));
    check(Form::DateTime, "9999-12-30T22:00:00Z", Ok("9999-12-30T22:00:00+00:00"));
    check(Form::DateTime, "9999-12-30T22:00:01Z", Err("is no date-time"));
    check(Form::DateTime, "0000-12-31", Err("is no date-time"));
    check(Form::DateTime, "2026-02-29", Err("is no date-time"));
    check(Form::DateTime, "31.01.2026", Err("is no date-time"));
    check(Form::Ticket, " t00001", Ok("T00001"));
    check(Form::Ticket, "T01", Err("is no number of a ticket"));
}

#[test]
fn a_time_zone_is_that_of_times_without_an_offset() {
    let check = |time_zone, text, expect: &str| {
        check(Reading { time_zone, ..GERMAN }, Form::DateTime, text, Ok(expect));
    };
    check("Europe/Berlin", "31. Januar 2026", "2026-01-31T00:00:00+01:00");
    check("Europe/Berlin", "31.07.2026 10:00", "2026-07-31T10:00:00+02:00");
    check("Europe/Berlin", "2026-01-31", "2026-01-31T00:00:00+01:00");
    check("Europe/Berlin", "2026-01-31T10:00Z", "2026-01-31T10:00:00+00:00");
    check("Europe/Berlin", "31.01.2026 10:00 -0500", "2026-01-31T10:00:00-05:00");
    check("-03:30", "31.01.2026 10:00", "2026-01-31T10:00:00-03:30");
    check("", "31.01.2026 10:00", "2026-01-31T10:00:00+00:00");
}

#[test]
fn what_cannot_be_is_explained() {
    assert_eq!(fault_of_locale("de-AT"), None);
    assert!(fault_of_locale("xx").is_some_and(|fault| fault.starts_with("unknown locale \"xx\": there are en, ")));
    assert_eq!(fault_of_time_zone("America/St_Johns"), None);
    assert_eq!(fault_of_time_zone("+05:45"), None);
    for zone in ["Europe/Entenhausen", "", "EST5EDT4", "+25:00", "Z+1"] {
        assert!(fault_of_time_zone(zone).is_some_and(|fault| fault.starts_with("there is no time zone")), "{zone}");
    }
    assert_eq!(fault_of_currency("EUR"), None);
    assert_eq!(fault_of_currency("eur"), Some("unknown currency \"eur\": write three letters, such as EUR".to_owned()));
    assert!(Reading { locale: "xx", ..PLAIN }.value("1", Form::Integer).is_err());
    assert!(Reading { time_zone: "xx", ..PLAIN }.value("2026-01-31", Form::DateTime).is_err());
}

/// Texts that look like values, more often than not.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "31",
        "1",
        "2026",
        "12",
        "00",
        "4711",
        ".",
        ",",
        ":",
        "-",
        " ",
        "/",
        "€",
        "EUR",
        "$",
        "e",
        "E5",
        "Januar",
        "pm",
        "um",
        "Uhr",
        "T",
        "Z",
        "+01:00",
        "年",
        "月",
        "日",
        "٣",
        "'",
        "−",
        "true",
        "T00001",
        "\u{A0}",
        "x",
        "999999999999",
    ]);
    prop_oneof![".*", prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())]
}

const FORMS: [Form; 7] =
    [Form::Integer, Form::Decimal, Form::Float, Form::Currency, Form::Boolean, Form::DateTime, Form::Ticket];

proptest! {
    #[test]
    fn any_text_has_one_meaning_or_none(
        text in texts(),
        form in prop::sample::select(FORMS.to_vec()),
        locale in prop::sample::select(vec!["", "en", "en-GB", "de", "de-CH", "fr", "hu", "zh", "ar", "en-IN", "xx"]),
        time_zone in prop::sample::select(vec!["", "Europe/Berlin", "Pacific/Apia", "+14:00"]),
        currency in prop::sample::select(vec!["", "EUR", "SEK"]),
    ) {
        let reading = Reading { locale, time_zone, currency };
        let found = reading.value(&text, form);
        prop_assert_eq!(&reading.value(&text, form), &found);
        let Ok(value) = found else { return Ok(()) };
        let expect = match form {
            Form::Integer => ValueType::Integer,
            Form::Decimal | Form::Float => ValueType::Decimal,
            Form::Currency => ValueType::Currency,
            Form::Boolean => ValueType::Boolean,
            Form::DateTime => ValueType::DateTime,
            Form::Ticket => ValueType::Text,
        };
        prop_assert_eq!(value.value_type(), Some(expect));
        // As it is shown it is read again, everywhere.
        prop_assert_eq!(PLAIN.value(&value.to_string(), form), Ok(value));
    }

    #[test]
    fn an_amount_is_read_as_it_is_written(
        units in -99_999_999_999_i64..99_999_999_999,
        (tag, group, point) in prop::sample::select(vec![
            ("en", ",", "."), ("de", ".", ","), ("fr", "\u{202F}", ","), ("de-CH", "’", "."), ("es-MX", ",", "."),
        ]),
    ) {
        let digits = (units.unsigned_abs() / 100).to_string();
        let grouped: Vec<String> =
            digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        let sign = if units < 0 { "-" } else { "" };
        let text = format!("{sign}{}{point}{:02} €", grouped.join(group), units.unsigned_abs() % 100);
        let found = Reading { locale: tag, ..PLAIN }.value(&text, Form::Currency);
        let expect = format!("{sign}{digits}.{:02} EUR", units.unsigned_abs() % 100);
        prop_assert_eq!(found.map(|value| value.to_string()), Ok(expect), "{}", text);
    }
}
