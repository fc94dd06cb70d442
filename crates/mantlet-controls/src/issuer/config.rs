//! The `[[issuer]]` sections.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Memory, Policy, Source, remote::Remote, trusted::Trusted};
use crate::{
    Mode,
    config::{Context, Material, Mistake, Section, units::Span},
    token::{Algorithm, Audience, Key, KeySet},
};

/// All `[[issuer]]` sections.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config(pub Vec<IssuerConfig>);

/// An `[[issuer]]` section: who signs tokens that are believed. One of `jwks`, `public-key`, `secret`
/// and `introspection` says how they are verified; without any, the issuer is asked where its keys are
/// (OIDC Discovery).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct IssuerConfig {
    /// The `iss` of its tokens: `https://id.example.com/realms/shop`.
    pub issuer: String,
    /// Who its tokens must be for: one of these in their `aud`. Must be set where other apps have tokens of the same issuer, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
    /// The address of its keys (RFC 7517).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub jwks: String,
    /// A file with its public key, PEM: RSA, P-256, P-384 or Ed25519.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub public_key: String,
    /// Where the secret is that it shares with us: `env:NAME` or `file:PATH`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub secret: String,
    /// The address that says whether a token is good (RFC 7662), for tokens that are not signed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub introspection: String,
    /// Our name there. With it the issuer may say that a session has ended (OIDC Back-Channel Logout): give it the address
    /// `https://YOUR-HOST/.well-known/mantlet/backchannel-logout`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_id: String,
    /// Where our password there is: `env:NAME` or `file:PATH`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_secret: String,
    /// Algorithms, if not all that its keys take: `["ES256"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<String>,
    /// How far clocks may differ. Default 30 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leeway: Option<Span>,
    /// The mode. Default `enforce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The key or the password, read from where it is.
    #[serde(skip)]
    pub material: Option<Material>,
    /// Keys before this one that tokens may still be signed with.
    #[serde(skip)]
    pub previous: Vec<Material>,
}

/// RFC 8725 names no number; 30 s are enough for clocks that are set by NTP.
const LEEWAY: Span = Span::secs(30);
const MOST_LEEWAY: Duration = Duration::from_mins(5);

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self::default()
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let memory = context.deployment.kept.get::<Memory>();
        let mut mistakes = Vec::new();
        let mut trusted: HashMap<Box<str>, Arc<Trusted>> = HashMap::new();
        for (index, config) in self.0.iter().enumerate() {
            match config.check(context, &memory) {
                Ok(one) if trusted.contains_key(&*config.issuer) => {
                    drop(one);
                    let message = format!("`{}` has a section already", config.issuer);
                    mistakes.push(Mistake::new(format!("[{index}].issuer"), message));
                }
                Ok(one) => drop(trusted.insert(config.issuer.as_str().into(), Arc::new(one))),
                Err(found) => {
                    mistakes.extend(found.into_iter().map(|mistake| mistake.under(&format!("[{index}]"))));
                }
            }
        }
        if mistakes.is_empty() { Ok(Policy::new(trusted)) } else { Err(mistakes) }
    }
}

/// The mistakes of one section.
#[derive(Default)]
struct Wrong(Vec<Mistake>);

impl Wrong {
    fn add(&mut self, key: &str, message: impl Into<String>, help: &str) {
        self.0.push(Mistake::new(key, message).help(help));
    }
}

impl IssuerConfig {
    /// Its keys are fetched.
    fn is_remote(&self) -> bool {
        self.public_key.is_empty() && self.secret.is_empty() && self.introspection.is_empty()
    }

    fn check(&self, context: &Context, memory: &Memory) -> Result<Trusted, Vec<Mistake>> {
        let mut wrong = Wrong::default();
        self.check_places(&mut wrong);
        self.check_use(&mut wrong);
        let leeway = self.leeway.unwrap_or(LEEWAY);
        if leeway.0 > MOST_LEEWAY {
            wrong.add("leeway", format!("`{leeway}` is more than 5m"), "set the clocks by NTP instead");
        }
        let algorithms = self.check_algorithms(&mut wrong);
        let key = self.check_key(&mut wrong);
        if !wrong.0.is_empty() {
            return Err(wrong.0);
        }
        let source = if self.is_remote() {
            let remote = Remote::of(&self.issuer, (!self.jwks.is_empty()).then_some(&*self.jwks));
            Source::Remote(memory.remote(remote))
        } else if self.introspection.is_empty() {
            Source::Keys(key.map(|key| self.with_previous(key)).unwrap_or_default())
        } else {
            Source::Introspection(memory.introspection(self))
        };
        Ok(Trusted {
            issuer: self.issuer.as_str().into(),
            client_id: self.client_id.as_str().into(),
            audience: match &*self.audience {
                [] => Audience::Any,
                all => Audience::OneOf(all.to_vec()),
            },
            algorithms,
            leeway: leeway.0,
            mode: self.mode.unwrap_or_default().under(context.report_only),
            source,
        })
    }

