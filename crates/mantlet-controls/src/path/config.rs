use mantlet_contract::routes::Roots;
use serde::{Deserialize, Serialize};

use crate::{
    Mode,
    config::{Context, Mistake, Posture, Section, Server},
};

/// The `[path]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The mode. Default `enforce`.
    pub mode: Mode,
    /// The server whose reading of a path counts: `uvicorn` or `any`. Default `uvicorn` where
    /// Mantlet has started it and the posture is `compatible`, else `any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Readers>,
    /// Whether a path may contain a plain `;`, if any server's reading counts. Default no, because
    /// some servers cut the path off there.
    pub allow_semicolons: bool,
    /// A path below which the app answers as well, such as `/api`: `/api/search` and `/search` are then one operation for all settings. Default
    /// empty: what the contract says (`FastAPI(root_path=…)`, the servers of a document).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub root_path: String,
}

/// The server whose reading of a path counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readers {
    /// uvicorn with Starlette: decoded once, nothing cut off, nothing resolved.
    Uvicorn,
    /// Any server: a path that one of them may read differently is refused.
    #[default]
    Any,
}

/// The checked `[path]` section.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub(crate) mode: Mode,
    pub(crate) semicolons: bool,
    /// None if the contract decides.
    pub(crate) roots: Option<Roots>,
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

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let (server, posture) = (context.deployment.server, context.posture);
        let report_only = context.report_only;
        let root = self.root_path.as_str();
        if !root.is_empty() && (!root.starts_with('/') || root.ends_with('/')) {
            let help = format!("write `/{}`", root.trim_matches('/'));
            let message =
                format!("`{root}` is not a root path: it begins with a `/` and does not end with one");
            return Err(vec![Mistake::new("root-path", message).help(help)]);
        }
        let roots = (!root.is_empty()).then(|| Roots::new([root]));
        let strict = posture == Posture::Strict;
        let known = match server {
            Server::Uvicorn if !strict => Readers::Uvicorn,
            Server::Uvicorn | Server::Unknown => Readers::Any,
        };
        Ok(Policy {
            mode: self.mode.under(report_only),
            semicolons: self.allow_semicolons,
            roots,
            readers: self.server.unwrap_or(known),
            strict,
        })
    }
}
