//! A contract or a document that was named.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use rustix::process::Signal;

use super::{ask, before, seen};
use crate::kit::{App, Setup, Upstream, Uvicorn, command::Typed, tls::Authority};

/// One operation, and a body that must have a name.
const DOCUMENT: &str = r#"{"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": {"/echo": {"post": {
    "requestBody": {"content": {"application/json": {"schema": {
        "type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}
    }}}}
}}}}"#;

fn app() -> String {
    format!("unix:{}", App::shared().socket().display())
}

/// An HTTP server that answers every request so.
fn answering(head: &str, body: &str) -> (std::net::SocketAddr, Upstream) {
    let answer = format!("{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let upstream = Upstream::answering(answer);
    (upstream.listen_on_tcp(), upstream)
}

#[test]
fn a_file_is_reported_trusted_or_enforced_by_posture() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.yaml");
    fs::write(&file, DOCUMENT).unwrap();
    let named = ["--openapi", file.to_str().unwrap()];
    let with = |more: &[&'static str], config: &str| {
        Setup::serve_with(&app(), &[&named[..], more].concat()).config(config).start()
    };
    let bad = |gateway: &crate::kit::Gateway| {
        (seen(&ask(gateway, "POST", "/echo", "{}")).1, seen(&ask(gateway, "GET", "/else", "")).1)
    };
    let claimed = with(&[], "[contract]\ninput = \"enforce\"\nunknown-routes = \"reject\"\n");
    assert!(claimed.stderr().contains("the contract of Shop, from the document `"), "{}", claimed.stderr());
    assert!(claimed.stderr().contains("reported, not enforced"), "{}", claimed.stderr());
    assert_eq!(bad(&claimed), (String::new(), String::new()));
    let strict = with(&["--strict"], "");
    assert!(strict.stderr().contains("unknown paths and methods: refused"), "{}", strict.stderr());
    assert_eq!(bad(&strict), ("input-invalid".into(), "route-unknown".into()));
    let open = with(&["--strict"], "[contract]\nunknown-routes = \"report\"\n");
    assert_eq!(bad(&open), ("input-invalid".into(), String::new()));
    let doubted = with(&["--strict"], "[contract]\ntrust = \"app\"\n");
    assert!(doubted.stderr().contains("reported, not enforced"), "{}", doubted.stderr());
    assert_eq!(bad(&doubted), (String::new(), String::new()));
    let lines = "[contract]\ninput = \"enforce\"\nunknown-routes = \"reject\"\n";
    assert_eq!(bad(&with(&["--trust-document"], lines)), ("input-invalid".into(), "route-unknown".into()));
}

#[test]
fn an_address_is_asked_and_redirects_are_not_followed() {
    let (address, _server) = answering("HTTP/1.1 200 OK", DOCUMENT);
    let url = format!("http://{address}/openapi.json");
    let gateway = Setup::serve_with(&app(), &["--openapi", &url]).start();
    assert!(
        gateway.stderr().contains(&format!("from the document `{url}`: 1 operation\n")),
        "{}",
        gateway.stderr()
    );

    let failing = [
        (
            "HTTP/1.1 302 Found\r\nLocation: https://login.example/",
            "",
            "redirects to `https://login.example/`, and redirects are not",
        ),
        ("HTTP/1.1 404 Not Found", "", "answers 404 instead of a document"),
        ("HTTP/1.1 200 OK", r#"{"openapi": "3.1.0", "paths": {}}"#, "the document has no operations"),
        (
            "HTTP/1.1 200 OK",
            "<html>",
            "is an HTML page, not an OpenAPI document; a FastAPI app has its document at `/openapi.json`",
        ),
    ];
    for (head, body, says) in failing {
        let (address, _server) = answering(head, body);
        let url = format!("http://{address}/openapi.json");
        let serve =
            ["serve", "--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--openapi", &url];
        let ended = Typed::mantlet(serve).finish();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(says) && !ended.stderr.contains("ready behind"), "{}", ended.stderr);
        let looked = Typed::mantlet(["contract", "--openapi", &url]).finish();
        assert_eq!(looked.code, Some(1));
        assert!(looked.stderr.contains(says) && looked.stdout.is_empty(), "{}", looked.stderr);
    }
}

