//! Validation against the real Pydantic: random types and values with a fixed seed, judged by both.
//!
//! `MANTLET_TEST_PYTHON` names an interpreter with Pydantic; `MANTLET_DIFFERENTIAL_CASES` how many values (default 4,000), and
//! `MANTLET_DIFFERENTIAL_SEED` which ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy's own exception does not reach the helpers of test crates"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use mantlet_contract::compile::compile;
use mantlet_contract::fault::{Fault, Loc};
use mantlet_contract::json::{Limits, cut, parse};
use mantlet_contract::model::Shape;
use mantlet_contract::validate::{Outcome, validate};
use mantlet_contract::value::Value;
use serde::Deserialize;

/// A type and the values that were tried on it.
#[derive(Deserialize)]
struct Line {
    name: String,
    shapes: Vec<Shape>,
    root: u32,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    mode: String,
    value: String,
    errors: Option<Vec<(String, Vec<Part>, String)>>,
}

#[derive(Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[serde(untagged)]
enum Part {
    Index(i64),
    Key(String),
}

#[derive(Default)]
struct Tally {
    cases: usize,
    refused_by_pydantic: usize,
    outside_opaque: usize,
    refused: usize,
    /// Refused here with other parts left to the app: its errors are a part of Pydantic's.
    partly: usize,
    same_places: usize,
    same_messages: usize,
    misses: BTreeMap<String, (usize, String)>,
    /// Refused by Pydantic where the app decides: why it does.
    left: BTreeMap<String, usize>,
    /// The number of a type, a value, and the value without the members that no model takes.
    cut: Vec<(usize, String, String)>,
}

impl Tally {
    fn miss(&mut self, group: String, example: impl FnOnce() -> String) {
        self.misses.entry(group).or_insert_with(|| (0, example())).0 += 1;
    }

    fn share(part: usize, whole: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = 100.0 * part as f64 / whole.max(1) as f64;
        share
    }
}

fn part(loc: &Loc) -> Part {
    match loc {
        Loc::Key(key) => Part::Key(key.clone()),
        Loc::Index(index) => Part::Index(*index),
    }
}

fn judge(line: &Line, case: &Case) -> Outcome {
    let (shapes, _) = compile(&line.shapes);
    if case.mode == "text" {
        return validate(&shapes, line.root, Value::Text(&case.value), &[]);
    }
    let json = parse(case.value.as_bytes(), Limits::default())
        .unwrap_or_else(|error| panic!("Python reads {}, but: {error}", case.value));
    validate(&shapes, line.root, Value::Json(json.root()), &[])
}

fn compare(tally: &mut Tally, number: usize, line: &Line, case: &Case) {
    let outcome = judge(line, case);
    if !outcome.ignored.is_empty() {
        let without = String::from_utf8(cut(case.value.as_bytes(), &outcome.ignored)).unwrap();
        tally.cut.push((number, case.value.clone(), without));
    }
    let example = |ours: &[Fault]| {
        format!(
            "{}\n      value {}\n      theirs {:?}\n      ours {ours:?}",
            line.name, case.value, case.errors
        )
    };
    tally.cases += 1;
    let Some(errors) = &case.errors else {
        if !outcome.accepted() {
            let group = format!("REFUSED THOUGH ACCEPTED {}", outcome.faults[0].kind);
            tally.miss(group, || example(&outcome.faults));
        }
        return;
    };
    tally.refused_by_pydantic += 1;
    if outcome.accepted() {
        if outcome.undecided {
            *tally.left.entry(reasons(&line.shapes)).or_default() += 1;
        } else {
            tally.outside_opaque += 1;
            tally.miss(format!("passed {}", errors[0].0), || example(&[]));
        }
        return;
    }
    tally.outside_opaque += 1;
    tally.refused += 1;
    let theirs: BTreeSet<_> = errors.iter().map(|(kind, loc, _)| (kind.clone(), loc.clone())).collect();
    let ours: BTreeSet<_> = outcome
        .faults
        .iter()
        .map(|fault| (fault.kind.to_string(), fault.loc.iter().map(part).collect::<Vec<_>>()))
        .collect();
    if outcome.undecided && theirs.is_superset(&ours) {
        tally.partly += 1;
        return;
    }
    if theirs != ours {
        let odd = theirs.symmetric_difference(&ours).next().map(|(kind, _)| kind.clone()).unwrap_or_default();
        tally.miss(format!("places {odd}"), || example(&outcome.faults));
        return;
    }
    tally.same_places += 1;
    let theirs: Vec<_> = errors.iter().map(|(_, _, msg)| msg.as_str()).collect();
    let ours: Vec<_> = outcome.faults.iter().map(|fault| &*fault.msg).collect();
    if theirs == ours {
        tally.same_messages += 1;
    } else {
        let (kind, _, _) = errors
            .iter()
            .zip(&ours)
            .find(|((_, _, msg), ours)| msg != *ours)
            .map_or(&errors[0], |(error, _)| error);
        tally.miss(format!("message {kind}"), || example(&outcome.faults));
    }
}

