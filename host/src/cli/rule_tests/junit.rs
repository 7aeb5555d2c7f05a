//! Results of tests as JUnit XML, which most CI systems read: a suite for each file, a case for each test.

use super::reason;
use crate::rules::{TestResult, TestRun};
use std::fmt::Write as _;
use std::path::Path;

/// The report of these runs.
pub(super) fn report<'a>(runs: &'a [TestRun], name: impl Fn(&'a Path) -> &'a Path) -> String {
    let failed = |runs: &[&TestRun]| runs.iter().filter(|run| !run.passed()).count();
    let all: Vec<&TestRun> = runs.iter().collect();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, "<testsuites name=\"mailmill\" tests=\"{}\" failures=\"{}\">", all.len(), failed(&all));
    let mut files: Vec<&Path> = Vec::new();
    for run in runs {
        if !files.contains(&run.file.as_path()) {
            files.push(&run.file);
        }
    }
    for file in files {
        let own: Vec<&TestRun> = runs.iter().filter(|run| run.file == *file).collect();
        let suite = escape(&name(file).display().to_string());
        let (tests, failures) = (own.len(), failed(&own));
        let _ = writeln!(xml, "  <testsuite name=\"{suite}\" tests=\"{tests}\" failures=\"{failures}\">");
        for run in own {
            case(&mut xml, &suite, run);
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(xml: &mut String, suite: &str, run: &TestRun) {
    let (name, line) = (escape(&run.name), run.line);
    let _ = write!(xml, "    <testcase classname=\"{suite}\" name=\"{name}\" file=\"{suite}\" line=\"{line}\"");
    let kind = match run.result {
        TestResult::Passed => {
            xml.push_str("/>\n");
            return;
        }
        TestResult::Different { .. } => "different",
        TestResult::Failed(_) => "failed",
        TestResult::Invalid(_) => "invalid",
    };
    let why = escape(&reason(run));
    let _ = writeln!(xml, ">\n      <failure type=\"{kind}\">{why}</failure>\n    </testcase>");
}

/// Text for XML 1.0 (sections 2.2 and 2.4): what means something is escaped, what must not be there is replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(char),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control < ' ' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escape("a <b> & \"c\"\u{1b}\n"), "a &lt;b&gt; &amp; &quot;c&quot;\u{fffd}\n");
    }
}
