//! Words in names of fields, parameters and paths. A word chooses what is tried; it proves nothing.

pub(super) use mantlet_contract::names::{parts, simple, singular};

/// Of paths and tags that are for administrators and for nobody else.
const ADMINISTRATORS: [&str; 7] =
    ["admin", "administration", "administrator", "administrators", "admins", "backoffice", "superuser"];
/// Of paths that may be for administrators.
const STAFF: [&str; 10] = [
    "backstage",
    "console",
    "internal",
    "manage",
    "management",
    "moderation",
    "moderator",
    "ops",
    "staff",
    "superadmin",
];
/// Of fields that say what a user may do.
const ROLES: [&str; 15] = [
    "admin",
    "administrator",
    "groups",
    "moderator",
    "permission",
    "permissions",
    "privileged",
    "rank",
    "role",
    "roles",
    "scopes",
    "staff",
    "superadmin",
    "superuser",
    "tier",
];
/// Of fields that only their owner, and those whom the owner trusts, should see.
const PRIVATE: [&str; 18] = [
    "address",
    "balance",
    "birth",
    "birthdate",
    "birthday",
    "card",
    "dob",
    "email",
    "iban",
    "mail",
    "mobile",
    "passport",
    "phone",
    "salary",
    "ssn",
    "street",
    "tax",
    "vat",
];
/// Of GET operations that may do something nevertheless.
const DOING: [&str; 27] = [
    "activate",
    "approve",
    "callback",
    "cancel",
    "clear",
    "confirm",
    "delete",
    "disable",
    "enable",
    "flush",
    "logoff",
    "logout",
    "purge",
    "refresh",
    "remove",
    "reset",
    "restart",
    "revoke",
    "run",
    "send",
    "shutdown",
    "signout",
    "start",
    "stop",
    "trigger",
    "unsubscribe",
    "verify",
];
/// Fields that are the key of their own object, the surest first.
const KEYS: [&str; 10] = ["id", "uuid", "guid", "pk", "userid", "key", "slug", "number", "code", "ref"];
/// Last words of a name by which one of many is meant.
const IDS: [&str; 9] = ["code", "guid", "id", "key", "number", "pk", "ref", "slug", "uuid"];

fn has(name: &str, known: &[&str]) -> bool {
    parts(name).iter().any(|word| known.contains(&word.as_str()))
}

/// Whether a segment, a tag or a name is of administrators.
pub(super) fn is_for_administrators(name: &str) -> bool {
    has(name, &ADMINISTRATORS)
}

/// Whether a segment may be of administrators, and as well of something else.
pub(super) fn may_be_for_administrators(name: &str) -> bool {
    is_for_administrators(name) || has(name, &STAFF)
}

/// Whether a field says what a user may do.
pub(super) fn is_role(name: &str) -> bool {
    has(name, &ROLES)
}

/// Whether an object says of itself that it is for all to see.
pub(super) fn says_that_it_is_public(name: &str, value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Bool(true) => has(name, &["public", "published", "shared"]),
        serde_json::Value::String(text) => {
            has(name, &["access", "privacy", "status", "visibility"])
                && matches!(
                    text.to_ascii_lowercase().as_str(),
                    "public" | "published" | "shared" | "everyone" | "unlisted"
                )
        }
        _ => false,
    }
}

/// Whether a field is private.
pub(super) fn is_private(name: &str) -> bool {
    has(name, &PRIVATE)
}

/// Whether a GET of this segment may do something.
pub(super) fn is_doing(segment: &str) -> bool {
    has(segment, &DOING)
}

/// Whether the end of a path says that it logs in.
pub(super) fn is_login(path: &str) -> bool {
    let mut segments = path.trim_end_matches('/').rsplit('/').map(simple);
    let known =
        ["access", "authenticate", "login", "logon", "signin", "token", "tokens", "accesstoken", "jwt"];
    let last = segments.next().unwrap_or_default();
    known.iter().any(|word| last == *word || last.starts_with("login") || last.starts_with("signin"))
        || segments.next().is_some_and(|before| {
            matches!(before.as_str(), "login" | "signin") && known.contains(&last.as_str())
        })
}

/// Whether a name is that of a password, also of a new or a repeated one.
pub(super) fn is_password(name: &str) -> bool {
    has(name, &["password", "passwd", "passphrase", "pwd", "password1", "password2"])
        || matches!(simple(name).as_str(), "newpassword" | "repeatpassword")
}

