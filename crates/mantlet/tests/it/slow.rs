//! Row 78: clients that hold connections do not keep others out.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::kit::{App, PATIENCE, Setup, eventually};

/// As many descriptors as the system allows; how many that is.
fn raise_descriptor_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to the hard limit anybody may");
    limit.maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

/// A request on a connection of its own, as any client would send it.
fn is_served(address: SocketAddr) -> bool {
    let ask = || {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.write_all(b"GET /clean HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200 "))
}

/// Says that it is over, even if what went on has failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Clean requests while something goes on, and how many failed. There are enough of them to tell one in a thousand.
fn serve_meanwhile(address: SocketAddr, going_on: impl FnOnce()) {
    let over = AtomicBool::new(false);
    let (asked, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(SeqCst) || asked.load(SeqCst) < 1000 {
                    asked.fetch_add(1, SeqCst);
                    if !is_served(address) {
                        failed.fetch_add(1, SeqCst);
                    }
                }
            });
        }
        let _over = Over(&over);
        going_on();
    });
    let (asked, failed) = (asked.into_inner(), failed.into_inner());
    println!("{asked} clean requests, {failed} failed");
    assert!(failed * 1000 <= asked, "{failed} of {asked} clean requests failed");
}

/// A connection with the beginning of a head.
fn begin(address: SocketAddr) -> std::io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")?;
    Ok(socket)
}

#[test]
fn row_78_slowloris() {
    // A connection takes a descriptor here and two there.
    let count = 2000.min((raise_descriptor_limit() / 2).saturating_sub(300).max(50));
    let app = format!("unix:{}", App::shared().socket().display());
    let config = format!("[limits]\nhead-timeout = \"2s\"\nconnections-per-client = {}", count + 100);
    let gateway = Setup::serve(&app).config(&config).start();
    let address = gateway.addr();
    serve_meanwhile(address, || {
        let mut slow: Vec<_> = (0..count).map(|_| begin(address).expect("a connection")).collect();
        // They go on, a byte at a time, which does not buy them time.
        let until = Instant::now() + 3 * PATIENCE;
        let mut closed = 0;
        while closed < slow.len() {
            assert!(Instant::now() < until, "{closed} of {count} slow connections were closed");
            thread::sleep(Duration::from_millis(200));
            for socket in &mut slow[closed..] {
                let _ = socket.write_all(b"a");
            }
            while slow.get_mut(closed).is_some_and(is_refused) {
                closed += 1;
            }
        }
    });
    let end = gateway.end();
    assert_eq!(end.count("head-timeout"), count as u64);
    assert!(end.audit.iter().all(|record| record["reason"] == "head-timeout"));
}

/// Whether an answer has come, which must be the refusal; it does not wait for one.
fn is_refused(socket: &mut TcpStream) -> bool {
    socket.set_nonblocking(true).expect("an option");
    let mut first = [0; 12];
    let came = socket.peek(&mut first);
    socket.set_nonblocking(false).expect("an option");
    if came.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock) {
        return false;
    }
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an answer, then the end");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("head-timeout"), "{answer}");
    true
}

/// With few descriptors, whoever has waited longest makes room.
#[test]
fn row_78_descriptors_are_exhausted() {
    raise_descriptor_limit();
    let app = format!("unix:{}", App::shared().socket().display());
    let gateway = Setup::serve(&app).descriptors(256).config("[limits]\nhead-timeout = \"60s\"").start();
    let address = gateway.addr();
    let slow = Mutex::new(Vec::new());
    serve_meanwhile(address, || {
        // Far more than fit, from several sides at once.
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let socket = begin(address);
                        slow.lock().unwrap().extend(socket);
                        // A client that needs a moment to send its request must not be the oldest by then.
                        thread::sleep(Duration::from_millis(1));
                    }
                });
            }
        });
    });
    assert!(is_served(address));
    let slow = slow.into_inner().unwrap();
    let open = eventually("what was closed is seen", || {
        let open = slow.iter().filter(|socket| !is_closed(socket)).count();
        (open < 256).then_some(open)
    });
    println!("{open} slow connections are still open");
    // An unfinished head is under way: it would hold up the end.
    drop(slow);
    gateway.end();
}

/// Whichever thread takes a prompt client in, and wherever the slow ones are: room is made for it, every time.
#[test]
fn row_78_a_full_gate_makes_room_on_every_thread() {
    let app = format!("unix:{}", App::shared().socket().display());
    let config = "threads = 2\n[limits]\nconnections = 8\nhead-timeout = \"60s\"";
    let gateway = Setup::serve(&app).config(config).start();
    let mut slow: Vec<_> = (0..8).map(|_| begin(gateway.addr()).expect("a connection")).collect();
    for number in 0..500 {
        assert!(is_served(gateway.addr()), "request {number}");
        // Its place is taken again at once.
        slow.extend(begin(gateway.addr()));
    }
    drop(slow);
    assert!(gateway.end().audit.is_empty(), "nobody was turned away at the door");
}

fn is_closed(socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).expect("an option");
    let came = socket.peek(&mut [0]);
    !came.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}
