//! Credentials of other kinds and in other places, and an app with error bodies of its own.

use super::{
    Subject, check, check_that_sessions_end,
    step::{Step, ask, get, make, post, socket},
    token,
};

const BEARER: &str = "Authorization: Bearer {token}";
const NOT_AUTHENTICATED: &str = r#"{"detail":"Not authenticated"}"#;
const FORM: &str = "username=ann&password=battlement";
const JSON: &str = r#"{"username": "ann", "password": "battlement"}"#;

fn token_from(target: &'static str) -> Step {
    post(target).form(FORM).is(200, r#""token_type":"bearer""#).keep("token", "/access_token")
}

/// Random tokens in a table.
pub(crate) const OPAQUE: Subject = Subject {
    name: "opaque.py",
    entry: "opaque:app",
    prepare: |_| (),
    entrance: || {
        let bob = r#"{"username": "bob", "password": "drawbridge"}"#;
        vec![post("/sessions").json(bob).is(201, "expires_in").keep("token", "/token")]
    },
    carried: BEARER,
    guarded: "/tasks",
    key: b"",
    traffic: || {
        const UNKNOWN: &str = r#"{"detail":"Unknown or expired token"}"#;
        vec![
            get("/about").is(200, r#"{"tasks":0}"#),
            get("/tasks").is(401, NOT_AUTHENTICATED),
            get("/tasks").bearer("of-no-table").is(401, UNKNOWN),
            post("/sessions").json(r#"{"username": "ann", "password": "wrong"}"#).is(401, "Wrong"),
            post("/sessions").json(JSON).is(201, "expires_in").keep("token", "/token"),
            post("/sessions").json(JSON).is(201, "expires_in").keep("phone", "/token"),
            get("/tasks").bearer("{token}").is(200, "[]"),
            post("/tasks").bearer("{token}").json(r#"{"title": "Dig"}"#).is(201, "Dig"),
            get("/tasks").bearer("{phone}").is(200, "Dig"),
            ask("PUT", "/password")
                .bearer("{token}")
                .json(r#"{"old_password": "wrong", "new_password": "moat"}"#)
                .is(403, "Wrong password"),
            ask("PUT", "/password")
                .bearer("{token}")
                .json(r#"{"old_password": "battlement", "new_password": "moat"}"#)
                .is(204, ""),
            get("/tasks").bearer("{token}").is(200, "Dig"),
            get("/tasks").bearer("{phone}").is(200, "Dig").although_taken_back(),
            // This app forgets the token at logout.
            ask("DELETE", "/sessions/current").bearer("{token}").is(204, ""),
            get("/tasks").bearer("{token}").is(401, UNKNOWN),
            ask("DELETE", "/sessions/current").bearer("{token}").is(401, UNKNOWN),
            get("/tasks").bearer("{phone}").is(200, "Dig").although_taken_back(),
        ]
    },
    stopped: 0,
    recorded: &["session-ended"],
};

/// Pages that differ for members. A caller with an invalid token is a stranger.
pub(crate) const OPTIONAL: Subject = Subject {
    name: "optional.py",
    entry: "optional:app",
    prepare: |_| (),
    entrance: || vec![token_from("/login")],
    carried: BEARER,
    guarded: "/articles/2",
    key: b"secret",
    traffic: || {
        vec![
            get("/").is(200, "Welcome, stranger"),
            get("/articles/1").is(200, r#""reader":null"#),
            get("/articles/2").is(404, "No such article"),
            post("/articles/1/likes").is(403, "For members"),
            post("/login").form("username=ann&password=wrong").is(401, "Wrong password"),
            token_from("/login"),
            get("/").bearer("{token}").is(200, "Welcome back, ann"),
            get("/articles/2").bearer("{token}").is(200, r#""reader":"ann""#),
            post("/articles/2/likes").bearer("{token}").is(201, r#""by":"ann""#),
            make("expired", |values| token::aged(&values["token"], 60 * 60 * 24 * 7 + 1, OPTIONAL.key)),
            make("forged", |values| token::forge(&values["token"], b"another key")),
            make("unsigned", |values| token::none(&values["token"])),
            get("/").bearer("{expired}").is(200, "Welcome, stranger"),
            get("/").bearer("{forged}").is(200, "Welcome, stranger"),
            get("/").bearer("{unsigned}").is(200, "Welcome, stranger"),
            get("/").bearer("undefined").is(200, "Welcome, stranger"),
            get("/articles/1").bearer("{expired}").is(200, r#""reader":null"#),
            get("/articles/2").bearer("{expired}").is(404, "No such article"),
            post("/articles/1/likes").bearer("{expired}").is(403, "For members"),
            post("/articles/1/likes").bearer("{forged}").is(403, "For members"),
            get("/").line("Authorization: Basic YW5uOm1vYXQ=").is(200, "Welcome, stranger"),
        ]
    },
    stopped: 0,
    recorded: &["jwt-key-public", "token-invalid"],
};

/// A cookie for browsers, a header for programs, HS512.
pub(crate) const COOKIE_OR_HEADER: Subject = Subject {
    name: "cookie_or_header.py",
    entry: "cookie_or_header:app",
    prepare: |_| (),
    entrance: || vec![token_from("/token")],
    carried: BEARER,
    guarded: "/albums",
    key: b"B_HEozdOJwG33WJx5mJubmhu3wdBRbRvgc-APKM30Jd6w8E5",
    traffic: || {
        const INVALID: &str = r#"{"detail":"Could not validate credentials"}"#;
        vec![
            get("/albums").is(401, NOT_AUTHENTICATED),
            post("/token").by("laptop").form("username=ann&password=wrong").is(401, "Incorrect"),
            token_from("/token").by("laptop").keep("cookie", "cookie access_token"),
            get("/albums").by("laptop").is(200, "Castles"),
            get("/albums").bearer("{token}").is(200, "Castles"),
            post("/albums").by("laptop").json(r#"{"name": "Walls"}"#).is(201, "Walls"),
            post("/albums").bearer("{token}").json(r#"{"name": "Moats"}"#).is(201, "Moats"),
            make("forged", |values| token::forge(&values["token"], b"another key")),
            make("expired", |values| token::aged(&values["token"], 3601, COOKIE_OR_HEADER.key)),
            get("/albums").bearer("{forged}").is(401, INVALID),
            get("/albums").line(r#"Cookie: access_token="Bearer {forged}""#).is(401, INVALID),
            get("/albums").line(r#"Cookie: access_token="Bearer {expired}""#).is(401, INVALID),
            post("/register")
                .by("tablet")
                .json(r#"{"username": "eve", "password": "parapet"}"#)
                .is(201, r#""token_type":"bearer""#)
                .keep("eve", "/access_token"),
            post("/register").json(r#"{"username": "eve", "password": "b"}"#).is(409, "is taken"),
            get("/albums").by("tablet").is(200, "[]"),
            get("/albums").bearer("{eve}").is(200, "[]"),
            // Beside a header the app does not read the cookie.
            get("/albums").by("laptop").bearer("{forged}").is(401, INVALID),
            get("/albums").bearer("{token}").line("Cookie: access_token=nonsense").is(200, "Castles"),
            post("/logout").by("laptop").is(200, "Goodbye"),
            get("/albums").by("laptop").is(401, NOT_AUTHENTICATED),
            get("/albums").line("Cookie: access_token={cookie}").is(200, "Moats").although_taken_back(),
            get("/albums").bearer("{token}").is(200, "Moats").although_taken_back(),
        ]
    },
    stopped: 0,
    recorded: &["jwt-key-short", "session-ended"],
};

/// An exception handler gives all errors one shape.
pub(crate) const OWN_ENVELOPE: Subject = Subject {
    name: "own_envelope.py",
    entry: "own_envelope:app",
    prepare: |_| (),
    entrance: || vec![token_from("/api/auth/token")],
    carried: BEARER,
    guarded: "/api/invoices",
    key: b"super-secret",
    traffic: || {
        const NONE: &str = r#"{"error":{"code":"http","message":"Not authenticated"}}"#;
        const INVALID: &str = r#"{"error":{"code":"token_invalid","message":"Please log in"}}"#;
        const EXPIRED: &str = r#"{"error":{"code":"token_expired","message":"Please log in again"}}"#;
        vec![
            get("/api/status").is(200, "ok"),
            get("/api/nothing").is(404, r#""message":"Not Found""#),
            get("/api/invoices").is(401, NONE),
            post("/api/invoices").json(r#"{"to": 7}"#).is(401, NONE),
            get("/api/invoices").bearer("nonsense").is(401, INVALID),
            post("/api/auth/token").form("username=ann&password=wrong").is(401, "credentials"),
            post("/api/auth/token").form("username=ann").is(422, r#""fields":["body.password"]"#),
            post("/api/auth/login").json(r#"{"username": "ann", "password": "b"}"#).is(401, "credentials"),
            post("/api/auth/login")
                .json(JSON)
                .is(200, r#""user":"ann""#)
                .keep("nested", "/data/tokens/access"),
            get("/api/invoices").bearer("{nested}").is(200, r#""owner":"ann""#),
            token_from("/api/auth/token"),
            get("/api/invoices").bearer("{token}").is(200, r#""owner":"ann""#),
            post("/api/invoices").bearer("{token}").json(r#"{"to": "Bob", "amount": 7}"#).is(201, "Bob"),
            post("/api/invoices")
                .bearer("{token}")
                .json(r#"{"to": "Bob", "amount": 0}"#)
                .is(422, r#""fields":["body.amount"]"#),
            make("expired", |values| token::aged(&values["token"], 3601, OWN_ENVELOPE.key)),
            make("forged", |values| token::forge(&values["token"], b"another key")),
            make("unsigned", |values| token::none(&values["token"])),
            get("/api/invoices").bearer("{expired}").is(401, EXPIRED),
            get("/api/invoices").bearer("{forged}").is(401, INVALID),
            get("/api/invoices").bearer("{unsigned}").is(401, INVALID),
        ]
    },
    stopped: 2,
    recorded: &["input-invalid", "jwt-key-public"],
};

/// Programs with keys of the app.
pub(crate) const API_KEY: Subject = Subject {
    name: "api_key.py",
    entry: "api_key:app",
    prepare: |_| (),
    entrance: || vec![post("/keys").line(ANNS_KEY).is(201, "api_key").keep("token", "/api_key")],
    carried: "X-API-Key: {token}",
    guarded: "/weather/Paris",
    key: b"",
    traffic: || {
        vec![
            get("/cities").is(200, "London"),
            get("/weather/Paris").is(401, "Missing API key"),
            get("/weather/Paris").line("X-API-Key: guessed").is(403, "Invalid API key"),
            get("/weather/Paris").line(ANNS_KEY).is(200, r#""for":"ann""#),
            get("/weather/Paris?api_key=wk_live_Jm3ZrT6yPc1x").is(200, r#""for":"bob""#),
            get("/weather/Paris?api_key=guessed").is(403, "Invalid API key"),
            post("/keys").line(ANNS_KEY).is(201, "api_key").keep("token", "/api_key"),
            get("/weather/Paris").line("x-api-key: {token}").is(200, r#""for":"ann""#),
            post("/keys").is(401, "Missing API key"),
        ]
    },
    stopped: 0,
    recorded: &[],
};

const ANNS_KEY: &str = "X-API-Key: wk_live_4fQeU0h2VtB8";

/// A name and a password with each request.
pub(crate) const BASIC: Subject = Subject {
    name: "basic.py",
    entry: "basic:app",
    prepare: |_| (),
    entrance: || vec![make("token", |_| "YW5uOmJhdHRsZW1lbnQ=".to_owned())],
    carried: "Authorization: Basic {token}",
    guarded: "/admin/settings",
    key: b"",
    traffic: || {
        vec![
            get("/").is(200, "closed"),
            get("/admin").is(401, NOT_AUTHENTICATED),
            get("/admin").line("Authorization: Basic YW5uOndyb25n").is(401, "Incorrect username"),
            get("/admin").line("Authorization: Basic nonsense").is(401, NOT_AUTHENTICATED),
            get("/admin").line("Authorization: Bearer YW5uOmJhdHRsZW1lbnQ=").is(401, NOT_AUTHENTICATED),
            get("/admin").by("laptop").line("Authorization: Basic YW5uOmJhdHRsZW1lbnQ=").is(200, "Hello ann"),
            get("/admin/settings").line("Authorization: basic YW5uOmJhdHRsZW1lbnQ=").is(200, "ann"),
        ]
    },
    stopped: 0,
    recorded: &[],
};

/// WebSockets and event streams with the token in the URL.
pub(crate) const QUERY_TOKEN: Subject = Subject {
    name: "query_token.py",
    entry: "query_token:app",
    prepare: |_| (),
    entrance: || vec![token_from("/token")],
    carried: BEARER,
    guarded: "/rooms",
    key: b"between-the-towers-stands-a-gate",
    traffic: || {
        vec![
            get("/rooms").is(401, NOT_AUTHENTICATED),
            get("/events").is(422, "missing").refused_first("input-invalid"),
            get("/events?token=nonsense").is(401, "Invalid token"),
            socket("/ws", &[]).is(403, ""),
            socket("/ws?token=nonsense", &[]).is(403, ""),
            token_from("/token"),
            get("/rooms").bearer("{token}").is(200, r#""user":"ann""#),
            get("/events?token={token}").line("Accept: text/event-stream").is(200, "data: hello ann"),
            socket("/ws?token={token}", &["Who goes there?", "A friend"]).is(101, "ann: A friend"),
            make("expired", |values| token::aged(&values["token"], 3601, QUERY_TOKEN.key)),
            make("forged", |values| token::forge(&values["token"], b"another key")),
            get("/rooms").bearer("{forged}").is(401, "Invalid token"),
            get("/events?token={expired}").is(401, "Invalid token"),
            get("/events?token={forged}").is(401, "Invalid token"),
            socket("/ws?token={expired}", &[]).is(403, ""),
            socket("/ws?token={forged}", &[]).is(403, ""),
            socket("/ws?token={token}", &["Me again"]).is(101, "ann: Me again"),
        ]
    },
    stopped: 2,
    recorded: &["token-invalid", "token-key-found"],
};

#[test]
fn an_app_with_opaque_tokens_is_as_it_is_without_mantlet() {
    check(&OPAQUE);
}

#[test]
fn an_app_with_an_optional_login_is_as_it_is_without_mantlet() {
    check(&OPTIONAL);
}

#[test]
fn an_app_with_a_cookie_or_a_header_is_as_it_is_without_mantlet() {
    check(&COOKIE_OR_HEADER);
}

#[test]
fn an_app_with_an_envelope_is_as_it_is_without_mantlet() {
    check(&OWN_ENVELOPE);
}

#[test]
fn an_app_with_keys_for_programs_is_as_it_is_without_mantlet() {
    check(&API_KEY);
}

#[test]
fn an_app_with_basic_credentials_is_as_it_is_without_mantlet() {
    check(&BASIC);
}

#[test]
fn an_app_with_tokens_in_urls_is_as_it_is_without_mantlet() {
    check(&QUERY_TOKEN);
}

#[test]
fn sessions_of_an_app_with_opaque_tokens_end() {
    check_that_sessions_end(&OPAQUE);
}

#[test]
fn sessions_of_an_app_with_a_cookie_or_a_header_end() {
    check_that_sessions_end(&COOKIE_OR_HEADER);
}
