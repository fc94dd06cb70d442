//! Kills, full disks, rotation, several programs.

use std::{
    collections::HashMap,
    fs,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::mpsc,
    thread,
};

use rustix::process::Signal;
use serde_json::Value;

use super::{audit, events, faulty, gate, lines_of, log_in, refused, verified};
use crate::kit::{Client, Gateway, Setup, eventually, is_of_the_log};

/// How often each request id was recorded.
fn recorded(file: &Path) -> HashMap<String, usize> {
    let mut found = HashMap::new();
    for line in lines_of(file) {
        let record: Value = serde_json::from_str(&line).unwrap();
        if let Some(id) = record["request_id"].as_str().filter(|id| !id.is_empty()) {
            *found.entry(id.to_owned()).or_default() += 1;
        }
    }
    found
}

/// Asks until the connection ends; the ids of all requests whose answers came as a whole. So few that each
/// gets a record of its own: of one address the first hundred in a minute do.
fn asked_until_the_end(address: SocketAddr) -> Vec<String> {
    let mut answered = Vec::new();
    let Ok(mut connection) = TcpStream::connect(address) else { return answered };
    let mut input = BufReader::new(connection.try_clone().unwrap());
    for _ in 0..24 {
        let sent = connection.write_all(b"GET /%2e%2e/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
        match sent.and_then(|()| answer(&mut input)) {
            Ok(id) => answered.push(id),
            Err(_) => break,
        }
    }
    answered
}

/// Reads an answer and returns its id.
pub(super) fn answer(input: &mut impl BufRead) -> io::Result<String> {
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(": ") {
            Some(("x-request-id", value)) => value.clone_into(&mut id),
            Some(("content-length", value)) => length = value.parse().unwrap(),
            None if line == "\r\n" => break,
            _ => {}
        }
    }
    input.read_exact(&mut vec![0; length])?;
    assert!(!id.is_empty());
    Ok(id)
}

/// A gate whose disk can be full.
fn tight(state: &Path, config: &str) -> Gateway {
    Setup::serve("http://127.0.0.1:9").state(state).config(config).with_little_room().start()
}

fn killed(times: usize) {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(folder.path());
    let mut acknowledged = Vec::new();
    for round in 0..times {
        let gateway = gate(folder.path(), "[audit]\nfsync = \"record\"\nseal = \"1s\"\n");
        let address = gateway.addr();
        let (told, heard) = mpsc::channel();
        let asking: Vec<_> = (0..4)
            .map(|_| {
                let told = told.clone();
                thread::spawn(move || {
                    let ids = asked_until_the_end(address);
                    let _ = told.send(());
                    ids
                })
            })
            .collect();
        if round % 2 == 0 {
            // In the midst of it.
            eventually("some records", || (lines_of(&log).len() > 10).then_some(()));
        } else {
            heard.recv().unwrap();
        }
        gateway.signal(Signal::KILL);
        gateway.wait();
        for one in asking {
            acknowledged.extend(one.join().unwrap());
        }
    }
    gate(folder.path(), "").end();
    verified(&log);
    let found = recorded(&log);
    assert!(acknowledged.len() > times, "{}", acknowledged.len());
    for id in &acknowledged {
        assert_eq!(found.get(id), Some(&1), "of {} answers, {id} is recorded so often", acknowledged.len());
    }
}

#[test]
fn row_75_kills_lose_no_record_of_a_response() {
    killed(8);
}

#[test]
#[ignore = "takes minutes: a hundred kills"]
fn row_75_a_hundred_kills_lose_no_record_of_a_response() {
    killed(100);
}