#[test]
fn an_encrypted_address_is_asked_if_its_certificate_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let config = format!("[tls]\n{}", authority.sign("a", "localhost").config());
    let server = Upstream::answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{DOCUMENT}",
        DOCUMENT.len()
    ));
    // Mantlet itself is the server that speaks TLS.
    let gateway = Setup::serve(&server.url()).config(&config).start();
    let url = format!("https://localhost:{}/openapi.json", gateway.addr().port());
    let ask = || Typed::mantlet(["contract", "--openapi", &url]);
    let known = ask().variable("SSL_CERT_FILE", authority.file()).finish();
    assert_eq!(known.code, Some(0), "{}", known.stderr);
    assert!(known.stderr.contains(&format!("from the document `{url}`: 1 operation")), "{}", known.stderr);
    let unknown = ask().finish();
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.stderr.contains(&format!("cannot reach `{url}`: invalid peer certificate: UnknownIssuer")),
        "{}",
        unknown.stderr
    );
}

#[test]
fn an_address_is_asked_again_when_a_person_says_so_and_after_an_answer_in_between() {
    let count = AtomicUsize::new(0);
    let answers = [
        ("503 Service Unavailable", String::new()),
        ("200 OK", DOCUMENT.to_owned()),
        ("404 Not Found", String::new()),
        ("200 OK", DOCUMENT.replace("/echo", "/other")),
    ];
    let server = Upstream::new(move |connection| {
        connection.read_head();
        let (status, body) = &answers[count.fetch_add(1, SeqCst)];
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        connection.write(head.as_bytes());
    });
    let url = format!("http://{}/", server.listen_on_tcp());
    let gateway = Setup::serve_with(&app(), &["--openapi", &url, "--strict"]).start();
    gateway.wait_for("1 operation\n", 1);
    let codes = || ["/echo", "/other"].map(|path| seen(&ask(&gateway, "POST", path, "{}")).1);
    let first = ["input-invalid".to_owned(), "route-unknown".to_owned()];
    assert_eq!(codes(), first);
    gateway.signal(Signal::HUP);
    gateway.wait_for("answers 404 instead of a document\n  the last contract stays in force", 1);
    assert_eq!(codes(), first);
    gateway.signal(Signal::HUP);
    crate::kit::eventually("the other one is in force", || {
        (codes() == ["route-unknown".to_owned(), "input-invalid".to_owned()]).then_some(())
    });
}

#[test]
fn a_document_that_is_too_long_is_not_read_to_its_end() {
    let upstream = Upstream::new(|connection| {
        connection.read_head();
        connection.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while connection.try_write(&vec![b' '; 64 << 10]) {}
    });
    let url = format!("http://{}/", upstream.listen_on_tcp());
    let ended = Typed::mantlet(["contract", "--openapi", &url]).finish();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("the response is larger than 16 MiB"), "{}", ended.stderr);
}

#[test]
fn an_address_where_nobody_is_yet_is_asked_again() {
    let server = Upstream::answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{DOCUMENT}",
        DOCUMENT.len()
    ));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let url = format!("http://{address}/openapi.json");
    let gateway = Setup::serve_with(&app(), &["--openapi", &url]).start();
    gateway.wait_for("Connection refused", 1);
    gateway.wait_for("trying again\n  requests are not checked against a contract", 1);
    server.listen_on_tcp_at(address);
    gateway.wait_for("1 operation\n", 1);
}

