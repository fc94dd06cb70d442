//! Values made to hurt: their cost is bounded.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking; clippy's own exception does not reach the helpers of test crates"
)]

use mantlet_contract::Shapes;
use mantlet_contract::compile::compile;
use mantlet_contract::json::{Limits, ParseError, parse};
use mantlet_contract::validate::{MAX_FAULTS, Outcome, validate};
use mantlet_contract::value::Value;

fn shapes(text: &str) -> Shapes {
    let (shapes, notes) = compile(&serde_json::from_str::<Vec<_>>(text).unwrap());
    assert!(notes.is_empty(), "{notes:?}");
    shapes
}

fn judged(shapes: &Shapes, body: &str) -> Outcome {
    let json = parse(body.as_bytes(), Limits::default()).unwrap();
    validate(shapes, 0, Value::Json(json.root()), &[])
}

/// Pydantic would build half a million errors; the answer would be many times the request.
#[test]
fn faults_have_an_end() {
    let texts = shapes(r#"[{"type": "list", "items": 1}, {"type": "str"}]"#);
    let outcome = judged(&texts, &format!("[{}1]", "1,".repeat(500_000)));
    assert_eq!(outcome.faults.len(), MAX_FAULTS);
    assert!(!outcome.accepted());
}

/// Every member twice, a hundred thousand of them: comparing each with each would be ten billion comparisons.
#[test]
fn row_54_double_keys_cost_no_more_than_others() {
    let closed = shapes(
        r#"[{"type": "object", "name": "A", "kind": "model", "extra": "forbid", "fields": [{"name": "a", "lookup": [["a"]], "shape": 1, "required": true}]},
            {"type": "int"}]"#,
    );
    let members: Vec<String> = (0..100_000).map(|n| format!("\"k{}\":{n}", n % 50_000)).collect();
    let body = format!("{{\"a\":\"x\",{},\"a\":1}}", members.join(","));
    let json = parse(body.as_bytes(), Limits::default()).unwrap();
    assert!(json.odd().duplicate_key.is_some());
    let outcome = validate(&closed, 0, Value::Json(json.root()), &[]);
    // The last `a` counts, as in Python; all the others are extra, and each once.
    assert_eq!(outcome.faults.len(), MAX_FAULTS);
    assert!(outcome.faults.iter().all(|fault| fault.kind == "extra_forbidden"));
}

/// A union that tries two ways at each of a hundred levels: 2^100 tries, so at some point it is left to the app.
#[test]
fn unions_that_double_at_every_level_are_given_up() {
    let doubling = shapes(
        r#"[{"type": "union", "choices": [1, 2, 3], "labels": ["a", "b", "int"]},
            {"type": "object", "name": "A", "kind": "model", "extra": "ignore", "fields": [{"name": "x", "lookup": [["x"]], "shape": 0, "required": true}]},
            {"type": "object", "name": "B", "kind": "model", "extra": "ignore", "fields": [{"name": "x", "lookup": [["x"]], "shape": 0, "required": true}]},
            {"type": "int"}]"#,
    );
    let outcome = judged(&doubling, &format!("{}\"no\"{}", "{\"x\":".repeat(100), "}".repeat(100)));
    assert!(outcome.accepted() && outcome.undecided);
    // A few levels are judged.
    assert!(!judged(&doubling, "{\"x\":{\"x\":{\"x\":\"no\"}}}").accepted());
}

/// As deep as JSON may be, and shapes that lead nowhere: the stack of a small thread suffices.
#[test]
fn depth_does_not_overflow_the_stack() {
    let run = || {
        let tree = shapes(
            r#"[{"type": "nullable", "inner": 1}, {"type": "with-default", "inner": 2},
                {"type": "object", "name": "Tree", "kind": "model", "extra": "ignore", "fields": [{"name": "x", "lookup": [["x"]], "shape": 0, "required": false}]}]"#,
        );
        let deep = |levels: usize| format!("{}null{}", "{\"x\":".repeat(levels), "}".repeat(levels));
        assert!(judged(&tree, &deep(128)).accepted());
        assert_eq!(parse(deep(129).as_bytes(), Limits::default()).unwrap_err(), ParseError::Depth(128));
        let circle =
            shapes(r#"[{"type": "nullable", "inner": 1}, {"type": "then", "inner": 0, "why": "x"}]"#);
        let outcome = judged(&circle, "1");
        assert!(outcome.accepted() && outcome.undecided);
    };
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(run).unwrap().join().unwrap();
}
