//! HTTP/2 over TLS: many streams on some connections.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell::output;

/// Loads a server and returns how many requests it answered. An error, or an answer that is one, is a failure.
pub(super) fn load(h2load: &Path, path: &str, port: u16, seconds: u64) -> Result<u64> {
    let mut command = Command::new(h2load);
    command.args(["--threads", "2", "--clients", "16", "--max-concurrent-streams", "32"]);
    // One group and one suite, so that both servers do the same work.
    command.args(["--groups", "X25519", "--tls13-ciphers", "TLS_AES_128_GCM_SHA256"]);
    command.args(["--duration", &seconds.to_string(), "--warm-up-time", "0"]);
    command.arg(format!("https://127.0.0.1:{port}{path}"));
    parse(&output(&mut command)?)
}

fn parse(text: &str) -> Result<u64> {
    let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let count = |line: &str, what: &str| {
        let found = line.split(", ").find_map(|part| part.trim().strip_suffix(what));
        found.and_then(|number| number.trim().parse::<u64>().ok())
    };
    let requests = line("requests: ").with_context(|| format!("h2load does not say what it did:\n{text}"))?;
    let statuses = line("status codes: ").unwrap_or_default();
    let (total, failed) = (count(requests, "done"), count(requests, "failed"));
    let (answered, agreed) = (count(statuses, "2xx"), line("Application protocol: "));
    match (total, failed, answered) {
        // Answers that were on their way at the end are counted by their status alone.
        (Some(total), Some(0), Some(answered)) if total > 0 && answered >= total && agreed == Some("h2") => {
            Ok(total)
        }
        _ => bail!("not every request was answered as it should be:\n{}", text.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    const FINE: &str = "starting benchmark...
TLS Protocol: TLSv1.3
Cipher: TLS_AES_128_GCM_SHA256
Server Temp Key: X25519 253 bits
Application protocol: h2

finished in 2.00s, 33000.50 req/s, 6.12MB/s
requests: 66001 total, 66513 started, 66001 done, 66001 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 66010 2xx, 0 3xx, 0 4xx, 0 5xx
";

    #[test]
    fn only_a_load_without_errors_counts() {
        assert_eq!(parse(FINE).unwrap(), 66_001);
        for (good, bad) in [
            (" 0 failed", " 3 failed"),
            ("66010 2xx", "65990 2xx"),
            ("protocol: h2", "protocol: http/1.1"),
            ("66001 done", "0 done"),
            ("requests: ", "wishes: "),
        ] {
            parse(&FINE.replace(good, bad)).unwrap_err();
        }
        parse("").unwrap_err();
    }
}