#[test]
fn an_address_that_is_silent_at_first_does_not_hold_up_the_start() {
    let count = AtomicUsize::new(0);
    let server = Upstream::new(move |connection| {
        connection.read_head();
        if count.fetch_add(1, SeqCst) == 0 {
            // Until nobody waits any longer.
            return connection.read_to_end();
        }
        let length = DOCUMENT.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{DOCUMENT}");
        connection.write(head.as_bytes());
    });
    let url = format!("http://{}/", server.listen_on_tcp());
    let gateway = Setup::serve_with(&app(), &["--openapi", &url]).start();
    gateway.wait_for("1 operation\n", 1);
}

#[test]
fn a_contract_that_is_not_asked_for_any_longer_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("openapi.json");
    fs::write(&document, DOCUMENT).unwrap();
    let section = format!("[contract]\nposture = \"strict\"\nopenapi = {:?}\n", document.to_str().unwrap());
    let gateway = Setup::serve_with(&app(), &[]).config(&section).start();
    assert_eq!(seen(&ask(&gateway, "POST", "/echo", "{}")).1, "input-invalid");
    gateway.reload("[contract]\nposture = \"strict\"\nopenapi = \"off\"\n");
    gateway.wait_for("switches the contract off\n  requests are not checked against a contract", 1);
    assert_eq!(seen(&ask(&gateway, "POST", "/echo", "{}")), (200, String::new()));
    gateway.reload(&section);
    gateway.wait_for("from the document `", 2);
    assert_eq!(seen(&ask(&gateway, "POST", "/echo", "{}")).1, "input-invalid");
}

#[test]
fn a_file_that_is_named_later_is_not_displaced_by_the_app_and_the_app_is_believed_again_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("openapi.json");
    fs::write(&document, DOCUMENT).unwrap();
    let strict = "[contract]\nposture = \"strict\"\n";
    let named = format!("{strict}openapi = {:?}\n", document.to_str().unwrap());
    let gateway = Setup::run("careful:app").config(strict).start();
    gateway.wait_for("read from the app", 1);
    let code = || seen(&ask(&gateway, "POST", "/echo", "{}")).1;
    assert_eq!(code(), "route-unknown");
    gateway.reload(&named);
    gateway.wait_for("from the document `", 1);
    assert_eq!(code(), "input-invalid");
    gateway.reload(strict);
    gateway.wait_for("read from the app", 2);
    assert_eq!(code(), "route-unknown");
}

