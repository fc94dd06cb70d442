//! fastapi-users with three ways to log in: a JWT in a cookie, a JWT in a header, and a token in a
//! database.

use super::{
    Subject, check_that_sessions_end, check_with,
    step::{Step, get, mail, make, next_second, patch, post},
    token,
};

/// Clients that show a JWT in a header.
pub(crate) const USERS: Subject = Subject {
    name: "users",
    entry: "app.app:app",
    prepare: |_| (),
    entrance: || {
        let form = "username=carl@example.com&password=drawbridge";
        let carl = r#"{"email": "carl@example.com", "password": "drawbridge"}"#;
        vec![
            register(carl),
            post("/auth/jwt/login").form(form).is(200, "bearer").keep("token", "/access_token"),
        ]
    },
    carried: "Authorization: Bearer {token}",
    guarded: "/users/me",
    key: KEY,
    traffic,
    stopped: 3,
    recorded: &["session-ended", "token-invalid", "token-key-found"],
};

/// Clients that show a token from the database.
pub(crate) const USERS_OPAQUE: Subject = Subject {
    entrance: || {
        let form = "username=dora@example.com&password=drawbridge";
        let dora = r#"{"email": "dora@example.com", "password": "drawbridge"}"#;
        vec![
            register(dora),
            post("/auth/db/login").form(form).is(200, "bearer").keep("token", "/access_token"),
        ]
    },
    key: b"",
    ..USERS
};

/// Browsers, with a JWT in a cookie.
pub(crate) const USERS_COOKIE: Subject = Subject {
    entrance: || {
        let form = "username=emil@example.com&password=drawbridge";
        let emil = r#"{"email": "emil@example.com", "password": "drawbridge"}"#;
        vec![
            register(emil),
            post("/auth/cookie/login").form(form).is(204, "").keep("token", "cookie session"),
        ]
    },
    carried: "Cookie: session={token}",
    ..USERS
};

const KEY: &[u8] = b"fa95916aae88c378ddeec456bfbd85a3f567f7bcc5c82ab6";
const FORM: &str = "username=ann@example.com&password=battlement";

