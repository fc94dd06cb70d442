//! Reports of a review that is made by hand, with texts that mean no good.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking; the exception does not reach helpers")]

use std::collections::BTreeMap;

use mantlet_review::{
    Finding, Level, Owasp, Place, Practice, Review,
    baseline::{Accepted, Until},
    formats::{About, Format, Look, Report, Repository, annotations},
    review::Row,
    rule::{api::OBJECT_WITHOUT_RULE, project::NO_LOCK_FILE},
};
use unicode_width::UnicodeWidthStr as _;

const NASTY: &str = "</pre><script>alert(1)</script> \u{1b}[31m `|` ]]> \u{202e} ::error::x 50%";

fn review() -> Review {
    let mut review = Review::default();
    let operations = ["GET /orders/{order_id}", "GET /orders/{order_id}/lines/{line_id}", "GET /items"];
    review.operations_known(operations.map(str::to_owned));
    review.looked(Row::Owasp(Owasp::Api1), "operations with an id and a login", 3);
    review.looked(Row::Owasp(Owasp::Api2), "operations that ask for a login", 3);
    review.unjudged(Row::Owasp(Owasp::Api2), "how long tokens live");
    review.looked(Row::Practice(Practice::Cors), "origins", 2);
    review.unjudged(Row::Practice(Practice::Images), "there is no Dockerfile");
    for path in ["/orders/{order_id}", "/orders/{order_id}/lines/{line_id}"] {
        let place = Place { file: "shop/orders api.py".to_owned(), line: Some(57) };
        review.found(
            Finding::new(&OBJECT_WITHOUT_RULE, format!("GET {path}"), "the id chooses an object of a user")
                .at(Some(place))
                .fact("`orders.customer_id` is `users.id`")
                .fact(NASTY)
                .closed_by("[[authorization.own]]\npaths = [\"/orders/{order_id}\"]"),
        );
    }
    review.found(
        Finding::new(&OBJECT_WITHOUT_RULE, "DELETE /notes/{id}", NASTY)
            .level(Level::Low)
            .mended_by("compare `notes.owner` with the caller"),
    );
    review.found(Finding::new(&NO_LOCK_FILE, "requirements.txt", "no version is locked").part(NASTY));
    review.note(NASTY);
    review
}

fn report() -> Report {
    let review = review();
    let accepted = Accepted { reason: format!("known {NASTY}"), until: Until::Fixed };
    let lock =
        review.findings().into_iter().find(|finding| finding.rule == &NO_LOCK_FILE).unwrap().fingerprint();
    let about = About { mantlet: "0.0.0".into(), app: format!("main:app ({NASTY})"), fail_on: Level::High };
    Report::new(about, &review, &BTreeMap::from([(lock, accepted)]))
}

fn printed(format: Format) -> String {
    let repository = Repository { below: "services/a b/".into(), otherwise: "pyproject.toml".into() };
    format.print(&report(), &repository, Look::default())
}

#[test]
fn rows_say_what_became_of_them() {
    let report = report();
    let outcome = |row| report.rows.iter().find(|known| known.row == row).unwrap().outcome.code();
    assert_eq!(outcome(Row::Owasp(Owasp::Api1)), "high");
    assert_eq!(outcome(Row::Owasp(Owasp::Api2)), "passed-in-part");
    assert_eq!(outcome(Row::Owasp(Owasp::Api3)), "not-judged");
    // Its only finding is accepted, and nothing else was looked at.
    assert_eq!(outcome(Row::Practice(Practice::Dependencies)), "accepted");
    assert_eq!(outcome(Row::Practice(Practice::Cors)), "passed");
    let unjudged = report.rows.iter().filter(|row| row.outcome.code() == "not-judged");
    for row in unjudged {
        assert!(!row.not_judged.is_empty(), "{row:?}");
    }
    assert!(report.failed);
    assert_eq!(
        report.verdict(),
        "Failed: 2 findings at or above `high`, and 1 below; 1 finding accepted; 15 of 20 rows could not be judged"
    );
}

/// No line is wider than the terminal, but for a word that is, and configuration.
#[test]
fn text_fits_its_terminal() {
    for width in [40, 60, 71, 72, 80, 100, 120] {
        for colour in [false, true] {
            let text = mantlet_review::formats::text(&report(), Look { width, colour });
            assert_eq!(text.contains("\u{1b}["), colour, "{width}");
            let plain = without_colours(&text);
            for line in plain.lines().filter(|line| line.trim_start().contains(' ')) {
                let is_configuration = line.trim_start().starts_with("paths");
                assert!(line.width() <= width || is_configuration, "{width}: {} {line}", line.width());
            }
            assert!(
                plain.contains("[[authorization.own]]\n    paths = [\"/orders/{order_id}\"]\n"),
                "{plain}"
            );
            assert_eq!(plain.matches("Fix in mantlet.toml").count(), 1, "one text closes both: {plain}");
        }
    }
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
}

#[test]
fn what_an_app_says_is_obeyed_by_nothing() {
    let text = printed(Format::Text);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
    for format in [Format::Html, Format::Junit] {
        let markup = printed(format);
        assert!(!markup.contains("<script") && !markup.contains('\u{1b}'), "{markup}");
        assert!(markup.contains("&lt;script&gt;"), "{markup}");
    }
    let page = printed(Format::Html);
    assert!(
        !page.contains("src=") && !page.contains("url(") && !page.contains("@import"),
        "nothing from elsewhere"
    );
    let markdown = printed(Format::Markdown);
    assert!(!markdown.contains("\n</pre>") && markdown.contains(r"\<script\>"), "{markdown}");
    let commands = annotations(&report(), &Repository::default());
    assert_eq!(commands.lines().count(), 3);
    assert!(
        commands.lines().all(|line| line.starts_with("::error ") || line.starts_with("::notice ")),
        "{commands}"
    );
}

