//! An attempt under way, which its response decides.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::throttle::{
    Key, Store,
    attempts::{Certainty, delays::Attempts},
    rate::Table,
    rules::Counter,
    store::AttemptOutcome,
};

/// Where an attempt is counted.
#[derive(Debug)]
pub(in crate::throttle) struct Charge {
    pub(in crate::throttle) counter: Counter,
    pub(in crate::throttle) key: Key,
    /// Whether failures alone count there.
    pub(in crate::throttle) of_failures: bool,
}

/// The account that an attempt names.
#[derive(Debug, Clone, Copy)]
pub(in crate::throttle) struct NamedAccount {
    /// As it was counted.
    pub(in crate::throttle) account: Key,
    /// Whose failures a success makes forgotten.
    pub(in crate::throttle) freed: Key,
    /// The account, for strangers.
    pub(in crate::throttle) stranger: Key,
    /// The account and the address.
    pub(in crate::throttle) pair: Key,
}

/// The meaning of a response for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Failed,
    Succeeded,
    /// Neither.
    Unclear,
}

impl End {
    /// Pages redirect: back to themselves if it was in vain, elsewhere and with a session if not.
    fn of(status: StatusCode, headers: &HeaderMap, path: &str, certainty: Certainty) -> Self {
        match status {
            // What was wrong may be anything.
            StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN if certainty == Certainty::ByAnswer => {
                Self::Unclear
            }
            _ if status.is_redirection() && certainty == Certainty::ByAnswer => Self::Unclear,
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Failed,
            _ if status.is_success() => Self::Succeeded,
            _ if status.is_redirection() => {
                let location = headers.get(header::LOCATION).map_or(&b""[..], HeaderValue::as_bytes);
                let location = String::from_utf8_lossy(location).to_lowercase();
                let (target, query) = location.split_once('?').unwrap_or((&location, ""));
                let says = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
                let is_back = target.ends_with(&path.to_lowercase()) || says(target, &["login", "signin"]);
                if is_back || says(query, &["error", "fail", "invalid"]) {
                    Self::Failed
                } else if headers.contains_key(header::SET_COOKIE) {
                    Self::Succeeded
                } else {
                    Self::Unclear
                }
            }
            _ => Self::Unclear,
        }
    }
}

/// An attempt under way, which its response decides.
pub(crate) struct Attempt {
    pub(in crate::throttle) attempts: Attempts,
    pub(in crate::throttle) store: Option<Arc<dyn Store>>,
    pub(in crate::throttle) certainty: Certainty,
    /// Where it is remembered that the operation has answered 401.
    pub(in crate::throttle) learns: Option<(Arc<Table>, Key)>,
    /// Counted before the response is known, so that many at once cannot exceed the rule; given
    /// back if it was not a failure.
    pub(in crate::throttle) counted: Vec<Charge>,
    pub(in crate::throttle) accounts: Vec<NamedAccount>,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("counted", &self.counted).finish_non_exhaustive()
    }
}

/// Whether an answer says that a login, or what is like one, has succeeded; none if that is not clear.
pub(crate) fn has_succeeded(status: StatusCode, headers: &HeaderMap, path: &str) -> Option<bool> {
    match End::of(status, headers, path, Certainty::Known) {
        End::Failed => Some(false),
        End::Succeeded => Some(true),
        End::Unclear => None,
    }
}

impl Attempt {
    /// Learns how it ended, at this path.
    pub(crate) fn ended(&self, status: StatusCode, headers: &HeaderMap, path: &str) {
        if let Some((proven, operation)) = self.learns.as_ref().filter(|_| status == StatusCode::UNAUTHORIZED)
        {
            proven.change(proven.key(operation), |_| Some(1));
        }
        let end = End::of(status, headers, path, self.certainty);
        if end != End::Failed {
            self.unanswered(false);
        }
        match (end, &*self.accounts) {
            (End::Failed, accounts) => {
                for NamedAccount { account, .. } in accounts {
                    self.attempts.failed(*account);
                    self.tell(AttemptOutcome::Failed(*account));
                }
            }
            (End::Succeeded, [NamedAccount { freed, stranger, pair, .. }]) => {
                self.attempts.succeeded(*freed, *stranger, *pair);
                self.tell(AttemptOutcome::Succeeded { counted: *freed, account: *stranger, pair: *pair });
            }
            // Of several, which of them it was is not known: the others may be those of other people.
            (End::Succeeded | End::Unclear, _) => {}
        }
    }

    /// Takes back what is not to count: everything if the app has not seen it, else what counts failures alone.
    pub(crate) fn unanswered(&self, unseen: bool) {
        let back = || self.counted.iter().filter(|charge| unseen || charge.of_failures);
        for Charge { counter, key, .. } in back() {
            counter.give_back(*key);
        }
        let told: Vec<_> = back()
            .map(|Charge { counter, key, .. }| (Arc::clone(&counter.name), *key, counter.rate))
            .collect();
        if !told.is_empty() {
            self.tell(AttemptOutcome::GiveBack(told));
        }
    }

    fn tell(&self, outcome: AttemptOutcome) {
        if let Some(store) = &self.store {
            store.learn(Arc::clone(&self.attempts.purpose), outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_whether_an_attempt_was_in_vain() {
        for (status, location, cookie, expected) in [
            (200, None, false, End::Succeeded),
            (401, None, true, End::Failed),
            (422, None, false, End::Unclear),
            (303, Some("/login?error=1"), true, End::Failed),
            (302, Some("https://shop.example/auth/Session"), false, End::Failed),
            (303, Some("/?login=failed"), false, End::Failed),
            (303, Some("/account"), true, End::Succeeded),
            (303, Some("/account"), false, End::Unclear),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(location.map(|to| (header::LOCATION, HeaderValue::from_static(to))));
            headers.extend(cookie.then_some((header::SET_COOKIE, HeaderValue::from_static("session=1"))));
            let status = StatusCode::from_u16(status).unwrap();
            let end = |certainty| End::of(status, &headers, "/auth/session", certainty);
            assert_eq!(end(Certainty::Known), expected, "{status} {location:?} {cookie}");
            // If only the inputs show that it is a login, the response must confirm it.
            let by_answer = if status.is_success() || status == 401 { expected } else { End::Unclear };
            assert_eq!(end(Certainty::ByAnswer), by_answer, "{status} {location:?} {cookie}");
        }
    }
}
