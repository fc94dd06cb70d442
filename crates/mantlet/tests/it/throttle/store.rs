//! Several gates that count together in a real Redis, and what they do without it.

use super::{assert_made_to_wait, from, get, log_in};
use crate::kit::{Client, Gateway, Setup, eventually, redis::Redis};

fn gate(redis: &Redis, throttle: &str) -> Gateway {
    Setup::run("logins:app").config(&format!("{}[throttle]\n{throttle}", redis.config())).start()
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
        "rate = \"100/s\"\nrule = [{ name = \"all-logins\", paths = [\"/token\"], key = [\"route\"], rate = \"100/s\" }]\n",
    );
    let mut client = Client::connect(gateway.addr());
    let mut monitor = redis.monitor();
    let mut asked = |name: &str, password: &str, last: &[&str]| {
        log_in(&mut client, name, password);
        // Whether there are new API keys is asked from time to time, beside all logins.
        let mut lines = monitor.until(last);
        lines.retain(|line| !line.contains("\"mantlet:api-keys\""));
        lines
    };
    // Scripts are there then, and the connection.
    asked("bob", "right", &["\"ZADD\"", "\"KEEPTTL\""]);
    asked("bob", "wrong", &["\"HINCRBY\""]);
    let wrong = asked("alice", "wrong", &["\"HINCRBY\""]);
    // One by the address; the rule and the attempt in one write; the failure.
    let has = |line: &String, all: &[&str]| all.iter().all(|part| line.contains(part));
    assert_eq!(wrong.len(), 4, "{wrong:#?}");
    assert!(has(&wrong[0], &["EVALSHA", "mantlet:client:"]), "{wrong:#?}");
    assert!(has(&wrong[1], &["EVALSHA", "mantlet:all-logins:"]), "{wrong:#?}");
    assert!(has(
        &wrong[2],
        &["EVALSHA", "}:login-by-address:", "}:login-by-account:", "}:delay:", "}:places:"]
    ));
    assert!(has(&wrong[3], &["EVALSHA", "{login}:delay:"]), "{wrong:#?}");
    let right = asked("alice", "right", &["\"ZADD\"", "\"KEEPTTL\""]);
    assert_eq!(right.iter().filter(|line| line.contains("EVALSHA")).count(), 5, "{right:#?}");
    assert!(!right.iter().any(|line| line.contains("LOAD")), "{right:#?}");
}

