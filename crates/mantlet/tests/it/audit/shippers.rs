//! The configurations of `docs/shipping`: of programs that read the log's file, or collect what is sent.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use rustix::process::Signal;
use serde_json::Value;

use super::{
    gate, lines_of, log_in, refused,
    ship::{arrives, pki, seq_of, to, verified_copy, with_certificates},
    verified,
};
use crate::kit::{
    collectors::{Configured, free_port},
    eventually, provided,
};

fn configuration(name: &str, paths: &[(&str, &str)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/shipping").join(name);
    let mut text = fs::read_to_string(file).expect("a file");
    for (of_docs, own) in paths {
        assert!(text.contains(of_docs), "{name} does not name {of_docs}");
        text = text.replace(of_docs, own);
    }
    text
}

/// Lines by their numbers. A file that was renamed may be read after the one that came after it.
fn by_number(file: &Path) -> BTreeMap<u64, String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| (seq_of(line), line.to_owned())).collect()
}

#[test]
fn rsyslog_reads_the_file_across_renames_and_changes_no_line() {
    let (folder, central) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (state, there) = (folder.path().to_str().unwrap(), central.path().to_str().unwrap());
    let config =
        configuration("rsyslog-file.conf", &[("/var/log/mantlet", state), ("/var/log/central", there)]);
    let file = central.path().join("mantlet.jsonl");
    let log = log_in(folder.path());
    let gateway = gate(folder.path(), "[audit]\nseal = \"1s\"\n");
    refused(&gateway, "/%2e%2e/1");
    gateway.audit(1);
    let rsyslog = Configured::start(central.path(), &config);
    let is_there = |text: &str| by_number(&file).values().any(|line| line.contains(text));
    eventually("the first", || is_there("/%2e%2e/1").then_some(()));
    let rotate = |number: u32| {
        fs::rename(&log, folder.path().join(format!("audit-{number}.jsonl"))).unwrap();
        gateway.signal(Signal::HUP);
        eventually("a new file", || fs::metadata(&log).ok().filter(|found| found.len() > 0).map(|_| ()));
    };
    refused(&gateway, "/%2e%2e/2");
    rotate(1);
    refused(&gateway, "/%2e%2e/3");
    eventually("the third", || (is_there("/%2e%2e/2") && is_there("/%2e%2e/3")).then_some(()));
    // It is away, and the file is renamed meanwhile.
    rsyslog.end();
    refused(&gateway, "/%2e%2e/4");
    rotate(2);
    refused(&gateway, "/%2e%2e/5");
    let rsyslog = Configured::start(central.path(), &config);
    eventually("the last", || (is_there("/%2e%2e/4") && is_there("/%2e%2e/5")).then_some(()));
    gateway.end();
    verified(&log);
    let files = ["audit-1.jsonl", "audit-2.jsonl", "audit.jsonl"].map(|name| folder.path().join(name));
    let sent: Vec<_> = files.iter().flat_map(|file| lines_of(file)).collect();
    let arrived = eventually("all lines", || Some(by_number(&file)).filter(|all| all.len() >= sent.len()));
    rsyslog.end();
    let arrived: Vec<_> = arrived.into_values().collect();
    assert_eq!(arrived, sent);
    verified_copy(&arrived);
}

#[test]
fn rsyslog_collects_with_the_configuration_of_the_docs() {
    let (folder, central) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (authority, server, client) = pki(central.path());
    let port = free_port().to_string();
    let config = configuration(
        "rsyslog-server.conf",
        &[
            ("/var/log/central", central.path().to_str().unwrap()),
            ("/etc/rsyslog/authority.pem", authority.to_str().unwrap()),
            ("/etc/rsyslog/server.pem", server.certificate.to_str().unwrap()),
            ("/etc/rsyslog/server-key.pem", server.key.to_str().unwrap()),
            ("6514", &port),
        ],
    );
    let rsyslog = Configured::start(central.path(), &config);
    let url = format!("syslog+tls://localhost:{port}");
    let gateway = gate(folder.path(), &to(&url, &with_certificates(&authority, &client)));
    refused(&gateway, "/%2e%2e/1");
    gateway.audit(1);
    arrives(&log_in(folder.path()), &central.path().join("mantlet.jsonl"));
    gateway.end();
    rsyslog.end();
}

/// No registry has these programs: it is held that the files are what they say, and no more.
#[test]
fn configurations_for_vector_and_fluent_bit_are_yaml_that_names_the_log() {
    let read = |name: &str| -> Value {
        let mut python = Command::new(provided("MANTLET_TEST_PYTHON"));
        python.args(["-c", "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.argv[1])))"]);
        let said = python.arg(configuration(name, &[])).output().expect("Python starts");
        serde_json::from_slice(&said.stdout).expect("JSON")
    };
    let (vector, fluent_bit) = (read("vector.yaml"), read("fluent-bit.yaml"));
    let pattern = "/var/log/mantlet/audit*.jsonl";
    assert_eq!(vector["sources"]["mantlet"]["include"][0], pattern);
    assert_eq!(vector["sources"]["mantlet"]["fingerprint"]["strategy"], "device_and_inode");
    assert_eq!(vector["sinks"]["collector"]["inputs"][0], "mantlet");
    assert_eq!(fluent_bit["pipeline"]["inputs"][0]["path"], pattern);
    assert!(fluent_bit["pipeline"]["inputs"][0]["parser"].is_null());
}
