//! The port where metrics are served: `GET` and `HEAD /metrics` over HTTP/1.1, and nothing else.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdTcpListener},
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
    small_server::serve(accept, PATIENCE, |stream| {
        let shared = Arc::clone(shared);
        async move {
            small_server::converse(stream, async |request| respond(&request, &shared)).await;
        }
    })
    .await;
}

fn respond(request: &Request<Incoming>, shared: &Shared) -> Response<ResponseBody<Incoming>> {
    let plain = |status, text: &'static str| {
        (status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
    };
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, kind, body) = if request.uri().path() != PATH {
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

/// `OpenMetrics` for clients that name it.
fn wanted(headers: &HeaderMap) -> Format {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let names_it = accepts.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/openmetrics-text")
    });
    if names_it { Format::OpenMetrics } else { Format::Text }
}
