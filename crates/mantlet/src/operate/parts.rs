//! What runs together.

use std::{cell::RefCell, time::Duration};

use mantlet_controls::Scheme;
use mantlet_gateway::{Gate, Listen, admin::Admin, audit_log::AuditWriter, scrape::Scrapes, tls::acme};
use tokio::sync::watch;

use super::records::Records;
use crate::{
    accounts::Accounts,
    app::AppProcess,
    config::{Config, Reader},
    contract::Keeper,
    settings::Loaded,
};

/// A gate that runs, and what runs with it.
pub(super) struct Parts<'a> {
    pub(super) gate: &'a Gate,
    pub(super) audit: &'a AuditWriter,
    pub(super) records: &'a Records,
    pub(super) reader: Reader,
    pub(super) keeper: Keeper,
    /// The settings in force.
    pub(super) loaded: RefCell<Loaded<Config>>,
    /// Whether the contract is still to be read.
    pub(super) asks_at_once: bool,
    /// What is to be fetched.
    pub(super) certificates: watch::Sender<Option<acme::Settings>>,
    /// The accounts beside the app, if there are any.
    pub(super) accounts: Option<&'a Accounts>,
    pub(super) admin: Option<Admin>,
    pub(super) metrics: Option<Scrapes>,
    pub(super) scheme: Scheme,
    pub(super) behind: String,
    pub(super) app: Option<AppProcess>,
    /// How long it must be quiet, and how long draining may take.
    pub(super) drain: (Duration, Duration),
}

impl Parts<'_> {
    /// Where clients find us.
    pub(super) fn listen(&self) -> String {
        match self.gate.listen() {
            Listen::Tcp(address) => format!("{}://{address}", self.scheme.as_str()),
            unix @ Listen::Unix(_) => unix.to_string(),
        }
    }
}
