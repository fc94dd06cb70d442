//! The port where metrics are served.

use mantlet_gateway::scrape::Scrapes;

use crate::{
    config::Config,
    say::{Failure, say},
};

/// Listens, if that is wanted.
pub(super) fn open(config: &Config) -> Result<Option<Scrapes>, Failure> {
    // Checked when it was read.
    let Some(asked) = config.metrics.address().ok().flatten() else { return Ok(None) };
    let opened = Scrapes::open(asked).and_then(|scrapes| scrapes.address().map(|address| (scrapes, address)));
    let (scrapes, address) = opened.map_err(|error| {
        Failure::new(format!(
            "cannot serve metrics at {asked}: {error}\nset another address with `listen` under `[metrics]`, or `off`"
        ))
    })?;
    say(format!("metrics are at http://{address}/metrics"));
    if config.metrics.is_exposed(address) {
        say(format!(
            "note: clients may be able to read the metrics at {address}; listen on `127.0.0.1` or a private address, or set `public = true` under `[metrics]` if a firewall is before it"
        ));
    }
    Ok(Some(scrapes))
}
