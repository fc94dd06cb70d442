//! The project around an app: its locked dependencies and what is known of them, its images, what is in git,
//! its CI; and a list of what it is made of.
//!
//! [`Project::read`] reads a folder once; [`review`] judges what was read. Nothing in a folder stops a review: a
//! file that is broken is a note, and what cannot be known is said to be not judged.
//!
//! ```no_run
//! use mantlet_review::{
//!     Review,
//!     project::{self, Database, Project},
//! };
//!
//! let database = Database::read("osv".as_ref())?;
//! let project = Project::read(".".as_ref()).with_advisories(database);
//! let mut review = Review::default();
//! project::review(&project, &mut review);
//! # Ok::<(), String>(())
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::review::Review;

mod advisories;
mod ci;
mod committed;
mod docker;
mod environment;
mod files;
mod locks;
mod manifest;
mod requirement;
mod sbom;
mod text;
mod yaml;

pub use advisories::{Affected, Database, Range, Record, Source};
pub use requirement::satisfies;

/// What was read from a project's folder.
pub struct Project {
    /// Texts, by their path below the folder.
    files: BTreeMap<String, String>,
    /// The lock of a workspace in a folder above, and its path from here.
    above: Option<(String, String)>,
    committed: Result<committed::Committed, String>,
    notes: Vec<String>,
    advisories: Option<Box<dyn Source>>,
}

impl Project {
    /// Reads a folder: only what a review needs of it, with bounds, and through no link.
    pub fn read(folder: &Path) -> Self {
        let files = files::read(folder);
        Self {
            above: above(folder),
            files: files.text,
            committed: committed::read(folder),
            notes: files.notes,
            advisories: None,
        }
    }

    /// Where to look for known weaknesses.
    #[must_use]
    pub fn with_advisories(self, source: impl Source + 'static) -> Self {
        Self { advisories: Some(Box::new(source)), ..self }
    }

    /// What git tracks, if that is known.
    fn tracked(&self) -> Option<&BTreeSet<String>> {
        self.committed.as_ref().ok().map(|committed| &committed.tracked)
    }
}

/// The lock of a uv workspace is in its uppermost folder. Nothing beyond the repository is read.
fn above(folder: &Path) -> Option<(String, String)> {
    let folder = std::fs::canonicalize(folder).ok()?;
    if folder.join("uv.lock").exists() || folder.join(".git").exists() {
        return None;
    }
    let mut up = String::new();
    for above in folder.ancestors().skip(1).take(8) {
        up.push_str("../");
        let path = above.join("uv.lock");
        if path.is_file() {
            return Some((format!("{up}uv.lock"), files::text(&path, files::MAX_FILE).ok()?));
        }
        if above.join(".git").exists() {
            break;
        }
    }
    None
}

/// Judges a project.
pub fn review(project: &Project, review: &mut Review) {
    let mut notes = project.notes.clone();
    let dependencies = locks::read(project, &mut notes);
    for note in notes {
        review.note(note);
    }
    locks::review(&dependencies, project, review);
    advisories::review(&dependencies, project.advisories.as_deref(), review);
    docker::review(project, &dependencies, review);
    committed::review(&project.committed, review);
    ci::review(project, &dependencies, review);
}

/// A list of what an app is made of (SBOM), in the format of `CycloneDX` 1.6. The same locks give the same bytes.
pub fn sbom(project: &Project) -> serde_json::Value {
    sbom::sbom(project)
}
