//! FastAPI apps from elsewhere, driven by their own client libraries: with input enforced, all is as it is without Mantlet.

use std::process::Command;

use crate::kit::{App, Setup, provided};

/// Nothing else differs from the default.
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
    String::from_utf8(output.stdout).expect("text")
}

/// Runs the client against the app alone, and through Mantlet. It sees no difference, and nothing is refused.
fn check(app: &str, script: &str, sees: &[&str]) {
    let python = provided("MANTLET_TEST_PACKAGES");
    let (bare, address) = App::over_tcp(&python, app);
    let alone = said(script, &format!("http://{address}"));
    drop(bare);
    for what in sees {
        assert!(alone.contains(what), "{what} in {alone}");
    }
    let gateway = Setup::run_with(python, app).config(ENFORCED).start();
    let behind = said(script, &format!("http://{}", gateway.addr()));
    assert_eq!(alone, behind);
    let records = gateway.end().audit;
    let mut told: Vec<_> = records.iter().map(|record| (&record["action"], &record["reason"])).collect();
    // Its own client may send what it does not know.
    told.retain(|told| *told != (&"pass".into(), &"input-unknown".into()));
    assert!(told.is_empty(), "{records:#?}");
}

#[test]
fn stac_fastapi_driven_by_pystac_client() {
    let sees = [r#""search by POST": ["moat-5","#, r#""missing": true"#, "APIError"];
    check("packages.catalogue:app", include_str!("catalogue.py"), &sees);
}

#[test]
fn gradio_driven_by_gradio_client() {
    let sees = [
        r#""greet": "Hello Ann! Hello Ann!""#,
        r#""measure": 2048000"#,
        "not now",
        r#""again": "Hello Bob!""#,
    ];
    check("packages.interface:app", include_str!("interface.py"), &sees);
}

#[test]
fn prefect_driven_by_its_client_and_by_a_flow() {
    let sees = [r#""flow": 20"#, r#""workers": ["worker-1"]"#, r#""missing": ["ObjectNotFound","#];
    check("packages.workflows:app", include_str!("workflows.py"), &sees);
}
