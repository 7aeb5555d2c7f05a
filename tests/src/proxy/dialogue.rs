//! Which command each line of a connection belongs to, by the rules of its protocol.

use super::Speaker;
use std::collections::VecDeque;

/// A connection's commands that are under way.
#[derive(Debug)]
pub(super) enum Dialogue {
    /// IMAP4: commands have tags.
    Imap(VecDeque<Command>),
    /// POP3: commands are answered one after the other.
    Pop3(Pop3),
}

/// A command, and where a line stands in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) tag: String,
    /// Such as `UID FETCH`.
    pub(super) verb: String,
    /// What stands behind the verb.
    pub(super) arguments: String,
    /// The line begins the command or, in POP3, the answer to it.
    pub(super) begins: bool,
    /// The line ends it.
    pub(super) ends: bool,
    /// Behind the line the connection speaks TLS.
    pub(super) secures: bool,
}

#[derive(Debug)]
pub(super) struct Pop3 {
    /// The first one is being answered. At first that is the client's connecting itself, which the greeting answers.
    under_way: VecDeque<Command>,
    /// In the middle of an answer of many lines.
    listing: bool,
    /// The server has asked for the next line of a login.
    asks: bool,
}

impl Dialogue {
    pub(super) fn imap() -> Self {
        Self::Imap(VecDeque::new())
    }

    pub(super) fn pop3() -> Self {
        Self::Pop3(Pop3 { under_way: VecDeque::from([Command::default()]), listing: false, asks: false })
    }

    /// Where the next line, or the content of a literal, belongs.
    pub(super) fn next(&mut self, by: Speaker, text: &[u8]) -> Command {
        let line = String::from_utf8_lossy(text);
        match self {
            Self::Imap(under_way) => next_of_imap(under_way, by, &line),
            Self::Pop3(pop3) => pop3.next(by, &line),
        }
    }

    /// The client's last command does not reach the server.
    pub(super) fn withdraw(&mut self) {
        match self {
            Self::Imap(under_way) => under_way.pop_back(),
            Self::Pop3(pop3) => pop3.under_way.pop_back(),
        };
    }
}

fn next_of_imap(under_way: &mut VecDeque<Command>, by: Speaker, line: &str) -> Command {
    let mut words = line.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if by == Speaker::Client && !second.is_empty() {
        let verb = match second.to_ascii_uppercase() {
            uid if uid == "UID" => format!("UID {}", words.next().unwrap_or_default().to_ascii_uppercase()),
            verb => verb,
        };
        let arguments = words.collect::<Vec<_>>().join(" ");
        let command = Command { tag: first.to_owned(), verb, arguments, ..Command::default() };
        under_way.push_back(command.clone());
        return Command { begins: true, ..command };
    }
    let own = under_way.iter().find(|command| command.tag == first).or_else(|| under_way.front());
    let command = own.cloned().unwrap_or_default();
    let ends = by == Speaker::Server && !command.tag.is_empty() && line.starts_with(&command.tag);
    if ends {
        under_way.retain(|other| other.tag != command.tag);
    }
    let secures = ends && command.verb == "STARTTLS" && second == "OK";
    Command { ends, secures, ..command }
}

impl Pop3 {
    fn next(&mut self, by: Speaker, line: &str) -> Command {
        match by {
            Speaker::Client => self.of_client(line),
            Speaker::Server => self.of_server(line),
        }
    }

    fn of_client(&mut self, line: &str) -> Command {
        if std::mem::take(&mut self.asks) {
            return self.under_way.back().cloned().unwrap_or_default();
        }
        let (verb, arguments) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        let command =
            Command { verb: verb.to_ascii_uppercase(), arguments: arguments.to_owned(), ..Command::default() };
        self.under_way.push_back(command.clone());
        Command { begins: true, ..command }
    }

    fn of_server(&mut self, line: &str) -> Command {
        let command = self.under_way.front().cloned().unwrap_or_default();
        let begins = !self.listing;
        let lines_follow = match command.verb.as_str() {
            "CAPA" | "RETR" | "TOP" => true,
            "LIST" | "UIDL" => command.arguments.is_empty(),
            _ => false,
        };
        if begins && (line.starts_with("+ ") || line.trim_end() == "+") {
            self.asks = true;
            return Command { begins, ..command };
        }
        self.listing = if begins { lines_follow && line.starts_with("+OK") } else { line.trim_end() != "." };
        if !self.listing {
            self.under_way.pop_front();
        }
        let secures = command.verb == "STLS" && line.starts_with("+OK");
        Command { begins, ends: !self.listing, secures, ..command }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Speaker::{Client, Server};

    /// Each line with its command, `<` where it begins and `>` where it ends.
    fn check(mut dialogue: Dialogue, lines: &[(Speaker, &str, &str)]) {
        for (by, line, expect) in lines {
            let Command { verb, begins, ends, .. } = dialogue.next(*by, format!("{line}\r\n").as_bytes());
            let (begins, ends) = (if begins { "<" } else { "" }, if ends { ">" } else { "" });
            assert_eq!(format!("{begins}{verb}{ends}"), *expect, "{line}");
        }
    }

    #[test]
    fn imap_commands_have_tags() {
        let lines = [
            (Server, "* OK ready", ""),
            (Client, "a1 uid fetch 1 (UID)", "<UID FETCH"),
            (Server, "* 1 FETCH (UID 1)", "UID FETCH"),
            (Server, "a1 OK done", "UID FETCH>"),
            (Client, "a2 IDLE", "<IDLE"),
            (Client, "DONE", "IDLE"),
        ];
        check(Dialogue::imap(), &lines);
    }

    #[test]
    fn pop3_commands_are_answered_in_order() {
        let lines = [
            (Server, "+OK ready", "<>"),
            (Client, "AUTH CRAM-MD5", "<AUTH"),
            (Server, "+ PDE+", "<AUTH"),
            (Client, "bWU=", "AUTH"),
            (Server, "+OK", "<AUTH>"),
            (Client, "UIDL", "<UIDL"),
            (Client, "LIST 1", "<LIST"),
            (Client, "RETR 1", "<RETR"),
            (Server, "+OK", "<UIDL"),
            (Server, "1 a", "UIDL"),
            (Server, ".", "UIDL>"),
            (Server, "+OK 1 10", "<LIST>"),
            (Server, "-ERR no", "<RETR>"),
        ];
        check(Dialogue::pop3(), &lines);
    }
}
