//! Tokens that an app hands out in unusual ways: under short names and in a list, and in an address.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Running, Subject,
    step::{Step, post},
    token,
};
use crate::kit::Client;

const BEARER: &str = "Authorization: Bearer {token}";
const FORM: &str = "username=ann&password=battlement";

const HANDED: Subject = Subject {
    name: "handed.py",
    entry: "handed:app",
    prepare: |_| (),
    entrance: || -> Vec<Step> {
        vec![post("/login").form(FORM).is(200, "access").keep("token", "/data/0/access")]
    },
    carried: BEARER,
    guarded: "/me",
    key: b"portcullis-and-drawbridge-are-both-down",
    traffic: Vec::new,
    stopped: 0,
    recorded: &[],
};

fn post_to(running: &Running, target: &str, header: &str, body: &str) -> (u16, String) {
    let head = format!("POST {target} HTTP/1.1\r\nHost: {}\r\n{header}\r\n", running.addr());
    let answer =
        Client::connect(running.addr()).ask(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}

#[test]
fn a_token_in_a_list_or_in_an_address_ends_with_its_session() {
    let running = Running::start(&HANDED, "authentication.sessions = \"enforce\"\n");
    let form = "Content-Type: application/x-www-form-urlencoded";
    let (status, body) = post_to(&running, "/login", form, FORM);
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let text = |pointer| body.pointer(pointer).and_then(Value::as_str).expect("a token").to_owned();
    let (in_list, beside) = (text("/data/0/access"), text("/ticket"));

    let sent = running.shown("", "/auth/partner/callback?code=of-the-partner");
    let address = sent.header("location").expect("an address").to_owned();
    assert_eq!(sent.status, 303, "{sent:?}");
    let (_, rest) = address.split_once("access_token=").expect("a token");
    let in_address = rest.split('&').next().expect("a token").to_owned();

    for token in [&in_list, &beside, &in_address] {
        assert_eq!(running.guarded(token).status, 200);
    }
    for token in [&in_list, &in_address] {
        let logout = post_to(&running, "/logout", &format!("Authorization: Bearer {token}"), "");
        assert_eq!(logout.0, 204, "{logout:?}");
    }
    for token in [&in_list, &beside, &in_address] {
        assert_eq!(running.guarded(token).status, 401);
    }
    assert_eq!(running.gateway.end().count("session-ended"), 3);
}

/// Python's libraries skip what cannot be of a signature.
#[test]
fn a_token_that_has_ended_is_refused_in_every_spelling() {
    let running = Running::start(&HANDED, "authentication.sessions = \"enforce\"\n");
    let good = running.login();
    assert_eq!(running.guarded(&good).status, 200);
    assert_eq!(post_to(&running, "/logout", &format!("Authorization: Bearer {good}"), "").0, 204);
    let before = running.reached("/me");
    let shown = |line: &[u8]| {
        let head = format!("GET /me HTTP/1.1\r\nHost: {}\r\n", running.addr());
        Client::connect(running.addr()).ask([head.as_bytes(), line, b"\r\n\r\n"].concat()).status
    };
    for more in [&b""[..], b"=", b"==", b"\xe9", b"!", b"=; "] {
        let line = [format!("Authorization: Bearer {good}").as_bytes(), more].concat();
        assert_eq!(shown(&line), 401, "{more:?}");
        let line = [&line, &b"\r\nCookie: theme=dark"[..]].concat();
        assert_eq!(shown(&line), 401, "{more:?} beside a cookie");
    }
    assert_eq!(running.reached("/me"), before);
}

/// The app repeats a token that the client has sent: that is not handed out.
#[test]
fn a_token_that_the_app_only_repeats_begins_no_session() {
    let running = Running::start(&HANDED, "");
    running.login();
    let claims = json!({"sub": "mallory", "jti": "1", "exp": Timestamp::now().as_second() + 3_600});
    let stolen = token::signed(&json!({"alg": "HS256", "typ": "JWT"}), &claims, HANDED.key);
    let sent = running.shown("", &format!("/open?to={stolen}"));
    assert!(sent.header("location").expect("an address").contains(&stolen), "{sent:?}");
    assert_eq!(running.guarded(&stolen).status, 200, "the app takes it");
    let listed = running.gateway.tell(&["sessions"]).stdout;
    assert!(listed.contains("ann") && !listed.contains("mallory"), "{listed}");
}

/// The word of an operator needs no line of configuration.
#[test]
fn a_session_that_an_operator_has_ended_is_refused_by_default() {
    operator_ends("");
}

/// And no line gives it back.
#[test]
fn a_session_that_an_operator_has_ended_is_refused_whatever_ends_others() {
    operator_ends("authentication.sessions = \"enforce\"\n");
}

fn operator_ends(config: &str) {
    let running = Running::start(&HANDED, config);
    let good = running.login();
    assert_eq!(running.guarded(&good).status, 200);
    let said = running.gateway.tell(&["sessions", "revoke", "--account", "ann"]);
    assert!(said.stdout.contains("is revoked"), "{} {}", said.stdout, said.stderr);
    assert_eq!(running.guarded(&good).status, 401);
    let next = running.login();
    assert_eq!(running.guarded(&next).status, 200);
    let records = running.gateway.end().audit;
    let refused =
        records.iter().find(|record| record["reason"] == "session-ended" && record["action"] == "refuse");
    assert_eq!(refused.expect("a record")["remedy"], Value::Null);
}
