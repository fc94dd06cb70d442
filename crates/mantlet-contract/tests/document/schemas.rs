//! JSON Schema in the model's terms: a table of schemas and what becomes of them.

use mantlet_contract::{document, model::Contract};
use serde_json::{Value, json};

use crate::show;

fn contract(version: &str, schema: &Value, components: &Value) -> Contract {
    let document = json!({
        "openapi": version,
        "paths": {"/": {"post": {
            "requestBody": {"required": true, "content": {"application/json": {"schema": schema}}},
        }}},
        "components": {"schemas": components},
    });
    document::read(&document.to_string()).unwrap()
}

/// The shape, and the reasons why something was left to the app.
fn read(version: &str, schema: &Value, components: &Value) -> (String, Vec<String>) {
    let contract = contract(version, schema, components);
    let (.., operation) = show::operations(&contract).next().unwrap();
    let notes = contract.notes.iter().map(|note| note.why.clone()).collect();
    (show::shape(&contract, operation.inputs[0].shape), notes)
}

fn check(version: &str, table: &[(Value, &str)]) {
    check_with(version, &json!({}), table);
}

fn check_with(version: &str, components: &Value, table: &[(Value, &str)]) {
    for (schema, expected) in table {
        let (shape, notes) = read(version, schema, components);
        assert_eq!(shape, *expected, "{schema}");
        let is_loose = shape.contains('~') || shape.contains("opaque");
        assert_eq!(is_loose, !notes.is_empty(), "whatever is left to the app is noted: {schema}: {notes:?}");
    }
}

#[test]
fn types_and_their_constraints() {
    check(
        "3.1.0",
        &[
            (json!({}), "any"),
            (json!(true), "any"),
            (json!({"title": "X", "x-y": 1, "default": 5, "examples": []}), "any"),
            (json!({"type": "null"}), "none"),
            (json!({"type": "boolean"}), "bool"),
            (json!({"type": "string"}), "str"),
            (json!({"type": ["string", "null"]}), "?str"),
            (json!({"type": ["string", "integer"]}), "(str | int)"),
            (json!({"type": ["integer", "number"]}), "float"),
            (json!({"type": "string", "minLength": 1, "maxLength": 9}), "str#1..9"),
            (json!({"type": "string", "maxLength": 9.0}), "str#..9"),
            (json!({"type": "string", "format": "date"}), "str"),
            (json!({"type": "string", "pattern": "^a+$"}), "str/^a+$/"),
            (json!({"type": "string", "pattern": "^(?!a)"}), "str~"),
            (json!({"minLength": 2}), "?(str#2.. | float | bool | [any] | dict[str: any])"),
            (json!({"type": "array"}), "[any]"),
            (
                json!({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3}),
                "[int#1..3]",
            ),
            (json!({"type": "array", "items": {"type": "integer"}, "uniqueItems": true}), "[int]~"),
            (json!({"type": "array", "contains": {"type": "integer"}}), "[any]~"),
            (json!({"not": {"type": "string"}}), "opaque"),
            (json!({"type": "string", "not": {"const": "a"}}), "str~"),
            (json!({"type": "integer", "if": {}, "then": {}}), "int~"),
            (json!({"type": "file"}), "opaque"),
            (json!({"type": "object", "properties": {"a": false}}), "{a: opaque, +any}"),
            (json!(5), "opaque"),
        ],
    );
}

