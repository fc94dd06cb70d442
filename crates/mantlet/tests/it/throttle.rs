//! How often clients may ask: rates of addresses, rules of the configuration, and attempts to log in.

mod accuracy;
mod bans;
mod challenges;
mod clock;
mod operations;
mod quotas;
mod resets;
mod said;
mod store;
mod stores;
mod traps;
mod usage;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Mutex,
};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::kit::{Answer, Client, Setup};

/// A client at another address of the loopback network.
pub(crate) fn from(address: &str, gateway: SocketAddr) -> Client {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddr::new(address.parse::<IpAddr>().expect("an address"), 0))
        .expect("a loopback address");
    connect(&socket, &gateway).expect("a connection");
    let stream = std::net::TcpStream::from(socket);
    stream.set_read_timeout(Some(crate::kit::PATIENCE)).expect("a timeout");
    Client::over(stream)
}

pub(crate) fn get(client: &mut Client, target: &str, headers: &str) -> Answer {
    client.ask(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"))
}

fn log_in(client: &mut Client, username: &str, password: &str) -> u16 {
    let form = format!("username={username}&password={password}");
    let head = "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded";
    client.ask(format!("{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len())).status
}

fn attempts(client: &mut Client) -> usize {
    let seen: Vec<String> = serde_json::from_slice(&get(client, "/attempts", "").body).expect("a list");
    seen.len()
}

#[test]
fn an_address_that_has_used_up_its_rate_is_told_when_to_come_back() {
    let gateway = Setup::run("logins:app").config("[throttle]\nrate = \"3/h\"\nburst = 3\n").start();
    let mut client = Client::connect(gateway.addr());
    for _ in 0..3 {
        assert_eq!(get(&mut client, "/items/1", "").status, 200);
    }
    let refused = get(&mut client, "/items/1", "");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("ratelimit-policy"), Some("\"client\";q=3;w=3600"));
    assert!(refused.header("ratelimit").expect("it is there").starts_with("\"client\";r=0;t="));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    let wait: u32 = refused.header("retry-after").expect("it is there").parse().expect("seconds");
    assert!((1_190..=1_200).contains(&wait), "{wait}");
    let body: serde_json::Value = serde_json::from_slice(&refused.body).expect("JSON");
    assert_eq!(body["code"], "rate-limited");
    // Another address has a rate of its own; many refusals are one record.
    assert_eq!(get(&mut from("127.0.1.9", gateway.addr()), "/items/1", "").status, 200);
    assert_eq!(get(&mut client, "/items/1", "").status, 429);
    let records = gateway.end().audit;
    let seen: Vec<_> = records.iter().map(|one| (one["reason"].as_str(), one["subject"].as_str())).collect();
    assert_eq!(seen, [(Some("rate-limited"), Some("client"))]);
}

#[test]
fn row_65_forged_addresses_and_letter_case_bring_nothing() {
    let config = "[throttle]\nrate = \"3/h\"\nburst = 3\n";
    let behind_balancer = format!("[client]\nproxy-protocol = true\n{config}");
    let gateway = Setup::run("logins:app").config(&behind_balancer).start();
    let mut client = Client::connect(gateway.addr());
    client.send("PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n");
    let statuses: Vec<_> = (0..5)
        .map(|number| {
            let headers =
                format!("X-Forwarded-For: 203.0.113.{number}\r\nForwarded: for=203.0.113.{number}\r\n");
            get(&mut client, "/items/1", &headers).status
        })
        .collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    // A neighbour looks like a proxy that somebody forgot to declare: all clients would be refused for what they ask together.
    let gateway = Setup::run("logins:app").config(config).start();
    let mut client = Client::connect(gateway.addr());
    let statuses = [0; 5].map(|_| get(&mut client, "/items/1", "X-Forwarded-For: 203.0.113.1\r\n").status);
    assert_eq!(statuses, [200; 5]);
    let records = gateway.end().audit;
    let limited = records.iter().find(|record| record["reason"] == "rate-limited");
    assert_eq!(limited.expect("a record")["mode"], "report");
    // Behind a proxy that may speak for them, addresses of one /64 are one client.
    let gateway =
        Setup::run("logins:app").config(&format!("[client]\ntrusted = [\"loopback\"]\n{config}")).start();
    let mut client = Client::connect(gateway.addr());
    let mut ask =
        |address: &str| get(&mut client, "/items/1", &format!("X-Forwarded-For: {address}\r\n")).status;
    let same: Vec<_> = (1..=4).map(|number| ask(&format!("2001:db8:0:1::{number:x}"))).collect();
    assert_eq!(same, [200, 200, 200, 429]);
    assert_eq!(ask("2001:db8:0:2::1"), 200);
    // Neither case nor spaces make another account.
    let gateway = Setup::run("logins:app").config("[throttle]\n").start();
    let names = ["alice", "Alice", "ALICE", "+alice+", "aLiCe", "alicE", "aliCe", "alIce", "ALice", "AlicE"];
    let statuses: Vec<_> = names
        .iter()
        .zip(1..)
        .map(|(name, number)| log_in(&mut from(&format!("127.0.1.{number}"), gateway.addr()), name, "wrong"))
        .collect();
    assert_made_to_wait(&statuses);
}

/// The fourth failure makes the next one wait for a second, and each further one twice as long: sooner or later one comes too early.
fn assert_made_to_wait(statuses: &[u16]) {
    assert_eq!(statuses[..4], [400; 4]);
    assert!(statuses[4..].contains(&429), "{statuses:?}");
}

#[test]
fn guesses_from_many_addresses_stop_and_the_owner_gets_in() {
    let gateway = Setup::run("logins:app").config("[throttle]\n").start();
    let address = gateway.addr();
    // The owner has been here before.
    assert_eq!(log_in(&mut from("127.0.2.1", address), "alice", "right"), 200);
    let statuses = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let statuses = &statuses;
            scope.spawn(move || {
                for number in 0..25 {
                    let mut client = from(&format!("127.0.1.{}", thread * 25 + number + 1), address);
                    for guess in 0..5 {
                        let status = log_in(&mut client, "alice", &format!("guess{guess}"));
                        statuses.lock().expect("no panic").push(status);
                    }
                }
            });
        }
    });
    let statuses = statuses.into_inner().expect("no panic");
    assert_eq!(statuses.len(), 1_000);
    let tried = statuses.iter().filter(|status| **status == 400).count();
    assert!((1..=10).contains(&tried), "{tried} guesses reached the app");
    assert!(statuses.iter().all(|status| matches!(status, 400 | 429)));
    assert_eq!(log_in(&mut from("127.0.2.1", address), "alice", "right"), 200);
    // The app agrees: what was refused did not reach it.
    assert_eq!(attempts(&mut Client::connect(address)), tried + 2);
}

