//! Attribution lines: `On 9/6/2017 12:55 PM, Danielle Fischer wrote:` in any language.
//!
//! A rule file lists templates in which `…` stands for anything: `On … wrote:`. The host looks for the words that a
//! template cannot be without; around each hit, the few lines that an attribution may be wrapped over are compared
//! with the templates. That takes linear time, and tells an attribution from prose in which the same words occur.
//! Most prose never comes that far: the host first looks whether a line ends like an attribution anywhere near such words.

use crate::evidence::Evidence;
use crate::lines::{Lines, SPACE, add_words, is_space, lower_words, offset};
use crate::pattern;
use crate::table;
use crate::template::{self, is_parted};
use mailmill_sdk::settings::Table;
use mailmill_sdk::text::{joined, lower};
use mailmill_sdk::{Field, Host};
use std::cell::OnceCell;
use std::ops::Range;

/// How many lines above and below the characteristic word an attribution may reach.
const LINES_ABOVE_MAX: usize = 3;
const LINES_BELOW_MAX: usize = 2;
/// The longest attribution, in bytes.
const BYTES_MAX: usize = 400;
/// How many characters the words have at least that tell an attribution from other text, if a template has such.
const CHARACTERISTIC_CHARS_MIN: usize = 5;
/// How many hits of the characteristic words are looked at.
const HITS_MAX: u32 = 10_000;
/// Around how many of them lines are compared with templates: that costs far more.
const COMPARED_MAX: usize = 100;

/// The characters of [`is_frame`], for the class of a pattern.
const FRAME: &str = r"\-\x{2010}-\x{2015}*_|=";
/// The colons that end an attribution, for the class of a pattern.
const COLONS: &str = ":：";

/// The attribution lines of a rule file.
pub(crate) struct Attributions<H: Host> {
    /// Matches every text in which a hit has lines around it that are worth comparing, and few others.
    likely: H::Pattern,
    hits: H::Pattern,
    templates: Vec<Template>,
    /// The characteristic words of templates that do not end with a colon, and whether they end with those words.
    without_colon: Vec<(String, bool)>,
}

/// An attribution that was found.
pub(crate) struct Attribution {
    /// Its lines.
    pub lines: Range<usize>,
    /// Where it starts in the first of them: most often at its start.
    pub start: usize,
    /// Whether quoted lines follow it.
    pub before_quoted: bool,
    /// Whether it can be nothing else, whichever client wrote it.
    pub certain: bool,
}

/// A template, in lower case: literal pieces with anything in between.
#[derive(Debug, PartialEq)]
struct Template {
    pieces: Vec<String>,
    colon: bool,
    /// Which piece is what is looked for: the last that is not short, since that is the verb; short ones are everywhere.
    characteristic: usize,
}

/// Some lines as one, and the same in lower case.
struct Window {
    lines: Range<usize>,
    text: String,
    lower: String,
    dashed: bool,
    evidence: OnceCell<Evidence>,
}

impl<H: Host> Attributions<H> {
    /// Reads the table `attribution`: a list of templates per language.
    pub(crate) fn read(host: &H, root: &Table<'_>) -> Option<Self> {
        let table = root.table("attribution")?;
        let mut templates = Vec::new();
        for language in table.keys() {
            for (index, source) in table.texts(language).into_iter().enumerate() {
                match Template::parse(source) {
                    Some(template) => {
                        // The most specific first: `… user … wrote:` before `… wrote:`.
                        let at = templates.partition_point(|other: &Template| other.words() >= template.words());
                        templates.insert(at, template);
                    }
                    None => table.complain_at(language, index, "the template has no words besides `…`", None),
                }
            }
        }
        let words: Vec<&str> = templates.iter().map(Template::characteristic).collect();
        let open = templates.iter().filter(|template| !template.colon);
        let without_colon: Vec<(String, bool)> =
            open.map(|template| (template.characteristic().to_owned(), template.ends_with_characteristic())).collect();
        let compiled = |source: &str| table::compiled(host, root, "attribution", source);
        let hits = compiled(&format!("(?i)(?:{})", pattern::any(&words)))?;
        let likely = compiled(&likely(&words, &without_colon))?;
        Some(Self { likely, hits, templates, without_colon })
    }

    /// Matches every body in which there may be one.
    pub(crate) fn likely(&self) -> &H::Pattern {
        &self.likely
    }

