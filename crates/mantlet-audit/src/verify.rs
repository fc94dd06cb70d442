//! Whether a log is as it was written: line by line, in flat memory.
//!
//! What a log can prove by itself has an end: an attacker who has the key of the next seal may write anything
//! after the last one. A copy of the seals that lies elsewhere proves more ([`Verifier::expect`]).

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap as _};

use crate::{
    Seal, SealLine, Tree, base64,
    key::PublicKey,
    line::{self, Link, link_of, read_seq},
    seal::{EVENT, origin_of},
    tree,
};

/// What is wrong, and at which line. Numbers are those of the lines (`seq`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not a line of a log: not as Mantlet writes it.
    NotALine,
    /// This line is not as it was written.
    Changed(u64),
    /// One of two lines is not as it was written: nothing after them tells which.
    ChangedOrNext(u64),
    /// Lines are missing, from this one up to before that one.
    Missing(u64, u64),
    /// A line stands where another is due: it is there twice, was added, or stands in another place.
    Unexpected {
        /// The number that the line has.
        found: u64,
        /// The one that is due.
        due: u64,
    },
    /// The log does not begin with its first line.
    CutHead(u64),
    /// Seals cover this many lines; the log has less.
    CutTail {
        /// So many lines were sealed.
        sealed: u64,
        /// So many are there.
        found: u64,
    },
    /// The seal in this line was not made by the key that is due.
    SealForged(u64),
    /// The seal in this line is for other lines than those before it: they were written anew.
    Rewritten {
        /// The line of the seal.
        seal: u64,
        /// The lines up to here are as they were sealed.
        proven: u64,
    },
    /// A copy of the seals has another seal for so many lines.
    SealDiffers(u64),
    /// It is not the log that is due.
    OtherLog {
        /// What this log is called.
        found: String,
        /// What the other one is called.
        due: String,
    },
    /// The log says that it was begun because another one could not go on.
    Anew {
        /// The other one.
        after: String,
        /// Why it could not.
        why: String,
    },
    /// There is no line.
    Empty,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotALine => write!(f, "this is not a line that Mantlet has written"),
            Self::Changed(seq) => write!(f, "record {seq} was changed after it was written"),
            Self::ChangedOrNext(seq) => {
                write!(f, "record {seq} or {} was changed after it was written", seq + 1)
            }
            Self::Missing(from, to) if from + 1 == *to => write!(f, "record {from} is missing"),
            Self::Missing(from, to) => write!(f, "records {from} to {} are missing", to - 1),
            Self::Unexpected { found, due } => {
                write!(f, "record {found} stands where record {due} is due: it was added, copied or moved")
            }
            Self::CutHead(first) => {
                write!(f, "the log begins with record {first}: the records before it are missing")
            }
            Self::CutTail { sealed, found } => {
                write!(f, "the end is missing: {sealed} records were sealed, and {found} are here")
            }
            Self::SealForged(seq) => {
                write!(f, "the seal in record {seq} was not made with the key that was due")
            }
            Self::Rewritten { seal, proven } => write!(
                f,
                "the records from {proven} up to the seal in record {seal} are not those that were sealed: they were written anew"
            ),
            Self::SealDiffers(size) => {
                write!(f, "among the first {size} records there are others than those that were sealed")
            }
            Self::OtherLog { found, due } => write!(f, "this is the log {found}, and not {due}"),
            Self::Anew { after, why } => write!(
                f,
                "this log was begun because {after} could not go on: {why}. Nothing proves that no records were lost in between"
            ),
            Self::Empty => write!(f, "there are no records"),
        }
    }
}

/// What was proven so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proven {
    /// What the log is called.
    pub origin: String,
    /// The number of lines that were read.
    pub lines: u64,
    /// The number of the line after them.
    pub end: u64,
    /// The number of seals.
    pub seals: u64,
    /// The number of lines that the last seal covers.
    pub sealed: u64,
    /// When that seal was made.
    pub sealed_at: Option<Timestamp>,
    /// Whether the last line says that Mantlet has closed the log.
    pub is_closed: bool,
    /// How many of the seals of a copy were met.
    pub met: u64,
}