#[test]
fn logging_in_costs_nothing_and_each_failure_makes_the_next_one_wait() {
    let gateway = Setup::run("logins:app").config("[throttle]\n").start();
    let mut client = Client::connect(gateway.addr());
    for _ in 0..30 {
        assert_eq!(log_in(&mut client, "bob", "right"), 200);
    }
    let statuses: Vec<_> = (0..10).map(|_| log_in(&mut client, "bob", "wrong")).collect();
    assert_made_to_wait(&statuses);
    assert_eq!(log_in(&mut client, "carol", "right"), 200, "other accounts do not wait");
}

#[test]
fn mails_are_counted_for_whom_they_are_sent_to() {
    let gateway = Setup::run("logins:app").config("[throttle]\n").start();
    let ask = |number: u32, email: &str| {
        let body = format!(r#"{{"email": "{email}"}}"#);
        let head = "POST /forgot-password HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json";
        from(&format!("127.0.1.{number}"), gateway.addr())
            .ask(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
            .status
    };
    let statuses: Vec<_> = (1..=6).map(|number| ask(number, "a@example.com")).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
    assert_eq!(ask(1, "b@example.com"), 200);
}

#[test]
fn rules_of_the_configuration_hold_for_what_they_name() {
    let config = r#"
        [throttle]
        headers = "always"
        rule = [
            { name = "items", tags = ["items"], key = ["ip", "route"], rate = "2/h" },
            { name = "keys", paths = ["/attempts"], key = ["header:x-key"], rate = "1/h" },
            { name = "watched", paths = ["/items/{item_id}"], rate = "1/h", mode = "report" },
        ]
    "#;
    let gateway = Setup::run("logins:app").config(config).start();
    let mut client = Client::connect(gateway.addr());
    let answer = get(&mut client, "/items/1", "");
    assert_eq!((answer.status, answer.header("ratelimit-policy")), (200, Some("\"watched\";q=1;w=3600")));
    assert_eq!(get(&mut client, "/items/2", "").status, 200);
    assert_eq!(get(&mut client, "/items/3", "").status, 429);
    let keys = ["a", "a", "b"].map(|key| get(&mut client, "/attempts", &format!("X-Key: {key}\r\n")).status);
    assert_eq!(keys, [200, 429, 200]);
    assert_eq!(get(&mut client, "/attempts", "").status, 200, "a request without a key is not counted by it");
    // What is remembered outlives a reload.
    gateway.reload(config);
    gateway.wait_for("mantlet: configuration reloaded", 1);
    assert_eq!(get(&mut client, "/items/3", "").status, 429);
    let records = gateway.end().audit;
    let seen: Vec<_> = records.iter().map(|one| (one["subject"].as_str(), one["mode"].as_str())).collect();
    // The last one is how much was asked of the rule that only reports.
    let expected = [("watched", "report"), ("items", "enforce"), ("keys", "enforce"), ("watched", "report")];
    assert_eq!(seen, expected.map(|(rule, mode)| (Some(rule), Some(mode))));
}

#[test]
fn an_attempt_that_the_app_has_not_answered_is_no_failure() {
    let gateway = Setup::run("logins:app").config("[throttle]\n").start();
    let mut client = Client::connect(gateway.addr());
    let form = "username=bob";
    let head = "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded";
    for _ in 0..12 {
        // Without a password it does not get there.
        let answer = client.ask(format!("{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len()));
        assert_eq!(answer.status, 422);
    }
    assert_eq!(log_in(&mut client, "bob", "right"), 200);
    assert_eq!(attempts(&mut client), 1);
}

fn post_page(client: &mut Client, password: &str) -> u16 {
    let form = format!("username=alice&password={password}");
    let head = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded";
    client.ask(format!("{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len())).status
}

#[test]
fn a_redirect_back_to_the_page_is_a_failure_and_requests_can_be_counted_instead() {
    let gateway = Setup::run("pages:app").config("[throttle]\n").start();
    let mut client = Client::connect(gateway.addr());
    for _ in 0..12 {
        assert_eq!(post_page(&mut client, "right"), 303);
    }
    let statuses: Vec<_> = (0..6).map(|_| post_page(&mut client, "wrong")).collect();
    assert_eq!(statuses[..4], [303; 4]);
    assert!(statuses[4..].contains(&429), "{statuses:?}");
    let counting =
        "[[throttle.operation]]\npaths = [\"/login\"]\nby-account = \"3/15m\"\ncounts = \"requests\"\n";
    let gateway = Setup::run("pages:app").config(counting).start();
    let mut client = Client::connect(gateway.addr());
    assert_eq!([(); 4].map(|()| post_page(&mut client, "right")), [303, 303, 303, 429]);
}

#[test]
fn a_page_reads_why_it_is_refused_and_the_app_is_not_even_asked_whether_it_may() {
    let gateway = Setup::run("pages:app").config("[throttle]\nrate = \"2/h\"\nburst = 2\n").start();
    let mut client = Client::connect(gateway.addr());
    let ask = |client: &mut Client, origin: &str| get(client, "/", &format!("Origin: {origin}\r\n"));
    for _ in 0..2 {
        assert_eq!(ask(&mut client, "https://shop.example").status, 200);
    }
    let refused = ask(&mut client, "https://shop.example");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://shop.example"));
    for number in 0..5 {
        let refused = ask(&mut client, &format!("https://x{number}.example"));
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (429, None));
    }
    let seen = get(&mut from("127.0.1.9", gateway.addr()), "/seen", "").body;
    assert_eq!(String::from_utf8_lossy(&seen), r#"["GET","GET","GET"]"#);
}

#[test]
fn a_key_is_the_same_however_it_is_written_or_hidden() {
    let config = r#"
        [throttle]
        sensitive = "off"
        tarpit = "0s"
        rule = [
            { name = "mails", paths = ["/forgot-password"], key = ["field:email"], rate = "2/h" },
            { name = "tokens", paths = ["/attempts"], key = ["header:authorization"], rate = "2/h" },
        ]
    "#;
    let gateway = Setup::run("logins:app").config(config).start();
    let mail = |body: &str| {
        let head = "POST /forgot-password HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json";
        // A refusal before the body has been read ends the connection.
        let mut client = Client::connect(gateway.addr());
        client.ask(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).status
    };
    let long = format!(r#"{{"email": "a@example.com", "pad": "{}"}}"#, "a".repeat(70_000));
    assert_eq!([(); 3].map(|()| mail(&long)), [200, 200, 429], "who hides a key shares one");
    assert_eq!(mail(r#"{"email": "b@example.com"}"#), 200);
    let mut client = Client::connect(gateway.addr());
    let mut with =
        |credential: &str| get(&mut client, "/attempts", &format!("Authorization: {credential}\r\n")).status;
    assert_eq!(["Bearer a", "bearer   a", "BEARER a", "Bearer b"].map(&mut with), [200, 200, 429, 200]);
}
