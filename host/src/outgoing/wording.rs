//! Texts of our own mail, with places for what is known only once the message is committed.
//!
//! A rule writes `{ticket}` and `{tag}`; what a message says in such a text comes with each `{` doubled, so that it is
//! never taken for a place.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What stands in braces for something that is filled in.
pub const PLACES: [&str; 2] = ["ticket", "tag"];

/// A text with places. As text, `{ticket}` and `{tag}` are places, and `{{` stands for `{`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Wording(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Ticket,
    Tag,
}

impl Wording {
    /// A text that is to stay as it is, whatever it looks like.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let mut wording = Self::default();
        wording.push(text);
        wording
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, with the number and the tag of a ticket in their places; empty where there is no ticket.
    #[must_use]
    pub fn filled(&self, number: &str, tag: &str) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            text.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Ticket => number,
                Piece::Tag => tag,
            });
        }
        text
    }

    fn push(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(before)) => before.push_str(text),
            Some(Piece::Ticket | Piece::Tag) | None => self.0.push(Piece::Text(text.to_owned())),
        }
    }
}

impl From<String> for Wording {
    /// Reads from left to right, so that a doubled brace never becomes part of a place.
    fn from(source: String) -> Self {
        let mut wording = Self::default();
        let mut rest = source.as_str();
        while let Some((before, from)) = rest.find('{').and_then(|at| rest.split_at_checked(at)) {
            wording.push(before);
            let [ticket, tag] = PLACES.map(|place| from.get(1..)?.strip_prefix(place)?.strip_prefix('}'));
            rest = if let Some(after) = ticket {
                wording.0.push(Piece::Ticket);
                after
            } else if let Some(after) = tag {
                wording.0.push(Piece::Tag);
                after
            } else {
                wording.push("{");
                from.strip_prefix("{{").or_else(|| from.strip_prefix('{')).unwrap_or_default()
            };
        }
        wording.push(rest);
        wording
    }
}

impl fmt::Display for Wording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(&text.replace('{', "{{")),
            Piece::Ticket => f.write_str("{ticket}"),
            Piece::Tag => f.write_str("{tag}"),
        })
    }
}

impl From<Wording> for String {
    fn from(wording: Wording) -> Self {
        wording.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(source: &str, expect: &str) {
        assert_eq!(Wording::from(source.to_owned()).filled("T1", "#T1#"), expect, "{source:?}");
    }

    #[test]
    fn only_what_is_a_place_is_filled() {
        check("{ticket} and {tag}, {ticket}", "T1 and #T1#, T1");
        check("{{ticket}", "{ticket}");
        check("{{{ticket}", "{T1");
        check("{{{{ticket}", "{{ticket}");
        check("{tick{tag}et}", "{tick#T1#et}");
        check("{Ticket} { ticket } {ticket {tag", "{Ticket} { ticket } {ticket {tag");
        check("{", "{");
        check("{{", "{");
        check("}} {}", "}} {}");
        check("", "");
    }

    proptest! {
        #[test]
        fn a_literal_text_stays_as_it_is(text in "([{}a]|\\{ticket\\}|\\{tag\\}|.){0,12}") {
            let wording = Wording::literal(&text);
            prop_assert_eq!(wording.filled("T1", "#T1#"), text);
            prop_assert_eq!(Wording::from(wording.to_string()), wording);
        }

        #[test]
        fn what_is_written_down_is_read_again(text in "([{}a]|\\{ticket\\}|\\{tag\\}|.){0,12}") {
            let wording = Wording::from(text);
            prop_assert_eq!(Wording::from(wording.to_string()), wording);
        }
    }
}
