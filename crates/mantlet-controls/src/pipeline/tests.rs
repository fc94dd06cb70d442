use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Mutex,
    task::Poll,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use serde_json::json;

use super::{App, handle};
use crate::{
    Arrival, Call, Config, Mode, Peer, Policy, Reason, Refusal, RequestBody, ResponseBody, Scheme,
    WireVerdict,
    audit::{Record, Sink},
    config::{Posture, Tolerance},
    contract::{self, Trust},
    cors,
    operation::Contract,
};

#[derive(Default)]
struct Records(Mutex<Vec<Record>>);

impl Sink for Records {
    fn record(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }
}

/// Answers with the target and the headers it saw; panics when asked to.
struct Echo;

impl App<NoBody> for Echo {
    type Body = ResponseBody<NoBody>;

    async fn call(
        &mut self,
        _: &Call,
        request: Request<RequestBody<NoBody>>,
    ) -> Result<Response<Self::Body>, Refusal> {
        assert!(request.uri().path() != "/panic", "the app panicked");
        let seen = format!("{} {:?}", request.uri(), request.headers());
        Ok(Response::new(ResponseBody::own(Bytes::from(seen))))
    }

    async fn own_cors(&mut self, _: &Call, preflight: Request<()>) -> Result<cors::Own, cors::Silence> {
        let origin = &preflight.headers()["origin"];
        let is_friend = origin == "https://friend.example";
        Ok(cors::Own { allow_origin: is_friend.then(|| origin.clone()), credentials: true })
    }
}

struct NoBody;

impl http_body::Body for NoBody {
    type Data = Bytes;
    type Error = Reason;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Poll::Ready(None)
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

fn text<B>(answer: Response<ResponseBody<B>>) -> String
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let mut body = answer.into_body();
    let frame = block_on(poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)));
    let data = frame.and_then(Result::ok).and_then(|frame| frame.into_data().ok());
    String::from_utf8(data.unwrap_or_default().to_vec()).unwrap()
}

fn ask(
    config: &Config,
    request: Request<NoBody>,
) -> (Response<ResponseBody<ResponseBody<NoBody>>>, Vec<Record>) {
    ask_with(&config.check().unwrap(), request)
}

fn ask_with(
    policy: &Policy,
    request: Request<NoBody>,
) -> (Response<ResponseBody<ResponseBody<NoBody>>>, Vec<Record>) {
    let arrival = Arrival {
        peer: Peer::Ip("203.0.113.1:4711".parse().unwrap()),
        scheme: Scheme::Http,
        wire: WireVerdict::Unread,
        certificate: None,
    };
    let records = Records::default();
    let answer = block_on(handle(policy, &records, &arrival, request, Echo));
    (answer, records.0.into_inner().unwrap())
}

/// The defaults, where the host of [`get`] is ours.
fn ours() -> Config {
    let mut config = Config::default();
    config.host.allow = vec!["example.com".into()];
    config
}

fn get(target: &str) -> Request<NoBody> {
    Request::get(target).header("host", "example.com").body(NoBody).unwrap()
}