    /// The attributions of the body that no quote mark stands before, first to last.
    pub(crate) fn find(&self, host: &H, lines: &Lines<'_>) -> Vec<Attribution> {
        let mut found: Vec<Attribution> = Vec::new();
        if !host.matches(&Field::Body, &self.likely) {
            return found;
        }
        let (mut done, mut compared) = (0, 0);
        for hit in host.find_all(&Field::Body, &self.hits, HITS_MAX) {
            let (start, end) = (offset(hit.start), offset(hit.end));
            let Some(words) = whole_words(lines.text(), start, end) else { continue };
            let (first, last) = (lines.at(start), lines.at(end.saturating_sub(1)));
            if first < done || lines.get(first).is_none_or(|line| line.is_quoted() && !is_bracket(line.text)) {
                continue;
            }
            let open = self.is_without_colon(words, lines.get(last).map_or("", |line| line.after(end)));
            let windows = windows(lines, done, first..last + 1, open);
            if windows.is_empty() {
                continue;
            }
            compared += 1;
            if compared > COMPARED_MAX {
                break;
            }
            let words = lower_words(words);
            let candidates = self.templates.iter().filter(|template| table::holds(&words, template.characteristic()));
            if let Some(attribution) = among(lines, done, &candidates.collect::<Vec<_>>(), &windows) {
                done = attribution.lines.end;
                found.push(attribution);
            }
        }
        found
    }

    /// Whether a template with these characteristic words, which does not end with a colon, may fit where `rest` is
    /// what the line has behind them.
    fn is_without_colon(&self, words: &str, rest: &str) -> bool {
        if self.without_colon.is_empty() {
            return false;
        }
        let words = lower_words(words);
        let ends = rest.chars().all(|c| is_space(c) || is_frame(c));
        self.without_colon.iter().any(|(other, last)| *other == words && (ends || !last))
    }

    /// The line at which an attribution starts that ends with the text's last visible line before `end`: for quotes
    /// that are known as such, so that the line above needs no date.
    pub(crate) fn just_before(&self, lines: &Lines<'_>, end: usize) -> Option<usize> {
        let last = lines.visible_before(end)?;
        let text = lines.get(last)?.text;
        if !is_closed(text) && !self.without_colon.iter().any(|(words, _)| table::holds(&lower(text), words)) {
            return None;
        }
        let windows = (0..=LINES_ABOVE_MAX).map_while(|above| {
            let first = last.checked_sub(above)?;
            lines.get(first).filter(|line| !line.is_blank())?;
            Window::of(lines, first..last + 1)
        });
        let windows: Vec<Window> = windows.collect();
        let fits = |template: &Template| windows.iter().find(|window| template.matches(window));
        let window = self.templates.iter().find_map(fits)?;
        Some(window.lines.start)
    }
}

/// The attribution that one of the windows around a hit holds, as one of the templates says.
fn among(lines: &Lines<'_>, floor: usize, templates: &[&Template], windows: &[Window]) -> Option<Attribution> {
    let before_quoted = |window: &Window| {
        lines.visible(window.lines.end).and_then(|next| lines.get(next)).is_some_and(|line| line.is_quoted())
    };
    for template in templates {
        for window in windows {
            let quoted = before_quoted(window);
            if template.matches(window) && template.is_borne_out(window, quoted, lines) {
                // Where anything may stand before the verb, the sender's last words may, too.
                if let Some(inner) = (template.opens() && quoted).then(|| amid(lines, templates, window)).flatten() {
                    return Some(inner);
                }
                let first = extended(lines, floor, window.lines.start, template);
                return Some(Attribution {
                    lines: first..window.lines.end,
                    start: lines.get(first).map_or(0, |line| line.start),
                    before_quoted: quoted,
                    certain: quoted || window.evidence().is_certain(),
                });
            }
        }
    }
    windows.iter().find(|window| before_quoted(window)).and_then(|window| amid(lines, templates, window))
}

