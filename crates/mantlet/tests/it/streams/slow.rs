//! Whoever is slow slows the other side down, and costs no memory.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use crate::kit::{Client, PATIENCE, Setup, Upstream, processes::Footprint};

/// 256 MiB.
const LENGTH: usize = 256 << 20;
const PIECE: usize = 64 << 10;
/// Far more than all the buffers of kernel and gateway, far less than the body.
const ALLOWED: usize = 64 << 20;

/// Waits until a count has stood still for a while.
fn stands_still(count: &AtomicUsize) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let mut last = (count.load(Relaxed), Instant::now());
    while last.0 == 0 || last.1.elapsed() < Duration::from_millis(700) {
        assert!(Instant::now() < deadline, "it goes on and on");
        thread::sleep(Duration::from_millis(20));
        let now = count.load(Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        }
    }
    last.0
}

fn assert_held_back(what: &str, passed: usize, memory: &Footprint) {
    let grown = memory.grown(what);
    println!("{what}: held back after {} KiB", passed >> 10);
    assert!(passed < ALLOWED, "{what}: {passed} bytes were taken that nobody wanted");
    assert!(grown < 32 << 20, "{what}: {grown} bytes more");
}

#[test]
fn a_client_that_does_not_read_holds_the_app_back() {
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    let upstream = Upstream::new(move |connection| {
        connection.read_head();
        connection.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes());
        while counted.load(Relaxed) < LENGTH && connection.try_write(&vec![b'x'; PIECE]) {
            counted.fetch_add(PIECE, Relaxed);
        }
        connection.read_to_end();
    });
    let gateway = Setup::serve(&upstream.url()).start();
    let memory = Footprint::of(gateway.pid());
    let mut client = Client::connect(gateway.addr());
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_held_back("download", stands_still(&written), &memory);

    for _ in 0..LENGTH / PIECE {
        assert_eq!(client.take(PIECE).len(), PIECE);
    }
    assert_held_back("download, all of it", 0, &memory);
}

#[test]
fn an_app_that_does_not_read_holds_the_client_back() {
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    let upstream = Upstream::new(move |connection| {
        connection.read_head();
        may_go_on.lock().unwrap().recv().expect("the test goes on");
        connection.skip(LENGTH as u64);
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        connection.read_to_end();
    });
    let gateway = Setup::serve(&upstream.url()).config("[limits]\nbody-size = \"1GiB\"").start();
    let memory = Footprint::of(gateway.pid());
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let mut client = Client::connect(gateway.addr());
    let sender = thread::spawn(move || {
        client.send(format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH}\r\n\r\n"));
        while counted.load(Relaxed) < LENGTH {
            client.send(vec![b'x'; PIECE]);
            counted.fetch_add(PIECE, Relaxed);
        }
        client.answer()
    });
    assert_held_back("upload", stands_still(&sent), &memory);

    go_on.send(()).unwrap();
    assert_eq!(sender.join().unwrap().body, b"ok");
    assert_held_back("upload, all of it", 0, &memory);
}
