//! Documents that others wrote for their own apps: see `tests/documents/README.md`.

use std::{collections::BTreeMap, fs, time::Instant};

use mantlet_contract::{
    compile::compile,
    document,
    model::{Contract, Route, Shape, ShapeId},
    routes::Routes,
};

use crate::show;

/// What comes of a document. Opaque shapes and those of which the app decides some are counted apart.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    version: String,
    operations: usize,
    routes: usize,
    shapes: usize,
    opaque: usize,
    partly: usize,
    notes: usize,
}

fn counts(contract: &Contract) -> Counts {
    let mut operations: Vec<_> =
        show::operations(contract).map(|(method, _, operation)| (method, operation.id.as_str())).collect();
    operations.sort_unstable();
    operations.dedup();
    let of = |wanted: fn(&Shape) -> bool| contract.shapes.iter().filter(|shape| wanted(shape)).count();
    Counts {
        version: contract.made_with["openapi"].clone(),
        operations: operations.len(),
        routes: contract.router.routes.iter().filter(|route| matches!(route, Route::Http { .. })).count(),
        shapes: contract.shapes.len(),
        opaque: of(|shape| matches!(shape, Shape::Opaque { .. })),
        partly: of(|shape| matches!(shape, Shape::Then { .. })),
        notes: contract.notes.len(),
    }
}

/// Every name of a shape that stands in a contract leads somewhere, and no shape to itself before a step into the value.
fn assert_sound(name: &str, contract: &Contract) {
    let json = serde_json::to_string(contract).unwrap();
    assert_eq!(serde_json::from_str::<Contract>(&json).unwrap(), *contract, "{name} can be written and read");
    let (_, errors) = Routes::compile(&contract.router);
    assert!(errors.is_empty(), "{name}: {errors:?}");
    let (_, left) = compile(&contract.shapes);
    assert!(left.is_empty(), "{name}: whatever the reader makes is understood: {left:?}");
    let is_cut = matches!(contract.router.routes.last(), Some(Route::Opaque { .. }));
    assert_eq!(contract.router.complete, !is_cut, "{name}: what could not be read may be any path");
    for (index, shape) in contract.shapes.iter().enumerate() {
        let mut ids = Vec::new();
        named(&serde_json::to_value(shape).unwrap(), &mut ids);
        assert!(ids.iter().all(|id| *id < contract.shapes.len()), "{name}: {shape:?}");
        let mut todo = vec![ShapeId(u32::try_from(index).unwrap())];
        for _ in 0..10_000 {
            let Some(id) = todo.pop() else { break };
            todo.extend(same_value(&contract.shapes[id.0 as usize]));
        }
        assert!(todo.is_empty(), "{name}: {shape:?} does not end");
    }
    for note in &contract.notes {
        assert!(note.at.starts_with('#') && !note.why.is_empty(), "{name}: {note:?}");
    }
}

fn same_value(shape: &Shape) -> Vec<ShapeId> {
    match shape {
        Shape::Nullable { inner } | Shape::WithDefault { inner } | Shape::Then { inner, .. } => vec![*inner],
        Shape::Union { choices, .. } => choices.clone(),
        Shape::TaggedUnion { choices, .. } => choices.iter().map(|(_, choice)| *choice).collect(),
        _ => Vec::new(),
    }
}

fn named(value: &serde_json::Value, found: &mut Vec<usize>) {
    const KEYS: [&str; 7] = ["inner", "shape", "items", "keys", "values", "choices", "extras"];
    let Some(members) = value.as_object() else { return };
    for (key, value) in members.iter().filter(|(key, _)| KEYS.contains(&key.as_str())) {
        match value {
            serde_json::Value::Number(id) => found.push(usize::try_from(id.as_u64().unwrap()).unwrap()),
            serde_json::Value::Array(ids) if key != "values" => {
                found.extend(
                    ids.iter()
                        .filter_map(|id| id.as_array().map_or_else(|| id.as_u64(), |pair| pair[1].as_u64()))
                        .map(|id| usize::try_from(id).unwrap()),
                );
            }
            _ => {}
        }
    }
    members
        .get("fields")
        .and_then(|fields| fields.as_array())
        .into_iter()
        .flatten()
        .for_each(|field| named(field, found));
}

