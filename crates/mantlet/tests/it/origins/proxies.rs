//! What a trusted proxy was asked for, wherever something is compared with the Host or built from it; and hosts without one reading.

use crate::kit::{Client, Gateway, Stand, marker, websocket::handshake};

const TRUSTING: &str = "[client]\ntrusted = [\"127.0.0.1\"]\n";

fn ask(gateway: &Gateway, method: &str, target: &str, lines: &str) -> crate::kit::Answer {
    Client::connect(gateway.addr())
        .ask(format!("{method} {target} HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n{lines}\r\n"))
}

/// Opens a WebSocket as a page does whose browser has a cookie; the status.
fn open(gateway: &Gateway, lines: &str) -> u16 {
    let mut client = Client::connect(gateway.addr());
    client.send(handshake("/ws").replace("Host: localhost\r\n", lines));
    client.head().status
}

#[test]
fn websockets_of_our_own_pages_open_behind_a_proxy() {
    let page = "Host: nas.lan\r\nOrigin: http://nas.lan:8080\r\nCookie: session=1\r\n";
    let said = [
        "X-Forwarded-Host: nas.lan:8080\r\n",
        "X-Forwarded-Port: 8080\r\n",
        "X-Forwarded-Host: nas.lan:8080\r\nX-Forwarded-For: 203.0.113.7\r\n",
    ];
    let (trusting, untrusting) = (Stand::with(TRUSTING), Stand::new());
    for lines in said {
        assert_eq!(open(&trusting.gateway, &format!("{page}{lines}")), 101, "{lines}");
        assert_eq!(open(&untrusting.gateway, &format!("{page}{lines}")), 403, "{lines}");
        let foreign = page.replace("http://nas.lan:8080", "http://evil.example");
        assert_eq!(open(&trusting.gateway, &format!("{foreign}{lines}")), 403, "{lines}");
    }
    // A development server's page, for the reloading of modules.
    let local = "Host: localhost:8000\r\nOrigin: http://localhost:5173\r\nCookie: theme=dark\r\n";
    assert_eq!(open(&untrusting.gateway, local), 101);
    assert_eq!(open(&untrusting.gateway, &local.replace("localhost:8000", "rebound.example:8000")), 403);
}

#[test]
fn plain_requests_are_redirected_to_what_the_proxy_was_asked_for() {
    let location = |config: &str, lines: &str| {
        let stand = Stand::with(&format!("{config}[https]\nrequired = \"always\"\n"));
        let answer = ask(&stand.gateway, "GET", "/a?b=c", lines);
        assert_eq!(answer.status, 308, "{lines}");
        answer.header("location").expect("a place").to_owned()
    };
    let forwarded = "Host: inside:8000\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: Shop.Example\r\n";
    assert_eq!(location(TRUSTING, forwarded), "https://shop.example/a?b=c");
    assert_eq!(location("", forwarded), "https://inside:8000/a?b=c");
    assert_eq!(location("", "Host: Shop.Example:\r\n"), "https://shop.example/a?b=c");
    // With a list, of what is in it alone.
    let listed = format!("{TRUSTING}[host]\nallow = [\"inside\"]\n");
    let forged = "Host: inside\r\nX-Forwarded-Host: evil.example\r\n";
    assert_eq!(location(&listed, forged), "https://inside/a?b=c");
}

#[test]
fn the_app_gets_the_host_that_was_judged() {
    let stand = Stand::new();
    let host = |head: &str| {
        let mut client = Client::connect(stand.gateway.addr());
        client.send(head);
        let record = client.answer().record();
        let named = record["headers"].as_array().expect("headers").iter().filter(|pair| pair[0] == "host");
        named.map(|pair| pair[1].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    let path = marker();
    for (sent, expected) in [
        ("localhost:", "localhost"),
        ("LocalHost:08000", "localhost:8000"),
        ("localhost.", "localhost."),
        ("[::1]:", "[::1]"),
        ("[2001:DB8::1]:443", "[2001:db8::1]:443"),
        ("my_service:8000", "my_service:8000"),
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {sent}\r\nConnection: close\r\n\r\n");
        assert_eq!(host(&head), [expected], "{sent}");
    }
    let absolute = format!(
        "GET http://Shop.Example:80{path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(host(&absolute), ["shop.example"]);
    assert_eq!(host(&format!("GET http://shop.example:8000{path} HTTP/1.0\r\n\r\n")), ["shop.example:8000"]);
    // No host at all: the address that was connected to, which is what uvicorn would take.
    assert_eq!(host(&format!("GET {path} HTTP/1.0\r\n\r\n")), [stand.gateway.addr().to_string()]);
}
