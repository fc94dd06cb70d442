//! Shapes of apps from the wild: the login of FastAPI's tutorial, a package with settings from `.env`, and
//! fastapi-users with a header and with a cookie. What they get without any configuration, and what with one
//! line. Their ordinary traffic, with logouts and changes of passwords, is in the files of these apps.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Home, Running, Subject,
    settings::SETTINGS,
    token,
    tutorial::TUTORIAL,
    users::{USERS, USERS_COOKIE, USERS_OPAQUE},
};
use crate::kit::{Setup, clock::Clock, eventually};

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;

/// A token as an attacker makes it who knows the app, and not its key.
fn made_up(claims: &Value) -> String {
    token::signed(&json!({"alg": "HS256", "typ": "JWT"}), claims, b"a key that is not the key of the app")
}

/// Tokens as an attacker makes them of one that is good.
fn forgeries(good: &str) -> Vec<(&'static str, String)> {
    let (_, claims) = token::parts(good);
    let (rest, signature) = good.rsplit_once('.').expect("a signature");
    let (_, payload) = rest.split_once('.').expect("a payload");
    let with_header = |header: Value| format!("{}.{payload}", BASE64.encode(header.to_string()));
    let other = json!({"sub": "admin", "exp": Timestamp::now().as_second() + HOUR});
    vec![
        ("another key", made_up(&claims)),
        ("another account", made_up(&other)),
        ("an empty key", token::forge(good, b"")),
        ("another account under the signature of this one", {
            let (header, _) = rest.split_once('.').expect("a header");
            format!("{header}.{}.{signature}", BASE64.encode(other.to_string()))
        }),
        ("no signature", format!("{rest}.")),
        ("alg none", token::none(good)),
        ("alg none with the signature", {
            format!("{}.{signature}", with_header(json!({"alg": "none", "typ": "JWT"})))
        }),
        ("alg None", format!("{}.", with_header(json!({"alg": "None", "typ": "JWT"})))),
    ]
}

/// Forged and unsigned tokens are refused in the app's own words, and do not reach it.
fn check_forgeries(subject: &'static Subject) {
    let running = Running::start(subject, "");
    // Before the app has handed out a token nothing is known, and the app itself refuses this one.
    let early = made_up(&json!({"sub": "johndoe", "exp": Timestamp::now().as_second() + HOUR}));
    let own = running.guarded(&early);
    assert!(matches!(own.status, 401 | 403), "{own:?}");
    assert_eq!(running.reached(subject.guarded), 1);

    let good = running.login();
    assert_eq!(running.guarded(&good).status, 200);
    let before = running.reached(subject.guarded);
    let mut all = forgeries(&good);
    all.push(("the one of before", early));
    for (what, forged) in &all {
        let answer = running.guarded(forged);
        assert_eq!((answer.status, &answer.body), (own.status, &own.body), "{what}: {answer:?}");
        let challenge = "www-authenticate";
        assert_eq!(answer.header(challenge), own.header(challenge), "{what}");
    }
    assert_eq!(running.reached(subject.guarded), before, "none has reached the app");
    assert_eq!(running.guarded(&good).status, 200);
    assert_eq!(running.reached(subject.guarded), before + 1);
    let end = running.gateway.end();
    let refused = end.audit.iter().filter(|record| record["action"] == "refuse");
    assert!(refused.clone().all(|record| record["reason"] == "token-invalid"), "{:#?}", end.audit);
    assert!(refused.count() > 0 && end.count("token-invalid") >= all.len() as u64, "{:#?}", end.audit);
}

#[test]
fn what_is_forged_does_not_reach_the_app_of_the_tutorial() {
    check_forgeries(&TUTORIAL);
}

#[test]
fn what_is_forged_does_not_reach_an_app_with_settings() {
    check_forgeries(&SETTINGS);
}

#[test]
fn what_is_forged_does_not_reach_fastapi_users() {
    check_forgeries(&USERS);
}

