//! Streams without an end, and an app that comes and goes.

use super::{Both, ENFORCED};
use crate::kit::{Client, Setup, eventually};

#[test]
fn streams_whose_listeners_vanish() {
    let both = Both::of("misfits.paths:app");
    let mut clients: Vec<_> = (0..20).map(|_| Client::connect(both.gateway.addr())).collect();
    for client in &mut clients {
        client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.head().header("content-type"), Some("text/event-stream; charset=utf-8"));
        assert_eq!(client.chunk().as_deref(), Some(&b"data: tick\n\n"[..]));
    }
    let listeners = || Client::connect(both.gateway.addr()).get("/listeners").json()["listeners"].as_u64();
    assert_eq!(listeners(), Some(20));
    drop(clients);
    eventually("the app has no listener", || (listeners() == Some(0)).then_some(()));
    both.check(&[]);
}

#[test]
fn an_app_that_comes_and_goes() {
    let gateway = Setup::run("misfits.paths:app").config(ENFORCED).start();
    let ask = |path: &str| Client::connect(gateway.addr()).get(path);
    let mut pid = ask("/number/7").json()["pid"].clone();
    for _ in 0..3 {
        let die = "POST /die HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(Client::connect(gateway.addr()).ask(die).status, 502);
        // Whether it is there or not, what it would refuse is refused: the contract is in force.
        let refused = ask("/number/x");
        assert!(refused.status == 422 && refused.code() == "input-invalid", "{refused:?}");
        let again = eventually("the app is back", || {
            let answer = ask("/number/7");
            (answer.status == 200).then(|| answer.json()["pid"].clone())
        });
        assert_ne!(pid, again);
        pid = again;
    }
}
