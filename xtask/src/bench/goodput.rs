//! A well-behaved client, alone and beside a flood from another address: what it notices.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    connections::PATIENCE,
    server::{Place, Server},
};
use crate::processes;

/// Requests a second of the well-behaved client.
const RATE: u32 = 50;
/// Connections of the flood, each with one request after another.
const FLOOD: usize = 64;
/// Addresses of the two.
pub(super) const CLIENT: [u8; 4] = [127, 0, 0, 1];
const ATTACKER: [u8; 4] = [127, 0, 3, 1];

/// One line of the table.
pub(super) struct Line {
    pub(super) title: &'static str,
    /// Milliseconds at the median and at the 99th percentile: alone, and beside the flood.
    pub(super) alone: [f64; 2],
    pub(super) beside: [f64; 2],
    /// Of the well-behaved client's requests, those that were not answered with 200.
    pub(super) failed: usize,
    /// Requests of the flood: refused, and answered by the app.
    pub(super) refused: u64,
    pub(super) reached: u64,
    /// Microseconds of CPU of everything that was started, for each request of the flood.
    pub(super) cost: f64,
}

pub(super) fn measure(place: &Place, seconds: u64) -> Result<Vec<Line>> {
    let token = Command::new(&place.stack_python)
        .arg("stack.py")
        .current_dir(&place.folder)
        .stderr(Stdio::inherit())
        .output();
    let token = String::from_utf8(token.context("the token cannot be made")?.stdout)?;
    let headers = format!("Authorization: Bearer {}\r\n", token.trim());
    let mut lines = Vec::new();
    for (title, server) in [
        ("the bare app", place.stack_app("stack:bare")?),
        ("the app with a stack in its process", place.stack_app("stack:stack")?),
        ("the bare app behind Mantlet", place.stack_behind_mantlet()?),
    ] {
        lines.push(line(title, &server, &headers, seconds)?);
        println!("goodput, {title}: measured");
    }
    Ok(lines)
}

fn line(title: &'static str, server: &Server, headers: &str, seconds: u64) -> Result<Line> {
    let address = SocketAddr::from(([127, 0, 0, 1], server.port));
    let request = format!("GET /work HTTP/1.1\r\nHost: bench\r\n{headers}\r\n");
    let time = Duration::from_secs(seconds);
    let (alone, _) = steady(address, &request, time)?;
    let before = counted(address)?;
    let spent = processes::cpu(server.id())?;
    let (over, flood) = (AtomicBool::new(false), [AtomicU64::new(0), AtomicU64::new(0)]);
    let beside = thread::scope(|scope| {
        for _ in 0..FLOOD {
            scope.spawn(|| attack(address, &request, &over, &flood));
        }
        // The first moments, in which a burst is used up, count too.
        let beside = steady(address, &request, time);
        over.store(true, Relaxed);
        beside
    });
    let (beside, failed) = beside?;
    let spent = processes::cpu(server.id())?.saturating_sub(spent);
    let [passed, refused] = flood.map(AtomicU64::into_inner);
    let reached = counted(address)?.saturating_sub(before).saturating_sub(beside.len() as u64);
    ensure!(passed + refused > 0, "{title}: the flood was not answered at all");
    let cost = spent.as_secs_f64() * 1e6 / super::report::float(passed + refused);
    let of = |times: &[f64]| [percentile(times, 50), percentile(times, 99)];
    Ok(Line { title, alone: of(&alone), beside: of(&beside), failed, refused, reached, cost })
}

/// Milliseconds of each request of a client that asks at a fixed rate, counted from when it should have been sent; and how many failed.
pub(super) fn steady(address: SocketAddr, request: &str, time: Duration) -> Result<(Vec<f64>, usize)> {
    let times = Mutex::new((Vec::new(), 0));
    let (start, count) = (Instant::now(), u32::try_from(time.as_secs())? * RATE);
    thread::scope(|scope| {
        // Two take turns: one answer that is late does not keep the next request back.
        for turn in 0..2 {
            let times = &times;
            scope.spawn(move || {
                let mut connection = connect(address, CLIENT).ok();
                for number in (turn..count).step_by(2) {
                    let due = start + Duration::from_secs(1) / RATE * number;
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    let status = connection.as_mut().map(|connection| exchange(connection, request));
                    let mut times = times.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    times.0.push(due.elapsed().as_secs_f64() * 1e3);
                    if !matches!(status, Some(Ok(200))) {
                        times.1 += 1;
                        connection = connect(address, CLIENT).ok();
                    }
                }
            });
        }
    });
    Ok(times.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Asks as fast as it is answered.
fn attack(address: SocketAddr, request: &str, over: &AtomicBool, [passed, refused]: &[AtomicU64; 2]) {
    while !over.load(Relaxed) {
        let Ok(mut connection) = connect(address, ATTACKER) else { continue };
        while !over.load(Relaxed) {
            match exchange(&mut connection, request) {
                Ok(200) => passed.fetch_add(1, Relaxed),
                Ok(_) => refused.fetch_add(1, Relaxed),
                Err(_) => break,
            };
        }
    }
}

/// Requests that the app has answered.
pub(super) fn counted(address: SocketAddr) -> Result<u64> {
    let mut connection = connect(address, [127, 0, 4, 1])?;
    connection.write_all(b"GET /counts HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("an answer has a body")?;
    let counts: std::collections::HashMap<String, u64> = serde_json::from_str(body)?;
    Ok(counts.values().sum())
}

pub(super) fn connect(address: SocketAddr, from: [u8; 4]) -> io::Result<TcpStream> {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::from((from, 0)))?;
    connect(&socket, &address)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A request and its whole answer; its status.
pub(super) fn exchange(stream: &mut TcpStream, request: &str) -> io::Result<u16> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !super::connections::is_complete(&answer) {
        match stream.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => answer.extend_from_slice(piece.get(..read).unwrap_or_default()),
        }
    }
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| ErrorKind::InvalidData.into())
}

pub(super) fn percentile(times: &[f64], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}
