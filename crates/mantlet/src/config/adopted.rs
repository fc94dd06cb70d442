//! Variables that uvicorn reads. Mantlet stands where uvicorn stood, so what they say is done, or
//! it is said that it is not.
//!
//! Those that concern the sockets, the workers and the limits in front of the app are settings of
//! lowest rank here. Those that concern uvicorn's work behind the gate are read by the launcher, in
//! uvicorn's own way. The rest cannot hold behind a gate.

use mantlet_controls::config::Networks;

use crate::settings::Adopted;

/// What cannot hold behind a gate, and what to do instead.
const NOT_USED: [(&str, &str); 20] = [
    ("UVICORN_UDS", "the gate listens in place of uvicorn; `--listen unix:PATH` says where"),
    ("UVICORN_FD", "the gate listens in place of uvicorn; `--listen` says where"),
    ("UVICORN_APP_DIR", "start Mantlet in that folder, or set `PYTHONPATH`"),
    ("UVICORN_FACTORY", "name the app as `main:create_app()`"),
    ("UVICORN_RELOAD", "Mantlet does not start the app again when its code changes"),
    ("UVICORN_HTTP2", "the gate speaks HTTP/2 with clients and HTTP/1.1 with the app"),
    ("UVICORN_BACKLOG", "the gate listens in place of uvicorn"),
    ("UVICORN_PROXY_HEADERS", "the gate alone determines the client's address"),
    ("UVICORN_SERVER_HEADER", "the gate removes that header"),
    ("UVICORN_TIMEOUT_KEEP_ALIVE", "`idle-timeout` under `[limits]` is for clients"),
    ("UVICORN_LIMIT_CONCURRENCY", "`max-concurrent` under `[app]` limits the requests that the app works on"),
    ("UVICORN_SSL_KEYFILE", TLS),
    ("UVICORN_SSL_CERTFILE", TLS),
    ("UVICORN_SSL_KEYFILE_PASSWORD", TLS),
    ("UVICORN_SSL_VERSION", TLS),
    ("UVICORN_SSL_CERT_REQS", TLS),
    ("UVICORN_SSL_CA_CERTS", TLS),
    ("UVICORN_SSL_CIPHERS", TLS),
    ("UVICORN_RELOAD_DIR", "Mantlet does not start the app again when its code changes"),
    ("UVICORN_RELOAD_INCLUDE", "Mantlet does not start the app again when its code changes"),
];
const TLS: &str = "the gate speaks TLS; see `[tls]`, `--tls-cert` and `--tls-key`";

/// What an environment says in uvicorn's words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Adoption {
    /// What is taken over.
    pub(crate) settings: Vec<Adopted>,
    /// What is not, and what to do.
    pub(crate) notes: Vec<String>,
    /// The port that a platform asks for. Only a person knows whether it is asked of Mantlet.
    pub(crate) port: Option<u16>,
}

/// Reads the variables of an environment.
pub(crate) fn adopt(environment: &[(String, String)]) -> Adoption {
    let of = |wanted: &str| {
        let found = environment.iter().find(|(name, value)| name == wanted && !value.trim().is_empty());
        found.map(|(name, value)| (name.as_str(), value.trim()))
    };
    let mut adoption = Adoption::default();
    adoption.workers(of("UVICORN_WORKERS").or_else(|| of("WEB_CONCURRENCY")));
    adoption.listen(of("UVICORN_HOST"), of("UVICORN_PORT"));
    adoption.trusted(of("UVICORN_FORWARDED_ALLOW_IPS").or_else(|| of("FORWARDED_ALLOW_IPS")));
    if let Some((name, app)) = of("UVICORN_APP") {
        adoption.settings.push(Adopted::new(name, "app.entrypoint", app));
    }
    if let Some((name, text)) = of("UVICORN_WS_MAX_SIZE") {
        match text.parse::<u32>() {
            Ok(bytes) => {
                adoption.settings.push(Adopted::new(name, "limits.websocket-message", i64::from(bytes)));
            }
            Err(_) => adoption.not_used(name, text, "write `websocket-message` under `[limits]`"),
        }
    }
    for (name, instead) in NOT_USED {
        // Switched off is as the gate has it.
        if let Some((name, _)) = of(name).filter(|(_, value)| !is_off(value)) {
            adoption.notes.push(format!("`{name}` is not used: {instead}"));
        }
    }
    adoption.port = of("PORT").and_then(|(_, text)| text.parse().ok());
    adoption
}

impl Adoption {
    fn workers(&mut self, given: Option<(&str, &str)>) {
        let Some((name, text)) = given else { return };
        match text.parse::<u16>() {
            // uvicorn takes none for one.
            Ok(workers) => self.settings.push(Adopted::new(name, "app.workers", i64::from(workers.max(1)))),
            Err(_) => self.not_used(name, text, "write a number, or `workers` under `[app]`"),
        }
    }

    fn listen(&mut self, host: Option<(&str, &str)>, port: Option<(&str, &str)>) {
        let Some((name, given)) = host.or(port) else { return };
        let host = match host.map_or("127.0.0.1", |(_, host)| host) {
            "localhost" => "127.0.0.1".to_owned(),
            host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
            host => host.to_owned(),
        };
        let listen = format!("{host}:{}", port.map_or("8000", |(_, port)| port));
        match listen.parse::<mantlet_gateway::Listen>() {
            Ok(_) => self.settings.push(Adopted::new(name, "listen", listen)),
            Err(_) => self.not_used(name, given, "set the address with `--listen HOST:PORT`"),
        }
    }

