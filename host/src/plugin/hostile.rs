//! A hostile plugin in every way that we know: each ends in time, with a sentence of its own, and its neighbours notice nothing.

use super::tests::{call, config, engine_with, guest, message};
use super::*;
use serde_json::json;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What is in force in an installation unless its settings say otherwise, but for the time: what is no endless misdeed has to be
/// over within it in a build that is not optimised too.
const DEADLINE_MS: u64 = 250;
/// Processor time.
const OVERRUN_MAX: Duration = Duration::from_millis(20);
/// What no attempt may take.
const OVERRUN_EVER: Duration = Duration::from_millis(100);
/// How often a misdeed that took longer is tried: this program is not optimised, and the machine that runs the tests is busy with others.
const ATTEMPTS_MAX: u32 = 3;

/// What a misdeed came to, and the processor time that it took.
type Told = (Result<(), String>, Duration);

static MISBEHAVE: LazyLock<Component> = LazyLock::new(|| {
    let limits = Limits { deadline_ms: DEADLINE_MS, configure_deadline_ms: 2_000, ..Limits::default() };
    engine_with(limits).load_bytes("misbehave.wasm", &guest("misbehave")).expect("a plugin")
});

/// What it does while it handles a message, and the sentence that this ends with (its beginning, or one of two: on a busy machine
/// the time may be up first). Empty: no fault.
const MISDEEDS: [(&str, &str); 33] = [
    ("loop", "it took longer than 250 ms"),
    ("recurse", "it used up its stack"),
    ("allocate", "it asked for more than 65536 KiB of memory|it took longer"),
    ("call the host", "it called the host's functions more than 100000 times|it took longer"),
    ("panic", "it panicked: asked to panic"),
    ("give up", "it gave up: asked to give up"),
    ("argument", "it handed over more than 8192 KiB at once|it took longer"),
    ("output", "its rule names and replacements are more than 8192 KiB long|it took longer"),
    ("long answer", "it handed over more than 8192 KiB at once|it took longer"),
    ("giant answer", "it crashed: string pointer/length out of bounds"),
    ("not utf-8", "it crashed: invalid utf-8"),
    ("not utf-8, to the host", "it crashed: invalid utf-8"),
    ("span", "it called the host in a way that is not allowed: the span 5..4294967295"),
    ("half a character", "it called the host in a way that is not allowed: the span 0..2 does not fit"),
    ("backwards", "it called the host in a way that is not allowed: the span 3..1 does not fit"),
    ("slice", "it called the host in a way that is not allowed: the span 1..4000000 does not fit"),
    ("overlapping cuts", ""),
    ("overlapping replacements", "it called the host in a way that is not allowed: the replacement 1..5 overlaps"),
    ("many cuts", "it called the host in a way that is not allowed: more than 10000 cuts|it took longer"),
    ("handles", "it holds more than 1024 patterns|it took longer"),
    ("use after drop", "it crashed: unknown handle index"),
    ("guess handles", "it crashed: unknown handle index"),
    ("confuse kinds", "it crashed: handle index"),
    ("log", ""),
    ("log for ever", "it took longer than 250 ms"),
    ("exponential pattern", "it took longer than 250 ms"),
    ("many patterns", "it took longer than 250 ms"),
    ("slow pattern", "it took longer than 250 ms"),
    ("html", "it took longer than 250 ms"),
    ("read numbers", "it took longer than 250 ms"),
    ("copy the body", "it took longer than 250 ms"),
    ("stop", ""),
    ("change its mind", ""),
];

/// The same, while it takes its rules.
const MISDEEDS_OVER_RULES: [(&str, &str); 10] = [
    ("panic", "it panicked: asked to panic in configure"),
    ("refuse", "configure: asked to refuse"),
    ("read the mail", "it asked for the message outside a message"),
    ("cut the mail", "it asked for the message outside a message"),
    ("loop", "it took longer than 2000 ms"),
    ("allocate", "it asked for more than 65536 KiB of memory"),
    ("recurse", "it used up its stack"),
    ("handles", "it holds more than 1024 patterns"),
    ("not utf-8", "it crashed: invalid utf-8"),
    ("giant", "it crashed: string pointer/length out of bounds"),
];

/// A long body, with characters of two bytes from its second byte on.
fn body() -> String {
    "aößü ".to_owned() + &"abcdefgh <b>1,234</b> ".repeat(20_000)
}

/// Says what a misdeed comes to; panics if it is another sentence, or takes too long each time. What is over only now and then is the
/// machine's.
fn check(kind: &str, does: &str, expect: &str, limit: Duration, mut misdeed: impl FnMut() -> Told) {
    for attempt in 1..=ATTEMPTS_MAX {
        let (outcome, took) = misdeed();
        let told = outcome.err().unwrap_or_default();
        let over = took.saturating_sub(limit);
        eprintln!("{kind:<9} {does:<26} {:>5} ms, {:>4} ms over  {told:.90}", took.as_millis(), over.as_millis());
        let is_expected = expect.split('|').any(|expect| told.starts_with(expect));
        assert!(is_expected && told.is_empty() == expect.is_empty(), "{does}: {told}");
        if over <= OVERRUN_MAX {
            return;
        }
        assert!(attempt < ATTEMPTS_MAX && over <= OVERRUN_EVER, "{does}: {} ms over its time", over.as_millis());
    }
}