    /// Where its keys come from: one place, which no one on the way can change.
    fn check_places(&self, wrong: &mut Wrong) {
        if self.issuer.is_empty() {
            wrong.add("issuer", "is missing", "write the `iss` of its tokens: `https://id.example.com`");
        }
        let sources = [
            ("jwks", &self.jwks),
            ("public-key", &self.public_key),
            ("secret", &self.secret),
            ("introspection", &self.introspection),
        ];
        let named: Vec<_> =
            sources.iter().filter(|(_, value)| !value.is_empty()).map(|(key, _)| *key).collect();
        if let [first, second, ..] = named[..] {
            let message = format!("`{first}` says already how its tokens are verified");
            wrong.add(second, message, "leave one of them out");
        }
        for (key, url) in [("jwks", &self.jwks), ("introspection", &self.introspection)] {
            if let Some(why) = (!url.is_empty()).then(|| wrong_address(url)).flatten() {
                wrong.add(key, format!("`{url}` {why}"), "write `https://id.example.com/…`");
            }
        }
        let is_discovered = named.is_empty() && !self.issuer.is_empty();
        if let Some(why) = is_discovered.then(|| wrong_address(&self.issuer)).flatten() {
            let message = format!("`{}` {why}, so its keys cannot be found there", self.issuer);
            wrong.add("issuer", message, "set `jwks`, `public-key` or `secret`");
        }
    }

    /// What must be said beside that, and what has no effect.
    fn check_use(&self, wrong: &mut Wrong) {
        if self.is_remote() && self.audience.is_empty() {
            let message = "is missing: the issuer signs tokens for other apps with the same keys";
            wrong.add("audience", message, "write the `aud` of the tokens for this app");
        }
        let is_asked = !self.introspection.is_empty();
        if is_asked && (self.client_id.is_empty() || self.client_secret.is_empty()) {
            let message = "`introspection` needs `client-id` and `client-secret` (RFC 7662 section 2.1)";
            wrong.add("client-id", message, "write `client-secret = \"env:NAME\"`");
        }
        if !is_asked && !self.client_secret.is_empty() {
            wrong.add("client-secret", "has no effect without `introspection`", "remove it");
        }
    }

    fn check_algorithms(&self, wrong: &mut Wrong) -> Vec<Algorithm> {
        let mut algorithms = Vec::new();
        let is_shared = !self.secret.is_empty();
        for (at, name) in self.algorithms.iter().enumerate() {
            let key = format!("algorithms[{at}]");
            match Algorithm::named(name) {
                Some(algorithm) if algorithm.is_symmetric() == is_shared => algorithms.push(algorithm),
                Some(_) => wrong.add(
                    &key,
                    format!("`{name}` does not go with keys of this kind"),
                    "write `RS256`, `ES256` or `EdDSA` for public keys, `HS256` for a secret",
                ),
                None => wrong.add(&key, format!("`{name}` is not known"), "write `ES256`"),
            }
        }
        algorithms
    }

    /// The key of now, and those before it that are understood.
    fn with_previous(&self, key: Key) -> KeySet {
        let of = |material: &Material| {
            let bytes = material.0.expose().as_slice();
            if self.public_key.is_empty() { Key::of_secret(bytes) } else { Key::of_pem(bytes) }
        };
        KeySet::of(key).with(self.previous.iter().filter_map(of))
    }

    fn check_key(&self, wrong: &mut Wrong) -> Option<Key> {
        let material = self.material.as_ref()?.0.expose().as_slice();
        if !self.public_key.is_empty() {
            let key = Key::of_pem(material);
            if key.is_none() {
                let message = format!("`{}` has no public key that is understood", self.public_key);
                let help = "write a PEM file with an RSA (2048 bits or more), P-256, P-384 or Ed25519 key";
                wrong.add("public-key", message, help);
            }
            return key;
        }
        if self.secret.is_empty() {
            return None;
        }
        if material.len() < 32 {
            let message = "is shorter than 32 bytes, and can be guessed offline (RFC 7518 section 3.2)";
            wrong.add("secret", message, "make one with `openssl rand -hex 32`");
        }
        Key::of_secret(material)
    }
}

/// Why an address is not one that keys may come from.
fn wrong_address(url: &str) -> Option<&'static str> {
    let Ok(uri) = url.parse::<http::Uri>() else { return Some("is not an address") };
    let is_here = uri.host().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    match uri.scheme_str() {
        Some("https") => None,
        // A service of the same machine.
        Some("http") if is_here => None,
        Some("http") => Some("is not encrypted: anyone on the way could change the keys"),
        _ => Some("is not an address"),
    }
}
