//! Tamperings: which are found, with and without a copy of the seals. That each changed byte is found, the
//! tests of `mantlet-audit` show.

use std::{fs, path::Path};

use rustix::process::Signal;
use serde_json::Value;

use super::{audit, events, faulty, gate, lines_of, log_in, refused, verified, write};
use crate::kit::eventually;

const SEALED_SOON: &str = "[audit]\nseal = \"1s\"\n";

/// A log with three refusals and a seal after each, closed; and a copy of its seals.
fn written(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let copy = folder.join("copy.seals");
    let config = format!("{SEALED_SOON}anchors = [\"terminal\", \"{}\"]\n", copy.display());
    let gateway = gate(folder, &config);
    let log = log_in(folder);
    for number in 1..=3 {
        refused(&gateway, "/%2e%2e/x");
        eventually("a seal", || {
            let events = events(&log);
            let sealed = events.iter().filter(|event| *event == "log-sealed").count();
            let last = events.iter().rposition(|event| event == "request-refused")?;
            (sealed >= number && events[last..].contains(&"log-sealed".to_owned())).then_some(())
        });
    }
    gateway.wait_for("audit seal: mantlet-audit/", 3);
    let stderr = gateway.stderr();
    fs::write(folder.join("journal.txt"), stderr).unwrap();
    gateway.end();
    (log, copy)
}

