//! What stands on the command line after the command. Few flags, so no library.

use std::{collections::VecDeque, fmt::Display, str::FromStr};

use anyhow::{Context, Result, anyhow, bail};

/// Arguments that are taken out one by one; what is left at the end is a mistake.
pub(crate) struct Flags(VecDeque<String>);

impl Flags {
    pub(crate) fn new(arguments: Vec<String>) -> Self {
        Self(arguments.into())
    }

    /// Whether the flag `name` was given.
    pub(crate) fn has(&mut self, name: &str) -> bool {
        let found = self.0.iter().position(|argument| argument == name);
        found.and_then(|at| self.0.remove(at)).is_some()
    }

    /// The value of `name`, written `--name VALUE` or `--name=VALUE`.
    pub(crate) fn value<T>(&mut self, name: &str) -> Result<Option<T>>
    where
        T: FromStr<Err: Display>,
    {
        let joined = format!("{name}=");
        let is_it = |argument: &String| argument == name || argument.starts_with(&joined);
        let Some(at) = self.0.iter().position(is_it) else { return Ok(None) };
        let argument = self.0.remove(at).unwrap_or_default();
        let text = match argument.strip_prefix(&joined) {
            Some(text) => text.to_owned(),
            None => self.0.remove(at).with_context(|| format!("`{name}` needs a value"))?,
        };
        text.parse().map(Some).map_err(|error| anyhow!("`{name} {text}`: {error}"))
    }

    /// All that has not been taken.
    pub(crate) fn rest(self) -> Vec<String> {
        self.0.into()
    }

    /// Refuses what has not been taken.
    pub(crate) fn end(self) -> Result<()> {
        match self.0.front() {
            Some(unknown) => bail!("`{unknown}` is not known here; `--help` says what is"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> Flags {
        Flags::new(text.split_whitespace().map(ToOwned::to_owned).collect())
    }

    #[test]
    fn flags_are_taken_wherever_they_stand() {
        let mut given = flags("wire --rounds 3 --release --seconds=2 path");
        assert_eq!(given.value::<usize>("--rounds").unwrap(), Some(3));
        assert_eq!(given.value::<u64>("--seconds").unwrap(), Some(2));
        assert_eq!(given.value::<String>("--only").unwrap(), None);
        assert!(given.has("--release"));
        assert!(!given.has("--release"));
        assert_eq!(given.rest(), ["wire", "path"]);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |error: anyhow::Error| error.to_string();
        assert_eq!(
            message(flags("--rounds").value::<u8>("--rounds").unwrap_err()),
            "`--rounds` needs a value"
        );
        assert!(
            message(flags("--rounds x").value::<u8>("--rounds").unwrap_err()).starts_with("`--rounds x`: ")
        );
        assert!(message(flags("--fast").end().unwrap_err()).starts_with("`--fast` is not known"));
    }
}
