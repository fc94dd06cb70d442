//! The contract where Mantlet does not run the app: from the app's own document, one that is named, or a contract that was written.

mod many;
mod named;
mod own;

use std::path::Path;

use crate::kit::{Answer, Client, Gateway, Setup, Uvicorn};

/// A gate in front of whatever is served in this folder.
fn before(folder: &Path, arguments: &[&str], config: &str) -> Gateway {
    Setup::serve_with(&Uvicorn::url(folder), arguments).config(config).start()
}

fn ask(gateway: &Gateway, method: &str, target: &str, body: &str) -> Answer {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Client::connect(gateway.addr()).ask(head + body)
}

/// The status, and the code if the answer is Mantlet's own.
fn seen(answer: &Answer) -> (u16, String) {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body["code"].as_str().unwrap_or_default().to_owned())
}
