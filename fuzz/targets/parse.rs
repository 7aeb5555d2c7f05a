//! Any bytes are a message: it is parsed, its attachments can be read, and its conversation looked up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailmill::content::Content;
use mailmill::message::{AttachmentLimits, parse, read};
use mailmill::thread::{self, TagPlace, Tags, ThreadTag};

fuzz_target!(|data: &[u8]| {
    let message = parse(data, None);
    let content: Content = data.into();
    let mut again = read(&content, None).expect("what is in memory can be read");
    assert_eq!(again.subject, message.subject);
    assert_eq!(again.document.text(), message.document.text());
    AttachmentLimits::default().apply(&mut again.attachments);
    for attachment in &again.attachments {
        assert!(!attachment.name.contains(['/', '\\', '\0']), "a name leads elsewhere: {:?}", attachment.name);
    }
    let tags = ThreadTag::new("MessageID:", "#").into_iter().collect();
    let tags = Tags { tags, place: TagPlace::SubjectAndBody, own_ids: None };
    drop(thread::keys(&message, &tags));
});
