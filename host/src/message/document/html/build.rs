//! From tokens to elements.

use super::super::{HTML_BYTES_MAX, Span};
use super::flow::Flow;
use super::tags::{self, Layout, Reach, Traits};
use super::{ATTRIBUTES_MAX, Attribute, DEPTH_MAX, ELEMENTS_MAX, Element, ElementId, Html, Node};
use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Emitter, Error, ForwardingEmitter, Tokenizer};
use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;

/// Tokenizes the source and builds the tree. Source beyond [`HTML_BYTES_MAX`] is left out.
pub(super) fn build(source: &str) -> (String, Html) {
    let source = source.get(..source.floor_char_boundary(HTML_BYTES_MAX)).unwrap_or_default();
    let mut builder = Builder::default();
    let mut emitter = CallbackEmitter::<_, Infallible, ()>::new(|event: CallbackEvent<'_>, _| {
        builder.take(&event);
        None
    });
    emitter.naively_switch_states(true);
    // It yields nothing: all that it finds goes to the builder.
    let _ = Tokenizer::new_with_emitter(source, Quiet(emitter)).count();
    builder.finish()
}

/// Does not ask what is wrong with a source: looking for that at each character is a fifth of the tokenizer's time.
struct Quiet<E>(E);

impl<E: Emitter> ForwardingEmitter for Quiet<E> {
    type Token = E::Token;

    fn inner(&mut self) -> &mut impl Emitter<Token = Self::Token> {
        &mut self.0
    }

    fn emit_error(&mut self, _: Error) {}

    fn should_emit_errors(&mut self) -> bool {
        false
    }
}

/// An element whose end has not come.
#[derive(Debug)]
struct Open {
    id: u32,
    name: u32,
    verbatim: bool,
    margin: usize,
    last_child: Option<u32>,
}

/// A start tag being read.
#[derive(Debug)]
struct Tag {
    name: String,
    first_attribute: usize,
    /// Whether the attribute being read is kept.
    attribute: bool,
}

/// What is known of a name that occurs.
#[derive(Debug, Clone, Copy)]
struct Name {
    traits: Traits,
    reach: Reach,
    /// How many elements of that name are open.
    open: usize,
}

#[derive(Debug, Default)]
struct Builder {
    html: Html,
    flow: Flow,
    stack: Vec<Open>,
    /// How many of the open elements, outermost first, cover some text already.
    covered: usize,
    /// Where in the stack the outermost hidden element is.
    hidden_at: Option<usize>,
    names: Vec<Name>,
    ids: HashMap<Box<str>, u32>,
    tag: Option<Tag>,
    last_root: Option<u32>,
    /// Whether a line end is the first thing in a `pre`, where it does not count.
    pre_begins: bool,
}

/// A piece of the source. All are UTF-8, so one quick look at it is enough.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

