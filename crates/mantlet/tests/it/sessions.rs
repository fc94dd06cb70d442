//! What is kept of sessions: over restarts and kills, in one folder and in one store; and how an operator sees and ends
//! them.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use mantlet_controls::authentication::sessions::{Event, Kind, SessionFacts, digest, name_of_login};
use rustix::process::Signal;
use serde_json::Value;

use crate::kit::{
    Client, Gateway, Setup, eventually,
    redis::{Node, Redis},
};

pub(crate) const HEAD: &str = "{\"mantlet-sessions\":1}\n";

/// A login of an account, with one token.
pub(crate) fn login(id: u64, account: &str) -> String {
    let now = Timestamp::now().as_second();
    let began = Event::Began(SessionFacts {
        id,
        account: Some(account.into()),
        names: vec![name_of_login(account)],
        began: now - 60,
        address: Some(IpAddr::from([203, 0, 113, 7])),
        within: None,
    });
    let handed_out = Event::HandedOut {
        session: id,
        digest: digest(&id.to_be_bytes()),
        kind: Kind::Bearer,
        cookie: None,
        at: now - 60,
        expires: Some(now + 3_600),
    };
    [began, handed_out].map(|event| serde_json::to_string(&event).expect("JSON") + "\n").concat()
}

/// A state folder in which these have logged in.
fn folder_of(logins: &[(u64, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    if !logins.is_empty() {
        let lines: String = logins.iter().map(|(id, account)| login(*id, account)).collect();
        fs::write(file_in(folder.path()), HEAD.to_owned() + &lines).expect("a file");
    }
    folder
}

fn file_in(state: &Path) -> PathBuf {
    state.join("sessions.jsonl")
}

/// How many ends of sessions the file tells of.
fn ends_in(state: &Path) -> usize {
    let text = fs::read_to_string(file_in(state)).expect("text");
    text.matches("\"event\":\"ended\"").count()
}

fn serve(state: &Path, config: &str) -> Gateway {
    Setup::serve("http://127.0.0.1:9").state(state).config(config).start()
}

/// What the gate knows by itself, or with an account what all gates know.
fn listed(gateway: &Gateway, account: Option<&str>) -> Vec<String> {
    let account = account.map_or_else(Vec::new, |account| vec!["--account", account]);
    let said = gateway.tell(&[&["sessions", "--json"][..], &account].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let listed: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let ids = listed["sessions"].as_array().expect("a list").iter();
    let mut ids: Vec<_> = ids.map(|one| one["id"].as_str().expect("text").to_owned()).collect();
    ids.sort();
    ids
}

fn ids(all: &[u64]) -> Vec<String> {
    all.iter().map(|id| format!("{id:016x}")).collect()
}

/// Waits until the gate knows these sessions and no others.
fn wait_for(gateway: &Gateway, account: Option<&str>, all: &[u64]) {
    eventually(&format!("{all:?}"), || (listed(gateway, account) == ids(all)).then_some(()));
}

/// Revokes, and says where that is known when the command returns: on the disk, and in the store.
fn revoke(gateway: &Gateway, arguments: &[&str]) -> (bool, Option<bool>) {
    let said = gateway.tell(&[&["sessions", "revoke", "--json"], arguments].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let answer: Value = serde_json::from_str(&said.stdout).expect("JSON");
    (answer["durable"].as_bool().expect("a fact"), answer["shared"].as_bool())
}

#[test]
fn an_operator_sees_sessions_and_ends_them_for_good() {
    let state = folder_of(&[(0xa1, "alice"), (0xa2, "alice"), (0xa3, "alice"), (0xb1, "bob")]);
    let gateway = serve(state.path(), "");
    let all = gateway.tell(&["sessions"]);
    for part in ["00000000000000a1  alice", "1 access token  ", "203.0.113.7", "00000000000000b1  bob"] {
        assert!(all.stdout.contains(part), "{part}: {}", all.stdout);
    }
    assert_eq!((all.code, all.stdout.lines().count(), &*all.stderr), (Some(0), 5, ""));
    assert_eq!(listed(&gateway, Some("alice")), ids(&[0xa1, 0xa2, 0xa3]));
    let said = gateway.tell(&["sessions", "revoke", "00000000000000b1"]);
    assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(0), "00000000000000b1 is revoked", ""));
    // Wherever the account is named.
    let said = gateway.tell(&["sessions", "--account", "alice", "revoke", "--except", "00000000000000a2"]);
    assert!(said.stdout.ends_with("2 sessions revoked"), "{} {}", said.stdout, said.stderr);
    assert_eq!(listed(&gateway, None), ids(&[0xa2]));
    // Once more does no harm.
    assert_eq!(revoke(&gateway, &["00000000000000b1"]), (true, None));
    let records = gateway.audit(3);
    let seen: Vec<_> =
        records.iter().map(|one| [&one["security_event"], &one["reason"], &one["user"]]).collect();
    assert_eq!(seen[0], ["session-ended", "operator", "bob"]);
    assert_eq!((&records[0]["subject"], records.len()), (&"00000000000000b1".into(), 3));
    assert!(gateway.stderr().contains("ended the session 00000000000000b1 of bob: operator"));
    // A gate that is killed has lost none of it.
    gateway.signal(Signal::KILL);
    gateway.wait();
    let gateway = serve(state.path(), "");
    assert_eq!(listed(&gateway, None), ids(&[0xa2]));
    assert_eq!(revoke(&gateway, &["--account", "alice"]), (true, None));
    let none = gateway.tell(&["sessions"]);
    assert!(
        none.stderr.contains("no session is open; Mantlet knows those that began since"),
        "{}",
        none.stderr
    );
    assert_eq!(none.stdout, "");
}

#[test]
fn what_cannot_be_revoked_is_said() {
    let state = folder_of(&[(0xa1, "alice")]);
    let gateway = serve(state.path(), "");
    for (arguments, code, says) in [
        (
            &["00000000000000ff"][..],
            1,
            "there is no session `00000000000000ff`; `mantlet sessions` lists all",
        ),
        (&["a1"], 1, "`a1` is not a session; pass 16 hexadecimal digits"),
        (&["--account", "bob"], 1, "there is no session of `bob`"),
        (&["--account", "alice", "--except", "00000000000000a1"], 1, "there is no other session of `alice`"),
        (&["--account", "alice", "--except", "a1"], 1, "`a1` is not a session"),
        (&[], 2, "name a session, or an account with `--account`"),
        (&["00000000000000a1", "--account", "alice"], 2, "name either a session or an account"),
        (&["00000000000000a1", "--except", "00000000000000a1"], 2, "`--except` needs `--account`"),
    ] {
        let said = gateway.tell(&[&["sessions", "revoke"], arguments].concat());
        assert_eq!(said.code, Some(code), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains(says), "{arguments:?}: {}", said.stderr);
    }
    assert_eq!(listed(&gateway, None), ids(&[0xa1]));
    let socket = state.path().join("admin.sock");
    for (request, status, says) in [
        ("DELETE /sessions", 400, "name a session"),
        ("GET /sessions?user=alice", 400, "`user` is not a parameter here; use `account`"),
        ("GET /sessions/00000000000000a1", 405, "accepts DELETE"),
        ("PUT /sessions", 405, "accepts GET, DELETE"),
    ] {
        let mut client = Client::connect_unix(socket.to_str().expect("text"));
        let answer = client.ask(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let error = answer.json()["error"].as_str().expect("an error").to_owned();
        assert_eq!((answer.status, error.contains(says)), (status, true), "{request}: {error}");
    }
    let none = gateway.tell(&["sessions", "--account", "bob"]);
    assert_eq!((none.code, &*none.stdout), (Some(0), ""));
    assert!(none.stderr.contains("no open session of `bob` is known"), "{}", none.stderr);
    let fresh = tempfile::tempdir().expect("a folder");
    let none = serve(fresh.path(), "").tell(&["sessions"]);
    assert!(
        none.stderr.contains("when the app responds to a login with a token or a cookie"),
        "{}",
        none.stderr
    );
    assert!(!file_in(fresh.path()).exists(), "nothing was learned");
}

#[test]
fn a_line_that_was_cut_off_costs_that_line_alone() {
    let state = folder_of(&[(0xa1, "alice"), (0xb1, "bob")]);
    let mut text = fs::read_to_string(file_in(state.path())).expect("text");
    text.push_str("{\"event\":\"ended\",\"session\":16");
    fs::write(file_in(state.path()), text).expect("a file");
    let gateway = serve(state.path(), "");
    assert_eq!(listed(&gateway, None), ids(&[0xa1, 0xb1]));
    assert_eq!(revoke(&gateway, &["00000000000000a1"]), (true, None));
    gateway.signal(Signal::KILL);
    gateway.wait();
    let gateway = serve(state.path(), "");
    assert_eq!(listed(&gateway, None), ids(&[0xb1]));
    assert!(!gateway.stderr().contains("cannot be read"), "{}", gateway.stderr());
}

#[test]
fn of_two_gates_in_one_folder_the_second_writes_when_the_first_has_ended() {
    let state = folder_of(&[(0xa1, "alice"), (0xb1, "bob")]);
    let first = serve(state.path(), "");
    let socket = state.path().join("second.sock");
    let second = serve(state.path(), &format!("[admin]\nsocket = {socket:?}\n"));
    second.wait_for("another Mantlet uses the session file in", 1);
    let before = fs::read(file_in(state.path())).expect("it is there");
    let said = second.tell(&["sessions", "revoke", "00000000000000a1"]);
    assert_eq!((said.code, &*said.stdout), (Some(0), "00000000000000a1 is revoked"));
    assert!(said.stderr.contains("lost if Mantlet ends before it can be written"), "{}", said.stderr);
    assert_eq!(fs::read(file_in(state.path())).expect("it is there"), before);
    assert_eq!(revoke(&first, &["00000000000000b1"]), (true, None));
    first.end();
    eventually("the second writes", || (ends_in(state.path()) == 2).then_some(()));
    second.signal(Signal::KILL);
    second.wait();
    assert_eq!(listed(&serve(state.path(), ""), None), ids(&[]));
}

#[test]
fn three_gates_with_one_redis_know_what_each_has_revoked() {
    let redis = Redis::start();
    let config = redis.config();
    let states =
        [&[(0xa1, "alice"), (0xa2, "alice"), (0xc1, "carol")][..], &[(0xb1, "bob")], &[]].map(folder_of);
    let gates = states.each_ref().map(|state| serve(state.path(), &config));
    // Each finds what the others have in their files.
    for gate in &gates {
        wait_for(gate, Some("alice"), &[0xa1, 0xa2]);
        wait_for(gate, Some("bob"), &[0xb1]);
    }
    assert_eq!(revoke(&gates[0], &["00000000000000a1"]), (true, Some(true)));
    // Their own lists do not ask the store: they were told.
    wait_for(&gates[1], None, &[0xa2, 0xb1]);
    wait_for(&gates[2], None, &[0xa2, 0xb1]);
    // One that only another gate knows, and all of an account.
    assert_eq!(revoke(&gates[2], &["00000000000000c1"]), (true, Some(true)));
    wait_for(&gates[0], None, &[0xa2, 0xb1]);
    assert_eq!(revoke(&gates[1], &["--account", "alice"]), (true, Some(true)));
    wait_for(&gates[0], None, &[0xb1]);
    wait_for(&gates[2], None, &[0xb1]);
    // A gate that was told knows it when it starts again, also without the store.
    let [first, second, third] = gates;
    for (gate, state, count) in [(first, &states[0], 3), (second, &states[1], 2)] {
        eventually("it is in the file", || (ends_in(state.path()) == count).then_some(()));
        gate.signal(Signal::KILL);
        gate.wait();
        let alone = serve(state.path(), "");
        assert!(!listed(&alone, None).contains(&ids(&[0xa1])[0]) && listed(&alone, Some("alice")).is_empty());
    }
    // And one that was away while a session ended asks for it.
    assert_eq!(revoke(&third, &["00000000000000b1"]), (true, Some(true)));
    let second = serve(states[1].path(), &config);
    wait_for(&second, None, &[]);
}

#[test]
fn what_is_revoked_while_redis_is_away_is_shared_when_it_is_back() {
    let mut redis = Redis::start();
    let config = redis.config();
    let states = [&[(0xa1, "alice"), (0xa2, "alice"), (0xa3, "alice")][..], &[]].map(folder_of);
    let [first, second] = states.each_ref().map(|state| serve(state.path(), &config));
    wait_for(&second, Some("alice"), &[0xa1, 0xa2, 0xa3]);
    // It keeps its connections and says nothing.
    redis.pause(true);
    let said = first.tell(&["sessions", "revoke", "00000000000000a1"]);
    assert!(said.stderr.contains("the store does not respond: other gates learn of this when it does"));
    assert_eq!(listed(&second, None), ids(&[0xa1, 0xa2, 0xa3]));
    redis.pause(false);
    wait_for(&second, None, &[0xa2, 0xa3]);
    // It dies and forgets everything.
    redis.go();
    assert_eq!(revoke(&first, &["00000000000000a2"]), (true, Some(false)));
    let partly = second.tell(&["sessions", "revoke", "--account", "nobody"]);
    assert!(
        partly.code == Some(1) && partly.stderr.contains("the store does not respond"),
        "{}",
        partly.stderr
    );
    redis.come();
    wait_for(&second, None, &[0xa3]);
    // What it knew before it is told again.
    let fresh = tempfile::tempdir().expect("a folder");
    let third = serve(fresh.path(), &config);
    wait_for(&third, Some("alice"), &[0xa3]);
    assert_eq!(revoke(&third, &["00000000000000a2"]), (true, Some(true)), "it is known");
    // A gate that is killed before Redis is back tells it when it starts again.
    redis.go();
    assert_eq!(revoke(&first, &["00000000000000a3"]), (true, Some(false)));
    first.signal(Signal::KILL);
    first.wait();
    redis.come();
    let first = serve(states[0].path(), &config);
    wait_for(&second, None, &[]);
    wait_for(&third, None, &[]);
    drop(first);
}

#[test]
fn a_cluster_and_a_next_master_know_sessions_too() {
    let nodes = Node::cluster();
    let hosts: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let (mut master, follower, sentinel) = Node::watched();
    for url in [
        format!("redis+cluster://{}", hosts.join(",")),
        format!("redis+sentinel://127.0.0.1:{}/shop", sentinel.port),
    ] {
        let config = format!("[store]\ntimeout = \"500ms\"\nurl = \"{url}\"\n");
        let states = [&[(0xa1, "alice"), (0xa2, "alice"), (0xb1, "bob")][..], &[]].map(folder_of);
        let [first, second] = states.each_ref().map(|state| serve(state.path(), &config));
        wait_for(&second, Some("alice"), &[0xa1, 0xa2]);
        assert_eq!(revoke(&first, &["00000000000000a1"]), (true, Some(true)), "{url}");
        wait_for(&second, None, &[0xa2]);
        if url.contains("sentinel") {
            master.go();
            eventually("the next master takes it", || {
                (revoke(&first, &["00000000000000a2"]).1 == Some(true)).then_some(())
            });
            wait_for(&second, None, &[]);
            wait_for(&second, Some("bob"), &[0xb1]);
        }
    }
    drop(follower);
}
