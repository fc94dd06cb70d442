use mantlet_controls::{
    Config, Mode, Policy,
    config::{Posture, Tolerance},
    contract::{InputOrder, Trust, UnprovenInput},
};
use serde_json::{Value, json};

use super::*;

/// An app with two public operations, a hidden one, one below code that may change requests, a
/// WebSocket and a foreign app.
fn model(source: &str, complete: bool) -> model::Contract {
    let shown = json!([{"status": 200, "shape": 0}]);
    let operation = |id: &str, responses: &Value| json!({"id": id, "body": {"kind": "none"}, "inputs": [], "responses": responses});
    let route = |path: &str, hidden: bool, responses: &Value| json!({"kind": "http", "path": path, "methods": ["GET"], "hidden": hidden, "operation": operation(path, responses)});
    // The second says nothing that could be held against an answer.
    let none = json!([{"status": 404, "shape": 0}, {"status": 200, "shape": 1}]);
    let behind = json!({"routes": [route("/x", false, &none)], "redirect-slashes": true, "complete": false, "rewrites": true});
    let note = |at: &str, why: &str| json!({"at": at, "why": why});
    let model = json!({
        "version": 1, "source": source, "shapes": [{"type": "bool"}, {"type": "any"}],
        "router": {"redirect-slashes": true, "complete": complete, "routes": [
            route("/a", false, &shown), route("/b", false, &none), route("/debug", true, &none),
            {"kind": "mount", "path": "/behind", "router": behind},
            {"kind": "web-socket", "path": "/ws"}, {"kind": "mount", "path": "/flask", "router": null},
        ]},
        "notes": [note("GET /a", "raw"), note("GET /b", "raw"), note("GET /b", "one"), note("GET /b", "two"), note("GET /b", "three")],
    });
    serde_json::from_value(model).unwrap()
}

fn report(source: &str, complete: bool) -> Report {
    let model = model(source, complete);
    let (contract, left) = Contract::compile(&model);
    Report::new("main:app", "read from the app", &model, &contract, left)
}

fn policy(set: impl Fn(&mut mantlet_controls::contract::Config)) -> Policy {
    let mut config = Config::default();
    config.contract.input = Some(Mode::Enforce);
    set(&mut config.contract);
    config.check().unwrap()
}

fn lines(report: &Report, policy: &Policy) -> Vec<String> {
    report.brief(&policy.routes).lines().map(str::to_owned).collect()
}

#[test]
fn what_is_enforced_and_what_is_not_is_said() {
    let head = "the contract of main:app, read from the app: 4 operations (1 not in its document), 1 WebSocket, \
                1 mount of another kind of app";
    let places = "the app decides at 5 places: raw (2); one; three; and 1 other reason (`mantlet contract` names them)";
    let input = "input: enforced for 3, only reported for 1 (code before them is not proven to leave requests as they are)";
    let lost = "FastAPI still validates input that is only reported; if it were enforced, invalid requests would not reach the app, \
                and fields that its models ignore would be cut out";
    let compatible = policy(|_| {});
    assert_eq!(
        lines(&report("inspector", true), &compatible),
        [
            head,
            input,
            lost,
            "unknown paths and methods: reported; hidden routes: reported",
            "responses: described for 1 of 4",
            places
        ]
    );
    let strict = policy(|contract| {
        contract.posture = Posture::Strict;
        contract.hidden_routes = Some(Tolerance::Allow);
    });
    let said = lines(&report("inspector", true), &strict);
    assert_eq!(said[3], "unknown paths and methods: refused; hidden routes: let through");
    let said = lines(&report("inspector", false), &strict);
    assert!(said[3].starts_with("unknown paths and methods: left to the app"), "{said:?}");
    let off = policy(|contract| contract.mode = Mode::Off);
    assert!(lines(&report("inspector", true), &off)[1].starts_with("nothing is checked against it"));
    let only_recorded = Config { report_only: true, ..Config::default() }.check().unwrap();
    assert_eq!(lines(&report("inspector", true), &only_recorded)[1], "input: reported");
}