#[test]
fn each_misdeed_ends_in_time_and_its_neighbours_notice_nothing() {
    let body = message(&body());
    let (done, served) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let good = || MISBEHAVE.instantiate("good", &config(json!({ "pattern": "l+" }))).expect("fine");
            let (mut instance, hello) = (good(), message("hello"));
            while !done.load(Ordering::Relaxed) {
                let called = instance.preprocess(call(&hello));
                assert_eq!((called.result, called.effects.cuts.len()), (Ok(Verdict::Next), 1), "a good neighbour");
                if instance.is_spent() {
                    instance = good();
                }
                served.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        // Whatever happens here, the neighbour's thread ends.
        let misdeeds = std::panic::catch_unwind(|| {
            for (does, expect) in MISDEEDS {
                let rules = config(json!({ "does": does, "pattern": "[a-q][^u-z]{13}[u-z]" }));
                check("message", does, expect, Duration::from_millis(DEADLINE_MS), || {
                    let mut instance = MISBEHAVE.instantiate("hostile", &rules).expect("fine");
                    let used = clock::used();
                    let called = instance.preprocess(call(&body));
                    let took = clock::used() - used;
                    let is_whole = called.result.is_ok() || called.effects.cuts.is_empty();
                    assert!(is_whole, "{does}: what a faulty plugin has cut is dropped");
                    (called.result.map(drop).map_err(|fault| fault.to_string()), took)
                });
            }
            for (does, expect) in MISDEEDS_OVER_RULES {
                check("configure", does, expect, Duration::from_millis(2_000), || {
                    let used = clock::used();
                    let made = MISBEHAVE.instantiate("hostile", &config(json!({ "configure": does })));
                    (made.map(drop).map_err(|error| error.to_string()), clock::used() - used)
                });
            }
        });
        done.store(true, Ordering::Relaxed);
        misdeeds.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    assert!(served.load(Ordering::Relaxed) > 100, "the neighbour was served only {served:?} times");
}

#[test]
fn what_a_plugin_keeps_goes_with_its_instance() {
    let (rules, body) = (config(json!({ "does": "change its mind" })), message("hello"));
    let end = |instance: &mut Instance| {
        let called = instance.preprocess(call(&body));
        called.effects.cuts.first().map(|cut| cut.span.end)
    };
    let mut kept = MISBEHAVE.instantiate("kept", &rules).expect("fine");
    assert_eq!([end(&mut kept), end(&mut kept)], [Some(1), Some(2)], "the guest does change its mind");
    for _ in 0..3 {
        // As for each message, unless the pipeline grants `reuse`.
        let mut fresh = MISBEHAVE.instantiate("fresh", &rules).expect("fine");
        assert_eq!(end(&mut fresh), Some(1), "nothing of another message, or of another instance");
    }
}

/// What the worlds grant, to be changed here on purpose only. `types` has no functions.
const GRANTED: [&str; 5] = ["lookup", "log", "mail", "patterns", "types"];
const GRANTED_TO_PREPROCESSORS: [&str; 2] = ["edit", "wake"];

#[test]
fn shipped_plugins_import_what_is_granted_and_nothing_else() {
    let engine = engine_with(Limits::default());
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(super::tests::target().join("plugins")).expect("run `cargo xtask plugins`") {
        let path = entry.expect("a file").path();
        let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|end| end == "wasm")) else {
            continue;
        };
        let component = engine.load(&path).expect("a plugin");
        let imports: Vec<&str> = component.imports().iter().map(|import| import.name.as_str()).collect();
        for import in &imports {
            let interface = import.strip_prefix("mailmill:rules/").and_then(|rest| rest.strip_suffix("@0.1.0"));
            let interface = interface.unwrap_or_else(|| panic!("{}: a foreign import: {import}", path.display()));
            let more: &[&str] = if component.world() == World::Preprocessor { &GRANTED_TO_PREPROCESSORS } else { &[] };
            let is_granted = GRANTED.contains(&interface) || more.contains(&interface);
            assert!(is_granted, "{}, a {}: {import}", path.display(), component.world());
        }
        eprintln!("{}: {}", path.display(), imports.join(", "));
        seen.push(name.to_string_lossy().into_owned());
    }
    seen.sort();
    assert_eq!(seen, ["fields", "reply", "statements"], "every shipped plugin is looked at");
    let granted: Vec<_> = World::ALL.iter().map(|world| world.grants().len()).collect();
    assert_eq!(granted, [7, 5, 5], "what the worlds grant is what this test knows of");
}
