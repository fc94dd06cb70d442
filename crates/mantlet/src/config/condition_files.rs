//! The files that conditions of `[authorization]` depend on, read from where they are.

use std::fs;

use mantlet_controls::{
    authorization::Config,
    config::{Content, Mistake},
};

/// Reads them into the section.
pub(crate) fn read(config: &mut Config, mistakes: &mut Vec<Mistake>) {
    for (index, network) in config.network.iter_mut().enumerate() {
        network.content = content(&network.file, &format!("network[{index}].file"), mistakes);
    }
    config.country_content = content(&config.country_database, "country-database", mistakes);
}

/// The content of a file, if one is named and can be read.
fn content(path: &str, key: &str, mistakes: &mut Vec<Mistake>) -> Option<Content> {
    if path.is_empty() {
        return None;
    }
    let wrong = |error| {
        Mistake::new(format!("authorization.{key}"), format!("`{path}` cannot be read: {error}"))
            .help("write the path of a file that Mantlet may read")
    };
    fs::read(path).map(Content::new).map_err(|error| mistakes.push(wrong(error))).ok()
}
