//! The `[login]` section of a provider, and what it has to be.

use std::{collections::BTreeMap, time::Duration};

use mantlet_controls::config::{Material, Mistake, Secret, units::Span};
use serde::{Deserialize, Serialize};

/// Parameters of a request to log in that are the flow's own (RFC 6749, RFC 7636, OIDC Core).
const RESERVED: [&str; 11] = [
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
];

/// What is the same for all providers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the app, as pages say it.
    pub app: String,
    /// The path below which everything stands, without a slash at its end. Default `/auth`.
    pub path: String,
    /// Where a login leads if nothing else was asked for. Default `/`.
    pub home: String,
}

impl Settings {
    /// The defaults.
    pub fn new(app: &str) -> Self {
        Self { app: app.to_owned(), path: "/auth".to_owned(), home: "/".to_owned() }
    }
}

/// A `[login]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Login {
    /// Its name in addresses (`/auth/login/NAME`): letters, digits and `-`. Default `openid`.
    pub name: String,
    /// Its name on pages. Default: its name.
    pub title: String,
    /// The `iss` of its tokens: `https://accounts.google.com`.
    pub issuer: String,
    /// The name of the app at the provider.
    pub client_id: String,
    /// Where the app's password at the provider is: `env:NAME` or `file:PATH`. None for a public client.
    pub client_secret: String,
    /// Scopes to ask for. Default: `openid`, `email`, `profile`, and `groups` and `offline_access` where the provider says
    /// that it has them.
    pub scopes: Vec<String>,
    /// Further parameters of the request to log in: `{ access_type = "offline" }`.
    pub parameters: BTreeMap<String, String>,
    /// Claims that become attributes of the caller: a name, or a path such as `realm_access.roles`. Default `email`, `groups`.
    pub attributes: Vec<String>,
    /// The claim with the groups of `allow-groups`: a name or a path. Default `groups`.
    pub groups: String,
    /// Domains of e-mail addresses that may log in. The provider must say that it has verified the address.
    pub allow_domains: Vec<String>,
    /// Groups that may log in.
    pub allow_groups: Vec<String>,
    /// Addresses that may log in, verified as for `allow-domains`.
    pub allow_emails: Vec<String>,
    /// How long a session lasts in all. Default 12 h.
    pub max_age: Option<Span>,
    /// The longest time until the provider is asked again whether a session is still good. Default: as long as its tokens last.
    pub recheck: Option<Span>,
    /// How long a session stays good without that while the provider is away. Default 1 h.
    pub grace: Option<Span>,
    /// The path to which the provider leads after a logout there. It has to be registered at the provider, with the address of
    /// the app in front. Default: the provider shows a page of its own.
    pub after_logout: String,
    /// A file with the authorities that are trusted in place of the machine's, PEM.
    pub authority: String,
    /// The password, read from where it is.
    #[serde(skip)]
    pub material: Option<Material>,
    /// The authorities, read from their file.
    #[serde(skip)]
    pub authorities: Option<Vec<u8>>,
}

/// A checked section.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<Secret<String>>,
    pub(crate) scopes: Vec<String>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) attributes: Vec<String>,
    pub(crate) groups: String,
    pub(crate) allow: Allow,
    pub(crate) max_age: Duration,
    pub(crate) recheck: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) after_logout: Option<String>,
    pub(crate) authorities: Option<Vec<u8>>,
}

/// Who may log in. An empty list allows all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allow {
    pub(crate) domains: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) emails: Vec<String>,
}

impl Allow {
    /// Whether an address decides.
    pub(crate) const fn asks_for_email(&self) -> bool {
        !self.domains.is_empty() || !self.emails.is_empty()
    }
}

