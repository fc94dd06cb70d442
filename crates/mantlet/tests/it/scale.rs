//! Many callers and many objects: what is learned of them takes little memory, and one account that asks for
//! everything moves nothing.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use serde_json::{Value, json};

use crate::{
    identity::token::signed,
    kit::{Gateway, Setup, processes::Footprint},
};

const KEY: &str = "a shared secret that has more than 32 bytes in it";
/// Clients at the same time.
const CLIENTS: usize = 4;
/// What evidence may add to the memory of the gate, in bytes, with all else that it remembers of callers: a verdict
/// on each token, and what the app says of each caller.
const MOST: u64 = 24 << 20;

/// A contract as the inspector writes it: notes have an owner, and every user may read them.
fn contract() -> Value {
    let security = json!([[{"name": "b", "scheme": {"kind": "bearer"}, "auto-error": true}]]);
    let field = |name: &str| json!({"name": name, "lookup": [[name]], "shape": 0, "required": true});
    let route = |path: &str, shape: usize, objects: Value, inputs: Value| {
        json!({"kind": "http", "path": path, "methods": ["GET"], "hidden": false, "operation": {
            "id": path, "body": {"kind": "none"}, "inputs": inputs, "security": security, "objects": objects,
            "responses": [{"status": 200, "shape": shape}],
        }})
    };
    let object = |name: &str, fields: &[&str]| {
        let fields: Vec<_> = fields.iter().map(|name| field(name)).collect();
        json!({"type": "object", "name": name, "kind": "model", "extra": "ignore", "fields": fields})
    };
    let shown = json!({
        "parameters": [{"name": "id", "table": "notes", "field": "id"}],
        "shows": {"table": "notes", "as": "one", "model": "Note", "evidence": "table", "overlap": 100, "owner": "/owner_id"},
    });
    let step =
        json!({"table": "notes", "field": "owner_id", "column": "owner_id", "to": "users", "key": "id"});
    json!({
        "version": 1, "source": "inspector",
        "shapes": [{"type": "any"}, object("Me", &["id"]), object("Note", &["id", "owner_id"])],
        "router": {"redirect-slashes": true, "complete": true, "routes": [
            route("/users/me", 1, json!({}), json!([])), route("/notes/{id}", 2, shown, json!([])),
        ]},
        "objects": {
            "user": {"table": "users", "key": ["id"], "why": "`current_user` returns it", "roles": []},
            "tables": [
                {"name": "users", "source": "mapper", "key": ["id"], "owner": {"kind": "user"}},
                {"name": "notes", "source": "mapper", "key": ["id"], "owner": {"kind": "column", "step": step}},
            ],
        },
    })
}

/// The token of a user. It does not say which number the user has: the app is asked for that.
fn token(user: usize) -> String {
    let claims = json!({"iss": "https://id.example", "aud": "notes", "sub": format!("user-{user}"), "exp": 4_000_000_000_u64});
    signed(&json!({"alg": "HS256", "typ": "JWT"}), &claims, KEY.as_bytes())
}

/// An app that tells users who they are, and gives every note to every user: note `n` is of user `n % users`.
fn app(users: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let known: Arc<HashMap<String, usize>> = Arc::new((0..=users).map(|user| (token(user), user)).collect());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let known = Arc::clone(&known);
            thread::spawn(move || answer_all(&stream.expect("a connection"), &known, users));
        }
    });
    address
}

