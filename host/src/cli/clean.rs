//! `mailmill clean`: the preprocessing rules alone, as a filter.

use super::{Done, Global};
use crate::message::document::{CutKind, CutKinds, Document};
use crate::message::{ClientGuess, Message, parse};
use crate::rules::{Instances, RuleSet};
use crate::thread::Conversation;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::sync::Arc;

#[derive(Debug, Args)]
#[command(after_help = "\
Each input line is a JSON object:
  id      anything; it comes back
  format  \"text\" or \"html\"
  input   the body
  drop    the kinds to cut: quote, forward, signature, disclaimer, banner, other
  headers the message's header fields, if they are known: {\"NAME\": \"VALUE\"}; they
          tell which mail client wrote it
A line that is no such object is answered with {\"id\", \"error\"}, and the next
one is read; the exit code is 1 then.

Example:
  printf '%s' '{\"id\": 1, \"format\": \"text\", \"drop\": [\"quote\"], ' \\
    '\"input\": \"Yes.\\n\\nOn 12/01/2026 16:40, Ann wrote:\\n> ok?\"}' |
    mailmill clean")]
pub(super) struct Options {
    /// The preprocessing steps to run, in order, separated by commas [default: the recommended ones]
    #[arg(long, value_delimiter = ',', value_name = "STEP")]
    steps: Option<Vec<String>>,
    /// Kinds to cut besides those that a line names, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "KIND", value_parser = kind)]
    drop: Vec<CutKind>,
}

fn kind(name: &str) -> Result<CutKind, String> {
    let known = CutKind::ALL.map(CutKind::name).join(", ");
    CutKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| format!("expected one of {known}"))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// Comes back in the answer.
    #[serde(default, rename = "id")]
    _id: serde::de::IgnoredAny,
    format: Format,
    input: String,
    #[serde(default)]
    drop: Vec<CutKind>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Text,
    Html,
}

/// What a line is answered with.
#[derive(Debug, Serialize)]
struct Answer {
    /// As it came; null if it could not be read.
    id: serde_json::Value,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Output(String),
    Error(String),
}

pub(super) fn run(global: &Global, options: &Options) -> Done {
    let config = global.load_or_default()?;
    let engine = super::engine(&config)?;
    let rules = RuleSet::load(&config.rules, &config.plugins, &engine).map_err(super::Failure::Diagnostics)?;
    let steps = options.steps.clone().unwrap_or_else(|| rules.recommended_steps());
    if let Some(step) = steps.iter().find(|step| !rules.preprocess_steps().contains(step)) {
        let known = rules.preprocess_steps().join(", ");
        return Err(anyhow::anyhow!("pipeline.toml has no preprocess step \"{step}\"; it has: {known}").into());
    }
    let mut instances = rules.instances();

    let progress = progress();
    let input = BufReader::new(std::io::stdin().lock());
    let output = BufWriter::new(std::io::stdout().lock());
    let filtered = filter(input, output, |number, line| {
        progress.inc(1);
        answer(&mut instances, options, &steps, number, line)
    });
    progress.finish_and_clear();
    match filtered {
        // Who asked has heard enough (`| head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error.into()),
        Ok(0) => Ok(()),
        Ok(1) => Err(anyhow::anyhow!("1 line could not be cleaned; its answer says why").into()),
        Ok(bad) => Err(anyhow::anyhow!("{bad} lines could not be cleaned; their answers say why").into()),
    }
}

/// Answers each line that is not blank; tells how many answers are errors. What is answered is written out before
/// waiting for more, so that another program can talk with this one line by line.
fn filter<R: Read>(
    mut input: BufReader<R>,
    mut output: impl Write,
    mut answer: impl FnMut(usize, &[u8]) -> Answer,
) -> std::io::Result<usize> {
    let (mut line, mut bad) = (Vec::new(), 0);
    for number in 1.. {
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = answer(number, &line);
        bad += usize::from(matches!(answer.outcome, Outcome::Error(_)));
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(bad)
}

fn answer(instances: &mut Instances, options: &Options, steps: &[String], number: usize, line: &[u8]) -> Answer {
    let mut id = serde_json::Value::Null;
    let request = serde_json::from_slice::<serde_json::Value>(line).and_then(|request| {
        id = request.get("id").cloned().unwrap_or_default();
        Request::deserialize(request)
    });
    let outcome = match request {
        Ok(request) => Outcome::Output(clean(instances, &request, &options.drop, steps)),
        Err(error) => Outcome::Error(format!("line {number}: {}", reason(&error))),
    };
    Answer { id, outcome }
}

/// What is wrong with a line, without the line's own number, which is always 1.
fn reason(error: &serde_json::Error) -> String {
    let sentence = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match sentence.strip_suffix(&place) {
        Some(reason) => format!("{reason} at column {}", error.column()),
        None => sentence,
    }
}

/// A count on the terminal (indicatif hides it where standard error is none), unless the output goes there too.
fn progress() -> ProgressBar {
    if std::io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} messages cleaned, {per_sec}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn clean(instances: &mut Instances, request: &Request, drop: &[CutKind], steps: &[String]) -> String {
    let message = Arc::new(request.message());
    let cuts = instances.preprocess(&message, &Conversation::New, steps).cuts;
    let kinds: CutKinds = request.drop.iter().chain(drop).copied().collect();
    message.document.view(&cuts, kinds).text().to_owned()
}

impl Request {
    /// The message of which the body is, as far as it is known.
    fn message(&self) -> Message {
        let field = |(name, value): (&String, &String)| format!("{name}: {value}").replace(['\r', '\n'], " ") + "\r\n";
        let header: String = self.headers.iter().map(field).collect();
        let parsed = parse(header.as_bytes(), None);
        let (document, html) = match self.format {
            Format::Text => (Document::from_plain(&self.input), ""),
            Format::Html => (Document::from_html(&self.input), self.input.as_str()),
        };
        Message { document, client: ClientGuess::of(&parsed.headers, html), ..parsed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with the line itself, or with an error if it is `bad`.
    fn echo(_: usize, line: &[u8]) -> Answer {
        let text = String::from_utf8(line.trim_ascii().to_owned()).unwrap();
        let outcome = if text == "bad" { Outcome::Error(text) } else { Outcome::Output(text) };
        Answer { id: serde_json::Value::Null, outcome }
    }

    #[test]
    fn each_line_is_answered_and_errors_are_counted() {
        let mut output = Vec::new();
        let bad = filter(BufReader::new(&b"a\n\n \nbad\nb"[..]), &mut output, echo).unwrap();
        let expect =
            "{\"id\":null,\"output\":\"a\"}\n{\"id\":null,\"error\":\"bad\"}\n{\"id\":null,\"output\":\"b\"}\n";
        assert_eq!((bad, String::from_utf8(output).unwrap().as_str()), (1, expect));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said_with_its_column() {
        let check = |line: &str, expect: &str| {
            let read = serde_json::from_str::<serde_json::Value>(line).and_then(Request::deserialize);
            assert_eq!(reason(&read.unwrap_err()), expect, "{line}");
        };
        check("{", "EOF while parsing an object at column 1");
        check("{}", "missing field `format`");
        check(
            r#"{"format": "text", "input": "", "dorp": []}"#,
            "unknown field `dorp`, expected one of `id`, `format`, `input`, `drop`, `headers`",
        );
    }
}
