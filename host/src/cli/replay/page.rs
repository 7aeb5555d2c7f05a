//! A replay as a page: one file, no script, nothing that it would fetch.

use super::messages;
use crate::replay::{Difference, Kind, Sign, Summary};
use crate::tame::tame;
use std::fmt::Write as _;

// A policy that allows nothing but the style below: should anything of a message ever become markup, it can do nothing.
const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mailmill replay</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #8884; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
details { border: 1px solid #8886; border-radius: .4rem; padding: .4rem .8rem; margin: .5rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary small { opacity: .7; }
h3 { font-size: 1rem; margin: .6rem 0 .2rem; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
del, ins { text-decoration: none; display: block; }
del { background: #d73a4922; }
ins { background: #28a74522; }
</style>
</head>
<body>
<h1>mailmill replay</h1>
"#;

/// The page of a replay.
pub(super) fn page(summary: &Summary) -> String {
    let mut html = HEAD.to_owned();
    // Writing to a string cannot fail.
    let _ = writeln!(
        html,
        "<p>Rules in force: revision <code>{}</code>. Candidate: revision <code>{}</code>.</p>",
        escape(&summary.in_force.to_string()),
        escape(&summary.candidate.to_string())
    );
    let same = summary.messages - summary.changed;
    let all = messages(summary.messages);
    let _ = writeln!(html, "<p><strong>{all} run: {same} the same, {} changed.</strong></p>", summary.changed);
    for (why, number) in &summary.left_out {
        let _ = writeln!(html, "<p>{} left out: {}.</p>", messages(*number), why.clause());
    }
    counts(summary, &mut html);
    for difference in &summary.differences {
        message(difference, &mut html);
    }
    if summary.not_shown > 0 {
        let _ = writeln!(html, "<p>And {} more.</p>", summary.not_shown);
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn counts(summary: &Summary, html: &mut String) {
    if summary.kinds.is_empty() {
        return;
    }
    html.push_str("<table>\n<tr><th>Change</th><th>Messages</th><th>Gone</th><th>New</th></tr>\n");
    for kind in Kind::ALL {
        let Some(number) = summary.kinds.get(&kind) else { continue };
        let _ = writeln!(html, "<tr><th>{}</th><td class=\"number\">{number}</td><td></td><td></td></tr>", kind.name());
        for (name, tally) in summary.details.get(&kind).into_iter().flatten() {
            let _ = writeln!(
                html,
                "<tr><td>{}</td><td></td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
                escape(name),
                tally.gone,
                tally.new
            );
        }
    }
    html.push_str("</table>\n");
}

fn message(difference: &Difference, html: &mut String) {
    let kinds: Vec<&str> = difference.changes.iter().map(|change| change.kind.name()).collect();
    let _ = writeln!(
        html,
        "<details>\n<summary>{} <small>from {}, receipt {} of job {}: {}</small></summary>",
        escape(if difference.subject.is_empty() { "(no subject)" } else { &difference.subject }),
        escape(&difference.sender),
        difference.receipt,
        escape(&difference.job),
        kinds.join(", ")
    );
    for change in &difference.changes {
        let _ = write!(html, "<h3>{}</h3>\n<pre>", change.kind.name());
        for line in &change.lines {
            let text = escape(&line.to_string());
            let _ = match line.sign {
                Sign::Both => writeln!(html, "{text}"),
                Sign::Gone => write!(html, "<del>{text}</del>"),
                Sign::New => write!(html, "<ins>{text}</ins>"),
            };
        }
        html.push_str("</pre>\n");
    }
    html.push_str("</details>\n");
}

/// Text that is no markup and commands nothing.
fn escape(text: &str) -> String {
    tame(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_message_is_markup() {
        assert_eq!(escape("<b onclick='x'>&\"\u{1b}"), "&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;·");
    }
}
