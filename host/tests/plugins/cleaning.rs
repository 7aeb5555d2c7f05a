//! The preprocess steps that are shipped, on the tests in their own rule files: natively, in the pipeline's order.

use crate::native::Native;
use mailmill::message::document::{Cut, CutKind, CutKinds};
use mailmill::message::{Document, Message};
use mailmill::plugin::capabilities::Call;
use mailmill::plugin::patterns::PatternCache;
use mailmill::plugin::sight::{Interest, Scanners, Sight};
use mailmill_sdk::{Config, Diagnostic, Failure, Preprocessor, Verdict};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Plugin = Box<dyn Fn(&Native) -> Result<Verdict, Failure>>;

/// A step of a pipeline of preprocessors.
struct Step {
    name: Arc<str>,
    plugin: Plugin,
    interest: Interest,
}

impl Step {
    /// Configures a plugin.
    fn new<P: Preprocessor<Native> + 'static>(host: &Native, name: &str, rules: &str) -> Result<Self, Vec<Diagnostic>> {
        let config = Config { rules: rules.to_owned(), ..Config::default() };
        let plugin = P::configure(host, &config)?;
        let interest = Scanners::default().interest(host.configured().0);
        Ok(Self { name: name.into(), plugin: Box::new(move |host| plugin.preprocess(host)), interest })
    }
}

/// Runs preprocessors over a body, in order; the cuts that they make.
fn preprocess(host: &Native, steps: &[Step], subject: &str, body: Document) -> Result<Vec<Cut>, Failure> {
    let mut message: Message = mailmill::message::parse(b"\r\n", None);
    message.subject = subject.to_owned();
    message.document = body;
    let message = Arc::new(message);
    let mut cuts = Vec::new();
    let sight = Sight::new(message, Arc::default(), Arc::default(), &[], CutKinds::ALL, Arc::default());
    let mut sight = Arc::new(sight);
    for step in steps {
        if !sight.concerns(&step.interest) {
            continue;
        }
        let call = Call::new(sight.clone(), step.name.clone());
        let (effects, verdict) = host.run(call, &step.plugin)?;
        cuts.extend(effects.cuts);
        sight = Arc::new(sight.without(&cuts, CutKinds::ALL));
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
    subject: String,
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

/// A rule file with the tables of the languages that it wants, as the host gives it to a plugin.
fn as_json(path: &Path, languages: &Map<String, Json>) -> String {
    let mut rules: Map<String, Json> = read(path);
    let wanted = rules.get("find").and_then(Json::as_array).cloned().unwrap_or_default();
    for table in wanted.iter().filter_map(Json::as_str) {
        let of = |(language, block): (&String, &Json)| Some((language.clone(), block.get(table)?.clone()));
        let filled: Map<String, Json> = languages.iter().filter_map(of).collect();
        if !filled.is_empty() {
            rules.insert(table.to_owned(), filled.into());
        }
    }
    Json::Object(rules).to_string()
}

fn step(host: &Native, plugin: &str, name: &str, rules: &str) -> Result<Step, Vec<Diagnostic>> {
    match plugin {
        "reply" => Step::new::<reply::Reply<Native>>(host, name, rules),
        other => panic!("no native plugin is called {other}"),
    }
}

/// The preprocess steps of the shipped pipeline, with the rule file of each.
fn shipped(host: &Native) -> Vec<(Step, PathBuf)> {
    let pipeline: Pipeline = read(&rules().join("pipeline.toml"));
    let languages: Map<String, Json> = read(&rules().join("languages.toml"));
    let steps = pipeline.step.iter().filter(|step| step.hop == "preprocess");
    let load = |found: &PipelineStep| {
        let path = rules().join(&found.rules);
        let step = step(host, &found.plugin, &found.name, &as_json(&path, &languages));
        (step.unwrap_or_else(|faults| panic!("{}: {faults:#?}", path.display())), path)
    };
    steps.map(load).collect()
}

fn cleaned(host: &Native, steps: &[Step], subject: &str, document: Document, kinds: CutKinds) -> String {
    let cuts = preprocess(host, steps, subject, document.clone()).expect("no plugin gives up");
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
            let found = tidy(&cleaned(&host, &steps, &case.subject, document, case.drop.into()));
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
    /// No step cuts more, whatever the body holds.
    const CUTS_MAX: usize = 5_000;
    let host = Native::new(PatternCache::default());
    let steps: Vec<Step> = shipped(&host).into_iter().map(|(step, _)| step).collect();
    let check = |name: &str, document: Document| {
        let cuts = preprocess(&host, &steps, "", document).expect("no plugin gives up").len();
        assert!(cuts <= CUTS_MAX, "{cuts} cuts in {name:?}");
    };
    let lines = [
        "On ",
        "On 5/6 \n",
        "> a\n",
        "> a\nb\n",
        ">",
        "wrote:\n",
        "wrote: ",
        "From: a\n",
        "From: a@b 2026-05-04 To: c\n",
        "-- \n",
        "----\n",
        "Thanks\n",
        "Sent from my \n",
        "a@b ",
        "On 2026-05-04 10:00, a@b wrote:\n> a\nb\n",
    ];
    for line in lines {
        check(line, Document::from_plain(&line.repeat(BODY_BYTES / line.len())));
    }
    check("a line of 10 MB", Document::from_plain(&"wrote: ".repeat(10 * BODY_BYTES / 7)));
    let tags = [
        "<div>",
        "<blockquote type=cite>",
        "<div class=gmail_quote><blockquote>a</blockquote>",
        "<blockquote>a</blockquote>b",
    ];
    for tag in tags {
        check(tag, Document::from_html(&format!("x{}y", tag.repeat(100_000))));
    }
}
