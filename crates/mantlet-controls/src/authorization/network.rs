//! `[[authorization.network]]`: lists of networks that conditions name, `network:@office`.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    circumstance::Known,
    files::{ConditionFile, FileContent, Holds, List, Ranges},
    ranges::{Fault, Wanted},
};
use crate::config::{Mistake, Networks};

const NAMES: &str = "use letters, digits, `-`, `_` and `.`, and write `network:@NAME` in conditions";
const FILES: &str =
    "write one network in a line, or name a JSON file as AWS, Google Cloud and Azure publish it";

/// An `[[authorization.network]]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetworkConfig {
    /// By which conditions name it: `network:@office`.
    pub name: String,
    /// Networks and addresses; `private`, `loopback`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<String>,
    /// A file with more of them, read again when it changes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// Services of a provider's file; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Regions of a provider's file; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// The content of the file.
    #[serde(skip)]
    pub content: FileContent,
}

/// Checks the sections.
pub(super) fn check(
    configs: &[NetworkConfig],
    known: &mut Known,
    files: &mut Vec<Arc<ConditionFile>>,
    mistakes: &mut Vec<Mistake>,
) {
    let mut names = HashMap::new();
    for (index, config) in configs.iter().enumerate() {
        let list = List::default();
        let mut add = |key: &str, message: String, help: &str| {
            mistakes.push(Mistake::new(format!("network[{index}].{key}"), message).help(help));
        };
        if config.name.is_empty()
            || !config.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            add("name", format!("`{}` is not a valid name", config.name), NAMES);
        }
        if let Some(first) = names.insert(config.name.as_str(), index) {
            add(
                "name",
                format!("`network[{first}]` has the name `{}` too", config.name),
                "give it another name",
            );
        }
        let mut inline = Vec::new();
        for (at, text) in config.ranges.iter().enumerate() {
            match Networks::read(text) {
                Some(read) => inline.extend(read),
                None => add(
                    &format!("ranges[{at}]"),
                    format!("`{text}` is not a network or an address"),
                    "write `10.0.0.0/8`, `203.0.113.7`, `private` or `loopback`",
                ),
            }
        }
        list.store(Arc::new(inline.iter().copied().collect()));
        if config.file.is_empty() {
            if config.ranges.is_empty() {
                add("ranges", "it is missing, so the list is empty".to_owned(), "write `ranges` or `file`");
            }
            for (key, labels) in [("services", &config.services), ("regions", &config.regions)] {
                if !labels.is_empty() {
                    add(key, "it has no effect without `file`".to_owned(), "remove it");
                }
            }
        } else {
            let wanted = Wanted { services: config.services.clone(), regions: config.regions.clone() };
            let holds = Holds::Networks(Box::new(Ranges { wanted, inline, list: Arc::clone(&list) }));
            let key = format!("authorization.network[{index}].file");
            match ConditionFile::new(&config.file, key, holds, &config.content) {
                Ok(file) => files.push(Arc::new(file)),
                Err(Fault::File(what)) => add("file", format!("`{}` {what}", config.file), FILES),
                Err(Fault::Wanted(key, what)) => {
                    add(
                        &key,
                        format!("{what} (`{}`)", config.file),
                        "write it as the file does, or remove it",
                    );
                }
            }
        }
        // With mistakes in it, too: what names it is not wrong.
        known.lists.insert(config.name.as_str().into(), list);
    }
}
