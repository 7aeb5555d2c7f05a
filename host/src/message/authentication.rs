//! What mail servers have found out about where a message comes from (Authentication-Results, RFC 8601).
//!
//! A field is read as it was written, before encoded words are decoded: a sender chooses addresses that stand in it, and
//! an encoded word must not become a result.

use serde::{Deserialize, Serialize};

/// The most fields that are read, the topmost ones.
const FIELDS_MAX: usize = 50;
/// The most bytes of a field that are read.
const FIELD_BYTES_MAX: usize = 16 * 1024;
/// The deepest nesting of comments.
const DEPTH_MAX: usize = 16;

/// A way to find out where a message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// RFC 7208: the domain of the envelope's sender allows the server that delivered it.
    Spf,
    /// RFC 6376: a domain has signed it.
    Dkim,
    /// RFC 7489: the domain of From allows it, by either of these.
    Dmarc,
}

impl Method {
    /// Its name in the field.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
        }
    }

    /// The properties that say for which domain the result is, the better one first.
    fn properties(self) -> &'static [&'static str] {
        match self {
            Self::Spf => &["smtp.mailfrom"],
            Self::Dkim => &["header.d", "header.i"],
            Self::Dmarc => &["header.from"],
        }
    }
}

/// One field: what one server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticationResults {
    /// The server, by its authserv-id.
    pub server: String,
    results: Vec<Resulted>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Resulted {
    method: String,
    result: String,
    properties: Vec<(String, String)>,
}

/// The fields of a message, topmost first.
pub(super) fn of(parsed: &mail_parser::Message<'_>) -> Vec<AuthenticationResults> {
    let headers = parsed.parts.first().map_or(&[][..], |part| &part.headers);
    let fields = headers.iter().filter(|header| header.name.as_str().eq_ignore_ascii_case("Authentication-Results"));
    let raw = |header: &mail_parser::Header<'_>| {
        parsed.raw_message.get(header.offset_start as usize..header.offset_end as usize).map(<[u8]>::to_vec)
    };
    let fields = fields.take(FIELDS_MAX).filter_map(raw);
    fields.filter_map(|raw| AuthenticationResults::parse(&String::from_utf8_lossy(&raw))).collect()
}

impl AuthenticationResults {
    /// Reads the value of a field. None if it names no server.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.get(..text.floor_char_boundary(FIELD_BYTES_MAX)).unwrap_or(text);
        let mut sections = sections(text).into_iter();
        let server = sections.next()?.into_iter().next()?;
        // Some servers leave their own name out: then the first word is a result.
        if server.contains('=') {
            return None;
        }
        Some(Self { server, results: sections.filter_map(|words| resulted(&words)).collect() })
    }

    /// Whether the server has found that a message comes from this domain, or one above it.
    ///
    /// # Errors
    /// With what the server found instead.
    pub fn passed(&self, method: Method, domain: &str) -> Result<(), String> {
        let results = || self.results.iter().filter(|it| it.method == method.name());
        if results().any(|it| it.result == "pass" && it.is_for(method, domain)) {
            return Ok(());
        }
        Err(match results().find(|it| it.result != "pass").or_else(|| results().next()) {
            None => "none".to_owned(),
            Some(other) if other.result == "pass" => "pass for another domain".to_owned(),
            Some(other) => other.result.clone(),
        })
    }
}

impl Resulted {
    /// A signature of anybody else says nothing about the domain in From.
    fn is_for(&self, method: Method, domain: &str) -> bool {
        let value = |wanted: &&str| self.properties.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let named = method.properties().iter().find_map(value);
        named.is_some_and(|named| {
            let named = named.rsplit('@').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
            let domain = domain.to_ascii_lowercase();
            !named.is_empty() && (domain == named || domain.strip_suffix(&named).is_some_and(|it| it.ends_with('.')))
        })
    }
}

/// `method[/version]=result`, then properties.
fn resulted(words: &[String]) -> Option<Resulted> {
    let (first, rest) = words.split_first()?;
    let (method, result) = first.split_once('=')?;
    let method = method.split('/').next().unwrap_or_default();
    let property = |word: &String| {
        let (name, value) = word.split_once('=')?;
        Some((name.to_ascii_lowercase(), value.to_owned()))
    };
    Some(Resulted {
        method: method.to_ascii_lowercase(),
        result: result.to_ascii_lowercase(),
        properties: rest.iter().filter_map(property).collect(),
    })
}

