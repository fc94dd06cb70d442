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
    requirement::{self, Requirement},
    text::listed,
};
use crate::{
    finding::{Finding, Place},
    review::{Review, Row},
    rule::{Level, Owasp, Practice, project as rules},
};

mod json;
mod poetry_hash;
mod requirements;
mod tables;

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

/// Judges the locks.
pub(super) fn review(all: &[Dependencies], project: &Project, review: &mut Review) {
    if all.is_empty() {
        for row in ROWS {
            review.unjudged(
                row,
                "there is no `pyproject.toml`, requirements file or `Pipfile`, so no dependencies are known",
            );
        }
        return;
    }
    for dependencies in all {
        let Dependencies { manifest, locks, unpinned } = dependencies;
        if locks.is_empty() {
            no_lock(manifest, unpinned, review);
        }
        for lock in locks {
            for row in ROWS {
                review.looked(row, "locked packages", lock.packages.len());
            }
            if lock.packages.is_empty() && !manifest.requirements.is_empty() {
                review.unjudged(ROWS[0], format!("no package could be read in `{}`", lock.file));
                continue;
            }
            complete(lock, manifest, review);
            hashed(lock, review);
            in_step(lock, manifest, review);
            committed(lock, manifest, project, review);
        }
    }
}

fn no_lock(manifest: &Manifest, unpinned: &[(String, u32, String)], review: &mut Review) {
    if manifest.requirements.is_empty() && unpinned.is_empty() {
        let why = if manifest.is_partial { "is only known when it runs" } else { "is nothing" };
        review.unjudged(ROWS[0], format!("what `{}` asks for {why}", manifest.file));
        return;
    }
    for row in ROWS {
        review.looked(row, "projects with dependencies", 1);
    }
    let mut names: Vec<&str> = unpinned.iter().map(|(name, _, _)| name.as_str()).collect();
    if names.is_empty() {
        names.extend(manifest.requirements.iter().map(|(_, requirement)| requirement.name.as_str()));
    }
    names.sort_unstable();
    names.dedup();
    let place = unpinned.first().map_or_else(
        || Place { file: manifest.file.clone(), line: None },
        |(_, line, file)| Place { file: file.clone(), line: Some(*line) },
    );
    let message = format!(
        "The versions of {} are chosen anew at each installation, because there is no lock file.",
        listed(&names)
    );
    review.found(
        Finding::new(&rules::NO_LOCK_FILE, &manifest.file, message).at(Some(place)).mended_by(
            "Write a lock file, for example with `uv lock`, and install from it, for example with `uv sync --locked`.",
        ),
    );
}

/// Whether a lock has to have what is needed for this.
fn covers(lock: &Lock, need: Need) -> bool {
    match lock.format {
        Format::Uv | Format::Poetry | Format::Pipenv => true,
        Format::Pdm | Format::Pylock | Format::Requirements => need == Need::Production,
    }
}

/// What is asked for and has to be in this lock.
fn due<'a>(lock: &'a Lock, manifest: &'a Manifest) -> impl Iterator<Item = &'a Requirement> {
    manifest
        .requirements
        .iter()
        .filter(move |(need, requirement)| {
            covers(lock, *need) && Some(&requirement.name) != manifest.name.as_ref()
        })
        .map(|(_, requirement)| requirement)
}

fn complete(lock: &Lock, manifest: &Manifest, review: &mut Review) {
    let has = |name: &str| lock.named(name).next().is_some();
    let mut missing = BTreeMap::<&str, String>::new();
    for requirement in due(lock, manifest) {
        if !requirement.conditional && !has(&requirement.name) {
            missing.insert(&requirement.name, format!("`{}` asks for `{}`", manifest.file, requirement.name));
        }
    }
    for package in &lock.packages {
        for (name, conditional) in &package.dependencies {
            if !conditional && !has(name) {
                missing.entry(name).or_insert_with(|| format!("`{}` needs `{name}`", package.name));
            }
        }
    }
    for (name, why) in missing {
        let message =
            format!("{why}, which is not in `{}`. So its version is chosen at installation.", lock.file);
        review.found(
            Finding::new(&rules::LOCK_INCOMPLETE, &lock.file, message)
                .part(name)
                .at(Some(Place { file: lock.file.clone(), line: None }))
                .mended_by(format!("Run `{}` and commit the result.", lock.format.command())),
        );
    }
}

