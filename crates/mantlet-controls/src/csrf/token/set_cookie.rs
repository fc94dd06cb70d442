//! The token's cookie on a response.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{Held, Tokens, value::Session};
use crate::{
    Scheme,
    message::{cookie, vary},
};

/// The session after this response.
enum After {
    Same,
    Changed(Session),
    Over,
}

impl Tokens {
    /// Sets, replaces or removes the cookie, as this response requires.
    pub(crate) fn set_headers<B>(&self, held: &Held, answer: &mut Response<B>) {
        // A response that confirms a stored one (304) sets nothing, and a public one must not carry
        // a user's token.
        if answer.status() == StatusCode::NOT_MODIFIED || is_shared(answer.headers()) {
            return;
        }
        let (value, session) = match self.after(held, answer.headers()) {
            After::Over => return self.remove(held, answer.headers_mut()),
            After::Same => match (held.next, &held.session) {
                (Some(next), Some(session)) => (Some(next), session.clone()),
                _ => return,
            },
            After::Changed(session) => {
                // An app may renew its session cookie with every response, and open forms must
                // survive that. So a token that only this host can have set is carried over. Under
                // a plain name the old token may have been planted.
                let kept = held
                    .next
                    .or(held.current)
                    .filter(|_| held.current.is_some() && held.scheme == Scheme::Https);
                (kept.or_else(|| self.signer.first(&session, self.clock.time())), session)
            }
        };
        let Some(value) = value else { return };
        let Some(token) = self.signer.sign(&value, &session) else { return };
        self.set(held, &format!("{token}; Path=/; SameSite=Lax"), answer.headers_mut());
    }

    fn after(&self, held: &Held, answer: &HeaderMap) -> After {
        let mut cookies = held.cookies.clone();
        let mut is_same = true;
        for set in answer.get_all(header::SET_COOKIE) {
            let Some(set) = cookie::SetCookie::parse(set.as_bytes()) else { continue };
            let Some(index) = held.names.iter().position(|name| name.as_bytes() == set.name) else {
                continue;
            };
            is_same = false;
            cookies.retain(|(known, _)| *known != index);
            if !set.is_removal(self.clock) {
                cookies.push((index, set.value.to_vec()));
            }
        }
        cookies.sort_by_key(|(index, _)| *index);
        match (is_same, cookies.is_empty()) {
            (true, _) => After::Same,
            (false, true) => After::Over,
            (false, false) => After::Changed(Session::of(&cookies)),
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
            vary::add(answer, "cookie");
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
