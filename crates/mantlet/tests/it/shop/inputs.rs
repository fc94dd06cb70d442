//! Rows 52, 53, 55, 57: bodies that are too large, names that nobody knows, patterns that take for ever, names that come twice.

use serde_json::json;

use super::{COMPATIBLE, STRICT, Shop, faults};
use crate::kit::Client;

#[test]
fn row_52_oversize_with_and_without_a_length() {
    let limit = "[[route]]\npath = \"/products/{product_id}/picture\"\nlimits.body-size = \"64 KiB\"\n";
    let shop = Shop::open(&format!("{COMPATIBLE}{limit}"));
    let part = "--b\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a.png\"\r\n\r\n";
    let multipart = |size| format!("{part}{}\r\n--b--\r\n", "x".repeat(size));
    let lines = "Content-Type: multipart/form-data; boundary=b\r\n";
    shop.unreached(|| {
        let answer = shop.ask("POST", "/products/1/picture", lines, multipart(100_000).as_bytes());
        shop.refused(&answer, 413, "body-too-large");
    });
    let body = multipart(100_000);
    let mut client = Client::connect(shop.addr);
    let login = &shop.login;
    client.send(format!(
        "POST /products/1/picture HTTP/1.1\r\nHost: localhost\r\n{login}{lines}Transfer-Encoding: chunked\r\n\r\n"
    ));
    client.try_send(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
    shop.refused(&client.answer(), 413, "body-too-large");
    assert_eq!(shop.ask("POST", "/products/1/picture", lines, multipart(1000).as_bytes()).status, 201);
    assert!(
        shop.get("/pictures/1-a.png").body.len() == 1000,
        "the small one is there, and nothing of the others"
    );
}

#[test]
fn row_53_unknown_fields() {
    let body = r#"{"username": "carol", "is_admin": 1, "email": "carol@shop.example", "password": "long enough", "id": 1}"#;
    let compatible = Shop::open(COMPATIBLE);
    assert_eq!(compatible.post("/users", body).status, 201);
    let expected = json!({"id": 4, "username": "carol", "email": "carol@shop.example", "is_admin": 0});
    compatible.shows("/admin/users", "/3", &expected);
    let record = compatible.told().remove(0);
    assert_eq!((&record["action"], &record["subject"]), (&json!("strip"), &json!("is_admin, id")));

    let strict = Shop::open(STRICT);
    strict.unreached(|| {
        let answer = strict.post("/users", body);
        strict.refused(&answer, 422, "input-unknown");
        let unknown = ["is_admin", "id"].map(|name| json!(["extra_forbidden", ["body", name]]));
        assert_eq!(faults(&answer), json!(unknown));
    });
}

/// Rust's engine has no exponential time. A pattern of Python's own engine is judged by Rust's where both mean the same.
#[test]
fn row_55_a_pattern_that_takes_python_for_ever() {
    let text = "a".repeat(100_000);
    for config in [COMPATIBLE, STRICT] {
        let shop = Shop::open(config);
        shop.unreached(|| {
            let answer = shop.post("/partners/newsletter", json!({"email": text}).to_string());
            shop.refused(&answer, 422, "input-invalid");
            assert_eq!(faults(&answer), json!([["string_pattern_mismatch", ["body", "email"]]]));
            let answer = shop.post(
                "/users",
                json!({"username": format!("{text}!"), "email": "x", "password": "long enough"}).to_string(),
            );
            shop.refused(&answer, 422, "input-invalid");
        });
        assert_eq!(shop.post("/partners/newsletter", r#"{"email": "a.b@shop.example"}"#).status, 204);
    }
}

#[test]
fn row_57_a_query_parameter_that_comes_twice() {
    let target = "/search?limit=1&q=bow&limit=2";
    let strict = Shop::open(STRICT);
    strict.unreached(|| {
        let answer = strict.get(target);
        strict.refused(&answer, 422, "input-unknown");
        assert_eq!(faults(&answer), json!([["extra_forbidden", ["query", "limit"]]]));
    });
    let compatible = Shop::open(COMPATIBLE);
    assert_eq!(
        compatible.get(target).json().as_array().map(Vec::len),
        Some(2),
        "the last one counts, as ever"
    );
    let record = compatible.told().remove(0);
    assert_eq!((&record["action"], &record["subject"]), (&json!("pass"), &json!("limit")));
}

/// Where the app asks for a login first, its 401 stays what it is, in both postures; with one, what is invalid gets the app's own 422.
#[test]
fn who_is_not_logged_in_is_told_so_and_nothing_else() {
    for config in ["", "[contract]\nposture = \"strict\"\n"] {
        let shop = Shop::open(config);
        let ask = |lines: &str, target: &str, body: &str| {
            let length = body.len();
            Client::connect(shop.addr).ask(format!(
                "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lines}Content-Length: {length}\r\n\r\n{body}"
            ))
        };
        for lines in ["", "Authorization: Bearer expired\r\n", "Cookie: session=old\r\n"] {
            let answer = ask(lines, "/orders", r#"{"product_id": "x"}"#);
            assert_eq!(answer.status, 401, "{answer:?}");
            assert!(
                !String::from_utf8_lossy(&answer.body).contains("quantity"),
                "no list of fields: {answer:?}"
            );
        }
        let answer = ask(&shop.login, "/orders", r#"{"product_id": "x"}"#);
        assert_eq!(answer.status, 422);
        assert!(answer.json().get("code").is_none(), "the app's own: {answer:?}");
        // Where nothing may refuse first, the gate does; so it does for what FastAPI cannot read.
        shop.unreached(|| {
            shop.refused(&ask("", "/users", "{}"), 422, "input-invalid");
            shop.refused(&ask("", "/orders", "{"), 422, "input-invalid");
        });
    }
}
