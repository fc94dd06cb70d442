//! Answers of a real FastAPI app by random response models: what FastAPI itself writes is never more than what is promised.
//!
//! The variables are those of `differential.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy's own exception does not reach the helpers of test crates"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use mantlet_contract::answers::{Found, Promise, look};
use mantlet_contract::compile::compile;
use mantlet_contract::json::{Limits, parse};
use mantlet_contract::model::{Response, Shape};
use serde::Deserialize;

/// A response model, and answers by it: the status, the body, and the same with a field more.
#[derive(Deserialize)]
struct Line {
    name: String,
    shapes: Vec<Shape>,
    responses: Vec<Response>,
    answers: Vec<(u16, String, String)>,
}

#[test]
fn what_fastapi_writes_is_what_is_promised() {
    let python = std::env::var_os("MANTLET_TEST_PYTHON")
        .unwrap_or_else(|| panic!("MANTLET_TEST_PYTHON is not set: run `cargo xtask test`"));
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let mut child = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/answers.py"))
        .arg(setting("MANTLET_DIFFERENTIAL_SEED", "7"))
        .arg(setting("MANTLET_DIFFERENTIAL_CASES", "2000"))
        .env("PYTHONHASHSEED", "0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut all, mut promised, mut found_more) = (0, 0, 0);
    let mut wrong: BTreeMap<String, String> = BTreeMap::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line: Line = serde_json::from_str(&line.unwrap()).unwrap();
        let (shapes, notes) = compile(&line.shapes);
        assert!(notes.is_empty(), "{notes:?}");
        for (status, body, more) in &line.answers {
            all += 1;
            let response = line.responses.iter().find(|response| response.status == Some(*status));
            let Some(shape) = response.and_then(|response| response.shape) else { continue };
            promised += 1;
            let unknown = |body: &str| -> Found<()> {
                let json = parse(body.as_bytes(), Limits { depth: usize::MAX, ..Limits::default() }).unwrap();
                look(&json, Some(Promise { shapes: &shapes, any_of: &[shape.0] }), |_, _| None::<()>)
            };
            if let Some(span) = unknown(body).unknown.first() {
                wrong.insert(line.name.clone(), format!("{} of {body}", &body[span.clone()]));
            }
            found_more += usize::from(!unknown(more).unknown.is_empty());
        }
    }
    assert!(child.wait().unwrap().success());
    println!(
        "{all} answers, {promised} by models whose fields are known; a field more is found in {found_more} of these; {} models have \
         something cut that FastAPI has written",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(all > 500 && promised * 4 > all && found_more * 3 > promised, "too little was compared");
}
