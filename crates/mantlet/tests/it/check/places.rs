//! What a running app was seen to do names the handler's file and line, in all reports.

use std::fs;

use serde_json::Value;

use super::json;
use crate::kit::command::Typed;

#[test]
fn what_a_running_app_does_names_the_handler() {
    let arguments = ["check", "market:app", "--live", "--writes", "--format", "json", "--github"];
    let typed = Typed::mantlet(arguments).app("review/market.py");
    // Below the folder, as the app is there.
    let (from, to) = (typed.folder().join("review/market.py"), typed.folder().join("market.py"));
    fs::rename(from, to).expect("a file");
    let finished = typed.finish();
    let report = json(&finished);
    let findings = report["findings"].as_array().expect("findings");
    let is_live = |one: &&Value| {
        let evidence = one["evidence"].as_array().expect("evidence");
        evidence.iter().any(|one| one["kind"] == "exchange")
    };
    let of_operation = |one: &&Value| one["subject"].as_str().is_some_and(|subject| subject.contains(" /"));
    let live: Vec<_> = findings.iter().filter(is_live).filter(of_operation).collect();
    assert!(live.len() > 3, "{findings:#?}");
    let code = include_str!("../../apps/review/market.py");
    for finding in live {
        let place = &finding["place"];
        assert_eq!(place["file"], "market.py", "{finding:#}");
        let line = place["line"].as_u64().expect("a line");
        let line = code.lines().nth(usize::try_from(line).expect("a line") - 1).expect("a line");
        assert!(line.starts_with("@app.") || line.starts_with("def "), "{finding:#}: {line}");
    }
    let annotated = finished.stderr.lines().any(|line| {
        line.starts_with("::error file=market.py,line=") && line.contains("changes or removes the object")
    });
    assert!(annotated, "{}", finished.stderr);
}
