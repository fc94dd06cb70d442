//! Where the contract in force is.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::Contract;

/// Where the contract in force is kept. Every policy of an app has the same slot: an app that starts anew brings another
/// contract, whatever the configuration is by then. Cloning it gives the same slot.
#[derive(Debug, Clone, Default)]
pub struct ContractHandle(Arc<ArcSwap<State>>);

/// What is known of the app.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// Nothing, and nothing will be.
    #[default]
    Unknown,
    /// Nothing yet: until then no request passes unjudged.
    Awaited,
    /// All of it.
    Known(Arc<Contract>),
}

impl ContractHandle {
    /// Lets no request pass until there is a contract, or none is waited for any longer.
    pub fn await_contract(&self) {
        self.0.store(Arc::new(State::Awaited));
    }

    /// Puts a contract in force.
    pub fn put(&self, contract: Contract) {
        self.0.store(Arc::new(State::Known(Arc::new(contract))));
    }

    /// Goes on without one, unless there is one.
    pub fn give_up(&self) {
        if matches!(**self.0.load(), State::Awaited) {
            self.0.store(Arc::default());
        }
    }

    /// Goes on without any.
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
