//! What the fuzzer starts from: the messages and rules of this repository, and short dialogues with servers.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Between two parts of one input, as `fuzz/src/lib.rs` has it.
const SEPARATOR: &str = "\n=====\n";
/// Between two answers of a server, as `fuzz/src/server.rs` has it; `#` is the tag.
const NEXT: &str = "\u{1}";

const IMAP: [&str; 3] = [
    "* OK [CAPABILITY IMAP4rev1 IDLE MOVE UIDPLUS] ready\r\n\u{1}# OK [CAPABILITY IMAP4rev1 IDLE MOVE UIDPLUS] in\r\n\u{1}* LIST (\\HasNoChildren) \".\" INBOX\r\n\
     * LIST () \".\" Other\r\n* LIST () \".\" Done\r\n# OK done\r\n\u{1}* 2 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n# OK [READ-ONLY] done\r\n\u{1}\
     * 0 EXISTS\r\n* OK [UIDVALIDITY 8] valid\r\n# OK [READ-ONLY] done\r\n\u{1}* 1 FETCH (UID 5 RFC822.SIZE 2)\r\n* 2 FETCH (UID 6 RFC822.SIZE 2)\r\n# OK done\r\n\u{1}\
     * 1 FETCH (UID 5 INTERNALDATE \" 1-Jan-2026 00:00:00 +0000\" BODY[] {2}\r\na\n)\r\n* 2 FETCH (BODY[] {2}\r\nb\n UID 6 FLAGS (\\Seen))\r\n# OK done\r\n\u{1}\
     # OK done\r\n\u{1}# OK [COPYUID 7 5:6 1:2] done\r\n\u{1}# OK done\r\n\u{1}* BYE\r\n# OK bye\r\n",
    "* PREAUTH ready\r\n\u{1}* CAPABILITY IMAP4rev1\r\n# OK\r\n\u{1}# NO [UNAVAILABLE] later\r\n",
    "* OK ready\r\n\u{1}* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=SCRAM-SHA-256\r\n# OK\r\n\u{1}+ \r\n\u{1}# NO [AUTHENTICATIONFAILED] no\r\n",
];
const POP3: [&str; 2] = [
    "+OK ready\r\n\u{1}+OK\r\nUSER\r\nUIDL\r\nTOP\r\nPIPELINING\r\nRESP-CODES\r\n.\r\n\u{1}+OK\r\n\u{1}+OK in\r\n\u{1}+OK\r\n1 aa\r\n2 bb\r\n.\r\n\u{1}\
     +OK 2 messages\r\n1 3\r\n2 3\r\n.\r\n\u{1}+OK 3 octets\r\na\r\n.\r\n\u{1}+OK\r\n..b\r\n.\r\n\u{1}+OK\r\n\u{1}+OK\r\n\u{1}+OK bye\r\n",
    "+OK ready <1896.697170952@mail.example>\r\n\u{1}-ERR\r\n\u{1}-ERR [AUTH] no\r\n",
];
/// The signature of winmail.dat, a key, and an attachment with a title (MS-OXTNEF section 2.1.3).
const WINMAIL: [u8; 58] = [
    0x78, 0x9F, 0x3E, 0x22, 0x01, 0x00, // signature, key
    0x02, 0x02, 0x90, 0x06, 0x00, 0x0E, 0, 0, 0, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0xFD,
    0x03, // rendering
    0x02, 0x10, 0x80, 0x01, 0x00, 0x06, 0, 0, 0, b'a', b'.', b't', b'x', b't', 0, 0xAF, 0x01, // title
    0x02, 0x0F, 0x80, 0x06, 0x00, 0x01, 0, 0, 0, b'x', // data, without its sum
];

/// Writes the seeds of all targets; what the fuzzer has found before stays.
pub(super) fn write(root: &Path, corpus: &Path) -> Result<()> {
    let messages: Vec<String> =
        files(&root.join("xtask/samples"), "eml")?.iter().map(|path| read(path)).collect::<Result<_>>()?;
    let rule_files = |folder: &str| -> Result<Vec<String>> {
        files(&root.join("rules").join(folder), "toml")?.iter().map(|path| read(path)).collect()
    };
    let cleaning = rule_files("preprocess")?;
    let bodies: Vec<String> = cleaning.iter().flat_map(|file| tests(file)).collect();
    for (number, message) in messages.iter().enumerate() {
        for target in ["parse", "thread"] {
            seed(corpus, target, number, message.as_bytes())?;
        }
    }
    for (number, body) in bodies.iter().enumerate() {
        seed(corpus, "document", number, body.as_bytes())?;
        seed(corpus, "cuts", number, body.as_bytes())?;
        let selector =
            ["div.gmail_quote", "blockquote[type=cite] p", "#a > b:not(.c), table tr:nth-child(2n)"][number % 3];
        seed(corpus, "selectors", number, format!("{selector}{SEPARATOR}{body}").as_bytes())?;
    }
    let with_message = |target: &str, files: &[String]| -> Result<()> {
        for (number, file) in files.iter().enumerate() {
            let message = messages.get(number % messages.len().max(1)).map_or("", String::as_str);
            seed(corpus, target, number, format!("{file}{SEPARATOR}{message}").as_bytes())?;
        }
        Ok(())
    };
    with_message("rules", &cleaning)?;
    with_message("statements", &rule_files("statements")?)?;
    with_message("fields", &[read(&root.join("rules/fields.toml"))?])?;
    for (target, dialogues) in [("imap", IMAP.as_slice()), ("pop3", POP3.as_slice())] {
        for (number, dialogue) in dialogues.iter().enumerate() {
            let bytes: Vec<u8> =
                dialogue.bytes().map(|byte| if [byte] == NEXT.as_bytes() { 0xFF } else { byte }).collect();
            seed(corpus, target, number, &bytes)?;
        }
    }
    seed(corpus, "winmail", 0, &WINMAIL)
}

/// The messages in a rule file's own tests, plain or HTML.
fn tests(file: &str) -> Vec<String> {
    let Ok(table) = file.parse::<toml::Table>() else { return Vec::new() };
    let tests = table.get("test").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let text = |test: &toml::Value| test.get("html").or_else(|| test.get("body"))?.as_str().map(str::to_owned);
    tests.iter().filter_map(text).collect()
}

fn seed(corpus: &Path, target: &str, number: usize, content: &[u8]) -> Result<()> {
    let folder = corpus.join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("seed-{number}")), content)?;
    Ok(())
}

fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == ending)).collect();
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}
