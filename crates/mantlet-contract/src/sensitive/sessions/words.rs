//! Words that end, renew and change a session, and the words that may stand beside them.

use crate::sensitive::words::{is_password, parts, simple};

/// The end of the caller's own session.
pub(super) const LOGOUT: [&str; 5] = ["logout", "signout", "logoff", "signoff", "endsession"];
/// The end of a token (RFC 7009), and of much else.
pub(super) const REVOKE: [&str; 2] = ["revoke", "revocation"];
/// A new token for an old one, and much else.
pub(super) const REFRESH: [&str; 5] = ["refresh", "renew", "refreshtoken", "tokenrefresh", "renewtoken"];
/// Words that do something else with a refresh token.
pub(super) const NOT_REFRESH: [&str; 12] = [
    "check",
    "decode",
    "delete",
    "inspect",
    "introspect",
    "list",
    "save",
    "status",
    "store",
    "test",
    "validate",
    "verify",
];
/// What a session is made of.
pub(super) const TOKENS: [&str; 5] = ["token", "tokens", "session", "sessions", "jwt"];

/// All sessions of an account.
pub(super) const ALL: [&str; 5] = ["all", "anywhere", "every", "everywhere", "global"];
/// All of them but the caller's.
pub(super) const OTHERS: [&str; 4] = ["elsewhere", "except", "other", "others"];
/// What may follow `logout`: `/logout/all`, `/logout-all-devices`, `/logout/access`.
const AFTER_LOGOUT: [&str; 18] = [
    "access", "cookie", "current", "device", "devices", "from", "jwt", "me", "my", "now", "refresh", "self",
    "session", "sessions", "token", "tokens", "user", "users",
];
/// What may follow `refresh`: `/refresh-token`, `/refresh/access`.
const AFTER_REFRESH: [&str; 12] = [
    "access", "auth", "bearer", "cookie", "jwt", "login", "me", "session", "token", "tokens", "user", "users",
];

/// What is done to a password that is changed.
pub(super) const CHANGE: [&str; 7] = ["change", "edit", "modify", "new", "put", "set", "update"];
/// What is done to a password that was forgotten.
pub(super) const RESET: [&str; 6] = ["forgot", "forgotten", "recover", "recovery", "reset", "restore"];
/// Ends of paths to what the app knows of the caller, the surest first.
const ME: [&str; 14] = [
    "me",
    "whoami",
    "userinfo",
    "currentuser",
    "getcurrentuser",
    "usercurrent",
    "myself",
    "getme",
    "self",
    "myprofile",
    "profile",
    "myaccount",
    "account",
    "user",
];
/// The first of them are about the caller and nothing else.
const SURE: usize = 10;

/// Words of authentication.
const AUTHENTICATION: [&str; 31] = [
    "access",
    "auth",
    "auths",
    "authentication",
    "authenticate",
    "authn",
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "iam",
    "identity",
    "idp",
    "jwt",
    "login",
    "oauth",
    "oauth2",
    "oidc",
    "openid",
    "passport",
    "refresh",
    "security",
    "session",
    "sessions",
    "signin",
    "sso",
    "token",
    "tokens",
    "logon",
];
/// Words of the people who have sessions.
const PEOPLE: [&str; 20] = [
    "account",
    "accounts",
    "admin",
    "admins",
    "current",
    "customer",
    "customers",
    "employee",
    "employees",
    "me",
    "member",
    "members",
    "my",
    "own",
    "profile",
    "self",
    "staff",
    "user",
    "users",
    "people",
];
/// Words that show nothing.
const PLAIN: [&str; 52] = [
    "a",
    "and",
    "api",
    "app",
    "async",
    "backend",
    "base",
    "by",
    "common",
    "controller",
    "create",
    "do",
    "endpoint",
    "execute",
    "expired",
    "for",
    "from",
    "generate",
    "get",
    "handle",
    "handler",
    "http",
    "in",
    "internal",
    "invalidate",
    "issue",
    "json",
    "method",
    "mobile",
    "new",
    "of",
    "open",
    "pair",
    "perform",
    "post",
    "private",
    "process",
    "protected",
    "public",
    "request",
    "rest",
    "rotate",
    "route",
    "router",
    "server",
    "service",
    "tenant",
    "the",
    "using",
    "view",
    "web",
    "with",
];

/// Two words that are one.
const PAIRS: [(&str, &str, &str); 7] = [
    ("log", "out", "logout"),
    ("sign", "out", "signout"),
    ("log", "off", "logoff"),
    ("sign", "off", "signoff"),
    ("end", "session", "endsession"),
    ("log", "in", "login"),
    ("sign", "in", "signin"),
];

/// The words of a segment or of a name, in their order: `logOut_all` has `logout` and `all`.
pub(super) fn joined(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in parts(text) {
        let pair = PAIRS
            .iter()
            .find(|(first, second, _)| *second == word && words.last().is_some_and(|before| before == first));
        if let Some((.., both)) = pair {
            words.pop();
            words.push((*both).to_owned());
        } else {
            words.push(word);
        }
    }
    words
}