/// The parts between semicolons, each in words: white space and comments are gone, also around `=`, and so are quotes.
fn sections(text: &str) -> Vec<Vec<String>> {
    let mut sections = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let section = sections.last_mut();
        match character {
            '(' => skip_comment(&mut characters),
            '"' => quoted(&mut characters, word.get_or_insert_default()),
            ';' => {
                section.into_iter().for_each(|section| section.extend(word.take()));
                sections.push(Vec::new());
            }
            '=' => {
                if word.is_none() {
                    word = section.and_then(Vec::pop);
                }
                word.get_or_insert_default().push('=');
            }
            space if space.is_whitespace() => {
                if word.as_ref().is_some_and(|word| !word.ends_with('=')) {
                    section.into_iter().for_each(|section| section.extend(word.take()));
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    sections.last_mut().into_iter().for_each(|section| section.extend(word.take()));
    sections
}

/// RFC 5322 section 3.2.2: comments nest. One that does not end takes the rest.
fn skip_comment(characters: &mut std::str::Chars<'_>) {
    let mut depth = 1;
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '(' if depth < DEPTH_MAX => depth += 1,
            ')' if depth == 1 => return,
            ')' => depth -= 1,
            _ => {}
        }
    }
}

fn quoted(characters: &mut std::str::Chars<'_>, word: &mut String) {
    while let Some(character) = characters.next() {
        match character {
            '"' => return,
            '\\' => word.extend(characters.next()),
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: &str, method: Method, domain: &str, expect: Result<(), &str>) {
        let read = AuthenticationResults::parse(field).expect("names a server");
        assert_eq!(read.server, "mx.example.org");
        let expect = expect.map_err(str::to_owned);
        assert_eq!(read.passed(method, domain), expect, "{field}");
    }

    #[test]
    fn what_a_server_found_is_read() {
        let passed = "mx.example.org;\r\n\tspf=pass (sender IP is 192.0.2.1) smtp.mailfrom=ann@example.com;\r\n\t\
                      dkim=pass (2048-bit key; unprotected) header.d=example.com header.i=@example.com header.b=\"a=b;\";\r\n\t\
                      dmarc=pass (p=REJECT sp=NONE) header.from=example.com";
        for method in [Method::Spf, Method::Dkim, Method::Dmarc] {
            check(passed, method, "example.com", Ok(()));
            check(passed, method, "mail.example.com", Ok(()));
            check(passed, method, "notexample.com", Err("pass for another domain"));
        }
        check("mx.example.org 1; dmarc=fail header.from=example.com", Method::Dmarc, "example.com", Err("fail"));
        check("mx.example.org; none", Method::Dmarc, "example.com", Err("none"));
        check("mx.example.org; DMARC = Pass header.from = example.com", Method::Dmarc, "example.com", Ok(()));
        check("mx.example.org; dkim/1=pass header.d=example.com", Method::Dkim, "example.com", Ok(()));
        check("mx.example.org; dkim=pass header.i=@example.com", Method::Dkim, "example.com", Ok(()));
        check("mx.example.org; dkim=pass", Method::Dkim, "example.com", Err("pass for another domain"));
        let two = "mx.example.org; dkim=fail header.d=example.com; dkim=pass header.d=evil.example";
        check(two, Method::Dkim, "example.com", Err("fail"));
        let two = "mx.example.org; dkim=fail header.d=evil.example; dkim=pass header.d=example.com";
        check(two, Method::Dkim, "example.com", Ok(()));
    }

    #[test]
    fn what_a_sender_wrote_is_no_result() {
        let check = |field: &str| check(field, Method::Dmarc, "example.com", Err("fail"));
        let pass = "dmarc=pass header.from=example.com";
        check(&format!("mx.example.org; dmarc=fail reason=\"; {pass}\" header.from=example.com"));
        check(&format!("mx.example.org; dmarc=fail (; {pass}) header.from=example.com"));
        check(&format!("mx.example.org; dmarc=fail (a (b) \\) ; {pass}) header.from=example.com"));
        check(&format!("mx.example.org; dmarc=fail smtp.mailfrom=\"a; {pass}"));
        check("mx.example.org; dmarc=fail smtp.mailfrom==?utf-8?q?a;_dmarc=3Dpass_header.from=3Dexample.com?=");
    }

    #[test]
    fn a_field_without_a_server_says_nothing() {
        for field in ["", " ", ";", "spf=pass smtp.mailfrom=example.com; dmarc=pass header.from=example.com"] {
            assert_eq!(AuthenticationResults::parse(field), None, "{field:?}");
        }
        assert!(AuthenticationResults::parse(&"(".repeat(100_000)).is_none());
    }
}
