//! Refresh tokens that stay in the gate: what clients hold in their place, what becomes of a copy,
//! and that nothing a client does by accident logs it out.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use super::{Home, Subject};
use crate::kit::{Answer, App, Client, Gateway, Setup, eventually, provided, redis::Redis};

/// Its refresh tokens rotate, and it refuses one that comes twice.
const ROTATING: Subject = Subject {
    name: "rotating.py",
    entry: "rotating:app",
    prepare: |_| (),
    entrance: Vec::new,
    carried: "Authorization: Bearer {token}",
    guarded: "/me",
    key: b"the-postern-gate-is-barred-at-dusk",
    traffic: Vec::new,
    stopped: 0,
    recorded: &[],
};

pub(super) const ENFORCED: &str =
    "refresh-tokens.mode = \"enforce\"\nauthentication.sessions = \"enforce\"\n";

/// The app, in a process that outlives gates.
pub(super) struct Standing {
    _app: App,
    _home: Home,
    pub(super) address: SocketAddr,
}

impl Standing {
    pub(super) fn start() -> Self {
        let home = Home::of(&ROTATING);
        let (app, address) = App::of_folder(&provided("MANTLET_TEST_IDENTITY"), &home.path(), ROTATING.entry);
        Self { _app: app, _home: home, address }
    }

    pub(super) fn gate(&self, state: &Path, config: &str) -> Gateway {
        let setup = Setup::serve_with(&format!("http://{}", self.address), &[]).with_little_room();
        let gateway = setup.state(state).config(config).start();
        // Until the contract is known, no request passes: what is sent at once gets 503, never 401.
        gateway.wait_for("the contract of", 1);
        gateway
    }
}

/// The app behind `mantlet run`.
fn run(config: &str) -> (Gateway, Home) {
    let home = Home::of(&ROTATING);
    let setup = Setup::run_with(provided("MANTLET_TEST_IDENTITY"), ROTATING.entry).heard();
    (setup.in_folder(&home.path()).config(config).start(), home)
}

fn post(target: &str, kind: &str, body: &str, lines: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{lines}\r\n{body}",
        body.len()
    )
}

pub(super) fn refreshing(target: &str, handle: &str) -> String {
    post(target, "application/json", &format!("{{\"refresh_token\": \"{handle}\"}}"), "")
}

pub(super) fn ask(address: SocketAddr, request: String) -> Answer {
    Client::connect(address).ask(request)
}

/// The access token and the refresh token of a good answer.
fn tokens(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let text = |name: &str| answer[name].as_str().expect("a token").to_owned();
    (text("access_token"), text("refresh_token"))
}

pub(super) fn log_in(address: SocketAddr) -> (String, String) {
    let form = "username=ann&password=battlement";
    tokens(&ask(address, post("/login", "application/x-www-form-urlencoded", form, "")))
}

pub(super) fn refresh(address: SocketAddr, handle: &str) -> (String, String) {
    tokens(&ask(address, refreshing("/refresh", handle)))
}

/// The reason for which it is refused.
pub(super) fn refused(address: SocketAddr, handle: &str) -> (u16, String) {
    let answer = ask(address, refreshing("/refresh", handle));
    (answer.status, answer.code())
}

