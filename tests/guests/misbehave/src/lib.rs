//! A preprocessor for tests: its rules name the mischief that it does, such as `{"does": "loop"}`.

mod raw;

use mailmill_sdk::{
    About, Config, CutKind, Diagnostic, Failure, Field, Form, Host, Level, Plugin, Preprocessor, Reading, Span, Verdict,
};
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

mailmill_sdk::export_preprocessor!(Misbehave, "../../../wit");

/// The plugin.
#[derive(Debug)]
pub struct Misbehave<H: Host> {
    does: String,
    pattern: H::Pattern,
}

impl<H: Host> Plugin<H> for Misbehave<H> {
    const ABOUT: About =
        About { name: "misbehave", version: env!("CARGO_PKG_VERSION"), summary: "does whatever a plugin must not" };

    fn configure(host: &H, config: &Config) -> Result<Self, Vec<Diagnostic>> {
        let refuse =
            |path: &str, reason: String, offset| vec![Diagnostic { reason, path: vec![path.to_owned()], offset }];
        let rules: serde_json::Value =
            serde_json::from_str(&config.rules).map_err(|error| refuse("", error.to_string(), None))?;
        let text = |key: &str| rules.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        match text("configure") {
            "refuse" => return Err(refuse("configure", "asked to refuse".to_owned(), None)),
            "panic" => panic!("asked to panic in configure"),
            "read the mail" => drop(host.text(&Field::Body)),
            "cut the mail" => host.cut(Span { start: 0, end: 1 }, CutKind::Quote, "too early"),
            "loop" => endless(),
            "allocate" => allocate(),
            "recurse" => drop(black_box(recurse(1))),
            "handles" => handles(host),
            "many patterns" => many_patterns(host),
            "not utf-8" => return Err(refuse("configure", raw::not_utf8(), None)),
            "giant" => return Err(refuse("configure", raw::giant(), None)),
            _ => {}
        }
        let pattern = host.pattern(text("pattern")).map_err(|error| refuse("pattern", error.reason, error.offset))?;
        Ok(Self { does: text("does").to_owned(), pattern })
    }
}

impl<H: Host> Preprocessor<H> for Misbehave<H> {
    fn preprocess(&self, host: &H) -> Result<Verdict, Failure> {
        let give_up = |reason| Err(Failure { reason, rule: None });
        match self.does.as_str() {
            "panic" => panic!("asked to panic"),
            "cut and panic" => {
                host.cut(Span { start: 0, end: 1 }, CutKind::Quote, "lost");
                host.log(Level::Info, "kept");
                panic!("asked to panic");
            }
            "stop" => return Ok(Verdict::Stop),
            "give up" => return Err(Failure { reason: "asked to give up".to_owned(), rule: Some("r1".to_owned()) }),
            "not utf-8" => return give_up(raw::not_utf8()),
            "giant answer" => return give_up(raw::giant()),
            "long answer" => return give_up("x".repeat(32 << 20)),
            _ => self.use_up(host),
        }
        Ok(Verdict::Next)
    }
}

impl<H: Host> Misbehave<H> {
    /// Uses up whatever there is.
    fn use_up(&self, host: &H) {
        match self.does.as_str() {
            "loop" => endless(),
            "allocate" => allocate(),
            "recurse" => drop(black_box(recurse(1))),
            "call the host" => call_for_ever(host),
            "argument" => host.log(Level::Info, &"x".repeat(32 << 20)),
            "handles" => handles(host),
            "output" => output(host),
            "log" => (0..10_000).for_each(|_| host.log(Level::Info, "a line of thirty-two characters.")),
            "log for ever" => loop {
                host.log(Level::Info, &"x".repeat(1 << 20));
            },
            "slow pattern" => slow(host, &self.pattern),
            "exponential pattern" => (0..1_000_000).for_each(|_| drop(host.pattern("((((a{99}){99}){99}){99}){99}"))),
            "many patterns" => many_patterns(host),
            "html" => html(host),
            "read numbers" => read_numbers(host),
            "copy the body" => (0..1_000_000).for_each(|_| drop(black_box(host.text(&Field::Body)))),
            _ => self.lie(host),
        }
    }

    /// Hands over what makes no sense.
    fn lie(&self, host: &H) {
        let cut = |start, end| host.cut(Span { start, end }, CutKind::Quote, "a lie");
        match self.does.as_str() {
            "span" => cut(5, u32::MAX),
            "half a character" => cut(0, 2),
            "backwards" => cut(3, 1),
            "slice" => drop(host.slice(&Field::Body, Span { start: 1, end: 4_000_000 })),
            "overlapping cuts" => [(0, 3), (1, 5), (0, 1)].into_iter().for_each(|(start, end)| cut(start, end)),
            "overlapping replacements" => {
                host.replace(Span { start: 0, end: 3 }, "one", "first");
                host.replace(Span { start: 1, end: 5 }, "two", "second");
            }
            "many cuts" => (0..20_000).for_each(|_| cut(0, 1)),
            "not utf-8, to the host" => host.log(Level::Info, &raw::not_utf8()),
            "use after drop" => raw::use_after_drop(),
            "guess handles" => raw::guess_handles(),
            "confuse kinds" => raw::confuse_kinds(),
            "change its mind" => cut(0, SEEN.fetch_add(1, Ordering::Relaxed)),
            _ => {
                let found = host.find(&Field::Body, &self.pattern, 0);
                found.into_iter().for_each(|span| cut(span.start, span.end));
            }
        }
    }
}

/// What an instance keeps from one message to the next.
static SEEN: AtomicU32 = AtomicU32::new(1);

fn endless() {
    let mut turns = 0u64;
    while black_box(turns) < u64::MAX {
        turns = turns.wrapping_add(1) & 0xFFFF;
    }
}

fn allocate() {
    let mut kept = Vec::new();
    while kept.len() < 1_000_000 {
        kept.push(vec![1u8; 1 << 20]);
        black_box(&kept);
    }
}

fn recurse(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX {
        return depth;
    }
    let frame = black_box([depth; 64]);
    frame.iter().sum::<u64>().wrapping_add(recurse(depth + 1))
}

fn call_for_ever<H: Host>(host: &H) {
    while black_box(host.length(&Field::Subject)) < u32::MAX {}
}

fn handles<H: Host>(host: &H) {
    let kept: Vec<_> = (0..1_000_000).map(|_| host.pattern("a").ok()).collect();
    black_box(kept);
}

fn output<H: Host>(host: &H) {
    let rule = "r".repeat(1 << 20);
    (0..1_000).for_each(|_| host.cut(Span { start: 0, end: 1 }, CutKind::Quote, &rule));
}

fn slow<H: Host>(host: &H, pattern: &H::Pattern) {
    // What was found once is known: each search starts elsewhere.
    for start in 0..100_000 {
        black_box(host.find(&Field::Body, pattern, start));
    }
}

fn html<H: Host>(host: &H) {
    let whole = Span { start: 0, end: host.length(&Field::WholeBody) };
    (0..100_000).for_each(|_| drop(black_box(host.html(&Field::WholeBody, whole))));
}

fn read_numbers<H: Host>(host: &H) {
    let digits = "1,".repeat(1 << 20);
    let how = Reading::default();
    (0..100_000).for_each(|_| drop(black_box(host.read(&digits, Form::Decimal, &how))));
}

fn many_patterns<H: Host>(host: &H) {
    for number in 0u32.. {
        drop(host.pattern(&format!("{number}(?i:[a-zß-ž]{{1,40}}){{1,3}}")));
    }
}
