use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::*;
use crate::{
    Arrival, Call, Context, Policy as WholePolicy, Section, WireVerdict, call::Client, config::Networks,
    pipeline::open,
};

fn peer(text: &str) -> Peer {
    match text {
        "unix" => Peer::Unix,
        ip => Peer::Ip(std::net::SocketAddr::new(ip.parse().unwrap(), 4711)),
    }
}

/// A client that this peer speaks for.
fn client(peer_text: &str, headers: &HeaderMap, policy: &Policy) -> Client {
    Client::of(peer(peer_text), Scheme::Http, headers, policy)
}

fn call(peer_text: &str, request: &Request<()>, policy: &Policy) -> Call {
    let whole = WholePolicy::default();
    let arrival =
        Arrival { peer: peer(peer_text), scheme: Scheme::Http, wire: WireVerdict::Unread, certificate: None };
    let mut call = open(&whole, &arrival, request);
    call.client = client(peer_text, request.headers(), policy);
    call
}

fn policy(trusted: &[&str], header: ForwardingHeader) -> Policy {
    let trusted = trusted.iter().map(|&t| t.to_owned()).collect();
    Config { trusted, header, ..Config::default() }.check(&Context::default()).unwrap()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect()
}

#[test]
fn the_client_is_the_first_untrusted_hop_from_the_right() {
    let check = |peer: &str, values: &[&str], expected: &str| {
        let lines: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
        let policy = policy(&["10.0.0.0/8", "fd00::/8", "192.0.2.7"], ForwardingHeader::XForwardedFor);
        let client = client(peer, &headers(&lines), &policy);
        assert_eq!(client.address, expected.parse().ok(), "{peer} {values:?}");
    };
    check("203.0.113.9", &["1.1.1.1"], "203.0.113.9");
    check("10.0.0.1", &[], "10.0.0.1");
    check("10.0.0.1", &["6.6.6.6, 203.0.113.7"], "203.0.113.7");
    check("10.0.0.1", &["6.6.6.6, 203.0.113.7, 10.9.9.9"], "203.0.113.7");
    check("10.0.0.1", &["6.6.6.6", "203.0.113.7", "10.9.9.9"], "203.0.113.7");
    check("10.0.0.1", &["10.1.1.1, 10.2.2.2"], "10.1.1.1");
    check("10.0.0.1", &["203.0.113.7:1234"], "203.0.113.7");
    check("10.0.0.1", &["[2001:db8::1]:80"], "2001:db8::1");
    check("10.0.0.1", &["2001:db8::1"], "2001:db8::1");
    check("10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7");
    check("10.0.0.1", &["6.6.6.6, 203.0.113.7,, ", ""], "203.0.113.7");
    check("10.0.0.1", &["6.6.6.6, unknown"], "10.0.0.1");
    check("10.0.0.1", &["6.6.6.6, '; drop table"], "10.0.0.1");
    check("::ffff:10.0.0.1", &["203.0.113.7"], "203.0.113.7");
    check("fd00::1", &["203.0.113.7"], "203.0.113.7");
    check("192.0.2.7", &["203.0.113.7"], "203.0.113.7");
    check("192.0.2.8", &["203.0.113.7"], "192.0.2.8");
    check("unix", &["203.0.113.7"], "203.0.113.7");
    check("unix", &[], "nobody");
}

