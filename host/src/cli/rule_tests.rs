//! `mailmill test`: the own tests of rule files, run and shown.

use super::{Done, Failure, Global, print, print_json};
use crate::config::replace_text;
use crate::paint::{Paint, Style, stdout_has_colour, tame};
use crate::plugin::Engine;
use crate::project::Project;
use crate::rules::{Coverage, Reach, RuleSet, TestResult, TestRun, Untested};
use anyhow::Context as _;
use clap::Args;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

mod junit;

/// The file that lists the steps: the folder that has it holds rules.
/// The most lines of a plugin's log that are shown below a test that failed.
const LOG_LINES_SHOWN: usize = 20;
const PIPELINE: &str = "pipeline.toml";

#[derive(Debug, Args)]
#[command(after_help = "\
Each [[test]] of a rule file is a small message and what is expected of it; docs/writing-rules.md shows how one is \
written. Neither a job nor a database is needed. The rules are loaded as a whole, because a test runs with all \
steps that jobs are recommended; PATH says which tests are run.

Coverage says which rules, fields and branches no test reaches, as far as the reports of the runs tell: a rule is \
reached once it has proposed a cut, a field once it has a value (which may be its default), a branch once its \
condition held. What the reports do not tell counts as not reached: a rule that matched only what another one had \
cut before, a statement without a condition that asked for nothing.

Exit code 1: a test failed.")]
pub(super) struct Options {
    /// A rule file, or a folder with some [default: the rules of the settings]
    path: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// What is made of the results.
#[derive(Debug, Args)]
pub(super) struct How {
    /// Rewrite what the tests expect to what was found, after asking; comments and form stay
    #[arg(long)]
    update: bool,
    /// Do not ask
    #[arg(long, requires = "update")]
    yes: bool,
    /// Say which rules, fields and branches no test reaches
    #[arg(long)]
    coverage: bool,
    /// Write the results to this file, as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The rules that are tested, and which of their files.
struct Chosen {
    rules: PathBuf,
    /// None: all files.
    part: Option<PathBuf>,
}

impl Chosen {
    /// Whether the tests of a file are run.
    fn has(&self, file: &Path) -> bool {
        self.part.as_ref().is_none_or(|part| file.canonicalize().is_ok_and(|file| file.starts_with(part)))
    }

    /// How a file is called: from the folder of the rules.
    fn name<'a>(&self, file: &'a Path) -> &'a Path {
        file.strip_prefix(&self.rules).unwrap_or(file)
    }
}

pub(super) fn run(global: &Global, options: &Options) -> Done {
    let rules = options.path.as_deref().map(rules_of).transpose()?;
    let given = rules.as_ref().map(|chosen| chosen.rules.clone()).or_else(|| global.rules.clone());
    let global = Global { config: global.config.clone(), rules: given, plugins: global.plugins.clone() };
    let config = global.load_or_default()?;
    let chosen = rules.unwrap_or_else(|| Chosen { rules: config.rules.clone(), part: None });
    let engine = super::engine(&config)?;
    let load = || RuleSet::load_untested(&config.rules, &config.plugins, &engine).map_err(Failure::Diagnostics);
    let untested = load()?;
    let files: Vec<PathBuf> = untested.files().into_iter().filter(|file| chosen.has(file)).collect();
    if let (Some(path), true) = (&options.path, files.is_empty()) {
        return Err(anyhow::anyhow!("no step of {PIPELINE} uses {}", path.display()).into());
    }
    run_and_show(untested, files, load, &chosen, &options.how)
}

/// Runs the cases of a plugin that is being written.
pub(super) fn run_project(project: &Project, engine: &Engine, how: &How) -> Done {
    let rules = project.folder.canonicalize().with_context(|| format!("cannot find {}", project.folder.display()))?;
    let project = Project { folder: rules.clone(), manifest: project.manifest.clone() };
    let load = || project.load(engine).map_err(Failure::Diagnostics);
    let untested = load()?;
    let files = untested.files();
    run_and_show(untested, files, load, &Chosen { rules, part: None }, how)
}

