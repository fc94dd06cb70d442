//! Load, and whether all of it was answered.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell::output;

/// Loads a server and returns how many requests it answered. An error, or an answer that is one, is a failure.
pub(super) fn load(wrk: &Path, folder: &Path, script: Option<&str>, url: &str, seconds: u64) -> Result<u64> {
    parse(&run(wrk, folder, script, url, seconds)?)
}

/// The same where each answer must be an error.
pub(super) fn load_refused(
    wrk: &Path,
    folder: &Path,
    script: Option<&str>,
    url: &str,
    seconds: u64,
) -> Result<u64> {
    parse_refused(&run(wrk, folder, script, url, seconds)?)
}

/// Loads a server by a script with arguments of its own. Each answer must be a success, or, if `refused`, an error.
pub(super) fn load_by(
    wrk: &Path,
    folder: &Path,
    script: (&str, &[&str]),
    url: &str,
    seconds: u64,
    refused: bool,
) -> Result<u64> {
    let (script, arguments) = script;
    let text = run_with(wrk, folder, Some(script), url, seconds, arguments)?;
    if refused { parse_refused(&text) } else { parse(&text) }
}

fn run(wrk: &Path, folder: &Path, script: Option<&str>, url: &str, seconds: u64) -> Result<String> {
    run_with(wrk, folder, script, url, seconds, &[])
}

fn run_with(
    wrk: &Path,
    folder: &Path,
    script: Option<&str>,
    url: &str,
    seconds: u64,
    arguments: &[&str],
) -> Result<String> {
    let mut command = Command::new(wrk);
    command.current_dir(folder).args(["--threads", "2", "--connections", "64", "--timeout", "10s"]);
    command.args(["--duration", &format!("{seconds}s")]);
    command.env("OPENSSL_CONF", folder.join("client.cnf"));
    if let Some(script) = script {
        command.args(["--script", script]);
    }
    command.arg(url);
    if !arguments.is_empty() {
        command.arg("--").args(arguments);
    }
    output(&mut command)
}

const ERRORS: &str = "Non-2xx or 3xx responses:";

fn parse_refused(text: &str) -> Result<u64> {
    let errors = text.lines().find_map(|line| line.trim_start().strip_prefix(ERRORS)?.trim().parse().ok());
    let others = text.lines().filter(|line| !line.trim_start().starts_with(ERRORS));
    let requests = parse(&others.collect::<Vec<_>>().join("\n"))?;
    if errors != Some(requests) {
        bail!("not every request was refused:\n{}", text.trim_end());
    }
    Ok(requests)
}

fn parse(text: &str) -> Result<u64> {
    let errors = ["Socket errors:", ERRORS];
    if errors.iter().any(|error| text.contains(error)) {
        bail!("not every request was answered as it should be:\n{}", text.trim_end());
    }
    let requests = text.lines().find_map(|line| line.trim_start().split_once(" requests in "));
    let requests = requests.and_then(|(number, _)| number.parse().ok()).filter(|requests| *requests > 0);
    requests
        .with_context(|| format!("wrk does not say how many requests were answered:\n{}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::{parse, parse_refused};

    const FINE: &str = "Running 2s test @ http://127.0.0.1:1/small
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.05ms  524.36us  15.14ms   91.27%
  61234 requests in 2.00s, 20.12MB read
Requests/sec:  30617.00
";

    #[test]
    fn only_a_load_without_errors_counts() {
        assert_eq!(parse(FINE).unwrap(), 61_234);
        for line in
            ["  Socket errors: connect 0, read 3, write 0, timeout 0\n", "  Non-2xx or 3xx responses: 1\n"]
        {
            parse(&format!("{FINE}{line}")).unwrap_err();
        }
        parse("  0 requests in 2.00s, 0.00B read\n").unwrap_err();
        parse("").unwrap_err();
    }

    #[test]
    fn where_refusals_are_wanted_each_must_be_one() {
        let with = |count: u32| format!("{FINE}  Non-2xx or 3xx responses: {count}\n");
        assert_eq!(parse_refused(&with(61_234)).unwrap(), 61_234);
        parse_refused(&with(61_233)).unwrap_err();
        parse_refused(FINE).unwrap_err();
    }
}
