//! The login of FastAPI's tutorial: a key in the module, HS256.

use std::fs;

use serde_json::json;

use super::{
    Subject, check, check_that_sessions_end,
    step::{Step, ask, get, make, next_second, post},
    token,
};
use crate::kit::app::apps;

pub(crate) const TUTORIAL: Subject = Subject {
    name: "tutorial.py",
    entry: "tutorial:app",
    prepare: |_| (),
    entrance,
    carried: "Authorization: Bearer {token}",
    guarded: "/users/me/",
    key: KEY,
    traffic,
    stopped: 2,
    recorded: &["input-invalid", "jwt-key-public", "route-method-unknown", "route-unknown"],
};

/// The same app a year later: with a logout, and with a change of the password.
pub(crate) const GROWN: Subject = Subject {
    name: "grown.py",
    entry: "grown:app",
    prepare: |folder| {
        let (from, to) = (apps().join("identity/tutorial.py"), folder.join("tutorial.py"));
        fs::copy(from, to).expect("a file");
    },
    traffic: || {
        const CHANGE: &str = r#"{"current_password": "secret", "new_password": "drawbridge"}"#;
        let mut steps = traffic();
        steps.extend([
            ask("PUT", "/users/me/password").json(CHANGE).is(401, "Not authenticated"),
            ask("PUT", "/users/me/password")
                .bearer("{token}")
                .json(r#"{"current_password": "wrong", "new_password": "drawbridge"}"#)
                .is(400, "Incorrect password"),
            next_second(),
            post("/token").form("username=johndoe&password=secret").is(200, "").keep("own", "/access_token"),
            get("/users/me/").bearer("{own}").is(200, "johndoe"),
            ask("PUT", "/users/me/password").bearer("{own}").json(CHANGE).is(200, "Password changed"),
            get("/users/me/").bearer("{own}").is(200, "johndoe"),
            get("/users/me/").bearer("{phone}").is(200, "johndoe").although_taken_back(),
            post("/token").form("username=johndoe&password=secret").is(401, "Incorrect"),
            next_second(),
            post("/token")
                .form("username=johndoe&password=drawbridge")
                .is(200, "")
                .keep("new", "/access_token"),
            post("/logout").is(401, "Not authenticated"),
            post("/logout").bearer("{new}").is(200, "Logged out"),
            get("/users/me/").bearer("{new}").is(200, "johndoe").although_taken_back(),
            get("/users/me/items/").bearer("{new}").is(200, "Foo").although_taken_back(),
            get("/users/me/").bearer("{own}").is(200, "johndoe"),
            // As it was.
            ask("PUT", "/users/me/password")
                .bearer("{own}")
                .json(r#"{"current_password": "drawbridge", "new_password": "secret"}"#)
                .is(200, "Password changed"),
        ]);
        steps
    },
    recorded: &["input-invalid", "jwt-key-public", "route-method-unknown", "route-unknown", "session-ended"],
    ..TUTORIAL
};

const KEY: &[u8] = b"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7";

fn entrance() -> Vec<Step> {
    vec![
        post("/token")
            .form("grant_type=password&username=johndoe&password=secret")
            .is(200, r#""token_type":"bearer""#)
            .keep("token", "/access_token"),
    ]
}

fn traffic() -> Vec<Step> {
    const INVALID: &str = r#"{"detail":"Could not validate credentials"}"#;
    const NOT_AUTHENTICATED: &str = r#"{"detail":"Not authenticated"}"#;
    const WRONG: &str = r#"{"detail":"Incorrect username or password"}"#;
    let mut steps = vec![
        get("/").is(200, "Welcome"),
        get("/docs").is(200, "swagger"),
        get("/openapi.json").is(200, r#""tokenUrl":"token""#),
        get("/users/me/").is(401, NOT_AUTHENTICATED),
        get("/users/me").is(307, ""),
        get("/users/me/").line("Authorization: Basic am9obmRvZTpzZWNyZXQ=").is(401, NOT_AUTHENTICATED),
        // As front ends send it before a login.
        get("/users/me/").bearer("undefined").is(401, INVALID),
        get("/users/me/").line("Authorization: Bearer").is(401, INVALID),
        get("/users/me/").line("Authorization:").is(401, NOT_AUTHENTICATED),
        post("/users/me/items/").json(r#"{"price": "many"}"#).is(401, NOT_AUTHENTICATED),
        post("/token").form("username=johndoe&password=wrong").is(401, WRONG),
        post("/token").form("username=johndo&password=secret").is(401, WRONG),
        post("/token").form("username=johndoe").is(422, "missing").refused_first("input-invalid"),
    ];
    steps.extend(entrance());
    steps.extend([
        get("/users/me/").bearer("{token}").is(200, r#""full_name":"John Doe""#),
        get("/users/me/").line("authorization: bearer {token}").is(200, r#""username":"johndoe""#),
        ask("HEAD", "/users/me/").bearer("{token}").is(405, ""),
        get("/users/me/items/").bearer("{token}").is(200, "Foo"),
        post("/users/me/items/").bearer("{token}").json(r#"{"title": "Bar", "price": 2}"#).is(201, "Bar"),
        post("/users/me/items/").bearer("{token}").json(r#"{"price": "many"}"#).is(422, "float_parsing"),
        get("/users/me/items/").bearer("{token}").is(200, r#""title":"Bar""#),
        get("/").bearer("{token}").is(200, "Welcome"),
        get("/nowhere").bearer("{token}").is(404, "Not Found"),
        // Of a user who may log in and do nothing more.
        post("/token").form("username=alice&password=wonderland").is(200, "").keep("alice", "/access_token"),
        get("/users/me/").bearer("{alice}").is(400, "Inactive user"),
        // What the app itself refuses.
        make("expired", |values| token::aged(&values["token"], 1801, KEY)),
        make("forged", |values| token::forge(&values["token"], b"another key")),
        make("unsigned", |values| token::none(&values["token"])),
        make("stranger", |values| token::with(&values["token"], &json!({"sub": "eve"}), KEY)),
        make("nameless", |values| token::with(&values["token"], &json!({"sub": null}), KEY)),
        make("early", |values| token::with(&values["token"], &json!({"nbf": 4_000_000_000_u64}), KEY)),
        get("/users/me/").bearer("{expired}").is(401, INVALID),
        get("/users/me/").bearer("{forged}").is(401, INVALID),
        get("/users/me/").bearer("{unsigned}").is(401, INVALID),
        get("/users/me/").bearer("{stranger}").is(401, INVALID),
        get("/users/me/").bearer("{nameless}").is(401, INVALID),
        get("/users/me/").bearer("{early}").is(401, INVALID),
        post("/users/me/items/").bearer("{expired}").json(r#"{"title": "Baz"}"#).is(401, INVALID),
        // Where no login is needed, a token does not matter.
        get("/").bearer("{expired}").is(200, "Welcome"),
        // A token that another copy of the app has handed out, with other claims.
        make("foreign", |values| token::with(&values["token"], &json!({"jti": "7", "scope": ""}), KEY)),
        get("/users/me/").bearer("{foreign}").is(200, "johndoe"),
        make("large", |values| {
            token::with(&values["token"], &json!({"groups": vec!["/people/of/the/keep"; 300]}), KEY)
        }),
        get("/users/me/").bearer("{large}").is(200, "johndoe"),
        // Another device, and the first one goes on.
        post("/token").form("username=johndoe&password=secret").is(200, "").keep("phone", "/access_token"),
        get("/users/me/").bearer("{phone}").is(200, "johndoe"),
        get("/users/me/").bearer("{token}").is(200, "johndoe"),
    ]);
    steps
}

#[test]
fn the_app_of_the_tutorial_is_as_it_is_without_mantlet() {
    check(&TUTORIAL);
}

#[test]
fn the_app_of_the_tutorial_with_a_logout_is_as_it_is_without_mantlet() {
    check(&GROWN);
}

#[test]
fn sessions_of_the_app_of_the_tutorial_end() {
    check_that_sessions_end(&GROWN);
}
