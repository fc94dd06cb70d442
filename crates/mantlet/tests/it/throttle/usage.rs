//! What clients ask of rules that only report, and the limits that are suggested for it.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use super::{from, get, log_in};
use crate::kit::{Client, Gateway, Setup, command::Typed};

/// Twenty clients; the busiest asks 60 times.
const REQUESTS: [usize; 20] = [3, 60, 5, 8, 12, 1, 40, 9, 22, 4, 31, 7, 2, 15, 50, 11, 6, 18, 27, 10];

fn address(client: usize) -> String {
    format!("127.0.1.{}", client + 1)
}

/// All of them, one after the other; the statuses that they get.
fn all_ask(gateway: &Gateway) -> Vec<u16> {
    let ask = |(client, requests)| {
        let mut client = from(&address(client), gateway.addr());
        (0..requests).map(|_| get(&mut client, "/items/1", "").status).collect::<Vec<_>>()
    };
    REQUESTS.into_iter().enumerate().flat_map(ask).collect()
}

fn usage(records: &[Value]) -> Vec<&Value> {
    records.iter().filter(|record| record["security_event"] == "throttle-usage").collect()
}

/// `mantlet throttles --from` these, with this on standard input.
fn suggest(files: &[&Path], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mantlet"));
    let mut child = command
        .args(["throttles", "--from"])
        .args(files)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mantlet starts");
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_limit_chosen_from_what_was_asked_refuses_none_of_those_who_asked() {
    let state = tempfile::tempdir().expect("a folder");
    let setup = |config: &str| Setup::run("logins:app").state(state.path()).config(config).start();
    let gateway = setup(
        "[throttle]\nmode = \"report\"\nrate = \"1/m\"\nburst = 10\n\
         [[throttle.rule]]\nname = \"items\"\npaths = [\"/items/{id}\"]\nkey = [\"header:x-key\", \"ip\"]\nrate = \"5/15m\"\n",
    );
    let audit = gateway.audit_file();
    assert_eq!(all_ask(&gateway), vec![200; REQUESTS.iter().sum()]);
    let mut scanner = from("127.0.1.200", gateway.addr());
    for number in 0..300 {
        assert_eq!(get(&mut scanner, &format!("/.env.{number}"), "").status, 404);
    }
    // Three of them with a key of their own.
    for (client, requests) in [(1, 4), (2, 7), (3, 12)] {
        let mut client = from(&address(client), gateway.addr());
        for _ in 0..requests {
            assert_eq!(get(&mut client, "/items/1", "X-Key: secret-key\r\n").status, 200);
        }
    }
    let records = gateway.end().audit;

    let mut told = usage(&records);
    told.sort_by_key(|one| one["subject"].to_string());
    assert_eq!(
        told.iter().map(|one| one["subject"].as_str()).collect::<Vec<_>>(),
        [Some("client"), Some("items")]
    );
    for record in &told {
        assert_eq!(
            (&record["client_ip"], &record["path"], &record["mode"]),
            (&Value::Null, &Value::Null, &"report".into())
        );
    }
    let written = told.iter().map(ToString::to_string).collect::<String>();
    assert!(!written.contains("127.0.") && !written.contains("secret-key"), "{written}");
    let client = &told[0]["usage"];
    assert_eq!(
        (&client["rate"], &client["burst"], &client["window"]),
        (&"1/m".into(), &10.into(), &60.into())
    );
    assert_eq!((&client["legitimate"]["keys"], &client["legitimate"]["most"]), (&20.into(), &64.into()));
    assert_eq!((&client["others"]["keys"], &client["others"]["most"]), (&1.into(), &300.into()));
    let busy = REQUESTS.iter().filter(|requests| **requests > 10).count();
    assert!(client["legitimate"]["refused"].as_u64().expect("a number") >= busy as u64 - 1, "{client}");
    let items = &told[1]["usage"];
    assert_eq!(
        (&items["window"], &items["legitimate"]["most"], &items["refused"]),
        (&900.into(), &12.into(), &9.into())
    );

    // Who would have been refused is told by address, and else by a hash that says nothing.
    let by_rule = |rule: &str| {
        let records = records.iter().filter(|one| one["security_event"] == "request-would-be-refused");
        records.filter(|one| one["subject"] == rule).collect::<Vec<_>>()
    };
    let addresses: Vec<_> =
        by_rule("client").iter().map(|one| one["client_ip"].as_str().expect("an address")).collect();
    assert!(addresses.contains(&"127.0.1.200") && addresses.contains(&&*address(1)), "{addresses:?}");
    assert!(by_rule("client").iter().all(|one| one.get("key").is_none()));
    let keys: Vec<_> = by_rule("items").iter().map(|one| one["key"].as_str().expect("a hash")).collect();
    assert!(keys.len() == 2 && keys[0] != keys[1] && keys.iter().all(|key| key.len() == 8), "{keys:?}");

    // 64 requests, half as much again. The scanner's 300 do not count.
    let output = suggest(&[&audit], b"");
    let suggested = text(&output.stdout);
    assert!(output.status.success(), "{suggested}{}", text(&output.stderr));
    for expected in [
        "\n[throttle]\n# the general rate: each client address; now 1/m, burst 10\n",
        " in all of them 20 clients, at most 20 in one\n",
        "\n#   left out: 1 client that was mostly refused; the most was 300\n",
        "\n#   uncertain: ",
        "\nrate = \"100/m\"\nburst = ",
        "\n[[throttle.rule]]\n# items: each header:x-key and client address; now 5/15m, burst 5\n",
        "\nkey = [\"header:x-key\", \"ip\"]\nrate = \"20/15m\"\nburst = ",
    ] {
        assert!(suggested.contains(expected), "{expected:?} in\n{suggested}");
    }
    assert!(!suggested.contains("127.0.") && !suggested.contains("report"), "{suggested}");

    // What is pasted holds, and holds nobody up but the scanner.
    let gateway = setup(&suggested);
    assert!(all_ask(&gateway).iter().all(|status| *status == 200), "{suggested}");
    let mut scanner = from("127.0.1.200", gateway.addr());
    let scanned: Vec<_> =
        (0..300).map(|number| get(&mut scanner, &format!("/.env.{number}"), "").status).collect();
    assert!(scanned.contains(&429), "{suggested}");
    let records = gateway.end().audit;
    assert_eq!(usage(&records).len(), 2, "rules that are in force tell nothing more");
}

#[test]
fn of_attempts_to_log_in_it_is_told_how_many_fail() {
    let state = tempfile::tempdir().expect("a folder");
    let config = "[throttle]\nsensitive = \"report\"\n";
    let gateway = Setup::run("logins:app").state(state.path()).config(config).start();
    for (client, passwords) in
        [["wrong", "wrong", "right"], ["right"; 3], ["wrong", "right", "right"]].iter().enumerate()
    {
        let mut socket = from(&address(client), gateway.addr());
        for password in passwords {
            log_in(&mut socket, &format!("user{client}"), password);
        }
    }
    let mut guesser = from("127.0.1.200", gateway.addr());
    for number in 0..30 {
        assert_eq!(log_in(&mut guesser, "victim", &format!("guess{number}")), 400);
    }
    let audit = gateway.audit_file();
    gateway.end();
    let records = fs::read(audit).expect("a file");
    let output = suggest(&[Path::new("-")], &records);
    let suggested = text(&output.stdout);
    for expected in [
        "# login-by-address: failures of each client address; now 50/15m\n",
        "# login-by-account: failures of each account; now 10/15m\n",
        "\n#   left out: 1 client that was mostly refused; the most was 30\n",
        "\n#   suggested: \"5/15m\"\n",
    ] {
        assert!(suggested.contains(expected), "{expected:?} in\n{suggested}\n{}", text(&output.stderr));
    }
    assert!(!suggested.contains("victim") && !text(&records).contains("victim"));
}

#[test]
fn where_nothing_reports_it_is_said_what_to_switch_on() {
    let gateway = Setup::run("logins:app").config("[throttle]\nrate = \"1/h\"\nburst = 1\n").start();
    let mut client = Client::connect(gateway.addr());
    assert_eq!([200, 429].map(|_| get(&mut client, "/items/1", "").status), [200, 429]);
    let record = gateway.audit(1).remove(0).to_string();
    let output = suggest(&[Path::new("-")], format!("{record}\nsomething else\n{{\"torn").as_bytes());
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
    let said = text(&output.stderr);
    for expected in [
        "1 line is not a record and was skipped",
        "there are no records of use",
        "`mode = \"report\"` under `[throttle]`",
    ] {
        assert!(said.contains(expected), "{expected:?} in\n{said}");
    }
    let missing = Typed::mantlet(["throttles", "--from", "nowhere.jsonl"]).finish();
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("`nowhere.jsonl` cannot be read: "), "{}", missing.stderr);
}

#[test]
fn a_neighbour_that_speaks_for_others_is_no_client_to_choose_by() {
    let asked = |mode: &str| {
        let gateway = Setup::run("logins:app").config(&format!("[throttle]\nmode = \"{mode}\"\n")).start();
        let (mut proxy, mut client) = (from("127.0.1.1", gateway.addr()), from("127.0.1.2", gateway.addr()));
        for number in 0..9 {
            get(&mut proxy, "/items/1", &format!("X-Forwarded-For: 203.0.113.{number}\r\n"));
        }
        get(&mut client, "/items/1", "");
        gateway.end().audit
    };
    let records = asked("report");
    let told = usage(&records);
    let usage_of_clients = &told[0]["usage"];
    assert_eq!(told.len(), 1);
    for (whose, keys, most) in [("legitimate", 1, 1), ("others", 1, 9)] {
        let whose = &usage_of_clients[whose];
        assert_eq!((&whose["keys"], &whose["most"]), (&keys.into(), &most.into()), "{usage_of_clients}");
    }
    // That what it says is not believed is recorded, once.
    let enforced = asked("enforce");
    let reasons: Vec<_> = enforced.iter().map(|record| record["reason"].clone()).collect();
    assert_eq!(reasons, [Value::from("header-removed")]);
}
