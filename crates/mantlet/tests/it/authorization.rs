//! What callers may do: scopes that the app declares, and rules of the configuration.

use serde_json::Value;

use crate::{
    identity::{Running, Subject, token},
    kit::{Answer, Client, command::Typed, eventually},
};

const STAFF: Subject = Subject {
    name: "staff.py",
    entry: "staff:app",
    prepare: |_| (),
    entrance: Vec::new,
    carried: "Authorization: Bearer {token}",
    guarded: "/stock",
    key: b"the-master-of-the-keys-has-a-long-beard",
    traffic: Vec::new,
    stopped: 0,
    recorded: &[],
};

fn log_in(running: &Running, name: &str, scopes: &str) -> String {
    let password = if name == "ann" { "battlement" } else { "drawbridge" };
    running.token(&format!("username={name}&password={password}&scope={scopes}"))
}

fn ask(running: &Running, method: &str, target: &str, token: &str, lines: &str) -> Answer {
    let token = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n{token}{lines}\r\n", running.addr());
    Client::connect(running.addr()).ask(head)
}

/// The remedies of the records for a reason, and what was done.
fn recorded(records: &[Value], reason: &str) -> Vec<(String, String, String)> {
    let own = records.iter().filter(|record| record["reason"] == reason);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    own.map(|record| (text(&record["action"]), text(&record["path"]), text(&record["remedy"]))).collect()
}

#[test]
fn a_missing_scope_is_recorded_where_the_app_does_not_look_at_it() {
    let running = Running::start(&STAFF, "");
    let (none, all) = (log_in(&running, "bob", ""), log_in(&running, "bob", "me+stock"));
    for (token, statuses) in [(&none, [401, 200, 200, 200]), (&all, [200, 200, 200, 200])] {
        let seen = ["/me", "/stock", "/admin/users", "/open"]
            .map(|target| ask(&running, "GET", target, token, "").status);
        assert_eq!(seen, statuses);
    }
    let refused = ask(&running, "GET", "/me", &none, "");
    assert_eq!(refused.json()["detail"], "Not enough permissions", "the app says it itself");
    let records = running.gateway.end().audit;
    let remedy = "authorization.scopes = \"enforce\"";
    assert_eq!(
        recorded(&records, "scope-missing"),
        [("pass".to_owned(), "/stock".to_owned(), remedy.to_owned())],
        "{records:#?}"
    );
}

#[test]
fn a_missing_scope_is_refused_with_one_line() {
    for config in ["authorization.scopes = \"enforce\"\n", "contract.posture = \"strict\"\n"] {
        let running = Running::start(&STAFF, config);
        let (none, all) = (log_in(&running, "bob", ""), log_in(&running, "bob", "me+stock"));
        let refused = ask(&running, "GET", "/stock", &none, "");
        assert_eq!((refused.status, refused.code().as_str()), (403, "scope-missing"), "{config}");
        assert_eq!(refused.json()["detail"], "Not enough permissions");
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"stock\"";
        assert_eq!(refused.header("www-authenticate"), Some(challenge));
        let seen = ["/me", "/stock", "/admin/users", "/open"]
            .map(|target| ask(&running, "GET", target, &all, "").status);
        assert_eq!(seen, [200; 4], "{config}");
        assert_eq!(ask(&running, "GET", "/admin/users", &none, "").status, 200, "it declares no scopes");
        // uvicorn logs a request before it responds. The gate itself asks with forged tokens, in vain.
        let log = eventually("the app's log has the last request", || {
            Some(running.gateway.stdout())
                .filter(|log| log.matches("GET /admin/users HTTP/1.1\" 200").count() == 2)
        });
        assert_eq!(
            log.matches("GET /stock HTTP/1.1\" 200").count(),
            1,
            "the refused one has not reached it: {log}"
        );
        let records = running.gateway.end().audit;
        let record = records.iter().find(|record| record["reason"] == "scope-missing").expect("a record");
        assert_eq!((&record["action"], &record["subject"]), (&"refuse".into(), &"stock".into()));
        assert_eq!(record["user"], "bob");
    }
}

const RULES: &str = r#"
[[authorization.allow]]
paths = ["/admin/{rest:path}"]
who = ["principal:role = admin", "network:192.0.2.0/24"]

[[authorization.deny]]
tags = ["admin"]
methods = ["DELETE"]
unless = ["network:192.0.2.0/24"]
hide = true

[[authorization.deny]]
paths = ["/open"]
unless = ["authenticated"]
mode = "report"
"#;

