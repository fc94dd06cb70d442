//! Versions, specifiers and ranges against the real `packaging`: random ones with a fixed seed, judged by both.
//!
//! `MANTLET_TEST_PACKAGES` names an interpreter with `packaging`; `MANTLET_DIFFERENTIAL_CASES` how many cases of
//! each kind (default 8,000), and `MANTLET_DIFFERENTIAL_SEED` which ones.

use std::{cmp::Ordering, collections::BTreeMap, process::Command, str::FromStr as _};

use mantlet_review::project::{Range, satisfies};
use pep440_rs::Version;
use serde_json::Value;

use crate::kit::{fixture, python};

#[test]
fn versions_are_judged_as_packaging_does() {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let output = Command::new(python())
        .arg(fixture("verdicts.py"))
        .arg(setting("MANTLET_DIFFERENTIAL_SEED", "7"))
        .arg(setting("MANTLET_DIFFERENTIAL_CASES", "8000"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut counts, mut wrong) = (BTreeMap::<(String, String), usize>::new(), Vec::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let kind = case["kind"].as_str().unwrap();
        let ours = ours(kind, &case);
        *counts.entry((kind.to_owned(), case["verdict"].to_string())).or_default() += 1;
        if ours != case["verdict"] {
            wrong.push(format!("{line}: {ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ: {:#?}", wrong.len(), wrong.iter().take(40).collect::<Vec<_>>());
    // Each kind has enough of each verdict to say something.
    for (kind, verdicts) in [
        ("order", &["-1", "1", "0", "null"][..]),
        ("specifiers", &["true", "false"]),
        ("range", &["true", "false"]),
    ] {
        for verdict in verdicts {
            let count = counts.get(&(kind.to_owned(), (*verdict).to_owned())).copied().unwrap_or_default();
            assert!(count >= 50, "{kind} {verdict}: {count}");
        }
    }
}

fn ours(kind: &str, case: &Value) -> Value {
    let text = |key: &str| case[key].as_str().unwrap();
    match kind {
        "order" => match (Version::from_str(text("one")), Version::from_str(text("other"))) {
            (Ok(one), Ok(other)) => match one.cmp(&other) {
                Ordering::Less => (-1).into(),
                Ordering::Equal => 0.into(),
                Ordering::Greater => 1.into(),
            },
            _ => Value::Null,
        },
        "specifiers" => satisfies(text("one"), text("other")).into(),
        _ => {
            let events: Vec<(String, String)> = serde_json::from_value(case["events"].clone()).unwrap();
            let events: Vec<(&str, &str)> =
                events.iter().map(|(kind, version)| (kind.as_str(), version.as_str())).collect();
            let verdict = Version::from_str(text("other"))
                .ok()
                .and_then(|version| Range::of(&events).contains(&version).ok());
            verdict.into()
        }
    }
}
