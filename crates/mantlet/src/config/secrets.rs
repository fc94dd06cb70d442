//! `[secrets]`: when secrets are looked at again, and how servers are asked for them.

use std::time::Duration;

use mantlet_controls::config::{Mistake, units::Span};
use mantlet_secrets::{Aws, Login, Settings, Vault};
use serde::{Deserialize, Serialize};

use super::{
    keeper::{self, REFRESH},
    reference::{REMEDY_HERE, Reference, read_here},
};

/// `[secrets]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// How often files with secrets are looked at; `0s`: never. Default 10 s.
    pub(crate) watch: Span,
    /// How often servers are asked for secrets without a lease. Default 5 min (as Vault Agent).
    pub(crate) refresh: Span,
    /// How long tokens that a former key has signed are still accepted. Default 1 h.
    pub(crate) overlap: Span,
    pub(crate) vault: VaultConfig,
    pub(crate) aws: AwsConfig,
}

/// `[secrets.vault]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct VaultConfig {
    /// `https://HOST:PORT`. Default `$BAO_ADDR`, `$VAULT_ADDR`.
    pub(crate) address: String,
    /// Default `$BAO_NAMESPACE`, `$VAULT_NAMESPACE`.
    pub(crate) namespace: String,
    /// The authorities to trust in place of the machine's, PEM. Default `$BAO_CACERT`, `$VAULT_CACERT`.
    pub(crate) authority: String,
    /// A token, by reference. Default `$BAO_TOKEN`, `$VAULT_TOKEN`.
    pub(crate) token: String,
    /// The role to log in as by `AppRole`. Default empty.
    pub(crate) role_id: String,
    /// Its secret id, by reference. Default empty.
    pub(crate) secret_id: String,
    /// The role to log in as by the service account of a pod. Default empty.
    pub(crate) kubernetes_role: String,
    /// The file with the token of the service account. Default where Kubernetes puts it.
    pub(crate) kubernetes_jwt: String,
    /// Where the login method is mounted. Default `approle`, `kubernetes`.
    pub(crate) login_path: String,
}

/// `[secrets.aws]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AwsConfig {
    /// Default `$AWS_REGION`, `$AWS_DEFAULT_REGION`.
    pub(crate) region: String,
    /// An address in place of that of the region. Default `$AWS_ENDPOINT_URL_SECRETS_MANAGER`, `$AWS_ENDPOINT_URL`.
    pub(crate) endpoint: String,
}

/// Where Kubernetes puts the token of a pod.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

impl Default for Config {
    fn default() -> Self {
        Self {
            watch: Span::secs(10),
            refresh: Span(REFRESH),
            overlap: Span::secs(3600),
            vault: VaultConfig::default(),
            aws: AwsConfig::default(),
        }
    }
}

impl Config {
    /// Asks servers like this from now on; or what is wrong.
    pub(crate) fn apply(&self) -> Result<(), Vec<Mistake>> {
        let mut mistakes = Vec::new();
        for (key, place) in [("token", &self.vault.token), ("secret-id", &self.vault.secret_id)] {
            let message = match Reference::of(place) {
                _ if place.is_empty() => continue,
                Some(Ok(Reference::Server(_))) => "what is needed to ask a server cannot be on a server",
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => "a secret does not belong in the configuration",
            };
            mistakes.push(Mistake::new(format!("secrets.vault.{key}"), message).help(REMEDY_HERE));
        }
        let vault = &self.vault;
        let logins = [&vault.token, &vault.role_id, &vault.kubernetes_role];
        if logins.into_iter().filter(|login| !login.is_empty()).count() > 1 {
            mistakes.push(
                Mistake::new("secrets.vault", "more than one login is configured")
                    .help("keep one of `token`, `role-id` and `kubernetes-role`"),
            );
        }
        if !vault.secret_id.is_empty() && vault.role_id.is_empty() {
            mistakes
                .push(Mistake::new("secrets.vault.secret-id", "there is a secret id without a `role-id`"));
        }
        let shortest = Duration::from_millis(100);
        for (key, span) in [("watch", self.watch), ("refresh", self.refresh)] {
            if span.0 < shortest && !(key == "watch" && span.0.is_zero()) {
                let message = format!("`{span}` is shorter than 100ms");
                mistakes.push(Mistake::new(format!("secrets.{key}"), message));
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        keeper::configure(self.settings());
        Ok(())
    }

    fn settings(&self) -> Settings {
        let vault = &self.vault;
        let jwt = if vault.kubernetes_jwt.is_empty() { SERVICE_ACCOUNT } else { &vault.kubernetes_jwt };
        let login = if !vault.token.is_empty() {
            Some(Login::Token(vault.token.clone()))
        } else if !vault.role_id.is_empty() {
            Some(Login::AppRole(vault.role_id.clone(), vault.secret_id.clone()))
        } else if !vault.kubernetes_role.is_empty() {
            Some(Login::Kubernetes(vault.kubernetes_role.clone(), jwt.into()))
        } else {
            None
        };
        Settings {
            vault: Vault {
                address: vault.address.clone(),
                namespace: vault.namespace.clone(),
                authority: vault.authority.clone(),
                login,
                login_path: vault.login_path.clone(),
            },
            aws: Aws { region: self.aws.region.clone(), endpoint: self.aws.endpoint.clone() },
            refresh: self.refresh.0,
            ..keeper::unconfigured(read_here())
        }
    }
}
