//! Many logins at once, and who else asks meanwhile.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use serde_json::json;

use super::site::{PASSWORD, Site, session};
use crate::kit::{Client, eventually, processes::Footprint};

/// Logins at the same time.
const CLIENTS: usize = 200;
/// Bytes by which a flood may make the gate grow: 19 MiB for each of four hashes at once, and what connections take.
const MOST: u64 = (4 * 19 + 64) << 20;

/// Clients that log in again and again, with passwords that are right or wrong.
pub(super) struct Flood {
    gate: SocketAddr,
    password: &'static str,
    over: AtomicBool,
    /// Logins that were decided.
    pub(super) decided: AtomicUsize,
    statuses: Mutex<BTreeMap<u16, usize>>,
}

impl Flood {
    pub(super) fn of(site: &Site, password: &'static str) -> Self {
        let (over, decided) = (AtomicBool::default(), AtomicUsize::default());
        Self { gate: site.gate.addr(), password, over, decided, statuses: Mutex::default() }
    }

    /// Floods while something is done.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        // It ends even where the work fails: the clients would never.
        struct Over<'f>(&'f AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, SeqCst);
            }
        }
        thread::scope(|scope| {
            for number in 0..CLIENTS {
                scope.spawn(move || self.log_in_again(number));
            }
            let _over = Over(&self.over);
            work()
        })
    }

    /// How often there was which status.
    pub(super) fn statuses(&self) -> BTreeMap<u16, usize> {
        self.statuses.lock().expect("a lock").clone()
    }

    fn log_in_again(&self, number: usize) {
        let body = json!({ "email": format!("user{number}@example.com"), "password": self.password });
        let body = body.to_string();
        let request = format!(
            "POST /auth/api/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut client = Client::connect(self.gate);
        while !self.over.load(SeqCst) {
            let answer = client.ask(&request);
            *self.statuses.lock().expect("a lock").entry(answer.status).or_default() += 1;
            if answer.status == 503 {
                let wait = answer.header("retry-after").and_then(|text| text.parse().ok());
                // A client that does as it is told, as far as the flood lasts.
                let wait = Duration::from_secs(wait.expect("Retry-After"));
                let steps = wait.as_millis() / 50;
                for _ in 0..steps {
                    if !self.over.load(SeqCst) {
                        thread::sleep(Duration::from_millis(50));
                    }
                }
            } else {
                self.decided.fetch_add(1, SeqCst);
            }
        }
    }
}

#[test]
fn a_flood_of_logins_takes_no_more_memory_than_its_threads_and_nobody_elses_answers() {
    let site = Site::start("");
    site.register("ada@example.com");
    let cookie = session(&site.cookie("ada@example.com"));
    let (flood, footprint) = (Flood::of(&site, "wrong horse battery staple"), Footprint::of(site.gate.pid()));
    flood.during(|| {
        for _ in 0..20 {
            let goal = flood.decided.load(SeqCst) + 10;
            assert_eq!(site.get("/x", &cookie).status, 200);
            eventually("logins go on", || (flood.decided.load(SeqCst) >= goal).then_some(()));
        }
    });
    let statuses = flood.statuses();
    assert!(statuses.keys().all(|status| [401, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains_key(&503), "some had to wait: {statuses:?}");
    let grown = footprint.grown("a flood of logins");
    assert!(grown < MOST, "{grown} of {MOST} bytes");
    // A client that comes after it is answered as before.
    let asked = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(site.post_json("/auth/api/login", &asked, "").status, 200);
}
