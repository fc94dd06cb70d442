//! Which keys an app's code verifies tokens with, and whether these are known to be all.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    candidates::Launched,
    kit::{app::apps, command::Typed, provided},
};

/// Reads apps in one process: of each line of the input, the folder and the app. Writes which
/// values verify, whether they are all, whether they are the same in each worker, and what the
/// contract says.
const READER: &str = r#"
import importlib, json, os, sys, warnings
warnings.simplefilter("ignore")
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import mantlet_inspector
del sys.path[0]
import fastapi
from pathlib import Path
from mantlet_inspector.candidates import collect

for line in sys.stdin:
    folder, entry = json.loads(line)
    before, path, variables = set(sys.modules), list(sys.path), dict(os.environ)
    os.chdir(folder)
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    module, _, name = entry.partition(":")
    app = getattr(importlib.import_module(module), name, None)
    found, proof = collect.candidates(app, Path(folder), module)
    keys = sorted(one.value.decode() for one in found if one.verifies)
    print(json.dumps([keys, proof.is_complete(), proof.is_the_same_in_workers(), proof.note()]))
    collect.proofs.clear()
    for one in set(sys.modules) - before:
        file = getattr(sys.modules[one], "__file__", None)
        if file is None or file.startswith(folder):
            del sys.modules[one]
    sys.path[:] = path
    os.environ.clear()
    os.environ.update(variables)
"#;

