//! The database is away, is another one, or cannot be used; the app is where the accounts are.

use std::{ffi::OsString, fs};

use serde_json::json;

use super::site::{PASSWORD, Site, bearer, config};
use crate::kit::{Setup, command::Typed, eventually, postgres::Postgres};

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(super) fn variables(url: &str) -> Vec<(&'static str, OsString)> {
    vec![("ACCOUNTS_DATABASE", url.into()), ("ACCOUNTS_KEY", KEY.into())]
}

pub(super) fn with_postgres(url: &str) -> Site {
    Site::of(
        Setup::run("recorder:app").variables(variables(url)),
        "database = \"env:ACCOUNTS_DATABASE\"\nkey = \"env:ACCOUNTS_KEY\"\npublic = [\"/health\"]\n",
    )
}

pub(super) fn url_of(postgres: &Postgres) -> String {
    format!("postgres://postgres@localhost/postgres?host={}", postgres.folder().display())
}

#[test]
fn while_the_database_is_away_nobody_is_told_to_log_in_again() {
    let postgres = Postgres::start();
    let site = with_postgres(&url_of(&postgres));
    let registered = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(site.post_json("/auth/api/register", &registered, "").status, 202);
    postgres.tell("postgres", "UPDATE accounts SET verified = created");
    let token = bearer(&site.tokens("ada@example.com").access);
    assert_eq!(site.get("/x", &token).status, 200);
    drop(postgres);
    let refused = eventually("it is noticed", || {
        let answer = site.get("/x", &token);
        (answer.status != 200).then_some(answer)
    });
    assert_eq!((refused.status, refused.code().as_str()), (503, "accounts-unavailable"));
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_eq!(site.get("/x", "").status, 401, "without a credential nothing is asked");
    assert_eq!(site.get("/health", "").status, 200);
    assert_eq!(site.post_json("/auth/api/login", &registered, "").status, 503);
}

#[test]
fn a_server_that_does_not_answer_at_the_start_is_waited_for_without_a_login() {
    let folder = tempfile::tempdir().expect("a folder");
    let site =
        with_postgres(&format!("postgres://postgres@localhost/postgres?host={}", folder.path().display()));
    assert!(
        site.gate.stderr().contains("the database of the accounts does not answer"),
        "{}",
        site.gate.stderr()
    );
    assert_eq!(site.get("/health", "").status, 200);
    assert_eq!(site.get("/x", "").status, 401);
    assert_eq!(site.get("/auth/login", "").status, 503);
}

/// `mantlet run` that does not start: what it says.
fn failed(app: &str, keys: &str) -> String {
    let ended = Typed::run(&["main:app"]).file("main.py", app).file("mantlet.toml", &config(keys)).finish();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    ended.stderr
}

#[test]
fn an_app_with_routes_where_the_accounts_are_does_not_start() {
    let app = |path: &str| {
        format!("from fastapi import FastAPI\napp = FastAPI()\n@app.get('{path}')\ndef f(): return 1\n")
    };
    let said = failed(&app("/auth/login"), "");
    assert!(said.contains("the app has `/auth/login` itself"), "{said}");
    assert!(said.contains("`path` under `[accounts]`"), "{said}");
    let said = failed(&app("/.well-known/jwks.json"), "");
    assert!(said.contains("the app has `/.well-known/jwks.json` itself"), "{said}");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("main.py"), app("/auth/login")).expect("an app");
    let site = Site::of(Setup::run("main:app").in_folder(folder.path()), "path = \"/accounts\"\n");
    assert_eq!(site.get("/auth/login", "").status, 401, "it is the app's");
    assert_eq!(site.get("/accounts/api/me", "").status, 401);
}

#[test]
fn a_database_that_cannot_be_used_ends_the_start() {
    let app = "from fastapi import FastAPI\napp = FastAPI()\n";
    let ended = Typed::run(&["main:app"])
        .file("main.py", app)
        .file("mantlet.toml", &config(""))
        .file(".mantlet/accounts.db", "this is not a database, and longer than its head of a hundred bytes would have to be to be taken for a part of one")
        .finish();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("the accounts cannot be opened"), "{}", ended.stderr);
}