pub(super) fn may_follow_logout(word: &str) -> bool {
    AFTER_LOGOUT.contains(&word) || ALL.contains(&word) || OTHERS.contains(&word)
}

pub(super) fn may_follow_refresh(word: &str) -> bool {
    AFTER_REFRESH.contains(&word)
}

/// Whether a word shows nothing that is not a session: `api`, `v2`, `auth`, `users`.
pub(super) fn is_neutral(word: &str) -> bool {
    let is_version = || word.strip_prefix('v').unwrap_or(word).bytes().all(|byte| byte.is_ascii_digit());
    PLAIN.contains(&word) || PEOPLE.contains(&word) || AUTHENTICATION.contains(&word) || is_version()
}

/// Whether a word is about authentication. A chat has sessions and tokens as well.
pub(super) fn is_of_authentication(word: &str) -> bool {
    AUTHENTICATION.contains(&word) && !TOKENS.contains(&word)
}

/// Whether a word is about people.
pub(super) fn is_of_people(word: &str) -> bool {
    PEOPLE.contains(&word)
}

/// How surely the last segment of a path is about the caller: the smaller, the surer.
pub(super) fn rank_of_me(segment: &str) -> Option<usize> {
    let plain = simple(segment);
    ME.iter().position(|known| *known == plain)
}

/// Whether a segment of this rank is about the caller and nothing else.
pub(super) const fn is_surely_me(rank: usize) -> bool {
    rank < SURE
}

/// Whether a name is that of a refresh token.
pub(super) fn is_refresh_token(name: &str) -> bool {
    let words = parts(name);
    let has = |word: &str| words.iter().any(|one| one == word);
    let is_token = words.len() == 1 || has("token") || has("jwt") || has("cookie");
    let is_about_it = ["expires", "expiry", "hint", "id", "lifetime", "type"].iter().any(|word| has(word));
    matches!(simple(name).as_str(), "refreshtoken") || (has("refresh") && is_token && !is_about_it)
}

/// Whether a name is that of a token, of which kind it does not say.
pub(super) fn is_any_token(name: &str) -> bool {
    matches!(simple(name).as_str(), "token" | "jwt" | "accesstoken" | "authtoken" | "sessiontoken")
}

/// Whether a header or a cookie of this name may carry a session: `access_token`,
/// `fastapiusersauth`.
pub(super) fn may_carry_a_session(name: &str) -> bool {
    let plain = simple(name);
    let has = |known: &[&str]| known.iter().any(|word| plain.contains(word));
    // Too short to be looked for inside other words.
    let is_short = parts(name).iter().any(|word| word == "sid");
    (is_short || has(&["auth", "jwt", "session", "token"])) && !is_of_something_else(name)
}

/// Whether a cookie, a header or a key of this name carries something else.
pub(super) fn is_of_something_else(name: &str) -> bool {
    let plain = simple(name);
    ["apikey", "apitoken", "captcha", "csrf", "devicetoken", "push", "xsrf"]
        .iter()
        .any(|word| plain.contains(word))
}

/// Whether a name is that of one of many things. The device that sends the request is not one.
pub(super) fn is_id(name: &str) -> bool {
    let words = parts(name);
    let is_of_device =
        words.iter().any(|word| matches!(word.as_str(), "client" | "device" | "request" | "trace"));
    let last = words.last().map(String::as_str).unwrap_or_default();
    matches!(last, "id" | "ids" | "jti" | "uuid") && !is_of_device
}

/// What a password in a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Password {
    /// The one that is valid until now.
    Current,
    /// The one that is valid from now on.
    New,
    /// Either of these.
    Plain,
}

/// What a password of this name is; none for another name, and for a repeated password.
pub(super) fn password(name: &str) -> Option<Password> {
    let words = parts(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let is_one = is_password(name)
        || has(&["password", "passwd", "passphrase", "pwd", "pass", "password1"])
        || matches!(simple(name).as_str(), "newpassword" | "oldpassword" | "currentpassword");
    let is_again =
        has(&["again", "confirm", "confirmation", "confirmed", "repeat", "repeated", "retype", "verify"]);
    if !is_one || is_again {
        return None;
    }
    let plain = simple(name);
    if has(&["current", "existing", "old", "present", "previous"])
        || matches!(plain.as_str(), "oldpassword" | "currentpassword")
    {
        return Some(Password::Current);
    }
    if has(&["new"]) || plain == "newpassword" {
        return Some(Password::New);
    }
    let is_plain = matches!(
        plain.as_str(),
        "password" | "passwd" | "passphrase" | "pwd" | "password1" | "userpassword" | "accountpassword"
    );
    is_plain.then_some(Password::Plain)
}
