//! Names of fields that hold secrets.

use std::{collections::HashSet, sync::Arc};

use aho_corasick::{AhoCorasick, MatchKind};
use mantlet_contract::json::Kind;

/// Longest name, without `_` and `-`.
const LONGEST: usize = 64;
/// Bytes of a name that are searched for before a response is parsed.
const NEEDLE: usize = 4;

/// The names, and a quick search for whether a response can contain one of them at all.
#[derive(Debug)]
pub(super) struct SecretNames {
    /// In lower case, without `_` and `-`.
    names: HashSet<Box<[u8]>>,
    /// None: nothing is searched for, so every response is parsed.
    needles: Option<AhoCorasick>,
}

impl SecretNames {
    /// Passwords and their hashes. No app sends them on purpose.
    const PASSWORDS: [&'static str; 19] = [
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "password_hash",
        "hashed_password",
        "hash_password",
        "password_digest",
        "password_salt",
        "passwd_hash",
        "pwd_hash",
        "hashed_pwd",
        "pass_hash",
        "encrypted_password",
        "plain_password",
        "old_password",
        "new_password",
        "current_password",
        "user_password",
    ];

    /// Secrets that open something else. They are handed out once, when they are made. Tokens and
    /// API keys are not listed: they are handed out all the time.
    const OTHERS: [&'static str; 10] = [
        "secret",
        "secret_key",
        "client_secret",
        "app_secret",
        "api_secret",
        "jwt_secret",
        "private_key",
        "totp_secret",
        "otp_secret",
        "mfa_secret",
    ];

    /// The names where nothing else is configured.
    pub(super) fn default_names() -> Vec<String> {
        Self::PASSWORDS.into_iter().chain(Self::OTHERS).map(str::to_owned).collect()
    }

    pub(super) fn is_name(name: &str) -> bool {
        let mut buffer = [0; LONGEST];
        normalised(name, &mut buffer).is_some_and(|name| name.len() >= 2)
    }

    pub(super) fn new(names: &[String]) -> Self {
        let mut all = HashSet::new();
        let mut needles = HashSet::new();
        for name in names {
            let mut buffer = [0; LONGEST];
            all.extend(normalised(name, &mut buffer).map(Box::from));
            // The longest word of the name, as far as case and separators cannot part it.
            let word = name.split(['_', '-']).max_by_key(|word| word.len()).unwrap_or_default();
            let needle = word.to_lowercase();
            let needle: String = needle.chars().take(NEEDLE).collect();
            let mut capital = needle.clone();
            capital.get_mut(..1).map(str::make_ascii_uppercase).unwrap_or_default();
            needles.extend([needle.to_uppercase(), capital, needle]);
        }
        // Of the kinds of matches, only these are searched for with vectors.
        let needles = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(needles).ok();
        Self { names: all, needles }
    }

    /// Whether one of the names can be in this JSON; nothing is allocated.
    pub(super) fn may_be_in(&self, json: &[u8]) -> bool {
        let found = self.needles.as_ref().is_none_or(|needles| needles.is_match(json));
        // An ASCII letter may be written as an escape.
        found || (!self.names.is_empty() && memchr::memmem::find(json, b"\\u00").is_some())
    }

    /// Whether a member is one: its key is on the list, and its value is one that could be a secret.
    pub(super) fn has(&self, key: &str, value: Kind<'_>) -> bool {
        could_be_secret(value) && self.has_name(key)
    }

    /// The names on the list that models declare. `declares` calls the given function with each of
    /// its names.
    pub(super) fn declared_by(
        &self,
        declares: impl FnOnce(&mut dyn FnMut(&str) -> bool) -> bool,
    ) -> Arc<[Box<str>]> {
        let mut found: Vec<Box<str>> = Vec::new();
        // The function never stops the search.
        declares(&mut |name| {
            if self.has_name(name) && !is_among(name, &found) {
                found.push(name.into());
            }
            false
        });
        found.into()
    }

    /// Whether a key is on the list.
    pub(super) fn has_name(&self, key: &str) -> bool {
        let mut buffer = [0; LONGEST];
        normalised(key, &mut buffer).is_some_and(|name| self.names.contains(name))
    }
}

/// Whether two names are the same, however they are written.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let (mut first, mut second) = ([0; LONGEST], [0; LONGEST]);
    let first = normalised(one, &mut first);
    first.is_some() && first == normalised(other, &mut second)
}

