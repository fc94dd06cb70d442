//! Events of the app's own: what a datagram of the app says, judged and bounded.
//!
//! The app says what has happened. Who has asked for it, from where and in which request the gate
//! says. So what the app sends stands in `event` and `data` alone, and never in a field of the gate's.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Record, voucher::Vouchers};
use crate::{message::foreign::cut, token::has_its_form};

/// Bytes of a datagram, at most: an event of 4 KiB, and the facts of its request.
pub const LONGEST_DATAGRAM: usize = 8 << 10;
/// Fields of an event, the length of their names, and of their values in bytes.
const MOST_FIELDS: usize = 16;
const LONGEST_NAME: usize = 64;
const LONGEST_VALUE: usize = 256;

/// What stands in the place of a secret, and of a value that is not a single one.
const MASKED: &str = "(masked)";
const NOT_SINGLE: &str = "(left out: a list or an object)";

/// Parts of names whose texts are secrets, without `-` and `_`.
const SECRET_NAMES: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "authorization",
    "cookie",
    "credential",
    "jwt",
];
/// Names whose values are secrets, whatever they are.
const SECRET_CODES: [&str; 6] = ["pin", "otp", "totp", "cvv", "cvc", "mfacode"];
/// How secrets begin.
const SECRET_BEGINNINGS: [&str; 10] =
    ["bearer ", "basic ", "-----begin", "$2a$", "$2b$", "$2y$", "$argon2", "sk_live_", "ghp_", "xoxb-"];

/// What the app sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent {
    event: Option<String>,
    data: Map<String, Value>,
    /// The facts that the gate has sent with the request.
    request: Option<String>,
    /// Events that it could not send before.
    lost: u64,
}

/// A datagram of the app.
#[derive(Debug)]
pub struct AppEvent {
    event: Option<String>,
    data: Map<String, Value>,
    request: Option<String>,
    /// Events that the app could not send before this one.
    pub lost: u64,
}

impl AppEvent {
    /// Reads a datagram; none if it is not one of the package's.
    pub fn read(datagram: &[u8]) -> Option<Self> {
        let Sent { event, data, request, lost } = serde_json::from_slice(datagram).ok()?;
        let data = data.into_iter().filter(|(name, _)| is_name(name)).take(MOST_FIELDS);
        let data = data.map(|(name, value)| {
            let value = told(&name, value);
            (name, value)
        });
        let event = match event {
            Some(event) if !is_name(&event) => return None,
            event => event,
        };
        Some(Self { event, data: data.collect(), request, lost })
    }

    /// Its record, if it is more than a greeting.
    pub fn record(self, vouchers: &Vouchers, time: Timestamp) -> Option<Record> {
        let event = self.event?;
        let facts = self.request.and_then(|text| vouchers.open(&text));
        let data = Some(Box::new(self.data)).filter(|data| !data.is_empty());
        let plain = Record::of_gate("app-event", Outcome::Unknown, Map::new(), time);
        let plain = Record { outcome: None, event: Some(event), data, ..plain };
        Some(match facts {
            None => plain,
            Some(facts) => Record {
                client_ip: facts.client_ip,
                user: facts.user,
                method: Some(facts.method),
                path: Some(facts.path),
                operation: facts.operation,
                request_id: facts.request_id,
                session: facts.session,
                trace: facts.trace,
                ..plain
            },
        })
    }

    /// The record of events that did not get into the file, and where they were lost.
    pub fn lost(count: u64, place: &'static str, time: Timestamp) -> Record {
        let data = Map::from_iter([("count".to_owned(), json!(count)), ("lost-in".to_owned(), json!(place))]);
        Record::of_gate("app-events-lost", Outcome::Failure, data, time)
    }
}

/// Whether a text may be the name of an event or a field.
fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// A value as it is recorded.
fn told(name: &str, value: Value) -> Value {
    let name: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if !value.is_null() && SECRET_CODES.contains(&&*name) {
        return MASKED.into();
    }
    match value {
        Value::Object(_) | Value::Array(_) => NOT_SINGLE.into(),
        Value::String(text) => {
            let is_named = SECRET_NAMES.iter().any(|part| name.contains(part));
            if is_named || looks_secret(&text) {
                return MASKED.into();
            }
            match cut(&text, LONGEST_VALUE) {
                whole if whole.len() == text.len() => Value::String(text),
                part => format!("{part}…").into(),
            }
        }
        single => single,
    }
}

fn looks_secret(text: &str) -> bool {
    let text = text.trim_start();
    let begins = |with: &&str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    has_its_form(text) || SECRET_BEGINNINGS.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record_of(datagram: &Value) -> Option<Value> {
        let event = AppEvent::read(datagram.to_string().as_bytes())?;
        let record = event.record(&Vouchers::default(), Timestamp::UNIX_EPOCH)?;
        Some(serde_json::to_value(record).unwrap())
    }

    #[test]
    fn what_the_app_says_stands_in_fields_of_its_own() {
        let sent = json!({
            "event": "user.password.reset",
            "data": { "user_id": 7, "client_ip": "192.0.2.1", "outcome": "success", "security_event": "x" },
            "time": "1970", "client_ip": "192.0.2.1", "request_id": "forged", "request": "forged.seal",
        });
        let record = record_of(&sent).unwrap();
        assert_eq!(record["security_event"], "app-event");
        assert_eq!(record["event"], "user.password.reset");
        assert_eq!(record["data"], sent["data"]);
        assert_eq!([&record["client_ip"], &record["user"]], [&Value::Null, &Value::Null]);
        assert_eq!((&record["request_id"], record.get("outcome")), (&json!(""), None));
    }

    #[test]
    fn secrets_are_masked_and_everything_is_bounded() {
        let mut data = json!({
            "new_password": "hunter2", "password_changed": true, "pin": 1234, "Api-Key": "abc",
            "note": "Bearer abc", "header": "eyJh.eyJz.c2ln", "hash": "$2b$12$abc", "list": [1],
            "long": "é".repeat(300), "bad name": 1, "": 2, "count": 3, "none": null,
        });
        let record = record_of(&json!({ "event": "a", "data": data })).unwrap();
        let expected = json!({
            "new_password": MASKED, "password_changed": true, "pin": MASKED, "Api-Key": MASKED,
            "note": MASKED, "header": MASKED, "hash": MASKED, "list": NOT_SINGLE,
            "long": "é".repeat(128) + "…", "count": 3, "none": null,
        });
        assert_eq!(record["data"], expected);
        for number in 0..40 {
            data[format!("field{number}")] = json!(number);
        }
        let record = record_of(&json!({ "event": "a", "data": data })).unwrap();
        assert_eq!(record["data"].as_object().unwrap().len(), MOST_FIELDS);
        for event in ["", "a b", "a\n", "é", &"a".repeat(65)] {
            assert_eq!(record_of(&json!({ "event": event })), None, "{event:?}");
        }
        for not_one in [&b"["[..], b"\"a\"", b"{", b"\xff", b"{\"event\":1}", b"{\"lost\":-1}"] {
            assert!(AppEvent::read(not_one).is_none());
        }
        let greeting = AppEvent::read(b"{}").unwrap();
        assert!(greeting.record(&Vouchers::default(), Timestamp::UNIX_EPOCH).is_none());
    }
}
