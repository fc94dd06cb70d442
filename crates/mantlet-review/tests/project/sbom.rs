//! The list of what an app is made of, held against the official schema.

use std::process::Command;

use mantlet_review::project::{Project, sbom};
use serde_json::Value;

use crate::kit::{copy, fixture, folder, python};

const LOCKS: &[&str] =
    &["locks/uv", "locks/poetry", "locks/pdm", "locks/pylock", "locks/pip-tools", "locks/pipenv"];

#[test]
fn it_is_valid_by_the_schema() {
    let mut paths = Vec::new();
    let written = tempfile::tempdir().unwrap();
    let projects = LOCKS.iter().map(|fixture| copy(fixture, |_, text| Some(text)));
    // A project with nothing in it, and one with a package from a repository.
    let odd = "[[package]]\nname = \"tool\"\nversion = \"1!1.0+local\"\nsource = { git = \"https://git.example/tool?rev=1#00\" }\n";
    let others = [
        folder(&[]),
        folder(&[
            ("pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"tool\"]\n"),
            ("uv.lock", odd),
        ]),
    ];
    for (at, project) in projects.chain(others).enumerate() {
        let path = written.path().join(format!("{at}.json"));
        std::fs::write(&path, sbom(&Project::read(project.path())).to_string()).unwrap();
        paths.push(path);
    }
    let output = Command::new(python()).arg(fixture("cyclonedx/validate.py")).args(&paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), format!("{} valid", paths.len()));
}

#[test]
fn it_says_what_the_lock_says() {
    let project = copy("locks/uv", |_, text| Some(text));
    let bom = sbom(&Project::read(project.path()));
    assert_eq!(bom["specVersion"], "1.6");
    assert_eq!(bom["metadata"]["component"]["name"], "notes");
    assert_eq!(bom["metadata"]["component"]["version"], "1.4.0");
    let components = bom["components"].as_array().unwrap();
    let starlette = components.iter().find(|one| one["name"] == "starlette").unwrap();
    assert_eq!(starlette["purl"], "pkg:pypi/starlette@0.52.1");
    let files = starlette["externalReferences"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    assert_eq!(files[0]["hashes"][0]["alg"], "SHA-256");
    // The project itself is not one of its parts.
    assert!(!components.iter().any(|one| one["name"] == "notes"));
    let depends = |on: &str| -> Vec<String> {
        let all = bom["dependencies"].as_array().unwrap();
        let one = all.iter().find(|one| one["ref"] == on).unwrap();
        one["dependsOn"]
            .as_array()
            .unwrap()
            .iter()
            .map(|to| to.as_str().unwrap().split('@').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(depends("pkg:pypi/starlette@0.52.1"), ["pkg:pypi/anyio", "pkg:pypi/typing-extensions"]);
    assert!(depends("app").contains(&"pkg:pypi/starlette".to_owned()));
    // From Poetry, whose lock has digests and no addresses.
    let project = copy("locks/poetry", |_, text| Some(text));
    let bom = sbom(&Project::read(project.path()));
    let starlette =
        bom["components"].as_array().unwrap().iter().find(|one| one["name"] == "starlette").unwrap().clone();
    assert_eq!(starlette["hashes"].as_array().unwrap().len(), 2);
}

#[test]
fn the_same_lock_gives_the_same_bytes() {
    let of = |fixture: &str, change: bool| -> Value {
        let project =
            copy(fixture, |_, text| Some(if change { text.replace("0.52.1", "0.52.2") } else { text }));
        sbom(&Project::read(project.path()))
    };
    for fixture in LOCKS {
        assert_eq!(of(fixture, false).to_string(), of(fixture, false).to_string());
        assert_ne!(of(fixture, false)["serialNumber"], of(fixture, true)["serialNumber"]);
    }
}
