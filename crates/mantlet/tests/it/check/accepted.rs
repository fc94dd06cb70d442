//! The baseline.

use std::fs;

use super::{found, json, notebook};

const FILE: &str = "mantlet-check.toml";

#[test]
fn what_is_accepted_does_not_fail() {
    let first = notebook(&["--accept", "known before the first review"]).file(FILE, "# kept\n").finish();
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(first.stdout.contains("\nAccepted\n"), "{}", first.stdout);
    assert!(first.stdout.contains("known before the first review (until fixed)"), "{}", first.stdout);
    let written = fs::read_to_string(first.folder.path().join(FILE)).expect("a baseline");
    assert!(written.starts_with("# kept\n"), "{written}");

    // By default the file is read where the command is typed.
    let second = notebook(&["--format", "json"]).file(FILE, &written).finish();
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    let report = json(&second);
    let accepted = report["findings"].as_array().unwrap().iter().filter(|one| !one["accepted"].is_null());
    assert_eq!(report["accepted"], accepted.count());
    assert!(report["accepted"].as_u64() > Some(2), "{report:#}");
    assert!(found(&report).iter().all(|one| !one.starts_with("baseline-")), "{report:#}");

    // Reasons that exist stay, and there is nothing to add.
    let own = written.replace("known before the first review", "our own words");
    let third = notebook(&["--accept", "another reason"]).file(FILE, &own).finish();
    assert!(third.stderr.contains("there is nothing to accept"), "{}", third.stderr);
    assert_eq!(fs::read_to_string(third.folder.path().join(FILE)).unwrap(), own);
}

#[test]
fn what_has_expired_or_does_not_exist_is_found() {
    let entry = |subject: &str, until: &str| {
        format!(
            "[[accept]]\nrule = \"object-without-rule\"\nsubject = \"{subject}\"\nreason = \"later\"\nuntil = {until}\n\n"
        )
    };
    let text = entry("GET /notes/{note_id}", "2020-01-31") + &entry("GET /gone/{id}", "\"fixed\"");
    let typed = notebook(&["--format", "json", "--baseline", "ours.toml"]).file("ours.toml", &text);
    let finished = typed.finish();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let report = json(&finished);
    assert_eq!(report["accepted"], 0);
    let findings = report["findings"].as_array().unwrap();
    let places = |rule: &str| {
        let of_rule = findings.iter().filter(|one| one["rule"] == rule);
        of_rule.map(|one| format!("{}:{}", one["place"]["file"], one["place"]["line"])).collect::<Vec<_>>()
    };
    assert_eq!(places("baseline-entry-expired"), ["\"ours.toml\":1"]);
    assert_eq!(places("baseline-entry-unmatched"), ["\"ours.toml\":7"]);
}

#[test]
fn mistakes_are_named_with_their_lines() {
    let text = "[[accept]]\nrule = \"object-without-rul\"\nsubject = \"GET /\"\nuntil = \"2020-13-01\"\n";
    let finished = notebook(&[]).file(FILE, text).finish();
    assert_eq!(finished.code, Some(2));
    for line in [
        "mantlet-check.toml:1: `reason` is missing",
        "mantlet-check.toml:2: there is no rule `object-without-rul`; did you mean `object-without-rule`?",
        "mantlet-check.toml:4: `2020-13-01` is not a date",
    ] {
        assert!(finished.stderr.contains(line), "{line}\n{}", finished.stderr);
    }
    assert_eq!(finished.stdout, "");
}
