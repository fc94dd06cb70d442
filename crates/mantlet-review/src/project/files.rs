//! Reads what the review needs of a project's folder.
//!
//! The folder may be anything: nothing in it stops the review, and no link leads out of it. What is too large
//! or too much is passed over with a note.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::environment::is_environment;

/// Folders below the project that are looked into.
const MAX_DEPTH: usize = 6;
/// Entries of folders that are looked at.
const MAX_ENTRIES: usize = 50_000;
/// Bytes of one file. A lock file of a thousand packages has 3 MiB.
pub(super) const MAX_FILE: u64 = 16 << 20;
/// Bytes of all files.
const MAX_ALL: u64 = 128 << 20;

/// Folders that hold what others wrote, or what was built.
const FOREIGN: &[&str] = &[
    "node_modules",
    "site-packages",
    "venv",
    "virtualenv",
    "__pycache__",
    "target",
    "build",
    "dist",
    "vendor",
    "third_party",
];

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// By its path below the folder, with `/`.
    pub(super) text: BTreeMap<String, String>,
    /// What could not be read, and why.
    pub(super) notes: Vec<String>,
}

/// Reads the files of a folder that say something about the supply chain.
pub(super) fn read(folder: &Path) -> Files {
    let mut files = Files::default();
    let mut left = MAX_ALL;
    let mut entries = 0;
    let mut folders = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((folder, below, depth)) = folders.pop() {
        let Ok(read) = fs::read_dir(&folder) else {
            files.notes.push(format!(
                "the folder `{}` could not be read",
                if below.is_empty() { "." } else { &below }
            ));
            continue;
        };
        let mut names: Vec<(String, fs::FileType, PathBuf)> = read
            .filter_map(Result::ok)
            .take(MAX_ENTRIES)
            .filter_map(|entry| {
                Some((entry.file_name().into_string().ok()?, entry.file_type().ok()?, entry.path()))
            })
            .collect();
        names.sort_by(|one, other| one.0.cmp(&other.0));
        for (name, kind, path) in names {
            entries += 1;
            if entries > MAX_ENTRIES {
                files.notes.push(format!(
                    "the folder has more than {MAX_ENTRIES} entries; the rest was not looked at"
                ));
                return files;
            }
            let inner = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            if kind.is_dir() {
                if depth < MAX_DEPTH && is_own(&name, &inner, &path) {
                    folders.push((path, inner, depth + 1));
                }
            } else if kind.is_file() && is_wanted(&name, &inner) {
                match text(&path, MAX_FILE.min(left)) {
                    Ok(text) => {
                        left = left.saturating_sub(text.len() as u64);
                        files.text.insert(inner, text);
                    }
                    Err(why) => files.notes.push(format!("`{inner}` was not read: {why}")),
                }
            }
        }
    }
    files.notes.sort();
    files
}

