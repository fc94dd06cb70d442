//! Over a real Redis, which `cargo xtask test` provides.

use std::{
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Instant,
};

use mantlet_controls::authentication::sessions::{Cause, Kind, SessionFacts};
use tempfile::TempDir;

use super::{super::super::StoreConfig, *};
use crate::audit_log::{AuditConfig, AuditLog};

const PATIENCE: Duration = Duration::from_secs(30);

struct Redis {
    folder: TempDir,
    running: Option<Child>,
}

impl Redis {
    fn start() -> Self {
        let mut redis = Self { folder: tempfile::tempdir().unwrap(), running: None };
        redis.come();
        redis
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    fn come(&mut self) {
        let program = std::env::var_os("MANTLET_TEST_REDIS").expect("run `cargo xtask test`");
        let mut command = Command::new(program);
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(self.socket());
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        self.running = Some(command.spawn().unwrap());
        until("redis listens", || UnixStream::connect(self.socket()).is_ok());
    }

    fn go(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A number that a command answers with.
    fn number(&self, words: &[&str]) -> i64 {
        self.ask(words)
    }

    fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(format!("redis+unix://{}", self.socket().display())).unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).query(&mut client.get_connection().unwrap()).unwrap()
    }

    /// A gate that uses it.
    fn gate(&self) -> Gate {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.jsonl");
        let known = Sessions::default();
        let file = SessionFile::open(path, known.clone(), true).unwrap();
        let audit = AuditConfig::without_file(false);
        let config = StoreConfig {
            url: format!("redis+unix://{}", self.socket().display()).into(),
            authority: None,
            timeout: Duration::from_millis(500),
            prefix: "m".into(),
        };
        let store = RedisStore::new(config, AuditLog::open(&audit).unwrap().0).unwrap();
        let keeper = RedisSessions::start(store, &file).unwrap();
        Gate { known, keeper, _folder: folder }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.go();
    }
}

struct Gate {
    known: Sessions,
    keeper: RedisSessions,
    _folder: TempDir,
}

