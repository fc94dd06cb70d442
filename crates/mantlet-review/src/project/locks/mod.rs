//! Lock files: whether there is one, and whether it says everything that an installer needs.
//!
//! A lock file is complete if each dependency of the project, and each dependency of those, is in it; hashed if
//! each package from an index has a digest; and in step if its versions are those that the project asks for.
//! What holds on some platforms only is not judged, because a tool may leave it out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    Project,
    files::{folder_of, is_aside, is_requirements, name_of, within},
    manifest::{self, Manifest, Need},
};
use crate::{
    finding::Place,
    review::Row,
    rule::{Owasp, Practice},
};

mod json;
mod judge;
mod poetry_hash;
mod requirements;
mod tables;

pub(super) use judge::review;

/// Rows of the report that are about dependencies.
pub(super) const ROWS: [Row; 2] = [Row::Practice(Practice::Dependencies), Row::Owasp(Owasp::Api8)];

/// The tool that wrote a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    Uv,
    Poetry,
    Pdm,
    Pylock,
    Pipenv,
    Requirements,
}

impl Format {
    /// The command that makes the lock anew.
    const fn command(self) -> &'static str {
        match self {
            Self::Uv => "uv lock",
            Self::Poetry => "poetry lock",
            Self::Pdm => "pdm lock",
            Self::Pylock => "pip lock -o pylock.toml .",
            Self::Pipenv => "pipenv lock",
            Self::Requirements => "pip-compile --generate-hashes",
        }
    }
}

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// An index.
    Index,
    /// A repository or an archive, by its URL.
    Url(String),
    /// A folder: the project itself, or a part of it.
    Folder(String),
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Artifact {
    /// Its URL, if the lock says it.
    pub(super) url: Option<String>,
    /// The algorithm and the digest: `sha256`, `0f…`.
    pub(super) digest: (String, String),
}

/// One package of a lock.
#[derive(Debug, Clone)]
pub(super) struct Locked {
    /// As PEP 503 compares it.
    pub(super) name: String,
    pub(super) version: Option<String>,
    /// Where it stands in the lock, from 1.
    pub(super) line: u32,
    pub(super) origin: Origin,
    pub(super) artifacts: Vec<Artifact>,
    /// What it depends on, and whether on a condition.
    pub(super) dependencies: Vec<(String, bool)>,
    /// The lock says that it is only for development.
    pub(super) for_development: bool,
}

/// A lock.
#[derive(Debug)]
pub(super) struct Lock {
    pub(super) file: String,
    pub(super) format: Format,
    pub(super) packages: Vec<Locked>,
    /// What each project in it asked for when the lock was made, by the project's name.
    pub(super) asked: BTreeMap<String, BTreeMap<String, Option<String>>>,
    /// The digest of the manifest when the lock was made.
    pub(super) content_hash: Option<String>,
    /// The first line that the tool writes, which may name its version.
    pub(super) head: String,
    /// What could not be read.
    pub(super) notes: Vec<String>,
}

impl Lock {
    fn of(file: &str, format: Format) -> Self {
        Self {
            file: file.to_owned(),
            format,
            packages: Vec::new(),
            asked: BTreeMap::new(),
            content_hash: None,
            head: String::new(),
            notes: Vec::new(),
        }
    }

    /// The packages with a name; several if platforms differ.
    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Locked> {
        self.packages.iter().filter(move |package| package.name == name)
    }

    fn line(&self, line: u32) -> Place {
        Place { file: self.file.clone(), line: Some(line) }
    }

    /// The names that run in production: those that the project reaches without its groups for development.
    pub(super) fn in_production(&self, manifest: &Manifest) -> BTreeSet<String> {
        let left: VecDeque<&str> = manifest
            .requirements
            .iter()
            .filter(|(need, _)| *need != Need::Development)
            .map(|(_, requirement)| requirement.name.as_str())
            .collect();
        let development: VecDeque<&str> = manifest
            .requirements
            .iter()
            .filter(|(need, _)| *need == Need::Development)
            .map(|(_, requirement)| requirement.name.as_str())
            .collect();
        let mut edges = BTreeMap::<&str, Vec<&str>>::new();
        for package in &self.packages {
            edges
                .entry(&package.name)
                .or_default()
                .extend(package.dependencies.iter().map(|(name, _)| name.as_str()));
        }
        let (production, development) = (reach(left, &edges), reach(development, &edges));
        // Only what is known to be for development alone is not in production.
        let runs = |package: &&Locked| {
            !package.for_development
                && (production.contains(&package.name) || !development.contains(&package.name))
        };
        self.packages.iter().filter(runs).map(|package| package.name.clone()).collect()
    }
}

/// All names that are reached from some.
fn reach<'a>(mut left: VecDeque<&'a str>, edges: &BTreeMap<&str, Vec<&'a str>>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    while let Some(name) = left.pop_front() {
        if reached.insert(name.to_owned()) {
            left.extend(edges.get(name).into_iter().flatten().copied());
        }
    }
    reached
}

/// What the review knows of the dependencies of one folder.
#[derive(Debug)]
pub(super) struct Dependencies {
    pub(super) manifest: Manifest,
    pub(super) locks: Vec<Lock>,
    /// Requirements that name a version without a digest, or no version: `fastapi`, line 3.
    unpinned: Vec<(String, u32, String)>,
}

/// Reads the manifests of a project and their locks.
pub(super) fn read(project: &Project, notes: &mut Vec<String>) -> Vec<Dependencies> {
    manifest::all(project, notes).into_iter().map(|manifest| of_manifest(project, manifest, notes)).collect()
}

fn of_manifest(project: &Project, mut manifest: Manifest, notes: &mut Vec<String>) -> Dependencies {
    let mut locks = Vec::new();
    for (path, text) in &project.files {
        if folder_of(path) != manifest.folder {
            continue;
        }
        let name = name_of(path);
        let lock = match name {
            "uv.lock" => tables::uv(path, text),
            "poetry.lock" => tables::poetry(path, text),
            "pdm.lock" => tables::pdm(path, text),
            "Pipfile.lock" => json::pipenv(path, text),
            _ if name.starts_with("pylock.") => tables::pylock(path, text),
            _ => continue,
        };
        locks.push(lock);
    }
    // A member of a workspace is locked where the workspace is.
    if locks.is_empty()
        && let Some((path, text)) = &project.above
    {
        let lock = tables::uv(path, text);
        let is_member = |package: &Locked| {
            matches!(package.origin, Origin::Folder(_)) && Some(&package.name) == manifest.name.as_ref()
        };
        if lock.packages.iter().any(is_member) {
            locks.push(lock);
        }
    }
    let mut unpinned = Vec::new();
    if locks.is_empty() {
        let inner = within(&manifest.folder, "requirements");
        let mut asked = Vec::new();
        for (path, text) in &project.files {
            let folder = folder_of(path);
            if !is_requirements(path) || is_aside(path) || (folder != manifest.folder && folder != inner) {
                continue;
            }
            let read = requirements::read(path, text);
            let for_development = manifest::is_for_development(path);
            asked.extend(read.asked.into_iter().map(|requirement| {
                (if for_development { Need::Development } else { Need::Production }, requirement)
            }));
            if for_development {
                continue;
            }
            match read.lock {
                Some(lock) => locks.push(lock),
                None => {
                    unpinned.extend(read.unpinned.into_iter().map(|(name, line)| (name, line, path.clone())));
                }
            }
        }
        if manifest.requirements.is_empty() {
            manifest.requirements = asked;
        }
    }
    for lock in &mut locks {
        notes.append(&mut lock.notes);
    }
    Dependencies { manifest, locks, unpinned }
}
