//! The ends of sessions.

use super::{Found, Sign, are_neutral, contains, credential, credential_or_login, shown, sign};
use crate::sensitive::{
    Evidence,
    sessions::{
        CredentialPlace, SessionRole,
        subject::Subject,
        words::{
            ALL, LOGOUT, OTHERS, REVOKE, TOKENS, is_neutral, is_of_authentication, is_of_people,
            may_follow_logout,
        },
    },
};

const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];

type Ending = (SessionRole, Evidence, String);

pub(super) fn logout(subject: &Subject<'_>) -> Vec<Found> {
    if subject.path_names_one() || !subject.has_method(METHODS) {
        return Vec::new();
    }
    let tokens = subject.tokens();
    let (endings, methods): (_, &'static [&'static str]) =
        if let Some(sign) = sign(subject, &LOGOUT, may_follow_logout) {
            (end(subject, &sign, &tokens), METHODS)
        } else if let Some(sign) = sign(subject, &REVOKE, may_follow_logout) {
            (revoke(subject, &sign, &tokens).into_iter().collect(), METHODS)
        } else if subject.has_method(&["DELETE"]) {
            (delete(subject, &tokens), &["DELETE"])
        } else {
            return Vec::new();
        };
    let found = |(role, evidence, why)| {
        let places = if role == SessionRole::Logout { tokens.clone() } else { Vec::new() };
        Found { role, evidence, why, places, only_if_present: false, methods }
    };
    endings.into_iter().map(found).collect()
}

/// `/logout`, `/logout/all`.
fn end(subject: &Subject<'_>, sign: &Sign, tokens: &[CredentialPlace]) -> Vec<Ending> {
    let is_of_caller = !subject.takes_id() && !subject.takes_account();
    let agrees = credential_or_login(subject, tokens).filter(|_| sign.is_neutral() && is_of_caller);
    let (evidence, why) = shown(sign.why.clone(), agrees);
    let (is_all, is_others) = (sign.says(&ALL), sign.says(&OTHERS));
    let mut found = Vec::new();
    if !is_others {
        found.push((SessionRole::Logout, evidence, why.clone()));
    }
    if is_all || is_others {
        found.push((SessionRole::LogoutElsewhere, evidence, why));
    }
    found
}

/// `/token/revoke`. Consents, keys and devices are revoked as well.
fn revoke(subject: &Subject<'_>, sign: &Sign, tokens: &[CredentialPlace]) -> Option<Ending> {
    if subject.takes_id() || subject.takes_account() {
        return None;
    }
    let fits = |word: &String| is_neutral(word) || may_follow_logout(word) || REVOKE.contains(&word.as_str());
    let is_of_devices = contains(&subject.words, &["device", "devices"]);
    let is_neutral = sign.is_neutral() && !is_of_devices && subject.name.iter().all(fits);
    if !is_neutral && !sign.is_in_path {
        return None;
    }
    if !tokens.is_empty() {
        let agrees = credential(subject, tokens).filter(|_| is_neutral);
        let (evidence, why) = shown(sign.why.clone(), agrees);
        return Some((SessionRole::Logout, evidence, why));
    }
    let is_all = sign.says(&ALL) || sign.says(&OTHERS);
    let is_one = !is_all && !contains(&subject.words, &["sessions", "tokens"]);
    let is_of_tokens = contains(&subject.words, &TOKENS) || contains(&subject.name, &TOKENS);
    let is_clear = is_neutral && is_of_tokens && (is_all || is_one) && takes_nothing(subject);
    let (evidence, why) = shown(sign.why.clone(), subject.session().filter(|_| is_clear));
    let role = if is_one { SessionRole::Logout } else { SessionRole::LogoutElsewhere };
    Some((role, evidence, why))
}

/// `DELETE /auth/session`. Chats and models have sessions and tokens as well.
fn delete(subject: &Subject<'_>, tokens: &[CredentialPlace]) -> Vec<Ending> {
    let mut words = subject.words.clone();
    while words.last().is_some_and(|word| matches!(word.as_str(), "current" | "me" | "my")) {
        words.pop();
    }
    let is_own = words.len() < subject.words.len();
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let is_of_one = subject.takes_id() || subject.takes_account();
    let takes_more = tokens.is_empty() && !takes_nothing(subject);
    if !TOKENS.contains(&last.as_str()) || is_of_one || takes_more {
        return Vec::new();
    }
    let is_session = last.starts_with("session");
    let says = |word: &String| is_of_authentication(word) || (is_session && is_of_people(word));
    let is_of_callers = subject.at_login || subject.above.iter().chain(before).any(says);
    let at_login = || subject.at_login.then(|| "the login has the same path".to_owned());
    let agrees = credential(subject, tokens).or_else(at_login);
    let agrees = agrees.filter(|_| is_of_callers && are_neutral(before));
    if agrees.is_none() && subject.session().is_none() {
        return Vec::new();
    }
    let (evidence, why) = shown(format!("it deletes `{last}`"), agrees);
    if is_own || !matches!(last.as_str(), "sessions" | "tokens") {
        return vec![(SessionRole::Logout, evidence, why)];
    }
    // Where the login makes one of them, the caller's own is deleted, and perhaps all of them.
    if subject.at_login {
        return vec![
            (SessionRole::Logout, evidence, why.clone()),
            (SessionRole::LogoutElsewhere, Evidence::Word, why),
        ];
    }
    // Tokens may be keys that people have made for programs.
    let evidence = if is_session { evidence } else { Evidence::Word };
    vec![(SessionRole::LogoutElsewhere, evidence, why)]
}

/// Whether it takes no text and no number. A flag may be there: `except_current`.
fn takes_nothing(subject: &Subject<'_>) -> bool {
    subject.inputs().next().is_none()
}
