//! Files with networks, as people and cloud providers write them.
//!
//! A file that begins with `{` or `[` is JSON, any other is a list with one network in a line. In JSON
//! exactly these forms are read, and nothing is guessed:
//!
//! 1. an array of networks;
//! 2. `prefixes` and `ipv6_prefixes`, whose items have one of `ip_prefix`, `ipv6_prefix` (AWS),
//!    `ipv4Prefix` and `ipv6Prefix` (Google Cloud), and may have `service`, and `region` or `scope`;
//! 3. `values`, whose items have a `name` and `properties.addressPrefixes`, and may have
//!    `properties.region` (Azure).

use ipnet::IpNet;
use memchr::memchr_iter;
use serde::Deserialize;

use crate::config::Networks;

const FORMS: &str = "the JSON has none of the known forms: an array of networks, `prefixes` as of AWS and Google \
                     Cloud, or `values` with `properties.addressPrefixes` as of Azure";

/// Which ranges of a file are meant; none means all.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) services: Vec<String>,
    pub(super) regions: Vec<String>,
}

/// Why the ranges of a file cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The file itself is wrong.
    File(String),
    /// What is wanted is not in it: the key, and what is wrong.
    Wanted(String, String),
}

/// An item of a file.
struct Item<'d> {
    /// Its networks, each with its place.
    networks: Vec<(String, &'d str)>,
    service: Option<&'d str>,
    region: Option<&'d str>,
}

/// As AWS and Google Cloud have it, or Azure.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Document {
    prefixes: Option<Vec<Published>>,
    #[serde(default)]
    ipv6_prefixes: Vec<Published>,
    values: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with a range")]
struct Published {
    ip_prefix: Option<String>,
    ipv6_prefix: Option<String>,
    #[serde(rename = "ipv4Prefix")]
    google_v4: Option<String>,
    #[serde(rename = "ipv6Prefix")]
    google_v6: Option<String>,
    service: Option<String>,
    region: Option<String>,
    scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `properties`")]
struct Tag {
    name: String,
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `addressPrefixes`")]
struct Properties {
    region: Option<String>,
    #[serde(rename = "addressPrefixes")]
    address_prefixes: Vec<String>,
}

/// Reads the networks of a file.
pub(super) fn read(bytes: &[u8], wanted: &Wanted) -> Result<Vec<IpNet>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = memchr_iter(b'\n', before).count() + 1;
        Fault::File(format!("line {line}: not UTF-8"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.trim_start().chars().next() {
        // As when a program that writes it has failed, or is not done.
        None => {
            Err(Fault::File("is empty; if no range is meant, write a line that says so: `# none`".to_owned()))
        }
        Some('[') => {
            without_labels(wanted)?;
            let texts: Vec<String> = serde_json::from_str(text).map_err(|error| of_json(&error))?;
            let mut networks = Vec::new();
            for (at, text) in texts.iter().enumerate() {
                networks.extend(network(text, || format!("[{at}]"))?);
            }
            Ok(networks)
        }
        Some('{') => {
            let document: Document = serde_json::from_str(text).map_err(|error| of_json(&error))?;
            chosen(&document.items()?, wanted)
        }
        _ => {
            without_labels(wanted)?;
            let mut networks = Vec::new();
            for (index, line) in text.lines().enumerate() {
                let range = line.split('#').next().unwrap_or_default().trim();
                if !range.is_empty() {
                    networks.extend(network(range, || format!("line {}", index + 1))?);
                }
            }
            Ok(networks)
        }
    }
}

impl Document {
    fn items(&self) -> Result<Vec<Item<'_>>, Fault> {
        match (&self.prefixes, &self.values) {
            (Some(prefixes), None) => {
                let of = |list: &'static str, items: &[Published]| -> Vec<_> {
                    (0..items.len()).map(|at| format!("{list}[{at}]")).collect()
                };
                let places =
                    of("prefixes", prefixes).into_iter().chain(of("ipv6_prefixes", &self.ipv6_prefixes));
                places
                    .zip(prefixes.iter().chain(&self.ipv6_prefixes))
                    .map(|(place, item)| item.item(&place))
                    .collect()
            }
            (None, Some(tags)) => Ok(tags.iter().enumerate().map(|(at, tag)| tag.item(at)).collect()),
            _ => Err(Fault::File(FORMS.to_owned())),
        }
    }
}

impl Published {
    fn item(&self, place: &str) -> Result<Item<'_>, Fault> {
        let ranges = [
            ("ip_prefix", &self.ip_prefix),
            ("ipv6_prefix", &self.ipv6_prefix),
            ("ipv4Prefix", &self.google_v4),
            ("ipv6Prefix", &self.google_v6),
        ];
        let networks = ranges
            .into_iter()
            .filter_map(|(name, range)| Some((format!("{place}.{name}"), range.as_deref()?)));
        let networks: Vec<_> = networks.collect();
        if networks.len() != 1 {
            let message = format!(
                "{place}: it must have one of `ip_prefix`, `ipv6_prefix`, `ipv4Prefix` and `ipv6Prefix`"
            );
            return Err(Fault::File(message));
        }
        let region = self.region.as_deref().or(self.scope.as_deref());
        Ok(Item { networks, service: self.service.as_deref(), region })
    }
}

