//! `cargo xtask bench`: what Mantlet costs, beside nginx doing the same work in the same run.

mod connections;
mod evidence;
mod example;
mod goodput;
mod h2load;
mod identity;
mod instructions;
mod load;
mod report;
mod server;
mod start;
mod throttle;
mod tls;
mod workload;
mod wrk;

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};

use self::{
    report::{Row, Run},
    server::{Channel, Place, Server},
    tls::Identity,
    workload::{Generators, Peer, WORKLOADS},
};
use crate::{
    flags::Flags,
    processes,
    shell::{cargo, root, run, target},
    tools,
};

pub(crate) const HELP: &str = "\
Usage: cargo xtask bench [--rounds N] [--seconds S] [--only NAME] [--against FILE]

Builds Mantlet with optimisations and compares it with nginx, in rounds that alternate: CPU time a request, then memory a
connection; then what throttles and tokens cost. Needs nginx, haproxy, wrk, h2load and redis-server, and installs them on Debian, as root. The
result is also in target/bench/report.md.

Options:
  --rounds N    Rounds for each workload (default 5)
  --seconds S   Seconds of load in a round (default 8)
  --only NAME   One of: get-small, post-1k, get-100k, post-validated, get-filtered,
                post-refused, tls-get-small, tls-handshake, http2-get-small, memory, start, goodput,
                load (what an app can carry, and floods of a slow one),
                refusal (a 429, beside slowapi), identity (verdicts on tokens, beside Envoy, HAProxy and
                PyJWT; -gates, -app, -instructions or -memory for a part of it), decision (of a rate, in memory), redis (the same in
                Redis on loopback), objects (whose an object is, in memory), evidence (metrics, traces and
                records of every request, on and off)
  --against FILE
                Compare with another build of Mantlet: instructions a request (by callgrind, for
                CPU time differs more from run to run than builds do), then CPU time, then memory
";

/// Connections that are held open to see what each costs.
const IDLE_CONNECTIONS: usize = 5_000;
/// How long connections are left alone before they are counted as idle.
const IDLE: Duration = Duration::from_secs(3);

