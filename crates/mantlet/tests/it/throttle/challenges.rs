//! Puzzles for logins to an account that strangers guess at: who solves one gets in at once.

use std::{fs, sync::Mutex};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{attempts, from, get};
use crate::kit::{Answer, Client, Gateway, Setup, browser::Browser, command::Typed, redis::Redis};

/// Three failures lock an account for minutes, so that no test depends on its own speed.
const CONFIG: &str = "[throttle.challenge]\nwork = 20000\n\
                      [[throttle.operation]]\npaths = [\"/token\"]\nby-account = \"3/15m\"\n";

/// What a client does with a puzzle, as the docs say.
fn solve(puzzle: &Value) -> String {
    let text = |name: &str| puzzle[name].as_str().expect("a text");
    let most = puzzle["maxnumber"].as_u64().expect("a number");
    let hash = |number: u64| {
        let digest = Sha256::digest(format!("{}{number}", text("salt")));
        digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    };
    let number = (0..=most).find(|number| hash(*number) == text("challenge")).expect("a solution");
    let answer = json!({
        "algorithm": puzzle["algorithm"], "challenge": puzzle["challenge"], "number": number,
        "salt": puzzle["salt"], "signature": puzzle["signature"],
    });
    STANDARD.encode(answer.to_string())
}

/// A login from an address, with an answer if there is one.
fn log_in(gateway: &Gateway, address: &str, (name, password): (&str, &str), answer: &str) -> Answer {
    let form = format!("username={name}&password={password}");
    let answer =
        if answer.is_empty() { String::new() } else { format!("Mantlet-Challenge-Answer: {answer}\r\n") };
    from(address, gateway.addr()).ask(format!(
        "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n{answer}\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    ))
}

/// Guesses from many addresses until the account is locked.
fn lock(gateway: &Gateway, name: &str) {
    let statuses =
        (1..=20).map(|number| log_in(gateway, &format!("127.0.4.{number}"), (name, "wrong"), "").status);
    assert!(statuses.into_iter().any(|status| status == 429), "{name} is locked");
}

/// The puzzle of a refusal.
fn puzzle(refused: &Answer) -> Value {
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    let body = refused.json();
    assert_eq!(body["code"], "rate-limited");
    assert_eq!(body["challenge"]["algorithm"], "SHA-256", "{body}");
    body["challenge"].clone()
}

/// What a refusal says of the answer that it was given.
fn said(refused: &Answer) -> (u16, Option<&str>) {
    (refused.status, refused.header("mantlet-challenge"))
}

#[test]
fn under_a_thousand_guesses_the_owner_gets_in_from_a_new_address_with_one_puzzle() {
    let gateway = Setup::run("logins:app").config(CONFIG).start();
    let statuses = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (statuses, gateway) = (&statuses, &gateway);
            scope.spawn(move || {
                for number in 0..125 {
                    let address = format!("127.0.1.{}", thread * 25 + number / 5 + 1);
                    let status = log_in(gateway, &address, ("alice", &format!("guess{number}")), "").status;
                    statuses.lock().expect("no panic").push(status);
                }
            });
        }
    });
    let statuses = statuses.into_inner().expect("no panic");
    let tried = statuses.iter().filter(|status| **status == 400).count();
    assert_eq!((statuses.len(), tried), (1_000, 3), "guesses without answers stop as before");

    // The owner has never been here.
    let owner = ("alice", "right");
    let refused = log_in(&gateway, "127.0.2.1", owner, "");
    assert_eq!(said(&refused), (429, Some("proof-of-work")));
    let answer = solve(&puzzle(&refused));
    assert_eq!(log_in(&gateway, "127.0.2.1", owner, &answer).status, 200);
    // From now on the address is known, and strangers are kept out as before.
    assert_eq!(log_in(&gateway, "127.0.2.1", owner, "").status, 200);
    assert_eq!(said(&log_in(&gateway, "127.0.2.2", owner, "")), (429, Some("proof-of-work")));
    // An answer is good once.
    let again = log_in(&gateway, "127.0.2.2", owner, &answer);
    assert_eq!(said(&again), (429, Some("proof-of-work;error=used")));
    puzzle(&again);
    // The app agrees: what was refused did not reach it.
    assert_eq!(attempts(&mut Client::connect(gateway.addr())), tried + 2);
}

#[test]
fn an_answer_is_good_for_its_account_alone_and_only_where_it_is_needed() {
    let gateway = Setup::run("logins:app").config(CONFIG).start();
    lock(&gateway, "alice");
    lock(&gateway, "carol");
    let answer = solve(&puzzle(&log_in(&gateway, "127.0.2.1", ("alice", "right"), "")));
    let other = log_in(&gateway, "127.0.2.2", ("carol", "right"), &answer);
    assert_eq!(said(&other), (429, Some("proof-of-work;error=other-request")));
    let wrong = log_in(&gateway, "127.0.2.2", ("carol", "right"), "made-up");
    assert_eq!(said(&wrong), (429, Some("proof-of-work;error=malformed")));
    // Where nothing refuses, it is not used up; nor does its case or spelling matter, as for any login.
    assert_eq!(log_in(&gateway, "127.0.2.3", ("bob", "right"), &answer).status, 200);
    assert_eq!(log_in(&gateway, "127.0.2.1", ("+ALICE", "right"), &answer).status, 200);
}

