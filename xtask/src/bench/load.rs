//! What an app that can carry its load is asked, and what a well-behaved client notices of one that cannot, whatever it is flooded with.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{
    goodput::{CLIENT, connect, counted, exchange, percentile},
    report::{Row, float, section},
    server::Place,
};

/// Requests a second of one address that an app has to carry, and for how many seconds.
const CARRIED: (u32, u64) = (5_000, 30);
/// Connections that they come on.
const CONNECTIONS: u32 = 50;
/// Connections of a flood, each of an address of its own in one network.
const FLOOD: usize = 64;
/// Clients that are not part of it, each in a network of its own, and how often each asks in a second: less than its share of the slowest app.
const CLIENTS: [&str; 5] = ["192.0.2.7", "203.0.113.7", "198.18.0.7", "198.19.0.7", "192.88.99.7"];
const RATE: u32 = 10;
/// What is not measured: until then the gate has seen what the app can carry.
const SETTLING: Duration = Duration::from_secs(2);
/// Bytes of a body that is larger than what is held back.
const BODY: usize = 100 << 10;
/// HTTP/2 streams on one connection: unfinished ones; and those that are begun and reset in a second, of which a connection may have 33 for long.
const STREAMS: u32 = 100;
const RESETS: u32 = 33;

/// What a flood does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Get,
    Post,
    BadPath,
    Resets,
    Unfinished,
    SlowRead,
}

const SHAPES: [(Shape, &str); 6] = [
    (Shape::Get, "GET"),
    (Shape::Post, "POST of 100 KiB"),
    (Shape::BadPath, "bad paths"),
    (Shape::Resets, "HTTP/2 streams, reset"),
    (Shape::Unfinished, "HTTP/2 bodies, unfinished"),
    (Shape::SlowRead, "5 MiB that is not read"),
];

/// What makes the app slow: a path of `stack.py`.
const APPS: [(&str, &str); 2] =
    [("/ten-at-once", "ten at once, 20 ms each"), ("/one-at-once", "one at once, 5 ms each")];

