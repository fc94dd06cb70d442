//! What all sections of controls have in common.

use super::{Deployment, Mistake, Posture};

/// A control's section of the configuration: raw, switched off, or checked.
pub trait Section: Sized {
    /// The checked section, as the request path reads it.
    type Policy;

    /// The section with which the control does nothing.
    fn off() -> Self;

    /// Checks the section; keys in mistakes are relative to it.
    fn check(&self, context: &Context) -> Result<Self::Policy, Vec<Mistake>>;
}

/// The facts that a section's meaning depends on.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Turns every `enforce` into `report`.
    pub report_only: bool,
    /// The defaults for keys that are not set.
    pub posture: Posture,
    /// Where Mantlet runs.
    pub deployment: Deployment,
}
