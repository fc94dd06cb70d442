//! A project in a folder of its own, and what a review of it says.

use std::{fs, path::Path};

use mantlet_review::{
    Finding, Level, Review,
    project::{self, Project},
};
use tempfile::TempDir;

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    folder
}

pub(crate) fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// A folder beside the tests.
pub(crate) fn fixture(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/project").join(path)
}

pub(crate) fn review(folder: &Path) -> Review {
    judge(&Project::read(folder))
}

pub(crate) fn judge(project: &Project) -> Review {
    let mut review = Review::default();
    project::review(project, &mut review);
    review
}

/// `rule level subject part file:line` for each finding.
pub(crate) fn told(review: &Review) -> Vec<String> {
    review.findings().into_iter().map(line).collect()
}

fn line(finding: &Finding) -> String {
    let place = finding.place.as_ref().map_or(String::new(), |place| match place.line {
        Some(line) => format!("{}:{line}", place.file),
        None => place.file.clone(),
    });
    let part = if finding.part.is_empty() { String::new() } else { format!(" [{}]", finding.part) };
    format!("{} {} {}{part} {place}", finding.rule.id, finding.level.name(), finding.subject)
}

/// The findings of some files, with these rules alone.
pub(crate) fn found(files: &[(&str, &str)], rules: &[&str]) -> Vec<String> {
    let folder = folder(files);
    told(&review(folder.path()))
        .into_iter()
        .filter(|line| rules.iter().any(|rule| line.split(' ').next() == Some(rule)))
        .collect()
}

/// Holds what was found against what is expected, in any order.
#[track_caller]
pub(crate) fn same(found: &[String], expected: &[&str]) {
    let (mut found, mut expected) = (found.to_vec(), expected.to_vec());
    found.sort();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[track_caller]
pub(crate) fn nothing_at_medium(review: &Review) {
    let bad: Vec<String> =
        review.findings().into_iter().filter(|one| one.level >= Level::Medium).map(line).collect();
    assert_eq!(bad, Vec::<String>::new());
}

/// The interpreter with `packaging` and `jsonschema`.
pub(crate) fn python() -> std::ffi::OsString {
    std::env::var_os("MANTLET_TEST_PACKAGES")
        .unwrap_or_else(|| panic!("MANTLET_TEST_PACKAGES is not set: run `cargo xtask test`"))
}

/// A copy of the files of a fixture, in a folder that is in no repository. `change` may change a text.
pub(crate) fn copy(path: &str, change: impl Fn(&str, String) -> Option<String>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for entry in fs::read_dir(fixture(path)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        if let Some(changed) = change(&name, text) {
            fs::write(folder.path().join(&name), changed).unwrap();
            count += 1;
        }
    }
    assert!(count > 0, "{path} has no files");
    folder
}
