//! What is written for other programs is what they read.

use std::{collections::BTreeMap, fs, process::Command};

use serde_json::json;

use super::{json as parsed, notebook};
use crate::kit::{browser::Browser, command::Typed, provided};

const FILES: [&str; 6] = ["r.txt", "r.json", "r.sarif", "r.html", "r.md", "r.xml"];

fn all() -> Vec<&'static str> {
    FILES.iter().flat_map(|file| ["--output", file]).collect()
}

fn written(typed: Typed) -> BTreeMap<&'static str, String> {
    let finished = typed.finish();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stdout.contains("Failed: "), "what is written is shown as well: {}", finished.stdout);
    let read =
        |file: &'static str| (file, fs::read_to_string(finished.folder.path().join(file)).expect(file));
    FILES.map(read).into_iter().collect()
}

/// A second run, in another folder, gives the same bytes.
#[test]
fn the_same_app_gives_the_same_bytes() {
    let one = written(notebook(&all()));
    assert_eq!(one, written(notebook(&all())));
    for (file, text) in one {
        assert!(!text.contains("/tmp/"), "{file} names a folder of this machine");
    }
}

/// Each format is read by a program that knows it: SARIF against the schema of OASIS.
#[test]
fn each_format_is_read_by_others() {
    let files = written(notebook(&all()));
    let folder = tempfile::tempdir().expect("a folder");
    for (file, text) in &files {
        fs::write(folder.path().join(file), text).expect("a file");
    }
    fs::write(folder.path().join("schema.json"), include_str!("sarif-schema-2.1.0.json")).expect("a file");
    let output = Command::new(provided("MANTLET_TEST_PACKAGES"))
        .args(["-c", include_str!("readers.py")])
        .current_dir(folder.path())
        .output()
        .expect("the interpreter in MANTLET_TEST_PACKAGES starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");

    let report: serde_json::Value = serde_json::from_str(&files["r.json"]).expect("JSON");
    let findings = report["findings"].as_array().unwrap();
    let failing = findings.iter().filter(|one| one["level"] == "high" || one["level"] == "critical");
    assert!(findings.len() > 3 && failing.clone().count() > 2, "{report:#}");
    assert_eq!(
        read["sarif"],
        json!({"mistakes": [], "results": findings.len(), "fingerprints": findings.len()})
    );
    // One for each row, and one for operations without findings.
    assert_eq!(read["junit"]["suites"], 21);
    assert_eq!(read["junit"]["said"], read["junit"]["counted"]);
    let subjects: std::collections::BTreeSet<_> =
        failing.clone().map(|one| one["subject"].to_string()).collect();
    assert!(read["junit"]["failed"].as_u64() >= Some(subjects.len() as u64), "{read:#}");
    assert_eq!(read["html"], json!({"unclosed": [], "scripts": 0, "rows": 20}));
}

#[test]
fn the_page_is_shown_without_anything_from_elsewhere() {
    let finished = notebook(&["--output", "r.html"]).finish();
    let page = finished.folder.path().join("r.html");
    let mut browser = Browser::open(&format!("file://{}", page.display()));
    browser.wait_until(
        "document.readyState === 'complete' && document.querySelectorAll('tbody tr').length === 20",
    );
    assert!(browser.violations().is_empty(), "{:?}", browser.violations());
    let is_wide = browser.evaluate("document.documentElement.scrollWidth > innerWidth");
    assert_eq!(is_wide, false, "nothing is cut off at the side");
    let is_styled = browser.evaluate("getComputedStyle(document.querySelector('.badge.high')).borderRadius");
    assert_ne!(is_styled, "0px", "its own style is allowed");
    let dangling = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.querySelector(a.hash)).length";
    assert_eq!(browser.evaluate(dangling), 0);
}

#[test]
fn one_format_is_printed_or_written() {
    let printed = notebook(&["--format", "json"]).finish();
    assert_eq!(parsed(&printed)["app"], "notebook:app (Notebook)");
    let finished = notebook(&["--format", "sarif", "--output", "results"]).finish();
    let text = fs::read_to_string(finished.folder.path().join("results")).expect("a report");
    assert!(text.contains("\"version\": \"2.1.0\""), "{text}");
    assert!(finished.stdout.contains("Failed: "), "{}", finished.stdout);
}

/// On GitHub: lines that annotate, with files below the root of the repository, and the summary of the job.
#[test]
fn github_is_told() {
    let typed = notebook(&["--github", "--format", "json", "--baseline", "b.toml"]);
    let entry = "[[accept]]\nrule = \"object-without-rule\"\nsubject = \"GET /gone\"\nreason = \"r\"\nuntil = \"fixed\"\n";
    let summary = typed.folder().join("summary.md");
    fs::write(&summary, "before\n").expect("a file");
    let finished = typed.file("b.toml", entry).variable("GITHUB_STEP_SUMMARY", &summary).finish();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    parsed(&finished);
    let lines: Vec<_> = finished.stderr.lines().filter(|line| line.starts_with("::")).collect();
    let errors = lines
        .iter()
        .filter(|line| line.starts_with("::error file=notebook.py,line="))
        .filter(|line| line.contains(",title=No rule checks whose object this is"))
        .count();
    assert!((3..=10).contains(&errors), "{lines:#?}");
    let placed = lines.iter().any(|line| line.starts_with("::notice file=b.toml,line=1,title="));
    assert!(placed, "{lines:#?}");
    let summary = fs::read_to_string(summary).expect("a summary");
    assert!(summary.starts_with("before\n# Review of notebook:app"), "{summary}");
}

/// A project that is a folder of its repository.
#[test]
fn files_are_named_below_the_root_of_the_repository() {
    let typed = notebook(&["--format", "sarif"]);
    let folder = typed.folder().to_owned();
    fs::create_dir_all(folder.join(".git")).expect("a folder");
    fs::create_dir_all(folder.join("services/notebook api")).expect("a folder");
    fs::rename(folder.join("notebook.py"), folder.join("services/notebook api/notebook.py")).expect("a file");
    fs::write(folder.join("services/notebook api/pyproject.toml"), "[project]\nname = \"notebook\"\n")
        .expect("a file");
    let sarif = parsed(&typed.at(&folder.join("services/notebook api")).finish());
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(results.len() > 3, "{sarif:#}");
    for result in results {
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
        let uri = place["uri"].as_str().unwrap();
        assert!(uri.starts_with("services/notebook%20api/"), "{uri}");
        assert_eq!(place["uriBaseId"], "%SRCROOT%");
    }
}
