//! `mantlet check` as a person and as a pipeline use it.

mod accepted;
mod https;
mod places;
mod prove;
mod reports;

use std::{fs, path::Path};

use serde_json::Value;

use crate::kit::{
    command::{Finished, THREE_LINES, Typed},
    provided,
};

/// `mantlet check` on an app whose objects have owners and which checks none of them.
fn notebook(arguments: &[&str]) -> Typed {
    let python = provided("MANTLET_TEST_IDENTITY").into_string().expect("text");
    let fixed = ["check", "notebook:app", "--python", &python];
    Typed::mantlet(fixed.iter().chain(arguments)).app("notebook.py")
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.stdout))
}

/// What is found by a rule, as `RULE at SUBJECT`.
fn found(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings");
    let name =
        |one: &Value| format!("{} at {}", one["rule"].as_str().unwrap(), one["subject"].as_str().unwrap());
    findings.iter().map(name).collect()
}

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/check.md");
    fs::read_to_string(page).expect("docs/check.md")
}

/// The block of the page behind a fence with these words.
fn block<'p>(page: &'p str, fence: &str) -> &'p str {
    let start = page.find(&format!("\n```{fence}\n")).expect("a block") + fence.len() + 5;
    page[start..].split("\n```").next().expect("an end")
}

/// The files of a folder that hold a report.
fn files_of(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder");
    names.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
}

#[test]
fn findings_fail_with_what_closes_them() {
    let finished = notebook(&[]).finish();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    for line in [
        "  high        API1  Broken Object Level",
        "high      No rule checks whose object this is",
        "          object-without-rule · API1:2023 · CWE-639",
        "  GET /notes/{note_id}",
        "    [[authorization.own]]\n    paths   = [\"/notes/{note_id}\"]\n",
        "Next: put the fix into mantlet.toml and run `mantlet check` again",
    ] {
        assert!(finished.stdout.contains(line), "{line}\n{}", finished.stdout);
    }
    let verdict = finished.stdout.lines().find(|line| line.starts_with("Failed: ")).expect("a verdict");
    assert!(verdict.contains("at or above `high`"), "{verdict}");
    assert!(!finished.stdout.contains('\u{1b}'), "no colours where there is no terminal");
}

/// The text under `Fix` is taken as it is, and nothing above `low` is left of what it closes.
#[test]
fn the_fix_closes_what_was_found() {
    let before = json(&notebook(&["--format", "json"]).finish());
    let mut fixes: Vec<&str> = Vec::new();
    for finding in before["findings"].as_array().unwrap() {
        let fix = finding["fix"]["toml"].as_str();
        fixes.extend(fix.filter(|fix| finding["rule"] == "object-without-rule" && !fixes.contains(fix)));
    }
    assert!(fixes.len() > 1, "{before:#}");
    let after = notebook(&["--format", "json"]).file("mantlet.toml", &fixes.join("\n\n")).finish();
    let left: Vec<_> =
        found(&json(&after)).into_iter().filter(|one| one.starts_with("object-without-rule")).collect();
    assert!(left.is_empty(), "{left:?}\n{}", after.stderr);
}

#[test]
fn the_level_from_which_it_fails_can_be_chosen() {
    let report = json(&notebook(&["--format", "json", "--fail-on", "critical"]).finish());
    assert_eq!((&report["fail-on"], &report["failed"]), (&"critical".into(), &false.into()));
    assert_eq!(notebook(&["--fail-on", "critical"]).finish().code, Some(0));
    assert_eq!(notebook(&["--fail-on", "low"]).finish().code, Some(1));
    let refused = notebook(&["--fail-on", "hgih"]).finish();
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("high"), "{}", refused.stderr);
}

/// A row for which nothing was looked at is not passed.
#[test]
fn what_was_not_looked_at_says_why() {
    let typed = Typed::mantlet(["check", "main:app", "--format", "json"]).file("main.py", THREE_LINES);
    let report = json(&typed.finish());
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 20);
    for row in rows {
        let is_looked_at =
            row["looked-at"].as_object().unwrap().values().any(|count| count.as_u64() > Some(0));
        let outcome = row["outcome"].as_str().unwrap();
        let passed = ["passed", "passed-in-part"].contains(&outcome);
        assert_eq!(
            outcome == "not-judged",
            !is_looked_at && row["counts"] == serde_json::json!({}),
            "{row:#}"
        );
        assert!(!passed || is_looked_at, "{row:#}");
        assert!(outcome != "not-judged" || !row["not-judged"].as_array().unwrap().is_empty(), "{row:#}");
    }
}

