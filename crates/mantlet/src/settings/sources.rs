//! The layers, as a caller names them.

use std::path::{Path, PathBuf};

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
    pub(super) variable: String,
    pub(super) key: String,
    pub(super) value: toml::Value,
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
    pub(super) key: String,
    pub(super) name: String,
    pub(super) value: toml::Value,
}

impl Flag {
    /// `key` is a path such as `limits.head-size`, `name` the flag as typed: `--head-size`.
    pub(crate) fn new(key: &str, name: &str, value: impl Into<toml::Value>) -> Self {
        Self { key: key.to_owned(), name: name.to_owned(), value: value.into() }
    }
}
