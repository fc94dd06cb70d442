//! How much clients may ask where nothing is configured: as much as the app can carry.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use crate::{
    kit::{
        Client, Setup, Upstream, eventually,
        http2::{DATA, END_HEADERS, END_STREAM, Fate, Frames, HEADERS, PING, RST_STREAM, block, frame},
    },
    throttle::{from, get},
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
fn whoever_says_how_many_at_once_has_a_rate() {
    let upstream = quick();
    let gateway = Setup::serve(&upstream.url()).config("[throttle]\nburst = 5\n").start();
    let mut client = Client::connect(gateway.addr());
    let mut statuses = (0..5_000).map(|_| get(&mut client, "/", "").status);
    assert!(statuses.any(|status| status == 429));
}

/// An app of which each request works until the test lets it go on, and then answers; and how many have begun.
struct Halting {
    upstream: Upstream,
    begun: Arc<AtomicUsize>,
    go_on: Arc<AtomicBool>,
}

impl Halting {
    fn new() -> Self {
        let (begun, go_on) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, is_free) = (Arc::clone(&begun), Arc::clone(&go_on));
        let upstream = Upstream::new(move |connection| {
            while connection.read_head().ends_with(b"\r\n\r\n") {
                count.fetch_add(1, SeqCst);
                eventually("the app goes on", || is_free.load(SeqCst).then_some(()));
                connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
        });
        Self { upstream, begun, go_on }
    }
}

fn fields(method: &str, path: &str) -> Vec<u8> {
    block(&[(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)])
}

/// The status that a client gets after another has filled all places and left, and the status when the app has gone on.
fn after_all_have_left(fill: impl Fn(SocketAddr, &Halting)) -> (u16, u16) {
    let app = Halting::new();
    let gateway = Setup::serve(&app.upstream.url()).config("[app]\nmax-concurrent = 4\n").start();
    fill(gateway.addr(), &app);
    let address = gateway.addr();
    let next = thread::spawn(move || Client::connect(address).get("/").status);
    // It has come to the app, or it has been refused.
    let is_refused = || next.is_finished();
    eventually("it is decided on", || (is_refused() || app.begun.load(SeqCst) > 4).then_some(()));
    app.go_on.store(true, SeqCst);
    let later = eventually("there are places again", || {
        let status = Client::connect(gateway.addr()).get("/").status;
        (status == 200).then_some(status)
    });
    (next.join().expect("an answer"), later)
}

/// An app works on for a client that has left, so that client's places are not free. Where the machine was too slow to see it, it is tried again.
fn keep_their_places(fill: impl Fn(SocketAddr, &Halting)) {
    let mut tries = (0..5).map(|_| after_all_have_left(&fill));
    assert!(tries.any(|statuses| statuses == (503, 200)));
}

fn all_have_begun(app: &Halting) {
    eventually("all places are taken", || (app.begun.load(SeqCst) == 4).then_some(()));
}