#[test]
fn a_document_is_a_claim_until_it_is_trusted() {
    let claim = report("document", true);
    let said = lines(&claim, &policy(|_| {}));
    assert!(
        said[1].starts_with("reported, not enforced: a document is a claim; `--trust-document`"),
        "{said:?}"
    );
    for (trusting, why) in [
        (
            policy(|contract| contract.trust = Some(Trust::Document)),
            "as `--trust-document` or `trust = \"document\"` says",
        ),
        (policy(|contract| contract.posture = Posture::Strict), "because the posture is strict"),
    ] {
        let said = lines(&claim, &trusting);
        assert_eq!(said[1], format!("the document is trusted, {why}"));
        assert!(said[2].starts_with("input: enforced for 3"), "{said:?}");
        assert!(said.len() <= 6, "{said:?}");
    }
    let doubting = policy(|contract| {
        contract.posture = Posture::Strict;
        contract.trust = Some(Trust::App);
    });
    assert!(lines(&claim, &doubting)[1].starts_with("reported, not enforced"));
}

#[test]
fn every_place_is_named_in_full() {
    let full = report("inspector", true).full();
    for expected in [
        "\npaths: all are known\nresponses: described for 1 of 4\nnot in its document:\n  GET /debug\n",
        "\n5 places where the app decides:\n  raw\n    GET /a\n    GET /b\n  one\n    GET /b\n",
    ] {
        assert!(full.contains(expected), "{full}");
    }
    assert!(report("document", false).full().contains("paths: not all are known"));
}

#[test]
fn one_place_and_none_are_said_in_words_of_their_own() {
    let mut report = report("inspector", true);
    report.notes.truncate(1);
    let said = lines(&report, &policy(|_| {}));
    assert_eq!(said.last().unwrap(), "the app decides at 1 place: raw (`mantlet contract` names it)");
    report.notes.clear();
    assert!(
        report.full().ends_with("\nno place is known where only the app can decide"),
        "{}",
        report.full()
    );
    report.foreign = 2;
    assert!(report.full().contains(", 2 mounts of another kind of app\n"), "{}", report.full());
}

#[test]
fn what_waits_for_the_app_and_what_has_been_agreed_is_said() {
    let mut report = report("inspector", true);
    report.waiting = 2;
    report.guarded.insert("`current_user` (users.py:21)".to_owned(), 2);
    report.offered = 1;
    let said = lines(&report, &policy(|_| {}));
    let waits =
        "left to the app for 2 operations, where something may refuse first: `current_user` (users.py:21)";
    let agreed = "1 operation has always agreed with the app: `mantlet contract --agreement` prints the lines that enforce that";
    assert_eq!((said[2].as_str(), said[4].as_str()), (waits, agreed), "{said:?}");
    let full = report.full();
    let named = "\nmay refuse before input is validated:\n  `current_user` (users.py:21): 2 operations\n";
    assert!(full.contains(named), "{full}");
    let first = policy(|contract| contract.input_order = Some(InputOrder::First));
    assert!(!lines(&report, &first).iter().any(|line| line == waits));
    let enforced = policy(|contract| contract.unproven_input = Some(UnprovenInput::Enforce));
    assert_eq!(lines(&report, &enforced)[1], "input: enforced");
}

#[test]
fn callbacks_of_other_sites_are_named_until_the_configuration_knows_them() {
    let mut report = report("inspector", true);
    let callback = |path: &str| Callback { path: path.to_owned(), why: "SAML: `SAMLResponse`".to_owned() };
    report.callbacks = vec![callback("/acs/{tenant}")];
    let said = lines(&report, &policy(|_| {})).join("\n");
    let expected = "1 operation looks like a callback that a page of another site sends: POST /acs/{tenant} (SAML: `SAMLResponse`)\n";
    assert!(said.contains(expected), "{said}");
    let line = said.split_once("route = ").map(|(_, line)| line.lines().next().unwrap()).unwrap();
    assert_eq!(line, "[{ path = \"/acs/{tenant}\", methods = [\"POST\"], csrf.mode = \"off\" }]");
    report.callbacks.extend(["/a", "/b", "/c", "/d", "/e"].map(callback));
    let said = lines(&report, &policy(|_| {})).join("\n");
    assert!(
        said.contains("6 operations look like") && said.contains("POST /d") && !said.contains("POST /e"),
        "{said}"
    );

    let known = mantlet_controls::route::Config {
        path: "/{rest:path}".into(),
        csrf: mantlet_controls::route::CsrfConfig { mode: Some(Mode::Off), ..Default::default() },
        ..Default::default()
    };
    let mut config = Config { route: vec![known], ..Config::default() };
    config.contract.input = Some(Mode::Enforce);
    let said = lines(&report, &config.check().unwrap()).join("\n");
    assert!(!said.contains("callback"), "{said}");
}