/// Checks the sections of all providers. Keys of mistakes begin with `login[N].`, or `login.` for the only one.
pub(crate) fn check(logins: &[Login]) -> Result<Vec<Checked>, Vec<Mistake>> {
    let (mut checked, mut mistakes) = (Vec::<Checked>::new(), Vec::new());
    for (index, login) in logins.iter().enumerate() {
        let place = if logins.len() == 1 { "login".to_owned() } else { format!("login[{index}]") };
        let mut wrong = Wrong { place, mistakes: &mut mistakes };
        let one = login.check(&mut wrong);
        if checked.iter().any(|other| other.name == one.name) {
            let message = format!("`{}` is the name of another provider", one.name);
            wrong.add("name", message, "give each provider a name of its own");
        }
        checked.push(one);
    }
    if mistakes.is_empty() { Ok(checked) } else { Err(mistakes) }
}

/// What is wrong with these sections, as far as that shows without what their references hold.
pub fn mistakes(logins: &[Login]) -> Vec<Mistake> {
    let is_of_form = |mistake: &Mistake| !mistake.key.ends_with(".client-secret");
    check(logins).err().unwrap_or_default().into_iter().filter(is_of_form).collect()
}

struct Wrong<'a> {
    place: String,
    mistakes: &'a mut Vec<Mistake>,
}

impl Wrong<'_> {
    fn add(&mut self, key: &str, message: impl Into<String>, help: &str) {
        self.mistakes.push(Mistake::new(format!("{}.{key}", self.place), message).help(help));
    }
}

impl Login {
    fn check(&self, wrong: &mut Wrong<'_>) -> Checked {
        self.check_names(wrong);
        self.check_lists(wrong);
        let client_secret = self.material.as_ref().map(|material| {
            // Files end with a line break, which is not part of a password.
            let text = String::from_utf8_lossy(material.0.expose());
            Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())
        });
        if !self.client_secret.is_empty() && client_secret.as_ref().is_none_or(|s| s.expose().is_empty()) {
            wrong.add("client-secret", "is empty", "write `client-secret = \"env:NAME\"`, and set NAME");
        }
        let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect();
        let or = |text: &String, default: &str| if text.is_empty() { default } else { text }.to_owned();
        let span = |span: Option<Span>, default| span.map_or(default, |span| span.0);
        let name = or(&self.name, "openid");
        Checked {
            title: or(&self.title, &name),
            name,
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret,
            scopes: self.scopes.clone(),
            parameters: self.parameters.clone(),
            attributes: match &*self.attributes {
                [] => vec!["email".to_owned(), or(&self.groups, "groups")],
                named => named.to_vec(),
            },
            groups: or(&self.groups, "groups"),
            allow: Allow {
                domains: lower(&self.allow_domains),
                groups: self.allow_groups.clone(),
                emails: lower(&self.allow_emails),
            },
            max_age: span(self.max_age, Duration::from_hours(12)),
            recheck: self.recheck.map(|span| span.0),
            grace: span(self.grace, Duration::from_hours(1)),
            after_logout: (!self.after_logout.is_empty()).then(|| self.after_logout.clone()),
            authorities: self.authorities.clone(),
        }
    }

    fn check_names(&self, wrong: &mut Wrong<'_>) {
        if !self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            let message = format!("`{}` cannot stand in an address", self.name);
            wrong.add("name", message, "use letters, digits and `-`");
        }
        if self.issuer.is_empty() {
            wrong.add(
                "issuer",
                "is missing",
                "write the provider's address: `issuer = \"https://accounts.google.com\"`",
            );
        } else if let Some(why) = wrong_address(&self.issuer) {
            let message = format!("`{}` {why}", self.issuer);
            wrong.add("issuer", message, "write it exactly as the provider does: `https://id.example.com`");
        }
        if self.client_id.is_empty() {
            let help = "register the app at the provider, and write the id that it gives";
            wrong.add("client-id", "is missing", help);
        }
        if !self.after_logout.is_empty() && !self.after_logout.starts_with('/') {
            let message = format!("`{}` is not a path of the app", self.after_logout);
            wrong.add("after-logout", message, "write a path: `/`");
        }
    }

    fn check_lists(&self, wrong: &mut Wrong<'_>) {
        if !self.scopes.is_empty() && !self.scopes.iter().any(|scope| scope == "openid") {
            wrong.add("scopes", "has no `openid`, so the provider would not say who logs in", "add `openid`");
        }
        for name in self.parameters.keys().filter(|name| RESERVED.contains(&name.as_str())) {
            let message = format!("`{name}` is set by Mantlet");
            wrong.add("parameters", message, "remove it");
        }
        for domain in self.allow_domains.iter().filter(|name| name.contains(['@', '*', '/'])) {
            let message = format!("`{domain}` is not a domain");
            wrong.add("allow-domains", message, "write what stands after the `@`: `example.com`");
        }
        for email in self.allow_emails.iter().filter(|name| !name.contains('@')) {
            let message = format!("`{email}` is not an e-mail address");
            wrong.add("allow-emails", message, "write `ada@example.com`");
        }
        let asks_for_groups = !self.allow_groups.is_empty();
        if asks_for_groups && self.allow_groups.iter().any(String::is_empty) {
            wrong.add("allow-groups", "has an empty name", "remove it, or write the name of a group");
        }
        let shortest = Duration::from_mins(1);
        for (key, span) in [("max-age", self.max_age), ("recheck", self.recheck)] {
            if let Some(span) = span.filter(|span| span.0 < shortest) {
                wrong.add(key, format!("`{span}` is less than a minute"), "write `1h`");
            }
        }
    }
}

