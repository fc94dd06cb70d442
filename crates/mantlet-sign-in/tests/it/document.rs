//! The document, and what the gate finds in it.

use mantlet_contract::{
    document,
    sensitive::{self, Evidence, Purpose, SessionRole},
};
use serde_json::Value;

use crate::{
    home::Home,
    kit::{Client, site},
};

async fn text() -> (Home, String) {
    let home = Home::sqlite();
    let text = site(home.open().await).document().to_string();
    (home, text)
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

#[test]
fn the_gate_finds_in_it_what_it_guards() {
    let (_home, text) = run(text());
    let contract = document::read(&text).unwrap();
    let found = sensitive::find(&contract);
    for (path, purpose) in [
        ("/auth/token", Purpose::Login),
        ("/auth/api/login", Purpose::Login),
        ("/auth/login", Purpose::Login),
        ("/auth/api/register", Purpose::Register),
        ("/auth/register", Purpose::Register),
        ("/auth/api/reset-request", Purpose::Reset),
        ("/auth/api/reset", Purpose::Reset),
        ("/auth/forgot", Purpose::Reset),
        ("/auth/reset", Purpose::Reset),
    ] {
        let it = found.iter().find(|route| route.path == path);
        let it = it.unwrap_or_else(|| panic!("{path} is not found: {found:#?}"));
        assert_eq!(it.sensitivity.purpose, purpose, "{path}: {it:?}");
        assert_eq!(it.sensitivity.evidence, Evidence::Known, "{path}: {it:?}");
        assert_eq!(it.methods, ["POST"], "{path}");
    }
    let places = |path: &str| {
        let it = found.iter().find(|route| route.path == path).unwrap();
        it.sensitivity.accounts.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(places("/auth/token"), ["username"]);
    assert_eq!(places("/auth/api/login"), ["email"]);
    let roles = sensitive::session_routes(&contract);
    for (path, role) in [
        ("/auth/api/logout", SessionRole::Logout),
        ("/auth/logout", SessionRole::Logout),
        ("/auth/revoke", SessionRole::Logout),
        ("/auth/token", SessionRole::Refresh),
        ("/auth/api/password", SessionRole::ChangePassword),
        ("/auth/account/password", SessionRole::ChangePassword),
        ("/auth/api/me", SessionRole::Me),
    ] {
        let it = roles.iter().find(|route| route.path == path && route.role == role);
        let it = it.unwrap_or_else(|| panic!("{path} is not {role:?}: {roles:#?}"));
        assert_eq!(it.evidence, Evidence::Known, "{path}: {it:?}");
    }
}

#[test]
fn each_operation_of_it_is_there_and_each_name_is_one() {
    run(async {
        let home = Home::sqlite();
        let site = site(home.open().await);
        let document = site.document();
        let mut ids = std::collections::BTreeSet::new();
        let mut operations = 0;
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                operations += 1;
                assert!(site.owns(path), "{path}");
                assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{operation}");
                if operation["tags"][0] != "accounts" {
                    continue;
                }
                let asked = path.replace("{id}", "019ad000-0000-7000-8000-000000000000");
                let seen = Client::new(&site).ask(&method.to_uppercase(), &asked, "", "").await;
                assert!(![404, 405].contains(&seen.status), "{method} {path}: {seen:?}");
                // What it answers is in the document.
                let is_said = operation["responses"].get(seen.status.to_string()).is_some();
                assert!(is_said || seen.status == 415, "{method} {path}: {seen:?}");
                let needs = operation.get("security").is_some();
                assert_eq!(needs, seen.status == 401, "{method} {path}: {seen:?}");
            }
        }
        assert!(operations > 24, "{operations}");
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(references.len() > 20);
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    });
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("$ref", Value::String(reference)) => references.push(reference.clone()),
                    _ => collect(value, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
