//! Measurements, which assert no time: `cargo test --release -p mantlet --test it accounts::measured -- --ignored --nocapture
//! --test-threads=1`, with the environment that `cargo xtask test` sets.

use std::{
    fs,
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    database::{url_of, variables},
    flood::Flood,
    site::{ISSUER, PASSWORD, Site, session},
};
use crate::kit::{
    PATIENCE, Setup,
    command::{Finished, Typed},
    eventually_within,
    postgres::Postgres,
    processes::Footprint,
};

const ACCOUNTS: usize = 100_000;
/// bcrypt's of [`PASSWORD`], as most frameworks write it.
const HASH: &str = "$2b$12$abcdefghijklmnopqrstuu0sDWleciW5uGBGYwxpcgAsh9WK4bWNy";
/// How long a rate is measured.
const A_WHILE: Duration = Duration::from_secs(20);

/// A database, and who commands it.
struct Place {
    name: &'static str,
    folder: TempDir,
    postgres: Option<Postgres>,
}

impl Place {
    fn all() -> [Self; 2] {
        [("SQLite", None), ("PostgreSQL", Some(Postgres::start()))].map(|(name, postgres)| Self {
            name,
            folder: tempfile::tempdir().expect("a folder"),
            postgres,
        })
    }

    fn keys(&self) -> &'static str {
        match self.postgres {
            Some(_) => "database = \"env:ACCOUNTS_DATABASE\"\nkey = \"env:ACCOUNTS_KEY\"\n",
            None => "",
        }
    }

    /// Types `mantlet accounts`; how long it took, its start included.
    fn tell(&self, arguments: &[&str]) -> (Finished, Duration) {
        let state = self.folder.path().join("state");
        let config = format!(
            "state-folder = {:?}\n[accounts]\nurl = \"{ISSUER}\"\n{}",
            state.to_str().expect("text"),
            self.keys()
        );
        let mut typed = Typed::mantlet([&["accounts"], arguments].concat()).file("mantlet.toml", &config);
        for (name, value) in
            self.postgres.as_ref().map(|postgres| variables(&url_of(postgres))).unwrap_or_default()
        {
            typed = typed.variable(name, value);
        }
        let start = Instant::now();
        let finished = typed.start().wait_within(20 * PATIENCE);
        let took = start.elapsed();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        (finished, took)
    }

    fn size(&self) -> u64 {
        if let Some(postgres) = &self.postgres {
            let size = postgres.tell("postgres", "SELECT pg_database_size('postgres')");
            return size.parse().expect("a number");
        }
        let file = self.folder.path().join("state/accounts.db");
        fs::metadata(file).expect("the database").len()
    }

    fn start(&self) -> Site {
        let variables = self.postgres.as_ref().map(|postgres| variables(&url_of(postgres)));
        let state = self.folder.path().join("state");
        let setup = Setup::run("recorder:app").state(&state).variables(variables.unwrap_or_default());
        Site::around(setup.config(&super::site::config(self.keys())).start(), &state)
    }
}

/// What another framework had, as `import` reads it.
fn rows(count: usize) -> String {
    let line = |number| {
        let address = format!("user{number}@example.com");
        format!("{}\n", json!({ "address": address, "password-hash": HASH, "verified": true }))
    };
    (0..count).map(line).collect()
}

fn log_in(site: &Site, address: &str) -> Duration {
    let asked = json!({ "email": address, "password": PASSWORD });
    let start = Instant::now();
    let answer = site.post_json("/auth/api/login", &asked, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    start.elapsed()
}

#[test]
#[ignore = "a measurement: minutes"]
fn a_hundred_thousand_accounts() {
    let lines = rows(ACCOUNTS);
    for place in Place::all() {
        let file = place.folder.path().join("old.jsonl");
        fs::write(&file, &lines).expect("a file");
        println!("{}:", place.name);
        let empty = if place.postgres.is_some() { place.size() } else { 0 };
        let (said, took) = place.tell(&["import", file.to_str().expect("text")]);
        println!("  {}: {took:.1?}", said.stdout.trim());
        let size = place.size() - empty;
        println!("  {} MiB, {} bytes an account", size >> 20, size / ACCOUNTS as u64);
        let (_, took) = place.tell(&["list"]);
        println!("  the first page of 100, with the start of the command: {took:.0?}");
        let (start, mut after, mut count) = (Instant::now(), String::new(), 0);
        loop {
            let arguments = ["list", "--json", "--most", "1000", "--after", &after];
            let (said, _) = place.tell(&arguments[..if after.is_empty() { 4 } else { 6 }]);
            let page: Value = serde_json::from_str(&said.stdout).expect("JSON");
            count += page["accounts"].as_array().expect("accounts").len();
            let Some(next) = page["next"].as_str() else { break };
            next.clone_into(&mut after);
        }
        assert_eq!(count, ACCOUNTS);
        println!("  all, in 100 pages of 1000: {:.1?}", start.elapsed());
        let (_, took) = place.tell(&["show", "user77777@example.com"]);
        println!("  one of them: {took:.0?}");
        let site = place.start();
        println!("  a first login, which checks bcrypt: {:.0?}", log_in(&site, "user77777@example.com"));
        println!("  the next one: {:.0?}", log_in(&site, "user77777@example.com"));
    }
}

/// The middle and the 99th percentile of what one client waits for another's page, for a while.
fn waits(site: &Site, cookie: &str) -> (Duration, Duration) {
    let (start, mut all) = (Instant::now(), Vec::new());
    while start.elapsed() < A_WHILE {
        let one = Instant::now();
        assert_eq!(site.get("/x", cookie).status, 200);
        all.push(one.elapsed());
    }
    all.sort();
    (all[all.len() / 2], all[all.len() * 99 / 100])
}

#[test]
#[ignore = "a measurement: minutes"]
fn a_flood_of_logins() {
    let [place, _] = Place::all();
    let file = place.folder.path().join("old.jsonl");
    fs::write(&file, rows(200)).expect("a file");
    place.tell(&["import", file.to_str().expect("text")]);
    let site = place.start();
    for number in 0..200 {
        // The hashes become Argon2id's.
        log_in(&site, &format!("user{number}@example.com"));
    }
    let cookie = session(&site.cookie("user0@example.com"));
    let (middle, last) = waits(&site, &cookie);
    println!("another's requests, alone: p50 {middle:.2?}, p99 {last:.2?}");
    let (flood, footprint) = (Flood::of(&site, PASSWORD), Footprint::of(site.gate.pid()));
    flood.during(|| {
        eventually_within(PATIENCE, "logins begin", || (flood.decided.load(SeqCst) > 0).then_some(()));
        let (start, before) = (Instant::now(), flood.decided.load(SeqCst));
        let (middle, last) = waits(&site, &cookie);
        let decided = flood.decided.load(SeqCst) - before;
        println!("beside 200 clients that log in: p50 {middle:.2?}, p99 {last:.2?}");
        println!("logins: {decided} in {:.1?}", start.elapsed());
    });
    println!("{:?}", flood.statuses());
    footprint.grown("200 clients that log in");
}