/// Reads a log line by line.
#[derive(Debug, Default)]
pub struct Verifier {
    tree: Tree,
    prev: Option<Link>,
    key: Option<PublicKey>,
    /// The number of a line whose link does not fit: the next line tells which of the two was changed.
    odd: Option<u64>,
    proven: Proven,
    /// Seals that are known from elsewhere and still to come.
    expected: Vec<Source>,
    /// The log differs from the copy. Which line it is, the next two may tell.
    differs: Option<(Fault, u8)>,
    /// The seal of the copy that the next line has to be.
    next: Option<Seal>,
    /// What the log is to be called.
    accepted: Option<String>,
}

/// Seals in their order, from a file of seals or a copy.
struct Source {
    seals: Box<dyn Iterator<Item = Seal>>,
    next: Option<Seal>,
    /// It has seals of this log, or of another one.
    has_own: bool,
    other: Option<String>,
    /// It may hold seals of other logs alone.
    is_copy: bool,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Source {
    /// The next seal of this log that covers at least so many lines.
    fn from(&mut self, origin: &str, size: u64) -> Option<&Seal> {
        while let Some(seal) = self.next.take().or_else(|| self.seals.next()) {
            if seal.origin != origin {
                self.other = Some(seal.origin);
                continue;
            }
            self.has_own = true;
            if seal.size >= size {
                self.next = Some(seal);
                break;
            }
        }
        self.next.as_ref()
    }
}

/// What the verifier reads of a line that opens a log or a file.
#[derive(Deserialize)]
struct Opened {
    security_event: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    seal: Option<String>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    why: Option<String>,
}

/// The event of the first line of a log.
pub const OPENED: &str = "log-opened";
/// The event of the last line of a log that was closed.
pub const CLOSED: &str = "log-closed";

impl Verifier {
    /// For a log from its first line on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on after the line of a seal that was kept: lines before it need not be there. None if its parts do
    /// not fit together.
    pub fn after(kept: &SealLine) -> Option<Self> {
        let seal = Seal::read(&kept.note)?;
        let mut tree = kept.tree(&seal)?;
        let line = line_of(seal.size, &kept.prev, &seal);
        tree.push(tree::leaf(&line));
        let proven = Proven {
            origin: seal.origin,
            sealed: seal.size,
            sealed_at: Some(seal.time),
            ..Proven::default()
        };
        Some(Self { tree, prev: Some(link_of(&line)), key: Some(seal.next), proven, ..Self::default() })
    }

    /// Expects the seals of a copy that was kept elsewhere; those of other logs are left out, unless there are no
    /// others.
    pub fn expect(&mut self, seals: impl IntoIterator<Item = Seal>) {
        // Lines of two files may stand in any order. Of two seals for as many lines, both are held against.
        let mut seals: Vec<Seal> = seals.into_iter().collect();
        seals.sort_by(|a, b| (a.size, &a.note).cmp(&(b.size, &b.note)));
        seals.dedup_by(|a, b| a.note == b.note);
        self.expect_from(seals.into_iter(), true);
    }

    /// Expects the seals of the log's own file of seals, in their order.
    pub fn expect_own(&mut self, seals: impl Iterator<Item = Seal> + 'static) {
        self.expect_from(seals, false);
    }

    fn expect_from(&mut self, seals: impl Iterator<Item = Seal> + 'static, is_copy: bool) {
        let seals = Box::new(seals);
        self.expected.push(Source { seals, next: None, has_own: false, other: None, is_copy });
    }

    /// This log is known, even if it was begun because another one could not go on.
    pub fn accept(&mut self, origin: String) {
        self.accepted = Some(origin);
    }

    /// The number of the line that is due.
    pub const fn due(&self) -> u64 {
        self.tree.size()
    }

    /// What was proven so far.
    pub const fn proven(&self) -> &Proven {
        &self.proven
    }

