//! The log leaves the machine: to a real rsyslog, and by HTTP.

mod http;
mod lasting;
mod syslog;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use mantlet_audit::read_seq;

use super::{gate, lines_of, log_in, refused, verified};
use crate::kit::{
    Gateway,
    collectors::Collector,
    command::Typed,
    eventually,
    tls::{Authority, Pair},
};

/// `[audit]` with a destination.
pub(super) fn to(url: &str, more: &str) -> String {
    format!("[audit]\nseal = \"1s\"\n[[audit.ship]]\nto = \"{url}\"\n{more}\n")
}

pub(super) fn seq_of(line: &str) -> u64 {
    read_seq(line.as_bytes()).unwrap_or_else(|| panic!("not a line of a log: {line}")).0
}

/// What has arrived, each line once. The same number is the same line, and the first of each number comes in order.
fn arrived(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut all = BTreeMap::<u64, &str>::new();
    for line in whole.lines() {
        let seq = seq_of(line);
        if let Some(known) = all.get(&seq) {
            assert_eq!(*known, line, "two lines with one number");
            continue;
        }
        let is_in_order = all.last_key_value().is_none_or(|(last, _)| *last < seq);
        assert!(is_in_order, "{seq} comes after {:?}", all.last_key_value());
        all.insert(seq, line);
    }
    all.into_values().map(str::to_owned).collect()
}

/// All lines of the log have arrived, and can be verified there.
pub(super) fn arrives(log: &Path, file: &Path) {
    eventually("all lines", || (arrived(file).len() >= lines_of(log).len()).then_some(()));
    let (sent, there) = (lines_of(log), arrived(file));
    // It may have been sealed meanwhile.
    assert_eq!(there[..sent.len()], sent);
    verified_copy(&there);
}

/// What was shipped is a log that can be verified.
pub(super) fn verified_copy(lines: &[String]) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.jsonl");
    super::write(&copy, lines);
    verified(&copy);
}

/// A value of a metric of the first destination.
fn metric(gateway: &Gateway, name: &str) -> u64 {
    let said = gateway.tell(&["metrics"]);
    let line = said.stdout.lines().find(|line| line.starts_with(&format!("{name}{{")));
    let line = line.unwrap_or_else(|| panic!("no {name}: {}{}", said.stdout, said.stderr));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

pub(super) fn pki(folder: &Path) -> (PathBuf, Pair, Pair) {
    let authority = Authority::new(folder);
    let (server, client) =
        (authority.sign("rsyslog", "localhost"), authority.sign_client("gate", "gate", vec![]));
    (authority.file(), server, client)
}

pub(super) fn with_certificates(authority: &Path, client: &Pair) -> String {
    format!("authority = {:?}\n{}", authority.to_str().unwrap(), client.config())
}

#[test]
fn a_log_that_is_kept_nowhere_is_shipped() {
    let folder = tempfile::tempdir().unwrap();
    let mut collector = Collector::start();
    for file in ["off", "/dev/null"] {
        collector.go();
        let _ = fs::remove_file(collector.file());
        collector.come();
        let config = format!(
            "[audit]\nfile = \"{file}\"\nseal = \"1s\"\n[[audit.ship]]\nto = \"{}\"\nevery = \"100ms\"\n",
            collector.url()
        );
        let gateway = gate(folder.path(), &config);
        refused(&gateway, "/%2e%2e/1");
        eventually("a record", || {
            arrived(&collector.file()).iter().any(|line| line.contains("/1")).then_some(())
        });
        // Away for a while: as much as fits waits.
        collector.go();
        refused(&gateway, "/%2e%2e/2");
        gateway.wait_for("records wait in memory, as many as fit", 1);
        collector.come();
        eventually("a record", || {
            arrived(&collector.file()).iter().any(|line| line.contains("/2")).then_some(())
        });
        refused(&gateway, "/%2e%2e/3");
        gateway.end();
        let there = arrived(&collector.file());
        assert!(there.iter().any(|line| line.contains("/3")), "{there:?}");
        let seqs: Vec<_> = there.iter().map(|line| seq_of(line)).collect();
        assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn destinations_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Collector::start(), Collector::start());
    let gateway = gate(folder.path(), "[audit]\nseal = \"1s\"\n");
    let log = log_in(folder.path());
    refused(&gateway, "/%2e%2e/1");
    gateway.audit(1);
    gateway.reload(&to(&first.url(), "every = \"100ms\""));
    arrives(&log, &first.file());
    // The other one is new, and gets the whole log; the first goes on where it was.
    let both = format!(
        "{}[[audit.ship]]\nto = \"{}\"\nevery = \"100ms\"\nformat = \"json-lines\"\n",
        to(&first.url(), "every = \"100ms\""),
        second.url()
    );
    gateway.reload(&both);
    refused(&gateway, "/%2e%2e/2");
    arrives(&log, &second.file());
    arrives(&log, &first.file());
    assert_eq!(arrived(&first.file()).len(), lines_of(&first.file()).len(), "nothing came twice");
    gateway.reload("[audit]\nseal = \"1s\"\n");
    gateway.wait_for("configuration reloaded", 3);
    refused(&gateway, "/%2e%2e/3");
    gateway.audit(3);
    gateway.end();
    assert!(!arrived(&first.file()).iter().any(|line| line.contains("/3")));
}

/// The rows of docs/audit-shipping.md that no other test shows.
#[test]
fn what_is_wrong_in_the_configuration_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mantlet.toml");
    for (text, says) in [
        ("to = \"syslog://logs.example:514\"", "does not say how a server is reached"),
        (
            "to = \"https://a.example/\"\nheaders = { Authorization = \"Bearer x\" }",
            "a secret does not belong in the configuration",
        ),
        (
            "to = \"https://a.example/\"\nheaders = { Content-Length = \"5\" }",
            "`Content-Length` cannot be set: it belongs to the connection",
        ),
        ("to = \"https://a.example/\"\nfacility = \"audit\"", "`facility` is for syslog, and this is HTTP"),
        ("to = \"syslog+tcp://a.example:99999\"", "a port is a number from 1 to 65535"),
        ("to = \"https://a.example/?token=x\"", "a secret does not belong in the configuration"),
    ] {
        let mut config = fs::File::create(&file).unwrap();
        writeln!(config, "[[audit.ship]]\n{text}").unwrap();
        let said = Typed::mantlet(["config", "check", "--config", file.to_str().unwrap()]).finish();
        assert_ne!(said.code, Some(0));
        assert!(said.stderr.contains(says), "{}", said.stderr);
    }
}
