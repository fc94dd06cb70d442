//! By HTTP, to a collector that may fail.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use rustix::process::Signal;
use serde_json::Value;

use super::{arrived, arrives, metric, to};
use crate::{
    audit::{audit, gate, lines_of, log_in, refused, verified},
    kit::{Setup, collectors::Collector, eventually},
};

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
    assert_eq!(metric(&gateway, "mantlet_audit_unshipped_total"), 0);
    eventually("it is up", || (metric(&gateway, "mantlet_audit_ship_up") == 1).then_some(()));
    assert!(metric(&gateway, "mantlet_audit_shipped_total") + 1 >= lines_of(&log).len() as u64);
    let said = gateway.stderr();
    assert!(!said.contains("s3cret"), "{said}");
    // It failed in seven ways within a minute: that is said once.
    assert_eq!(said.matches("cannot be shipped to").count(), 1, "{said}");
    assert!(said.contains("500 Internal Server Error; records wait in its file"), "{said}");
    gateway.end();
    arrives(&log, &collector.file());
    let said = audit(&["shipping", log.to_str().unwrap()]);
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
    assert_eq!(metric(&gateway, "mantlet_audit_unshipped_total"), 1);
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
    assert_eq!(metric(&gateway, "mantlet_audit_unshipped_total"), 0);
    gateway.end();
}

/// A server that sends interim responses for ever.
#[test]
fn a_collector_that_never_begins_its_response_holds_up_no_other_one() {
    let folder = tempfile::tempdir().unwrap();
    let endless = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", endless.local_addr().unwrap());
    thread::spawn(move || {
        for socket in endless.incoming() {
            let Ok(mut socket) = socket else { return };
            let flood = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(4_096);
            thread::spawn(move || {
                let asks = socket.read(&mut [0; 512]).is_ok_and(|read| read > 0);
                while asks && socket.write_all(&flood).is_ok() {}
            });
        }
    });
    let well = Collector::start();
    let config = format!(
        "{}[[audit.ship]]\nto = \"{}\"\nevery = \"100ms\"\n",
        to(&url, "every = \"100ms\""),
        well.url()
    );
    let gateway = gate(folder.path(), &config);
    refused(&gateway, "/%2e%2e/1");
    gateway.wait_for("no response has begun within 512 KiB", 1);
    refused(&gateway, "/%2e%2e/2");
    gateway.audit(2);
    arrives(&log_in(folder.path()), &well.file());
    gateway.signal(Signal::INT);
    gateway.wait_for(&format!("audit records were not shipped to `{url}` yet"), 1);
    let said = gateway.stderr();
    assert!(!said.contains("still being shipped"), "{said}");
    gateway.wait();
    arrives(&log_in(folder.path()), &well.file());
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
    let said = audit(&["shipping", log_in(folder.path()).to_str().unwrap()]);
    assert_eq!(said.code, Some(3), "{}{}", said.stdout, said.stderr);
    // And they do, wherever the collector is by then.
    verified(&log_in(folder.path()));
}
