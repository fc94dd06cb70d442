//! What the app's own CORS said of one request changes nothing for another: in whatever order they come, each is answered as by a gate that has seen no other.

use std::fmt::Write as _;

use crate::kit::{Client, Gateway, Setup, Uvicorn};

const ORIGINS: [&str; 3] = ["https://front.example", "https://other.example", "https://evil.example"];
const TARGETS: [&str; 6] = ["/alone", "/public/a", "/friend/a", "/friend/b", "/picky/a", "/picky/a?closed"];

/// A request of a foreign page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Try {
    origin: &'static str,
    method: &'static str,
    target: &'static str,
    /// With the user's cookie, or with a body that the gate refuses in a way that a page has to read.
    with_cookie: bool,
}

impl Try {
    /// What the page's browser would tell apart: the status, the reason, and the words about CORS.
    fn ask(self, gateway: &Gateway) -> String {
        let Self { origin, method, target, with_cookie } = self;
        let rest = if with_cookie {
            "Cookie: session=1\r\nContent-Length: 0\r\n"
        } else {
            "Content-Length: 1000\r\n"
        };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: shop.example\r\nOrigin: {origin}\r\nSec-Fetch-Site: cross-site\r\n{rest}\r\n"
        );
        let answer = Client::connect(gateway.addr()).ask(head);
        let mut seen = answer.status.to_string();
        if answer.status >= 400 {
            seen.push_str(&answer.code());
        }
        let mut words: Vec<_> =
            answer.headers.iter().filter(|(name, _)| name.starts_with("access-control-")).collect();
        words.sort_unstable();
        for (name, value) in words {
            write!(seen, " {name}: {value}").expect("a text takes all");
        }
        seen
    }
}

fn tries() -> Vec<Try> {
    let mut tries = Vec::new();
    for origin in ORIGINS {
        for target in TARGETS {
            for method in ["POST", "PUT"] {
                for with_cookie in [true, false] {
                    tries.push(Try { origin, method, target, with_cookie });
                }
            }
        }
    }
    tries
}

/// A generator of numbers that differ (xorshift), for orders that can be had again.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).expect("31 bits")
}

#[test]
fn no_order_of_requests_changes_a_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    let _app = Uvicorn::serve("mounts:app", folder.path());
    let url = Uvicorn::url(folder.path());
    let gate = || Setup::serve(&url).config("[limits]\nbody-size = \"100 B\"\n").start();
    let tries = tries();
    let fresh: Vec<String> = tries.iter().map(|one| one.ask(&gate())).collect();
    // The table is not of one kind: some pass, some are refused, some may be read.
    for part in ["200 access", "200", "403csrf-cross-site", "413body-too-large access", "413body-too-large"] {
        assert!(fresh.iter().any(|seen| seen.starts_with(part)), "none begins with {part}: {fresh:#?}");
    }
    let of = |origin, target, method| {
        let place = Try { origin, method, target, with_cookie: true };
        &fresh[tries.iter().position(|one| *one == place).expect("it is among them")]
    };
    assert!(of("https://evil.example", "/public/a", "POST").starts_with("200 "));
    assert!(of("https://evil.example", "/alone", "POST").starts_with("403"));
    assert!(of("https://front.example", "/friend/a", "PUT").starts_with("200 "));
    assert!(of("https://front.example", "/picky/a", "POST").starts_with("403"));
    assert!(of("https://other.example", "/picky/a", "POST").starts_with("200 "));
    assert!(of("https://other.example", "/picky/a", "PUT").starts_with("403"));
    assert!(of("https://other.example", "/picky/a?closed", "POST").starts_with("403"));

    for seed in 1..=4_u64 {
        let gateway = gate();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for step in 0..300 {
            let index = next(&mut state) % tries.len();
            let seen = tries[index].ask(&gateway);
            assert_eq!(seen, fresh[index], "order {seed}, request {step}: {:?}", tries[index]);
        }
    }
}
