//! Routes are found as Starlette itself finds them: random routers, asked side by side.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::{collections::BTreeMap, env, process::Command};

use mantlet_contract::{
    model::Router,
    routes::{Found, Routes, Wanted},
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Tried {
    router: Router,
    root: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    method: String,
    path: String,
    outcome: Value,
}

fn ours(routes: &Routes, case: &Case) -> Value {
    let wanted = if case.kind == "http" { Wanted::Http(&case.method) } else { Wanted::WebSocket };
    match routes.find(wanted, &case.path) {
        Found::Http { route, parameters, .. } => {
            let values: BTreeMap<_, _> =
                parameters.into_iter().map(|found| (found.name, &case.path[found.place])).collect();
            json!({"found": "route", "path": route.path, "values": values})
        }
        Found::WebSocket => json!({"found": "web-socket"}),
        Found::MethodNotAllowed(allow) => json!({"found": "method-not-allowed", "allow": allow}),
        Found::Veiled { .. } => json!({"found": "veiled"}),
        Found::Redirect => json!({"found": "redirect"}),
        Found::Opaque => json!({"found": "opaque"}),
        Found::None { certain } => json!({"found": if certain { "none" } else { "uncertain" }}),
    }
}

/// As far as both can say it: Starlette names a route by its own path, below a mount; and converts values.
fn agree(case: &Case, theirs: &Value, ours: &Value) -> bool {
    if theirs["found"] == "method-not-allowed" {
        // Starlette names the methods of the first route alone.
        let all = |value: &Value| value["allow"].as_array().cloned().unwrap_or_default();
        let known = all(ours);
        return ours["found"] == theirs["found"] && all(theirs).iter().all(|method| known.contains(method));
    }
    if theirs["found"] != "route" {
        return theirs == ours;
    }
    if ours["found"] == "web-socket" {
        return case.kind == "websocket";
    }
    let (path, end) = (ours["path"].as_str(), theirs["path"].as_str());
    let values = |value: &Value| value["values"].as_object().cloned().unwrap_or_default();
    let (theirs, ours) = (values(theirs), values(ours));
    path.zip(end).is_some_and(|(path, end)| path.ends_with(end))
        && theirs.keys().eq(ours.keys())
        && theirs.iter().all(|(name, value)| {
            same(value.as_str().unwrap(), ours.get(name).and_then(Value::as_str).unwrap())
        })
}

fn same(theirs: &str, ours: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    theirs == ours
        || theirs.replace('-', "") == ours.replace('-', "").to_lowercase()
        || (number(theirs).is_some() && number(theirs) == number(ours))
}

#[test]
fn routes_are_found_as_starlette_finds_them() {
    let python = env::var("MANTLET_TEST_PYTHON").expect("MANTLET_TEST_PYTHON is set: run `cargo xtask test`");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/routes/starlette_routes.py");
    let output = Command::new(python).args([script, "1", "400"]).output().expect("the interpreter starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut cases, mut kinds) = (0, BTreeMap::<String, usize>::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let tried: Tried = serde_json::from_str(line).unwrap();
        let (routes, errors) = Routes::compile(&tried.router);
        let routes = routes.with_root_path(Some(&tried.root));
        assert!(errors.is_empty(), "{errors:?}");
        for case in &tried.cases {
            let ours = ours(&routes, case);
            assert!(
                agree(case, &case.outcome, &ours),
                "{} {} {} below {:?}\nstarlette: {}\nours: {ours}\n{:#?}",
                case.kind,
                case.method,
                case.path,
                tried.root,
                case.outcome,
                tried.router
            );
            cases += 1;
            *kinds.entry(ours["found"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    println!("{cases} requests: {kinds:?}");
    assert!(cases > 2_000 && kinds.len() >= 5, "{kinds:?}");
}
