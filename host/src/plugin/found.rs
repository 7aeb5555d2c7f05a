//! Where the values of extracted fields come from, as plugins say it for the report.

use super::capabilities::Source;
use crate::tame::short;
use serde::{Deserialize, Serialize};

/// The most characters of each thing that is said of a field.
const CHARS_MAX: usize = 120;

/// Where the value of an extracted field comes from, as the plugin says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The field.
    pub name: String,
    /// How it was found, in the plugin's words.
    pub how: String,
    /// The part of the message, in words: `the body`. None if it is from nowhere in the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The text that it was read from; the beginning of a long one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Found {
    /// What is said of a field, and the part of the message that it was read from with the text there.
    pub(super) fn new(name: &str, how: &str, at: Option<(&Source, &str)>) -> Self {
        Self {
            name: short(name, CHARS_MAX),
            how: short(how, CHARS_MAX),
            part: at.map(|(source, _)| source.describe()),
            text: at.map(|(_, text)| short(text, CHARS_MAX)),
        }
    }
}

impl Source {
    /// The part of the message, in words.
    fn describe(&self) -> String {
        let words = match self {
            Self::Subject => "the subject",
            Self::Sender => "the sender",
            Self::Recipients => "the recipients",
            Self::MessageId => "the Message-ID",
            Self::Client => "the mail client",
            Self::Origin => "the origin",
            Self::Body => "the body",
            Self::WholeBody => "the whole body",
            Self::Header(name) => return format!("the header field {name}"),
            Self::Extracted(name) => return format!("the field {name}"),
            Self::SenderAddress => "the sender's address",
            Self::SenderName => "the sender's name",
            Self::RecipientAddresses => "the recipients' addresses",
            Self::HeaderAddresses(name) => return format!("the addresses of the header field {name}"),
            Self::AttachmentNames => "the names of the attachments",
            Self::AttachmentTypes => "the types of the attachments",
        };
        words.to_owned()
    }
}