#[test]
fn rules_say_who_may_do_what() {
    let running = Running::start(&STAFF, RULES);
    let (ann, bob) = (log_in(&running, "ann", ""), log_in(&running, "bob", ""));
    assert_eq!(ask(&running, "GET", "/admin/users", &ann, "").status, 200);

    let before = running.reached("/admin/users");
    let refused = ask(&running, "GET", "/admin/users", &bob, "");
    assert_eq!((refused.status, refused.code().as_str()), (403, "access-denied"));
    let anonymous = ask(&running, "GET", "/admin/users", "", "");
    assert_eq!((anonymous.status, anonymous.code().as_str()), (401, "credentials-missing"));
    assert_eq!(anonymous.header("www-authenticate"), Some("Bearer"));
    // What a client only says of itself makes nobody an admin.
    let forged =
        token::with(&bob, &serde_json::json!({"role": "admin"}), b"another key of 32 bytes, at least");
    for (token, lines) in [
        (&*forged, ""),
        ("", "Cookie: role=admin; theme=dark\r\n"),
        (
            &*bob,
            "X-Mantlet-Principal: {\"sub\":\"ann\",\"role\":\"admin\"}\r\nX-Forwarded-For: 192.0.2.7\r\n",
        ),
        (&*bob, "X-HTTP-Method-Override: GET\r\nX-Original-URL: /open\r\n"),
    ] {
        let status = ask(&running, "GET", "/admin/users", token, lines).status;
        assert!(matches!(status, 401 | 403), "{lines}: {status}");
    }
    for spelling in
        ["/admin//users", "/admin/./users", "/%61dmin/users", "/admin/users?x=1", "/open/../admin/users"]
    {
        assert_ne!(ask(&running, "GET", spelling, &bob, "").status, 200, "{spelling}");
    }
    assert_eq!(running.reached("/admin/users"), before);

    // Hidden: as a path that does not exist.
    let hidden = ask(&running, "DELETE", "/admin/users/bob", &ann, "");
    let unknown = ask(&running, "DELETE", "/nothing/here", &ann, "");
    assert_eq!((hidden.status, &hidden.json()["detail"]), (404, &unknown.json()["detail"]));

    // A preflight has no credentials, and the app answers it.
    let preflight = "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n";
    let preflight = ask(&running, "OPTIONS", "/admin/users", "", preflight);
    assert!(!matches!(preflight.status, 401 | 403), "{preflight:?}");
    assert_eq!(ask(&running, "GET", "/open", "", "").status, 200, "it is only recorded");
    assert_eq!(ask(&running, "GET", "/open", &bob, "").status, 200);

    let records = running.gateway.end().audit;
    let denied = recorded(&records, "access-denied");
    let of_hidden = ("refuse", "/admin/users/bob", "mode = \"report\" # in authorization.deny[0]");
    let of_allow = ("refuse", "/admin/users", "mode = \"report\" # in authorization.allow[0]");
    for expected in [of_allow, of_hidden] {
        let is_it =
            |(action, path, remedy): &(String, String, String)| (&**action, &**path, &**remedy) == expected;
        assert!(denied.iter().any(is_it), "{expected:?}: {denied:#?}");
    }
    let of_open = recorded(&records, "credentials-missing");
    let reported = ("pass", "/open", "mode = \"enforce\" # in authorization.deny[1]");
    let count =
        of_open.iter().filter(|(action, path, remedy)| (&**action, &**path, &**remedy) == reported).count();
    assert_eq!(count, 1, "{of_open:#?}");
}

/// A credential that is withheld takes nothing from the caller of another one.
#[test]
fn an_ended_session_beside_a_token_changes_nothing_of_its_caller() {
    let config = format!("{RULES}\n[authentication]\nsessions = \"enforce\"\n");
    let running = Running::start(&STAFF, &config);
    let (ann, bob) = (log_in(&running, "ann", ""), log_in(&running, "bob", ""));
    let cookie = "Cookie: desk=a-number-that-is-long-enough\r\n";
    let sat_down = running.post("/desk/login", "username=bob&password=drawbridge");
    assert_eq!(sat_down.status, 200, "{sat_down:?}");
    assert_eq!(
        ask(&running, "POST", "/desk/logout", "", &format!("{cookie}Content-Length: 0\r\n")).status,
        204
    );
    assert_eq!(ask(&running, "GET", "/desk", "", cookie).status, 401, "it has ended");
    for (token, status) in [(&ann, 200), (&bob, 403)] {
        for lines in ["", cookie] {
            assert_eq!(ask(&running, "GET", "/admin/users", token, lines).status, status, "{lines}");
        }
    }
}

/// The app looks at neither.
#[test]
fn the_id_in_a_path_or_a_query_is_the_callers() {
    let rules = r#"
[[authorization.allow]]
paths = ["/people/{name}/{rest:path}"]
who = ["path:name = principal:sub", "principal:role = admin"]

[[authorization.deny]]
paths = ["/letters"]
unless = ["query:name = principal:sub"]
"#;
    let running = Running::start(&STAFF, rules);
    let (ann, bob) = (log_in(&running, "ann", ""), log_in(&running, "bob", ""));
    for (token, target, status) in [
        (&bob, "/people/bob/letters/1", 200),
        (&bob, "/people/%62ob/letters/1", 200),
        (&bob, "/people/ann/letters/1", 403),
        (&bob, "/people/Bob/letters/1", 403),
        (&bob, "/people/bob%20/letters/1", 403),
        (&ann, "/people/bob/letters/1", 200),
        (&bob, "/letters?name=bob", 200),
        (&bob, "/letters?name=ann", 403),
        (&ann, "/letters?name=bob", 403),
        // FastAPI takes the last.
        (&bob, "/letters?name=bob&name=ann", 403),
        (&bob, "/letters?name=ann&name=bob", 403),
        (&bob, "/letters?name=bob&n%61me=ann", 403),
        (&bob, "/letters", 403),
    ] {
        let answer = ask(&running, "GET", target, token, "");
        assert_eq!(answer.status, status, "{target}: {answer:?}");
    }
    assert_eq!(ask(&running, "GET", "/letters?name=bob", "", "").status, 401);
}

#[test]
fn a_mistake_in_a_rule_is_told_with_its_place() {
    let said = Typed::mantlet(["config", "check"])
        .file("mantlet.toml", "[[authorization.allow]]\npaths = [\"/admin\"]\nwho = [\"role:admin\"]\n")
        .finish();
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    let expected = "authorization.allow[0].who[0]: `role:admin` is not a condition";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
}