#[test]
fn a_log_is_proven_up_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (log, copy) = written(folder.path());
    let said = verified(&log);
    assert!(said.stdout.contains("as it was written"), "{}", said.stdout);
    assert!(said.stderr.contains("only a copy of the seals from another place shows"), "{}", said.stderr);
    let report = audit(&["verify", log.to_str().unwrap(), "--json", "--seals", copy.to_str().unwrap()]);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    let lines = lines_of(&log).len();
    assert_eq!(report["records"], lines);
    assert_eq!(report["sealed"], lines - 1);
    assert_eq!(report["closed"], true);
    assert_eq!(report["copy"], report["seals"]);
    // Lines of the terminal are a copy, too; the last seal came after they were kept.
    let journal = folder.path().join("journal.txt");
    let said = audit(&["verify", log.to_str().unwrap(), "--seals", journal.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
}

#[test]
fn row_76_what_was_done_to_a_log_is_named_with_its_line() {
    type How = fn(&mut Vec<String>);
    let table: [(&str, How, &str); 9] = [
        ("a changed line", |lines| lines[1] = lines[1].replace("%2e", "%2d"), ":2: record 1 was changed"),
        (
            "a changed link",
            |lines| lines[3] = lines[3].replace("\"prev\":\"", "\"prev\":\"_"),
            ":3: record 2 or 3",
        ),
        ("a deleted line", |lines| drop(lines.remove(3)), ":4: record 3 is missing"),
        ("two deleted lines", |lines| drop(lines.drain(3..5)), ":4: records 3 to 4 are missing"),
        (
            "a copied line",
            |lines| lines.insert(4, lines[1].clone()),
            ":5: record 1 stands where record 4 is due",
        ),
        ("two exchanged lines", |lines| lines.swap(3, 4), ":4: record 3 is missing"),
        ("a cut head", |lines| drop(lines.drain(..2)), ":1: the log begins with record 2"),
        ("a line of another program", |lines| lines.insert(2, "{}".to_owned()), ":3: this is not a line"),
        ("a cut end", |lines| lines.truncate(5), "the end is missing: "),
    ];
    let folder = tempfile::tempdir().unwrap();
    let (log, copy) = written(folder.path());
    let whole = lines_of(&log);
    assert!(whole.len() >= 9, "{whole:#?}");
    for (what, how, says) in table {
        let mut lines = whole.clone();
        how(&mut lines);
        write(&log, &lines);
        println!("{what}");
        faulty(&[log.to_str().unwrap()], says);
        faulty(&[log.to_str().unwrap(), "--seals", copy.to_str().unwrap()], says);
    }
    // All of it is gone, with its seals: without a copy there is nothing to verify.
    fs::remove_file(&log).unwrap();
    let said = audit(&["verify", log.to_str().unwrap()]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    fs::write(&log, "").unwrap();
    faulty(&[log.to_str().unwrap()], "0 are here");
    fs::remove_file(folder.path().join("audit.jsonl.seals")).unwrap();
    faulty(&[log.to_str().unwrap(), "--seals", copy.to_str().unwrap()], "0 are here");
}

#[test]
fn a_cut_end_with_its_seals_is_found_by_a_copy_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (log, copy) = written(folder.path());
    let seals = folder.path().join("audit.jsonl.seals");
    // Up to the first seal's own line.
    let end = events(&log).iter().position(|event| event == "log-sealed").unwrap();
    write(&log, &lines_of(&log)[..=end]);
    write(&seals, &lines_of(&seals)[..1]);
    let said = verified(&log);
    assert!(said.stdout.contains("1 seal;"), "{}", said.stdout);
    faulty(&[log.to_str().unwrap(), "--seals", copy.to_str().unwrap()], "the end is missing");
}

#[test]
fn another_log_in_its_place_is_found_by_a_copy_or_its_name() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (log, copy) = written(folder.path());
    let name = {
        let first: Value = serde_json::from_str(&lines_of(&log)[0]).unwrap();
        first["log"].as_str().unwrap().to_owned()
    };
    let said = audit(&["verify", log.to_str().unwrap(), "--log", &name]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let (other, _) = written(other.path());
    verified(&other);
    faulty(&[other.to_str().unwrap(), "--seals", copy.to_str().unwrap()], ", and not mantlet-audit/");
    faulty(&[other.to_str().unwrap(), "--log", &name], &name);
}

#[test]
fn a_log_never_begins_anew_in_silence() {
    for gone in ["audit.jsonl.key", "audit.jsonl.seals"] {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = written(folder.path());
        let first = lines_of(&log)[0].clone();
        let file = folder.path().join(gone);
        fs::remove_file(&file).unwrap();
        if gone == "audit.jsonl.seals" {
            // Without its seals the log is read from its first line.
            gate(folder.path(), SEALED_SOON).end();
            verified(&log);
            assert_eq!(lines_of(&log)[0], first);
            continue;
        }
        let gateway = gate(folder.path(), SEALED_SOON);
        gateway.wait_for("the audit log does not go on from mantlet-audit/", 1);
        gateway.end();
        let opening: Value = serde_json::from_str(&lines_of(&log)[0]).unwrap();
        assert_eq!(opening["why"], "its key is not there");
        let before: Value = serde_json::from_str(&first).unwrap();
        assert_eq!(opening["after"], before["log"]);
        faulty(
            &[log.to_str().unwrap()],
            "nothing proves that no records were lost".replace("nothing", "Nothing").as_str(),
        );
        let said = audit(&["verify", log.to_str().unwrap(), "--log", opening["log"].as_str().unwrap()]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
    }
}

#[test]
fn a_line_that_was_changed_while_nothing_ran_is_not_built_upon() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gate(folder.path(), "");
    refused(&gateway, "/%2e%2e/x");
    gateway.audit(1);
    gateway.signal(Signal::KILL);
    gateway.wait();
    let log = log_in(folder.path());
    let mut lines = lines_of(&log);
    let last = lines.len() - 1;
    lines[last] = lines[last].replace("%2e", "%2d");
    let forged = lines[0].replace("\"seq\":0,\"prev\":\"\"", "\"seq\":2,\"prev\":\"AAAAAAAAAAAAAAAAAAAAAA\"");
    lines.push(forged);
    write(&log, &lines);
    let gateway = gate(folder.path(), "");
    gateway.wait_for("record 2 is not as it was written, or missing. It is kept as", 1);
    gateway.end();
    faulty(&[log.to_str().unwrap()], "could not go on: record 2 is not as it was written");
}

#[test]
fn row_75_half_a_line_is_kept_in_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gate(folder.path(), SEALED_SOON);
    refused(&gateway, "/%2e%2e/x");
    gateway.audit(1);
    gateway.signal(Signal::KILL);
    gateway.wait();
    let log = log_in(folder.path());
    let half = b"{\"seq\":9,\"pre\xff";
    let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    std::io::Write::write_all(&mut file, half).unwrap();
    gate(folder.path(), SEALED_SOON).end();
    verified(&log);
    let records = lines_of(&log);
    let recovered = records.iter().find(|line| line.contains("log-recovered")).expect("a record");
    let recovered: Value = serde_json::from_str(recovered).unwrap();
    assert_eq!((&recovered["bytes"], &recovered["torn"]), (&"14".into(), &"eyJzZXEiOjksInByZf8=".into()));
}

