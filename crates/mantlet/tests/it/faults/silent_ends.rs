//! uvicorn ends a connection without announcing it when an exception follows a response.

use crate::kit::{Client, Setup};

const ENDS: [&str; 5] = [
    "/fails?status=200",
    "/fails?status=400",
    "/fails?status=503",
    "/fails-in-the-background",
    "/fails-at-its-end",
];

#[test]
fn the_next_request_is_answered_and_comes_once() {
    let gateway = Setup::run("silent:app").start();
    let mut expected = Vec::new();
    for (index, end) in ENDS.into_iter().enumerate() {
        for (method, size) in
            [("POST", 0), ("POST", 20), ("PUT", 40_000), ("PATCH", 60_000), ("DELETE", 0), ("POST", 200_000)]
        {
            let mut client = Client::connect(gateway.addr());
            let failed =
                client.ask(format!("POST {end} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
            assert_ne!(failed.status, 502, "{end}: {failed:?}");
            let number = format!("{index}-{method}-{size}");
            let head = format!(
                "{method} /order/{number} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
            );
            let answer = client.ask(head + &"b".repeat(size));
            assert_eq!(
                (answer.status, answer.json().to_string()),
                (200, size.to_string()),
                "{method} of {size} after {end}"
            );
            expected.push(number);
        }
    }
    assert_eq!(Client::connect(gateway.addr()).get("/seen").json(), serde_json::json!(expected));
}
