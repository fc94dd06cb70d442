//! Whatever the spelling of a path: the route that the gate matches is the one that Starlette takes, and what is not refused is answered
//! as the app answers it without the gate.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kit::{Answer, App, Client, Setup};

/// Pieces of paths: plain, encoded, encoded twice, broken, and what other software reads in a way of its own.
const PIECES: [&str; 78] = [
    "admin",
    "%61dmin",
    "ADMIN",
    "adm%69n",
    "items",
    "special",
    "%73pecial",
    "files",
    "num",
    "float",
    "id",
    "a",
    "b",
    "sub",
    "7",
    "%37",
    "007",
    "-7",
    "1.5",
    "1e3",
    "%31.5",
    "12345678-1234-5678-1234-567812345678",
    "12345678123456781234567812345678",
    "x.y",
    ".y",
    "x.",
    "caf%C3%A9",
    "caf%c3%a9",
    "caf%E9",
    "cafe%CC%81",
    "x%20y",
    "x+y",
    "dots...",
    "100%25",
    "100%",
    "a;b",
    "a%3Bb",
    ";",
    ";v=1",
    "%2F",
    "%2f%2F",
    "a%2Fb",
    "%5C",
    "%5c",
    "\\",
    "%0A",
    "%0a",
    "%0D%0A",
    "%0D",
    "%09",
    "%0B",
    "%1C",
    "%85",
    "%C2%85",
    "%E2%80%A8",
    "%7F",
    "%00",
    "%25",
    "%2525",
    "%252F",
    "%252e",
    "%2e",
    "%2E%2e",
    ".",
    "..",
    "...",
    "%zz",
    "%4",
    "%E2%A7%B8",
    "%EF%BC%8F",
    "%EF%BC%8E",
    "%F0%9F%98%80",
    "%ED%A0%80",
    "%C0%AE",
    "{x}",
    "|^~\"",
    "%3F",
    "%23",
];

/// How paths begin.
const STARTS: [&str; 20] = [
    "",
    "",
    "",
    "/",
    "/items/",
    "/%69tems/",
    "/files/",
    "/num/",
    "/num/7",
    "/float/",
    "/id/",
    "/id/12345678-1234-5678-1234-567812345678",
    "/a/",
    "/a/x.",
    "/caf%C3%A9",
    "/x%20y/",
    "/dots.../",
    "/sub/",
    "/sub/items/",
    "/sub%2Ffiles/",
];

/// How many routes there are, and below which number those of the mounted app begin.
const ROUTES: [std::ops::Range<u32>; 2] = [0..18, 101..118];

fn paths(count: usize) -> Vec<String> {
    let seed = std::env::var("MANTLET_PATHS_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut state: u64 = seed.unwrap_or(88_172_645_463_325_252);
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let mut made = Vec::with_capacity(count);
    while made.len() < count {
        // Most begin as a route does, or many would go nowhere.
        let mut path = STARTS[next(STARTS.len())].to_owned();
        for part in 0..=next(3) {
            if part > 0 || path.is_empty() {
                path.push('/');
            }
            for _ in 0..[0, 1, 1, 1, 1, 1, 1, 2, 2, 3][next(10)] {
                path.push_str(PIECES[next(PIECES.len())]);
            }
        }
        made.push(path);
    }
    made
}

/// Asks on a connection that is kept as long as it lives.
fn ask(connect: &impl Fn() -> Client, client: &mut Client, path: &str) -> Answer {
    let headers: Vec<_> =
        ROUTES.into_iter().flatten().map(|number| format!("x_route_{number}: 1\r\n")).collect();
    let headers = headers.concat();
    let answer = client.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
    if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
        *client = connect();
    }
    answer
}

#[test]
fn the_gate_and_the_app_read_the_same_route() {
    let gateway = Setup::run("paths:app").config("[client]\nunderscore-headers = \"drop\"").start();
    let bare = App::start("paths:app");
    let (to_gate, to_bare) = (|| Client::connect(gateway.addr()), || bare.connect());
    let (mut through, mut direct) = (to_gate(), to_bare());
    let count = std::env::var("MANTLET_PATHS").ok().and_then(|count| count.parse().ok()).unwrap_or(3000);
    let (mut refused, mut matched) = (BTreeMap::<String, usize>::new(), BTreeMap::<u64, usize>::new());
    for path in paths(count) {
        let expected = ask(&to_bare, &mut direct, &path);
        let answer = ask(&to_gate, &mut through, &path);
        if answer.status == 400 && expected.status != 400 {
            let code = answer.code();
            let decoded = path.to_ascii_lowercase().replace("%25", "%").replace("%2e", ".");
            let is_meant = match code.as_str() {
                "path-dot-segment" | "path-double-encoded" | "path-backslash" | "path-lookalike" => {
                    decoded.contains('.') || decoded.contains("%ef%bc%8e")
                }
                "path-control-character" => decoded.contains("%00") || decoded.ends_with("%0a"),
                _ => false,
            };
            assert!(is_meant, "{path} is refused: {code}");
            *refused.entry(code).or_default() += 1;
            continue;
        }
        assert_eq!(answer.status, expected.status, "{path}: {:?}", String::from_utf8_lossy(&answer.body));
        if expected.status != 200 {
            assert_eq!(answer.header("location"), expected.header("location"), "{path}");
            assert_eq!(answer.body, expected.body, "{path}");
            continue;
        }
        let (mut read, mut bare) = (answer.json(), expected.json());
        let (arrived, _) = (read["arrived"].take(), bare["arrived"].take());
        assert_eq!(read, bare, "{path}");
        let route = read["route"].as_u64().expect("a route");
        assert_eq!(
            arrived,
            Value::from(vec![format!("x_route_{route}")]),
            "{path}: the gate took another route"
        );
        *matched.entry(route).or_default() += 1;
    }
    // That it has tried something.
    assert!(matched.len() >= 20, "{matched:?}");
    assert!(refused.len() >= 4, "{refused:?}");
    assert!(matched.values().sum::<usize>() > count / 4, "{matched:?} {refused:?}");
}
