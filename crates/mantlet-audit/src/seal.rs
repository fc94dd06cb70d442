//! A seal: a signed root over all lines before it, and the key of the next one.
//!
//! The text is a checkpoint of [C2SP](https://c2sp.org/tlog-checkpoint): origin, size, root, and two lines
//! of our own, the time and the next key.

use aws_lc_rs::error::Unspecified;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    base64,
    key::{Key, PublicKey},
    note,
    tree::{Hash, Tree, sha256},
};

const TIME: &str = "time ";
const NEXT: &str = "next ";
/// The event of the line that a log has for a seal.
pub(crate) const EVENT: &str = "log-sealed";

/// What a log is called: after its first key.
pub(crate) fn origin_of(first: &PublicKey) -> String {
    let hash = sha256(first);
    let digits = hash.iter().take(8).fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
    format!("mantlet-audit/{digits}")
}

/// What a seal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// What the log is called.
    pub origin: String,
    /// The number of lines.
    pub size: u64,
    /// Their root.
    pub root: Hash,
    /// When it was made.
    pub time: Timestamp,
    /// The key of the next seal.
    pub next: PublicKey,
    /// All of it, with its signature.
    pub note: String,
}

impl Seal {
    /// Seals all lines of a tree.
    pub(crate) fn new(origin: &str, tree: &Tree, time: Timestamp, key: &Key) -> Result<Self, Unspecified> {
        let (root, next) = (tree.root(), key.next()?.public());
        let time = Timestamp::from_second(time.as_second()).unwrap_or(time);
        let text = format!(
            "{origin}\n{}\n{}\n{TIME}{time}\n{NEXT}{}\n",
            tree.size(),
            base64::encode_padded(&root),
            base64::encode_padded(&next)
        );
        let note = note::sign(&text, origin, key);
        Ok(Self { origin: origin.to_owned(), size: tree.size(), root, time, next, note })
    }

    /// Reads a seal. Its signature is not judged.
    pub fn read(note: &str) -> Option<Self> {
        let (text, _) = note::split(note)?;
        let mut lines = text.lines();
        let origin = lines.next().filter(|origin| !origin.is_empty())?;
        let size = lines.next()?.parse().ok()?;
        let root = base64::decode_exact(lines.next()?)?;
        let time = lines.next()?.strip_prefix(TIME)?.parse().ok()?;
        let next = base64::decode_exact(lines.next()?.strip_prefix(NEXT)?)?;
        if lines.next().is_some() {
            return None;
        }
        Some(Self { origin: origin.to_owned(), size, root, time, next, note: note.to_owned() })
    }

    /// Whether this key has signed it.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        note::is_signed(&self.note, &self.origin, key)
    }

    /// The record of the seal in its own log. It says nothing that is not signed.
    pub(crate) fn record(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Record<'a> {
            time: Timestamp,
            security_event: &'static str,
            size: u64,
            seal: &'a str,
        }
        let record = Record { time: self.time, security_event: EVENT, size: self.size, seal: &self.note };
        serde_json::to_vec(&record).unwrap_or_default()
    }
}

/// A line of the file of seals: the seal, and what is needed to go on from there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealLine {
    /// The seal.
    pub note: String,
    /// The link to the last line that it covers.
    pub prev: String,
    /// The roots of the complete subtrees, in base64.
    pub edge: Vec<String>,
    /// The number of the first line in the file that was written to.
    pub file: u64,
    /// The length of that file.
    pub offset: u64,
    /// Whether the log was closed before the seal, so that nothing comes after it.
    #[serde(default)]
    pub closed: bool,
}

impl SealLine {
    /// The tree of the lines that it covers; none if it is not that of the seal.
    pub(crate) fn tree(&self, seal: &Seal) -> Option<Tree> {
        let edge = self.edge.iter().map(|hash| base64::decode_exact(hash)).collect::<Option<Vec<Hash>>>()?;
        Tree::kept(seal.size, edge).filter(|tree| tree.root() == seal.root)
    }

    pub(crate) fn edge_of(tree: &Tree) -> Vec<String> {
        tree.edge().iter().map(|hash| base64::encode_padded(hash)).collect()
    }
}
