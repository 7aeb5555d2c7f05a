//! Diagnostics: what is wrong with a file, where, and what to do about it.
//!
//! Settings and rules are checked as a whole and everything that is wrong with them is reported at once, so each check
//! adds to a [`Diagnostics`] and goes on. A diagnostic keeps the text that was checked: what it shows is what was read,
//! even if the file has changed since.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text file as it was read. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    path: Arc<Path>,
    text: Arc<str>,
}

impl Source {
    /// The file of that path with that text.
    #[must_use]
    pub fn new(path: &Path, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Reads a file; what stands in the way becomes a diagnostic.
    pub fn read(path: &Path, out: &mut Diagnostics) -> Option<Self> {
        match std::fs::read(path) {
            Ok(bytes) => Self::from_bytes(path, &bytes, out),
            Err(error) => {
                out.push(Diagnostic::error(path, format!("cannot read the file: {error}")));
                None
            }
        }
    }

    /// The file of that path with these bytes; a diagnostic if they are not UTF-8.
    pub fn from_bytes(path: &Path, bytes: &[u8], out: &mut Diagnostics) -> Option<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(Self::new(path, text)),
            Err(error) => {
                let reason = format!("the file is not UTF-8: bad byte at offset {}", error.valid_up_to());
                out.push(Diagnostic::error(path, reason).help("save it as UTF-8"));
                None
            }
        }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// An error at that span of the text.
    #[must_use]
    pub fn error(&self, span: Range<usize>, reason: impl Into<String>) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(&self.path, reason);
        diagnostic.span = Some(fit(&self.text, span));
        diagnostic.text = Some(self.text.clone());
        diagnostic
    }
}

/// The span, moved to character boundaries inside the text.
fn fit(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let end = text.ceil_char_boundary(span.end.min(text.len()));
    start..end.max(start)
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot be used like this.
    Error,
    /// It can be used, and is probably not what was meant.
    Warning,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub file: PathBuf,
    /// The piece of its text, as byte offsets; none: the file as a whole.
    pub span: Option<Range<usize>>,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, as one sentence, lower case, no full stop.
    pub reason: String,
    /// What to do about it.
    pub help: Option<String>,
    text: Option<Arc<str>>,
}

/// A place in a text as editors count it, both from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Diagnostic {
    /// An error about a file as a whole. [`Source::error`] makes one about a piece of it.
    #[must_use]
    pub fn error(file: &Path, reason: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            span: None,
            severity: Severity::Error,
            reason: reason.into(),
            help: None,
            text: None,
        }
    }

    /// The same, as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same, with what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Where in the file it is; none for the file as a whole.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        let before = self.text.as_deref()?.get(..self.span.as_ref()?.start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = line_ends(before) + 1;
        Some(Position { line, column: before.get(line_start..)?.chars().count() + 1 })
    }

    /// The diagnostic for a terminal: the sentence, file, line and column, the line itself and a caret. Ends with a
    /// line end.
    #[must_use]
    pub fn render(&self, coloured: bool) -> String {
        let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let path = self.file.display().to_string();
        let title = level.primary_title(self.reason.as_str());
        let mut group: Group<'_> = match (&self.text, &self.span) {
            (Some(text), Some(span)) => {
                let (lines, number) = lines_around(text, span);
                let mark = AnnotationKind::Primary.span(span.start - lines.start..span.end - lines.start);
                let shown = without_secrets(text.get(lines).unwrap_or_default());
                title.element(Snippet::source(shown).line_start(number).path(path).annotation(mark))
            }
            _ => title.element(Origin::path(path)),
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let mut rendered = renderer.render(&[group]);
        rendered.push('\n');
        rendered
    }
}

/// The whole lines that a span touches, as byte offsets, and the number of the first, from 1.
fn lines_around(text: &str, span: &Range<usize>) -> (Range<usize>, usize) {
    let before = text.get(..span.start).unwrap_or_default();
    let after = text.get(span.end..).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = after.find('\n').map_or(text.len(), |at| span.end + at + 1);
    (start..end, line_ends(before) + 1)
}

