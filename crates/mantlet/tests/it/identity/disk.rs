//! A disk that is full: requests go on, what has happened is kept in memory and said once, and it is
//! written when there is room again.

use std::{fs, path::Path};

use rustix::process::Signal;

use super::refresh::{ENFORCED, Standing, ask, is_at_peace, log_in, me, refresh, refreshing, refused};
use crate::kit::{Gateway, eventually};

const FILES: [&str; 3] = ["sessions.jsonl", "refresh-tokens.jsonl", "keys.jsonl"];

fn lengths(state: &Path) -> [u64; 3] {
    FILES.map(|name| fs::metadata(state.join(name)).map_or(0, |found| found.len()))
}

fn made(gate: &Gateway, arguments: &[&str]) -> String {
    let said = gate.tell(&[&["keys"], arguments].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    said.stdout.trim().to_owned()
}

#[test]
fn a_full_disk_costs_nothing_that_is_in_memory() {
    let app = Standing::start();
    let state = tempfile::tempdir().expect("a folder");
    let gateway = app.gate(state.path(), ENFORCED);
    let address = gateway.addr();
    let (_, first) = log_in(address);
    let (ended, last) = log_in(address);
    let key = made(&gateway, &["create", "ci"]);
    let id = key.split('_').nth(2).expect("an id");
    eventually("all is written", || lengths(state.path()).iter().all(|length| *length > 0).then_some(()));

    gateway.set_room(false);
    let (access, second) = refresh(address, &first);
    let (_, other) = log_in(address);
    let (_, third) = refresh(address, &second);
    assert_eq!(ask(address, refreshing("/logout", &last)).status, 200);
    assert_eq!((me(address, &access), me(address, &ended)), (200, 401));
    assert_eq!(refused(address, &last), (401, "refresh-token-invalid".to_owned()));
    let said = gateway.tell(&["keys", "create", "later"]);
    assert!(said.code != Some(0) && said.stderr.contains("it was not made"), "{}", said.stderr);
    let said = gateway.tell(&["keys", "revoke", id]);
    assert!(said.stderr.contains("the state folder cannot be written now"), "{}", said.stderr);
    let before = lengths(state.path());
    for name in FILES {
        gateway.wait_for(&format!("{name}` cannot be written: File too large"), 1);
    }

    // Without another request.
    gateway.set_room(true);
    eventually("it is written", || {
        let now = lengths(state.path());
        now.iter().zip(before).all(|(now, before)| *now > before).then_some(())
    });
    for name in FILES {
        assert_eq!(gateway.stderr().matches(&format!("{name}` cannot be written")).count(), 1, "{name}");
    }
    gateway.signal(Signal::KILL);
    gateway.wait();
    let gateway = app.gate(state.path(), ENFORCED);
    let address = gateway.addr();
    assert_eq!((me(address, &access), me(address, &ended)), (200, 401));
    assert_eq!(refused(address, &last), (401, "refresh-token-invalid".to_owned()));
    refresh(address, &other);
    let (_, fourth) = refresh(address, &third);
    refresh(address, &fourth);
    is_at_peace(app.address);
    let keys = made(&gateway, &["list", "--all"]);
    assert!(keys.contains("revoked") && !keys.contains("later"), "{keys}");
}
