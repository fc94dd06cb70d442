//! How much of its plan a key has had: to the end of a window, over restarts, together with other gates.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use jiff::{Timestamp, tz::Offset};
use rustix::process::Signal;
use serde_json::Value;

use super::{from, get};
use crate::kit::{
    Answer, Client, Gateway, Setup, eventually,
    redis::Redis,
    tls::{Authority, Speaks},
};

/// What every test needs: requests are not refused for their rate.
const RATE: &str = "[throttle]\nrate = \"100000/s\"\nburst = 100000\n";

fn quota(limits: &str) -> String {
    format!("{RATE}[[throttle.quota]]\nname = \"free\"\nkey = [\"api-key\"]\n{limits}\n")
}

fn gate(config: &str) -> Gateway {
    Setup::run("metered:app").config(config).start()
}

fn gate_at(state: &Path, config: &str) -> Gateway {
    Setup::run("metered:app").state(state).config(config).start()
}

fn ask(client: &mut Client, key: &str) -> Answer {
    get(client, "/reports/1", &format!("X-API-Key: {key}\r\n"))
}

fn statuses<const N: usize>(client: &mut Client, key: &str) -> [u16; N] {
    std::array::from_fn(|_| ask(client, key).status)
}

fn served(client: &mut Client) -> usize {
    get(client, "/served", "").json().as_array().expect("a list").len()
}

/// Seconds until the month ends.
fn rest_of_month() -> i64 {
    let now = Offset::UTC.to_datetime(Timestamp::now());
    let next = now.date().last_of_month().tomorrow().expect("a day").at(0, 0, 0, 0);
    Offset::UTC.to_timestamp(next).expect("a moment").as_second() - Timestamp::now().as_second()
}

fn days_of_month() -> i64 {
    i64::from(Offset::UTC.to_datetime(Timestamp::now()).date().days_in_month())
}

/// `[store]` for a machine that is busy.
fn patient(redis: &Redis) -> String {
    redis.config().replace("500ms", "1s")
}

