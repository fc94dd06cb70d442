//! The layer in a server and the gateway in front of one decide alike: one table, asked of both.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod stand;

use http::{Method, Request};
use stand::{Seen, Stand};

/// A request, and what becomes of it: the status, and the reason if it is refused.
struct Case {
    name: &'static str,
    method: Method,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
    status: u16,
    code: Option<&'static str>,
}

const OURS: (&str, &str) = ("host", "notes.example");
const SESSION: &str = "session=alice";
const COOKIE: (&str, &str) = ("cookie", SESSION);
/// `TOKEN` stands for the token that the stand has given to this session.
const WITH_TOKEN: (&str, &str) = ("cookie", "session=alice; csrf_token=TOKEN");
const ANSWERED: (&str, &str) = ("x-csrf-token", "TOKEN");
const PARTS: (&str, &str) = ("content-type", "multipart/form-data; boundary=xyz");
const FRIEND: (&str, &str) = ("origin", "https://app.notes.example");
const EVIL: (&str, &str) = ("origin", "https://evil.example");
const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn passes(
    name: &'static str,
    method: Method,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: impl Into<Vec<u8>>,
    status: u16,
) -> Case {
    Case { name, method, target, headers, body: body.into(), status, code: None }
}

fn refused(
    name: &'static str,
    method: Method,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: impl Into<Vec<u8>>,
    refusal: (u16, &'static str),
) -> Case {
    Case { name, method, target, headers, body: body.into(), status: refusal.0, code: Some(refusal.1) }
}

/// One row for each thing that a control decides.
#[expect(clippy::too_many_lines, reason = "a table is as long as it is")]
fn cases() -> Vec<Case> {
    const NOTE: &str = r#"{"text": "Hello"}"#;
    const LETTER: &str = "text=Hello";
    const UPLOAD: &str =
        "--xyz\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\nTOKEN\r\n--xyz--\r\n";
    let (get, post, options) = (Method::GET, Method::POST, Method::OPTIONS);
    vec![
        passes("read", get.clone(), "/notes", &[OURS], "", 200),
        passes("a page", get.clone(), "/", &[OURS], "", 200),
        passes("not there", get.clone(), "/nothing", &[OURS], "", 404),
        passes("wrong method", Method::PUT, "/notes", &[OURS], "", 405),
        passes("write", post.clone(), "/notes", &[OURS, JSON], NOTE, 201),
        passes("write nonsense", post.clone(), "/notes", &[OURS, JSON], "{", 400),
        passes("delete", Method::DELETE, "/notes/1", &[OURS], "", 204),
        passes("form", post.clone(), "/contact", &[OURS, FORM], LETTER, 200),
        passes("path made canonical", get.clone(), "/%6eotes", &[OURS], "", 200),
        passes(
            "forged identity",
            get.clone(),
            "/whoami",
            &[OURS, ("x-remote-user", "root"), ("x-forwarded-for", "6.6.6.6")],
            "",
            200,
        ),
        passes("login", post.clone(), "/login", &[OURS], "", 200),
        refused("tunnel", Method::TRACE, "/notes", &[OURS], "", (405, "method-forbidden")),
        refused("dots", get.clone(), "/notes/../admin", &[OURS], "", (400, "path-dot-segment")),
        refused(
            "encoded slash dots",
            get.clone(),
            "/notes/%2e%2e/admin",
            &[OURS],
            "",
            (400, "path-dot-segment"),
        ),
        refused("twice encoded", get.clone(), "/notes/%252e", &[OURS], "", (400, "path-double-encoded")),
        refused("parameter", get.clone(), "/notes;a=b", &[OURS], "", (400, "path-parameter")),
        refused("control character", get.clone(), "/notes%00", &[OURS], "", (400, "path-control-character")),
        refused(
            "foreign host",
            get.clone(),
            "/notes",
            &[("host", "evil.example")],
            "",
            (400, "host-unknown"),
        ),
        refused("no host", get.clone(), "/notes", &[], "", (400, "host-missing")),
        refused(
            "two hosts",
            get.clone(),
            "/notes",
            &[OURS, ("host", "evil.example")],
            "",
            (400, "host-repeated"),
        ),
        refused("malformed host", get.clone(), "/notes", &[("host", "a b")], "", (400, "host-malformed")),
        passes(
            "preflight of a friend",
            options.clone(),
            "/notes",
            &[OURS, FRIEND, ("access-control-request-method", "PUT")],
            "",
            204,
        ),
        refused(
            "preflight of a stranger",
            options.clone(),
            "/notes",
            &[OURS, EVIL, ("access-control-request-method", "PUT")],
            "",
            (403, "cors-origin-denied"),
        ),
        refused(
            "preflight for a header",
            options.clone(),
            "/notes",
            &[
                OURS,
                FRIEND,
                ("access-control-request-method", "PUT"),
                ("access-control-request-headers", "x-other"),
            ],
            "",
            (403, "cors-header-denied"),
        ),
        refused(
            "preflight for a method",
            options,
            "/notes",
            &[OURS, FRIEND, ("access-control-request-method", "LINK")],
            "",
            (403, "cors-method-denied"),
        ),
        passes("a friend's page reads", get.clone(), "/notes", &[OURS, FRIEND, COOKIE], "", 200),
        passes("a stranger's page reads", get.clone(), "/notes", &[OURS, EVIL], "", 200),
        passes(
            "a friend's page writes",
            post.clone(),
            "/notes",
            &[OURS, FRIEND, WITH_TOKEN, ANSWERED, JSON],
            NOTE,
            201,
        ),
        passes(
            "our own page writes",
            post.clone(),
            "/contact",
            &[OURS, ("origin", "http://notes.example"), WITH_TOKEN, ANSWERED, FORM],
            LETTER,
            200,
        ),
        passes(
            "our own form",
            post.clone(),
            "/contact",
            &[OURS, WITH_TOKEN, FORM],
            "text=Hello&csrf_token=TOKEN",
            200,
        ),
        passes("our own upload", post.clone(), "/pictures", &[OURS, WITH_TOKEN, PARTS], UPLOAD, 200),
        refused(
            "no token",
            post.clone(),
            "/contact",
            &[OURS, WITH_TOKEN, FORM],
            LETTER,
            (403, "csrf-token-missing"),
        ),
        refused(
            "token of nobody",
            post.clone(),
            "/contact",
            &[OURS, COOKIE, FORM],
            "csrf_token=abc",
            (403, "csrf-token-invalid"),
        ),
        refused(
            "token of another session",
            post.clone(),
            "/contact",
            &[OURS, ("cookie", "session=mallory; csrf_token=TOKEN"), ANSWERED],
            "",
            (403, "csrf-token-invalid"),
        ),
        refused(
            "a stranger's form",
            post.clone(),
            "/contact",
            &[OURS, EVIL, COOKIE, FORM],
            LETTER,
            (403, "csrf-cross-site"),
        ),
        refused(
            "a stranger's fetch",
            Method::DELETE,
            "/notes/1",
            &[OURS, COOKIE, ("sec-fetch-site", "cross-site")],
            "",
            (403, "csrf-cross-site"),
        ),
        refused(
            "a stranger's socket",
            get.clone(),
            "/notes",
            &[OURS, EVIL, COOKIE, ("connection", "upgrade"), ("upgrade", "websocket")],
            "",
            (403, "websocket-origin-denied"),
        ),
        passes(
            "a bearer's fetch",
            post.clone(),
            "/contact",
            &[OURS, EVIL, COOKIE, FORM, ("authorization", "Bearer t")],
            LETTER,
            200,
        ),
        passes("picture that fits", post.clone(), "/pictures", &[OURS], vec![0; 64 << 10], 200),
        refused(
            "picture too large",
            post.clone(),
            "/pictures",
            &[OURS],
            vec![0; (64 << 10) + 1],
            (413, "body-too-large"),
        ),
        refused(
            "chunks too large",
            post,
            "/pictures",
            &[OURS, ("transfer-encoding", "chunked")],
            vec![0; (64 << 10) + 1],
            (413, "body-too-large"),
        ),
        refused(
            "problem details",
            get,
            "/notes/../a",
            &[OURS, ("accept", "application/problem+json")],
            "",
            (400, "path-dot-segment"),
        ),
    ]
}

fn request(case: &Case, token: &str) -> Request<Vec<u8>> {
    let body = String::from_utf8(case.body.clone()).unwrap().replace("TOKEN", token).into_bytes();
    let mut request = Request::builder().method(case.method.clone()).uri(case.target);
    for (name, value) in case.headers {
        request = request.header(*name, value.replace("TOKEN", token));
    }
    let chunked = case.headers.iter().any(|(name, _)| *name == "transfer-encoding");
    if !body.is_empty() && !chunked {
        request = request.header("content-length", body.len());
    }
    request.body(body).unwrap()
}

/// The token that a session is given with its first page.
async fn token(stand: &Stand) -> String {
    let page = Request::get("/").header("host", "notes.example").header("cookie", SESSION);
    stand.ask(page.body(Vec::new()).unwrap()).await.token.unwrap()
}

async fn check(stand: Stand) {
    let token = token(&stand).await;
    for case in cases() {
        let seen = stand.ask(request(&case, &token)).await;
        assert_eq!((seen.status, seen.code.as_deref()), (case.status, case.code), "{}: {seen:?}", case.name);
    }
    let refused: Vec<_> = cases().into_iter().filter_map(|case| case.code).collect();
    let mut records = stand.end();
    // What was kept from the app is recorded, too; nothing was refused for it.
    records.retain(|reason| reason != "header-removed");
    assert_eq!(records, refused, "one record for each refusal");
}

#[tokio::test]
async fn the_layer_decides_as_the_table_says() {
    check(Stand::oneshot()).await;
}

#[tokio::test]
async fn the_layer_decides_alike_over_a_socket() {
    check(Stand::socket().await).await;
}

#[tokio::test]
async fn the_gateway_decides_alike() {
    check(Stand::gateway().await).await;
}

#[tokio::test]
async fn their_answers_are_the_same_to_the_letter() {
    let stands = [Stand::oneshot(), Stand::socket().await, Stand::gateway().await];
    let mut tokens = Vec::new();
    for stand in &stands {
        tokens.push(token(stand).await);
    }
    for case in cases() {
        let mut answers: Vec<Seen> = Vec::new();
        for (stand, token) in stands.iter().zip(&tokens) {
            let mut seen = stand.ask(request(&case, token)).await;
            seen.token = None;
            answers.push(seen);
        }
        assert_eq!(answers[0], answers[1], "{}", case.name);
        assert_eq!(answers[0], answers[2], "{}", case.name);
    }
}
