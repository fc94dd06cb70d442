//! The configuration, from its layers to one checked-by-type value.
//!
//! Each layer overrides the former, key by key:
//!
//! 1. the defaults of the configuration type,
//! 2. variables of other programs that mean the same, such as uvicorn's own,
//! 3. one file: the one named with `--config`, else `mantlet.toml` in the working folder, else
//!    `[tool.mantlet]` in `pyproject.toml`,
//! 4. environment variables: `MANTLET_LIMITS__HEAD_SIZE` sets `limits.head-size`,
//! 5. flags.
//!
//! Tables are merged, everything else (lists too) is replaced as a whole. All mistakes are found in
//! one go: what is wrong is noted with its origin, replaced by what was most likely meant or taken
//! out, and the rest is judged again.
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
    /// What variables of other programs say.
    pub(crate) adopted: Vec<Adopted>,
    /// What was given on the command line, in order; the last one wins.
    pub(crate) flags: Vec<Flag>,
}

/// A value from a variable that another program reads too.
#[derive(Clone, Debug)]
pub(crate) struct Adopted {
    variable: String,
    key: String,
    value: toml::Value,
}

impl Adopted {
    /// `key` is a path such as `app.workers`.
    pub(crate) fn new(variable: &str, key: &str, value: impl Into<toml::Value>) -> Self {
        Self { variable: variable.to_owned(), key: key.to_owned(), value: value.into() }
    }

    #[cfg(test)]
    pub(crate) fn variable(&self) -> &str {
        &self.variable
    }

    #[cfg(test)]
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    #[cfg(test)]
    pub(crate) const fn value(&self) -> &toml::Value {
        &self.value
    }
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
    /// Variables that are settings of ours: no other program has a use for them.
    pub(crate) own_variables: Vec<String>,
    /// Variables that values name, as in `env:NAME`.
    pub(crate) referenced: Vec<String>,
}

impl<C: Serialize> Loaded<C> {
    /// The effective values as TOML that can be loaded again, each with where it came from.
    pub(crate) fn show(&self) -> String {
        show::show(&self.config, &self.origins)
    }
}

/// Reads all layers, or says all that is wrong with their form.
pub(crate) fn load<C>(sources: &Sources<'_>) -> Result<Loaded<C>, Mistakes>
where
    C: DeserializeOwned + Serialize + Default,
{
    match read(sources) {
        (Some(loaded), mistakes) if mistakes.is_empty() => Ok(loaded),
        (_, mistakes) => Err(Mistakes::from(mistakes)),
    }
}

/// Reads all layers. Besides mistakes there is a configuration without what they concern, so that
/// the rest of it can be judged too.
pub(crate) fn read<C>(sources: &Sources<'_>) -> (Option<Loaded<C>>, Vec<Mistake>)
where
    C: DeserializeOwned + Serialize + Default,
{
    let mut mistakes = Vec::new();
    let mut notes = Vec::new();

    let defaults = Node::of_defaults(&C::default());
    let mut tree = defaults.clone();
    let place = |tree: &mut Node, key: &str, value: &toml::Value, origin: Origin| {
        let path: Vec<&str> = key.split('.').collect();
        tree.place(&path, Node::of_value(value, &origin)).err()
    };

    for adopted in &sources.adopted {
        let origin = Origin::Environment(adopted.variable.clone());
        // Laid over defaults alone, where all of them have their place.
        place(&mut tree, &adopted.key, &adopted.value, origin);
    }
    let file = file::find(sources, &mut notes, &mut mistakes).map(|file| {
        tree.merge(file.content);
        file.path
    });
    let known = (&defaults, judge::known_keys::<C>());
    let own_variables = environment::merge(&mut tree, known, sources, &mut notes, &mut mistakes);
    for flag in &sources.flags {
        let origin = Origin::Flag(flag.name.clone());
        mistakes.extend(place(&mut tree, &flag.key, &flag.value, origin).map(|mistake| *mistake));
    }

    let config = judge::settle(&mut tree, &defaults, &mut mistakes);
    let loaded = config.map(|config| Loaded {
        config,
        origins: Origins::of_tree(&tree),
        file,
        notes,
        own_variables,
        referenced: environment::references(&tree),
    });
    (loaded, mistakes)
}
