//! Where the contract comes from.

use std::path::PathBuf;

use mantlet_controls::{Mode, contract::Config};

use super::read::{Found, Trouble, read_contract, read_document};
use crate::config::is_url;

/// Where the contract comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// There is none.
    None,
    /// The app that we run tells it.
    App,
    /// What `mantlet contract` wrote.
    File(PathBuf),
    /// An OpenAPI document in a file.
    Document(PathBuf),
    /// One at an address.
    Url(String),
    /// The app's own, wherever it is.
    Behind,
}

impl Source {
    /// What the configuration says; `app_tells` if the app is ours to run and to ask.
    pub(crate) fn of(config: &Config, app_tells: bool) -> Self {
        match (config.file.as_str(), config.openapi.as_str()) {
            _ if config.mode == Mode::Off => Self::None,
            ("", "") if app_tells => Self::App,
            ("", "") => Self::Behind,
            ("", "off") => Self::None,
            ("", url) if is_url(url) => Self::Url(url.to_owned()),
            ("", file) => Self::Document(file.into()),
            (file, _) => Self::File(file.into()),
        }
    }

    /// Reads it from a file, if it is in one.
    pub(crate) fn read_file(&self) -> Option<Result<Found, Trouble>> {
        match self {
            Self::File(file) => Some(read_contract(file)),
            Self::Document(file) => Some(read_document(file)),
            Self::None | Self::App | Self::Url(_) | Self::Behind => None,
        }
    }
}
