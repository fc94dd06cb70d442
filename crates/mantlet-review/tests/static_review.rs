//! The static review of whole apps: careless ones, each with a list of what is planted in it, and sound ones,
//! in which nothing may be found.
//!
//! `MANTLET_TEST_PYTHON` and `MANTLET_TEST_IDENTITY` name interpreters with FastAPI and what the apps use; `cargo
//! xtask test` sets them.

#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests stop where something is wrong")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use mantlet_contract::model::{Contract, Operation, Route, Router, SignKind};
use mantlet_controls::{Config, Policy};
use mantlet_review::{AppFacts, Finding, Fix, Gate, Level, Owasp, Review, of_app, rule};
use serde::{Deserialize as _, de::IntoDeserializer as _};

const DEV: &str = "MANTLET_TEST_PYTHON";
const IDENTITY: &str = "MANTLET_TEST_IDENTITY";
/// Settings that one sound app needs to start, as a deployment would have them.
const KEY: &str = "k3Jx0vQeUu2yq8m1Zr6tYw9bNcLd5fHgPaSiTo7VRXE";

/// An app: its folder, its name, and the interpreter that has its packages.
struct Subject {
    folder: PathBuf,
    app: &'static str,
    python: &'static str,
    list: PathBuf,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn own(folder: &str, app: &'static str, python: &'static str) -> Subject {
    let folder = root().join("crates/mantlet-review/tests/apps").join(folder);
    Subject { list: folder.join("planted.txt"), folder, app, python }
}

fn careless() -> Vec<Subject> {
    let shop = Subject {
        folder: root().join("examples/shop"),
        app: "main:app",
        python: DEV,
        list: root().join("crates/mantlet-review/tests/apps/shop.txt"),
    };
    vec![
        shop,
        own("fleet", "fleet.app:app", IDENTITY),
        own("library", "service:app", DEV),
        own("clinic", "clinic.main:app", IDENTITY),
        own("inn", "inn:app", IDENTITY),
    ]
}

fn sound() -> Vec<Subject> {
    let template = Subject {
        folder: root().join("crates/mantlet/tests/apps/identity/settings"),
        app: "app.main:app",
        python: IDENTITY,
        list: PathBuf::new(),
    };
    vec![
        own("notebook", "notebook:app", IDENTITY),
        own("ledger", "ledger.main:app", DEV),
        own("commons", "commons.main:app", IDENTITY),
        own("guildhall", "guildhall:app", IDENTITY),
        template,
    ]
}

impl Subject {
    fn contract(&self) -> Contract {
        let python = env::var_os(self.python)
            .unwrap_or_else(|| panic!("{} is not set: run `cargo xtask test`", self.python));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("static-review");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{}.json", self.app.replace(['.', ':'], "-")));
        let output = Command::new(python)
            .arg(root().join("python/mantlet_inspector/__main__.py"))
            .arg(self.app)
            .arg("--contract")
            .arg(&file)
            .args(["--read-timeout", "0"])
            .env("SECRET_KEY", KEY)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(&self.folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}: {}", self.app, String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    }

    /// What is planted: the subject and the rule.
    fn planted(&self) -> BTreeSet<(String, String)> {
        let text = fs::read_to_string(&self.list).unwrap();
        let planted: BTreeSet<_> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.split_once(" | ").unwrap_or_else(|| panic!("not `SUBJECT | RULE`: {line}")))
            .map(|(subject, rule)| (subject.to_owned(), rule.to_owned()))
            .collect();
        assert!(planted.iter().all(|(_, rule)| rule::by_id(rule).is_some()), "{planted:?}");
        assert!(planted.len() > 10, "{}", self.list.display());
        planted
    }
}

/// Behind the gate, as it is without any configuration.
fn reviewed(contract: &Contract) -> Review {
    let (config, policy) = (Config::default(), Policy::default());
    let gate = Gate { config: &config, policy: &policy, has_certificate: false, keeps_records: true };
    of_app(AppFacts { contract, gate: Some(gate) })
}

fn key(finding: &Finding) -> (String, String) {
    (finding.subject.clone(), finding.rule.id.to_owned())
}

#[derive(Default)]
struct Score {
    planted: usize,
    found: usize,
    right: usize,
}

fn percent(part: usize, whole: usize) -> String {
    (part * 100).checked_div(whole).map_or_else(|| "    –".to_owned(), |percent| format!("{percent:4} %"))
}

#[test]
fn what_is_planted_is_found() {
    let mut scores: BTreeMap<Owasp, Score> = BTreeMap::new();
    let (mut missed, mut besides) = (Vec::new(), Vec::new());
    for subject in careless() {
        let (contract, planted) = (subject.contract(), subject.planted());
        let review = reviewed(&contract);
        assert!(review.operations() > 20, "{}", subject.app);
        let findings = review.findings();
        let found: BTreeSet<_> = findings.iter().copied().map(key).collect();
        for (place, id) in &planted {
            scores.entry(rule::by_id(id).unwrap().owasp).or_default().planted += 1;
            if !found.contains(&(place.clone(), id.clone())) {
                missed.push(format!("{}: {place}: {id}", subject.app));
            }
        }
        // What is only good to know is not counted.
        for finding in findings.into_iter().filter(|finding| finding.level > Level::Info) {
            let score = scores.entry(finding.rule.owasp).or_default();
            score.found += 1;
            if planted.contains(&key(finding)) {
                score.right += 1;
            } else {
                let level = finding.level.name();
                let message = &finding.message;
                besides.push(format!("{}: {}: {level} {message}", subject.app, finding.rule.id));
            }
        }
    }
    println!("{:<10} {:>8} {:>8} {:>10}", "row", "planted", "recall", "precision");
    for (row, score) in &scores {
        let id = row.id();
        let missing = missed.iter().filter(|one| is_of(one, *row)).count();
        let recall = percent(score.planted - missing, score.planted);
        println!("{id:<10} {:>8} {recall:>8} {:>10}", score.planted, percent(score.right, score.found));
    }
    println!("besides:\n  {}", besides.join("\n  "));
    assert!(missed.is_empty(), "{} were not found:\n  {}", missed.len(), missed.join("\n  "));
    assert!(besides.is_empty(), "{} are not planted:\n  {}", besides.len(), besides.join("\n  "));
}

fn is_of(missed: &str, row: Owasp) -> bool {
    missed.rsplit(": ").next().and_then(rule::by_id).is_some_and(|rule| rule.owasp == row)
}

#[test]
fn sound_apps_have_no_finding_that_matters() {
    let mut false_alarms = Vec::new();
    for subject in sound() {
        let contract = subject.contract();
        let review = reviewed(&contract);
        assert!(review.operations() > 9, "{}: {}", subject.app, review.operations());
        let unread = contract_of_unread(&contract);
        assert!(unread.is_empty(), "{}: not understood: {unread:?}", subject.app);
        for finding in review.findings() {
            let line =
                format!("{}: {}: {} {}", subject.app, finding.rule.id, finding.level.name(), finding.message);
            println!("{line}");
            if finding.level >= Level::Medium {
                false_alarms.push(line);
            }
        }
    }
    assert!(false_alarms.is_empty(), "{}", false_alarms.join("\n"));
}

/// Handlers that were not understood as a whole: of these, nothing would be shown.
fn contract_of_unread(contract: &Contract) -> Vec<String> {
    fn walk(router: &Router, found: &mut Vec<String>) {
        for route in &router.routes {
            match route {
                Route::Http { path, operation: Some(operation), .. }
                    if operation.code.as_ref().is_none_or(|code| code.partial) =>
                {
                    found.push(path.clone());
                }
                Route::Mount { router: Some(router), .. } => walk(router, found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(&contract.router, &mut found);
    found
}

/// A weakness is found however it is spelled, and on no other line.
#[test]
fn signs_stand_on_the_lines_that_are_marked() {
    let subject = own("spellings", "spellings:app", IDENTITY);
    let marked = |line: &str| {
        let mark = line.rsplit_once("# ").map(|(_, mark)| SignKind::deserialize(mark.into_deserializer()));
        mark.and_then(Result::<_, serde::de::value::Error>::ok)
    };
    let source = fs::read_to_string(subject.folder.join("spellings.py")).unwrap();
    let planted: BTreeSet<(u32, String)> = (1..)
        .zip(source.lines())
        .filter_map(|(number, line)| Some((number, format!("{:?}", marked(line)?))))
        .collect();
    assert!(planted.len() > 40, "{planted:?}");
    let contract = subject.contract();
    let of_app = contract.app.iter().flat_map(|app| &app.signs);
    let found: BTreeSet<(u32, String)> = of_operations(&contract)
        .iter()
        .flat_map(|operation| operation.code.iter().flat_map(|code| &code.signs))
        .chain(of_app)
        .map(|sign| (sign.line, format!("{:?}", sign.kind)))
        .collect();
    let told = |(number, kind): &(u32, String)| {
        format!("{number}: {kind}: {}", source.lines().nth(*number as usize - 1).unwrap())
    };
    let missed: Vec<_> = planted.difference(&found).map(told).collect();
    let besides: Vec<_> = found.difference(&planted).map(told).collect();
    assert!(missed.is_empty() && besides.is_empty(), "missed:\n{missed:#?}\nbesides:\n{besides:#?}");
}

fn of_operations(contract: &Contract) -> Vec<&Operation> {
    fn walk<'c>(router: &'c Router, found: &mut Vec<&'c Operation>) {
        for route in &router.routes {
            match route {
                Route::Http { operation: Some(operation), .. } => found.push(operation),
                Route::Mount { router: Some(router), .. } => walk(router, found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(&contract.router, &mut found);
    found
}

/// What a text for `mantlet.toml` makes of the configuration.
fn configured(text: &str) -> Config {
    let mut config = Config::default();
    for (section, value) in text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{error}: {text}")) {
        match section.as_str() {
            "authorization" => config.authorization = value.try_into().unwrap(),
            "contract" => config.contract = value.try_into().unwrap(),
            "cookies" => config.cookies = value.try_into().unwrap(),
            "cors" => config.cors = value.try_into().unwrap(),
            "host" => config.host = value.try_into().unwrap(),
            "https" => config.https = value.try_into().unwrap(),
            "route" => config.route = value.try_into().unwrap(),
            "throttle" => config.throttle = value.try_into().unwrap(),
            other => panic!("a section that is not expected: {other}"),
        }
    }
    config
}

#[test]
fn what_closes_a_finding_is_valid_and_closes_it() {
    let mut closed = BTreeSet::new();
    for subject in careless() {
        let contract = subject.contract();
        for finding in reviewed(&contract).findings() {
            let Some(Fix::Configuration { toml }) = &finding.fix else { continue };
            let config = configured(toml);
            let policy = config.check().unwrap_or_else(|mistakes| panic!("{mistakes:?}: {toml}"));
            let gate = Gate { config: &config, policy: &policy, has_certificate: false, keeps_records: true };
            let after = of_app(AppFacts { contract: &contract, gate: Some(gate) });
            let left = after.findings().into_iter().any(|other| key(other) == key(finding));
            assert!(
                !left,
                "{}: {} of {} is not closed by\n{toml}",
                subject.app, finding.rule.id, finding.subject
            );
            closed.insert(finding.rule.id);
        }
    }
    println!("closed by the configuration: {closed:?}");
    assert!(closed.len() > 8, "{closed:?}");
}

#[test]
fn a_review_has_the_same_bytes_each_time() {
    let subject = own("library", "service:app", DEV);
    let texts = [subject.contract(), subject.contract()]
        .map(|contract| serde_json::to_string(&reviewed(&contract).findings()).unwrap());
    assert_eq!(texts[0], texts[1]);
    assert!(!texts[0].contains(root().canonicalize().unwrap().to_str().unwrap()));
}
