//! `[tls.acme]`: a certificate that is fetched.

use std::path::Path;

use mantlet_controls::config::Mistake;
use mantlet_gateway::{
    Listen,
    tls::acme::{Challenge, Settings},
};
use serde::{Deserialize, Serialize};

/// Let's Encrypt's own, and the one where nothing counts.
const PRODUCTION: &str = "https://acme-v02.api.letsencrypt.org/directory";
const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
/// The most names of one certificate that Let's Encrypt signs
/// (<https://letsencrypt.org/docs/rate-limits/>).
const MOST_DOMAINS: usize = 100;

/// The `[tls.acme]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Names of the certificate. Default empty: none is fetched.
    pub(crate) domains: Vec<String>,
    /// Whether you accept the terms of the server, which asks for it. Default no.
    pub(crate) accept_terms: bool,
    /// Where the server may write to: `mailto:` addresses. Default empty.
    pub(crate) contact: Vec<String>,
    /// The address of the server's directory. Default empty: Let's Encrypt.
    pub(crate) directory: String,
    /// Let's Encrypt's server for trying out, whose certificates no client trusts. Default no.
    pub(crate) staging: bool,
    /// The authority (PEM) of the server's own certificate. Default empty: those that this machine
    /// trusts.
    pub(crate) directory_authority: String,
    /// How the server finds out that the names are ours. Default `tls-alpn-01`.
    pub(crate) challenge: Kind,
    /// A further address to listen on, where challenges are answered and the rest is redirected.
    /// Default empty.
    pub(crate) http_listen: String,
}

/// A kind of challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// On port 443, with nothing else needed.
    #[default]
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// On port 80.
    #[serde(rename = "http-01")]
    Http01,
}

impl Config {
    /// Whether something is to be fetched.
    pub(crate) fn is_wanted(&self) -> bool {
        *self != Self::default()
    }

    /// Checks the section; `None` if nothing is to be fetched.
    pub(crate) fn check(&self, state_folder: &Path) -> Result<Option<Settings>, Vec<Mistake>> {
        if !self.is_wanted() {
            return Ok(None);
        }
        let mut mistakes = self.check_domains();
        let directory = match (self.directory.as_str(), self.staging) {
            ("", false) => PRODUCTION,
            ("", true) => STAGING,
            (own, staging) => {
                if staging {
                    mistakes.push(
                        mistake("staging", "`directory` names a server already")
                            .help("remove one of the two"),
                    );
                }
                own
            }
        };
        let Some(folder) = folder_name(directory) else {
            mistakes.push(
                mistake("directory", format!("`{directory}` is not the address of an ACME directory"))
                    .help("write the authority's directory URL: `https://HOST/PATH`"),
            );
            return Err(mistakes);
        };
        if !self.accept_terms {
            mistakes.push(
                mistake("accept-terms", "the terms of the ACME server must be accepted")
                    .help(format!("read them ({}) and write `accept-terms = true`", self.terms())),
            );
        }
        for (index, contact) in self.contact.iter().enumerate() {
            let address = contact.strip_prefix("mailto:").and_then(|address| address.split_once('@'));
            if !address.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && contact.is_ascii())
            {
                mistakes.push(
                    mistake(format!("contact[{index}]"), format!("`{contact}` is not a mail address"))
                        .help("write `mailto:ops@example.com`"),
                );
            }
        }
        if let Err(message) = self.also_listen() {
            mistakes.push(mistake("http-listen", message));
        }
        let authority = Some(&self.directory_authority).filter(|file| !file.is_empty());
        let settings = Settings {
            domains: self.names(),
            contact: self.contact.clone(),
            directory: directory.to_owned(),
            authority: authority.map(Into::into),
            challenge: match self.challenge {
                Kind::TlsAlpn01 => Challenge::TlsAlpn01,
                Kind::Http01 => Challenge::Http01,
            },
            folder: state_folder.join("acme").join(folder),
        };
        if let Err(error) = settings.check_authority() {
            mistakes.push(mistake("directory-authority", error.to_string()));
        }
        if mistakes.is_empty() { Ok(Some(settings)) } else { Err(mistakes) }
    }

    /// The further address, if there is one.
    pub(crate) fn also_listen(&self) -> Result<Option<Listen>, String> {
        match self.http_listen.as_str() {
            "" => Ok(None),
            text => match text.parse()? {
                Listen::Unix(_) => {
                    Err(format!("`{text}`: the authority cannot reach a unix socket; write `0.0.0.0:80`"))
                }
                tcp @ Listen::Tcp(_) => Ok(Some(tcp)),
            },
        }
    }

    fn check_domains(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.domains.is_empty() {
            mistakes.push(mistake("domains", "no name given").help("write `domains = [\"example.com\"]`"));
        }
        if self.domains.len() > MOST_DOMAINS {
            let message = format!("{} names are too many for one certificate", self.domains.len());
            mistakes.push(mistake("domains", message).help(format!("write at most {MOST_DOMAINS}")));
        }
        for (index, name) in self.domains.iter().enumerate() {
            if let Err((message, help)) = check_domain(name, self.directory.is_empty()) {
                mistakes.push(mistake(format!("domains[{index}]"), message).help(help));
            }
        }
        mistakes
    }

    /// In lower case, each once.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for name in &self.domains {
            let name = name.to_ascii_lowercase();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn terms(&self) -> &'static str {
        if self.directory.is_empty() {
            "https://letsencrypt.org/repository/"
        } else {
            "its directory names them"
        }
    }
}

