//! Proposed rules are compared with traffic: `mantlet objects`.

use std::{fs, os::unix::fs::PermissionsExt};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    identity::{Home, Running, Subject},
    kit::{Client, Setup, clock::Clock, eventually},
};

const LEARNED: Subject = Subject {
    name: "learned.py",
    entry: "learned:app",
    prepare: |_| (),
    entrance: Vec::new,
    carried: "Authorization: Bearer {token}",
    guarded: "/users/me",
    key: b"the-stone-of-the-well-knows-every-word",
    traffic: Vec::new,
    stopped: 0,
    recorded: &[],
};
/// Seconds, and a minute more.
const DAY: i64 = 24 * 3_600 + 60;
const STRICT: &str = "contract.posture = \"strict\"\n";

fn log_in(running: &Running, number: usize) -> String {
    running.token(&format!("username=u{number}&password=x"))
}

fn log_all_in(running: &Running) -> Vec<String> {
    (1..=7).map(|number| log_in(running, number)).collect()
}

/// Asks for an object; returns the status.
fn get(running: &Running, kind: &str, id: usize, token: &str) -> u16 {
    ask(running, "GET", &format!("/{kind}/{id}"), token)
}

fn ask(running: &Running, method: &str, target: &str, token: &str) -> u16 {
    let host = running.addr();
    let mut client = Client::connect(host);
    client
        .send(format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"));
    client.answer().status
}

/// The rules that `mantlet objects` shows.
fn objects(running: &Running) -> Vec<Value> {
    let said = running.gateway.tell(&["objects", "--json"]);
    let listed: Value = serde_json::from_str(&said.stdout).expect("JSON");
    listed["objects"].as_array().expect("a list").clone()
}

fn about<'o>(objects: &'o [Value], path: &str) -> &'o Value {
    let found = objects.iter().find(|rule| rule["toml"].as_str().is_some_and(|toml| toml.contains(path)));
    found.unwrap_or_else(|| panic!("{path}: {objects:#?}"))
}

/// What is counted of an operation.
fn counted(objects: &[Value], operation: &str) -> Value {
    let mut all = objects.iter().flat_map(|rule| rule["counted"].as_array().expect("a list"));
    let found = all.find(|counted| counted["operation"] == operation);
    found.unwrap_or_else(|| panic!("{operation}: {objects:#?}")).clone()
}

/// Less than a hundred requests: each of six callers gets its own note six times, and one account asks for
/// all notes. The boards are for all.
fn mix(running: &Running) -> Vec<String> {
    let tokens = log_all_in(running);
    for (number, token) in (1..).zip(&tokens).take(6) {
        for _ in 0..6 {
            assert_eq!(get(running, "notes", number, token), 200);
        }
        assert_eq!(get(running, "boards", number, token), 200);
        assert_eq!(get(running, "boards", number % 6 + 1, token), 200);
    }
    for note in 1..=9 {
        assert!([200, 404].contains(&get(running, "notes", note, &tokens[6])));
    }
    tokens
}

