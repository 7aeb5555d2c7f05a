//! Colour, where the reader is a terminal that wants it.

pub(crate) use crate::tame::tame;
use std::fmt::Display;
use std::io::IsTerminal;

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A heading.
    Heading,
    /// Less important.
    Dim,
    /// Cut text.
    Cut,
    /// Good.
    Good,
    /// Bad.
    Bad,
}

/// Whether standard output is a terminal that wants colour (<https://no-color.org>).
pub(crate) fn stdout_has_colour() -> bool {
    std::io::stdout().is_terminal() && wanted()
}

/// The same for standard error.
pub(crate) fn stderr_has_colour() -> bool {
    std::io::stderr().is_terminal() && wanted()
}

fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Puts text in a style, if colour is on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    colour: bool,
}

impl Paint {
    pub(crate) fn new(colour: bool) -> Self {
        Self { colour }
    }

    pub(crate) fn paint(self, style: Style, text: impl Display) -> String {
        if !self.colour {
            return text.to_string();
        }
        let code = match style {
            Style::Heading => "1",
            Style::Dim => "2",
            Style::Cut => "9;31",
            Style::Good => "32",
            Style::Bad => "1;31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_only_there_if_wanted() {
        assert_eq!(Paint::new(false).paint(Style::Bad, "x"), "x");
        assert_eq!(Paint::new(true).paint(Style::Bad, "x"), "\u{1b}[1;31mx\u{1b}[0m");
    }
}
