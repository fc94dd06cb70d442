//! The app of FastAPI's tutorial, which verifies tokens by itself: alone and behind Mantlet.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{
    super::{
        report::{self, Row},
        server::Server,
    },
    Bench, Cost, ME, Pool,
};

/// The app that verifies tokens by itself, alone and behind Mantlet.
pub(super) fn measure(bench: &Bench<'_>, rounds: usize, seconds: u64) -> Result<String> {
    let servers = [
        ("the app alone", bench.app()?),
        ("Mantlet", bench.run(bench.mantlet(), "enforce")?),
        ("Mantlet, mode off", bench.run(bench.mantlet(), "off")?),
    ];
    for (index, (_, server)) in servers.iter().enumerate() {
        let token = log_in(server)?;
        bench.place.write(&format!("login-{index}.tokens"), &format!("{token}\n"))?;
    }
    let [_, (_, mantlet), _] = &servers;
    ensure!(refuses(bench, mantlet)?, "the gate leaves forged tokens to the app");
    let mut rows = Vec::new();
    for (title, files) in [
        ("one token of a login", ["login-0.tokens", "login-1.tokens", "login-2.tokens"]),
        ("new tokens", ["app.tokens"; 3]),
        ("forged tokens (401)", ["app-forged.tokens"; 3]),
    ] {
        let pools = files.map(Pool::of);
        let mut figures: [(Vec<f64>, Vec<f64>); 3] = Default::default();
        for round in 0..=rounds {
            for (((name, server), pool), (own, all)) in servers.iter().zip(&pools).zip(&mut figures) {
                let time = if round == 0 { 1 } else { seconds };
                let cost = Cost::of(server, || pool.load(bench, server, ME, time))?;
                // What the first round costs is not the point.
                if round > 0 {
                    println!(
                        "{title}, {name}, round {round}: {:.1} µs, the gate {:.1} µs",
                        cost.all, cost.own
                    );
                    own.push(cost.own);
                    all.push(cost.all);
                }
            }
        }
        let [(_, alone), (own, on), (own_off, off)] = &figures;
        let parts = Row::of_micros("", own, own_off, String::new()).joined(1..4);
        rows.push(Row::of_kinds(title, alone, [Some(on), Some(off), None]).ending_in(parts));
    }
    let text = "\nThe app of FastAPI's tutorial on uvicorn, which verifies tokens with PyJWT: alone, behind Mantlet without configuration, and with\n\
                `authentication.mode = \"off\"`. `GET /users/me/`; CPU of the whole process tree for each request, and the ratio to the app alone. The last\n\
                column is what of it the gate itself takes: as it is, with mode off, ratio.\n\n";
    Ok(report::section(text, &rows, ["", "the app alone", "Mantlet", "mode off", "the gate's own part"]))
}

/// Whether the gate has refused a forged token itself, as its audit file has it.
fn refuses(bench: &Bench<'_>, server: &Server) -> Result<bool> {
    let forged = bench.tokens("app-forged.tokens", 1)?.concat();
    let request = format!(
        "GET {ME} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nAuthorization: Bearer {forged}\r\n\r\n"
    );
    let answer = ask(server.port, &request)?;
    ensure!(answer.starts_with("HTTP/1.1 401 "), "a forged token is answered with:\n{answer}");
    // Records are written within a second.
    thread::sleep(Duration::from_secs(2));
    let records =
        fs::read_to_string(bench.place.folder.join("state-enforce/audit.jsonl")).unwrap_or_default();
    let last = records.lines().rfind(|line| line.contains("\"token-invalid\""));
    Ok(last.is_some_and(|line| line.contains("\"request-refused\"")))
}

/// Logs in and returns the token. Behind a gate, its key is known then.
pub(super) fn log_in(server: &Server) -> Result<String> {
    let form = "username=johndoe&password=secret";
    let answer = ask(
        server.port,
        &format!(
            "POST /token HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        ),
    )?;
    let token = answer.split_once("\"access_token\":\"").and_then(|(_, rest)| Some(rest.split_once('"')?.0));
    let token = token.with_context(|| format!("the app has handed out no token:\n{answer}"))?;
    // The gate asks the app what it does with forged tokens.
    for _ in 0..3 {
        let request = format!(
            "GET {ME} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let answer = ask(server.port, &request)?;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "the app does not know its own token:\n{answer}");
        thread::sleep(Duration::from_millis(500));
    }
    Ok(token.to_owned())
}

fn ask(port: u16, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    // Under callgrind it takes its time.
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
