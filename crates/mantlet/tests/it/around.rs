//! Code of the app's own around its routes: what it is proven to leave alone is enforced, below everything else the app decides.

use std::collections::{BTreeMap, BTreeSet};

use mantlet_contract::model::{BodyKind, Contract, Operation, Route, Router};

use crate::kit::{Answer, Client, Gateway, Setup, command::Typed};

/// The operations of an app, with the routers that they are in.
fn operations<'a>(router: &'a Router, found: &mut Vec<(&'a Router, &'a Operation)>) {
    for route in &router.routes {
        match route {
            Route::Http { operation: Some(operation), .. } => found.push((router, operation)),
            Route::Mount { router: Some(router), .. } => operations(router, found),
            _ => {}
        }
    }
}

fn told(router: &Router, operation: &Operation) -> &'static str {
    let opaque = matches!(operation.body, BodyKind::Opaque);
    if router.rewrites || router.answers_invalid || operation.rewrites || opaque {
        "reported"
    } else if operation.reads_request {
        "reads"
    } else {
        "enforced"
    }
}

fn read(app: &str) -> Contract {
    let typed = Typed::mantlet(["contract", &format!("{app}:app")])
        .app(&format!("{app}.py"))
        .app("around_helpers.py")
        .finish();
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    serde_json::from_str(&typed.stdout).unwrap()
}

/// What is told of the operations below each path; the path begins with what it should be.
fn cases(contract: &Contract) -> BTreeMap<&str, BTreeSet<&'static str>> {
    let mut cases = BTreeMap::new();
    for route in &contract.router.routes {
        let Route::Mount { path, router: Some(router) } = route else { continue };
        let mut found = Vec::new();
        operations(router, &mut found);
        assert!(!found.is_empty(), "{path} has operations");
        cases.insert(
            path.as_str(),
            found.into_iter().map(|(router, operation)| told(router, operation)).collect(),
        );
    }
    cases
}

fn expected(path: &str) -> &str {
    path.split('/').nth(1).unwrap()
}

#[test]
fn what_stands_around_routes_is_proven_to_leave_requests_alone() {
    judged("around", &[("enforced", 38), ("reads", 4), ("reported", 97)]);
}

#[test]
fn what_hides_that_it_changes_requests_is_not_proven() {
    judged("around_attacks", &[("reported", 61)]);
}

#[test]
fn notes_say_what_code_does_and_where() {
    let contract = read("around_attacks");
    for (path, why) in [
        ("/reported/query_emptied", "uses `clear` of `_list` of the query"),
        ("/reported/too_long", "its source cannot be followed at around_long.py:3"),
        ("/reported/d_sourceless", "whose source cannot be read"),
    ] {
        let told = |at: &str, said: &str| at.contains(path) && said.contains(why);
        assert!(contract.notes.iter().any(|note| told(&note.at, &note.why)), "{path}: {:?}", contract.notes);
    }
    let unclear =
        contract.notes.iter().find(|note| note.why.contains("Error)") || note.why.contains("`method`"));
    assert!(unclear.is_none(), "{unclear:?}");
}

/// Holds what is told of each case against its path; there are at least so many of each kind.
fn judged(app: &str, least: &[(&str, usize)]) {
    let contract = read(app);
    let cases = cases(&contract);
    let mut wrong = Vec::new();
    for (path, told) in &cases {
        let notes: Vec<_> =
            contract.notes.iter().filter(|note| note.at.contains(path)).map(|note| &note.why).collect();
        if told.len() != 1 || !told.contains(expected(path)) {
            wrong.push(format!("{path} is {told:?}: {notes:?}"));
        } else if expected(path) != "enforced" && notes.is_empty() {
            wrong.push(format!("{path} has no note that says why"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (kind, least) in least {
        let count = cases.keys().filter(|path| expected(path) == *kind).count();
        assert!(count >= *least, "{count} {kind}");
    }
}

fn post(gateway: &Gateway, target: &str, body: &str) -> Answer {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Client::connect(gateway.addr()).ask(head + body)
}

#[test]
fn behind_the_gate_nothing_is_refused_that_is_not_proven() {
    let contract = read("around");
    // What may refuse first is a matter of its own.
    let gateway = Setup::run("around:app").config("[contract]\ninput-order = \"first\"\n").start();
    let mut answers = BTreeMap::new();
    for path in cases(&contract).keys().filter(|path| !path.contains("in-a-mount")) {
        let answer = post(&gateway, &format!("{path}/items"), "{}");
        let refused = answer.status == 422 && answer.json()["code"] == "input-invalid";
        assert_eq!(refused, expected(path) != "reported", "{path}: {answer:?}");
        if refused {
            gateway.audit_of(answer.request_id());
        }
        answers.insert(*path, answer.status);
        // A field that nobody knows is cut out where nobody looks at it.
        let body = r#"{"name":"a","is_admin":true}"#;
        let answer = post(&gateway, &format!("{path}/items"), body);
        if expected(path) != "reported" {
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
    }
    // What the app makes of them without being asked.
    for (path, status) in [
        ("/reported/replay", 200),
        ("/reported/next-message", 200),
        ("/reported/body-set", 200),
        ("/reported/helper-object", 200),
        ("/reported/in-a-router", 200),
        ("/reported/json-rewritten", 200),
        ("/reported/enveloped", 200),
        ("/reported/status-sent", 200),
        ("/reported/redirected", 307),
        ("/reported/redirects", 303),
        ("/reported/own-exception", 302),
        ("/reported/route-class", 200),
        ("/reported/own-words", 200),
    ] {
        assert_eq!(answers.get(path), Some(&status), "{path}");
    }
}

/// Each way to a refusal is found, whatever it is called; what refuses nothing is known to.
#[test]
fn what_may_refuse_before_fastapi_validates_is_found() {
    let typed =
        Typed::mantlet(["contract", "refusals:app"]).app("refusals.py").app("refusals_late.py").finish();
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    let contract: Contract = serde_json::from_str(&typed.stdout).unwrap();
    assert_eq!(contract.router.refuses_first, None);
    let mut counts = [0, 0];
    for route in &contract.router.routes {
        let Route::Http { path, operation: Some(operation), .. } = route else { continue };
        let refuses = path.starts_with("/refuses/");
        assert_eq!(!operation.guards.is_empty(), refuses, "{path}: {:?}", operation.guards);
        counts[usize::from(refuses)] += 1;
    }
    assert!(counts[0] >= 10 && counts[1] >= 35, "{counts:?}");
    assert!(typed.stderr.contains("may refuse before input is validated:"), "{}", typed.stderr);
}