/// The attribution that starts amid the first line of a window, behind the sender's last words, above quoted lines.
fn amid(lines: &Lines<'_>, templates: &[&Template], window: &Window) -> Option<Attribution> {
    let line = lines.get(window.lines.start)?;
    let lowered = lower(line.text);
    if lowered.len() != line.text.len() {
        // Where lower case has other lengths, offsets mean nothing.
        return None;
    }
    let opens = |at: usize| {
        let opener = |template: &&Template| {
            template.pieces.first().is_some_and(|first| {
                !first.is_empty() && { whole_words(&lowered, at, at + first.len()) == Some(first.as_str()) }
            })
        };
        templates.iter().any(opener)
    };
    let at = lowered.char_indices().map(|(at, _)| at).filter(|at| *at > 0).find(|at| opens(*at))?;
    let others = lines.from(window.lines.start + 1).take(window.lines.len() - 1);
    let pieces = std::iter::once(line.text.get(at..)?).chain(others.map(|line| line.text));
    let inner = Window::joined(window.lines.clone(), pieces);
    let evidence = inner.evidence();
    let fits = templates.iter().any(|template| !template.opens() && template.matches(&inner));
    let above = line.text.get(..at)?.trim_end_matches(|c| is_frame(c) || is_space(c));
    let certain = evidence.date && (evidence.address || evidence.time) && !Evidence::of(above).address;
    (fits && certain).then(|| Attribution {
        lines: window.lines.clone(),
        start: line.start + above.len(),
        before_quoted: true,
        certain: true,
    })
}

/// The pattern for texts in which [`windows`] may find something: behind the words, one of the lines that the attribution
/// may reach is closed; or they are words of a template `without_colon`, for some of which the line must end there.
fn likely(words: &[&str], without_colon: &[(String, bool)]) -> String {
    let open = |at_end: bool| {
        let words = without_colon.iter().filter(move |(_, last)| *last == at_end);
        words.map(|(words, _)| words.as_str())
    };
    // Words that end like a closed line may close it themselves.
    let closing = words.iter().copied().filter(|words| is_closed(words));
    let anywhere: Vec<&str> = open(false).chain(closing).collect();
    let at_end: Vec<&str> = open(true).collect();
    let amid = LINES_BELOW_MAX - 1;
    let closed = format!(r"[^\n]*(?:\n[^\n]+){{0,{amid}}}\n?[^\n]*[{COLONS}{FRAME}][{SPACE}]*$");
    let ways = [(words, closed), (&at_end, format!("[{SPACE}]*$")), (&anywhere, String::new())];
    let ways = ways.iter().filter(|(words, _)| !words.is_empty());
    joined(ways.map(|(words, end)| format!("(?im:(?:{}){end})", pattern::any(words))), "|")
}

/// All stretches of lines around a hit that an attribution may fill, shortest first. Unless it may be `open`, it ends
/// with a colon or dashes.
fn windows(lines: &Lines<'_>, floor: usize, hit: Range<usize>, open: bool) -> Vec<Window> {
    let mut windows = Vec::new();
    for end in hit.end..=hit.end + LINES_BELOW_MAX {
        let added = lines
            .get(end - 1)
            .filter(|line| end == hit.end || !(line.is_blank() || line.is_quoted() && !is_bracket(line.text)));
        let Some(added) = added else { break };
        if !open && !is_closed(added.text) {
            continue;
        }
        let mut start = hit.start;
        for _ in 0..=LINES_ABOVE_MAX {
            windows.extend(Window::of(lines, start..end));
            let Some(above) = above(lines, floor, start) else { break };
            start = above;
        }
    }
    windows
}

/// Whether a line ends as an attribution does: with a colon, or with what stands around it.
fn is_closed(line: &str) -> bool {
    line.trim_end_matches(is_space).ends_with(|c| matches!(c, ':' | '：') || is_frame(c))
}

/// What clients put around an attribution.
fn is_frame(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '*' | '_' | '|' | '=')
}

/// The piece of a text, if no word goes on beyond it.
fn whole_words(text: &str, start: usize, end: usize) -> Option<&str> {
    let words = text.get(start..end)?;
    let before = text.get(..start).and_then(|text| text.chars().next_back());
    let after = text.get(end..).and_then(|text| text.chars().next());
    (is_parted(before, words.chars().next()) && is_parted(after, words.chars().next_back())).then_some(words)
}

/// The line above that may belong to the same attribution. A blank line ends it, unless an address follows.
fn above(lines: &Lines<'_>, floor: usize, start: usize) -> Option<usize> {
    let address = lines.get(start).is_some_and(|line| line.text.trim_start().starts_with('<'));
    let above = start.checked_sub(1)?;
    let above =
        if address && lines.get(above).is_some_and(|line| line.is_blank()) { above.checked_sub(1)? } else { above };
    let line = lines.get(above)?;
    (above >= floor && !line.is_blank() && !line.is_quoted()).then_some(above)
}

/// `> wrote:` is the end of an address that was wrapped, not a quoted line.
fn is_bracket(text: &str) -> bool {
    let rest = text.trim_start().trim_start_matches('>').trim();
    rest.ends_with(':') && rest.len() < 20 || rest.is_empty() && text.trim() == ">"
}