#[test]
fn row_75_on_a_full_disk_requests_go_on_and_records_wait() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = tight(folder.path(), "[audit]\nactions = \"off\"\nseal = \"1s\"\n");
    refused(&gateway, "/%2e%2e/before");
    gateway.audit(1);
    gateway.set_room(false);
    let ids: Vec<_> = (0..3).map(|_| refused(&gateway, "/%2e%2e/during")).collect();
    gateway.wait_for("the audit file cannot be written: ", 1);
    gateway.wait_for("requests go on, and records that find no room are counted as lost", 1);
    gateway.set_room(true);
    gateway.wait_for("the audit file can be written again", 1);
    refused(&gateway, "/%2e%2e/after");
    let log = log_in(folder.path());
    gateway.end();
    verified(&log);
    let found = recorded(&log);
    for id in ids {
        assert_eq!(found.get(&id), Some(&1));
    }
}

/// More than may wait: what is lost is counted, in a record that the chain has.
#[test]
fn row_75_on_a_full_disk_losses_are_counted() {
    const CLIENTS: u32 = 900;
    let folder = tempfile::tempdir().unwrap();
    let gateway = tight(
        folder.path(),
        "[audit]\nactions = \"off\"\nterminal = false\n[client]\ntrusted = [\"127.0.0.1\"]\n",
    );
    gateway.set_room(false);
    let long = "x".repeat(400);
    let mut client = Client::connect(gateway.addr());
    for number in 0..CLIENTS {
        // Two reasons, and many addresses: so each gets a record of its own.
        let path = if number % 2 == 0 { "/%2e%2e/" } else { "/%5c" };
        let (a, b) = (number / 250, number % 250);
        client.send(format!(
            "GET {path}{long} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.9.{a}.{b}\r\n\r\n"
        ));
        assert_eq!(client.answer().status, 400);
    }
    gateway.wait_for("the audit file cannot be written: ", 1);
    gateway.set_room(true);
    gateway.wait_for("the audit file can be written again", 1);
    let log = log_in(folder.path());
    gateway.end();
    verified(&log);
    let records: Vec<Value> = lines_of(&log).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lost: u64 = records.iter().filter_map(|record| record["count"].as_u64()).sum();
    let kept = records.iter().filter(|record| record["security_event"] == "request-refused").count() as u64;
    assert!(lost > 0 && kept > 0, "{lost} {kept}");
    assert_eq!(lost + kept, u64::from(CLIENTS));
}

/// A seal that fails halfway is finished later, with the same key.
#[test]
fn row_75_seals_outlive_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(folder.path());
    for fsync in ["record", "os", "100ms"] {
        let gateway = tight(
            folder.path(),
            &format!("[audit]\nactions = \"off\"\nseal = \"200ms\"\nfsync = \"{fsync}\"\n"),
        );
        for round in 1..=3 {
            Client::connect(gateway.addr()).get("/%2e%2e/x");
            gateway.set_room(false);
            eventually("a seal that fails", || {
                let said = gateway.stderr();
                Client::connect(gateway.addr()).get("/%2e%2e/x");
                (said.matches("cannot be ").count() >= round).then_some(())
            });
            gateway.set_room(true);
            gateway.wait_for("the audit file can be written again", round);
        }
        gateway.end();
        verified(&log);
    }
}

#[test]
fn row_75_on_a_full_disk_nothing_is_lost_where_requests_wait() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = tight(folder.path(), "[audit]\nfsync = \"record\"\n");
    let mut ids = vec![refused(&gateway, "/%2e%2e/before")];
    gateway.set_room(false);
    // The response of the first one is held back, because its record could not be kept.
    for _ in 0..4 {
        let answer = Client::connect(gateway.addr()).get("/%2e%2e/during");
        assert_eq!((answer.status, answer.code()), (503, "audit-unavailable".to_owned()));
        assert!(answer.header("x-content-type-options").is_some(), "{answer:?}");
    }
    gateway.wait_for("requests are refused until it can be", 1);
    gateway.set_room(true);
    gateway.wait_for("the audit file can be written again", 1);
    ids.push(refused(&gateway, "/%2e%2e/after"));
    let log = log_in(folder.path());
    gateway.end();
    verified(&log);
    let found = recorded(&log);
    for id in ids {
        assert_eq!(found.get(&id), Some(&1));
    }
    assert!(!events(&log).contains(&"records-lost".to_owned()), "{:?}", events(&log));
}

