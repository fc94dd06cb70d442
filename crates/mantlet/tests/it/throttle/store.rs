//! Several gates that count together in a real Redis, and what they do without it.

use std::time::{Duration, Instant};

use super::{assert_made_to_wait, from, get, log_in};
use crate::kit::{Client, Gateway, Setup, eventually, redis::Redis};

fn gate(redis: &Redis, throttle: &str) -> Gateway {
    Setup::run("logins:app").config(&format!("{}[throttle]\n{throttle}", redis.config())).start()
}

#[test]
fn gates_admit_no_more_together_than_the_rule_says() {
    let redis = Redis::start();
    let throttle = "rate = \"100000/s\"\nburst = 100000\n\
                    [[throttle.rule]]\nname = \"shared\"\npaths = [\"/items/{id}\"]\nrate = \"100/s\"\nburst = 20\n";
    let gates = [gate(&redis, throttle), gate(&redis, throttle), gate(&redis, throttle)];
    let mut clients = gates.each_ref().map(|gate| Client::connect(gate.addr()));
    // The first request of each makes its connection.
    for client in &mut clients {
        assert_eq!(get(client, "/attempts", "").status, 200);
    }
    let start = Instant::now();
    let (mut sent, mut admitted) = (0_u32, 0_u32);
    // What the rate gives while nobody asks is lost once the burst is full: on a machine that pauses for so long, fewer are admitted.
    let (mut last, mut pause) = (start, Duration::ZERO);
    while start.elapsed() < Duration::from_secs(3) {
        for client in &mut clients {
            sent += 1;
            admitted += u32::from(get(client, "/items/1", "").status == 200);
        }
        std::thread::sleep(Duration::from_millis(5));
        pause = pause.max(last.elapsed());
        last = Instant::now();
    }
    let ideal = 20.0 + 100.0 * start.elapsed().as_secs_f64();
    assert!(f64::from(admitted) <= ideal * 1.02, "{admitted} of {sent} admitted, ideal {ideal:.0}");
    if f64::from(sent) > ideal * 1.3 && pause < Duration::from_millis(100) {
        assert!(f64::from(admitted) >= ideal * 0.98, "{admitted} of {sent} admitted, ideal {ideal:.0}");
    }
    println!("{admitted} of {sent} admitted, ideal {ideal:.0}");
}

#[test]
fn attempts_on_an_account_are_counted_together() {
    let redis = Redis::start();
    let gates = [gate(&redis, ""), gate(&redis, "")];
    assert_eq!(log_in(&mut from("127.0.2.1", gates[0].addr()), "alice", "right"), 200);
    let statuses: Vec<_> = (1..=12)
        .map(|number| {
            let gate = &gates[number % 2];
            log_in(&mut from(&format!("127.0.1.{number}"), gate.addr()), "alice", "wrong")
        })
        .collect();
    assert_made_to_wait(&statuses);
    // What one gate has learned of the owner's address, the other knows.
    assert_eq!(log_in(&mut from("127.0.2.1", gates[1].addr()), "alice", "right"), 200);
}

#[test]
fn a_login_is_two_questions_and_what_it_came_to_is_told_afterwards() {
    let redis = Redis::start();
    let gateway = gate(
        &redis,
        "rule = [{ name = \"all-logins\", paths = [\"/token\"], key = [\"route\"], rate = \"100/s\" }]\n",
    );
    let mut client = Client::connect(gateway.addr());
    let mut monitor = redis.monitor();
    let mut asked = |name: &str, password: &str, last: &[&str]| {
        log_in(&mut client, name, password);
        monitor.until(last)
    };
    // Scripts are there then, and the connection.
    asked("bob", "right", &["\"SETEX\"", "\"KEEPTTL\""]);
    asked("bob", "wrong", &["\"HINCRBY\""]);
    let wrong = asked("alice", "wrong", &["\"HINCRBY\""]);
    // One by the address; the rule and the attempt in one write; the failure.
    let has = |line: &String, all: &[&str]| all.iter().all(|part| line.contains(part));
    assert_eq!(wrong.len(), 4, "{wrong:#?}");
    assert!(has(&wrong[0], &["EVALSHA", "mantlet:client:"]), "{wrong:#?}");
    assert!(has(&wrong[1], &["EVALSHA", "mantlet:all-logins:"]), "{wrong:#?}");
    assert!(has(
        &wrong[2],
        &["EVALSHA", "}:login-by-address:", "}:login-by-account:", "}:delay:", "}:known:"]
    ));
    assert!(has(&wrong[3], &["EVALSHA", "{login}:delay:"]), "{wrong:#?}");
    let right = asked("alice", "right", &["\"SETEX\"", "\"KEEPTTL\""]);
    assert_eq!(right.iter().filter(|line| line.contains("EVALSHA")).count(), 4, "{right:#?}");
    assert!(!right.iter().any(|line| line.contains("LOAD")), "{right:#?}");
}

#[test]
fn what_one_counter_refuses_no_other_counts() {
    let redis = Redis::start();
    for store in ["", &redis.config()] {
        let gateway = Setup::run("logins:app").config(&format!("{store}[throttle]\n")).start();
        let mut client = Client::connect(gateway.addr());
        let mut ask = |email: &str| {
            let body = format!(r#"{{"email": "{email}"}}"#);
            let head = "POST /forgot-password HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json";
            client.ask(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).status
        };
        let statuses: Vec<_> = (0..40).map(|_| ask("a@example.com")).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5, "{statuses:?}");
        // The address may ask thirty times an hour.
        assert_eq!(ask("b@example.com"), 200, "{store}");
    }
}

/// Three rules that are used up after one request, each with another answer to a store that is away.
const RULES: &str = r#"
    rate = "100000/s"
    burst = 100000
    rule = [
        { name = "local", paths = ["/items/{id}"], rate = "1/h", fail = "local" },
        { name = "open", paths = ["/attempts"], rate = "1/h", fail = "open" },
        { name = "closed", paths = ["/docs"], rate = "1/h", fail = "closed" },
    ]
"#;

fn statuses(client: &mut Client) -> [u16; 3] {
    ["/items/1", "/attempts", "/docs"].map(|path| get(client, path, "").status)
}

#[test]
fn row_74_without_redis_each_rule_does_what_it_says_and_recovers() {
    let mut redis = Redis::start();
    let gateway = gate(&redis, RULES);
    let mut client = Client::connect(gateway.addr());
    let refused = |client: &mut Client| (statuses(client) == [429; 3]).then_some(());
    eventually("redis counts", || refused(&mut client));
    redis.go();
    // What is counted here has not been used up yet.
    assert_eq!(statuses(&mut client), [200, 200, 429]);
    assert_eq!(statuses(&mut client), [429, 200, 429]);
    redis.come();
    // It has forgotten everything: one more passes everywhere, then none.
    eventually("redis counts again", || refused(&mut client));
    redis.pause(true);
    assert_eq!(statuses(&mut client), [429, 200, 429]);
    redis.pause(false);
    eventually("redis counts again", || refused(&mut client));
    let records = gateway.end().audit;
    let events = records.iter().filter_map(|record| record["security_event"].as_str());
    let events: Vec<_> = events.filter(|event| event.starts_with("store-")).collect();
    assert_eq!(events, ["store-unavailable", "store-recovered", "store-unavailable", "store-recovered"]);
}