impl Builder {
    fn take(&mut self, event: &CallbackEvent<'_>) {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                let name = text(name).into_owned();
                self.tag = Some(Tag { name, first_attribute: self.html.attributes.len(), attribute: false });
            }
            CallbackEvent::AttributeName { name } => self.attribute(&text(name)),
            CallbackEvent::AttributeValue { value } => self.attribute_value(&text(value)),
            CallbackEvent::CloseStartTag { self_closing } => self.start(*self_closing),
            CallbackEvent::EndTag { name } => self.end(&text(name)),
            CallbackEvent::String { value } => self.text(&text(value)),
            CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
    }

    fn finish(mut self) -> (String, Html) {
        self.pop_to(0);
        (self.flow.into_text(), self.html)
    }

    fn attribute(&mut self, name: &str) {
        let Some(tag) = self.tag.as_mut() else { return };
        tag.attribute = self.html.attributes.len() < ATTRIBUTES_MAX;
        if tag.attribute {
            let name = self.html.mark(name);
            self.html.attributes.push(Attribute { value: name.end..name.end, name });
        }
    }

    fn attribute_value(&mut self, value: &str) {
        let kept = self.tag.as_ref().is_some_and(|tag| tag.attribute);
        if kept {
            let value = self.html.mark(value);
            if let Some(attribute) = self.html.attributes.last_mut() {
                attribute.value = value;
            }
        }
    }

    fn text(&mut self, text: &str) {
        if self.hidden_at.is_some() {
            return;
        }
        let verbatim = self.stack.last().is_some_and(|open| open.verbatim);
        let text = if std::mem::take(&mut self.pre_begins) { text.strip_prefix('\n').unwrap_or(text) } else { text };
        let Some(placed) = self.flow.write(text, verbatim) else { return };
        let span = Span::new(placed.start, placed.end);
        match self.html.nodes.last_mut() {
            Some(Node::Text { span: last, verbatim: same }) if *same == verbatim => last.end = span.end,
            _ => self.html.nodes.push(Node::Text { span, verbatim }),
        }
        for open in self.stack.iter().skip(self.covered) {
            if let Some(element) = self.html.elements.get_mut(open.id as usize) {
                element.span = span;
            }
        }
        self.covered = self.stack.len();
    }

    fn start(&mut self, self_closing: bool) {
        let Some(tag) = self.tag.take() else { return };
        self.pre_begins = false;
        if let Some(implied) = tags::implied_ends(&tag.name) {
            self.end_implied(implied.ends, implied.within);
        }
        let traits = Traits::of(&tag.name);
        if self.html.elements.len() >= ELEMENTS_MAX {
            self.html.attributes.truncate(tag.first_attribute);
            return self.lay_out(&tag.name, traits.layout, 0);
        }
        if self.stack.len() >= DEPTH_MAX {
            self.pop_to(DEPTH_MAX - 1);
        }
        let name = self.intern(&tag.name, traits);
        let id = self.append(name, tag.first_attribute);
        let style = Style::of(&self.html, id);
        let margin = usize::from(traits.layout == Layout::Paragraph && !style.no_margin);
        self.lay_out(&tag.name, traits.layout, margin);
        self.html.nodes.push(Node::Open(ElementId(id)));
        // The standard ignores `/>` except in foreign content, where it is the rule.
        if traits.void || (self_closing && self.in_foreign()) {
            self.html.nodes.push(Node::Close(ElementId(id)));
            self.hide(id, style.hidden || traits.layout == Layout::Hidden);
            return;
        }
        if style.hidden || traits.layout == Layout::Hidden {
            self.hidden_at.get_or_insert(self.stack.len());
        }
        self.hide(id, self.hidden_at.is_some());
        let inherited = self.stack.last().is_some_and(|open| open.verbatim);
        let verbatim = style.verbatim.unwrap_or(inherited || traits.verbatim);
        self.pre_begins = traits.verbatim;
        self.stack.push(Open { id, name, verbatim, margin, last_child: None });
        if let Some(name) = self.names.get_mut(name as usize) {
            name.open += 1;
        }
    }

    /// What the tag does to the lines.
    fn lay_out(&mut self, name: &str, layout: Layout, margin: usize) {
        if self.hidden_at.is_some() {
            return;
        }
        match layout {
            _ if name == "br" => self.flow.end_line(),
            Layout::Cell => self.flow.cell(),
            Layout::Block | Layout::Paragraph => self.flow.edge(margin),
            Layout::Inline | Layout::Hidden => {}
        }
    }

    fn in_foreign(&self) -> bool {
        let foreign = ["svg", "math"].map(|name| self.ids.get(name).copied());
        self.stack.iter().rev().take(8).any(|open| foreign.contains(&Some(open.name)))
    }

    fn hide(&mut self, id: u32, hidden: bool) {
        if let Some(element) = self.html.elements.get_mut(id as usize) {
            element.hidden = hidden;
        }
    }

    fn intern(&mut self, name: &str, traits: Traits) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = index(self.names.len());
        self.names.push(Name { traits, reach: tags::reach(name), open: 0 });
        self.html.names.push(name.into());
        self.html.mark(name);
        self.ids.insert(name.into(), id);
        id
    }

    fn append(&mut self, name: u32, first_attribute: usize) -> u32 {
        let id = index(self.html.elements.len());
        let parent = self.stack.last_mut();
        let parent_id = parent.as_ref().map(|open| open.id);
        let last = parent.map_or(&mut self.last_root, |open| &mut open.last_child);
        let previous = last.replace(id);
        let at = self.flow.len();
        self.html.elements.push(Element {
            name,
            attributes: index(first_attribute)..index(self.html.attributes.len()),
            parent: parent_id,
            previous,
            next: None,
            first_child: None,
            span: Span::new(at, at),
            hidden: false,
        });
        match (previous, parent_id) {
            (Some(previous), _) => self.with(previous, |element| element.next = Some(id)),
            (None, Some(parent)) => self.with(parent, |element| element.first_child = Some(id)),
            (None, None) => {}
        }
        id
    }

    fn with(&mut self, id: u32, change: impl FnOnce(&mut Element)) {
        if let Some(element) = self.html.elements.get_mut(id as usize) {
            change(element);
        }
    }

    fn end(&mut self, name: &str) {
        self.pre_begins = false;
        let known = self.ids.get(name).and_then(|id| Some((*id, *self.names.get(*id as usize)?)));
        match known {
            Some((id, known)) if known.open > 0 => {
                if let Some(depth) = self.reachable(id, known.reach) {
                    self.pop_to(depth);
                }
            }
            // The standard makes elements of these two end tags.
            _ if name == "br" || name == "p" => {
                self.lay_out(name, Traits::of(name).layout, usize::from(name == "p"));
            }
            _ => {}
        }
    }

    /// Where in the stack the element is that an end tag ends.
    fn reachable(&self, name: u32, reach: Reach) -> Option<usize> {
        for (depth, open) in self.stack.iter().enumerate().rev() {
            if open.name == name {
                return Some(depth);
            }
            let traits = self.names.get(open.name as usize)?.traits;
            let stop = match reach {
                Reach::Line => traits.is_block() || traits.barrier,
                Reach::Scope => traits.barrier,
                Reach::Table => self.name(open) == "table",
                Reach::Document => false,
            };
            if stop {
                return None;
            }
        }
        None
    }

    /// Ends the outermost of the named elements that is not beyond a barrier.
    fn end_implied(&mut self, ends: &[&str], within: &[&str]) {
        let is_open = |name: &&str| {
            self.ids.get(*name).and_then(|id| self.names.get(*id as usize)).is_some_and(|name| name.open > 0)
        };
        if !ends.iter().any(is_open) {
            return;
        }
        let mut outermost = None;
        for (depth, open) in self.stack.iter().enumerate().rev() {
            let name = self.name(open);
            if ends.contains(&name) {
                outermost = Some(depth);
            } else if within.contains(&name)
                || self.names.get(open.name as usize).is_none_or(|name| name.traits.barrier)
            {
                break;
            }
        }
        if let Some(depth) = outermost {
            self.pop_to(depth);
        }
    }

    fn name(&self, open: &Open) -> &str {
        self.html.names.get(open.name as usize).map_or("", |name| name)
    }

    /// Ends elements until `depth` of them are open.
    fn pop_to(&mut self, depth: usize) {
        while self.stack.len() > depth {
            let Some(open) = self.stack.pop() else { return };
            let end = index(self.flow.len());
            let covers = self.stack.len() < self.covered;
            self.with(open.id, |element| {
                let end = if covers { end } else { element.span.start };
                element.span.end = end;
            });
            self.html.nodes.push(Node::Close(ElementId(open.id)));
            self.covered = self.covered.min(self.stack.len());
            let hidden = self.hidden_at.is_some();
            self.hidden_at = self.hidden_at.filter(|at| *at < self.stack.len());
            if let Some(name) = self.names.get_mut(open.name as usize) {
                name.open -= 1;
                if name.traits.is_block() && name.traits.layout != Layout::Cell && !hidden {
                    self.flow.edge(open.margin);
                }
            }
        }
    }
}