#[test]
fn a_rotated_log_is_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(folder.path());
    let gateway = gate(folder.path(), "");
    refused(&gateway, "/%2e%2e/1");
    gateway.audit(1);
    // As logrotate does it.
    fs::rename(&log, folder.path().join("audit.jsonl.2")).unwrap();
    gateway.signal(Signal::HUP);
    eventually("a new file", || fs::metadata(&log).ok().filter(|found| found.len() > 0).map(|_| ()));
    refused(&gateway, "/%2e%2e/2");
    gateway.audit(1);
    gateway.end();
    // While nothing runs.
    fs::rename(&log, folder.path().join("audit.jsonl.1")).unwrap();
    let gateway = gate(folder.path(), "");
    refused(&gateway, "/%2e%2e/3");
    gateway.audit(1);
    gateway.end();
    assert_eq!(events(&log)[0], "log-continued");
    // Copies beside it are not taken for parts of it.
    fs::copy(&log, folder.path().join("audit.jsonl.bak")).unwrap();
    fs::copy(folder.path().join("audit.jsonl.1"), folder.path().join("audit.jsonl.1.bak")).unwrap();
    let said = verified(&log);
    assert!(said.stdout.contains("3 files"), "{}", said.stdout);
    let found = audit(&["search", log.to_str().unwrap(), "--code", "path-dot-segment", "--json"]);
    assert_eq!(found.stdout.lines().count(), 3, "{}", found.stdout);
    for name in ["audit.jsonl.1", "audit.jsonl.1.bak"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    faulty(&[log.to_str().unwrap()], "are missing");
    fs::rename(folder.path().join("audit.jsonl.2"), folder.path().join("audit.jsonl.2.gz")).unwrap();
    faulty(&[log.to_str().unwrap()], "the log begins with record");
    faulty(&[log.to_str().unwrap()], "compressed files are not read: unpack them");
    // With older files elsewhere it begins after the seal before it.
    let said = audit(&["verify", log.to_str().unwrap(), "--partial"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stderr.contains("are not here; the seal before them fits"), "{}", said.stderr);
    // And so does the gate.
    gate(folder.path(), "").end();
    let said = audit(&["verify", log.to_str().unwrap(), "--partial"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
}

#[test]
fn a_large_file_is_renamed_after_its_first_record() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(folder.path());
    let gateway = gate(folder.path(), "[audit]\nrotate = \"2 KiB\"\nseal = \"1s\"\n");
    for _ in 0..8 {
        refused(&gateway, "/%2e%2e/x");
    }
    let first = folder.path().join("audit.000000000000.jsonl");
    eventually("a renamed file", || first.exists().then_some(()));
    refused(&gateway, "/%2e%2e/y");
    gateway.end();
    let said = verified(&log);
    assert!(!said.stdout.contains("1 file,"), "{}", said.stdout);
    // It goes on after the next start.
    gate(folder.path(), "").end();
    verified(&log);
}

#[test]
fn a_file_that_another_program_cuts_is_said_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(folder.path());
    let gateway = gate(folder.path(), "");
    refused(&gateway, "/%2e%2e/1");
    gateway.audit(1);
    // `copytruncate`, whose copy is complete.
    fs::copy(&log, folder.path().join("audit.jsonl.1")).unwrap();
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    refused(&gateway, "/%2e%2e/2");
    gateway.wait_for("was cut by another program", 1);
    gateway.end();
    verified(&log);
    fs::remove_file(folder.path().join("audit.jsonl.1")).unwrap();
    faulty(&[log.to_str().unwrap()], "the log begins with record 2");
}

#[test]
fn two_programs_in_one_folder_write_two_logs() {
    let folder = tempfile::tempdir().unwrap();
    let first = gate(folder.path(), "[admin]\nsocket = \"off\"\n");
    let second = gate(folder.path(), "[admin]\nsocket = \"off\"\n");
    second.wait_for("another Mantlet writes the audit log; this one writes", 1);
    refused(&first, "/%2e%2e/1");
    refused(&second, "/%2e%2e/2");
    let (log, other) = (log_in(folder.path()), folder.path().join("audit.2.jsonl"));
    eventually("a record in each", || {
        let has = |file: &Path| events(file).contains(&"request-refused".to_owned());
        (has(&log) && has(&other)).then_some(())
    });
    first.end();
    second.end();
    for file in [&log, &other] {
        let said = verified(file);
        assert!(said.stdout.contains("1 file,"), "{}", said.stdout);
        let refusals =
            lines_of(file).iter().filter(|line| !is_of_the_log(&serde_json::from_str(line).unwrap())).count();
        assert_eq!(refusals, 1);
    }
}

/// The lock is not that of a file that is renamed.
#[test]
fn a_rename_does_not_give_the_log_to_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(folder.path());
    let first = gate(folder.path(), "[admin]\nsocket = \"off\"\n");
    refused(&first, "/%2e%2e/1");
    first.audit(1);
    fs::rename(&log, folder.path().join("audit.jsonl.1")).unwrap();
    let second = gate(folder.path(), "[admin]\nsocket = \"off\"\n");
    second.wait_for("another Mantlet writes the audit log", 1);
    first.signal(Signal::HUP);
    eventually("a new file", || fs::metadata(&log).ok().filter(|found| found.len() > 0).map(|_| ()));
    refused(&first, "/%2e%2e/2");
    refused(&second, "/%2e%2e/3");
    first.end();
    second.end();
    verified(&log);
    verified(&folder.path().join("audit.2.jsonl"));
}