/// Whether a name is that of an e-mail address.
pub(super) fn is_email(name: &str) -> bool {
    has(name, &["email", "mail"])
}

/// Whether a name is that of an account that is not an address.
pub(super) fn is_username(name: &str) -> bool {
    matches!(
        simple(name).as_str(),
        "username" | "login" | "loginname" | "user" | "nickname" | "handle" | "accountname"
    )
}

/// Whether a name means one of many: `id`, `order_id`, `slug`.
pub(super) fn is_id(name: &str) -> bool {
    parts(name).last().is_some_and(|last| IDS.contains(&last.as_str()))
}

/// How surely a field is the key of its own object: the smaller, the surer.
pub(super) fn rank_of_key(name: &str) -> Option<usize> {
    let plain = simple(name);
    KEYS.iter().position(|key| *key == plain)
}

/// What a name means one of: `order` for `order_id`; nothing for `id`.
pub(super) fn noun_of_id(name: &str) -> Option<String> {
    let words = parts(name);
    let (last, rest) = words.split_last()?;
    let noun = if IDS.contains(&last.as_str()) || last == "name" { rest.concat() } else { words.concat() };
    (!noun.is_empty()).then(|| singular(&noun))
}

/// Whether a noun is one for users.
pub(super) fn is_user(noun: &str) -> bool {
    matches!(noun, "account" | "customer" | "member" | "people" | "person" | "profile" | "user")
}

/// Whether a field names the user whose an object is.
pub(super) fn is_owner(name: &str) -> bool {
    let plain = simple(name);
    let plain = plain.strip_suffix("id").unwrap_or(&plain);
    matches!(
        plain,
        "owner" | "user" | "customer" | "account" | "buyer" | "patient" | "client" | "holder" | "recipient"
    ) || plain.starts_with("owner") && is_id(name)
}

/// Whether a field at this place may say whose an object is: `owner_id`, `author.username`, `uploaded_by`.
pub(super) fn names_owner(place: &str) -> bool {
    let mut steps = place.split('.').filter(|step| !step.is_empty()).rev();
    let is_it = |name: &str| {
        let words = parts(name);
        let has = |all: &[&str]| words.iter().any(|word| all.contains(&word.as_str()));
        is_owner(name)
            || has(&["author", "creator", "owner", "tenant"])
            || words.last().is_some_and(|last| last == "by")
    };
    let Some(last) = steps.next() else { return false };
    is_it(last) || (is_id(last) || is_username(last)) && steps.next().is_some_and(is_it)
}

/// Whether a field holds what nobody but the app should know.
pub(super) fn is_secret(name: &str) -> bool {
    let words = parts(name);
    let has = |word: &str| words.iter().any(|one| one == word);
    let ends = |all: &[&str]| words.last().is_some_and(|last| all.contains(&last.as_str()));
    if words.first().is_some_and(|first| matches!(first.as_str(), "has" | "is" | "needs" | "no")) {
        return false;
    }
    is_password(name)
        && ends(&["password", "passwd", "pwd", "passphrase", "hash", "hashed", "digest", "salt"])
        || has("secret") && ends(&["secret", "key", "token"])
        || ends(&["key"]) && ["private", "signing", "encryption"].iter().any(|word| has(word))
        || matches!(
            simple(name).as_str(),
            "hashedpassword" | "passwordhash" | "secretkey" | "totpsecret" | "mfasecret"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns() {
        for (name, noun) in
            [("order_id", Some("order")), ("orderId", Some("order")), ("id", None), ("slug", None)]
        {
            assert_eq!(noun_of_id(name).as_deref(), noun, "{name}");
        }
    }

    #[test]
    fn owners() {
        for place in ["owner_id", ".user_id", ".article.author.username", ".uploaded_by", "tenantId"] {
            assert!(names_owner(place), "{place}");
        }
        for place in ["title", ".author.bio", ".standby", ""] {
            assert!(!names_owner(place), "{place}");
        }
    }

    #[test]
    fn secrets_are_told_from_what_is_about_them() {
        for name in
            ["password", "hashed_password", "password_hash", "client_secret", "signing_key", "totpSecret"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["password_updated_at", "has_password", "key", "public_key", "secretary", "secret_santa"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }
}