#[test]
fn traffic_confirms_a_proposal_and_contradicts_another_and_one_account_moves_nothing() {
    let running = Running::start(&LEARNED, "authorization.learn = true\n");
    mix(&running);
    let seen = objects(&running);
    let notes = about(&seen, "/notes/{id}");
    assert_eq!(notes["mode"], "proposed");
    let of_notes = counted(&seen, "GET /notes/{id}");
    assert_eq!((&of_notes["own"], &of_notes["callers"]), (&37.into(), &7.into()), "{notes:#}");
    assert_eq!((&of_notes["foreign"], &of_notes["foreign-callers"]), (&8.into(), &1.into()));
    assert_eq!((&of_notes["verdict"], &of_notes["enforced-from"]), (&"confirmed".into(), &Value::Null));
    for unasked in ["PATCH /notes/{id}", "DELETE /notes/{id}"] {
        let counted = counted(&seen, unasked);
        assert_eq!((&counted["verdict"], &counted["own"]), (&"unknown".into(), &0.into()), "{unasked}");
    }
    let boards = counted(&seen, "GET /boards/{id}");
    assert_eq!((&boards["own"], &boards["foreign"]), (&6.into(), &6.into()), "{boards:#}");
    assert_eq!(boards["verdict"], "contradicted");
    assert_eq!(boards["foreign-requests"].as_array().map(Vec::len), Some(6));

    // Accepted, it goes on with what is known, and refuses nothing yet.
    let number = notes["rule"].as_str().expect("a number");
    let said = running.gateway.tell(&["objects", "accept", number]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let file = fs::read_to_string(running.gateway.config_file()).expect("the configuration");
    assert!(file.contains("[[authorization.own]]") && file.contains("mode    = \"report\""), "{file}");
    running.gateway.signal(Signal::HUP);
    let (seen, rule) = eventually("the rule is in force", || {
        let seen = objects(&running);
        let rule = seen.iter().find(|rule| rule["rule"] == "authorization.own[0]").cloned()?;
        Some((seen, rule))
    });
    assert_eq!((&rule["mode"], &rule["counted"][0]["own"]), (&"report".into(), &37.into()));
    assert!(!seen.iter().any(|rule| rule["mode"] == "proposed" && rule["rule"] == number));
    let records = running.gateway.end().audit;
    let of_objects =
        |record: &&Value| record["reason"].as_str().is_some_and(|code| code.starts_with("object-"));
    assert_eq!(records.iter().find(of_objects), None, "a proposal records nothing");
}

/// Strict, with a clock that is set, in a folder where it may have run before.
fn strict_in(home: Home, state: &TempDir, clock: &Clock) -> Running {
    let set_up = |setup: Setup| setup.config(STRICT).state(state.path()).variables(clock.variables());
    Running::start_in(home, &LEARNED, set_up)
}

#[test]
fn strict_enforces_for_each_operation_what_was_confirmed_for_a_day_and_remembers_it() {
    let (clock, state) = (Clock::new(), tempfile::tempdir().expect("a folder"));
    let running = strict_in(Home::of(&LEARNED), &state, &clock);
    let tokens = mix(&running);
    for (number, token) in (1..).zip(&tokens).take(6) {
        for _ in 0..6 {
            assert_eq!(ask(&running, "PATCH", &format!("/notes/{number}"), token), 200);
        }
    }
    let seen = objects(&running);
    for confirmed in ["GET /notes/{id}", "PATCH /notes/{id}"] {
        let counted = counted(&seen, confirmed);
        assert_eq!((&counted["verdict"], &counted["enforced"]), (&"confirmed".into(), &false.into()));
        assert!(counted["enforced-from"].is_string(), "{counted:#}");
    }
    assert_eq!(get(&running, "notes", 2, &tokens[6]), 200, "not before others could contradict it");
    // What is known outlives the run; a day in which it did not run does not count.
    let Running { gateway, home, .. } = running;
    let records = gateway.end().audit;
    let told = |records: &[Value], code: &str| -> Vec<Value> {
        let found = records.iter().filter(|record| record["reason"] == code);
        found.map(|record| record["subject"].clone()).collect()
    };
    let contradicted = told(&records, "object-rule-contradicted");
    let [subject] = contradicted.as_slice() else { panic!("{contradicted:?}") };
    assert!(subject.as_str().is_some_and(|said| said.ends_with(": GET /boards/{id}")), "{subject}");
    clock.set(DAY);
    let running = strict_in(home, &state, &clock);
    let token = log_in(&running, 7);
    assert_eq!(get(&running, "notes", 2, &token), 200);
    // A busy app may not say in time who calls: then nothing is counted.
    for (method, operation) in [("GET", "GET /notes/{id}"), ("PATCH", "PATCH /notes/{id}")] {
        let before = counted(&objects(&running), operation)["own"].as_u64();
        eventually("it is watched again", || {
            assert_eq!(ask(&running, method, "/notes/7", &token), 200);
            (counted(&objects(&running), operation)["own"].as_u64() > before).then_some(())
        });
    }
    clock.set(2 * DAY);
    let tokens = log_all_in(&running);
    for target in ["/notes/1", "/notes/2"] {
        assert_eq!(ask(&running, "DELETE", target, &tokens[0]), 200, "nothing is known of this one");
    }
    // It is enforced from the first object of its caller after a day on.
    assert_eq!(get(&running, "notes", 2, &tokens[6]), 200);
    eventually("it is enforced", || {
        assert_eq!(get(&running, "notes", 1, &tokens[0]), 200);
        (counted(&objects(&running), "GET /notes/{id}")["enforced"] == true).then_some(())
    });
    let asked: Vec<_> = (1..=7).map(|id| get(&running, "notes", id, &tokens[0])).collect();
    assert_eq!(asked, [200, 404, 404, 404, 404, 404, 404]);
    eventually("it is enforced", || {
        assert_eq!(ask(&running, "PATCH", "/notes/1", &tokens[0]), 200);
        (counted(&objects(&running), "PATCH /notes/{id}")["enforced"] == true).then_some(())
    });
    assert_eq!(ask(&running, "PATCH", "/notes/2", &tokens[0]), 404);
    assert_eq!(ask(&running, "DELETE", "/notes/2", &tokens[0]), 200);
    assert_eq!(get(&running, "boards", 2, &tokens[0]), 200, "contradicted");
    let host = running.addr();
    let anonymous = Client::connect(host).ask(format!("GET /notes/2 HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    assert_eq!(anonymous.status, 401, "the app says so itself");
    // No number of accounts disarms it.
    for token in &tokens {
        for id in 1..=7 {
            get(&running, "notes", id, token);
        }
    }
    let seen = objects(&running);
    assert_eq!(counted(&seen, "GET /notes/{id}")["enforced"], true);
    assert_eq!(counted(&seen, "DELETE /notes/{id}")["enforced"], false);
    let said = running.gateway.tell(&["objects"]).stdout;
    assert!(said.contains("enforced, because the posture is strict"), "{said}");
    let Running { gateway, home, .. } = running;
    let records = gateway.end().audit;
    let record = records.iter().find(|record| record["reason"] == "object-foreign").expect("a record");
    assert_eq!(record["action"], "refuse");
    assert!(record["remedy"].as_str().is_some_and(|line| line.starts_with("mantlet objects accept ")));
    assert_eq!(told(&records, "object-rule-enforced").len(), 2, "{records:#?}");

    // From the first request on.
    let running = strict_in(home, &state, &clock);
    let token = log_in(&running, 1);
    assert_eq!(get(&running, "notes", 2, &token), 404);
    let Running { gateway, home, .. } = running;
    gateway.end();
    let mode = |name: &str| {
        let file = fs::metadata(state.path().join(name)).expect("a file");
        (file.permissions().mode() & 0o777, file.len())
    };
    let (mode_of_key, _) = mode("evidence.key");
    let (mode_of_file, length) = mode("evidence.jsonl");
    assert_eq!((mode_of_key, mode_of_file), (0o600, 0o600));
    assert!(length < 16 << 10, "{length} bytes");
    // What cannot be read is said, and begun anew.
    let file = state.path().join("evidence.jsonl");
    fs::write(&file, "not evidence\n").expect("the file");
    let running = strict_in(home, &state, &clock);
    assert_eq!(get(&running, "notes", 2, &log_in(&running, 1)), 200);
    let said = running.gateway.stderr();
    assert!(said.contains("what traffic says of rules is counted anew"), "{said}");
}

#[test]
fn only_what_the_app_has_shown_counts_and_what_a_rule_would_break_keeps_it_from_being_enforced() {
    let (clock, state) = (Clock::new(), tempfile::tempdir().expect("a folder"));
    let running = strict_in(Home::of(&LEARNED), &state, &clock);
    let everything = |running: &Running| {
        for (number, token) in (1..).zip(&log_all_in(running)).take(6) {
            for _ in 0..6 {
                assert_eq!(get(running, "pages", number, token), 200);
                assert_eq!(get(running, "tickets", number, token), 200);
                assert_eq!(ask(running, "GET", "/drafts", token), 200);
            }
            // The app itself refuses it.
            assert_eq!(ask(running, "GET", "/users/7/settings", token), 403);
            assert_eq!(ask(running, "GET", &format!("/users/{number}/settings"), token), 200);
        }
    };
    everything(&running);
    clock.set(DAY);
    everything(&running);
    let seen = objects(&running);
    for (operation, own, foreign, unclear, verdict) in [
        // Two pages have no owner: all may read them, which shows nothing.
        ("GET /pages/{id}", 48, 0, 0, "unknown"),
        // An empty list shows nothing.
        ("GET /drafts", 0, 0, 0, "unknown"),
        // What the app refuses is not shown.
        ("GET /users/{user_id}/settings", 12, 0, 0, "unknown"),
        // Confirmed; but nothing says that it is the owner who is named.
        ("GET /tickets/{id}", 72, 0, 0, "confirmed"),
    ] {
        let counted = counted(&seen, operation);
        let found = ["own", "foreign", "unclear"].map(|name| counted[name].as_u64().expect("a number"));
        assert_eq!((found, &counted["verdict"]), ([own, foreign, unclear], &verdict.into()), "{operation}");
        assert_eq!((&counted["enforced"], &counted["enforced-from"]), (&false.into(), &Value::Null));
    }
    let tickets = about(&seen, "/tickets/{id}")["toml"].as_str().expect("lines").to_owned();
    let doubt =
        "# doubt: `ticket.assignee_id` names a user, and its name does not say that the user is the owner";
    assert!(tickets.contains(doubt) && tickets.contains("mode    = \"report\""), "{tickets}");
    assert_eq!(get(&running, "tickets", 2, &log_in(&running, 1)), 200);
}

#[test]
fn nothing_is_learned_by_default() {
    let running = Running::start(&LEARNED, "");
    mix(&running);
    assert_eq!(counted(&objects(&running), "GET /notes/{id}")["own"], 0);
}
