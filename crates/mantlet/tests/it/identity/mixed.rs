//! Cookies and tokens side by side: what ends one session, and no other.

use serde_json::Value;

use super::{
    Running, Subject, check, check_that_sessions_end,
    step::{Step, get, post},
    token,
};
use crate::kit::{eventually, redis::Redis};

const MIXED: Subject = Subject {
    name: "mixed.py",
    entry: "mixed:app",
    prepare: |_| (),
    entrance: || vec![make_token("ann").keep("token", "/access_token")],
    carried: "Authorization: Bearer {token}",
    guarded: "/me",
    key: b"three-gates-and-a-very-wide-moat-around",
    traffic,
    stopped: 0,
    recorded: &["session-ended", "token-key-found"],
};

/// Each account has one token, which it gets at each login.
const DESK: Subject = Subject {
    entrance: || vec![post("/desk/login").form(&form_of("ann")).is(200, "").keep("token", "/access_token")],
    guarded: "/desk/me",
    key: b"",
    traffic: Vec::new,
    ..MIXED
};

fn form_of(name: &str) -> String {
    let passwords = [("ann", "battlement"), ("bob", "drawbridge"), ("cid", "gatehouse-5")];
    let (_, password) = passwords.into_iter().find(|(known, _)| *known == name).expect("an account");
    format!("username={name}&password={password}")
}

fn make_token(name: &str) -> Step {
    post("/token").form(&form_of(name)).is(200, "access_token")
}

fn log_in(browser: &'static str, name: &str) -> Step {
    post("/login").by(browser).form(&form_of(name)).is(200, name.to_owned().leak())
}

