//! Compressed bodies.

use std::{io::Write, process::Command};

use flate2::{Compression, write::GzEncoder};

use super::{END, TYPE, file, post};
use crate::kit::{Setup, processes::Footprint, provided};

const GZIP: &str = "Content-Encoding: gzip\r\n";

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

/// 100 MiB of zeros in 100 KiB.
fn bomb() -> Vec<u8> {
    let script = "import gzip, sys; sys.stdout.buffer.write(gzip.compress(bytes(100 << 20)))";
    Command::new(provided("MANTLET_TEST_PYTHON")).args(["-c", script]).output().expect("Python").stdout
}

#[test]
fn row_51_a_gzip_bomb_is_refused_in_little_memory() {
    let bomb = bomb();
    assert!((90 << 10..110 << 10).contains(&bomb.len()), "about 1000:1, {}", bomb.len());
    for (config, code) in [
        ("[contract]\nposture = \"strict\"\n", "body-bomb"),
        ("[encoding]\nmax-ratio = 100\n", "body-bomb"),
        ("[encoding]\nmode = \"enforce\"\n", "body-bomb"),
        ("[encoding]\nmax-ratio = 100000\n[limits]\nbody-size = \"10 MiB\"\n", "body-too-large"),
        // What is only reported opens no way round the size.
        ("[limits]\nbody-size = \"10 MiB\"\n", "body-too-large"),
    ] {
        let gateway = Setup::run("uploads:app").config(config).start();
        let memory = Footprint::of(gateway.pid());
        for target in ["/inflated", "/picture", "/raw/bomb"] {
            let answer = post(&gateway, target, GZIP, &bomb);
            assert_eq!((answer.status, answer.code().as_str()), (413, code), "{target}");
        }
        let grown = memory.grown("gzip bombs");
        assert!(grown < 16 << 20, "{grown} bytes more");
    }
}

#[test]
fn row_51_by_default_the_ratio_is_told_once_and_the_body_passes_as_it_came() {
    let gateway = Setup::run("uploads:app").start();
    let bomb = bomb();
    for _ in 0..2 {
        let answer = post(&gateway, "/raw/bomb", GZIP, &bomb);
        assert_eq!(answer.json()["bytes"], bomb.len(), "{answer:?}");
    }
    let audit = gateway.end().audit;
    let [told] = &audit[..] else { panic!("once for the route: {audit:?}") };
    assert_eq!((&told["reason"], &told["action"]), (&"body-bomb".into(), &"pass".into()));
    assert!(told["remedy"].as_str().is_some_and(|line| line.contains("encoding.mode")), "{told}");
}

#[test]
fn compressed_bodies_pass_as_they_came() {
    let gateway = Setup::run("uploads:app").config("[contract]\nposture = \"strict\"\n").start();
    let text = "all work and no play ".repeat(10_000);
    let answer = post(&gateway, "/inflated", GZIP, gzip(text.as_bytes()));
    assert_eq!(answer.json()["bytes"], text.len(), "{answer:?}");
}

#[test]
fn other_codings_are_reported_and_refused_in_strict_posture() {
    let (compatible, strict) = (
        Setup::run("uploads:app").start(),
        Setup::run("uploads:app").config("[contract]\nposture = \"strict\"\n").start(),
    );
    for (coding, code, status) in [
        ("compress", "content-encoding-unsupported", 415),
        ("gzip, gzip", "content-encoding-unsupported", 415),
        ("gzip", "content-encoding-malformed", 400),
    ] {
        let lines = format!("Content-Encoding: {coding}\r\n");
        let answer = post(&strict, "/raw/coded", &lines, "not compressed");
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{coding}");
        let answer = post(&compatible, "/raw/coded", &lines, "not compressed");
        assert_eq!(answer.json()["bytes"], 14, "{answer:?}");
    }
    let told: Vec<_> = compatible.end().audit.iter().map(|record| record["reason"].clone()).collect();
    assert_eq!(told, ["content-encoding-unsupported", "content-encoding-malformed"], "each once");
}

/// A form does not escape by being compressed where the app may inflate it, nor by saying that it is where nobody does.
#[test]
fn row_56_a_compressed_form_is_a_form() {
    let config = "[uploads]\nfile-size = \"5 KiB\"\ntypes = [\"image/*\"]\n";
    let gateway = Setup::run("uploads:app").config(config).start();
    let form = file("picture", "../x", "x") + END;
    let answer = post(&gateway, "/raw/form", &format!("{TYPE}{GZIP}"), gzip(form.as_bytes()));
    assert_eq!((answer.status, answer.code().as_str()), (400, "upload-name-forbidden"));
    for coding in ["br", "gzip, gzip", "gzip"] {
        let lines = format!("{TYPE}Content-Encoding: {coding}\r\n");
        let answer = post(&gateway, "/picture", &lines, &form);
        assert_eq!((answer.status, answer.code().as_str()), (400, "upload-name-forbidden"), "{coding}");
        let answer = post(&gateway, "/raw/form", &lines, &form);
        assert_eq!((answer.status, answer.code().as_str()), (400, "multipart-malformed"), "{coding}");
    }
}
