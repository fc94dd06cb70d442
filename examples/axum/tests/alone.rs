//! Each control alone, as a layer of its own: it decides what is its to decide, and nothing else.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::convert::Infallible;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Response, StatusCode},
};
use mantlet_controls::{
    client, cors, csrf, headers, host, https,
    layer::{Builder, MantletLayer},
    limits, path,
    units::Size,
};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// The control that refuses it, its target and its headers.
type Probe = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// One request for each control to refuse.
const PROBES: [Probe; 6] = [
    ("path", "/notes/../admin", &[]),
    ("host", "/", &[("host", "evil.example")]),
    ("https", "/", &[("x-probe", "plain")]),
    ("cors", "/", &[("origin", "https://evil.example"), ("access-control-request-method", "PUT")]),
    ("csrf", "/", &[("origin", "https://evil.example"), ("cookie", "session=alice")]),
    ("limits", "/", &[("content-length", "11")]),
];

fn probe(name: &str, target: &str, lines: &[(&str, &str)]) -> Request {
    let method = if name == "cors" { "OPTIONS" } else { "POST" };
    let mut request = Request::builder().method(method).uri(target);
    if name != "host" {
        request = request.header("host", "notes.example");
    }
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.header("x-remote-user", "root").header("forwarded", "for=6.6.6.6").body(Body::empty()).unwrap()
}

/// A service that shows the headers it was asked with.
async fn ask(builder: Builder, request: Request) -> Response<mantlet_controls::Answer<String>> {
    let show = service_fn(|request: http::Request<_>| async move {
        let text = format!("{:?}", request.headers());
        drop(request);
        Ok::<_, Infallible>(Response::new(text))
    });
    ServiceBuilder::new().layer(builder.build().unwrap()).service(show).oneshot(request).await.unwrap()
}

/// Which probes a control refuses, and what it leaves of a request and an answer that it lets through.
async fn decides(builder: impl Fn() -> Builder) -> (Vec<&'static str>, String, HeaderMap) {
    let mut refused = Vec::new();
    for (name, target, lines) in PROBES {
        let answer = ask(builder(), probe(name, target, lines)).await;
        if answer.status() != StatusCode::OK {
            refused.push(name);
        }
    }
    let answer = ask(builder(), probe("none", "/", &[])).await;
    let headers = answer.headers().clone();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    (refused, String::from_utf8(body.to_vec()).unwrap(), headers)
}

#[tokio::test]
async fn each_control_decides_alone() {
    let none = MantletLayer::none;
    let builders: [(&str, &dyn Fn() -> Builder); 6] = [
        ("path", &|| none().path(path::Config::default())),
        ("host", &|| none().host(host::Config { allow: vec!["notes.example".into()], ..Default::default() })),
        ("https", &|| {
            none().https(https::Config { required: https::Required::Always, ..Default::default() })
        }),
        ("cors", &|| {
            none().cors(cors::Config { origins: vec!["https://app.example".into()], ..Default::default() })
        }),
        ("csrf", &|| none().csrf(csrf::Config::default())),
        ("limits", &|| none().limits(limits::Config { body_size: Some(Size(10)), ..Default::default() })),
    ];
    for (name, builder) in builders {
        let (refused, seen, headers) = decides(builder).await;
        if name == "https" {
            // All probes but the preflight, which is redirected, change something over plain HTTP.
            assert_eq!(refused.len(), PROBES.len(), "{name}: {refused:?}");
            continue;
        }
        assert_eq!(refused, [name]);
        assert!(
            seen.contains("root") && seen.contains("6.6.6.6"),
            "{name} left the request as it was: {seen}"
        );
        assert!(!headers.contains_key("referrer-policy"), "{name} left the answer as it was: {headers:?}");
    }
    let (refused, seen, headers) = decides(&|| none().headers(headers::Config::default())).await;
    assert!(refused.is_empty() && seen.contains("root"), "{refused:?} {seen}");
    assert_eq!(headers["referrer-policy"], "strict-origin-when-cross-origin");
    assert!(!headers.contains_key("x-frame-options"), "nobody has asked for it: {headers:?}");
    let frames = headers::Config { frame_options: Some("DENY".into()), ..Default::default() };
    let (.., headers) = decides(&|| none().headers(frames.clone())).await;
    assert_eq!(headers["x-frame-options"], "DENY");
    let (refused, seen, headers) = decides(&|| none().client(client::Config::default())).await;
    assert!(refused.is_empty() && !seen.contains("root") && !seen.contains("6.6.6.6"), "{refused:?} {seen}");
    assert!(!headers.contains_key("referrer-policy"), "{headers:?}");
    let (refused, ..) = decides(&none).await;
    assert!(refused.is_empty(), "{refused:?}");
}