    /// Networks, but not all of them: then every client could say that it is another.
    fn trusted(&mut self, given: Option<(&str, &str)>) {
        let Some((name, text)) = given else { return };
        let networks: Vec<String> = text.split(',').map(|one| one.trim().to_owned()).collect();
        if networks.iter().any(|one| one == "*" || one.ends_with("/0")) {
            self.notes.push(format!(
                "`{name}={text}` is not used: every client could pass for another\n\
                 name your proxies: `trusted = [\"private\"]` under `[client]`, or their networks"
            ));
        } else if Networks::parse(&networks).is_ok() {
            self.settings.push(Adopted::new(name, "client.trusted", networks));
        } else {
            self.not_used(name, text, "write `trusted` under `[client]`");
        }
    }

    fn not_used(&mut self, name: &str, text: &str, instead: &str) {
        self.notes.push(format!("`{name}={}` is not used: {instead}", text.escape_debug()));
    }
}

fn is_off(value: &str) -> bool {
    ["0", "false", "off", "no", "f", "n"].contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adopted(pairs: &[(&str, &str)]) -> Adoption {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        adopt(&pairs)
    }

    #[test]
    fn what_uvicorn_is_told_is_taken_over() {
        let rows: &[(&[(&str, &str)], &str)] = &[
            (&[("WEB_CONCURRENCY", "3")], "WEB_CONCURRENCY app.workers 3"),
            (&[("WEB_CONCURRENCY", "0")], "WEB_CONCURRENCY app.workers 1"),
            (&[("WEB_CONCURRENCY", "3"), ("UVICORN_WORKERS", "2")], "UVICORN_WORKERS app.workers 2"),
            (&[("WEB_CONCURRENCY", "")], ""),
            (&[("UVICORN_HOST", "0.0.0.0")], "UVICORN_HOST listen \"0.0.0.0:8000\""),
            (&[("UVICORN_HOST", "::"), ("UVICORN_PORT", "80")], "UVICORN_HOST listen \"[::]:80\""),
            (&[("UVICORN_PORT", "9000")], "UVICORN_PORT listen \"127.0.0.1:9000\""),
            (&[("UVICORN_HOST", "localhost")], "UVICORN_HOST listen \"127.0.0.1:8000\""),
            (
                &[("FORWARDED_ALLOW_IPS", "10.0.0.0/8, 127.0.0.1")],
                "FORWARDED_ALLOW_IPS client.trusted [\"10.0.0.0/8\", \"127.0.0.1\"]",
            ),
            (&[("UVICORN_APP", "main:app")], "UVICORN_APP app.entrypoint \"main:app\""),
            (&[("UVICORN_WS_MAX_SIZE", "33554432")], "UVICORN_WS_MAX_SIZE limits.websocket-message 33554432"),
        ];
        for (pairs, expected) in rows {
            let adoption = adopted(pairs);
            let shown: Vec<_> = adoption
                .settings
                .iter()
                .map(|one| format!("{} {} {}", one.variable(), one.key(), one.value()))
                .collect();
            assert_eq!(shown.join("; "), *expected, "{pairs:?}");
            assert!(adoption.notes.is_empty(), "{pairs:?}: {:?}", adoption.notes);
        }
    }

    #[test]
    fn what_cannot_be_taken_over_is_said() {
        for (pair, says) in [
            (("WEB_CONCURRENCY", "auto"), "`WEB_CONCURRENCY=auto` is not used: write a number, or `workers`"),
            (("FORWARDED_ALLOW_IPS", "*"), "`FORWARDED_ALLOW_IPS=*` is not used: every client could pass"),
            (("FORWARDED_ALLOW_IPS", "0.0.0.0/0"), "is not used: every client could pass for another"),
            (("UVICORN_FORWARDED_ALLOW_IPS", "/run/x.sock"), "is not used: write `trusted`"),
            (
                ("UVICORN_HOST", "api.example"),
                "`UVICORN_HOST=api.example` is not used: set the address with `--listen",
            ),
            (
                ("UVICORN_RELOAD", "true"),
                "`UVICORN_RELOAD` is not used: Mantlet does not start the app again",
            ),
            (("UVICORN_SSL_CERTFILE", "a.pem"), "`UVICORN_SSL_CERTFILE` is not used: the gate speaks TLS"),
            (("UVICORN_LIMIT_CONCURRENCY", "10"), "`max-concurrent` under `[app]`"),
            (("UVICORN_WS_MAX_SIZE", "16MB"), "is not used: write `websocket-message`"),
        ] {
            let adoption = adopted(&[pair]);
            assert!(adoption.settings.is_empty(), "{pair:?}");
            assert_eq!(adoption.notes.len(), 1, "{pair:?}");
            assert!(adoption.notes[0].contains(says), "{pair:?}: {:?}", adoption.notes);
        }
        for quiet in [("UVICORN_RELOAD", "false"), ("UVICORN_ROOT_PATH", "/api"), ("UVICORN_VERSION", "1")] {
            assert!(adopted(&[quiet]).notes.is_empty(), "{quiet:?}");
        }
        assert_eq!(adopted(&[("PORT", "8080")]).port, Some(8080));
    }
}