/// How many lines end in a text.
fn line_ends(text: &str) -> usize {
    memchr::memchr_iter(b'\n', text.as_bytes()).count()
}

/// The text with the values of keys that look like passwords hidden: a misspelt `password = "…"` is shown to whoever
/// reads the terminal or the log. Offsets stay what they were.
fn without_secrets(text: &str) -> String {
    text.split_inclusive('\n').map(|line| if is_secret(line) { hidden(line) } else { line.to_owned() }).collect()
}

fn is_secret(line: &str) -> bool {
    let key = line.split_once('=').map(|(key, _)| key.to_ascii_lowercase()).unwrap_or_default();
    ["pass", "pas", "pwd", "secret", "token"].iter().any(|part| key.contains(part)) && line.contains(['"', '\''])
}

/// The line with what stands in quotes replaced by as many stars as it has bytes.
fn hidden(line: &str) -> String {
    let mut quote = None;
    let mut hidden = String::with_capacity(line.len());
    for character in line.chars() {
        match (quote, character) {
            (None, '"' | '\'') => {
                quote = Some(character);
                hidden.push(character);
            }
            (Some(open), _) if open == character => {
                quote = None;
                hidden.push(character);
            }
            (Some(_), '\n') | (None, _) => hidden.push(character),
            (Some(_), _) => hidden.push_str(&"*".repeat(character.len_utf8())),
        }
    }
    hidden
}

/// `file:line:column: reason`, on one line: for logs.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(at) = self.position() {
            write!(f, "{}:{}:", at.line, at.column)?;
        }
        write!(f, " {}", self.reason)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = self.position();
        let mut object = serializer.serialize_struct("Diagnostic", 6)?;
        object.serialize_field("file", &self.file.to_string_lossy())?;
        object.serialize_field("line", &at.map(|at| at.line))?;
        object.serialize_field("column", &at.map(|at| at.column))?;
        object.serialize_field("severity", self.severity.name())?;
        object.serialize_field("reason", &self.reason)?;
        object.serialize_field("help", &self.help)?;
        object.end()
    }
}

/// How many diagnostics are rendered.
const RENDERED_MAX: usize = 50;

