//! The audit log: it is as it was written, or `mantlet audit verify` says where not.

mod command;
mod disk;
mod durable;
mod integrity;
mod ship;
mod shippers;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::kit::{
    Client, Gateway, Setup,
    command::{Finished, Typed},
};

/// A gate that refuses these requests, in a state folder that outlives it. No app is needed for that. It records
/// refusals alone, so that each line is known.
fn gate(state: &Path, config: &str) -> Gateway {
    let variables = vec![("MANTLET_AUDIT__ACTIONS", "off".into())];
    Setup::serve("http://127.0.0.1:9").state(state).config(config).variables(variables).start()
}

/// A request that is refused; its id.
fn refused(gateway: &Gateway, path: &str) -> String {
    let answer = Client::connect(gateway.addr()).get(path);
    assert_eq!(answer.status, 400, "{answer:?}");
    answer.request_id().to_owned()
}

fn log_in(state: &Path) -> PathBuf {
    state.join("audit.jsonl")
}

fn lines_of(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

fn write(file: &Path, lines: &[String]) {
    fs::write(file, lines.iter().map(|line| line.clone() + "\n").collect::<String>()).unwrap();
}

fn events(file: &Path) -> Vec<String> {
    let event = |line: &String| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["security_event"].as_str().unwrap().to_owned()
    };
    lines_of(file).iter().map(event).collect()
}

fn audit(arguments: &[&str]) -> Finished {
    Typed::mantlet([&["audit"], arguments].concat()).finish()
}

/// The log is as it was written.
fn verified(file: &Path) -> Finished {
    let said = audit(&["verify", file.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    said
}

/// The log is not as it was written, and this is said of it.
fn faulty(arguments: &[&str], says: &str) {
    let said = audit(&[&["verify"], arguments].concat());
    assert_eq!(said.code, Some(1), "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains(says), "{says:?} is not in\n{}", said.stderr);
}
