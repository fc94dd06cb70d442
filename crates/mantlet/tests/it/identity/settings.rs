//! A package with settings from `.env`, in the shape of FastAPI's full-stack template. It cannot
//! revoke access and refresh tokens.

use serde_json::json;

use super::{
    Subject, check, check_that_sessions_end,
    step::{Step, ask, get, mail, make, next_second, patch, post},
    token,
};

pub(crate) const SETTINGS: Subject = Subject {
    name: "settings",
    entry: "app.main:app",
    prepare: |_| (),
    entrance,
    carried: "Authorization: Bearer {token}",
    guarded: "/api/v1/users/me",
    key: KEY,
    traffic,
    stopped: 3,
    recorded: &["session-ended", "token-key-found"],
};

/// As `.env` has it.
const KEY: &[u8] = b"b47f6305db0051319073f3a71742ca15cc855907752fc0c6061da295c0b80204";

/// The only user that is there from the start.
fn entrance() -> Vec<Step> {
    vec![
        post("/api/v1/login/access-token")
            .form("username=admin@example.com&password=keep-of-the-castle")
            .is(200, "refresh_token")
            .keep("token", "/access_token")
            .keep("refresh", "/refresh_token"),
    ]
}

fn log_in(form: &'static str) -> Step {
    let step = post("/api/v1/login/access-token").form(form).is(200, r#""token_type":"bearer""#);
    step.keep("last refresh", "/refresh_token")
}

fn fail_to_log_in(form: &'static str) -> Step {
    post("/api/v1/login/access-token").form(form).is(400, "Incorrect email or password")
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn traffic() -> Vec<Step> {
    const INVALID: &str = r#"{"detail":"Could not validate credentials"}"#;
    const NOT_AUTHENTICATED: &str = r#"{"detail":"Not authenticated"}"#;
    const FRONT_END: &str = "Origin: http://localhost:5173";
    let mut steps = vec![
        get("/api/v1/utils/health-check/").is(200, "true"),
        get("/api/v1/openapi.json").is(200, "api/v1/login/access-token"),
        ask("OPTIONS", "/api/v1/users/me")
            .line(FRONT_END)
            .line("Access-Control-Request-Method: PATCH")
            .line("Access-Control-Request-Headers: authorization,content-type")
            .is(200, "OK"),
        get("/api/v1/users/me").is(401, NOT_AUTHENTICATED),
        get("/api/v1/users/me").bearer("nonsense").is(403, INVALID),
        fail_to_log_in("username=missing@example.com&password=whatever1"),
        fail_to_log_in("username=admin@example.com&password=wrong-one"),
    ];
    steps.extend(entrance());
    steps.extend([
        post("/api/v1/login/test-token").bearer("{token}").is(200, r#""is_superuser":true"#),
        // A new user, with a page in a browser.
        post("/api/v1/users/signup")
            .line(FRONT_END)
            .json(r#"{"email": "ann@example.com", "password": "battlement", "full_name": "Ann"}"#)
            .is(200, r#""email":"ann@example.com""#),
        post("/api/v1/users/signup")
            .json(r#"{"email": "ann@example.com", "password": "battlement"}"#)
            .is(400, "already exists"),
        post("/api/v1/users/signup")
            .json(r#"{"email": "ann", "password": "battlement"}"#)
            .is(422, "value_error"),
        post("/api/v1/users/signup")
            .json(r#"{"email": "bob@example.com", "password": "b"}"#)
            .is(422, "string_too_short")
            .refused_first("input-invalid"),
        log_in("username=ann@example.com&password=battlement")
            .line(FRONT_END)
            .keep("ann", "/access_token")
            .keep("ann refresh", "/refresh_token"),
        get("/api/v1/users/me").line(FRONT_END).bearer("{ann}").is(200, r#""full_name":"Ann""#),
        patch("/api/v1/users/me").bearer("{ann}").json(r#"{"full_name": "Anne"}"#).is(200, "Anne"),
        post("/api/v1/items/").bearer("{ann}").json(r#"{"title": "Crossbow"}"#).is(200, r#""id":1"#),
        get("/api/v1/items/").bearer("{ann}").is(200, "Crossbow"),
        get("/api/v1/items/1").bearer("{token}").is(200, "Crossbow"),
        get("/api/v1/items/2").bearer("{ann}").is(404, "Item not found"),
        get("/api/v1/items/").is(401, NOT_AUTHENTICATED),
        get("/api/v1/users/").bearer("{ann}").is(403, "enough privileges"),
        get("/api/v1/users/?limit=1").bearer("{token}").is(200, r#""count":2"#),
        get("/api/v1/users/1").bearer("{ann}").is(403, "enough privileges"),
        get("/api/v1/users/2").bearer("{ann}").is(200, "Anne"),
        // A new access token for the refresh token, which stays the same.
        post("/api/v1/login/refresh")
            .json(r#"{"refresh_token": "{ann refresh}"}"#)
            .is(200, r#""token_type":"bearer""#)
            .keep("ann again", "/access_token"),
        get("/api/v1/users/me").bearer("{ann again}").is(200, "Anne"),
        get("/api/v1/users/me").bearer("{ann}").is(200, "Anne"),
        post("/api/v1/login/refresh").json(r#"{"refresh_token": "{ann}"}"#).is(401, "Invalid refresh token"),
        get("/api/v1/users/me").bearer("{ann refresh}").is(403, INVALID),
        // What the app itself refuses, in its own way.
        make("expired", |values| token::aged(&values["ann"], 60 * 60 * 24 * 8 + 1, KEY)),
        make("forged", |values| token::forge(&values["ann"], b"changethis")),
        make("unsigned", |values| token::none(&values["ann"])),
        make("stranger", |values| token::with(&values["ann"], &json!({"sub": "77"}), KEY)),
        get("/api/v1/users/me").bearer("{expired}").is(403, INVALID),
        get("/api/v1/users/me").bearer("{forged}").is(403, INVALID),
        get("/api/v1/users/me").bearer("{unsigned}").is(403, INVALID),
        get("/api/v1/users/me").bearer("{stranger}").is(404, "User not found"),
        patch("/api/v1/users/me").bearer("{forged}").json(r#"{"email": "e@example.com"}"#).is(403, INVALID),
        // Another device.
        next_second(),
        log_in("username=ann@example.com&password=battlement").keep("ann phone", "/access_token"),
        // A new password: the tokens of before are still good.
        patch("/api/v1/users/me/password")
            .bearer("{ann}")
            .json(r#"{"current_password": "not-this-one", "new_password": "drawbridge"}"#)
            .is(400, "Incorrect password"),
        patch("/api/v1/users/me/password")
            .bearer("{ann}")
            .json(r#"{"current_password": "battlement", "new_password": "drawbridge"}"#)
            .is(200, "Password updated"),
        get("/api/v1/users/me").bearer("{ann}").is(200, "Anne"),
        // Of the session that has set it.
        get("/api/v1/users/me").bearer("{ann again}").is(200, "Anne"),
        get("/api/v1/users/me").bearer("{ann phone}").is(200, "Anne").although_taken_back(),
        fail_to_log_in("username=ann@example.com&password=battlement"),
        log_in("username=ann@example.com&password=drawbridge").keep("ann new", "/access_token"),
        // A password that is forgotten: the token comes by e-mail, and is good once more.
        post("/api/v1/password-recovery/ann@example.com").is(200, "we sent"),
        mail("reset", "ann@example.com"),
        post("/api/v1/password-recovery/missing@example.com").is(200, "we sent"),
        post("/api/v1/reset-password/")
            .json(r#"{"token": "nonsense", "new_password": "portcullis"}"#)
            .is(400, "Invalid token"),
        post("/api/v1/reset-password/")
            .json(r#"{"token": "{reset}", "new_password": "portcullis"}"#)
            .is(200, "Password updated"),
        get("/api/v1/users/me").bearer("{reset}").is(403, INVALID),
        get("/api/v1/users/me").bearer("{ann new}").is(200, "Anne").although_taken_back(),
        next_second(),
        log_in("username=ann@example.com&password=portcullis").keep("ann last", "/access_token"),
        // The end of a session: the app keeps no list.
        post("/api/v1/logout").is(401, NOT_AUTHENTICATED),
        post("/api/v1/logout").bearer("{ann last}").is(200, "Logged out"),
        get("/api/v1/users/me").bearer("{ann last}").is(200, "Anne").although_taken_back(),
        get("/api/v1/users/me").bearer("{token}").is(200, "admin@example.com"),
        ask("DELETE", "/api/v1/users/me").bearer("{token}").is(403, "Super users"),
        next_second(),
        log_in("username=ann@example.com&password=portcullis").keep("ann end", "/access_token"),
        ask("DELETE", "/api/v1/users/me").bearer("{ann end}").is(200, "deleted"),
        get("/api/v1/users/me").bearer("{ann end}").is(404, "User not found"),
    ]);
    steps
}

#[test]
fn an_app_with_settings_is_as_it_is_without_mantlet() {
    check(&SETTINGS);
}

#[test]
fn sessions_of_an_app_with_settings_end() {
    check_that_sessions_end(&SETTINGS);
}
