//! How fast a changed plugin or rule comes into force, from the moment that the change has been noticed.

use crate::figure::Figure;
use anyhow::{Context, Result, anyhow, ensure};
use mailmill::plugin::Engine;
use mailmill::rules::{Reloader, RuleSet, Step};
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often each is done.
const TIMES: usize = 30;
/// What a swapped plugin may take, once it is compiled.
const PLUGIN_MAX: Duration = Duration::from_millis(5);
/// What changed rules may take.
const RULES_MAX: Duration = Duration::from_millis(50);
/// The file that is changed, and what in it.
const FILE: &str = "languages.toml";
const LINE: &str = "'On … wrote:',";

/// From a compiled plugin in the cache to a configured instance: the slowest of the set's plugins. The engine must have
/// none of them in use. The patterns of the rules are compiled already, as they are in a daemon whose plugin is swapped.
pub(crate) fn plugin(set: &RuleSet, engine: &Engine) -> Result<Figure> {
    let mut slowest: Option<Figure> = None;
    for step in set.steps() {
        let patterns = step.component.path().map(|path| engine.load(path)).transpose()?;
        let patterns = patterns.map(|component| component.instantiate(&step.name, &step.config)).transpose()?;
        let patterns = patterns.map(|instance| instance.compiled().clone());
        let times = (0..TIMES).map(|_| load(step, engine)).collect::<Result<_>>()?;
        drop(patterns);
        let detail = format!("the slowest of {}, `{}`", set.steps().len(), step.name);
        let figure = Figure::time("a plugin from the cache in force", PLUGIN_MAX, times, &detail);
        if slowest.as_ref().is_none_or(|slowest| figure.value() > slowest.value()) {
            slowest = Some(figure);
        }
    }
    slowest.context("the pipeline has no steps")
}

fn load(step: &Step, engine: &Engine) -> Result<Duration> {
    let path = step.component.path().context("it came from a file")?;
    let start = Instant::now();
    let component = engine.load(path)?;
    black_box(component.instantiate(&step.name, &step.config)?);
    Ok(start.elapsed())
}

/// From a rule file with a pattern that was never seen before to the rule set in force, with all rule files' tests run.
pub(crate) fn rules(rules: &Path, plugins: &Path, engine: &Engine) -> Result<Figure> {
    let copy = tempfile::tempdir()?;
    copy_dir(rules, copy.path())?;
    let start = |found| anyhow!("the rules do not load: {found}");
    let reloader = Reloader::start(copy.path().to_owned(), plugins.to_owned(), engine.clone()).map_err(start)?;
    let file = copy.path().join(FILE);
    let text = fs::read_to_string(&file)?;
    ensure!(text.contains(LINE), "{FILE} has no line `{LINE}` any more");
    let mut times = Vec::new();
    for round in 0..TIMES {
        let changed = format!("'On … wrote:', 'On … typed{round}:',");
        fs::write(&file, text.replace(LINE, &changed))?;
        let before = reloader.current();
        let start = Instant::now();
        let set = reloader.reload(|_| Ok(())).map_err(|found| anyhow!("the rules do not load: {found}"))?;
        times.push(start.elapsed());
        ensure!(set.revision() != before.revision(), "the change was not seen");
    }
    let detail = format!("{} steps, {} tests", reloader.current().steps().len(), reloader.current().tests());
    Ok(Figure::time("a changed rule file in force", RULES_MAX, times, &detail))
}

fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_dir(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
