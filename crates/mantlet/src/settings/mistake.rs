//! What is wrong, where, and what to write instead.

use std::fmt;

use super::origin::Origin;

/// A mistake in the configuration, and the place where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    /// The key, as in `limits.head-size` or `route[1].path`; empty if it is about a whole source.
    pub(crate) key: String,
    /// Where the key was set, if that is known.
    pub(crate) origin: Option<Origin>,
    /// What is wrong with it.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: Option<String>,
}

impl Located {
    /// A mistake about a source as a whole, such as a file that cannot be read.
    pub(super) fn about_source(message: String) -> Self {
        Self { key: String::new(), origin: None, message, help: None }
    }

    pub(super) fn with_help(mut self, help: &str) -> Self {
        self.help = Some(help.to_owned());
        self
    }
}

/// `mantlet.toml:7: headers.mod: unknown key …`, the help indented on the line below.
impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            None | Some(Origin::Default) => {}
            Some(origin) => write!(f, "{origin}: ")?,
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  {help}")?;
        }
        Ok(())
    }
}

/// All that is wrong in the configuration, in the order in which a reader meets it: first what
/// is about no place in particular, then the file line by line, then the environment and flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mistakes(Vec<Located>);

impl Mistakes {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Each of them, in order.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Located> {
        self.0.iter()
    }
}

impl From<Vec<Located>> for Mistakes {
    fn from(mut mistakes: Vec<Located>) -> Self {
        mistakes.sort_by(|one, other| one.origin.cmp(&other.origin));
        Self(mistakes)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