#[test]
fn a_refusal_has_a_reason_a_record_and_the_headers_of_any_answer() {
    let (answer, records) = ask(&ours(), get("/a/../admin?password=hunter2"));
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body = text(answer);
    let expected = r#"{"detail":"Refused path: it contains a `.` or `..` segment","code":"path-dot-segment""#;
    assert!(body.starts_with(expected) && body.contains(&id), "{body}");
    let [record] = &records[..] else { panic!("{records:?}") };
    let line = serde_json::to_string(record).unwrap();
    for part in [r#""reason":"path-dot-segment""#, r#""client_ip":"203.0.113.1""#, r#""mode":"enforce""#, &id]
    {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains("hunter2"), "{line}");
}

#[test]
fn report_only_records_and_lets_pass() {
    let config = Config { report_only: true, ..ours() };
    let (answer, records) = ask(&config, get("/a/../admin?x=1"));
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(text(answer).starts_with("/a/../admin?x=1 "));
    assert_eq!((records.len(), records[0].security_event), (1, "request-would-be-refused"));
}

#[test]
fn problem_json_when_asked_for() {
    let mut request = get("/a/../b");
    request.headers_mut().insert("accept", "application/problem+json".parse().unwrap());
    let (answer, _) = ask(&ours(), request);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body = text(answer);
    assert!(
        body.contains(r#""type":"urn:mantlet:reason:path-dot-segment","title":"Bad Request","status":400"#),
        "{body}"
    );
}

#[test]
fn a_panic_is_one_requests_failure() {
    let (answer, records) = ask(&ours(), get("/panic"));
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(records[0].reason, "internal-error");
    assert!(text(answer).contains("internal-error"));
}

#[test]
fn the_app_is_asked_for_the_path_that_was_judged() {
    let (answer, records) = ask(&ours(), get("http://example.com/%61dmin?q=%61"));
    let seen = text(answer);
    assert!(
        seen.starts_with("/admin?q=%61 ") && seen.contains("\"x-forwarded-for\": \"203.0.113.1\""),
        "{seen}"
    );
    assert!(records.is_empty());
}

#[test]
fn a_declared_body_over_the_routes_limit_is_refused_unread() {
    let mut config = ours();
    config.route = vec![crate::route::Config {
        path: "/upload".into(),
        limits: crate::route::LimitsConfig { body_size: Some(crate::config::units::Size(10)) },
        ..crate::route::Config::default()
    }];
    for (path, length, status) in [("/upload", "10", 200), ("/upload", "11", 413), ("/other", "11", 200)] {
        let mut request = get(path);
        request.headers_mut().insert("content-length", length.parse().unwrap());
        assert_eq!(ask(&config, request).0.status(), status, "{path} {length}");
    }
}

fn with(mut request: Request<NoBody>, headers: &[(&'static str, &'static str)]) -> Request<NoBody> {
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_static(value));
    }
    request
}

fn post(headers: &[(&'static str, &'static str)]) -> Request<NoBody> {
    let mut request = with(get("/"), headers);
    *request.method_mut() = Method::POST;
    request
}

#[test]
fn a_foreign_host_is_refused_and_over_http2_misdirected() {
    for (version, status) in [(Version::HTTP_11, 400), (Version::HTTP_2, 421)] {
        let mut request = with(get("/"), &[("host", "evil.example")]);
        *request.version_mut() = version;
        let (answer, records) = ask(&ours(), request);
        assert_eq!((answer.status().as_u16(), records[0].reason), (status, "host-unknown"));
    }
}

#[test]
fn plain_requests_go_to_the_encrypted_address_or_nowhere() {
    let mut config = ours();
    config.deployment.has_certificate = true;
    let (answer, records) = ask(&config, get("/a?b=c"));
    assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(answer.headers()["location"], "https://example.com/a?b=c");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert!(records.is_empty(), "a redirect refuses nothing");
    let (answer, records) = ask(&config, post(&[]));
    assert_eq!((answer.status().as_u16(), records[0].reason), (403, "https-required"));
    let mut path = get("/../x");
    *path.method_mut() = Method::GET;
    assert_eq!(ask(&config, path).1[0].reason, "path-dot-segment");
}

#[test]
fn preflights_end_here_and_refusals_can_be_read_by_whom_they_concern() {
    let mut config = ours();
    config.cors.origins = vec!["https://app.example".into()];
    let preflight = |origin| {
        let mut request = with(get("/x"), &[("origin", origin), ("access-control-request-method", "PUT")]);
        *request.method_mut() = Method::OPTIONS;
        request
    };
    let (answer, records) = ask(&config, preflight("https://app.example"));
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example");
    assert!(answer.headers().contains_key("x-request-id") && records.is_empty());
    let (answer, records) = ask(&config, preflight("https://evil.net"));
    assert_eq!((answer.status().as_u16(), records[0].reason), (403, "cors-origin-denied"));
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    let (answer, _) = ask(&config, with(get("/a/../b"), &[("origin", "https://app.example")]));
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example");
    // Without our configuration the app is asked.
    let (answer, _) = ask(&ours(), preflight("https://app.example"));
    assert_eq!(answer.status(), StatusCode::OK);
}

