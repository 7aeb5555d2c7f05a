//! What the subject of a forwarded message starts with: `FW:`, `WG:`, `TR:`.

use crate::pattern;
use crate::table;
use mailmill_sdk::settings::Table;
use mailmill_sdk::text::lower;
use mailmill_sdk::{Field, Host, Span};

/// The language whose prefixes count for all others too.
const COMMON: &str = "en";

/// The prefixes of a rule file.
pub(crate) struct ForwardSubjects<H: Host> {
    pattern: H::Pattern,
    /// In lower case, each with a language that it is of.
    prefixes: Vec<(String, String)>,
}

impl<H: Host> ForwardSubjects<H> {
    /// Reads the table `forward-subject`: a list of prefixes per language.
    pub(crate) fn read(host: &H, root: &Table<'_>) -> Option<Self> {
        let listed = root.table("forward-subject")?;
        let of = |language| listed.texts(language).into_iter().map(move |prefix| (language, prefix));
        let all: Vec<(&str, &str)> = listed.keys().flat_map(of).collect();
        let texts: Vec<&str> = all.iter().map(|(_, prefix)| *prefix).collect();
        let source = format!(r"(?i)^\s*(?:{})\s*[:：]", pattern::any(&texts));
        let pattern = table::compiled(host, root, "forward-subject", &source)?;
        let prefixes = all.into_iter().map(|(language, prefix)| (lower(prefix), language.to_owned())).collect();
        Some(Self { pattern, prefixes })
    }

    /// Whether the message's subject is that of a forwarded message, its header block being of `language`. One prefix
    /// may mean different things in two languages.
    pub(crate) fn is_forward(&self, host: &H, language: &str) -> bool {
        let Some(Span { start, end }) = host.find(&Field::Subject, &self.pattern, 0) else { return false };
        let found = lower(&host.slice(&Field::Subject, Span { start, end }));
        let found = found.trim_end_matches([':', '：']).trim();
        self.prefixes.iter().any(|(prefix, of)| prefix == found && (of == language || of == COMMON))
    }
}
