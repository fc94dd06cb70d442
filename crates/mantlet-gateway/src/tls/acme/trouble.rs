//! What went wrong, in words for the operator.

use std::{io, path::Path, time::Duration};

use instant_acme::{Error, Problem};

use super::{Challenge, Settings, client::Fault};

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub help: String,
    /// The server could not reach us under a name. The reason may be where the gate listens.
    pub not_found: bool,
    /// The server refused, and frequent attempts would use up its limits.
    pub(super) refused: bool,
    /// How long the server wants us to wait.
    pub(super) retry_after: Option<Duration>,
}

impl Trouble {
    pub(super) fn new(refused: bool, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into(), not_found: false, refused, retry_after: None }
    }

    /// The folder cannot be written, so no certificate is requested: it could not be kept.
    pub(super) fn folder(folder: &Path, error: &io::Error) -> Self {
        let what = format!("`{}` cannot be written: {error}", folder.display());
        Self::new(true, what, "make it writable, or name another folder with `state-folder`")
    }

    pub(super) fn of(error: Error, settings: &Settings) -> Self {
        let directory = &settings.directory;
        match error {
            Error::Api(problem) => Self::of_problem(&problem, settings),
            Error::Other(error) if error.is::<Fault>() => Self::unreached(directory, &error.to_string()),
            Error::Json(_) => Self::new(
                false,
                format!("{directory} does not respond like an ACME server"),
                "check that this is the address of the server's directory",
            ),
            Error::Timeout(_) => {
                Self::new(true, format!("{directory} did not finish in time"), "see its status page")
            }
            error => Self::new(true, format!("{directory}: {error}"), "see its status page"),
        }
    }

    fn unreached(directory: &str, fault: &str) -> Self {
        match fault.strip_prefix("invalid peer certificate: ") {
            Some(reason) => Self::new(
                false,
                format!("{directory} presents a certificate that this machine does not trust ({reason})"),
                "if it is your own server, name the authority of its certificate with `directory-authority`",
            ),
            None => Self::new(
                false,
                format!("{directory} cannot be reached: {fault}"),
                "check the address, and that this machine may connect to it",
            ),
        }
    }

    fn of_problem(problem: &Problem, settings: &Settings) -> Self {
        let what = format!("{} refused the request: {}", settings.directory, text_of(problem));
        let kind = problem.r#type.as_deref().unwrap_or_default();
        let help = match kind.rsplit(':').next().unwrap_or_default() {
            "rateLimited" => "its rate limit is reached; see its documentation (Let's Encrypt: \
                              https://letsencrypt.org/docs/rate-limits/)"
                .to_owned(),
            "rejectedIdentifier" => {
                "it does not issue certificates for this name; correct `domains`".to_owned()
            }
            "unsupportedContact" | "invalidContact" => "correct `contact`".to_owned(),
            "externalAccountRequired" => {
                "it requires external account binding, which Mantlet does not support; use another server"
                    .to_owned()
            }
            "userActionRequired" => {
                "it has new terms that must be accepted first; see its documentation".to_owned()
            }
            "caa" => "a CAA record in the DNS forbids it; allow this authority there".to_owned(),
            "connection" | "dns" | "tls" | "unauthorized" | "incorrectResponse" => {
                return Self { not_found: true, ..Self::new(true, what, reach(settings)) };
            }
            _ => "see its status page".to_owned(),
        };
        // A nonce that is refused repeatedly is not our fault, and no limit counts it.
        Self::new(!kind.ends_with(":badNonce"), what, help)
    }

    /// Some names could not be validated.
    pub(super) fn not_validated(failed: &[(String, Problem)], settings: &Settings) -> Self {
        let each: Vec<_> =
            failed.iter().map(|(name, problem)| format!("{name}: {}", text_of(problem))).collect();
        let what = format!("{} could not validate {}", settings.directory, each.join("; "));
        Self { not_found: true, ..Self::new(true, what, reach(settings)) }
    }
}

fn text_of(problem: &Problem) -> String {
    let text = problem.detail.clone().or_else(|| problem.r#type.clone());
    let parts = problem.subproblems.iter().map(ToString::to_string);
    let all: Vec<_> = text.into_iter().chain(parts).collect();
    if all.is_empty() { "it gives no reason".to_owned() } else { all.join("; ") }
}

/// What the server needs to reach us.
fn reach(settings: &Settings) -> String {
    let (port, protocol) = match settings.challenge {
        Challenge::TlsAlpn01 => (443, "TLS that is not terminated on the way"),
        Challenge::Http01 => (80, "HTTP"),
    };
    format!(
        "check that the A and AAAA records of each name point to this machine, and that port {port} is open from outside \
         and forwarded to this gate ({protocol})."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_something_to_do_about_it() {
        let settings = Settings {
            domains: vec!["a.example".into()],
            contact: Vec::new(),
            directory: "https://ca.example/dir".into(),
            authority: None,
            challenge: Challenge::Http01,
            folder: "state".into(),
        };
        let check = |kind: &str, refused: bool, not_found: bool, help: &str| {
            let problem = format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"because"}}"#);
            let trouble = Trouble::of(Error::Api(serde_json::from_str(&problem).unwrap()), &settings);
            assert_eq!(trouble.what, "https://ca.example/dir refused the request: because", "{kind}");
            assert_eq!((trouble.refused, trouble.not_found), (refused, not_found), "{kind}");
            assert!(trouble.help.contains(help), "{kind}: {}", trouble.help);
        };
        check("rateLimited", true, false, "https://letsencrypt.org/docs/rate-limits/");
        check("rejectedIdentifier", true, false, "correct `domains`");
        check("invalidContact", true, false, "correct `contact`");
        check("externalAccountRequired", true, false, "external account binding");
        check("caa", true, false, "CAA record");
        check("connection", true, true, "port 80");
        check("badNonce", false, false, "status page");
        check("serverInternal", true, false, "status page");
    }
}
