//! Secrets in git. The repositories are made by git itself.

use std::{path::Path, process::Command};

use base64::Engine as _;
use mantlet_review::{
    review::{Outcome, Row},
    rule::Practice,
};
use tempfile::TempDir;

use crate::kit::{folder, review, same, told, write};

const TOKENS: Row = Row::Practice(Practice::Tokens);

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "init.defaultBranch=main", "-c", "core.autocrlf=false"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository in which all files are tracked.
fn repository(files: &[(&str, &str)]) -> TempDir {
    let folder = folder(files);
    git(folder.path(), &["init", "--quiet"]);
    git(folder.path(), &["add", "--all", "--force"]);
    folder
}

const RULES: &[&str] =
    &["secret-committed", "private-key-committed", "environment-file-committed", "key-store-committed"];

fn secrets(folder: &Path) -> Vec<String> {
    told(&review(folder))
        .into_iter()
        .filter(|line| RULES.iter().any(|rule| line.starts_with(&format!("{rule} "))))
        .collect()
}

fn of(files: &[(&str, &str)]) -> Vec<String> {
    secrets(repository(files).path())
}

/// Put together here, so that no scanner takes this file for a leak.
fn key() -> String {
    let body = base64::engine::general_purpose::STANDARD.encode([&[0x30, 0x2e][..], &[7; 46]].concat());
    format!("{}PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n", "-----BEGIN ")
}

fn token() -> String {
    ["ghp", "_a8Zt3vKx1Lw0Pz7Rb5Yd2Nc9qWe4Rt6Yu8Io"].concat()
}

const RANDOM: &str = "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7";

#[test]
fn environment_files() {
    let random = format!("PORT=8000\nexport JWT_SECRET=\"{RANDOM}\" # a comment\n");
    same(&of(&[(".env", &random)]), &["environment-file-committed high .env .env:2"]);
    same(
        &of(&[("backend/.env.production", "DB_PASSWORD='hunter2'\n")]),
        &["environment-file-committed medium backend/.env.production backend/.env.production:1"],
    );
    same(
        &of(&[("prod.env", "DATABASE_URL=postgresql://app:hunter2@db/app\n")]),
        &["environment-file-committed medium prod.env prod.env:1"],
    );
    for (name, text) in [
        (
            ".env",
            "SECRET_KEY=changethis\nPOSTGRES_PASSWORD=changethis\nPOSTGRES_USER=postgres\nSMTP_PASSWORD=\nFIRST_SUPERUSER=admin@example.com\n",
        ),
        (".env", "# SECRET_KEY=hunter2\nDOMAIN=localhost\nACCESS_TOKEN_EXPIRE_MINUTES=11520\n"),
        (".env", "SECRET_KEY=${SECRET_KEY}\nDB_PASSWORD=op://vault/db/password\nKEY_FILE=/run/secrets/key\n"),
        (
            ".env",
            "DATABASE_URL=postgresql://postgres:postgres@localhost/app\nSENTRY_DSN=https://public@sentry.example/1\n",
        ),
        (".env.example", &random),
        (".env.sample", "SECRET_KEY=hunter2\n"),
        ("environment.py", "SECRET_KEY = 'hunter2'\n"),
    ] {
        same(&of(&[(name, text)]), &[]);
    }
    // What stands in tests, or is for work on the app, is a hint.
    same(
        &of(&[(".env.development", &random)]),
        &["environment-file-committed low .env.development .env.development:2"],
    );
    same(
        &of(&[("tests/data/.env", "SECRET_KEY=hunter2\n")]),
        &["environment-file-committed low tests/data/.env tests/data/.env:1"],
    );
}

#[test]
fn keys_and_tokens() {
    let key = key();
    same(
        &of(&[("certs/server.pem", &key)]),
        &["private-key-committed high certs/server.pem certs/server.pem:1"],
    );
    same(
        &of(&[("app/keys.py", &format!("KEY = \"\"\"{key}\"\"\"\n"))]),
        &["private-key-committed high app/keys.py app/keys.py:1"],
    );
    same(&of(&[("tests/key.pem", &key)]), &["private-key-committed low tests/key.pem tests/key.pem:1"]);
    same(
        &of(&[("certs/server.p12", "binary")]),
        &["key-store-committed low certs/server.p12 certs/server.p12"],
    );
    let text = format!("import os\nTOKEN = \"{}\"\n", token());
    same(
        &of(&[("app/client.py", &text)]),
        &["secret-committed high app/client.py [a token of GitHub] app/client.py:2"],
    );
    same(
        &of(&[("tests/test_client.py", &text)]),
        &["secret-committed low tests/test_client.py [a token of GitHub] tests/test_client.py:2"],
    );
    for (name, text) in [
        ("certs/public.pem", key.replace("PRIVATE", "PUBLIC")),
        ("README.md", format!("Put the key between `{}PRIVATE KEY-----` and the end.\n", "-----BEGIN ")),
        ("app/main.py", "TOKEN = os.environ[\"TOKEN\"]\n".to_owned()),
        ("uv.lock", format!("hash = \"{RANDOM}\"\n")),
    ] {
        same(&of(&[(name, &text)]), &[]);
    }
}

