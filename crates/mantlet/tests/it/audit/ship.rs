//! The log leaves the machine: to a real rsyslog, and by HTTP.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use mantlet_audit::read_seq;
use rustix::process::Signal;
use serde_json::Value;

use super::{durable::answer, events, gate, lines_of, log_in, refused, verified};
use crate::kit::{
    Gateway, Setup,
    collectors::{Collector, Rsyslog},
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
        match all.get(&seq) {
            Some(known) => assert_eq!(*known, line, "two lines with one number"),
            None => {
                let is_in_order = all.last_key_value().is_none_or(|(last, _)| *last < seq);
                assert!(is_in_order, "{seq} comes after {:?}", all.last_key_value());
                all.insert(seq, line);
            }
        }
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
fn metric(gateway: &Gateway, name: &str) -> f64 {
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
fn a_collector_that_fails_gets_all_lines_once_it_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut collector = Collector::start();
    let secret = vec![("SHIP_KEY", "Bearer s3cret-s3cret".into()), ("MANTLET_AUDIT__ACTIONS", "off".into())];
    let config = to(
        &collector.url(),
        "headers = { Authorization = \"env:SHIP_KEY\" }\ntimeout = \"1s\"\nevery = \"100ms\"\nformat = \"json-lines\"",
    );
    let gateway =
        Setup::serve("http://127.0.0.1:9").state(folder.path()).config(&config).variables(secret).start();
    let log = log_in(folder.path());
    // Statuses, a server that hangs, one that ends in the midst of a request.
    for mode in ["500", "429", "403", "hang", "cut"] {
        collector.behave(mode);
        refused(&gateway, "/%2e%2e/x");
        eventually(&format!("two requests in the mode {mode}"), || {
            (collector.asked(mode).len() >= 2).then_some(())
        });
        collector.behave("take");
        arrives(&log, &collector.file());
    }
    assert!(collector.asked("take").iter().all(|asked| asked == "/push Bearer s3cret-s3cret"));
    // It has taken a batch, and has not said so: the batch comes again.
    collector.behave("die");
    refused(&gateway, "/%2e%2e/x");
    collector.wait();
    let before = lines_of(&collector.file()).len();
    collector.behave("take");
    collector.come();
    eventually("the batch again", || (lines_of(&collector.file()).len() > before).then_some(()));
    arrives(&log, &collector.file());
    // Batches that are too large are sent in parts.
    collector.behave("500");
    for _ in 0..9 {
        refused(&gateway, "/%2e%2e/x");
    }
    gateway.audit(9);
    collector.behave("limit 2");
    arrives(&log, &collector.file());
    assert_eq!(metric(&gateway, "mantlet_audit_unshipped_total"), 0.0);
    eventually("it is up", || (metric(&gateway, "mantlet_audit_ship_up") == 1.0).then_some(()));
    assert!(metric(&gateway, "mantlet_audit_shipped_total") >= lines_of(&log).len() as f64 - 1.0);
    let said = gateway.stderr();
    assert!(!said.contains("s3cret"), "{said}");
    // It failed in seven ways within a minute: that is said once.
    assert_eq!(said.matches("cannot be shipped to").count(), 1, "{said}");
    assert!(said.contains("500 Internal Server Error; records wait in its file"), "{said}");
    gateway.end();
    arrives(&log, &collector.file());
    let said = super::audit(&["shipping", log.to_str().unwrap()]);
    let last = lines_of(&log).len() - 1;
    let due = format!("{}  up to record {last}  nothing waits", collector.url());
    assert_eq!((said.code, said.stdout.trim_end()), (Some(0), due.as_str()), "{}", said.stderr);
}

#[test]
fn opentelemetry_parses_the_records_and_gets_the_lines_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::of_otlp();
    let gateway =
        gate(folder.path(), &to(&collector.url(), "every = \"100ms\"\nformat = \"otlp\"\ngzip = true"));
    let log = log_in(folder.path());
    for path in ["/%2e%2e/1", "/%2e%2e/%C3%A4"] {
        refused(&gateway, path);
    }
    collector.behave("503");
    refused(&gateway, "/%5c");
    eventually("a refused batch", || (!collector.asked("503").is_empty()).then_some(()));
    collector.behave("take");
    gateway.audit(3);
    gateway.end();
    arrives(&log, &collector.file());
    let records = lines_of(&collector.file_of("records.jsonl"));
    for (record, line) in records.iter().zip(lines_of(&log)) {
        let record: Value = serde_json::from_str(record).unwrap();
        let native: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["eventName"], native["security_event"]);
        assert_eq!(record["scope"], "mantlet.audit");
        let is_refusal = native["security_event"] == "request-refused";
        assert_eq!(record["severityText"], if is_refusal { "WARN" } else { "INFO" });
        assert_eq!(
            record["severityNumber"],
            format!("SEVERITY_NUMBER_{}", record["severityText"].as_str().unwrap())
        );
        let nanoseconds: i128 = record["timeUnixNano"].as_str().unwrap().parse().unwrap();
        let time: jiff::Timestamp = native["time"].as_str().unwrap().parse().unwrap();
        assert_eq!(nanoseconds, time.as_nanosecond());
        let id = record["attributes"][0]["value"]["stringValue"].as_str().unwrap();
        assert_eq!(record["attributes"][0]["key"], "log.record.uid");
        assert!(id.starts_with("mantlet-audit/") && id.ends_with(&format!("#{}", native["seq"])), "{id}");
        assert_eq!(record["resource"]["attributes"][0]["value"]["stringValue"], "mantlet");
    }
    assert!(records.len() > 5);
}