#[test]
fn row_62_forged_requests_are_refused_unless_somebody_trusts_the_page() {
    let cookie = ("cookie", "session=1");
    let check = |config: &Config, request, expected: Option<&str>| {
        let (answer, records) = ask(config, request);
        assert_eq!(records.first().map(|record| record.reason), expected);
        assert_eq!(answer.status().as_u16(), if expected.is_some() { 403 } else { 200 });
    };
    check(&ours(), post(&[cookie, ("origin", "https://evil.net")]), Some("csrf-cross-site"));
    check(&ours(), post(&[cookie, ("origin", "https://friend.example")]), None);
    check(&ours(), post(&[cookie, ("origin", "https://example.com")]), None);
    let mut trusting = ours();
    trusting.cors.origins = vec!["https://app.example".into()];
    check(&trusting, post(&[cookie, ("origin", "https://app.example")]), Some("csrf-cross-site"));
    trusting.cors.credentials = true;
    check(&trusting, post(&[cookie, ("origin", "https://app.example")]), None);
    let mut webhook = ours();
    webhook.route = vec![crate::route::Config {
        path: "/".into(),
        csrf: crate::route::CsrfConfig { mode: Some(crate::Mode::Off), ..Default::default() },
        ..crate::route::Config::default()
    }];
    check(&webhook, post(&[cookie, ("origin", "https://evil.net")]), None);
}

/// A contract with one public, one hidden and one documentation route, of an app that can answer nothing else.
fn contract(source: &str) -> Contract {
    let route = |path: &str, hidden: bool, docs: bool| json!({"kind": "http", "path": path, "methods": ["GET", "POST"], "hidden": hidden, "docs": docs});
    let routes =
        [route("/items/{item_id}", false, false), route("/debug", true, false), route("/docs", true, true)];
    let router = json!({"routes": routes, "redirect-slashes": true, "complete": true});
    let model = json!({"version": 1, "source": source, "router": router, "shapes": []});
    Contract::compile(&serde_json::from_value(model).unwrap()).0
}

#[test]
fn only_what_the_app_offers_is_asked_for() {
    let cases = [
        ("GET", "/items/7", None, None),
        ("GET", "/items/7/", None, None),
        ("GET", "/items/a%2Fb", Some((404, "route-unknown")), Some("route-unknown")),
        ("DELETE", "/items/7", Some((405, "route-method-unknown")), Some("route-method-unknown")),
        ("GET", "/.env", Some((404, "route-unknown")), Some("route-unknown")),
        ("GET", "/debug", Some((404, "route-hidden")), Some("route-hidden")),
        ("GET", "/docs", Some((404, "route-hidden")), None),
    ];
    let policy = |posture, source| {
        let mut config = ours();
        config.contract.posture = posture;
        config.contract.trust = (source == "document").then_some(Trust::App);
        config.contract_handle().put(contract(source));
        config.check().unwrap()
    };
    let strict = policy(Posture::Strict, "inspector");
    let (compatible, claimed) =
        (policy(Posture::Compatible, "inspector"), policy(Posture::Strict, "document"));
    for (method, target, refused, reported) in cases {
        let request = || {
            let mut request = get(target);
            *request.method_mut() = method.parse().unwrap();
            request
        };
        let (answer, records) = ask_with(&strict, request());
        let status = answer.status().as_u16();
        let seen = records.first().map(|record| (status, record.reason));
        assert_eq!((seen, records.len()), (refused, usize::from(refused.is_some())), "{method} {target}");
        assert_eq!(
            answer.headers().get("allow").map(HeaderValue::as_bytes),
            (status == 405).then_some(b"GET, POST".as_slice())
        );
        for (policy, reported) in [(&compatible, reported), (&claimed, refused.map(|(_, code)| code))] {
            let first = ask_with(policy, request());
            assert_eq!(first.0.status(), 200, "{method} {target}");
            assert_eq!(first.1.first().map(|record| record.reason), reported, "{method} {target}");
            assert!(ask_with(policy, request()).1.is_empty(), "reported once: {method} {target}");
        }
    }
}

