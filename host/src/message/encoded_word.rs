//! Encoded words (RFC 2047) whose characters are cut in two.
//!
//! Each word must hold whole characters (section 5), but programs that cut a text every so many bytes are common. Put
//! together before they are decoded, such words are read as they were meant.

use std::borrow::Cow;

/// The same field, in which words that follow each other in the same character set and encoding are one.
pub(super) fn joined(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let (mut copied, mut at) = (0, 0);
    let mut before: Option<Word<'_>> = None;
    while let Some(found) = find(raw, at) {
        let word = Word::read(raw, found);
        match (&before, &word) {
            (Some(first), Some(second)) if first.goes_on_in(second, raw) => {
                let out = out.get_or_insert_default();
                out.extend_from_slice(raw.get(copied..first.text_end).unwrap_or_default());
                copied = second.text_start;
            }
            _ => {}
        }
        at = word.as_ref().map_or(found + 2, |word| word.end);
        before = word;
    }
    match out {
        None => Cow::Borrowed(raw),
        Some(mut out) => {
            out.extend_from_slice(raw.get(copied..).unwrap_or_default());
            Cow::Owned(out)
        }
    }
}

/// Where the next `=?` stands.
fn find(raw: &[u8], from: usize) -> Option<usize> {
    raw.get(from..)?.windows(2).position(|pair| pair == b"=?").map(|at| from + at)
}

/// `=?charset?encoding?text?=`
struct Word<'r> {
    charset: &'r [u8],
    is_base64: bool,
    start: usize,
    text_start: usize,
    text_end: usize,
    end: usize,
}

impl<'r> Word<'r> {
    /// The word that begins there; none if it is not one.
    fn read(raw: &'r [u8], start: usize) -> Option<Self> {
        let is_mark = |byte: &u8| *byte == b'?' || byte.is_ascii_whitespace();
        let charset_start = start + 2;
        let rest = raw.get(charset_start..)?;
        let charset = rest.get(..rest.iter().position(is_mark)?)?;
        let text_start = charset_start + charset.len() + 3;
        let [b'?', encoding, b'?'] = raw.get(text_start - 3..text_start)? else { return None };
        let is_base64 = match encoding {
            b'b' | b'B' => true,
            b'q' | b'Q' => false,
            _ => return None,
        };
        let rest = raw.get(text_start..)?;
        let text_end = text_start + rest.iter().position(|byte| *byte == b'?')?;
        let end = text_end + 2;
        (raw.get(text_end..end)? == b"?=").then_some(Self { charset, is_base64, start, text_start, text_end, end })
    }

    /// Whether another one is its continuation: nothing but white space stands between them, which means nothing there
    /// (section 6.2), and their texts can be put together as they are.
    fn goes_on_in(&self, next: &Self, raw: &[u8]) -> bool {
        let between = raw.get(self.end..next.start).unwrap_or_default();
        let text = raw.get(self.text_start..self.text_end).unwrap_or_default();
        let is_whole = !self.is_base64 || (text.len() % 4 == 0 && !text.ends_with(b"="));
        !between.is_empty()
            && between.iter().all(u8::is_ascii_whitespace)
            && self.is_base64 == next.is_base64
            && self.charset.eq_ignore_ascii_case(next.charset)
            && is_whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_that_go_on_are_one() {
        let check = |raw: &str, expect: &str| {
            assert_eq!(String::from_utf8_lossy(&joined(raw.as_bytes())), expect, "{raw}");
        };
        check("plain", "plain");
        check("=?utf-8?q?a?=", "=?utf-8?q?a?=");
        check("=?utf-8?q?a=C3?= =?UTF-8?Q?=BC?= b", "=?utf-8?q?a=C3=BC?= b");
        check("=?utf-8?q?a?=\r\n =?utf-8?q?b?=\r\n =?utf-8?q?c?=", "=?utf-8?q?abc?=");
        check("=?utf-8?b?R3LD?= =?utf-8?b?vMOfZQ==?=", "=?utf-8?b?R3LDvMOfZQ==?=");
        // A text of its own, another encoding, another character set, or something in between.
        for apart in [
            "=?utf-8?b?YQ==?= =?utf-8?b?YQ==?=",
            "=?utf-8?b?YWJj?= =?utf-8?q?abc?=",
            "=?utf-8?q?a?= =?iso-8859-1?q?b?=",
            "=?utf-8?q?a?= b =?utf-8?q?c?=",
            "=?utf-8?q?a?==?utf-8?q?b?=",
            "=?utf-8?q?a =?utf-8?q?b?=",
            "=?utf-8?x?a?= =?utf-8?x?b?=",
            "=?=? =? =?utf-8?q?",
        ] {
            check(apart, apart);
        }
    }

    proptest! {
        #[test]
        fn any_field_is_survived(raw in "[=?qb a-c\r\n-]{0,60}") {
            let _ = joined(raw.as_bytes());
        }
    }
}
