//! What the sections of the controls have in common.

use super::{Deployment, Mistake, Posture};

/// A control's section of the configuration: raw, switched off, or checked.
pub trait Section: Sized {
    /// What the request path reads of it.
    type Policy;

    /// The section with which the control does nothing.
    fn off() -> Self;

    /// Checks the section; keys in mistakes are relative to it.
    fn check(&self, context: &Context) -> Result<Self::Policy, Vec<Mistake>>;
}

/// What a section's meaning depends on beside itself.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Turns every `enforce` into `report`.
    pub report_only: bool,
    /// What stands where a section says nothing.
    pub posture: Posture,
    /// Where Mantlet runs.
    pub deployment: Deployment,
}
