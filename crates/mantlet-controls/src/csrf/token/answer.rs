//! The token's cookie on an answer.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{Held, Tokens, session_id, value::Value};
use crate::{Scheme, cookie};

/// The session after this answer.
enum After {
    Same,
    Changed(Vec<(usize, Vec<u8>)>),
    Over,
}

impl Tokens {
    /// Sets, replaces or removes the cookie, as this answer makes it necessary.
    pub(crate) fn dress<B>(&self, held: &Held, answer: &mut Response<B>) {
        // A stored answer that is only confirmed sets nothing; one for everybody must not carry what is one user's.
        if answer.status() == StatusCode::NOT_MODIFIED || is_shared(answer.headers()) {
            return;
        }
        let (value, session) = match self.after(held, answer.headers()) {
            After::Over => return self.remove(held, answer.headers_mut()),
            After::Same => match held.next {
                Some(next) => (next, session_id(&held.session)),
                None => return,
            },
            After::Changed(session) => {
                // An app may renew its session cookie with every answer, and forms that are open must outlive that. What
                // changes something, a login above all, gets a nonce that nobody knew before.
                let kept = held.next.or(held.current).filter(|_| held.is_safe);
                let renewed = || match &held.current {
                    Some(current) => self.signer.successor(current),
                    None => Value::new(),
                };
                let Some(value) = kept.or_else(renewed) else { return };
                (value, session_id(&session))
            }
        };
        let Some(token) = self.signer.sign(&value, &session) else { return };
        self.set(held, &format!("{token}; Path=/; SameSite=Lax"), answer.headers_mut());
    }

    fn after(&self, held: &Held, answer: &HeaderMap) -> After {
        let mut session = held.session.clone();
        let mut is_same = true;
        for set in answer.get_all(header::SET_COOKIE) {
            let Some(set) = cookie::SetCookie::parse(set.as_bytes()) else { continue };
            let Some(index) = self.session_cookies.iter().position(|name| name.as_bytes() == set.name) else {
                continue;
            };
            is_same = false;
            session.retain(|(known, _)| *known != index);
            if !set.is_removal() {
                session.push((index, set.value.to_vec()));
            }
        }
        session.sort_by_key(|(index, _)| *index);
        match (is_same, session.is_empty()) {
            (true, _) => After::Same,
            (false, true) => After::Over,
            (false, false) => After::Changed(session),
        }
    }

    fn remove(&self, held: &Held, answer: &mut HeaderMap) {
        if held.current.is_some() {
            self.set(held, "; Path=/; Max-Age=0", answer);
        }
    }

    fn set(&self, held: &Held, rest: &str, answer: &mut HeaderMap) {
        let secure = if held.scheme == Scheme::Https { "; Secure" } else { "" };
        let line = format!("{}={rest}{secure}", self.cookie_name(held.scheme));
        if let Ok(line) = HeaderValue::try_from(line) {
            answer.append(header::SET_COOKIE, line);
            answer.append(header::VARY, HeaderValue::from_static("cookie"));
        }
    }
}

fn is_shared(answer: &HeaderMap) -> bool {
    answer.get_all(header::CACHE_CONTROL).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|directive| {
            let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default();
            name.eq_ignore_ascii_case(b"public") || name.eq_ignore_ascii_case(b"s-maxage")
        })
    })
}
