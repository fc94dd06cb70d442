//! The files that conditions of `[authorization]` depend on, read from where they are.

use std::fs;

use mantlet_controls::{
    authorization::{Config, FileContent},
    config::Content,
};

/// Reads them into the section.
pub(crate) fn read(config: &mut Config) {
    for network in &mut config.network {
        network.content = content(&network.file);
    }
    config.country_content = content(&config.country_database);
}

/// The content of a file, if one is named.
fn content(path: &str) -> FileContent {
    let read = || fs::read(path).map(Content::new).map_err(|error| error.to_string());
    (!path.is_empty()).then(read)
}
