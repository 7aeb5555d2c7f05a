//! A list in a file: its items, and what stands around each of them.

use super::{fits, new_list, quoted};
use std::ops::Range;

/// A list of texts, with its white space and comments.
#[derive(Debug)]
pub(super) struct Array {
    /// What stands behind the bracket, on its line.
    opening: String,
    items: Vec<Placed>,
    /// What stands before the closing bracket, from the line of the last item on.
    closing: String,
    has_lines: bool,
    ends_with_comma: bool,
}

/// An item, with what belongs to it.
#[derive(Debug, Clone)]
struct Placed {
    name: String,
    /// As it is written.
    written: String,
    /// White space and lines of comments before it.
    lead: String,
    /// What stands behind it on its line: a comment, or nothing.
    beside: String,
}

impl Array {
    /// Reads the list at `place`, whose items have these names and places.
    pub(super) fn read(text: &str, place: Range<usize>, spans: &[(String, Range<usize>)]) -> Option<Self> {
        let end = place.end.checked_sub(1)?;
        let mut array = Self {
            opening: String::new(),
            items: Vec::new(),
            closing: String::new(),
            has_lines: text.get(place.clone())?.contains('\n'),
            ends_with_comma: false,
        };
        let mut at = place.start + 1;
        for (name, span) in spans {
            let (gap, _) = without_comma(text.get(at..span.start)?);
            let (beside, lead) = at_line_end(&gap);
            match array.items.last_mut() {
                Some(before) => before.beside = beside,
                None => array.opening = beside,
            }
            let written = text.get(span.clone())?.to_owned();
            array.items.push(Placed { name: name.clone(), written, lead, beside: String::new() });
            at = span.end;
        }
        let (gap, comma) = without_comma(text.get(at..end)?);
        let (beside, closing) = at_line_end(&gap);
        match array.items.last_mut() {
            Some(last) => last.beside = beside,
            None => array.opening = beside,
        }
        array.closing = closing;
        array.ends_with_comma = comma;
        Some(array)
    }

    /// The list with these items, as it is written. Items that were there keep what belongs to them; lines of comments
    /// above an item that is taken out stay.
    pub(super) fn with(mut self, names: &[String], line_end: &str) -> String {
        let indent = self.indent(line_end);
        self.leave_comments(names);
        let mut rest = self.items.clone();
        let mut items: Vec<Placed> = Vec::new();
        for name in names {
            let old = rest.iter().position(|item| item.name == *name).map(|at| rest.remove(at));
            items.push(old.unwrap_or_else(|| Placed {
                name: name.clone(),
                written: quoted(name),
                lead: indent.clone(),
                beside: String::new(),
            }));
        }
        if self.has_lines { self.on_lines(items, &indent, line_end) } else { self.on_one_line(&items, line_end) }
    }

    fn on_one_line(&self, items: &[Placed], line_end: &str) -> String {
        let written: Vec<String> = items.iter().map(|item| item.written.clone()).collect();
        let lead = self.items.first().map_or("", |first| first.lead.as_str());
        let comma = if self.ends_with_comma && !items.is_empty() { "," } else { "" };
        let line = format!("[{lead}{}{comma}{}]", written.join(", "), self.closing);
        if fits(&line) { line } else { new_list(&written, line_end) }
    }

    fn on_lines(&self, mut items: Vec<Placed>, indent: &str, line_end: &str) -> String {
        let follows = |item: &Placed, before: Option<&String>| {
            let at = self.items.iter().position(|other| other.name == item.name);
            let old = at.and_then(|at| self.items.get(at.checked_sub(1)?)).map(|old| &old.name);
            old.is_some() && old == before
        };
        let mut before: Option<String> = None;
        for item in &mut items {
            // Several on a line: only those that still follow each other.
            if !item.lead.contains('\n') && !follows(item, before.as_ref()) {
                indent.clone_into(&mut item.lead);
            }
            before = Some(item.name.clone());
        }
        let is_commented = items.last().is_some_and(|last| !last.beside.trim().is_empty());
        let mut closing = self.closing.clone();
        if !closing.contains('\n') && (is_commented || items.is_empty() && self.opening.contains('#')) {
            closing = line_end.to_owned();
        }
        let mut text = format!("[{}", self.opening);
        let count = items.len();
        for (index, item) in items.iter().enumerate() {
            let comma = if index + 1 < count || self.ends_with_comma || closing.contains('\n') { "," } else { "" };
            text.push_str(&[&item.lead, &item.written, comma, item.beside.trim_end()].concat());
        }
        text + &closing + "]"
    }

    /// A line end, and what stands before an item on a line of its own.
    fn indent(&self, line_end: &str) -> String {
        let lead = self.items.iter().find_map(|item| item.lead.rsplit_once('\n'));
        format!("{line_end}{}", lead.map_or("    ", |(_, blanks)| blanks))
    }

    /// Hands the lines of comments above items that go to the item below.
    fn leave_comments(&mut self, names: &[String]) {
        let mut carried = String::new();
        for item in &mut self.items {
            if names.contains(&item.name) {
                item.lead.insert_str(0, &std::mem::take(&mut carried));
            } else if let Some((comments, _)) = item.lead.rsplit_once('\n').filter(|(above, _)| above.contains('#')) {
                carried.push_str(comments.trim_end_matches('\r'));
            }
        }
        self.closing.insert_str(0, &carried);
    }
}

/// A gap between items without its comma, and whether it had one.
fn without_comma(gap: &str) -> (String, bool) {
    let mut in_comment = false;
    for (at, character) in gap.char_indices() {
        match character {
            '#' => in_comment = true,
            '\n' => in_comment = false,
            ',' if !in_comment => {
                let (before, after) = (gap.get(..at).unwrap_or_default(), gap.get(at + 1..).unwrap_or_default());
                return ([before, after].concat(), true);
            }
            _ => {}
        }
    }
    (gap.to_owned(), false)
}

/// What of a gap stands on the line of the item before it, and the rest. Without a line end all of it is the rest.
fn at_line_end(gap: &str) -> (String, String) {
    let end = gap.find('\n').map(|at| if gap.get(..at).is_some_and(|line| line.ends_with('\r')) { at - 1 } else { at });
    match end.and_then(|end| gap.split_at_checked(end)) {
        Some((line, rest)) => (line.to_owned(), rest.to_owned()),
        None => (String::new(), gap.to_owned()),
    }
}
