//! What the servers are loaded with.

use std::path::PathBuf;

use anyhow::Result;

use super::{
    h2load,
    server::{Channel, Place, Server},
    tls::Client,
    wrk,
};
use crate::tools;

/// A kind of request.
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    path: &'static str,
    load: Load,
    /// Mantlet holds the requests and answers against the contract of `app.py`.
    pub(super) contract: bool,
    /// What it is compared with.
    pub(super) peer: Peer,
    /// Most that Mantlet should cost, as a multiple of nginx.
    pub(super) aim: Option<f64>,
}

enum Load {
    /// HTTP/1.1 on connections that stay open; a script, if it is not a GET.
    KeepAlive(Channel, Option<&'static str>),
    /// As `KeepAlive`, and each is answered with 422.
    Refused(&'static str),
    /// A new connection, a full handshake and one request, again and again.
    Handshakes,
    /// Many streams of HTTP/2 over TLS.
    Streams,
}

/// What Mantlet is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// nginx, which passes everything.
    Nginx,
    /// The app itself, which refuses by itself.
    App,
}

use Channel::{Plain, Tls};
use Load::{Handshakes, KeepAlive, Refused, Streams};

pub(super) const WORKLOADS: [Workload; 9] = [
    of("get-small", "GET, 100 B", "/small", KeepAlive(Plain, None), Some(1.15)),
    of("post-1k", "POST, 1 KiB", "/post", KeepAlive(Plain, Some("post.lua")), None),
    of("get-100k", "GET, 100 KiB", "/100k", KeepAlive(Plain, None), None),
    of("post-validated", "POST, 1 KiB, validated", "/orders", KeepAlive(Plain, Some("order.lua")), Some(1.4))
        .held_against_contract(),
    of("get-filtered", "GET, 10 KiB, filtered", "/products", KeepAlive(Plain, None), None)
        .held_against_contract(),
    of(
        "post-refused",
        "POST, 1 KiB, refused (422), beside FastAPI",
        "/orders",
        Refused("invalid-order.lua"),
        None,
    )
    .held_against_contract(),
    of("tls-get-small", "GET, 100 B, over TLS", "/small", KeepAlive(Tls, None), Some(0.95)),
    of("tls-handshake", "full TLS handshake and a GET", "/small", Handshakes, Some(0.70)),
    of("http2-get-small", "GET, 100 B, HTTP/2 over TLS", "/small", Streams, Some(1.05)),
];

const fn of(
    name: &'static str,
    title: &'static str,
    path: &'static str,
    load: Load,
    aim: Option<f64>,
) -> Workload {
    let peer = match load {
        Refused(_) => Peer::App,
        _ => Peer::Nginx,
    };
    Workload { name, title, path, load, contract: false, peer, aim }
}

/// The programs that make the load.
pub(super) struct Generators {
    pub(super) wrk: PathBuf,
    h2load: PathBuf,
    tls: Client,
}

impl Generators {
    pub(super) fn new(place: &Place) -> Result<Self> {
        Ok(Self {
            wrk: tools::program(&["wrk"], "wrk")?,
            h2load: tools::program(&["h2load"], "nghttp2-client")?,
            tls: Client::new(&place.identity)?,
        })
    }
}

impl Workload {
    const fn held_against_contract(mut self) -> Self {
        self.contract = true;
        self
    }

    pub(super) const fn channel(&self) -> Channel {
        match self.load {
            KeepAlive(channel, _) => channel,
            Refused(_) => Plain,
            Handshakes | Streams => Tls,
        }
    }

    /// Loads a server and returns how many requests it answered.
    pub(super) fn load(
        &self,
        with: &Generators,
        place: &Place,
        server: &Server,
        seconds: u64,
    ) -> Result<u64> {
        let port = server.port;
        let answered = match self.load {
            KeepAlive(channel, script) => {
                let scheme = if channel == Tls { "https" } else { "http" };
                let url = format!("{scheme}://127.0.0.1:{port}{}", self.path);
                wrk::load(&with.wrk, &place.folder, script, &url, seconds)
            }
            Refused(script) => {
                let url = format!("http://127.0.0.1:{port}{}", self.path);
                wrk::load_refused(&with.wrk, &place.folder, Some(script), &url, seconds)
            }
            Handshakes => with.tls.load(port, seconds),
            Streams => h2load::load(&with.h2load, self.path, port, seconds),
        };
        answered.map_err(|error| server.blamed_for(error))
    }
}
