//! Files that conditions depend on. Each is read again whenever it has changed; until what is new can be
//! used, the last that could be stays in force.

use std::{
    hash::RandomState,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use ipnet::IpNet;

use super::{
    countries::{self, Countries},
    ranges::{self, Fault, Wanted},
};
use crate::config::{Content, Networks};

/// A list of networks that is in force. A clone is the same one.
pub(super) type List = Arc<ArcSwap<Networks>>;

/// A file that conditions depend on.
#[derive(Debug)]
pub struct ConditionFile {
    path: PathBuf,
    /// The key that names it.
    key: Box<str>,
    holds: Holds,
    /// Of the content that was looked at last.
    digest: AtomicU64,
    hasher: RandomState,
}

/// What a file holds.
#[derive(Debug)]
pub(super) enum Holds {
    Networks(Box<Ranges>),
    Countries(countries::Slot),
}

/// Where the networks of a file go.
#[derive(Debug)]
pub(super) struct Ranges {
    pub(super) wanted: Wanted,
    /// Ranges of the configuration, which the list has beside those of the file.
    pub(super) inline: Vec<IpNet>,
    pub(super) list: List,
}

/// The content of a file, or why it cannot be read; none if that was not tried. This crate reads no files.
pub type FileContent = Option<Result<Content, String>>;

/// What became of a content.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is in force: what it has.
    InForce(String),
    /// It is the one that was looked at last.
    Unchanged,
}

impl ConditionFile {
    /// A file, with its first content.
    pub(super) fn new(path: &str, key: String, holds: Holds, content: &FileContent) -> Result<Self, Fault> {
        let content = match content {
            Some(Ok(content)) => content,
            Some(Err(why)) => return Err(Fault::File(format!("cannot be read: {why}"))),
            None => return Err(Fault::File("was not read".to_owned())),
        };
        let hasher = RandomState::new();
        let digest = content.digest(&hasher).into();
        holds.take(content)?;
        Ok(Self { path: path.into(), key: key.into(), holds, digest, hasher })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key of the configuration that names it.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Puts another content in force. The error says what is wrong with it; then the last good one
    /// stays.
    pub fn take(&self, content: &Content) -> Result<Taken, String> {
        let digest = content.digest(&self.hasher);
        if self.digest.swap(digest, Relaxed) == digest {
            return Ok(Taken::Unchanged);
        }
        self.holds.take(content).map(Taken::InForce).map_err(|fault| match fault {
            Fault::File(what) => what,
            Fault::Wanted(key, what) => format!("{what} (`{key}`)"),
        })
    }
}

impl Holds {
    fn take(&self, content: &Content) -> Result<String, Fault> {
        match self {
            Self::Networks(own) => {
                let read = ranges::read(content.as_ref(), &own.wanted)?;
                let networks: Networks = own.inline.iter().copied().chain(read).collect();
                let count = networks.len();
                own.list.store(Arc::new(networks));
                Ok(if count == 1 { "1 range".to_owned() } else { format!("{count} ranges") })
            }
            Self::Countries(slot) => {
                let read = Countries::read(content)?;
                let what = read.made();
                slot.store(Some(Arc::new(read)));
                Ok(what)
            }
        }
    }
}