#[test]
fn a_contract_that_was_written_is_enforced_without_the_app() {
    let folder = tempfile::tempdir().unwrap();
    let written = Typed::mantlet(["contract", "careful:app"]).app("careful.py").finish();
    let file = folder.path().join("contract.json");
    fs::write(&file, written.stdout).unwrap();
    let file = file.to_str().unwrap();
    let _app = Uvicorn::serve("careful:app", folder.path());
    let gateway = before(folder.path(), &["--contract", file], "[contract]\ninput = \"enforce\"\n");
    assert!(
        gateway.stderr().contains("contract.json`: 8 operations (1 not in its document)"),
        "{}",
        gateway.stderr()
    );
    assert_eq!(seen(&ask(&gateway, "POST", "/closed", "{}")), (422, "input-invalid".into()));
    assert_eq!(seen(&ask(&gateway, "POST", "/closed", r#"{"name": "a"}"#)), (200, String::new()));

    // `run` with a file asks neither the inspector nor the app.
    let run = Typed::run(&["careful:app", "--contract", file, "--strict"]).app("careful.py").start();
    run.ready();
    assert!(run.stderr().contains("contract.json`: "), "{}", run.stderr());
    assert!(!run.stderr().contains("read from the app"), "{}", run.stderr());
}

#[test]
fn what_cannot_be_used_starts_nothing() {
    let contract = |version: u32| {
        format!(
            r#"{{"version": {version}, "source": "inspector", "router": {{"routes": [], "redirect-slashes": true, "complete": true}}, "shapes": []}}"#
        )
    };
    for (flag, text, says) in [
        ("--contract", "{", "is not valid JSON"),
        ("--contract", DOCUMENT, "is an OpenAPI document; pass it with `--openapi`"),
        ("--contract", &*contract(1), "has no operations"),
        ("--contract", &*contract(2), "has version 2, but this Mantlet knows version 1; write it again"),
        ("--openapi", &*contract(1), "not an OpenAPI document"),
        ("--openapi", r#"{"openapi": "3.1.0", "paths": {}}"#, "the document has no operations"),
        ("--openapi", "", "the document is empty"),
        ("--openapi", r#"{"swagger": "2.0"}"#, "Swagger 2.0"),
    ] {
        let serve = ["serve", "--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", flag, "named"];
        let ended = Typed::mantlet(serve).file("named", text).finish();
        assert_eq!(ended.code, Some(1), "{text}");
        assert!(
            ended.stderr.contains(says) && !ended.stderr.contains("ready behind"),
            "{text}: {}",
            ended.stderr
        );
    }
    let missing = ["serve", "--upstream", "http://127.0.0.1:1", "--contract", "nowhere.json"];
    assert!(
        Typed::mantlet(missing).finish().stderr.contains("the contract `nowhere.json` does not exist in `/")
    );
    let both = ["serve", "--upstream", "http://127.0.0.1:1", "--contract", "a", "--openapi", "b"];
    let ended = Typed::mantlet(both).finish();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    for says in ["--openapi: contract.openapi: `file` and `openapi` are both set", "remove one of the two"] {
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
    let other = ["serve", "--upstream", "http://127.0.0.1:1", "--openapi", "ftp://x/y"];
    let ended = Typed::mantlet(other).finish();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("only `http://` and `https://` are supported"), "{}", ended.stderr);
    for (config, says) in [
        (
            "[contract]\nfile = \"a\"\nopenapi = \"b\"\n",
            "mantlet.toml:3: contract.openapi: `file` and `openapi` are both set",
        ),
        ("[contract]\nopenapi = \"https://me:word@x/\"\n", "contract.openapi: an address with a password"),
        ("[[route]]\npath = \"/x\"\ncontract.unknown-field = \"strip\"\n", "did you mean `unknown-fields`?"),
        (
            "[[route]]\npath = \"/x\"\ncontract.docs = \"never\"\n",
            "route[0].contract.docs: `never` is not one of",
        ),
    ] {
        let checked = Typed::mantlet(["config", "check"]).file("mantlet.toml", config).finish();
        assert_eq!(checked.code, Some(2), "{config}");
        assert!(checked.stderr.contains(says), "{config}{}", checked.stderr);
    }
}

#[test]
fn one_that_breaks_leaves_the_last_good_one_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    fs::write(&file, DOCUMENT).unwrap();
    let gateway = Setup::serve_with(&app(), &["--openapi", file.to_str().unwrap(), "--strict"]).start();
    let refused = || seen(&ask(&gateway, "POST", "/echo", "{}")).1;
    assert_eq!(refused(), "input-invalid");
    for (number, broken) in ["{", r#"{"openapi": "3.1.0", "paths": {}}"#].into_iter().enumerate() {
        fs::write(&file, broken).unwrap();
        gateway.signal(Signal::HUP);
        gateway.wait_for("the last contract stays in force", number + 1);
        assert_eq!(refused(), "input-invalid");
    }
    fs::remove_file(&file).unwrap();
    gateway.signal(Signal::HUP);
    gateway.wait_for("openapi.json` does not exist", 1);
    assert_eq!(refused(), "input-invalid");
    fs::write(&file, DOCUMENT.replace("[\"name\"]", "[]")).unwrap();
    gateway.signal(Signal::HUP);
    gateway.wait_for("configuration reloaded", 4);
    crate::kit::eventually("the new one is in force", || (refused().is_empty()).then_some(()));
    // Another posture makes another report.
    gateway.reload("[contract]\nunknown-routes = \"allow\"\n");
    gateway.wait_for("unknown paths and methods: let through", 1);
}
