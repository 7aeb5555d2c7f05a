//! Any header: what it refers to is looked up, and a tag in a subject is found wherever it stands.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailmill::thread::{self, BaseSubject, TagPlace, Tags, ThreadTag};
use mailmill_fuzz::message;

fuzz_target!(|header: &str| {
    let message = message(header);
    for place in [TagPlace::Subject, TagPlace::SubjectAndBody] {
        let tags = ["MessageID:", "[Case "].into_iter().filter_map(|prefix| ThreadTag::new(prefix, "]").ok()).collect();
        drop(thread::keys(&message, &Tags { tags, place, own_ids: None }));
    }
    drop(BaseSubject::of(&message.subject));
});
