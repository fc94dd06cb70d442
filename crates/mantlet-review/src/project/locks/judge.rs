//! What is wrong with a lock.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dependencies, Format, Lock, Locked, Origin, ROWS, poetry_hash};
use crate::{
    finding::{Finding, Place},
    project::{
        Project,
        files::name_of,
        manifest::{Manifest, Need},
        requirement::{self, Requirement},
        text::listed,
    },
    review::Review,
    rule::{Level, project as rules},
};

/// Judges the locks.
pub(in crate::project) fn review(all: &[Dependencies], project: &Project, review: &mut Review) {
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
            // Of several files, each has a part of what is asked for.
            let parts = locks.iter().filter(|other| other.format == lock.format).count();
            let is_whole =
                parts == 1 && (lock.format != Format::Pylock || name_of(&lock.file) == "pylock.toml");
            complete(lock, manifest, is_whole, review);
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

fn complete(lock: &Lock, manifest: &Manifest, is_whole: bool, review: &mut Review) {
    let has = |name: &str| lock.named(name).next().is_some();
    let mut missing = BTreeMap::<&str, String>::new();
    for requirement in due(lock, manifest).filter(|_| is_whole) {
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