#[test]
fn no_value_is_ever_told() {
    let key = key();
    let folder =
        repository(&[(".env", &format!("SECRET_KEY={RANDOM}\n")), ("a.py", &token()), ("b.pem", &key)]);
    let review = review(folder.path());
    assert_eq!(review.findings().len(), 3);
    let text = format!("{review:?}");
    for value in [RANDOM, &token(), key.lines().nth(1).unwrap()] {
        assert!(!text.contains(&value[..16]), "{text}");
    }
}

#[test]
fn only_what_is_tracked_counts() {
    let folder = repository(&[("main.py", ""), (".gitignore", ".env\n")]);
    write(folder.path(), &[(".env", "SECRET_KEY=hunter2\n")]);
    let found = review(folder.path());
    assert_eq!(told(&found), Vec::<String>::new());
    assert_eq!(found.outcome(TOKENS), Outcome::Passed);
}

#[test]
fn without_git_it_is_not_judged() {
    let folder = folder(&[(".env", "SECRET_KEY=hunter2\n")]);
    let review = review(folder.path());
    assert_eq!(review.outcome(TOKENS), Outcome::NotJudged);
    assert!(
        review.row(TOKENS).unjudged.iter().any(|why| why.contains("not in a git repository")),
        "{:?}",
        review.row(TOKENS)
    );
    git(folder.path(), &["init", "--quiet"]);
    std::fs::write(folder.path().join(".git/index"), "DIRC\0\0\0\u{9}").unwrap();
    let broken = crate::kit::review(folder.path());
    assert_eq!(broken.outcome(TOKENS), Outcome::NotJudged);
    assert!(
        broken.row(TOKENS).unjudged.iter().any(|why| why.contains("form that is not known")),
        "{:?}",
        broken.row(TOKENS)
    );
}

#[test]
fn each_version_of_the_index_is_read() {
    let names: Vec<String> =
        (0..40).map(|at| format!("{}file{}.py", "deep/".repeat(at % 5), "x".repeat(at))).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    files.push(("deep/.env", "SECRET_KEY=hunter2\n"));
    files.push(("ä/ö.env", "SECRET_KEY=hunter2\n"));
    for version in ["2", "3", "4"] {
        let folder = repository(&files);
        // Version 3 is written where an entry needs it.
        git(folder.path(), &["update-index", "--index-version", version]);
        write(folder.path(), &[("later.py", "")]);
        git(folder.path(), &["add", "--intent-to-add", "later.py"]);
        same(
            &secrets(folder.path()),
            &[
                "environment-file-committed medium deep/.env deep/.env:1",
                "environment-file-committed medium ä/ö.env ä/ö.env:1",
            ],
        );
        assert_eq!(
            review(folder.path()).row(TOKENS).at.get("files in git"),
            Some(&(files.len() + 1)),
            "version {version}"
        );
    }
}

#[test]
fn folders_within_a_repository() {
    let folder = repository(&[
        (".env", "SECRET_KEY=hunter2\n"),
        ("backend/.env", "SECRET_KEY=hunter2\n"),
        ("backend2/.env", "SECRET_KEY=hunter2\n"),
    ]);
    same(&secrets(&folder.path().join("backend")), &["environment-file-committed medium .env .env:1"]);
    // A worktree has its index elsewhere.
    git(
        folder.path(),
        &["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "a"],
    );
    let other = tempfile::tempdir().unwrap();
    let path = other.path().join("tree");
    git(folder.path(), &["worktree", "add", "--quiet", path.to_str().unwrap()]);
    assert_eq!(secrets(&path).len(), 3);
}

#[test]
fn a_repository_with_sha_256() {
    let folder = folder(&[("a/.env", "SECRET_KEY=hunter2\n"), ("b.py", "")]);
    git(folder.path(), &["init", "--quiet", "--object-format=sha256"]);
    git(folder.path(), &["add", "--all"]);
    same(&secrets(folder.path()), &["environment-file-committed medium a/.env a/.env:1"]);
}

#[test]
fn a_lock_that_is_not_in_git() {
    let project = "[project]\nname = \"x\"\ndependencies = []\n";
    let lock = "version = 1\n\n[[package]]\nname = \"x\"\nsource = { virtual = \".\" }\n";
    let files = [("pyproject.toml", project), ("uv.lock", lock)];
    let only = |folder: &Path| {
        told(&review(folder)).into_iter().filter(|line| line.starts_with("lock-not")).collect::<Vec<_>>()
    };
    same(&only(repository(&files).path()), &[]);
    let folder = repository(&files);
    git(folder.path(), &["rm", "--quiet", "--cached", "uv.lock"]);
    same(&only(folder.path()), &["lock-not-committed low uv.lock uv.lock"]);
}