/// Links anew without any seal: no key is needed for that. The log's own file of seals shows it.
#[test]
fn a_log_without_its_seals_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = written(folder.path());
    let mut lines = Vec::new();
    for line in lines_of(&log).iter().filter(|line| !line.contains("log-sealed")) {
        let (head, record) = line.split_once(",\"time\"").unwrap();
        let prev =
            lines.last().map_or_else(String::new, |last: &String| mantlet_audit::link_of(last.as_bytes()));
        assert!(head.starts_with("{\"seq\":"));
        lines.push(format!("{{\"seq\":{},\"prev\":\"{prev}\",\"time\"{record}", lines.len()));
    }
    write(&log, &lines);
    faulty(&[log.to_str().unwrap()], "the seal in record");
    fs::remove_file(folder.path().join("audit.jsonl.seals")).unwrap();
    let said = verified(&log);
    assert!(said.stdout.contains("no seal yet"), "{}", said.stdout);
    assert!(said.stderr.contains("there is no file of seals beside the log"), "{}", said.stderr);
}

/// An older state of the file beside newer seals.
#[test]
fn a_file_that_was_put_back_is_not_built_upon() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = written(folder.path());
    let first_seal = events(&log).iter().position(|event| event == "log-sealed").unwrap();
    write(&log, &lines_of(&log)[..=first_seal]);
    let gateway = gate(folder.path(), SEALED_SOON);
    gateway.wait_for("records were sealed, and the file does not have the last of them. It is kept as", 1);
    gateway.end();
    faulty(&[log.to_str().unwrap()], "could not go on");
}

/// What a volume does that is mounted for a group.
#[test]
fn a_key_that_others_can_read_is_mended_and_said() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = written(folder.path());
    let key = folder.path().join("audit.jsonl.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o660)).unwrap();
    let gateway = gate(folder.path(), SEALED_SOON);
    gateway.wait_for("others could read the key of the audit log (mode 660); it is 600 now", 1);
    gateway.end();
    verified(&log);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_proof_without_a_copy_of_the_seals_proves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = written(folder.path());
    let proof = folder.path().join("proof.txt");
    fs::write(&proof, audit(&["prove", "1", log.to_str().unwrap()]).stdout).unwrap();
    let said = audit(&["verify", "--proof", proof.to_str().unwrap()]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    assert!(said.stderr.contains("not verified: if its seal is true, record 1 is among"), "{}", said.stderr);
}

#[test]
fn mistakes_of_the_command_are_no_faults_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = written(folder.path());
    let log = log.to_str().unwrap();
    for (arguments, says) in [
        (&["verify", log, "--seals", "/no/such"][..], "the seals `/no/such` cannot be read"),
        (&["verify", "/tmp"], "`/tmp` is a folder: name a file of the log"),
        (&["verify", "/etc/hostname"], "is not a file of an audit log"),
        (&["verify", "--proof", "/no/such"], "the proof `/no/such` cannot be read"),
        (&["verify", log, "--seals", "/etc/hostname"], "there are no seals in `/etc/hostname`"),
    ] {
        let said = audit(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains(says), "{arguments:?}: {}", said.stderr);
    }
}