/// Why places of a type are left to the app, without the names of functions.
fn reasons(shapes: &[Shape]) -> String {
    let reasons = shapes.iter().filter_map(|shape| match shape {
        Shape::Opaque { why } => Some(why.split('`').next().unwrap_or_default().trim().to_owned()),
        _ => None,
    });
    let reasons: BTreeSet<_> = reasons.collect();
    if reasons.is_empty() {
        "a value that cannot be judged".into()
    } else {
        Vec::from_iter(reasons).join(", ")
    }
}

#[test]
fn what_pydantic_accepts_passes_and_what_it_refuses_does_not() {
    let python = std::env::var_os("MANTLET_TEST_PYTHON")
        .unwrap_or_else(|| panic!("MANTLET_TEST_PYTHON is not set: run `cargo xtask test`"));
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/generate.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(setting("MANTLET_DIFFERENTIAL_SEED", "7"))
        .arg(setting("MANTLET_DIFFERENTIAL_CASES", "4000"))
        .env("PYTHONHASHSEED", "0")
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut tally = Tally::default();
    for (number, line) in BufReader::new(child.stdout.take().unwrap()).lines().enumerate() {
        let line: Line = serde_json::from_str(&line.unwrap()).unwrap();
        for case in &line.cases {
            compare(&mut tally, number, &line, case);
        }
    }
    assert!(child.wait().unwrap().success());
    let mut misses: Vec<_> = tally.misses.iter().collect();
    misses.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (group, (count, example)) in misses {
        println!("{count:6} {group}\n      {example}");
    }
    for (why, count) in &tally.left {
        println!("{count:6} left to the app: {why}");
    }
    let refused = Tally::share(tally.refused, tally.outside_opaque);
    let whole = tally.refused - tally.partly;
    let places = Tally::share(tally.same_places, whole);
    let messages = Tally::share(tally.same_messages, whole);
    println!(
        "{} cases; Pydantic refuses {}, {} of them outside what is left to the app; of these {refused:.2} % are refused here, \
         {} with a part of the errors because other parts are the app's; of the other {whole} {places:.2} % with the same types and places, {messages:.2} % with the same messages in the same order",
        tally.cases, tally.refused_by_pydantic, tally.outside_opaque, tally.partly,
    );
    let changed = changed_by_cutting(command.arg("check"), &tally.cut);
    println!(
        "{} of them without the members that no model takes; {} mean something else",
        tally.cut.len(),
        changed.len()
    );
    assert!(changed.is_empty(), "{}", changed.join("\n"));
    assert!(tally.cut.len() > 50, "too little was cut");
    let wrong: Vec<_> = tally.misses.iter().filter(|(group, _)| group.starts_with("REFUSED")).collect();
    assert!(wrong.is_empty(), "refused although Pydantic accepts: {wrong:?}");
    assert!(tally.cases > 1000 && tally.refused > 500, "too little was compared");
    assert!(refused >= 97.0 && places >= 95.0 && messages >= 90.0);
}

/// Values that mean something else to Pydantic after members were cut out.
fn changed_by_cutting(command: &mut Command, cut: &[(usize, String, String)]) -> Vec<String> {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines: String =
        cut.iter().fold(String::new(), |all, one| all + &serde_json::to_string(one).unwrap() + "\n");
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let changed = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    writer.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success());
    changed
}