    /// Judges the next line, which is without its end.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let Some((seq, prev)) = read_seq(line) else { return Err(Fault::NotALine) };
        if let Some(odd) = self.odd {
            // The line before this one does not fit the one before it.
            let before_fits = self.prev.as_deref() == Some(prev) && seq == odd + 1;
            return Err(if before_fits { Fault::Changed(odd - 1) } else { Fault::ChangedOrNext(odd - 1) });
        }
        let due = self.due();
        if seq != due {
            return Err(match () {
                () if self.prev.is_none() => Fault::CutHead(seq),
                () if seq > due => Fault::Missing(due, seq),
                () => Fault::Unexpected { found: seq, due },
            });
        }
        let fits = match &self.prev {
            Some(link) => link == prev,
            None => prev.is_empty(),
        };
        let event = event_of(line);
        if let Some(seal) = self.next.take()
            && !(event == Some(Event::Sealed) && line_of(seq, prev, &seal) == line)
        {
            return Err(Fault::SealForged(seq));
        }
        if !fits {
            if seq == 0 {
                return Err(Fault::Changed(0));
            }
            self.odd = Some(seq);
        } else if let Some(event) = event {
            self.event(seq, line, event)?;
        } else {
            self.proven.is_closed = false;
        }
        self.prev = Some(link_of(line));
        self.tree.push(tree::leaf(line));
        self.proven.lines += 1;
        self.proven.end = self.tree.size();
        match &mut self.differs {
            Some((fault, 0)) if self.odd.is_none() => Err(fault.clone()),
            Some((_, left)) => {
                *left = left.saturating_sub(1);
                Ok(())
            }
            None => {
                self.meet();
                Ok(())
            }
        }
    }

    /// Judges the end of the log.
    pub fn end(&mut self) -> Result<(), Fault> {
        if let Some(odd) = self.odd {
            return Err(Fault::ChangedOrNext(odd - 1));
        }
        if let Some((fault, _)) = self.differs.take() {
            return Err(fault);
        }
        let found = self.tree.size();
        let origin = self.proven.origin.clone();
        if let Some(due) = self.accepted.as_ref().filter(|due| found > 0 && **due != origin) {
            return Err(Fault::OtherLog { found: origin, due: due.clone() });
        }
        let mut sealed = 0;
        for source in &mut self.expected {
            // Of no lines it is not known what the log is called.
            let named = if found == 0 { source.next.take().or_else(|| source.seals.next()) } else { None };
            let origin = named.as_ref().map_or(origin.as_str(), |seal| &seal.origin).to_owned();
            sealed = sealed.max(named.as_ref().map_or(0, |seal| seal.size));
            while let Some(size) = source.from(&origin, 0).map(|seal| seal.size) {
                sealed = sealed.max(size);
                source.next = None;
            }
            if let Some(due) = source.other.take().filter(|_| source.is_copy && !source.has_own && found > 0)
            {
                return Err(Fault::OtherLog { found: origin, due });
            }
        }
        match (sealed, found) {
            (0, 0) => Err(Fault::Empty),
            _ if sealed > found => Err(Fault::CutTail { sealed, found }),
            _ => Ok(()),
        }
    }

    /// Holds the lines so far against the seals that are known.
    fn meet(&mut self) {
        if self.odd.is_some() || self.proven.origin.is_empty() {
            return;
        }
        let size = self.tree.size();
        for source in &mut self.expected {
            while let Some(seal) = source.from(&self.proven.origin, size) {
                if seal.size > size {
                    break;
                }
                if seal.root != self.tree.root() {
                    self.differs = Some((Fault::SealDiffers(size), 1));
                    return;
                }
                if source.is_copy {
                    self.proven.met += 1;
                }
                self.proven.sealed = self.proven.sealed.max(size);
                self.next = source.next.take();
            }
        }
    }

    fn event(&mut self, seq: u64, line: &[u8], event: Event) -> Result<(), Fault> {
        self.proven.is_closed =
            matches!(event, Event::Closed | Event::Sealed) && self.proven.is_closed || event == Event::Closed;
        let Ok(said) = serde_json::from_slice::<Opened>(line) else { return Err(Fault::Changed(seq)) };
        match event {
            Event::Opened if seq == 0 => {
                let key = said.key.as_deref().and_then(base64::decode_exact);
                let Some(key) = key else { return Err(Fault::Changed(0)) };
                self.proven.origin = origin_of(&key);
                self.key = Some(key);
                if let Some(after) =
                    said.after.filter(|_| self.accepted.as_ref() != Some(&self.proven.origin))
                {
                    return Err(Fault::Anew { after, why: said.why.unwrap_or_default() });
                }
            }
            Event::Sealed if said.security_event == EVENT => self.seal(seq, line, said.seal.as_deref())?,
            _ => {}
        }
        Ok(())
    }