#[test]
fn forwarded_is_read_when_configured_and_only_then() {
    let lines = headers(&[
        ("forwarded", r#"for=6.6.6.6, for="[2001:db8::1]:4711";proto=https;by=10.0.0.3, for=10.0.0.2"#),
        ("x-forwarded-for", "9.9.9.9"),
    ]);
    let read = |header| client("10.0.0.1", &lines, &policy(&["private"], header));
    assert_eq!(read(ForwardingHeader::Forwarded).address, "2001:db8::1".parse().ok());
    assert_eq!(read(ForwardingHeader::XForwardedFor).address, "9.9.9.9".parse().ok());
}

#[test]
fn the_scheme_is_believed_from_trusted_peers_only() {
    let lines = headers(&[("x-forwarded-proto", "https")]);
    let policy = policy(&["10.0.0.0/8"], ForwardingHeader::XForwardedFor);
    assert_eq!(client("10.0.0.1", &lines, &policy).scheme, Scheme::Https);
    assert_eq!(client("10.0.0.1", &HeaderMap::new(), &policy).scheme, Scheme::Http);
    assert_eq!(client("203.0.113.1", &lines, &policy).scheme, Scheme::Http);
}

#[test]
fn a_trusted_proxy_says_what_it_was_asked_for() {
    use ForwardingHeader::{Forwarded, XForwardedFor};
    let check = |peer: &str, header, lines: &[(&str, &str)], expected: Option<&str>| {
        let policy = policy(&["10.0.0.0/8"], header);
        let headers = headers(lines);
        let client = client(peer, &headers, &policy);
        let host = forwarded_host(&headers, &client, &policy);
        let host = host.as_ref().map(|host| host.to_str().unwrap());
        assert_eq!(host, expected, "{peer} {lines:?}");
    };
    let host = ("host", "nas.lan");
    check("10.0.0.1", XForwardedFor, &[host, ("x-forwarded-host", "NAS.lan:8080")], Some("nas.lan:8080"));
    check("203.0.113.1", XForwardedFor, &[host, ("x-forwarded-host", "nas.lan:8080")], None);
    check("10.0.0.1", XForwardedFor, &[host, ("x-forwarded-port", "8080")], Some("nas.lan:8080"));
    let both = [host, ("x-forwarded-host", "shop.example"), ("x-forwarded-port", "8443")];
    check("10.0.0.1", XForwardedFor, &both, Some("shop.example:8443"));
    let said_twice = [host, ("x-forwarded-host", "shop.example:8080"), ("x-forwarded-port", "80")];
    check("10.0.0.1", XForwardedFor, &said_twice, Some("shop.example:8080"));
    check("10.0.0.1", XForwardedFor, &[host], None);
    for bad in ["evil.example/path", "user@evil.example", "a b"] {
        check("10.0.0.1", XForwardedFor, &[host, ("x-forwarded-host", bad)], None);
    }
    for bad in ["0", "65536", "-1", "80a"] {
        let expected = Some("nas.lan");
        check("10.0.0.1", XForwardedFor, &[host, ("x-forwarded-port", bad)], expected);
    }
    // Each proxy adds to the list: what the client wrote stands farther to the left than what trusted proxies did.
    let list = ("x-forwarded-host", "forged.example, shop.example, inner.example");
    check(
        "10.0.0.1",
        XForwardedFor,
        &[host, list, ("x-forwarded-for", "203.0.113.7")],
        Some("inner.example"),
    );
    check(
        "10.0.0.1",
        XForwardedFor,
        &[host, list, ("x-forwarded-for", "203.0.113.7, 10.2.2.2")],
        Some("shop.example"),
    );
    // The inner proxy may leave it as it is.
    let passed_on =
        [host, ("x-forwarded-host", "shop.example"), ("x-forwarded-for", "203.0.113.7, 10.2.2.2")];
    check("10.0.0.1", XForwardedFor, &passed_on, Some("shop.example"));
    let forwarded = (
        "forwarded",
        "for=6.6.6.6;host=forged.example, for=203.0.113.7;host=\"shop.example:8443\", for=10.2.2.2",
    );
    check("10.0.0.1", Forwarded, &[host, forwarded], Some("shop.example:8443"));
    check("10.0.0.1", Forwarded, &[host, ("x-forwarded-host", "shop.example")], None);
    check("10.0.0.1", XForwardedFor, &[host, forwarded], None);
}

#[test]
fn what_tells_of_another_client_is_not_of_this_machine() {
    for (peer, lines, expected) in [
        ("127.0.0.1", &[][..], true),
        ("::1", &[("x-forwarded-for", "127.0.0.1, ::1")], true),
        ("127.0.0.1", &[("forwarded", "for=\"[::1]:4711\"")], true),
        ("127.0.0.1", &[("x-forwarded-for", "203.0.113.7")], false),
        ("127.0.0.1", &[("x-forwarded-for", "127.0.0.1, 203.0.113.7")], false),
        ("127.0.0.1", &[("x-forwarded-for", "unknown")], false),
        ("127.0.0.1", &[("x-real-ip", "203.0.113.7")], false),
        ("127.0.0.1", &[("forwarded", "for=_hidden")], false),
        ("127.0.0.1", &[("via", "1.1 proxy")], false),
        ("192.168.0.7", &[], false),
        ("unix", &[], false),
    ] {
        assert_eq!(is_local(self::peer(peer), &headers(lines)), expected, "{peer} {lines:?}");
    }
}

#[test]
fn rows_32_33_45_forged_headers_do_not_reach_the_app() {
    let sent = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil"),
        ("x-forwarded-user", "admin"),
        ("forwarded", "for=6.6.6.6"),
        ("x-real-ip", "6.6.6.6"),
        ("remote-user", "admin"),
        ("x-original-url", "/admin"),
        ("x-http-method-override", "DELETE"),
        ("x_user", "admin"),
        ("x-user", "me"),
        ("accept", "*/*"),
    ];
    let kept = |peer: &str, policy: &Policy| {
        let mut request = Request::new(());
        *request.headers_mut() = headers(&sent);
        let call = call(peer, &request, policy);
        prepare(request.headers_mut(), &call, policy, || false);
        let mut names: Vec<_> = request.headers().keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        (names, request.headers()["x-forwarded-for"].clone())
    };
    let policy = Policy { drops_overrides: true, ..policy(&["10.0.0.0/8"], ForwardingHeader::XForwardedFor) };
    let (names, forwarded) = kept("203.0.113.1", &policy);
    assert_eq!(names, ["accept", "x-forwarded-for", "x-forwarded-proto", "x-request-id", "x-user"]);
    assert_eq!(forwarded, "203.0.113.1");
    let (names, forwarded) = kept("10.0.0.1", &policy);
    assert_eq!(forwarded, "6.6.6.6");
    assert!(
        names.contains(&"x-forwarded-user".to_owned()) && !names.contains(&"x_user".to_owned()),
        "{names:?}"
    );
    assert!(!names.contains(&"x-http-method-override".to_owned()), "{names:?}");
    // Nothing proves that no code of the app reads it.
    let (names, _) = kept("203.0.113.1", &Policy { drops_overrides: false, ..policy.clone() });
    assert!(names.contains(&"x-http-method-override".to_owned()), "{names:?}");
    let named =
        Policy { drop: vec!["x-http-method-override".parse().unwrap()], drops_overrides: false, ..policy };
    let (names, _) = kept("10.0.0.1", &named);
    assert!(!names.contains(&"x-http-method-override".to_owned()), "{names:?}");
}