pub(super) fn measure(place: &Place, seconds: u64) -> Result<String> {
    let carried = carried(place)?;
    let mut rows = Vec::new();
    for (path, title) in APPS {
        // Clients have addresses of the Internet: those of this machine are not taken for attackers.
        let server = place.stack_behind_mantlet_with(&[("MANTLET_CLIENT__TRUSTED", r#"["127.0.0.0/8"]"#)])?;
        let address = SocketAddr::from(([127, 0, 0, 1], server.port));
        let time = Duration::from_secs(seconds);
        let alone = steady(address, path, time)?;
        for (shape, flood) in SHAPES {
            let before = counted(address)?;
            let (over, statuses) = (AtomicBool::new(false), [AtomicU64::new(0), AtomicU64::new(0)]);
            let beside = thread::scope(|scope| {
                for number in 0..FLOOD {
                    let (over, statuses) = (&over, &statuses);
                    scope.spawn(move || {
                        while !over.load(Relaxed) {
                            let _ = attack(shape, address, path, number, over, statuses);
                        }
                    });
                }
                let beside = steady(address, path, time);
                over.store(true, Relaxed);
                beside
            });
            let beside = beside?;
            let reached = counted(address)?.saturating_sub(before).saturating_sub(beside.answered);
            let of = |times: &[f64]| [percentile(times, 50), percentile(times, 99)];
            let [passed, refused] = statuses.map(AtomicU64::into_inner);
            println!("{title}, {flood}: measured ({passed} of the flood answered, {refused} refused)");
            rows.push(Row::of_flood(
                &format!("{title}: {flood}"),
                of(&alone.times),
                of(&beside.times),
                beside.failed,
                [reached, refused],
            ));
        }
    }
    let text = format!(
        "\n## Load\n\n{carried}\n\nA slow app behind Mantlet without configuration, and {} clients of different networks that each ask {RATE} times a second, alone and beside a\n\
         flood of {FLOOD} connections from {FLOOD} addresses of another network; time to the whole answer, median and 99th percentile, from {} s after the flood began.\n\n",
        CLIENTS.len(),
        SETTLING.as_secs()
    );
    Ok(section(
        &text,
        &rows,
        ["", "alone", "beside the flood", "99th, ratio", "flood: reached the app / refused"],
    ))
}

/// An app that can carry it, asked by one address of this machine at a fixed rate; how many were refused.
fn carried(place: &Place) -> Result<String> {
    let server = place.defaults_before_backend()?;
    let address = SocketAddr::from(([127, 0, 0, 1], server.port));
    let (rate, seconds) = CARRIED;
    let (each, count) = (rate / CONNECTIONS, rate / CONNECTIONS * u32::try_from(seconds)?);
    let (answered, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let start = Instant::now() + Duration::from_millis(100);
    let mut times: Vec<f64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let (answered, refused) = (&answered, &refused);
                scope.spawn(move || -> std::io::Result<Vec<f64>> {
                    let mut connection = connect(address, CLIENT)?;
                    let first = start + Duration::from_secs(1) / rate * number;
                    let mut times = Vec::new();
                    for turn in 0..count {
                        let due = first + Duration::from_secs(1) / each * turn;
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        let status = exchange(&mut connection, "GET /small HTTP/1.1\r\nHost: bench\r\n\r\n")?;
                        (if status == 200 { answered } else { refused }).fetch_add(1, Relaxed);
                        times.push(due.elapsed().as_secs_f64() * 1e3);
                    }
                    Ok(times)
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()?.ok()).flatten().collect()
    });
    let (answered, refused) = (answered.into_inner(), refused.into_inner());
    ensure!(answered + refused == u64::from(count * CONNECTIONS), "a connection broke: {answered} answers");
    let took = start.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    Ok(format!(
        "{rate} requests a second of one loopback address for {seconds} s, to an app that answers at once (nginx): {answered} answered in {took:.1} s, **{refused} refused**; \
         {:.1} / {:.1} ms at the median and the 99th percentile, {:.0} requests a second.",
        percentile(&times, 50),
        percentile(&times, 99),
        float(answered) / took,
    ))
}

/// What clients have noticed.
#[derive(Default)]
struct Noticed {
    /// How long answers took from when they were due, in milliseconds.
    times: Vec<f64>,
    /// All of them, those of the first moments too.
    answered: u64,
    failed: usize,
}

/// Clients that ask at their own pace, whatever they are answered.
fn steady(address: SocketAddr, path: &str, time: Duration) -> Result<Noticed> {
    let noticed = Mutex::new(Noticed::default());
    let (start, count) = (Instant::now(), u32::try_from((SETTLING + time).as_secs())? * RATE);
    thread::scope(|scope| {
        for (index, client) in (0..).zip(CLIENTS) {
            let noticed = &noticed;
            scope.spawn(move || {
                let request =
                    format!("GET {path} HTTP/1.1\r\nHost: bench\r\nX-Forwarded-For: {client}\r\n\r\n");
                let mut connection = connect(address, CLIENT).ok();
                let first = Duration::from_secs(1) / RATE / 5 * index;
                for number in 0..count {
                    let due = first + Duration::from_secs(1) / RATE * number;
                    thread::sleep((start + due).saturating_duration_since(Instant::now()));
                    let status = connection.as_mut().map(|connection| exchange(connection, &request));
                    let took = (start + due).elapsed();
                    let mut noticed = noticed.lock().unwrap_or_else(PoisonError::into_inner);
                    if due >= SETTLING {
                        noticed.times.push(took.as_secs_f64() * 1e3);
                    }
                    if matches!(status, Some(Ok(200))) {
                        noticed.answered += 1;
                    } else {
                        noticed.failed += 1;
                        connection = connect(address, CLIENT).ok();
                    }
                }
            });
        }
    });
    Ok(noticed.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// One connection of a flood, until it ends.
fn attack(
    shape: Shape,
    address: SocketAddr,
    path: &str,
    number: usize,
    over: &AtomicBool,
    [passed, refused]: &[AtomicU64; 2],
) -> std::io::Result<()> {
    let mut connection = connect(address, [127, 0, 3, u8::try_from(number % 200 + 1).unwrap_or(1)])?;
    let from = format!("198.51.100.{}", number % 200 + 1);
    let request = match shape {
        Shape::Get => format!("GET {path} HTTP/1.1\r\nHost: bench\r\nX-Forwarded-For: {from}\r\n\r\n"),
        Shape::Post => {
            let body = "x".repeat(BODY);
            format!(
                "POST {path} HTTP/1.1\r\nHost: bench\r\nX-Forwarded-For: {from}\r\nContent-Type: text/plain\r\nContent-Length: {BODY}\r\n\r\n{body}"
            )
        }
        Shape::BadPath => format!("GET /a/../b HTTP/1.1\r\nHost: bench\r\nX-Forwarded-For: {from}\r\n\r\n"),
        Shape::SlowRead => {
            let request = format!("GET /large HTTP/1.1\r\nHost: bench\r\nX-Forwarded-For: {from}\r\n\r\n");
            connection.write_all(request.as_bytes())?;
            while !over.load(Relaxed) {
                thread::sleep(Duration::from_millis(50));
            }
            return Ok(());
        }
        Shape::Resets | Shape::Unfinished => return streams(shape, &mut connection, path, &from, over),
    };
    while !over.load(Relaxed) {
        match exchange(&mut connection, &request)? {
            200 => passed.fetch_add(1, Relaxed),
            _ => refused.fetch_add(1, Relaxed),
        };
    }
    Ok(())
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let head = [&[a, b, c, kind, flags][..], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// Streams that are begun, and reset once the app has them; or whose bodies never come.
fn streams(
    shape: Shape,
    connection: &mut (impl Read + Write),
    path: &str,
    from: &str,
    over: &AtomicBool,
) -> std::io::Result<()> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap_or(0)][..], text.as_bytes()].concat();
    let is_get = shape == Shape::Resets;
    // Fields of the static table (RFC 7541, appendix A): method, scheme; authority and path with values of their own.
    let method = if is_get { 0x82 } else { 0x83 };
    let forwarded = [&[0x00][..], &text("x-forwarded-for"), &text(from)].concat();
    let fields = [&[method, 0x86, 0x01][..], &text("bench"), &[0x04], &text(path), &forwarded].concat();
    let end = if is_get { 0x5 } else { 0x4 };
    connection.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &[])[..]].concat())?;
    let mut next = 1;
    while !over.load(Relaxed) {
        let count = if is_get { RESETS } else { STREAMS };
        let begun: Vec<u32> = (0..count).map(|number| next + 2 * number).collect();
        connection.write_all(
            &begun.iter().flat_map(|stream| frame(1, end, *stream, &fields)).collect::<Vec<_>>(),
        )?;
        next += 2 * count;
        if !is_get {
            while !over.load(Relaxed) {
                thread::sleep(Duration::from_millis(50));
            }
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
        let resets = begun.iter().flat_map(|stream| frame(3, 0, *stream, &[0, 0, 0, 8]));
        connection.write_all(&resets.collect::<Vec<_>>())?;
        thread::sleep(Duration::from_millis(950));
    }
    Ok(())
}
