//! What becomes of fields where nothing is configured.

use super::*;

const SENSITIVE: &str = "response-field-sensitive";
const UNKNOWN: &str = "response-field-unknown";

/// What is left of an answer, and what was told of it: reason and action.
fn left(method: &str, path: &str, body: &str) -> (String, Vec<(&'static str, &'static str)>) {
    let told = ask_by(method, &policy(|_| {}), path, json_answer(200, body));
    let records = told.records.iter().map(|(reason, action, _)| (*reason, *action)).collect();
    (told.body, records)
}

#[test]
fn a_name_proves_nothing_and_a_value_does() {
    let hash = BCRYPT;
    for (path, body, expected, records) in [
        // Nothing declares it, and no app shows such a value on purpose.
        (
            "/other",
            format!(r#"{{"id": 1, "password_hash": "{hash}"}}"#),
            r#"{"id": 1}"#.to_owned(),
            &[(SENSITIVE, "strip")][..],
        ),
        (
            "/other",
            format!(r#"[{{"u": {{"hashedPassword": "{hash}"}}}}]"#),
            r#"[{"u": {}}]"#.into(),
            &[(SENSITIVE, "strip")],
        ),
        (
            "/unknown",
            format!(r#"{{"pwd": "{hash}"}}"#),
            "{}".into(),
            &[("route-unknown", "pass"), (SENSITIVE, "strip")],
        ),
        (
            "/users/1",
            format!(r#"{{"id": 1, "hashed_password": "{hash}"}}"#),
            r#"{"id": 1}"#.into(),
            &[(SENSITIVE, "strip")],
        ),
        // It may be anything.
        ("/other", r#"{"exit_code": 0, "pwd": "/workspace"}"#.into(), String::new(), &[(SENSITIVE, "pass")]),
        ("/other", r#"{"password": "hunter2", "pin": 1}"#.into(), String::new(), &[(SENSITIVE, "pass")]),
        (
            "/other",
            r#"{"secret": "s3cret", "access_token": "t"}"#.into(),
            String::new(),
            &[(SENSITIVE, "pass")],
        ),
        ("/other", format!(r#"{{"hash": "{hash}"}}"#), String::new(), &[]),
        // The model declares it, by its place or by its name somewhere else.
        ("/users/1", r#"{"id": 1, "password": "hunter2"}"#.into(), String::new(), &[]),
        ("/users/1", format!(r#"{{"id": 1, "password": "{hash}"}}"#), String::new(), &[(SENSITIVE, "pass")]),
        ("/users/1", r#"{"data": {"password": "hunter2"}}"#.into(), String::new(), &[]),
        (
            "/users/1",
            r#"{"friends": [{"id": 2, "Password": "x"}]}"#.into(),
            String::new(),
            &[(UNKNOWN, "pass")],
        ),
        // Code writes the model, and below it are values of any name.
        ("/vault", r#"{"id": 1, "items": {"bank": {"password": "x"}}}"#.into(), String::new(), &[]),
        ("/vault", format!(r#"{{"id": 1, "password": "{hash}"}}"#), String::new(), &[(SENSITIVE, "pass")]),
        (
            "/vault",
            format!(r#"{{"id": 1, "passwd": "{hash}"}}"#),
            r#"{"id": 1}"#.into(),
            &[(SENSITIVE, "strip")],
        ),
        ("/token", r#"{"access_token": "t", "client_secret": "a"}"#.into(), String::new(), &[]),
        // A schema has names of fields, and a document has examples.
        (
            "/other",
            format!(r#"{{"openapi": "3.1.0", "example": {{"password": "{hash}"}}}}"#),
            String::new(),
            &[],
        ),
    ] {
        let expected = if expected.is_empty() { body.clone() } else { expected };
        assert_eq!(left("GET", path, &body), (expected, records.to_vec()), "{path} {body}");
    }
}

#[test]
fn a_private_key_is_handed_out_when_it_is_made_and_not_read_back() {
    let body =
        r#"{"id": 1, "private_key": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"}"#;
    assert_eq!(left("GET", "/other", body), (r#"{"id": 1}"#.to_owned(), vec![(SENSITIVE, "strip")]));
    let made = ask_by("POST", &policy(|_| {}), "/unknown", json_answer(201, body));
    assert_eq!((made.body.as_str(), made.records.last().unwrap().1), (body, "pass"));
}

#[test]
fn a_handlers_own_words_are_a_claim() {
    let policy = policy(|_| {});
    // A subclass's fields, names in Python's way, an envelope that shares a name with the model.
    for body in [
        r#"{"id": 1, "is_admin": true, "friends": [{"id": 2, "note": "x"}]}"#,
        r#"{"id": 1, "user_name": "a", "userId": 7}"#,
        r#"{"id": "req-1", "data": {"id": 1}, "next": null}"#,
    ] {
        assert_eq!(ask(&policy, "/users/1", json_answer(200, body)).body, body);
    }
    // It is recorded once for a route, and the record has no text of the client.
    let fresh = self::policy(|_| {});
    let secret = r#"{"id": 1, "sk_live_4eC39HqLyjWDarjtT1zdp7dc": true, "friends": [], "status": 1}"#;
    let told = ask(&fresh, "/users/1", json_answer(200, secret));
    assert_eq!(told.records.len(), 1);
    let (reason, action, subject) = &told.records[0];
    assert_eq!((*reason, *action), (UNKNOWN, "pass"));
    let subject = subject.as_deref().unwrap();
    assert!(subject.starts_with("<32 characters, ") && subject.ends_with(">, status"), "{subject}");
    assert_eq!(ask(&fresh, "/users/2", json_answer(200, secret)).records.len(), 0);
    // One line cuts it out again.
    let strip = self::policy(|config| config.responses.unknown_fields = Some(responses::Fields::Strip));
    assert_eq!(ask(&strip, "/users/1", json_answer(200, &leak())).body, CUT);
    assert_eq!(ask(&strict(), "/users/1", json_answer(200, &leak())).body, CUT);
}

#[test]
fn each_line_can_be_set_for_a_route() {
    let with = |set: fn(&mut responses::RouteConfig)| {
        policy(|config| {
            let mut responses = responses::RouteConfig::default();
            set(&mut responses);
            let path = "/other".to_owned();
            config.route = vec![route::Config { path, responses, ..route::Config::default() }];
        })
    };
    let body = &format!(r#"{{"id": 1, "pwd": "x", "password_hash": "{BCRYPT}"}}"#);
    for (policy, expected, records) in [
        (with(|_| {}), r#"{"id": 1, "pwd": "x"}"#, 2),
        (with(|of| of.sensitive_fields = Some(responses::Secrets::Strip)), r#"{"id": 1}"#, 1),
        (with(|of| of.sensitive_fields = Some(responses::Secrets::Report)), body, 1),
        (with(|of| of.sensitive_fields = Some(responses::Secrets::Allow)), body, 0),
    ] {
        let told = ask(&policy, "/other", json_answer(200, body));
        assert_eq!((told.body.as_str(), told.records.len()), (expected, records));
    }
}

#[test]
fn an_answer_that_is_cut_offers_no_parts_of_what_it_was() {
    let mut answer = json_answer(200, &leak());
    answer.headers_mut().insert("accept-ranges", "bytes".parse().unwrap());
    let told = ask(&policy(|_| {}), "/other", answer);
    assert!(!told.headers.contains_key("accept-ranges") && !told.headers.contains_key("etag"));
}