impl Tag {
    fn item(&self, at: usize) -> Item<'_> {
        let place = |number| format!("values[{at}].properties.addressPrefixes[{number}]");
        let ranges = self.properties.address_prefixes.iter().enumerate();
        Item {
            networks: ranges.map(|(number, range)| (place(number), range.as_str())).collect(),
            service: Some(&self.name),
            region: self.properties.region.as_deref(),
        }
    }
}

/// The networks of the items that are wanted. Each service and each region must be in the file: a name
/// that is not there is a typing error, or the provider has changed it.
fn chosen(items: &[Item<'_>], wanted: &Wanted) -> Result<Vec<IpNet>, Fault> {
    let has = |names: &[String], own: Option<&str>| {
        names.is_empty() || names.iter().any(|name| Some(&**name) == own)
    };
    let (mut networks, mut services, mut regions) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        // What is not wanted has to be right, too: else the file is not what it seems to be.
        for (place, range) in &item.networks {
            let read = network(range, || place.clone())?;
            if has(&wanted.services, item.service) && has(&wanted.regions, item.region) {
                networks.extend(read);
            }
        }
        services.extend(item.service);
        regions.extend(item.region);
    }
    for (key, names, known) in
        [("services", &wanted.services, services), ("regions", &wanted.regions, regions)]
    {
        if let Some((at, name)) = names.iter().enumerate().find(|(_, name)| !known.contains(&name.as_str())) {
            return Err(Fault::Wanted(
                format!("{key}[{at}]"),
                format!("the file has no range with `{name}`"),
            ));
        }
    }
    if networks.is_empty() {
        return Err(Fault::File("it has no range that is wanted".to_owned()));
    }
    Ok(networks)
}

fn network(text: &str, place: impl FnOnce() -> String) -> Result<Vec<IpNet>, Fault> {
    Networks::read(text).ok_or_else(|| {
        // A file that is not what it was thought to be may have lines of any length.
        let shown: String = text.chars().take(60).collect();
        Fault::File(format!("{}: `{shown}` is not a network or an address", place()))
    })
}

/// Lists without labels have no services and regions to choose from.
fn without_labels(wanted: &Wanted) -> Result<(), Fault> {
    let labels = [("services", &wanted.services), ("regions", &wanted.regions)];
    match labels.iter().find(|(_, names)| !names.is_empty()) {
        Some((key, _)) => {
            Err(Fault::Wanted((*key).to_owned(), format!("the file has no {key}: it is a plain list")))
        }
        None => Ok(()),
    }
}

fn of_json(error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    // The line comes first, as for other files.
    let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what);
    Fault::File(format!("line {}: {what}", error.line()))
}
