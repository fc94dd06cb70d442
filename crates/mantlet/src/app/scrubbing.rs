//! What is taken out of what the app prints: the secrets that the configuration names, and what has the form of one.

use std::sync::{Mutex, PoisonError};

use mantlet_controls::config::Secret;
use mantlet_gateway::{output::Scrubbing, supervisor::Output};
use mantlet_scrub::{Known, Rules, Unfit, fitness};

use crate::{
    config::{Config, Scrub, places},
    say::Failure,
};

/// A key of the configuration, and the secret that is there.
type Named = (String, Secret<Vec<u8>>);

/// What is taken out now, and what was known before: the app has it still.
#[derive(Debug)]
pub(crate) struct AppScrubbing {
    scrubbing: Scrubbing,
    known: Mutex<Vec<Named>>,
}

impl AppScrubbing {
    /// None where it is switched off. The app has `more` than what the configuration names.
    pub(crate) fn of(config: &Config, more: Vec<Named>) -> Result<Option<Self>, Failure> {
        let spares_terminals = match config.app.output.scrub {
            Scrub::Always => false,
            Scrub::Logs => true,
            Scrub::Off => return Ok(None),
        };
        let mut known = named(config);
        known.extend(more);
        let rules = rules(config, &known).map_err(Failure::usage)?;
        Ok(Some(Self { scrubbing: Scrubbing::new(rules, spares_terminals), known: Mutex::new(known) }))
    }

    pub(crate) const fn scrubbing(&self) -> &Scrubbing {
        &self.scrubbing
    }

    /// A text of the app in a message of ours, with or without this.
    pub(crate) fn text(this: Option<&Self>, text: String) -> String {
        match this {
            Some(this) => this.scrubbing.text(&text),
            None => text,
        }
    }

    /// Where the app writes to, with or without this.
    pub(crate) fn output(this: Option<&Self>) -> Output {
        this.map_or(Output::Ours, |this| Output::Scrubbed(this.scrubbing.clone()))
    }

    /// Takes over what has changed. What was known is known still.
    pub(crate) fn renew(&self, config: &Config) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, secret) in named(config) {
            if !known.iter().any(|(name, old)| *name == key && old.expose() == secret.expose()) {
                known.push((key, secret));
            }
        }
        // The configuration was checked; with too many secrets the old rules stay.
        if let Ok(rules) = rules(config, &known) {
            self.scrubbing.renew(rules);
        }
    }

    /// Keys whose secrets are not taken out, because ordinary text has them.
    pub(crate) fn unfit(&self) -> Vec<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unfit = |secret: &[u8]| matches!(fitness(secret), Err(Unfit::Short | Unfit::Word));
        known.iter().filter(|(_, secret)| is_unfit(secret.expose())).map(|(key, _)| key.clone()).collect()
    }
}

/// The secrets that the configuration names. One that cannot be read is told by those who need it.
fn named(config: &Config) -> Vec<Named> {
    let open: Vec<_> = config.app.output.not_secret.iter().map(|name| format!("app.env.{name}")).collect();
    places(config)
        .into_iter()
        .filter(|(key, ..)| !open.contains(key) && !key.starts_with("app.output."))
        .filter_map(|(key, _, reference)| Some((key, reference.read().ok()?.into())))
        .collect()
}

fn rules(config: &Config, known: &[Named]) -> Result<Rules, String> {
    let known: Vec<_> = known.iter().map(|(name, secret)| Known { name, value: secret.expose() }).collect();
    Rules::new(&known, config.app.output.further()).map_err(|error| error.to_string())
}
