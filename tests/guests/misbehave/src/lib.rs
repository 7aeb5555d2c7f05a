//! A preprocessor for tests: its rules name the mischief that it does, such as `{"does": "loop"}`.

use mailmill_sdk::{
    About, Config, CutKind, Diagnostic, Failure, Field, Host, Level, Plugin, Preprocessor, Span, Verdict,
};
use std::hint::black_box;

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
            _ => {}
        }
        let pattern = host.pattern(text("pattern")).map_err(|error| refuse("pattern", error.reason, error.offset))?;
        Ok(Self { does: text("does").to_owned(), pattern })
    }
}

impl<H: Host> Preprocessor<H> for Misbehave<H> {
    fn preprocess(&self, host: &H) -> Result<Verdict, Failure> {
        match self.does.as_str() {
            "loop" => endless(),
            "panic" => panic!("asked to panic"),
            "allocate" => allocate(),
            "recurse" => drop(black_box(recurse(1))),
            "call the host" => call_for_ever(host),
            "argument" => host.log(Level::Info, &"x".repeat(32 << 20)),
            "handles" => handles(host),
            "output" => output(host),
            "span" => host.cut(Span { start: 5, end: u32::MAX }, CutKind::Quote, "too far"),
            "log" => (0..10_000).for_each(|_| host.log(Level::Info, "a line of thirty-two characters.")),
            "give up" => return Err(Failure { reason: "asked to give up".to_owned(), rule: Some("r1".to_owned()) }),
            "cut and panic" => {
                host.cut(Span { start: 0, end: 1 }, CutKind::Quote, "lost");
                host.log(Level::Info, "kept");
                panic!("asked to panic");
            }
            "stop" => return Ok(Verdict::Stop),
            "slow pattern" => slow(host, &self.pattern),
            _ => {
                let found = host.find(&Field::Body, &self.pattern, 0);
                found.into_iter().for_each(|span| host.cut(span, CutKind::Quote, "found"));
            }
        }
        Ok(Verdict::Next)
    }
}

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
    (0..100_000).for_each(|_| drop(black_box(host.find_all(&Field::Body, pattern, u32::MAX))));
}
