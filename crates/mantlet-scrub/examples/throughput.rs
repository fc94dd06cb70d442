//! How fast output is scrubbed, on one core:
//! `cargo run --release -p mantlet-scrub --example throughput`

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "it measures, and is run by a contributor"
)]

use std::{hint::black_box, sync::Arc, time::Instant};

use mantlet_scrub::{Further, Known, Rules, Scrubber};

/// Bytes of each run, and of each write of the app.
const SIZE: usize = 16 << 20;
const WRITE: usize = 4 << 10;

const SEPARATORS: &[&str] = &["", "/", "=", "+", ".", "-", "_", ":", ",", "\"", "'", " ", "\n"];
/// What forms begin with.
#[rustfmt::skip]
const TRIGGERS: &[&str] = &[
    "eyJ", "eyJhbGciOiJIUzI1NiJ9.", "eyJhPz97", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----\nMIIE",
    "mk_", "://", "a://b:", ":\\/\\/", "a%3a%2f%2fb%3a", "bearer ", "bearer%20", "basic ", "basic%20",
    "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "sk_live_", "rk_live_",
    "sk_test_", "rk_test_", "whsec_", "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-",
    "hooks.slack.com/services/", "SG.", "AKIA", "ASIA", "secret_access_key", "secretaccesskey",
    "AccountKey", "SharedAccessKey", "AIza", "GOCSPX-", "ya29.", "sk-ant-", "sk-proj-", "sk-svcacct-",
    "hf_", "pypi-AgEIcHlwaS5vcmc", "npm_", "dop_v1_", "doo_v1_", "dor_v1_", "shpat_", "dckr_pat_",
    "hvs.", "hvb.", "AGE-SECRET-KEY-1",
];

fn main() {
    let ordinary = include_str!("../tests/ordinary.log");
    let values: Vec<(String, String)> = (0..50)
        .map(|index| (format!("app.env.KEY_{index}"), format!("{index}-s3cret-value-of-{}", index * 7_919)))
        .collect();
    let known: Vec<Known<'_>> =
        values.iter().map(|(name, value)| Known { name, value: value.as_bytes() }).collect();
    let lines = || Further { cards: true, patterns: vec![("customer", r"\bC-\d{8}\b")] };
    println!("{:<58}{:>8}", "ordinary output", "MB/s");
    for (what, known, further) in [
        ("no known secret", &known[..0], Further::default()),
        ("5 known secrets", &known[..5], Further::default()),
        ("50 known secrets", &known[..], Further::default()),
        ("5 known secrets, cards and a pattern", &known[..5], lines()),
    ] {
        measure(what, ordinary, WRITE, known, further);
    }
    println!("{:<58}{:>8}", "made up by an attacker, 5 known secrets", "MB/s");
    let token = "eyJhbGciOiJIUzI1NiJ9.".to_owned() + &"A".repeat(15_000) + " ";
    for (what, text, write) in [
        ("beginnings of tokens in a row", "eyJ".repeat(1_000), WRITE),
        ("beginnings of tokens, escaped", r"\neyJ".repeat(1_000), WRITE),
        ("beginnings of tokens, percent-encoded", "%3DeyJ".repeat(1_000), WRITE),
        ("beginnings of URLs", "a://b:c".repeat(1_000), WRITE),
        ("beginnings of URLs, percent-encoded", "a%3A%2F%2Fb%3A".repeat(1_000), WRITE),
        ("beginnings of private keys", "-----BEGIN PRIVATE KEY-----AAAA".repeat(1_000), WRITE),
        ("beginnings of keys", "ghp_sk_live_AKIAnpm_hf_".repeat(1_000), WRITE),
        ("beginnings of tokens between `/`", "eyJ/".repeat(1_000), WRITE),
        ("heads of tokens in a row", "eyJhbGciOiJIUzI1NiJ9.".repeat(1_000), WRITE),
        ("beginnings of long keys in a row", "ya29.".repeat(1_000), WRITE),
        ("beginnings of long keys in a row, a byte at a time", "ya29.".repeat(1_000), 1),
        ("schemes", "Authorization: Bearer bearer basic ".repeat(1_000), WRITE),
        ("long tokens, a byte at a time", token, 1),
        ("beginnings of a known secret", "0-s3cret-value-of".repeat(1_000), WRITE),
    ] {
        measure(what, &text, write, &known[..5], Further::default());
    }
    println!("{:<58}{:>8}", "the slowest of all beginnings with all separators", "MB/s");
    let mut speeds = Vec::new();
    for trigger in TRIGGERS {
        for separator in SEPARATORS {
            let part = format!("{trigger}{separator}");
            speeds.push((speed(&part.repeat(1_000), 1 << 20, WRITE, &known[..5], Further::default()), part));
        }
    }
    speeds.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (speed, part) in speeds.iter().take(5) {
        println!("  {:<56}{speed:>8.0}", format!("{part:?}"));
    }
}

fn measure(what: &str, text: &str, write: usize, known: &[Known<'_>], further: Further<'_>) {
    let size = if write < WRITE { SIZE / 16 } else { SIZE };
    println!("  {what:<56}{:>8.0}", speed(text, size, write, known, further));
}

/// In MB/s.
fn speed(text: &str, size: usize, write: usize, known: &[Known<'_>], further: Further<'_>) -> f64 {
    let rules = Arc::new(Rules::new(known, further).expect("rules"));
    let input = text.repeat(size / text.len());
    let (mut scrubber, mut out, mut written) = (Scrubber::new(rules), Vec::new(), 0);
    let start = Instant::now();
    for part in input.as_bytes().chunks(write) {
        scrubber.push(black_box(part), &mut out);
        written += out.len();
        out.clear();
    }
    scrubber.finish(&mut out);
    let speed = input.len() as f64 / 1e6 / start.elapsed().as_secs_f64();
    black_box(written);
    speed
}
