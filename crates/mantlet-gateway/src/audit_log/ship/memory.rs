//! The lines of a log that cannot be read back: as many as fit.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use mantlet_audit::read_seq;

use super::line::{Line, Position};

/// Bytes of lines that wait.
const ROOM: usize = 16 << 20;

/// The last lines of a log, by their numbers.
#[derive(Debug, Default)]
pub(in super::super) struct Memory(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    all: VecDeque<Vec<u8>>,
    /// The number of the first one.
    first: u64,
    bytes: usize,
}

impl Memory {
    /// Takes whole lines; the oldest ones make room for them.
    pub(in super::super) fn push(&self, text: &[u8]) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if lines.all.is_empty() {
                lines.first = read_seq(line).map_or(0, |(seq, _)| seq);
            }
            lines.bytes += line.len();
            lines.all.push_back(line.to_vec());
            while lines.bytes > ROOM
                && let Some(oldest) = lines.all.pop_front()
            {
                lines.bytes -= oldest.len();
                lines.first += 1;
            }
        }
    }

    /// The line after this one, or the oldest one that is left.
    pub(super) fn after(&self, last: Option<&Position>, log: &str) -> Option<Line> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.map_or(0, |last| last.seq + 1);
        let index = usize::try_from(due.saturating_sub(lines.first)).ok()?;
        let line = Line::of(lines.all.get(index)?.clone(), log, 0, 0)?;
        Some(Line { missed: line.seq().saturating_sub(due), ..line })
    }
}

#[cfg(test)]
mod tests {
    use mantlet_audit::{Chain, Key};

    use super::*;

    #[test]
    fn the_oldest_lines_make_room_and_are_counted() {
        let memory = Memory::default();
        let mut chain = Chain::new(&Key::random().unwrap());
        assert!(memory.after(None, "log").is_none());
        memory.push(&[chain.add(b"{\"a\":1}"), chain.add(b"{\"a\":2}")].concat());
        let first = memory.after(None, "log").unwrap();
        assert_eq!((first.seq(), first.missed), (0, 0));
        let second = memory.after(Some(&first.position), "log").unwrap();
        assert_eq!((second.seq(), second.missed), (1, 0));
        assert!(memory.after(Some(&second.position), "log").is_none());
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(ROOM / 4));
        for _ in 0..6 {
            memory.push(&chain.add(long.as_bytes()));
        }
        let next = memory.after(Some(&second.position), "log").unwrap();
        assert_eq!((next.seq(), next.missed), (5, 3));
        assert_eq!(memory.after(Some(&next.position), "log").unwrap().missed, 0);
    }
}
