//! Requests that are not as they must be: each is told what is wrong, and none reaches an account.

use mantlet_sign_in::SignIn;
use serde_json::{Value, json};

use crate::{
    home::on_both,
    kit::{Client, FORM, JSON, site},
};

/// What is said of a body: the types and places of its problems.
async fn problems(site: &SignIn, body: impl Into<bytes::Bytes>) -> Vec<(String, Value)> {
    let seen = Client::new(site).ask("POST", "/auth/api/login", JSON, body).await;
    assert_eq!(seen.status, 422, "{seen:?}");
    assert_eq!(seen.event, None);
    let detail = seen.json()["detail"].as_array().unwrap().clone();
    detail
        .iter()
        .map(|problem| {
            assert!(problem["msg"].is_string() && problem.get("input").is_none(), "{problem}");
            (problem["type"].as_str().unwrap().to_owned(), problem["loc"].clone())
        })
        .collect()
}

#[test]
fn broken_json_is_answered_as_fastapi_does() {
    on_both(async |home| {
        let site = site(home.open().await);
        let email = r#""email":"ada@example.com""#;
        let cases: Vec<(Vec<u8>, &str, Value)> = vec![
            (b"".to_vec(), "missing", json!(["body"])),
            (b"{".to_vec(), "json_invalid", json!(["body", 1])),
            (b"{\"email\": nope}".to_vec(), "json_invalid", json!(["body", 12])),
            (b"[]".to_vec(), "model_attributes_type", json!(["body"])),
            (b"null".to_vec(), "model_attributes_type", json!(["body"])),
            (b"{\"email\": \"\xff\"}".to_vec(), "json_invalid", json!(["body", 11])),
            (format!("{{{email}}}").into_bytes(), "missing", json!(["body", "password"])),
            (format!(r#"{{{email},"password":7}}"#).into_bytes(), "string_type", json!(["body", "password"])),
            (
                format!(r#"{{{email},"password":null}}"#).into_bytes(),
                "string_type",
                json!(["body", "password"]),
            ),
            (
                format!(r#"{{{email},"password":{{}}}}"#).into_bytes(),
                "string_type",
                json!(["body", "password"]),
            ),
            (
                format!(r#"{{{email},"password":""}}"#).into_bytes(),
                "string_too_short",
                json!(["body", "password"]),
            ),
            (
                format!(r#"{{{email},"password":"{}"}}"#, "x".repeat(4097)).into_bytes(),
                "string_too_long",
                json!(["body", "password"]),
            ),
            (
                format!(r#"{{{email},"password":"a\u0000b"}}"#).into_bytes(),
                "value_error",
                json!(["body", "password"]),
            ),
            (
                format!(r#"{{{email},"password":"a","password":"b"}}"#).into_bytes(),
                "value_error",
                json!(["body", "password"]),
            ),
            (br#"{"email":"ada","password":"a"}"#.to_vec(), "value_error", json!(["body", "email"])),
        ];
        for (body, kind, at) in cases {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let found = problems(&site, body).await;
            assert_eq!(found.len(), 1, "{shown}: {found:?}");
            assert_eq!((found[0].0.as_str(), &found[0].1), (kind, &at), "{shown}");
        }
        let deep = format!(r#"{{"email":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
        assert_eq!(problems(&site, deep).await[0].0, "json_invalid");
        assert_eq!(problems(&site, "{}").await.len(), 2, "all at once");
    });
}

#[test]
fn paths_methods_kinds_and_sizes_are_judged() {
    on_both(async |home| {
        let site = site(home.open().await);
        let mut client = Client::new(&site);
        for (method, path, kind, body, status) in [
            ("POST", "/auth/api/nothing", JSON, "{}".to_owned(), 404),
            ("POST", "/auth/api", JSON, "{}".to_owned(), 404),
            ("POST", "/auth/api/login/", JSON, "{}".to_owned(), 404),
            ("POST", "/auth/api/login", "", "{}".to_owned(), 415),
            ("POST", "/auth/api/login", "text/plain", "{}".to_owned(), 415),
            ("POST", "/auth/api/login", FORM, "email=a".to_owned(), 415),
            ("POST", "/auth/api/login", "application/json; charset=utf-8", "{}".to_owned(), 422),
            ("POST", "/auth/api/login", JSON, " ".repeat(65_537), 413),
            ("POST", "/auth/token", JSON, "{}".to_owned(), 415),
            ("POST", "/auth/token", FORM, "a=".repeat(40_000), 413),
        ] {
            let seen = client.ask(method, path, kind, body).await;
            assert_eq!(seen.status, status, "{method} {path} {kind}: {seen:?}");
        }
        for (method, path, allow) in [
            ("GET", "/auth/api/login", "POST"),
            ("DELETE", "/auth/api/me", "GET, HEAD"),
            ("OPTIONS", "/auth/token", "POST"),
            ("POST", "/auth/api/sessions/0", "DELETE"),
            ("POST", "/.well-known/jwks.json", "GET, HEAD"),
        ] {
            let seen = client.ask(method, path, "", "").await;
            assert_eq!((seen.status, seen.header("allow")), (405, allow), "{method} {path}");
        }
        let head = client.ask("HEAD", "/.well-known/jwks.json", "", "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        for (path, ours) in [
            ("/auth", true),
            ("/auth/", true),
            ("/auth/token", true),
            ("/authors", false),
            ("/", false),
            ("/token", false),
            ("/.well-known/openid-configuration", false),
        ] {
            assert_eq!(site.owns(path), ours, "{path}");
        }
    });
}

#[test]
fn forms_that_two_readers_would_read_differently_are_refused() {
    on_both(async |home| {
        let site = site(home.open().await);
        let mut client = Client::new(&site);
        let long = format!("username=a&password={}", "x".repeat(4097));
        let bodies: [&[u8]; 7] = [
            b"username=a@b.c&username=d@e.f&password=x",
            b"username=a@b.c&password=x&pass%77ord=y",
            b"username=%ff&password=x",
            b"username=\xff&password=x",
            b"username=a%00&password=x",
            b"username=a%4&password=x",
            long.as_bytes(),
        ];
        for body in bodies {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let seen = client.ask("POST", "/auth/token", FORM, body.to_vec()).await;
            assert_eq!((seen.status, seen.text("error").as_str()), (400, "invalid_request"), "{shown}");
            assert_eq!(seen.event, None, "{shown}");
            let said = seen.text("error_description");
            assert!(said.len() > 10 && said.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{said}");
        }
    });
}
