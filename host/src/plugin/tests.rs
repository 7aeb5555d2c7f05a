//! What plugins must not do, done by the guest `tests/guests/misbehave`, and files that are no plugins.

use super::capabilities::{Call, Level};
use super::sight::Sight;
use super::*;
use crate::field::DateTime;
use crate::message::document::CutKinds;
use crate::message::{Document, Message, parse};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

/// Longer than in production: the machine that runs the tests is busy. The loops end all the same.
const DEADLINE_MS: u64 = 1_000;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| engine(None));
static MISBEHAVE: LazyLock<Component> =
    LazyLock::new(|| ENGINE.load_bytes("misbehave.wasm", &guest("misbehave")).expect("a plugin"));

fn engine(cache_dir: Option<PathBuf>) -> Engine {
    let limits = Limits { deadline_ms: DEADLINE_MS, configure_deadline_ms: 10_000, ..Limits::default() };
    Engine::new(EngineSettings { cache_dir, compiler: Compiler::InProcess, limits }).expect("an engine")
}

/// An engine with these limits.
pub(super) fn engine_with(limits: Limits) -> Engine {
    Engine::new(EngineSettings { cache_dir: None, compiler: Compiler::InProcess, limits }).expect("an engine")
}

/// Cargo's target directory.
pub(super) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("../target"), PathBuf::from)
}

