//! What an operator asks of the log.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use super::{audit, gate, lines_of, log_in, refused, verified};
use crate::kit::{Client, command::Typed, eventually};

#[test]
fn records_are_found_by_what_is_known_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gate(folder.path(), "");
    let id = refused(&gateway, "/%2e%2e/x");
    Client::connect(gateway.addr()).ask("GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    gateway.audit(2);
    let log = log_in(folder.path());
    let log = log.to_str().unwrap();
    let count = |arguments: &[&str]| {
        let said = audit(&[&["search", log, "--json"], arguments].concat());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stdout.lines().count()
    };
    for (arguments, found) in [
        (&["--code", "path-dot-segment"][..], 1),
        (&["--ip", "127.0.0.1"], 2),
        (&["--ip", "127.0.0.2"], 0),
        (&["--request", &id], 1),
        (&["--event", "request-refused", "--since", "1h"], 2),
        (&["--event", "request-refused", "--until", "1h"], 0),
        (&["--user", "alice"], 0),
        (&["--operation", "/%00"], 1),
        (&["--event", "log-opened"], 1),
    ] {
        assert_eq!(count(arguments), found, "{arguments:?}");
    }
    let said = audit(&["search", log, "--code", "path-dot-segment"]);
    let line = said.stdout.trim_end();
    let due = format!(
        "request-refused           400 path-dot-segment denied  GET /%2e%2e/x  from 127.0.0.1  [{id}]  #1"
    );
    assert!(line.ends_with(&due), "{line}");
    assert!(said.stderr.contains("1 record"), "{}", said.stderr);
    let said = audit(&["search", log, "--since", "yesterday"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr.contains("`yesterday` is not a time: write `2026-11-30T16:00:00Z`"),
        "{}",
        said.stderr
    );
}

#[test]
fn keys_that_are_made_where_no_mantlet_runs_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let (state, log) = (folder.path(), log_in(folder.path()));
    let file = folder.path().join("mantlet.toml");
    fs::write(&file, format!("state-folder = {state:?}\n[audit]\nfile = {log:?}\n")).unwrap();
    let keys = |arguments: &[&str]| {
        let said =
            Typed::mantlet([&["keys", "--config", file.to_str().unwrap()], arguments].concat()).finish();
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stdout
    };
    let made = keys(&["create", "reports"]);
    let id = made.split('_').nth(2).unwrap();
    keys(&["revoke", id]);
    keys(&["revoke", id]);
    keys(&["list"]);
    let gateway = gate(state, "");
    refused(&gateway, "/%00");
    gateway.end();
    let records: Vec<Value> = lines_of(&log).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| records.iter().filter(|one| one["security_event"] == event).collect::<Vec<_>>();
    assert_eq!(
        (of("api-key-created").len(), of("api-key-revoked").len()),
        (1, 1),
        "the second time changes nothing"
    );
    let acts = of("operator-acted");
    let said: Vec<_> = acts.iter().map(|act| act["subject"].as_str().unwrap()).collect();
    assert_eq!(said, ["create an API key", &format!("revoke the API key {id}")]);
    assert!(acts.iter().all(|act| act["user"] == *format!("uid:{}", rustix::process::getuid().as_raw())));
    assert!(!fs::read_to_string(&log).unwrap().contains(made.trim()), "the key itself is in no record");
    verified(&log);
}

