//! WebSockets and event streams: where clients put their tokens, and that what a session has opened
//! ends with it.

use std::{
    io::Read,
    sync::{Arc, Barrier},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jiff::Timestamp;
use mantlet_controls::authentication::sessions::{Event, Kind, SessionFacts, digest};
use serde_json::{Value, json};

use super::{Running, Subject, places::QUERY_TOKEN, step::post, token};
use crate::kit::{
    Answer, Client, Gateway, Setup, Upstream, eventually,
    http2::{connect, get, header, talk},
    redis::Redis,
    upstream::Connection,
    websocket::{BINARY, CLOSE, FINAL, TEXT, WebSocket, frame, handshake},
};

/// A session cookie for pages, tokens for programs, WebSockets and event streams for both.
const LOUNGE: Subject = Subject {
    name: "lounge.py",
    entry: "lounge:app",
    prepare: |_| (),
    entrance: || {
        let log_in = post("/login").form("username=ann&password=battlement").is(200, "access_token");
        vec![log_in.keep("token", "/access_token")]
    },
    carried: "Authorization: Bearer {token}",
    guarded: "/me",
    key: b"a-drawbridge-is-raised-at-nightfall",
    traffic: Vec::new,
    stopped: 0,
    recorded: &[],
};

const ENFORCED: &str = "authentication.sessions = \"enforce\"\n";
const NAMED: &str = "authentication.principal-header = \"X-Mantlet-Principal\"\n";

/// A handshake with these lines.
fn asking(target: &str, lines: &str) -> String {
    handshake(target).replacen("\r\n", &format!("\r\n{lines}"), 1)
}

fn shake(gateway: &Gateway, target: &str, lines: &str) -> (Client, Answer) {
    let mut client = Client::connect(gateway.addr());
    client.send(asking(target, lines));
    let answer = client.head();
    (client, answer)
}

fn open(gateway: &Gateway, target: &str, lines: &str) -> WebSocket {
    let (client, answer) = shake(gateway, target, lines);
    assert_eq!(answer.status, 101, "{answer:?}");
    WebSocket { client }
}

/// What the app says to this.
fn say(socket: &mut WebSocket, text: &str) -> String {
    socket.send(FINAL | TEXT, text.as_bytes());
    let (first, said) = socket.next();
    assert_eq!(first, FINAL | TEXT);
    String::from_utf8(said).expect("text")
}

fn expect_end(socket: &mut WebSocket, reason: &str) {
    let (first, payload) = socket.next();
    let told = [&1008_u16.to_be_bytes()[..], reason.as_bytes()].concat();
    assert_eq!((first, payload), (FINAL | CLOSE, told));
    socket.client.expect_closed();
}

/// Logs in as a page does; returns the line of its cookie, and the token that a program would keep.
fn log_in(gateway: &Gateway, form: &str) -> (String, String) {
    let mut client = Client::connect(gateway.addr());
    let answer = client.ask(format!(
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    ));
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.header("set-cookie").and_then(|line| line.split(';').next()).expect("a cookie");
    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    (format!("Cookie: {cookie}\r\n"), token)
}

fn ask(gateway: &Gateway, line: &str, more: &str) -> Answer {
    let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{more}\r\n");
    Client::connect(gateway.addr()).ask(request)
}

/// Begins to listen to the app's events.
fn listen(gateway: &Gateway, lines: &str) -> Client {
    let mut client = Client::connect(gateway.addr());
    client.send(format!("GET /feed HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"));
    let answer = client.head();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(client.chunk().as_deref(), Some(&b"data: hello ann\n\n"[..]));
    client
}

/// The records of streams, each with its event, reason, subject, caller and path.
fn ends(records: &[Value]) -> Vec<String> {
    let streams = records
        .iter()
        .filter(|one| one["security_event"].as_str().is_some_and(|event| event.contains("stream")));
    let told = |one: &Value| {
        ["security_event", "reason", "subject", "path"]
            .map(|field| one[field].as_str().expect("text"))
            .join(" ")
    };
    let mut all: Vec<_> = streams.map(told).collect();
    all.sort();
    all
}

/// The app's own view of how its WebSockets ended.
fn told_to_app(gateway: &Gateway, count: usize) -> Vec<Value> {
    eventually("the app is told", || {
        let said = ask(gateway, "GET /closed", "").json();
        said.as_array().filter(|all| all.len() >= count).cloned()
    })
}

#[test]
fn what_a_tab_has_open_ends_when_another_tab_logs_out() {
    let running = Running::start(&LOUNGE, ENFORCED);
    let gateway = &running.gateway;
    let (cookie, token) = log_in(gateway, "username=ann&password=battlement");
    let (others, _) = log_in(gateway, "username=bob&password=drawbridge");
    let mut tab = open(gateway, "/ws", &cookie);
    let mut program = open(gateway, "/ws", &format!("Authorization: Bearer {token}\r\n"));
    let mut events = listen(gateway, &cookie);
    let mut stranger = open(gateway, "/ws", &others);
    assert_eq!(say(&mut tab, "hello"), "ann None: hello");
    assert_eq!(ask(gateway, "GET /me", &cookie).status, 200);

    assert_eq!(ask(gateway, "POST /logout", &cookie).status, 200);
    expect_end(&mut tab, "session ended");
    expect_end(&mut program, "session ended");
    // An event source comes back by itself, on the same connection.
    assert_eq!(events.chunk(), None);
    assert_eq!(events.take(2), b"\r\n");
    assert_eq!(events.ask(format!("GET /feed HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n")).status, 401);
    assert_eq!(ask(gateway, "GET /me", &cookie).status, 401);
    assert_eq!(ask(gateway, "GET /me", &format!("Authorization: Bearer {token}\r\n")).status, 401);
    // Neither opens another one. The cookie is kept from the app, which then answers itself.
    let (_, refused) = shake(gateway, "/ws", &cookie);
    assert_eq!(refused.status, 403);
    let (mut client, refused) = shake(gateway, &format!("/ws?token={token}"), "");
    assert_eq!((refused.status, refused.header("www-authenticate").is_some()), (401, true), "{refused:?}");
    let length = refused.header("content-length").and_then(|length| length.parse().ok()).expect("a length");
    assert!(String::from_utf8_lossy(&client.take(length)).contains("session-ended"));
    assert_eq!(say(&mut stranger, "still here"), "bob None: still here");

    assert_eq!(told_to_app(gateway, 2), ["ann 1008 session ended", "ann 1008 session ended"]);
    let records = running.gateway.end().audit;
    let ended = |path| format!("stream-ended session-ended its client has logged out {path}");
    assert_eq!(ends(&records), [ended("/feed"), ended("/ws"), ended("/ws")], "{records:#?}");
}

#[test]
fn nothing_is_closed_unless_it_is_asked_for() {
    let running = Running::start(&LOUNGE, "");
    let gateway = &running.gateway;
    let (cookie, _) = log_in(gateway, "username=ann&password=battlement");
    let mut tab = open(gateway, "/ws", &cookie);
    let events = listen(gateway, &cookie);
    assert_eq!(ask(gateway, "POST /logout", &cookie).status, 200);
    let ended = |path| format!("stream-would-be-ended session-ended its client has logged out {path}");
    eventually("both are recorded", || {
        (ends(&gateway.audit(1)) == [ended("/feed"), ended("/ws")]).then_some(())
    });
    // Each once: it looks no more.
    assert_eq!(say(&mut tab, "hello"), "ann None: hello");
    assert!(gateway.stderr().contains("would end the stream of GET /ws from 127.0.0.1: session-ended"));
    drop(events);
    let records = running.gateway.end().audit;
    assert_eq!(ends(&records).len(), 2, "{records:#?}");
}

#[test]
fn an_operator_ends_what_a_session_has_open() {
    let running = Running::start(&LOUNGE, ENFORCED);
    let gateway = &running.gateway;
    let (cookie, token) = log_in(gateway, "username=ann&password=battlement");
    let mut sockets = [
        open(gateway, "/ws", &cookie),
        open(gateway, &format!("/ws?token={token}"), ""),
        open(gateway, "/ws", &format!("Sec-WebSocket-Protocol: bearer, {token}\r\n")),
    ];
    let mut events = listen(gateway, &cookie);
    let said = gateway.tell(&["sessions", "revoke", "--account", "ann"]);
    assert!(said.stdout.contains("is revoked"), "{} {}", said.stdout, said.stderr);
    for socket in &mut sockets {
        expect_end(socket, "session ended");
    }
    assert_eq!(events.chunk(), None);
    let records = running.gateway.end().audit;
    assert_eq!(ends(&records).len(), 4, "{records:#?}");
}

/// Wherever a handshake has it, a token is verified, says who calls, and is written nowhere.
#[test]
fn a_token_is_found_where_clients_can_put_it() {
    let running = Running::start(&LOUNGE, NAMED);
    let gateway = &running.gateway;
    let token = running.login();
    let kubernetes = format!("base64url.bearer.authorization.k8s.io.{}", BASE64.encode(&token));
    for (target, lines) in [
        ("/ws".to_owned(), format!("Authorization: Bearer {token}\r\n")),
        (format!("/ws?room=1&token={token}"), String::new()),
        ("/ws".to_owned(), format!("Sec-WebSocket-Protocol: bearer, {token}\r\n")),
        (
            "/ws".to_owned(),
            format!("Sec-WebSocket-Protocol: access_token\r\nSec-WebSocket-Protocol: {token}\r\n"),
        ),
        ("/ws".to_owned(), format!("Sec-WebSocket-Protocol: {kubernetes}, v4.channel.k8s.io\r\n")),
    ] {
        let said = say(&mut open(gateway, &target, &lines), "hello");
        assert_eq!(said, r#"ann {"iss":"app","sub":"ann"}: hello"#, "{target} {lines}");
    }
    // So is one in the URL of an operation that declares that, and a cache must not keep the answer.
    let answer = running.shown("", &format!("/me?token={token}"));
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{answer:?}");
    // A bad one is recorded.
    let forged = token::forge(&token, b"another key");
    for lines in [format!("Sec-WebSocket-Protocol: bearer, {forged}\r\n"), String::new()] {
        let target = if lines.is_empty() { format!("/ws?token={forged}") } else { "/ws".to_owned() };
        assert_eq!(shake(gateway, &target, &lines).1.status, 403);
    }
    // The app's own log is the app's own.
    let stderr = gateway.stderr();
    let own: Vec<_> = stderr.lines().filter(|line| !line.starts_with("INFO:")).collect();
    let records = running.gateway.end().audit;
    let bad: Vec<_> = records.iter().filter(|record| record["reason"] == "token-invalid").collect();
    assert_eq!(bad.len(), 2, "{records:#?}");
    for record in bad {
        assert_eq!((&record["path"], &record["action"]), (&json!("/ws"), &json!("pass")), "{record}");
    }
    let written = format!("{own:?}{records:?}");
    for secret in [&token, &forged, &kubernetes] {
        // Not even a part of it.
        for part in secret.split('.').filter(|part| part.len() > 20) {
            assert!(!written.contains(part), "{part} in {written}");
        }
    }
}

/// A bad token in a handshake is refused where the app was seen to refuse such tokens, and only there.
#[test]
fn a_bad_token_is_refused_before_the_app_where_the_app_refuses_it() {
    let running = Running::start(&QUERY_TOKEN, "");
    let gateway = &running.gateway;
    let good = running.login();
    let forged = |number: u32| token::with(&good, &json!({"jti": number}), b"another key");
    let reached = || {
        // uvicorn writes of WebSockets on standard error.
        let log = gateway.stderr();
        log.lines().filter(|line| line.contains("\"WebSocket /ws?") && line.contains(" 403")).count()
    };
    // Before the app has accepted a good one there, nothing is learned.
    for number in 0..3 {
        assert_eq!(shake(gateway, &format!("/ws?token={}", forged(number)), "").1.status, 403);
    }
    drop(open(gateway, &format!("/ws?token={good}"), ""));
    for number in 3..5 {
        assert_eq!(shake(gateway, &format!("/ws?token={}", forged(number)), "").1.status, 403);
    }
    eventually("the app has refused five", || (reached() == 5).then_some(()));
    for number in 5..8 {
        assert_eq!(shake(gateway, &format!("/ws?token={}", forged(number)), "").1.status, 403);
    }
    // With another credential, or elsewhere, the app decides.
    for (target, lines) in [("/ws?", "Cookie: a=b\r\n"), ("/ws?room=1&", "")] {
        assert_eq!(shake(gateway, &format!("{target}token={}", forged(9)), lines).1.status, 403);
    }
    assert_eq!(say(&mut open(gateway, &format!("/ws?token={good}"), ""), "hello"), "ann: hello");
    eventually("the app has refused two more", || (reached() == 7).then_some(()));
    let records = running.gateway.end().audit;
    let count = |action: &str| {
        records.iter().filter(|one| one["reason"] == "token-invalid" && one["action"] == action).count()
    };
    assert_eq!((count("refuse"), count("pass")), (3, 7), "{records:#?}");
}

#[test]
fn what_a_token_has_opened_ends_when_the_token_expires() {
    let running = Running::start(&LOUNGE, ENFORCED);
    let gateway = &running.gateway;
    let token = running.login();
    // Clocks may differ by 30 s; the app allows for more.
    let now = Timestamp::now().as_second();
    let old = token::with(&token, &json!({"exp": now - 26}), LOUNGE.key);
    let mut socket = open(gateway, &format!("/ws?token={old}"), "");
    let mut events = listen(gateway, &format!("Authorization: Bearer {old}\r\n"));
    let mut lasting = open(gateway, &format!("/ws?token={token}"), "");
    assert_eq!(say(&mut socket, "hello"), "ann None: hello");
    expect_end(&mut socket, "token expired");
    assert_eq!(events.chunk(), None);
    assert_eq!(say(&mut lasting, "hello"), "ann None: hello");
    assert_eq!(told_to_app(gateway, 1), ["ann 1008 token expired"]);
    let records = running.gateway.end().audit;
    let ended = |path| format!("stream-ended token-invalid it has expired {path}");
    assert_eq!(ends(&records), [ended("/feed"), ended("/ws")], "{records:#?}");
}

/// A state folder in which these tokens are those of sessions.
fn folder_of(tokens: &[(u64, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let now = Timestamp::now().as_second();
    let mut text = "{\"mantlet-sessions\":1}\n".to_owned();
    for (id, token) in tokens {
        let (session, digest, kind) = (*id, digest(token.as_bytes()), Kind::Bearer);
        let facts = SessionFacts {
            id: *id,
            account: None,
            names: vec![],
            began: now - 60,
            address: None,
            within: None,
        };
        let (cookie, at, expires) = (None, now - 60, Some(now + 3_600));
        let handed_out = Event::HandedOut { session, digest, kind, cookie, at, expires };
        for event in [Event::Began(facts), handed_out] {
            text += &(serde_json::to_string(&event).expect("JSON") + "\n");
        }
    }
    std::fs::write(folder.path().join("sessions.jsonl"), text).expect("a file");
    folder
}

fn revoke(gateway: &Gateway, id: u64) {
    let said = gateway.tell(&["sessions", "revoke", &format!("{id:016x}")]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
}

/// Agrees to a WebSocket, as an app does.
fn agree(connection: &mut Connection) {
    connection.read_head();
    connection.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
}

/// Bytes as an app frames them.
fn from_app(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_be_bytes();
    [&[first, 127][..], &length, payload].concat()
}

/// The close frame of the gate in what the app has read: its code and its reason.
fn close_in(seen: &[u8]) -> Option<(u16, String)> {
    let at = seen.windows(2).rposition(|head| head == [FINAL | CLOSE, 0x80 | 15])?;
    let (key, payload) = seen.get(at + 2..at + 21)?.split_at(4);
    let plain: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    let code = u16::from_be_bytes([plain[0], plain[1]]);
    Some((code, String::from_utf8(plain[2..].to_vec()).ok()?))
}

/// A frame that is under way comes whole, in both directions, before the close frame; nothing after it.
#[test]
fn a_frame_under_way_is_not_torn() {
    let mut noise: Vec<u8> = Vec::with_capacity(1 << 20);
    noise.extend((0..1_u32 << 18).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()));
    let message = noise.clone();
    let go_on = Arc::new(Barrier::new(2));
    let told = Arc::clone(&go_on);
    let upstream = Upstream::new(move |connection| {
        agree(connection);
        // A fragment that is complete, and half of the next one.
        let (first, second) = message.split_at(1 << 19);
        connection.write(&from_app(BINARY, first));
        let second = from_app(0, second);
        let (begun, rest) = second.split_at(300_000);
        connection.write(begun);
        // Half a frame of the client.
        let mut seen = [0; 500];
        connection.read_exact(&mut seen).expect("half a frame");
        told.wait();
        connection.write(rest);
        connection.try_write(&from_app(FINAL, b"too late"));
        connection.read_to_end();
    });
    let state = folder_of(&[(0xa1, "a-token-in-a-table"), (0xa2, "another-token")]);
    let gateway = Setup::serve(&upstream.url()).state(state.path()).config(ENFORCED).start();
    let mut socket = open(&gateway, "/ws?token=a-token-in-a-table", "");
    let (first, payload) = socket.next();
    assert!((first, &*payload) == (BINARY, &noise[..1 << 19]), "the first fragment");
    let words = frame(FINAL | TEXT, &[b'w'; 1000]);
    let (begun, rest) = words.split_at(500);
    socket.client.send(begun);
    eventually("half a frame has arrived", || upstream.seen().ends_with(begun).then_some(()));
    revoke(&gateway, 0xa1);
    eventually("the end has begun", || (ends(&gateway.audit(2)).len() == 1).then_some(()));
    socket.client.send(rest);
    socket.client.try_send(frame(FINAL | TEXT, b"too late"));
    go_on.wait();
    let (first, payload) = socket.next();
    assert!((first, &*payload) == (0, &noise[1 << 19..]), "the second fragment");
    expect_end(&mut socket, "session ended");
    let seen =
        eventually("the app is told", || Some(upstream.seen()).filter(|seen| close_in(seen).is_some()));
    assert_eq!(close_in(&seen), Some((1008, "session ended".to_owned())));
    assert!(seen[..seen.len() - 21].ends_with(&words), "the words of the client, and no more");
    eventually("the app is let go", || (upstream.connections() == (1, 0)).then_some(()));
}

/// One side that goes on with a frame for ever does not put off the end.
#[test]
fn a_frame_that_does_not_end_is_cut_off() {
    let upstream = Upstream::new(|connection| {
        agree(connection);
        connection.read_to_end();
    });
    let state = folder_of(&[(0xa1, "a-token-in-a-table")]);
    let gateway = Setup::serve(&upstream.url()).state(state.path()).config(ENFORCED).start();
    let mut socket = open(&gateway, "/ws?token=a-token-in-a-table", "");
    socket.client.send(&frame(FINAL | TEXT, &[b'w'; 1000])[..500]);
    revoke(&gateway, 0xa1);
    expect_end(&mut socket, "session ended");
    eventually("the app is let go", || (upstream.connections() == (1, 0)).then_some(()));
    assert_eq!(close_in(&upstream.seen()), None, "it would be a part of the client's frame");
}

#[test]
fn another_gate_ends_what_a_session_has_open() {
    let redis = Redis::start();
    let config = format!("{ENFORCED}{}", redis.config());
    let upstream = Upstream::new(|connection| {
        agree(connection);
        connection.read_to_end();
    });
    let states = [folder_of(&[(0xa1, "a-token-in-a-table")]), tempfile::tempdir().expect("a folder")];
    let gates = states
        .each_ref()
        .map(|state| Setup::serve(&upstream.url()).state(state.path()).config(&config).start());
    // The second one asks the store about the token, once the first one has told it.
    let mut socket = eventually("the second gate knows the session", || {
        let socket = open(&gates[1], "/ws?token=a-token-in-a-table", "");
        let known = gates[1].tell(&["sessions", "--json"]);
        known.stdout.contains("00000000000000a1").then_some(socket)
    });
    revoke(&gates[0], 0xa1);
    expect_end(&mut socket, "session ended");
}

#[test]
fn an_event_stream_over_http_2_ends_with_its_session() {
    let upstream = Upstream::new(|connection| {
        connection.read_head();
        connection.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
              9\r\ndata: 1\n\n\r\n",
        );
        connection.read_to_end();
    });
    let state = folder_of(&[(0xa1, "a-token-in-a-table"), (0xa2, "another-token")]);
    let gateway = Setup::serve(&upstream.url()).state(state.path()).config(ENFORCED).start();
    talk(async {
        let mut sender = connect(gateway.addr()).await.ready().await.unwrap();
        let mut bodies = Vec::new();
        for token in ["a-token-in-a-table", "another-token"] {
            let request = get("/events").header("authorization", format!("Bearer {token}")).body(()).unwrap();
            let (answer, _) = sender.send_request(request, true).unwrap();
            let answer = answer.await.unwrap();
            assert_eq!(header(answer.headers(), "content-type"), "text/event-stream");
            let mut body = answer.into_body();
            assert_eq!(body.data().await.unwrap().unwrap(), "data: 1\n\n");
            bodies.push(body);
        }
        revoke(&gateway, 0xa1);
        while let Some(piece) = bodies[0].data().await {
            assert_eq!(piece.unwrap(), "", "an orderly end");
        }
        assert!(!bodies[1].is_end_stream());
        eventually("the app is let go", || (upstream.connections() == (2, 1)).then_some(()));
    });
}