/// Why an address is not one that may say who a caller is.
pub(crate) fn wrong_address(url: &str) -> Option<&'static str> {
    let Ok(uri) = url.parse::<http::Uri>() else { return Some("is not an address") };
    let is_here = uri.host().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    match uri.scheme_str() {
        Some("https") => None,
        // A provider on the same machine.
        Some("http") if is_here => None,
        Some("http") => Some("is not encrypted: an attacker on the way could log in as any caller"),
        _ => Some("is not an address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(login: &Login) -> Vec<String> {
        let mistakes = check(std::slice::from_ref(login)).err().unwrap_or_default();
        mistakes.into_iter().map(|mistake| mistake.key).collect()
    }

    #[test]
    fn three_lines_are_enough() {
        let login =
            Login { issuer: "https://id.example.com".into(), client_id: "app".into(), ..Login::default() };
        let checked = check(std::slice::from_ref(&login)).unwrap();
        assert_eq!((&*checked[0].name, &*checked[0].title), ("openid", "openid"));
        assert_eq!(checked[0].attributes, ["email", "groups"]);
        assert_eq!(checked[0].max_age, Duration::from_hours(12));
        assert_eq!(checked[0].grace, Duration::from_hours(1));
        // A second one needs another name.
        let mistakes = check(&[login.clone(), login]).unwrap_err();
        assert_eq!(mistakes[0].key, "login[1].name");
    }

    #[test]
    fn all_mistakes_are_found_at_once() {
        assert_eq!(keys(&Login::default()), ["login.issuer", "login.client-id"]);
        let login = Login {
            name: "a/b".into(),
            issuer: "http://id.example.com".into(),
            client_id: "app".into(),
            client_secret: "env:NOT_SET".into(),
            scopes: vec!["email".into()],
            parameters: BTreeMap::from([("state".into(), "1".into())]),
            allow_domains: vec!["@example.com".into()],
            allow_emails: vec!["example.com".into()],
            allow_groups: vec![String::new()],
            after_logout: "https://elsewhere.example".into(),
            recheck: Some(Span(Duration::from_secs(1))),
            ..Login::default()
        };
        assert_eq!(
            keys(&login),
            [
                "login.name",
                "login.issuer",
                "login.after-logout",
                "login.scopes",
                "login.parameters",
                "login.allow-domains",
                "login.allow-emails",
                "login.allow-groups",
                "login.recheck",
                "login.client-secret",
            ]
        );
    }
}