#[test]
fn a_record_is_proven_without_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gate(folder.path(), "");
    refused(&gateway, "/%2e%2e/public");
    refused(&gateway, "/%2e%2e/private");
    gateway.audit(2);
    let log = log_in(folder.path());
    let log = log.to_str().unwrap();
    let said = audit(&["prove", "1", log]);
    assert!(said.stderr.contains("record 1 is not sealed yet"), "{}", said.stderr);
    gateway.end();
    let said = audit(&["prove", "1", log]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let proof = folder.path().join("proof.txt");
    fs::write(&proof, &said.stdout).unwrap();
    let seals = folder.path().join("audit.jsonl.seals");
    let (proof, seals) = (proof.to_str().unwrap(), seals.to_str().unwrap());
    let said = audit(&["verify", "--proof", proof, "--seals", seals]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let record: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(record["path"], "/%2e%2e/public");
    assert!(!fs::read_to_string(proof).unwrap().contains("private"));
    // Of another log.
    let other = tempfile::tempdir().unwrap();
    gate(other.path(), "").end();
    let others = other.path().join("audit.jsonl.seals");
    let said = audit(&["verify", "--proof", proof, "--seals", others.to_str().unwrap()]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("its seal is not among the copy of the seals"), "{}", said.stderr);
    // Another record.
    let text = fs::read_to_string(proof).unwrap().replace("index 1", "index 2");
    fs::write(proof, text).unwrap();
    let said = audit(&["verify", "--proof", proof, "--seals", seals]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("the record is not among those that the seal covers"), "{}", said.stderr);
    let said = audit(&["prove", "99", log]);
    assert!(said.stderr.contains("there is no record 99: the log has 0 to"), "{}", said.stderr);
}

#[test]
fn a_log_is_followed_through_its_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gate(folder.path(), "");
    refused(&gateway, "/%2e%2e/1");
    gateway.audit(1);
    let log = log_in(folder.path());
    let mut follower = Command::new(env!("CARGO_BIN_EXE_mantlet"))
        .args(["audit", "tail", "-n", "1", "--follow", "--event", "request-refused"])
        .arg(&log)
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = || lines.next().expect("a line").unwrap();
    assert!(next().contains("GET /%2e%2e/1"));
    refused(&gateway, "/%2e%2e/2");
    assert!(next().contains("GET /%2e%2e/2"));
    fs::rename(&log, folder.path().join("audit.jsonl.1")).unwrap();
    refused(&gateway, "/%2e%2e/3");
    assert!(next().contains("GET /%2e%2e/3"));
    gateway.signal(Signal::HUP);
    eventually("a new file", || log.exists().then_some(()));
    refused(&gateway, "/%2e%2e/4");
    assert!(next().contains("GET /%2e%2e/4"));
    follower.kill().unwrap();
    follower.wait().unwrap();
    gateway.end();
    verified(&log);
}

#[test]
fn a_log_is_exported_in_the_words_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gate(folder.path(), "");
    let id = refused(&gateway, "/%2e%2e/x");
    gateway.audit(1);
    gateway.end();
    let log = log_in(folder.path());
    let exported = |format: &str| {
        let said =
            audit(&["export", "--format", format, "--code", "path-dot-segment", log.to_str().unwrap()]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stdout.trim_end().to_owned()
    };
    let ocsf: Value = serde_json::from_str(&exported("ocsf")).unwrap();
    assert_eq!(ocsf["class_uid"], 6003);
    assert_eq!(ocsf["type_uid"], 600_399);
    assert_eq!(ocsf["metadata"]["version"], "1.6.0");
    assert_eq!(ocsf["metadata"]["correlation_uid"], id);
    assert_eq!(ocsf["src_endpoint"]["ip"], "127.0.0.1");
    assert_eq!(ocsf["api"]["response"]["code"], 400);
    let ecs: Value = serde_json::from_str(&exported("ecs")).unwrap();
    assert_eq!(ecs["event"]["outcome"], "failure");
    assert_eq!(ecs["http"]["request"]["id"], id);
    assert_eq!(ecs["source"]["ip"], "127.0.0.1");
    let cef = exported("cef");
    assert!(cef.starts_with("CEF:0|Mantlet|Mantlet|"), "{cef}");
    assert!(
        cef.contains("src=127.0.0.1 requestMethod=GET request=/%2e%2e/x act=refuse outcome=failure"),
        "{cef}"
    );
}
