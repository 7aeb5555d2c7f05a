//! Fair queues: whoever has much to do waits for itself, and not for others.

use std::collections::{HashMap, VecDeque};

/// A queue with a lane for each job; the lanes that hold something take turns. What bounds it is what bounds the messages
/// that a job has in hand.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    lanes: HashMap<String, VecDeque<T>>,
    /// The lanes that hold something, next first.
    turns: VecDeque<String>,
    len: usize,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { lanes: HashMap::new(), turns: VecDeque::new(), len: 0 }
    }
}

impl<T> Lanes<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts something at the end of a lane.
    pub(super) fn push(&mut self, lane: &str, item: T) {
        if !self.lanes.contains_key(lane) {
            self.turns.push_back(lane.to_owned());
        }
        self.lanes.entry(lane.to_owned()).or_default().push_back(item);
        self.len += 1;
    }

    /// Takes what is at the front of the lane whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let lane = self.turns.pop_front()?;
        let items = self.lanes.get_mut(&lane)?;
        let item = items.pop_front()?;
        if items.is_empty() {
            self.lanes.remove(&lane);
        } else {
            self.turns.push_back(lane);
        }
        self.len -= 1;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_does_not_delay_others() {
        let check = |pushed: &[(&str, u32)], expect: &[u32]| {
            let mut lanes = Lanes::default();
            pushed.iter().for_each(|(lane, item)| lanes.push(lane, *item));
            assert_eq!(lanes.len(), expect.len());
            assert_eq!(std::iter::from_fn(|| lanes.pop()).collect::<Vec<_>>(), expect);
            assert!(lanes.is_empty() && lanes.lanes.is_empty() && lanes.turns.is_empty());
        };
        check(&[], &[]);
        check(&[("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)], &[1, 4, 5, 2, 6, 3]);
        let mut lanes = Lanes::default();
        (0..1000).for_each(|item| lanes.push("flood", item));
        lanes.pop();
        lanes.push("other", 7777);
        let next: Vec<_> = std::iter::from_fn(|| lanes.pop()).take(2).collect();
        assert!(next.contains(&7777), "{next:?}");
    }
}