#[test]
fn bounds_are_those_of_the_type() {
    check(
        "3.1.0",
        &[
            (json!({"type": "integer", "minimum": 1, "maximum": 9}), "int>=1<=9"),
            (json!({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 9}), "int>1<9"),
            (json!({"type": "integer", "minimum": 0.5, "maximum": 9.5}), "int>=1<=9"),
            (json!({"type": "integer", "exclusiveMinimum": 0.5, "exclusiveMaximum": 9.5}), "int>0<10"),
            (json!({"type": "integer", "minimum": -0.5}), "int>=-0"),
            (json!({"type": "integer", "minimum": 1e300}), "int~"),
            (
                json!({"type": "integer", "maximum": 18_446_744_073_709_551_615_u64}),
                "int<=18446744073709551615",
            ),
            (json!({"type": "integer", "multipleOf": 5}), "int%5"),
            (json!({"type": "integer", "multipleOf": 2.0}), "int%2"),
            (json!({"type": "integer", "multipleOf": 0.5}), "int~"),
            (json!({"type": "number", "minimum": 0.5, "multipleOf": 0.01}), "float>=0.5%0.01"),
            (json!({"type": "number", "multipleOf": 0}), "float~"),
            (json!({"type": "number", "minimum": "1"}), "float"),
            (
                json!({"allOf": [{"type": "integer", "minimum": 1}, {"minimum": 5, "maximum": 7}, {"maximum": 9}]}),
                "int>=5<=7",
            ),
        ],
    );
    check(
        "3.0.3",
        &[
            (json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}), "int>1"),
            (json!({"type": "integer", "minimum": 1, "exclusiveMinimum": false}), "int>=1"),
            (json!({"type": "number", "maximum": 1.5, "exclusiveMaximum": true}), "float<1.5"),
        ],
    );
}

