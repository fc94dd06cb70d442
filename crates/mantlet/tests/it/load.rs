//! How much clients may ask where nothing is configured: as much as the app can carry.

use std::{net::SocketAddr, thread};

use crate::{
    kit::{Client, Setup, Upstream, command::Typed},
    throttle::get,
};

/// An app that answers at once, and goes on listening.
fn quick() -> Upstream {
    Upstream::new(|connection| {
        while connection.read_head().ends_with(b"\r\n\r\n") {
            connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    })
}

/// Asks so often on so many connections at once; all are answered by the app.
fn ask(address: SocketAddr, connections: usize, each: usize, headers: &str) {
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                for _ in 0..each {
                    assert_eq!(get(&mut client, "/", headers).status, 200);
                }
            });
        }
    });
}

#[test]
fn whoever_asks_much_of_an_app_that_can_carry_it_is_not_refused() {
    let upstream = quick();
    let gateway = Setup::serve(&upstream.url()).config("[throttle]\n").start();
    ask(gateway.addr(), 16, 500, "");
    assert!(gateway.end().audit.is_empty(), "nor is a process of this machine worth a record");
}

#[test]
fn whoever_asks_much_from_elsewhere_is_recorded_once() {
    let upstream = quick();
    let trusting = "[client]\ntrusted = [\"loopback\"]\n";
    let forwarded = "X-Forwarded-For: 203.0.113.7\r\n";
    let gateway = Setup::serve(&upstream.url()).config(&format!("{trusting}[throttle]\n")).start();
    ask(gateway.addr(), 16, 200, forwarded);
    let end = gateway.end();
    let [record] = end.audit.as_slice() else { panic!("{:?}", end.audit) };
    let expected = ["request-would-be-refused", "rate-limited", "client", "203.0.113.7", "report"];
    assert_eq!(
        ["security_event", "reason", "subject", "client_ip", "mode"].map(|key| &record[key]),
        expected
    );
    // One line brings the number back.
    let fixed = format!("{trusting}[throttle]\nrate = \"100/s\"\n");
    let gateway = Setup::serve(&upstream.url()).config(&fixed).start();
    let mut client = Client::connect(gateway.addr());
    let mut statuses = (0..5_000).map(|_| get(&mut client, "/", forwarded).status);
    assert!(statuses.any(|status| status == 429));
}

#[test]
fn a_burst_without_a_rate_is_a_mistake() {
    let checked =
        Typed::mantlet(["config", "check"]).file("mantlet.toml", "[throttle]\nburst = 50\n").finish();
    assert!(checked.stderr.contains("write `rate = \"100/s\"` beside it"), "{}", checked.stderr);
}
