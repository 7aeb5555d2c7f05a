//! The preprocess steps that are shipped, on the tests in their own rule files: natively, in the pipeline's order.
#![allow(clippy::expect_used, reason = "tests, with what they share")]

mod native;

use mailmill::message::document::{Cut, CutKind, CutKinds};
use mailmill::message::{Document, Message};
use mailmill::plugin::capabilities::Call;
use mailmill::plugin::patterns::PatternCache;
use mailmill::plugin::reading::{Finders, Reading};
use mailmill_sdk::{Config, Diagnostic, Failure, Preprocessor, Verdict};
use native::Native;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Plugin = Box<dyn Fn(&Native) -> Result<Verdict, Failure>>;

/// A step of a pipeline of preprocessors.
struct Step {
    name: Arc<str>,
    plugin: Plugin,
    interest: Finders,
}

impl Step {
    /// Configures a plugin.
    fn new<P: Preprocessor<Native> + 'static>(host: &Native, name: &str, rules: &str) -> Result<Self, Vec<Diagnostic>> {
        let config = Config { rules: rules.to_owned(), ..Config::default() };
        let plugin = P::configure(host, &config)?;
        let (interest, _) = host.configured();
        Ok(Self { name: name.into(), plugin: Box::new(move |host| plugin.preprocess(host)), interest })
    }
}

/// Runs preprocessors over a body, in order; the cuts that they make.
fn preprocess(host: &Native, steps: &[Step], body: Document) -> Result<Vec<Cut>, Failure> {
    let mut message: Message = mailmill::message::parse(b"\r\n", None);
    message.document = body;
    let message = Arc::new(message);
    let mut cuts = Vec::new();
    let reading = Reading::new(message, Arc::default(), Arc::default(), &[], CutKinds::ALL, Arc::default());
    let mut reading = Arc::new(reading);
    for step in steps {
        if !reading.concerns(&step.interest) {
            continue;
        }
        let call = Call::new(reading.clone(), step.name.clone());
        let (effects, verdict) = host.run(call, &step.plugin)?;
        cuts.extend(effects.cuts);
        reading = Arc::new(reading.without(&cuts, CutKinds::ALL));
        if verdict == Verdict::Stop {
            break;
        }
    }
    Ok(cuts)
}

#[derive(Deserialize)]
struct Pipeline {
    step: Vec<PipelineStep>,
}

#[derive(Deserialize)]
struct PipelineStep {
    name: String,
    hop: String,
    plugin: String,
    rules: String,
}

#[derive(Deserialize)]
struct RuleFile {
    #[serde(default)]
    test: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    html: String,
    expect: String,
    #[serde(default = "quotes")]
    drop: Vec<CutKind>,
}

fn quotes() -> Vec<CutKind> {
    vec![CutKind::Quote]
}

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn as_json(path: &Path) -> String {
    read::<serde_json::Value>(path).to_string()
}

fn step(host: &Native, plugin: &str, name: &str, rules: &str) -> Result<Step, Vec<Diagnostic>> {
    match plugin {
        "gmail" => Step::new::<gmail::Gmail<Native>>(host, name, rules),
        "outlook" => Step::new::<outlook::Outlook<Native>>(host, name, rules),
        "thunderbird" => Step::new::<thunderbird::Thunderbird<Native>>(host, name, rules),
        "apple-mail" => Step::new::<apple_mail::AppleMail<Native>>(host, name, rules),
        "plain-quote" => Step::new::<plain_quote::PlainQuote<Native>>(host, name, rules),
        other => panic!("no native plugin is called {other}"),
    }
}

/// The preprocess steps of the shipped pipeline, with the rule file of each.
fn shipped(host: &Native) -> Vec<(Step, PathBuf)> {
    let pipeline: Pipeline = read(&rules().join("pipeline.toml"));
    let steps = pipeline.step.iter().filter(|step| step.hop == "preprocess");
    let load = |found: &PipelineStep| {
        let path = rules().join(&found.rules);
        let step = step(host, &found.plugin, &found.name, &as_json(&path));
        (step.unwrap_or_else(|faults| panic!("{}: {faults:#?}", path.display())), path)
    };
    steps.map(load).collect()
}

fn cleaned(host: &Native, steps: &[Step], document: Document, kinds: CutKinds) -> String {
    let cuts = preprocess(host, steps, document.clone()).expect("no plugin gives up");
    document.view(&cuts, kinds).text().to_owned()
}

/// White space at line ends and around the text is nobody's concern.
fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    let mut tidy = lines.join("\n");
    while tidy.contains("\n\n\n") {
        tidy = tidy.replace("\n\n\n", "\n\n");
    }
    tidy
}

#[test]
fn the_tests_of_the_rule_files_hold() {
    let host = Native::new(PatternCache::default());
    let (steps, files): (Vec<Step>, Vec<PathBuf>) = shipped(&host).into_iter().unzip();
    let mut failed = Vec::new();
    let mut count = 0;
    for file in files {
        for case in read::<RuleFile>(&file).test {
            count += 1;
            let document =
                if case.html.is_empty() { Document::from_plain(&case.body) } else { Document::from_html(&case.html) };
            let found = tidy(&cleaned(&host, &steps, document, case.drop.into()));
            if found != tidy(&case.expect) {
                failed.push(format!("{}: {}\n{found}\n", file.display(), case.name));
            }
        }
    }
    assert!(count > 0, "there are no tests");
    assert!(failed.is_empty(), "{} of {count} failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn the_worst_bodies_are_survived() {
    const BODY_BYTES: usize = 1 << 20;
    let host = Native::new(PatternCache::default());
    let steps: Vec<Step> = shipped(&host).into_iter().map(|(step, _)| step).collect();
    for line in
        ["On ", "On 5/6 \n", "> a\n", "> a\nb\n", "wrote:\n", "From: a\n", "-- \n", "----\n", "Thanks\n", "a@b "]
    {
        let document = Document::from_plain(&line.repeat(BODY_BYTES / line.len()));
        preprocess(&host, &steps, document).expect("no plugin gives up");
    }
}