/// A record that a collector does not take stops no others, and is counted.
#[test]
fn a_record_that_is_refused_is_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    collector.behave("refuse /bad");
    let gateway = gate(folder.path(), &to(&collector.url(), "every = \"100ms\""));
    let log = log_in(folder.path());
    for path in ["/%2e%2e/1", "/%2e%2e/bad", "/%2e%2e/2", "/%2e%2e/3"] {
        refused(&gateway, path);
    }
    let is_there = |text: &str| arrived(&collector.file()).iter().any(|line| line.contains(text));
    eventually("the others", || (is_there("/%2e%2e/3") && is_there("records-unshipped")).then_some(()));
    assert!(is_there("/%2e%2e/1") && is_there("/%2e%2e/2") && !is_there("/bad"));
    assert_eq!(metric(&gateway, "mantlet_audit_unshipped_total"), 1.0);
    gateway.wait_for("1 audit records were not shipped", 1);
    gateway.end();
    verified(&log);
    let said = lines_of(&log).into_iter().find(|line| line.contains("records-unshipped")).unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((said["to"].as_str(), said["count"].as_u64()), (Some(collector.url().as_str()), Some(1)));
    // A collector that refuses everything gets nothing left out.
    collector.behave("400");
    let gateway = gate(folder.path(), &to(&collector.url(), "every = \"100ms\""));
    refused(&gateway, "/%2e%2e/4");
    gateway.wait_for("responds with 400", 1);
    collector.behave("take");
    eventually("the rest", || is_there("/%2e%2e/4").then_some(()));
    assert_eq!(metric(&gateway, "mantlet_audit_unshipped_total"), 0.0);
    gateway.end();
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
    let lost = metric(&gateway, "mantlet_audit_unshipped_total") as u64;
    assert!(lost > 0 && lost <= first - there + 2, "{lost}, from {there} to {first}");
    let seqs: Vec<_> = arrived(&collector.file()).iter().map(|line| seq_of(line)).collect();
    let gap = seqs.windows(2).find(|pair| pair[1] > pair[0] + 1).unwrap();
    assert_eq!(gap[1] - gap[0] - 1, lost);
    gateway.wait_for("they are not there any more", 1);
    gateway.end();
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
        eventually("it is down", || (metric(&gateway, "mantlet_audit_ship_up") == 0.0).then_some(()));
        let line =
            gateway.stderr().lines().find(|line| line.contains("cannot be shipped")).unwrap().to_owned();
        assert!(line.to_lowercase().contains(says), "{line}");
        assert!(metric(&gateway, "mantlet_audit_ship_lag_records") > 0.0);
        gateway.end();
    }
    assert!(!rsyslog.file("tls.jsonl").exists());
    let gateway = gate(folder.path(), &to(&rsyslog.url("tls"), &with_certificates(&authority, &client)));
    arrives(&log_in(folder.path()), &rsyslog.file("tls.jsonl"));
    gateway.end();
}

/// A server that takes connections and never reads.
#[test]
fn a_collector_that_hangs_holds_up_neither_requests_nor_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", deaf.local_addr().unwrap());
    let gateway = gate(folder.path(), &to(&url, "timeout = \"1s\"\nevery = \"100ms\""));
    for _ in 0..20 {
        refused(&gateway, "/%2e%2e/x");
    }
    gateway.wait_for("no complete response within 1 s", 1);
    gateway.audit(20);
    gateway.signal(Signal::INT);
    gateway.wait_for("audit records were not shipped to", 1);
    gateway.wait_for("they go there after the next start", 1);
    gateway.wait();
    drop(deaf);
    let said = super::audit(&["shipping", log_in(folder.path()).to_str().unwrap()]);
    assert_eq!(said.code, Some(3), "{}{}", said.stdout, said.stderr);
    // And they do, wherever the collector is by then.
    verified(&log_in(folder.path()));
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
        ("to = \"https://a.example/?token=x\"", "a secret does not belong in the configuration"),
    ] {
        let mut config = fs::File::create(&file).unwrap();
        writeln!(config, "[[audit.ship]]\n{text}").unwrap();
        let said = Typed::mantlet(["config", "check", "--config", file.to_str().unwrap()]).finish();
        assert_ne!(said.code, Some(0));
        assert!(said.stderr.contains(says), "{}", said.stderr);
    }
}