pub(super) fn me(address: SocketAddr, token: &str) -> u16 {
    let head = format!("GET /me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    ask(address, head).status
}

/// What the app has noted of its tokens.
fn book(address: SocketAddr) -> Value {
    Client::connect(address).get("/book").json()
}

fn count(book: &Value, name: &str) -> u64 {
    book[name].as_u64().expect("a count")
}

/// Asserts that the app was never asked twice with a token, nor with one that it has not made.
pub(super) fn is_at_peace(address: SocketAddr) {
    let book = book(address);
    assert_eq!((count(&book, "twice"), count(&book, "unknown")), (0, 0), "{book}");
}

#[test]
fn a_client_holds_a_handle_and_never_the_apps_own_token() {
    let (gateway, _home) = run(ENFORCED);
    let address = gateway.addr();
    let (access, first) = log_in(address);
    assert!(first.starts_with("mr_live_"), "{first}");
    assert_eq!(me(address, &access), 200);
    let mut handles = vec![first];
    for _ in 0..5 {
        let (access, next) = refresh(address, handles.last().expect("one"));
        assert!(next.starts_with("mr_live_") && !handles.contains(&next), "{next}");
        assert_eq!(me(address, &access), 200);
        handles.push(next);
    }
    let book = book(address);
    let made: Vec<_> = book["made"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!((made.len(), count(&book, "used")), (6, 5));
    assert!(!handles.iter().any(|handle| made.contains(&handle.as_str())));
    is_at_peace(address);
    // The app's own token is good at the app, as before: nothing that the app takes is refused.
    refresh(address, made[5]);
    let state = gateway.audit_file().with_file_name("refresh-tokens.jsonl");
    let kept = fs::read_to_string(state).expect("text");
    assert!(!made.iter().any(|token| kept.contains(token)));
    assert!(!handles.iter().any(|handle| kept.contains(handle.splitn(3, '_').last().expect("a part"))));
}

#[test]
fn a_cookie_holds_a_handle_too() {
    let (gateway, _home) = run(ENFORCED);
    let address = gateway.addr();
    let form = "username=ann&password=battlement";
    let mut answer = ask(address, post("/web/login", "application/x-www-form-urlencoded", form, ""));
    let mut seen = Vec::new();
    for _ in 0..4 {
        assert_eq!(answer.status, 200, "{answer:?}");
        let line = answer.header("set-cookie").expect("a cookie").to_owned();
        assert!(line.starts_with("refresh_token=mr_live_") && line.contains("Path=/web"), "{line}");
        let access = answer.json()["access_token"].as_str().expect("a token").to_owned();
        assert_eq!(me(address, &access), 200);
        let cookie = line.split(';').next().expect("a part").to_owned();
        let lines = format!("Cookie: theme=dark; {cookie}; lang=en\r\n");
        answer = ask(address, post("/web/refresh", "application/json", "", &lines));
        assert!(!seen.contains(&cookie));
        seen.push(cookie);
    }
    is_at_peace(address);
    // The first one is a copy by now.
    let lines = format!("Cookie: {}\r\n", seen[0]);
    let answer = ask(address, post("/web/refresh", "application/json", "", &lines));
    assert_eq!((answer.status, &*answer.code()), (401, "refresh-token-reused"));
    is_at_peace(address);
}

#[test]
fn row_60_an_old_handle_ends_its_family_and_its_session() {
    let (gateway, _home) = run(ENFORCED);
    let address = gateway.addr();
    let (_, first) = log_in(address);
    let (others, of_others) = log_in(address);
    let (access, second) = refresh(address, &first);
    let (_, third) = refresh(address, &second);
    let (latest, fourth) = refresh(address, &third);
    assert_eq!((me(address, &access), me(address, &latest)), (200, 200));
    assert_eq!(refused(address, &first), (401, "refresh-token-reused".to_owned()));
    // The client with the newest one is logged out, too: it is not known which of the two is the
    // client.
    assert_eq!(refused(address, &fourth), (401, "refresh-token-invalid".to_owned()));
    assert_eq!(refused(address, &first), (401, "refresh-token-invalid".to_owned()));
    assert_eq!((me(address, &access), me(address, &latest)), (401, 401), "its access tokens are ended");
    // Another login of the same user goes on.
    assert_eq!(me(address, &others), 200);
    refresh(address, &of_others);
    is_at_peace(address);
    let records = gateway.end().audit;
    let of = |reason: &str| records.iter().filter(|record| record["reason"] == reason).count();
    assert_eq!((of("refresh-token-reused"), of("reused")), (1, 1), "{records:#?}");
}

#[test]
fn a_handle_that_was_made_up_ends_nothing() {
    let (gateway, _home) = run(ENFORCED);
    let address = gateway.addr();
    let (_, first) = log_in(address);
    let (_, second) = refresh(address, &first);
    // The same family, an older generation, and no key.
    for at in [20, 30, 60, 80] {
        let mut made_up = second.clone().into_bytes();
        made_up[at] = if made_up[at] == b'A' { b'B' } else { b'A' };
        let made_up = String::from_utf8(made_up).expect("text");
        assert_eq!(refused(address, &made_up), (401, "refresh-token-invalid".to_owned()));
    }
    refresh(address, &second);
    is_at_peace(address);
}

/// Refreshes with the same handle in so many threads at once. What each gets.
fn at_once(addresses: &[SocketAddr], handle: &str) -> Vec<(String, String)> {
    let barrier = Arc::new(Barrier::new(addresses.len()));
    let threads: Vec<_> = addresses
        .iter()
        .map(|address| {
            let (address, handle, barrier) = (*address, handle.to_owned(), Arc::clone(&barrier));
            thread::spawn(move || {
                let mut client = Client::connect(address);
                barrier.wait();
                tokens(&client.ask(refreshing("/refresh", &handle)))
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().expect("a good answer")).collect()
}

#[test]
fn row_61_fifty_refreshes_at_once_are_one_rotation() {
    let (gateway, _home) = run(ENFORCED);
    let address = gateway.addr();
    let (_, first) = log_in(address);
    let all = at_once(&[address; 50], &first);
    let (_, next) = all[0].clone();
    assert!(all.iter().all(|(_, handle)| *handle == next), "one rotation");
    assert!(all.iter().all(|(access, _)| me(address, access) == 200), "nothing has ended");
    let book = book(address);
    assert_eq!((count(&book, "used"), count(&book, "twice")), (50, 0), "{book}");
    let (access, _) = refresh(address, &next);
    assert_eq!(me(address, &access), 200);
    is_at_peace(address);
    let records = gateway.end().audit;
    assert!(records.iter().all(|record| record["action"] == "pass"), "{records:#?}");
}

#[test]
fn an_answer_that_was_lost_is_given_again() {
    let (gateway, _home) = run(ENFORCED);
    let address = gateway.addr();
    let (_, first) = log_in(address);
    // The client has left before the app has answered.
    let mut client = Client::connect(address);
    client.send(refreshing("/refresh?wait=2", &first));
    eventually("the app has the token", || (count(&book(address), "used") == 1).then_some(()));
    drop(client);
    let (_, second) = refresh(address, &first);
    is_at_peace(address);
    // The client has the answer, and has not kept it.
    let (_, third) = refresh(address, &second);
    let (access, again) = refresh(address, &second);
    assert_eq!(third, again);
    assert_eq!(me(address, &access), 200);
    refresh(address, &third);
    is_at_peace(address);
}

#[test]
fn handles_outlive_a_restart_and_a_kill() {
    let app = Standing::start();
    let state = tempfile::tempdir().expect("a folder");
    let gateway = app.gate(state.path(), ENFORCED);
    let (_, first) = log_in(gateway.addr());
    let (_, second) = refresh(gateway.addr(), &first);
    gateway.end();
    let gateway = app.gate(state.path(), ENFORCED);
    let (_, third) = refresh(gateway.addr(), &second);
    // Nothing that a client has is lost.
    gateway.signal(Signal::KILL);
    gateway.wait();
    let gateway = app.gate(state.path(), ENFORCED);
    let (_, again) = refresh(gateway.addr(), &second);
    assert_eq!(third, again);
    let (access, _) = refresh(gateway.addr(), &third);
    assert_eq!(me(gateway.addr(), &access), 200);
    is_at_peace(app.address);
    assert_eq!(refused(gateway.addr(), &first), (401, "refresh-token-reused".to_owned()));
    gateway.signal(Signal::KILL);
    gateway.wait();
    let gateway = app.gate(state.path(), ENFORCED);
    assert_eq!(refused(gateway.addr(), &third), (401, "refresh-token-invalid".to_owned()));
}

#[test]
fn a_handle_from_after_a_backup_is_refused() {
    let app = Standing::start();
    let state = tempfile::tempdir().expect("a folder");
    let (file, backup) = (state.path().join("refresh-tokens.jsonl"), state.path().join("backup"));
    let gateway = app.gate(state.path(), ENFORCED);
    let (_, first) = log_in(gateway.addr());
    gateway.end();
    fs::copy(&file, &backup).expect("a copy");
    let gateway = app.gate(state.path(), ENFORCED);
    let (_, second) = refresh(gateway.addr(), &first);
    gateway.end();
    fs::copy(&backup, &file).expect("a copy");
    let gateway = app.gate(state.path(), ENFORCED);
    // No other gate can know it: its client logs in again.
    assert_eq!(refused(gateway.addr(), &second), (401, "refresh-token-invalid".to_owned()));
    let (_, handle) = log_in(gateway.addr());
    refresh(gateway.addr(), &handle);
    is_at_peace(app.address);
}

#[test]
fn a_gate_in_the_same_folder_goes_on_where_the_first_has_ended() {
    let app = Standing::start();
    let state = tempfile::tempdir().expect("a folder");
    let file = state.path().join("refresh-tokens.jsonl");
    let socket = state.path().join("second.sock");
    let first = app.gate(state.path(), ENFORCED);
    let second = app.gate(state.path(), &format!("{ENFORCED}[admin]\nsocket = {socket:?}\n"));
    let (_, handle) = log_in(first.addr());
    // What the first hands out is known to the second at once.
    let mut handles = vec![handle];
    for _ in 0..5 {
        handles.push(refresh(first.addr(), handles.last().expect("one")).1);
    }
    let (_, handle) = refresh(second.addr(), handles.last().expect("one"));
    assert_eq!(refused(second.addr(), &handles[0]), (401, "refresh-token-reused".to_owned()));
    assert_eq!(refused(second.addr(), &handle), (401, "refresh-token-invalid".to_owned()));
    let (_, handle) = log_in(second.addr());
    let before = fs::metadata(&file).expect("a file").len();
    first.end();
    // It has nothing more to write than what it has kept to itself.
    eventually("it takes over", || (fs::metadata(&file).expect("a file").len() != before).then_some(()));
    second.signal(Signal::KILL);
    second.wait();
    let third = app.gate(state.path(), ENFORCED);
    assert_eq!(refused(third.addr(), &handles[5]), (401, "refresh-token-invalid".to_owned()));
    refresh(third.addr(), &handle);
    is_at_peace(app.address);
}

#[test]
fn what_is_not_about_refresh_tokens_ends_with_its_client() {
    let (gateway, _home) = run(ENFORCED);
    let address = gateway.addr();
    let mut client = Client::connect(address);
    client.send(post("/watch", "application/json", "", ""));
    eventually("the app has it", || (count(&book(address), "watching") == 1).then_some(()));
    drop(client);
    eventually("the app sees that its client has left", || {
        (count(&book(address), "left") == 1).then_some(())
    });
}

#[test]
fn a_shutdown_waits_for_a_refresh_whose_client_has_left() {
    let app = Standing::start();
    let state = tempfile::tempdir().expect("a folder");
    let gateway = app.gate(state.path(), ENFORCED);
    let (_, first) = log_in(gateway.addr());
    let mut client = Client::connect(gateway.addr());
    client.send(refreshing("/refresh?wait=3", &first));
    eventually("the app has the token", || (count(&book(app.address), "used") == 1).then_some(()));
    drop(client);
    gateway.end();
    // What the app has handed out meanwhile is not lost.
    let gateway = app.gate(state.path(), ENFORCED);
    let (_, second) = refresh(gateway.addr(), &first);
    refresh(gateway.addr(), &second);
    is_at_peace(app.address);
}

#[test]
fn two_gates_on_one_store_take_turns() {
    let app = Standing::start();
    let mut redis = Redis::start();
    let config = format!("{ENFORCED}{}", redis.config());
    let states = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let gates = states.each_ref().map(|state| app.gate(state.path(), &config));
    let [one, other] = gates.each_ref().map(Gateway::addr);
    let (_, first) = log_in(one);
    let addresses: Vec<_> = [one, other].into_iter().cycle().take(50).collect();
    let all = at_once(&addresses, &first);
    let (access, next) = all[0].clone();
    assert!(all.iter().all(|(_, handle)| *handle == next), "one rotation");
    assert_eq!((me(one, &access), me(other, &access)), (200, 200));
    is_at_peace(app.address);
    // One gate rotates, the other goes on.
    let (_, third) = refresh(other, &next);
    let (_, fourth) = refresh(one, &third);
    let (_, of_one_alone) = log_in(one);
    // The store is away: it is not known whether another gate has seen the handle.
    redis.go();
    let answer = eventually("the store is missed", || {
        let answer = ask(one, refreshing("/refresh", &fourth));
        (answer.status != 200).then_some(answer)
    });
    assert_eq!((answer.status, &*answer.code()), (503, "refresh-token-unavailable"));
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    let form = "username=ann&password=battlement";
    let answer = ask(one, post("/login", "application/x-www-form-urlencoded", form, ""));
    assert_eq!((answer.status, &*answer.code()), (503, "refresh-token-unavailable"));
    is_at_peace(app.address);
    // It comes back and has forgotten everything: both gates tell it what they know.
    redis.come();
    let fifth = eventually("the store is back", || {
        let answer = ask(other, refreshing("/refresh", &fourth));
        assert_ne!(answer.status, 401, "{answer:?}");
        (answer.status == 200).then(|| tokens(&answer).1)
    });
    let (_, sixth) = refresh(one, &fifth);
    eventually("the other gate knows all that this one does", || {
        let answer = ask(other, refreshing("/refresh", &of_one_alone));
        assert_ne!(answer.status, 401, "{answer:?}");
        (answer.status == 200).then_some(())
    });
    is_at_peace(app.address);
    // A copy at one gate ends it at both.
    assert_eq!(refused(other, &third), (401, "refresh-token-reused".to_owned()));
    assert_eq!(refused(one, &sixth), (401, "refresh-token-invalid".to_owned()));
    eventually("its session has ended at both", || {
        (me(one, &access) == 401 && me(other, &access) == 401).then_some(())
    });
}

#[test]
fn a_handle_of_another_environment_is_refused_and_recorded() {
    let app = Standing::start();
    let states = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let staging = app.gate(states[0].path(), &format!("environment = \"staging\"\n{ENFORCED}"));
    let prod = app.gate(states[1].path(), &format!("environment = \"prod\"\n{ENFORCED}"));
    let (_, handle) = log_in(staging.addr());
    assert!(handle.starts_with("mr_staging_"), "{handle}");
    // It does not learn more than that it is not good.
    assert_eq!(refused(prod.addr(), &handle), (401, "refresh-token-invalid".to_owned()));
    refresh(staging.addr(), &handle);
    is_at_peace(app.address);
    let records = prod.end().audit;
    let record = records.iter().find(|record| record["reason"] == "refresh-token-of-another-environment");
    let record = record.expect("a record");
    assert_eq!(record["action"], "refuse");
    assert!(record["subject"].as_str().is_some_and(|text| text.contains("staging")), "{record}");
}

#[test]
fn a_logout_ends_the_family() {
    let (gateway, _home) = run(ENFORCED);
    let address = gateway.addr();
    let (access, first) = log_in(address);
    let (_, second) = refresh(address, &first);
    let answer = ask(address, refreshing("/logout", &second));
    assert_eq!(answer.status, 200, "{answer:?}");
    for handle in [&first, &second] {
        assert_eq!(refused(address, handle), (401, "refresh-token-invalid".to_owned()));
    }
    assert_eq!(me(address, &access), 401);
    is_at_peace(address);
}

#[test]
fn the_way_there_and_the_way_back() {
    let app = Standing::start();
    let state = tempfile::tempdir().expect("a folder");
    // What clients have from the app itself is good until its next use.
    let (_, own) = log_in(app.address);
    let gateway = app.gate(state.path(), ENFORCED);
    let (_, handle) = refresh(gateway.addr(), &own);
    assert!(handle.starts_with("mr_live_"), "{handle}");
    let (_, handle) = refresh(gateway.addr(), &handle);
    gateway.end();
    // A handle is still good, and its client gets the app's own token for it.
    let gateway = app.gate(state.path(), "refresh-tokens.mode = \"report\"\n");
    let (_, own) = refresh(gateway.addr(), &handle);
    assert!(!own.starts_with("mr_"), "{own}");
    refresh(gateway.addr(), &own);
    is_at_peace(app.address);
    let records = gateway.end().audit;
    let told =
        records.iter().find(|record| record["reason"] == "refresh-token-not-wrapped").expect("a record");
    assert_eq!(told["action"], "pass", "{told}");
}

#[test]
fn by_default_clients_have_the_apps_own_tokens() {
    let (gateway, _home) = run("");
    let (_, own) = log_in(gateway.addr());
    assert!(!own.starts_with("mr_"), "{own}");
    refresh(gateway.addr(), &own);
    thread::sleep(Duration::from_millis(50));
    assert!(!gateway.audit_file().with_file_name("refresh-tokens.jsonl").exists());
}
