//! `docs/writing-rules.md`, followed to the letter: its files are written, its commands run, and they print what it says.

use anyhow::{Context, Result};
use mailmill_tests::Installation;
use std::path::Path;

/// Stands on a line of its own for lines that are left out.
const LEFT_OUT: &str = "…";
/// The digits of a revision.
const REVISION_DIGITS: usize = 16;

/// A block of the page: its language, the file that it is, or more of it, and what it says.
struct Block<'a> {
    language: &'a str,
    file: Option<&'a str>,
    is_appended: bool,
    text: &'a str,
}

/// What stands between fences: every second piece.
fn blocks(page: &str) -> Result<Vec<Block<'_>>> {
    page.split("```").skip(1).step_by(2).map(block).collect()
}

fn block(piece: &str) -> Result<Block<'_>> {
    let (head, text) = piece.split_once('\n').context("a fence without a line end")?;
    let mut words = head.split(' ');
    let (language, file) = (words.next().unwrap_or_default(), words.next());
    Ok(Block { language, file, is_appended: words.next() == Some("(more)"), text })
}

/// The commands of a console, each with what it prints.
fn commands(console: &str) -> Vec<(&str, Vec<&str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in console.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, Vec::new())),
            (None, Some((_, output))) => output.push(line),
            (None, None) => {}
        }
    }
    commands
}

/// A line without what differs from one set of shipped rules to the next.
fn steady(line: &str) -> String {
    let is_revision = |word: &str| word.len() == REVISION_DIGITS && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let word = |word| if is_revision(word) { "[REVISION]" } else { word };
    line.trim_end().split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Whether these lines were printed; any number of lines may stand where some were left out.
fn matches(expected: &[&str], printed: &[&str]) -> bool {
    match (expected.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((&LEFT_OUT, rest)), _) => {
            (0..=printed.len()).any(|from| printed.get(from..).is_some_and(|printed| matches(rest, printed)))
        }
        (Some((one, rest)), Some((other, others))) => steady(one) == steady(other) && matches(rest, others),
        _ => false,
    }
}

#[test]
fn the_page_can_be_followed() -> Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/writing-rules.md");
    let page = std::fs::read_to_string(&page)?;
    let installation = Installation::new()?;
    let mut run = 0;
    for block in blocks(&page)? {
        if let Some(file) = block.file {
            let before = if block.is_appended { installation.read(file)? } else { String::new() };
            installation.write(file, &format!("{before}{}", block.text))?;
            continue;
        }
        if block.language != "console" {
            continue;
        }
        for (command, expected) in commands(block.text) {
            let done = installation.shell(command)?;
            let printed = format!("{}{}", done.stdout, done.stderr);
            let lines: Vec<&str> = printed.lines().collect();
            assert!(matches(&expected, &lines), "$ {command}\n{printed}--- the page says\n{}", expected.join("\n"));
            run += 1;
        }
    }
    assert!(run >= 8, "the page has {run} commands");
    Ok(())
}

#[test]
fn a_page_that_lies_is_found_out() {
    let check = |expected: &str, printed: &str, expect: bool| {
        let lines = |text: &'static str| -> Vec<&'static str> { text.lines().collect() };
        let (expected, printed) = (expected.to_owned().leak(), printed.to_owned().leak());
        assert_eq!(matches(&lines(expected), &lines(printed)), expect, "{expected:?} {printed:?}");
    };
    check("a\nb", "a\nb", true);
    check("a\nb", "a\nc", false);
    check("a", "a\nb", false);
    check("…\nb", "a\na\nb", true);
    check("…\nb", "a\nb\nc", false);
    check("revision 0123456789abcdef", "revision fedcba9876543210", true);
    check("revision 0123456789abcdef", "revision 0123", false);
}
