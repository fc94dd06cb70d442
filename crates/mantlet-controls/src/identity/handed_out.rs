//! The tokens in an answer that hands them out.

use serde_json::Value;

use crate::token::has_its_form;

/// How deep in an answer a token is looked for.
const DEEPEST: usize = 4;
/// Members that hold a token of a caller.
const ACCESS: [&str; 12] = [
    "access_token",
    "token",
    "id_token",
    "accessToken",
    "jwt",
    "idToken",
    "access",
    "auth_token",
    "authToken",
    "session_token",
    "sessionToken",
    "jwt_token",
];
/// Members that hold a token for new tokens.
const REFRESH: [&str; 3] = ["refresh_token", "refreshToken", "refresh"];
/// Bytes of the shortest text that is taken for a token: 96 bits in base64. Else `access` is a role.
const SHORTEST: usize = 16;

/// What a text of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenUse {
    /// By its name it says who calls.
    Access,
    /// By its name it is good for new tokens.
    Refresh,
    /// It has the form of a token, under another name.
    Other,
}

/// The tokens in an answer, and what each is.
pub(crate) fn tokens_in(answer: &Value) -> Vec<(TokenUse, &str)> {
    let mut found = Vec::new();
    look(answer, DEEPEST, &mut found);
    found
}

fn look<'v>(value: &'v Value, depth: usize, found: &mut Vec<(TokenUse, &'v str)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) => found.extend(use_of(name, text).map(|own| (own, &**text))),
                    Value::Object(_) | Value::Array(_) if depth > 1 => look(value, depth - 1, found),
                    _ => {}
                }
            }
        }
        Value::Array(items) if depth > 1 => items.iter().for_each(|item| look(item, depth - 1, found)),
        _ => {}
    }
}

fn use_of(name: &str, text: &str) -> Option<TokenUse> {
    if text.len() < SHORTEST {
        None
    } else if ACCESS.contains(&name) {
        Some(TokenUse::Access)
    } else if REFRESH.contains(&name) {
        Some(TokenUse::Refresh)
    } else {
        has_its_form(text).then_some(TokenUse::Other)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{TokenUse::*, *};

    #[test]
    fn tokens_are_known_by_their_names_or_by_their_form() {
        let signed = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlLi4u";
        let opaque = "n0t-signed-but-long-enough";
        for (answer, expected) in [
            (json!({ "access_token": opaque, "token_type": "bearer" }), vec![(Access, opaque)]),
            (json!({ "access": opaque, "refresh": signed }), vec![(Access, opaque), (Refresh, signed)]),
            (json!({ "access": "admin", "refresh": "daily", "token": "short" }), vec![]),
            (json!({ "data": { "credentials": [{ "jwt": signed }] } }), vec![(Access, signed)]),
            (json!([{ "token": opaque }]), vec![(Access, opaque)]),
            (json!({ "ticket": signed, "note": opaque }), vec![(Other, signed)]),
            (json!({ "a": { "b": { "c": { "d": { "token": opaque } } } } }), vec![]),
            (json!(signed), vec![]),
        ] {
            assert_eq!(tokens_in(&answer), expected, "{answer}");
        }
    }
}
