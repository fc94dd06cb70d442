//! FastAPI's own documents: what is read from them is what FastAPI itself declares.

use std::{collections::HashMap, env, process::Command};

use mantlet_contract::{document, model::Contract};
use regex::Regex;
use serde::Deserialize;

use crate::show;

#[derive(Deserialize)]
struct App {
    document: String,
    routes: Vec<Declared>,
}

#[derive(Deserialize)]
struct Declared {
    path: String,
    methods: Vec<String>,
    inputs: Vec<String>,
    body: String,
}

fn apps() -> Vec<App> {
    let python = env::var("MANTLET_TEST_PYTHON").expect("MANTLET_TEST_PYTHON is set: run `cargo xtask test`");
    let folder = env!("CARGO_MANIFEST_DIR");
    let mut command = Command::new(python);
    command
        .arg(format!("{folder}/tests/document/fastapi_documents.py"))
        .arg(format!("{folder}/../../examples/shop"));
    let output = command.env("PYTHONDONTWRITEBYTECODE", "1").output().expect("the interpreter starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The inputs of each operation, without patterns and forms.
fn operations(contract: &Contract) -> HashMap<(String, String), (String, Vec<String>)> {
    let pattern = Regex::new("(str[#0-9.]*)/[^/]*/").unwrap();
    show::operations(contract)
        .map(|(method, path, operation)| {
            let inputs = show::inputs(contract, operation);
            let body = show::body(operation).to_owned();
            let is_form = |input: &String| input.starts_with("body") && body != "json";
            let inputs = inputs.into_iter().filter(|input| !is_form(input));
            let inputs = inputs.map(|input| pattern.replace_all(&input, "$1").into_owned()).collect();
            ((method.to_owned(), path.to_owned()), (body, inputs))
        })
        .collect()
}

#[test]
fn what_is_read_is_what_fastapi_declares() {
    let (mut inputs, mut notes) = (0, Vec::new());
    for app in apps() {
        let contract = document::read(&app.document).unwrap();
        let mut read = operations(&contract);
        assert_eq!(read.len(), app.routes.iter().map(|route| route.methods.len()).sum::<usize>());
        for declared in app.routes {
            for method in declared.methods {
                let name = format!("{method} {}", declared.path);
                let (body, own) = read.remove(&(method, declared.path.clone())).unwrap();
                // Written by hand: the app declares no input here.
                if declared.path == "/partners/prices" {
                    assert_eq!(
                        (&own[..], declared.inputs.len()),
                        (&["body dict[str: int>=1]".to_owned()][..], 0)
                    );
                    continue;
                }
                // A frozen set is a set to a document, and any key a text; it knows no validator that runs before.
                let expected: Vec<_> = declared
                    .inputs
                    .iter()
                    .map(|input| input.replace("dict[any: any]", "dict[str: any]"))
                    .map(|input| input.replace("unknown(function-before)", "str"))
                    .collect();
                let (mut own, mut expected) = (own, expected);
                own.sort();
                expected.sort();
                assert_eq!(own, expected, "{name}");
                assert_eq!(body, declared.body, "{name}");
                inputs += own.len();
            }
        }
        notes.extend(contract.notes);
    }
    assert!(inputs > 30, "{inputs}");
    assert_eq!(notes, [], "nothing that FastAPI writes is left to the app");
}

#[test]
fn forms_and_responses_of_fastapi() {
    let apps = apps();
    let contract = document::read(&apps[0].document).unwrap();
    let operation =
        |wanted: &str| show::operations(&contract).find(|(_, path, _)| *path == wanted).unwrap().2;
    let (upload, login) = (operation("/upload"), operation("/login"));
    assert_eq!(
        show::inputs(&contract, upload),
        ["body file@,raw@,more@*,ages*! {file!: any, raw!: any, more!: any, name!: str, ages: [int], +any}"]
    );
    assert_eq!(show::inputs(&contract, login), ["body! {name!: str, password!: str#8.., +any}"]);
    // What its response models do not have, FastAPI leaves out.
    let cats =
        operation("/files/{path}").responses.iter().find(|response| response.status == Some(200)).unwrap();
    assert_eq!(
        show::shape(&contract, cats.shape.unwrap()),
        r#"[{kind!: literal["cat"], lives: int>=0<=9, -}]"#
    );
    // One says that it has more.
    let table = operation("/filters").responses.iter().find(|response| response.status == Some(200)).unwrap();
    assert_eq!(show::shape(&contract, table.shape.unwrap()), "dict[str: int]");
}