#[test]
fn a_document_that_is_trusted_is_enforced() {
    let status = |posture, trust, method: &str, target: &str| {
        let mut config = ours();
        config.contract.posture = posture;
        config.contract.trust = trust;
        config.contract.unknown_routes = Some(Tolerance::Reject);
        config.contract_handle().put(contract("document"));
        let mut request = get(target);
        *request.method_mut() = method.parse().unwrap();
        ask(&config, request).0.status().as_u16()
    };
    for (posture, trust, expected) in [
        (Posture::Compatible, None, 200),
        (Posture::Compatible, Some(Trust::Document), 404),
        (Posture::Strict, None, 404),
        (Posture::Strict, Some(Trust::App), 200),
    ] {
        assert_eq!(status(posture, trust, "GET", "/.env"), expected, "{posture:?} {trust:?}");
    }
    assert_eq!(status(Posture::Strict, None, "DELETE", "/items/7"), 405);
    // Which of these the app answers no document says.
    for method in ["HEAD", "OPTIONS"] {
        assert_eq!(status(Posture::Strict, None, method, "/items/7"), 200, "{method}");
    }
}

#[test]
fn a_route_may_have_lines_of_its_own() {
    let mut config = ours();
    config.contract.posture = Posture::Strict;
    config.contract_handle().put(contract("inspector"));
    let route = |path: &str, contract| crate::route::Config {
        path: path.into(),
        contract,
        ..crate::route::Config::default()
    };
    let own = contract::RouteConfig::default;
    config.route = vec![
        route("/docs", contract::RouteConfig { docs: Some(Tolerance::Allow), ..own() }),
        route("/debug", contract::RouteConfig { posture: Some(Posture::Compatible), ..own() }),
        route(
            "/made/{path:path}",
            contract::RouteConfig { unknown_routes: Some(Tolerance::Report), ..own() },
        ),
        route("/off/{path:path}", contract::RouteConfig { mode: Some(Mode::Off), ..own() }),
    ];
    for (target, status, reason) in [
        ("/docs", 200, None),
        ("/debug", 200, Some("route-hidden")),
        ("/made/by/a/client", 200, Some("route-unknown")),
        ("/off/x", 200, None),
        ("/.env", 404, Some("route-unknown")),
    ] {
        let (answer, records) = ask(&config, get(target));
        let seen = (answer.status().as_u16(), records.first().map(|record| record.reason));
        assert_eq!(seen, (status, reason), "{target}");
    }
}

#[test]
fn strict_asks_for_a_token_where_a_cookie_is_declared() {
    let status = |posture, path: &str| {
        let mut config = ours();
        config.contract.posture = posture;
        let cookie = json!({"kind": "api-key", "location": "cookie", "name": "session"});
        let operation = |security: serde_json::Value| json!({"id": "x", "body": {"kind": "none"}, "inputs": [], "security": security});
        let requirement = json!([[{"name": "c", "scheme": cookie, "auto-error": true}]]);
        let route = |path, security| json!({"kind": "http", "path": path, "methods": ["POST"], "hidden": false, "operation": operation(security)});
        let routes = [route("/mine", requirement), route("/open", json!([]))];
        let router = json!({"routes": routes, "redirect-slashes": true, "complete": true});
        let model = json!({"version": 1, "source": "inspector", "router": router, "shapes": []});
        config.contract_handle().put(Contract::compile(&serde_json::from_value(model).unwrap()).0);
        let mut request = with(get(path), &[("cookie", "session=alice")]);
        *request.method_mut() = Method::POST;
        let (answer, records) = ask(&config, request);
        (answer.status().as_u16(), answer.headers().contains_key("set-cookie"), records.len())
    };
    assert_eq!(status(Posture::Strict, "/mine"), (403, true, 1));
    assert_eq!(status(Posture::Strict, "/open"), (200, true, 0));
    assert_eq!(status(Posture::Compatible, "/mine"), (200, false, 0));
}