/// Where an attribution starts whose template leaves the start open: an address or a name alone goes with the date
/// on the line above.
fn extended(lines: &Lines<'_>, floor: usize, start: usize, template: &Template) -> usize {
    let Some(line) = lines.get(start).filter(|_| template.opens()) else { return start };
    let Some(above) = above(lines, floor, start).and_then(|above| lines.get(above).map(|line| (above, line.text)))
    else {
        return start;
    };
    let wrapped = line.text.trim_start().starts_with('<') || !Evidence::of(line.text).date;
    if wrapped && Evidence::of(above.1).date && !above.1.trim_end().ends_with(['.', '!', '?']) {
        above.0
    } else {
        start
    }
}

impl Window {
    fn of(lines: &Lines<'_>, range: Range<usize>) -> Option<Self> {
        let pieces = || lines.from(range.start).take(range.len());
        if pieces().map(|line| line.text.len()).sum::<usize>() > BYTES_MAX {
            return None;
        }
        Some(Self::joined(range.clone(), pieces().map(|line| line.text)))
    }

    /// The window of these lines, with some text of theirs.
    fn joined<'a>(lines: Range<usize>, pieces: impl Iterator<Item = &'a str>) -> Self {
        let mut joined = String::new();
        pieces.for_each(|piece| add_words(&mut joined, piece));
        let frame = |c: char| is_frame(c) || is_space(c);
        let text = joined.trim_start_matches(frame);
        let bare = text.trim_end_matches(frame);
        let dashed = text.len() - bare.len() >= 2;
        Self { lines, text: bare.to_owned(), lower: lower(bare), dashed, evidence: OnceCell::new() }
    }

    fn evidence(&self) -> Evidence {
        *self.evidence.get_or_init(|| Evidence::of(&self.text))
    }
}

impl Template {
    fn parse(source: &str) -> Option<Self> {
        let mut pieces = template::pieces(source);
        let last = pieces.last_mut()?;
        let bare = last.trim_end_matches([':', '：', ' ']).to_owned();
        let colon = bare.len() != last.len();
        *last = bare;
        let (mut characteristic, mut longest) = (0, 0);
        for (place, piece) in pieces.iter().enumerate() {
            let length = piece.chars().count().min(CHARACTERISTIC_CHARS_MIN);
            if length >= longest {
                (characteristic, longest) = (place, length);
            }
        }
        (longest > 0).then_some(Self { pieces, colon, characteristic })
    }

    fn words(&self) -> usize {
        self.pieces.iter().filter(|piece| !piece.is_empty()).count()
    }

    /// Whether anything may stand at its start.
    fn opens(&self) -> bool {
        self.pieces.first().is_some_and(String::is_empty)
    }

    /// The words that are looked for.
    fn characteristic(&self) -> &str {
        self.pieces.get(self.characteristic).map_or("", String::as_str)
    }

    fn ends_with_characteristic(&self) -> bool {
        self.pieces.last().is_some_and(|last| last == self.characteristic())
    }

    fn matches(&self, window: &Window) -> bool {
        let lower = window.lower.as_str();
        let colon = lower.trim_end_matches([':', '：']);
        let rest = match (self.colon, colon.len() < lower.len()) {
            (true, true) | (false, false) => colon.trim_end(),
            // A row of dashes stands for the colon: `---- On … wrote ----`.
            (true, false) if window.dashed => lower,
            _ => return false,
        };
        template::fits(&self.pieces, rest)
    }

    /// Whether there is enough in the lines to tell an attribution from prose.
    fn is_borne_out(&self, window: &Window, before_quoted: bool, lines: &Lines<'_>) -> bool {
        let evidence = window.evidence();
        if evidence.sentences {
            return false;
        }
        if before_quoted {
            return evidence.score() > 0 || evidence.digits || self.words() > 1 || window.lines.len() == 1;
        }
        let alone = lines.get(window.lines.end).is_none_or(|line| line.is_blank());
        match (self.opens() && self.words() == 1, self.colon || window.dashed) {
            (_, false) => evidence.address && evidence.date,
            // `Ann wrote on …:` says more than `Ann wrote:`.
            (true, true) => evidence.address || !self.ends_with_characteristic() && evidence.date && evidence.time,
            (false, true) => evidence.score() > 1 || evidence.score() == 1 && alone,
        }
    }
}

#[cfg(test)]
mod tests;