pub(crate) fn bench(mut flags: Flags) -> Result<()> {
    let rounds = flags.value::<usize>("--rounds")?.unwrap_or(5);
    let seconds = flags.value::<u64>("--seconds")?.unwrap_or(8);
    let only = flags.value::<String>("--only")?;
    let against = flags.value::<PathBuf>("--against")?;
    flags.end()?;
    ensure!(rounds > 0 && seconds > 0, "`--rounds` and `--seconds` must be 1 or more");
    let names: Vec<&str> = WORKLOADS
        .iter()
        .map(|workload| workload.name)
        .chain([
            "memory", "start", "goodput", "load", "refusal", "decision", "objects", "redis", "evidence",
            "identity",
        ])
        .chain(identity::PARTS)
        .collect();
    // Two builds are compared by what requests and connections cost.
    let count = if against.is_some() { WORKLOADS.len() + 1 } else { names.len() };
    let known: Vec<_> = names.into_iter().take(count).collect();
    if let Some(name) = &only {
        ensure!(known.contains(&name.as_str()), "`--only {name}`: known are {}", known.join(", "));
    }
    let wanted = |name: &str| {
        only.as_ref().is_none_or(|only| {
            name.strip_prefix(&**only).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    };

    let place = Place {
        folder: target()?.join("bench"),
        nginx: tools::program(&["nginx"], "nginx")?,
        mantlet: target()?.join("release/mantlet"),
        python: tools::environment("dev", &root().join("python/requirements-dev.txt"))?,
        stack_python: tools::environment("bench", &root().join("bench/requirements.txt"))?,
        identity: Identity::new()?,
    };
    let generators = Generators::new(&place)?;
    run(&mut cargo(&["build", "--locked", "--release", "--package", "mantlet"]))?;
    raise_descriptor_limit();
    place.prepare()?;
    place.write_contract(0)?;
    let _backend = place.backend()?;
    if let Some(file) = against {
        return beside_another(&place, &generators, &file, rounds, seconds, wanted);
    }

    let mut rows = Vec::new();
    for workload in WORKLOADS.iter().filter(|workload| wanted(workload.name)) {
        let (name, peer) = match workload.peer {
            Peer::Nginx => ("nginx", place.peer(workload.channel())?),
            Peer::App => ("FastAPI", place.app(0)?),
        };
        let mantlet = place.gate(workload.channel(), workload.contract)?;
        let load = |server: &Server, seconds| workload.load(&generators, &place, server, seconds);
        let servers = [(name, &peer), ("Mantlet", &mantlet)];
        let figures = alternately(workload.title, servers, rounds, seconds, load)?;
        rows.push(Row::of_cpu(workload, &figures[1], &figures[0]));
    }
    if wanted("memory") {
        rows.extend(memory(&place)?);
    }
    if wanted("start") {
        rows.extend(start::measure(&place, rounds)?);
    }

    let goodput = if wanted("goodput") { goodput::measure(&place, seconds.max(10))? } else { Vec::new() };

    let mut sections = String::new();
    if wanted("load") {
        sections += &load::measure(&place, seconds.max(10))?;
    }
    if wanted("refusal") {
        sections += &throttle::refusals(&place, &generators, rounds, seconds)?;
    }
    if wanted("decision") {
        sections += &example::run("A decision of a rate in memory", "throttle", 5)?;
    }
    if wanted("objects") {
        sections +=
            &example::run("Whose an object is, on top of the same request without a rule", "ownership", 4)?;
    }
    if wanted("redis") {
        sections += &throttle::redis(&place, rounds, seconds)?;
    }

    if wanted("evidence") {
        sections += &evidence::measure(&place, &generators, rounds, seconds)?;
    }

    if identity::PARTS.into_iter().any(wanted) {
        sections += &identity::measure(&place, &generators, rounds, seconds, wanted)?;
    }

    let report =
        report::of(&rows, &goodput, &Run { rounds, seconds, versions: place.versions()? }) + &sections;
    let file = place.folder.join("report.md");
    fs::write(&file, &report).with_context(|| format!("`{}` cannot be written", file.display()))?;
    print!("\n{report}");
    Ok(())
}

/// What a request and a connection cost, beside another build of Mantlet, which has all files of its own.
fn beside_another(
    place: &Place,
    generators: &Generators,
    file: &Path,
    rounds: usize,
    seconds: u64,
    wanted: impl Fn(&str) -> bool,
) -> Result<()> {
    let mantlet = fs::canonicalize(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    let other = Place { folder: place.folder.join("other"), mantlet, ..place.clone() };
    other.prepare()?;
    other.write_contract(0)?;
    let _backend = other.backend()?;
    let (mut counts, mut times) = (Vec::new(), Vec::new());
    for workload in WORKLOADS.iter().filter(|workload| wanted(workload.name)) {
        counts.push(instructions::compare(workload, generators, [place, &other], seconds)?);
        let before = other.gate(workload.channel(), workload.contract)?;
        let now = place.gate(workload.channel(), workload.contract)?;
        let load = |server: &Server, seconds| workload.load(generators, place, server, seconds);
        let servers = [("the other", &before), ("this", &now)];
        let [before, now] = alternately(workload.title, servers, rounds, seconds, load)?;
        times.push(Row::of_micros(workload.title, &now, &before, String::new()));
    }
    let header = |title| [title, "this", "the other", "ratio", ""];
    print!("\n{}", report::section("", &counts, header("instructions a request")));
    print!("\n{}", report::section("", &times, header("CPU time a request")));
    if wanted("memory") {
        let gates = [place, &other].map(|place| footprint(|| place.gate(Channel::Plain, false)));
        let [now, before] = gates;
        print!("\n{}", report::section("", &of_memory(now?, before?), header("memory")));
    }
    Ok(())
}

/// CPU time a request of two servers, in rounds that alternate.
fn alternately(
    title: &str,
    servers: [(&str, &Server); 2],
    rounds: usize,
    seconds: u64,
    load: impl Fn(&Server, u64) -> Result<u64>,
) -> Result<[Vec<f64>; 2]> {
    // Connections to the backend, caches, branch predictors: what the first second costs is not the point.
    for (_, server) in servers {
        load(server, 1)?;
    }
    let mut figures = [Vec::new(), Vec::new()];
    for round in 1..=rounds {
        for ((name, server), figures) in servers.iter().zip(&mut figures) {
            let micros = cost(server, || load(server, seconds))?;
            println!("{title}, round {round}: {name} {micros:.1} µs");
            figures.push(micros);
        }
    }
    Ok(figures)
}

/// CPU time of a server's process tree for each request of a load, in microseconds.
fn cost(server: &Server, load: impl FnOnce() -> Result<u64>) -> Result<f64> {
    let before = processes::cpu(server.id())?;
    let requests = load()?;
    let spent = processes::cpu(server.id())?.saturating_sub(before);
    Ok(spent.as_secs_f64() * 1e6 / report::float(requests))
}

/// What each server needs, and what a connection adds to it.
fn memory(place: &Place) -> Result<Vec<Row>> {
    let mantlet = footprint(|| place.gate(Channel::Plain, false))?;
    let nginx = footprint(|| place.peer(Channel::Plain))?;
    println!("memory: measured with {IDLE_CONNECTIONS} connections");
    Ok(of_memory(mantlet, nginx))
}

fn of_memory(ours: [f64; 3], theirs: [f64; 3]) -> Vec<Row> {
    let titles = ["memory after start", "idle connection, silent so far", "idle connection, after one GET"];
    let figures = ours.into_iter().zip(theirs);
    let rows = titles.into_iter().zip(figures).zip([false, true, true]);
    rows.map(|((title, pair), of_connection)| Row::of_memory(title, pair.into(), of_connection)).collect()
}

/// Bytes of a fresh server, then bytes for each connection: one that never spoke, and one that asked once.
fn footprint(start: impl Fn() -> Result<Server>) -> Result<[f64; 3]> {
    let server = start()?;
    thread::sleep(Duration::from_secs(1));
    let fresh = report::float(processes::memory(server.id())?);
    let silent = held(&server, false)?;
    // Not the same process again: what it has allocated before would hide what it needs now.
    drop(server);
    let asked = held(&start()?, true)?;
    Ok([fresh, silent, asked])
}

/// Bytes that each of many connections adds.
fn held(server: &Server, ask: bool) -> Result<f64> {
    let before = processes::memory(server.id())?;
    let connections = connections::open(server.port, IDLE_CONNECTIONS, ask)?;
    thread::sleep(IDLE);
    let after = processes::memory(server.id())?;
    connections::ensure_open(&connections)?;
    let added = report::float(after.saturating_sub(before));
    Ok(added / report::float(IDLE_CONNECTIONS as u64))
}

/// Programs that we start get the limit too.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it cannot be raised, opening the connections says what is wrong.
    let _ = setrlimit(Resource::Nofile, limit);
}
