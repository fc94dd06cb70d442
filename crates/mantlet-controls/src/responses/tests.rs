//! What becomes of an answer: given headers and body, expected status, body and records.

use std::{
    collections::VecDeque,
    io::Write,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use serde_json::{Value, json};

mod defaults;
mod unread;

use super::secrets::BCRYPT;
use crate::{
    App, Arrival, Call, Config, Peer, Policy, Reason, Refusal, RequestBody, ResponseBody, Scheme,
    WireVerdict,
    audit::{Keep, Record, Sink},
    config::Posture,
    contract::Trust,
    handle,
    operation::{Contract, ContractHandle},
    responses, route,
};

/// The app's body: pieces, and whether their length is known.
struct Pieces(VecDeque<Bytes>, bool);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Reason;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reason>>> {
        match self.0.pop_front() {
            // An empty piece stands for a connection that breaks.
            Some(piece) if piece.is_empty() => Poll::Ready(Some(Err(Reason::AppClosed))),
            piece => Poll::Ready(piece.map(|piece| Ok(Frame::data(piece)))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let length: usize = self.0.iter().map(Bytes::len).sum();
        if self.1 { SizeHint::with_exact(length as u64) } else { SizeHint::new() }
    }
}

struct Answers(Option<Response<Pieces>>);

impl App<Pieces> for Answers {
    type Body = Pieces;

    async fn call(
        &mut self,
        _: &Call,
        request: Request<RequestBody<Pieces>>,
    ) -> Result<Response<Pieces>, Refusal> {
        let mut answer = self.0.take().unwrap();
        // It says what it was asked for.
        answer.headers_mut().insert("x-asked", request.headers()["accept-encoding"].clone());
        Ok(answer)
    }
}

#[derive(Default)]
struct Records(Arc<Mutex<Vec<Record>>>);

impl Sink for Records {
    fn record(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }

    fn keep(&self) -> Option<Keep> {
        let records = Arc::clone(&self.0);
        Some(Arc::new(move |record| records.lock().unwrap().push(record)))
    }
}

/// `GET /users/{id}` answers a user `{id, friends: [user], secret, password}`, and in words 503 `{status}`; `/token` a token; `/vault` whatever
/// its code writes of `{password}`; `/told` says in words what it answers from 500 on, and `/handled` has a handler for 500.
fn contract(source: &str) -> Contract {
    let field =
        |name: &str, shape: u32| json!({"name": name, "lookup": [[name]], "shape": shape, "required": false});
    let object = |fields: Value| json!({"type": "object", "name": "A", "kind": "model", "fields": fields, "extra": "ignore"});
    let route = |path: &str, responses: Value| {
        let operation = json!({"id": path, "body": {"kind": "none"}, "inputs": [], "responses": responses});
        json!({"kind": "http", "path": path, "methods": ["GET", "HEAD"], "hidden": false, "operation": operation})
    };
    let users = json!([{"status": 200, "shape": 1}, {"status": 201, "shape": 3, "claimed": true}, {"status": 503, "shape": 3, "claimed": true}]);
    let contract = json!({
        "version": 1,
        "source": source,
        "router": {"redirect-slashes": true, "complete": true, "routes": [
            route("/users/{id}", users),
            route("/other", json!([])),
            route("/token", json!([{"status": 200, "shape": 4}])),
            route("/vault", json!([{"status": 200, "shape": 5}])),
            route("/run", json!([{"status": 200}, {"status": 500, "shape": 6, "claimed": true}])),
            route("/class", json!([{"status": 200}, {"class": 5, "claimed": true}])),
            route("/default", json!([{"status": 200}, {"claimed": true}])),
            {"kind": "mount", "path": "/app", "router": {
                "redirect-slashes": true, "complete": true, "handles": [500], "routes": [route("/handled", json!([]))],
            }},
        ]},
        "shapes": [
            {"type": "any"},
            object(json!([field("id", 0), field("friends", 2), field("secret", 0), field("password", 0)])),
            {"type": "list", "items": 1},
            object(json!([field("status", 0)])),
            object(json!([field("access_token", 0), field("client_secret", 0)])),
            {"type": "object", "name": "V", "kind": "model", "fields": [field("id", 0), field("items", 7)], "extra": "allow"},
            object(json!([field("traceback", 0)])),
            {"type": "dict", "keys": 0, "values": 8},
            object(json!([field("password", 0)])),
        ],
    });
    Contract::compile(&serde_json::from_value(contract).unwrap()).0
}

fn policy(change: impl FnOnce(&mut Config)) -> Box<Policy> {
    let mut config = Config::default();
    config.host.allow = vec!["example.com".into()];
    change(&mut config);
    config.contract_handle().put(contract("inspector"));
    Box::new(config.check().unwrap())
}

/// What was the default before values counted: names and models alone.
fn by_name() -> Box<Policy> {
    by_name_and(|_| {})
}

fn by_name_and(change: impl FnOnce(&mut Config)) -> Box<Policy> {
    policy(|config| {
        change(config);
        config.responses.unknown_fields = Some(responses::Fields::Strip);
        config.responses.sensitive_fields = Some(responses::Secrets::Strip);
        config.responses.errors = Some(responses::Errors::Replace);
    })
}

fn strict() -> Box<Policy> {
    policy(|config| config.contract.posture = Posture::Strict)
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

struct Told {
    status: u16,
    headers: HeaderMap,
    body: String,
    /// Reason, action and subject.
    records: Vec<(&'static str, &'static str, Option<String>)>,
    original: Option<String>,
}

fn ask(policy: &Policy, path: &str, answer: Response<Pieces>) -> Told {
    ask_by("GET", policy, path, answer)
}

fn ask_by(method: &str, policy: &Policy, path: &str, answer: Response<Pieces>) -> Told {
    let (answer, sink) = unread(method, policy, path, answer);
    let (parts, body) = answer.into_parts();
    let (mut body, mut bytes) = (pin!(body), Vec::new());
    while let Some(frame) = block_on(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx))) {
        bytes.extend(frame.unwrap().into_data().unwrap());
    }
    let records = std::mem::take(&mut *sink.0.lock().unwrap());
    Told {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&bytes).into_owned(),
        original: records.iter().find_map(|record| record.original.clone()),
        records: records.into_iter().map(|record| (record.reason, record.action, record.subject)).collect(),
    }
}