/// All that is wrong, by file and place. As an error it displays the first fifty, rendered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one, in its place.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let at = self.0.partition_point(|other| order(other) <= order(&diagnostic));
        self.0.insert(at, diagnostic);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How many of them are errors.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// All of them, by file and place.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// `value` if there is no error, together with the warnings; else all that is wrong.
    ///
    /// # Errors
    /// If one of the diagnostics is an error, or there is no value.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.errors() == 0 => Ok(value),
            _ => Err(self),
        }
    }

    /// The first of them for a terminal, with a blank line between, and how many more there are: one mistake can make hundreds.
    #[must_use]
    pub fn render(&self, coloured: bool) -> String {
        let mut shown: Vec<String> =
            self.0.iter().take(RENDERED_MAX).map(|diagnostic| diagnostic.render(coloured)).collect();
        match self.0.len().saturating_sub(RENDERED_MAX) {
            0 => {}
            1 => shown.push("… and 1 more\n".to_owned()),
            more => shown.push(format!("… and {more} more\n")),
        }
        shown.join("\n")
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Diagnostics {}

impl Serialize for Diagnostics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

fn order(diagnostic: &Diagnostic) -> (&Path, usize) {
    (&diagnostic.file, diagnostic.span.as_ref().map_or(0, |span| span.start))
}

/// "did you mean `path`?", if one of the `known` names is near to `name`.
pub(crate) fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// How alike two names must be, between 0 and 1.
    const LIKENESS_MIN: f64 = 0.7;
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Diagnostic {
        let source = Source::new(Path::new("mailmill.toml"), "[store]\npfad = \"é.db\"\n");
        source.error(8..12, "unknown key `pfad`").help("did you mean `path`?")
    }

    #[test]
    fn a_diagnostic_shows_the_line_and_a_caret() {
        let expect = "\
error: unknown key `pfad`
 --> mailmill.toml:2:1
  |
2 | pfad = \"é.db\"
  | ^^^^
  |
  = help: did you mean `path`?
";
        assert_eq!(example().render(false), expect);
        assert!(example().render(true).contains("\u{1b}["), "colours");
    }

    #[test]
    fn a_misspelt_password_is_not_shown() {
        let text = "[source]\npasword = \"grün\"\nuser = 'ann'\n";
        let shown = Source::new(Path::new("desk.toml"), text).error(9..16, "unknown key `pasword`").render(false);
        assert!(shown.contains("2 | pasword = \"*****\"\n"), "{shown}");
    }

    #[test]
    fn lines_are_shown_whole_and_numbered_as_in_the_file() {
        let text = "a = 1\nb = [\n  2,\n  3,\n]\nlast";
        let shown = |span| Source::new(Path::new("a.toml"), text).error(span, "wrong").render(false);
        let expect =
            "error: wrong\n --> a.toml:2:5\n  |\n2 |   b = [\n  |  _____^\n3 | |   2,\n4 | |   3,\n5 | | ]\n  | |_^\n";
        assert_eq!(shown(10..23), expect);
        assert_eq!(shown(24..28), "error: wrong\n --> a.toml:6:1\n  |\n6 | last\n  | ^^^^\n");
        assert_eq!(shown(28..28), "error: wrong\n --> a.toml:6:5\n  |\n6 | last\n  |     ^\n");
    }

    #[test]
    fn a_diagnostic_of_a_whole_file_names_it() {
        let diagnostic = Diagnostic::error(Path::new("rules/fields.toml"), "cannot read the file: gone").warning();
        let expect = "warning: cannot read the file: gone\n--> rules/fields.toml\n";
        assert_eq!(diagnostic.render(false), expect);
        assert_eq!(diagnostic.to_string(), "rules/fields.toml: cannot read the file: gone");
    }

    #[test]
    fn columns_are_characters() {
        let source = Source::new(Path::new("a"), "x\nééé!");
        let at = |span| source.error(span, "").position().map(|at| (at.line, at.column));
        assert_eq!(at(0..1), Some((1, 1)));
        assert_eq!(at(8..9), Some((2, 4)));
        assert_eq!(at(3..3), Some((2, 1)), "inside a character");
        assert_eq!(at(900..901), Some((2, 5)), "beyond the end");
    }

    #[test]
    fn what_one_mistake_makes_without_end_is_counted() {
        let many = |count: usize| -> Diagnostics {
            let mut found = Diagnostics::default();
            found.extend((0..count).map(|at| Diagnostic::error(Path::new("a.toml"), format!("fault {at}"))));
            found
        };
        assert!(many(RENDERED_MAX).render(false).ends_with("error: fault 49\n--> a.toml\n"));
        assert!(many(RENDERED_MAX + 1).render(false).ends_with("--> a.toml\n\n… and 1 more\n"));
        assert!(many(RENDERED_MAX + 700).to_string().ends_with("… and 700 more"));
    }

    #[test]
    fn json_names_line_and_column() {
        let expect = r#"[{"file":"mailmill.toml","line":2,"column":1,"severity":"error","reason":"unknown key `pfad`","help":"did you mean `path`?"}]"#;
        assert_eq!(serde_json::to_string(&Diagnostics::from(example())).unwrap(), expect);
    }

    #[test]
    fn diagnostics_are_sorted_by_place() {
        let source = Source::new(Path::new("b"), "12345");
        let mut all = Diagnostics::default();
        all.extend([
            source.error(3..4, "late"),
            source.error(1..2, "early"),
            Diagnostic::error(Path::new("a"), "first"),
        ]);
        let reasons: Vec<_> = all.iter().map(|diagnostic| diagnostic.reason.as_str()).collect();
        assert_eq!(reasons, ["first", "early", "late"]);
    }

    #[test]
    fn near_names_are_suggested() {
        let check = |name, expect: Option<&str>| {
            let known = ["path", "prefix", "deadline_ms"];
            assert_eq!(suggestion(name, known).as_deref(), expect, "{name}");
        };
        check("pth", Some("did you mean `path`?"));
        check("deadline", Some("did you mean `deadline_ms`?"));
        check("colour", None);
    }
}
