//! What the launcher says of the app.

use std::{fs, path::Path};

use serde::Deserialize;

/// The file in which the launcher says what it found.
pub(crate) const STATUS: &str = "status.json";

/// What the launcher found, or why it did not.
#[derive(Debug, Deserialize)]
pub(crate) struct Status {
    state: String,
    #[serde(default)]
    message: String,
    #[serde(default, rename = "where")]
    place: Option<String>,
    #[serde(default)]
    app: Option<String>,
    #[serde(default)]
    title: Option<String>,
}

impl Status {
    /// Reads it from the folder that the launcher was told.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(STATUS)).ok()?).ok()
    }

    /// The app, with its title.
    pub(crate) fn found(&self) -> Option<String> {
        let app = self.app.clone()?;
        Some(self.title.as_ref().map_or_else(|| app.clone(), |title| format!("{app} ({title})")))
    }

    /// Why there is no app, and where.
    pub(crate) fn failure(&self) -> Option<String> {
        let Self { state, message, place, .. } = self;
        (state == "failed").then(|| match place {
            Some(place) if !message.contains(place.as_str()) => format!("{message}\nat {place}"),
            _ => message.clone(),
        })
    }
}
