//! Amounts of money as people write them: `12,50 €`, `$12.50`, `CHF 12.–`.

use super::locale::Numbers;
use super::number;
use crate::field::{Decimal, Money};

/// The currencies in use (ISO 4217, without metals, funds and units of account).
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD \
     CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD \
     HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD \
     MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR \
     RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS \
     UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// What stands for a currency, in lower case, and for which: where a sign has several, the field's own currency, if it is
/// one of them, or else the first. A `?` in the first place: none of them unless the field says so.
const SIGNS: &str = "€ EUR|euro EUR|euros EUR|$ USD CAD AUD NZD SGD HKD TWD MXN ARS CLP COP|us$ USD|c$ CAD|ca$ CAD|a$ AUD|\
     au$ AUD|nz$ NZD|s$ SGD|hk$ HKD|nt$ TWD|mx$ MXN|r$ BRL|£ GBP EGP|¥ JPY CNY|￥ JPY CNY|円 JPY|元 CNY TWD|₩ KRW|원 KRW|₽ RUB|\
     руб RUB|руб. RUB|₴ UAH|грн UAH|грн. UAH|₺ TRY|tl TRY|zł PLN|kč CZK|kr ? SEK NOK DKK ISK|kr. ? DKK SEK NOK ISK|ft HUF|lei RON|\
     ₫ VND|đ VND|₹ INR|rs ? INR PKR LKR NPR MUR|rs. ? INR PKR LKR NPR MUR|฿ THB|₪ ILS|fr ? CHF|fr. ? CHF|sfr CHF|sfr. CHF|\
     лв BGN|лв. BGN|₦ NGN|₱ PHP|rp IDR|rm MYR|د.إ AED|ر.س SAR|ج.م EGP|د.م. MAD|د.ج DZD|د.ت TND|د.ك KWD";

/// Whether there is such a currency.
pub(super) fn is_code(code: &str) -> bool {
    code.len() == 3 && CODES.split(' ').any(|known| known == code)
}

/// Reads an amount. `currency` is that of amounts without a sign, and decides between those that share one.
pub(super) fn read(text: &str, numbers: Numbers, currency: Option<&str>) -> Result<Money, String> {
    let text: String = text.trim().chars().map(number::usual).collect();
    let is_digit = |c: char| c.is_ascii_digit();
    let no_amount = || "is no amount of money".to_owned();
    let (Some(first), Some(last)) = (text.find(is_digit), text.rfind(is_digit)) else { return Err(no_amount()) };
    // `.50` and `,50` begin with their point.
    let first = match text.get(..first).and_then(|before| before.chars().next_back()) {
        Some(point) if point == numbers.decimal => first - point.len_utf8(),
        _ => first,
    };
    let (before, after) = (text.get(..first).unwrap_or_default(), text.get(last + 1..).unwrap_or_default());
    let (negative, before) = signed(before);
    let after = without_dashes(after);
    let sign = match (before.trim(), after.trim()) {
        (sign, "") | ("", sign) => sign,
        (before, after) if before.to_lowercase() == after.to_lowercase() => before,
        _ => return Err(no_amount()),
    };
    let code = code(sign, currency)?;
    let amount = text.get(first..=last).unwrap_or_default();
    let Decimal { units, scale } = number::decimal(amount, numbers).ok_or_else(no_amount)?;
    let units = if negative { units.checked_neg() } else { Some(units) };
    units.and_then(|units| Money::new(Decimal { units, scale }, &code)).ok_or_else(no_amount)
}

/// Takes a minus out of what stands before an amount: `-€ `, `€ -`.
fn signed(before: &str) -> (bool, String) {
    let trimmed = before.trim();
    match trimmed.strip_prefix('-').or_else(|| trimmed.strip_suffix('-')) {
        Some(rest) => (true, rest.to_owned()),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed).to_owned()),
    }
}

/// What stands after an amount, without the dashes that stand for a fraction of nothing: `12,-`, `12.--`.
fn without_dashes(after: &str) -> &str {
    let Some(rest) = after.strip_prefix([',', '.']) else { return after };
    let without = rest.trim_start_matches(['-', '\u{2014}']);
    if without.len() < rest.len() { without } else { after }
}

