//! `mantlet accounts`, while a gate runs and without one.

use serde_json::Value;

use super::site::{ISSUER, PASSWORD, Site, bearer, session};
use crate::kit::command::{Finished, Typed};

#[track_caller]
fn done(said: &Finished) -> &str {
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    &said.stdout
}

#[test]
fn an_account_that_is_disabled_is_out_at_once() {
    let site = Site::start("");
    site.register("ada@example.com");
    let (token, cookie) =
        (bearer(&site.tokens("ada@example.com").access), session(&site.cookie("ada@example.com")));
    assert_eq!((site.get("/x", &token).status, site.get("/x", &cookie).status), (200, 200));
    assert!(done(&site.tell(&["disable", "ada@example.com"])).contains("is disabled"));
    assert_eq!((site.get("/x", &token).status, site.get("/x", &cookie).status), (401, 401));
    assert!(done(&site.tell(&["enable", "ada@example.com"])).contains("is enabled"));
    assert_eq!(site.get("/x", &cookie).status, 401, "its sessions stay ended");
    let again = site.tokens("ada@example.com");
    assert_eq!(site.get("/x", &bearer(&again.access)).status, 200);
    let acts = site.gate.actions(&["operator-acted"], 2);
    let said: Vec<_> = acts.iter().map(|record| record["subject"].as_str().expect("an act")).collect();
    assert!(said[0].starts_with("disable the account 0"), "{said:?}");
    assert!(said[1].starts_with("enable the account 0"), "{said:?}");
    assert!(acts[0]["user"].as_str().is_some_and(|user| user.starts_with("uid:")), "{acts:?}");
}

#[test]
fn accounts_are_listed_shown_exported_and_deleted() {
    let site = Site::start("");
    site.register("ada@example.com");
    let tokens = site.tokens("ada@example.com");
    let listed = site.tell(&["list"]);
    let row = done(&listed).lines().nth(1).expect("a row");
    assert!(row.contains("ada@example.com") && row.ends_with("good"), "{row}");
    let id = row.split(' ').next().expect("an id").to_owned();
    let shown = site.tell(&["show", &id]);
    assert!(
        done(&shown).lines().any(|line| line.starts_with("sessions") && line.ends_with('1')),
        "{}",
        shown.stdout
    );
    let exported = site.tell(&["export", "ada@example.com"]);
    let all: Value = serde_json::from_str(done(&exported)).expect("JSON");
    assert_eq!(all["account"]["address"], "ada@example.com");
    assert!(!exported.stdout.contains("$argon2"), "no hash is exported");
    let by_address = site.tell(&["delete", "ada@example.com"]);
    assert_eq!(by_address.code, Some(2), "{}", by_address.stderr);
    assert!(by_address.stderr.contains(&id), "{}", by_address.stderr);
    assert!(done(&site.tell(&["delete", &id])).contains("is deleted"));
    assert_eq!(site.get("/x", &bearer(&tokens.access)).status, 401);
    let gone = site.tell(&["show", &id]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("there is no account"), "{}", gone.stderr);
}

#[test]
fn accounts_are_imported_before_the_first_start_and_log_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let config =
        format!("state-folder = {:?}\n[accounts]\nurl = \"{ISSUER}\"\n", state.to_str().expect("text"));
    let lines = "{\"address\":\"ada@example.com\",\"verified\":true}\n{\"address\":\"nowhere\"}\n";
    let imported = Typed::mantlet(["accounts", "import", "old.jsonl"])
        .file("mantlet.toml", &config)
        .file("old.jsonl", lines)
        .finish();
    assert_eq!(done(&imported), "1 account imported, 1 refused; `--json` lists why");
    assert!(
        imported.stderr.contains("line 2: `address` is not an address of a mailbox"),
        "{}",
        imported.stderr
    );
    let log = std::fs::read_to_string(state.join("audit.jsonl")).expect("a log");
    assert!(log.contains("import accounts"), "{log}");
    let listed = Typed::mantlet(["accounts", "list", "--json"]).file("mantlet.toml", &config).finish();
    let page: Value = serde_json::from_str(done(&listed)).expect("JSON");
    assert_eq!(page["accounts"][0]["address"], "ada@example.com");
}

#[test]
fn a_command_without_accounts_says_what_is_missing() {
    let none = Typed::mantlet(["accounts", "list"]).finish();
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("the configuration has no accounts"), "{}", none.stderr);
    let not_yet = Typed::mantlet(["accounts", "list"])
        .file("mantlet.toml", &format!("[accounts]\nurl = \"{ISSUER}\"\n"))
        .finish();
    assert_eq!(not_yet.code, Some(1));
    assert!(not_yet.stderr.contains("there is no state folder"), "{}", not_yet.stderr);
}

#[test]
fn a_list_of_passwords_that_are_refused_is_made_and_used() {
    let made = Typed::mantlet(["accounts", "blocklist", "refused.bin", "words.txt"])
        .file("words.txt", &format!("{PASSWORD}\n"))
        .finish();
    assert_eq!(done(&made), "blocklist = \"refused.bin\"");
    let list = made.folder.path().join("refused.bin");
    let site = Site::start(&format!("blocklist = {:?}\n", list.to_str().expect("text")));
    let asked = serde_json::json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(site.post_json("/auth/api/register", &asked, "").status, 422);
}