#[test]
fn an_answer_does_not_lift_the_limit_of_its_address() {
    let config = "[throttle.challenge]\nwork = 20000\n[[throttle.operation]]\npaths = [\"/token\"]\n\
                  by-account = \"2/15m\"\nby-address = \"3/15m\"\n";
    let gateway = Setup::run("logins:app").config(config).start();
    let guess = |name: &str, answer: &str| log_in(&gateway, "127.0.1.1", (name, "wrong"), answer);
    assert_eq!([guess("alice", "").status, guess("alice", "").status], [400, 400]);
    let answer = solve(&puzzle(&guess("alice", "")));
    assert_eq!(guess("bob", "").status, 400, "the third failure of the address");
    for answer in ["", &answer] {
        let refused = guess("alice", answer);
        assert_eq!(said(&refused), (429, None), "the address is refused");
        assert_eq!(refused.json()["challenge"], Value::Null);
    }
    // It was not used up by that.
    assert_eq!(log_in(&gateway, "127.0.2.1", ("alice", "right"), &answer).status, 200);
}

#[test]
fn failures_with_answers_are_counted_and_end_the_offer() {
    let config = CONFIG.replace("work", "limit = \"3/day\"\nwork");
    let gateway = Setup::run("logins:app").config(&config).start();
    lock(&gateway, "alice");
    for number in 1..=3 {
        let address = format!("127.0.2.{number}");
        let answer = solve(&puzzle(&log_in(&gateway, &address, ("alice", "wrong"), "")));
        assert_eq!(log_in(&gateway, &address, ("alice", "wrong"), &answer).status, 400, "{number}");
    }
    // No puzzle is offered that would not help.
    let refused = log_in(&gateway, "127.0.2.9", ("alice", "right"), "");
    assert_eq!(said(&refused), (429, None));
    // Other accounts have their own.
    lock(&gateway, "carol");
    let answer = solve(&puzzle(&log_in(&gateway, "127.0.2.9", ("carol", "right"), "")));
    assert_eq!(log_in(&gateway, "127.0.2.9", ("carol", "right"), &answer).status, 200);
}

