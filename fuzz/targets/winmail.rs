//! Any winmail.dat (MS-OXTNEF): it is opened, or left as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailmill::content::Content;
use mailmill::message::read;

/// Base64 without a dependency: the input must get through unchanged.
fn encoded(data: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(data.len() * 4 / 3 + 4);
    for piece in data.chunks(3) {
        let bits = piece.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - piece.len()));
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= piece.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

fuzz_target!(|data: &[u8]| {
    let message = format!(
        "From: a@client.example\r\nMIME-Version: 1.0\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        encoded(data)
    );
    let content: Content = message.as_bytes().into();
    let message = read(&content, None).expect("what is in memory can be read");
    let bytes: u64 = message.attachments.iter().map(|attachment| attachment.enclosure.size).sum();
    assert!(bytes <= 4 * data.len() as u64 + 4096, "{bytes} bytes out of {}", data.len());
    for attachment in &message.attachments {
        assert!(!attachment.name.contains(['/', '\\', '\0']), "a name leads elsewhere: {:?}", attachment.name);
    }
});