fn mistake(key: impl AsRef<str>, message: impl Into<String>) -> Mistake {
    Mistake::new(format!("tls.acme.{}", key.as_ref()), message)
}

/// Whether it is a name for which a certificate can be fetched; a public server wants one that the
/// world knows.
fn check_domain(name: &str, is_public: bool) -> Result<(), (String, &'static str)> {
    if name.contains('*') {
        let message = format!("`{name}`: a wildcard needs DNS-01, which is not supported");
        return Err((message, "write each name, or name a certificate with `tls.certificate`"));
    }
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Err((format!("`{name}` is an address"), "write a name that resolves to it"));
    }
    if !name.is_ascii() {
        return Err((format!("`{name}` is not in ASCII"), "write it as in DNS: `xn--…`"));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        let help = "write `example.com`, without scheme, port or final dot";
        return Err((format!("`{name}` is not a domain name"), help));
    }
    if is_public && !name.contains('.') {
        let help = "for development use `tls.dev`; name a private server with `directory`";
        return Err((
            format!("`{name}`: Let's Encrypt issues no certificate for a name without a dot"),
            help,
        ));
    }
    Ok(())
}

/// A folder for a server, after its address: certificates of one are not those of another.
fn folder_name(directory: &str) -> Option<String> {
    let uri: http::Uri = directory.parse().ok()?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https"))?;
    let name = format!("{authority}{}", uri.path());
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    Some(name.trim_matches(['-', '.']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(config: &Config) -> Vec<String> {
        let found = config.check(Path::new("state")).err().unwrap_or_default();
        found.into_iter().map(|mistake| mistake.key).collect()
    }

    fn of(domains: &[&str]) -> Config {
        let domains = domains.iter().map(|&domain| domain.to_owned()).collect();
        Config { domains, accept_terms: true, ..Config::default() }
    }

    #[test]
    fn only_names_that_can_be_proved() {
        assert_eq!(
            mistakes(&of(&["shop.example.com", "EXAMPLE.com", "xn--bcher-kva.example", "a-1.b.c"])),
            [""; 0]
        );
        for bad in [
            "*.example.com",
            "192.0.2.1",
            "::1",
            "bücher.example",
            "https://example.com",
            "example.com:443",
            "example.com.",
            "",
            "-a.example",
            "a_b.example",
            "localhost",
            "a..b",
        ] {
            assert_eq!(mistakes(&of(&["example.com", bad])), ["tls.acme.domains[1]"], "{bad}");
        }
        let private = Config { directory: "https://ca.internal/acme".into(), ..of(&["gate"]) };
        assert_eq!(mistakes(&private), [""; 0]);
    }

    #[test]
    fn terms_are_accepted_by_a_person_and_mistakes_are_told_together() {
        let config =
            Config { accept_terms: false, contact: vec!["ops@example.com".into()], ..of(&["example.com"]) };
        assert_eq!(mistakes(&config), ["tls.acme.accept-terms", "tls.acme.contact[0]"]);
        let config = Config { staging: true, directory: "https://ca.example/dir".into(), ..of(&[]) };
        assert_eq!(mistakes(&config), ["tls.acme.domains", "tls.acme.staging"]);
        for bad in ["http://ca.example/dir", "ca.example", "https:///dir", "dir"] {
            assert_eq!(
                mistakes(&Config { directory: bad.into(), ..of(&["a.b"]) }),
                ["tls.acme.directory"],
                "{bad}"
            );
        }
        for bad in ["unix:/run/a", "80", "example.com:80"] {
            assert_eq!(
                mistakes(&Config { http_listen: bad.into(), ..of(&["a.b"]) }),
                ["tls.acme.http-listen"],
                "{bad}"
            );
        }
    }

    #[test]
    fn each_server_has_a_folder_of_its_own() {
        let folder = |config: Config| config.check(Path::new("state")).unwrap().unwrap().folder;
        let (names, at) = (|| of(&["A.example", "a.example"]), |url: &str| url.to_owned());
        let folders = [
            folder(names()),
            folder(Config { staging: true, ..names() }),
            folder(Config { directory: at("https://127.0.0.1:14000/dir"), ..names() }),
            folder(Config { directory: at("https://ca.example/../.."), ..names() }),
        ];
        let expected = [
            "state/acme/acme-v02.api.letsencrypt.org-directory",
            "state/acme/acme-staging-v02.api.letsencrypt.org-directory",
            "state/acme/127.0.0.1-14000-dir",
            "state/acme/ca.example",
        ];
        for (folder, expected) in folders.iter().zip(expected) {
            assert_eq!(folder, Path::new(expected));
        }
        assert_eq!(names().check(Path::new("state")).unwrap().unwrap().domains, ["a.example"]);
    }
}
