//! Documents of other origins, and large ones.

use std::{fs, path::Path, time::Instant};

use mantlet_contract::model::Contract;
use serde_json::json;

use crate::kit::{App, Setup, command::Typed};

/// What lies in the contract crate's tests, with the operations that each names, counted by hand or by others.
const DOCUMENTS: [(&str, usize); 16] = [
    ("airflow-2.yaml", 89),
    ("airflow-3-ui.yaml", 24),
    ("authentiq.yaml", 14),
    ("azure-advisor.yaml", 13),
    ("burgershop.yaml", 5),
    // Each operation lies in a file of its own.
    ("digitalocean.yaml", 0),
    ("docker.yaml", 55),
    ("galaxy.yaml", 9),
    ("lxkns.yaml", 3),
    ("petstore.json", 19),
    ("readme-circular.yaml", 3),
    ("readme-discriminators.yaml", 10),
    ("readme-parameters.yaml", 23),
    ("readme-polymorphism.yaml", 13),
    ("readme-types.yaml", 23),
    ("readme-validation.yaml", 5),
];

#[test]
fn documents_of_other_origins_are_told_with_counts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mantlet-contract/tests/documents");
    for (name, operations) in DOCUMENTS {
        let file = folder.join(name);
        let told = Typed::mantlet(["contract", "--openapi", file.to_str().unwrap()]).finish();
        assert_eq!(told.code, Some(0), "{name}: {}", told.stderr);
        let noun = match operations {
            0 => "no operation".to_owned(),
            number => format!("{number} operations"),
        };
        let first = told.stderr.lines().next().unwrap();
        assert!(first.ends_with(&format!("{name}`: {noun}")), "{first}");
        let contract: Contract = serde_json::from_str(&told.stdout).expect("the contract is printed");
        for note in &contract.notes {
            assert!(told.stderr.contains(&note.at) && told.stderr.contains(&note.why), "{name}: {note:?}");
        }
    }
    let lying = fs::read_dir(&folder).unwrap().count();
    assert_eq!(lying, DOCUMENTS.len() + 1, "and the README");
}

/// As large as the largest of the ten apps that were measured: 996 operations, 2 MB. The time is only told.
#[test]
fn a_document_of_two_megabytes_is_served() {
    let mut paths = serde_json::Map::new();
    for number in 0..498 {
        let schema = json!({"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "minLength": 1, "description": "What it is called. ".repeat(40)},
            "next": {"$ref": format!("#/components/schemas/Part{}", (number + 1) % 498)},
        }});
        let body = json!({"content": {"application/json": {"schema": schema}}});
        let answer = json!({"200": {"content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/Part{number}")}}}}});
        let summary = "A summary as long as summaries are. ".repeat(20);
        paths.insert(
            format!("/things{}/{{id}}/parts{number}", number % 40),
            json!({
                "post": {"summary": summary, "requestBody": body, "responses": answer},
                "get": {"summary": summary, "responses": answer},
            }),
        );
    }
    let parts: serde_json::Map<_, _> = (0..498)
        .map(|number| (format!("Part{number}"), json!({"type": "object", "properties": {"size": {"type": "integer"}}, "description": "x".repeat(1300)})))
        .collect();
    let document = json!({"openapi": "3.0.2", "info": {"title": "Large", "version": "1"}, "paths": paths, "components": {"schemas": parts}});
    let text = document.to_string();
    assert!(text.len() > 2_000_000, "{}", text.len());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    fs::write(&file, &text).unwrap();

    let started = Instant::now();
    let upstream = format!("unix:{}", App::shared().socket().display());
    let gateway = Setup::serve_with(&upstream, &["--openapi", file.to_str().unwrap(), "--strict"]).start();
    println!("{} bytes, ready after {:?}", text.len(), started.elapsed());
    let said = gateway.stderr();
    assert!(said.contains("996 operations\n"), "{said}");
    assert!(said.contains("responses: described for 996 of 996"), "{said}");
    assert!(said.lines().count() <= 7, "{said}");
    assert_eq!(super::seen(&super::ask(&gateway, "POST", "/things7/1/parts7", "{}")).1, "input-invalid");
    assert_eq!(super::seen(&super::ask(&gateway, "GET", "/things7/1/parts8", "")).1, "route-unknown");
}

#[test]
fn what_only_compiling_finds_is_named_with_its_place() {
    let told = Typed::mantlet(["contract", "python_regex:app"]).app("python_regex.py").finish();
    let place = "the pattern `^(?=a)\\w+$` is one of Python's `re`\n      POST /items body[].code";
    assert!(told.stderr.contains(place), "{}", told.stderr);
}
