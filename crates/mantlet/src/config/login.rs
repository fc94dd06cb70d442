//! `[login]`, or several `[[login]]`: the OpenID providers at which callers log in.

use std::{fmt, fs};

use mantlet_controls::config::{Material, Mistake, Secret};
use mantlet_providers::Login;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::reference::{REMEDY, Reference, secret};

/// The providers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Config {
    pub(crate) providers: Vec<Login>,
    /// It is written as a table, and not as a list of one.
    is_table: bool,
}

impl Config {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.providers.is_empty()
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Vec<Mistake> {
        let mut mistakes = mantlet_providers::mistakes(&self.providers);
        if !self.is_table && self.providers.len() == 1 {
            for mistake in &mut mistakes {
                mistake.key = mistake.key.replacen("login.", "login[0].", 1);
            }
        }
        for (index, login) in self.providers.iter().enumerate() {
            let place =
                |key| if self.is_table { format!("login.{key}") } else { format!("login[{index}].{key}") };
            if let Some(why) = of_secret(&login.client_secret) {
                mistakes.push(Mistake::new(place("client-secret"), why).help(REMEDY));
            }
            if let Err(why) = authorities(&login.authority) {
                let help = "name a file with certificates in PEM";
                mistakes.push(Mistake::new(place("authority"), why).help(help));
            }
        }
        mistakes
    }

    /// The same with what its references and files hold.
    pub(crate) fn read(&self) -> Result<Vec<Login>, String> {
        let read = |login: &Login| {
            let of = |key: &str, why: String| {
                let name = if login.name.is_empty() { String::new() } else { format!(" (`{}`)", login.name) };
                format!("`{key}` under `[login]`{name}: {why}")
            };
            let material = match &*login.client_secret {
                "" => None,
                place => Some(secret(place).map_err(|why| of("client-secret", why))?),
            };
            let authorities = authorities(&login.authority).map_err(|why| of("authority", why))?;
            let material = material.map(|bytes| Material(Secret::new(bytes)));
            Ok(Login { material, authorities, ..login.clone() })
        };
        self.providers.iter().map(read).collect()
    }
}

/// What is wrong with the place of a secret.
fn of_secret(place: &str) -> Option<String> {
    match Reference::of(place) {
        _ if place.is_empty() => None,
        Some(reference) => reference.err(),
        None => Some("a secret does not belong in the configuration".to_owned()),
    }
}

fn authorities(file: &str) -> Result<Option<Vec<u8>>, String> {
    if file.is_empty() {
        return Ok(None);
    }
    fs::read(file).map(Some).map_err(|error| format!("`{file}` cannot be read: {error}"))
}

impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.providers {
            [only] if self.is_table => only.serialize(serializer),
            all => all.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Config;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table (`[login]`), or several (`[[login]]`)")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Config, A::Error> {
                let only = Login::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Config { providers: vec![only], is_table: true })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Config, A::Error> {
                let mut providers = Vec::new();
                while let Some(login) = sequence.next_element()? {
                    providers.push(login);
                }
                Ok(Config { providers, is_table: false })
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        #[derive(Deserialize)]
        struct Whole {
            login: Config,
        }
        let whole: Whole = toml::from_str(text).unwrap();
        whole.login.check().into_iter().map(|mistake| mistake.key).collect()
    }

    #[test]
    fn one_provider_is_a_table_and_several_are_a_list() {
        let good = "issuer = \"https://id.example\"\nclient-id = \"app\"\n";
        assert_eq!(keys(&format!("[login]\n{good}")), [""; 0]);
        assert_eq!(keys(&format!("[[login]]\n{good}[[login]]\nname = \"b\"\n{good}")), [""; 0]);
        let bare = "issuer = \"https://id.example\"\n";
        assert_eq!(keys(&format!("[login]\n{bare}")), ["login.client-id"]);
        assert_eq!(keys(&format!("[[login]]\n{bare}")), ["login[0].client-id"]);
        assert_eq!(keys(&format!("[[login]]\n{good}[[login]]\n{good}")), ["login[1].name"]);
    }

    #[test]
    fn a_secret_is_a_reference_and_what_it_holds_is_judged_at_the_start() {
        let with = |secret: &str| {
            format!(
                "[login]\nissuer = \"https://id.example\"\nclient-id = \"app\"\nclient-secret = \"{secret}\"\n"
            )
        };
        assert_eq!(keys(&with("env:NOT_SET_ANYWHERE")), [""; 0]);
        assert_eq!(keys(&with("GOCSPX-abcdef")), ["login.client-secret"]);
        assert_eq!(keys(&with("env:")), ["login.client-secret"]);
    }
}
