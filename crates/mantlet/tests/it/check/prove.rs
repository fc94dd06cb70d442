//! A running app is asked, alone and behind the gate; what closes the findings is written.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::kit::{
    command::{Finished, Typed},
    eventually,
};

/// The rows of the table: what was found of the app alone, and behind the gate.
fn table(finished: &Finished) -> BTreeMap<String, [String; 2]> {
    let lines = finished.stdout.lines().take_while(|line| !line.starts_with("Review of"));
    let rows = lines.skip(1).filter(|line| !line.is_empty()).map(|line| {
        let mut cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        let mut next = || cells.next().unwrap_or_else(|| panic!("{line}")).to_owned();
        (next(), [next(), next()])
    });
    rows.collect()
}

fn word(cell: &str) -> &str {
    cell.split(" (").next().unwrap_or_default()
}

#[test]
fn what_the_gate_can_close_is_closed_and_the_rest_is_for_the_author() {
    let configuration = "# ours\n[limits] # by hand\nbody-size = \"2 MiB\" # measured\n";
    let typed = Typed::mantlet(["check", "main:app", "--prove", "--writes", "--write", "--close", "low"])
        .argument("--output")
        .argument("report.json")
        .shop()
        .file("mantlet.toml", configuration);
    let process = typed.start();
    let folder = process.folder().to_owned();
    // The app is asked twice, some hundred requests each time.
    let finished = process.wait_within(Duration::from_mins(5));
    assert_eq!(finished.code, Some(1), "{}\n{}", finished.stdout, finished.stderr);

    let rows = table(&finished);
    let expected = [
        ("API1:2023", "high", "passed"),
        ("API5:2023", "high", "passed"),
        ("API6:2023", "medium", "passed"),
        ("API9:2023", "low", "passed"),
        ("uploads", "medium", "passed"),
        // What only the app's author can do: a key that can be guessed, and one that is shown.
        ("API2:2023", "high", "high"),
        ("API8:2023", "critical", "critical"),
        ("tokens", "critical", "critical"),
    ];
    for (row, before, after) in expected {
        let [alone, gated] = &rows[row];
        assert_eq!((word(alone), word(gated)), (before, after), "{row}:\n{}", finished.stdout);
    }

    // What remains says what the app's author has to do, or which value the operator has to write.
    let report = fs::read_to_string(folder.join("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let first = &report["rows"][0];
    assert!(first["alone"].as_str().is_some_and(|alone| alone.starts_with("high (")), "{first:#}");
    for finding in report["findings"].as_array().expect("findings") {
        if matches!(finding["level"].as_str(), Some("medium" | "high" | "critical")) {
            let is_for_people = finding["fix"]["kind"] == "author" || finding["needs-values"] == true;
            assert!(is_for_people, "{finding:#}");
        }
    }

    // The configuration is the one that was proven, and keeps what was there.
    let written = fs::read_to_string(folder.join("mantlet.toml")).expect("a configuration");
    assert!(written.starts_with(configuration), "{written}");
    assert!(written.contains("paths   = [\"/orders/{order_id}\"]"), "{written}");
    let checked = Typed::mantlet(["config", "check"]).at(&folder).finish();
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let again = Typed::mantlet(["check", "main:app", "--write", "--close", "low"]).at(&folder).finish();
    assert!(again.stderr.contains("has all that closes findings already"), "{}", again.stderr);
    assert_eq!(fs::read_to_string(folder.join("mantlet.toml")).expect("a configuration"), written);
}

#[test]
fn a_review_that_is_interrupted_reports_and_leaves_nothing_behind() {
    let process = Typed::mantlet(["check", "main:app", "--live", "--writes"]).shop().start();
    // The gate and the app behind it; before, only the app is read, alone.
    let started = eventually("the app is started behind the gate", || {
        let all = process.descendants();
        let is_gate = |id: &u32| {
            let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let mut words = command.split(|byte| *byte == 0);
            // A child that has not begun its own program yet has the name of this one, and not its command.
            words.next().is_some_and(|name| name.ends_with(b"mantlet")) && words.next() == Some(b"run")
        };
        (all.len() >= 2 && all.iter().any(is_gate)).then_some(all)
    });
    process.signal(Signal::INT);
    let finished = process.wait_within(Duration::from_mins(2));
    assert!(matches!(finished.code, Some(0 | 1)), "{}", finished.stderr);
    assert!(finished.stdout.contains("OWASP API Security Top 10"), "{}", finished.stdout);
    for id in started {
        assert!(!fs::exists(format!("/proc/{id}/exe")).unwrap_or(false), "{id} still runs");
    }
}

#[test]
fn what_is_wrong_with_the_arguments_is_said_before_anything_is_asked() {
    for (arguments, code, said) in [
        (&["--target", "https://api.example.com"][..], 2, "say so with `--i-own-this`"),
        (&["--target", "localhost:8000"], 2, "write `http://127.0.0.1:8000`"),
        (&["--as", "alice=secret-token"], 2, "write `alice=env:VARIABLE` or `alice=file:PATH`"),
        (&["--as", "alice"], 2, "write `--as alice=env:ALICE_TOKEN`"),
        (&["--as", "alice=env:NO_SUCH_VARIABLE"], 2, "the variable `NO_SUCH_VARIABLE` is not set"),
        (&["--as", "alice=file:none.txt"], 2, "`none.txt` cannot be read"),
        (&["--osv-db", "none"], 2, "--osv-db none"),
        (&["--prove", "--live"], 2, "cannot be used with"),
    ] {
        let typed = Typed::mantlet(["check", "main:app"].iter().chain(arguments)).shop();
        let finished = typed.finish();
        assert_eq!(finished.code, Some(code), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(said), "{arguments:?}: {}", finished.stderr);
        assert!(!finished.stderr.contains("secret-token"), "{}", finished.stderr);
    }
}

#[test]
fn a_target_that_does_not_answer_is_not_reviewed() {
    // Nothing listens at port 9.
    let typed = Typed::mantlet(["check", "main:app", "--target", "http://127.0.0.1:9"]).shop();
    let finished = typed.finish();
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert!(finished.stderr.contains("the app at http://127.0.0.1:9 does not answer"), "{}", finished.stderr);
    assert_eq!(finished.stdout, "", "no report, and nothing that passes");
}

/// A service with the API of OSV: the records of the supply chain's tests, two pages for a question.
fn osv() -> String {
    let record = json!({
        "id": "GHSA-462w-v97r-4m45", "aliases": ["CVE-2019-10906"], "summary": "Jinja2 sandbox escape",
        "affected": [{"package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.10.1"}]}]}],
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut lines = BufReader::new(stream.expect("a connection"));
            while let Some((target, body)) = request(&mut lines) {
                let answer = match target.as_str() {
                    "/v1/querybatch" if body["queries"][0]["page_token"] == "more" => {
                        json!({"results": [{"vulns": [{"id": "GHSA-462w-v97r-4m45"}]}]})
                    }
                    "/v1/querybatch" => {
                        assert_eq!(
                            body["queries"][0]["package"],
                            json!({"name": "jinja2", "ecosystem": "PyPI"})
                        );
                        json!({"results": [{"vulns": [{"id": "PYSEC-0-broken"}], "next_page_token": "more"}]})
                    }
                    "/v1/vulns/GHSA-462w-v97r-4m45" => record.clone(),
                    _ => json!({"no": "record"}),
                };
                let answer = answer.to_string();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
                lines.get_mut().write_all(head.as_bytes()).expect("an answer");
            }
        }
    });
    url
}