/// A copy on another machine may take for ever.
#[test]
fn a_copy_of_the_seals_that_hangs_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let config =
        format!("[audit]\nfsync = \"record\"\nseal = \"200ms\"\nanchors = [\"{}\"]\n", pipe.display());
    let gateway = gate(folder.path(), &config);
    let log = log_in(folder.path());
    eventually("seals", || {
        refused(&gateway, "/%2e%2e/x");
        let sealed = events(&log).iter().filter(|event| *event == "log-sealed").count();
        (sealed >= 3).then_some(())
    });
    gateway.end();
    verified(&log);
}

/// A link is followed to the real file; others are looked for beside that.
#[test]
fn a_log_behind_a_link_is_one_log() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (link, file) = (folder.path().join("link.jsonl"), disk.path().join("shop"));
    fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let config = format!("[audit]\nfile = \"{}\"\nseal = \"200ms\"\n", link.display());
    for number in 1..=2 {
        let gateway = gate(folder.path(), &config);
        refused(&gateway, "/%2e%2e/x");
        eventually("a record", || {
            let refusals = events(&file).iter().filter(|event| *event == "request-refused").count();
            (refusals == number).then_some(())
        });
        gateway.signal(Signal::KILL);
        gateway.wait();
    }
    gate(folder.path(), &config).end();
    for log in [&link, &file] {
        let said = verified(log);
        assert!(said.stdout.contains("1 file,"), "{}", said.stdout);
    }
}

/// What a power failure may leave.
#[test]
fn row_75_a_long_torn_end_is_kept_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(folder.path());
    let gateway = gate(folder.path(), "");
    refused(&gateway, "/%2e%2e/x");
    gateway.audit(1);
    gateway.signal(Signal::KILL);
    gateway.wait();
    let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(&vec![0; 3 << 20]).unwrap();
    gate(folder.path(), "").end();
    verified(&log);
    let recovered = lines_of(&log).into_iter().find(|line| line.contains("log-recovered")).unwrap();
    let recovered: Value = serde_json::from_str(&recovered).unwrap();
    assert_eq!(recovered["bytes"], (3 << 20).to_string());
    let kept = folder.path().join(recovered["file"].as_str().unwrap());
    assert_eq!(fs::metadata(kept).unwrap().len(), 3 << 20);
}
