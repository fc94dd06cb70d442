//! Whole requests against a real FastAPI app: random ones with a fixed seed, judged by both.
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

use mantlet_contract::Shapes;
use mantlet_contract::compile::compile;
use mantlet_contract::inputs::{Body, Judgement, PathValue, Request, judge};
use mantlet_contract::json::Limits;
use mantlet_contract::model::{Operation, Shape};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Operation { operation: Box<Operation>, shapes: Vec<Shape> },
    Case(Case),
}

#[derive(Deserialize)]
struct Case {
    index: usize,
    request: Sent,
    status: u16,
    errors: Option<Vec<Value>>,
}

#[derive(Deserialize, Debug)]
struct Sent {
    path: Vec<(String, String)>,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn judged(operation: &Operation, shapes: &Shapes, sent: &Sent) -> Judgement {
    let body = unhex(&sent.body);
    let path: Vec<_> =
        sent.path.iter().map(|(name, value)| (name.as_str(), PathValue::Text(value))).collect();
    let headers: Vec<_> =
        sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let request = Request {
        path: &path,
        query: sent.query.as_bytes(),
        headers: &headers,
        body: Body::Whole(&body),
        strict_content_type: false,
    };
    judge(operation, shapes, &request, Limits { python: 11, ..Limits::default() })
}

/// What is wrong with a judgement, if anything.
fn difference(case: &Case, ours: &Judgement) -> Option<String> {
    let faults: Vec<Value> = ours
        .faults
        .iter()
        .map(|fault| {
            let ctx = if fault.ctx.is_empty() { Value::Null } else { Value::Object(fault.ctx.clone()) };
            json!([fault.kind, fault.loc, fault.msg, ctx])
        })
        .collect();
    match &case.errors {
        None if case.status == 200 && !faults.is_empty() => {
            Some(format!("REFUSED THOUGH ACCEPTED: {faults:?}"))
        }
        None => None,
        Some(_) if ours.undecided => None,
        Some(errors) if *errors == faults => None,
        Some(errors) => {
            let different = errors.iter().zip(&faults).find(|(a, b)| a != b);
            Some(format!("{} and {} errors, first {different:?}", errors.len(), faults.len()))
        }
    }
}

#[test]
fn requests_are_judged_as_fastapi_judges_them() {
    let python = std::env::var_os("MANTLET_TEST_PYTHON")
        .unwrap_or_else(|| panic!("MANTLET_TEST_PYTHON is not set: run `cargo xtask test`"));
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let mut child = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/requests.py"))
        .arg(setting("MANTLET_DIFFERENTIAL_SEED", "7"))
        .arg(setting("MANTLET_DIFFERENTIAL_CASES", "2000"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut operations = Vec::new();
    let (mut cases, mut refused, mut unsure) = (0, 0, 0);
    let mut misses: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let case = match serde_json::from_str(&line.unwrap()).unwrap() {
            Line::Operation { operation, shapes } => {
                operations.push((operation, compile(&shapes).0));
                continue;
            }
            Line::Case(case) => case,
        };
        let (operation, shapes) = &operations[case.index];
        let ours = judged(operation, shapes, &case.request);
        cases += 1;
        refused += usize::from(case.status == 422);
        unsure += usize::from(ours.undecided);
        if let Some(difference) = difference(&case, &ours) {
            let group = difference.split(['[', ':']).next().unwrap_or_default().to_owned();
            let body = String::from_utf8_lossy(&unhex(&case.request.body)).into_owned();
            let example = || format!("{} {:?} {body}\n      {difference}", operation.id, case.request);
            misses.entry(format!("{} {group}", operation.id)).or_insert_with(|| (0, example())).0 += 1;
        }
    }
    assert!(child.wait().unwrap().success());
    let different: usize = misses.values().map(|(count, _)| count).sum();
    for (group, (count, example)) in &misses {
        println!("{count:6} {group}\n      {example}");
    }
    println!(
        "{cases} requests, FastAPI answers 422 to {refused}; {unsure} not wholly judged here; {different} judged otherwise"
    );
    assert!(!misses.keys().any(|group| group.contains("REFUSED")), "refused although FastAPI accepts");
    assert!(cases > 500 && refused > 200, "too little was compared");
    assert!(different * 100 <= refused * 2);
}
