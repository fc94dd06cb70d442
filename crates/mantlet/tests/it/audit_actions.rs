//! What was done is recorded: by the app's contract and its answers, by the operator, by the app itself.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::kit::{Answer, Client, Gateway, Setup, eventually, is_of_action, provided, read_all};

fn run(config: &str) -> Gateway {
    setup(config).start()
}

fn setup(config: &str) -> Setup {
    let python =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python").canonicalize().expect("Python code");
    Setup::run_with(provided("MANTLET_TEST_SDK"), "actions:app")
        .config(config)
        .variables(vec![("PYTHONPATH", python.into())])
}

fn ask(gateway: &Gateway, method: &str, target: &str, lines: &str, body: &str) -> Answer {
    Client::connect(gateway.addr()).ask(format!(
        "{method} {target} HTTP/1.1\r\nHost: {}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        gateway.addr(),
        body.len()
    ))
}

fn post(gateway: &Gateway, target: &str, token: &str, body: &Value) -> Answer {
    let lines = format!("Content-Type: application/json\r\n{}", bearer(token));
    ask(gateway, "POST", target, &lines, &body.to_string())
}

fn bearer(token: &str) -> String {
    if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") }
}

fn log_in(gateway: &Gateway, user: &str, password: &str) -> Answer {
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    ask(gateway, "POST", "/login", form, &format!("username={user}&password={password}"))
}

fn text(answer: &Answer, name: &str) -> String {
    answer.json()[name].as_str().expect("text").to_owned()
}

/// The record of an action of a request.
fn action_of(gateway: &Gateway, answer: &Answer) -> Value {
    let id = answer.request_id();
    eventually(&format!("an action of {id}"), || {
        let of_request = |record: &Value| record["request_id"] == id && is_of_action(record);
        read_all(&gateway.audit_file()).into_iter().find(of_request)
    })
}

/// All records of actions of requests, once the gate has ended.
fn actions_of(file: &Path, answer: &Answer) -> Vec<Value> {
    let id = answer.request_id();
    let of_request = |record: &Value| record["request_id"] == id && is_of_action(record);
    read_all(file).into_iter().filter(of_request).collect()
}

fn kept(gateway: Gateway, state: &Path) -> PathBuf {
    let file = gateway.audit_file();
    assert!(file.starts_with(state));
    gateway.end();
    file
}

/// Eight hexadecimal digits, as `docs/audit.md` says how to find them.
fn hash_of(account: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for part in [account.as_bytes(), b""] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let first = hash.finalize()[..4].try_into().expect("four bytes");
    format!("{:08x}", u32::from_be_bytes(first))
}