/// What the gate says of its first quota.
fn listed(gateway: &Gateway) -> Value {
    let said = gateway.tell(&["quotas", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    serde_json::from_str::<Value>(&said.stdout).expect("JSON")["quotas"][0].take()
}

#[test]
fn a_key_that_has_used_up_its_quota_is_told_when_there_is_a_new_one() {
    let gateway = gate(&quota("month = 5"));
    let mut client = Client::connect(gateway.addr());
    assert_eq!(statuses(&mut client, "gold-key"), [200; 5]);
    let (before, refused, after) = (rest_of_month(), ask(&mut client, "gold-key"), rest_of_month());
    assert_eq!((refused.status, refused.code().as_str()), (429, "quota-exceeded"));
    let wait: i64 = refused.header("retry-after").expect("it is there").parse().expect("seconds");
    assert!((after..=before).contains(&wait), "{wait} is not in {after} to {before}");
    let policy = format!("\"free\";q=5;w={}", days_of_month() * 86_400);
    assert_eq!(refused.header("ratelimit-policy"), Some(policy.as_str()));
    assert_eq!(refused.header("ratelimit"), Some(format!("\"free\";r=0;t={wait}").as_str()));
    // Others have theirs; who asks for what is not metered is not counted.
    assert_eq!(statuses(&mut client, "silver-key"), [200; 2]);
    assert_eq!(served(&mut client), 7);
    assert_eq!(ask(&mut client, "gold-key").status, 429);
    // One record when 80 of 100 are used up, one of many refusals.
    let records = gateway.end().audit;
    let seen: Vec<_> =
        records.iter().map(|one| (one["security_event"].as_str(), one["subject"].as_str())).collect();
    assert_eq!(seen, [(Some("quota-warning"), Some("free")), (Some("request-refused"), Some("free"))]);
    assert_eq!((&records[0]["reason"], &records[0]["action"]), (&"quota-exceeded".into(), &"pass".into()));
}

#[test]
fn what_is_left_is_told_on_passes_when_asked_for() {
    let gateway =
        gate(&format!("{}headers = \"always\"\n{}", RATE, &quota("month = 100000\nwarn = 1")[RATE.len()..]));
    let mut client = Client::connect(gateway.addr());
    let told = |client: &mut Client| {
        let answer = ask(client, "gold-key");
        answer.header("ratelimit").expect("it is there").split(';').take(2).collect::<Vec<_>>().join(";")
    };
    // The rate of the address is nearer to its end: until the key is warned of its quota.
    assert!(told(&mut client).starts_with("\"client\";r="));
    for _ in 0..998 {
        assert_eq!(ask(&mut client, "gold-key").status, 200);
    }
    assert_eq!(told(&mut client), "\"free\";r=99000");
}

#[test]
fn what_is_used_up_stays_so_over_an_end_and_over_a_kill() {
    let state = tempfile::tempdir().expect("a folder");
    let file = state.path().join("quotas.jsonl");
    let config = quota("month = 6\nday = 100");
    let gateway = gate_at(state.path(), &config);
    assert_eq!(statuses(&mut Client::connect(gateway.addr()), "gold-key"), [200; 2]);
    gateway.signal(Signal::TERM);
    assert!(gateway.wait().status.success());
    // Killed: what has been written counts. What was begun and is half written does not.
    let gateway = gate_at(state.path(), &config);
    assert_eq!(statuses(&mut Client::connect(gateway.addr()), "gold-key"), [200; 2]);
    eventually("four are written", || fs::read_to_string(&file).ok()?.contains("\"used\":4").then_some(()));
    gateway.signal(Signal::KILL);
    assert!(!gateway.wait().status.success());
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text + "{\"quota\":\"free\",\"key\":\"").expect("the file is written");
    let gateway = gate_at(state.path(), &config);
    assert_eq!(statuses(&mut Client::connect(gateway.addr()), "gold-key"), [200, 200, 429]);
    gateway.end();
    // Nobody else may read it, and who could would find no key in it.
    assert_eq!(fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("the file");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("\"used\":6") && !text.contains("gold"), "{text}");
}

#[test]
fn a_file_that_cannot_be_written_is_said_once_and_counting_goes_on() {
    let state = tempfile::tempdir().expect("a folder");
    let file = state.path().join("quotas.jsonl");
    let gateway = gate_at(state.path(), &quota("month = 3"));
    // Where the file belongs.
    fs::create_dir(&file).expect("a folder");
    let mut client = Client::connect(gateway.addr());
    assert_eq!(statuses(&mut client, "gold-key"), [200; 2]);
    gateway.wait_for("quotas.jsonl` cannot be written", 1);
    assert_eq!(statuses(&mut client, "gold-key"), [200, 429]);
    fs::remove_dir(&file).expect("it is empty");
    eventually("it is written", || fs::read_to_string(&file).ok()?.contains("\"used\":3").then_some(()));
    assert_eq!(gateway.stderr().matches("cannot be written").count(), 1);
}

#[test]
fn a_quota_that_only_reports_refuses_nobody() {
    let gateway = gate(&quota("month = 2\nmode = \"report\"\nwarn = 100"));
    assert_eq!(statuses(&mut Client::connect(gateway.addr()), "gold-key"), [200; 4]);
    let records = gateway.end().audit;
    let seen: Vec<_> =
        records.iter().map(|one| (one["security_event"].as_str(), one["mode"].as_str())).collect();
    let expected = ["quota-warning", "request-would-be-refused"].map(|event| (Some(event), Some("report")));
    let (mut seen, mut expected) = (seen, expected.to_vec());
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}

#[test]
fn what_the_app_does_not_accept_is_not_counted_and_leaves_nothing_behind() {
    let gateway = gate(&quota("month = 2"));
    let mut client = Client::connect(gateway.addr());
    for number in 0..50 {
        assert_eq!(ask(&mut client, &format!("made-up-{number}")).status, 401);
    }
    assert_eq!(listed(&gateway)["keys"], 0);
    let of_gold = |client: &mut Client, path: &str| get(client, path, "X-API-Key: gold-key\r\n").status;
    // Refused by the app, by the contract, by nobody.
    assert_eq!([0; 3].map(|_| of_gold(&mut client, "/reports/403")), [403; 3]);
    assert_eq!([0; 3].map(|_| of_gold(&mut client, "/reports/none")), [422; 3]);
    assert_eq!(statuses(&mut client, "gold-key"), [200, 200, 429]);
    assert_eq!(listed(&gateway)["keys"], 1);
    let records = gateway.end().audit;
    let warned = records.iter().filter(|record| record["security_event"] == "quota-warning");
    assert_eq!(warned.count(), 1);
}

#[test]
fn many_at_once_are_no_more_than_there_is() {
    let gateway = gate(&quota("month = 50"));
    assert_eq!(many_at_once(&[&gateway]), 50);
    assert_eq!(served(&mut Client::connect(gateway.addr())), 50);
}

/// Many clients ask many times with one key; how many requests are answered.
fn many_at_once(gates: &[&Gateway]) -> usize {
    let passed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (gate, passed) = (gates[number % gates.len()], &passed);
            scope.spawn(move || {
                let mut client = Client::connect(gate.addr());
                for _ in 0..20 {
                    let status = ask(&mut client, "gold-key").status;
                    assert!(matches!(status, 200 | 429), "{status}");
                    passed.fetch_add(usize::from(status == 200), Relaxed);
                }
            });
        }
    });
    passed.into_inner()
}

