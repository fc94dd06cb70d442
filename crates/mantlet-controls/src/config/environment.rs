//! The environment of a gate: credentials of one are not good in another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Characters of the longest name.
const LONGEST: usize = 16;

/// The name of the environment in which a gate runs: `prod`, `staging`. Credentials that the gate
/// makes carry it, so that one of another environment is known for what it is. Default `live`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Environment(Box<str>);

impl Environment {
    /// Its name: 1 to 16 lower-case letters or digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text can be the name of one.
    pub fn is_name(text: &str) -> bool {
        (1..=LONGEST).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self("live".into())
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Environment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if Self::is_name(text) { Ok(Self(text.into())) } else { Err(EXPECTED) }
    }
}

const EXPECTED: &str = "1 to 16 lower-case letters or digits, such as `prod`";

impl Serialize for Environment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Environment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Environment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Environment, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::Environment;

    #[test]
    fn a_name_is_short_and_plain() {
        for name in ["prod", "live", "eu2", "1", "abcdefghijklmnop"] {
            assert_eq!(name.parse::<Environment>().unwrap().to_string(), name);
        }
        for text in ["", "Prod", "pre-prod", "pre_prod", "abcdefghijklmnopq", "prödé", "a b"] {
            assert!(text.parse::<Environment>().is_err(), "{text}");
            let quoted = serde_json::to_string(text).unwrap();
            let error = serde_json::from_str::<Environment>(&quoted).unwrap_err();
            assert!(error.to_string().contains("1 to 16 lower-case letters"), "{error}");
        }
    }
}
