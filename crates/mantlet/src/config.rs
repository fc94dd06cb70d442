//! The whole configuration: the sections of the controls, and those of the gateway.

use std::{
    path::{Path, PathBuf},
    thread::available_parallelism,
    time::Duration,
};

use mantlet_controls::{
    Deployment, Policy,
    config::{Mistake as Finding, Server, units::Span},
    route,
};
use mantlet_gateway::{
    Address, GateConfig, Listen, UpstreamConfig, audit_log::AuditConfig, guarded::Kind, tls::LoadedTls,
};
use serde::{Deserialize, Serialize};

mod reader;

pub(crate) use reader::{Reader, summary};

use crate::{admin, settings::Loaded, store, tls};

/// Bytes of a socket's path, without the zero at its end (`sun_path` in unix(7); macOS takes 103).
pub(crate) const LONGEST_SOCKET_PATH: usize = 107;

/// The file's sections: those of the controls, as the library lists them, beside those of the gateway.
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
            /// Where Mantlet keeps what outlives it. Default `.mantlet`.
            pub(crate) state_folder: PathBuf,
            pub(crate) tls: tls::Config,
            pub(crate) app: AppConfig,
            pub(crate) shutdown: ShutdownConfig,
            pub(crate) audit: AuditSection,
            pub(crate) admin: admin::Config,
            pub(crate) store: store::Config,
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
                    state_folder: ".mantlet".into(),
                    tls: tls::Config::default(),
                    app: AppConfig::default(),
                    shutdown: ShutdownConfig::default(),
                    audit: AuditSection::default(),
                    admin: admin::Config::default(),
                    store: store::Config::default(),
                    $($control: mantlet_controls::$control::Config::default(),)+
                    route: Vec::new(),
                }
            }
        }

        impl Config {
            fn controls(&self, listen: Option<&Listen>, tls: Option<&LoadedTls>) -> mantlet_controls::Config {
                mantlet_controls::Config {
                    report_only: self.report_only,
                    $($control: self.$control.clone(),)+
                    route: self.route.clone(),
                    deployment: Deployment {
                        has_certificate: tls.is_some(),
                        own_hosts: own_hosts(listen, tls),
                        ..Deployment::default()
                    },
                }
            }
        }
    };
}

mantlet_controls::sections!(config);

/// `[app]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AppConfig {
    /// The app, if it is not where `fastapi run` would look. Default empty.
    pub(crate) entrypoint: String,
    /// The Python interpreter. Default empty: `$VIRTUAL_ENV`, `.venv`, the one beside mantlet, `python3`.
    pub(crate) python: String,
    /// Worker processes of uvicorn. Default 1.
    pub(crate) workers: u16,
    /// For `mantlet serve`: `http://HOST:PORT` or `unix:PATH`. Default empty.
    pub(crate) upstream: String,
    /// Time the app may take to start, after which it is stopped. Default: as long as it lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready_timeout: Option<Span>,
    /// Time of the processor for reading the app's code at its start; what is not proven by then is only reported. `0s`: as long as it
    /// takes. Default 2 s.
    pub(crate) read_timeout: Span,
    /// Time to connect to the app. Default 5 s.
    pub(crate) connect_timeout: Span,
    /// Time from the last byte of a request to the first of its answer. Default 1 h: an app without a gate has no limit at all.
    pub(crate) response_timeout: Span,
    /// Time an idle connection to the app is kept. Default 4 s: uvicorn by itself closes after 5 s.
    pub(crate) idle_timeout: Span,
    /// Requests that the app may have in hand at once. Default 4,096.
    pub(crate) max_concurrent: usize,
    /// How long a request waits while the app has more in hand than it works on; `0s`: none waits. Default 5 s.
    pub(crate) queue_timeout: Span,
    /// Time the app may take to stop before it is killed. Default 15 s.
    pub(crate) stop_timeout: Span,
    /// Variables that are not handed on to the app. Default none; with the posture `strict`, those that `env:NAME` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) withhold_env: Option<Vec<String>>,
}

/// `[shutdown]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ShutdownConfig {
    /// Time that requests under way get after SIGTERM. Default 30 s (Kubernetes' own grace period).
    pub(crate) drain: Span,
    /// After SIGTERM new connections are accepted until none has been busy for so long, or half of `drain` has passed. Default 500 ms.
    pub(crate) quiet: Span,
}

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AuditSection {
    /// The file of JSON lines; `off` for none. Default `audit.jsonl` in the state folder.
    pub(crate) file: String,
    /// Whether refusals are shown on the terminal. Default yes.
    pub(crate) terminal: bool,
}

impl Default for AppConfig {
    fn default() -> Self {
        Self {
            entrypoint: String::new(),
            python: String::new(),
            workers: 1,
            upstream: String::new(),
            ready_timeout: None,
            read_timeout: Span::secs(2),
            connect_timeout: Span::secs(5),
            response_timeout: Span::secs(3600),
            idle_timeout: Span::secs(4),
            max_concurrent: 4_096,
            queue_timeout: Span::secs(5),
            stop_timeout: Span::secs(15),
            withhold_env: None,
        }
    }
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { drain: Span::secs(30), quiet: Span(Duration::from_millis(500)) }
    }
}

