//! Forms with files, and compressed bodies: what clients send passes, what is too much breaks off.

mod compressed;
mod forms;
mod honest;
mod streamed;

use crate::kit::{Answer, Client, Gateway};

const TYPE: &str = "Content-Type: multipart/form-data; boundary=b\r\n";

fn post(gateway: &Gateway, target: &str, lines: &str, body: impl AsRef<[u8]>) -> Answer {
    let body = body.as_ref();
    let length = body.len();
    let head =
        format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {length}\r\n\r\n");
    Client::connect(gateway.addr()).ask([head.as_bytes(), body].concat())
}

/// A part, with what stands in its headers after the name.
fn part(name: &str, more: &str, content: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{content}\r\n")
}

/// A part that is a file, of a type that says nothing.
fn file(name: &str, file_name: &str, content: &str) -> String {
    part(name, &format!("; filename=\"{file_name}\"\r\nContent-Type: application/octet-stream"), content)
}

const END: &str = "--b--\r\n";