#[test]
fn the_app_learns_the_port_that_was_asked_for() {
    let policy = policy(&["10.0.0.0/8"], ForwardingHeader::XForwardedFor);
    let port = |peer: &str, lines: &[(&str, &str)]| {
        let mut request = Request::new(());
        *request.headers_mut() = headers(lines);
        let call = call(peer, &request, &policy);
        prepare(request.headers_mut(), &call, &policy, || false);
        request.headers().get("x-forwarded-port").map(|port| port.to_str().unwrap().to_owned())
    };
    for (peer, lines, expected) in [
        ("203.0.113.1", &[("host", "shop.example:8000")] as &[_], Some("8000")),
        ("203.0.113.1", &[("host", "[::1]:8000"), ("x-forwarded-port", "9")], Some("8000")),
        ("203.0.113.1", &[("host", "shop.example")], Some("80")),
        ("10.0.0.1", &[("host", "shop.example"), ("x-forwarded-proto", "https")], Some("443")),
        ("10.0.0.1", &[("host", "inside:8000"), ("x-forwarded-port", "8443")], Some("8443")),
        ("10.0.0.1", &[("host", "inside:8000"), ("x-forwarded-host", "shop.example")], None),
        ("203.0.113.1", &[], None),
    ] {
        assert_eq!(port(peer, lines).as_deref(), expected, "{peer} {lines:?}");
    }
}

#[test]
fn networks_merge_and_stay_exact() {
    let texts: Vec<String> = ["10.0.0.0/9", "10.128.0.0/9", "192.0.2.0/25", "::1"].map(str::to_owned).into();
    let networks = Networks::parse(&texts).unwrap();
    for (address, inside) in [
        ("10.0.0.0", true),
        ("10.255.255.255", true),
        ("9.255.255.255", false),
        ("11.0.0.0", false),
        ("192.0.2.127", true),
        ("192.0.2.128", false),
        ("::1", true),
        ("::2", false),
    ] {
        assert_eq!(networks.contains(address.parse().unwrap()), inside, "{address}");
    }
    let bad: Vec<String> = ["10.0.0.0/33", "ok"].map(str::to_owned).into();
    assert_eq!(Networks::parse(&bad).unwrap_err(), [(0, "10.0.0.0/33"), (1, "ok")]);
}