fn hashed(lock: &Lock, review: &mut Review) {
    let bare: Vec<&Locked> = lock
        .packages
        .iter()
        .filter(|package| package.origin == Origin::Index && package.artifacts.is_empty())
        .collect();
    let Some(first) = bare.first() else { return };
    let mut names: Vec<&str> = bare.iter().map(|package| package.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let rule = if lock.format == Format::Requirements && bare.len() == lock.packages.len() {
        &rules::REQUIREMENTS_WITHOUT_HASHES
    } else {
        &rules::LOCK_WITHOUT_HASHES
    };
    let message = format!("`{}` has no digest for {}.", lock.file, listed(&names));
    review.found(
        Finding::new(rule, &lock.file, message)
            .at(Some(lock.line(first.line)))
            .mended_by(format!("Run `{}` and commit the result.", lock.format.command())),
    );
}

fn in_step(lock: &Lock, manifest: &Manifest, review: &mut Review) {
    let mend = format!("Run `{}` and commit the result.", lock.format.command());
    let mut is_behind = false;
    for requirement in due(lock, manifest) {
        let Some(specifiers) =
            requirement.specifiers.as_ref().filter(|_| !manifest.overridden.contains(&requirement.name))
        else {
            continue;
        };
        let locked: Vec<&Locked> =
            lock.named(&requirement.name).filter(|package| package.origin == Origin::Index).collect();
        let verdicts: Option<Vec<bool>> = locked
            .iter()
            .map(|package| requirement::within(specifiers, package.version.as_deref()?))
            .collect();
        if let (Some(first), Some(verdicts)) = (locked.first(), verdicts)
            && !verdicts.contains(&true)
        {
            is_behind = true;
            let version = first.version.as_deref().unwrap_or_default();
            let message = format!(
                "`{}` asks for `{}{specifiers}`, and `{}` has version {version}.",
                manifest.file, requirement.name, lock.file
            );
            review.found(
                Finding::new(&rules::LOCK_OUT_OF_STEP, &lock.file, message)
                    .part(&requirement.name)
                    .at(Some(lock.line(first.line)))
                    .mended_by(&mend),
            );
        }
    }
    if is_behind {
        return;
    }
    // The rest does not say which package is wrong, only that the lock was made for another manifest.
    let changed = match lock.format {
        Format::Uv => changed_since(lock, manifest),
        Format::Poetry => poetry_hash::differs(lock, manifest)
            .then(|| "its digest of the manifest is another one".to_owned()),
        _ => None,
    };
    if let Some(why) = changed {
        let message = format!("`{}` was made for another `{}`: {why}.", lock.file, manifest.file);
        review.found(
            Finding::new(&rules::LOCK_OUT_OF_STEP, &lock.file, message)
                .level(Level::Low)
                .at(Some(Place { file: lock.file.clone(), line: None }))
                .mended_by(mend),
        );
    }
}

/// uv writes down what each project asked for. Only what is for production is compared: groups may include one another.
fn changed_since(lock: &Lock, manifest: &Manifest) -> Option<String> {
    let then = lock.asked.get(manifest.name.as_ref()?)?;
    let mut now = BTreeMap::<&str, Vec<&Requirement>>::new();
    for (need, requirement) in &manifest.requirements {
        if *need != Need::Development && Some(&requirement.name) != manifest.name.as_ref() {
            now.entry(&requirement.name).or_default().push(requirement);
        }
    }
    if manifest.is_partial {
        return None;
    }
    if let Some(gone) =
        then.keys().find(|name| !now.contains_key(name.as_str()) && Some(*name) != manifest.name.as_ref())
    {
        return Some(format!("it was asked for `{gone}`, too"));
    }
    for (name, requirements) in now {
        let [requirement] = requirements.as_slice() else { continue };
        let Some(specifiers) = &requirement.specifiers else { continue };
        match then.get(name) {
            None if !requirement.conditional => return Some(format!("it was not asked for `{name}`")),
            Some(Some(text)) if !manifest.overridden.contains(name) => {
                let written: BTreeSet<String> = specifiers.iter().map(ToString::to_string).collect();
                let asked = Requirement::parse(&format!("{name}{text}"))?.specifiers?;
                if asked.iter().map(ToString::to_string).collect::<BTreeSet<_>>() != written {
                    return Some(format!("it was asked for `{name}{text}`"));
                }
            }
            _ => {}
        }
    }
    None
}

/// A lock that only one developer has locks nothing.
fn committed(lock: &Lock, manifest: &Manifest, project: &Project, review: &mut Review) {
    let Some(tracked) = project.tracked() else { return };
    if tracked.contains(&manifest.file) && !lock.file.starts_with("../") && !tracked.contains(&lock.file) {
        let message = format!(
            "`{}` is in git, and `{}` is not. So others install other versions.",
            manifest.file, lock.file
        );
        review.found(
            Finding::new(&rules::LOCK_NOT_COMMITTED, &lock.file, message)
                .at(Some(Place { file: lock.file.clone(), line: None }))
                .mended_by(format!("Commit `{}`.", lock.file)),
        );
    }
}
