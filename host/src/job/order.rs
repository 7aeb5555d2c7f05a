//! Order: messages of one conversation are handled one after the other, in the order of their mailbox; nothing else
//! waits for anything else.
//!
//! A reply must find the ticket that the message before it creates, so it waits until that message is committed. Every
//! message has some names (its own Message-ID, those it refers to, the tickets in its tags); two messages that share a
//! name belong together.

use crate::pipeline::Parsed;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The messages in hand, by their names. Shared by all jobs.
#[derive(Debug, Clone, Default)]
pub struct Order {
    in_hand: Arc<Mutex<HashMap<String, Holder>>>,
}

#[derive(Debug)]
struct Holder {
    turn: u64,
    done: watch::Receiver<()>,
}

/// A message's place in the order. Dropping it lets the next message of the conversation go on.
#[derive(Debug)]
pub struct Turn {
    order: Order,
    names: Vec<String>,
    turn: u64,
    before: Vec<watch::Receiver<()>>,
    /// Closed when this is dropped: that is what the messages after this one wait for.
    _done: watch::Sender<()>,
}

impl Order {
    /// Takes a place behind all messages in hand that share a name with this one. To be called in mailbox order.
    #[must_use]
    pub fn enter(&self, names: Vec<String>, turn: u64) -> Turn {
        let (done_sender, done) = watch::channel(());
        let mut in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        let before = names.iter().filter_map(|name| in_hand.get(name).map(|holder| holder.done.clone())).collect();
        for name in &names {
            in_hand.insert(name.clone(), Holder { turn, done: done.clone() });
        }
        drop(in_hand);
        Turn { order: self.clone(), names, turn, before, _done: done_sender }
    }
}

impl Turn {
    /// Waits for the messages before this one.
    pub async fn wait(&mut self) {
        for mut before in self.before.drain(..) {
            // Nothing is ever sent: the channel closes when the other message is done, whatever became of it.
            while before.changed().await.is_ok() {}
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut in_hand = self.order.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &self.names {
            if in_hand.get(name).is_some_and(|holder| holder.turn == self.turn) {
                in_hand.remove(name);
            }
        }
    }
}

/// The names of a message.
#[must_use]
pub(super) fn names(parsed: &Parsed) -> Vec<String> {
    let own = parsed.message.message_id.iter();
    let ids = own.chain(&parsed.keys.answered).chain(&parsed.keys.references).map(|id| format!("<{id}>"));
    let mut names: Vec<String> = ids.chain(parsed.keys.tickets.iter().map(ToString::to_string)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn name(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_conversation_is_handled_in_order() {
        let order = Order::default();
        let mut first = order.enter(name("a"), 1);
        let mut reply = order.enter(name("b a"), 2);
        let mut other = order.enter(name("c"), 3);
        let mut reply_to_reply = order.enter(name("d b a"), 4);
        assert!(first.wait().now_or_never().is_some(), "nothing is before the first");
        assert!(other.wait().now_or_never().is_some(), "another conversation does not wait");
        assert!(reply.wait().now_or_never().is_none(), "the reply waits");
        drop(first);
        let mut reply = {
            drop(reply);
            order.enter(name("e"), 5)
        };
        assert!(reply.wait().now_or_never().is_some());
        assert!(reply_to_reply.wait().now_or_never().is_some(), "all before it are done");
    }

    #[tokio::test]
    async fn nothing_stays_behind() {
        let order = Order::default();
        drop(order.enter(name("a b"), 1));
        assert!(order.in_hand.lock().expect("not poisoned").is_empty());
    }
}