#[test]
fn documents_of_other_origins_load() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents");
    let mut read = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "README.md" {
            continue;
        }
        let contract = document::read(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_sound(&name, &contract);
        read.insert(name, counts(&contract));
    }
    let expected = expected();
    for (name, counts) in &read {
        assert_eq!(Some(counts), expected.get(name.as_str()), "{name}");
    }
    assert!(read.len() == expected.len() && read.len() >= 10);
}

fn expected() -> BTreeMap<&'static str, Counts> {
    let table = [
        // name, version, operations, routes, shapes, opaque, partly, notes
        ("airflow-2.yaml", "3.0.3", 89, 198, 915, 7, 0, 11),
        ("airflow-3-ui.yaml", "3.1.0", 24, 28, 736, 0, 0, 0),
        ("authentiq.yaml", "3.0.0", 14, 14, 48, 0, 0, 3),
        ("azure-advisor.yaml", "3.0.0", 13, 13, 93, 0, 0, 0),
        ("burgershop.yaml", "3.1.0", 5, 5, 45, 0, 0, 0),
        // Each operation lies in a file of its own.
        ("digitalocean.yaml", "3.0.0", 0, 295, 0, 0, 0, 295),
        ("docker.yaml", "3.0.0", 55, 110, 442, 1, 0, 13),
        ("galaxy.yaml", "3.1.1", 9, 9, 53, 0, 0, 4),
        ("lxkns.yaml", "3.0.2", 3, 6, 105, 0, 0, 0),
        ("petstore.json", "3.0.2", 19, 38, 67, 0, 0, 6),
        ("readme-circular.yaml", "3.0.3", 3, 3, 109, 1, 0, 1),
        ("readme-discriminators.yaml", "3.0.3", 10, 20, 64, 0, 0, 0),
        ("readme-parameters.yaml", "3.1.0", 23, 23, 97, 43, 0, 49),
        ("readme-polymorphism.yaml", "3.0.3", 13, 13, 135, 0, 0, 0),
        ("readme-types.yaml", "3.1.0", 23, 23, 187, 3, 0, 3),
        ("readme-validation.yaml", "3.1.0", 5, 5, 43, 0, 0, 0),
    ];
    let counts =
        |(name, version, operations, routes, shapes, opaque, partly, notes): (_, &str, _, _, _, _, _, _)| {
            (name, Counts { version: version.to_owned(), operations, routes, shapes, opaque, partly, notes })
        };
    table.into_iter().map(counts).collect()
}

/// Twice the operations make twice the work: counted in shapes; the times are only told.
#[test]
fn a_thousand_operations() {
    let document = |operations: usize| {
        let mut paths = serde_json::Map::new();
        let mut schemas = serde_json::Map::new();
        for number in 0..operations {
            let reference =
                serde_json::json!({"schema": {"$ref": format!("#/components/schemas/Model{number}")}});
            let body = serde_json::json!({"required": true, "content": {"application/json": reference}});
            let operation = serde_json::json!({
                "summary": "A summary as long as summaries are. ".repeat(8),
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}],
                "requestBody": body,
                "responses": {"200": {"content": {"application/json": reference}}},
            });
            paths.insert(
                format!("/models{}/{{id}}/parts{number}", number % 50),
                serde_json::json!({"post": operation}),
            );
            let properties: serde_json::Map<_, _> = (0..12)
                .map(|field| (format!("field{field}"), serde_json::json!({"title": "A field", "anyOf": [{"type": "string", "pattern": "^[a-z]+$"}, {"type": "null"}]})))
                .collect();
            let next = serde_json::json!({"$ref": format!("#/components/schemas/Model{}", (number + 1) % operations)});
            let mut model =
                serde_json::json!({"type": "object", "properties": properties, "required": ["field1"]});
            model["properties"]["next"] = next;
            schemas.insert(format!("Model{number}"), model);
        }
        serde_json::json!({"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}})
            .to_string()
    };
    let read = |operations| {
        let text = document(operations);
        let start = Instant::now();
        let contract = document::read(&text).unwrap();
        println!(
            "{operations} operations, {} bytes: {:?}, {:?}",
            text.len(),
            start.elapsed(),
            counts(&contract)
        );
        counts(&contract)
    };
    let (one, two) = (read(500), read(1_000));
    assert_eq!((one.operations, two.operations, two.opaque, two.notes), (500, 1_000, 0, 0));
    assert!(two.shapes < 2 * one.shapes + 10, "{one:?} {two:?}");
}
