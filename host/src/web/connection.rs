//! Trying a job's settings on its server, for pages and scripts.

use super::Site;
use crate::config::Job;
use crate::job;
use crate::mailbox::Step;
use serde::Serialize;
use tokio::sync::mpsc::{self, UnboundedReceiver};

/// A step of a test, as people and scripts get it.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// `ok`, `warning` or `failed`.
    pub(super) mark: &'static str,
    /// How good that is, as a class of the style sheet.
    pub(super) tone: &'static str,
    /// What was tried, how long it took, and what came of it.
    pub(super) text: String,
}

impl Line {
    fn of(step: &Step) -> Vec<Self> {
        let took = step.took.as_millis();
        let warning = step.outcome.as_ref().ok().and_then(crate::mailbox::Seen::warning);
        let mut lines = vec![match &step.outcome {
            Ok(seen) => Self { mark: "ok", tone: "good", text: format!("{}, {took} ms: {seen}", step.stage) },
            Err(error) => Self::fault(format!("{}, {took} ms: {error}", step.stage)),
        }];
        lines.extend(warning.map(|warning| Self { mark: "warning", tone: "warn", text: warning.to_string() }));
        lines
    }

    /// A step that failed.
    pub(super) fn fault(text: String) -> Self {
        Self { mark: "failed", tone: "bad", text }
    }

    /// A line of JSON.
    pub(super) fn in_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// Begins the test of a job; its steps come as they end, and a sentence if all went well. `kept` is there until the end.
pub(super) fn begin(site: &Site, job: Job, well: String, kept: impl Send + 'static) -> UnboundedReceiver<Line> {
    let (lines, heard) = mpsc::unbounded_channel();
    let (tokens, spool) = (site.ctx.tokens.clone(), site.ctx.spool.clone());
    let bytes_max = site.ctx.limits.message_bytes_max;
    // On its own task: a browser that goes away ends nothing half-way, and the test changes nothing.
    tokio::spawn(async move {
        let say = |line: Line| _ = lines.send(line);
        match job::account(&job, bytes_max, &tokens, &spool) {
            Err(error) => say(Line::fault(format!("the job's password cannot be read: {error}"))),
            Ok(account) => {
                let outcome = account.test(|step| Line::of(&step).into_iter().for_each(say)).await;
                if outcome.is_ok() {
                    say(Line { mark: "ok", tone: "good", text: well });
                }
            }
        }
        drop(kept);
    });
    heard
}

/// All steps, once the test has ended.
pub(super) async fn collected(mut heard: UnboundedReceiver<Line>) -> Vec<Line> {
    let mut lines = Vec::new();
    while let Some(line) = heard.recv().await {
        lines.push(line);
    }
    lines
}