impl Default for AuditSection {
    fn default() -> Self {
        Self { file: String::new(), terminal: true }
    }
}

/// A configuration without mistakes, and what it was made from.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) loaded: Loaded<Config>,
    pub(crate) policy: Policy,
    pub(crate) listen: Listen,
    /// Certificates, read and checked, if there are any.
    pub(crate) tls: Option<LoadedTls>,
}

impl Config {
    pub(crate) fn gate(
        &self,
        listen: Listen,
        address: Address,
        idle_timeout: Duration,
        server: Server,
    ) -> GateConfig {
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        GateConfig {
            listen,
            // Checked when it was read.
            also_listen: self.tls.acme.also_listen().ok().flatten(),
            threads: if self.threads == 0 { cores } else { self.threads },
            http2: self.http2,
            proxy_protocol: self.client.proxy_protocol,
            upstream: UpstreamConfig {
                address,
                connect_timeout: self.app.connect_timeout.0,
                response_timeout: self.app.response_timeout.0,
                idle_timeout,
                max_concurrent: self.app.max_concurrent,
                queue_timeout: self.app.queue_timeout.0,
                is_uvicorn: server == Server::Uvicorn,
            },
            // Checked when it was read.
            store: self.store.read().ok().flatten(),
        }
    }

    /// The name by which we ask the app: one of ours, for an app may answer to no other.
    pub(crate) fn host_to_ask(&self, address: &Address) -> String {
        let own = self.host.allow.iter().find(|host| !host.starts_with('*'));
        own.cloned().unwrap_or_else(|| match address {
            Address::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Address::Tcp(host, port) => format!("{host}:{port}"),
            Address::Unix(_) => "localhost".to_owned(),
        })
    }

    pub(crate) fn audit(&self) -> AuditConfig {
        let (file, kind) = match self.audit.file.as_str() {
            "off" => (None, Kind::Named),
            "" => (Some(self.state_folder.join("audit.jsonl")), Kind::Own),
            path => (Some(path.into()), Kind::Named),
        };
        AuditConfig { file, kind, terminal: self.audit.terminal }
    }
}

/// What to say of a path that no socket can have.
fn too_long(path: &Path) -> Option<String> {
    let length = path.as_os_str().len();
    (length > LONGEST_SOCKET_PATH).then(|| {
        format!("the path has {length} bytes, but the path of a unix socket has at most {LONGEST_SOCKET_PATH}; try a relative path")
    })
}

/// The address that is listened on and the certificate's names are hosts by which we are known.
fn own_hosts(listen: Option<&Listen>, tls: Option<&LoadedTls>) -> Vec<String> {
    let mut hosts = tls.map(LoadedTls::names).unwrap_or_default();
    if let Some(Listen::Tcp(address)) = listen {
        hosts.push(address.ip().to_string());
    }
    hosts
}

impl AppConfig {
    fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.workers == 0 {
            findings.push(
                Finding::new("app.workers", "`0` workers would answer no request").help("write 1 or more"),
            );
        }
        if self.max_concurrent == 0 {
            findings.push(Finding::new("app.max-concurrent", "`0` would refuse every request"));
        }
        let spans = [
            ("ready-timeout", self.ready_timeout.unwrap_or(self.connect_timeout)),
            ("connect-timeout", self.connect_timeout),
            ("response-timeout", self.response_timeout),
        ];
        for (key, span) in spans.into_iter().filter(|(_, span)| span.0.is_zero()) {
            findings.push(Finding::new(format!("app.{key}"), format!("`{span}` leaves no time")));
        }
        match self.address() {
            Ok(Some(Address::Unix(path))) => {
                findings.extend(too_long(&path).map(|message| Finding::new("app.upstream", message)));
            }
            Ok(_) => {}
            Err(message) => findings.push(Finding::new("app.upstream", message)),
        }
        for (index, name) in self.withhold_env.iter().flatten().enumerate() {
            if name.is_empty() || name.contains(['=', '\0']) {
                let key = format!("app.withhold-env[{index}]");
                findings.push(Finding::new(
                    key,
                    format!("`{}` is not the name of a variable", name.escape_debug()),
                ));
            }
        }
        findings
    }

    /// The upstream, if one is configured.
    pub(crate) fn address(&self) -> Result<Option<Address>, String> {
        let text = self.upstream.as_str();
        if text.is_empty() {
            return Ok(None);
        }
        let hint = "write `http://HOST:PORT` or `unix:PATH`";
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Some(Address::Unix(path.into())));
        }
        if text.starts_with("https://") {
            return Err(format!("`{text}`: Mantlet reaches the app over plain HTTP; {hint}"));
        }
        let authority = text
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'))
            .filter(|rest| !rest.contains(['/', '@', '?', '#']))
            .ok_or_else(|| format!("`{text}` is not an upstream; {hint}"))?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') => {
                (host, port.parse::<u16>().ok().filter(|port| *port > 0))
            }
            _ => (authority, Some(80)),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match port {
            Some(port) if !host.is_empty() => Ok(Some(Address::Tcp(host.to_owned(), port))),
            _ => Err(format!("`{text}` is not an upstream; {hint}")),
        }
    }
}