fn run_and_show(
    mut untested: Untested,
    files: Vec<PathBuf>,
    load: impl Fn() -> Result<Untested, Failure>,
    chosen: &Chosen,
    options: &How,
) -> Done {
    let mut tested = Tested::run(&mut untested, files, chosen, options.coverage);
    if !options.json {
        print(&tested.account(chosen, Paint::new(stdout_has_colour())))?;
    }
    if options.update && update(&tested.runs, chosen, options)? {
        untested = load()?;
        tested = Tested::run(&mut untested, tested.files, chosen, options.coverage);
        if !options.json {
            print(&format!("now {}\n", tested.summary()))?;
        }
    }
    if let Some(path) = &options.junit {
        let written = std::fs::write(path, junit::report(&tested.runs, |file| chosen.name(file)));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    if options.json {
        print_json(&tested.json(chosen))?;
    }
    if tested.failed() == 0 { Ok(()) } else { Err(Failure::Silent) }
}

/// The rules that a path belongs to: those of the nearest folder above it that has a pipeline.
fn rules_of(path: &Path) -> Result<Chosen, Failure> {
    let part = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
    let rules = part.ancestors().find(|folder| folder.join(PIPELINE).is_file());
    let rules = rules.with_context(|| {
        format!("{} belongs to no rules: neither it nor a folder above it has a {PIPELINE}", path.display())
    })?;
    Ok(Chosen { rules: rules.to_owned(), part: (part != rules).then_some(part.clone()) })
}

/// The tests of some files, run.
struct Tested {
    files: Vec<PathBuf>,
    runs: Vec<TestRun>,
    coverage: Option<Vec<Coverage>>,
}

impl Tested {
    fn run(untested: &mut Untested, files: Vec<PathBuf>, chosen: &Chosen, with_coverage: bool) -> Self {
        // What the tests of another file reach is reached.
        let mut runs = untested.run_tests(|file| with_coverage || files.iter().any(|wanted| wanted == file));
        let coverage = with_coverage.then(|| untested.coverage(&runs, |file| chosen.has(file)));
        runs.retain(|run| files.contains(&run.file));
        Self { files, runs, coverage }
    }

    fn failed(&self) -> usize {
        self.runs.iter().filter(|run| !run.passed()).count()
    }

    fn summary(&self) -> String {
        let (all, failed) = (self.runs.len(), self.failed());
        let tests = if all == 1 { "1 test".to_owned() } else { format!("{all} tests") };
        let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        format!("{tests}: {} passed{failures}", all - failed)
    }

    fn account(&self, chosen: &Chosen, paint: Paint) -> String {
        let mut text = String::new();
        let name = |file: &Path| chosen.name(file).display().to_string();
        let width = self.files.iter().map(|file| name(file).chars().count()).max().unwrap_or_default();
        for file in &self.files {
            let runs: Vec<&TestRun> = self.runs.iter().filter(|run| run.file == *file).collect();
            let _ = writeln!(text, "{:<width$}  {}", name(file), counted(&runs, paint));
            for run in runs.iter().filter(|run| !run.passed()) {
                text.push_str(&failure(run, paint));
            }
        }
        for coverage in self.coverage.iter().flatten() {
            text.push_str(&gaps(coverage, paint));
        }
        if let Some(coverage) = &self.coverage {
            let places: Vec<Reach> = coverage.iter().flat_map(|step| &step.places).map(|place| place.reach).collect();
            let reached = places.iter().filter(|reach| **reach == Reach::Reached).count();
            let _ = writeln!(text, "coverage: {reached} of {} rules, fields and branches are reached", places.len());
        }
        let style = if self.failed() == 0 { Style::Good } else { Style::Bad };
        let _ = writeln!(text, "{}", paint.paint(style, self.summary()));
        text
    }

    fn json(&self, chosen: &Chosen) -> serde_json::Value {
        let test = |run: &TestRun| {
            let (difference, reason) = match &run.result {
                TestResult::Passed => (None, None),
                TestResult::Different { difference, .. } => (Some(difference.clone()), None),
                TestResult::Failed(_) | TestResult::Invalid(_) => (None, Some(reason(run))),
            };
            serde_json::json!({
                "file": chosen.name(&run.file), "line": run.line, "step": &*run.step, "name": run.name,
                "passed": run.passed(), "difference": difference, "reason": reason, "log": run.log,
            })
        };
        serde_json::json!({
            "ok": self.failed() == 0,
            "passed": self.runs.len() - self.failed(),
            "failed": self.failed(),
            "files": self.files.iter().map(|file| chosen.name(file)).collect::<Vec<_>>(),
            "tests": self.runs.iter().map(test).collect::<Vec<_>>(),
            "coverage": self.coverage,
        })
    }
}

fn counted(runs: &[&TestRun], paint: Paint) -> String {
    let failed = runs.iter().filter(|run| !run.passed()).count();
    match (runs.len(), failed) {
        (0, _) => paint.paint(Style::Dim, "no tests"),
        (all, 0) => format!("{all} {}", paint.paint(Style::Good, "passed")),
        (all, failed) => format!("{} passed, {}", all - failed, paint.paint(Style::Bad, format!("{failed} failed"))),
    }
}

/// A test that did not pass, and why.
fn failure(run: &TestRun, paint: Paint) -> String {
    let mut text = format!("  line {}: {}\n", run.line, paint.paint(Style::Bad, tame(&run.name)));
    let why = match &run.result {
        TestResult::Different { difference, .. } => difference.clone(),
        TestResult::Passed | TestResult::Failed(_) | TestResult::Invalid(_) => reason(run),
    };
    for line in tame(&why).lines() {
        let styled = match (&run.result, line.chars().next()) {
            (TestResult::Different { .. }, Some('-')) => paint.paint(Style::Bad, line),
            (TestResult::Different { .. }, Some('+')) => paint.paint(Style::Good, line),
            _ => line.to_owned(),
        };
        let _ = writeln!(text, "    {styled}");
    }
    for line in run.log.iter().take(LOG_LINES_SHOWN).flat_map(|line| line.text.lines()) {
        let _ = writeln!(text, "    {}", paint.paint(Style::Dim, format!("log: {}", tame(line))));
    }
    text
}

/// Why a test came to nothing that could be compared.
fn reason(run: &TestRun) -> String {
    match &run.result {
        TestResult::Passed => String::new(),
        TestResult::Different { difference, .. } => difference.clone(),
        TestResult::Failed(reason) => reason.clone(),
        TestResult::Invalid(diagnostics) => {
            let sentences = diagnostics.iter().map(|diagnostic| {
                let help = diagnostic.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
                format!("{}{help}", diagnostic.reason)
            });
            sentences.collect::<Vec<_>>().join("\n")
        }
    }
}

/// What no test reaches in the rules of a step; nothing if all is reached.
fn gaps(coverage: &Coverage, paint: Paint) -> String {
    let of = |wanted: Reach| coverage.places.iter().filter(move |place| place.reach == wanted);
    let mut text = String::new();
    for place in of(Reach::Missed) {
        let _ = writeln!(text, "{} {}: no test reaches {}", coverage.hop, coverage.step, tame(&place.what));
    }
    for place in of(Reach::Unknown) {
        let (hop, step, what) = (coverage.hop, &coverage.step, tame(&place.what));
        let line = format!("{hop} {step}: what reaches {what} cannot be told");
        let _ = writeln!(text, "{}", paint.paint(Style::Dim, line));
    }
    text
}

/// Rewrites what the tests expect. Returns whether anything was written.
fn update(runs: &[TestRun], chosen: &Chosen, options: &How) -> Result<bool, Failure> {
    let rewritten = TestRun::updated(runs)?;
    let expectations: usize = rewritten.iter().map(|file| file.expectations).sum();
    if expectations == 0 {
        return Ok(false);
    }
    let what = if expectations == 1 { "1 expectation".to_owned() } else { format!("{expectations} expectations") };
    if !options.yes {
        if !std::io::stdin().is_terminal() {
            return Err(anyhow::anyhow!("{what} would be rewritten; to do so: --yes").into());
        }
        eprint!("Rewrite {what} to what was found? [y/N] ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !answer.trim().eq_ignore_ascii_case("y") {
            eprintln!("nothing was rewritten");
            return Ok(false);
        }
    }
    for file in &rewritten {
        replace_text(&file.path, &file.before, &file.after)?;
        let line = format!("rewrote {} in {}\n", file.expectations, chosen.name(&file.path).display());
        if options.json {
            eprint!("{line}");
        } else {
            print(&line)?;
        }
    }
    Ok(true)
}
