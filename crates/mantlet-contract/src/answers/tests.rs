use serde_json::json;

use super::{Promise, look};
use crate::compile::compile;
use crate::json::{Kind, Limits, cut, parse};
use crate::model::Shape;

/// 0: anything; 1: a user `{id, email, friends: [user], tags: {…: tag}}`; 2: a tag `{name}`; 3: a union of both; 4: a model that allows more.
fn shapes() -> Vec<Shape> {
    let field =
        |name: &str, shape: u32| json!({"name": name, "lookup": [[name]], "shape": shape, "required": false});
    let object = |name: &str, fields: Vec<serde_json::Value>, extra: &str| json!({"type": "object", "name": name, "kind": "model", "fields": fields, "extra": extra});
    let shapes = json!([
        {"type": "any"},
        object("User", vec![field("id", 0), field("email", 0), field("friends", 5), field("tags", 6), field("of", 3)], "ignore"),
        object("Tag", vec![field("name", 0)], "ignore"),
        {"type": "union", "choices": [1, 2], "labels": ["1", "2"]},
        object("Open", vec![field("user", 1)], "allow"),
        {"type": "list", "items": 1},
        {"type": "dict", "keys": 0, "values": 2},
        {"type": "tuple", "items": [1, 2], "variadic": null},
        {"type": "nullable", "inner": 8},
    ]);
    serde_json::from_value(shapes).unwrap()
}

fn kept(shape: u32, body: &str) -> String {
    let (shapes, _) = compile(&shapes());
    let json = parse(body.as_bytes(), Limits { depth: usize::MAX, ..Limits::default() }).unwrap();
    let found = look(&json, Some(Promise { shapes: &shapes, any_of: &[shape] }), |_, _| None::<()>);
    // What is inside another goes with it.
    let mut outer: Vec<std::ops::Range<usize>> = Vec::new();
    for span in found.unknown {
        if outer.last().is_none_or(|last| last.end <= span.start) {
            outer.push(span);
        }
    }
    String::from_utf8(cut(body.as_bytes(), &outer)).unwrap()
}

#[test]
fn what_no_branch_promises_is_found() {
    for (shape, body, expected) in [
        (1, r#"{"id": 1, "hash": "x", "email": null}"#, r#"{"id": 1, "email": null}"#),
        (
            1,
            r#"{"id":1,"friends":[{"id":2,"x":{"y":1}},{"id":3}],"x":[]}"#,
            r#"{"id":1,"friends":[{"id":2},{"id":3}]}"#,
        ),
        (
            1,
            r#"{"id":1,"tags":{"any":{"name":"a","x":1},"key":{"name":"b"}}}"#,
            r#"{"id":1,"tags":{"any":{"name":"a"},"key":{"name":"b"}}}"#,
        ),
        (1, r#"{"id":1,"\u0078":1,"id":2,"x":1}"#, r#"{"id":1,"id":2}"#),
        (5, r#"[{"id":1,"x":1},null,3,[{"id":1,"x":1}]]"#, r#"[{"id":1},null,3,[{"id":1,"x":1}]]"#),
        (7, r#"[{"id":1,"name":"a","x":1},{"name":"b","x":1}]"#, r#"[{"id":1,"name":"a"},{"name":"b"}]"#),
        // Either of them may stand; what both lack may not.
        (3, r#"{"id":1,"name":"a","x":1}"#, r#"{"id":1,"name":"a"}"#),
        (1, r#"{"id":1,"of":{"name":"a","email":"b","x":1}}"#, r#"{"id":1,"of":{"name":"a","email":"b"}}"#),
        // More is allowed, and below it everything; not below what is declared.
        (4, r#"{"user":{"id":1,"x":1},"more":{"x":1}}"#, r#"{"user":{"id":1},"more":{"x":1}}"#),
        // Something else than what was promised.
        (1, r#"{"detail":"no"}"#, r#"{"detail":"no"}"#),
        (1, r#"[{"x":1}]"#, r#"[{"x":1}]"#),
        (1, r#"{"id":{"x":1}}"#, r#"{"id":{"x":1}}"#),
        (0, r#"{"x":1}"#, r#"{"x":1}"#),
        // Shapes that lead nowhere.
        (8, r#"{"x":1}"#, r#"{"x":1}"#),
        (99, r#"{"x":1}"#, r#"{"x":1}"#),
    ] {
        assert_eq!(kept(shape, body), expected, "{shape} {body}");
    }
}

#[test]
fn names_are_found_wherever_they_stand() {
    let (shapes, _) = compile(&shapes());
    let body = r#"{"id": {"secret": "a"}, "x": {"secret": 1, "y": [{"secret": null}]}, "email": "secret"}"#;
    let json = parse(body.as_bytes(), Limits::default()).unwrap();
    let is_named =
        |key: &str, value: Kind<'_>| (key == "secret" && !matches!(value, Kind::Null)).then_some(());
    let found = look(&json, Some(Promise { shapes: &shapes, any_of: &[1] }), is_named);
    let texts: Vec<_> =
        found.named.iter().map(|(span, promised, ())| (&body[span.clone()], *promised)).collect();
    assert_eq!(texts, [(r#""secret": "a""#, false), (r#""secret": 1"#, false)]);
    assert_eq!(look(&json, None, is_named).named.len(), 2);
    let named =
        look(&json, Some(Promise { shapes: &shapes, any_of: &[1] }), |key, _| (key == "email").then_some(()))
            .named;
    assert_eq!(named.iter().map(|(_, promised, ())| *promised).collect::<Vec<_>>(), [true]);
}

#[test]
fn depth_is_no_matter() {
    let deep = 200_000;
    let body = format!("{}{{\"id\":1,\"x\":1}}{}", r#"{"id":1,"friends":["#.repeat(deep), "]}".repeat(deep));
    assert_eq!(kept(1, &body).len(), body.len() - r#","x":1"#.len());
}
