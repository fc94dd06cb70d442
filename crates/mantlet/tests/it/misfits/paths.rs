//! Paths that no document tells of, or not in their order.

use super::{Both, Case, JSON, Told};
use crate::kit::{
    Client,
    websocket::{FINAL, TEXT, WebSocket},
};

#[test]
fn paths_as_the_app_matches_them() {
    Both::of("misfits.paths:app").check(&[
        // It spans slashes, which the document does not say.
        Case::new("GET", "/files/a/b/c.txt", 200, Told::Exact),
        Case::new("GET", "/files/", 200, Told::Exact),
        // Two match: the first one takes it.
        Case::new("GET", "/users/me", 200, Told::Exact),
        Case::new("GET", "/reports/latest/summary", 200, Told::Exact),
        Case::new("GET", "/reports/latest/7", 200, Told::Exact),
    ]);
}

#[test]
fn slashes_at_the_end() {
    Both::of("misfits.slashes:app").check(&[
        Case::new("GET", "/slash", 307, Told::Exact),
        Case::new("POST", "/slash?a=b", 307, Told::Exact).body(JSON, "{}"),
        Case::new("GET", "/slash/", 200, Told::Exact),
        Case::new("GET", "/no-slash/", 307, Told::Exact),
        Case::new("GET", "/nothing/", 404, Told::Audit("route-unknown", "/nothing/")),
        Case::new("DELETE", "/slash/", 405, Told::Audit("route-method-unknown", "/slash/")),
    ]);
}

#[test]
fn a_hundred_hidden_routes() {
    let both = Both::of("misfits.paths:app");
    assert_eq!(both.contract.notes.iter().filter(|note| note.at.contains("/hidden/")).count(), 101);
    both.check(&[
        Case::new("GET", "/hidden/0", 200, Told::Audit("route-hidden", "/hidden/0")),
        Case::new("POST", "/hidden/100", 200, Told::Audit("route-hidden", "/hidden/100"))
            .body(JSON, "anything"),
    ]);
}

#[test]
fn another_kind_of_app_below_a_path() {
    let mounted = Told::Load("/flask", "`WSGIMiddleware` is mounted here");
    Both::of("misfits.paths:app").check(&[
        Case::new("GET", "/flask/a/b?c=d", 200, mounted),
        Case::new("POST", "/flask/a", 200, mounted).body("Content-Type: text/x-anything\r\n", "\0anything"),
        Case::new("DELETE", "/flask/a", 200, mounted).body(JSON, "[1"),
    ]);
}

#[test]
fn front_ends_that_take_every_path() {
    let files = Told::Load("", "`StaticFiles` is mounted here");
    Both::of("misfits.paths:app").check(&[
        Case::new("GET", "/", 200, files),
        Case::new("GET", "/guide/", 200, files),
        Case::new("GET", "/guide", 307, files),
        Case::new("GET", "/nothing/here", 404, files),
        Case::new("GET", "/users/me", 200, Told::Exact),
    ]);
    let files = Told::Load("/", "files for a browser");
    let html = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    Both::of("misfits.documents:front").check(&[
        Case::new("GET", "/", 200, files),
        // Its own router shows the front end.
        Case::new("GET", "/a/page/of/its/own", 200, files).body(html, ""),
        Case::new("GET", "/nothing.js", 404, files),
        Case::new("GET", "/items/7", 200, Told::Exact),
        Case::new("POST", "/items", 200, Told::Exact).body(JSON, r#"{"name": "a"}"#),
    ]);
}

#[test]
fn routes_that_are_made_for_a_client() {
    let both = Both::of("misfits.growing:app");
    assert!(both.contract.router.complete, "nothing tells that routes will come");
    let mut routes = Vec::new();
    for mut client in [both.app.connect(), Client::connect(both.gateway.addr())] {
        let made = client.ask("POST /clients HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(made.status, 200, "{made:?}");
        let route = made.json()["upload"].as_str().unwrap().to_owned();
        let upload = client.ask(format!(
            "POST {route} HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: 5\r\n\r\n{{\"a\":"
        ));
        assert_eq!((upload.status, upload.json()["length"].as_u64()), (200, Some(5)));
        routes.push(route);
    }
    let records = both.gateway.end().audit;
    super::nothing_is_refused(&records);
    let told: Vec<_> = records.iter().map(|record| (&record["reason"], &record["path"])).collect();
    assert_eq!(told, [(&"route-unknown".into(), &routes[1].as_str().into())]);
}

#[test]
fn web_sockets() {
    let both = Both::of("misfits.paths:app");
    let mut socket = WebSocket::open(both.gateway.addr(), "/ws/room?any=thing");
    socket.send(FINAL | TEXT, b"hello");
    assert_eq!(socket.next(), (FINAL | TEXT, b"room: hello".to_vec()));
    drop(socket);
    both.check(&[]);
}