/// A response with a body that has not been read yet.
fn unread(
    method: &str,
    policy: &Policy,
    path: &str,
    answer: Response<Pieces>,
) -> (Response<ResponseBody<Pieces>>, Records) {
    let arrival = Arrival {
        peer: Peer::Ip("203.0.113.1:4711".parse().unwrap()),
        scheme: Scheme::Http,
        wire: WireVerdict::Unread,
        certificate: None,
    };
    let request = Request::builder().method(method).uri(path).header("host", "example.com");
    let request = request.header("accept-encoding", "gzip, br");
    let request = request.body(Pieces(VecDeque::new(), true)).unwrap();
    let sink = Records::default();
    let answer = block_on(handle(policy, &sink, &arrival, request, Answers(Some(answer))));
    (answer, sink)
}

fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response<Pieces> {
    let body = body.into();
    let response = Response::builder().status(status).header("content-type", content_type);
    let response = response.header("content-length", body.len()).header("etag", "\"1\"");
    response.body(Pieces([body].into(), true)).unwrap()
}

fn json_answer(status: u16, body: &str) -> Response<Pieces> {
    answer(status, "application/json", body.to_owned())
}

fn gzip(body: &str) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body.as_bytes()).unwrap();
    encoder.finish().unwrap().into()
}

/// The user that was promised, and more.
const LEAK: &str =
    r#"{"id": 1, "hashed_password": "$2b$12", "is_admin": true, "friends": [{"id": 2, "note": "x"}]}"#;
