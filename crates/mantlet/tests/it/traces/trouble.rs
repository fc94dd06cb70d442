//! A collector that is away, hangs or comes back: requests do not wait, and what is lost is counted.

use std::net::TcpListener;

use super::{app_in, ask};
use crate::kit::{Client, Gateway, Setup, Upstream, eventually};

/// A figure of the gate.
fn figure(gateway: &Gateway, name: &str) -> u64 {
    let text = gateway.tell(&["metrics"]).stdout;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

fn answering() -> Upstream {
    Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn a_collector_that_is_away_is_said_once_and_spans_are_counted() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!("[traces]\nendpoint = \"http://{address}\"\n");
    let gateway = app_in(&folder).config(&config).start();
    for round in 1..=2 {
        assert_eq!(ask(&gateway, "/orders/1", "").status, 200);
        // The gate's own, and the step of the app.
        eventually("the spans are counted", || {
            (figure(&gateway, "mantlet_spans_dropped_total") == 2 * round).then_some(())
        });
    }
    assert_eq!(figure(&gateway, "mantlet_spans_total"), 0);
    assert_eq!(gateway.stderr().matches("spans are lost").count(), 1, "{}", gateway.stderr());
}

#[test]
fn a_collector_that_hangs_costs_requests_nothing() {
    // It takes connections and never says a word.
    let hanging = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = hanging.local_addr().expect("an address");
    let upstream = answering();
    let config = format!("[traces]\nendpoint = \"http://{address}\"\n");
    let gateway = Setup::serve(&upstream.url()).config(&config).start();
    let mut client = Client::connect(gateway.addr());
    // More than wait and are under way together.
    for _ in 0..3_000 {
        assert_eq!(client.get("/").status, 200);
    }
    let dropped = figure(&gateway, "mantlet_spans_dropped_total");
    assert!(dropped > 0, "the queue is full");
    // The end does not wait for it for long, either: the kit is patient, and a person is not.
    gateway.end();
}

#[test]
fn a_collector_that_refuses_is_not_asked_again() {
    // It would be asked four times if it might take them later.
    let collector = Upstream::answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let address = collector.listen_on_tcp();
    let upstream = answering();
    let config = format!("[traces]\nendpoint = \"http://{address}\"\n");
    let gateway = Setup::serve(&upstream.url()).config(&config).start();
    Client::connect(gateway.addr()).get("/");
    eventually("the spans are counted", || {
        (figure(&gateway, "mantlet_spans_dropped_total") == 2).then_some(())
    });
    assert!(gateway.stderr().contains("status code: 400"), "{}", gateway.stderr());
    let asked = String::from_utf8_lossy(&collector.seen()).to_ascii_lowercase();
    assert_eq!(asked.matches("post /v1/traces http/1.1").count(), 1, "{asked}");
    assert!(asked.contains("content-type: application/x-protobuf"), "{asked}");
}
