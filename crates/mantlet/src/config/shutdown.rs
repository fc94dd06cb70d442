//! `[shutdown]`: how long requests get to end.

use std::time::Duration;

use mantlet_controls::config::units::Span;
use serde::{Deserialize, Serialize};

/// `[shutdown]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Time that requests under way get after SIGTERM. Default 30 s (Kubernetes' own grace period).
    pub(crate) drain: Span,
    /// After SIGTERM new connections are accepted until none has been busy for so long, or half of
    /// `drain` has passed. Default 500 ms.
    pub(crate) quiet: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self { drain: Span::secs(30), quiet: Span(Duration::from_millis(500)) }
    }
}
