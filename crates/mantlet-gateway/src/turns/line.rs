//! Those who wait: each client in a line of its own, and the lines in turn.

use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use super::Turn;

#[derive(Debug, Default)]
pub(super) struct Line {
    of: HashMap<usize, VecDeque<oneshot::Sender<Turn>>>,
    /// Clients that wait, the next one first.
    order: VecDeque<usize>,
    len: usize,
}

impl Line {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Goes to the end of the client's line, unless it is too long: all together are at most so many, and no client has more than an equal
    /// share of seven eighths.
    pub(super) fn join(&mut self, client: usize, tell: oneshot::Sender<Turn>, most: usize) -> bool {
        let clients = self.order.len().max(1);
        let own = self.of.entry(client).or_default();
        if own.is_empty() {
            self.order.push_back(client);
        }
        // Those who have left make room.
        while own.front().is_some_and(oneshot::Sender::is_closed) {
            own.pop_front();
            self.len -= 1;
        }
        let has_room = self.len < most && own.len() < ((most - most / 8) / clients).max(1);
        if has_room {
            own.push_back(tell);
            self.len += 1;
        }
        has_room
    }

    /// Whoever is next and still there.
    pub(super) fn next(&mut self) -> Option<(usize, oneshot::Sender<Turn>)> {
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
                return Some((client, tell));
            }
        }
        None
    }
}