/// The currency that a sign or code stands for.
fn code(sign: &str, own: Option<&str>) -> Result<String, String> {
    if sign.is_empty() {
        return own
            .map(str::to_owned)
            .ok_or_else(|| "has no currency: the field can say which with `currency`".to_owned());
    }
    let upper = sign.to_ascii_uppercase();
    if is_code(&upper) {
        return Ok(upper);
    }
    let sign = sign.to_lowercase();
    let row = SIGNS.split('|').find_map(|row| row.strip_prefix(sign.as_str())?.strip_prefix(' '));
    let Some(row) = row else { return Err(format!("has an unknown currency, \"{sign}\"")) };
    let mut codes = row.split(' ');
    match own.filter(|own| row.split(' ').any(|code| code == *own)).or_else(|| codes.next()) {
        Some(code) if code != "?" => Ok(code.to_owned()),
        _ => Err(format!(
            "has a sign that several currencies share, \"{sign}\": the field can say which with `currency`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::locale::Locale;
    use super::*;

    fn check(tag: &str, own: &str, text: &str, expect: Result<&str, &str>) {
        let numbers = if tag.is_empty() { Numbers::PLAIN } else { Locale::find(tag).expect("is known").numbers };
        let found = read(text, numbers, Some(own).filter(|own| !own.is_empty())).map(|value| value.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expect, "{tag} {own} {text:?}");
    }

    #[test]
    fn amounts_have_a_sign_or_a_code() {
        check("", "", "12.50 EUR", Ok("12.50 EUR"));
        check("", "", "eur 12.50", Ok("12.50 EUR"));
        check("", "", "€12.50", Ok("12.50 EUR"));
        check("", "", "$.50", Ok("0.50 USD"));
        check("en", "", "US$ 1,234.50", Ok("1234.50 USD"));
        check("de", "", "1.234,50 €", Ok("1234.50 EUR"));
        check("de", "", "12,- €", Ok("12 EUR"));
        check("de-CH", "", "CHF 1’234.—", Ok("1234 CHF"));
        check("de", "", "-12,50 €", Ok("-12.50 EUR"));
        check("de", "", "€ -12,50", Ok("-12.50 EUR"));
        check("de", "", "EUR 12,50 EUR", Ok("12.50 EUR"));
        check("fr", "", "1 234,50 €", Ok("1234.50 EUR"));
        check("pl", "", "99,90 zł", Ok("99.90 PLN"));
        check("cs", "", "1 234 Kč", Ok("1234 CZK"));
        check("ru", "", "1 234,50 руб.", Ok("1234.50 RUB"));
        check("ja", "", "¥1,234", Ok("1234 JPY"));
        check("ja", "", "1,234円", Ok("1234 JPY"));
        check("ko", "", "₩1,234", Ok("1234 KRW"));
        check("ar", "", "١٬٢٣٤٫٥ ر.س", Ok("1234.5 SAR"));
    }

    #[test]
    fn a_shared_sign_is_that_of_the_fields_own_currency() {
        check("en", "CAD", "$12", Ok("12 CAD"));
        check("en", "EUR", "$12", Ok("12 USD"));
        check("zh", "CNY", "¥12", Ok("12 CNY"));
        check("sv", "SEK", "12 kr", Ok("12 SEK"));
        check("da", "DKK", "12,50 kr.", Ok("12.50 DKK"));
        check(
            "sv",
            "",
            "12 kr",
            Err("has a sign that several currencies share, \"kr\": the field can say which with `currency`"),
        );
        check("", "EUR", "12.50", Ok("12.50 EUR"));
        check("", "EUR", "12.50 USD", Ok("12.50 USD"));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        check("", "", "12.50", Err("has no currency: the field can say which with `currency`"));
        check("", "EUR", "", Err("is no amount of money"));
        check("", "EUR", "EUR", Err("is no amount of money"));
        check("", "", "12.50 XYZ", Err("has an unknown currency, \"xyz\""));
        check("", "", "EUR 12.50 USD", Err("is no amount of money"));
        check("", "", "12 13 EUR", Err("is no amount of money"));
        check("", "", "9223372036854775807 EUR", Ok("9223372036854775807 EUR"));
        check("", "", "9223372036854775808 EUR", Err("is no amount of money"));
        check("de", "EUR", "12.50", Err("is no amount of money"));
    }
}
