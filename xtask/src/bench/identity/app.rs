//! The app of FastAPI's tutorial, which verifies tokens by itself: alone and behind Mantlet.

use std::{
    cell::Cell,
    fs,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    super::{
        report::{self, Row},
        server::Server,
    },
    Bench, Cost, ME, Pool, by_turns,
};

/// The app that verifies tokens by itself, alone and behind Mantlet.
pub(super) fn measure(bench: &Bench<'_>, rounds: usize, seconds: u64) -> Result<String> {
    let servers = [
        ("the app alone", bench.app()?),
        ("Mantlet", bench.run(bench.mantlet(), "enforce")?),
        ("Mantlet, mode off", bench.run(bench.mantlet(), "off")?),
    ];
    let mut kinds = [
        ("one token of a login", "login.tokens", Vec::new()),
        ("new tokens", "app.tokens", Vec::new()),
        ("forged tokens (401)", "app-forged.tokens", Vec::new()),
    ];
    for (index, (name, server)) in servers.iter().enumerate() {
        log_in(bench, server)?;
        if index == 1 {
            ensure!(refuses(bench, server)?, "the gate leaves forged tokens to the app");
        }
        for (title, file, figures) in &mut kinds {
            let own = Cell::new(0.0);
            let pools = [Some(Pool::of(file))];
            let title = format!("{title}, {name}");
            let [all] = by_turns(&title, &pools, rounds, seconds, |pool, seconds| {
                let cost = Cost::of(server, || pool.load(bench, server, ME, seconds))?;
                own.set(cost.own);
                Ok(cost.all)
            })?;
            figures.push((all, own.get()));
        }
    }
    let mut rows = Vec::new();
    for (title, _, figures) in &kinds {
        let [(alone, _), (on, own), (off, own_off)] = &figures[..] else { bail!("a server is missing") };
        let parts = format!("{own:.1} µs, {own_off:.1} µs off");
        rows.push(Row::of_kinds(title, alone, [Some(on), Some(off), None]).ending_in(parts));
    }
    let text = "\nThe app of FastAPI's tutorial on uvicorn, which verifies tokens with PyJWT: alone, behind Mantlet without configuration, and with\n\
                `authentication.mode = \"off\"`. `GET /users/me/`; CPU of the whole process tree for each request, and the ratio to the app alone. The last\n\
                column is what of it the gate takes, in the last round.\n\n";
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

/// Logs in, and leaves the token in `login.tokens`. Behind a gate, its key is known then.
pub(super) fn log_in(bench: &Bench<'_>, server: &Server) -> Result<()> {
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
    bench.place.write("login.tokens", &format!("{token}\n"))?;
    // The gate asks the app what it does with forged tokens.
    for _ in 0..3 {
        let request = format!(
            "GET {ME} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let answer = ask(server.port, &request)?;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "the app does not know its own token:\n{answer}");
        thread::sleep(Duration::from_millis(500));
    }
    Ok(())
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
