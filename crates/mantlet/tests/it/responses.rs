//! What the app answers and should not: fields, secrets, its inside.

mod claims;
mod failures;
mod fields;
mod reading;
mod shop;

use crate::kit::{Answer, Client, Gateway};

const STRICT: &str = "[contract]\nposture = \"strict\"\n";
/// Names and models alone decide.
const BY_NAME: &str =
    "[responses]\nunknown-fields = \"strip\"\nsensitive-fields = \"strip\"\nerrors = \"replace\"\n";
/// A password's hash, as the app has it.
const HASH: &str = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";

fn get(gateway: &Gateway, path: &str) -> Answer {
    get_with(gateway, path, "")
}

/// A GET with further header lines.
fn get_with(gateway: &Gateway, path: &str, lines: &str) -> Answer {
    Client::connect(gateway.addr()).ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"))
}

/// The body as text; its length is the one that was announced.
fn text(answer: &Answer) -> &str {
    if let Some(length) = answer.header("content-length") {
        assert_eq!(length, answer.body.len().to_string());
    }
    std::str::from_utf8(&answer.body).expect("text")
}