/// A request's target and its JSON, while there is one.
fn request(lines: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let (mut line, mut length) = (String::new(), 0);
    lines.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let target = line.split(' ').nth(1)?.to_owned();
    while line != "\r\n" {
        line.clear();
        lines.read_line(&mut line).ok()?;
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    Some((target, serde_json::from_slice(&body).unwrap_or_default()))
}

#[test]
fn a_service_is_asked_for_known_weaknesses_and_a_broken_record_is_a_note() {
    let locked = format!("jinja2==2.10 \\\n    --hash=sha256:{}\n", "0".repeat(64));
    let check = |url: &str| {
        let typed = Typed::mantlet(["check", "main:app", "--format", "json", "--osv", url]).shop();
        let finished = typed.file("requirements.txt", &locked).finish();
        serde_json::from_str::<Value>(&finished.stdout).expect("JSON")
    };
    let report = check(&osv());
    let findings = report["findings"].as_array().expect("findings");
    let found =
        findings.iter().find(|one| one["message"].as_str().is_some_and(|text| text.contains("GHSA-462w")));
    let found = found.unwrap_or_else(|| panic!("{findings:#?}"));
    assert!(found["place"]["file"] == "requirements.txt", "{found:#}");
    let notes = report["notes"].to_string();
    assert!(notes.contains("`PYSEC-0-broken` of the service cannot be read"), "{notes}");
    // Nothing listens at port 9: what was not looked for is not passed.
    let report = check("http://127.0.0.1:9");
    let row = report["rows"].as_array().and_then(|rows| rows.iter().find(|row| row["id"] == "dependencies"));
    assert!(row.expect("a row")["not-judged"].to_string().contains("does not answer"), "{row:#?}");
}

#[test]
fn what_the_app_is_made_of_is_written() {
    let locked = format!("jinja2==3.1.6 \\\n    --hash=sha256:{}\n", "0".repeat(64));
    let typed = Typed::mantlet(["check", "main:app", "--sbom", "sbom.json"]).shop();
    let process = typed.file("requirements.txt", &locked).start();
    let folder = process.folder().to_owned();
    let _finished = process.wait();
    let text = fs::read_to_string(folder.join("sbom.json")).expect("an SBOM");
    let sbom: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(sbom["bomFormat"], "CycloneDX");
    assert_eq!(sbom["components"][0]["purl"], "pkg:pypi/jinja2@3.1.6", "{sbom:#}");
}
