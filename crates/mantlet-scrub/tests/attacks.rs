//! What an attacker, or an unlucky line, makes of the forms.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking; the exception does not reach helpers")]

use std::sync::{Arc, LazyLock};

use mantlet_scrub::{Further, Rules, Scrubber};
use serde_json::{Value, json};

fn scrubbed<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> String {
    static RULES: LazyLock<Arc<Rules>> =
        LazyLock::new(|| Arc::new(Rules::new(&[], Further::default()).unwrap()));
    let (mut scrubber, mut out) = (Scrubber::new(Arc::clone(&RULES)), Vec::new());
    for part in parts {
        scrubber.push(part, &mut out);
    }
    scrubber.finish(&mut out);
    String::from_utf8(out).unwrap()
}

/// Whole, and byte by byte.
fn check(text: &str, expected: &str) {
    assert_eq!(scrubbed([text.as_bytes()]), expected, "{text}");
    assert_eq!(scrubbed(text.as_bytes().chunks(1)), expected, "{text}, byte by byte");
}

const LINE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";

fn letters(length: usize) -> String {
    "q7Rz0LmX4cVb9NsKd2WfGh8JyTpE5uAo3iQ6wBxS1vCnMkDr".chars().cycle().take(length).collect()
}

#[test]
fn a_key_that_is_cut_off_takes_no_line_with_it() {
    for breaks in ["\n", "\r\n"] {
        let key = format!("-----BEGIN PRIVATE KEY-----{breaks}{LINE}{breaks}{LINE}");
        for after in [
            "INFO",
            "INFO:     127.0.0.1 - \"GET / HTTP/1.1\" 200 OK",
            "Traceback (most recent call last):",
            "/usr/lib/python3.12/site-packages",
            "{\"level\": \"info\"}",
            "",
        ] {
            check(&format!("{key}{breaks}{after}\nnext\n"), &format!("[private key]{breaks}{after}\nnext\n"));
        }
    }
    let head = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\n";
    let key =
        format!("-----BEGIN RSA PRIVATE KEY-----\n{head}{LINE}\n{LINE}\nABCD\n-----END RSA PRIVATE KEY-----");
    check(&format!("a {key}\nb\n"), "a [private key]\nb\n");
}

#[test]
fn silence_ends_a_key_that_is_cut_off() {
    let rules = Arc::new(Rules::new(&[], Further::default()).unwrap());
    let (mut scrubber, mut out) = (Scrubber::new(rules), Vec::new());
    scrubber.push(format!("-----BEGIN PRIVATE KEY-----\n{LINE}\n").as_bytes(), &mut out);
    scrubber.rest(&mut out);
    assert_eq!(out, b"[private key]\n");
    scrubber.push(b"INFO\nReady\n", &mut out);
    assert_eq!(out, b"[private key]\nINFO\nReady\n");
}

fn secrets() -> Vec<String> {
    let inner = format!("sk-{}T3BlbkFJ{}", letters(20), letters(20));
    let mut all =
        vec![inner, format!("-----BEGIN PRIVATE KEY-----\n{LINE}\n{LINE}\nABCD\n-----END PRIVATE KEY-----")];
    all.extend(
        ["ghp_", "sk-admin-", "glrt-", "gldt-", "xoxe-", "xoxc-", "xoxd-", "dckr_oat_", "ya29."]
            .map(|prefix| format!("{prefix}{}", letters(if prefix == "ghp_" { 36 } else { 44 }))),
    );
    all.extend(
        ["shpss_", "shpca_", "shppa_"].map(|prefix| format!("{prefix}{}", "0123456789abcdef".repeat(2))),
    );
    all.extend(["workflows", "triggers"].map(|kind| format!("hooks.slack.com/{kind}/{}", letters(40))));
    all.push(format!("pypi-AgENdGVzdC5weXBpLm9yZw{}", letters(60)));
    all
}

#[test]
fn forms_are_found_after_a_colour_and_after_an_underscore() {
    for secret in secrets() {
        for before in
            ["", "\u{1b}[35m", "\u{1b}[1;31m", "\u{1b}[K", "\\u001b[35m", "\\x1b[0m", "key_", "[0m "]
        {
            let out = scrubbed([format!("{before}{secret}\n").as_bytes()]);
            assert!(
                out.starts_with(&format!("{before}[")) && out.ends_with("]\n") && out.len() < 50,
                "{out}"
            );
        }
    }
    let key = letters(40);
    for (before, after) in [("<SecretAccessKey>", "</SecretAccessKey>"), ("{b'SecretAccessKey': b'", "'}")] {
        check(&format!("{before}{key}{after}"), &format!("{before}[key of AWS]{after}"));
    }
}

/// JSON stays JSON, within JSON and within that, also where a secret is cut off.
#[test]
fn json_stays_json() {
    let mut secrets = secrets();
    secrets.extend([
        "Bearer q7Rz0LmX4cVb9NsKd2WfGh8J".into(),
        "Basic YW5uOnMzY3JldA==".into(),
        "postgresql://ann:hun/ter2x@db/x".into(),
        "https://ann:hunter2@host/x".into(),
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.dBjftJeZ4CVPmB92K27uhbUJU1p1r".into(),
        format!("aws_secret_access_key = \"{}\"", letters(40)),
    ]);
    for secret in secrets {
        for cut in 1..=secret.len() {
            for after in ["", "…", "\nnext \"line\"", " \\ x"] {
                let inner = json!({"k": format!("{}{after}", &secret[..cut]), "n": 1});
                let middle = json!({"e": inner.to_string()});
                let outer = json!({"f": middle.to_string(), "g": [2]});
                let read = |text: &Value| serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap();
                let of = |value: &Value| {
                    serde_json::from_str::<Value>(&scrubbed([value.to_string().as_bytes()])).unwrap()
                };
                assert_eq!(of(&inner)["n"], 1);
                assert_eq!(read(&of(&middle)["e"])["n"], 1);
                let outer = of(&outer);
                assert_eq!(outer["g"][0], 2);
                assert_eq!(read(&read(&outer["f"])["e"])["n"], 1);
            }
        }
    }
}

#[test]
fn ports_and_digests_are_not_passwords() {
    for line in [
        "GET /x?next=http://localhost:3000&email=ann@example.com",
        "http://localhost:8000,ann@example.com",
        "(http://h:8080)[ann@b.org]",
        "docker://nginx:1.25@sha256:abc",
        "redis://cache:6379/0?owner=ann@example.com",
        "postgresql://db:5432/x?email=ann@example.com",
        "http://example.com/a:b@c",
        "mongodb://a:27017,b:27017/x?mail=ann@example.com",
    ] {
        check(line, line);
    }
}

#[test]
fn a_password_of_a_database_may_have_any_sign() {
    for scheme in
        ["postgresql", "postgresql+asyncpg", "mysql+pymysql", "redis", "mongodb", "amqp", "mssql+pyodbc"]
    {
        for password in ["hun/ter2x", "a#b", "a?b=c", "/x", "p#/?"] {
            check(&format!("{scheme}://ann:{password}@db/x\n"), &format!("{scheme}://ann:[password]@db/x\n"));
        }
    }
}