impl Gate {
    /// As a thread of the gate does.
    fn wait_for<T: Send>(&self, question: impl FnOnce(&RedisSessions) -> BoxFuture<'_, T> + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(question(&self.keeper))
            });
            thread.join().unwrap()
        })
    }

    fn keep(&self, events: &[Event]) -> bool {
        for event in events {
            self.known.apply(event);
        }
        self.wait_for(|keeper| keeper.keep_now(events.to_vec()))
    }

    fn find(&self, token: &str) -> Option<Vec<Event>> {
        self.wait_for(|keeper| keeper.find(digest(token.as_bytes())))
    }

    /// Whether a token is good here; none if it is not known.
    fn judge(&self, token: &str) -> Option<bool> {
        self.known.find(&digest(token.as_bytes())).map(|found| found.session.ended().is_none())
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn now() -> i64 {
    clock::now().as_second()
}

fn began(id: u64, name: &str) -> Event {
    let names = vec![digest(name.as_bytes())];
    Event::Began(SessionFacts {
        id,
        account: Some("alice".into()),
        names,
        began: now() - 100,
        address: None,
        within: None,
    })
}

fn handed_out(session: u64, token: &str, life: Option<i64>) -> Event {
    Event::HandedOut {
        session,
        digest: digest(token.as_bytes()),
        kind: Kind::Bearer,
        cookie: None,
        at: now(),
        expires: life.map(|life| now() + life),
    }
}

fn ended(session: u64) -> Event {
    Event::Ended { session, at: now(), cause: Cause::Logout, left: Vec::new() }
}

#[test]
fn a_gate_finds_what_another_has_learned() {
    let mut redis = Redis::start();
    let [first, second] = [redis.gate(), redis.gate()];
    let events =
        [began(7, "alice"), handed_out(7, "token", Some(500)), Event::Used { session: 7, at: now() }];
    assert!(first.keep(&events));
    assert_eq!(second.find("another"), Some(vec![]));
    let mut found = second.find("token").unwrap();
    assert_eq!(found.remove(0), events[0], "the beginning first");
    assert_eq!((found.len(), events[1..].iter().all(|event| found.contains(event))), (2, true));
    assert_eq!(second.judge("token"), Some(true));
    assert!(second.known.session(7).unwrap().used() > now() - 50, "not when it began");
    // What nobody waits for comes as well; and what was ended, to those who know it.
    let refreshed = handed_out(7, "refreshed", Some(500));
    first.known.apply(&refreshed);
    first.keeper.keep_soon(vec![refreshed]);
    until("it is there", || second.find("refreshed").is_some_and(|found| found.len() == 3));
    assert!(first.keep(&[ended(7)]));
    until("it is told", || second.judge("token") == Some(false));
    let third = redis.gate();
    assert!(third.find("token").unwrap().iter().any(|event| matches!(event, Event::Ended { .. })));
    assert_eq!(third.judge("token"), Some(false));
    redis.go();
    assert_eq!(second.find("token"), None);
    assert!(!second.keep(&[ended(7)]));
}

/// An app may keep one token for each account, and hand it out at each login.
#[test]
fn a_token_that_is_handed_out_again_after_a_logout_is_good_again() {
    let redis = Redis::start();
    let gate = redis.gate();
    let mut first = handed_out(7, "a token", None);
    if let Event::HandedOut { at, .. } = &mut first {
        *at -= 50;
    }
    assert!(gate.keep(&[began(7, "alice"), first, ended(7)]));
    let other = redis.gate();
    other.find("a token").unwrap();
    let digest = digest(b"a token");
    assert!(other.known.find(&digest).unwrap().session.ended().is_some());
    assert!(gate.keep(&[began(9, "alice"), handed_out(9, "a token", None)]));
    let third = redis.gate();
    third.find("a token").unwrap();
    for gate in [gate, third] {
        let found = gate.known.find(&digest).unwrap().session;
        assert_eq!((found.facts.id, found.ended()), (9, None));
    }
}

#[test]
fn the_end_of_a_session_that_is_being_asked_for_is_not_lost() {
    let redis = Redis::start();
    let gate = redis.gate();
    // Redis has answered; then the end comes, of a session that is not known here yet.
    gate.keeper.inner.learn_end(ended(7));
    gate.keeper.inner.learn(vec![began(7, "alice"), handed_out(7, "token", None)]);
    assert_eq!(gate.judge("token"), Some(false));
}

#[test]
fn what_is_kept_is_forgotten_by_itself_and_not_too_early() {
    let redis = Redis::start();
    let gate = redis.gate();
    let name = |what: &str, name: &str| format!("m:{what}:{}", digest(name.as_bytes()));
    let ttl = |key: &str| redis.number(&["TTL", key]);
    let (day, year) = (86_400, 365 * 86_400);
    assert!(gate.keep(&[began(7, "alice")]));
    let session = "m:session:0000000000000007";
    assert!((1..=day + 3_600).contains(&ttl(session)));
    assert!(gate.keep(&[handed_out(7, "token", Some(3 * day))]));
    assert!((3 * day - 10..=3 * day + LEEWAY).contains(&ttl(&name("credential", "token"))));
    assert!(ttl(session) >= ttl(&name("credential", "token")));
    assert!(ttl(&name("account", "alice")) >= 3 * day);
    // A shorter one makes nothing shorter; a name that is learned later leads to it as long.
    assert!(gate.keep(&[handed_out(7, "short", Some(60)), began(7, "alice@example.com")]));
    assert!(ttl(session) >= 3 * day && ttl(&name("account", "alice@example.com")) >= 3 * day);
    // One without an end, 400 days after each use.
    assert!(gate.keep(&[handed_out(7, "endless", None)]));
    for key in [session, &name("credential", "endless"), &name("account", "alice@example.com")] {
        assert!(ttl(key) > year, "{key}");
        redis.number(&["EXPIRE", key, "1000"]);
    }
    assert!(gate.keep(&[Event::Used { session: 7, at: now() }]));
    for key in [session, &name("credential", "endless"), &name("account", "alice@example.com")] {
        assert!(ttl(key) > year, "{key}");
    }
    // What has expired is not told; and use alone does not make a session.
    let use_of_another = Event::Used { session: 8, at: now() };
    assert!(gate.keep(&[handed_out(7, "old", Some(-100)), use_of_another, handed_out(9, "orphan", None)]));
    assert_eq!(ttl(&name("credential", "old")), -2);
    assert_eq!([ttl("m:session:0000000000000008"), ttl("m:session:0000000000000009")], [-2, -2]);
    assert!(gate.keep(&[ended(10)]));
    assert!(ttl("m:session:000000000000000a") > year, "its credentials are not known here");
    let none: Vec<String> = redis.ask(&["KEYS", "*"]);
    assert!(none.iter().all(|key| ttl(key) > 0 || key == "m:sessions"), "{none:?}");
}

#[test]
fn redis_is_told_everything_when_more_has_happened_than_could_wait() {
    let mut redis = Redis::start();
    let [first, second] = [redis.gate(), redis.gate()];
    redis.go();
    let events = [began(7, "alice"), handed_out(7, "token", None)];
    assert!(!first.keep(&events));
    let used = Event::Used { session: 7, at: now() };
    first.keeper.keep_soon(vec![used; MOST_WAITING + 1]);
    redis.come();
    until("it is told", || second.find("token").is_some_and(|found| found.len() == 2));
}

#[test]
fn a_key_of_another_program_is_in_nobodys_way() {
    let redis = Redis::start();
    let gate = redis.gate();
    let _: String = redis.ask(&["SET", "m:session:0000000000000007", "mine"]);
    for event in [began(7, "alice"), ended(7)] {
        gate.known.apply(&event);
    }
    // Whatever it is told at once, and when everything is compared.
    for _ in 0..20 {
        assert!(gate.keep(&[began(7, "alice"), began(8, "alice"), handed_out(8, "token", None)]));
        gate.keeper.inner.differs.notify_one();
    }
    assert_eq!(redis.gate().find("token").map(|found| found.len()), Some(2));
}

#[test]
fn a_command_that_redis_refuses_leaves_the_counters_alone() {
    let redis = Redis::start();
    let _: String = redis.ask(&["ACL", "SETUSER", "default", "-xadd", "-xread"]);
    let gate = redis.gate();
    assert!(!gate.keep(&[ended(7)]));
    let store = &gate.keeper.inner.store.0;
    assert_eq!(store.circuit.failures(), 0);
    let _: String = redis.ask(&["ACL", "SETUSER", "default", "+xadd", "+xread"]);
    until("it is tried again", || redis.number(&["EXISTS", "m:sessions"]) == 1);
}
