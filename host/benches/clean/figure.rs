//! Figures with their targets, and the tables of them.

use crate::bodies::Body;
use anyhow::Result;
use serde::Serialize;
use std::time::Duration;

/// What was measured: medians.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    target: f64,
    unit: Unit,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Unit {
    /// More is better.
    #[serde(rename = "bodies/s")]
    BodiesPerSecond,
    /// Less is better.
    #[serde(rename = "ms")]
    Milliseconds,
}

impl Figure {
    /// How many bodies a second are cleaned, from the times that all of them take.
    #[expect(clippy::cast_precision_loss, reason = "there are some thousand bodies at most")]
    pub(crate) fn throughput(name: &str, target: f64, bodies: &[Body], times: Vec<Duration>) -> Self {
        let (least, median, most) = spread(times);
        let rate = |time: Duration| bodies.len() as f64 / time.as_secs_f64();
        let bytes: usize = bodies.iter().map(|body| body.source.len()).sum();
        let detail = format!(
            "{} bodies of {} bytes on average; from {:.0} to {:.0}",
            bodies.len(),
            bytes / bodies.len().max(1),
            rate(most),
            rate(least)
        );
        Self { name: name.to_owned(), value: rate(median), target, unit: Unit::BodiesPerSecond, detail }
    }

    /// How long a body takes.
    pub(crate) fn time(name: &str, target: Duration, times: Vec<Duration>) -> Self {
        let (least, median, most) = spread(times);
        let detail = format!("from {:.0} to {:.0} ms", millis(least), millis(most));
        Self { name: name.to_owned(), value: millis(median), target: millis(target), unit: Unit::Milliseconds, detail }
    }

    pub(crate) fn is_met(&self) -> bool {
        match self.unit {
            Unit::BodiesPerSecond => self.value >= self.target,
            Unit::Milliseconds => self.value <= self.target,
        }
    }

    /// The value and its bound in words.
    fn in_words(&self) -> (String, String) {
        match self.unit {
            Unit::BodiesPerSecond => (format!("{:.0} a second", self.value), format!("at least {:.0}", self.target)),
            Unit::Milliseconds => (format!("{:.0} ms", self.value), format!("at most {:.0} ms", self.target)),
        }
    }
}

/// Prints the figures.
pub(crate) fn print(figures: &[Figure], json: bool, markdown: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(&serde_json::json!({ "speed": figures }))?);
        return Ok(());
    }
    if markdown {
        println!("### Speed\n\n| bodies | measured | target | | |\n|---|---|---|---|---|");
    }
    for figure in figures {
        let (Figure { name, detail, .. }, (value, target)) = (figure, figure.in_words());
        if markdown {
            let verdict = if figure.is_met() { "met" } else { "missed" };
            println!("| {name} | {value} | {target} | {verdict} | {detail} |");
        } else {
            let verdict = if figure.is_met() { "met   " } else { "MISSED" };
            println!("{verdict} {name:<28} {value:>16}, {target:<16} ({detail})");
        }
    }
    Ok(())
}

/// The least, the median and the most.
fn spread(mut times: Vec<Duration>) -> (Duration, Duration, Duration) {
    times.sort_unstable();
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    (at(0), at(times.len() / 2), at(times.len().saturating_sub(1)))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
