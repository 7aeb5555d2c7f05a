//! What each target starts from: the messages, rules and settings of this repository, and short dialogues with servers.

use super::SEPARATOR;
use super::server::{NEXT, TAG};
use std::fs;
use std::path::{Path, PathBuf};

/// An input of a target.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The target's name.
    pub target: &'static str,
    /// A name of its own.
    pub name: String,
    /// The bytes.
    pub input: Vec<u8>,
}

/// In these dialogues a line of its own, `>`, stands for a line of the client, and `#` for its tag.
const IMAP: [&str; 4] = [
    "* OK [CAPABILITY IMAP4rev1 IDLE MOVE UIDPLUS] ready\n>\n# OK [CAPABILITY IMAP4rev1 IDLE MOVE UIDPLUS] in\n>\n\
     * LIST (\\HasNoChildren) \".\" INBOX\n* LIST () \".\" Other\n* LIST () \".\" Done\n# OK done\n>\n\
     * 2 EXISTS\n* OK [UIDVALIDITY 7] valid\n# OK [READ-ONLY] done\n>\n* 0 EXISTS\n* OK [UIDVALIDITY 8] valid\n# OK [READ-ONLY] done\n>\n\
     * 2 EXISTS\n* OK [UIDVALIDITY 7] valid\n# OK [READ-ONLY] done\n>\n\
     * 1 FETCH (UID 5 RFC822.SIZE 2)\n* 2 FETCH (UID 6 RFC822.SIZE 2)\n# OK done\n>\n\
     * 1 FETCH (UID 5 INTERNALDATE \" 1-Jan-2026 00:00:00 +0000\" BODY[] {3}\na\n)\n* 2 FETCH (BODY[] {3}\nb\n UID 6 FLAGS (\\Seen))\n# OK done\n>\n\
     # OK done\n>\n# OK [COPYUID 7 5:6 1:2] done\n>\n# OK done\n>\n* BYE\n# OK bye\n",
    "* PREAUTH ready\n>\n* CAPABILITY IMAP4rev1 LITERAL+ ID NAMESPACE\n# OK\n>\n* LIST (\\Noselect \\HasChildren) NIL \"\"\n* LIST () \"/\" {5}\nOther\n# OK\n>\n# NO [UNAVAILABLE] later\n",
    "* OK ready\n>\n* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=SCRAM-SHA-256 SASL-IR\n# OK\n>\n+ \n>\n# NO [AUTHENTICATIONFAILED] no\n",
    "* OK [CAPABILITY IMAP4rev2 AUTH=CRAM-MD5 LOGINDISABLED] ready\n>\n+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+\n>\n# BAD what\n",
];
const POP3: [&str; 3] = [
    "+OK ready\n>\n+OK\nUSER\nUIDL\nTOP\nPIPELINING\nRESP-CODES\n.\n>\n+OK\n>\n+OK in\n>\n+OK 2 6\n>\n+OK\n1 aa\n2 bb\n.\n>\n\
     +OK 2 messages\n1 3\n2 3\n.\n>\n+OK 3 octets\na\n.\n>\n+OK\n..b\n.\n>\n+OK\n>\n+OK\n>\n+OK bye\n",
    "+OK ready <1896.697170952@mail.example>\n>\n-ERR\n>\n-ERR [AUTH] no\n",
    "+OK\n>\n+OK\nSASL PLAIN SCRAM-SHA-1 NTLM\nSTLS\nEXPIRE NEVER\n.\n>\n+ \n>\n+OK\n>\n+OK 1 5\n>\n-ERR\n>\n+OK\n1 5\n.\n>\n+OK\nFrom: a\n\n.\n",
];
/// The signature of a winmail.dat, a key, and an attachment with a title (MS-OXTNEF section 2.1.3).
const WINMAIL: &[u8] = b"\x78\x9F\x3E\x22\x01\x00\
    \x02\x02\x90\x06\x00\x0E\0\0\0\x01\0\xFF\xFF\xFF\xFF\0\0\0\0\0\0\0\0\xFD\x03\
    \x02\x10\x80\x01\x00\x06\0\0\0a.txt\0\xAF\x01\
    \x02\x0F\x80\x06\x00\x01\0\0\0x\x78\x00";
