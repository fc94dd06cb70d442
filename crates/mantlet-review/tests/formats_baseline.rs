//! The baseline: mistakes with their lines, ends, and what is added.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking; the exception does not reach helpers")]

use mantlet_review::{
    Finding, Level, Owasp, Review,
    baseline::{Accepted, Baseline, Until},
    formats::{About, Report},
    review::Row,
    rule::api::OBJECT_WITHOUT_RULE,
};

fn review() -> Review {
    let mut review = Review::default();
    review.looked(Row::Owasp(Owasp::Api1), "operations with an id and a login", 2);
    for part in ["", "parameter \"x\"\n[[accept]]"] {
        review.found(Finding::new(&OBJECT_WITHOUT_RULE, "GET /orders/{order_id}", "not checked").part(part));
    }
    review
}

fn report(review: &Review) -> Report {
    let about = About { mantlet: "0.0.0".into(), app: "main:app".into(), fail_on: Level::High };
    Report::new(about, review, &std::collections::BTreeMap::new())
}

fn mistakes(text: &str) -> Vec<String> {
    let mistakes = Baseline::read("mantlet-check.toml", text).unwrap_err();
    mistakes.into_iter().map(|mistake| format!("{}: {}", mistake.line, mistake.message)).collect()
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let text = r#"
[[accept]]
rule = "object-without-rul"
subject = "GET /"
reason = " "
until = "next year"

[[accept]]
rule = 7
why = "because"
until = 2027-01-31

[accepted]
"#;
    assert_eq!(
        mistakes(text),
        [
            "3: there is no rule `object-without-rul`; did you mean `object-without-rule`?",
            "5: `reason` is empty: why the finding is accepted",
            "6: `next year` is not a date such as \"2027-01-31\", and not \"fixed\"",
            "8: `subject` is missing: what the finding is about, as reports have it",
            "8: `reason` is missing: why the finding is accepted",
            "9: `rule` has to be a text between quotes",
            "10: the key `why` is not known; known keys: rule, subject, part, reason, until, fingerprint",
            "13: `accepted` is not known: each accepted finding begins with `[[accept]]`",
        ]
    );
    assert_eq!(mistakes("[accept]\n"), ["1: each accepted finding begins with `[[accept]]`"]);
    assert!(mistakes("a = 1\nb = \n")[0].starts_with("2: "));
    let one = "[[accept]]\nrule = \"no-lock-file\"\nsubject = \"a\"\nreason = \"b\"\nuntil = \"fixed\"\n";
    assert_eq!(
        mistakes(&one.repeat(2)),
        ["6: this finding is accepted on line 1 already: delete one of the two"]
    );
    let wrong = mistakes(&format!("{one}fingerprint = \"00\"\n"));
    assert!(wrong[0].starts_with("6: the fingerprint belongs to another rule"), "{wrong:?}");
}

#[test]
fn what_is_accepted_is_read_again_and_nothing_is_overwritten() {
    let mut review = review();
    let empty = Baseline::read("mantlet-check.toml", "").unwrap();
    let accepted = Accepted { reason: "\"known\"\nbefore \\ #".into(), until: Until::Fixed };
    let addition = empty.addition(report(&review).failing(), &accepted);
    assert_eq!(addition.fingerprints.len(), 2);
    let text = addition.onto(Some("# ours\n"));
    assert!(text.starts_with("# ours\n"), "{text}");
    let baseline = Baseline::read("mantlet-check.toml", &text).unwrap();
    assert_eq!(baseline.len(), 2);
    let known = baseline.apply(&mut review, "2027-01-01".parse().unwrap());
    assert_eq!(known.len(), 2);
    assert!(known.values().all(|known| *known == accepted));
    let about = About { mantlet: "0.0.0".into(), app: "main:app".into(), fail_on: Level::High };
    let report = Report::new(about, &review, &known);
    assert!(!report.failed);
    assert!(baseline.addition(report.failing(), &accepted).fingerprints.is_empty());
}

#[test]
fn ends_are_kept() {
    let entry = |subject: &str, until: &str| {
        format!(
            "[[accept]]\nrule = \"object-without-rule\"\nsubject = \"{subject}\"\nreason = \"r\"\nuntil = {until}\n"
        )
    };
    let text = entry("GET /orders/{order_id}", "2027-01-31") + &entry("GET /gone/{id}", "\"fixed\"");
    let baseline = Baseline::read("mantlet-check.toml", &text).unwrap();
    let judged = |review: &mut Review, today: &str| {
        let accepted = baseline.apply(review, today.parse().unwrap());
        let own = review.findings().into_iter().filter(|finding| finding.rule.id.starts_with("baseline"));
        let own: Vec<_> = own.map(|one| format!("{} {}", one.rule.id, one.place.as_ref().unwrap())).collect();
        (accepted.len(), own)
    };
    let gone = "baseline-entry-unmatched mantlet-check.toml:6".to_owned();
    assert_eq!(judged(&mut review(), "2027-01-31"), (1, vec![gone.clone()]));
    let over = "baseline-entry-expired mantlet-check.toml:1".to_owned();
    assert_eq!(judged(&mut review(), "2027-02-01"), (0, vec![over, gone]));
    // A person decides about what has expired.
    let accepted = Accepted { reason: "again".into(), until: Until::Fixed };
    let addition = baseline.addition(report(&review()).failing(), &accepted);
    assert_eq!((addition.expired, addition.fingerprints.len()), (vec![1], 1));
    // Where nothing was looked at, nothing is known.
    assert_eq!(judged(&mut Review::default(), "2027-02-01"), (0, vec![]));
}
