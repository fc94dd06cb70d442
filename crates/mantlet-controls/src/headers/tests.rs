use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Config, ContentSecurityPolicy, Facts, Policy};
use crate::{Context, Mode, Section, config::Posture};

const PLAIN: Facts<'_> = Facts {
    path: "/items",
    https: false,
    carries_credentials: false,
    not_modified: false,
    own: false,
    docs: None,
    public_host: true,
    loaded_as_code: false,
    empty: false,
};

fn in_posture(posture: Posture) -> Context {
    Context { posture, ..Context::default() }
}

fn policy(posture: Posture) -> Policy {
    Config::default().check(&in_posture(posture)).unwrap()
}

fn answer(lines: &[(&str, &str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect()
}

fn applied_in(posture: Posture, content_type: &str, facts: Facts<'_>) -> HeaderMap {
    let mut headers = answer(&[("content-type", content_type)]);
    policy(posture).apply(&mut headers, &facts);
    headers
}

fn applied(content_type: &str, facts: Facts<'_>) -> HeaderMap {
    applied_in(Posture::Compatible, content_type, facts)
}

/// Names and what must be in their values, of those that are set; no others are.
fn wears(headers: &HeaderMap, expected: &[(&str, &str)], what: &str) {
    let mut names: Vec<_> =
        headers.keys().map(HeaderName::as_str).filter(|name| *name != "content-type").collect();
    names.sort_unstable();
    let mut wanted: Vec<_> = expected.iter().map(|(name, _)| *name).collect();
    wanted.sort_unstable();
    assert_eq!(names, wanted, "{what}");
    for (name, part) in expected {
        let value = headers[*name].to_str().unwrap();
        assert!(value.contains(part), "{what} {name}: {value}");
    }
}

const CSP: &str = "content-security-policy";
const REPORT: &str = "content-security-policy-report-only";
const COOP: &str = "cross-origin-opener-policy";
const COOP_REPORT: &str = "cross-origin-opener-policy-report-only";
const CORP: &str = "cross-origin-resource-policy";
const FRAME: &str = "x-frame-options";
const FEATURES: &str = "permissions-policy";
const NOSNIFF: (&str, &str) = ("x-content-type-options", "nosniff");
const REFERRER: (&str, &str) = ("referrer-policy", "strict-origin-when-cross-origin");

#[test]
fn by_default_nothing_is_set_that_a_page_could_lose_something_by() {
    let html = "text/html; charset=utf-8";
    for (content_type, path, expected) in [
        ("application/json", "/items", &[(CSP, "default-src 'none'"), (FEATURES, "camera=()")][..]),
        ("application/json", "/docs", &[(CSP, "default-src 'none'"), (FEATURES, "camera=()")]),
        ("text/event-stream", "/feed", &[(CSP, "default-src 'none'"), (FEATURES, "camera=()")]),
        ("text/plain", "/log", &[(CSP, "default-src 'none'"), (FEATURES, "camera=()")]),
        // Styled by what it names itself.
        ("application/rss+xml", "/feed", &[]),
        (html, "/docs", &[(REPORT, "https://cdn.jsdelivr.net"), (COOP_REPORT, "same-origin-allow-popups")]),
        (html, "/docs/oauth2-redirect", &[(REPORT, "https://cdn.jsdelivr.net")]),
        (html, "/", &[(REPORT, "default-src 'self'"), (COOP_REPORT, "same-origin-allow-popups")]),
        ("image/svg+xml", "/p.svg", &[(REPORT, "default-src 'none'")]),
        ("image/png", "/p.png", &[]),
        ("multipart/x-mixed-replace; boundary=frame", "/video", &[]),
        ("application/vnd.apple.mpegurl", "/live.m3u8", &[]),
        ("application/dash+xml", "/live.mpd", &[]),
        ("application/octet-stream", "/model.onnx", &[]),
        ("application/pdf", "/a.pdf", &[]),
        ("font/woff2", "/a.woff2", &[]),
        ("text/vtt", "/a.vtt", &[]),
        ("application/manifest+json", "/app.webmanifest", &[]),
        ("model/gltf-binary", "/a.glb", &[]),
    ] {
        let headers = applied(content_type, Facts { path, ..PLAIN });
        wears(&headers, &[&[NOSNIFF, REFERRER], expected].concat(), &format!("{content_type} {path}"));
        assert!(
            headers.get(CSP).is_none_or(|csp| csp == "default-src 'none'"),
            "nobody is kept from framing"
        );
    }
}

#[test]
fn strict_posture_sets_all_of_them() {
    let html = "text/html; charset=utf-8";
    let data = [
        (CSP, "default-src 'none'; frame-ancestors 'none'"),
        (FEATURES, "camera=()"),
        (FRAME, "DENY"),
        (CORP, "same-origin"),
    ];
    let docs =
        [(CSP, "https://cdn.jsdelivr.net"), (FEATURES, "camera=()"), (FRAME, "DENY"), (CORP, "same-origin")];
    for (content_type, path, expected) in [
        ("application/json", "/items", data.to_vec()),
        ("text/xml", "/items", data.to_vec()),
        (html, "/docs", [&docs[..], &[(COOP, "same-origin-allow-popups")]].concat()),
        (html, "/docs/oauth2-redirect", docs.to_vec()),
        (
            html,
            "/",
            vec![
                (CSP, "base-uri 'self'; object-src 'none'; frame-ancestors 'self'"),
                (REPORT, "default-src 'self'"),
                (COOP_REPORT, "same-origin-allow-popups"),
                (FEATURES, "camera=(self)"),
                (FRAME, "SAMEORIGIN"),
                (CORP, "same-origin"),
            ],
        ),
        ("image/svg+xml", "/p.svg", vec![(CSP, "default-src 'none'"), (FRAME, "SAMEORIGIN")]),
        ("image/png", "/p.png", vec![(FRAME, "SAMEORIGIN")]),
        ("multipart/x-mixed-replace; boundary=frame", "/video", vec![(FRAME, "SAMEORIGIN")]),
    ] {
        let headers = applied_in(Posture::Strict, content_type, Facts { path, ..PLAIN });
        wears(&headers, &[&[NOSNIFF, REFERRER], &expected[..]].concat(), &format!("{content_type} {path}"));
    }
    // So do refusals, which do not belong to a page.
    let own = applied("application/json", Facts { own: true, ..PLAIN });
    wears(&own, &[&[NOSNIFF, REFERRER], &data[..]].concat(), "a refusal");
}

#[test]
fn what_is_set_is_sent_in_any_posture() {
    let some = |text: &str| Some(text.to_owned());
    let config = Config {
        frame_options: some("DENY"),
        permissions_policy_page: some("camera=(self)"),
        cross_origin_opener_policy: some("same-origin"),
        cross_origin_resource_policy: some("same-site"),
        content_security_policy: ContentSecurityPolicy {
            page: some("object-src 'none'"),
            docs: some("default-src 'self'"),
            svg: some("sandbox"),
            data: some("sandbox"),
            page_report_only: some(""),
        },
        ..Config::default()
    };
    let policy = config.check(&Context::default()).unwrap();
    for (content_type, path, expected) in [
        (
            "text/html",
            "/",
            &[
                (CSP, "object-src 'none'"),
                (FRAME, "SAMEORIGIN"),
                (FEATURES, "camera=(self)"),
                (COOP_REPORT, "same-origin"),
                (CORP, "same-site"),
            ][..],
        ),
        (
            "text/html",
            "/docs",
            &[(CSP, "default-src 'self'"), (FRAME, "DENY"), (COOP, "same-origin"), (CORP, "same-site")],
        ),
        (
            "application/json",
            "/",
            &[(CSP, "sandbox"), (FRAME, "DENY"), (FEATURES, "camera=()"), (CORP, "same-site")],
        ),
        ("image/svg+xml", "/", &[(CSP, "sandbox"), (FRAME, "SAMEORIGIN")]),
        ("image/png", "/", &[(FRAME, "SAMEORIGIN")]),
    ] {
        let mut headers = answer(&[("content-type", content_type)]);
        policy.apply(&mut headers, &Facts { path, ..PLAIN });
        wears(&headers, &[&[NOSNIFF, REFERRER], expected].concat(), &format!("{content_type} {path}"));
    }
}

#[test]
fn a_browser_may_look_where_a_page_would_break_otherwise() {
    let sniffs = |posture, content_type: Option<&str>, facts: Facts<'_>| {
        let lines: Vec<_> = content_type.into_iter().map(|value| ("content-type", value)).collect();
        let mut headers = answer(&lines);
        policy(posture).apply(&mut headers, &facts);
        !headers.contains_key("x-content-type-options")
    };
    let code = Facts { loaded_as_code: true, ..PLAIN };
    for (content_type, facts, expected) in [
        (Some("text/plain"), code, true),
        (Some("text/plain"), PLAIN, false),
        (Some("text/html"), PLAIN, false),
        (None, PLAIN, true),
        (None, Facts { empty: true, ..PLAIN }, false),
        (None, Facts { own: true, ..PLAIN }, false),
    ] {
        assert_eq!(sniffs(Posture::Compatible, content_type, facts), expected, "{content_type:?}");
        assert!(!sniffs(Posture::Strict, content_type, facts), "{content_type:?}");
    }
}

#[test]
fn the_contract_says_which_pages_are_documentation() {
    let is_docs = |path, docs| {
        let headers = applied("text/html", Facts { path, docs, ..PLAIN });
        headers[REPORT].to_str().unwrap().contains("jsdelivr")
    };
    for (path, docs, expected) in [
        ("/docs", None, true),
        ("/docs", Some(true), true),
        ("/docs", Some(false), false),
        ("/api/docs", Some(true), true),
        ("/", None, false),
    ] {
        assert_eq!(is_docs(path, docs), expected, "{path} {docs:?}");
    }
}

#[test]
fn what_the_app_set_stays_and_what_it_leaks_goes() {
    let mut headers = answer(&[
        ("content-type", "application/json"),
        ("server", "uvicorn"),
        ("x-powered-by", "FastAPI"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "frame-ancestors https://partner.example"),
        ("cache-control", "max-age=60"),
    ]);
    policy(Posture::Strict).apply(&mut headers, &Facts { carries_credentials: true, ..PLAIN });
    assert_eq!(headers["referrer-policy"], "no-referrer");
    assert_eq!(headers["content-security-policy"], "frame-ancestors https://partner.example");
    assert_eq!(headers["cache-control"], "max-age=60");
    for absent in ["server", "x-powered-by", "x-frame-options"] {
        assert!(!headers.contains_key(absent), "{absent}");
    }
}

#[test]
fn personal_json_is_not_stored() {
    let json = "application/json";
    let carries_credentials = Facts { carries_credentials: true, ..PLAIN };
    let cache =
        |headers: &HeaderMap| headers.get("cache-control").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(cache(&applied(json, carries_credentials)).as_deref(), Some("no-store"));
    assert_eq!(cache(&applied("application/problem+json", carries_credentials)).as_deref(), Some("no-store"));
    assert_eq!(cache(&applied(json, PLAIN)), None);
    assert_eq!(cache(&applied("text/html", carries_credentials)), None);
    // An app that says by what an answer is known again means clients to keep it.
    for (name, value) in
        [("etag", "\"1\""), ("last-modified", "Tue, 24 Nov 2026 06:00:00 GMT"), ("expires", "0")]
    {
        let mut headers = answer(&[("content-type", json), (name, value)]);
        policy(Posture::Compatible).apply(&mut headers, &carries_credentials);
        assert_eq!(cache(&headers), None, "{name}");
        policy(Posture::Strict).apply(&mut headers, &carries_credentials);
        assert_eq!(cache(&headers).as_deref(), Some("no-store"), "{name}");
    }
}

#[test]
fn hsts_is_for_https_and_public_names_alone() {
    for posture in [Posture::Compatible, Posture::Strict] {
        for (https, public_host) in [(false, false), (false, true), (true, false), (true, true)] {
            let headers = applied_in(posture, "application/json", Facts { https, public_host, ..PLAIN });
            let hsts = headers.get("strict-transport-security").map(|value| value.to_str().unwrap());
            assert_eq!(hsts, (https && public_host).then_some("max-age=31536000"), "{https} {public_host}");
        }
    }
}

#[test]
fn report_changes_nothing_but_the_report_only_policy() {
    let mut headers = answer(&[("content-type", "application/json"), ("server", "uvicorn")]);
    let policy = policy(Posture::Compatible);
    policy.apply_in(Mode::Report, &mut headers, &PLAIN);
    assert_eq!(headers["server"], "uvicorn");
    assert_eq!(headers["content-security-policy-report-only"], "default-src 'none'");
    assert_eq!(headers.len(), 3);
    policy.apply_in(Mode::Off, &mut headers, &PLAIN);
    assert_eq!(headers.len(), 3);
}

#[test]
fn an_empty_text_switches_a_header_off() {
    let config =
        Config { referrer_policy: String::new(), frame_options: Some(String::new()), ..Config::default() };
    let mut headers = answer(&[("content-type", "text/html")]);
    config.check(&in_posture(Posture::Strict)).unwrap().apply(&mut headers, &PLAIN);
    assert!(!headers.contains_key("referrer-policy") && !headers.contains_key("x-frame-options"));
    assert!(headers.contains_key("x-content-type-options"));
}

#[test]
fn a_confirmation_changes_nothing_of_what_is_stored() {
    let mut headers = answer(&[("etag", "\"1\""), ("server", "uvicorn")]);
    policy(Posture::Strict).apply(&mut headers, &Facts { not_modified: true, https: true, ..PLAIN });
    assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["etag"]);
}
