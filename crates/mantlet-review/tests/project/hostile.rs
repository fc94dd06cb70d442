//! Folders that nobody would make by accident: a review says what it can, and ends.

use std::{fs, path::Path};

use mantlet_review::project::{Project, sbom};

use crate::kit::{folder, judge, told};

fn survives(folder: &Path) -> Vec<String> {
    let project = Project::read(folder);
    let _ = sbom(&project);
    let review = judge(&project);
    let again = judge(&Project::read(folder));
    assert_eq!(told(&review), told(&again));
    assert_eq!(review.notes(), again.notes());
    review.notes().to_vec()
}

#[test]
fn broken_files_are_notes() {
    let folder = folder(&[
        ("pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"fastapi\"]\n"),
        (
            "uv.lock",
            "version = 1\n[[package]]\nname = \"fastapi\"\nversion = \n[[package]]\nversion = \"1\"\n",
        ),
        ("backend/pyproject.toml", "[project\n"),
        ("compose.yaml", "services: [\n"),
        (
            "a/compose.yaml",
            "services:\n  a: 1\n  b: [x]\n  c:\n    environment: 3\n    ports: {}\n    build: []\n",
        ),
        (
            "Dockerfile",
            "FROM\n\\\nRUN <<\nCOPY\nENV\nARG =\nHEALTHCHECK\nUSER\nFROM x AS\nCOPY --from= a\nENV A=\"\\\n",
        ),
        ("b/Dockerfile", "not a Dockerfile at all\u{0}\n"),
        (".github/workflows/a.yml", "uses:\n- uses: @\n- uses: a@\n"),
        ("requirements.txt", "==1\n[x]\n-e .\nname @\nname[\n\\\n"),
    ]);
    fs::write(folder.path().join("Pipfile.lock"), [0xff, 0xfe, 0x00]).unwrap();
    let notes = survives(folder.path()).join("\n");
    for file in ["uv.lock", "backend/pyproject.toml", "compose.yaml", "Pipfile.lock"] {
        assert!(notes.contains(&format!("`{file}`")), "{file}: {notes}");
    }
}

#[test]
fn values_of_other_types() {
    let lock = |text: &str| {
        let folder = folder(&[
            (
                "pyproject.toml",
                "[project]\nname = 1\ndependencies = {a = 1}\noptional-dependencies = 3\n[dependency-groups]\ndev = 1\n[tool]\npoetry = 3\nuv = []\n",
            ),
            ("uv.lock", text),
            ("poetry.lock", text),
            ("pdm.lock", text),
            ("pylock.toml", &text.replace("package", "packages")),
        ]);
        survives(folder.path());
    };
    lock("package = 1\nmetadata = 2\n");
    lock(
        "package = [1, \"a\", {name = 1}, {name = \"a\", version = 1, source = 3, files = {}, dependencies = 4, sdist = [], wheels = [1], metadata = 3, groups = 4}]\n",
    );
    lock(
        "[[package]]\nname = \"a\"\ndependencies = [1, {name = 2}]\n[package.metadata]\nrequires-dist = [1, {name = 1}]\n[metadata]\nfiles = {a = 1}\ncontent-hash = 5\n",
    );
}

#[test]
fn long_and_deep() {
    let deep = format!("[project]\ndependencies = {}{}\n", "[".repeat(20_000), "]".repeat(20_000));
    let yaml = format!("services: {}\n", "{a: ".repeat(20_000));
    let bomb = (0..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, at| {
        format!("{text}a{}: &a{} [*a{at}, *a{at}, *a{at}]\n", at + 1, at + 1)
    });
    let stars = format!("FROM python\nCOPY {} .\n", "*".repeat(5_000));
    let ignore = format!("{}x\n{}x\n", "**/".repeat(2_000), "*a".repeat(2_000));
    let names = format!("SECRET_KEY={}\n", "a1".repeat(500_000));
    let folder = folder(&[
        ("pyproject.toml", &deep),
        ("compose.yaml", &yaml),
        ("docker-compose.yml", &bomb),
        ("Dockerfile", &stars),
        (".dockerignore", &ignore),
        (".env", &names),
        (".github/workflows/a.yml", &"- uses: a@b\n".repeat(5_000)),
    ]);
    let notes = survives(folder.path()).join("\n");
    assert!(notes.contains("pyproject.toml") && notes.contains("compose.yaml"), "{notes}");
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let outside = folder(&[("Dockerfile", "FROM python\n"), (".env", "SECRET_KEY=hunter2\n")]);
    let folder = folder(&[("main.py", "")]);
    std::os::unix::fs::symlink(outside.path(), folder.path().join("linked")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("Dockerfile"), folder.path().join("Dockerfile")).unwrap();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("round")).unwrap();
    survives(folder.path());
    assert_eq!(told(&judge(&Project::read(folder.path()))), Vec::<String>::new());
}

#[test]
fn a_folder_that_is_none() {
    let notes = survives(Path::new("/does/not/exist"));
    assert_eq!(notes, ["the folder `.` could not be read"]);
}