const SELECTORS: [&str; 6] = [
    "div.gmail_quote",
    "blockquote[type=cite] p",
    "#a > b:not(.c), table tr:nth-child(2n)",
    "p:first-child + p ~ p[class^=x]",
    "div:has(> img), :is(a, b):empty",
    "[id*='x' i]:last-of-type",
];

/// All seeds, in a fixed order.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let messages = texts(&root.join("xtask/samples"), "eml");
    let cleaning = texts(&root.join("rules/preprocess"), "toml");
    let mut bodies: Vec<String> = cleaning.iter().flat_map(|file| tests(file)).collect();
    bodies.extend(texts(&root.join("tests/corpus/cleaning"), "toml").iter().flat_map(|file| tests(file)));
    let statements = texts(&root.join("rules/statements"), "toml");
    let whole = texts(&root.join("rules"), "toml");
    let mut all = Seeds::default();
    for message in &messages {
        all.add("parse", message.as_bytes());
        all.add("thread", message.split("\n\n").next().unwrap_or_default().as_bytes());
    }
    for (number, body) in bodies.iter().enumerate() {
        all.add("document", body.as_bytes());
        all.add("cuts", format!("\u{2}\u{1}abacdeebaf{body}").as_bytes());
        let selector = SELECTORS.get(number % SELECTORS.len()).copied().unwrap_or_default();
        all.add("selectors", format!("{selector}{SEPARATOR}{body}").as_bytes());
    }
    let fields: Vec<String> = whole.iter().filter(|file| file.contains("[[field]]")).cloned().collect();
    for (target, files) in [("rules", &cleaning), ("statements", &statements), ("fields", &fields)] {
        for (number, file) in files.iter().enumerate() {
            let message = messages.get(number % messages.len().max(1)).map_or("", String::as_str);
            all.add(target, format!("{}{SEPARATOR}{message}", without_tests(file)).as_bytes());
        }
    }
    let read = whole.iter().filter(|file| file.contains("\n[[step]]") || file.contains("\n[[class]]"));
    read.for_each(|file| all.add("files", file.as_bytes()));
    all.add("files", mailmill::config::job_example().as_bytes());
    for (target, dialogues) in [("imap", &IMAP[..]), ("pop3", &POP3[..])] {
        dialogues.iter().for_each(|dialogue| all.add(target, &said(dialogue)));
    }
    all.add("winmail", WINMAIL);
    all.0
}

/// Where a fuzzer wants the seeds of its target to be.
const FOLDER: &str = "MAILMILL_FUZZ_SEEDS";

/// Writes the seeds of a target into the folder that the environment names; nothing, if it names none.
#[allow(dead_code, reason = "for a fuzzer alone")]
pub fn offer(target: &str) {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    fs::create_dir_all(&folder).expect("a folder for the seeds");
    for seed in seeds().into_iter().filter(|seed| seed.target == target) {
        fs::write(folder.join(seed.name), seed.input).expect("a seed");
    }
}

#[derive(Default)]
struct Seeds(Vec<Seed>);

impl Seeds {
    fn add(&mut self, target: &'static str, input: &[u8]) {
        let name = format!("seed-{}", self.0.iter().filter(|seed| seed.target == target).count());
        self.0.push(Seed { target, name, input: input.to_vec() });
    }
}

/// A dialogue as the server's side of it.
fn said(dialogue: &str) -> Vec<u8> {
    let pieces = dialogue.split(">\n").map(|piece| piece.replace('\n', "\r\n").into_bytes());
    let joined = pieces.collect::<Vec<_>>().join(&NEXT);
    joined.into_iter().map(|byte| if byte == b'#' { TAG } else { byte }).collect()
}

/// The bodies in a file's tests, plain or HTML.
fn tests(file: &str) -> Vec<String> {
    let table: toml::Table = toml::from_str(file).unwrap_or_default();
    let tests = ["test", "case"].into_iter().filter_map(|key| table.get(key)?.as_array()).flatten();
    tests.filter_map(|test| Some(test.get("html").or_else(|| test.get("body"))?.as_str()?.to_owned())).collect()
}

/// A rule file without its tests, which are most of it and which no plugin sees.
fn without_tests(file: &str) -> String {
    file.split("\n[[test]]").next().unwrap_or_default().to_owned()
}

/// What the files of a folder with this ending hold, in the order of their names.
fn texts(folder: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == ending));
    paths.sort();
    let text = |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).expect("a file")).into_owned();
    paths.iter().map(text).collect()
}
