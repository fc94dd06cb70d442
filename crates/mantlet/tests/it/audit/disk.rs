//! A disk that is really full: a small tmpfs that only the gate sees.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use serde_json::Value;

use super::{lines_of, verified};
use crate::kit::{Client, Gateway, Setup, eventually};

const LARGE: &str = "2m";

/// A gate on a small disk, and that disk.
fn on_a_small_disk(config: &str) -> (Gateway, (File, std::path::PathBuf)) {
    let variables = vec![("MANTLET_AUDIT__ACTIONS", "off".into())];
    let config = format!("{config}seal = \"1s\"\nterminal = false\n[client]\ntrusted = [\"127.0.0.1\"]\n");
    let setup = Setup::serve("http://127.0.0.1:9").config(&config).variables(variables);
    let gateway = setup.on_a_disk_of(LARGE).start();
    let disk = gateway.own_state();
    (gateway, disk)
}

/// Writes until nothing more fits.
fn fill(disk: &Path) {
    let mut filler = File::create(disk.join("filler")).unwrap();
    let full = loop {
        if let Err(error) = filler.write_all(&[0; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::StorageFull, "{full}");
    // The last bytes that a page has.
    while filler.write_all(&[0]).is_ok() {}
}

/// The status of a request that is refused, from an address of its own: each has a record of its own.
fn asked(gateway: &Gateway, number: u32) -> u16 {
    let (a, b) = (number / 250, number % 250);
    // Two reasons, of which each has records of its own.
    let path = if number.is_multiple_of(2) { "/%2e%2e/" } else { "/%5c" };
    let long = "x".repeat(400);
    let request =
        format!("GET {path}{long} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.9.{a}.{b}\r\n\r\n");
    Client::connect(gateway.addr()).ask(request).status
}

/// What is on the disk of a gate that has ended, read as a log. Returns its refusals and the number of lost ones.
fn left_on(disk: &Path) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["audit.jsonl", "audit.jsonl.seals"] {
        fs::copy(disk.join(name), folder.path().join(name)).unwrap();
    }
    let log = folder.path().join("audit.jsonl");
    verified(&log);
    let records: Vec<Value> = lines_of(&log).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kept = records.iter().filter(|record| record["security_event"] == "request-refused").count() as u64;
    let lost = records.iter().filter(|record| record["security_event"] == "records-lost");
    (kept, lost.filter_map(|record| record["count"].as_u64()).sum())
}

#[test]
fn row_75_requests_go_on_while_a_real_disk_is_full_and_losses_are_counted() {
    const CLIENTS: u32 = 900;
    let (gateway, (_open, disk)) = on_a_small_disk("[audit]\n");
    assert_eq!(asked(&gateway, 0), 400);
    fill(&disk);
    for number in 1..CLIENTS {
        assert_eq!(asked(&gateway, number), 400, "a full disk refuses nothing else");
    }
    gateway.wait_for("the audit file cannot be written: No space left on device", 1);
    gateway.wait_for("requests go on, and records that find no room are counted as lost", 1);
    fs::remove_file(disk.join("filler")).unwrap();
    gateway.wait_for("the audit file can be written again", 1);
    assert_eq!(asked(&gateway, CLIENTS), 400);
    gateway.end();
    let (kept, lost) = left_on(&disk);
    println!("{kept} records kept, {lost} lost and counted");
    assert!(lost > 0 && kept > 0, "{lost} {kept}");
    assert_eq!(kept + lost, u64::from(CLIENTS) + 1);
}

#[test]
fn row_75_requests_are_refused_while_a_real_disk_is_full_where_no_record_may_be_lost() {
    let (gateway, (_open, disk)) = on_a_small_disk("[audit]\nfsync = \"record\"\n");
    let mut recorded = 0;
    while recorded < 5 {
        assert_eq!(asked(&gateway, recorded), 400);
        recorded += 1;
    }
    fill(&disk);
    for number in 0..20 {
        assert_eq!(asked(&gateway, 100 + number), 503, "request {number} on a full disk");
    }
    gateway.wait_for("requests are refused until it can be", 1);
    fs::remove_file(disk.join("filler")).unwrap();
    gateway.wait_for("the audit file can be written again", 1);
    let again = eventually("a request that is recorded", || {
        Some(asked(&gateway, 200)).filter(|status| *status != 503)
    });
    assert_eq!(again, 400);
    gateway.end();
    let (kept, lost) = left_on(&disk);
    // The first one on the full disk was recorded once there was room, as all before and after it were.
    assert!(lost == 0 && kept > u64::from(recorded), "{kept} {lost}");
}