impl Html {
    /// Keeps a name or a value; where it is kept. Marks have something between them that none contains.
    fn mark(&mut self, text: &str) -> std::ops::Range<usize> {
        let start = self.marks.len();
        self.marks.push_str(text);
        let end = self.marks.len();
        self.marks.push('\0');
        start..end
    }
}

/// What matters of an element's attributes for its layout.
#[derive(Debug, Default)]
struct Style {
    hidden: bool,
    verbatim: Option<bool>,
    no_margin: bool,
}

impl Style {
    fn of(html: &Html, id: u32) -> Self {
        let mut style = Self::default();
        for (name, value) in html.attributes(ElementId(id)) {
            match name {
                "hidden" => style.hidden = true,
                // Word's paragraphs have no space between them.
                "class" => style.no_margin |= value.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("mso")),
                "style" => value.split(';').for_each(|declaration| style.declare(declaration)),
                _ => {}
            }
        }
        style
    }

    fn declare(&mut self, declaration: &str) {
        let Some((property, value)) = declaration.split_once(':') else { return };
        let property = property.trim().to_ascii_lowercase();
        let value = value.trim().trim_end_matches("!important").trim_end().to_ascii_lowercase();
        match (&*property, &*value) {
            ("display", "none") | ("mso-hide", "all") | ("visibility", "hidden") => self.hidden = true,
            ("white-space", value) => self.verbatim = Some(value.starts_with("pre") || value == "break-spaces"),
            ("margin", value) => self.no_margin = value.split_ascii_whitespace().take(3).step_by(2).all(is_zero),
            ("margin-bottom", value) => self.no_margin = is_zero(value),
            _ => {}
        }
    }
}

/// Whether a length is nothing, or next to nothing (Word writes `.0001pt`).
fn is_zero(length: &str) -> bool {
    let number = length.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    number.parse::<f32>().is_ok_and(|number| number.abs() < 0.01)
}

/// An index of the tree. The limits on its size keep it far below the greatest one.
fn index(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
