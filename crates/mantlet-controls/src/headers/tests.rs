use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Config, Facts, Policy};
use crate::Mode;

const PLAIN: Facts<'_> = Facts { path: "/items", https: false, authenticated: false, not_modified: false };

fn policy() -> Policy {
    Config::default().check().unwrap()
}

fn answer(lines: &[(&str, &str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect()
}

fn applied(content_type: &str, facts: Facts<'_>) -> HeaderMap {
    let mut headers = answer(&[("content-type", content_type)]);
    policy().apply(&mut headers, &facts);
    headers
}

#[test]
fn every_kind_of_answer_gets_what_fits_it() {
    let check = |content_type: &str, path: &str, name: &str, expected: Option<&str>| {
        let headers = applied(content_type, Facts { path, ..PLAIN });
        let value = headers.get(name).map(|value| value.to_str().unwrap());
        match expected {
            Some(part) => {
                assert!(value.is_some_and(|v| v.contains(part)), "{content_type} {name}: {value:?}");
            }
            None => assert_eq!(value, None, "{content_type} {name}"),
        }
    };
    let csp = "content-security-policy";
    let html = "text/html; charset=utf-8";
    check("application/json", "/items", csp, Some("default-src 'none'; frame-ancestors 'none'"));
    check("application/json", "/items", "x-frame-options", Some("DENY"));
    check("application/json", "/items", "cross-origin-opener-policy", None);
    check("application/json", "/docs", csp, Some("default-src 'none'; frame-ancestors 'none'"));
    check("text/event-stream", "/feed", csp, Some("default-src 'none'"));
    check(html, "/docs", csp, Some("https://cdn.jsdelivr.net"));
    check(html, "/redoc", csp, Some("worker-src blob:"));
    check(html, "/docs", "cross-origin-opener-policy", Some("same-origin-allow-popups"));
    check(html, "/docs/oauth2-redirect", "cross-origin-opener-policy", None);
    check(html, "/", csp, Some("frame-ancestors 'self'"));
    check(html, "/", "content-security-policy-report-only", Some("default-src 'self'"));
    check("TEXT/HTML", "/", "x-frame-options", Some("SAMEORIGIN"));
    check("image/png", "/p.png", csp, None);
    check("image/png", "/p.png", "cross-origin-resource-policy", None);
    check("image/png", "/p.png", "x-content-type-options", Some("nosniff"));
    check("image/svg+xml", "/p.svg", csp, Some("default-src 'none'"));
    check("application/pdf", "/a.pdf", csp, None);
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
    policy().apply(&mut headers, &Facts { authenticated: true, ..PLAIN });
    assert_eq!(headers["referrer-policy"], "no-referrer");
    assert_eq!(headers["content-security-policy"], "frame-ancestors https://partner.example");
    assert_eq!(headers["cache-control"], "max-age=60");
    for absent in ["server", "x-powered-by", "x-frame-options"] {
        assert!(!headers.contains_key(absent), "{absent}");
    }
}

#[test]
fn personal_json_is_not_stored_and_hsts_needs_https() {
    let json = "application/json";
    let with = |authenticated, https| Facts { https, authenticated, ..PLAIN };
    assert_eq!(applied(json, with(true, false)).get("cache-control").unwrap(), "no-store");
    assert_eq!(
        applied("application/problem+json", with(true, false)).get("cache-control").unwrap(),
        "no-store"
    );
    assert_eq!(applied(json, with(false, false)).get("cache-control"), None);
    assert_eq!(applied("text/html", with(true, false)).get("cache-control"), None);
    assert_eq!(applied(json, with(false, false)).get("strict-transport-security"), None);
    assert_eq!(applied(json, with(false, true))["strict-transport-security"], "max-age=31536000");
}

#[test]
fn report_changes_nothing_but_the_report_only_policy() {
    let mut headers = answer(&[("content-type", "application/json"), ("server", "uvicorn")]);
    policy().apply_in(Mode::Report, &mut headers, &PLAIN);
    assert_eq!(headers["server"], "uvicorn");
    assert_eq!(headers["content-security-policy-report-only"], "default-src 'none'; frame-ancestors 'none'");
    assert_eq!(headers.len(), 3);
    policy().apply_in(Mode::Off, &mut headers, &PLAIN);
    assert_eq!(headers.len(), 3);
}

#[test]
fn an_empty_text_switches_a_header_off() {
    let config = Config { referrer_policy: String::new(), frame_options: String::new(), ..Config::default() };
    let mut headers = answer(&[("content-type", "text/html")]);
    config.check().unwrap().apply(&mut headers, &PLAIN);
    assert!(!headers.contains_key("referrer-policy") && !headers.contains_key("x-frame-options"));
    assert!(headers.contains_key("x-content-type-options"));
}

#[test]
fn a_confirmation_changes_nothing_of_what_is_stored() {
    let mut headers = answer(&[("etag", "\"1\""), ("server", "uvicorn")]);
    policy().apply(&mut headers, &Facts { not_modified: true, https: true, ..PLAIN });
    assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["etag"]);
}
