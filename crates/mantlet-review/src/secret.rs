//! Whether a value is a secret. A value never leaves this file.
//!
//! A name alone only suggests it, so a value with such a name is [`Judged::Written`]: not random, and perhaps a
//! password all the same. [`Judged::Secret`] is shown by the value itself: the format of a known service, a
//! private key, or so many random characters that nobody wrote them by hand.

use std::sync::LazyLock;

use base64::Engine as _;
use mantlet_contract::names::parts;
use regex::Regex;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Judged {
    /// Empty, filled when the app runs, or encrypted.
    Nothing,
    /// A placeholder, or a value that everybody knows: `changethis`, `postgres`.
    Default,
    /// Its name says that it is a secret, and it is not a placeholder.
    Written,
    /// Shown by the value; what it is, in words.
    Secret(&'static str),
}

/// Formats of tokens that are known by their prefix and length.
const KNOWN: &[(&str, &str)] = &[
    ("a token of GitHub", r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b"),
    ("a token of GitLab", r"\bglpat-[A-Za-z0-9_-]{20}\b"),
    ("a key of Stripe", r"\b[sr]k_live_[A-Za-z0-9]{24,}\b"),
    ("a key of SendGrid", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b"),
    ("a token of Slack", r"\bxox[abp]-[0-9]{10,13}-[0-9]{10,13}-[A-Za-z0-9-]{20,}"),
    (
        "a key of OpenAI",
        r"\bsk-(?:(?:proj|svcacct|admin)-)?[A-Za-z0-9_-]{20,74}T3BlbkFJ[A-Za-z0-9_-]{20,74}\b",
    ),
    ("a key of Anthropic", r"\bsk-ant-(?:api03|admin01)-[A-Za-z0-9_-]{93}AA\b"),
    ("a token to publish Python packages", r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"),
    ("a token of npm", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a token of DigitalOcean", r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    ("a token of Hugging Face", r"\bhf_[A-Za-z]{34}\b"),
    (
        "a secret key of AWS",
        r#"(?i)\baws_secret_access_key["']?\s{0,3}[=:]\s{0,3}["']?[A-Za-z0-9/+]{40}(?:["'\s]|$)"#,
    ),
];

/// All of them, to pass over most lines at once.
static ANY_KNOWN: LazyLock<Option<regex::RegexSet>> =
    LazyLock::new(|| regex::RegexSet::new(KNOWN.iter().map(|(_, format)| format)).ok());
static EACH_KNOWN: LazyLock<Vec<Regex>> =
    LazyLock::new(|| KNOWN.iter().filter_map(|(_, format)| Regex::new(format).ok()).collect());

/// Characters of a line that is looked into. Longer ones are data.
const MAX_LINE: usize = 10_000;

/// What token of a known service stands in a text.
pub(crate) fn known(text: &str) -> Option<&'static str> {
    // Most texts have none, and are passed over as a whole.
    let has_any = ANY_KNOWN.as_ref().is_some_and(|any| any.is_match(text));
    has_any.then(|| text.lines().filter(|line| line.len() <= MAX_LINE).find_map(known_in_line))?
}

fn known_in_line(text: &str) -> Option<&'static str> {
    let matches = ANY_KNOWN.as_ref()?.matches(text);
    matches.into_iter().find_map(|at| {
        let ((what, _), format) = (KNOWN.get(at)?, EACH_KNOWN.get(at)?);
        format.find_iter(text).any(|found| !is_example(found.as_str())).then_some(*what)
    })
}

/// Documentation shows tokens with the right form: `ghp_xxxxxxxx…`, `…EXAMPLE…`, `…123456789…`, and Stripe's own.
fn is_example(token: &str) -> bool {
    let lower = token.to_ascii_lowercase();
    let distinct = lower.chars().collect::<std::collections::BTreeSet<_>>().len();
    distinct < 12
        || [
            "example",
            "placeholder",
            "your",
            "xxxx",
            "1234567890",
            "0123456789",
            "abcdefgh",
            "4ec39hqlyjwdarjtt1zdp7dc",
        ]
        .iter()
        .any(|word| lower.contains(word))
}

/// A private key in PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PrivateKey {
    /// Anyone who reads it can use it.
    Plain,
    /// Its passphrase is needed, too.
    Encrypted,
}

/// The line, from 1, of the first private key of a text. What stands between the lines has to be a key.
pub(crate) fn private_key(text: &str) -> Option<(u32, PrivateKey)> {
    static BEGIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"-----BEGIN ((?:RSA |EC |DSA |OPENSSH |ENCRYPTED )?)PRIVATE KEY-----").ok()
    });
    for found in BEGIN.as_ref()?.captures_iter(text) {
        let (whole, kind) = (found.get(0)?, found.get(1)?);
        let rest = text.get(whole.end()..)?;
        let Some(body) = rest.find("-----END ").and_then(|end| rest.get(..end)) else { continue };
        // In JSON and in Python the line breaks may be written as `\n`.
        let body = body.replace("\\n", "\n").replace("\\r", "");
        let encrypted = kind.as_str() == "ENCRYPTED " || body.contains("Proc-Type: 4,ENCRYPTED");
        let base64: String = body
            .lines()
            .filter(|line| !line.contains(':'))
            .flat_map(str::chars)
            .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '='))
            .collect();
        let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(base64) else { continue };
        let is_key = bytes.starts_with(b"openssh-key-v1\0")
            || (bytes.len() > 40 && (encrypted || bytes.first() == Some(&0x30)));
        if is_key {
            // The cipher stands first in an OpenSSH key: a length, and `none` if there is no passphrase.
            let encrypted = encrypted
                || (kind.as_str() == "OPENSSH " && bytes.get(15..23) != Some(&b"\0\0\0\x04none"[..]));
            let line = text.get(..whole.start())?.matches('\n').count() + 1;
            let key = if encrypted { PrivateKey::Encrypted } else { PrivateKey::Plain };
            return Some((u32::try_from(line).unwrap_or(u32::MAX), key));
        }
    }
    None
}

