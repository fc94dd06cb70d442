//! The whole configuration: the sections of the controls, and those of the gateway.

use std::path::PathBuf;

use mantlet_controls::{Deployment, config::Environment, route};
use mantlet_gateway::{Listen, tls::LoadedTls};
use serde::{Deserialize, Serialize};

use super::{accounts, admin, app, audit, login, metrics, secrets, shutdown, store, tls, traces};

/// The file's sections: those of the controls, as the library lists them, beside those of the
/// gateway.
macro_rules! config {
    ($($(#[$about:meta])* $control:ident)+) => {
        /// `mantlet.toml`.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub(crate) struct Config {
            /// Where to listen: `HOST:PORT`, `:PORT` or `unix:PATH`. Default `127.0.0.1:8000`.
            pub(crate) listen: String,
            /// Threads of the gate. Default 0: one for each core.
            pub(crate) threads: usize,
            /// Whether HTTP/2 is spoken (with prior knowledge, as without TLS). Default yes.
            pub(crate) http2: bool,
            /// Turns every `enforce` into `report`. Default no.
            pub(crate) report_only: bool,
            /// The environment that credentials made here are for. Default `live`.
            pub(crate) environment: Environment,
            /// Where Mantlet keeps what outlives it. Default `.mantlet`.
            pub(crate) state_folder: PathBuf,
            pub(crate) tls: tls::Config,
            pub(crate) app: app::Config,
            pub(crate) shutdown: shutdown::Config,
            pub(crate) audit: audit::Config,
            pub(crate) admin: admin::Config,
            pub(crate) metrics: metrics::Config,
            pub(crate) traces: traces::Config,
            pub(crate) store: store::Config,
            pub(crate) accounts: accounts::Config,
            #[serde(skip_serializing_if = "login::Config::is_empty")]
            pub(crate) login: login::Config,
            pub(crate) secrets: secrets::Config,
            $($(#[$about])* pub(crate) $control: mantlet_controls::$control::Config,)+
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub(crate) route: Vec<route::Config>,
        }

        impl Default for Config {
            fn default() -> Self {
                Self {
                    listen: "127.0.0.1:8000".into(),
                    threads: 0,
                    http2: true,
                    report_only: false,
                    environment: Environment::default(),
                    state_folder: ".mantlet".into(),
                    tls: tls::Config::default(),
                    app: app::Config::default(),
                    shutdown: shutdown::Config::default(),
                    audit: audit::Config::default(),
                    admin: admin::Config::default(),
                    metrics: metrics::Config::default(),
                    traces: traces::Config::default(),
                    store: store::Config::default(),
                    accounts: accounts::Config::default(),
                    login: login::Config::default(),
                    secrets: secrets::Config::default(),
                    $($control: mantlet_controls::$control::Config::default(),)+
                    route: Vec::new(),
                }
            }
        }

        impl Config {
            /// What the controls have to know of it.
            pub(crate) fn controls(&self, listen: Option<&Listen>, tls: Option<&LoadedTls>) -> mantlet_controls::Config {
                mantlet_controls::Config {
                    report_only: self.report_only,
                    $($control: self.$control.clone(),)+
                    accounts: self.accounts.of_controls(),
                    actions: self.audit.actions,
                    route: self.route.clone(),
                    deployment: Deployment {
                        has_certificate: tls.is_some(),
                        own_hosts: own_hosts(listen, tls),
                        environment: self.environment.clone(),
                        ..Deployment::default()
                    },
                }
            }
        }
    };
}

mantlet_controls::sections!(config);

/// The address that is listened on and the certificate's names are hosts by which we are known.
fn own_hosts(listen: Option<&Listen>, tls: Option<&LoadedTls>) -> Vec<String> {
    let mut hosts = tls.map(LoadedTls::names).unwrap_or_default();
    if let Some(Listen::Tcp(address)) = listen {
        hosts.push(address.ip().to_string());
    }
    hosts
}
