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

const OPEN_DATA_POLICY: (&str, &str) = ("content-security-policy", "default-src 'none'");
const OPENER_REPORT: (&str, &str) = ("cross-origin-opener-policy-report-only", "same-origin-allow-popups");
const PAGE_REPORT: (&str, &str) = (
    "content-security-policy-report-only",
    "default-src 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'self'",
);

/// What answers of the app wear: nothing that a page could lose something by.
const DATA: [(&str, &str); 4] = [NOSNIFF, REFERRER, OPEN_DATA_POLICY, NO_FEATURES];
const MEDIA: [(&str, &str); 2] = [NOSNIFF, REFERRER];
const PAGE: [(&str, &str); 4] = [NOSNIFF, REFERRER, PAGE_REPORT, OPENER_REPORT];

/// What answers of the gate wear, and those of the app where it is configured so, or strict.
const OWN: [(&str, &str); 6] = [NOSNIFF, REFERRER, NO_FRAME, SAME_ORIGIN, DATA_POLICY, NO_FEATURES];
const ALL_MEDIA: [(&str, &str); 3] = [NOSNIFF, REFERRER, OWN_FRAME];
const ALL_PAGE: [(&str, &str); 8] = [
    NOSNIFF,
    REFERRER,
    OWN_FRAME,
    SAME_ORIGIN,
    ("content-security-policy", "base-uri 'self'; object-src 'none'; frame-ancestors 'self'"),
    PAGE_REPORT,
    OPENER_REPORT,
    (
        "permissions-policy",
        "camera=(self), display-capture=(self), geolocation=(self), microphone=(self), payment=(self), usb=(self)",
    ),
];

/// The lines that set them.
const LINES: &str = "[headers]\nframe-options = \"DENY\"\ncross-origin-resource-policy = \"same-origin\"\n\
    cross-origin-opener-policy = \"same-origin-allow-popups\"\n\
    permissions-policy = \"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()\"\n\
    permissions-policy-page = \"camera=(self), display-capture=(self), geolocation=(self), microphone=(self), payment=(self), usb=(self)\"\n\
    content-security-policy.data = \"default-src 'none'; frame-ancestors 'none'\"\n\
    content-security-policy.page = \"base-uri 'self'; object-src 'none'; frame-ancestors 'self'\"\n\
    content-security-policy.svg = \"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'\"\n";

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
    for (config, data, untyped, page, media) in
        [("", &DATA[..], &MEDIA[..], &PAGE[..], &MEDIA[..]), (LINES, &OWN, &OWN, &ALL_PAGE, &ALL_MEDIA)]
    {
        let stand = Stand::with(config);
        let check = |request: &str, status: u16, expected: &[&[(&str, &str)]]| {
            let answer = ask(&stand, request, "");
            assert_eq!(answer.status, status, "{request}");
            wears(request, &answer, expected);
        };
        check("GET /items/", 200, &[data]);
        check("GET /items", 307, &[untyped]);
        check("GET /status/404", 404, &[data]);
        check("GET /status/204", 204, &[untyped]);
        // It confirms what the client has stored, whose headers it would replace.
        check("GET /status/304", 304, &[]);
        // It failed: the plain error in the place of what it said.
        check("GET /boom", 500, &[data, &[("cache-control", "no-store")]]);
        check("GET /sse?n=1&interval=0", 200, &[data]);
        check("GET /html", 200, &[page]);
        check("GET /bytes/10", 200, &[media]);
    }
}

#[test]
fn every_answer_of_the_gate_is_dressed() {
    let stand = Stand::with("[limits]\nbody-size = \"1KiB\"");
    let check = |request: &str, lines: &str, status: u16| {
        let answer = ask(&stand, request, lines);
        assert_eq!(answer.status, status, "{request}");
        wears(request, &answer, &[&OWN, &[NO_STORE]]);
    };
    check("GET /a/../b", "", 400);
    check("GET /", "Host: another\r\n", 400);
    check("TRACE /", "", 405);
    check("POST /count", "Content-Length: 2000\r\n", 413);
    let gateway = Setup::serve("http://127.0.0.1:1").start();
    let answer = Client::connect(gateway.addr()).get("/");
    assert_eq!(answer.status, 503);
    wears("a refusal without an app", &answer, &[&OWN, &[NO_STORE]]);
    // A client that asks for problem details is told in them.
    let answer = ask(&stand, "GET /a/../b", "Accept: application/problem+json\r\n");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!((&answer.json()["status"], answer.code().as_str()), (&400.into(), "path-dot-segment"));
    wears("a problem", &answer, &[&OWN, &[NO_STORE]]);
}