/// What a value is, that a variable with this name has.
pub(crate) fn judge(name: &str, value: &str) -> Judged {
    let value = value.trim();
    if value.len() > MAX_LINE {
        return Judged::Nothing;
    }
    if let Some(what) = known(value) {
        return Judged::Secret(what);
    }
    if value.contains("PRIVATE KEY-----") && private_key(value).is_some() {
        return Judged::Secret("a private key");
    }
    // A password within a URL is one, however the variable is called. One that is the user's name is a default.
    if let Some((user, password)) = credentials_of_url(value) {
        return if user == password { Judged::Default } else { judge_written(password) };
    }
    if value.contains("://") || !is_secret_name(name) {
        return Judged::Nothing;
    }
    judge_written(value)
}

fn judge_written(value: &str) -> Judged {
    if is_reference(value) {
        Judged::Nothing
    } else if is_default(value) {
        Judged::Default
    } else if is_random(value) {
        Judged::Secret("a random value")
    } else {
        Judged::Written
    }
}

/// `scheme://user:password@host`.
fn credentials_of_url(value: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = value.split_once("://")?;
    if scheme.is_empty()
        || !scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
    {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':')
}

/// Whether a variable with this name holds a secret, and not something about one (`TOKEN_LIFETIME`).
pub(crate) fn is_secret_name(name: &str) -> bool {
    const SECRET: &[&str] = &[
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "pass",
        "secret",
        "secrets",
        "token",
        "apikey",
        "credential",
        "credentials",
    ];
    const KEYS: &[&str] = &[
        "secret",
        "private",
        "api",
        "access",
        "signing",
        "encryption",
        "jwt",
        "auth",
        "hmac",
        "fernet",
        "session",
    ];
    const ABOUT: &[&str] = &[
        "algorithm",
        "alg",
        "allow",
        "allowed",
        "audience",
        "cookie",
        "count",
        "days",
        "enabled",
        "endpoint",
        "expire",
        "expires",
        "expiration",
        "expiry",
        "field",
        "file",
        "header",
        "hours",
        "id",
        "issuer",
        "length",
        "lifetime",
        "limit",
        "location",
        "max",
        "min",
        "minutes",
        "name",
        "path",
        "policy",
        "prefix",
        "public",
        "publishable",
        "require",
        "required",
        "rotation",
        "seconds",
        "size",
        "ttl",
        "type",
        "uri",
        "url",
        "username",
        "user",
        "version",
    ];
    let words = parts(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let ends = words.last().is_some_and(|word| SECRET.contains(&word.as_str()));
    if words.last().is_some_and(|word| ABOUT.contains(&word.as_str())) || (has(ABOUT) && !ends) {
        return false;
    }
    has(SECRET)
        || words.windows(2).any(|pair| {
            pair.iter().any(|word| KEYS.contains(&word.as_str()))
                && pair.last().is_some_and(|word| word == "key")
        })
}

/// Whether a value stands for another one, which is not in the file.
fn is_reference(value: &str) -> bool {
    const STARTS: &[&str] = &[
        "$",
        "enc[",
        "encrypted:",
        "op://",
        "vault:",
        "arn:",
        "projects/",
        "aws:",
        "ssm:",
        "sops:",
        "!vault",
        "/",
    ];
    let value = value.trim_matches(['"', '\'']);
    let lower = value.to_ascii_lowercase();
    let is_within = |start, end| value.starts_with(start) && value.ends_with(end);
    value.chars().count() < 4
        || STARTS.iter().any(|start| lower.starts_with(start))
        || ["${", "{{", "%("].iter().any(|part| value.contains(part))
        || is_within('<', '>')
        || is_within('%', '%')
        || value.chars().all(|letter| "*.-_ ".contains(letter))
}

/// Whether a value is a placeholder, or one of those that everybody knows.
fn is_default(value: &str) -> bool {
    const TRIVIAL: &[&str] = &[
        "admin",
        "app",
        "default",
        "demo",
        "dev",
        "development",
        "dummy",
        "empty",
        "example",
        "false",
        "foo",
        "bar",
        "guest",
        "insecure",
        "local",
        "localhost",
        "minioadmin",
        "mysql",
        "no",
        "none",
        "not-set",
        "null",
        "pass",
        "password",
        "postgres",
        "redis",
        "root",
        "sample",
        "secret",
        "test",
        "testing",
        "tests",
        "token",
        "true",
        "undefined",
        "unset",
        "user",
        "yes",
    ];
    const WITHIN: &[&str] = &[
        "change",
        "changeme",
        "dummy",
        "example",
        "fill in",
        "fixme",
        "generate",
        "insert",
        "mypassword",
        "mysecret",
        "not-a-real",
        "placeholder",
        "put-your",
        "redacted",
        "replace",
        "set-me",
        "todo",
        "xxx",
        "your",
    ];
    let value = value.trim_matches(['"', '\'']);
    let lower = value.to_ascii_lowercase();
    value.chars().all(|letter| letter.is_ascii_digit())
        || TRIVIAL.contains(&lower.as_str())
        || WITHIN.iter().any(|word| lower.contains(word))
}

/// Whether nobody wrote it by hand: at least 20 characters, among them letters and digits, in no pattern.
fn is_random(value: &str) -> bool {
    let letters: Vec<char> = value.chars().collect();
    let length = letters.len();
    if length < 20 || value.contains(' ') {
        return false;
    }
    let has = |is: fn(&char) -> bool| letters.iter().filter(|letter| is(letter)).count();
    let (digits, lower, upper) =
        (has(char::is_ascii_digit), has(char::is_ascii_lowercase), has(char::is_ascii_uppercase));
    if digits < 2 || lower + upper < 4 {
        return false;
    }
    // Words have runs of letters; random characters change their kind often: in hexadecimal each second time or so.
    let kind = |letter: &char| match letter {
        '0'..='9' => 0,
        'a'..='z' => 1,
        'A'..='Z' => 2,
        _ => 3,
    };
    let changes =
        letters.windows(2).filter(|pair| matches!(pair, [one, other] if kind(one) != kind(other))).count();
    changes * 4 >= length && entropy(&letters) >= 3.0
}

/// Bits for each character.
fn entropy(letters: &[char]) -> f64 {
    let mut counts = std::collections::BTreeMap::<char, u32>::new();
    for letter in letters {
        *counts.entry(*letter).or_default() += 1;
    }
    let all = f64::from(u32::try_from(letters.len()).unwrap_or(u32::MAX));
    counts.values().map(|count| f64::from(*count) / all).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
