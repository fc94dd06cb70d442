//! What Mantlet keeps on disk, and what it must never write down.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::kit::{
    Client,
    command::{Process, THREE_LINES, Typed},
    eventually, is_of_action, is_of_the_log,
    processes::mode,
};

fn records(process: &Process, count: usize) -> Vec<Value> {
    eventually(&format!("{count} records"), || {
        let text = fs::read_to_string(process.folder().join(".mantlet/audit.jsonl")).ok()?;
        let mut records: Vec<Value> =
            text.lines().map(serde_json::from_str).collect::<Result<_, _>>().ok()?;
        records.retain(|record| !is_of_the_log(record) && !is_of_action(record));
        (records.len() >= count).then_some(records)
    })
}

#[test]
fn the_state_folder_is_private_and_ignored_by_git() {
    let process = Typed::run(&[]).file("main.py", THREE_LINES).start();
    process.ready();
    let state = process.folder().join(".mantlet");
    assert_eq!(fs::read_to_string(state.join(".gitignore")).unwrap(), "*\n");
    assert_eq!(mode(state.join("audit.jsonl")), 0o600);
}

#[test]
fn a_refusal_is_one_record_and_one_line() {
    let process = Typed::run(&[]).file("main.py", THREE_LINES).start();
    let mut client = Client::connect(process.ready());
    let answer = client.get("/a/%2e%2e/admin");
    let id = answer.request_id();
    let line = process.line(id);
    assert_eq!(
        line,
        format!(
            "mantlet: refused GET /a/%2e%2e/admin from 127.0.0.1: 400 path-dot-segment [{id}]; \
             to allow it: path.mode = \"report\""
        )
    );
    let [record] = &records(&process, 1)[..] else { panic!("one record") };
    let mut record = record.clone();
    let time = record["time"].take();
    let link = record["prev"].take();
    assert_eq!(link.as_str().map(str::len), Some(22), "{link}");
    assert!(time.as_str().is_some_and(|time| time.ends_with('Z')), "{time}");
    assert_eq!(
        record,
        serde_json::json!({
            "seq": 2,
            "prev": null,
            "time": null,
            "security_event": "request-refused",
            "action": "refuse",
            "reason": "path-dot-segment",
            "status": 400,
            "client_ip": "127.0.0.1",
            "user": null,
            "method": "GET",
            "path": "/a/%2e%2e/admin",
            "request_id": id,
            "mode": "enforce",
            "outcome": "denied",
            "remedy": "path.mode = \"report\"",
        })
    );
}

/// A file of an earlier version has records without numbers.
#[test]
fn records_of_an_earlier_version_are_kept_beside() {
    let typed =
        Typed::run(&[]).file("main.py", THREE_LINES).file(".mantlet/audit.jsonl", "{\"earlier\": true}\n");
    let process = typed.start();
    Client::connect(process.ready()).get("/%00");
    assert_eq!(records(&process, 1)[0]["reason"], "path-control-character");
    let kept = fs::read_dir(process.folder().join(".mantlet")).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        path.file_name()?.to_str()?.starts_with("audit.aside-").then_some(path)
    });
    let kept: Vec<_> = kept.collect();
    let [kept] = &kept[..] else { panic!("one file: {kept:?}") };
    assert_eq!(fs::read_to_string(kept).unwrap(), "{\"earlier\": true}\n");
    process.line("has records of an earlier version. It is kept as");
}

#[test]
fn no_secret_is_ever_written_down() {
    const SECRETS: [&str; 6] = ["tokn-q", "tokn-a", "tokn-c", "tokn-b", "tokn-u", "tokn-h"];
    let credentials = "Authorization: Bearer tokn-a\r\nCookie: session=tokn-c\r\nX-API-Key: tokn-a\r\n";
    let requests = [
        format!("GET /%2e%2e/?token=tokn-q HTTP/1.1\r\nHost: localhost\r\n{credentials}\r\n"),
        format!("GET /?token=tokn-q HTTP/1.1\r\nHost: localhost\r\n{credentials}bad header: tokn-h\r\n\r\n"),
        format!("GET /?token=tokn-q HTTP/1.1\r\nHost: joe:tokn-u@localhost\r\n{credentials}\r\n"),
        format!(
            "GET http://joe:tokn-u@localhost/?token=tokn-q HTTP/1.1\r\nHost: localhost\r\n{credentials}\r\n"
        ),
        format!("TRACE /?token=tokn-q HTTP/1.1\r\nHost: localhost\r\n{credentials}\r\n"),
        format!("GET /?token=tokn-q\u{b}HTTP/1.1\r\nHost: localhost\r\n{credentials}\r\n"),
        format!(
            "POST /?token=tokn-q HTTP/1.1\r\nHost: localhost\r\n{credentials}Content-Length: 6\r\n\
             Transfer-Encoding: chunked\r\n\r\ntokn-b"
        ),
        format!(
            "POST /?token=tokn-q HTTP/1.1\r\nHost: localhost\r\n{credentials}Transfer-Encoding: chunked\r\n\r\n\
             6\r\ntokn-b\r\ntokn-b\r\n"
        ),
        format!("GET /#tokn-q HTTP/1.1\r\nHost: localhost\r\n{credentials}\r\n"),
    ];
    // Only Mantlet's own words are of interest: uvicorn's log shows the queries of what it answers.
    let process = Typed::run(&[])
        .file("main.py", THREE_LINES)
        // Some of these are also requests for a path that the app does not have.
        .file("mantlet.toml", "[contract]\nmode = \"off\"\n")
        .start();
    let address = process.ready();
    let refused = requests.len();
    for request in requests {
        let mut client = Client::connect(address);
        client.send(&request);
        let answer = client.answer();
        assert!((400..500).contains(&answer.status), "{request:?}: {answer:?}");
        let text = format!("{:?}{}", answer.headers, String::from_utf8_lossy(&answer.body));
        assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
    }
    assert_eq!(records(&process, refused).len(), refused);
    process.signal(Signal::INT);
    let finished = process.wait();
    assert_eq!(finished.stderr.matches("mantlet: refused").count(), refused, "{}", finished.stderr);
    let file = fs::read_to_string(finished.folder.path().join(".mantlet/audit.jsonl")).unwrap();
    for secret in SECRETS {
        assert!(!finished.stderr.contains(secret), "{secret} in\n{}", finished.stderr);
        assert!(!file.contains(secret), "{secret} in\n{file}");
    }
}