#[test]
fn nothing_passes_while_the_contract_is_awaited() {
    let config = ours();
    let (slot, policy) = (config.contract_handle(), config.check().unwrap());
    let status = || ask_with(&policy, get("/debug")).0.status().as_u16();
    assert_eq!(status(), 200, "nobody waits");
    slot.await_contract();
    let (answer, records) = ask_with(&policy, get("/debug"));
    assert_eq!((answer.status().as_u16(), records[0].reason), (503, "app-unavailable"));
    assert_eq!(answer.headers()["retry-after"], "2");
    slot.give_up();
    assert_eq!(status(), 200);
    slot.put(contract("inspector"));
    slot.give_up();
    assert_eq!(ask_with(&policy, get("/debug")).1[0].reason, "route-hidden", "one that is there stays");
}

#[test]
fn a_page_that_the_app_trusts_reads_what_is_wrong_with_its_input() {
    let mut config = ours();
    config.limits.body_size = Some(crate::config::units::Size(10));
    for (origin, allowed) in [("https://friend.example", true), ("https://evil.example", false)] {
        let request = post(&[("content-length", "11"), ("origin", origin)]);
        let (answer, _) = ask(&config, request);
        assert_eq!(answer.status(), 413);
        let said = answer.headers().get("access-control-allow-origin").map(HeaderValue::as_bytes);
        assert_eq!(said, allowed.then_some(origin.as_bytes()));
        assert_eq!(answer.headers().get("vary").is_some(), allowed);
    }
}

#[test]
fn settings_are_about_the_operation_whichever_root_path_is_before_it() {
    let with_root = |config: &Config| {
        let mut model: serde_json::Value = json!({"version": 1, "source": "inspector", "shapes": []});
        let route = |path: &str| json!({"kind": "http", "path": path, "methods": ["GET"], "hidden": false});
        model["router"] = json!({"routes": [route("/health"), route("/v1/health"), route("/docs")], "redirect-slashes": true, "complete": true});
        model["root-path"] = json!("/v");
        config.contract_handle().put(Contract::compile(&serde_json::from_value(model).unwrap()).0);
        config.check().unwrap()
    };
    for named in ["/health", "/v/health"] {
        let mut config = ours();
        (config.https.required, config.https.exempt) = (crate::https::Required::Always, vec![named.into()]);
        let policy = with_root(&config);
        let status = |target| ask_with(&policy, get(target)).0.status().as_u16();
        assert_eq!(["/health", "/v/health", "/%76/h%65alth"].map(status), [200; 3], "{named}");
        assert_eq!(["/v1/health", "/v/v1/health", "/vhealth"].map(status), [308; 3], "{named}");
    }
    // What is sent is what came.
    let policy = with_root(&ours());
    for target in ["/v/health?x=/v", "/health"] {
        let (answer, records) = ask_with(&policy, get(target));
        assert!(records.is_empty(), "{records:?}");
        assert!(text(answer).starts_with(&format!("{target} ")), "{target}");
    }
    // Without a contract a root path that the configuration names does the same.
    let mut config = ours();
    config.path.root_path = "/v".into();
    let body_size = Some(crate::config::units::Size(3));
    config.route = vec![crate::route::Config {
        path: "/v/upload".into(),
        limits: crate::route::LimitsConfig { body_size },
        ..crate::route::Config::default()
    }];
    let policy = config.check().unwrap();
    for (target, status) in [("/upload", 413), ("/v/upload", 413), ("/v1/upload", 200)] {
        let mut request = get(target);
        *request.method_mut() = Method::POST;
        request.headers_mut().insert("content-length", HeaderValue::from_static("4"));
        assert_eq!(ask_with(&policy, request).0.status().as_u16(), status, "{target}");
    }
    config.path.root_path = "v/".into();
    let mistakes: Vec<_> = config.check().unwrap_err().into_iter().map(|mistake| mistake.key).collect();
    assert_eq!(mistakes, ["path.root-path"]);
}
