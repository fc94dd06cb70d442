//! Where the secrets of a configuration are.

use std::{fmt::Write as _, path::PathBuf};

use mantlet_secrets::Source;
use serde_json::Value;

use super::{reference::Reference, schema::Config};

/// Where a secret is that may become another one while we run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    Server(Source),
}

/// All references of a configuration, each with its key.
pub(crate) fn places(config: &Config) -> Vec<(String, String, Reference)> {
    let mut all = Vec::new();
    let config = serde_json::to_value(config).unwrap_or_default();
    find(&config, &mut String::new(), &mut |key, place| {
        // `file:` is a way to send mails there.
        if !(key == "accounts.mail" && place.starts_with("file:"))
            && let Some(Ok(reference)) = Reference::of(place)
        {
            all.push((key.to_owned(), place.to_owned(), reference));
        }
    });
    all
}

/// What is looked at again: references to files and servers, and files with keys and certificates.
pub(crate) fn watched(config: &Config) -> Vec<(String, Place)> {
    let of_reference = |(key, _, reference): (String, String, Reference)| {
        let place = match &reference {
            Reference::Server(place) => Place::Server(place.source.clone()),
            other => Place::File(other.path()?),
        };
        // Who logs in reads them anew at each login.
        (!key.starts_with("secrets.")).then_some((key, place))
    };
    let mut all: Vec<_> = places(config).into_iter().filter_map(of_reference).collect();
    let mut files = vec![
        ("tls.certificate".to_owned(), &config.tls.certificate),
        ("tls.key".to_owned(), &config.tls.key),
        ("tls.client-authorities".to_owned(), &config.tls.client_authorities),
        ("csrf.token.key-file".to_owned(), &config.csrf.token.key_file),
        ("store.authority".to_owned(), &config.store.authority),
    ];
    for (index, pair) in config.tls.more.iter().enumerate() {
        files.push((format!("tls.more[{index}].certificate"), &pair.certificate));
        files.push((format!("tls.more[{index}].key"), &pair.key));
    }
    for (index, ship) in config.audit.ship.iter().enumerate() {
        files.extend(ship.files().map(|(name, path)| (format!("audit.ship[{index}].{name}"), path)));
    }
    for (index, issuer) in config.issuer.0.iter().enumerate() {
        files.push((format!("issuer[{index}].public-key"), &issuer.public_key));
    }
    let files = files.into_iter().filter(|(_, path)| !path.is_empty());
    all.extend(files.map(|(key, path)| (key, Place::File(path.into()))));
    all
}

/// Goes through all texts of a configuration.
fn find(value: &Value, key: &mut String, found: &mut impl FnMut(&str, &str)) {
    let length = key.len();
    match value {
        Value::String(text) => found(key, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                // Writing to a text cannot fail.
                let _ = write!(key, "[{index}]");
                find(item, key, found);
                key.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                if length > 0 {
                    key.push('.');
                }
                key.push_str(name);
                find(field, key, found);
                key.truncate(length);
            }
        }
        _ => {}
    }
}
