//! A login by form, with the session in Starlette's signed cookie.

use super::{
    Running, Subject, check, check_that_sessions_end,
    step::{Step, get, make, next_second, post},
};

use crate::kit::Client;

pub(crate) const SESSION: Subject = Subject {
    name: "session.py",
    entry: "session:app",
    prepare: |_| (),
    entrance: || vec![log_in("program").keep("token", "cookie session")],
    carried: "Cookie: session={token}",
    guarded: "/account",
    key: b"change-me-please",
    traffic,
    stopped: 0,
    recorded: &["session-ended"],
};

fn log_in(browser: &'static str) -> Step {
    post("/login").by(browser).form("username=ann&password=battlement").is(303, "")
}

fn traffic() -> Vec<Step> {
    vec![
        get("/").by("laptop").is(200, "Log in"),
        get("/account").by("laptop").is(303, ""),
        get("/login?next=/visits").by("laptop").is(200, r#"value="/visits""#),
        post("/login").by("laptop").form("username=ann&password=wrong").is(401, "Wrong name"),
        post("/login").by("laptop").form("username=ann").is(422, "missing").refused_first("input-invalid"),
        log_in("laptop").keep("first", "cookie session"),
        get("/account").by("laptop").is(200, "Account of ann"),
        get("/").by("laptop").is(200, "Logged in as ann"),
        // Each answer signs the session anew, and the older cookies are as good.
        get("/visits").by("laptop").is(200, "visit 1").keep("second", "cookie session"),
        get("/visits").by("laptop").is(200, "visit 2"),
        get("/visits").by("laptop").is(200, "visit 3"),
        get("/visits").line("Cookie: session={second}").is(200, "visit 2"),
        get("/account").line("Cookie: session={first}").is(200, "Account of ann"),
        post("/entries").by("laptop").form("text=Fine+walls").is(303, ""),
        get("/").is(200, "ann: Fine walls"),
        get("/api/me").by("laptop").is(200, r#"{"user":"ann"}"#),
        // Another browser of the same user, and another user.
        next_second(),
        log_in("phone"),
        post("/login")
            .by("library")
            .form("username=bob&password=drawbridge&next=/visits")
            .is(303, "")
            .keep("bob", "cookie session"),
        get("/visits").by("phone").is(200, "visit 1"),
        get("/visits").by("library").is(200, "bob: visit 1"),
        // What the app itself takes for a stranger.
        make("changed", |values| values["bob"].replacen('e', "f", 1)),
        make("foreign", |values| {
            let payload = values["bob"].split('.').next().expect("a payload");
            format!("{payload}.bm8gdGltZQ.bm8gc2lnbmF0dXJl")
        }),
        get("/account").line("Cookie: session={changed}").is(303, ""),
        get("/account").line("Cookie: session={foreign}").is(303, ""),
        get("/").line("Cookie: session={foreign}").is(200, "Log in"),
        get("/account").line("Cookie: session=; theme=dark").is(303, ""),
        // The end of a session: the browser forgets its cookie, and that is all.
        post("/logout").by("laptop").is(303, ""),
        get("/account").by("laptop").is(303, ""),
        get("/account").line("Cookie: session={first}").is(200, "Account of ann").although_taken_back(),
        get("/account").by("phone").is(200, "Account of ann"),
        log_in("laptop"),
        get("/visits").by("laptop").is(200, "visit 1"),
        post("/logout").is(303, ""),
    ]
}

#[test]
fn an_app_with_a_session_is_as_it_is_without_mantlet() {
    check(&SESSION);
}

#[test]
fn sessions_of_an_app_with_a_session_end() {
    check_that_sessions_end(&SESSION);
}

/// Starlette reads the last of several cookies with one name, without its quotes; and not all bits of a
/// signature's last character count.
#[test]
fn a_cookie_that_has_ended_is_withheld_in_every_spelling() {
    let running = Running::start(&SESSION, "authentication.sessions = \"enforce\"\n");
    let value = running.login();
    assert_eq!(running.guarded(&value).status, 200);
    let asked = |method: &str, target: &str, cookie: &str| {
        let lines = format!("Host: {}\r\nCookie: {cookie}\r\nContent-Length: 0", running.addr());
        Client::connect(running.addr()).ask(format!("{method} {target} HTTP/1.1\r\n{lines}\r\n\r\n")).status
    };
    let cookie = format!("session={value}");
    assert_eq!(asked("POST", "/logout", &cookie), 303);
    let mut others = value.clone();
    let last = others.pop().expect("a signature");
    let place = BASE64.find(last).expect("base64");
    others.extend(BASE64.chars().nth(place ^ 1));
    for spelling in [
        cookie.clone(),
        format!("session=\"{value}\""),
        format!("session={others}"),
        format!("{}{cookie}", "session=x; ".repeat(9)),
        format!("session=x; a=b; {cookie}"),
    ] {
        assert_eq!(asked("GET", "/account", &spelling), 303, "{spelling}");
    }
}

const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
