//! Opens the database.

use std::path::Path;

use jiff::Timestamp;
use mantlet_accounts::{
    Accounts, Fault,
    passwords::{Cost, Passwords},
    provider_sessions::ProviderSessions,
};

use crate::config::AccountsConfig;

/// Why the accounts cannot be used.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// That may change by itself: a server does not answer.
    Away(String),
    /// It does not.
    Broken(String),
}

impl Trouble {
    /// What is said of it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Away(why) | Self::Broken(why) => format!("the accounts cannot be opened: {why}"),
        }
    }
}

/// Opens the accounts of a configuration.
pub(crate) async fn open(config: &AccountsConfig, folder: &Path) -> Result<Accounts, Trouble> {
    let database = config.open_database(folder).map_err(Trouble::Broken)?;
    let keys = config.sealing_keys(folder).map_err(Trouble::Broken)?;
    let lists = config.blocklists().map_err(Trouble::Broken)?;
    let passwords = Passwords::start(Cost::default(), config.passwords(), lists);
    let passwords = passwords.map_err(|fault| Trouble::Broken(fault.to_string()))?;
    let opened = Accounts::open(&database, keys, passwords, config.settings(), Timestamp::now()).await;
    opened.map_err(|fault| trouble(config, &fault))
}

/// Opens the sessions of providers, where there are no accounts.
pub(super) async fn open_sessions(
    config: &AccountsConfig,
    folder: &Path,
) -> Result<ProviderSessions, Trouble> {
    let database = config.open_database(folder).map_err(Trouble::Broken)?;
    let keys = config.sealing_keys(folder).map_err(Trouble::Broken)?;
    ProviderSessions::open(&database, keys).await.map_err(|fault| trouble(config, &fault))
}

/// A file is there or is not; a server may come back.
fn trouble(config: &AccountsConfig, fault: &Fault) -> Trouble {
    match fault {
        Fault::Storage(_) if !config.database.is_empty() => Trouble::Away(fault.to_string()),
        other => Trouble::Broken(other.to_string()),
    }
}