/// The session of this browser, and all that the app knows by other cookies.
fn is_logged_in(browser: &'static str) -> Step {
    get("/account").by(browser).is(200, r#""device":true,"edge":true"#)
}

fn traffic() -> Vec<Step> {
    let mut steps = vec![
        make_token("ann").keep("ann", "/access_token"),
        make_token("bob").keep("bob", "/access_token"),
        get("/me").bearer("{ann}").is(200, "7"),
        get("/me").bearer("{bob}").is(200, "8"),
        log_in("laptop", "ann").keep("sid", "cookie sid"),
        is_logged_in("laptop"),
        // The operation asks for the token: that is the session that ends.
        post("/api/logout").by("laptop").bearer("{bob}").is(204, ""),
        get("/me").bearer("{bob}").is(200, "8").although_taken_back(),
        get("/me").bearer("{ann}").is(200, "7"),
        is_logged_in("laptop"),
        // Tokens of a name that no login has named.
        get("/live").by("laptop").is(200, "token").keep("first", "/token"),
        get("/live").by("laptop").is(200, "token").keep("second", "/token"),
        get("/by-hand").bearer("{first}").is(200, "7"),
        get("/by-hand").line("Authorization: x {second}").is(200, "7"),
        // The answer takes a cookie back: its session ends, with the tokens that its client has got.
        post("/logout").by("laptop").bearer("{ann}").is(204, ""),
        get("/account").line("Cookie: sid={sid}").is(200, "ann").although_taken_back(),
        get("/me").bearer("{ann}").is(200, "7"),
        // A token in a cookie that this request has not sent ends with it, too.
        log_in("desktop", "ann").keep("other", "cookie sid").keep("renewal", "cookie renewal"),
        get("/renew").line("Cookie: renewal={renewal}").is(200, "7"),
        post("/logout").line("Cookie: sid={other}").is(204, ""),
        get("/renew").line("Cookie: renewal={renewal}").is(200, "7").although_taken_back(),
        // A cookie that the app has left to the browser is not of the session.
        log_in("laptop", "ann"),
        is_logged_in("laptop"),
    ];
    for token in ["first", "second"] {
        for line in ["Bearer {token}", "x {token}", "{token}", "Bearer x {token}", "Basic  {token}"] {
            let line = format!("Authorization: {}", line.replace("{token}", &format!("{{{token}}}")));
            steps.push(get("/by-hand").line(&line).is(200, "7").although_taken_back());
        }
    }
    steps.extend([
        // What all accounts get is not of one session.
        log_in("library", "bob"),
        log_in("phone", "cid"),
        log_in("tablet", "cid"),
        make_token("cid").keep("cid", "/access_token"),
        post("/change-password").bearer("{cid}").form("new_password=gatehouse-6").is(204, ""),
        get("/account").by("phone").is(200, "cid").although_taken_back(),
        get("/account").by("tablet").is(200, "cid").although_taken_back(),
        get("/me").bearer("{cid}").is(200, "9"),
        is_logged_in("library"),
        is_logged_in("laptop"),
    ]);
    steps
}

#[test]
fn an_app_with_cookies_and_tokens_is_as_it_is_without_mantlet() {
    check(&MIXED);
}

#[test]
fn sessions_of_an_app_with_cookies_and_tokens_end() {
    check_that_sessions_end(&MIXED);
}

#[test]
fn tokens_of_another_name_than_at_the_login_begin_one_session() {
    let running = Running::start(&MIXED, "");
    running.login();
    let mut driver = running.driver();
    driver.take(&log_in("laptop", "ann"));
    for _ in 0..3 {
        driver.take(&get("/live").by("laptop").is(200, "token"));
    }
    let listed = running.gateway.tell(&["sessions", "--account", "7"]).stdout;
    let count = listed.lines().filter(|line| line.contains("127.0.0.1")).count();
    // And that of the token at the login.
    assert_eq!(count, 2, "{listed}");
}

/// The app accepts the cookie, and does not look at the token.
#[test]
fn a_forged_token_beside_a_session_teaches_nothing() {
    let running = Running::start(&MIXED, "");
    let good = running.login();
    assert_eq!(running.guarded(&good).status, 200);
    let forged = token::forge(&good, b"a key that the app does not know at all");
    let mut driver = running.driver();
    driver.values.insert("forged".to_owned(), forged.clone());
    driver.take(&log_in("laptop", "bob"));
    for _ in 0..3 {
        driver.take(&get("/either").by("laptop").bearer("{forged}").is(200, "8"));
    }
    let before = running.reached("/me");
    assert_eq!(running.guarded(&forged).status, 401);
    assert_eq!(running.reached("/me"), before, "the gate knows that it is forged");
    assert_eq!(running.guarded(&good).status, 200);
}

#[test]
fn a_token_that_is_handed_out_again_after_a_logout_is_good_at_all_gates() {
    let redis = Redis::start();
    let config = format!("authentication.sessions = \"enforce\"\n{}", redis.config());
    let gates = [(); 2].map(|()| Running::start(&DESK, &config));
    for round in 0..4 {
        let [own, other] = [0, 1].map(|number| &gates[(round + number) % 2]);
        let token = own.login();
        // The other gate may have been told of the former session's end within this second.
        for gate in [own, other] {
            eventually("it is good", || (gate.guarded(&token).status == 200).then_some(()));
        }
        if round > 1 {
            // Both have handed it out.
            assert_eq!(other.login(), token);
        }
        own.driver().take(&post("/desk/logout").bearer(&token).is(204, ""));
        assert_eq!(own.guarded(&token).status, 401);
        eventually("it is refused", || (other.guarded(&token).status == 401).then_some(()));
    }
}

/// Without a line of configuration an end by the client is only recorded: a thief may ask for it.
#[test]
fn an_operator_ends_what_a_client_has_ended_before() {
    let running = Running::start(&MIXED, "");
    let (first, second) = (running.login(), running.login());
    let revoke = |arguments: &[&str]| {
        let said = running.gateway.tell(&[&["sessions", "revoke"], arguments].concat());
        assert_eq!(said.code, Some(0), "{} {}", said.stdout, said.stderr);
        assert!(said.stdout.contains("is revoked"), "{}", said.stdout);
    };
    for token in [&first, &second] {
        running.driver().take(&post("/api/logout").bearer(token).is(204, ""));
        assert_eq!(running.guarded(token).status, 200);
    }
    revoke(&["--account", "ann"]);
    for token in [&first, &second] {
        assert_eq!(running.guarded(token).status, 401);
    }
    let third = running.login();
    assert_eq!(running.guarded(&third).status, 200);
    let listed = running.gateway.tell(&["sessions", "--json"]).stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed["count"], 1, "{listed}");
    let id = listed["sessions"][0]["id"].as_str().expect("an id");
    running.driver().take(&post("/api/logout").bearer(&third).is(204, ""));
    revoke(&[id]);
    assert_eq!(running.guarded(&third).status, 401);
}

/// The browser keeps its cookie, and the account has another name at the login.
#[test]
fn a_cookie_that_stays_the_same_after_a_registration_is_a_session() {
    let running = Running::start(&MIXED, "");
    let mut driver = running.driver();
    let password = "password=battlement";
    driver.take(
        &post("/club/register").by("laptop").form(&format!("email=ann@x.org&{password}")).is(200, "ann"),
    );
    driver.take(&post("/club/login").by("laptop").form(&format!("username=ann&{password}")).is(200, "ann"));
    driver.take(&get("/club").by("laptop").is(200, "ann"));
    let said = running.gateway.tell(&["sessions", "revoke", "--account", "ann"]);
    assert!(said.stdout.contains("is revoked"), "{} {}", said.stdout, said.stderr);
    driver.take(&get("/club").by("laptop").is(401, "Members only"));
}