/// The same with a hash that is one, which no client has a use for.
fn leak() -> String {
    LEAK.replace("$2b$12", BCRYPT)
}

const CUT: &str = r#"{"id": 1, "friends": [{"id": 2}]}"#;

#[test]
fn fields_that_should_not_leave_are_cut_out() {
    let (unknown, secret) = ("response-field-unknown", "response-field-sensitive");
    for (path, body, expected, reasons) in [
        ("/users/1", LEAK, CUT, &[unknown, secret][..]),
        ("/users/1", CUT, CUT, &[]),
        ("/users/1", r#"{"detail": "x"}"#, r#"{"detail": "x"}"#, &[]),
        (
            "/users/1",
            r#"{"id": 1, "x": {"pwd": "a"}, "friends": []}"#,
            r#"{"id": 1, "friends": []}"#,
            &[unknown, secret],
        ),
        // A password goes even if it was promised; another secret stays then, and is told.
        ("/users/1", r#"{"id": 1, "password": "a"}"#, r#"{"id": 1}"#, &[secret]),
        ("/users/1", r#"{"id": 1, "secret": "a"}"#, r#"{"id": 1, "secret": "a"}"#, &[secret]),
        // Nothing is promised.
        ("/other", LEAK, &LEAK.replace(r#""hashed_password": "$2b$12", "#, ""), &[secret]),
        ("/other", r#"[[{"Pass-Hash": "a"}]]"#, "[[{}]]", &[secret]),
        // What is shown once is only told.
        ("/other", r#"[[{"Client-Secret": "a"}]]"#, r#"[[{"Client-Secret": "a"}]]"#, &[secret]),
        (
            "/other",
            r#"{"schema": {"password": {"type": "string"}}}"#,
            r#"{"schema": {"password": {"type": "string"}}}"#,
            &[],
        ),
        (
            "/other",
            r#"{"openapi": "3.1.0", "example": {"password": "string"}}"#,
            r#"{"openapi": "3.1.0", "example": {"password": "string"}}"#,
            &[],
        ),
        ("/unknown", r#"{"password": "a"}"#, "{}", &["route-unknown", secret]),
        // Tokens come from here, and no passwords.
        (
            "/other",
            r#"{"access_token": "t", "secret": "a", "pass_hash": "a"}"#,
            r#"{"access_token": "t", "secret": "a"}"#,
            &[secret, secret],
        ),
        (
            "/token",
            r#"{"access_token": "t", "client_secret": "a"}"#,
            r#"{"access_token": "t", "client_secret": "a"}"#,
            &[secret],
        ),
    ] {
        let told = ask(&by_name(), path, json_answer(200, body));
        assert_eq!(told.body, expected, "{path} {body}");
        let found: Vec<_> = told.records.iter().map(|(reason, ..)| *reason).collect();
        assert_eq!(found, reasons, "{path} {body}");
        assert_eq!(told.headers["content-length"], expected.len().to_string(), "{path} {body}");
        assert_eq!(told.headers.contains_key("etag"), body == expected, "{path} {body}");
    }
}

#[test]
fn many_fields_cost_what_they_weigh() {
    // Compared with each other, they would take hours.
    let many = 200_000;
    let policy = by_name_and(|config| config.responses.judged_size = crate::config::units::Size::mib(32));
    let user = r#"{"id":1,"pwd":"a","x":1}"#;
    let body = format!("[{}]", [user].repeat(many).join(","));
    let friends = format!(r#"{{"id":1,"friends":{body}}}"#);
    let told = ask(&policy, "/users/1", json_answer(200, &friends));
    assert_eq!(told.body.len(), friends.len() - many * r#","pwd":"a","x":1"#.len());
    // Whether a token is among the fields at the top is looked up once.
    let members: Vec<_> = (0..many).map(|n| format!(r#""{n}":{{"passwd":"a"}}"#)).collect();
    let body = format!("{{{}}}", members.join(","));
    let told = ask(&policy, "/other", json_answer(200, &body));
    assert_eq!(told.body.len(), body.len() - many * r#""passwd":"a""#.len());
}

#[test]
fn a_name_is_told_once_and_made_up_paths_hide_nothing() {
    let policy = by_name();
    let body = r#"[{"pwd": "a"}, {"pwd": "a"}, {"pwd": "a"}, {"pwd": "a"}, {"pwd": "a"}, {"password": "a"}]"#;
    let told = ask(&policy, "/other", json_answer(200, body)).records;
    assert_eq!(told, [("response-field-sensitive", "strip", Some("pwd, password".to_owned()))]);
    for n in 0..300 {
        ask(&policy, &format!("/made-up/{n}"), json_answer(200, r#"{"pwd": "a"}"#));
    }
    assert_eq!(ask(&policy, "/users/1", json_answer(200, LEAK)).records.len(), 2);
}

#[test]
fn records_name_fields_and_are_told_once_for_a_route() {
    let policy = by_name();
    let records = ask(&policy, "/users/1", json_answer(200, LEAK)).records;
    let subject = |names: &str| Some(names.to_owned());
    assert_eq!(
        records,
        [
            ("response-field-unknown", "strip", subject("is_admin, note")),
            ("response-field-sensitive", "strip", subject("hashed_password")),
        ]
    );
    let again = ask(&policy, "/users/2", json_answer(200, LEAK));
    assert_eq!((again.body.as_str(), again.records.len()), (CUT, 0));
}

#[test]
fn what_is_only_a_claim_is_reported_unless_the_posture_is_strict() {
    // Nothing sees to it that the app keeps what `responses=` says; and the route's own model may be written with any status.
    let body = r#"{"status": "made", "id": 1, "x": 1}"#;
    let told = ask(&by_name(), "/users/1", json_answer(201, body));
    assert_eq!((told.body.as_str(), told.records[0].1), (body, "pass"));
    assert_eq!(ask(&strict(), "/users/1", json_answer(201, body)).body, r#"{"status": "made", "id": 1}"#);
    // A status that is not declared.
    assert_eq!(ask(&strict(), "/users/1", json_answer(202, body)).body, body);
    // In strict posture a name is a name.
    assert_eq!(
        ask(&strict(), "/users/1", json_answer(200, r#"{"id": 1, "secret": "a"}"#)).body,
        r#"{"id": 1}"#
    );
}

#[test]
fn a_document_that_is_trusted_is_taken_at_its_word() {
    let body = r#"{"status": "made", "x": 1}"#;
    for (trust, expected) in [(None, body), (Some(Trust::Document), r#"{"status": "made"}"#)] {
        let mut slot = ContractHandle::default();
        let policy = by_name_and(|config| {
            config.contract.trust = trust;
            slot = config.contract_handle();
        });
        slot.put(contract("document"));
        assert_eq!(ask(&policy, "/users/1", json_answer(201, body)).body, expected, "{trust:?}");
    }
}

#[test]
fn settings_for_all_and_for_a_route() {
    let report_only = by_name_and(|config| config.report_only = true);
    let told = ask(&report_only, "/users/1", json_answer(200, LEAK));
    assert_eq!((told.body.as_str(), told.records.len(), told.records[0].1), (LEAK, 2, "pass"));
    assert!(told.headers.contains_key("etag"));
    let failed = ask(&report_only, "/users/1", answer(500, "text/plain", "Internal Server Error"));
    assert_eq!((failed.body.as_str(), failed.records[0].1), ("Internal Server Error", "pass"));
    assert_eq!(failed.original, None);

    let of_route = by_name_and(|config| {
        config.responses.sensitive_names = vec!["is-admin".into()];
        let responses = responses::RouteConfig {
            unknown_fields: Some(responses::Fields::Allow),
            errors: Some(responses::Errors::Allow),
            ..responses::RouteConfig::default()
        };
        config.route =
            vec![route::Config { path: "/users/{id}".into(), responses, ..route::Config::default() }];
    });
    let told =
        ask(&of_route, "/users/1", json_answer(200, r#"{"id": 1, "isAdmin": 1, "password": "a", "x": 1}"#));
    assert_eq!(told.body, r#"{"id": 1, "password": "a", "x": 1}"#);
    assert_eq!(ask(&of_route, "/users/1", answer(500, "text/plain", "oops")).body, "oops");
    let off = by_name_and(|config| config.responses.mode = crate::Mode::Off);
    let told = ask(&off, "/users/1", json_answer(200, LEAK));
    assert_eq!((told.body.as_str(), told.records.len()), (LEAK, 0));
}

#[test]
fn compressed_answers_are_read_too() {
    let compressed = |coding: &'static str, known: bool, body: Bytes| {
        let mut answer = answer(200, "application/json", body);
        answer.headers_mut().insert("content-encoding", coding.parse().unwrap());
        answer.headers_mut().insert("vary", "accept-encoding".parse().unwrap());
        if !known {
            answer.headers_mut().remove("content-length");
            answer.body_mut().1 = false;
            let whole = answer.body_mut().0.pop_front().unwrap();
            answer.body_mut().0.extend([whole.slice(..9), whole.slice(9..)]);
        }
        answer
    };
    for known in [true, false] {
        let told = ask(&by_name(), "/users/1", compressed("gzip", known, gzip(LEAK)));
        assert_eq!((told.body.as_str(), told.headers.get("content-encoding")), (CUT, None));
        assert_eq!(told.headers["content-length"], CUT.len().to_string());
        assert_eq!(told.headers["vary"], "accept-encoding");
        // Nothing to cut: the bytes are the app's.
        let told = ask(&by_name(), "/users/1", compressed("gzip", known, gzip(CUT)));
        assert_eq!(told.body, String::from_utf8_lossy(&gzip(CUT)));
        assert_eq!(told.headers["content-encoding"], "gzip");
    }
    let told = ask(&by_name(), "/users/1", compressed("br", true, Bytes::from(LEAK)));
    assert_eq!(told.body, LEAK);
    assert_eq!(told.records, [("response-not-judged", "pass", Some("br".to_owned()))]);
    let told = ask(&by_name(), "/users/1", compressed("sk-live", true, Bytes::from(LEAK)));
    assert_eq!(told.records, [("response-not-judged", "pass", Some("unknown coding".to_owned()))]);
}

#[test]
fn what_may_be_a_compressed_stream_is_asked_for_uncompressed() {
    let policy = by_name();
    let compressed = || {
        let mut answer = answer(200, "application/json", gzip(LEAK));
        answer.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        answer.headers_mut().remove("content-length");
        answer.body_mut().1 = false;
        answer
    };
    // The first one is read: a client must not switch the filter off with `Accept-Encoding: gzip`.
    let told = ask(&policy, "/users/1", compressed());
    assert_eq!((told.body.as_str(), &told.headers["x-asked"] == "gzip"), (CUT, true));
    let told = ask(&policy, "/users/2", compressed());
    assert_eq!((told.body.as_str(), &told.headers["x-asked"] == "identity"), (CUT, true));
    assert_eq!(ask(&policy, "/other", json_answer(200, CUT)).headers["x-asked"], "gzip");
    // Where nothing is changed, nothing is held back.
    let report = by_name_and(|config| config.report_only = true);
    let told = ask(&report, "/users/1", compressed());
    assert_eq!((told.records.len(), &told.headers["x-asked"] == "gzip, br"), (0, true));
}

#[test]
fn a_head_says_nothing_that_a_get_may_not_hold() {
    let same = |policy: &Policy, path: &str, answer: Response<Pieces>| {
        let told = ask_by("HEAD", policy, path, answer.map(|_| Pieces(VecDeque::new(), true)));
        ["content-length", "etag"].map(|name| told.headers.contains_key(name))
    };
    let by_model = by_name_and(|config| config.responses.mode = crate::Mode::Enforce);
    for (policy, path, status, expected) in [
        // That a secret is cut out is too rare to take the length of every HEAD.
        (policy(|_| {}), "/other", 200, [true, true]),
        (policy(|_| {}), "/users/1", 200, [true, true]),
        (policy(|_| {}), "/users/1", 404, [true, true]),
        (policy(|config| config.report_only = true), "/users/1", 200, [true, true]),
        (by_model, "/users/1", 200, [false, false]),
    ] {
        assert_eq!(same(&policy, path, json_answer(status, LEAK)), expected, "{path} {status}");
    }
    let policy = policy(|_| {});
    assert_eq!(same(&policy, "/other", answer(200, "text/html", "x")), [true, true]);
    let mut file = json_answer(200, LEAK);
    file.headers_mut().insert("last-modified", "Tue, 24 Nov 2026 06:00:00 GMT".parse().unwrap());
    assert_eq!(same(&policy, "/other", file), [true, true], "a file is not looked into");
    // Once something was cut out of a route's answers, nothing of their bytes is told.
    ask(&policy, "/other", json_answer(200, &leak()));
    assert_eq!(same(&policy, "/other", json_answer(200, LEAK)), [false, false]);
}

#[test]
fn a_head_of_a_failure_says_what_a_get_says() {
    for answer in [answer(500, "text/plain; charset=utf-8", "Internal Server Error")] {
        let (head, body) = answer.into_parts();
        let policy = policy(|_| {});
        let get = Response::from_parts(head.clone(), body);
        let get = ask(&policy, "/other", get);
        let head =
            ask_by("HEAD", &policy, "/other", Response::from_parts(head, Pieces(VecDeque::new(), true)));
        for name in ["content-length", "content-type", "etag"] {
            assert_eq!(head.headers.get(name), get.headers.get(name), "{name}");
        }
    }
}

#[test]
fn what_streams_or_is_too_large_passes() {
    let unknown_length = || {
        let mut answer = json_answer(200, LEAK);
        answer.headers_mut().remove("content-length");
        answer.body_mut().1 = false;
        answer
    };
    let unjudged = |told: &Told, why: &str| {
        assert_eq!(told.records, [("response-not-judged", "pass", Some(why.to_owned()))]);
    };
    let told = ask(&by_name(), "/users/1", unknown_length());
    assert_eq!(told.body, LEAK);
    unjudged(&told, "of unknown length");
    for content_type in ["application/x-ndjson", "text/event-stream", "application/octet-stream", "text/html"]
    {
        let told = ask(&by_name(), "/users/1", answer(200, content_type, LEAK));
        assert_eq!((told.body.as_str(), told.records.len()), (LEAK, 0), "{content_type}");
    }
    let told = ask(&by_name(), "/users/1", json_answer(206, LEAK));
    assert_eq!(told.body, LEAK);
    unjudged(&told, "a part");

    let small = by_name_and(|config| {
        config.responses.judged_size = crate::config::units::Size(LEAK.len() as u64 - 1);
    });
    for records in [1, 0] {
        let told = ask(&small, "/users/1", json_answer(200, LEAK));
        assert_eq!((told.body.as_str(), told.records.len()), (LEAK, records));
    }
    // Compressed and of unknown length: what was read ahead comes first, then the rest.
    let long = format!("[{}]", (0..400).map(|n| (n * n).to_string()).collect::<Vec<_>>().join(","));
    let whole = gzip(&long);
    assert!(whole.len() > LEAK.len() * 3);
    let mut answer = answer(200, "application/json", whole.clone());
    answer.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    answer.headers_mut().remove("content-length");
    *answer.body_mut() = Pieces(whole.chunks(50).map(Bytes::copy_from_slice).collect(), false);
    let told = ask(&small, "/users/2", answer);
    assert_eq!(told.body, String::from_utf8_lossy(&whole));
    let broken = Pieces([Bytes::from_static(b"[1,"), Bytes::new()].into(), true);
    let told = ask(&by_name(), "/users/1", json_answer(200, "x").map(|_| broken));
    assert_eq!((told.status, told.records[0].0), (502, "app-closed"));
}

const TRACEBACK: &str = "Traceback (most recent call last):\n  File \"main.py\", line 1\nKeyError: 'x'";

#[test]
fn failures_are_hidden_and_the_record_has_them() {
    let down = r#"{"status": "down"}"#;
    let traceback = json!({"error": TRACEBACK}).to_string();
    // Path, status, type, body; whether it is hidden in `compatible` and in strict posture.
    for (path, status, content_type, body, compatible, in_strict) in [
        ("/other", 500, "text/plain", "Internal Server Error", true, true),
        ("/other", 500, "text/html", "<h1>KeyError</h1>", true, true),
        ("/other", 500, "application/json", down, true, true),
        ("/other", 500, "image/png", "x", true, true),
        ("/other", 503, "application/json", down, false, true),
        ("/users/1", 503, "application/json", down, false, false),
        ("/users/1", 503, "application/json", &traceback, true, true),
        // Whatever the words in which an app says that it means it.
        ("/run", 500, "application/json", down, false, false),
        ("/class", 502, "application/json", down, false, false),
        ("/class", 502, "text/html", "<h1>Down</h1>", false, false),
        ("/default", 500, "application/json", down, false, false),
        ("/app/handled", 500, "application/json", down, false, false),
        ("/app/handled", 502, "application/json", down, false, true),
        ("/other", 503, "text/html", "<h1>Down</h1>", true, true),
        ("/other", 400, "application/json", &traceback, true, true),
        ("/other", 404, "text/plain", TRACEBACK, true, true),
        ("/other", 404, "text/html", "<h1>No</h1>", false, false),
        ("/other", 422, "application/json", r#"{"detail": []}"#, false, false),
        ("/other", 200, "application/json", &traceback, false, false),
    ] {
        for (policy, hidden) in [(by_name(), compatible), (strict(), in_strict)] {
            let mut answer = answer(status, content_type, body.to_owned());
            answer.headers_mut().insert("retry-after", "7".parse().unwrap());
            answer.headers_mut().insert("content-disposition", "inline".parse().unwrap());
            let told = ask(&policy, path, answer);
            let case = format!("{path} {status} {content_type} {body} {hidden}");
            assert_eq!((told.status, &told.headers["retry-after"] == "7"), (status, true), "{case}");
            assert_eq!(told.headers["content-length"], told.body.len().to_string(), "{case}");
            if !hidden {
                assert_eq!((told.body.as_str(), told.records.len()), (body, 0), "{case}");
                continue;
            }
            let said: Value = serde_json::from_str(&told.body).unwrap();
            assert_eq!(said["code"], "app-error-hidden", "{case}");
            assert_eq!(said["request_id"], told.headers["x-request-id"].to_str().unwrap(), "{case}");
            for gone in ["etag", "content-disposition"] {
                assert!(!told.headers.contains_key(gone), "{case}");
            }
            assert_eq!(told.records, [("app-error-hidden", "replace", None)], "{case}");
            assert_eq!(told.original.as_deref(), (content_type != "image/png").then_some(body), "{case}");
        }
    }
    let long = "x".repeat(100_000);
    assert_eq!(ask(&by_name(), "/other", json_answer(500, &long)).original.unwrap().len(), 16 << 10);
    let larger = "x".repeat(3 << 20);
    let pieces = Pieces([Bytes::from(larger.clone()), Bytes::from(larger)].into(), true);
    let told = ask(&by_name(), "/other", answer(500, "text/html", "x").map(|_| pieces));
    assert_eq!((told.original.unwrap().len(), told.body.len() < 1000), (16 << 10, true));
}

#[test]
fn by_default_only_what_tells_of_the_apps_inside_is_hidden() {
    let traceback = json!({"error": TRACEBACK}).to_string();
    let field = json!({"traceback": TRACEBACK}).to_string();
    let page = "<html><head><title>Starlette Debugger</title></head><p>KeyError</p>";
    let escaped = "<pre>Traceback (most recent call last):\n  File &quot;main.py&quot;, line 1</pre>";
    for (path, status, content_type, body, hidden) in [
        ("/other", 500, "text/plain; charset=utf-8", "Internal Server Error", true),
        ("/other", 500, "text/plain", TRACEBACK, true),
        ("/other", 500, "text/html", page, true),
        ("/other", 503, "text/html", escaped, true),
        ("/other", 500, "application/json", &traceback, true),
        ("/run", 500, "application/json", &traceback, false),
        ("/run", 500, "application/json", &field, false),
        ("/run", 503, "application/json", &field, true),
        // Code of the app wrote it.
        ("/other", 500, "application/json", r#"{"error": {"message": "no", "type": "server_error"}}"#, false),
        ("/other", 500, "application/json", r#"{"detail": "Internal Server Error"}"#, false),
        ("/other", 500, "text/html", "<h1>We are sorry</h1>", false),
        ("/other", 500, "text/plain", "database is locked", false),
        ("/other", 502, "text/plain", "Internal Server Error", false),
        ("/other", 500, "image/png", "x", false),
        ("/other", 500, "text/plain", "see: Traceback (most recent call last)", false),
        ("/app/handled", 500, "text/plain", "Internal Server Error", false),
        ("/class", 500, "text/plain", "Internal Server Error", false),
        // What a user's code did.
        ("/other", 422, "application/json", &traceback, false),
        ("/other", 400, "text/plain", TRACEBACK, false),
        ("/other", 200, "application/json", &traceback, false),
    ] {
        let told = ask(&policy(|_| {}), path, answer(status, content_type, body.to_owned()));
        let case = format!("{path} {status} {content_type} {body}");
        assert_eq!(told.status, status, "{case}");
        if hidden {
            assert_eq!(told.records, [("app-error-hidden", "replace", None)], "{case}");
            assert_eq!(told.original.as_deref(), Some(body), "{case}");
        } else {
            assert_eq!((told.body.as_str(), told.records.len()), (body, 0), "{case}");
        }
    }
    // A failure that streams is told at once or not at all: nothing is held back.
    let streamed = |first: &str| {
        let mut answer = answer(500, "text/plain", "x");
        answer.headers_mut().remove("content-length");
        answer.map(|_| Pieces([first.to_owned().into(), Bytes::from_static(b" and more")].into(), false))
    };
    let told = ask(&policy(|_| {}), "/other", streamed("one moment"));
    assert_eq!((told.body.as_str(), told.records.len()), ("one moment and more", 0));
    let told = ask(&policy(|_| {}), "/other", streamed(TRACEBACK));
    assert_eq!(told.records[0].0, "app-error-hidden");
}

#[test]
fn mistakes_are_named() {
    let mut config = Config::default();
    config.responses.sensitive_names = vec!["password".into(), String::new(), "x".repeat(65)];
    config.responses.judged_size = crate::config::units::Size::mib(65);
    let keys: Vec<_> = config.check().unwrap_err().into_iter().map(|mistake| mistake.key).collect();
    assert_eq!(
        keys,
        ["responses.sensitive-names[1]", "responses.sensitive-names[2]", "responses.judged-size"]
    );
}

#[test]
fn clients_that_do_not_read_cannot_make_us_hold_any_number_of_answers() {
    let policy = policy(|_| {});
    let large = Bytes::from(format!("\"{}\"", "a".repeat((1 << 20) - 2)));
    let ask = || unread("GET", &policy, "/other", answer(200, "application/json", large.clone())).0;
    let held: Vec<_> = (0..256).map(|_| ask()).collect();
    assert!(held.iter().all(|answer| answer.status() == 200));
    assert_eq!(ask().status(), 503);
    assert_eq!(unread("GET", &policy, "/users/1", json_answer(200, LEAK)).0.status(), 200, "small ones pass");
    drop(held);
    assert_eq!(ask().status(), 200);
}
