//! What throttles cost: a refusal, a decision in memory, a decision in Redis.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    connections, cost,
    report::{self, Row},
    server::{Place, Server},
    workload::Generators,
    wrk,
};
/// Requests a second where time is measured: far from what anything here can bear.
const RATE: u32 = 500;

/// CPU time of a 429, beside that of slowapi inside the app.
pub(super) fn refusals(place: &Place, with: &Generators, rounds: usize, seconds: u64) -> Result<String> {
    let mantlet = place.refusing()?;
    let peers = [("by its decorator", "limited:decorator"), ("by its middleware", "limited:middleware")];
    let peers = peers.into_iter().map(|(name, app)| Ok((name, place.stack_app(app)?, Vec::new())));
    let mut peers = peers.collect::<Result<Vec<_>>>()?;
    for server in peers.iter().map(|(_, server, _)| server).chain([&mantlet]) {
        use_up(server.port).map_err(|error| server.blamed_for(error))?;
    }
    let refuse = |server: &Server, seconds| {
        let url = format!("http://127.0.0.1:{}/work", server.port);
        let refused = wrk::load_refused(&with.wrk, &place.folder, None, &url, seconds);
        refused.map_err(|error| server.blamed_for(error))
    };
    let mut ours = Vec::new();
    refuse(&mantlet, 1)?;
    for round in 1..=rounds {
        ours.push(cost(&mantlet, || refuse(&mantlet, seconds))?);
        for (_, server, theirs) in &mut peers {
            theirs.push(cost(server, || refuse(server, seconds))?);
        }
        println!("429, round {round}: measured");
    }
    let rows: Vec<_> = peers
        .iter()
        .map(|(name, _, theirs)| {
            Row::of_micros(&format!("429, slowapi {name}"), &ours, theirs, String::new())
        })
        .collect();
    let text = "\nA refusal: an address that is over its rate, 64 connections that stay open. CPU is of the whole process tree, the app behind\n\
                Mantlet with it, for each request; without a wait for whoever goes on (`tarpit`).\n\n";
    Ok(report::section(text, &rows, ["", "Mantlet", "slowapi", "ratio", ""]))
}

/// Asks until the limit is used up.
fn use_up(port: u16) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(connections::PATIENCE))?;
    for _ in 0..=1_000 {
        match connections::exchange(&mut stream, b"GET /work HTTP/1.1\r\nHost: bench\r\n\r\n") {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::InvalidData => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    bail!("nothing was refused")
}

/// Milliseconds of requests that are counted in Redis, beside those that are counted here.
pub(super) fn redis(place: &Place, rounds: usize, seconds: u64) -> Result<String> {
    let redis = place.redis()?;
    let (here, there) = (place.counting(None)?, place.counting(Some(redis.port))?);
    let mut figures: [[Vec<f64>; 2]; 2] = Default::default();
    for round in 0..=rounds {
        for (server, [medians, late]) in [&here, &there].into_iter().zip(&mut figures) {
            // What the first round costs is not the point.
            let time = if round == 0 { 1 } else { seconds };
            let mut times =
                steady(server, Duration::from_secs(time)).map_err(|error| server.blamed_for(error))?;
            times.sort_by(f64::total_cmp);
            if round > 0 {
                medians.push(percentile(&times, 50)?);
                late.push(percentile(&times, 99)?);
            }
        }
        println!("Redis, round {round}: measured");
    }
    let asked = questions(redis.port)?;
    let counted = 2 * u64::from(RATE) * seconds * u64::try_from(rounds)?;
    ensure!(asked >= counted, "Redis was asked {asked} times, not {counted}: it did not keep up");
    let [[here_median, here_late], [there_median, there_late]] = &figures;
    let rows = [
        Row::of_delays("GET, 100 B, p50", here_median, there_median),
        Row::of_delays("GET, 100 B, p99", here_late, there_late),
    ];
    let text = format!(
        "\nA decision in Redis on loopback: one client with {RATE} requests a second, each counted by the general rate and by a rule.\n\
         Time from the request to its whole answer.\n\n"
    );
    Ok(report::section(&text, &rows, ["", "in memory", "in Redis", "added", ""]))
}

/// Milliseconds of each request of a client that asks at a fixed rate, one after another.
fn steady(server: &Server, time: Duration) -> Result<Vec<f64>> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
    stream.set_nodelay(true)?;
    let (start, mut times) = (Instant::now(), Vec::new());
    for number in 0.. {
        let due = Duration::from_secs(1) / RATE * number;
        if due >= time {
            break;
        }
        thread::sleep(due.saturating_sub(start.elapsed()));
        let sent = Instant::now();
        connections::ask(&mut stream)?;
        times.push(sent.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

/// How many scripts Redis has been asked for.
fn questions(port: u16) -> Result<u64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(connections::PATIENCE))?;
    stream.write_all(b"INFO commandstats\r\nQUIT\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let line = answer.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    let calls = line.and_then(|rest| rest.split(',').next()?.parse().ok());
    calls.context("Redis does not say what it was asked")
}

fn percentile(sorted: &[f64], percent: usize) -> Result<f64> {
    sorted.get(sorted.len() * percent / 100).copied().context("nothing was answered")
}
