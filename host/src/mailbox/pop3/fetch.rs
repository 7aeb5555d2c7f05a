//! Fetching messages: several commands under way at once, where the server allows it (RFC 2449 section 6.6).

use super::listing::{Message, Number};
use super::wire::Command;
use crate::mailbox::MessageKey;
use std::collections::VecDeque;

/// The most commands under way at once: enough to hide the way to a distant server, and so short together that
/// neither side waits for the other to read.
pub(super) const COMMANDS_MAX: usize = 64;
/// The most bytes asked for at once, unless one message alone is larger.
const BYTES_MAX: u64 = 4 << 20;

/// A message that was asked for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) key: MessageKey,
    pub(super) number: Number,
    size: u64,
}

impl Wanted {
    pub(super) fn new(key: &MessageKey, message: &Message) -> Self {
        Self { key: key.clone(), number: message.number, size: message.size.unwrap_or(0) }
    }
}

/// What is under way, and what is to follow.
#[derive(Debug)]
pub(super) struct Window {
    wanted: VecDeque<Wanted>,
    under_way: VecDeque<Wanted>,
    commands_max: usize,
    bytes: u64,
}

impl Window {
    pub(super) fn new(wanted: VecDeque<Wanted>, pipelining: bool) -> Self {
        let commands_max = if pipelining { COMMANDS_MAX } else { 1 };
        Self { wanted, under_way: VecDeque::new(), commands_max, bytes: 0 }
    }

    /// The commands to send now. As long as half of those before are still under way there are none, so that they go
    /// together.
    pub(super) fn fill(&mut self) -> Vec<(Command, String)> {
        let mut commands = Vec::new();
        if self.under_way.len() > self.commands_max / 2 {
            return commands;
        }
        while let Some(next) = self.wanted.front() {
            let bytes = self.bytes.saturating_add(next.size);
            if self.under_way.len() >= self.commands_max || (bytes > BYTES_MAX && !self.under_way.is_empty()) {
                break;
            }
            self.bytes = bytes;
            commands.push((Command::multi_line("RETR"), format!("RETR {}", next.number)));
            self.under_way.extend(self.wanted.pop_front());
        }
        commands
    }

    /// The message that is answered next.
    pub(super) fn next(&mut self) -> Option<Wanted> {
        let next = self.under_way.pop_front()?;
        self.bytes = if self.under_way.is_empty() { 0 } else { self.bytes.saturating_sub(next.size) };
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many commands are sent in each piece, if all answers are read one after the other.
    fn pieces(sizes: &[u64], pipelining: bool) -> Vec<usize> {
        let wanted = |(place, size): (usize, &u64)| Wanted {
            key: MessageKey { mailbox: "m".into(), uid_validity: 0, uid: place.to_string() },
            number: u32::try_from(place).unwrap() + 1,
            size: *size,
        };
        let mut window = Window::new(sizes.iter().enumerate().map(wanted).collect(), pipelining);
        let (mut pieces, mut expected) = (Vec::new(), 1);
        loop {
            let commands = window.fill();
            if !commands.is_empty() {
                pieces.push(commands.len());
            }
            let Some(next) = window.next() else { break };
            assert_eq!(next.number, expected, "out of order");
            expected += 1;
        }
        assert_eq!(expected, u32::try_from(sizes.len()).unwrap() + 1, "some were left out");
        pieces
    }

    #[test]
    fn a_window_is_bounded_by_commands_and_by_bytes() {
        let check = |sizes: &[u64], pipelining, expect: &[usize]| assert_eq!(pieces(sizes, pipelining), expect);
        check(&[], true, &[]);
        check(&[1; 3], true, &[3]);
        check(&[1; 3], false, &[1, 1, 1]);
        check(&[1; 100], true, &[64, 32, 4]);
        check(&[BYTES_MAX; 3], true, &[1, 1, 1]);
        check(&[BYTES_MAX / 2; 4], true, &[2, 1, 1]);
        check(&[u64::MAX, 1, 1], true, &[1, 2]);
    }
}