#[test]
fn by_default_each_sensitive_action_is_one_record_with_its_outcome() {
    let gateway = setup("").by_default().start();
    let check = |answer: &Answer, expected: Value| {
        let record = action_of(&gateway, answer);
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(&record[name], value, "{name}: {record}");
        }
        assert_eq!(
            (&record["client_ip"], &record["action"]),
            (&json!("127.0.0.1"), &json!("pass")),
            "{record}"
        );
        record
    };

    let failed = log_in(&gateway, "ann", "wrong");
    let record = check(
        &failed,
        json!({
            "security_event": "login-failed", "reason": "login-failed", "status": 401, "outcome": "failure",
            "method": "POST", "path": "/login", "operation": "/login", "user": null, "account": hash_of("ann"),
            "session": null,
        }),
    );
    assert!(!record.to_string().contains("\"ann\""), "{record}");

    // Whose login it was the token says that the app has handed out.
    let first = log_in(&gateway, "ann", "drawbridge");
    let record = check(
        &first,
        json!({
            "security_event": "login-succeeded", "status": 200, "outcome": "success", "user": "id-of-ann",
            "account": null, "operation": "/login",
        }),
    );
    let session = record["session"].as_str().expect("a session").to_owned();
    let listed = gateway.tell(&["sessions", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let own = listed["sessions"].as_array().expect("a list").iter();
    let own: Vec<_> = own.filter(|one| one["id"].as_str().expect("text").starts_with(&session)).collect();
    assert_eq!((own.len(), session.len()), (1, 8), "{listed}");

    let (token, renewal) = (text(&first, "access_token"), text(&first, "refresh_token"));
    let renewed = post(&gateway, "/token/refresh", "", &json!({ "refresh_token": renewal }));
    check(
        &renewed,
        json!({
            "security_event": "token-refreshed", "outcome": "success", "user": "id-of-ann", "session": session,
        }),
    );

    let change = |current: &str| json!({ "current_password": current, "new_password": "a-moat-and-a-keep" });
    check(
        &post(&gateway, "/change-password", &token, &change("wrong")),
        json!({
            "security_event": "password-change-failed", "status": 403, "outcome": "failure", "user": "id-of-ann",
            "session": session,
        }),
    );
    check(
        &post(&gateway, "/change-password", &token, &change("drawbridge")),
        json!({
            "security_event": "password-changed", "status": 200, "outcome": "success", "user": "id-of-ann",
            "session": session,
        }),
    );

    check(
        &post(&gateway, "/forgot-password", "", &json!({ "username": "ann" })),
        json!({
            "security_event": "password-reset-requested", "status": 202, "outcome": "success", "user": null,
            "account": hash_of("ann"),
        }),
    );
    let reset = |code: &str| json!({ "username": "ann", "code": code, "new_password": "another-keep" });
    check(
        &post(&gateway, "/reset-password", "", &reset("guessed")),
        json!({
            "security_event": "password-reset-failed", "status": 400, "outcome": "failure", "user": null,
            "account": hash_of("ann"),
        }),
    );
    check(
        &post(&gateway, "/reset-password", "", &reset("the-code-of-ann")),
        json!({
            "security_event": "password-reset", "status": 200, "outcome": "success", "user": "ann", "account": null,
        }),
    );

    check(
        &post(&gateway, "/register", "", &json!({ "username": "eve", "password": "gatehouse" })),
        json!({
            "security_event": "account-created", "status": 201, "outcome": "success", "user": "eve",
        }),
    );

    let last = text(&log_in(&gateway, "bob", "barbican"), "access_token");
    check(
        &post(&gateway, "/logout", &last, &json!({})),
        json!({
            "security_event": "logout", "status": 200, "outcome": "success", "user": "id-of-bob",
        }),
    );

    // Beside what is recorded of the sessions themselves.
    let ends = |record: &&Value| record["security_event"] == "session-ended";
    assert!(gateway.audit(1).iter().filter(ends).count() >= 2);
    let everything = std::fs::read_to_string(gateway.audit_file()).expect("text");
    for secret in ["drawbridge", "barbican", "gatehouse", "a-moat-and", "another-keep", "the-code", "eyJ"] {
        assert!(!everything.contains(secret), "{secret}");
    }
}

#[test]
fn nothing_is_said_that_is_not_certain() {
    let state = tempfile::tempdir().expect("a folder");
    let gateway = setup("").state(state.path()).start();
    // A page that is shown again says 200, too.
    let account = |password: &str| json!({ "username": "ann", "password": password });
    let again = post(&gateway, "/page/login", "", &account("wrong"));
    let record = action_of(&gateway, &again);
    assert_eq!([&record["security_event"], &record["outcome"]], ["login-attempted", "unknown"]);
    let welcome = post(&gateway, "/page/login", "", &account("drawbridge"));
    let record = action_of(&gateway, &welcome);
    assert_eq!([&record["security_event"], &record["outcome"]], ["login-succeeded", "success"]);
    assert_eq!((&record["user"], record["session"].as_str().map(str::len)), (&json!("ann"), Some(8)));
    // What has the word but makes no account; what is refused; and what is not sensitive.
    let invited = post(&gateway, "/invitations/accept", "", &json!({ "email": "eve@example.com" }));
    let taken = post(&gateway, "/register", "", &account("drawbridge"));
    let unread = ask(&gateway, "POST", "/login/%2e%2e/login", "", "");
    let exported = ask(&gateway, "GET", "/export", "", "");
    let stranger = ask(&gateway, "GET", "/orders/1", "", "");
    let statuses = [&invited, &taken, &unread, &exported, &stranger].map(|answer| answer.status);
    assert_eq!(statuses, [200, 409, 400, 200, 401]);
    let refused = gateway.audit_of(unread.request_id());
    assert_eq!([&refused["security_event"], &refused["outcome"]], ["request-refused", "denied"]);
    let file = kept(gateway, state.path());
    for answer in [invited, taken, unread, exported, stranger] {
        assert_eq!(actions_of(&file, &answer), Vec::<Value>::new());
    }
}

#[test]
fn a_route_says_of_which_requests_there_are_records() {
    let state = tempfile::tempdir().expect("a folder");
    let config = "[[route]]\npath = \"/orders/{order_id}\"\nmethods = [\"DELETE\"]\naudit = \"always\"\n\
                  [[route]]\npath = \"/export\"\naudit = \"always\"\n\
                  [[route]]\npath = \"/slow\"\naudit = \"always\"\n\
                  [[route]]\npath = \"/orders/{order_id}\"\naudit = \"failures\"\n\
                  [[route]]\npath = \"/login\"\naudit = \"never\"\n";
    let gateway = setup(config).state(state.path()).start();
    let login = log_in(&gateway, "ann", "drawbridge");
    let token = text(&login, "access_token");
    let with_token = |method, target| ask(&gateway, method, target, &bearer(&token), "");
    let said = |answer: &Answer| {
        let record = action_of(&gateway, answer);
        ["security_event", "outcome", "user", "object"].map(|name| record[name].clone())
    };
    let of_ann =
        |outcome, object| [json!("request-recorded"), json!(outcome), json!("id-of-ann"), json!(object)];
    assert_eq!(said(&with_token("DELETE", "/orders/17")), of_ann("success", "orders/17"));
    assert_eq!(said(&with_token("DELETE", "/orders/66")), of_ann("denied", "orders/66"));
    assert_eq!(said(&with_token("DELETE", "/orders/100")), of_ann("failure", "orders/100"));
    assert_eq!(said(&with_token("GET", "/orders/100")), of_ann("failure", "orders/100"));
    let exported = ask(&gateway, "GET", "/export?format=csv&key=secret", "", "");
    assert_eq!(said(&exported), [json!("request-recorded"), json!("success"), Value::Null, Value::Null]);
    assert_eq!(action_of(&gateway, &exported)["path"], "/export");
    assert_eq!(said(&log_in(&gateway, "ann", "wrong"))[0], "login-failed", "failures are not silenced");
    // The client leaves: the app may have done it.
    let mut leaving = Client::connect(gateway.addr());
    leaving.send(format!("GET /slow HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.addr()));
    let waiting = || ask(&gateway, "GET", "/waiting", "", "").json();
    eventually("the app has it", || (waiting() == 1).then_some(()));
    drop(leaving);
    eventually("its end is not known", || {
        let records = read_all(&gateway.audit_file());
        records.iter().any(|one| one["path"] == "/slow" && one["outcome"] == "unknown").then_some(())
    });
    let read = with_token("GET", "/orders/17");
    assert_eq!(read.status, 200);
    let file = kept(gateway, state.path());
    for answer in [login, read] {
        assert_eq!(actions_of(&file, &answer), Vec::<Value>::new());
    }
}

#[test]
fn all_requests_are_recorded_or_none() {
    let gateway = run("[audit]\nactions = \"all\"\n");
    let answer = ask(&gateway, "GET", "/export", "", "");
    assert_eq!(action_of(&gateway, &answer)["security_event"], "request-recorded");
    assert_eq!(action_of(&gateway, &log_in(&gateway, "ann", "wrong"))["security_event"], "login-failed");
    drop(gateway);

    let state = tempfile::tempdir().expect("a folder");
    let gateway = setup("[audit]\nactions = \"off\"\n").state(state.path()).start();
    log_in(&gateway, "ann", "drawbridge");
    assert_eq!(post(&gateway, "/events/user.deleted", "", &json!({})).status, 200);
    gateway.reload("[audit]\nactions = \"off\"\n[limits]\nbody-size = \"1 MiB\"\n");
    gateway.wait_for("configuration reloaded", 1);
    assert_eq!(ask(&gateway, "GET", "/%00", "", "").status, 400);
    let file = kept(gateway, state.path());
    let records = read_all(&file);
    assert!(!records.is_empty() && !records.iter().any(is_of_action), "{records:?}");
}

#[test]
fn of_a_flood_of_failed_logins_the_first_are_kept_and_those_that_succeed() {
    let state = tempfile::tempdir().expect("a folder");
    let gateway = setup("").state(state.path()).start();
    let mut client = Client::connect(gateway.addr());
    let mut try_it = |password: &str| {
        let body = format!("username=ann&password={password}");
        client.ask(format!(
            "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    for _ in 0..300 {
        assert_eq!(try_it("wrong").status, 401);
    }
    let answers: Vec<_> = (0..150).map(|_| try_it("drawbridge")).collect();
    let file = kept(gateway, state.path());
    let records = read_all(&file);
    let count = |event: &str| records.iter().filter(|record| record["security_event"] == event).count();
    assert_eq!(count("login-succeeded"), answers.len(), "each of them");
    let of_all = |record: &&Value| {
        record["security_event"] == "records-summed"
            && record["reason"] == "login-failed"
            && record["client_ip"].is_null()
    };
    let summed: u64 = records.iter().filter(of_all).filter_map(|one| one["summed"]["count"].as_u64()).sum();
    let kept = count("login-failed");
    assert_eq!(kept as u64 + summed, 300, "each is kept or counted");
    // A hundred a minute, and the minute may have ended meanwhile.
    assert!((100..300).contains(&kept) && kept % 100 == 0, "{kept}");
}

#[test]
fn the_gate_itself_is_recorded_and_its_operator() {
    let state = tempfile::tempdir().expect("a folder");
    let gateway = setup("").state(state.path()).start();
    let [started] = &gateway.actions(&["gate-started"], 1)[..] else { panic!("one start") };
    let data = &started["data"];
    let first = data["digest"].as_str().expect("a digest").to_owned();
    assert_eq!((first.len(), &data["pid"]), (64, &json!(gateway.pid())));
    assert_eq!(data["version"], env!("CARGO_PKG_VERSION"));
    assert!(data["app"].as_str().is_some_and(|app| app.contains("actions:app")), "{started}");

    gateway.reload("");
    let again = &gateway.actions(&["configuration-reloaded"], 1)[0];
    assert_eq!(again["data"]["digest"], *first, "the same configuration has the same digest");
    gateway.reload("[limits]\nbody-size = \"1 MiB\"\n");
    let changed = &gateway.actions(&["configuration-changed"], 1)[0];
    assert_eq!((&changed["data"]["former"], &changed["outcome"]), (&json!(first), &json!("success")));
    assert_ne!(changed["data"]["digest"], *first);
    assert_eq!(log_in(&gateway, "ann", "drawbridge").status, 200);
    assert_eq!(gateway.tell(&["sessions", "--account", "ann", "revoke"]).code, Some(0));
    assert_eq!(gateway.tell(&["keys", "create", "reports"]).code, Some(0));
    assert_ne!(gateway.tell(&["bans", "lift", "203.0.113.7"]).code, Some(0));
    assert_eq!(gateway.tell(&["sessions"]).code, Some(0));
    let acts = gateway.actions(&["operator-acted"], 3);
    let said: Vec<_> = acts.iter().map(|one| [&one["subject"], &one["outcome"]]).collect();
    assert_eq!(
        said,
        [
            ["end the sessions of ann", "success"],
            ["create an API key", "success"],
            ["lift the ban of 203.0.113.7", "failure"]
        ]
    );
    let uid = format!("uid:{}", rustix::process::getuid().as_raw());
    assert!(acts.iter().all(|one| one["user"] == *uid), "{acts:?}");
    gateway.reload("[limits]\nbody-sise = \"1 MiB\"\n");
    let refused = &gateway.actions(&["configuration-refused"], 1)[0];
    assert_eq!(
        [&refused["data"]["digest"], &refused["outcome"]],
        [&changed["data"]["digest"], &json!("failure")]
    );

    ask(&gateway, "GET", "/crash", "", "");
    let restarted = &gateway.actions(&["app-restarted"], 1)[0];
    assert_eq!(restarted["data"], json!({ "crashed": "exit status: 3" }));
    let file = kept(gateway, state.path());
    let records = read_all(&file);
    let last = records.last().expect("records");
    assert_eq!([&last["security_event"], &last["outcome"]], ["gate-stopped", "success"]);
}

#[test]
fn an_event_of_the_app_says_what_the_gate_knows_of_its_request() {
    let gateway = setup("").by_default().start();
    let token = text(&log_in(&gateway, "ann", "drawbridge"), "access_token");
    let lines = format!("{}X-Mantlet-Request: Zm9yZ2Vk.Zm9yZ2Vk\r\n", bearer(&token));
    let answer = ask(&gateway, "POST", "/events/user.password.reset", &lines, "");
    assert_eq!(answer.status, 200);
    let record = action_of(&gateway, &answer);
    let session = gateway.actions(&["login-succeeded"], 1)[0]["session"].clone();
    for (name, value) in [
        ("security_event", json!("app-event")),
        ("event", json!("user.password.reset")),
        ("client_ip", json!("127.0.0.1")),
        ("user", json!("id-of-ann")),
        ("session", session),
        ("method", json!("POST")),
        ("path", json!("/events/user.password.reset")),
        ("operation", json!("/events/{name}")),
        // The app's fields have the names of the gate's, and are not taken for them.
        (
            "data",
            json!({
                "user_id": 7, "new_password": "(masked)", "client_ip": "192.0.2.1", "request_id": "forged",
            }),
        ),
    ] {
        assert_eq!(record[name], value, "{name}: {record}");
    }
    let logged = ask(&gateway, "GET", "/logged", "", "");
    let record = action_of(&gateway, &logged);
    assert_eq!((&record["event"], &record["data"]), (&json!("role.changed"), &json!({ "role": "admin" })));

    // In the background, after its request has ended and while another one is under way.
    let later = ask(&gateway, "GET", "/later", "", "");
    let go_on = ask(&gateway, "GET", "/go-on", "", "");
    let record = action_of(&gateway, &later);
    assert_eq!([&record["event"], &record["path"]], ["later", "/later"]);
    assert_ne!(later.request_id(), go_on.request_id());
}

#[test]
fn a_thousand_events_of_one_request_are_all_recorded() {
    let state = tempfile::tempdir().expect("a folder");
    let gateway = setup("").state(state.path()).start();
    let answer = ask(&gateway, "GET", "/burst?count=1000", "", "");
    assert_eq!(answer.status, 200);
    let events = gateway.actions(&["app-event"], 1_000);
    let numbers: Vec<_> = events.iter().filter_map(|one| one["data"]["number"].as_u64()).collect();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
    assert!(events.iter().all(|one| one["request_id"] == answer.request_id()));
    // What is more than the gate takes is counted, by the app or by the gate.
    let many = ask(&gateway, "GET", "/burst?count=20000", "", "");
    assert_eq!(many.status, 200);
    let is_whole = |records: &[Value]| {
        let kept = records.iter().filter(|one| one["security_event"] == "app-event").count();
        let lost: u64 = records.iter().filter_map(|one| one["data"]["count"].as_u64()).sum();
        (kept as u64 + lost == 21_000).then_some(lost)
    };
    let lost = eventually("each is kept or counted", || {
        // A count that the app has goes with its next event.
        is_whole(&read_all(&gateway.audit_file())).or_else(|| {
            let next = ask(&gateway, "GET", "/burst?count=0", "", "");
            assert_eq!(next.status, 200);
            None
        })
    });
    assert!(lost > 0);
}

#[test]
fn an_app_without_the_middleware_and_one_without_the_gate_have_events() {
    let setup = setup("");
    let python =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python").canonicalize().expect("Python code");
    let variables = vec![("PYTHONPATH", python.into()), ("WITHOUT_MIDDLEWARE", "1".into())];
    let gateway = setup.variables(variables).start();
    let answer = post(&gateway, "/events/user.deleted", "", &json!({}));
    assert_eq!(answer.status, 200);
    let record = &gateway.actions(&["app-event"], 1)[0];
    assert_eq!((&record["event"], &record["request_id"]), (&json!("user.deleted"), &json!("")));
    assert_eq!([&record["user"], &record["client_ip"], &record["path"]], [&Value::Null; 3]);
    gateway.signal(Signal::INT);
}
