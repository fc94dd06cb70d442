//! Nothing that fits a document's schemas is refused by the shapes made of them: schemas and values at random, judged by Pydantic itself and
//! by our own validation.

use std::{
    env,
    io::Write,
    process::{Command, Stdio},
    thread,
};

use mantlet_contract::{
    compile::compile,
    document,
    json::{Limits, parse},
    validate::validate,
    value::Value as Given,
};

use crate::show;
use serde::Deserialize;
use serde_json::{Value, json};

const DOCUMENTS: &str = "1500";

#[derive(Deserialize)]
struct Figures {
    fitting: Vec<String>,
    misfit: usize,
    caught: usize,
    refused: Vec<Value>,
}

fn python(arguments: &[&str], input: String) -> String {
    let python = env::var("MANTLET_TEST_PYTHON").expect("MANTLET_TEST_PYTHON is set: run `cargo xtask test`");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/document/schemas_at_random.py");
    let mut command = Command::new(python);
    command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the interpreter starts");
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn no_value_that_fits_a_schema_is_refused() {
    let seed = env::var("MANTLET_TEST_SEED").unwrap_or_else(|_| "1".to_owned());
    let (mut lines, mut contracts) = (String::new(), Vec::new());
    for line in python(&["make", &seed, DOCUMENTS], String::new()).lines() {
        let contract = document::read(line).unwrap();
        let document: Value = serde_json::from_str(line).unwrap();
        lines += &json!({"document": document, "contract": contract}).to_string();
        lines.push('\n');
        contracts.push(contract);
    }
    let judged = python(&["judge", &seed], lines);
    let (mut fit, mut misfit, mut caught) = (0, 0, 0);
    for (line, contract) in judged.lines().zip(contracts) {
        let figures: Figures = serde_json::from_str(line).unwrap();
        let refused = figures.refused.first().map(|it| serde_json::to_string_pretty(it).unwrap());
        assert!(refused.is_none(), "{}", refused.unwrap_or_default());
        let root = show::operations(&contract).next().unwrap().2.inputs[0].shape.0;
        let (shapes, _) = compile(&contract.shapes);
        for text in &figures.fitting {
            let json = parse(text.as_bytes(), Limits::default()).unwrap();
            let outcome = validate(&shapes, root, Given::Json(json.root()), &[]);
            assert!(outcome.accepted(), "{text}: {:?}\n{contract:#?}", outcome.faults);
        }
        fit += figures.fitting.len();
        misfit += figures.misfit;
        caught += figures.caught;
    }
    println!("{fit} values fit, none was refused; {misfit} did not fit, {caught} of them were refused");
    assert!(fit > 20_000 && caught * 2 > misfit, "{fit} {misfit} {caught}");
}