#[test]
fn sarif_knows_files_of_the_repository_and_severities() {
    let sarif: serde_json::Value = serde_json::from_str(&printed(Format::Sarif)).unwrap();
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        let rule = &run["tool"]["driver"]["rules"][index];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["properties"]["tags"].as_array().unwrap().len() <= 20);
        let place = &result["locations"][0]["physicalLocation"];
        let (uri, line) = (&place["artifactLocation"]["uri"], &place["region"]["startLine"]);
        let severity = &rule["properties"]["security-severity"];
        let found = (result["ruleId"].as_str().unwrap(), severity.as_str().unwrap());
        match found.0 {
            "object-without-rule" => {
                assert_eq!(
                    (uri.as_str(), line.as_u64()),
                    (Some("services/a%20b/shop/orders%20api.py"), Some(57))
                );
                assert_eq!(found.1, "8.0");
                let tags = rule["properties"]["tags"].to_string();
                assert!(tags.contains("external/cwe/cwe-639") && tags.contains("API1:2023"), "{tags}");
            }
            "object-without-rule/low" => {
                assert_eq!((uri.as_str(), found.1), (Some("services/a%20b/pyproject.toml"), "2.0"));
            }
            "no-lock-file" => assert_eq!(result["suppressions"][0]["kind"], "external"),
            other => panic!("{other}"),
        }
        assert_eq!(result["suppressions"].is_null(), found.0 != "no-lock-file");
    }
}

/// The lock of a workspace stands above the project.
#[test]
fn files_above_the_project_are_named_as_they_are() {
    let mut review = Review::default();
    let place = Place { file: "../../uv.lock".into(), line: Some(3) };
    review.found(Finding::new(&NO_LOCK_FILE, "uv.lock", "it is not complete").at(Some(place)));
    let about = About { mantlet: "0.0.0".into(), app: "main:app".into(), fail_on: Level::High };
    let report = Report::new(about, &review, &BTreeMap::new());
    let repository = Repository { below: "services/a/".into(), otherwise: "pyproject.toml".into() };
    let sarif = Format::Sarif.print(&report, &repository, Look::default());
    assert!(sarif.contains("\"uri\": \"uv.lock\""), "{sarif}");
    assert!(annotations(&report, &repository).starts_with("::warning file=uv.lock,line=3,title="));
}

#[test]
fn json_has_all_that_was_found() {
    let json: serde_json::Value = serde_json::from_str(&printed(Format::Json)).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(
        json["counts"],
        serde_json::json!({"critical": 0, "high": 2, "medium": 0, "low": 1, "info": 0})
    );
    assert_eq!(json["rows"].as_array().unwrap().len(), 20);
    let lock = json["findings"].as_array().unwrap().iter().find(|one| one["rule"] == "no-lock-file").unwrap();
    assert_eq!(lock["accepted"]["until"], "fixed");
    assert_eq!(lock["practice"], "dependencies");
    assert_eq!(lock["place"], serde_json::Value::Null);
}

#[test]
fn junit_fails_what_fails_the_review() {
    let junit = printed(Format::Junit);
    // The row, and two operations.
    assert!(junit.contains("failures=\"3\" errors=\"0\""), "{junit}");
    assert_eq!(junit.matches("<failure ").count(), 3);
    assert!(junit.contains("name=\"DELETE /notes/{id}\"><system-out>"), "a milder one passes: {junit}");
    assert!(junit.contains("<skipped message=\"accepted: known"), "{junit}");
}

/// A pipeline shows what was looked at, and not only where something was found.
#[test]
fn junit_passes_operations_without_findings() {
    let junit = printed(Format::Junit);
    assert!(junit.contains("<testcase classname=\"operations\" name=\"GET /items\"></testcase>"), "{junit}");
    assert_eq!(
        junit.matches("classname=\"operations\"").count(),
        1,
        "those with findings have their case: {junit}"
    );
    // Rows that were not judged are skipped, and never pass.
    assert!(junit.contains("name=\"Unrestricted Resource Consumption\"><skipped"), "{junit}");

    let mut review = review();
    review.operations_known((0..5_000).map(|number| format!("GET /many/{number:04}")));
    let about = About { mantlet: "0.0.0".into(), app: "main:app".into(), fail_on: Level::High };
    let report = Report::new(about, &review, &BTreeMap::new());
    let junit = Format::Junit.print(&report, &Repository::default(), Look::default());
    assert_eq!(junit.matches("classname=\"operations\"").count(), 1_001, "so many, and one for the rest");
    assert!(junit.contains("4001 more"), "{}", &junit[junit.len() - 400..]);
}

#[test]
fn formats_are_known_by_suffixes() {
    for format in Format::ALL {
        for suffix in format.suffixes() {
            assert_eq!(Format::of_file(&format!("a.b/Report.{}", suffix.to_uppercase())), Some(format));
        }
    }
    assert_eq!(Format::of_file("a.sarif.json"), Some(Format::Sarif));
    assert_eq!(Format::of_file("report"), None);
}
