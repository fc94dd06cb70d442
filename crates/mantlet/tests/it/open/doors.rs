//! Who may see the page, and who may act on it.

use std::net::TcpStream;

use super::{Opened, Shop, split};
use crate::kit::{Client, command::Typed, read_all};

#[test]
fn an_address_opens_once_and_the_next_one_ends_it() {
    let shop = Shop::open();
    let mut opened = Opened::start(shop.process.folder());
    let first = opened.url();
    let (address, ticket) = split(&first);
    let ask =
        |path: &str| Client::connect(address).ask(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    // A request for what the browser might fetch ahead does not use it up.
    let ahead = format!("GET {ticket} HTTP/1.1\r\nHost: {address}\r\nSec-Purpose: prefetch\r\n\r\n");
    assert_eq!(Client::connect(address).ask(ahead).status, 403);
    assert_eq!(ask(&ticket).status, 200);
    let again = ask(&ticket);
    assert_eq!((again.status, again.header("set-cookie")), (403, None));
    assert!(String::from_utf8_lossy(&again.body).contains("Press Enter"));
    opened.press_enter();
    let (_, second) = split(&opened.url());
    opened.press_enter();
    let (_, third) = split(&opened.url());
    assert_eq!(ask(&second).status, 403, "the third one has taken its place");
    assert_eq!(ask("/open/").status, 403);
    assert_eq!(ask(&format!("/open/{}", "0".repeat(32))).status, 403);
    assert_eq!(ask(&third).status, 200);
}

#[test]
fn connections_that_say_nothing_lock_no_one_out() {
    let shop = Shop::open();
    let mut opened = Opened::start(shop.process.folder());
    let visitor = opened.visit();
    let silent: Vec<_> =
        (0..64).map(|_| TcpStream::connect(visitor.address).expect("a connection")).collect();
    assert!(visitor.get("now").contains("<h1>"), "{} connections are open", silent.len());
}

#[test]
fn without_its_cookie_nothing_is_shown_and_no_path_leads_elsewhere() {
    let shop = Shop::open();
    let mut opened = Opened::start(shop.process.folder());
    let visitor = opened.visit();
    let folder = &visitor.folder;
    let host = format!("Host: {}\r\n", visitor.address);
    for view in
        ["now", "refusals", "ratchet", "bans", "sessions", "objects", "contract", "audit", "record?seq=0"]
    {
        for cookie in ["", "Cookie: mantlet=\r\n", "Cookie: mantlet=00000000000000000000000000000000\r\n"] {
            let answer = visitor.raw("GET", &format!("{folder}{view}"), &format!("{host}{cookie}"), "");
            assert_eq!(answer.status, 403, "{view} {cookie:?}");
        }
        assert!(visitor.get(view).contains("<h1>"), "{view}");
    }
    for path in [
        "/".to_owned(),
        "/now".to_owned(),
        "/metrics".to_owned(),
        folder.trim_end_matches('/').to_owned(),
        format!("{folder}../now"),
        format!("{folder}now/"),
        format!("{folder}..%2f..%2fmantlet.toml"),
        format!("{folder}../../../../etc/passwd"),
        format!("/{}now", "0".repeat(32)),
        "/page.css/../../mantlet.toml".to_owned(),
    ] {
        let answer = visitor.raw("GET", &path, &visitor.lines(), "");
        assert_eq!(answer.status, 404, "{path}");
    }
    for (method, path) in
        [("POST", "now"), ("GET", "act"), ("PUT", "act"), ("DELETE", "sessions"), ("OPTIONS", "now")]
    {
        let lines = format!("{}{}", visitor.lines(), visitor.own());
        let answer = visitor.raw(method, &format!("{folder}{path}"), &lines, "");
        assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
        assert_eq!(answer.header("allow"), Some("GET, POST"));
    }
}

#[test]
fn every_response_is_for_this_page_alone() {
    let shop = Shop::open();
    let visitor = Opened::start(shop.process.folder()).visit_and_stay();
    for path in [format!("{}now", visitor.1.folder), "/page.css".to_owned(), "/nothing".to_owned()] {
        let answer = visitor.1.raw("GET", &path, &visitor.1.lines(), "");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

impl Opened {
    fn visit_and_stay(mut self) -> (Self, super::Visitor) {
        let visitor = self.visit();
        (self, visitor)
    }
}

#[test]
fn a_name_of_an_attacker_that_leads_here_is_refused() {
    let shop = Shop::open();
    let mut opened = Opened::start(shop.process.folder());
    let visitor = opened.visit();
    let (path, port) = (format!("{}now", visitor.folder), visitor.address.port());
    let cookie = format!("Cookie: {}\r\n", visitor.cookie);
    for host in [
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("0.0.0.0:{port}"),
    ] {
        let answer = visitor.raw("GET", &path, &format!("Host: {host}\r\n{cookie}"), "");
        assert_eq!(answer.status, 421, "{host}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("Requests"), "{host}");
    }
    assert!(matches!(visitor.raw("GET", &path, &cookie, "").status, 400 | 421));
    // A tunnel has a port of its own.
    for host in ["127.0.0.1:9000", "localhost:9000", "localhost"] {
        assert_eq!(visitor.raw("GET", &path, &format!("Host: {host}\r\n{cookie}"), "").status, 200, "{host}");
    }
}

#[test]
fn an_act_needs_this_page_and_the_form_of_its_session_and_leaves_a_record() {
    let shop = Shop::open();
    shop.traffic();
    let mut opened = Opened::start(shop.process.folder());
    let visitor = opened.visit();
    let (form, own) = (visitor.form(), visitor.own());
    let lift = "act=lift&what=203.0.113.9";
    let good = format!("form={form}&{lift}");
    let port = visitor.address.port();
    for (what, lines, body) in [
        (
            "another site",
            "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n".to_owned(),
            good.clone(),
        ),
        ("another port", format!("Origin: http://127.0.0.1:{}\r\n", port ^ 1), good.clone()),
        ("a file", "Origin: null\r\n".to_owned(), good.clone()),
        ("no origin", String::new(), good.clone()),
        ("same site only", own.replace("same-origin", "same-site"), good.clone()),
        ("no token", own.clone(), lift.to_owned()),
        ("another token", own.clone(), format!("form={}&{lift}", "0".repeat(32))),
        ("no act", own.clone(), format!("form={form}")),
        ("an unknown act", own.clone(), format!("form={form}&act=stop&what=x")),
    ] {
        assert_eq!(visitor.post(&lines, &body).status, 403, "{what}");
    }
    let large = format!("{good}&x={}", "x".repeat(9 << 10));
    assert_eq!(visitor.post(&own, &large).status, 413);
    let json = format!("{}{own}Content-Type: application/json\r\n", visitor.lines());
    assert_eq!(visitor.raw("POST", &format!("{}act", visitor.folder), &json, &good).status, 403);
    let acted = || {
        let all = read_all(&shop.log());
        all.into_iter().filter(|record| record["security_event"] == "operator-acted").collect::<Vec<_>>()
    };
    assert!(acted().is_empty(), "{:#?}", acted());
    assert!(visitor.get("bans").contains("203.0.113.9"), "it is still banned");

    let done = visitor.post(&own, &good);
    assert_eq!(done.status, 303);
    assert!(!visitor.get("bans").contains("is lifted"), "another tab is not told");
    let place = visitor.place(&done);
    assert!(place.starts_with("bans?"), "{place}");
    let page = visitor.get(&place);
    assert!(page.contains("The ban of <code>203.0.113.9</code> is lifted."), "{page}");
    assert!(!visitor.get(&place).contains("is lifted"), "it is said once");
    let refused = visitor.post(&own, &good);
    assert_eq!(refused.status, 303);
    let place = visitor.place(&refused);
    assert!(visitor.get(&place).contains("is not banned"), "what the gate says is shown");

    let sessions = visitor.get("sessions");
    let id = sessions
        .split("name=\"what\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a session");
    assert_eq!(visitor.post(&own, &format!("form={form}&act=end&what={id}")).status, 303);
    assert_eq!(visitor.post(&own, &format!("form={form}&act=end-all&what=alice")).status, 303);
    let records =
        crate::kit::eventually("a record of each act", || Some(acted()).filter(|acted| acted.len() == 4));
    let uid = rustix::process::getuid().as_raw();
    assert!(records.iter().all(|record| record["user"] == format!("uid:{uid}")), "{records:#?}");
    let told: Vec<_> = records
        .iter()
        .map(|record| (record["subject"].as_str().unwrap(), record["outcome"].as_str().unwrap()))
        .collect();
    let end = format!("end the session {id}, on the operator's page");
    let lift = "lift the ban of 203.0.113.9, on the operator's page";
    let all = "end the sessions of alice, on the operator's page";
    let outcome = told[3].1;
    assert_eq!(told, [(lift, "success"), (lift, "failure"), (&end, "success"), (all, outcome)]);
}

#[test]
fn no_part_of_it_is_where_clients_are() {
    let shop = Shop::open();
    let mut opened = Opened::start(shop.process.folder());
    let visitor = opened.visit();
    for path in [format!("{}now", visitor.folder), "/page.css".to_owned(), "/open/x".to_owned()] {
        let answer = shop.ask("GET", &path, &format!("Cookie: {}\r\n", visitor.cookie), "");
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[test]
fn where_no_mantlet_runs_it_says_so() {
    let finished = Typed::mantlet(["open"]).file("mantlet.toml", "state-folder = \"state\"\n").finish();
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("no Mantlet answers at"), "{}", finished.stderr);
    assert!(finished.stdout.is_empty(), "{}", finished.stdout);
}
