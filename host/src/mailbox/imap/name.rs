//! Names of mailboxes on the wire: modified UTF-7 (RFC 3501 section 5.1.3).

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const MODIFIED_BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// A mailbox name as the server spells it.
pub(super) fn encode(name: &str) -> String {
    let mut wire = String::with_capacity(name.len());
    let mut foreign = String::new();
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            shift(&mut wire, &mut foreign);
            wire.push(c);
            if c == '&' {
                wire.push('-');
            }
        } else {
            foreign.push(c);
        }
    }
    shift(&mut wire, &mut foreign);
    wire
}

fn shift(wire: &mut String, foreign: &mut String) {
    if !foreign.is_empty() {
        let units: Vec<u8> = foreign.encode_utf16().flat_map(u16::to_be_bytes).collect();
        wire.push('&');
        wire.push_str(&MODIFIED_BASE64.encode(units));
        wire.push('-');
        foreign.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn names_are_spelt_as_the_standard_says() {
        let check = |name: &str, expect: &str| assert_eq!(encode(name), expect);
        check("INBOX.Support", "INBOX.Support");
        check("R&D", "R&-D");
        check("Entwürfe", "Entw&APw-rfe");
        check("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
        check("📮", "&2D3c7g-");
    }
}
