//! New tokens for old ones.

use regex::Regex;
use serde_json::Value as Json;

use super::{Found, contains, credential_or_login, shown, sign};
use crate::{
    model::{Shape, ShapeId},
    sensitive::{
        Evidence,
        sessions::{
            SessionRole,
            subject::Subject,
            words::{NOT_REFRESH, REFRESH, is_neutral, may_follow_refresh, password},
        },
        words::simple,
    },
};

const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH"];
/// Shapes around a text that are looked through.
const DEEPEST: usize = 8;

pub(super) fn refresh(subject: &Subject<'_>) -> Option<Found> {
    if !subject.has_method(METHODS) || subject.path_names_one() {
        return None;
    }
    let found = |evidence, why, places, only_if_present| {
        let role = SessionRole::Refresh;
        Some(Found { role, evidence, why, places, only_if_present, methods: METHODS })
    };
    let tokens = subject.refresh_tokens();
    if !tokens.is_empty() && grants(subject) {
        let why = "its `grant_type` may be `refresh_token` (RFC 6749)".to_owned();
        return found(Evidence::Known, why, tokens, true);
    }
    if contains(&subject.words, &NOT_REFRESH) {
        return None;
    }
    let Some(sign) = sign(subject, &REFRESH, may_follow_refresh) else {
        // `POST /token` with a refresh token and without a password.
        let first = tokens.first().filter(|_| is_token_endpoint(subject))?;
        let why = format!("its path ends in `{}`; it takes `{first}`", subject.last);
        return found(Evidence::Known, why, tokens, false);
    };
    let tokens = if tokens.is_empty() { subject.tokens() } else { tokens };
    if let Some(first) = tokens.first() {
        let why = format!("{}; it takes `{first}`", sign.why);
        return found(Evidence::Known, why, tokens, false);
    }
    // The token is the caller's own credential, or it is in a cookie that is not declared.
    let fits =
        |word: &String| is_neutral(word) || may_follow_refresh(word) || REFRESH.contains(&word.as_str());
    let is_neutral = sign.is_neutral() && subject.name.iter().all(fits);
    if !is_neutral && !sign.is_in_path {
        return None;
    }
    let takes_nothing = subject.inputs().all(|taken| taken.is(is_of_client));
    let agrees = credential_or_login(subject, &[]).filter(|_| is_neutral && takes_nothing);
    let (evidence, why) = shown(sign.why, agrees);
    found(evidence, why, Vec::new(), false)
}

fn is_token_endpoint(subject: &Subject<'_>) -> bool {
    let is_of_tokens = subject.words.last().is_some_and(|word| matches!(word.as_str(), "token" | "tokens"));
    let has_password = subject.values().any(|taken| taken.is(|name| password(name).is_some()));
    is_of_tokens && !has_password && subject.has_method(&["POST", "PUT"])
}

/// What a client says of itself when it asks for a token (RFC 6749).
fn is_of_client(name: &str) -> bool {
    matches!(
        simple(name).as_str(),
        "clientid" | "clientsecret" | "deviceid" | "fingerprint" | "granttype" | "scope"
    )
}

/// Whether `grant_type` may be `refresh_token`.
fn grants(subject: &Subject<'_>) -> bool {
    let mut all = subject.taken.iter().filter(|taken| taken.is(|name| simple(name) == "granttype"));
    all.any(|taken| taken.shape.is_none_or(|id| admits(subject.shapes, id, "refresh_token", DEEPEST)))
}

/// Whether a text may fit a shape.
fn admits(shapes: &[Shape], id: ShapeId, text: &str, deepest: usize) -> bool {
    let (Some(shape), Some(deepest)) = (shapes.get(id.0 as usize), deepest.checked_sub(1)) else {
        return false;
    };
    let is_text = |value: &Json| value == text;
    match shape {
        Shape::Str { pattern: Some(pattern), .. } => {
            pattern.contains(text) || Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
        }
        Shape::Any | Shape::Opaque { .. } | Shape::Str { .. } => true,
        Shape::Literal { expected } => expected.iter().any(is_text),
        Shape::Enum { values, has_missing, .. } => *has_missing || values.iter().any(is_text),
        Shape::Nullable { inner }
        | Shape::WithDefault { inner }
        | Shape::Then { inner, .. }
        | Shape::CustomError { inner, .. } => admits(shapes, *inner, text, deepest),
        Shape::Union { choices, .. } => choices.iter().any(|one| admits(shapes, *one, text, deepest)),
        _ => false,
    }
}
