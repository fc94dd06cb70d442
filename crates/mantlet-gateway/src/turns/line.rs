//! Those who wait: each client in a line of its own, and the lines in turn.

use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use super::Turn;

#[derive(Debug, Default)]
pub(super) struct Line {
    of: HashMap<usize, VecDeque<oneshot::Sender<Turn>>>,
    /// Clients that wait, the next one first.
    pub(super) order: VecDeque<usize>,
    len: usize,
    /// Who was refused since somebody looked for those who have left.
    refused: usize,
}

impl Line {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Goes to the end of the client's line, unless it is too long: all together are at most so many, and no client has more than an equal
    /// share of seven eighths.
    pub(super) fn join(&mut self, client: usize, tell: oneshot::Sender<Turn>, most: usize) -> bool {
        if !self.has_room(client, most) {
            // Those who have left make room; looked for only now and then, for it takes a look at everybody.
            self.refused += 1;
            if self.refused < most / 8 {
                return false;
            }
            self.forget_who_has_left();
            if !self.has_room(client, most) {
                return false;
            }
        }
        let own = self.of.entry(client).or_default();
        if own.is_empty() {
            self.order.push_back(client);
        }
        own.push_back(tell);
        self.len += 1;
        true
    }

    fn has_room(&self, client: usize, most: usize) -> bool {
        let own = self.of.get(&client).map_or(0, VecDeque::len);
        let clients = self.order.len() + usize::from(own == 0);
        self.len < most && own < ((most - most / 8) / clients).max(1)
    }

    fn forget_who_has_left(&mut self) {
        self.refused = 0;
        self.of.retain(|_, own| {
            own.retain(|tell| !tell.is_closed());
            !own.is_empty()
        });
        self.order.retain(|client| self.of.contains_key(client));
        self.len = self.of.values().map(VecDeque::len).sum();
    }

    /// Whoever is next and still there.
    pub(super) fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        while let Some(client) = self.order.pop_front() {
            let Some(own) = self.of.get_mut(&client) else { continue };
            let mut next = None;
            while next.is_none()
                && let Some(tell) = own.pop_front()
            {
                self.len -= 1;
                next = Some(tell).filter(|tell| !tell.is_closed());
            }
            if own.is_empty() {
                self.of.remove(&client);
            } else {
                self.order.push_back(client);
            }
            if let Some(tell) = next {
                return Some(tell);
            }
        }
        None
    }
}
