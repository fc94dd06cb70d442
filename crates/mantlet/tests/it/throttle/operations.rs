//! Sensitive operations by configuration, and accounts that are named in every way that an app reads.

use super::{assert_made_to_wait, from, log_in};
use crate::kit::{App, Client, Gateway, Setup, command::Typed};

/// A POST from an address of its own.
fn post(gateway: &Gateway, number: u8, target: &str, content_type: &str, body: impl AsRef<[u8]>) -> u16 {
    let body = body.as_ref();
    let mut client = from(&format!("127.0.1.{number}"), gateway.addr());
    client.send(format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    client.try_send(body);
    client.answer().status
}

fn forgot(gateway: &Gateway, number: u8) -> u16 {
    post(gateway, number, "/forgot-password", "application/json", r#"{"email": "a@example.com"}"#)
}

fn guess(gateway: &Gateway, number: u8) -> u16 {
    log_in(&mut from(&format!("127.0.1.{number}"), gateway.addr()), "alice", "wrong")
}

#[test]
fn an_operation_is_named_where_no_contract_shows_it() {
    let app = App::start("logins:app");
    let config = "[[throttle.operation]]\npaths = [\"/token\"]\npurpose = \"login\"\naccount = \"username\"\n\
                  by-account = \"2/15m\"\n";
    let gateway = Setup::serve(&format!("unix:{}", app.socket().display())).config(config).start();
    assert_eq!([1, 2, 3, 4].map(|number| guess(&gateway, number)), [400, 400, 429, 429]);
    // Nobody has named this one.
    assert_eq!([1, 2, 3, 4, 5, 6, 7].map(|number| forgot(&gateway, number)), [200; 7]);
    let records = gateway.end().audit;
    let subjects: Vec<_> = records.iter().map(|record| record["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["login-token-by-account"]);
}

#[test]
fn operations_that_were_found_are_changed_or_exempt() {
    let config = "[[throttle.operation]]\npaths = [\"/forgot-password\"]\nby-account = \"2/1h\"\n\
                  [[throttle.operation]]\npaths = [\"/token\"]\npurpose = \"none\"\n";
    let gateway = Setup::run("logins:app").config(config).start();
    assert_eq!([1, 2, 3].map(|number| forgot(&gateway, number)), [200, 200, 429]);
    assert_eq!([(); 20].map(|()| guess(&gateway, 1)), [400; 20]);
    // One is only watched.
    let watched = "[[throttle.operation]]\npaths = [\"/token\"]\nmode = \"report\"\n";
    gateway.reload(watched);
    gateway.wait_for("mantlet: configuration reloaded", 1);
    assert_eq!([(); 20].map(|()| guess(&gateway, 1)), [400; 20]);
    // What was counted before counts on, now for all resets together again.
    assert_eq!([(); 3].map(|()| forgot(&gateway, 9)), [200; 3]);
    let records = gateway.end().audit;
    let refusals = records.iter().filter(|one| one["security_event"] != "throttle-usage");
    let seen: Vec<_> = refusals.map(|one| (one["subject"].as_str(), one["mode"].as_str())).collect();
    let expected = [("reset-forgot-password-by-account", "enforce"), ("login-by-account", "report")];
    assert_eq!(seen, expected.map(|(rule, mode)| (Some(rule), Some(mode))));
}

#[test]
fn the_command_prints_what_is_in_force_and_which_line_says_so() {
    let config = "\
[[throttle.operation]]
paths = [\"/token\"]
by-account = \"5/15m\"
mode = \"report\"

[[throttle.operation]]
paths = [\"/forgot-password\"]
purpose = \"none\"

[[throttle.operation]]
paths = [\"/items/{item_id}\"]
methods = [\"GET\"]
purpose = \"redeem\"
";
    let finished =
        Typed::mantlet(["throttles", "logins:app"]).app("logins.py").file("mantlet.toml", config).finish();
    let expected = "\
logins:app (FastAPI) has 4 sensitive operations
  POST /token
    login: the word `token` is in its path; mantlet.toml:1 changes its limits
    for each address 50 failures in 15m; for each account (`username`) 5 failures in 15m; more are only recorded
  POST /session
    login: it takes `userName` and `password`
    for each address 50 failures in 15m; for each account (`userName` or `user_name`) 10 failures in 15m
  POST /forgot-password
    exempt: mantlet.toml:6 says so
  GET /items/{item_id}
    redeem: mantlet.toml:10 says so
    for each address 20 failures in 15m
  all others: each address may send as many requests as the app can carry; `throttle.rate = \"100/s\"` sets a number";
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), expected), "{}", finished.stderr);
    let fixed = format!("[throttle]\nrate = \"50/s\"\n{config}");
    let finished =
        Typed::mantlet(["throttles", "logins:app"]).app("logins.py").file("mantlet.toml", &fixed).finish();
    let line = "all others: each address may send 50/s, and 400 at once: mantlet.toml:2 says so";
    assert!(finished.stdout.contains(line), "{}", finished.stdout);
    let wrong = config.replace("redeem", "redemption").replace("5/15m", "0/15m");
    let finished =
        Typed::mantlet(["throttles", "logins:app"]).app("logins.py").file("mantlet.toml", &wrong).finish();
    assert_eq!(finished.code, Some(2));
    let mistake =
        "mantlet.toml:13: throttle.operation[2].purpose: `redemption` is not one of `login`, `reset`";
    assert!(finished.stderr.contains(mistake), "{}", finished.stderr);
}

#[test]
fn an_account_is_known_however_it_is_named() {
    let boundary = "multipart/form-data; boundary=b";
    let part = |head: &str, text: &str| format!("--b\r\nContent-Disposition: {head}\r\n\r\n{text}\r\n");
    let multipart = |number: u8| {
        // Of several the last counts, and what is odd but read hides nothing.
        let decoy = part("form-data; name=\"username\"", &format!("decoy{number}"));
        let odd = part("attachment; name=\"x\"", "y");
        let account = part("form-data; name=\"username\"", "Alice");
        decoy + &odd + &account + &part("form-data; name=\"password\"", "wrong") + "--b--\r\n"
    };
    let gateway = Setup::run("logins:app").config("[throttle]\n").start();
    let statuses: Vec<_> =
        (1..=8).map(|number| post(&gateway, number, "/token", boundary, multipart(number))).collect();
    assert_made_to_wait(&statuses);
    // The same account as in other forms: it has to wait there too.
    let form = "application/x-www-form-urlencoded";
    assert_eq!(post(&gateway, 9, "/token", form, "username=alice&password=wrong"), 429);
    // Nor is it another one under another name that the app takes.
    let statuses: Vec<_> = (1..=8)
        .map(|number| {
            let name = if number % 2 == 0 { "userName" } else { "user_name" };
            let body = format!("{{\"{name}\": \"bob\", \"password\": \"wrong\"}}");
            post(&gateway, number, "/session", "application/json", body)
        })
        .collect();
    assert_eq!(statuses[..4], [401; 4]);
    assert!(statuses[4..].contains(&429), "{statuses:?}");
    // What Python's JSON takes hides it no more than blanks.
    let odd = [
        r#"{"email": "x@example.com"}"#,
        r#"{"email": "decoy@example.com", "email": "x@example.com"}"#,
        r#"{"email": "x@example.com", "x": "\ud800"}"#,
        r#"{"email": "x@example.com", "x": [NaN, 1e999]}"#,
        "\u{feff}{\"email\": \" X@example.com\"}",
        r#"{"email": "x@example.com", "y": 1}"#,
    ];
    let statuses: Vec<_> = odd
        .iter()
        .zip(1..)
        .map(|(body, number)| post(&gateway, number, "/forgot-password", "application/json", body))
        .collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
}

#[test]
fn an_account_that_is_hidden_from_the_gate_is_counted_with_all_that_are() {
    // The contract's own control would refuse the second kind by itself.
    let gateway = Setup::run("logins:app").config("[contract]\ninput = \"report\"\n[throttle]\n").start();
    let form = "application/x-www-form-urlencoded";
    // Too long to be read ahead.
    let statuses: Vec<_> = (1..=8)
        .map(|number| {
            let body = format!("password=wrong&username=alice&pad{number}={}", "x".repeat(65 << 10));
            post(&gateway, number, "/token", form, body)
        })
        .collect();
    assert_made_to_wait(&statuses);
    assert_eq!(guess(&gateway, 9), 400, "who says whom he means is counted for that");
    // UTF-16, which Python guesses.
    let statuses: Vec<_> = (1..=6)
        .map(|number| {
            let body = format!("{{\"email\": \"{number}@example.com\"}}");
            let body: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
            post(&gateway, number, "/forgot-password", "application/json", body)
        })
        .collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
    let mut client = Client::connect(gateway.addr());
    assert_eq!(super::attempts(&mut client), 4 + 1 + 5);
}

#[test]
fn what_takes_an_account_and_a_password_is_a_login_once_it_has_answered_401() {
    let gateway = Setup::run("lookalikes:app").config("[throttle]\n").start();
    let send = |number: u8, target: &str, name: &str| {
        let body = format!(r#"{{"username": "{name}", "password": "wrong"}}"#);
        post(&gateway, number, target, "application/json", body)
    };
    // It says what is wrong, and that is no password.
    assert_eq!([(); 60].map(|()| send(1, "/relays", "nobody")), [400; 60]);
    assert_eq!(send(1, "/relays", "ann"), 200);
    // Both spellings are one login.
    let statuses: Vec<_> = (1..=12)
        .map(|number| send(number, if number % 2 == 0 { "/enter" } else { "/api/enter" }, "ann"))
        .collect();
    assert_eq!(statuses[..5], [401; 5]);
    assert!(statuses[5..].contains(&429), "{statuses:?}");
    assert_eq!(send(20, "/enter", "bob"), 401);
}