fn register(user: &str) -> Step {
    post("/auth/register").json(user).is(201, r#""is_verified":false"#).keep("id", "/id")
}

fn traffic() -> Vec<Step> {
    const UNAUTHORIZED: &str = r#"{"detail":"Unauthorized"}"#;
    vec![
        get("/openapi.json").is(200, "auth/jwt/login"),
        get("/users/me").is(401, UNAUTHORIZED),
        get("/greeting").is(200, "Hello stranger"),
        register(r#"{"email": "ann@example.com", "password": "battlement"}"#),
        post("/auth/register")
            .json(r#"{"email": "ann@example.com", "password": "battlement"}"#)
            .is(400, "REGISTER_USER_ALREADY_EXISTS"),
        post("/auth/register")
            .json(r#"{"email": "bob@example.com", "password": "short"}"#)
            .is(400, "REGISTER_INVALID_PASSWORD"),
        // Three ways to log in.
        post("/auth/jwt/login").form("username=ann@example.com&password=wrong").is(400, "LOGIN_BAD"),
        post("/auth/jwt/login").form(FORM).is(200, "bearer").keep("jwt", "/access_token"),
        post("/auth/db/login").form(FORM).is(200, "bearer").keep("opaque", "/access_token"),
        next_second(),
        post("/auth/cookie/login").by("laptop").form(FORM).is(204, "").keep("cookie", "cookie session"),
        next_second(),
        post("/auth/cookie/login").by("tablet").form(FORM).is(204, ""),
        get("/users/me").bearer("{jwt}").is(200, "ann@example.com"),
        get("/users/me").bearer("{opaque}").is(200, "ann@example.com"),
        get("/users/me").by("laptop").is(200, "ann@example.com"),
        get("/users/me").by("tablet").is(200, "ann@example.com"),
        get("/authenticated-route").bearer("{jwt}").is(200, "Hello ann@example.com!"),
        get("/greeting").by("laptop").is(200, "Hello ann@example.com!"),
        get("/greeting").bearer("{opaque}").is(200, "Hello ann@example.com!"),
        // The same token in the other place, which the app takes too.
        get("/users/me").line("Cookie: session={jwt}").is(200, "ann@example.com"),
        get("/users/me").bearer("{cookie}").is(200, "ann@example.com"),
        // What the app itself refuses, or takes for a stranger.
        make("expired", |values| token::aged(&values["jwt"], 3601, KEY)),
        make("forged", |values| token::forge(&values["jwt"], b"SECRET")),
        make("unsigned", |values| token::none(&values["jwt"])),
        get("/users/me").bearer("{expired}").is(401, UNAUTHORIZED),
        get("/users/me").bearer("{forged}").is(401, UNAUTHORIZED),
        get("/users/me").bearer("{unsigned}").is(401, UNAUTHORIZED),
        get("/users/me").line("Cookie: session={forged}").is(401, UNAUTHORIZED),
        get("/users/me").bearer("of-no-table").is(401, UNAUTHORIZED),
        get("/greeting").bearer("{forged}").is(200, "Hello stranger"),
        get("/greeting").line("Cookie: session={expired}").is(200, "Hello stranger"),
        // One of two credentials is good.
        get("/users/me").bearer("{forged}").line("Cookie: session={jwt}").is(200, "ann@example.com"),
        get("/users/me").bearer("{jwt}").line("Cookie: session={expired}").is(200, "ann@example.com"),
        // Verification by e-mail.
        get("/verified-route").bearer("{jwt}").is(403, "Forbidden"),
        post("/auth/request-verify-token").json(r#"{"email": "ann@example.com"}"#).is(202, "null"),
        mail("verification", "ann@example.com"),
        post("/auth/verify").json(r#"{"token": "nonsense"}"#).is(400, "VERIFY_USER_BAD_TOKEN"),
        post("/auth/verify").json(r#"{"token": "{verification}"}"#).is(200, r#""is_verified":true"#),
        post("/auth/verify").json(r#"{"token": "{verification}"}"#).is(400, "ALREADY_VERIFIED"),
        get("/verified-route").bearer("{jwt}").is(200, "is verified"),
        get("/users/me").bearer("{verification}").is(401, UNAUTHORIZED),
        // A new password: the app's tokens are as good as before.
        patch("/users/me")
            .by("laptop")
            .json(r#"{"password": "short"}"#)
            .is(400, "UPDATE_USER_INVALID_PASSWORD"),
        patch("/users/me").json(r#"{"password": "drawbridge"}"#).is(401, UNAUTHORIZED),
        patch("/users/me").by("laptop").json(r#"{"password": "drawbridge"}"#).is(200, "ann@example.com"),
        get("/users/me").by("laptop").is(200, "ann@example.com"),
        get("/users/me").by("tablet").is(200, "ann@example.com").although_taken_back(),
        get("/users/me").bearer("{jwt}").is(200, "ann@example.com").although_taken_back(),
        get("/users/me").bearer("{opaque}").is(200, "ann@example.com").although_taken_back(),
        post("/auth/jwt/login").form(FORM).is(400, "LOGIN_BAD_CREDENTIALS"),
        // A password that is forgotten.
        post("/auth/forgot-password").json(r#"{"email": "ann@example.com"}"#).is(202, "null"),
        mail("reset", "ann@example.com"),
        post("/auth/forgot-password").json(r#"{"email": "missing@example.com"}"#).is(202, "null"),
        post("/auth/reset-password")
            .json(r#"{"token": "nonsense", "password": "portcullis"}"#)
            .is(400, "RESET_PASSWORD_BAD_TOKEN"),
        post("/auth/reset-password")
            .json(r#"{"token": "{reset}", "password": "portcullis"}"#)
            .is(200, "null"),
        post("/auth/reset-password")
            .json(r#"{"token": "{reset}", "password": "portcullis"}"#)
            .is(400, "RESET_PASSWORD_BAD_TOKEN"),
        get("/users/me").by("laptop").is(200, "ann@example.com").although_taken_back(),
        // Logging out: only a row of the database, and the browser's cookie, go away.
        post("/auth/jwt/login")
            .form("username=ann@example.com&password=portcullis")
            .is(200, "bearer")
            .keep("jwt new", "/access_token"),
        post("/auth/db/login")
            .form("username=ann@example.com&password=portcullis")
            .is(200, "bearer")
            .keep("opaque new", "/access_token"),
        post("/auth/jwt/logout").bearer("{jwt new}").is(204, ""),
        get("/users/me").bearer("{jwt new}").is(200, "ann@example.com").although_taken_back(),
        post("/auth/db/logout").bearer("{opaque new}").is(204, ""),
        get("/users/me").bearer("{opaque new}").is(401, UNAUTHORIZED),
        get("/users/me").bearer("{opaque}").is(200, "ann@example.com").although_taken_back(),
        post("/auth/cookie/logout").by("laptop").is(204, "").although_taken_back(),
        get("/users/me").by("laptop").is(401, UNAUTHORIZED),
        get("/users/me").line("Cookie: session={cookie}").is(200, "ann@example.com").although_taken_back(),
        post("/auth/cookie/logout").by("laptop").is(401, UNAUTHORIZED),
    ]
}

#[test]
fn an_app_with_fastapi_users_is_as_it_is_without_mantlet() {
    check_with(&[&USERS, &USERS_OPAQUE, &USERS_COOKIE]);
}

#[test]
fn sessions_of_an_app_with_fastapi_users_end() {
    check_that_sessions_end(&USERS);
}