/// A text of at most so many bytes. What is not UTF-8 in it is replaced.
pub(super) fn text(path: &Path, at_most: u64) -> Result<String, String> {
    let bytes = bytes(path, at_most)?;
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// At most so many bytes of a file.
pub(super) fn bytes(path: &Path, at_most: u64) -> Result<Vec<u8>, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(at_most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > at_most {
        return Err(format!("it has more than {at_most} bytes"));
    }
    Ok(bytes)
}

fn is_own(name: &str, inner: &str, path: &Path) -> bool {
    let hidden = name.starts_with('.')
        && !matches!(inner, ".github" | ".circleci" | ".gitea" | ".forgejo" | ".woodpecker");
    !hidden && !FOREIGN.contains(&name) && !path.join("pyvenv.cfg").exists()
}

fn is_wanted(name: &str, inner: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_yaml = is_yaml(name);
    let ends = |end: &str| lower.ends_with(end);
    matches!(
        name,
        "pyproject.toml"
            | "uv.lock"
            | "poetry.lock"
            | "pdm.lock"
            | "Pipfile"
            | "Pipfile.lock"
            | "setup.py"
            | "setup.cfg"
            | "mantlet.toml"
            | "Jenkinsfile"
            | "Makefile"
            | "makefile"
            | "justfile"
            | "Justfile"
            | "tox.ini"
            | "noxfile.py"
            | "renovate.json"
            | "renovate.json5"
            | ".renovaterc"
            | ".renovaterc.json"
    ) || is_requirements(inner)
        || (lower.starts_with("pylock.") && ends(".toml"))
        || is_dockerfile(name)
        || ends(".dockerignore")
        || is_compose(name)
        || (is_yaml
            && (inner.starts_with(".github/")
                || inner.starts_with(".gitea/workflows/")
                || inner.starts_with(".forgejo/workflows/")))
        || (is_yaml && (inner.starts_with(".circleci/") || inner.starts_with(".woodpecker/")))
        || (inner.starts_with(".github/") && lower.starts_with("renovate.json"))
        || (is_yaml
            && matches!(
                lower.trim_end_matches(".yaml").trim_end_matches(".yml"),
                ".gitlab-ci"
                    | "azure-pipelines"
                    | "bitbucket-pipelines"
                    | ".travis"
                    | ".drone"
                    | ".woodpecker"
                    | ".pre-commit-config"
                    | "taskfile"
            ))
        || (ends(".sh") && inner.matches('/').count() <= 2)
        || is_environment(name)
}

/// Whether a name ends so, in small letters.
pub(super) fn ends(name: &str, end: &str) -> bool {
    name.to_ascii_lowercase().ends_with(end)
}

/// `compose.yaml`, `ci.yml`.
pub(super) fn is_yaml(name: &str) -> bool {
    ends(name, ".yml") || ends(name, ".yaml")
}

/// `requirements.txt`, `requirements-dev.in`, `requirements/base.txt`, `requirements.lock` of Rye.
pub(super) fn is_requirements(inner: &str) -> bool {
    let (folder, name) = inner.rsplit_once('/').unwrap_or(("", inner));
    let is_text = [".txt", ".in", ".lock"].iter().any(|end| name.ends_with(end));
    is_text && (name.contains("requirements") || folder.rsplit('/').next() == Some("requirements"))
}

/// `Dockerfile`, `Dockerfile.prod`, `api.Dockerfile`, `Containerfile`.
pub(super) fn is_dockerfile(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    if lower.ends_with(".dockerignore")
        || [".md", ".j2", ".tmpl", ".template", ".orig", ".bak"].iter().any(|end| lower.ends_with(end))
    {
        return false;
    }
    ["dockerfile", "containerfile"].iter().any(|word| {
        lower == *word || lower.starts_with(&format!("{word}.")) || lower.ends_with(&format!(".{word}"))
    })
}

/// `compose.yaml`, `docker-compose.prod.yml`.
pub(super) fn is_compose(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    is_yaml(name)
        && ["compose.", "docker-compose.", "docker-compose-", "compose-"]
            .iter()
            .any(|start| lower.starts_with(start))
}

/// Whether a path is one of tests, examples or documents: what stands there does not run in production.
pub(super) fn is_aside(inner: &str) -> bool {
    inner.split('/').any(|part| {
        let part = part.to_ascii_lowercase();
        matches!(
            part.as_str(),
            "test"
                | "tests"
                | "testing"
                | "testdata"
                | "test_data"
                | "fixture"
                | "fixtures"
                | "example"
                | "examples"
                | "sample"
                | "samples"
                | "doc"
                | "docs"
                | "demo"
                | "demos"
                | "e2e"
                | "mock"
                | "mocks"
                | "benchmarks"
                | "docs_src"
        ) || part.starts_with("test_")
            || part.starts_with("conftest.")
            || part.contains("_test.")
    })
}

/// A file for work on the app, by its name: `Dockerfile.dev`, `compose.override.yml`.
pub(super) fn is_for_development(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| {
        matches!(
            word,
            "dev"
                | "development"
                | "test"
                | "tests"
                | "testing"
                | "ci"
                | "local"
                | "override"
                | "debug"
                | "example"
        )
    })
}

/// The folder of a path; empty for the project's own.
pub(super) fn folder_of(inner: &str) -> &str {
    inner.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last part of a path.
pub(super) fn name_of(inner: &str) -> &str {
    inner.rsplit_once('/').map_or(inner, |(_, name)| name)
}

/// A name within a folder.
pub(super) fn within(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The lines of a text, to tell a line from a place in bytes.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// From 1.
    pub(super) fn at(&self, byte: usize) -> u32 {
        u32::try_from(self.0.partition_point(|end| *end < byte) + 1).unwrap_or(u32::MAX)
    }
}
