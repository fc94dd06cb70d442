//! Nothing is lost where one of the two dies, or files are renamed meanwhile.

use std::{
    fs,
    io::{BufReader, Write},
    net::TcpStream,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use super::{arrived, arrives, metric, pki, seq_of, to, verified_copy, with_certificates};
use crate::{
    audit::{durable::answer, events, gate, lines_of, log_in, refused, verified},
    kit::{
        Gateway,
        collectors::{Collector, Rsyslog},
        eventually,
    },
};

/// Refusals until this is dropped, and how many there were.
fn under_load<T>(gateway: &Gateway, then: impl FnOnce() -> T) -> T {
    let (address, stop) = (gateway.addr(), AtomicBool::new(false));
    thread::scope(|scope| {
        for net in 0..2 {
            let stop = &stop;
            scope.spawn(move || {
                let mut connection = TcpStream::connect(address).unwrap();
                let mut input = BufReader::new(connection.try_clone().unwrap());
                let mut number = 0_u32;
                while !stop.load(Relaxed) {
                    number += 1;
                    // Addresses of their own, so that none is only counted.
                    let (a, b) = (number / 250 % 250, number % 250);
                    let request = format!(
                        "GET /%2e%2e/x HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.{net}.{a}.{b}\r\n\r\n"
                    );
                    let sent = connection.write_all(request.as_bytes());
                    if sent.and_then(|()| answer(&mut input)).is_err() {
                        break;
                    }
                    // Not more than a test can look through.
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
        let outcome = then();
        stop.store(true, Relaxed);
        outcome
    })
}

const BUSY: &str = "[client]\ntrusted = [\"127.0.0.1\"]\n";

#[test]
fn neither_the_death_of_the_collector_nor_that_of_the_gate_leaves_a_gap() {
    let (folder, certificates) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (authority, server, client) = pki(certificates.path());
    let mut rsyslog = Rsyslog::start(&authority, &server);
    let mut collector = Collector::start();
    let more = with_certificates(&authority, &client);
    let config = format!(
        "terminal = false\n[[audit.ship]]\nto = \"{}\"\n[[audit.ship]]\nto = \"{}\"\ngzip = true\nevery = \"200ms\"\n[[audit.ship]]\nto = \"{}\"\n{more}{BUSY}",
        rsyslog.url("tcp"),
        collector.url(),
        rsyslog.url("tls"),
    );
    let config = format!("[audit]\nseal = \"1s\"\nrotate = \"64 KiB\"\n{config}");
    let log = log_in(folder.path());
    let files = |folder: &Path| {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            files.filter(|file| file.extension().is_some_and(|end| end == "jsonl")).collect();
        files.retain(|file| file.file_name().unwrap().to_str().unwrap().starts_with("audit"));
        files.sort();
        files
    };
    let mut all = 0;
    for round in 0..2 {
        let gateway = gate(folder.path(), &config);
        under_load(&gateway, || {
            for file in [collector.file(), rsyslog.file("tcp.jsonl"), rsyslog.file("tls.jsonl")] {
                eventually("some lines", || (arrived(&file).len() > all + 20).then_some(()));
            }
            rsyslog.go();
            collector.go();
            gateway.wait_for("cannot be shipped to `syslog+tcp", 1);
            gateway.wait_for("cannot be shipped to `http", 1);
            rsyslog.come();
            collector.come();
            gateway.wait_for("is shipped to `syslog+tcp://", 1);
            eventually("it goes on", || (arrived(&collector.file()).len() > all + 150).then_some(()));
            if round == 0 {
                gateway.signal(Signal::KILL);
            }
        });
        if round == 0 {
            gateway.wait();
        } else {
            gateway.end();
        }
        all = arrived(&collector.file()).len();
    }
    // Rotated meanwhile, more than once.
    let parts = files(folder.path());
    assert!(parts.len() > 2, "{parts:?}");
    verified(&log);
    let mut sent: Vec<String> = parts.iter().flat_map(|file| lines_of(file)).collect();
    sent.sort_by_key(|line| seq_of(line));
    rsyslog.end();
    for file in [rsyslog.file("tcp.jsonl"), rsyslog.file("tls.jsonl"), collector.file()] {
        let there =
            eventually("all lines", || Some(arrived(&file)).filter(|there| there.len() >= sent.len()));
        assert_eq!(there, sent, "{}", file.display());
        verified_copy(&there);
        let raw = lines_of(&file).len();
        println!("{}: {} lines, {} of them twice", file.display(), there.len(), raw - there.len());
    }
}

#[test]
fn files_that_were_removed_meanwhile_are_a_gap_that_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut collector = Collector::start();
    let config = to(&collector.url(), "every = \"100ms\"");
    let gateway = gate(folder.path(), &config);
    let log = log_in(folder.path());
    refused(&gateway, "/%2e%2e/1");
    arrives(&log, &collector.file());
    let there = arrived(&collector.file()).len() as u64;
    collector.go();
    refused(&gateway, "/%2e%2e/2");
    gateway.wait_for("cannot be shipped to", 1);
    gateway.end();
    // The collector is away for so long that the file goes.
    fs::remove_file(&log).unwrap();
    let gateway = gate(folder.path(), &config);
    let first = eventually("a line", || lines_of(&log).first().map(|line| seq_of(line)));
    collector.come();
    refused(&gateway, "/%2e%2e/3");
    let is_there = |text: &str| arrived(&collector.file()).iter().any(|line| line.contains(text));
    eventually("what came after it", || {
        (is_there("/%2e%2e/3") && is_there("records-unshipped")).then_some(())
    });
    let lost = metric(&gateway, "mantlet_audit_unshipped_total");
    assert!(lost > 0 && lost <= first - there + 2, "{lost}, from {there} to {first}");
    let seqs: Vec<_> = arrived(&collector.file()).iter().map(|line| seq_of(line)).collect();
    let gap = seqs.windows(2).find(|pair| pair[1] > pair[0] + 1).unwrap();
    assert_eq!(gap[1] - gap[0] - 1, lost);
    gateway.wait_for("they are not there any more", 1);
    gateway.end();
}

/// A file that another program cuts, and one that is renamed, are read to their ends.
#[test]
fn rotation_by_others_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let gateway = gate(folder.path(), &to(&collector.url(), "every = \"100ms\""));
    let log = log_in(folder.path());
    refused(&gateway, "/%2e%2e/1");
    gateway.audit(1);
    collector.behave("500");
    refused(&gateway, "/%2e%2e/2");
    gateway.audit(2);
    fs::rename(&log, folder.path().join("audit.jsonl.1")).unwrap();
    gateway.signal(Signal::HUP);
    eventually("a new file", || fs::metadata(&log).ok().filter(|found| found.len() > 0).map(|_| ()));
    refused(&gateway, "/%2e%2e/3");
    gateway.audit(1);
    collector.behave("take");
    let is_there = |text: &str| arrived(&collector.file()).iter().any(|line| line.contains(text));
    eventually("the third", || is_there("/%2e%2e/3").then_some(()));
    // `copytruncate`, with a copy that is complete.
    fs::copy(&log, folder.path().join("audit.jsonl.2")).unwrap();
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    refused(&gateway, "/%2e%2e/4");
    eventually("the fourth", || is_there("/%2e%2e/4").then_some(()));
    gateway.end();
    let there = arrived(&collector.file());
    let seqs: Vec<_> = there.iter().map(|line| seq_of(line)).collect();
    assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>());
    verified_copy(&there);
    assert!(!events(&log).contains(&"records-unshipped".to_owned()));
}
