//! The configuration, from its layers to one checked-by-type value.
//!
//! Each layer overrides the former, key by key:
//!
//! 1. the defaults of the configuration type,
//! 2. one file: the one named with `--config`, else `mantlet.toml` in the working folder, else
//!    `[tool.mantlet]` in `pyproject.toml`,
//! 3. environment variables: `MANTLET_LIMITS__HEAD_SIZE` sets `limits.head-size`,
//! 4. flags.
//!
//! Tables are merged, everything else (lists too) is replaced as a whole. All mistakes are found in
//! one go: what is wrong is noted with its origin, taken out, and the rest is judged again.
//!
//! What is needed of the type: `#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]`
//! on its structs, and a default that serialises to what it deserialises from. Without
//! `deny_unknown_fields` a misspelt key is not noticed; under `flatten` and in untagged enums a
//! mistake is located at the table, not at the key.
//!
//! What to mind: the value of a key that looks like a secret is never printed (see [`secret`]).
//! A file that cannot be read or decoded is a mistake, never a reason to go on with the defaults.

mod mistake;
mod origin;

mod environment;
mod file;
mod tree;

mod judge;
mod problem;
mod reader;
mod secret;
mod suggest;
mod wording;

mod show;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use mistake::{Mistake, Mistakes};
pub(crate) use origin::{Origin, Origins};

use tree::Node;

/// Where the configuration comes from. Nothing is read but what is named here.
#[derive(Clone, Debug)]
pub(crate) struct Sources<'a> {
    /// The file given with `--config`. It must exist.
    pub(crate) explicit_file: Option<PathBuf>,
    /// Where `mantlet.toml` and `pyproject.toml` are looked for.
    pub(crate) folder: &'a Path,
    /// All variables; those that do not begin with `MANTLET_` are passed over.
    pub(crate) environment: Vec<(String, String)>,
    /// Names of variables that begin with `MANTLET_` and are no configuration.
    pub(crate) ignored_variables: &'a [&'a str],
    /// What was given on the command line, in order; the last one wins.
    pub(crate) flags: Vec<Flag>,
}

/// A value given on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    key: String,
    name: String,
    value: toml::Value,
}

impl Flag {
    /// `key` is a path such as `limits.head-size`, `name` the flag as typed: `--head-size`.
    pub(crate) fn new(key: &str, name: &str, value: impl Into<toml::Value>) -> Self {
        Self { key: key.to_owned(), name: name.to_owned(), value: value.into() }
    }
}

/// A configuration without mistakes of form; what its values mean is for the caller to check.
#[derive(Clone, Debug)]
pub(crate) struct Loaded<C> {
    /// The effective values.
    pub(crate) config: C,
    /// Where each of them came from; turns a caller's finding into a [`Mistake`].
    pub(crate) origins: Origins,
    /// The file that was read, if there was one.
    pub(crate) file: Option<PathBuf>,
    /// What the user should know although it is no mistake.
    pub(crate) notes: Vec<String>,
}

impl<C: Serialize> Loaded<C> {
    /// The effective values as TOML that can be loaded again, each with where it came from.
    pub(crate) fn show(&self) -> String {
        show::show(&self.config, &self.origins)
    }
}

/// Reads all layers, or says all that is wrong with them.
pub(crate) fn load<C>(sources: &Sources<'_>) -> Result<Loaded<C>, Mistakes>
where
    C: DeserializeOwned + Serialize + Default,
{
    let mut mistakes = Vec::new();
    let mut notes = Vec::new();

    let defaults = Node::of_defaults(&C::default());
    let mut tree = defaults.clone();

    let file = file::find(sources, &mut notes, &mut mistakes).map(|file| {
        tree.merge(file.content);
        file.path
    });
    environment::merge(&mut tree, sources, &mut notes, &mut mistakes);
    for flag in &sources.flags {
        let path: Vec<&str> = flag.key.split('.').collect();
        let value = Node::of_value(&flag.value, &Origin::Flag(flag.name.clone()));
        if let Err(mistake) = tree.place(&path, value) {
            mistakes.push(*mistake);
        }
    }

    match judge::settle(&mut tree, &defaults, &mut mistakes) {
        Some(config) if mistakes.is_empty() => {
            Ok(Loaded { config, origins: Origins::of_tree(&tree), file, notes })
        }
        _ => Err(Mistakes::from(mistakes)),
    }
}