#[test]
fn streams_that_are_reset_keep_their_places_while_the_app_works() {
    keep_their_places(|address, app| {
        let mut frames = Frames::open(address, &[]);
        for stream in [1, 3, 5, 7] {
            frames.send(HEADERS, END_HEADERS | END_STREAM, stream, &fields("GET", "/"));
        }
        all_have_begun(app);
        let resets = [1, 3, 5, 7].map(|stream| frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
        frames.try_send([&resets.concat()[..], &frame(PING, 0, 0, &[7; 8])].concat());
        while frames.next().expect("the connection goes on").kind != PING {}
    });
}

#[test]
fn clients_that_close_their_connections_keep_their_places_too() {
    keep_their_places(|address, app| {
        let clients = [(); 4].map(|()| {
            let mut client = Client::connect(address);
            client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client
        });
        all_have_begun(app);
        drop(clients);
    });
}

/// An app that answers when it has read all of a request.
fn that_reads() -> Upstream {
    Upstream::new(|connection| {
        loop {
            let head = String::from_utf8_lossy(&connection.read_head()).to_ascii_lowercase();
            if !head.ends_with("\r\n\r\n") {
                return;
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if let Some(length) = length {
                connection.skip(length);
            } else if head.contains("transfer-encoding") {
                // The chunks, up to the empty line after the last one.
                let is_whole = connection.read_head().ends_with(b"\r\n\r\n");
                if !is_whole {
                    return;
                }
            }
            connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    })
}

#[test]
fn bodies_that_never_come_take_no_more_than_their_half() {
    let upstream = that_reads();
    let gateway = Setup::serve(&upstream.url()).config("[app]\nmax-concurrent = 8\n").start();
    let mut frames = Frames::open(gateway.addr(), &[]);
    for number in 0..40 {
        frames.send(HEADERS, END_HEADERS, 2 * number + 1, &fields("POST", "/slow"));
        frames.send(DATA, 0, 2 * number + 1, b"x");
    }
    // The first are given to the app unfinished, after a moment.
    eventually("some are at the app", || (upstream.connections().1 >= 4).then_some(()));
    ask(gateway.addr(), 2, 50, "");
    let (_, open) = upstream.connections();
    assert!(open <= 4 + 4, "{open} connections to the app");
    // One that was held on is complete in the end, and answered.
    frames.send(DATA, END_STREAM, 79, b"y");
    assert_eq!(frames.fate(79), Fate::Answered(200));
    // The gate waits for requests that are under way.
    drop(frames);
    let end = gateway.end();
    assert_eq!(end.count("app-busy"), 0);
}

/// Floods from another network until told to stop, each as fast as it can.
fn flood(shape: &str, address: SocketAddr, over: &AtomicBool, refused: &AtomicUsize) {
    while !over.load(SeqCst) {
        let request = match shape {
            "bodies" => {
                let body = "x".repeat(10 << 10);
                format!(
                    "GET /work HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
            "bad paths" => "GET /a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
            _ => "GET /work HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        };
        let mut client = from("127.0.3.1", address);
        while !over.load(SeqCst) && client.try_send(&request) {
            let answer = client.answer();
            refused.fetch_add(usize::from(answer.status == 503 || answer.status == 400), SeqCst);
            if answer.header("connection") == Some("close") {
                break;
            }
        }
    }
}

/// Says that it is over, even if what went on has failed: the floods would never end.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Asks a slow app beside a flood; says how many of the flood were refused.
fn answered_beside(shape: &'static str) -> usize {
    // Fewer places than the flood asks for: who has his share of them is refused.
    let gateway = Setup::run("busy:app").config("[throttle]\n[app]\nmax-concurrent = 32\n").start();
    let address = gateway.addr();
    let mut client = Client::connect(address);
    for _ in 0..3 {
        assert_eq!(get(&mut client, "/work", "").status, 200);
    }
    let (over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..48 {
            scope.spawn(|| flood(shape, address, &over, &refused));
        }
        let _over = Over(&over);
        for _ in 0..30 {
            assert_eq!(get(&mut client, "/work", "").status, 200, "beside {shape}");
        }
        if ["requests", "bad paths"].contains(&shape) {
            eventually("some of the flood are refused", || (refused.load(SeqCst) > 0).then_some(()));
        }
    });
    refused.into_inner()
}

#[test]
fn whatever_a_flood_is_made_of_others_are_answered() {
    for shape in ["requests", "bodies", "bad paths"] {
        println!("{shape}: {} refused", answered_beside(shape));
    }
}

/// Sends so many requests at once, each on a connection of its own; none has been answered yet.
fn all_at_once(address: SocketAddr, path: &str, count: usize) -> Vec<Client> {
    (0..count)
        .map(|_| {
            let mut client = from("127.0.3.1", address);
            client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
            client
        })
        .collect()
}

#[test]
fn a_burst_at_the_start_is_not_refused_by_an_app_that_carries_it() {
    let gateway = Setup::run("busy:app").config("[throttle]\n").start();
    let burst = all_at_once(gateway.addr(), "/asleep", 1_000);
    let refused = burst.into_iter().map(|mut client| client.answer().status).filter(|status| *status != 200);
    assert_eq!(refused.count(), 0);
    assert_eq!(gateway.end().count("app-busy"), 0);
}

#[test]
fn a_burst_at_the_start_is_not_what_others_wait_for() {
    let gateway = Setup::run("busy:app").config("[throttle]\n").start();
    let address = gateway.addr();
    let burst = all_at_once(address, "/work", 900);
    let answered = AtomicUsize::new(0);
    let before = thread::scope(|scope| {
        let mut burst = burst;
        for _ in 0..9 {
            let part = burst.split_off(burst.len() - 100);
            let answered = &answered;
            scope.spawn(move || {
                for mut client in part {
                    // What is refused costs the app nothing.
                    if client.answer().status == 200 {
                        answered.fetch_add(1, SeqCst);
                    }
                }
            });
        }
        assert_eq!(get(&mut Client::connect(address), "/work", "").status, 200);
        answered.load(SeqCst)
    });
    assert!(before < 450, "{before} of another client's burst were answered first");
}