fn read(apps: &[(&Path, &str)]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("apps");
    let lines: Vec<_> = apps.iter().map(|app| json!(app).to_string()).collect();
    fs::write(&input, lines.join("\n")).unwrap();
    let output = Command::new(provided("MANTLET_TEST_IDENTITY"))
        .args(["-c", READER])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python").canonicalize().unwrap())
        .stdin(fs::File::open(&input).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn shapes_of_code_that_verifies_tokens() {
    let text = fs::read_to_string(apps().join("decodes/shapes.txt")).unwrap();
    let shapes: Vec<_> = text.split("\n=== ").skip(1).collect();
    let folders: Vec<_> = shapes
        .iter()
        .map(|shape| {
            let folder = tempfile::tempdir().unwrap();
            for module in shape.split("\n--- ").skip(1) {
                let (name, code) = module.split_once('\n').unwrap();
                let file = folder.path().join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, code).unwrap();
            }
            folder
        })
        .collect();
    let found = read(&folders.iter().map(|folder| (folder.path(), "main:app")).collect::<Vec<_>>());
    let line = |name: &str, keys: &str, whole: &str| format!("{name} | {keys} | {whole}");
    let expected = shapes.iter().map(|shape| {
        let parts: Vec<_> = shape.lines().next().unwrap().split('|').map(str::trim).collect();
        line(parts[0], parts[1], parts[2])
    });
    let found = shapes.iter().zip(&found).map(|(shape, found)| {
        let keys: Vec<_> = found[0].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
        let whole = if found[1] == true { "complete" } else { "incomplete" };
        line(shape.split('|').next().unwrap().trim(), &keys.join(" "), whole)
    });
    let (expected, found): (Vec<_>, Vec<_>) = (expected.collect(), found.collect());
    assert_eq!(found, expected);
    assert!(found.len() > 90, "{}", found.len());
}

const PARTNER: &str = "-----BEGIN PUBLIC KEY-----\nYWJj\n-----END PUBLIC KEY-----\n";

/// An app, the keys that it verifies with, and why these are not known to be all; nothing if they
/// are.
type Row = (&'static str, &'static str, &'static [&'static str], Option<&'static str>);

const NOT_KNOWN: &str =
    "the key of a token is not known: a token that no known key verifies is left to the app";
const NOT_VERIFIED: &str =
    "a token is read without its signature: a token that no known key verifies is left to the app";
const NO_TOKENS: &str = "";

const APPS: [Row; 16] = [
    ("api_key.py", "api_key:app", &[], Some(NO_TOKENS)),
    ("basic.py", "basic:app", &[], Some(NO_TOKENS)),
    (
        "cookie_or_header.py",
        "cookie_or_header:app",
        &["B_HEozdOJwG33WJx5mJubmhu3wdBRbRvgc-APKM30Jd6w8E5"],
        None,
    ),
    ("leeway.py", "leeway:app", &["482913"], None),
    ("opaque.py", "opaque:app", &[], Some(NO_TOKENS)),
    ("optional.py", "optional:app", &["secret"], None),
    ("own_envelope.py", "own_envelope:app", &["super-secret"], None),
    ("query_token.py", "query_token:app", &["between-the-towers-stands-a-gate"], None),
    ("random_key.py", "random_key:app", &["another at each import"], None),
    ("session.py", "session:app", &[], Some(NO_TOKENS)),
    ("settings", "app.main:app", &["b47f6305db0051319073f3a71742ca15cc855907752fc0c6061da295c0b80204"], None),
    (
        "tutorial.py",
        "tutorial:app",
        &["09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"],
        None,
    ),
    ("two_issuers.py", "two_issuers:app", &[PARTNER, "a-portcullis-is-not-a-password-but-it-is-a-key"], None),
    ("two_keys.py", "two_keys:app", &[], Some(NOT_KNOWN)),
    ("unverified.py", "unverified:app", &[], Some(NOT_VERIFIED)),
    ("users", "app.app:app", &["fa95916aae88c378ddeec456bfbd85a3f567f7bcc5c82ab6"], None),
];

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

#[test]
fn apps_with_a_login_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let places = APPS.map(|(name, ..)| {
        let (from, to) =
            (apps().join("identity").join(name), folder.path().join(name.trim_end_matches(".py")));
        fs::create_dir(&to).unwrap();
        copy(&from, &if from.is_dir() { to.clone() } else { to.join(name) });
        fs::write(to.join("partner.pem"), PARTNER).unwrap();
        to
    });
    let input: Vec<_> = places.iter().map(std::path::PathBuf::as_path).zip(APPS.map(|row| row.1)).collect();
    let found = read(&input);
    assert_eq!(found.len(), APPS.len());
    for ((name, _, keys, why), found) in APPS.iter().zip(found) {
        let is_random = *name == "random_key.py";
        if !is_random {
            assert_eq!(found[0], json!(keys), "{name}");
        }
        assert_eq!(found[0].as_array().unwrap().len(), keys.len(), "{name}");
        assert_eq!(found[1], why.is_none(), "{name}: {}", found[3]);
        assert_eq!(found[2], !is_random, "{name}: the same in each worker");
        assert_eq!(found[3]["why"].as_str().unwrap_or(NO_TOKENS), why.unwrap_or(NO_TOKENS), "{name}");
    }
}

#[test]
fn the_gate_learns_which_candidates_verify_tokens() {
    let tutorial = fs::read(apps().join("identity/tutorial.py")).unwrap();
    let launched = Launched::start(&provided("MANTLET_TEST_IDENTITY"), &[("main.py", &tutorial)]);
    let document = launched.document();
    assert_eq!(document["complete"], true);
    let all = document["candidates"].as_array().unwrap();
    let verifying: Vec<_> =
        all.iter().filter(|one| one["verifies"] == true).map(|one| &one["name"]).collect();
    assert_eq!(verifying, ["SECRET_KEY in main"]);
    assert!(all.len() > 20, "{}", all.len());
}

#[test]
fn the_contract_says_where_the_key_of_a_token_is_not_known() {
    let python = provided("MANTLET_TEST_IDENTITY").into_string().unwrap();
    let app = fs::read_to_string(apps().join("identity/two_keys.py")).unwrap();
    let typed = Typed::mantlet(["contract", "main:app", "--python", &python]).file("main.py", &app);
    let contract: Value = serde_json::from_str(&typed.finish().stdout).unwrap();
    let line = 1 + app.lines().position(|line| line.contains("jwt.decode")).unwrap();
    assert_eq!(contract["notes"], json!([{ "at": format!("main.py:{line}"), "why": NOT_KNOWN }]));
}