#[test]
fn what_is_forged_does_not_reach_fastapi_users_with_a_cookie() {
    check_forgeries(&USERS_COOKIE);
}

/// The app at times of a clock, by the minutes.
fn at(subject: &'static Subject, config: &str) -> (Running, impl Fn(i64) + use<>) {
    let clock = Clock::new();
    let variables = clock.variables();
    let set_up = |setup: Setup| setup.config(config).variables(variables);
    (Running::start_in(Home::of(subject), subject, set_up), move |minutes| clock.set(minutes * MINUTE))
}

/// A session that is in use goes on. One that is not has expired, although the app would take its token:
/// that is recorded, and with the line it is not accepted. Where clients can show something else than a
/// header, the app gets the request without the credential, and answers itself.
fn check_idle(subject: &'static Subject, is_only_header: bool) {
    const LIMIT: &str = "authentication.idle = \"5m\"\n";
    let (running, set) = at(subject, LIMIT);
    let token = running.login();
    for minutes in [0, 4, 8] {
        set(minutes);
        assert_eq!(running.guarded(&token).status, 200, "after {minutes} minutes");
    }
    set(14);
    let has_reached = || {
        let before = running.reached(subject.guarded);
        let status = running.guarded(&token).status;
        (status, running.reached(subject.guarded) > before)
    };
    // It is recorded once: then the session is in use again.
    assert_eq!((has_reached(), has_reached()), ((200, true), (200, true)));
    running.gateway.reload(&format!("{LIMIT}authentication.sessions = \"enforce\"\n"));
    running.gateway.wait_for("mantlet: configuration reloaded", 1);
    set(20);
    let refused = running.guarded(&token).status;
    assert!(matches!(refused, 401 | 403), "{refused}");
    assert_eq!(has_reached(), (refused, !is_only_header));
    let next = running.login_again();
    assert_eq!(running.guarded(&next).status, 200);
    let records = running.gateway.end().audit;
    let expired = records.iter().filter(|record| record["reason"] == "session-expired");
    let actions: Vec<_> = expired.filter_map(|record| record["action"].as_str()).collect();
    let enforced = if is_only_header { "refuse" } else { "strip" };
    let (passed, others): (Vec<_>, Vec<_>) = actions.into_iter().partition(|action| *action == "pass");
    assert_eq!(passed.len(), 1, "{records:#?}");
    assert!(!others.is_empty() && others.iter().all(|action| *action == enforced), "{records:#?}");
}

#[test]
fn a_session_of_the_app_of_the_tutorial_that_is_not_in_use_expires() {
    check_idle(&TUTORIAL, true);
}

#[test]
fn a_session_of_an_app_with_settings_that_is_not_in_use_expires() {
    check_idle(&SETTINGS, true);
}

#[test]
fn a_session_of_fastapi_users_that_is_not_in_use_expires() {
    check_idle(&USERS, false);
}

#[test]
fn a_session_of_fastapi_users_with_a_cookie_that_is_not_in_use_expires() {
    check_idle(&USERS_COOKIE, false);
}

#[test]
fn a_session_of_fastapi_users_with_a_database_that_is_not_in_use_expires() {
    check_idle(&USERS_OPAQUE, false);
}

/// The one line that is strict about all has limits, too: twelve hours, where the token is good for eight
/// days.
#[test]
fn strict_posture_ends_sessions_that_are_not_in_use() {
    for (config, statuses) in [("", [200, 200]), ("contract.posture = \"strict\"\n", [200, 403])] {
        let (running, set) = at(&SETTINGS, config);
        let token = running.login();
        let (_, claims) = token::parts(&token);
        // The app was asked for its own refusal, which is repeated later.
        eventually("its words are known", || {
            running.guarded(&token);
            (running.guarded(&made_up(&claims)).status == 403).then_some(())
        });
        let seen = [11, 24].map(|hours| {
            set(hours * HOUR / MINUTE);
            running.guarded(&token).status
        });
        assert_eq!(seen, statuses, "{config}");
    }
}
