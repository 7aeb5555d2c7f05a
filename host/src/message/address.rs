//! Addresses and message identifiers (RFC 5322 sections 3.4 and 3.6.4).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A person: an address with the name that goes with it (RFC 5322 section 3.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Address {
    /// The display name, decoded; empty if none was given.
    pub name: String,
    /// `local@domain`, as written.
    pub email: String,
}

impl Address {
    /// The address in the form in which addresses are compared: in lower case. Local parts may differ in case alone (RFC
    /// 5321 section 2.4), but nobody's do.
    #[must_use]
    pub fn key(&self) -> String {
        // ASCII alone: other letters can become ASCII ones in lower case, and be somebody else's.
        self.email.trim().to_ascii_lowercase()
    }
}

/// The addresses that a setting means: one (`ann@example.org`), all of a domain (`*@example.org`), or all of the domains
/// below one (`*@*.example.org`). Case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct AddressPattern {
    /// Any, if none.
    local: Option<String>,
    domain: String,
    is_below: bool,
}

impl AddressPattern {
    /// Reads a pattern; none if it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.trim().rsplit_once('@')?;
        let (domain, is_below) = domain.strip_prefix("*.").map_or((domain, false), |domain| (domain, true));
        let is_word = |word: &str| {
            !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control() || "*@<>,;".contains(c))
        };
        if !is_word(domain) || !(local == "*" || is_word(local)) {
            return None;
        }
        let local = (local != "*").then(|| local.to_ascii_lowercase());
        Some(Self { local, domain: domain.to_ascii_lowercase(), is_below })
    }

    /// Whether it means this address.
    #[must_use]
    pub fn matches(&self, email: &str) -> bool {
        let email = email.trim().to_ascii_lowercase();
        let Some((local, domain)) = email.rsplit_once('@') else { return false };
        let is_domain = match domain.strip_suffix(self.domain.as_str()) {
            Some(rest) if self.is_below => rest.len() > 1 && rest.ends_with('.'),
            Some(rest) => rest.is_empty(),
            None => false,
        };
        is_domain && self.local.as_ref().is_none_or(|wanted| wanted == local)
    }
}

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = if self.is_below { "*." } else { "" };
        write!(f, "{}@{below}{}", self.local.as_deref().unwrap_or("*"), self.domain)
    }
}

impl From<AddressPattern> for String {
    fn from(pattern: AddressPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name.as_str(), self.email.as_str()) {
            ("", email) => f.write_str(email),
            (name, "") => f.write_str(name),
            (name, email) => write!(f, "{name} <{email}>"),
        }
    }
}

/// A Message-ID without its angle brackets (RFC 5322 section 3.6.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MessageId(pub String);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_addresses() {
        let check = |pattern: &str, email: &str, expect: bool| {
            let pattern = AddressPattern::parse(pattern).expect("is a pattern");
            assert_eq!(pattern.matches(email), expect, "{pattern} and {email}");
        };
        check("Ann@Example.org", "ann@example.ORG", true);
        check("ann@example.org", "joann@example.org", false);
        check("*@example.org", "ann@example.org", true);
        check("*@example.org", "ann@sub.example.org", false);
        check("*@example.org", "ann@notexample.org", false);
        check("*@example.org", "ann@example.org.evil.example", false);
        check("*@example.org", "ann@evil.example@example.org", true);
        check("*@*.example.org", "ann@sub.example.org", true);
        check("*@*.example.org", "ann@a.sub.example.org", true);
        check("*@*.example.org", "ann@example.org", false);
        check("*@*.example.org", "ann@.example.org", false);
        check("*@*.example.org", "ann@notexample.org", false);
        check("*@example.org", "example.org", false);
    }

    #[test]
    fn what_is_no_pattern() {
        for text in
            ["", "example.org", "*", "@example.org", "ann@", "*@*", "*@*.*", "a*@example.org", "a b@example.org"]
        {
            assert_eq!(AddressPattern::parse(text), None, "{text:?}");
        }
        assert_eq!(AddressPattern::parse(" *@*.Example.org ").unwrap().to_string(), "*@*.example.org");
    }

    #[test]
    fn addresses_are_compared_without_case_and_without_surprises() {
        let key = |email: &str| Address { name: String::new(), email: email.to_owned() }.key();
        assert_eq!(key(" Ann@Example.ORG"), "ann@example.org");
        // U+212A, the sign of the kelvin, is no K.
        assert_ne!(key("\u{212a}im@example.org"), key("kim@example.org"));
    }
}
