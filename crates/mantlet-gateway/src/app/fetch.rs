//! Fetches one resource from the app behind the gate, or from the server at an address. Bounded in
//! size and time; redirects are not followed, because the server must not choose where the response
//! comes from.

use std::{pin::Pin, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use hyper::{
    body::Incoming,
    client::conn::http1,
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};

use super::address::Address;
use crate::tls::outgoing::{connector, roots_of_this_machine};

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("mantlet/", env!("CARGO_PKG_VERSION")));

/// The resource to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    server: Address,
    is_https: bool,
    host: HeaderValue,
    path: Uri,
    /// Tells the app that the client came over HTTPS, as for other requests.
    says_https: bool,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No server responds, or its response cannot be read. Another attempt may succeed.
    #[error("{0}")]
    Unreachable(String),
    /// The response is larger than the limit.
    #[error("the response is larger than {} MiB", .0 >> 20)]
    TooLong(usize),
}

/// A form to send, with Basic credentials (RFC 7617).
#[derive(Debug, Clone)]
pub struct Form {
    /// The body, URL-encoded.
    pub body: String,
    /// The value of `Authorization`.
    pub authorization: HeaderValue,
}

/// A response.
#[derive(Debug)]
pub struct Fetched {
    /// Its status.
    pub status: StatusCode,
    /// Where it redirects to.
    pub location: Option<String>,
    /// How long it is fresh, in seconds, if it says so (RFC 9111 section 5.2.2.1).
    pub max_age: Option<i64>,
    /// Its body.
    pub body: Bytes,
}

impl Target {
    /// A resource of the app behind the gate, requested like a client of this host, over HTTPS or
    /// not. None if the path or the host is invalid.
    pub fn of_app(server: &Address, host: &str, path: &str, says_https: bool) -> Option<Self> {
        let (host, path) = (host.parse().ok()?, path.parse().ok()?);
        Some(Self { server: server.clone(), is_https: false, host, path, says_https })
    }

    /// The resource at an address; fails if the address is invalid.
    pub fn of_url(url: &str) -> Result<Self, String> {
        let wrong = || format!("`{url}` is not an address; write `https://HOST/openapi.json`");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        if authority.as_str().contains('@') {
            return Err("an address with a password is not fetched; remove the part before `@`".into());
        }
        let (is_https, port) = match scheme {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => {
                return Err(format!(
                    "`{url}` cannot be fetched: only `http://` and `https://` are supported; for a file, pass its path"
                ));
            }
        };
        let bare = authority.host().trim_start_matches('[').trim_end_matches(']');
        let path = uri.path_and_query().map_or_else(|| Uri::from_static("/"), |path| path.clone().into());
        Ok(Self {
            server: Address::Tcp(bare.to_owned(), authority.port_u16().unwrap_or(port)),
            is_https,
            host: authority.as_str().parse().map_err(|_| wrong())?,
            path,
            says_https: false,
        })
    }
}

/// Fetches; reads a response of at most so many bytes.
pub async fn fetch(target: &Target, patience: Duration, most: usize) -> Result<Fetched, FetchError> {
    send(target, None, patience, most).await
}

/// Sends a form, or asks without one; reads a response of at most so many bytes.
pub async fn send(
    target: &Target,
    form: Option<&Form>,
    patience: Duration,
    most: usize,
) -> Result<Fetched, FetchError> {
    let answer = tokio::time::timeout(patience, ask(target, form, most)).await;
    answer.unwrap_or_else(|_| {
        Err(FetchError::Unreachable(format!("no complete response within {} s", patience.as_secs())))
    })
}

async fn ask(target: &Target, form: Option<&Form>, most: usize) -> Result<Fetched, FetchError> {
    let away = |error: std::io::Error| FetchError::Unreachable(error.to_string());
    let response = match &target.server {
        Address::Unix(path) => {
            exchange(target, form, TokioIo::new(UnixStream::connect(path).await.map_err(away)?)).await?
        }
        Address::Tcp(host, port) => {
            let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(away)?;
            if target.is_https {
                let unreachable = |error: String| FetchError::Unreachable(error);
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| unreachable(format!("`{host}` is not the name of a server")))?;
                let tls =
                    connector(roots_of_this_machine()).map_err(|error| unreachable(error.to_string()))?;
                exchange(target, form, TokioIo::new(tls.connect(name, socket).await.map_err(away)?)).await?
            } else {
                exchange(target, form, TokioIo::new(socket)).await?
            }
        }
    };
    let (parts, body) = response.into_parts();
    let location = parts.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let location = location.map(str::to_owned);
    let max_age = max_age(&parts.headers);
    Ok(Fetched { status: parts.status, location, max_age, body: read(body, most).await? })
}

fn max_age(headers: &HeaderMap) -> Option<i64> {
    let lines = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = lines.flat_map(|line| line.split(',')).map(str::trim);
    directives
        .find_map(|one| one.to_ascii_lowercase().strip_prefix("max-age=")?.trim_matches('"').parse().ok())
}

async fn exchange<T>(target: &Target, form: Option<&Form>, io: T) -> Result<Response<Incoming>, FetchError>
where
    T: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(io).await.map_err(|error| broken(&error))?;
    // Ends with the sender and the response.
    tokio::spawn(connection);
    let mut request = Request::new(form.map_or_else(String::new, |form| form.body.clone()));
    *request.uri_mut() = target.path.clone();
    let headers = request.headers_mut();
    headers.insert(header::HOST, target.host.clone());
    if let Some(form) = form {
        headers.insert(header::AUTHORIZATION, form.authorization.clone());
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if target.says_https {
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    }
    headers.insert(header::USER_AGENT, USER_AGENT);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if form.is_some() {
        *request.method_mut() = Method::POST;
    }
    sender.send_request(request).await.map_err(|error| broken(&error))
}

fn broken(error: &hyper::Error) -> FetchError {
    FetchError::Unreachable(format!("the connection broke: {error}"))
}

pub(crate) async fn read(mut body: Incoming, most: usize) -> Result<Bytes, FetchError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        bytes.extend_from_slice(frame.map_err(|error| broken(&error))?.data_ref().map_or(&[], |data| data));
        if bytes.len() > most {
            return Err(FetchError::TooLong(most));
        }
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let of =
            |url| Target::of_url(url).map(|target| (target.server, target.is_https, target.path.to_string()));
        let tcp = |host: &str, port| Address::Tcp(host.to_owned(), port);
        assert_eq!(of("https://a.example/x?y=1"), Ok((tcp("a.example", 443), true, "/x?y=1".to_owned())));
        assert_eq!(of("http://[::1]:8000"), Ok((tcp("::1", 8000), false, "/".to_owned())));
        for wrong in
            ["", "a.example/x", "ftp://a.example/x", "https://user:word@a.example/", "https:///x", "/x"]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        assert!(of("ftp://a.example/x").is_err_and(|why| why.contains("only `http://` and `https://`")));
    }
}
