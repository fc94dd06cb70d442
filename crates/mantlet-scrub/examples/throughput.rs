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
const SIZE: usize = 64 << 20;
const WRITE: usize = 4 << 10;

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
        ("schemes", "Authorization: Bearer bearer basic ".repeat(1_000), WRITE),
        ("long tokens, a byte at a time", token, 1),
        ("beginnings of a known secret", "0-s3cret-value-of".repeat(1_000), WRITE),
    ] {
        measure(what, &text, write, &known[..5], Further::default());
    }
}

fn measure(what: &str, text: &str, write: usize, known: &[Known<'_>], further: Further<'_>) {
    let rules = Arc::new(Rules::new(known, further).expect("rules"));
    let size = if write < WRITE { SIZE / 16 } else { SIZE };
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
    println!("  {what:<56}{speed:>8.0}");
}
