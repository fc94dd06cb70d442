//! Secrets that stand where they belong: in variables, files, credentials of systemd and commands.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;

use crate::kit::{
    Client,
    command::{Finished, Typed},
};

/// An app that says what it was given.
const APP: &str = "
import os
from fastapi import FastAPI
app = FastAPI()
assert os.environ['AT_IMPORT']

@app.get('/given')
def given():
    return {name: value for name, value in os.environ.items() if name.startswith('GIVEN_')}
";

fn typed(arguments: &[&str], config: &str) -> Typed {
    Typed::mantlet(arguments).file("main.py", APP).file("mantlet.toml", config)
}

fn credentials(folder: &Path) -> String {
    fs::write(folder.join("db"), "postgres://user:s3cret@db/shop\n").unwrap();
    folder.to_str().unwrap().to_owned()
}

const ENV: &str = r#"
[app.env]
AT_IMPORT = "yes"
GIVEN_PLAIN = "info"
GIVEN_FILE = "file:key"
GIVEN_CREDENTIAL = "cred:db"
GIVEN_COMMAND = 'cmd:["printf", "%s\n", "from a command"]'
GIVEN_VARIABLE = "env:ELSEWHERE"
GIVEN_TEXT = "text:file:./dev.db"
"#;

#[test]
fn the_app_is_given_secrets_without_knowing_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let process = Typed::run(&[])
        .file("main.py", APP)
        .file("mantlet.toml", ENV)
        .file("key", "s3cret-of-a-file\n")
        .variable("CREDENTIALS_DIRECTORY", credentials(folder.path()))
        .variable("ELSEWHERE", "of-a-variable")
        .start();
    let given = Client::connect(process.ready()).get("/given").json();
    assert_eq!(
        given,
        serde_json::json!({
            "GIVEN_PLAIN": "info",
            "GIVEN_FILE": "s3cret-of-a-file",
            "GIVEN_CREDENTIAL": "postgres://user:s3cret@db/shop",
            "GIVEN_COMMAND": "from a command",
            "GIVEN_VARIABLE": "of-a-variable",
            "GIVEN_TEXT": "file:./dev.db",
        })
    );
    assert!(!process.stderr().contains("s3cret"), "{}", process.stderr());
}

/// The commands that import the app give it the same.
#[test]
fn the_app_is_read_with_its_secrets() {
    let said = typed(&["contract", "main:app"], "[app.env]\nAT_IMPORT = \"yes\"\n").finish();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let said = typed(&["contract", "main:app"], "").finish();
    assert_ne!(said.code, Some(0));
}

#[test]
fn what_is_missing_at_the_start_is_named() {
    for (value, says) in [
        ("env:NO_SUCH_VARIABLE", "the variable `NO_SUCH_VARIABLE` is not set"),
        ("file:no-such-file", "`no-such-file` cannot be read"),
        ("cred:db", "`$CREDENTIALS_DIRECTORY` is not set"),
        ("cmd:printf x", "a command is a list in JSON"),
        ("cmd:[\\\"false\\\"]", "the command `false` has failed"),
    ] {
        let config = format!("[app.env]\nAT_IMPORT = \"yes\"\nDATABASE_URL = \"{value}\"\n");
        let said = Typed::run(&[]).file("main.py", APP).file("mantlet.toml", &config).finish();
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains("app.env.DATABASE_URL"), "{}", said.stderr);
        assert!(said.stderr.contains(says), "{says:?} is not in\n{}", said.stderr);
    }
}

#[test]
fn the_configuration_shows_no_value_of_the_app() {
    let config = "[app.env]\nDATABASE_URL = \"postgres://user:s3cret@db/shop\"\nOTHER = \"file:key\"\n";
    let said = typed(&["config", "show"], config).file("key", "s3cret-of-a-file").finish();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(!said.stdout.contains("s3cret"), "{}", said.stdout);
    assert!(said.stdout.contains("file:key"), "{}", said.stdout);
}

fn check(arguments: &[&str], config: &str) -> Finished {
    typed(&[&["secrets", "check"], arguments].concat(), config)
        .file("key", "s3cret-of-a-file\n")
        .file("salt", "0123456789abcdef0123456789abcdef\n")
        .finish()
}

#[test]
fn secrets_are_checked_and_never_shown() {
    let config = "[app.env]\nONE = \"file:key\"\nTWO = \"env:NO_SUCH_VARIABLE\"\nPLAIN = \"info\"\n";
    let said = check(&[], config);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", said.stdout);
    assert!(lines[1].starts_with("app.env.ONE"), "{}", said.stdout);
    assert!(lines[2].ends_with("the variable `NO_SUCH_VARIABLE` is not set"), "{}", said.stdout);
    assert!(said.stderr.contains("1 secret cannot be read"), "{}", said.stderr);
    let said = check(&["--salt", "file:salt", "--json"], config);
    assert!(!said.stdout.contains("s3cret"), "{}", said.stdout);
    let found: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(found[0]["fingerprint"].as_str().unwrap().len(), 16);
    assert!(found[0]["age_seconds"].is_u64());
    let said = check(&[], "");
    assert_eq!((said.code, said.stdout.trim_end()), (Some(0), "the configuration names no secrets"));
}

#[test]
fn a_file_that_others_can_read_is_said() {
    let typed = typed(&["secrets", "check"], "[app.env]\nONE = \"file:key\"\n").file("key", "s3cret");
    fs::set_permissions(typed.folder().join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = typed.finish();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("every user of this machine can read it: `chmod 600`"), "{}", said.stdout);
}

#[test]
fn one_secret_in_two_environments_is_an_error() {
    let config = "[app.env]\nONE = \"file:key\"\n";
    let production = check(&["--salt", "file:salt", "--json"], config).stdout;
    let against = |name: &str, secret: &str| {
        typed(&["secrets", "check", "--salt", "file:salt", "--against", name], config)
            .file("key", secret)
            .file("salt", "0123456789abcdef0123456789abcdef\n")
            .file("production.json", &production)
            .file("empty.json", "[]")
            .finish()
    };
    let said = against("production.json", "s3cret-of-a-file");
    assert_eq!(said.code, Some(1));
    let due = "`app.env.ONE` is the same secret as `app.env.ONE` of the other environment";
    assert!(said.stderr.contains(due), "{}", said.stderr);
    assert_eq!(against("production.json", "another").code, Some(0));
    let said = against("empty.json", "another");
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("has no fingerprints"), "{}", said.stderr);
}
