//! The end of a log, to which lines are added.
//!
//! A copy is cheap. So what could not be written is undone by going back to a copy.

use aws_lc_rs::error::Unspecified;
use jiff::Timestamp;

use crate::{
    Key, Seal, SealLine, Tree,
    key::PublicKey,
    line::{self, Link, link_of, read_seq},
    tree,
};

/// The end of a log.
#[derive(Debug, Clone)]
pub struct Chain {
    origin: String,
    tree: Tree,
    prev: Link,
}

impl Chain {
    /// A log without a line. It is called after its first key.
    pub fn new(first: &Key) -> Self {
        Self::named_after(&first.public())
    }

    /// The same, of a log whose first key is known from its first line.
    pub fn named_after(first: &PublicKey) -> Self {
        Self { origin: crate::seal::origin_of(first), tree: Tree::default(), prev: Link::new() }
    }

    /// Adds the line of a seal, which says nothing else.
    pub fn add_seal(&mut self, seal: &Seal) {
        self.add(&seal.record());
    }

    /// Goes on from a seal; none if its parts do not fit together.
    pub fn after(line: &SealLine) -> Option<Self> {
        let seal = Seal::read(&line.note)?;
        let tree = line.tree(&seal)?;
        Some(Self { origin: seal.origin, tree, prev: line.prev.clone() })
    }

    /// The same with another name.
    #[cfg(test)]
    pub(crate) fn named(origin: String, chain: &Self) -> Self {
        Self { origin, ..chain.clone() }
    }

    /// What the log is called.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of the next line.
    pub const fn next_seq(&self) -> u64 {
        self.tree.size()
    }

    /// The link to the last line.
    pub fn link(&self) -> &str {
        &self.prev
    }

    /// Adds a record, and returns its line with its end.
    pub fn add(&mut self, record: &[u8]) -> Vec<u8> {
        let mut line = line::write(self.next_seq(), &self.prev, record);
        self.take(&line);
        line.push(b'\n');
        line
    }

    /// Adds a line that stands in a file already, if it is the next one.
    pub fn read(&mut self, line: &[u8]) -> bool {
        let fits = read_seq(line) == Some((self.next_seq(), self.prev.as_str()));
        if fits {
            self.take(line);
        }
        fits
    }

    fn take(&mut self, line: &[u8]) {
        self.prev = link_of(line);
        self.tree.push(tree::leaf(line));
    }

    /// Seals all lines so far. The seal has to become the next record.
    pub fn seal(&self, time: Timestamp, key: &Key) -> Result<(Seal, Vec<u8>), Unspecified> {
        let seal = Seal::new(&self.origin, &self.tree, time, key)?;
        let record = seal.record();
        Ok((seal, record))
    }

    /// What the file of seals keeps of a seal over all lines so far.
    pub fn kept(&self, seal: &Seal, file: u64, offset: u64, closed: bool) -> SealLine {
        SealLine {
            note: seal.note.clone(),
            prev: self.prev.clone(),
            edge: SealLine::edge_of(&self.tree),
            file,
            offset,
            closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_goes_on_from_its_seal() {
        let key = Key::random().unwrap();
        let mut chain = Chain::new(&key);
        for n in 0..5 {
            chain.add(format!("{{\"n\":{n}}}").as_bytes());
        }
        let (seal, record) = chain.seal(Timestamp::UNIX_EPOCH, &key).unwrap();
        assert!(seal.is_signed_by(&key.public()));
        assert_eq!(Seal::read(&seal.note).as_ref(), Some(&seal));
        let kept = chain.kept(&seal, 0, 0, false);
        let mut again = Chain::after(&kept).unwrap();
        assert_eq!(again.add(&record), chain.add(&record));
        assert_eq!(again.next_seq(), 6);
        let mut odd = kept;
        odd.edge.pop();
        assert!(Chain::after(&odd).is_none());
    }

    #[test]
    fn only_the_next_line_is_read() {
        let key = Key::random().unwrap();
        let mut chain = Chain::new(&key);
        let mut reader = chain.clone();
        let lines: Vec<Vec<u8>> = (0..3).map(|_| chain.add(b"{\"a\":1}")).collect();
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.strip_suffix(b"\n").unwrap()).collect();
        assert!(!reader.read(lines[1]));
        assert!(reader.read(lines[0]));
        assert!(!reader.read(lines[0]));
        assert!(!reader.read(lines[2]));
        assert!(reader.read(lines[1]) && reader.read(lines[2]));
    }
}
