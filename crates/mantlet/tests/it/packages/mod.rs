//! FastAPI apps from elsewhere, driven by their own client libraries and test suites: all is as it is without Mantlet, in the
//! default configuration, and what is recorded is worth reading.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use crate::kit::{App, Setup, provided};

/// Input is enforced where the default would only report it.
const ENFORCED: &str = "[contract]\ninput = \"enforce\"\n";

/// What a client says about the server at this address.
fn said(script: &str, url: &str) -> String {
    let output = Command::new(provided("MANTLET_TEST_PACKAGES"))
        .args(["-c", script, url])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("the interpreter in MANTLET_TEST_PACKAGES starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{url}: {errors}");
    // Libraries may say more, and name the address.
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().last().unwrap_or_default().to_owned()
}

/// Runs the client against the app alone, and through Mantlet with each configuration. It sees no difference, and nothing is
/// refused or changed.
fn check(app: &str, script: &str, sees: &[&str], configurations: &[&str]) {
    let python = provided("MANTLET_TEST_PACKAGES");
    let (bare, address) = App::over_tcp(&python, app);
    let alone = said(script, &format!("http://{address}"));
    drop(bare);
    for what in sees {
        assert!(alone.contains(what), "{what} in {alone}");
    }
    for config in configurations {
        let gateway = Setup::run_with(python.clone(), app).by_default().patient().config(config).start();
        let behind = said(script, &format!("http://{}", gateway.addr()));
        assert_eq!(alone, behind, "with the configuration {config:?}");
        let records = gateway.end().audit;
        let done: Vec<_> = records.iter().filter(|record| record["action"] != "pass").collect();
        assert!(done.is_empty(), "{done:#?}");
        // Nothing is said twice of the same route: a record that comes with every request is noise.
        let mut times = BTreeMap::<String, usize>::new();
        for record in &records {
            let what = ["reason", "method", "operation", "path", "subject"].map(|field| &record[field]);
            *times.entry(Value::from_iter(what.map(Value::clone)).to_string()).or_default() += 1;
        }
        let noise: Vec<_> = times.iter().filter(|(_, count)| **count > 1).collect();
        assert!(noise.is_empty(), "{noise:#?}");
        println!("{app}: {} records: {times:#?}", records.len());
    }
}

#[test]
fn stac_fastapi_driven_by_pystac_client() {
    let sees = [r#""search by POST": ["moat-5","#, r#""missing": true"#, "APIError"];
    check("packages.catalogue:app", include_str!("catalogue.py"), &sees, &["", ENFORCED]);
}

#[test]
fn gradio_driven_by_gradio_client() {
    let sees = [
        r#""greet": "Hello Ann! Hello Ann!""#,
        r#""measure": 2048000"#,
        "not now",
        r#""again": "Hello Bob!""#,
    ];
    check("packages.interface:app", include_str!("interface.py"), &sees, &["", ENFORCED]);
}

#[test]
fn prefect_driven_by_its_client_and_by_a_flow() {
    let sees = [r#""flow": 20"#, r#""workers": ["worker-1"]"#, r#""missing": ["ObjectNotFound","#];
    check("packages.workflows:app", include_str!("workflows.py"), &sees, &["", ENFORCED]);
}

/// A vector database.
#[test]
fn chromadb_driven_by_its_own_test_suite() {
    let sees = [r#"test_api.py::test_reset[integration-classic][single-region]": "passed""#];
    check("packages.vectors:app", include_str!("vectors.py"), &sees, &[""]);
}

/// A proxy before language models.
#[test]
fn litellm_driven_by_openais_client() {
    let sees = [r#""stream": "Shields up.""#, r#""away": [500, "InternalServerError""#];
    check("packages.models:app", include_str!("models.py"), &sees, &[""]);
}

/// An administration with a session in a cookie.
#[test]
fn sqladmin_driven_by_a_person() {
    let sees =
        [r#""login": [302, "/admin/""#, r#""wrong": [400"#, "Anne,new,False", r#""cookies": ["session"]"#];
    check("packages.backoffice:app", include_str!("backoffice.py"), &sees, &[""]);
}

/// A server of tools for language models, mounted in an app.
#[test]
fn mcp_driven_by_its_own_client() {
    let sees = [r#""structured_content": {"result": 6}"#, r#""is_error": true"#];
    check("packages.tools:app", include_str!("tools.py"), &sees, &[""]);
}

/// GraphQL, with files and subscriptions.
#[test]
fn strawberry_driven_by_a_graphql_client() {
    let sees = ["in plain sight", r#""measure": 200000"#, r#""volley": ["connection_ack", 0, 1, 2]"#];
    check("packages.graph:app", include_str!("graph.py"), &sees, &[""]);
}

/// A server of experiments, models and files.
#[test]
fn mlflow_driven_by_its_own_client() {
    let sees = [r#""size": 3145728"#, r#""missing run": "RESOURCE_DOES_NOT_EXIST""#];
    check("packages.experiments:app", include_str!("experiments.py"), &sees, &[""]);
}