#[test]
fn values() {
    let components = json!({"Color": {"type": "string", "enum": ["red", "blue"]}});
    check_with(
        "3.1.0",
        &components,
        &[
            (json!({"enum": ["a", "b"]}), r#"literal["a","b"]"#),
            (json!({"const": "a"}), r#"literal["a"]"#),
            (json!({"const": null}), "none"),
            (json!({"type": "string", "enum": ["a", null]}), r#"?literal["a"]"#),
            (json!({"$ref": "#/components/schemas/Color"}), r#"enum["red","blue"]"#),
            (json!({"type": "integer", "enum": [1, 2.0]}), "enum[1,2]"),
            (json!({"enum": [1, "a"]}), r#"(literal["a"] | enum[1])"#),
            (json!({"enum": [1.5, 2]}), "float~"),
            (json!({"const": true}), "bool~"),
            (json!({"enum": [true, false]}), "bool"),
            (json!({"enum": [{}, 1]}), "opaque"),
            (json!({"type": "string", "enum": [1, 2]}), "str~"),
            (json!({"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]}), r#"literal["b"]"#),
            (json!({"allOf": [{"type": "string"}, {"type": "integer"}]}), "opaque"),
        ],
    );
}

#[test]
fn objects() {
    check(
        "3.1.0",
        &[
            (json!({"type": "object"}), "dict[str: any]"),
            (
                json!({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1}),
                "dict[str: int]#1..",
            ),
            (json!({"type": "object", "propertyNames": {"enum": ["a"]}}), r#"dict[literal["a"]: any]"#),
            (json!({"type": "object", "additionalProperties": false}), "{}"),
            (
                json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a", "c"]}),
                "{a!: int, b: any, c!: any, +any}",
            ),
            (json!({"type": "object", "properties": {"a": {}}, "additionalProperties": false}), "{a: any}"),
            (
                json!({"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}}),
                "{a: any, +str}",
            ),
            (
                json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"], "additionalProperties": {"type": "integer"}}),
                "{a: str, b!: int, +int}",
            ),
            // Without a type, everything that is no object fits too.
            (
                json!({"properties": {"a": {"type": "integer"}}}),
                "?(str | float | bool | [any] | {a: int, +any})",
            ),
            (json!({"type": "object", "properties": {"a": {}}, "minProperties": 1}), "{a: any, +any}~"),
            (
                json!({"type": "object", "properties": {"a": {}}, "patternProperties": {"^x": {}}, "additionalProperties": false}),
                "{a: any, +any}~",
            ),
            // What only answers have is not asked for.
            (
                json!({"type": "object", "properties": {"id": {"type": "integer", "readOnly": true}}, "required": ["id"]}),
                "{id: int, +any}",
            ),
            (json!({"type": "object", "properties": {"a": {}}, "unevaluatedProperties": false}), "{a: any}"),
            (
                json!({"type": "object", "properties": "none", "required": 5, "additionalProperties": 7}),
                "dict[str: any]",
            ),
        ],
    );
}

#[test]
fn all_of_is_merged() {
    let components = json!({
        "Base": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
        "Closed": {"type": "object", "properties": {"a": {}}, "additionalProperties": false},
        "Loop": {"allOf": [{"$ref": "#/components/schemas/Loop"}, {"type": "integer"}]},
        "Name": {"type": "string"},
    });
    check_with(
        "3.1.0",
        &components,
        &[
            (
                json!({"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"id": {"minimum": 1}, "b": {"type": "string"}}, "required": ["b"]}]}),
                "{id!: int>=1, b!: str, +any}",
            ),
            // Taken for what is meant, which is less strict.
            (
                json!({"allOf": [{"$ref": "#/components/schemas/Closed"}, {"properties": {"b": {}}}]}),
                "{a: any, b: any}",
            ),
            (
                json!({"allOf": [{"$ref": "#/components/schemas/Base"}], "unevaluatedProperties": false}),
                "{id!: int}",
            ),
            (
                json!({"allOf": [{"$ref": "#/components/schemas/Base"}], "anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}], "unevaluatedProperties": false}),
                "({id!: int, a: any, +any}~ | {id!: int, b: any, +any}~)",
            ),
            (json!({"$ref": "#/components/schemas/Loop"}), "int"),
            (json!({"$ref": "#/components/schemas/Name", "maxLength": 5}), "str#..5"),
            (json!({"allOf": []}), "any"),
            (json!({"allOf": [{"pattern": "a"}, {"pattern": "b"}], "type": "string"}), "str/a/~"),
        ],
    );
    // 3.0 ignores what stands beside a reference.
    check_with(
        "3.0.0",
        &components,
        &[
            (json!({"$ref": "#/components/schemas/Name", "maxLength": 5}), "str"),
            (json!({"$ref": "#/components/schemas/Name", "nullable": true}), "?str"),
            (json!({"allOf": [{"$ref": "#/components/schemas/Name"}], "nullable": true}), "?str"),
            (json!({"type": "string", "nullable": true, "enum": ["a"]}), r#"?literal["a"]"#),
            (json!({"nullable": true}), "any"),
        ],
    );
}

#[test]
fn choices() {
    let components = json!({
        "Cat": {"type": "object", "properties": {"kind": {"const": "cat"}, "n": {"type": "integer"}}, "required": ["kind"]},
        "Dog": {"type": "object", "properties": {"kind": {"type": "string", "enum": ["dog", "puppy"]}}, "required": ["kind"]},
        "Bird": {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]},
        "A": {"anyOf": [{"$ref": "#/components/schemas/B"}, {"type": "integer"}]},
        "B": {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "string"}]},
        "Self": {"anyOf": [{"$ref": "#/components/schemas/Self"}, {"type": "integer"}]},
    });
    let cat = json!({"$ref": "#/components/schemas/Cat"});
    let dog = json!({"$ref": "#/components/schemas/Dog"});
    let bird = json!({"$ref": "#/components/schemas/Bird"});
    let kind = json!({"propertyName": "kind", "mapping": {"cat": "#/components/schemas/Cat"}});
    check_with(
        "3.1.0",
        &components,
        &[
            (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), "?int"),
            (json!({"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}), "?(int | str)"),
            (json!({"oneOf": [{"type": "integer"}]}), "int"),
            (json!({"anyOf": []}), "any"),
            (json!({"type": "string", "anyOf": [{"minLength": 2}, {"maxLength": 1}]}), "(str#2.. | str#..1)"),
            (json!({"type": "string", "anyOf": [{"type": "integer"}, {"maxLength": 1}]}), "str#..1"),
            (
                json!({"type": "object", "properties": {"a": {}, "b": {}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
                "({a!: any, b: any, +any} | {a: any, b!: any, +any})",
            ),
            (
                json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "oneOf": [{"minimum": 5}, {"maxLength": 3}]}),
                "((int>=5 | int) | (str | str#..3))",
            ),
            (
                json!({"oneOf": [cat, dog], "discriminator": kind}),
                r#"kind("cat" => {kind!: literal["cat"], n: int, +any} | "dog" => {kind!: literal["dog","puppy"], +any} | "puppy" => {kind!: literal["dog","puppy"], +any})"#,
            ),
            // The property may say anything: what fits decides.
            (
                json!({"oneOf": [cat, bird], "discriminator": kind}),
                r#"({kind!: literal["cat"], n: int, +any} | {kind!: str, +any})"#,
            ),
            (json!({"$ref": "#/components/schemas/Self"}), "(any | int)"),
            (json!({"$ref": "#/components/schemas/A"}), "((opaque | str) | int)"),
            (json!({"anyOf": [{"$ref": "other.json#/A"}, {"type": "integer"}]}), "(opaque | int)"),
        ],
    );
}

#[test]
fn lists_with_a_prefix() {
    let two = json!([{"type": "integer"}, {"type": "string"}]);
    check(
        "3.1.0",
        &[
            (json!({"type": "array", "prefixItems": two, "minItems": 2, "maxItems": 2}), "(int, str)"),
            (json!({"type": "array", "prefixItems": two, "minItems": 2, "items": false}), "(int, str)"),
            (json!({"type": "array", "prefixItems": two, "minItems": 2}), "(int, str, any...)"),
            (
                json!({"type": "array", "prefixItems": two, "minItems": 2, "items": {"type": "boolean"}}),
                "(int, str, bool...)",
            ),
            // It may be shorter, which a tuple cannot be.
            (json!({"type": "array", "prefixItems": two}), "[any]~"),
        ],
    );
}

#[test]
fn references() {
    let components = json!({
        "Node": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}},
        "a/b~c d": {"type": "integer"},
        "Defs": {"$defs": {"Inner": {"type": "string"}}, "$ref": "#/components/schemas/Defs/$defs/Inner"},
        "Chain": {"$ref": "#/components/schemas/Chain2"}, "Chain2": {"$ref": "#/components/schemas/Chain"},
    });
    check_with(
        "3.1.0",
        &components,
        &[
            (json!({"$ref": "#/components/schemas/Node"}), "{next: ^, +any}"),
            (json!({"$ref": "#/components/schemas/a~1b~0c%20d"}), "int"),
            (json!({"$ref": "#/components/schemas/Defs"}), "str"),
            (json!({"$ref": "#/components/schemas/Chain"}), "any"),
            (json!({"$ref": "#/components/schemas/Nothing"}), "opaque"),
            (json!({"$ref": "https://elsewhere.example/schema.json"}), "opaque"),
            (json!({"$ref": "#anchor"}), "opaque"),
            (json!({"$ref": "#/components/schemas/Nothing", "type": "string"}), "str~"),
            (json!({"$ref": ""}), "opaque"),
        ],
    );
}

#[test]
fn a_note_says_where_and_why() {
    let schema = json!({"type": "object", "properties": {"a/b": {"type": "string", "not": {"const": "x"}}}});
    let contract = contract("3.1.0", &schema, &json!({}));
    let note = &contract.notes[0];
    assert_eq!(note.at, "#/paths/~1/post/requestBody/content/application~1json/schema/properties/a~1b");
    assert_eq!(note.why, "`not` cannot be expressed");
}

/// Choices beside each other multiply, references can be as long as they like.
#[test]
fn what_is_made_to_be_expensive_is_read_all_the_same() {
    let many: Vec<_> = (0..40).map(|number| json!({"properties": {format!("p{number}"): {}}})).collect();
    let lists: Vec<_> = (0..12).map(|_| json!({"anyOf": many})).collect();
    let (shape, notes) = read("3.1.0", &json!({"type": "object", "allOf": lists}), &json!({}));
    assert!(shape.ends_with('~') && notes.contains(&"too many choices side by side".to_owned()), "{notes:?}");

    let length = 20_000;
    let mut components = serde_json::Map::new();
    for number in 0..length {
        let next = json!({"$ref": format!("#/components/schemas/C{}", number + 1)});
        components.insert(format!("C{number}"), json!({"type": "object", "properties": {"next": next}}));
    }
    components.insert(format!("C{length}"), json!({"type": "integer"}));
    let contract = contract("3.1.0", &json!({"$ref": "#/components/schemas/C0"}), &Value::Object(components));
    assert!(contract.notes.is_empty() && contract.shapes.len() == length + 1, "{}", contract.shapes.len());
}