    fn seal(&mut self, seq: u64, line: &[u8], note: Option<&str>) -> Result<(), Fault> {
        let Some(seal) = note.and_then(Seal::read) else { return Err(Fault::SealForged(seq)) };
        // A seal is due by the key that the seal before it names. Without any before it, it is believed.
        let is_due = self.key.as_ref().is_none_or(|key| seal.is_signed_by(key));
        // Its line says what it says and nothing else: for nothing seals that line itself for now.
        let whole = line_of(seq, self.prev.as_deref().unwrap_or_default(), &seal);
        if !is_due || seal.origin != self.proven.origin || whole != line {
            return Err(Fault::SealForged(seq));
        }
        if seal.size != seq || seal.root != self.tree.root() {
            return Err(Fault::Rewritten { seal: seq, proven: self.proven.sealed });
        }
        self.key = Some(seal.next);
        self.proven.seals += 1;
        self.proven.sealed = seal.size;
        self.proven.sealed_at = Some(seal.time);
        Ok(())
    }
}

/// The line that a log has for a seal.
fn line_of(seq: u64, prev: &str, seal: &Seal) -> Vec<u8> {
    line::write(seq, prev, &seal.record())
}

/// Lines that mean something to the verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Opened,
    Closed,
    Sealed,
}

/// Found without reading the line as JSON: only few lines are ours, and these begin alike.
fn event_of(line: &[u8]) -> Option<Event> {
    let at = memchr::memmem::find(line, b"\"security_event\":\"")?;
    let rest = line.get(at + 18..)?;
    let event = rest.get(..memchr::memchr(b'"', rest)?)?;
    [(OPENED, Event::Opened), (CLOSED, Event::Closed), (EVENT, Event::Sealed)]
        .into_iter()
        .find(|(name, _)| name.as_bytes() == event)
        .map(|(_, event)| event)
}

/// The first line of a log, as a record; and which log could not go on before it, and why.
pub fn opening(key: &PublicKey, time: Timestamp, before: Option<(String, String)>) -> Vec<u8> {
    let mut fields = vec![("log", origin_of(key)), ("key", base64::encode_padded(key))];
    if let Some((after, why)) = before {
        fields.extend([("after", after), ("why", why)]);
    }
    record(OPENED, time, &fields)
}

/// The first key of a log, from its first line.
pub fn key_of_opening(line: &[u8]) -> Option<PublicKey> {
    let is_first = read_seq(line)?.0 == 0 && event_of(line) == Some(Event::Opened);
    let said: Opened = serde_json::from_slice(line).ok().filter(|_| is_first)?;
    base64::decode_exact(said.key.as_deref()?)
}

/// The key of the next seal, from the line of a seal.
pub fn next_key_of(line: &[u8]) -> Option<PublicKey> {
    (event_of(line) == Some(Event::Sealed)).then(|| seal_of(line))?.map(|seal| seal.next)
}

/// The seal in a line, if it is the line of one.
pub fn seal_of(line: &[u8]) -> Option<Seal> {
    let said: Opened = serde_json::from_slice(line).ok()?;
    Seal::read(&said.seal.filter(|_| said.security_event == EVENT)?)
}

/// A record of the log itself.
pub fn record(event: &str, time: Timestamp, fields: &[(&str, String)]) -> Vec<u8> {
    /// In the order of its fields.
    struct Fields<'a>(&'a str, Timestamp, &'a [(&'a str, String)]);

    impl Serialize for Fields<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut record = serializer.serialize_map(None)?;
            record.serialize_entry("time", &self.1)?;
            record.serialize_entry("security_event", self.0)?;
            for (name, value) in self.2 {
                record.serialize_entry(name, value)?;
            }
            record.end()
        }
    }

    serde_json::to_vec(&Fields(event, time, fields)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
