//! What is asked of an app, what it answers, and both as evidence.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::finding::Evidence;

/// Bytes of an answer that evidence shows.
const SHOWN: usize = 400;
/// What stands for a secret.
const MASK: &str = "***";

/// A request.
#[derive(Debug, Clone)]
pub struct Question {
    /// The method.
    pub method: Method,
    /// The path and the query, as they are sent.
    pub target: String,
    /// The headers, without `Host` and the length.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or its beginning.
    pub body: Bytes,
    /// The body is longer than what was read of it.
    pub is_cut: bool,
}

/// An answer for tests.
#[cfg(test)]
pub(crate) fn answer(status: u16, body: impl std::fmt::Display) -> Answer {
    let status = StatusCode::from_u16(status).unwrap();
    Answer { status, headers: HeaderMap::new(), body: body.to_string().into(), is_cut: false }
}

impl Question {
    /// A request without a body.
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A GET.
    pub fn get(target: impl Into<String>) -> Self {
        Self::new(Method::GET, target)
    }

    /// With a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a body of JSON.
    #[must_use]
    pub fn json(mut self, body: &serde_json::Value) -> Self {
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = body.to_string().into();
        self
    }

    /// With a body that is a form.
    #[must_use]
    pub fn form(mut self, body: impl Into<Bytes>) -> Self {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.headers.insert(header::CONTENT_TYPE, form);
        self.body = body.into();
        self
    }
}

impl Answer {
    /// Its body as JSON, if it is JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok().filter(|_| !self.is_cut)
    }

    /// The text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Evidence {
    /// What a caller asked at this address (`http://127.0.0.1:8000`), and what the app answered. Credentials and cookies are masked, and
    /// so is each of these secrets wherever it stands.
    pub fn of(caller: &str, base: &str, question: &Question, answer: &Answer, secrets: &[&str]) -> Self {
        let mut request = format!("{} {} HTTP/1.1\n", question.method, question.target);
        write_headers(&mut request, &question.headers);
        write_body(&mut request, &question.body);
        let mut response = format!("HTTP/1.1 {}\n", answer.status);
        write_headers(&mut response, &answer.headers);
        write_body(&mut response, &answer.body);
        let hidden = |text: String| {
            let secrets = secrets.iter().filter(|secret| !secret.is_empty());
            secrets.fold(text, |text, secret| text.replace(secret, MASK))
        };
        Self::Exchange {
            caller: caller.to_owned(),
            curl: hidden(curl(base, question)),
            request: hidden(request),
            response: hidden(response),
        }
    }
}

/// Whether the value of a header is a secret.
fn is_secret(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "authorization" | "proxy-authorization" | "cookie" | "set-cookie")
        || ["key", "token", "secret", "session"].iter().any(|word| name.contains(word))
}

fn shown<'v>(name: &HeaderName, value: &'v HeaderValue) -> std::borrow::Cow<'v, str> {
    if !is_secret(name) {
        return String::from_utf8_lossy(value.as_bytes());
    }
    // `Bearer ***` still says what is sent.
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, _)) if *name == header::AUTHORIZATION => format!("{scheme} {MASK}").into(),
        _ => MASK.into(),
    }
}

/// Whether a header is another one each time, and proves nothing.
fn differs_each_time(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "age" | "date" | "etag" | "last-modified" | "server-timing" | "traceparent" | "x-process-time"
    ) || ["request-id", "correlation-id", "trace-id", "response-time"].iter().any(|end| name.ends_with(end))
}

fn write_headers(text: &mut String, headers: &HeaderMap) {
    for (name, value) in headers.iter().filter(|(name, _)| !differs_each_time(name)) {
        let _ = writeln!(text, "{name}: {}", shown(name, value));
    }
}

fn write_body(text: &mut String, body: &[u8]) {
    if body.is_empty() {
        return;
    }
    let beginning = body.get(..SHOWN).unwrap_or(body);
    let _ = write!(text, "\n{}", String::from_utf8_lossy(beginning));
    if beginning.len() < body.len() {
        let _ = write!(text, "… ({} bytes)", body.len());
    }
}

/// A command that sends the same. Where a secret was, the reader puts their own.
fn curl(base: &str, question: &Question) -> String {
    let mut line = "curl -i".to_owned();
    if question.method != Method::GET {
        let _ = write!(line, " -X {}", question.method);
    }
    for (name, value) in &question.headers {
        let _ = write!(line, " -H {}", quoted(&format!("{name}: {}", shown(name, value))));
    }
    if !question.body.is_empty() {
        let _ = write!(line, " --data-raw {}", quoted(&String::from_utf8_lossy(&question.body)));
    }
    let _ = write!(line, " {}", quoted(&format!("{base}{}", question.target)));
    line
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let question = Question::new(Method::POST, "/token?key=s3cret")
            .with(header::AUTHORIZATION, HeaderValue::from_static("Bearer abc.def"))
            .with(header::COOKIE, HeaderValue::from_static("session=abc"))
            .form("username=ann&password=it's-s3cret");
        let headers = [
            (header::SET_COOKIE, HeaderValue::from_static("session=xyz")),
            (header::DATE, HeaderValue::from_static("Mon, 30 Nov 2026 12:00:00 GMT")),
        ];
        let headers = headers.into_iter().collect();
        let body = Bytes::from_static(b"{\"access_token\": \"s3cret\"}");
        let answer = Answer { status: StatusCode::OK, headers, body, is_cut: false };
        let Evidence::Exchange { request, response, curl, .. } =
            Evidence::of("ann", "http://localhost:8000", &question, &answer, &["s3cret", ""])
        else {
            panic!("no exchange");
        };
        assert_eq!(
            curl,
            "curl -i -X POST -H 'authorization: Bearer ***' -H 'cookie: ***' \
             -H 'content-type: application/x-www-form-urlencoded' \
             --data-raw 'username=ann&password=it'\\''s-***' 'http://localhost:8000/token?key=***'"
        );
        for text in [&request, &response] {
            assert!(!text.contains("s3cret") && !text.contains("abc") && !text.contains("xyz"), "{text}");
        }
        assert_eq!(response, "HTTP/1.1 200 OK\nset-cookie: ***\n\n{\"access_token\": \"***\"}");
    }
}
