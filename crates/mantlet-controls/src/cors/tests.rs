use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Config, Policy};
use crate::{Context, Reason, Section};

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect()
}

fn policy(change: impl FnOnce(&mut Config)) -> Policy {
    let mut config = Config { origins: vec!["https://app.example.com".into()], ..Config::default() };
    change(&mut config);
    config.check(&Context::default()).unwrap()
}

#[test]
fn preflights_are_answered_here() {
    let policy = policy(|config| config.credentials = true);
    let ask = |origin: &str, method: &str, names: &str| {
        let request = headers(&[
            ("origin", origin),
            ("access-control-request-method", method),
            ("access-control-request-headers", names),
        ]);
        policy.preflight(&Method::OPTIONS, &request).unwrap()
    };
    let answer = ask("https://app.example.com", "PUT", "Content-Type,authorization").unwrap();
    for (name, value) in [
        ("access-control-allow-origin", "https://app.example.com"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE"),
        ("access-control-allow-headers", "Content-Type,authorization"),
        ("access-control-max-age", "600"),
        ("vary", "origin, access-control-request-method, access-control-request-headers"),
    ] {
        assert_eq!(answer[name], value, "{name}");
    }
    assert_eq!(ask("https://evil.net", "PUT", ""), Err(Reason::CorsOriginDenied));
    assert_eq!(ask("null", "PUT", ""), Err(Reason::CorsOriginDenied));
    assert_eq!(ask("https://app.example.com", "PURGE", ""), Err(Reason::CorsMethodDenied));
    assert_eq!(ask("https://app.example.com", "put", ""), Err(Reason::CorsMethodDenied));
    assert_eq!(ask("https://app.example.com", "PUT", "content-type, x-admin"), Err(Reason::CorsHeaderDenied));
}

#[test]
fn what_is_no_preflight_passes() {
    let all = [("origin", "https://evil.net"), ("access-control-request-method", "PUT")];
    let ours = policy(|_| {});
    assert!(ours.preflight(&Method::GET, &headers(&all)).is_none());
    assert!(ours.preflight(&Method::OPTIONS, &headers(&all[..1])).is_none());
    assert!(ours.preflight(&Method::OPTIONS, &headers(&all[1..])).is_none());
    let apps = policy(|config| config.origins.clear());
    assert!(apps.preflight(&Method::OPTIONS, &headers(&all)).is_none());
}

#[test]
fn private_networks_need_a_word() {
    let request = headers(&[
        ("origin", "https://app.example.com"),
        ("access-control-request-method", "GET"),
        ("access-control-request-private-network", "true"),
    ]);
    let denied = policy(|_| {}).preflight(&Method::OPTIONS, &request).unwrap();
    assert_eq!(denied, Err(Reason::CorsPrivateNetworkDenied));
    let allowed =
        policy(|config| config.private_network = true).preflight(&Method::OPTIONS, &request).unwrap();
    assert_eq!(allowed.unwrap()["access-control-allow-private-network"], "true");
}

#[test]
fn row_63_our_words_replace_the_apps_and_nothing_is_doubled() {
    let check = |policy: &Policy, origin: Option<&str>, app: &[(&str, &str)], expected: &[(&str, &str)]| {
        let request = origin.map_or_else(HeaderMap::new, |origin| headers(&[("origin", origin)]));
        let mut answer = headers(app);
        policy.dress(&request, &mut answer);
        let mut shown: Vec<_> =
            answer.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        shown.sort_unstable();
        assert_eq!(shown, expected, "{origin:?}");
    };
    let ours = policy(|_| {});
    let app = [
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-origin", "*"),
        ("vary", "accept-encoding"),
    ];
    let good = [
        ("access-control-allow-origin", "https://app.example.com"),
        ("access-control-expose-headers", "x-request-id, retry-after"),
        ("vary", "accept-encoding"),
        ("vary", "origin"),
    ];
    let none = [("vary", "accept-encoding"), ("vary", "origin")];
    check(&ours, Some("https://app.example.com"), &app, &good);
    check(&ours, Some("https://evil.net"), &app, &none);
    check(&ours, Some("https://app.example.com.evil.net"), &app, &none);
    check(&ours, Some("null"), &app, &none);
    check(&ours, None, &app, &none);
    check(&ours, None, &[("vary", "Accept, Origin")], &[("vary", "Accept, Origin")]);
    let apps = policy(|config| config.origins.clear());
    check(&apps, Some("https://evil.net"), &app, &app);
    let any = policy(|config| config.origins = vec!["*".into()]);
    let public = [
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "x-request-id, retry-after"),
    ];
    check(&any, Some("https://evil.net"), &app[..2], &public);
}

#[test]
fn configurations_that_give_too_much_are_mistakes() {
    let mut config = Config {
        origins: vec!["*".into(), "null".into(), "https://*.com".into()],
        credentials: true,
        ..Config::default()
    };
    config.methods.push("GE T".into());
    config.headers.push("x y".into());
    let keys: Vec<_> =
        config.check(&Context::default()).unwrap_err().into_iter().map(|mistake| mistake.key).collect();
    assert_eq!(keys, ["origins", "origins[1]", "origins[2]", "methods[6]", "headers[4]"]);
}
