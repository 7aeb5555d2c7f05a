//! Names: what rules call the texts of a message.

use crate::Field;

/// The names of the texts that every message has. `header:NAME` stands for any header field.
pub const TEXTS: [&str; 22] = [
    "subject",
    "sender",
    "sender.address",
    "sender.name",
    "recipients",
    "recipients.addresses",
    "body",
    "whole-body",
    "attachments.names",
    "attachments.types",
    "client",
    "origin",
    "message-id",
    "ticket",
    "ticket.class",
    "ticket.status",
    "inactive-ticket",
    "inactive-ticket.class",
    "inactive-ticket.status",
    "header:NAME",
    "ObjectRef",
    "InactiveObjectRef",
];

impl Field {
    /// The text of that name, if every message has one. `ObjectRef` and `InactiveObjectRef`, as other systems say, are
    /// `ticket` and `inactive-ticket`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "subject" => Self::Subject,
            "sender" => Self::Sender,
            "sender.address" => Self::SenderAddress,
            "sender.name" => Self::SenderName,
            "recipients" => Self::Recipients,
            "recipients.addresses" => Self::RecipientAddresses,
            "body" => Self::Body,
            "whole-body" => Self::WholeBody,
            "attachments.names" => Self::AttachmentNames,
            "attachments.types" => Self::AttachmentTypes,
            "client" => Self::Client,
            "origin" => Self::Origin,
            "message-id" => Self::MessageId,
            _ => match name.strip_prefix("header:") {
                Some(header) if !header.is_empty() => Self::Header(header.to_owned()),
                Some(_) => return None,
                None => return ticket(name),
            },
        })
    }
}

fn ticket(name: &str) -> Option<Field> {
    let (active, rest) = match (name.strip_prefix("inactive-"), name.strip_prefix("InactiveObjectRef")) {
        (Some(rest), _) => (false, rest.strip_prefix("ticket")?),
        (None, Some(rest)) => (false, rest),
        (None, None) => (true, name.strip_prefix("ticket").or_else(|| name.strip_prefix("ObjectRef"))?),
    };
    let known = match (active, rest) {
        (true, "") => "ticket",
        (true, ".class") => "ticket.class",
        (true, ".status") => "ticket.status",
        (false, "") => "inactive-ticket",
        (false, ".class") => "inactive-ticket.class",
        (false, ".status") => "inactive-ticket.status",
        _ => return None,
    };
    Some(Field::Extracted(known.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_their_texts() {
        for name in TEXTS {
            assert!(Field::named(name).is_some(), "{name}");
        }
        let check = |name: &str, expect: Option<&str>| {
            assert_eq!(Field::named(name), expect.map(|known| Field::Extracted(known.to_owned())), "{name}");
        };
        check("ObjectRef", Some("ticket"));
        check("ObjectRef.class", Some("ticket.class"));
        check("InactiveObjectRef.status", Some("inactive-ticket.status"));
        check("inactive-ticket", Some("inactive-ticket"));
        check("inactive-ObjectRef", None);
        check("ticket.number", None);
        check("tickets", None);
        check("header:", None);
        check("Subject", None);
    }
}