/// Whether a name is one of these, however it is written.
pub(super) fn is_among(name: &str, all: &[Box<str>]) -> bool {
    all.iter().any(|known| is_same(known, name))
}

/// Whether the name is one of those that are sometimes handed out on purpose. Names that the
/// operator has added never are.
pub(super) fn may_be_handed_out(key: &str) -> bool {
    let (mut name, mut other) = ([0; LONGEST], [0; LONGEST]);
    let name = normalised(key, &mut name);
    name.is_some() && SecretNames::OTHERS.iter().any(|known| normalised(known, &mut other) == name)
}

/// Texts and numbers; not a masked secret, and not a description of one: a schema, a flag, a list.
fn could_be_secret(value: Kind<'_>) -> bool {
    match value {
        Kind::Text(text) => !text.trim_matches(['*', '•', '●', ' ']).is_empty(),
        Kind::Int(_) | Kind::HugeInt | Kind::Float(_) | Kind::Constant(_) | Kind::BrokenText => true,
        Kind::Null | Kind::Bool(_) | Kind::Array(_) | Kind::Object(_) => false,
    }
}

/// The name in lower case, without `_` and `-`; none if it is too long to be one.
fn normalised<'b>(name: &str, buffer: &'b mut [u8; LONGEST]) -> Option<&'b [u8]> {
    let mut length = 0;
    for byte in name.bytes().filter(|byte| !matches!(byte, b'_' | b'-')) {
        *buffer.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    buffer.get(..length)
}

#[cfg(test)]
mod tests {
    use mantlet_contract::json::{Limits, parse};

    use super::*;

    fn names() -> SecretNames {
        SecretNames::new(&SecretNames::default_names())
    }

    #[test]
    fn names_and_values_that_are_secrets() {
        let names = names();
        for (member, secret) in [
            (r#""password": "a""#, true),
            (r#""Password": "a""#, true),
            (r#""hashed_password": "$2b$""#, true),
            (r#""hashedPassword": "$2b$""#, true),
            (r#""HASHED-PASSWORD": "$2b$""#, true),
            (r#""passWord": "a""#, true),
            (r#""p\u0061ssword": "a""#, true),
            (r#""client_secret": "a""#, true),
            (r#""privateKey": "a""#, true),
            (r#""pwd": 1234"#, true),
            // Schemas, flags, masks and what only sounds like it.
            (r#""password": {"type": "string"}"#, false),
            (r#""password": true"#, false),
            (r#""password": null"#, false),
            (r#""password": """#, false),
            (r#""password": "**********""#, false),
            (r#""secret": ["a"]"#, false),
            (r#""password_changed_at": "2026""#, false),
            (r#""reset_password_url": "/""#, false),
            (r#""access_token": "a""#, false),
            (r#""secretary": "Ann""#, false),
            (r#""name": "password""#, false),
            (r#""": "a""#, false),
        ] {
            let text = format!("{{{member}}}");
            let json = parse(text.as_bytes(), Limits::default()).unwrap();
            let Kind::Object(mut members) = json.root().kind() else { panic!() };
            let found = members.next().unwrap();
            assert_eq!(names.has(found.key.unwrap(), found.value.kind()), secret, "{member}");
            assert!(!secret || names.may_be_in(text.as_bytes()), "{member} would not be looked for");
        }
        assert!(!names.may_be_in(br#"{"name": "Ann", "price": 12.5, "tags": ["a\n"]}"#));
    }

    #[test]
    fn a_name_of_ones_own_is_found_however_it_is_written() {
        for name in ["clientpin", "client_pin", "client-pin", "ClientPin"] {
            let names = SecretNames::new(&[name.to_owned()]);
            for key in ["clientpin", "client_pin", "Client-Pin", "clientPin", "CLIENT_PIN"] {
                assert!(names.has(key, Kind::Text("1")), "{name} {key}");
                assert!(names.may_be_in(format!("{{\"{key}\":1}}").as_bytes()), "{name} {key}");
            }
        }
        let none = SecretNames::new(&[]);
        assert!(!none.may_be_in(br#"{"password": "\u0061"}"#));
    }

    #[test]
    fn names_of_the_list_are_names() {
        for name in SecretNames::default_names() {
            assert!(SecretNames::is_name(&name), "{name}");
        }
        for name in ["", "_", "a", "--__"] {
            assert!(!SecretNames::is_name(name), "{name}");
        }
        assert!(may_be_handed_out("clientSecret") && may_be_handed_out("SECRET"));
        assert!(!may_be_handed_out("password") && !may_be_handed_out("pin"));
    }
}
