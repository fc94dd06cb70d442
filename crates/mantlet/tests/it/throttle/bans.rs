//! Who is refused again and again is shut out, and nobody else.

use rustix::process::Signal;
use serde_json::Value;

use super::{from, get};
use crate::kit::{
    Client, Gateway, Setup, eventually,
    http2::{ask, connect, json, talk},
};

const BANS: &str = "[throttle.ban]\nmode = \"enforce\"\nafter = \"5/10m\"\n";

fn gate(config: &str) -> Gateway {
    Setup::run("logins:app").config(config).start()
}

/// Looks for what is not there, so many times.
fn scan(client: &mut Client, times: usize, headers: &str) -> Vec<u16> {
    (0..times).map(|number| get(client, &format!("/backup-{number}.zip"), headers).status).collect()
}

/// Records about bans, each by its event.
fn events(records: &[Value]) -> Vec<&str> {
    let about_bans = records.iter().filter(|record| record["reason"] == "client-banned");
    about_bans.map(|record| record["security_event"].as_str().expect("an event")).collect()
}

#[test]
fn a_scan_is_shut_out_until_the_owner_lets_it_in() {
    let gateway = gate(BANS);
    let mut scanner = Client::connect(gateway.addr());
    assert_eq!(scan(&mut scanner, 5, ""), [404; 5]);
    // The same connection, another one, another version of HTTP, and what is not even HTTP.
    let refused = get(&mut scanner, "/items/1", "");
    assert_eq!((refused.status, refused.code().as_str()), (403, "client-banned"));
    let wait: u32 = refused.header("retry-after").expect("it is there").parse().expect("seconds");
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    assert_eq!(get(&mut Client::connect(gateway.addr()), "/items/1", "").code(), "client-banned");
    assert_eq!(Client::connect(gateway.addr()).ask("GET /\r\n\r\n").code(), "client-banned");
    talk(async {
        let sender = connect(gateway.addr()).await;
        let answer = ask(&sender, crate::kit::http2::get("/items/1"), b"").await.expect("an answer");
        assert_eq!((answer.status().as_u16(), &json(&answer)["code"]), (403, &"client-banned".into()));
    });
    // Nobody else.
    let mut other = from("127.0.1.9", gateway.addr());
    assert_eq!(get(&mut other, "/items/1", "").status, 200);

    let listed = gateway.tell(&["bans"]);
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let rows: Vec<_> =
        listed.stdout.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>()).collect();
    let [row] = rows.as_slice() else { panic!("{}", listed.stdout) };
    assert_eq!((row[0], &row[3..]), ("127.0.0.1", &["1", "404", "of", "the", "app"][..]));
    let json: Value = serde_json::from_str(&gateway.tell(&["bans", "--json"]).stdout).expect("JSON");
    assert_eq!((&json["mode"], &json["bans"][0]["address"]), (&"enforce".into(), &"127.0.0.1".into()));

    // Of somebody else, of nobody, and the right one.
    let wrong = gateway.tell(&["bans", "lift", "127.0.1.9"]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("`127.0.1.9` is not banned"), "{}", wrong.stderr);
    let wrong = gateway.tell(&["bans", "lift", "somebody/else"]);
    assert!(wrong.stderr.contains("`somebody/else` is not an address"), "{}", wrong.stderr);
    let lifted = gateway.tell(&["bans", "lift", "127.0.0.1"]);
    assert_eq!(lifted.stdout.trim(), "127.0.0.1 is no longer banned");
    assert_eq!(get(&mut scanner, "/items/1", "").status, 200);
    assert!(gateway.tell(&["bans"]).stderr.contains("no address is banned"));
    // What was counted before is forgiven too.
    assert_eq!(scan(&mut scanner, 4, ""), [404; 4]);
    assert_eq!(get(&mut scanner, "/items/1", "").status, 200);

    // Many refusals of one that is banned are one record.
    let records = gateway.end().audit;
    assert_eq!(events(&records), ["client-banned", "request-refused", "ban-lifted"]);
    let began = records.iter().find(|record| record["security_event"] == "client-banned").expect("a record");
    assert_eq!((&began["subject"], &began["client_ip"]), (&"404 of the app".into(), &"127.0.0.1".into()));
    assert!(began["until"].as_str().expect("a time") > began["time"].as_str().expect("a time"));
}

