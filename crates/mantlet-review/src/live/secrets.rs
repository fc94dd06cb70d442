//! What answers show that no client should see, judged by names and values.
//!
//! - The form of a value can prove by itself that it is a secret: the hash of a password, the token of a known service, a
//!   private key, an address with a password in it, a value that the environment of the app has as a secret.
//! - A name only suggests it. What has such a name is not a secret if it is empty, a number, a path, an address without a
//!   password, a mask or a placeholder; and surely one only where more says so.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value};

use super::{
    answers::field_of,
    asker::Exchange,
    words::{is_email, is_password, is_secret, is_username, parts, rank_of_key},
};
use crate::{
    rule::Level,
    secret::{Judged, is_secret_name, judge},
};

/// Fields of an answer that are looked at.
const MOST: usize = 20_000;

/// A secret that an answer shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) level: Level,
    /// How that is known.
    pub(super) why: String,
    /// What must not stand in a report; empty if it is not surely a secret.
    pub(super) value: String,
}

/// The values that an environment marks as secret, by their names.
pub fn of_environment(variables: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
    let is_it = |(name, value): &(String, String)| {
        is_secret_name(name) && value.len() >= 8 && is_written(judge(name, value)) && !is_path(value)
    };
    variables.into_iter().filter(is_it).map(|(_, value)| value).collect()
}

/// The secrets of an answer, by the names of their fields. What is created may show its secret once.
pub(super) fn shown(exchange: &Exchange, environment: &[String]) -> BTreeMap<String, Secret> {
    let mut found = Found { exchange, environment, left: MOST, secrets: BTreeMap::new() };
    if let Some(body) = exchange.answer.json().filter(|_| exchange.is_success()) {
        found.look(&body, "");
    }
    found.secrets
}

struct Found<'f> {
    exchange: &'f Exchange,
    environment: &'f [String],
    left: usize,
    secrets: BTreeMap<String, Secret>,
}

