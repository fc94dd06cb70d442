//! What has to be known to ask the servers.

use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc, time::Duration};

/// Reads a reference to a secret of this machine, such as `file:PATH`.
pub type ReadHere = Arc<dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync>;

/// How the servers are asked.
#[derive(Clone)]
pub struct Settings {
    /// `OpenBao` or Vault.
    pub vault: Vault,
    /// AWS Secrets Manager.
    pub aws: Aws,
    /// How often they are asked for what has no lease.
    pub refresh: Duration,
    /// Reads what stands on this machine.
    pub read_here: ReadHere,
    /// The environment, for what is not set.
    pub variables: Arc<HashMap<String, String>>,
}

/// `OpenBao` or Vault. What is empty is not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vault {
    /// `https://HOST:PORT`.
    pub address: String,
    /// The namespace of all paths.
    pub namespace: String,
    /// The PEM file of the authorities to trust, in place of the machine's.
    pub authority: String,
    /// Who we are.
    pub login: Option<Login>,
    /// Where the login method is mounted, if not at its default.
    pub login_path: String,
}

/// How we log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A token, by reference.
    Token(String),
    /// `AppRole`: the role, and a reference to its secret id, if it has one.
    AppRole(String, String),
    /// The service account of a pod: the role, and the file with the token.
    Kubernetes(String, PathBuf),
}

/// AWS Secrets Manager. What is empty is taken from the variables that AWS documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aws {
    /// Such as `eu-central-1`.
    pub region: String,
    /// An address in place of that of the region.
    pub endpoint: String,
}

impl Settings {
    /// The values of the first of these variables that has one.
    pub(crate) fn variable(&self, names: &[&str]) -> String {
        let values = names.iter().filter_map(|name| self.variables.get(*name));
        values.into_iter().find(|value| !value.is_empty()).cloned().unwrap_or_default()
    }

    /// With what the variables of `OpenBao` and Vault say where nothing is set.
    pub(crate) fn vault(&self) -> Vault {
        let or = |set: &str, names: &[&str]| {
            if set.is_empty() { self.variable(names) } else { set.to_owned() }
        };
        let vault = &self.vault;
        let is_set = |name: &&str| self.variables.get(*name).is_some_and(|value| !value.is_empty());
        let token = ["BAO_TOKEN", "VAULT_TOKEN"].into_iter().find(is_set);
        Vault {
            address: or(&vault.address, &["BAO_ADDR", "VAULT_ADDR"]),
            namespace: or(&vault.namespace, &["BAO_NAMESPACE", "VAULT_NAMESPACE"]),
            authority: or(&vault.authority, &["BAO_CACERT", "VAULT_CACERT"]),
            login: vault.login.clone().or_else(|| token.map(|name| Login::Token(format!("env:{name}")))),
            login_path: vault.login_path.clone(),
        }
    }
}

impl PartialEq for Settings {
    fn eq(&self, other: &Self) -> bool {
        (&self.vault, &self.aws, self.refresh) == (&other.vault, &other.aws, other.refresh)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("vault", &self.vault).field("aws", &self.aws).finish_non_exhaustive()
    }
}
