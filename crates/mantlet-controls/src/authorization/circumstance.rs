//! Conditions about where and when a request comes, whoever the caller is.

use std::{collections::BTreeMap, sync::Arc};

use super::files::List;
use crate::{Call, config::Networks};

/// What conditions may name.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Lists of networks, by their names.
    pub(super) lists: BTreeMap<Box<str>, List>,
}

/// Why a text is not a condition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misread {
    pub(super) message: String,
    pub(super) help: String,
}

/// Where or when a request comes.
#[derive(Debug)]
pub(super) enum Circumstance {
    Network(Networks),
    /// A network of a list, which may change.
    List(List),
}

impl Circumstance {
    /// Reads a text; none if it is about something else, or in no form that is known.
    pub(super) fn read(text: &str, known: &Known) -> Result<Option<Self>, Misread> {
        let Some((kind, rest)) = text.split_once(':') else { return Ok(None) };
        match (kind, rest.strip_prefix('@')) {
            ("network", Some(name)) => match known.lists.get(name) {
                Some(list) => Ok(Some(Self::List(Arc::clone(list)))),
                None => Err(unknown_list(text, name, known)),
            },
            ("network", None) => {
                Ok(Networks::read(rest).map(|read| Self::Network(read.into_iter().collect())))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn is_so(&self, call: &Call) -> bool {
        match self {
            Self::Network(networks) => call.client.address.is_some_and(|address| networks.contains(address)),
            Self::List(list) => call.client.address.is_some_and(|address| list.load().contains(address)),
        }
    }
}

fn unknown_list(text: &str, name: &str, known: &Known) -> Misread {
    let lists: Vec<_> = known.lists.keys().map(|name| format!("`{name}`")).collect();
    let help = match lists.as_slice() {
        [] => format!("add `[[authorization.network]]` with `name = \"{name}\"`"),
        lists => format!("write one of {}, or add `[[authorization.network]]`", lists.join(", ")),
    };
    Misread { message: format!("`{text}`: there is no list of networks with the name `{name}`"), help }
}
