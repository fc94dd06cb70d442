//! Security headers on every kind of answer, as clients receive them.

use crate::kit::{Answer, Client, Gateway, Setup, Stand, Upstream, http2};

/// All headers that this control sets or removes.
const NAMES: [&str; 15] = [
    "x-content-type-options",
    "referrer-policy",
    "content-security-policy",
    "content-security-policy-report-only",
    "x-frame-options",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cross-origin-opener-policy-report-only",
    "cross-origin-resource-policy",
    "cross-origin-embedder-policy",
    "cache-control",
    "strict-transport-security",
    "server",
    "x-powered-by",
    "x-xss-protection",
];

const NOSNIFF: (&str, &str) = ("x-content-type-options", "nosniff");
const REFERRER: (&str, &str) = ("referrer-policy", "strict-origin-when-cross-origin");
const NO_FRAME: (&str, &str) = ("x-frame-options", "DENY");
const OWN_FRAME: (&str, &str) = ("x-frame-options", "SAMEORIGIN");
const NO_STORE: (&str, &str) = ("cache-control", "no-store");
const SAME_ORIGIN: (&str, &str) = ("cross-origin-resource-policy", "same-origin");
const DATA_POLICY: (&str, &str) = ("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
const NO_FEATURES: (&str, &str) = (
    "permissions-policy",
    "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
);

const DATA: [(&str, &str); 6] = [NOSNIFF, REFERRER, NO_FRAME, SAME_ORIGIN, DATA_POLICY, NO_FEATURES];
const MEDIA: [(&str, &str); 3] = [NOSNIFF, REFERRER, OWN_FRAME];
const PAGE: [(&str, &str); 8] = [
    NOSNIFF,
    REFERRER,
    OWN_FRAME,
    SAME_ORIGIN,
    ("content-security-policy", "base-uri 'self'; object-src 'none'; frame-ancestors 'self'"),
    (
        "content-security-policy-report-only",
        "default-src 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'self'",
    ),
    ("cross-origin-opener-policy-report-only", "same-origin-allow-popups"),
    (
        "permissions-policy",
        "camera=(self), display-capture=(self), geolocation=(self), microphone=(self), payment=(self), usb=(self)",
    ),
];

/// The answer wears exactly these of the headers.
fn wears(what: &str, answer: &Answer, expected: &[&[(&str, &str)]]) {
    let expected = expected.concat();
    for name in NAMES {
        let value = expected.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        assert_eq!(answer.header(name), value, "{name} of {what}");
    }
    assert!(!answer.request_id().is_empty());
}

/// Asks the recorder for a path, with these header lines.
fn ask(stand: &Stand, request: &str, lines: &str) -> Answer {
    stand.connect().ask(format!("{request} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"))
}

#[test]
fn every_answer_of_the_app_is_dressed() {
    let stand = Stand::new();
    let check = |request: &str, status: u16, expected: &[&[(&str, &str)]]| {
        let answer = ask(&stand, request, "");
        assert_eq!(answer.status, status, "{request}");
        wears(request, &answer, expected);
    };
    check("GET /items/", 200, &[&DATA]);
    check("GET /items", 307, &[&DATA]);
    check("GET /status/404", 404, &[&DATA]);
    check("GET /status/204", 204, &[&DATA]);
    // It confirms what the client has stored, whose headers it would replace.
    check("GET /status/304", 304, &[]);
    // It failed: the plain error in the place of what it said.
    check("GET /boom", 500, &[&DATA, &[("cache-control", "no-store")]]);
    check("GET /sse?n=1&interval=0", 200, &[&DATA]);
    check("GET /html", 200, &[&PAGE]);
    check("GET /bytes/10", 200, &[&MEDIA]);
}

#[test]
fn every_answer_of_the_gate_is_dressed() {
    let stand = Stand::with("[limits]\nbody-size = \"1KiB\"");
    let check = |request: &str, lines: &str, status: u16| {
        let answer = ask(&stand, request, lines);
        assert_eq!(answer.status, status, "{request}");
        wears(request, &answer, &[&DATA, &[NO_STORE]]);
    };
    check("GET /a/../b", "", 400);
    check("GET /", "Host: another\r\n", 400);
    check("TRACE /", "", 405);
    check("POST /count", "Content-Length: 2000\r\n", 413);
    let gateway = Setup::serve("http://127.0.0.1:1").start();
    let answer = Client::connect(gateway.addr()).get("/");
    assert_eq!(answer.status, 503);
    wears("a refusal without an app", &answer, &[&DATA, &[NO_STORE]]);
    // A client that asks for problem details is told in them.
    let answer = ask(&stand, "GET /a/../b", "Accept: application/problem+json\r\n");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!((&answer.json()["status"], answer.code().as_str()), (&400.into(), "path-dot-segment"));
    wears("a problem", &answer, &[&DATA, &[NO_STORE]]);
}

#[test]
fn over_http_2_as_well() {
    let stand = Stand::new();
    http2::talk(async {
        let sender = http2::connect(stand.gateway.addr()).await;
        for (path, status, policy) in
            [("/items/", 200, DATA_POLICY.1), ("/a/../b", 400, DATA_POLICY.1), ("/html", 200, PAGE[4].1)]
        {
            let answer = http2::ask(&sender, http2::get(path), b"").await.unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(http2::header(answer.headers(), "content-security-policy"), policy, "{path}");
            assert_eq!(http2::header(answer.headers(), "x-content-type-options"), "nosniff");
        }
    });
}

/// An app that answers with these header lines.
fn before(lines: &str, config: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::answering(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok"));
    let gateway = Setup::serve(&upstream.url()).config(config).start();
    (upstream, gateway)
}

#[test]
fn what_is_served_decides() {
    let svg =
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'");
    let check = |content_type: &str, expected: &[&[(&str, &str)]]| {
        let (_upstream, gateway) = before(&format!("Content-Type: {content_type}\r\n"), "");
        wears(content_type, &Client::connect(gateway.addr()).get("/"), expected);
    };
    check("application/json", &[&DATA]);
    check("application/problem+json; charset=utf-8", &[&DATA]);
    check("text/plain", &[&DATA]);
    check("TEXT/HTML; charset=utf-8", &[&PAGE]);
    check("image/png", &[&MEDIA]);
    check("text/css", &[&MEDIA]);
    check("application/pdf", &[&MEDIA]);
    check("image/svg+xml", &[&MEDIA, &[svg]]);
}

#[test]
fn documentation_pages_get_a_policy_of_their_own() {
    let (_upstream, gateway) = before("Content-Type: text/html\r\n", "");
    for (path, opener) in [("/docs", true), ("/redoc", true), ("/docs/oauth2-redirect", false)] {
        let answer = Client::connect(gateway.addr()).get(path);
        let policy = answer.header("content-security-policy").expect("a policy").to_owned();
        assert!(
            policy.contains("script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net"),
            "{path}: {policy}"
        );
        let mut expected = vec![NOSNIFF, REFERRER, NO_FRAME, SAME_ORIGIN, NO_FEATURES];
        expected.push(("content-security-policy", &policy));
        if opener {
            expected.push(("cross-origin-opener-policy", "same-origin-allow-popups"));
        }
        wears(path, &answer, &[&expected]);
    }
    // Only there, and where they are can be said.
    wears("/docs/more", &Client::connect(gateway.addr()).get("/docs/more"), &[&PAGE]);
    let (_upstream, gateway) =
        before("Content-Type: text/html\r\n", "headers.docs-paths = [\"/api/docs\"]\n");
    let policy = |path: &str| {
        let answer = Client::connect(gateway.addr()).get(path);
        answer.header("content-security-policy").expect("a policy").contains("cdn.jsdelivr.net")
    };
    assert_eq!((policy("/docs"), policy("/api/docs")), (false, true));
}

#[test]
fn what_the_app_sets_stays_and_what_it_leaks_goes() {
    let stand = Stand::new();
    let mut kept = DATA.to_vec();
    kept.retain(|(name, _)| *name != "x-frame-options");
    kept.push(OWN_FRAME);
    wears("the app's own", &ask(&stand, "GET /headers", ""), &[&kept]);

    let check = |header: (&str, &str), without: &[&str]| {
        let (_upstream, gateway) =
            before(&format!("Content-Type: application/json\r\n{}: {}\r\n", header.0, header.1), "");
        let mut expected = DATA.to_vec();
        expected.retain(|(name, _)| *name != header.0 && !without.contains(name));
        expected.push(header);
        wears(header.0, &Client::connect(gateway.addr()).get("/"), &[&expected]);
    };
    check(("referrer-policy", "no-referrer"), &[]);
    check(("cross-origin-resource-policy", "cross-origin"), &[]);
    check(("permissions-policy", "camera=(self)"), &[]);
    check(("content-security-policy", "default-src 'self'"), &[]);
    // Who may frame it is said already; the older header would contradict.
    check(("content-security-policy", "frame-ancestors https://example.com"), &["x-frame-options"]);
    check(("strict-transport-security", "max-age=1"), &[]);
    check(("cache-control", "public, max-age=60"), &[]);
}

#[test]
fn personal_json_is_not_stored() {
    let stand = Stand::new();
    let check = |request: &str, lines: &str, cache: Option<&str>| {
        let answer = ask(&stand, request, lines);
        assert_eq!(answer.header("cache-control"), cache, "{request} {lines:?}");
    };
    let credential = "Authorization: Bearer token\r\n";
    check("GET /private", "", None);
    check("GET /private", credential, Some("no-store"));
    check("GET /private", "Cookie: session=1\r\n", Some("no-store"));
    check("GET /headers?name=Cache-Control&value=max-age%3D60", credential, Some("max-age=60"));
    check("GET /html", credential, None);
    check("GET /bytes/10", credential, None);
}

#[test]
fn strict_transport_is_for_https_alone() {
    let check = |config: &str, lines: &str, expected: Option<&str>| {
        let answer = ask(&Stand::with(config), "GET /", lines);
        assert_eq!(answer.header("strict-transport-security"), expected, "{config:?} {lines:?}");
    };
    let https = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n";
    let trusting = "[client]\ntrusted = [\"loopback\"]\n";
    check("", "", None);
    check("", https, None);
    check(trusting, "", None);
    check(trusting, "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n", None);
    check(trusting, https, Some("max-age=31536000"));
    let more = "[headers.strict-transport-security]\nmax-age = \"30days\"\ninclude-subdomains = true\n";
    check(&format!("{trusting}{more}"), https, Some("max-age=2592000; includeSubDomains"));
}

#[test]
fn modes_and_routes() {
    let routes = "[[route]]\npath = \"/items/{rest:path}\"\nheaders.mode = \"off\"\n\
                  [[route]]\npath = \"/headers\"\nmethods = [\"GET\"]\nheaders.mode = \"report\"\n";
    let stand = Stand::with(routes);
    wears("/html", &ask(&stand, "GET /html", ""), &[&PAGE]);
    wears("a route that is off", &ask(&stand, "GET /items/7", ""), &[&[]]);
    let leaks = [("server", "recorder/1.0"), ("x-powered-by", "recorder"), OWN_FRAME];
    let reported = [("content-security-policy-report-only", DATA_POLICY.1)];
    wears("a route in report", &ask(&stand, "GET /headers", ""), &[&leaks, &reported]);
    wears("another method", &ask(&stand, "POST /headers", ""), &[&DATA]);

    for report in ["[headers]\nmode = \"report\"\n", "report-only = true\n"] {
        let stand = Stand::with(report);
        wears(report, &ask(&stand, "GET /headers", ""), &[&leaks, &reported]);
        let page = [("content-security-policy-report-only", PAGE[4].1)];
        wears(report, &ask(&stand, "GET /html", ""), &[&page]);
    }
    let stand = Stand::with("[headers]\nmode = \"off\"\n");
    wears("off", &ask(&stand, "GET /headers", ""), &[&leaks]);
}

#[test]
fn an_empty_text_switches_a_header_off() {
    let stand = Stand::with(
        "[headers]\nframe-options = \"\"\nreferrer-policy = \"no-referrer\"\nremove = []\n\
         content-security-policy.data = \"\"\n",
    );
    let expected = [NOSNIFF, ("referrer-policy", "no-referrer"), SAME_ORIGIN, NO_FEATURES];
    wears("/", &ask(&stand, "GET /", ""), &[&expected]);
    let leaks = [("server", "recorder/1.0"), ("x-powered-by", "recorder"), OWN_FRAME];
    wears("/headers", &ask(&stand, "GET /headers", ""), &[&expected, &leaks]);
}
