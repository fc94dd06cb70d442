//! Refusals by the hundred thousand: what is recorded of them, and how much that is.

use std::{net::SocketAddr, thread};

use crate::kit::{
    Client, Gateway, Setup, Upstream,
    gateway::End,
    http2::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, WINDOW_UPDATE, block, frame},
};

/// Most bytes that records of one kind may take in a minute, and the summaries.
const MOST: u64 = 600 << 10;

fn gateway(config: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let gateway = Setup::serve(&upstream.url()).config(config).start();
    (upstream, gateway)
}

/// Sends so many requests on one connection, and reads their answers.
fn pipeline(address: SocketAddr, request: impl Fn(usize) -> String, count: usize, status: u16) {
    let mut client = Client::connect(address);
    for batch in (0..count).collect::<Vec<_>>().chunks(100) {
        client.send(batch.iter().map(|number| request(*number)).collect::<String>());
        for _ in batch {
            assert_eq!(client.answer().status, status);
        }
    }
}

/// The end of a gateway; its records take at most so much for each kind. What it said on the terminal is bounded, too.
fn end(gateway: Gateway, kinds: u64) -> End {
    let lines = gateway.stderr().lines().count();
    let end = gateway.end();
    let minutes = end.sums.iter().filter(|sum| sum["client_ip"].is_null()).count() as u64 / kinds + 1;
    let size: u64 = end.audit.iter().chain(&end.sums).map(|record| record.to_string().len() as u64).sum();
    println!("{} records and {} sums, {size} bytes, {lines} lines", end.audit.len(), end.sums.len());
    assert!(size < MOST * kinds * minutes, "{size} bytes in {minutes} windows");
    assert!(lines as u64 <= 500 * kinds * minutes, "{lines} lines");
    end
}

#[test]
fn a_hundred_thousand_refusals_of_one_address_are_few_records_and_exact_counts() {
    let (_upstream, gateway) = gateway("[host]\nallow = [\"localhost\"]\n");
    let address = gateway.addr();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                let path = |_| "GET /a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
                pipeline(address, path, 10_000, 400);
                let host = |_| "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n".to_owned();
                pipeline(address, host, 10_000, 400);
                for _ in 0..500 {
                    let mut client = Client::connect(address);
                    let answer = client.ask("GET / HTTP/1.1\r\nHost: localhost\r\nBad Name: x\r\n\r\n");
                    assert_eq!(answer.status, 400);
                }
            });
        }
        scope.spawn(move || refused_over_http2(address, 180));
    });
    let end = end(gateway, 3);
    assert_eq!(end.count("path-dot-segment"), 40_000 + 18_000);
    assert_eq!(end.count("host-unknown"), 40_000);
    assert_eq!(end.count("header-malformed"), 2_000);
    for reason in ["path-dot-segment", "host-unknown", "header-malformed"] {
        let of_reason = |record: &&serde_json::Value| record["reason"] == reason;
        let first = end.audit.iter().find(of_reason).expect("the first are recorded in full");
        assert_eq!(
            (&first["security_event"], &first["client_ip"]),
            (&"request-refused".into(), &"127.0.0.1".into())
        );
        assert!(first["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{first}");
        let of_address = end.sums.iter().filter(of_reason).find(|sum| sum["client_ip"] == "127.0.0.1");
        let sum = of_address.expect("the address is named");
        assert!(sum["summed"]["count"].as_u64() > Some(0) && sum["summed"]["kept"] == 100, "{sum}");
    }
}

/// Hundreds of bad paths, each on a stream of its own.
fn refused_over_http2(address: SocketAddr, hundreds: u32) {
    let fields =
        block(&[(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/a/../b")]);
    let mut frames = Frames::open(address, &[]);
    for hundred in 0..hundreds {
        let streams = (0..100).map(|number| 2 * (100 * hundred + number) + 1);
        let requests = streams.map(|stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields));
        frames.try_send(requests.collect::<Vec<_>>().concat());
        frames.try_send(frame(WINDOW_UPDATE, 0, 0, &[0, 0, 255, 255]));
        let mut left = 100;
        while left > 0 {
            let piece = frames.next().expect("the connection goes on");
            left -= usize::from([HEADERS, DATA].contains(&piece.kind) && piece.flags & END_STREAM != 0);
        }
    }
}

#[test]
fn a_hundred_thousand_refusals_of_ten_thousand_addresses_are_as_few() {
    let (_upstream, gateway) = gateway("[client]\ntrusted = [\"loopback\"]\n");
    let address = gateway.addr();
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let path = |number: usize| {
                    let client = (thread * 25_000 + number) % 10_000;
                    let client =
                        format!("198.{}.{}.7", 18 + client / 256 % 2, client % 256 + client / 512 % 2);
                    let client = if number.is_multiple_of(2) {
                        client
                    } else {
                        format!("2001:db8:{:x}::1", (thread * 25_000 + number) % 10_000)
                    };
                    format!("GET /a/../b HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\n\r\n")
                };
                pipeline(address, path, 25_000, 400);
            });
        }
    });
    let end = end(gateway, 1);
    assert_eq!(end.count("path-dot-segment"), 100_000);
    let all = end.sums.iter().find(|sum| sum["client_ip"].is_null()).expect("a sum of all");
    assert!(all["summed"]["addresses"].as_u64() > Some(1_000), "{all}");
}

#[test]
fn balanced_connections_that_are_refused_are_counted_for_whom_they_are() {
    let (_upstream, gateway) = gateway("[client]\nproxy-protocol = true\n");
    let address = gateway.addr();
    for number in 0..1_000 {
        let mut client = Client::connect(address);
        client.send(format!("PROXY TCP4 198.51.{}.{} 127.0.0.1 4711 80\r\n", number / 100, number % 100));
        assert_eq!(client.ask("GET /a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 400);
    }
    for _ in 0..300 {
        let mut client = Client::connect(address);
        client.send("PROXY NONSENSE\r\n");
        client.expect_closed();
    }
    let end = end(gateway, 2);
    assert_eq!((end.count("path-dot-segment"), end.count("proxy-header-malformed")), (1_000, 300));
    let of_connections = end.audit.iter().filter(|record| record["security_event"] == "connection-refused");
    assert_eq!(of_connections.count(), 10);
}

#[test]
fn an_app_that_is_away_is_told_of_a_few_times() {
    let (upstream, gateway) = gateway("");
    drop(upstream);
    pipeline(gateway.addr(), |_| "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 3_344, 503);
    let end = end(gateway, 1);
    assert_eq!(end.count("app-unavailable"), 3_344);
    assert!(end.audit.len() <= 100, "{}", end.audit.len());
}

#[test]
fn refusals_of_a_rate_are_counted_beside_the_one_that_is_recorded() {
    let (_upstream, gateway) = gateway("[throttle]\nrate = \"1/h\"\nburst = 1\ntarpit = \"0s\"\n");
    let mut client = Client::connect(gateway.addr());
    let statuses: Vec<_> = (0..100).map(|_| client.get("/").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 99);
    let end = gateway.end();
    let refused: Vec<_> = end.audit.iter().filter(|record| record["reason"] == "rate-limited").collect();
    assert_eq!((refused.len(), end.count("rate-limited")), (1, 99));
}
