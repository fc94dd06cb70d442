//! What the gateway has to know of the configuration.

use std::{thread::available_parallelism, time::Duration};

use mantlet_controls::config::Server;
use mantlet_gateway::{Address, GateConfig, Listen, UpstreamConfig, traces::Tracer};

use super::schema::Config;

impl Config {
    pub(crate) fn gate(
        &self,
        listen: Listen,
        address: Address,
        idle_timeout: Duration,
        server: Server,
        runs_app: bool,
        tracer: Option<Tracer>,
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
            // Checked when it was read.
            measures: self.metrics.address().is_ok_and(|address| address.is_some()),
            tracer,
            callers: None,
            house: None,
            runs_app,
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
}
