use super::nested::sent;
use super::*;
use proptest::prelude::*;

fn attribute(level: u8, tag: u32, data: &[u8]) -> Vec<u8> {
    let sum = data.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
    let length = u32::try_from(data.len()).unwrap();
    [&[level][..], &tag.to_le_bytes(), &length.to_le_bytes(), data, &sum.to_le_bytes()].concat()
}

fn property(kind: u16, id: u16, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap();
    let filler = vec![0; value.len().next_multiple_of(4) - value.len()];
    [&kind.to_le_bytes()[..], &id.to_le_bytes(), &1_u32.to_le_bytes(), &length.to_le_bytes(), value, &filler].concat()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// A `winmail.dat` with two files: one with an old short name, one with a long one and a Content-ID.
pub(in crate::message) fn winmail() -> Vec<u8> {
    let properties = [
        &4_u32.to_le_bytes()[..],
        &[&0x0003_u16.to_le_bytes()[..], &0x3705_u16.to_le_bytes(), &1_u32.to_le_bytes()].concat(),
        &property(0x001f, property::LONG_FILE_NAME, &utf16("Größe der Wohnung.pdf")),
        &property(0x001e, property::MEDIA_TYPE, b"application/PDF\0"),
        &property(0x001e, property::CONTENT_ID, b"<plan@example.org>\0"),
    ]
    .concat();
    [
        &SIGNATURE[..],
        &[1, 0],
        &attribute(1, 0x0008_9006, &[0, 0, 1, 0]),
        &attribute(2, tag::RENDERING, &[0; 14]),
        &attribute(2, tag::TITLE, b"notes.txt\0"),
        &attribute(2, tag::DATA, b"Remember the keys."),
        &attribute(2, tag::RENDERING, &[0; 14]),
        &attribute(2, tag::DATA, b"%PDF-1.7 plan"),
        &attribute(2, tag::TITLE, b"GROSSE~1.PDF\0"),
        &attribute(2, tag::PROPERTIES, &properties),
    ]
    .concat()
}

/// The content of a file in it.
fn content_of(raw: &[u8], file: &Packed) -> Vec<u8> {
    let content = &raw[usize::try_from(file.at.start).unwrap()..usize::try_from(file.at.end).unwrap()];
    assert_eq!(<[u8; 32]>::from(Sha256::digest(content)), file.sha256);
    content.to_vec()
}

/// A file of that name with these further attributes.
pub(in crate::message) fn file(name: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    [attribute(2, tag::RENDERING, &[0; 14]), attribute(2, tag::TITLE, name.as_bytes()), attributes.concat()].concat()
}

/// The content of a file.
pub(in crate::message) fn data(content: &[u8]) -> Vec<u8> {
    attribute(2, tag::DATA, content)
}

/// A `winmail.dat` without files that holds the text of its message.
pub(in crate::message) fn with_text(text: &str) -> Vec<u8> {
    packed(&[attribute(1, tag::BODY, text.as_bytes())])
}

fn properties(all: &[Vec<u8>]) -> Vec<u8> {
    [u32::try_from(all.len()).unwrap().to_le_bytes().to_vec(), all.concat()].concat()
}

pub(in crate::message) fn packed(attributes: &[Vec<u8>]) -> Vec<u8> {
    [&SIGNATURE[..], &[1, 0], &attributes.concat()].concat()
}

#[test]
fn the_files_are_found_with_their_names() {
    let raw = winmail();
    let opened = open(raw.as_slice()).unwrap().unwrap();
    assert!(!opened.is_partly && !opened.has_text);
    let shown: Vec<_> = opened
        .files
        .iter()
        .map(|file| {
            let content = String::from_utf8(content_of(&raw, file)).unwrap();
            (file.name.as_str(), file.media_type.as_str(), file.content_id.as_str(), content, file.seen.as_deref())
        })
        .collect();
    let plan = ("Größe der Wohnung.pdf", "application/PDF", "<plan@example.org>");
    assert_eq!(
        shown,
        [
            ("notes.txt", "", "", "Remember the keys.".to_owned(), None),
            (plan.0, plan.1, plan.2, "%PDF-1.7 plan".to_owned(), Some("application/pdf")),
        ]
    );
}

#[test]
fn nothing_in_it_is_lost_unseen() {
    let check = |attributes: &[Vec<u8>], files: &[(&str, &[u8])], is_partly: bool| {
        let raw = packed(attributes);
        let opened = open(raw.as_slice()).unwrap().unwrap();
        let found: Vec<_> = opened.files.iter().map(|file| (file.name.as_str(), content_of(&raw, file))).collect();
        let expect: Vec<_> = files.iter().map(|(name, content)| (*name, content.to_vec())).collect();
        assert_eq!((found, opened.is_partly), (expect, is_partly));
    };
    let object = |what: &[u8], content: &[u8]| {
        let value = property(kind::OBJECT, property::DATA, &[what, content].concat());
        attribute(2, tag::PROPERTIES, &properties(&[property(kind::NARROW, 0x3001, b"x\0"), value]))
    };
    let storage = [0x0b, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
    let inline =
        attribute(2, tag::PROPERTIES, &properties(&[property(kind::BINARY, property::DATA, b"in a property")]));
    // An empty file is one.
    check(&[file("empty", &[data(b"")])], &[("empty", b"")], false);
    // Objects, and contents that stand with the other properties, however long.
    check(&[file("ole", &[object(&storage, b"sheet")])], &[("ole", b"sheet")], false);
    check(&[file("ole", &[data(b""), object(&storage, b"sheet")])], &[("ole", b"sheet")], false);
    check(&[file("a", std::slice::from_ref(&inline))], &[("a", b"in a property")], false);
    let long = vec![7; 200_000];
    check(&[file("long", &[object(&storage, &long)])], &[("long", &long)], false);
    // Two contents of one file are one too many; twice the same is once.
    check(&[file("a", &[data(b"first"), inline.clone()])], &[("a", b"first")], true);
    check(&[file("a", &[data(b"in a property"), inline])], &[("a", b"in a property")], false);
    // A message is a file, too, if it is one of this kind. What has no content cannot be taken out.
    let message = object(&MESSAGE_OBJECT, &winmail());
    check(&[file("mail", &[message]), file("b", &[data(b"b")])], &[("mail", &winmail()), ("b", b"b")], false);
    let no_message = object(&MESSAGE_OBJECT, b"From: ann@example.org");
    check(&[file("mail", &[no_message]), file("b", &[data(b"b")])], &[("b", b"b")], true);
    check(&[file("short", &[object(&storage[..8], b"")])], &[], true);
    check(&[file("linked", &[])], &[], true);
    // Formatting alone is nothing to take out.
    check(&[attribute(1, 0x0008_9006, &[0, 0, 1, 0])], &[], false);
    let many: Vec<Vec<u8>> = (0..=ATTACHMENTS_MAX).map(|_| file("n", &[data(b"n")])).collect();
    check(&many, &vec![("n", b"n".as_slice()); ATTACHMENTS_MAX], true);
}

/// A file that is a message about the lamp, with a file of its own.
pub(in crate::message) fn message() -> Vec<u8> {
    let time = |id: u16, ticks: u64| [&kind::TIME.to_le_bytes()[..], &id.to_le_bytes(), &ticks.to_le_bytes()].concat();
    let about = [
        property(kind::WIDE, 0x0037, &utf16("Die Lampe")),
        property(kind::NARROW, 0x0c1f, b"/O=DESK/CN=ANN\0"),
        property(kind::WIDE, 0x0042, &utf16("Ann Lee")),
        time(0x0039, 134_142_876_000_000_000),
        property(kind::WIDE, 0x5d01, &utf16("ann@example.org")),
    ];
    let nested = packed(&[attribute(1, tag::MESSAGE_PROPERTIES, &properties(&about)), file("a.txt", &[data(b"a")])]);
    let value = property(kind::OBJECT, property::DATA, &[&MESSAGE_OBJECT[..], &nested].concat());
    file("Die Lampe", &[attribute(2, tag::PROPERTIES, &properties(&[value]))])
}

#[test]
fn a_message_in_it_says_what_it_is_about() {
    let raw = packed(&[message(), file("b", &[data(b"b")])]);
    let opened = open(raw.as_slice()).unwrap().unwrap();
    let text = str::to_owned;
    let expect = Nested {
        subject: text("Die Lampe"),
        sender_name: text("Ann Lee"),
        sender_address: text("ann@example.org"),
        sent: Some(text("2026-01-30 23:00")),
    };
    assert_eq!((opened.files.len(), opened.is_partly), (2, false));
    assert_eq!((&opened.files[0].message, &opened.files[1].message), (&Some(expect), &None));
    let content = content_of(&raw, &opened.files[0]);
    assert_eq!(open(content.as_slice()).unwrap().unwrap().files[0].name, "a.txt");
    // As far as it goes.
    for end in 0..content.len() {
        let _ = Nested::of(&content[..end]);
    }
    assert_eq!(sent(u64::MAX), None);
}

#[test]
fn a_text_of_its_own_is_seen() {
    let check = |attributes: &[Vec<u8>], expect: bool| {
        assert_eq!(open(packed(attributes).as_slice()).unwrap().unwrap().has_text, expect);
    };
    let of_message = |all: &[Vec<u8>]| attribute(1, tag::MESSAGE_PROPERTIES, &properties(all));
    check(&[attribute(1, tag::BODY, b"hello\0")], true);
    check(&[attribute(1, tag::BODY, b"\0")], false);
    check(&[of_message(&[property(kind::BINARY, 0x1009, &[1; 100_000])])], true);
    check(&[of_message(&[property(kind::NARROW, 0x0037, b"subject\0")])], false);
}

#[test]
fn what_is_damaged_cannot_be_opened() {
    let raw = winmail();
    for end in [0, 3, 5, 7, 30, raw.len() - 1] {
        assert_eq!(open(&raw[..end]).unwrap(), None, "{end}");
    }
    assert_eq!(open(&raw[..6]).unwrap(), Some(Opened::default()));
    assert_eq!(open(&b"PK\x03\x04 no such file at all"[..]).unwrap(), None);
    let huge = [&SIGNATURE[..], &[1, 0, 2], &tag::DATA.to_le_bytes(), &u32::MAX.to_le_bytes()].concat();
    assert_eq!(open(huge.as_slice()).unwrap(), None);
}

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..200) {
        let mut raw = winmail();
        let end = (at + bytes.len()).min(raw.len());
        let at = at.min(end);
        raw.splice(at..end, bytes);
        let length = u64::try_from(raw.len()).unwrap();
        for file in open(raw.as_slice()).unwrap().unwrap_or_default().files {
            prop_assert!(file.at.end <= length);
        }
    }
}