#[test]
fn the_owner_sees_who_has_used_up_what_and_gives_it_back() {
    let by_address =
        "[[throttle.quota]]\nname = \"guests\"\nkey = [\"ip\"]\npaths = [\"/served\"]\nday = 2\n";
    let gateway = gate(&(quota("month = 4\nhour = 1000") + by_address));
    let mut client = Client::connect(gateway.addr());
    assert_eq!(statuses(&mut client, "gold-key"), [200, 200, 200, 200, 429]);
    assert_eq!(statuses(&mut client, "silver-key"), [200]);
    let guest = |address: &str| get(&mut from(address, gateway.addr()), "/served", "").status;
    assert_eq!([0; 3].map(|_| guest("127.0.1.9")), [200, 200, 429]);

    let said = gateway.tell(&["quotas"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let rows: Vec<Vec<_>> = said.stdout.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0].join(" "), "free: 1000 an hour, 4 a month; used by 2 keys");
    assert_eq!(rows[1], ["key", "hour", "day", "month"]);
    let (most, least) = (&rows[2], &rows[3]);
    assert_eq!(&most[1..], ["4", "(0", "%)", "-", "4", "(100", "%)"]);
    assert_eq!(&least[1..], ["1", "(0", "%)", "-", "1", "(25", "%)"]);
    assert_eq!(rows[5].join(" "), "guests: 2 a day; used by 1 key");
    assert_eq!(rows[7], ["127.0.1.9", "-", "2", "(100", "%)", "-"]);
    assert!(!said.stdout.contains("gold"), "{}", said.stdout);

    // By its hash, by itself, by its address.
    let reset = |quota: &str, key: &str| gateway.tell(&["quotas", "reset", quota, key]);
    let said = reset("free", most[0]);
    assert_eq!(said.stdout.trim(), format!("usage of `free` reset for {}", most[0]), "{}", said.stderr);
    assert_eq!(statuses(&mut client, "gold-key"), [200, 200, 200, 200, 429]);
    assert_eq!(reset("free", "gold-key").code, Some(0));
    assert_eq!(statuses(&mut client, "gold-key"), [200]);
    assert_eq!(reset("guests", "127.0.1.9").stdout.trim(), "usage of `guests` reset for 127.0.1.9");
    assert_eq!(guest("127.0.1.9"), 200);
    // Who is not there, and what is not there.
    let said = reset("free", "copper-key");
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("this key has no usage of `free`"), "{}", said.stderr);
    assert!(!said.stderr.contains("copper"), "{}", said.stderr);
    assert!(reset("paid", "gold-key").stderr.contains("there is no quota `paid`"));
    let records = gateway.end().audit;
    assert_eq!(records.iter().filter(|record| record["security_event"] == "quota-reset").count(), 3);
}

#[test]
fn who_has_seen_enough_may_close_the_pipe() {
    let gateway = gate(&quota("month = 4"));
    let file = gateway.config_file();
    for command in [&["quotas"][..], &["quotas", "--json"], &["bans", "--json"], &["config", "show"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let said = Command::new(env!("CARGO_BIN_EXE_mantlet"))
            .args(command)
            .args(["--config", &file])
            .env_clear()
            .stdout(writer)
            .output()
            .expect("it runs");
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success() && !stderr.contains("panicked"), "{command:?}: {stderr}");
    }
}

#[test]
fn a_user_of_a_client_certificate_is_counted_and_shown_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    let (root, server) = (authority.file(), authority.sign("server", "localhost").config());
    let tls = format!("[tls]\n{server}client-authorities = {root:?}\n");
    let of_users = "[[throttle.quota]]\nname = \"staff\"\nkey = [\"user\", \"route\"]\nday = 2\n";
    let gateway = gate(&format!("{tls}{RATE}{of_users}"));
    let client = |name: Option<&str>| {
        let speaks = Speaks::trusting(&root);
        let speaks = match name {
            Some(name) => speaks.showing(authority.sign_client(name, name, vec![])),
            None => speaks,
        };
        speaks.connect(gateway.addr(), "localhost").expect("TLS").into_client()
    };
    let [mut alice, mut bob, mut nobody] = [Some("alice"), Some("bob"), None].map(client);
    let three = |client: &mut Client| [0; 3].map(|_| get(client, "/served", "").status);
    assert_eq!(three(&mut alice), [200, 200, 429]);
    assert_eq!(three(&mut nobody), [200; 3], "who is nobody is not counted");
    assert_eq!(get(&mut bob, "/served", "").status, 200);
    assert_eq!(listed(&gateway)["most"][0]["label"], "alice, /served");
    let said = gateway.tell(&["quotas", "reset", "staff", "alice, /served"]);
    assert_eq!(said.stdout.trim(), "usage of `staff` reset for alice, /served", "{}", said.stderr);
    assert_eq!(three(&mut alice), [200, 200, 429]);
    let warned = gateway.end().audit;
    assert!(warned.iter().any(|one| one["security_event"] == "quota-warning" && one["user"] == "alice"));
}

