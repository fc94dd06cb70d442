//! Proposed rules are compared with traffic: `mantlet objects`.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    identity::{Running, Subject},
    kit::eventually,
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

fn log_in(running: &Running, number: usize) -> String {
    running.token(&format!("username=u{number}&password=x"))
}

/// Asks for an object; returns the status.
fn get(running: &Running, kind: &str, id: usize, token: &str) -> u16 {
    running.shown(token, &format!("/{kind}/{id}")).status
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

/// Less than a hundred requests: each of six callers gets its own note six times, and one account asks for
/// all notes. The boards are for all.
fn mix(running: &Running) -> Vec<String> {
    let tokens: Vec<_> = (1..=7).map(|number| log_in(running, number)).collect();
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
    let counted = &notes["counted"];
    assert_eq!((&counted["own"], &counted["callers"]), (&37.into(), &7.into()), "{notes:#}");
    assert_eq!((&counted["foreign"], &counted["foreign-callers"]), (&8.into(), &1.into()));
    assert_eq!(counted["verdict"], "confirmed");
    let boards = about(&seen, "/boards/{id}");
    let counted = &boards["counted"];
    assert_eq!((&counted["own"], &counted["foreign"]), (&6.into(), &6.into()), "{boards:#}");
    assert_eq!(counted["verdict"], "contradicted");
    assert_eq!(counted["foreign-requests"].as_array().map(Vec::len), Some(6));

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
    assert_eq!((&rule["mode"], &rule["counted"]["own"]), (&"report".into(), &37.into()));
    assert!(!seen.iter().any(|rule| rule["mode"] == "proposed" && rule["rule"] == number));
    let records = running.gateway.end().audit;
    let of_objects =
        |record: &&Value| record["reason"].as_str().is_some_and(|code| code.starts_with("object-"));
    assert_eq!(records.iter().find(of_objects), None, "a proposal records nothing");
}

#[test]
fn strict_enforces_what_is_confirmed_and_nothing_else() {
    let running = Running::start(&LEARNED, "contract.posture = \"strict\"\n");
    let tokens = mix(&running);
    let asked: Vec<_> = (1..=7).map(|id| get(&running, "notes", id, &tokens[0])).collect();
    assert_eq!(asked, [200, 404, 404, 404, 404, 404, 404]);
    assert_eq!(get(&running, "boards", 2, &tokens[0]), 200, "contradicted");
    let records = running.gateway.end().audit;
    let record = records.iter().find(|record| record["reason"] == "object-foreign").expect("a record");
    assert_eq!(record["action"], "refuse");
}

#[test]
fn nothing_is_learned_by_default() {
    let running = Running::start(&LEARNED, "");
    mix(&running);
    let seen = objects(&running);
    assert_eq!(about(&seen, "/notes/{id}")["counted"]["own"], 0);
}
