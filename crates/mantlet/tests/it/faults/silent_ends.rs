//! uvicorn ends a connection without announcing it when an exception follows a response.

use crate::kit::{Answer, Client, Setup};

/// What comes after each end, so many times.
fn after(
    ends: &[&str],
    requests: &[(&str, usize)],
    mut judge: impl FnMut(&str, Answer, String),
) -> Vec<String> {
    let gateway = Setup::run("silent:app").start();
    for (index, end) in ends.iter().enumerate() {
        for (method, size) in requests {
            let ask = |text: String| Client::connect(gateway.addr()).ask(text);
            ask(format!("POST {end} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
            let number = format!("{index}-{method}-{size}");
            let head = format!(
                "{method} /order/{number} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
            );
            let answer = ask(head + &"b".repeat(*size));
            judge(&format!("{method} of {size} after {end}"), answer, number);
        }
    }
    let seen = Client::connect(gateway.addr()).get("/seen").json();
    serde_json::from_value(seen).expect("what it has seen")
}

#[test]
fn the_next_request_is_answered_and_comes_once() {
    let ends = ["/fails?status=200", "/fails?status=400", "/fails?status=503", "/fails-in-the-background"];
    let requests =
        [("POST", 0), ("POST", 20), ("PUT", 40_000), ("PATCH", 60_000), ("DELETE", 0), ("POST", 200_000)];
    let mut expected = Vec::new();
    let seen = after(&ends, &requests, |what, answer, number| {
        let size = number.rsplit('-').next().unwrap();
        assert_eq!((answer.status, &*answer.json().to_string()), (200, size), "{what}");
        expected.push(number);
    });
    assert_eq!(seen, expected);
}

/// Where uvicorn has read the request before it ends the connection, nobody knows what became of it.
#[test]
fn a_request_that_the_app_has_read_is_not_sent_again() {
    let ends = ["/fails-at-its-end"; 8];
    let mut answered = Vec::new();
    let seen = after(&ends, &[("POST", 0), ("POST", 20), ("DELETE", 0)], |what, answer, number| match answer
        .status
    {
        200 => answered.push(number),
        status => assert_eq!((status, &*answer.code()), (502, "app-closed"), "{what}"),
    });
    let times = |number: &String| seen.iter().filter(|other| *other == number).count();
    assert!(seen.iter().all(|number| times(number) == 1), "{seen:?}");
    assert!(answered.iter().all(|number| times(number) == 1), "{answered:?} of {seen:?}");
}
