//! A gate that is killed in the middle of its work, beside another one on the same database.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    database::{url_of, with_postgres},
    site::{PASSWORD, Site, session},
};
use crate::kit::{PATIENCE, eventually, postgres::Postgres};

const NEW: &str = "another long pass phrase";
/// Clients that register, and as many that change their passwords.
const CLIENTS: usize = 25;
/// Answers after which the gate is killed.
const KILLED_AFTER: [usize; 3] = [1, 10, 25];

/// What must be true of a database at any time.
const INVARIANTS: [(&str, &str); 5] = [
    (
        "an account has one address",
        "SELECT count(*) FROM accounts a WHERE 1 <> (SELECT count(*) FROM addresses d \
         WHERE d.account = a.id AND d.kept_until IS NULL AND d.address = lower(a.address))",
    ),
    (
        "an address has an account",
        "SELECT count(*) FROM addresses WHERE account NOT IN (SELECT id FROM accounts)",
    ),
    (
        "who has to verify has a link, and it was mailed",
        "SELECT count(*) FROM accounts a WHERE a.verified IS NULL AND (NOT EXISTS \
         (SELECT 1 FROM links l WHERE l.account = a.id AND l.epoch = a.epoch AND l.purpose = 'verify') \
         OR NOT EXISTS (SELECT 1 FROM outbox o WHERE o.account = a.id AND o.kind = 'verify'))",
    ),
    (
        "who has another password was told",
        "SELECT count(*) FROM accounts a WHERE a.address LIKE 'old%' AND a.epoch > 1 AND NOT EXISTS \
         (SELECT 1 FROM outbox o WHERE o.account = a.id AND o.kind = 'password-changed')",
    ),
    (
        "a live session is of its account's epoch",
        "SELECT count(*) FROM sessions s JOIN accounts a ON a.id = s.account \
         WHERE s.ended IS NULL AND s.epoch <> a.epoch",
    ),
];

/// The status of an answer, if there is one.
fn status(gate: SocketAddr, path: &str, lines: &str, body: &Value) -> Option<u16> {
    let body = body.to_string();
    let mut socket = TcpStream::connect(gate).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         {lines}Connection: close\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    answer.get(9..12)?.parse().ok()
}

fn credentials(address: &str, password: &str) -> Value {
    json!({ "email": address, "password": password })
}

/// Accounts whose passwords can be changed: their cookies.
fn people(site: &Site, postgres: &Postgres, round: usize) -> Vec<(String, String)> {
    let addresses: Vec<_> = (0..CLIENTS).map(|number| format!("old{round}-{number}@example.com")).collect();
    for address in &addresses {
        let asked = credentials(address, PASSWORD);
        assert_eq!(site.post_json("/auth/api/register", &asked, "").status, 202);
    }
    postgres.tell("postgres", "UPDATE accounts SET verified = created");
    let with_cookie = |address: String| {
        let cookie = session(&site.cookie(&address));
        (address, cookie)
    };
    addresses.into_iter().map(with_cookie).collect()
}

/// What the clients were answered: registrations, then changes of passwords.
fn killed_meanwhile(
    site: &Site,
    people: &[(String, String)],
    round: usize,
    answers: usize,
) -> [Vec<Option<u16>>; 2] {
    let (gate, barrier, count) = (site.gate.addr(), Barrier::new(2 * CLIENTS + 1), AtomicUsize::new(0));
    let ask = |path: &str, lines: &str, body: &Value| {
        barrier.wait();
        let status = status(gate, path, lines, body);
        count.fetch_add(1, SeqCst);
        status
    };
    thread::scope(|scope| {
        let ask = &ask;
        let registering: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let asked = credentials(&format!("new{round}-{number}@example.com"), PASSWORD);
                scope.spawn(move || ask("/auth/api/register", "", &asked))
            })
            .collect();
        let changing: Vec<_> = people
            .iter()
            .map(|(_, cookie)| {
                let asked = json!({ "current_password": PASSWORD, "new_password": NEW });
                scope.spawn(move || ask("/auth/api/password", cookie, &asked))
            })
            .collect();
        barrier.wait();
        eventually("some are answered", || (count.load(SeqCst) >= answers).then_some(()));
        site.gate.signal(Signal::KILL);
        [registering, changing]
            .map(|clients| clients.into_iter().map(|client| client.join().expect("a client")).collect())
    })
}

#[test]
fn a_gate_that_is_killed_leaves_whole_accounts_and_the_other_one_goes_on() {
    let postgres = Postgres::start();
    let url = url_of(&postgres);
    let other = with_postgres(&url);
    let mut unanswered = 0;
    for (round, answers) in KILLED_AFTER.into_iter().enumerate() {
        let killed = with_postgres(&url);
        let people = people(&killed, &postgres, round);
        let [registered, changed] = killed_meanwhile(&killed, &people, round, answers);
        for (what, sql) in INVARIANTS {
            assert_eq!(postgres.tell("postgres", sql), "0", "{what}");
        }
        for (number, status) in registered.iter().enumerate() {
            assert!(matches!(status, None | Some(202 | 503)), "{status:?}");
            let address = format!("new{round}-{number}@example.com");
            let count = format!("SELECT count(*) FROM accounts WHERE address = '{address}'");
            assert!(*status != Some(202) || postgres.tell("postgres", &count) == "1", "{address} is kept");
            // Whatever has become of it, it can be asked for again.
            assert_eq!(
                other.post_json("/auth/api/register", &credentials(&address, PASSWORD), "").status,
                202
            );
            assert_eq!(postgres.tell("postgres", &count), "1");
        }
        for ((address, _), status) in people.iter().zip(&changed) {
            assert!(matches!(status, None | Some(204 | 503)), "{status:?}");
            let log_in =
                |password| other.post_json("/auth/api/login", &credentials(address, password), "").status;
            let good = (log_in(PASSWORD), log_in(NEW));
            let is_changed = good == (401, 200);
            assert!(is_changed || good == (200, 401), "{address} has one password: {good:?}");
            assert!(is_changed || *status != Some(204), "{address}: what was answered is kept");
        }
        let all = registered.iter().chain(&changed);
        unanswered += all.filter(|status| status.is_none()).count();
    }
    assert!(unanswered > 0, "it was killed in the middle");
    println!("{unanswered} of {} were not answered", KILLED_AFTER.len() * 2 * CLIENTS);
}