#[test]
fn what_cannot_be_reviewed_is_not_passed() {
    let empty = "from fastapi import FastAPI\napp = FastAPI()\n";
    let mounted = "from fastapi import FastAPI\nfrom starlette.applications import Starlette\n\
                   app = FastAPI()\napp.mount('/x', Starlette())\n";
    for (name, app, says) in [
        ("no operations", empty, "has no operations"),
        ("a mounted app alone", mounted, "has no operations"),
        ("an app that cannot be imported", "import nothing_of_that_name", "nothing_of_that_name"),
        ("no app", "", "main"),
    ] {
        let arguments = ["check", "main:app", "--output", "report.json", "--github"];
        let finished = Typed::mantlet(arguments).file("main.py", app).finish();
        assert_eq!(finished.code, Some(3), "{name}: {}", finished.stderr);
        assert!(finished.stderr.contains(says), "{name}: {}", finished.stderr);
        assert_eq!(finished.stdout, "", "{name}");
        assert!(!files_of(finished.folder.path()).contains(&"report.json".to_owned()), "{name}: no report");
    }
    let document = r#"{"openapi": "3.1.0", "info": {"title": "Empty", "version": "1"}, "paths": {}}"#;
    let typed = Typed::mantlet(["check", "--openapi", "openapi.json"]).file("openapi.json", document);
    let finished = typed.finish();
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    let nowhere = Typed::mantlet(["check", "--openapi", "nowhere.json"]).finish();
    assert_eq!(nowhere.code, Some(3), "{}", nowhere.stderr);
}

#[test]
fn mistakes_are_found_before_the_app_is_imported() {
    let app = "raise SystemExit('imported')";
    for (arguments, says) in [
        (&["--output", "report"][..], "does not say a format"),
        (&["--output", "a.json", "--output", "b.html", "--format", "json"], "for one report"),
        (&["--baseline", "nowhere.toml"], "does not exist"),
        (&["--accept", " "], "needs a reason"),
        (&["--accept", "known", "--until", "soon"], "is not a date such as"),
        (&["--until", "fixed"], "--accept"),
        (&["--format", "pdf"], "sarif"),
        (&["--config", "nowhere.toml"], "nowhere.toml"),
    ] {
        let finished =
            Typed::mantlet(["check", "main:app"].iter().chain(arguments)).file("main.py", app).finish();
        assert_eq!(finished.code, Some(2), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(says), "{arguments:?}: {}", finished.stderr);
        assert!(!finished.stderr.contains("imported"), "{arguments:?}: {}", finished.stderr);
    }
}

#[test]
fn rules_are_explained() {
    let finished = Typed::mantlet(["check", "--explain", "object-without-rule"]).finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    for part in ["API1:2023", "CWE-639", "Why ", "To mend it", "[[authorization.own]]"] {
        assert!(finished.stdout.contains(part), "{part}: {}", finished.stdout);
    }
    let all = Typed::mantlet(["check", "--explain"]).finish();
    assert_eq!(all.code, Some(0), "{}", all.stderr);
    assert!(all.stdout.lines().any(|line| line.contains("object-without-rule")), "{}", all.stdout);
    let slip = Typed::mantlet(["check", "--explain", "object-witout-rule"]).finish();
    assert_eq!(slip.code, Some(2));
    assert!(slip.stderr.contains("did you mean `object-without-rule`?"), "{}", slip.stderr);
    let unknown = Typed::mantlet(["check", "--explain", "xyzzy-plugh"]).finish();
    assert_eq!(unknown.code, Some(2));
    assert!(!unknown.stderr.contains("did you mean"), "{}", unknown.stderr);
}

/// Every rule is explained, and configuration in its example is taken as it is.
#[test]
fn each_rule_says_what_why_and_how() {
    let rules: Vec<_> = mantlet_review::rule::all().collect();
    assert!(rules.len() > 3);
    let mut configurations = 0;
    for rule in rules {
        let finished = Typed::mantlet(["check", "--explain", rule.id]).finish();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stdout.starts_with(rule.title), "{}", finished.stdout);
        let example = finished.stdout.split_once("\nExample\n").expect("an example").1;
        if example.trim_start().starts_with("# mantlet.toml") {
            configurations += 1;
            let checked = Typed::mantlet(["config", "check"]).file("mantlet.toml", example).finish();
            assert_eq!(checked.code, Some(0), "{}: {example}{}", rule.id, checked.stderr);
        }
    }
    assert!(configurations > 0);
}

/// Where nothing asks who is calling, it is not known who may do what.
#[test]
fn an_app_without_a_login_does_not_pass_the_rows_about_callers() {
    let typed = Typed::mantlet(["check", "main:app", "--format", "json"]).file("main.py", THREE_LINES);
    let report = json(&typed.finish());
    for row in report["rows"].as_array().expect("rows") {
        if matches!(row["id"].as_str(), Some("API1:2023" | "API2:2023" | "API5:2023")) {
            assert_eq!(row["outcome"], "not-judged", "{row:#}");
            assert_eq!(row["not-judged"][0], "no operation asks for a credential that is known to be one");
        }
    }
}

/// What docs/check.md shows of the baseline and of JSON is what there is.
#[test]
fn the_page_shows_what_there_is() {
    let page = page();
    let typed = Typed::mantlet(["check", "main:app", "--format", "json"]).file("main.py", THREE_LINES);
    let finished = typed.file("mantlet-check.toml", block(&page, "toml mantlet-check.toml")).finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let shown: Value = serde_json::from_str(block(&page, "json")).expect("JSON");
    let report = json(&notebook(&["--format", "json"]).finish());
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&shown), keys(&report));
    for list in ["rows", "findings"] {
        assert_eq!(keys(&shown[list][0]), keys(&report[list][0]), "{list}");
    }
    assert_eq!(shown["version"], report["version"]);
}
