//! Reading JSON (RFC 8259), in which rule files arrive.
//!
//! A general library would be a third of a plugin's size. The host writes what is read here, so that a fault in it is
//! the host's; it is told with its place nevertheless.

use std::fmt;

/// How deep lists and tables may nest.
const DEPTH_MAX: usize = 128;

/// A value of a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Nothing,
    /// `true` or `false`
    Truth(bool),
    /// A number as it is written: whoever wants one reads it as the type that is due.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// A table, in the order of the file.
    Table(Vec<(String, Json)>),
}

/// What is wrong with a text that should be JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    expected: &'static str,
    at: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is expected at byte {}", self.expected, self.at)
    }
}

impl Json {
    /// Reads one value, and nothing after it.
    pub(crate) fn read(source: &str) -> Result<Self, Fault> {
        let mut reader = Reader { length: source.len(), rest: source };
        let value = reader.value(0)?;
        reader.skip_space();
        if reader.rest.is_empty() { Ok(value) } else { reader.fault("the end") }
    }

    /// What kind of value it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Truth(_) => "a truth value",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Goes through the text once, front to back.
struct Reader<'a> {
    length: usize,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Json, Fault> {
        if depth > DEPTH_MAX {
            return self.fault("no further list or table");
        }
        self.skip_space();
        match self.rest.bytes().next() {
            Some(b'{') => self.items("{", "}", |reader| reader.entry(depth + 1)).map(Json::Table),
            Some(b'[') => self.items("[", "]", |reader| reader.value(depth + 1)).map(Json::List),
            Some(b'"') => self.text().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => Ok(Json::Number(self.number())),
            _ if self.take("true") => Ok(Json::Truth(true)),
            _ if self.take("false") => Ok(Json::Truth(false)),
            _ if self.take("null") => Ok(Json::Nothing),
            _ => self.fault("a value"),
        }
    }

    /// Items between two brackets, with commas in between.
    fn items<T>(
        &mut self,
        open: &'static str,
        close: &'static str,
        item: impl Fn(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut items = Vec::new();
        self.expect(open)?;
        self.skip_space();
        if self.take(close) {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            self.skip_space();
            if !self.take(",") {
                self.expect(close)?;
                return Ok(items);
            }
        }
    }

    fn entry(&mut self, depth: usize) -> Result<(String, Json), Fault> {
        self.skip_space();
        let key = self.text()?;
        self.skip_space();
        self.expect(":")?;
        Ok((key, self.value(depth)?))
    }

    fn number(&mut self) -> String {
        let belongs = |byte: u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest.bytes().take_while(|byte| belongs(*byte)).count();
        self.skip(length).to_owned()
    }

    fn text(&mut self) -> Result<String, Fault> {
        let mut text = String::new();
        self.expect("\"")?;
        loop {
            let plain = self.rest.bytes().take_while(|byte| !matches!(byte, b'"' | b'\\' | ..b' ')).count();
            text.push_str(self.skip(plain));
            if self.take("\"") {
                return Ok(text);
            }
            self.expect("\\")?;
            self.escaped(&mut text)?;
        }
    }

    fn escaped(&mut self, text: &mut String) -> Result<(), Fault> {
        const ESCAPES: [(&str, char); 8] = [
            ("\"", '"'),
            ("\\", '\\'),
            ("/", '/'),
            ("b", '\u{8}'),
            ("f", '\u{c}'),
            ("n", '\n'),
            ("r", '\r'),
            ("t", '\t'),
        ];
        if let Some((_, meant)) = ESCAPES.iter().find(|(escape, _)| self.take(escape)) {
            text.push(*meant);
            return Ok(());
        }
        self.expect("u")?;
        let mut units = vec![self.unit()?];
        // Characters beyond the first 65,536 are written as two surrogates.
        if matches!(units.as_slice(), [0xd800..0xdc00]) {
            self.expect("\\u")?;
            units.push(self.unit()?);
        }
        match String::from_utf16(&units) {
            Ok(meant) => text.push_str(&meant),
            Err(_) => return self.fault("the other half of a character"),
        }
        Ok(())
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, Fault> {
        let digits = self.rest.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) {
            Some(unit) => {
                self.skip(4);
                Ok(unit)
            }
            None => self.fault("a number of four hexadecimal digits"),
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// Goes on by so many bytes.
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        skipped
    }

    fn take(&mut self, wanted: &str) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: &'static str) -> Result<(), Fault> {
        if self.take(wanted) { Ok(()) } else { self.fault(wanted) }
    }

    fn fault<T>(&self, expected: &'static str) -> Result<T, Fault> {
        Err(Fault { expected, at: self.length - self.rest.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Json {
        Json::Text(text.to_owned())
    }

    fn number(text: &str) -> Json {
        Json::Number(text.to_owned())
    }

    #[test]
    fn values_are_read() {
        let check = |source: &str, expect: Json| assert_eq!(Json::read(source), Ok(expect), "{source}");
        check("null", Json::Nothing);
        check(" true\n", Json::Truth(true));
        check("false", Json::Truth(false));
        check("-12.50e+3", number("-12.50e+3"));
        check("[]", Json::List(Vec::new()));
        check("[ 1 , [ ] ]", Json::List(vec![number("1"), Json::List(Vec::new())]));
        check("{ }", Json::Table(Vec::new()));
        check(
            r#"{"z": 1, "a" : {"": "x"}}"#,
            Json::Table(vec![
                ("z".to_owned(), number("1")),
                ("a".to_owned(), Json::Table(vec![(String::new(), text("x"))])),
            ]),
        );
    }

    #[test]
    fn texts_are_unescaped() {
        let check = |source: &str, expect: &str| assert_eq!(Json::read(source), Ok(text(expect)), "{source}");
        check(r#""""#, "");
        check(r#""Дата: …""#, "Дата: …");
        check(r#""a\"b\\c\/d""#, "a\"b\\c/d");
        check(r#""\b\f\n\r\t""#, "\u{8}\u{c}\n\r\t");
        check(r#""\u0041\u00e9\u20AC!""#, "Aé€!");
        check(r#""\ud83d\uDE00""#, "😀");
    }

    #[test]
    fn faults_are_told_with_their_place() {
        let check = |source: &str, expect: &str| {
            let found = Json::read(source).expect_err("is refused").to_string();
            assert_eq!(found, expect, "{source}");
        };
        check("", "a value is expected at byte 0");
        check("nul", "a value is expected at byte 0");
        check("1 2", "the end is expected at byte 2");
        check("[1,]", "a value is expected at byte 3");
        check("[1 2]", "] is expected at byte 3");
        check(r#"{"a" 1}"#, ": is expected at byte 5");
        check("{a: 1}", "\" is expected at byte 1");
        check("\"a", "\\ is expected at byte 2");
        check("\"a\nb\"", "\\ is expected at byte 2");
        check(r#""\x""#, "u is expected at byte 2");
        check(r#""\u00g0""#, "a number of four hexadecimal digits is expected at byte 3");
        check(r#""\u+123""#, "a number of four hexadecimal digits is expected at byte 3");
        check(r#""\ud83d""#, "\\u is expected at byte 7");
        check(r#""\ud83d\u0041""#, "the other half of a character is expected at byte 13");
        check(r#""\ude00""#, "the other half of a character is expected at byte 7");
    }

    #[test]
    fn values_nest_only_so_deep() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::read(&nested(DEPTH_MAX + 1)).is_ok());
        assert!(Json::read(&nested(DEPTH_MAX + 2)).is_err());
    }
}