#[test]
fn refusals_of_every_kind_count_together() {
    let gateway = gate(BANS);
    let mut client = Client::connect(gateway.addr());
    // Of the app: no such path, no such method. Our own: input, path, host.
    assert_eq!(get(&mut client, "/nothing", "").status, 404);
    assert_eq!(
        client.ask("PUT /attempts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").status,
        405
    );
    assert_eq!(get(&mut client, "/items/none", "").status, 422);
    assert_eq!(get(&mut client, "/a/../b", "").code(), "path-dot-segment");
    assert_eq!(get(&mut client, "/items/1", "").status, 200);
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a b\r\n\r\n").code(), "host-malformed");
    assert_eq!(get(&mut Client::connect(gateway.addr()), "/items/1", "").code(), "client-banned");
    let records = gateway.end().audit;
    let began = records.iter().find(|record| record["security_event"] == "client-banned").expect("a record");
    assert_eq!(began["subject"], "host-malformed");
}

#[test]
fn a_foreign_page_cannot_have_its_visitor_shut_out_by_forged_requests() {
    let gateway = gate(BANS);
    let mut client = Client::connect(gateway.addr());
    let head = "POST /forgot-password HTTP/1.1\r\nHost: localhost\r\nCookie: session=1\r\nContent-Length: 0\r\n\
                Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n\r\n";
    for _ in 0..20 {
        assert_eq!(client.ask(head).code(), "csrf-cross-site");
    }
    assert_eq!(get(&mut client, "/items/1", "").status, 200);
    assert_eq!(events(&gateway.end().audit), [""; 0]);
}

#[test]
fn row_65_a_forged_address_has_nobody_else_shut_out() {
    // The balancer says who it is; what he says himself does not count.
    let gateway = gate(&format!("[client]\nproxy-protocol = true\n{BANS}"));
    let through_balancer = |address: &str| {
        let mut client = Client::connect(gateway.addr());
        client.send(format!("PROXY TCP4 {address} 127.0.0.1 4711 80\r\n"));
        client
    };
    let forged = "X-Forwarded-For: 203.0.113.5\r\nForwarded: for=203.0.113.5\r\n";
    assert_eq!(scan(&mut through_balancer("198.51.100.7"), 5, forged), [404; 5]);
    assert_eq!(get(&mut through_balancer("198.51.100.7"), "/items/1", forged).status, 403);
    assert_eq!(get(&mut through_balancer("203.0.113.5"), "/items/1", "").status, 200);

    // A trusted proxy names them: the last one counts, whoever stands before it. A customer's /64 is one client.
    let gateway = gate(&format!("[client]\ntrusted = [\"loopback\"]\n{BANS}"));
    let mut proxy = Client::connect(gateway.addr());
    let mut ask =
        |forwarded: &str| get(&mut proxy, "/items/1", &format!("X-Forwarded-For: {forwarded}\r\n")).status;
    let mut scanner = Client::connect(gateway.addr());
    assert_eq!(scan(&mut scanner, 5, "X-Forwarded-For: 203.0.113.5, 198.51.100.7\r\n"), [404; 5]);
    assert_eq!(["198.51.100.7", "203.0.113.5", "198.51.100.7, 203.0.113.5"].map(&mut ask), [403, 200, 200]);
    for host in 1..=5 {
        scan(&mut scanner, 1, &format!("X-Forwarded-For: 2001:db8:0:1::{host}\r\n"));
    }
    assert_eq!(["2001:db8:0:1::9", "2001:db8:0:2::1"].map(&mut ask), [403, 200]);
    let listed = gateway.tell(&["bans"]).stdout;
    assert!(listed.contains("2001:db8:0:1::/64 ") && listed.contains("198.51.100.7 "), "{listed}");
    let lifted = gateway.tell(&["bans", "lift", "2001:db8:0:1::/64"]);
    assert_eq!(lifted.stdout.trim(), "2001:db8:0:1::/64 is no longer banned");
    assert_eq!(["2001:db8:0:1::9", "198.51.100.7"].map(&mut ask), [200, 403]);
    let lifted = gateway.tell(&["bans", "lift", "all"]);
    assert_eq!(lifted.stdout.trim(), "198.51.100.7 is no longer banned");
    assert_eq!(ask("198.51.100.7"), 200);
}

