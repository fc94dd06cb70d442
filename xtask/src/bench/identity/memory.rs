//! Memory of verdicts on tokens and of sessions.

use std::{fmt::Write, fs, net::TcpStream, os::unix::fs::PermissionsExt, thread, time::Duration};

use anyhow::Result;

use super::{super::connections, Bench, Source};
use crate::{
    processes,
    shell::{cargo, output},
};

/// Verdicts whose memory is measured.
const VERDICTS: usize = 10_000;
/// Credentials of a ledger.
const MILLION: u64 = 1_000_000;

/// Memory of verdicts and of sessions.
pub(super) fn measure(bench: &Bench<'_>) -> Result<String> {
    let example =
        ["run", "--locked", "--release", "--quiet", "--package", "mantlet-controls", "--example", "identity"];
    let lines = output(&mut cargo(&example))?;
    let lines: String = lines.lines().map(|line| format!("- {line}\n")).collect::<Vec<_>>().concat();
    let server = bench.gate(bench.mantlet(), Source::Secret)?;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
    connections::ask(&mut stream)?;
    let before = processes::memory(server.id())?;
    for token in bench.tokens("hs256.tokens", VERDICTS)? {
        let request = format!("GET /small HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n");
        connections::exchange(&mut stream, request.as_bytes())?;
    }
    let verdicts = processes::memory(server.id())?.saturating_sub(before);
    let [empty, full] = [0, MILLION].map(|sessions| with_sessions(bench, sessions));
    let ([empty, _], [full, file]) = (empty?, full?);
    Ok(format!(
        "\nIn the gate: {} KiB for the verdicts on {VERDICTS} tokens of one connection. {MILLION} sessions of one token each: {} MiB ({} MiB without\n\
         any), and {} MiB on disk.\n\n\
         By itself (`cargo run --release -p mantlet-controls --example identity`):\n\n{lines}",
        verdicts >> 10,
        full >> 20,
        empty >> 20,
        file >> 20,
    ))
}

/// Memory of a gate that has so many sessions in its file, and the bytes of that file.
fn with_sessions(bench: &Bench<'_>, count: u64) -> Result<[u64; 2]> {
    const DAY: u64 = 86_400;
    let folder = bench.place.folder.join("state");
    fs::create_dir_all(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let mut lines = "{\"mantlet-sessions\":1}\n".to_owned();
    for number in 0..count {
        // Spread as hashes are.
        let id = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let digest = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        // Writing to a text cannot fail.
        let _ = writeln!(
            lines,
            "{{\"event\":\"began\",\"id\":{id},\"account\":\"user{number}@example.com\",\"names\":[\"{:032x}\",\"{:032x}\"],\
             \"began\":{now},\"address\":\"203.0.113.7\"}}\n\
             {{\"event\":\"handed-out\",\"session\":{id},\"digest\":\"{digest:032x}\",\"kind\":\"bearer\",\"at\":{now},\"expires\":{}}}",
            digest ^ 1 << 64,
            digest ^ 2 << 64,
            now + DAY,
        );
    }
    let file = folder.join("sessions.jsonl");
    fs::write(&file, &lines)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    let mut mantlet = bench.mantlet();
    mantlet.env("MANTLET_STATE_FOLDER", "state");
    let server = bench.gate(mantlet, Source::Secret)?;
    thread::sleep(Duration::from_secs(2));
    let used = processes::memory(server.id())?;
    drop(server);
    fs::remove_file(&file)?;
    Ok([used, lines.len() as u64])
}
