//! What outlives this process, and what several gates share.

use std::{any::Any, fmt};

use futures_util::future::BoxFuture;

use super::{Family, FamilyId};

/// Keeps families: in a file, or in a store that several gates share.
pub trait Keeper: Send + Sync + fmt::Debug {
    /// Waits until no other request is about this family, at any gate that shares the store; not
    /// longer than ten seconds.
    fn enter(&self, id: FamilyId) -> BoxFuture<'_, Result<Turn, NoTurn>>;

    /// Keeps a family in the place of its former revision; when the future is ready, it outlives
    /// this process, and every gate that shares the store knows it.
    fn keep(&self, family: Family) -> BoxFuture<'_, Kept>;

    /// Whether no gate can know more of a family than [`Keeper::enter`] has told. A store that has lost
    /// its memory a moment ago may not have been told everything again.
    fn is_complete(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(true))
    }
}

/// The turn of a request with a family. The next one waits until it is dropped.
pub struct Turn {
    /// The family; none if it is not known.
    pub family: Option<Family>,
    /// Ends the turn when it is dropped.
    pub end: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("family", &self.family).finish_non_exhaustive()
    }
}

/// Why a request has no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTurn {
    /// Others have taken too long.
    Busy,
    /// The store does not respond.
    Unavailable,
}

/// The outcome of keeping a family.
#[derive(Debug)]
pub enum Kept {
    /// It is kept.
    Yes,
    /// Another gate was faster: this is what it has kept.
    Overtaken(Box<Family>),
    /// It could not be kept in time. Where it was to be shared, this gate knows it all the same.
    No,
}
