//! What a run came to, in numbers.

use crate::site::{Look, Outcome};
use serde_json::{Value, json};
use std::time::Duration;

/// How much the mean of the last quarter may differ from that of the second, in percent.
const GROWTH_PERCENT_MAX: f64 = 5.0;
/// How long a message may wait for its receipt. A job looks once a second; a daemon that was killed has to start again, on a machine
/// that does much else.
const LAG_SECONDS_MAX: f64 = 30.0;

pub(crate) struct Figures {
    minutes: f64,
    kills: usize,
    messages: usize,
    lost: usize,
    doubled: usize,
    sites: Vec<SiteFigures>,
}

struct SiteFigures {
    name: String,
    messages: usize,
    revisions: usize,
    /// Means of the memory in the second quarter and in the last, in MiB.
    memory: (f64, f64),
    /// Means of the time until the receipt in the same quarters, in seconds.
    lag: (f64, f64),
    lag_max: f64,
}

/// Whether it is as it should be.
pub(crate) struct Verdicts {
    /// Nothing was lost or doubled.
    pub(crate) exactly_once: bool,
    /// The memory does not grow.
    pub(crate) memory: bool,
    /// No message waits for long.
    pub(crate) lag: bool,
}

impl Figures {
    pub(crate) fn new(time: Duration, kills: usize, outcomes: &[Outcome]) -> Self {
        let site = |outcome: &Outcome| {
            let sizes = |Look { progress, bytes }: &Look| (*progress, count(*bytes) / f64::from(1 << 20));
            let sizes: Vec<(f64, f64)> = outcome.looks.iter().map(sizes).collect();
            SiteFigures {
                name: outcome.name.clone(),
                messages: outcome.messages,
                revisions: outcome.revisions,
                memory: (mean(&sizes, 1), mean(&sizes, 3)),
                lag: (mean(&outcome.lags, 1), mean(&outcome.lags, 3)),
                lag_max: outcome.lags.iter().map(|(_, lag)| *lag).fold(0.0, f64::max),
            }
        };
        Self {
            minutes: time.as_secs_f64() / 60.0,
            kills,
            messages: outcomes.iter().map(|outcome| outcome.messages).sum(),
            lost: outcomes.iter().map(|outcome| outcome.lost).sum(),
            doubled: outcomes.iter().map(|outcome| outcome.doubled).sum(),
            sites: outcomes.iter().map(site).collect(),
        }
    }

    pub(crate) fn verdicts(&self) -> Verdicts {
        Verdicts {
            exactly_once: self.lost == 0 && self.doubled == 0,
            memory: self.sites.iter().all(|site| site.growth().abs() <= GROWTH_PERCENT_MAX),
            lag: self.sites.iter().all(|site| site.lag_max <= LAG_SECONDS_MAX),
        }
    }

    #[expect(clippy::print_stdout, reason = "its report is its purpose")]
    pub(crate) fn print_json(&self) {
        let sites: Vec<Value> = self.sites.iter().map(SiteFigures::json).collect();
        let verdicts = self.verdicts();
        println!(
            "{}",
            json!({
                "minutes": self.minutes, "messages": self.messages, "kills": self.kills, "lost": self.lost,
                "doubled": self.doubled, "daemons": sites, "exactly_once": verdicts.exactly_once,
                "memory_flat": verdicts.memory, "no_lag": verdicts.lag,
            })
        );
    }

    #[expect(clippy::print_stdout, reason = "its report is its purpose")]
    pub(crate) fn print(&self) {
        let Self { minutes, messages, kills, lost, doubled, .. } = self;
        println!("{messages} messages in {minutes:.1} min, {kills} kills: {lost} lost, {doubled} doubled");
        println!("daemon   messages  rule sets  MiB, 2nd quarter  last quarter  change    lag: 2nd    last     max");
        for site in &self.sites {
            println!(
                "{:<8} {:>8} {:>10} {:>17.1} {:>13.1} {:>+6.1} % {:>9.2} s {:>5.2} s {:>5.2} s",
                site.name,
                site.messages,
                site.revisions,
                site.memory.0,
                site.memory.1,
                site.growth(),
                site.lag.0,
                site.lag.1,
                site.lag_max
            );
        }
        let verdicts = self.verdicts();
        let said = |is_met: bool| if is_met { "met" } else { "MISSED" };
        println!("exactly once: {}", said(verdicts.exactly_once));
        println!("memory: within {GROWTH_PERCENT_MAX} %: {}", said(verdicts.memory));
        println!("lag: at most {LAG_SECONDS_MAX} s: {}", said(verdicts.lag));
    }
}

impl SiteFigures {
    /// From the second quarter to the last, in percent.
    fn growth(&self) -> f64 {
        let (second, last) = self.memory;
        if second > 0.0 { (last / second - 1.0) * 100.0 } else { 0.0 }
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "messages": self.messages, "rule_sets": self.revisions,
            "memory_mib": { "second_quarter": self.memory.0, "last_quarter": self.memory.1, "change_percent": self.growth() },
            "lag_seconds": { "second_quarter": self.lag.0, "last_quarter": self.lag.1, "max": self.lag_max },
        })
    }
}

/// The mean of those values that are of this quarter, counted from 0; 0 if there is none.
fn mean(values: &[(f64, f64)], quarter: u8) -> f64 {
    let from = f64::from(quarter) / 4.0;
    let of_quarter: Vec<f64> =
        values.iter().filter(|(at, _)| (from..from + 0.25).contains(at)).map(|(_, value)| *value).collect();
    if of_quarter.is_empty() { 0.0 } else { of_quarter.iter().sum::<f64>() / count(of_quarter.len() as u64) }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts that far")]
fn count(number: u64) -> f64 {
    number as f64
}
