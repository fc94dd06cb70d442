//! The shop of the examples behind Mantlet, in both postures: what it is careless with, and the rows of the matrix that a contract
//! answers.

mod careless;
mod enumeration;
mod guesses;
mod hidden;
mod inputs;
mod json;
mod paths;
mod uploads;

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::kit::{
    Answer, Client,
    command::{Process, Typed},
    eventually, is_of_action, read_all,
};

/// Nothing that a well-behaved client did before stops working. What is invalid is refused before anything else, so that it is seen what the gate
/// itself refuses; `order.rs` and `inputs.rs` show the order of the app, which is the default.
const COMPATIBLE: &str = "[contract]\ninput-order = \"first\"\n";
const STRICT: &str = "[contract]\nposture = \"strict\"\ninput-order = \"first\"\n";

struct Shop {
    process: Process,
    addr: SocketAddr,
    /// The header of somebody who is logged in.
    login: String,
}

impl Shop {
    fn open(config: &str) -> Self {
        let config = format!("state-folder = \"state\"\n{config}");
        let process = Typed::run(&[]).shop().file("mantlet.toml", &config).start();
        let addr = process.ready();
        let mut shop = Self { process, addr, login: String::new() };
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let token = shop.ask("POST", "/token", form, b"username=bob&password=bob-password");
        assert_eq!(token.status, 200, "{token:?}");
        shop.login = format!("Authorization: Bearer {}\r\n", token.json()["access_token"].as_str().unwrap());
        shop
    }

    fn ask(&self, method: &str, target: &str, lines: &str, body: &[u8]) -> Answer {
        let (login, length) = (&self.login, body.len());
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{login}{lines}Content-Length: {length}\r\n\r\n"
        );
        let mut client = Client::connect(self.addr);
        client.send(head);
        client.try_send(body);
        client.answer()
    }

    fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "", b"")
    }

    fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.ask("POST", target, "Content-Type: application/json\r\n", body.as_ref())
    }

    /// FastAPI answers first and commits then: what was written is there a moment later.
    fn shows(&self, target: &str, pointer: &str, expected: &Value) {
        eventually(&format!("{target} has {expected} at {pointer}"), || {
            (self.get(target).json().pointer(pointer) == Some(expected)).then_some(())
        });
    }

    fn audit(&self) -> Vec<Value> {
        let all = read_all(&self.process.folder().join("state/audit.jsonl"));
        all.into_iter().filter(|record| !is_of_action(record)).collect()
    }

    /// Mantlet's own refusal, with its record; the app has not seen the request.
    fn refused(&self, answer: &Answer, status: u16, code: &str) {
        let shown = String::from_utf8_lossy(&answer.body);
        // What is hidden is not told from what is not there.
        let told = if code == "route-hidden" { "route-unknown" } else { code };
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(told)), "{shown}");
        let id = answer.request_id();
        let record = eventually(&format!("a record of {id}"), || {
            self.audit().into_iter().find(|record| record["request_id"] == id)
        });
        assert_eq!((&record["action"], &record["reason"]), (&json!("refuse"), &json!(code)));
    }

    /// The records, once there is one.
    fn told(&self) -> Vec<Value> {
        eventually("a record", || Some(self.audit()).filter(|records| !records.is_empty()))
    }

    /// How many requests the app has answered, by its own log.
    fn reached(&self) -> usize {
        self.process.stdout().matches(" HTTP/1.1\" ").count()
    }

    /// What is done here does not reach the app.
    fn unreached(&self, what: impl FnOnce()) {
        // Its log has a line for each request before this one only when it has written it.
        let before = self.mark();
        what();
        assert_eq!(self.mark(), before + 1, "something reached the app");
    }

    /// One clean request; the number of requests up to it.
    fn mark(&self) -> usize {
        let marker = crate::kit::marker();
        let answer = self.get(&format!("/search?q={marker}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        eventually("the app's log has the request", || {
            self.process.stdout().contains(&marker).then(|| self.reached())
        })
    }
}

/// What is wrong, as `(type, loc)`.
fn faults(answer: &Answer) -> Value {
    let body = answer.json();
    let faults = body["detail"].as_array().unwrap_or_else(|| panic!("no faults: {body}"));
    faults.iter().map(|fault| json!([fault["type"], fault["loc"]])).collect()
}