#[test]
fn puzzles_are_for_logins_alone_and_can_be_switched_off() {
    let gateway = Setup::run("logins:app").config("[throttle.challenge]\noffer = false\n").start();
    lock(&gateway, "alice");
    let gateway = Setup::run("logins:app").config("[throttle]\n").start();
    let body = r#"{"email": "a@example.com"}"#;
    let ask = |number: u32| {
        from(&format!("127.0.1.{number}"), gateway.addr()).ask(format!(
            "POST /forgot-password HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    // Each sends a mail to a person.
    let asked: Vec<_> = (1..=6).map(ask).collect();
    assert_eq!(said(&asked[5]), (429, None));
    assert_eq!(get(&mut Client::connect(gateway.addr()), "/items/1", "").header("mantlet-challenge"), None);
}

#[test]
fn gates_with_one_key_and_one_store_take_an_answer_once() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    fs::write(&key, "a key of the test, and 32 bytes at least").expect("a file");
    let own = CONFIG.replace("work", &format!("key = \"file:{}\"\nwork", key.display()));
    let config = format!("{}{own}", redis.config());
    let gates = [(), ()].map(|()| Setup::run("logins:app").config(&config).start());
    lock(&gates[0], "alice");
    let owner = ("alice", "right");
    let answer = solve(&puzzle(&log_in(&gates[0], "127.0.2.1", owner, "")));
    assert_eq!(log_in(&gates[1], "127.0.2.1", owner, &answer).status, 200);
    for gate in &gates {
        let again = log_in(gate, "127.0.2.2", owner, &answer);
        assert_eq!(said(&again), (429, Some("proof-of-work;error=used")));
    }
    // Both know the owner's address now.
    assert_eq!(log_in(&gates[0], "127.0.2.1", owner, "").status, 200);
    // Failures with answers are counted together, too.
    let wrong = solve(&puzzle(&log_in(&gates[1], "127.0.2.3", owner, "")));
    assert_eq!(log_in(&gates[0], "127.0.2.3", ("alice", "wrong"), &wrong).status, 400);
}

#[test]
fn a_key_that_is_too_short_and_numbers_out_of_range_are_mistakes() {
    let config = "[throttle.challenge]\nwork = 10\nlimit = \"0/day\"\nkey = \"file:short\"\n";
    let typed = Typed::mantlet(["config", "check"]).file("mantlet.toml", config).file("short", "short");
    let finished = typed.finish();
    for part in [
        "throttle.challenge.work: `10` is outside 1000 to 100000000",
        "throttle.challenge.limit: `0/day` cannot be counted",
        "throttle.challenge.key: a key of puzzles has at least 32 bytes",
    ] {
        assert!(finished.stderr.contains(part), "{part}\n{}", finished.stderr);
    }
}

/// A login as a browser sends a form, with more headers.
fn send_form(gateway: &Gateway, address: &str, password: &str, headers: &str) -> Answer {
    let form = format!("username=alice&password={password}");
    from(address, gateway.addr()).ask(format!(
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         {headers}Content-Length: {}\r\n\r\n{form}",
        form.len()
    ))
}

fn with_form(work: u32) -> Gateway {
    let config = CONFIG.replace("/token", "/login").replace("20000", &work.to_string());
    let gateway = Setup::run("login_form:app").config(&config).start();
    let statuses: Vec<_> =
        (1..=4).map(|number| send_form(&gateway, &format!("127.0.4.{number}"), "wrong", "").status).collect();
    assert_eq!(statuses, [303, 303, 303, 429]);
    gateway
}

#[test]
fn a_browser_gets_a_page_and_a_program_gets_json() {
    let gateway = with_form(20_000);
    let page = "Sec-Fetch-Mode: navigate\r\nReferer: http://localhost/login?next=%2F%22%3E\r\n";
    let refused = send_form(&gateway, "127.0.2.1", "right", page);
    assert_eq!(said(&refused), (429, Some("proof-of-work")));
    assert_eq!(refused.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = refused.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert_eq!(refused.header("content-security-policy-report-only"), None);
    let text = String::from_utf8(refused.body.clone()).expect("text");
    assert!(text.contains("<a href=\"/login?next=%2F%22%3E\">Back to the login</a>"), "{text}");
    assert!(text.contains(
        "<noscript><p>Your browser does not run scripts, so it cannot do the work. Wait 5 minutes"
    ));
    // Without `Sec-Fetch-Mode`, as over plain HTTP; and from a page of another site.
    for referer in
        ["", "Referer: http://evil.example/login\r\n", "Referer: http://localhost//evil.example\r\n"]
    {
        let refused =
            send_form(&gateway, "127.0.2.1", "right", &format!("Accept: text/html,*/*\r\n{referer}"));
        let text = String::from_utf8(refused.body.clone()).expect("text");
        assert!(text.contains("<h1>") && !text.contains("<a "), "{referer}: {text}");
    }
    for headers in ["Sec-Fetch-Mode: cors\r\nAccept: text/html\r\n", "Accept: */*\r\n"] {
        puzzle(&send_form(&gateway, "127.0.2.1", "right", headers));
    }
    // The cookie of the page is as good as the header.
    let answer = solve(&puzzle(&send_form(&gateway, "127.0.2.1", "right", "")));
    let cookie = format!("Cookie: theme=dark; mantlet-challenge-answer={answer}\r\n");
    assert_eq!(send_form(&gateway, "127.0.2.1", "right", &cookie).header("location"), Some("/"));
}

#[test]
fn a_person_is_led_back_to_the_form_and_logs_in() {
    let gateway = with_form(20_000);
    let base = format!("http://localhost:{}", gateway.addr().port());
    let mut browser = Browser::open(&format!("{base}/login?next=/orders"));
    let log_in = |browser: &mut Browser| {
        browser.wait_until("document.readyState === 'complete' && document.querySelector('form') !== null");
        for (name, text) in [("username", "alice"), ("password", "right")] {
            browser.evaluate(&format!("document.querySelector('[name={name}]').focus()"));
            browser.evaluate("document.activeElement.value = ''");
            browser.type_text(text);
        }
        browser.evaluate("document.querySelector('button').click()");
    };
    log_in(&mut browser);
    // The refusal has the address of the form, too, but no query.
    browser.wait_until("document.cookie.includes('mantlet-challenge-answer=')");
    browser.wait_until("location.search === '?next=/orders' && document.querySelector('form') !== null");
    log_in(&mut browser);
    browser.wait_until("document.querySelector('h1')?.textContent === 'Welcome'");
    assert_eq!(browser.violations(), [""; 0]);
}

#[test]
fn the_page_can_be_read_by_everyone() {
    // Its work does not end meanwhile.
    let gateway = with_form(100_000_000);
    let base = format!("http://localhost:{}", gateway.addr().port());
    let mut browser = Browser::open(&format!("{base}/login"));
    browser.wait_until("document.readyState === 'complete' && document.querySelector('form') !== null");
    browser.evaluate("document.querySelectorAll('input').forEach((input) => { input.value = 'alice'; })");
    browser.evaluate("document.querySelector('form').submit()");
    browser.wait_until("document.querySelector('#status')?.textContent.includes('is working') === true");
    for (scheme, width) in [("dark", 390), ("light", 1280)] {
        browser.look_as(scheme, width);
        let found = browser.judged();
        assert!(found["passes"].as_u64().is_some_and(|passes| passes > 10), "{found:#}");
        assert_eq!(found["violations"], json!([]), "{scheme}: {found:#}");
        let fits = browser.evaluate(&format!("document.documentElement.scrollWidth <= {width}"));
        assert_eq!(fits, Value::Bool(true), "it is wider than a screen of {width}");
    }
}
