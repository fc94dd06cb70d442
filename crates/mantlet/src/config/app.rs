//! `[app]`: the app, how it is run, and how long it may take.

use std::collections::BTreeMap;

use mantlet_controls::config::{Mistake, units::Span};
use mantlet_gateway::Address;
use serde::{Deserialize, Serialize};

use super::{app_env, app_output, socket_path::too_long};

/// `[app]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The app, if it is not where `fastapi run` would look. Default empty.
    pub(crate) entrypoint: String,
    /// The Python interpreter. Default empty: `$VIRTUAL_ENV`, `.venv`, the one beside mantlet,
    /// `python3`.
    pub(crate) python: String,
    /// Worker processes of uvicorn. Default 1.
    pub(crate) workers: u16,
    /// For `mantlet serve`: `http://HOST:PORT` or `unix:PATH`. Default empty.
    pub(crate) upstream: String,
    /// Time the app may take to start, after which it is stopped. Default: as long as it lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready_timeout: Option<Span>,
    /// CPU time for reading the app's code at its start. After it, input that the code may change is
    /// only reported. `0s`: no bound. Default 2 s.
    pub(crate) read_timeout: Span,
    /// Time to connect to the app. Default 5 s.
    pub(crate) connect_timeout: Span,
    /// Time from the last byte of a request to the first of its answer. Default 1 h: an app without
    /// a gate has no limit at all.
    pub(crate) response_timeout: Span,
    /// Time an idle connection to the app is kept. Default 4 s: uvicorn by itself closes after 5 s.
    pub(crate) idle_timeout: Span,
    /// Requests that the app may have in hand at once. Default 4,096.
    pub(crate) max_concurrent: usize,
    /// How long a request waits while the app has more in hand than it works on; `0s`: none waits.
    /// Default 5 s.
    pub(crate) queue_timeout: Span,
    /// Time the app may take to stop before it is killed. Default 15 s.
    pub(crate) stop_timeout: Span,
    /// Variables that are not handed on to the app. Default none; with the posture `strict`, those
    /// that `env:NAME` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) withhold_env: Option<Vec<String>>,
    /// Variables that the app gets, beside those of Mantlet's own environment. A value is a text, or says
    /// where a secret is. Default none.
    pub(crate) env: BTreeMap<String, String>,
    /// What is taken out of what it prints.
    pub(crate) output: app_output::Config,
}

impl Default for Config {
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
            env: BTreeMap::new(),
            output: app_output::Config::default(),
        }
    }
}

impl Config {
    pub(super) fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.workers == 0 {
            mistakes.push(
                Mistake::new("app.workers", "`0` workers would answer no request").help("write 1 or more"),
            );
        }
        if self.max_concurrent == 0 {
            mistakes.push(Mistake::new("app.max-concurrent", "`0` would refuse every request"));
        }
        let spans = [
            ("ready-timeout", self.ready_timeout.unwrap_or(self.connect_timeout)),
            ("connect-timeout", self.connect_timeout),
            ("response-timeout", self.response_timeout),
        ];
        for (key, span) in spans.into_iter().filter(|(_, span)| span.0.is_zero()) {
            mistakes.push(Mistake::new(format!("app.{key}"), format!("`{span}` leaves no time")));
        }
        match self.address() {
            Ok(Some(Address::Unix(path))) => {
                mistakes.extend(too_long(&path).map(|message| Mistake::new("app.upstream", message)));
            }
            Ok(_) => {}
            Err(message) => mistakes.push(Mistake::new("app.upstream", message)),
        }
        for (index, name) in self.withhold_env.iter().flatten().enumerate() {
            if name.is_empty() || name.contains(['=', '\0']) {
                let key = format!("app.withhold-env[{index}]");
                mistakes.push(Mistake::new(
                    key,
                    format!("`{}` is not the name of a variable", name.escape_debug()),
                ));
            }
        }
        mistakes.extend(app_env::read(&self.env).err().into_iter().flatten());
        mistakes.extend(self.output.check(&self.env));
        mistakes
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
