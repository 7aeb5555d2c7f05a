//! `mailmill clean`: the preprocessing rules alone, as a filter.

use super::{Done, Global};
use crate::message::document::{CutKind, CutKinds, Document};
use crate::message::{Message, parse};
use crate::rules::{Instances, RuleSet};
use crate::thread::Conversation;
use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufWriter, IsTerminal, Write};
use std::sync::Arc;

#[derive(Debug, Args)]
#[command(after_help = "\
Each input line is a JSON object:
  id      anything; it comes back
  format  \"text\" or \"html\"
  input   the body
  drop    the kinds to cut: quote, forward, signature, disclaimer, banner, other

Example:
  echo '{\"id\": 1, \"format\": \"text\", \"input\": \"Yes.\\n\\nOn 1/2/2026, Ann wrote:\\n> ok?\", \"drop\": [\"quote\"]}' | mailmill clean")]
pub(super) struct Options {
    /// The preprocessing steps to run, in order, separated by commas [default: all of pipeline.toml]
    #[arg(long, value_delimiter = ',', value_name = "STEP")]
    steps: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Request {
    #[serde(default)]
    id: serde_json::Value,
    format: Format,
    input: String,
    #[serde(default)]
    drop: Vec<CutKind>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Text,
    Html,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    id: &'a serde_json::Value,
    output: &'a str,
}

pub(super) fn run(global: &Global, options: &Options) -> Done {
    let config = global.load_or_default()?;
    let engine = crate::daemon::engine(&config)?;
    let rules = RuleSet::load(&config.rules, &config.plugins, &engine).map_err(super::Failure::Diagnostics)?;
    let steps = options.steps.clone().unwrap_or_else(|| rules.preprocess_steps());
    if let Some(step) = steps.iter().find(|step| !rules.preprocess_steps().contains(step)) {
        let known = rules.preprocess_steps().join(", ");
        return Err(anyhow::anyhow!("pipeline.toml has no preprocess step \"{step}\"; it has: {known}").into());
    }
    let mut instances = rules.instances()?;

    let progress = progress();
    let mut output = BufWriter::new(std::io::stdout().lock());
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.with_context(|| format!("line {} of standard input cannot be read", number + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let request: Request =
            serde_json::from_str(&line).with_context(|| format!("line {} of standard input", number + 1))?;
        let text = clean(&mut instances, &request, &steps);
        serde_json::to_writer(&mut output, &Answer { id: &request.id, output: &text })?;
        output.write_all(b"\n")?;
        progress.inc(1);
    }
    output.flush()?;
    progress.finish_and_clear();
    Ok(())
}

/// A count on the terminal (indicatif hides it where standard error is none), unless the output goes there too.
fn progress() -> ProgressBar {
    if std::io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} messages cleaned, {per_sec}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn clean(instances: &mut Instances, request: &Request, steps: &[String]) -> String {
    let document = match request.format {
        Format::Text => Document::from_plain(&request.input),
        Format::Html => Document::from_html(&request.input),
    };
    let message = Arc::new(Message { document, ..parse(b"", None) });
    let cuts = instances.preprocess(&message, &Conversation::New, steps).cuts;
    let kinds: CutKinds = request.drop.iter().copied().collect();
    message.document.view(&cuts, kinds).text().to_owned()
}
