//! Each control alone, as a layer of its own: it decides what is its to decide, and nothing else.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Response, StatusCode},
};
use http_body_util::BodyExt;
use mantlet_controls::{
    Config, Deployment, Mode, api_keys,
    audit::OfRoute,
    authentication, authorization, client,
    config::{Tolerance, units::Size},
    contract, cookies, cors, csrf, deprecation, dpop, encoding, headers, host, https, issuer,
    layer::{Builder, MantletLayer},
    limits,
    operation::{Contract, ContractHandle},
    path, refresh_tokens, responses, route, throttle, uploads,
};
use serde_json::json;
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// What a control does to the request that is its to decide.
enum Does {
    /// It records this reason.
    Says(&'static str),
    /// The service does not see this header.
    Hides(&'static str),
    /// The answer has this header, with this in it.
    Adds(&'static str, &'static str),
}

/// A control, and a request that no other control has anything to say about.
struct Control {
    name: &'static str,
    add: fn(Builder) -> Builder,
    request: fn() -> Request,
    does: Does,
}

/// A form that a browser sends, or a page of another site.
fn post(headers: &[(&str, &str)], body: &'static str) -> Request {
    let mut request = Request::post("/").header("host", "notes.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body)).unwrap()
}

fn get(target: &str) -> Request {
    Request::get(target).header("host", "notes.example").body(Body::empty()).unwrap()
}

/// An issuer with a shared secret.
fn an_issuer(name: &str) -> issuer::Config {
    issuer::Config(vec![issuer::IssuerConfig {
        issuer: name.into(),
        secret: "file:secret".into(),
        material: Some(issuer::Material(vec![7; 32].into())),
        ..Default::default()
    }])
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn controls() -> Vec<Control> {
    let control = |name, add, request, does| Control { name, add, request, does };
    vec![
        control(
            "client",
            |none| none.client(client::Config::default()),
            || post(&[("x-remote-user", "root")], ""),
            Does::Hides("x-remote-user"),
        ),
        control(
            "limits",
            |none| none.limits(limits::Config { body_size: Some(Size(10)), ..Default::default() }),
            || post(&[("content-length", "11")], "eleven bytes"),
            Does::Says("body-too-large"),
        ),
        control(
            "path",
            |none| none.path(path::Config::default()),
            || get("/notes/../admin"),
            Does::Says("path-dot-segment"),
        ),
        control(
            "host",
            |none| none.host(host::Config { allow: vec!["notes.example".into()], mode: Some(Mode::Enforce) }),
            || Request::get("/").header("host", "evil.example").body(Body::empty()).unwrap(),
            Does::Says("host-unknown"),
        ),
        control(
            "https",
            |none| none.https(https::Config { required: https::Required::Always, ..Default::default() }),
            || post(&[], ""),
            Does::Says("https-required"),
        ),
        control(
            "contract",
            |none| none.contract(contract::Config::default()),
            || get("/"),
            // It is awaited.
            Does::Says("app-unavailable"),
        ),
        control(
            "cors",
            |none| {
                none.cors(cors::Config { origins: vec!["https://app.example".into()], ..Default::default() })
            },
            || {
                let request = Request::get("/").header("host", "notes.example");
                request.header("origin", "https://app.example").body(Body::empty()).unwrap()
            },
            Does::Adds("access-control-allow-origin", "https://app.example"),
        ),
        control(
            "throttle",
            |none| none.throttle(throttle::Config { concurrent: 1, ..Default::default() }),
            || get("/held"),
            Does::Says("rate-limited"),
        ),
        control(
            "api_keys",
            |none| none.api_keys(api_keys::Config { required: true, ..Default::default() }),
            || get("/"),
            Does::Says("credentials-missing"),
        ),
        control(
            "issuer",
            |none| none.issuer(an_issuer("https://id.example")),
            || {
                // `{"alg":"HS256"}` and `{"iss":"https://id.example"}`, without a signature.
                let token = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUifQ.AAAA";
                let request = Request::get("/").header("host", "notes.example");
                request.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap()
            },
            Does::Says("token-invalid"),
        ),
        control(
            "dpop",
            |none| none.issuer(an_issuer("https://other.example")).dpop(dpop::Config::default()),
            || {
                // `{"alg":"HS256"}` and `{"iss":"https://other.example","sub":"ann","exp":4102444800,
                // "cnf":{"jkt":"AAAA"}}`, signed by the issuer.
                let token = concat!(
                    "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL290aGVyLmV4YW1wbGUiLCJzdWIiOiJhbm4iLCJl",
                    "eHAiOjQxMDI0NDQ4MDAsImNuZiI6eyJqa3QiOiJBQUFBIn19",
                    ".7tDRGs3m8-HDmN52Mb13qK16qF7G94oZp4xpo6SG2h8",
                );
                let request = Request::get("/").header("host", "notes.example");
                request.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap()
            },
            Does::Says("dpop-required"),
        ),
        control(
            "authentication",
            |none| {
                let section = authentication::Config::default();
                none.contract(contract::Config::default()).authentication(section).deployment(known())
            },
            || {
                let request = Request::post("/login").header("host", "notes.example");
                request.body(Body::empty()).unwrap()
            },
            Does::Says("jwt-key-public"),
        ),
        control(
            "authorization",
            |none| {
                let (paths, who) = (vec!["/staff".to_owned()], vec!["authenticated".to_owned()]);
                let rule = authorization::RuleConfig { paths, who, ..Default::default() };
                none.authorization(authorization::Config { allow: vec![rule], ..Default::default() })
            },
            || {
                let request = Request::get("/staff").header("host", "notes.example");
                request.header("authorization", "Bearer opaque").body(Body::empty()).unwrap()
            },
            Does::Says("access-denied"),
        ),
        control(
            "refresh_tokens",
            |none| {
                let section = refresh_tokens::Config { mode: Mode::Enforce };
                none.contract(contract::Config::default()).refresh_tokens(section).deployment(known())
            },
            || {
                let request = Request::post("/login").header("host", "notes.example");
                request.body(Body::empty()).unwrap()
            },
            Does::Says("refresh-token-not-wrapped"),
        ),
        control(
            "csrf",
            |none| none.csrf(csrf::Config::default()),
            || post(&[("origin", "https://evil.example"), ("cookie", "session=alice")], ""),
            Does::Says("csrf-cross-site"),
        ),
        control(
            "cookies",
            |none| none.cookies(cookies::Config { mode: Mode::Enforce, ..Default::default() }),
            || get("/cookie"),
            Does::Adds("set-cookie", "HttpOnly"),
        ),
        control(
            "responses",
            |none| none.responses(responses::Config::default()),
            || get("/broken"),
            Does::Says("app-error-hidden"),
        ),
        control(
            "headers",
            |none| none.headers(headers::Config::default()),
            || get("/"),
            Does::Adds("referrer-policy", "strict-origin-when-cross-origin"),
        ),
        control(
            "uploads",
            |none| none.uploads(uploads::Config { fields: Some(1), ..Default::default() }),
            || {
                let part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
                let body = Body::from(format!("{part}{part}--b--\r\n"));
                let request = Request::post("/read").header("host", "notes.example");
                request.header("content-type", "multipart/form-data; boundary=b").body(body).unwrap()
            },
            Does::Says("upload-too-many-parts"),
        ),
        control(
            "encoding",
            |none| {
                none.encoding(encoding::Config { unreadable: Some(Tolerance::Reject), ..Default::default() })
            },
            || post(&[("content-encoding", "compress")], "?"),
            Does::Says("content-encoding-unsupported"),
        ),
        control(
            "deprecation",
            |none| {
                let section = deprecation::Config {
                    mode: Mode::Enforce,
                    since: "2026-12-01".into(),
                    ..Default::default()
                };
                // Which operation is asked for is known by the contract alone.
                none.contract(contract::Config::default()).deprecation(section).deployment(known())
            },
            || get("/old"),
            Does::Adds("deprecation", "@1796083200"),
        ),
    ]
}

/// An app that has marked what it has.
fn known() -> Deployment {
    let operation = json!({"id": "old", "body": {"kind": "none"}, "inputs": [], "deprecated": true});
    let route =
        json!({"kind": "http", "path": "/old", "methods": ["GET"], "hidden": false, "operation": operation});
    let bearer =
        json!({"name": "bearer", "scheme": {"kind": "bearer", "token-url": "login"}, "auto-error": true});
    let (login, me) = (
        json!({"id": "login", "body": {"kind": "none"}, "inputs": []}),
        json!({"id": "me", "body": {"kind": "none"}, "inputs": [], "security": [[bearer]]}),
    );
    let login =
        json!({"kind": "http", "path": "/login", "methods": ["POST"], "hidden": false, "operation": login});
    let me = json!({"kind": "http", "path": "/me", "methods": ["GET"], "hidden": false, "operation": me});
    let router = json!({"routes": [route, login, me], "redirect-slashes": true, "complete": false});
    let model = json!({"version": 1, "source": "inspector", "router": router, "shapes": []});
    let contract = Contract::compile(&serde_json::from_value(model).unwrap()).0;
    let deployment = Deployment::default();
    deployment.kept.get::<ContractHandle>().put(contract);
    deployment
}

/// What came of a request.
struct Seen {
    reasons: Vec<&'static str>,
    by_service: Option<HeaderMap>,
    answer: HeaderMap,
}

/// Asks a service that shows the headers it was asked with, while another request of the same client is held there.
async fn ask(add: impl FnOnce(Builder) -> Builder, request: Request) -> Seen {
    let deployment = Deployment::default();
    deployment.kept.get::<ContractHandle>().await_contract();
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&reasons);
    let layer = add(MantletLayer::none().deployment(deployment))
        .peer(|_| Some(SocketAddr::from(([203, 0, 113, 7], 4_000))))
        .audit(move |record| told.lock().unwrap().push(record.reason))
        .build()
        .unwrap();
    let by_service = Arc::new(Mutex::new(None));
    let shown = Arc::clone(&by_service);
    let service = service_fn(move |request: http::Request<_>| {
        let shown = Arc::clone(&shown);
        async move {
            let (parts, body) = request.into_parts();
            *shown.lock().unwrap() = Some(parts.headers);
            if parts.uri.path() == "/read" {
                drop(BodyExt::collect(body).await);
            }
            let mut response = Response::new(Body::from("{\"id\":7}"));
            response.headers_mut().insert("content-type", "application/json".parse().unwrap());
            match parts.uri.path() {
                "/broken" => {
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    *response.body_mut() = Body::from(
                        "Traceback (most recent call last):\n  File \"/srv/app.py\", line 3, in read\nKeyError: 'id'\n",
                    );
                    response.headers_mut().insert("content-type", "text/plain".parse().unwrap());
                }
                // Signed with `secret`.
                "/login" => {
                    let token = concat!(
                        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.",
                        "c3brGQkxoiCgrl5LGiV0go9qgN0MtrdnDBCCfJ45f_Q"
                    );
                    *response.body_mut() = Body::from(format!(
                        "{{\"access_token\":\"{token}\",\"refresh_token\":\"behind-the-portcullis\"}}"
                    ));
                }
                "/cookie" => drop(response.headers_mut().insert("set-cookie", "session=1".parse().unwrap())),
                _ => {}
            }
            Ok::<_, Infallible>(response)
        }
    });
    let service = ServiceBuilder::new().layer(layer).service(service);
    // Its answer is not read: it is held until the other has been answered.
    let held = match request.uri().path() {
        "/held" => Some(service.clone().oneshot(get("/held")).await.unwrap()),
        _ => None,
    };
    let answer = service.oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    drop(BodyExt::collect(body).await);
    drop(held);
    Seen {
        reasons: reasons.lock().unwrap().clone(),
        by_service: by_service.lock().unwrap().clone(),
        answer: parts.headers,
    }
}

impl Does {
    fn is_in(&self, seen: &Seen) -> bool {
        match self {
            Self::Says(reason) => seen.reasons.contains(reason),
            Self::Hides(name) => seen.by_service.as_ref().is_some_and(|headers| !headers.contains_key(*name)),
            Self::Adds(name, part) => {
                seen.answer.get(*name).is_some_and(|value| value.to_str().unwrap().contains(part))
            }
        }
    }
}

#[tokio::test]
async fn each_control_decides_alone() {
    let controls = controls();
    let names: Vec<_> = controls.iter().map(|control| control.name).collect();
    assert_eq!(names, Config::SECTIONS, "a control is missing here");
    for Control { name, request, does, .. } in &controls {
        let seen = ask(|none| none, request()).await;
        assert!(!does.is_in(&seen), "without any control, that of {name}: {:?}", seen.reasons);
        for other in &controls {
            let seen = ask(other.add, request()).await;
            let with = format!("{} about the request of {name}: {:?}", other.name, seen.reasons);
            assert_eq!(does.is_in(&seen), other.name == *name, "{with} {:?}", seen.answer);
        }
    }
}

#[tokio::test]
async fn a_route_that_asks_for_it_is_recorded() {
    let all =
        |path: &str| route::Config { path: path.into(), audit: Some(OfRoute::Always), ..Default::default() };
    let recorded = async |target| ask(|none| none.route(all("/export")), get(target)).await.reasons;
    assert_eq!(recorded("/export").await, ["request-recorded"]);
    assert!(recorded("/").await.is_empty());
}

#[tokio::test]
async fn no_control_leaves_all_as_it_was() {
    for Control { name, request, .. } in &controls() {
        let sent = request().headers().clone();
        let seen = ask(|none| none, request()).await;
        assert!(seen.reasons.is_empty(), "{name}: {:?}", seen.reasons);
        assert_eq!(seen.by_service, Some(sent), "{name}");
        let (answer, own) = (&seen.answer, ["content-type", "set-cookie", "x-request-id"]);
        assert!(answer.keys().all(|key| own.contains(&key.as_str())), "{name}: {answer:?}");
    }
}