/// A component that `cargo xtask plugins` built for tests.
pub(super) fn guest(name: &str) -> Vec<u8> {
    let path = target().join("test-plugins").join(format!("{name}.wasm"));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask plugins`", path.display()))
}

pub(super) fn message(body: &str) -> Arc<Message> {
    let mut message = parse(b"", None);
    message.document = Document::from_plain(body);
    Arc::new(message)
}

pub(super) fn call(message: &Arc<Message>) -> Call {
    let kinds = CutKinds::ALL;
    let sight = Sight::new(message.clone(), Arc::default(), Arc::default(), &[], kinds, Arc::default());
    Call::new(Arc::new(sight), "step".into())
}

pub(super) fn config(rules: Value) -> PluginConfig {
    PluginConfig { rules, ..PluginConfig::default() }
}

fn run(rules: Value, body: &str) -> (Called<Verdict>, Instance) {
    let mut instance = MISBEHAVE.instantiate("step", &config(rules)).expect("the rules are fine");
    let called = instance.preprocess(call(&message(body)));
    (called, instance)
}

/// What a plugin does is answered with this sentence, and the instance is spent.
fn check_fault(does: &str, expect: &str) {
    let (called, instance) = run(json!({ "does": does }), "hello");
    let fault = called.result.expect_err(does);
    assert_eq!(fault.to_string(), expect, "{does}");
    assert_eq!(instance.is_spent(), !matches!(fault, Fault::Failure { .. }), "{does}");
}

#[test]
fn each_misdeed_is_named() {
    check_fault("loop", "it took longer than 1000 ms and was stopped (limit `deadline_ms`)");
    check_fault("allocate", "it asked for more than 65536 KiB of memory (limit `memory_mb`)");
    check_fault("recurse", "it used up its stack: endless recursion, or far too much data in local variables");
    check_fault(
        "call the host",
        "it called the host's functions more than 100000 times for one message (limit `host_calls_max`)",
    );
    check_fault("argument", "it handed over more than 8192 KiB at once (limit `copied_bytes_max`)");
    check_fault("output", "its rule names and replacements are more than 8192 KiB long (limit `output_bytes_max`)");
    check_fault("handles", "it holds more than 1024 patterns and selectors at the same time (limit `handles_max`)");
    check_fault(
        "span",
        "it called the host in a way that is not allowed: \
         the span 5..4294967295 does not fit a field of 5 bytes, or lies inside a character",
    );
    check_fault("give up", "it gave up: asked to give up (rule \"r1\")");
}

#[test]
fn a_panic_is_reported_with_its_text_and_place() {
    let (called, mut instance) = run(json!({ "does": "cut and panic" }), "hello");
    let Err(Fault::Panic(text)) = called.result else { panic!("{:?}", called.result) };
    assert!(text.starts_with("asked to panic (tests/guests/misbehave/src/lib.rs:"), "{text}");
    assert_eq!(called.effects.cuts, [], "its cuts are dropped");
    assert_eq!(called.effects.log.first().map(|line| line.text.as_str()), Some("kept"), "its log is kept");
    let again = instance.preprocess(call(&message("hello"))).result.expect_err("spent");
    assert!(again.to_string().starts_with("the instance was used again after a fault: it panicked"), "{again}");
}

#[test]
fn the_time_of_patterns_is_charged_to_the_plugin() {
    let (called, _) =
        run(json!({ "does": "slow pattern", "pattern": "[a-q][^u-z]{13}[u-z]" }), &"abcdefgh".repeat(100_000));
    let fault = called.result.expect_err("too slow").to_string();
    assert_eq!(fault, "it took longer than 1000 ms and was stopped (limit `deadline_ms`)");
}

#[test]
fn a_pattern_that_is_given_up_finds_nothing() {
    let mut instance = MISBEHAVE.instantiate("step", &config(json!({ "pattern": r"(a+)+(?=b)\1x|h" }))).expect("fine");
    let sources: Vec<_> = instance.bounded_patterns().iter().map(|pattern| pattern.source().to_owned()).collect();
    assert_eq!(sources, [r"(a+)+(?=b)\1x|h"]);
    let called = instance.preprocess(call(&message("hello")));
    assert_eq!((called.effects.cuts.len(), called.effects.given_up.len()), (1, 0));
    let called = instance.preprocess(call(&message(&"a".repeat(100))));
    assert_eq!((called.result, called.effects.cuts.len()), (Ok(Verdict::Next), 0));
    let given_up: Vec<_> = called.effects.given_up.iter().map(ToString::to_string).collect();
    let expect =
        r"the pattern `(a+)+(?=b)\1x|h` was given up: it backtracked more than 20000 times from one place of the text";
    assert_eq!(given_up, [expect]);
    assert!(!instance.is_spent());
    let called = instance.preprocess(call(&message("hello")));
    assert_eq!(called.effects.cuts.len(), 1, "the next message is another one");
}

#[test]
fn a_flood_of_log_is_cut_off() {
    let (called, _) = run(json!({ "does": "log" }), "hello");
    assert_eq!(called.result, Ok(Verdict::Next));
    let last = called.effects.log.last().expect("lines");
    assert_eq!((last.level, last.text.as_str()), (Level::Warn, "more than 65536 bytes of log: the rest is left out"));
}

#[test]
fn a_good_instance_serves_many_messages() {
    let mut instance = MISBEHAVE.instantiate("step", &config(json!({ "pattern": "l+" }))).expect("fine");
    for (body, expect) in [("hello", Some((2, 4))), ("none", None), ("al", Some((1, 2)))] {
        let called = instance.preprocess(call(&message(body)));
        assert_eq!(called.result, Ok(Verdict::Next));
        let cut = called.effects.cuts.first().map(|cut| (cut.span.start, cut.span.end));
        assert_eq!(cut, expect, "{body}");
    }
    assert!(!instance.is_spent());
    assert_eq!(run(json!({ "does": "stop" }), "").0.result, Ok(Verdict::Stop));
}

#[test]
fn an_instance_is_renewed_after_its_share_of_messages() {
    let limits = Limits { messages: 2, ..Limits::default() };
    let engine =
        Engine::new(EngineSettings { cache_dir: None, compiler: Compiler::InProcess, limits }).expect("starts");
    let component = engine.load_bytes("misbehave.wasm", &guest("misbehave")).expect("a plugin");
    let mut instance = component.instantiate("step", &config(Value::Null)).expect("fine");
    let mut spent = || {
        assert_eq!(instance.preprocess(call(&message("hello"))).result, Ok(Verdict::Next));
        instance.is_spent()
    };
    assert_eq!([spent(), spent()], [false, true]);
}

fn check_configure(rules: Value, expect: &str) {
    let error = MISBEHAVE.instantiate("step", &config(rules)).expect_err(expect).to_string();
    assert!(error.starts_with(expect), "{error}");
}

#[test]
fn wrong_rules_are_explained() {
    check_configure(json!({ "configure": "refuse" }), "configure: asked to refuse");
    check_configure(json!({ "pattern": "a(" }), "pattern: unclosed group");
    check_configure(json!({ "configure": "panic" }), "it panicked: asked to panic in configure (");
    check_configure(json!({ "configure": "read the mail" }), "it asked for the message outside a message");
}

#[test]
fn a_plugin_is_asked_only_for_what_its_world_has() {
    let mut instance = MISBEHAVE.instantiate("step", &config(Value::Null)).expect("fine");
    let fault = instance.extract(call(&message(""))).result.expect_err("no extractor").to_string();
    assert_eq!(fault, "it is a plugin of the world \"preprocessor\", but was asked as a \"extractor\"");
}

#[test]
fn an_extractor_makes_the_fields_that_it_declares() {
    let component = ENGINE.load_bytes("subject.wasm", &guest("subject")).expect("a plugin");
    assert_eq!(component.world(), World::Extractor);
    let mut instance = component.instantiate("step", &PluginConfig::default()).expect("fine");
    let declared: Vec<_> = instance.declares().iter().map(|field| (field.name.clone(), field.kind)).collect();
    let mut message = parse(b"", Some(DateTime { seconds: 60, offset_minutes: -90 }));
    message.subject = "Grüße".to_owned();
    let made = instance.extract(call(&Arc::new(message))).result.expect("fields");
    let types: Vec<_> =
        made.iter().map(|entry| (entry.name.clone(), entry.value.value_type().expect("a value"))).collect();
    assert_eq!(types, declared);
    let made: Vec<_> = made.iter().map(|entry| entry.value.to_string()).collect();
    assert_eq!(made, ["Grüße", "123.45", "1969-12-31T22:31:00-01:30"]);
}

#[test]
fn a_plugin_says_what_it_is() {
    let about = MISBEHAVE.about();
    assert_eq!((about.name.as_str(), about.summary.as_str()), ("misbehave", "does whatever a plugin must not"));
    assert_eq!(MISBEHAVE.world(), World::Preprocessor);
    assert_eq!(MISBEHAVE.hash().len(), 64);
    assert!(
        MISBEHAVE.imports().iter().all(|import| import.name.starts_with("mailmill:rules/")),
        "{:?}",
        MISBEHAVE.imports()
    );
}

fn check_load(bytes: &[u8], expect: &str) {
    assert_eq!(ENGINE.load_bytes("x.wasm", bytes).expect_err(expect).to_string(), expect);
}

#[test]
fn what_is_no_plugin_is_refused_with_the_reason() {
    check_load(b"hello, world, here I am", "plugin x.wasm: it is no WebAssembly: it starts with \"hello, world, he\"");
    check_load(b"", "plugin x.wasm: it is no WebAssembly: it starts with \"\"");
    check_load(
        b"\0asm\x01\0\0\0",
        "plugin x.wasm: it is a core module, not a component: make one of it, as `cargo xtask plugins` does",
    );
    check_load(
        b"\0asm\x0d\0\x01\0",
        "plugin x.wasm: it is no preprocessor, extractor or processor of mailmill: it exports nothing",
    );
    let whole = guest("misbehave");
    let error = ENGINE.load_bytes("x.wasm", &whole[..whole.len() / 2]).expect_err("cut short").to_string();
    assert!(error.starts_with("plugin x.wasm: it is damaged or cut short: unexpected end"), "{error}");
}

#[test]
fn what_is_not_granted_is_named() {
    let renamed = |from: &str, to: &str| {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        assert_eq!(from.len(), to.len(), "lengths are written before names");
        let mut bytes = guest("misbehave");
        let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
        for at in places {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        bytes
    };
    check_load(
        &renamed("mailmill:rules/edit@0.1.0", "wasi:filesys/types@0.2.10"),
        "plugin x.wasm: it wants what a plugin of the world \"preprocessor\" is not granted: \
         wasi:filesys/types@0.2.10 (cut, replace)",
    );
    check_load(
        &renamed("mailmill:rules/mail@0.1.0", "mailmill:rules/mail@0.2.0"),
        "plugin x.wasm: it was built for version 0.2.0 of mailmill:rules/mail, and this mailmill speaks 0.1.x: \
         build it again",
    );
}

#[test]
fn a_damaged_cache_is_not_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(Some(folder.path().join("cache")));
    let component = guest("misbehave");
    engine.load_bytes("misbehave.wasm", &component).expect("compiles");
    let entries =
        || fs::read_dir(folder.path().join("cache")).expect("a folder").map(|entry| entry.expect("one").path());
    let entry = entries().next().expect("an entry");
    let whole = fs::read(&entry).expect("readable");
    let damage = |bytes: &[u8]| {
        fs::write(&entry, bytes).expect("writable");
        engine.load_bytes("misbehave.wasm", &component).expect("compiles again");
        assert_eq!(fs::read(&entry).expect("readable").len(), whole.len(), "it is whole again");
    };
    damage(b"");
    damage(&whole[..whole.len() / 2]);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    damage(&flipped);
    assert_eq!(entries().count(), 1, "nothing half-written stays");
    fs::write(&entry, &whole).expect("writable");
    engine.load_bytes("misbehave.wasm", &component).expect("from the cache");
}

#[test]
fn a_compiler_that_fails_is_only_an_error() {
    let refuse = |program: &str| {
        let compiler = Compiler::Child(program.into());
        let engine = Engine::new(EngineSettings { cache_dir: None, compiler, limits: Limits::default() });
        let error = engine.expect("starts").load_bytes("x.wasm", &guest("misbehave")).expect_err("no compiler");
        error.to_string()
    };
    assert_eq!(refuse("/bin/false"), "plugin x.wasm: it cannot be compiled: the compiler ended with exit status: 1");
    assert_eq!(refuse("/bin/true"), "plugin x.wasm: it cannot be compiled: the compiler's answer is no machine code");
    assert!(
        refuse("/nowhere").starts_with("plugin x.wasm: it cannot be compiled: the compiler /nowhere does not start")
    );
}

#[cfg(unix)]
#[test]
fn what_the_child_compiles_is_loaded() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let component = guest("subject");
    let mut code = Vec::new();
    assert_eq!(compile_child(&component[..], &mut code), std::process::ExitCode::SUCCESS);
    fs::write(folder.path().join("code"), code).expect("writable");
    // Stands for our own executable, which does not exist in a unit test.
    let program = folder.path().join("child");
    let script = format!("#!/bin/sh\ncat >/dev/null; cat {}/code\n", folder.path().display());
    fs::write(&program, script).expect("writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("ours");
    let settings = EngineSettings { cache_dir: None, compiler: Compiler::Child(program), limits: Limits::default() };
    let engine = Engine::new(settings).expect("starts");
    assert_eq!(engine.load_bytes("subject.wasm", &component).expect("a plugin").about().name, "subject");
}

#[test]
fn rules_are_flattened_for_guests_without_json() {
    let settings = config(json!({ "rules": [{ "kind": "quote", "n": 1 }], "on": true })).to_contract().settings;
    let expect = [("rules.0.kind", "quote"), ("rules.0.n", "1"), ("on", "true")];
    assert_eq!(settings, expect.map(|(path, value)| (path.to_owned(), value.to_owned())));
}

/// What the guest that tries to get out gets, as `name: answer` lines.
fn tried(component: &Component, rules: Value) -> (Result<Vec<String>, Fault>, Vec<String>) {
    let mut instance = component.instantiate("step", &config(rules)).expect("fine");
    let called = instance.extract(call(&message("hello")));
    let log = called.effects.log.iter().map(|line| line.text.clone()).collect();
    let lines = called
        .result
        .map(|fields| fields.iter().map(|field| format!("{}: {}", field.name, field.value)).collect::<Vec<_>>());
    (lines, log)
}

#[test]
fn a_system_has_nothing_in_it() {
    let component = ENGINE.load_bytes("tries.wasm", &guest("tries")).expect("a plugin");
    let system: Vec<_> = component.imports().iter().filter(|import| import.is_system()).collect();
    assert!(system.iter().any(|import| import.name == "wasi:cli/environment@0.2.9"), "{system:?}");
    let (answers, log) = tried(&component, Value::Null);
    let expect = [
        "environment: []",
        "arguments: []",
        "folder: None",
        "directories: 0",
        "network: Err(ErrorCode { code: 1, name: \"access-denied\", message: \"\" })",
        "clocks: 0 0 0",
        "numbers: 16294208416658607535 [244, 101, 185]",
        "printed: true",
    ];
    assert_eq!(answers.as_deref(), Ok(&expect.map(str::to_owned)[..]));
    assert_eq!(log, ["printed, Grüße"]);
    assert_eq!(tried(&component, Value::Null).0, answers, "another instance gets the same");
    let fault = |does: &str| tried(&component, json!({ "does": does })).0.expect_err(does).to_string();
    assert_eq!(
        fault("exit"),
        "it asked the system for `wasi:cli/exit exit`: a plugin has no files, no network and no processes"
    );
    assert_eq!(fault("much"), "it handed over more than 8192 KiB at once (limit `copied_bytes_max`)");
}

/// The contract as it was released. If this fails, the copy was changed: it must not be.
const PINNED: (&str, &str) = (
    include_str!("../../../tests/guests/pinned-0-1-0/wit/rules.wit"),
    "f8b7533d155267bc84512148b655106d9c3f3a098ca3a3846e01631a2d715bd7",
);

#[test]
fn a_plugin_built_for_the_first_release_goes_on_working() {
    assert_eq!(compile::digest(PINNED.0.as_bytes()), PINNED.1);
    let component = ENGINE.load_bytes("pinned-0-1-0.wasm", &guest("pinned-0-1-0")).expect("a plugin");
    assert_eq!((component.about().name.as_str(), component.world()), ("pinned", World::Preprocessor));
    let refused = component.instantiate("step", &config(json!({ "pattern": "a(" }))).expect_err("no pattern");
    assert!(refused.to_string().starts_with("pattern: unclosed group"), "{refused}");
    let mut instance = component.instantiate("step", &config(json!({ "pattern": r"\d[\d.]*" }))).expect("fine");
    assert!(!instance.interest().is_empty(), "it says what it looks for");
    let called = instance.preprocess(call(&message("Grüße, 1.234 of them")));
    assert_eq!(called.result, Ok(Verdict::Next));
    let cuts: Vec<_> =
        called.effects.cuts.iter().map(|cut| (cut.span.start, cut.span.end, cut.rule.as_str())).collect();
    assert_eq!(cuts, [(9, 14, "pattern")]);
    let log: Vec<_> = called.effects.log.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(log, ["the number 1234"]);
}
