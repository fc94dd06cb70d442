//! The careless shop: what it answers and should not, in both postures.

use serde_json::Value;

use super::STRICT;
use crate::kit::{
    Client,
    command::{Process, Typed},
};

/// Bob asks.
fn ask(shop: &Process, method: &str, path: &str, token: &str, body: (&str, &str)) -> (u16, Value) {
    let (kind, body) = body;
    let length = body.len();
    let answer = Client::connect(shop.ready()).ask(format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    (answer.status, answer.json())
}

#[test]
fn neither_the_password_hash_nor_a_traceback_leaves_the_shop() {
    for config in ["", STRICT] {
        let shop = Typed::run(&[]).shop().file("mantlet.toml", config).start();
        let form = ("application/x-www-form-urlencoded", "username=bob&password=bob-password");
        let (status, token) = ask(&shop, "POST", "/token", "", form);
        let token = token["access_token"].as_str().unwrap_or_else(|| panic!("{status} {token}"));
        let (status, me) = ask(&shop, "GET", "/users/me", token, ("", ""));
        assert_eq!((status, &me["username"], me.get("password_hash")), (200, &"bob".into(), None), "{me}");
        // A foreign key that leads nowhere.
        let order = r#"{"product_id": 999999, "quantity": 1, "address": "here"}"#;
        let (status, failed) = ask(&shop, "POST", "/orders", token, ("application/json", order));
        assert_eq!((status, &failed["code"]), (500, &"app-error-hidden".into()), "{failed}");
        assert!(!failed.to_string().contains("sqlite"), "{failed}");
    }
}
