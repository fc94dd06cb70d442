//! What calls itself JSON and is not read as such.

use super::*;

const HIDDEN: &str = "response-field-sensitive";
const UNJUDGED: &str = "response-not-judged";

fn answer_of(
    status: u16,
    content_type: &str,
    body: impl Into<Bytes>,
    ends: bool,
    size: usize,
) -> Response<Pieces> {
    let body: Bytes = body.into();
    let mut answer = answer(status, content_type, body.clone());
    if !ends {
        answer.headers_mut().remove("content-length");
    }
    let pieces = body.chunks(size).map(Bytes::copy_from_slice).collect();
    answer.map(|_| Pieces(pieces, ends))
}

#[test]
fn what_clients_read_is_read() {
    let policy = policy(|_| {});
    let member = format!(r#""password_hash": "{BCRYPT}""#);
    for (body, expected) in [
        (format!(")]}}',\n{{\"id\": 1, {member}}}"), ")]}',\n{\"id\": 1}"),
        (format!("for(;;);{{\"id\": 1, {member}}}"), "for(;;);{\"id\": 1}"),
        (format!("callback({{\"id\": 1, {member}}});"), "callback({\"id\": 1});"),
        (format!("{{\"id\": 1, {member},}}"), "{\"id\": 1, }"),
        (format!("{{\"id\": NaN, {member}}}"), "{\"id\": NaN}"),
        (format!("\u{feff}{{\"id\": 1, {member}}}"), "\u{feff}{\"id\": 1}"),
        (format!("{{\"id\": 1, {member}}}\n{{\"id\": 2, {member}}}\n"), "{\"id\": 1}\n{\"id\": 2}\n"),
        (format!("{{\"id\": 1, {member}, \"id\": 2, {member}}}"), "{\"id\": 1, \"id\": 2}"),
    ] {
        let told = ask(&policy, "/other", json_answer(200, &body));
        assert_eq!(told.body, expected, "{body}");
        assert_eq!(told.headers["content-length"], expected.len().to_string());
    }
    // Bytes that are not text stay where they are.
    let body = [b"{\"n\": \"caf\xe9\", ", member.as_bytes(), b"}"].concat();
    let told = ask(&policy, "/other", answer(200, "application/json", body));
    assert_eq!(told.body, "{\"n\": \"caf\u{fffd}\"}");
}

#[test]
fn what_nobody_can_read_is_told_and_its_secrets_are_written_over() {
    let stars = "*".repeat(BCRYPT.len());
    let leak = leak();
    let nested = "[".repeat(100_000) + &leak;
    for (body, status, ends, why) in [
        (format!("{leak} \"and more"), 200, true, "not JSON"),
        (leak[..leak.len() - 1].to_owned(), 200, true, "not JSON"),
        (
            leak.replace('"', "'").replace(
                &format!("'hashed_password': '{BCRYPT}'"),
                &format!(r#""hashed_password": "{BCRYPT}""#),
            ),
            200,
            true,
            "not JSON",
        ),
        (nested, 200, true, "not JSON"),
        (format!("\"tail\"}}, {leak}, {{\"x\": \"be"), 206, true, "a part"),
        (leak.clone(), 200, false, "of unknown length"),
        (format!("[{leak}, \"{}\"]", "x".repeat(2 << 20)), 200, true, "too large"),
    ] {
        let small = if body.len() > 200_000 { 50_000 } else { 7 };
        for size in [small, 100_000_000] {
            let policy = policy(|_| {});
            let told =
                ask(&policy, "/other", answer_of(status, "application/json", body.clone(), ends, size));
            assert!(told.body == body.replace(BCRYPT, &stars), "{why} {size}");
            if ends {
                assert_eq!(told.headers["content-length"], body.len().to_string());
            }
            let subject = |text: &str| Some(text.to_owned());
            let expected = [(UNJUDGED, "pass", subject(why)), (HIDDEN, "strip", subject("hashed_password"))];
            assert_eq!(told.records, expected, "{why} {size}");
            // Once is enough.
            let again =
                ask(&policy, "/other", answer_of(status, "application/json", body.clone(), ends, size));
            assert!(again.body == told.body && again.records.is_empty(), "{why} {size}");
        }
    }
}

#[test]
fn streams_are_looked_through_as_they_pass() {
    let line = format!("{{\"id\": 1, \"pwd\": \"{BCRYPT}\"}}\n");
    for content_type in ["application/x-ndjson", "text/event-stream", "application/json-seq"] {
        let told = ask(&policy(|_| {}), "/other", answer_of(200, content_type, line.repeat(3), false, 11));
        assert_eq!(told.body, line.repeat(3).replace(BCRYPT, &"*".repeat(BCRYPT.len())), "{content_type}");
        assert_eq!(told.records, [(HIDDEN, "strip", Some("pwd".to_owned()))], "{content_type}");
    }
    // What models declare stays, as everywhere.
    let declared = format!("{{\"id\": 1, \"password\": \"{BCRYPT}\"}}");
    let told =
        ask(&policy(|_| {}), "/users/1", answer_of(200, "application/json", declared.clone(), false, 11));
    assert_eq!(told.body, declared);
    // Reported, it passes.
    let report = policy(|config| config.report_only = true);
    let told = ask(&report, "/other", answer_of(200, "application/x-ndjson", line.clone(), false, 11));
    assert_eq!((told.body, told.records[0].1), (line, "pass"));
}

#[test]
fn in_strict_posture_what_cannot_be_judged_does_not_leave() {
    let large = format!("[{}, \"{}\"]", leak(), "x".repeat(2 << 20));
    for (answer, why) in [
        (json_answer(200, &large), "too large"),
        (json_answer(200, r#"{"id": 1, "password": "#), "not JSON"),
        (json_answer(206, &leak()), "a part"),
    ] {
        let told = ask(&strict(), "/other", answer);
        let said: Value = serde_json::from_str(&told.body).unwrap();
        assert_eq!((told.status, &said["code"]), (500, &json!(UNJUDGED)), "{why}");
        assert_eq!(told.records, [(UNJUDGED, "replace", Some(why.to_owned()))]);
        assert!(!told.headers.contains_key("etag") && !told.headers.contains_key("content-range"));
    }
    let pass = policy(|config| {
        config.contract.posture = Posture::Strict;
        config.responses.unjudged = Some(responses::Unjudged::Pass);
    });
    assert_eq!(ask(&pass, "/other", json_answer(200, &large)).status, 200);
    let replace = policy(|config| config.responses.unjudged = Some(responses::Unjudged::Replace));
    assert_eq!(ask(&replace, "/other", json_answer(200, &large)).status, 500);
    let reported = policy(|config| {
        config.contract.posture = Posture::Strict;
        config.responses.sensitive_fields = Some(responses::Secrets::Report);
    });
    assert_eq!(ask(&reported, "/other", json_answer(200, &large)).status, 200, "nothing is enforced in it");
    // A stream has no size that a client could choose to be too large; nor has a file names of the app's.
    let stream = answer_of(200, "application/json", large.clone(), false, 1_000);
    assert_eq!(ask(&strict(), "/other", stream).status, 200);
    let mut file = json_answer(200, &large);
    file.headers_mut().insert("content-disposition", "attachment".parse().unwrap());
    assert_eq!(ask(&strict(), "/other", file).status, 200);
}
