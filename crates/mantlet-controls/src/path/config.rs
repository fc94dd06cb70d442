use serde::{Deserialize, Serialize};

use crate::{Mode, contract::Posture, policy::Server};

/// The `[path]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What a refusal leads to. Default `enforce`.
    pub mode: Mode,
    /// Whose reading of a path counts: `uvicorn`, or `any` server's. Default `uvicorn` where Mantlet has started it and the posture is
    /// `compatible`, else `any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Readers>,
    /// Whether `;` may stand in a path as it is, where any server's reading counts. Default no: some servers cut the path off there.
    pub allow_semicolons: bool,
}

/// Whose reading of a path counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readers {
    /// That of uvicorn and Starlette: decoded once, nothing cut off, nothing resolved.
    Uvicorn,
    /// That of any server: what one of them may read in another way is refused.
    #[default]
    Any,
}

/// The checked `[path]` section.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub(crate) mode: Mode,
    pub(crate) semicolons: bool,
    pub(crate) readers: Readers,
    /// The posture is `strict`.
    pub(crate) strict: bool,
}

impl Policy {
    /// Whether bytes that browsers encode and other clients do not, such as `"` in a query, may come as they are.
    pub const fn takes_raw_bytes(&self) -> bool {
        matches!(self.readers, Readers::Uvicorn)
    }

    /// Whether an empty line may come before a request line (RFC 9112 section 2.2).
    pub const fn takes_empty_line(&self) -> bool {
        !self.strict
    }
}

impl Config {
    /// Nothing in this section can be wrong beyond its types.
    pub fn check(&self, server: Server, posture: Posture, report_only: bool) -> Policy {
        let strict = posture == Posture::Strict;
        let known = match server {
            Server::Uvicorn if !strict => Readers::Uvicorn,
            Server::Uvicorn | Server::Unknown => Readers::Any,
        };
        Policy {
            mode: self.mode.under(report_only),
            semicolons: self.allow_semicolons,
            readers: self.server.unwrap_or(known),
            strict,
        }
    }
}
