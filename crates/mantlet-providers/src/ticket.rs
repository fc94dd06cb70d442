//! A login that has begun, in a cookie of its own: sealed, so that its browser can neither read nor change it, and bound to
//! its state and provider. So several tabs can log in at once, and nothing is kept here for a login that is never ended.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use mantlet_accounts::{Fault, SealingKeys};
use serde::{Deserialize, Serialize};

use crate::{
    settings::Checked,
    texts::{cookie, cookies, set_cookie},
};

/// How long a login may take.
pub(crate) const LASTS: Duration = Duration::from_mins(10);
/// Logins of one browser that have begun. Browsers send all of their cookies with each request.
const MOST: usize = 8;
const NAME: &str = "login-";
/// Characters of the state in the name of its cookie.
const NAMED: usize = 12;

/// What has to be known at the end of a login.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub(crate) nonce: String,
    /// Of PKCE.
    pub(crate) verifier: String,
    /// Where the login leads.
    pub(crate) next: String,
    /// In seconds since 1970.
    pub(crate) begun: i64,
}

impl Ticket {
    /// Whether the login took too long. A clock that was put back ends none.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        let age = now.as_second().saturating_sub(self.begun);
        u64::try_from(age).unwrap_or(0) >= LASTS.as_secs()
    }

    /// The lines that keep it in its browser. Where too many logins have begun, the oldest are forgotten.
    pub(crate) fn keep(
        &self,
        keys: &SealingKeys,
        (prefix, settings): (&str, &Checked),
        state: &str,
        headers: &HeaderMap,
    ) -> Result<Vec<HeaderValue>, Fault> {
        let text = serde_json::to_vec(self).map_err(|_| Fault::Failed("writing a login"))?;
        let sealed = keys.seal(&purpose(settings, state), &text)?;
        let begun: Vec<_> =
            cookies(headers).map(|(name, _)| name).filter(|name| is_one(prefix, name)).collect();
        let too_many = (begun.len() + 1).saturating_sub(MOST);
        let forgotten = begun.into_iter().take(too_many).filter_map(|name| set_cookie(name, "", 0));
        Ok(set_cookie(&name(prefix, state), &sealed, LASTS.as_secs()).into_iter().chain(forgotten).collect())
    }

    /// The login of a state, if this browser has begun it.
    pub(crate) fn find(
        keys: &SealingKeys,
        (prefix, settings): (&str, &Checked),
        state: &str,
        headers: &HeaderMap,
    ) -> Option<Self> {
        let text = keys.open(&purpose(settings, state), cookie(headers, &name(prefix, state))?).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// The line that forgets a login.
pub(crate) fn forget(prefix: &str, state: &str) -> Option<HeaderValue> {
    let name = name(prefix, state);
    is_one(prefix, &name).then(|| set_cookie(&name, "", 0)).flatten()
}

/// It opens for the same provider, app and state alone.
fn purpose(settings: &Checked, state: &str) -> String {
    let Checked { name, issuer, client_id, .. } = settings;
    format!("login {name} {issuer} {client_id} {state}")
}

fn name(prefix: &str, state: &str) -> String {
    format!("{prefix}{NAME}{}", state.chars().take(NAMED).collect::<String>())
}

/// A name that we have made: the state of a request may be anything.
fn is_one(prefix: &str, name: &str) -> bool {
    let rest = name.strip_prefix(prefix).and_then(|name| name.strip_prefix(NAME));
    rest.is_some_and(|rest| {
        rest.len() == NAMED && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use http::header::COOKIE;

    use super::*;
    use crate::{
        settings::{Login, check},
        texts::HOST,
    };

    fn settings(name: &str) -> Checked {
        let login = Login {
            name: name.into(),
            issuer: "https://id.example".into(),
            client_id: "app".into(),
            ..Login::default()
        };
        check(&[login]).unwrap().remove(0)
    }

    fn ticket() -> Ticket {
        Ticket { nonce: "n".into(), verifier: "v".into(), next: "/a".into(), begun: 1_000 }
    }

    /// What a browser sends after it was given these lines.
    fn sent(lines: &[HeaderValue]) -> HeaderMap {
        let pairs = lines.iter().filter_map(|line| line.to_str().unwrap().split(';').next());
        let pairs: Vec<_> = pairs.filter(|pair| !pair.ends_with('=')).collect();
        HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(pairs.join("; ")).unwrap())])
    }

    #[test]
    fn a_login_is_found_by_its_state_at_its_provider() {
        let folder = tempfile::tempdir().unwrap();
        let keys = SealingKeys::of_file(&folder.path().join("key")).unwrap();
        let (one, other) = (settings("one"), settings("other"));
        let state = "A".repeat(43);
        let headers = sent(&ticket().keep(&keys, (HOST, &one), &state, &HeaderMap::new()).unwrap());
        let found = Ticket::find(&keys, (HOST, &one), &state, &headers).unwrap();
        assert_eq!((&*found.nonce, &*found.verifier, &*found.next), ("n", "v", "/a"));
        assert!(Ticket::find(&keys, (HOST, &other), &state, &headers).is_none());
        // The same cookie, another state.
        let similar = format!("{}B", "A".repeat(42));
        assert!(Ticket::find(&keys, (HOST, &one), &similar, &headers).is_none());
        assert!(Ticket::find(&keys, (HOST, &one), &state, &HeaderMap::new()).is_none());
        let other_keys = SealingKeys::of_file(&folder.path().join("other")).unwrap();
        assert!(Ticket::find(&other_keys, (HOST, &one), &state, &headers).is_none());
    }

    #[test]
    fn the_oldest_of_too_many_logins_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let keys = SealingKeys::of_file(&folder.path().join("key")).unwrap();
        let one = settings("one");
        let mut lines = Vec::new();
        for n in 0..MOST {
            let state = format!("{n:043}");
            let state: String = state.chars().rev().collect();
            lines.extend(ticket().keep(&keys, (HOST, &one), &state, &sent(&lines)).unwrap());
        }
        assert_eq!(lines.len(), MOST, "none is forgotten yet");
        let more = ticket().keep(&keys, (HOST, &one), &"z".repeat(43), &sent(&lines)).unwrap();
        assert_eq!(more.len(), 2);
        let forgotten = more[1].to_str().unwrap();
        assert!(
            forgotten.starts_with("__Host-login-000000000000=;") && forgotten.contains("Max-Age=0"),
            "{forgotten}"
        );
    }

    #[test]
    fn it_lasts_ten_minutes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!ticket().is_over(at(1_599)));
        assert!(ticket().is_over(at(1_600)));
        assert!(!ticket().is_over(at(0)));
    }

    #[test]
    fn a_state_makes_no_line_of_its_own() {
        assert!(forget(HOST, &"A".repeat(43)).is_some());
        for bad in ["", "short", "a; Domain=evil", "a\r\nSet-Cookie: x", "äääääääääääää"] {
            assert!(forget(HOST, bad).is_none(), "{bad:?}");
        }
    }
}
