//! An app that has more to do than it can: who waits, and for how long.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use crate::{
    kit::{Answer, Client, Setup, eventually},
    throttle::{from, get},
};

/// Connections of one client that asks again and again.
const FLOOD: usize = 48;

/// Runs something beside a flood from one address; hands it the number of answers that the flood has had so far.
fn beside_flood<T>(address: SocketAddr, then: impl FnOnce(&AtomicUsize) -> T) -> (T, Vec<Answer>) {
    let (over, answered, others) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let outcome = thread::scope(|scope| {
        for _ in 0..FLOOD {
            scope.spawn(|| {
                let mut client = from("127.0.3.1", address);
                while !over.load(SeqCst) {
                    let answer = get(&mut client, "/work", "");
                    answered.fetch_add(1, SeqCst);
                    if answer.status != 200 {
                        others.lock().expect("no panic").push(answer);
                    }
                }
            });
        }
        let outcome = then(&answered);
        over.store(true, SeqCst);
        outcome
    });
    (outcome, others.into_inner().expect("no panic"))
}

/// How many answers the flood gets while another client waits for one: the median of some tries.
fn answers_meanwhile(config: &str) -> usize {
    let gateway = Setup::run("busy:app").config(config).start();
    let mut client = Client::connect(gateway.addr());
    for _ in 0..3 {
        // What a request takes alone is learned here.
        assert_eq!(get(&mut client, "/work", "").status, 200);
    }
    let (mut meanwhile, _) = beside_flood(gateway.addr(), |answered| {
        // By then it has been noticed that the app is busy.
        eventually("the flood is answered", || (answered.load(SeqCst) >= 4 * FLOOD).then_some(()));
        let mut ask = || {
            let before = answered.load(SeqCst);
            assert_eq!(get(&mut client, "/work", "").status, 200);
            answered.load(SeqCst) - before
        };
        [(); 15].map(|()| ask())
    });
    meanwhile.sort_unstable();
    println!("{meanwhile:?}");
    meanwhile[7]
}

#[test]
fn one_request_does_not_wait_for_all_of_somebody_elses() {
    let in_turn = answers_meanwhile("");
    assert!(in_turn < FLOOD / 3, "{in_turn} others were answered first");
    let in_order = answers_meanwhile("[app]\nqueue-timeout = \"0s\"\n");
    assert!(in_order > FLOOD * 2 / 3, "this is what a busy app does by itself: {in_order}");
}

#[test]
fn who_has_waited_too_long_is_told_when_to_come_back() {
    let gateway = Setup::run("busy:app").config("[app]\nqueue-timeout = \"100ms\"\n").start();
    assert_eq!(get(&mut Client::connect(gateway.addr()), "/work", "").status, 200);
    let ((), refused) = beside_flood(gateway.addr(), |answered| {
        eventually("the flood is answered", || (answered.load(SeqCst) >= 10 * FLOOD).then_some(()));
    });
    let refused = refused.first().expect("some have waited too long");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(String::from_utf8_lossy(&refused.body).contains("app-busy"));
}

#[test]
fn an_app_that_waits_for_something_else_gets_all_at_once() {
    let gateway = Setup::run("busy:app").start();
    let address = gateway.addr();
    assert_eq!(get(&mut Client::connect(address), "/news", "").status, 200);
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                for _ in 0..5 {
                    assert_eq!(get(&mut client, "/news", "").status, 200);
                }
            });
        }
    });
    let most = get(&mut Client::connect(address), "/most", "").body;
    let most: usize = String::from_utf8_lossy(&most).parse().expect("a number");
    assert!(most > 90, "{most} of 100 at once");
}

#[test]
fn a_client_has_no_more_in_the_apps_hands_than_it_may() {
    let gateway = Setup::run("busy:app")
        .config("[throttle]\nrate = \"100000/s\"\nburst = 100000\nconcurrent = 5\n")
        .start();
    let address = gateway.addr();
    let statuses = Mutex::new(Vec::new());
    let ask = |from_address: &str| {
        let status = get(&mut from(from_address, address), "/news", "").status;
        statuses.lock().expect("no panic").push(status);
    };
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| ask("127.0.3.1"));
        }
    });
    let mut statuses = statuses.into_inner().expect("no panic");
    statuses.sort_unstable();
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    let most = get(&mut Client::connect(address), "/most", "").body;
    assert_eq!(String::from_utf8_lossy(&most), "5");
    let records = gateway.end().audit;
    let seen: Vec<_> = records.iter().map(|one| (one["reason"].as_str(), one["subject"].as_str())).collect();
    assert_eq!(seen, [(Some("rate-limited"), Some("concurrent"))]);
}
