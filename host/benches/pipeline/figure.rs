//! Figures with their targets, and the table of them.

use anyhow::Result;
use serde::Serialize;
use std::time::Duration;

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: String,
    /// What counts: the median.
    value: f64,
    /// What it is at most to be.
    target: f64,
    unit: &'static str,
    /// How it came to that, in words.
    detail: String,
}

impl Figure {
    /// How many times as long ours take as theirs. `ours` and `theirs` took turns.
    pub(crate) fn ratio(name: &str, target: f64, ours: Vec<Duration>, theirs: Vec<Duration>) -> Self {
        let pairs = ours.iter().zip(&theirs).map(|(ours, theirs)| ours.as_secs_f64() / theirs.as_secs_f64());
        let mut ratios: Vec<f64> = pairs.collect();
        ratios.sort_by(f64::total_cmp);
        let (ours, theirs) = (Times::of(ours), Times::of(theirs));
        let detail = format!(
            "{:.1} µs, native {:.1} µs; of the fastest rounds {:.2}",
            micros(ours.median),
            micros(theirs.median),
            ours.least.as_secs_f64() / theirs.least.as_secs_f64()
        );
        let value = ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN);
        Self { name: name.to_owned(), value, target, unit: "× native", detail }
    }

    /// How long something takes.
    pub(crate) fn time(name: &str, target: Duration, times: Vec<Duration>, detail: &str) -> Self {
        let times = Times::of(times);
        let detail = format!("{detail}; at least {:.2} ms, at most {:.2} ms", millis(times.least), millis(times.most));
        Self { name: name.to_owned(), value: millis(times.median), target: millis(target), unit: "ms", detail }
    }

    /// Whether the target is met.
    pub(crate) fn is_met(&self) -> bool {
        self.value <= self.target
    }

    /// What counts.
    pub(crate) fn value(&self) -> f64 {
        self.value
    }
}

/// Prints the figures, as a table or as JSON.
pub(crate) fn print(figures: &[Figure], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(figures)?);
        return Ok(());
    }
    for figure in figures {
        let Figure { name, value, target, unit, detail } = figure;
        let verdict = if figure.is_met() { "ok    " } else { "MISSED" };
        println!("{verdict} {name:<38} {value:>6.2}, at most {target:>5.2} {unit:<9} ({detail})");
    }
    Ok(())
}

/// A few figures of many times.
struct Times {
    least: Duration,
    median: Duration,
    most: Duration,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |index: usize| times.get(index).copied().unwrap_or_default();
        Self { least: at(0), median: at(times.len() / 2), most: at(times.len().saturating_sub(1)) }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