#[test]
fn who_is_trusted_exempt_or_speaks_for_others_is_never_banned() {
    let config = format!(
        "[client]\ntrusted = [\"127.0.1.0/24\"]\n[throttle]\nexempt = [\"127.0.2.0/24\"]\nburst = 10000\n{BANS}"
    );
    let gateway = gate(&config);
    for address in ["127.0.1.9", "127.0.2.9"] {
        assert_eq!(scan(&mut from(address, gateway.addr()), 20, ""), [404; 20], "{address}");
    }
    // A neighbour that looks like a proxy which nobody has declared.
    let mut proxy = from("127.0.3.9", gateway.addr());
    assert_eq!(scan(&mut proxy, 20, "X-Forwarded-For: 203.0.113.5\r\n"), [404; 20]);
    assert_eq!(events(&gateway.end().audit), [""; 0]);
}

#[test]
fn bans_are_off_unless_asked_for_and_may_only_be_reported() {
    let gateway = gate("[throttle]\n");
    let mut client = Client::connect(gateway.addr());
    assert_eq!(scan(&mut client, 60, ""), [404; 60]);
    let listed = gateway.tell(&["bans"]);
    assert!(listed.code == Some(0) && listed.stderr.contains("bans are off"), "{}", listed.stderr);
    let lifted = gateway.tell(&["bans", "lift", "all"]);
    assert!(lifted.code == Some(1) && lifted.stderr.contains("no address is banned"), "{}", lifted.stderr);
    assert_eq!(events(&gateway.end().audit), [""; 0]);

    let gateway = gate(&BANS.replace("enforce", "report"));
    let mut client = Client::connect(gateway.addr());
    assert_eq!(scan(&mut client, 20, ""), [404; 20]);
    assert!(gateway.tell(&["bans"]).stderr.contains("bans are only reported"));
    let records = gateway.end().audit;
    assert_eq!(events(&records), ["client-would-be-banned"]);
    assert!(records.iter().any(|record| record["until"].is_string() && record["mode"] == "report"));
}

#[test]
fn a_reload_ends_no_ban_and_forgets_no_refusal() {
    let gateway = gate(BANS);
    let (mut banned, mut nearly) = (from("127.0.1.8", gateway.addr()), from("127.0.1.9", gateway.addr()));
    scan(&mut banned, 5, "");
    scan(&mut nearly, 4, "");
    gateway.reload(BANS);
    gateway.wait_for("mantlet: configuration reloaded", 1);
    assert_eq!(get(&mut banned, "/items/1", "").status, 403);
    assert_eq!([get(&mut nearly, "/none", "").status, get(&mut nearly, "/none", "").status], [404, 403]);
    // Whoever is trusted from now on is let in.
    gateway.reload(&format!("[client]\ntrusted = [\"127.0.1.8\"]\n{BANS}"));
    gateway.wait_for("mantlet: configuration reloaded", 2);
    assert_eq!(
        [get(&mut banned, "/items/1", "").status, get(&mut nearly, "/items/1", "").status],
        [200, 403]
    );
}

#[test]
fn the_owner_is_answered_while_mantlet_drains() {
    let gateway = gate(&format!("{BANS}[shutdown]\nquiet = \"40s\"\ndrain = \"90s\"\n"));
    gateway.signal(Signal::TERM);
    eventually("it drains", || {
        let answer = get(&mut Client::connect(gateway.addr()), "/items/1", "");
        (answer.header("connection") == Some("close")).then_some(())
    });
    let said = gateway.tell(&["bans"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    gateway.signal(Signal::TERM);
    gateway.wait();
}

#[test]
fn who_has_switched_throttles_off_is_told_so() {
    let quota = "[[throttle.quota]]\nname = \"plan\"\nkey = [\"ip\"]\nday = 5\n";
    let gateway = gate(&format!("[throttle]\nmode = \"off\"\n{quota}{BANS}"));
    for command in ["bans", "quotas"] {
        let said = gateway.tell(&[command]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(said.stderr.contains("`mode` under `[throttle]` is `off`"), "{}", said.stderr);
    }
}
