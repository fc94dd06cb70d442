//! The client of another Mantlet's admin socket.

use std::{io, path::Path};

use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::client;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::{net::UnixStream, time::timeout};

use super::socket::{PATIENCE, connect_now};
use crate::fetch;

/// Largest response that is read, in bytes: enough for everything that a control remembers.
const MAX_ANSWER: usize = 64 << 20;

/// Sends a request to the Mantlet at this socket, for a path of these segments and a query of these
/// parameters. The response is JSON, and so is an error. Records of acts name the `program`, if it is known.
pub async fn ask(
    socket: &Path,
    program: Option<&'static str>,
    method: Method,
    segments: &[&str],
    parameters: &[(&str, &str)],
) -> io::Result<(StatusCode, Value)> {
    let asked = timeout(PATIENCE, exchange(socket, program, method, segments, parameters)).await;
    asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn exchange(
    socket: &Path,
    program: Option<&'static str>,
    method: Method,
    segments: &[&str],
    parameters: &[(&str, &str)],
) -> io::Result<(StatusCode, Value)> {
    let stream = connect_now(socket)?;
    stream.set_nonblocking(true)?;
    let stream = TokioIo::new(UnixStream::from_std(stream)?);
    let (mut sender, connection) = client::conn::http1::handshake(stream).await.map_err(io::Error::other)?;
    // Ends with the sender and the response.
    tokio::spawn(connection);
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        path.extend(utf8_percent_encode(segment, NON_ALPHANUMERIC));
    }
    for (number, (name, value)) in parameters.iter().enumerate() {
        path.extend([if number == 0 { "?" } else { "&" }, *name, "="]);
        path.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
    }
    // Without a body.
    let mut request = Request::new(String::new());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(io::Error::other)?;
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("mantlet"));
    if let Some(program) = program {
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(program));
    }
    let (parts, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
    let body = fetch::read(body, MAX_ANSWER).await.map_err(io::Error::other)?;
    Ok((parts.status, serde_json::from_slice(&body)?))
}