impl Found<'_> {
    fn look(&mut self, value: &Value, name: &str) {
        match value {
            Value::Object(map) => {
                let is_record = is_record(map);
                for (name, value) in map {
                    if let (Value::String(text), true) = (value, self.left > 0) {
                        self.left -= 1;
                        self.text(name, text, is_record);
                    } else {
                        self.look(value, name);
                    }
                }
            }
            Value::Array(all) => {
                for one in all.iter().take(self.left) {
                    match one {
                        Value::String(text) => self.text(name, text, false),
                        one => self.look(one, name),
                    }
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, name: &str, text: &str, is_record: bool) {
        let name = field_of(name);
        let Some((level, why)) = self.judged(name, text, is_record) else { return };
        let value = if level >= Level::High || is_one_word(text) { text.to_owned() } else { String::new() };
        let secret = Secret { level, why: why.to_owned(), value };
        let is_worse = self.secrets.get(name).is_none_or(|known| level > known.level);
        if is_worse {
            self.secrets.insert(name.to_owned(), secret);
        }
    }

    fn judged(&self, name: &str, text: &str, is_record: bool) -> Option<(Level, &'static str)> {
        let is_open = self.exchange.caller == "nobody";
        let high_if = |is_sure: bool| if is_sure { Level::High } else { Level::Low };
        if is_hash(text) {
            return Some((Level::High, "its value is the hash of a password"));
        }
        if self.exchange.question.method != Method::GET || is_path(text) || is_masked(text) {
            return None;
        }
        if self.environment.iter().any(|secret| secret == text) {
            return Some((Level::High, "its value is that of a secret in the environment of the app"));
        }
        // By the value alone.
        match judge("", text) {
            Judged::Secret("a random value") | Judged::Written => {
                let is_sure = is_open || is_variable(name);
                return Some((high_if(is_sure), "its value is an address with a password"));
            }
            Judged::Secret(_) => {
                return Some((Level::High, "its value is a key, or the token of a known service"));
            }
            Judged::Nothing | Judged::Default => {}
        }
        let is_of_variable = is_variable(name) && is_secret_name(name);
        if !(is_secret(name) || is_of_variable) || is_unset(text) {
            return None;
        }
        let judged = judge("password", text);
        let is_default = judged == Judged::Default;
        // Everybody knows `change-me`; an app that has it as its key is no better for that.
        if is_default && is_open && is_key(name) {
            return Some((Level::High, "its name is that of a key, and its value one that everybody knows"));
        }
        if !is_written(judged) {
            let is_low = is_default && (is_record || is_key(name));
            return is_low
                .then_some((Level::Low, "its name is that of a secret, and its value a usual default"));
        }
        let is_random = matches!(judged, Judged::Secret(_));
        let is_telling = is_random || is_one_word(text);
        if is_password(name) {
            // A label of a form, a message to a user.
            let is_of_hash = parts(name).iter().any(|word| word.starts_with("hash"));
            let is_sure = is_telling || is_record && (is_of_hash || !text.contains(' '));
            return Some((high_if(is_sure), "its name is that of a password, and its value may be one"));
        }
        // A user is shown secrets of their own: of a webhook, of a client.
        let is_sure = is_telling && (is_open || is_of_variable);
        Some((high_if(is_sure), "its name is that of a secret, and its value may be one"))
    }
}

const fn is_written(judged: Judged) -> bool {
    matches!(judged, Judged::Written | Judged::Secret(_))
}

/// Whether an object is one of many: it has a key, or is an account.
fn is_record(map: &Map<String, Value>) -> bool {
    map.keys().any(|name| rank_of_key(name).is_some() || is_email(name) || is_username(name))
}

/// Whether a name is written as that of an environment variable: `WEBHOOK_SECRET`.
fn is_variable(name: &str) -> bool {
    name.bytes().any(|byte| byte.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether it is written as a password or a key is, and not as a sentence or a label.
fn is_one_word(text: &str) -> bool {
    let has = |is: fn(&char) -> bool| text.chars().any(|c| is(&c));
    let is_mixed = has(char::is_ascii_digit) && has(char::is_ascii_alphabetic);
    text.len() >= 6 && !text.contains(char::is_whitespace) && (is_mixed || text.len() >= 20)
}

fn is_key(name: &str) -> bool {
    parts(name).last().is_some_and(|last| last == "key")
}

/// Whether a text says that there is no value.
fn is_unset(text: &str) -> bool {
    const WORDS: [&str; 20] = [
        "default",
        "disabled",
        "empty",
        "enabled",
        "false",
        "hidden",
        "masked",
        "no",
        "none",
        "not set",
        "not-set",
        "null",
        "optional",
        "redacted",
        "required",
        "string",
        "true",
        "undefined",
        "unset",
        "yes",
    ];
    let lower = text.trim().to_ascii_lowercase();
    WORDS.contains(&lower.as_str())
        || lower.chars().all(|c| c.is_ascii_digit())
        || ["your", "redacted", "<"].iter().any(|part| lower.contains(part))
}

fn is_path(text: &str) -> bool {
    let drive = text.get(1..3).is_some_and(|after| matches!(after, ":\\" | ":/"));
    let starts = ["/", "./", "../", "~/", "~", "\\\\"];
    !text.contains("PRIVATE KEY") && (drive || starts.iter().any(|start| text.starts_with(start)))
}

fn is_masked(text: &str) -> bool {
    let is_mask = |c: char| matches!(c, '*' | 'x' | 'X' | '•' | '●' | '.' | '…' | '#' | '-');
    // `sk_…a9f3`, `********a9f3`
    let is_shortened = ["***", "•••", "…", "...", "xxxx", "XXXX"].iter().any(|mask| text.contains(mask));
    text.chars().all(is_mask) || is_shortened
}

/// Whether a text is the hash of a password, by its form.
fn is_hash(text: &str) -> bool {
    let is_crypt = ["$2a$", "$2b$", "$2y$", "$argon2", "$scrypt$", "$pbkdf2", "$5$", "$6$", "$1$", "{SSHA}"];
    let is_named =
        ["scrypt$", "scrypt:", "pbkdf2_sha256$", "pbkdf2:sha256", "bcrypt$", "bcrypt_sha256$", "argon2$"];
    text.len() >= 20 && is_crypt.iter().chain(&is_named).any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exchange::{Question, answer};

    const RANDOM: &str = "8f2b7c1de94a6035bd7718caf2e0934d";

    fn levels(caller: &str, body: &Value) -> BTreeMap<String, Level> {
        let answer = answer(200, body);
        let exchange = Exchange { caller: caller.to_owned(), question: Question::get("/"), answer };
        let environment = ["from-the-environment".to_owned()];
        shown(&exchange, &environment).into_iter().map(|(name, secret)| (name, secret.level)).collect()
    }

    #[test]
    fn a_value_of_another_kind_is_no_secret_whatever_its_name() {
        let values = [
            "",
            " ",
            "/srv/app",
            "./app",
            "~/app",
            "C:\\app",
            "https://example.com/reset",
            "12345678",
            "true",
            "false",
            "null",
            "none",
            "********",
            "xxxx",
            "••••••a9f3",
            "sk_live_...a9f3",
            "required",
            "<your password>",
            "${PASSWORD}",
            "redacted",
        ];
        for value in values {
            for name in ["PWD", "password", "hashed_password", "client_secret", "SECRET_KEY"] {
                let body = json!({"id": 1, name: value});
                assert_eq!(levels("nobody", &body), BTreeMap::new(), "{name}: {value}");
            }
        }
        let body = json!({"password": 7, "secret_key": true, "hashed_password": null, "public_key": RANDOM});
        assert_eq!(levels("nobody", &body), BTreeMap::new());
    }

    #[test]
    fn a_value_can_be_a_secret_whatever_its_name() {
        let key = "ghp_8f2b7c1de94a6035bd7718caf2e0934dKm2Q";
        for value in ["$2b$12$abcdefghijklmnopqrstuv", key, "from-the-environment"] {
            let found = levels("alice", &json!({"note": [{"text": value}]}));
            assert_eq!(found, [("text".to_owned(), Level::High)].into(), "{value}");
        }
        let url = "postgresql://app:Vx8-qp2Lk@db.example/app";
        assert_eq!(
            levels("alice", &json!({"DATABASE_URL": url})).into_values().collect::<Vec<_>>(),
            [Level::High]
        );
        assert_eq!(levels("nobody", &json!({"store": url})).into_values().collect::<Vec<_>>(), [Level::High]);
        assert_eq!(
            levels("alice", &json!({"callback": url})).into_values().collect::<Vec<_>>(),
            [Level::Low]
        );
        assert_eq!(levels("nobody", &json!({"home": "https://example.com/a@b:c"})), BTreeMap::new());
    }

    #[test]
    fn names_and_values_together() {
        for (caller, name, value, level) in [
            ("alice", "WEBHOOK_SECRET", RANDOM, Level::High),
            ("alice", "JWT_TOKEN_KEY", RANDOM, Level::High),
            // A user's own.
            ("alice", "webhook_secret", RANDOM, Level::Low),
            ("nobody", "webhook_secret", RANDOM, Level::High),
            ("alice", "hashed_password", RANDOM, Level::High),
            ("alice", "password", "hunter2", Level::High),
            // Known to all, and in use all the same.
            ("nobody", "signing_key", "change-me", Level::High),
            ("alice", "signing_key", "change-me", Level::Low),
            // Labels and messages.
            ("nobody", "password", "Passwort", Level::Low),
            ("nobody", "password", "At least 8 characters", Level::Low),
        ] {
            let found = levels(caller, &json!({"kind": "some", name: value}));
            assert_eq!(found, [(name.to_owned(), level)].into(), "{name}");
        }
        let users = json!([{"id": 1, "hashed_password": "not really hashed abc"}, {"id": 2, "password": "swordfish"}]);
        assert!(levels("alice", &users).into_values().all(|level| level == Level::High));
    }

    #[test]
    fn an_environment_says_what_is_secret() {
        let variables = [
            ("WEBHOOK_SECRET", RANDOM),
            ("PWD", "/srv/app"),
            ("DB_PASSWORD", "short"),
            ("TOKEN_LIFETIME", "12345678"),
            ("HOME", "/root/somewhere"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(of_environment(variables), [RANDOM]);
    }
}