#[test]
fn over_http_2_as_well() {
    let stand = Stand::with(LINES);
    http2::talk(async {
        let sender = http2::connect(stand.gateway.addr()).await;
        for (path, status, policy) in
            [("/items/", 200, DATA_POLICY.1), ("/a/../b", 400, DATA_POLICY.1), ("/html", 200, ALL_PAGE[4].1)]
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
    let check = |content_type: &str, config: &str, expected: &[&[(&str, &str)]]| {
        let (_upstream, gateway) = before(&format!("Content-Type: {content_type}\r\n"), config);
        wears(content_type, &Client::connect(gateway.addr()).get("/"), expected);
    };
    let svg_report = ("content-security-policy-report-only", svg.1);
    for (content_type, expected, all) in [
        ("application/json", &[&DATA[..]][..], &[&OWN[..]][..]),
        ("application/problem+json; charset=utf-8", &[&DATA], &[&OWN]),
        ("text/plain", &[&DATA], &[&OWN]),
        ("application/atom+xml", &[&MEDIA], &[&OWN]),
        ("TEXT/HTML; charset=utf-8", &[&PAGE], &[&ALL_PAGE]),
        ("image/png", &[&MEDIA], &[&ALL_MEDIA]),
        ("multipart/x-mixed-replace; boundary=frame", &[&MEDIA], &[&ALL_MEDIA]),
        ("application/vnd.apple.mpegurl", &[&MEDIA], &[&ALL_MEDIA]),
        ("application/octet-stream", &[&MEDIA], &[&ALL_MEDIA]),
        ("text/css", &[&MEDIA], &[&ALL_MEDIA]),
        ("application/pdf", &[&MEDIA], &[&ALL_MEDIA]),
        ("image/svg+xml", &[&MEDIA, &[svg_report]], &[&ALL_MEDIA, &[svg]]),
    ] {
        check(content_type, "", expected);
        check(content_type, LINES, all);
    }
}

#[test]
fn documentation_pages_get_a_policy_of_their_own() {
    let enforced = format!(
        "{LINES}content-security-policy.docs = \"default-src 'none'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net\"\n"
    );
    let (_upstream, gateway) = before("Content-Type: text/html\r\n", &enforced);
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
    wears("/docs/more", &Client::connect(gateway.addr()).get("/docs/more"), &[&ALL_PAGE]);
    // By default it is only reported: nobody knows what a page of this name loads.
    let (_upstream, gateway) = before("Content-Type: text/html\r\n", "");
    let answer = Client::connect(gateway.addr()).get("/docs");
    let report = answer.header("content-security-policy-report-only").expect("a report").to_owned();
    assert!(report.contains("https://cdn.jsdelivr.net"), "{report}");
    wears(
        "/docs",
        &answer,
        &[&[NOSNIFF, REFERRER, OPENER_REPORT, ("content-security-policy-report-only", &report)]],
    );
    let (_upstream, gateway) =
        before("Content-Type: text/html\r\n", "headers.docs-paths = [\"/api/docs\"]\n");
    let policy = |path: &str| {
        let answer = Client::connect(gateway.addr()).get(path);
        answer.header("content-security-policy-report-only").expect("a policy").contains("cdn.jsdelivr.net")
    };
    assert_eq!((policy("/docs"), policy("/api/docs")), (false, true));
}

#[test]
fn what_the_app_sets_stays_and_what_it_leaks_goes() {
    let stand = Stand::with(LINES);
    let mut kept = OWN.to_vec();
    kept.retain(|(name, _)| *name != "x-frame-options");
    kept.push(OWN_FRAME);
    wears("the app's own", &ask(&stand, "GET /headers", ""), &[&kept]);

    let check = |header: (&str, &str), without: &[&str]| {
        let (_upstream, gateway) =
            before(&format!("Content-Type: application/json\r\n{}: {}\r\n", header.0, header.1), LINES);
        let mut expected = OWN.to_vec();
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
    let ask_as = |config: &str, host: &str, lines: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n");
        Stand::with(config).connect().ask(request)
    };
    let check = |config: &str, lines: &str, expected: Option<&str>| {
        let answer = ask_as(config, "shop.example.com", lines);
        assert_eq!(answer.header("strict-transport-security"), expected, "{config:?} {lines:?}");
    };
    let https = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n";
    let trusting = "[client]\ntrusted = [\"loopback\"]\n";
    check("", "", None);
    check("", https, None);
    check(trusting, "", None);
    check(trusting, "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n", None);
    check(trusting, https, Some("max-age=31536000"));
    // A browser keeps it by the name, for every port and for a year.
    for host in [
        "localhost",
        "127.0.0.1:8443",
        "nas.local",
        "[::1]",
        "10.0.0.7",
        "printer.home.arpa",
        "shop.example.com:8443",
    ] {
        let answer = ask_as(trusting, host, https);
        assert_eq!((answer.status, answer.header("strict-transport-security")), (200, None), "{host}");
    }
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
    let reported = [("content-security-policy-report-only", OPEN_DATA_POLICY.1)];
    wears("a route in report", &ask(&stand, "GET /headers", ""), &[&leaks, &reported]);
    wears("another method", &ask(&stand, "POST /headers", ""), &[&DATA]);

    for report in ["[headers]\nmode = \"report\"\n", "report-only = true\n"] {
        let stand = Stand::with(report);
        wears(report, &ask(&stand, "GET /headers", ""), &[&leaks, &reported]);
        let page = [PAGE_REPORT];
        wears(report, &ask(&stand, "GET /html", ""), &[&page]);
    }
    let stand = Stand::with("[headers]\nmode = \"off\"\n");
    wears("off", &ask(&stand, "GET /headers", ""), &[&leaks]);
}

#[test]
fn an_empty_text_switches_a_header_off() {
    let stand = Stand::with(
        "[headers]\npermissions-policy = \"\"\nreferrer-policy = \"no-referrer\"\nremove = []\n\
         content-security-policy.data = \"\"\n",
    );
    let expected = [NOSNIFF, ("referrer-policy", "no-referrer")];
    wears("/", &ask(&stand, "GET /", ""), &[&expected]);
    let leaks = [("server", "recorder/1.0"), ("x-powered-by", "recorder"), OWN_FRAME];
    wears("/headers", &ask(&stand, "GET /headers", ""), &[&expected, &leaks]);
}

/// What a page would lose by a header, as a browser and the app tell.
#[test]
fn where_the_type_is_missing_or_wrong_a_browser_may_look() {
    let check = |head: &str, lines: &str, nosniff: bool| {
        let (_upstream, gateway) = before(head, "");
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
        let answer = Client::connect(gateway.addr()).ask(request);
        assert_eq!(answer.header("x-content-type-options").is_some(), nosniff, "{head:?} {lines:?}");
    };
    let script = "Sec-Fetch-Dest: script\r\nSec-Fetch-Site: ";
    check("Content-Type: text/plain\r\n", "", true);
    check("Content-Type: text/plain\r\n", &format!("{script}same-origin\r\n"), false);
    check("Content-Type: text/plain\r\n", &format!("{script}cross-site\r\n"), true);
    check("", "", false);
}

#[test]
fn what_an_app_means_to_be_kept_may_be_kept() {
    let check = |head: &str, cache: Option<&str>| {
        let (_upstream, gateway) = before(&format!("Content-Type: application/json\r\n{head}"), "");
        let answer =
            Client::connect(gateway.addr()).ask("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: a=1\r\n\r\n");
        assert_eq!(answer.header("cache-control"), cache, "{head:?}");
    };
    check("", Some("no-store"));
    check("ETag: \"1\"\r\n", None);
    check("Last-Modified: Tue, 24 Nov 2026 06:00:00 GMT\r\n", None);
}
