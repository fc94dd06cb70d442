//! Where the contract in force is.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::Contract;

/// The slot of the contract in force. Every policy of an app shares it, because an app that
/// restarts brings another contract, whatever the configuration is by then. A clone is the same
/// slot.
#[derive(Debug, Clone, Default)]
pub struct ContractHandle(Arc<ArcSwap<State>>);

/// The knowledge of the app.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// No contract, and none will come.
    #[default]
    Unknown,
    /// None yet: until it comes, no request passes unjudged.
    Awaited,
    /// The contract.
    Known(Arc<Contract>),
}

impl ContractHandle {
    /// Lets no request pass until there is a contract, or until the wait ends.
    pub fn await_contract(&self) {
        self.0.store(Arc::new(State::Awaited));
    }

    /// Puts a contract in force.
    pub fn put(&self, contract: Contract) {
        self.0.store(Arc::new(State::Known(Arc::new(contract))));
    }

    /// Continues without a contract, unless there is one.
    pub fn give_up(&self) {
        if matches!(**self.0.load(), State::Awaited) {
            self.0.store(Arc::default());
        }
    }

    /// Continues without any contract.
    pub fn forget(&self) {
        self.0.store(Arc::default());
    }

    /// Whether there is one.
    pub fn is_known(&self) -> bool {
        matches!(**self.0.load(), State::Known(_))
    }

    /// The contract in force.
    pub fn known(&self) -> Option<Arc<Contract>> {
        match &**self.0.load() {
            State::Known(contract) => Some(Arc::clone(contract)),
            State::Unknown | State::Awaited => None,
        }
    }

    pub(crate) fn load(&self) -> Guard<Arc<State>> {
        self.0.load()
    }
}
