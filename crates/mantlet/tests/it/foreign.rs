//! What a client can make up is not in records, and not on the terminal.

use crate::kit::{Client, Setup};

/// A key that slipped into the place of a name.
const KEY: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

#[test]
fn names_that_nobody_declared_are_told_by_their_shape() {
    for config in ["", "[contract]\nposture = \"strict\"\n"] {
        let gateway = Setup::run("echoes:app").config(config).start();
        let ask = |line: &str, headers: &str, body: &str| {
            let length = body.len();
            Client::connect(gateway.addr()).ask(format!(
                "{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
            ))
        };
        let json = "Content-Type: application/json\r\n";
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let parts = "Content-Type: multipart/form-data; boundary=b\r\n";
        ask(&format!("GET /q?{KEY}"), "", "");
        ask(&format!("GET /q?{KEY}=1&page=2"), &format!("Cookie: {KEY}={KEY}\r\n"), "");
        ask("POST /items", json, &format!("{{\"name\": \"x\", \"{KEY}\": 1}}"));
        ask("POST /items", json, &format!("{{\"{KEY}\": 1}}"));
        ask("POST /form", form, &format!("name=x&{KEY}=1"));
        let part = format!(
            "--b\r\nContent-Disposition: form-data; name=\"{KEY}\"; filename=\"../{KEY}\"\r\n\r\nx\r\n--b--\r\n"
        );
        ask("POST /form", parts, &part);
        ask(&format!("GET /echo?{KEY}=1"), "", "");
        ask(&format!("GET /secrets?{KEY}=1"), "", "");
        ask(&format!("{KEY} /q"), "", "");
        ask("GET /q", &format!("{KEY}: 1\r\n"), "");
        ask("GET /q", &format!("Content-Encoding: {KEY}\r\n"), "x");
        ask("GET /q", &format!("Host: {KEY}.example\r\n"), "");
        let (terminal, end) = (gateway.stderr(), gateway.end());
        let told: Vec<_> = end.audit.iter().map(|record| record["reason"].as_str().unwrap()).collect();
        assert!(told.contains(&"input-unknown") && told.contains(&"response-field-unknown"), "{told:?}");
        for record in &end.audit {
            let record = record.to_string().to_lowercase();
            assert!(!record.contains(&KEY.to_lowercase()), "{record}");
        }
        assert!(!terminal.to_lowercase().contains(&KEY.to_lowercase()), "{terminal}");
        let subject =
            end.audit.iter().find(|record| record["reason"] == "input-unknown").unwrap()["subject"].clone();
        assert!(subject.as_str().unwrap().starts_with("<32 characters, "), "{subject}");
    }
}
