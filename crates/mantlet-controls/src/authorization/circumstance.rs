//! Conditions about where and when a request comes, whatever the caller.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    countries::{self, Country},
    files::List,
    hours::Hours,
};
use crate::{Call, config::Networks};

/// What conditions may name.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Lists of networks, by their names.
    pub(super) lists: BTreeMap<Box<str>, List>,
    /// The database of countries, if one is named.
    pub(super) countries: Option<countries::Slot>,
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
    Country(Vec<Country>, countries::Slot),
    Time(Hours),
}

impl Circumstance {
    /// Reads a text; none if it is about something else, or in no form that is known.
    pub(super) fn read(text: &str, known: &Known) -> Result<Option<Self>, Misread> {
        if let Some(codes) = codes_of(text) {
            return Self::of_countries(text, &codes, known).map(Some);
        }
        let Some((kind, rest)) = text.split_once(':') else { return Ok(None) };
        match (kind, rest.strip_prefix('@')) {
            ("network", Some(name)) => match known.lists.get(name) {
                Some(list) => Ok(Some(Self::List(Arc::clone(list)))),
                None => Err(unknown_list(text, name, known)),
            },
            ("network", None) => {
                Ok(Networks::read(rest).map(|read| Self::Network(read.into_iter().collect())))
            }
            ("time", _) => Hours::read(rest).map(|hours| Some(Self::Time(hours))),
            _ => Ok(None),
        }
    }

    fn of_countries(text: &str, codes: &[&str], known: &Known) -> Result<Self, Misread> {
        let read: Result<_, _> = codes.iter().map(|code| Country::read(code).ok_or(code)).collect();
        let wanted: Vec<_> = read.map_err(|code| Misread {
            message: format!("`{text}`: `{code}` is not the code of a country (ISO 3166-1)"),
            help: "write two capital letters, such as `DE`; the code of the United Kingdom is `GB`"
                .to_owned(),
        })?;
        let countries = known.countries.as_ref().ok_or_else(|| Misread {
            message: format!("`{text}` needs a database of countries"),
            help: "set `authorization.country-database = \"GeoLite2-Country.mmdb\"`".to_owned(),
        })?;
        Ok(Self::Country(wanted, Arc::clone(countries)))
    }

    pub(super) fn is_so(&self, call: &Call) -> bool {
        let address = call.client.address;
        match self {
            Self::Network(networks) => address.is_some_and(|address| networks.contains(address)),
            Self::List(list) => address.is_some_and(|address| list.load().contains(address)),
            Self::Country(wanted, countries) => {
                let own = address.and_then(|address| countries.load().as_ref()?.of(address));
                own.is_some_and(|own| wanted.contains(&own))
            }
            Self::Time(hours) => hours.has(call.clock.time()),
        }
    }
}

/// The codes of `country:DE` and `country in [DE, AT]`.
fn codes_of(text: &str) -> Option<Vec<&str>> {
    let rest = text.strip_prefix("country")?;
    if let Some(code) = rest.strip_prefix(':') {
        return Some(vec![code]);
    }
    let list = rest.strip_prefix(" in ")?.trim().strip_prefix('[')?.strip_suffix(']')?;
    Some(list.split(',').map(str::trim).collect())
}

fn unknown_list(text: &str, name: &str, known: &Known) -> Misread {
    let lists: Vec<_> = known.lists.keys().map(|name| format!("`{name}`")).collect();
    let help = match lists.as_slice() {
        [] => format!("add `[[authorization.network]]` with `name = \"{name}\"`"),
        lists => format!("write one of {}, or add `[[authorization.network]]`", lists.join(", ")),
    };
    Misread { message: format!("`{text}`: there is no list of networks with the name `{name}`"), help }
}
