//! To a real rsyslog.

use std::{fs, io::Read, net::TcpListener, thread};

use serde_json::Value;

use super::{arrives, metric, pki, seq_of, to, with_certificates};
use crate::{
    audit::{audit, gate, lines_of, log_in, refused},
    kit::{collectors::Rsyslog, eventually},
};

#[test]
fn rsyslog_gets_the_lines_as_they_are() {
    let (folder, certificates) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (authority, server, client) = pki(certificates.path());
    let rsyslog = Rsyslog::start(&authority, &server);
    let more = with_certificates(&authority, &client);
    let ways = ["tcp", "udp", "unix"].map(|way| format!("[[audit.ship]]\nto = \"{}\"\n", rsyslog.url(way)));
    let gateway = gate(folder.path(), &format!("{}{}", to(&rsyslog.url("tls"), &more), ways.concat()));
    let log = log_in(folder.path());
    for path in ["/%2e%2e/a", "/%2e%2e/%C3%A4%22", "/%5c"] {
        refused(&gateway, path);
    }
    // Longer than what rsyslog takes by default.
    let original = "x".repeat(300);
    refused(&gateway, &format!("/%2e%2e/{original}"));
    gateway.audit(4);
    gateway.end();
    for way in ["tcp", "tls", "udp"] {
        arrives(&log, &rsyslog.file(&format!("{way}.jsonl")));
    }
    // A message of the C library has a space before it.
    let local = fs::read_to_string(rsyslog.file("unix.jsonl")).unwrap();
    let local: Vec<_> = local.lines().map(|line| line.strip_prefix(' ').unwrap().to_owned()).collect();
    assert_eq!(local, lines_of(&log));
    let heads = fs::read_to_string(rsyslog.file("tcp.head")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    for (head, line) in heads.lines().zip(lines_of(&log)) {
        let record: Value = serde_json::from_str(&line).unwrap();
        let event = record["security_event"].as_str().unwrap();
        // The facility is `audit`; a refusal is a warning.
        let priority = if event == "request-refused" { 108 } else { 110 };
        let fields: Vec<_> = head.splitn(7, ' ').collect();
        assert_eq!((fields[0], fields[3]), (priority.to_string().as_str(), "mantlet"), "{head}");
        assert_eq!(fields[5], event, "{head}");
        let data = format!(
            "[origin software=\"mantlet\" swVersion=\"{version}\"][meta sequenceId=\"{}\"]",
            seq_of(&line) + 1
        );
        assert_eq!(fields[6], data);
        let time = record["time"].as_str().unwrap();
        assert_eq!(fields[1][..19], time[..19], "{head}");
    }
    assert!(heads.lines().count() >= 7, "{heads}");
}

#[test]
fn a_certificate_that_is_refused_is_said_once() {
    let (folder, certificates, others) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (authority, server, client) = pki(certificates.path());
    let (other, _, stranger) = pki(others.path());
    let rsyslog = Rsyslog::start(&authority, &server);
    // Theirs is not trusted; and ours is not.
    for (more, says) in [
        (with_certificates(&other, &client), "certificate"),
        (with_certificates(&authority, &stranger), ""),
        (format!("authority = {:?}", authority.to_str().unwrap()), ""),
    ] {
        let config = to(&rsyslog.url("tls"), &more);
        let gateway = gate(folder.path(), &config);
        refused(&gateway, "/%2e%2e/x");
        gateway.wait_for("cannot be shipped to `syslog+tls://", 1);
        eventually("it is down", || (metric(&gateway, "mantlet_audit_ship_up") == 0).then_some(()));
        let line =
            gateway.stderr().lines().find(|line| line.contains("cannot be shipped")).unwrap().to_owned();
        assert!(line.to_lowercase().contains(says), "{line}");
        assert!(metric(&gateway, "mantlet_audit_ship_lag_records") > 0);
        gateway.end();
    }
    assert!(!rsyslog.file("tls.jsonl").exists());
    let gateway = gate(folder.path(), &to(&rsyslog.url("tls"), &with_certificates(&authority, &client)));
    arrives(&log_in(folder.path()), &rsyslog.file("tls.jsonl"));
    gateway.end();
}

/// A server that closes each connection at once: what it has read is not known.
#[test]
fn records_that_a_server_may_not_have_read_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let closing = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("syslog+tcp://{}", closing.local_addr().unwrap());
    // One that closes before it has read anything is not sent to at all.
    thread::spawn(move || {
        for mut stream in closing.incoming().flatten() {
            let _ = stream.read(&mut [0]);
        }
    });
    let gateway = gate(folder.path(), &to(&url, ""));
    refused(&gateway, "/%2e%2e/x");
    gateway.wait_for("perhaps they have not arrived", 1);
    assert!(metric(&gateway, "mantlet_audit_ship_doubtful_total") > 0);
    gateway.end();
    let said = audit(&["shipping", log_in(folder.path()).to_str().unwrap()]);
    assert!(said.stdout.contains("perhaps not arrived"), "{}{}", said.stdout, said.stderr);
}
