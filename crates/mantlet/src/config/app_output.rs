//! `[app.output]`: what is taken out of what the app prints.

use std::collections::BTreeMap;

use mantlet_controls::config::Mistake;
use mantlet_scrub::{Error, Further, Rules};
use serde::{Deserialize, Serialize};

/// `[app.output]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Where secrets are taken out: `always`, `logs` (not where our output is a terminal) or `off`. Default `always`.
    pub(crate) scrub: Scrub,
    /// Variables of `[app.env]` that come from a reference and are not secret. Default none.
    pub(crate) not_secret: Vec<String>,
    /// Whether numbers of payment cards are taken out, too. Default no.
    pub(crate) cards: bool,
    /// Regular expressions of what is taken out, too, with the names that are shown instead. Default none.
    pub(crate) patterns: BTreeMap<String, String>,
}

/// Where secrets are taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scrub {
    #[default]
    Always,
    Logs,
    Off,
}

impl Config {
    /// What is looked for a line at a time.
    pub(crate) fn further(&self) -> Further<'_> {
        let patterns = self.patterns.iter().map(|(name, pattern)| (name.as_str(), pattern.as_str()));
        Further { cards: self.cards, patterns: patterns.collect() }
    }

    pub(super) fn check(&self, variables: &BTreeMap<String, String>) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (index, name) in
            self.not_secret.iter().enumerate().filter(|(_, name)| !variables.contains_key(*name))
        {
            let key = format!("app.output.not-secret[{index}]");
            mistakes.push(Mistake::new(
                key,
                format!("`{}` is not a variable of `[app.env]`", name.escape_debug()),
            ));
        }
        for (name, pattern) in &self.patterns {
            let one = Further { cards: false, patterns: vec![(name, pattern)] };
            if let Err(Error::Pattern { why, .. }) = Rules::new(&[], one) {
                mistakes.push(
                    Mistake::new(format!("app.output.patterns.{name}"), why)
                        .help("write a regular expression as <https://docs.rs/regex> has them"),
                );
            }
        }
        mistakes
    }
}
