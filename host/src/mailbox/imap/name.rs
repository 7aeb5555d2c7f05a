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

/// The name that a server spells so; none if it is not spelt as the standard says.
pub(super) fn decode(wire: &str) -> Option<String> {
    let mut name = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some((plain, shifted)) = rest.split_once('&') {
        let (foreign, after) = shifted.split_once('-')?;
        name.push_str(plain);
        if foreign.is_empty() {
            name.push('&');
        }
        let bytes = MODIFIED_BASE64.decode(foreign).ok()?;
        let units = bytes.chunks_exact(2);
        if !units.remainder().is_empty() {
            return None;
        }
        let units = units.filter_map(|pair| <[u8; 2]>::try_from(pair).ok()).map(u16::from_be_bytes);
        name.push_str(&char::decode_utf16(units).collect::<Result<String, _>>().ok()?);
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn names_are_spelt_as_the_standard_says() {
        let check = |name: &str, expect: &str| {
            assert_eq!(encode(name), expect);
            assert_eq!(decode(expect).as_deref(), Some(name));
        };
        check("INBOX.Support", "INBOX.Support");
        check("R&D", "R&-D");
        check("Entwürfe", "Entw&APw-rfe");
        check("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
        check("📮", "&2D3c7g-");
    }
    #[test]
    fn what_is_not_spelt_so_is_no_name() {
        for wire in ["a&b", "&AP-", "&2D0-", "&@@@-", "&APw=-"] {
            assert_eq!(decode(wire), None, "{wire}");
        }
        assert_eq!(decode("Entw\u{fc}rfe").as_deref(), Some("Entw\u{fc}rfe"), "a server that sends UTF-8");
    }
}
