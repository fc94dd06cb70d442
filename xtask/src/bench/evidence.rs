//! What it costs to know what happens: metrics, traces and records of every request, each on and off.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use anyhow::Result;

use super::{
    cost, instructions,
    report::{self, Row},
    server::{Place, Server},
    workload::Generators,
    wrk,
};

/// A gate, by what differs from the one that keeps nothing: variables of its environment.
struct Kind {
    title: &'static str,
    /// What is aimed at, in microseconds a request.
    aim: &'static str,
    settings: Vec<(&'static str, String)>,
}

fn kinds(collector: SocketAddr) -> Vec<Kind> {
    let traces = |sample: &str| {
        vec![
            ("MANTLET_TRACES__ENDPOINT", format!("http://{collector}")),
            ("MANTLET_TRACES__SAMPLE", sample.to_owned()),
        ]
    };
    let metrics = vec![("MANTLET_METRICS__LISTEN", "127.0.0.1:0".to_owned())];
    let audit = vec![
        ("MANTLET_AUDIT__FILE", "evidence.jsonl".to_owned()),
        ("MANTLET_AUDIT__ACTIONS", "all".to_owned()),
    ];
    let hundredth = traces("0.01");
    let all = [metrics.clone(), hundredth.clone(), audit.clone()].concat();
    vec![
        Kind { title: "metrics", aim: "≤ 0.5 µs", settings: metrics },
        Kind { title: "traces, none recorded", aim: "≤ 0.1 µs", settings: traces("0") },
        Kind { title: "traces, 1 % recorded", aim: "", settings: hundredth },
        Kind { title: "traces, all recorded", aim: "", settings: traces("1") },
        Kind { title: "a record of every request", aim: "", settings: audit },
        Kind { title: "all three, traces at 1 %", aim: "", settings: all },
    ]
}

pub(super) fn measure(place: &Place, with: &Generators, rounds: usize, seconds: u64) -> Result<String> {
    let kinds = kinds(collector()?);
    let load = |server: &Server, seconds| {
        let url = format!("http://127.0.0.1:{}/small", server.port);
        let answered = wrk::load(&with.wrk, &place.folder, None, &url, seconds);
        answered.map_err(|error| server.blamed_for(error))
    };

    let none = place.gate_with("evidence", &[], false)?;
    let mut with_kind = Vec::new();
    for kind in &kinds {
        with_kind.push((place.gate_with("evidence", &kind.settings, false)?, Vec::new()));
    }
    for server in with_kind.iter().map(|(server, _)| server).chain([&none]) {
        load(server, 1)?;
    }
    let mut without = Vec::new();
    for round in 1..=rounds {
        without.push(cost(&none, || load(&none, seconds))?);
        for (server, figures) in &mut with_kind {
            figures.push(cost(server, || load(server, seconds))?);
        }
        println!("evidence, round {round}: measured");
    }
    let mut rows: Vec<_> = kinds
        .iter()
        .zip(&with_kind)
        .map(|(kind, (_, figures))| Row::of_micros(kind.title, figures, &without, kind.aim.to_owned()))
        .collect();
    drop((none, with_kind));

    // The same in instructions, which a busy machine does not change.
    let count = |settings: &[(&'static str, String)]| {
        instructions::forget(place)?;
        let server = place.gate_with("evidence-counted", settings, true)?;
        Ok::<_, anyhow::Error>(
            instructions::of_request(place, &server, |seconds| load(&server, seconds), seconds)? / 1e3,
        )
    };
    let without = count(&[])?;
    for kind in &kinds {
        let with_it = count(&kind.settings)?;
        println!("{}: {with_it:.1} and {without:.1} thousand instructions", kind.title);
        rows.push(Row::of_instructions(kind.title, with_it, without));
    }
    let text = "\nWhat it costs to know what happens: GET, 100 B, before a gate that keeps nothing. First CPU of all threads for each request,\n\
                also of those that write and send; then instructions.\n\n";
    Ok(report::section(text, &rows, ["", "on", "off", "ratio", "aim, added"]))
}

/// A collector that takes everything and looks at nothing.
fn collector() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || take(stream));
        }
    });
    Ok(address)
}

/// One request with a length, as Mantlet sends it.
fn take(mut stream: TcpStream) -> Option<()> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 << 10]);
    loop {
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(piece.get(..count)?);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(bytes.get(..end)?).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if bytes.len() >= end + 4 + length.unwrap_or(0) {
            return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok();
        }
    }
}
