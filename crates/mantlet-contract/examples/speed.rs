//! How long a typical body takes: `cargo run --release -p mantlet-contract --example speed`.

use std::hint::black_box;
use std::time::Instant;

use mantlet_contract::answers::{Promise, look};
use mantlet_contract::compile::compile;
use mantlet_contract::json::{Limits, cut, parse};
use mantlet_contract::model::Shape;
use mantlet_contract::validate::validate;
use mantlet_contract::value::Value;

const SHAPES: &str = r#"[
  {"type": "object", "name": "Order", "kind": "model", "extra": "ignore", "fields": [
    {"name": "id", "lookup": [["id"]], "shape": 1, "required": true},
    {"name": "customer", "lookup": [["customer"]], "shape": 2, "required": true},
    {"name": "email", "lookup": [["email"]], "shape": 3, "required": true},
    {"name": "note", "lookup": [["note"]], "shape": 4, "required": false},
    {"name": "total", "lookup": [["total"]], "shape": 5, "required": true},
    {"name": "paid", "lookup": [["paid"]], "shape": 6, "required": true},
    {"name": "created", "lookup": [["created"]], "shape": 7, "required": true},
    {"name": "status", "lookup": [["status"]], "shape": 8, "required": true},
    {"name": "tags", "lookup": [["tags"]], "shape": 9, "required": true},
    {"name": "lines", "lookup": [["lines"]], "shape": 10, "required": true},
    {"name": "address", "lookup": [["address"]], "shape": 13, "required": true},
    {"name": "reference", "lookup": [["reference"]], "shape": 14, "required": true}
  ]},
  {"type": "int", "bounds": {"ge": "1"}},
  {"type": "str", "min-length": 1, "max-length": 100},
  {"type": "str", "max-length": 200, "pattern": "^[^@]+@[^@]+$"},
  {"type": "nullable", "inner": 2},
  {"type": "float", "bounds": {"ge": "0"}},
  {"type": "bool"},
  {"type": "datetime"},
  {"type": "literal", "expected": ["new", "open", "done"]},
  {"type": "list", "items": 2, "max-length": 20},
  {"type": "list", "items": 11, "max-length": 50},
  {"type": "object", "name": "Line", "kind": "model", "extra": "ignore", "fields": [
    {"name": "sku", "lookup": [["sku"]], "shape": 2, "required": true},
    {"name": "count", "lookup": [["count"]], "shape": 1, "required": true},
    {"name": "price", "lookup": [["price"]], "shape": 5, "required": true}
  ]},
  {"type": "any"},
  {"type": "object", "name": "Address", "kind": "model", "extra": "forbid", "fields": [
    {"name": "street", "lookup": [["street"]], "shape": 2, "required": true},
    {"name": "city", "lookup": [["city"]], "shape": 2, "required": true},
    {"name": "zip", "lookup": [["zip"]], "shape": 2, "required": true},
    {"name": "country", "lookup": [["country"]], "shape": 2, "required": true}
  ]},
  {"type": "uuid"},
  {"type": "list", "items": 0}
]"#;

fn body() -> String {
    let line = |n: u32| format!(r#"{{"sku": "SKU-{n:04}", "count": {n}, "price": {n}.5}}"#);
    let lines: Vec<String> = (1..=9).map(line).collect();
    format!(
        r#"{{"id": 12345, "customer": "Ada Lovelace", "email": "ada@example.com", "note": "leave it at the door, {}", "total": 199.9,
 "paid": true, "created": "2026-01-02T03:04:05Z", "status": "open", "tags": ["gift", "express", "new customer"], "lines": [{}],
 "address": {{"street": "12 St James's Square", "city": "London", "zip": "SW1Y 4JH", "country": "GB"}},
 "reference": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}}"#,
        "please ".repeat(10),
        lines.join(", ")
    )
}

fn nanoseconds(rounds: u32, mut run: impl FnMut()) -> u128 {
    // The best of several: others use this machine.
    (0..20)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..rounds {
                run();
            }
            start.elapsed().as_nanos() / u128::from(rounds)
        })
        .min()
        .unwrap_or_default()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (shapes, _) = compile(&serde_json::from_str::<Vec<Shape>>(SHAPES)?);
    let body = body();
    let json = parse(body.as_bytes(), Limits::default())?;
    let outcome = validate(&shapes, 0, Value::Json(json.root()), &["body"]);
    if !outcome.accepted() || outcome.undecided {
        return Err(format!("the body should pass: {:?}", outcome.faults).into());
    }
    let parsing = nanoseconds(10_000, || {
        let _ = black_box(parse(black_box(body.as_bytes()), Limits::default()));
    });
    let validating = nanoseconds(10_000, || {
        let _ = black_box(validate(&shapes, 0, Value::Json(black_box(&json).root()), &["body"]));
    });
    let serde = nanoseconds(10_000, || {
        let _ = black_box(serde_json::from_slice::<serde_json::Value>(black_box(body.as_bytes())));
    });
    println!(
        "{} bytes: parse {parsing} ns, validate {validating} ns; serde_json to a value {serde} ns",
        body.len()
    );
    let bad = body.replace("12345", "\"x\"").replace("true", "5").replace("GB\"", "GB\", \"more\": 1");
    let refused = nanoseconds(10_000, || {
        if let Ok(json) = parse(black_box(bad.as_bytes()), Limits::default()) {
            black_box(validate(&shapes, 0, Value::Json(json.root()), &["body"]));
        }
    });
    println!("with three faults: parse and validate {refused} ns");

    // An answer of ten such bodies, each with a field that its model does not have.
    let more = body.replace("\"paid\"", "\"margin\": 0.4, \"paid\"");
    let answer = format!("[{}]", vec![more; 10].join(","));
    let promise = Promise { shapes: &shapes, any_of: &[15] };
    let json = parse(answer.as_bytes(), Limits::default())?;
    if look(&json, Some(promise), |_, _| None::<()>).unknown.len() != 10 {
        return Err("ten fields should be found".into());
    }
    let looking = nanoseconds(1_000, || {
        let _ = black_box(look(black_box(&json), Some(promise), |_, _| None::<()>));
    });
    let all = nanoseconds(1_000, || {
        if let Ok(json) = parse(black_box(answer.as_bytes()), Limits::default()) {
            let found = look(&json, Some(promise), |_, _| None::<()>);
            black_box(cut(answer.as_bytes(), &found.unknown));
        }
    });
    println!("an answer of {} bytes: look {looking} ns, parse, look and cut {all} ns", answer.len());
    Ok(())
}
