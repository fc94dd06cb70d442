//! The port where metrics are served: `GET` and `HEAD /metrics` over HTTP/1.1, and nothing else.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener as StdTcpListener},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use mantlet_controls::ResponseBody;
use tokio::net::TcpListener;

use super::{Format, text};
use crate::{shared::Shared, small_server};

const PATH: &str = "/metrics";
/// Ends of names that the public DNS does not have (RFC 6761, RFC 6762, RFC 8375, and `internal`, which ICANN reserves).
const PRIVATE: [&str; 7] = ["arpa", "home", "internal", "lan", "local", "localhost", "test"];
/// Time for a request and its response.
const PATIENCE: Duration = Duration::from_secs(10);

/// A port of its own for metrics.
#[derive(Debug)]
pub struct Scrapes(StdTcpListener);

impl Scrapes {
    /// Listens; port 0 takes a free one.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = StdTcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// The address where it listens, with the real port.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Serves metrics for as long as it is polled; without a port it does nothing.
pub(crate) async fn serve(scrapes: Option<&Scrapes>, shared: &Arc<Shared>) {
    let Some(Scrapes(listener)) = scrapes else { return std::future::pending().await };
    let listener = match listener.try_clone().and_then(TcpListener::from_std) {
        Ok(listener) => listener,
        Err(error) => {
            crate::tell(&format!("metrics cannot be served: {error}"));
            return std::future::pending().await;
        }
    };
    let accept = async || listener.accept().await.map(|(stream, _)| stream);
    let is_local = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    small_server::serve(accept, PATIENCE, |stream| {
        let shared = Arc::clone(shared);
        async move {
            small_server::converse(stream, async |request| respond(&request, &shared, is_local)).await;
        }
    })
    .await;
}

fn respond(request: &Request<Incoming>, shared: &Shared, is_local: bool) -> Response<ResponseBody<Incoming>> {
    let plain = |status, text: &'static str| {
        (status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
    };
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, kind, body) = if is_local && names_another(request.headers()) {
        plain(
            StatusCode::MISDIRECTED_REQUEST,
            "metrics are for this machine: ask for them at its address or `localhost`\n",
        )
    } else if request.uri().path() != PATH {
        plain(StatusCode::NOT_FOUND, "metrics are at `/metrics`\n")
    } else if !is_read {
        plain(StatusCode::METHOD_NOT_ALLOWED, "metrics are read with GET\n")
    } else {
        let format = wanted(request.headers());
        (StatusCode::OK, format.content_type(), Bytes::from(text(shared, format)))
    };
    let mut response = Response::new(ResponseBody::own(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// Whether a request for this machine names a host of the public DNS: a web page whose name was led here could read
/// the answer (DNS rebinding).
fn names_another(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_end_matches('.');
    let is_address = name.starts_with('[') || name.parse::<IpAddr>().is_ok();
    let last = name.rsplit_once('.').map(|(_, last)| last);
    !is_address && last.is_some_and(|last| !PRIVATE.iter().any(|private| last.eq_ignore_ascii_case(private)))
}

/// `OpenMetrics` for clients that name it.
fn wanted(headers: &HeaderMap) -> Format {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let names_it = accepts.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/openmetrics-text")
    });
    if names_it { Format::OpenMetrics } else { Format::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_public_dns_are_not_of_this_machine() {
        for (host, is_another) in [
            ("127.0.0.1:9464", false),
            ("[::1]:9464", false),
            ("localhost:9464", false),
            ("app.localhost", false),
            ("gate", false),
            ("gate.internal:9464", false),
            ("evil.example", true),
            ("evil.example.:9464", true),
            ("127.0.0.1.evil.example:9464", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            assert_eq!(names_another(&headers), is_another, "{host}");
        }
        assert!(!names_another(&HeaderMap::new()));
    }
}