#[test]
fn an_account_is_known_from_so_many_addresses_and_no_more() {
    let redis = Redis::start();
    let gateway = gate(&redis, "rate = \"100000/s\"\nburst = 100000\n");
    // Who gets in to his own account from everywhere makes Redis remember no more of it, and nothing of others.
    assert_eq!(log_in(&mut from("127.0.2.1", gateway.addr()), "alice", "right"), 200);
    for number in 1..=40 {
        assert_eq!(log_in(&mut from(&format!("127.0.1.{number}"), gateway.addr()), "bob", "right"), 200);
    }
    let counts = "local counts = {} for _, key in ipairs(redis.call('KEYS', ARGV[1])) do counts[#counts + 1] = redis.call('ZCARD', key) end \
                  table.sort(counts) return table.concat(counts, ',')";
    let known = || redis.text(&["EVAL", counts, "0", "mantlet:{login}:places:*"]);
    eventually("as many places as there may be", || (known() == "1,32").then_some(()));
    // The last ones are known still: guesses from elsewhere do not keep the owner out there.
    for number in 100..115 {
        log_in(&mut from(&format!("127.0.1.{number}"), gateway.addr()), "bob", "wrong");
    }
    assert_eq!(log_in(&mut from("127.0.1.40", gateway.addr()), "bob", "right"), 200);
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
pub(super) const RULES: &str = r#"
    rate = "100000/s"
    burst = 100000
    rule = [
        { name = "local", paths = ["/items/{id}"], rate = "1/h", fail = "local" },
        { name = "open", paths = ["/attempts"], rate = "1/h", fail = "open" },
        { name = "closed", paths = ["/docs"], rate = "1/h", fail = "closed" },
    ]
"#;

pub(super) fn statuses(client: &mut Client) -> [u16; 3] {
    ["/items/1", "/attempts", "/docs"].map(|path| get(client, path, "").status)
}

/// What [`statuses`] are while a store counts and all is used up; and without one, once this machine has counted one of each.
pub(super) const COUNTED: [u16; 3] = [429; 3];
pub(super) const ALONE: [u16; 3] = [429, 200, 429];

pub(super) fn wait_for(client: &mut Client, expected: [u16; 3]) {
    eventually(&format!("{expected:?}"), || (statuses(client) == expected).then_some(()));
}

pub(super) const LOST: &str = "store-unavailable";
pub(super) const BACK: &str = "store-recovered";

/// What its records say of the store, in order: what has happened, and why.
pub(super) fn events(gateway: Gateway) -> Vec<String> {
    let records = gateway.end().audit;
    let of_store = records.iter().filter(|record| record["reason"] == LOST);
    let words = of_store.flat_map(|record| [&record["security_event"], &record["subject"]]);
    words.filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

#[test]
fn row_74_without_redis_each_rule_does_what_it_says_and_recovers() {
    let mut redis = Redis::start();
    let gateway = gate(&redis, RULES);
    let mut client = Client::connect(gateway.addr());
    wait_for(&mut client, COUNTED);
    redis.go();
    // What is counted here has not been used up yet.
    assert_eq!(statuses(&mut client), [200, 200, 429]);
    assert_eq!(statuses(&mut client), ALONE);
    redis.come();
    // It has forgotten everything, scripts too: one more passes everywhere, then none.
    wait_for(&mut client, COUNTED);
    redis.pause(true);
    assert_eq!(statuses(&mut client), ALONE);
    redis.pause(false);
    wait_for(&mut client, COUNTED);
    let seen = events(gateway);
    assert_eq!((&*seen[0], &seen[2..]), (LOST, &[BACK, LOST, "no answer", BACK].map(str::to_owned)[..]));
}

#[test]
fn row_74_threads_that_lose_redis_together_say_so_once() {
    let mut redis = Redis::start();
    let config = format!("threads = 4\n{}[throttle]\n{RULES}", redis.config());
    let gateway = Setup::run("logins:app").config(&config).start();
    // Whichever threads they come to.
    let mut clients: Vec<_> = (0..16).map(|_| Client::connect(gateway.addr())).collect();
    let all = |clients: &mut Vec<Client>, expected| {
        std::thread::scope(|scope| {
            for client in clients {
                scope.spawn(move || wait_for(client, expected));
            }
        });
    };
    for _ in 0..3 {
        all(&mut clients, COUNTED);
        redis.go();
        all(&mut clients, ALONE);
        redis.come();
    }
    all(&mut clients, COUNTED);
    let seen = events(gateway);
    let seen: Vec<_> = seen.iter().filter(|word| word.starts_with("store-")).collect();
    assert_eq!(seen, [LOST, BACK, LOST, BACK, LOST, BACK]);
}

#[test]
fn row_74_a_gate_that_starts_without_redis_counts_with_it_later() {
    for paused in [true, false] {
        let mut redis = Redis::start();
        // Paused, it is there to be connected to, but never says a word.
        if paused {
            redis.pause(true);
        } else {
            redis.go();
        }
        let gateway = gate(&redis, RULES);
        let mut client = Client::connect(gateway.addr());
        wait_for(&mut client, ALONE);
        if paused {
            redis.pause(false);
        } else {
            redis.come();
        }
        wait_for(&mut client, COUNTED);
        let seen = events(gateway);
        assert_eq!((&*seen[0], &seen[2..]), (LOST, &[BACK.to_owned()][..]), "{seen:?}");
    }
}

#[test]
fn row_74_an_answer_that_is_an_error_is_none() {
    let cases: [(&str, &[&str], &[&str]); 2] = [
        ("OOM", &["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"]),
        ("READONLY", &["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"]),
    ];
    for (fault, spoil, mend) in cases {
        let redis = Redis::start();
        let gateway = gate(&redis, RULES);
        let mut client = Client::connect(gateway.addr());
        wait_for(&mut client, COUNTED);
        redis.tell(&[spoil]);
        wait_for(&mut client, ALONE);
        redis.tell(&[mend]);
        wait_for(&mut client, COUNTED);
        assert_eq!(events(gateway), [LOST, fault, BACK].map(str::to_owned));
    }
}

#[test]
fn row_74_scripts_that_redis_has_forgotten_it_is_told_again() {
    let redis = Redis::start();
    let gateway = gate(&redis, RULES);
    let mut client = Client::connect(gateway.addr());
    wait_for(&mut client, COUNTED);
    redis.tell(&[&["SCRIPT", "FLUSH"]]);
    assert_eq!(statuses(&mut client), COUNTED);
    assert_eq!(events(gateway), [""; 0]);
}

#[test]
fn a_password_that_is_wrong_is_told_of_at_the_start_but_not_told() {
    let redis = Redis::start();
    redis.tell(&[&["CONFIG", "SET", "requirepass", "another"]]);
    let secret = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(secret.path(), format!("{}?pass=hunter2", redis.url())).expect("it is written");
    let config = format!("[store]\nurl = \"file:{}\"\n[throttle]\n{RULES}", secret.path().display());
    let gateway = Setup::run("logins:app").config(&config).start();
    gateway.wait_for("the store is unavailable (the password is refused)", 1);
    let mut client = Client::connect(gateway.addr());
    wait_for(&mut client, ALONE);
    redis.tell(&[&["AUTH", "another"], &["CONFIG", "SET", "requirepass", "hunter2"]]);
    wait_for(&mut client, COUNTED);
    gateway.wait_for("the store is available again", 1);
    assert!(!gateway.stderr().contains("hunter2"));
    assert_eq!(events(gateway), [LOST, "the password is refused", BACK].map(str::to_owned));
}