fn answer_all(stream: &TcpStream, known: &HashMap<String, usize>, users: usize) {
    stream.set_nodelay(true).expect("a socket");
    let (mut lines, mut out) = (BufReader::new(stream), stream);
    loop {
        let (mut target, mut caller, mut line) = (String::new(), None, String::new());
        while line != "\r\n" {
            line.clear();
            // The gate may go at any time.
            if !matches!(lines.read_line(&mut line), Ok(1..)) {
                return;
            }
            if let Some(rest) = line.strip_prefix("GET ") {
                rest.split(' ').next().unwrap_or_default().clone_into(&mut target);
            } else if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("authorization")
            {
                caller = known.get(value.trim().trim_start_matches("Bearer ")).copied();
            }
        }
        let body = match (caller, target.strip_prefix("/notes/").and_then(|id| id.parse::<usize>().ok())) {
            (Some(_), Some(id)) => format!("{{\"id\":{id},\"owner_id\":{}}}", id % users),
            (Some(caller), None) if target == "/users/me" => format!("{{\"id\":{caller}}}"),
            _ => panic!("{target}"),
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if out.write_all(head.as_bytes()).is_err() {
            return;
        }
    }
}

/// Asks for notes on a few connections: which, and for whom.
fn ask(address: SocketAddr, count: usize, each: impl Fn(usize) -> (usize, String) + Sync) {
    let next = AtomicUsize::default();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let stream = TcpStream::connect(address).expect("a connection");
                stream.set_nodelay(true).expect("a socket");
                let (mut lines, mut out) = (BufReader::new(&stream), &stream);
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= count {
                        return;
                    }
                    let (id, token) = each(number);
                    let request = format!(
                        "GET /notes/{id} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
                    );
                    out.write_all(request.as_bytes()).expect("a request");
                    assert_eq!(read(&mut lines), 200);
                }
            });
        }
    });
}

/// Reads an answer; returns its status.
fn read(lines: &mut impl BufRead) -> u16 {
    let (mut line, mut status, mut length) = (String::new(), 0, 0);
    while line != "\r\n" {
        line.clear();
        lines.read_line(&mut line).expect("a line of the head");
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest.get(..3).and_then(|text| text.parse().ok()).expect("a status");
        } else if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
    lines.read_exact(&mut vec![0; length]).expect("a body");
    status
}

fn counted(gateway: &Gateway) -> Value {
    let said = gateway.tell(&["objects", "--json"]);
    let listed: Value = serde_json::from_str(&said.stdout).expect("JSON");
    listed["objects"][0]["counted"][0].clone()
}

/// So many users, each with as many notes, ask for their own; and before them one account asks for all.
fn traffic(users: usize, objects: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("contract.json");
    fs::write(&file, contract().to_string()).expect("a file");
    let (upstream, state) = (format!("http://{}", app(users)), tempfile::tempdir().expect("a folder"));
    let config = "[throttle]\nrate = \"1000000/s\"\nburst = 1000000\n[authorization]\nlearn = true\n\
         [[issuer]]\nissuer = \"https://id.example\"\naudience = [\"notes\"]\nsecret = \"env:SCALE_KEY\"\n";
    let gateway = Setup::serve_with(&upstream, &["--contract", file.to_str().expect("text")])
        .config(config)
        .state(state.path())
        .variables(vec![("SCALE_KEY", KEY.into())])
        .start();
    let tokens: Vec<_> = (0..=users).map(token).collect();
    // One account of the attacker, which has no object of its own, asks for everything.
    ask(gateway.addr(), objects, |number| (number, tokens[users].clone()));
    let alone = counted(&gateway);
    assert_eq!((&alone["verdict"], &alone["own"]), (&"unknown".into(), &0.into()), "{alone:#}");
    assert_eq!(alone["foreign-callers"], 1);
    // All others, each with its own.
    let memory = Footprint::of(gateway.pid());
    ask(gateway.addr(), objects, |number| (number, tokens[number % users].clone()));
    let grown = memory.grown(&format!("{users} callers, {objects} objects"));
    let all = counted(&gateway);
    assert_eq!((&all["verdict"], &all["foreign-callers"]), (&"confirmed".into(), &1.into()), "{all:#}");
    // Once it is confirmed, not each answer is looked at.
    assert!(all["callers"].as_u64().is_some_and(|callers| (5..=64).contains(&callers)), "{all:#}");
    assert!(grown < MOST, "{grown} bytes");
    gateway.end();
    let kept = fs::metadata(state.path().join("evidence.jsonl")).expect("a file").len();
    assert!(kept < 8 << 10, "{kept} bytes");
}

#[test]
fn what_is_learned_of_many_takes_little_and_one_account_moves_nothing() {
    traffic(100, 2_000);
}

#[test]
#[ignore = "200,000 requests, for minutes: `cargo xtask test scale:: --ignored --nocapture`"]
fn what_is_learned_of_a_thousand_callers_and_a_hundred_thousand_objects_takes_little() {
    traffic(1_000, 100_000);
}
