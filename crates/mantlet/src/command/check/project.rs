//! The folder of the project, for reports that are read where its repository is.

use std::path::{Path, PathBuf};

use mantlet_review::formats::Repository;

use crate::{config::Config, settings::Loaded};

/// Files that stand in for findings that are about none, the first that exists.
const OTHERWISE: [&str; 4] = ["mantlet.toml", "pyproject.toml", "requirements.txt", "main.py"];

/// The folder in which `mantlet check` was called.
pub(super) struct Project {
    folder: PathBuf,
    otherwise: String,
}

impl Project {
    pub(super) fn of(loaded: &Loaded<Config>) -> Self {
        let folder = std::env::current_dir().and_then(|folder| folder.canonicalize()).unwrap_or_default();
        let configuration = loaded.file.as_ref().and_then(|file| below(&folder, file));
        let otherwise = configuration
            .or_else(|| OTHERWISE.into_iter().find(|name| folder.join(name).is_file()).map(ToOwned::to_owned))
            .unwrap_or_else(|| "mantlet.toml".to_owned());
        Self { folder, otherwise }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it stands in its repository: below the nearest folder with `.git`.
    pub(super) fn repository(&self) -> Repository {
        let root = self.folder.ancestors().find(|folder| folder.join(".git").exists());
        let below = root.and_then(|root| below(root, &self.folder)).filter(|below| !below.is_empty());
        Repository {
            below: below.map(|below| below + "/").unwrap_or_default(),
            otherwise: self.otherwise.clone(),
        }
    }
}

/// A path below a folder, with `/`; none if it is not below.
pub(super) fn below(folder: &Path, path: &Path) -> Option<String> {
    let path = folder.join(path).canonicalize().ok()?;
    let parts = path.strip_prefix(folder).ok()?.iter().map(|part| part.to_string_lossy());
    Some(parts.collect::<Vec<_>>().join("/"))
}