#[test]
fn gates_count_together_in_redis_and_each_quota_does_without_it_what_it_says() {
    let mut redis = Redis::start();
    // A busy machine is no reason to count elsewhere.
    let store = patient(&redis);
    let quota = |fail| format!("threads = 1\n{store}{}", quota(&format!("month = 60\nfail = \"{fail}\"")));
    let gates = ["local", "closed"].map(|fail| gate(&quota(fail)));
    for gate in &gates {
        // What nobody has let in is not kept there either.
        assert_eq!(ask(&mut Client::connect(gate.addr()), "nobody").status, 401);
    }
    assert_eq!(many_at_once(&[&gates[0], &gates[1]]), 60);
    let mut clients = gates.each_ref().map(|gate| Client::connect(gate.addr()));
    let wait =
        |answer: &Answer| answer.header("retry-after").map(|wait| wait.parse::<i64>().expect("seconds"));
    let (before, refused, after) = (rest_of_month(), ask(&mut clients[0], "gold-key"), rest_of_month());
    assert_eq!(refused.status, 429);
    assert!((after..=before).contains(&wait(&refused).expect("it is there")));
    // One sees what both have counted, and gives it back for both.
    let seen = listed(&gates[1]);
    assert_eq!((&seen["keys"], &seen["most"][0]["month"]["used"]), (&1.into(), &60.into()));
    // However many keys others have there, one is asked for by itself, and so is one that is not there.
    let mut monitor = redis.monitor();
    assert_eq!(gates[1].tell(&["quotas", "reset", "free", "no-key"]).code, Some(1));
    assert_eq!(gates[1].tell(&["quotas", "reset", "free", "gold-key"]).code, Some(0));
    let asked = monitor.until(&["\"DEL\""]);
    assert!(!asked.iter().any(|line| line.contains("SCAN")), "{asked:#?}");
    assert_eq!(ask(&mut clients[0], "gold-key").status, 200);

    redis.go();
    let [local, closed] = &mut clients;
    assert_eq!(ask(closed, "gold-key").status, 429);
    assert_eq!(ask(local, "gold-key").status, 200);
    assert!(gates[0].tell(&["quotas"]).stderr.contains("does not respond"));
    redis.come();
    eventually("redis counts again", || (ask(closed, "gold-key").status == 200).then_some(()));
    // Whichever gate it was that saw it.
    let records: Vec<_> = gates.into_iter().flat_map(|gate| gate.end().audit).collect();
    let warned = records.iter().filter(|record| record["security_event"] == "quota-warning");
    assert_eq!(warned.count(), 1);
}

#[test]
fn row_78_the_clock_of_redis_neither_gives_a_window_back_nor_begins_one_twice() {
    let redis = Redis::start();
    let gate = gate(&format!("threads = 1\n{}{}", patient(&redis), quota("month = 3")));
    let mut client = Client::connect(gate.addr());
    assert_eq!(statuses(&mut client, "gold-key"), [200, 200]);
    let key = listed(&gate)["most"][0]["key"].as_str().expect("a key").to_owned();
    let began = |month: &str, used: &str| {
        redis.tell(&[&["HSET", &format!("mantlet:quota:free:{key}"), "month-from", month, "month", used]]);
    };
    let starts = month_starts();
    // Last month's is over.
    began(&starts[0], "3");
    assert_eq!(statuses(&mut client, "gold-key"), [200, 200, 200, 429]);
    // The clock was ahead, and is set back: next month has begun, and goes on until it is over.
    began(&starts[2], "2");
    assert_eq!(ask(&mut client, "gold-key").status, 200);
    let refused = ask(&mut client, "gold-key");
    assert_eq!(refused.status, 429);
    let wait: i64 = refused.header("retry-after").expect("it is there").parse().expect("seconds");
    assert!(wait > rest_of_month() + 27 * 86_400, "{wait}");
    // It was far ahead: nobody waits for what it said then, and nothing is forgotten.
    began(&starts[3], "2");
    assert_eq!(ask(&mut client, "gold-key").status, 200);
    let refused = ask(&mut client, "gold-key");
    let wait: i64 = refused.header("retry-after").expect("it is there").parse().expect("seconds");
    assert!(refused.status == 429 && wait <= rest_of_month() + 1, "{wait}");
}

/// The seconds with which last month began, this one, the next, and the one after it.
fn month_starts() -> [String; 4] {
    let mut day =
        Offset::UTC.to_datetime(Timestamp::now()).date().first_of_month().yesterday().expect("a day");
    std::array::from_fn(|_| {
        let first = day.first_of_month().at(0, 0, 0, 0);
        day = day.last_of_month().tomorrow().expect("a day");
        Offset::UTC.to_timestamp(first).expect("a moment").as_second().to_string()
    })
}
