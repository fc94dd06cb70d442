//! TLS as clients meet it, and HTTPS where it must be.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use rcgen::SanType;
use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::kit::{
    App, Client, Gateway, Setup,
    command::{THREE_LINES, Typed},
    eventually, provided,
    tls::{Authority, Pair, Settled, Speaks},
};

const RELOADED: &str = "mantlet: configuration reloaded";

fn before_the_app(config: &str) -> Gateway {
    Setup::serve(&format!("unix:{}", App::shared().socket().display())).config(config).start()
}

fn certificate(pair: &Pair) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&pair.certificate).expect("a certificate")
}

#[test]
fn a_request_over_tls_is_https_to_the_app_and_to_the_browser() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let gateway = before_the_app(&format!("[tls]\n{}", authority.sign("a", "shop.example").config()));
    let stream = Speaks::trusting(&authority.file()).connect(gateway.addr(), "shop.example").unwrap();
    assert_eq!(stream.group(), "X25519MLKEM768");
    let mut client = stream.into_client();
    let answer = client.ask("GET /tls HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    let headers = answer.record()["headers"].to_string();
    assert!(headers.contains(r#"["x-forwarded-proto","https"]"#), "{headers}");
    // Keep-alive, and a refusal, over the same connection.
    assert_eq!(client.ask("GET /a/../b HTTP/1.1\r\nHost: shop.example\r\n\r\n").code(), "path-dot-segment");
    assert_eq!(client.ask("GET /again HTTP/1.1\r\nHost: shop.example\r\n\r\n").status, 200);
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").code(), "host-repeated");
}

#[test]
fn the_certificate_is_chosen_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let (first, second) = (authority.sign("a", "a.example"), authority.sign("b", "*.b.example"));
    let more = format!("{{ {} }}", second.config().trim().replace('\n', ", "));
    let gateway = before_the_app(&format!("[tls]\n{}more = [{more}]\n", first.config()));
    let root = authority.file();
    let shown = |name: &str| {
        Speaks::trusting(&root).connect(gateway.addr(), name).map(|stream| stream.certificate()).ok()
    };
    assert_eq!(shown("a.example"), Some(certificate(&first)));
    assert_eq!(shown("x.b.example"), Some(certificate(&second)));
    // Neither is for these, so the first is shown, and a client that looks goes away.
    for name in ["b.example", "x.y.b.example", "c.example"] {
        assert_eq!(shown(name), None, "{name}");
    }
}

#[test]
fn plain_requests_are_sent_to_the_encrypted_address_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let gateway = before_the_app(&format!("[tls]\n{}", authority.sign("a", "shop.example").config()));
    let ask = |request: &str| Client::connect(gateway.addr()).ask(request);
    let answer = ask("GET /x?y=1 HTTP/1.1\r\nHost: shop.example:8443\r\n\r\n");
    assert_eq!((answer.status, answer.header("location")), (308, Some("https://shop.example:8443/x?y=1")));
    assert_eq!(answer.header("strict-transport-security"), None);
    let answer = ask("POST /login HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!((answer.status, answer.code().as_str()), (403, "https-required"));
    let answer = ask("GET /health HTTP/1.1\r\nHost: 10.0.0.5\r\n\r\n");
    assert_eq!(answer.record()["path"], "/health");
    // A client that says so itself is not believed.
    let answer = ask("GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-Proto: https\r\n\r\n");
    assert_eq!(answer.status, 308);
}

#[test]
fn http2_is_offered_and_what_is_agreed_on_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let gateway = before_the_app(&format!("[tls]\n{}", authority.sign("a", "localhost").config()));
    let root = authority.file();
    let stream = Speaks::trusting(&root).offering("h2").offering("http/1.1");
    assert_eq!(stream.connect(gateway.addr(), "localhost").unwrap().protocol(), Some(&b"h2"[..]));
    let stream = Speaks::trusting(&root).offering("http/1.1").connect(gateway.addr(), "localhost").unwrap();
    assert_eq!(stream.protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(stream.into_client().get("/").status, 200);
    // Agreed on HTTP/1, so the preface of HTTP/2 is a malformed request.
    let stream = Speaks::trusting(&root).offering("http/1.1").connect(gateway.addr(), "localhost").unwrap();
    let answer = stream.into_client().ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(answer.code(), "request-line-malformed");
}

#[test]
fn h2spec_passes_without_exception_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let gateway = before_the_app(&format!("[tls]\n{}", authority.sign("a", "localhost").config()));
    let port = gateway.addr().port().to_string();
    let mut h2spec = Command::new(provided("MANTLET_TEST_H2SPEC"));
    let arguments = ["--strict", "-t", "-k", "--host", "127.0.0.1", "--port", &port, "--timeout", "10"];
    let output = h2spec.args(arguments).output().expect("h2spec starts");
    let report = String::from_utf8_lossy(&output.stdout);
    assert_eq!(report.lines().last(), Some("146 tests, 146 passed, 0 skipped, 0 failed"), "{report}");
}

#[test]
fn certificates_that_do_not_fit_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let (one, other) = (authority.sign("a", "a.example"), authority.sign("b", "b.example"));
    let nonsense = folder.path().join("nonsense.pem");
    fs::write(&nonsense, "this is not PEM").unwrap();
    let check = |certificate: &std::path::Path, key: &std::path::Path, expected: &str| {
        let config = format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
        let finished = Typed::mantlet(["config", "check"]).file("mantlet.toml", &config).finish();
        assert_eq!(finished.code, Some(2), "{config}");
        assert!(finished.stderr.contains(expected), "{expected:?} is not in {}", finished.stderr);
    };
    check(&one.certificate, &other.key, "does not belong to the certificate");
    check(&nonsense, &one.key, "contains no certificate in PEM format");
    check(&one.certificate, &nonsense, "cannot be read: it contains no key in PEM format");
    check(&folder.path().join("absent.pem"), &one.key, "No such file");
    let half =
        Typed::mantlet(["config", "check"]).file("mantlet.toml", "[tls]\ncertificate = \"a.pem\"\n").finish();
    assert!(
        half.stderr.contains("mantlet.toml:2: tls.key: there is a certificate without a key")
            || half.stderr.contains("tls.key: there is a certificate without a key"),
        "{}",
        half.stderr
    );
}

#[test]
fn row_78_a_wrong_certificate_at_reload_changes_nothing_and_a_right_one_drops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let (old, new) = (authority.sign("old", "localhost"), authority.sign("new", "localhost"));
    let config = format!("[tls]\n{}", old.config());
    let gateway = before_the_app(&config);
    let root = authority.file();
    let shown = || Speaks::trusting(&root).connect(gateway.addr(), "localhost").unwrap().certificate();
    let mut open = Speaks::trusting(&root).connect(gateway.addr(), "localhost").unwrap().into_client();
    assert_eq!(open.get("/before").status, 200);

    let wrong = format!("[tls]\ncertificate = {:?}\nkey = {:?}\n", new.certificate, old.key);
    gateway.reload(&wrong);
    gateway.wait_for("does not belong to the certificate", 1);
    gateway.wait_for("the running one stays in force", 1);
    assert_eq!(shown(), certificate(&old));

    gateway.reload(&format!("[tls]\n{}", new.config()));
    gateway.wait_for(RELOADED, 1);
    assert_eq!(shown(), certificate(&new));
    assert_eq!(open.get("/after").status, 200);
}

#[test]
fn a_hundred_swaps_under_load_lose_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let pairs = [authority.sign("a", "localhost"), authority.sign("b", "localhost")];
    let gateway = before_the_app(&format!("[tls]\n{}", pairs[0].config()));
    let (root, address, stop) = (authority.file(), gateway.addr(), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = [1, 5, 1_000_000]
        .into_iter()
        .map(|requests_a_connection| {
            let (root, stop) = (root.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                let mut answered = 0;
                while !stop.load(Relaxed) {
                    let stream = Speaks::trusting(&root).connect(address, "localhost").expect("a handshake");
                    let mut client = stream.into_client();
                    for _ in 0..requests_a_connection {
                        assert_eq!(client.get("/swap").status, 200);
                        answered += 1;
                        if stop.load(Relaxed) {
                            break;
                        }
                    }
                }
                answered
            })
        })
        .collect();
    for turn in 1..=100 {
        gateway.reload(&format!("[tls]\n{}", pairs[turn % 2].config()));
        gateway.wait_for(RELOADED, turn);
    }
    stop.store(true, Relaxed);
    let answered: usize = clients.into_iter().map(|client| client.join().expect("no request failed")).sum();
    println!("{answered} requests over 100 swaps");
    assert!(answered > 100);
}

#[test]
fn client_certificates_open_the_door_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, strangers) = (Authority::new(folder.path()), tempfile::tempdir().unwrap());
    let server = authority.sign("server", "localhost");
    let root = authority.file();
    let gateway = before_the_app(&format!(
        "[tls]\n{}client-authorities = {root:?}\nclient-required = true\n",
        server.config()
    ));
    let status = |speaks: Speaks| {
        let mut client = speaks.connect(gateway.addr(), "localhost").ok()?.into_client();
        // With TLS 1.3 a client learns only with the first answer that it is not welcome.
        client.try_send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").then_some(())?;
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.answer().status)).ok()
    };
    assert_eq!(status(Speaks::trusting(&root).showing(authority.sign("client", "client"))), Some(200));
    assert_eq!(status(Speaks::trusting(&root)), None);
    let stranger = Authority::new(strangers.path()).sign("client", "client");
    assert_eq!(status(Speaks::trusting(&root).showing(stranger)), None);
}

#[test]
fn a_clients_certificate_is_a_principal_to_the_app_and_to_the_audit() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let root = authority.file();
    let config =
        format!("[tls]\n{}client-authorities = {root:?}\n", authority.sign("server", "localhost").config());
    let gateway = before_the_app(&config);
    let text = |text: &str| text.try_into().expect("plain text");
    let (uri, mail) =
        (SanType::URI(text("spiffe://example/billing")), SanType::Rfc822Name(text("a@b.example")));
    let host = SanType::DnsName(text("billing.example"));
    let mut clients = vec![(Speaks::trusting(&root), None)];
    for (index, (alternatives, name)) in [
        (vec![], "Billing"),
        (vec![host.clone()], "billing.example"),
        (vec![host.clone(), mail.clone()], "a@b.example"),
        (vec![host, mail, uri], "spiffe://example/billing"),
    ]
    .into_iter()
    .enumerate()
    {
        let pair = authority.sign_client(&format!("client-{index}"), "Billing", alternatives);
        let expected = (name, format!(":{}:", base64(&certificate(&pair))));
        clients.push((Speaks::trusting(&root).showing(pair), Some(expected)));
    }
    for (speaks, expected) in clients {
        let mut client = speaks.connect(gateway.addr(), "localhost").unwrap().into_client();
        let forged = "Host: localhost\r\nClient-Cert: :AAAA:\r\nClient-Cert-Chain: :AAAA:\r\n";
        let record = client.ask(format!("GET /me HTTP/1.1\r\n{forged}\r\n")).record();
        let headers = record["headers"].as_array().unwrap().iter();
        let told: Vec<_> =
            headers.filter(|pair| pair[0].as_str().unwrap().starts_with("client-cert")).collect();
        match &expected {
            None => assert!(told.is_empty(), "{told:?}"),
            Some((_, header)) => assert_eq!(told, [&serde_json::json!(["client-cert", header])]),
        }
        let name = expected.map(|(name, _)| name);
        // A browser shows its certificate to whatever page asks.
        let foreign = "Host: localhost\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n";
        let answer = client.ask(format!("POST /write HTTP/1.1\r\n{foreign}\r\n"));
        assert_eq!(answer.status, if name.is_some() { 403 } else { 200 });
        let refused = client.ask("GET /a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(gateway.audit_of(refused.request_id())["user"], serde_json::json!(name));
    }
}

#[test]
fn a_session_does_not_outlive_the_authority_of_its_client() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let authorities = folder.path().join("authorities.pem");
    fs::copy(authority.file(), &authorities).unwrap();
    let server = authority.sign("server", "localhost").config();
    let config = |rest: &str| format!("[tls]\n{server}client-authorities = {authorities:?}\n{rest}");
    let gateway = before_the_app(&config(""));
    let client = |own: Option<Pair>| match own {
        Some(own) => Speaks::trusting(&authority.file()).showing(own).settle(),
        None => Speaks::trusting(&authority.file()).settle(),
    };
    let (alice, nobody) = (client(Some(authority.sign_client("alice", "alice", vec![]))), client(None));
    // One request a connection, after which the client has the server's ticket.
    let ask = |client: &Settled| {
        let stream = client.connect(gateway.addr(), "localhost").ok()?;
        let resumed = stream.is_resumed();
        let mut stream = stream.into_client();
        stream.try_send("GET /me HTTP/1.1\r\nHost: localhost\r\n\r\n").then_some(())?;
        let asked = std::panic::AssertUnwindSafe(|| stream.answer());
        let answer = std::panic::catch_unwind(asked).ok()?;
        Some((resumed, answer.record().to_string().contains("client-cert")))
    };
    assert_eq!((ask(&alice), ask(&nobody)), (Some((false, true)), Some((false, false))));
    assert_eq!((ask(&alice), ask(&nobody)), (Some((true, true)), Some((true, false))));
    // Alice's authority is trusted no more, and everybody has to show a certificate.
    fs::copy(Authority::new(other.path()).file(), &authorities).unwrap();
    gateway.reload(&config("client-required = true\n"));
    gateway.wait_for(RELOADED, 1);
    assert_eq!((ask(&alice), ask(&nobody)), (None, None));
}

/// By the tool that everybody has.
fn base64(bytes: &[u8]) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    let output = Command::new("base64").arg("--wrap=0").arg(file.path()).output().expect("base64 runs");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_handshake_that_does_not_go_on_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let pair = authority.sign("a", "localhost");
    let gateway = before_the_app(&format!("[tls]\nhandshake-timeout = \"1s\"\n{}", pair.config()));
    let mut client = Client::connect(gateway.addr());
    // The beginning of a handshake record.
    client.send([0x16, 3, 1]);
    client.expect_closed();
}

#[test]
fn tls_dev_makes_an_authority_once_and_says_how_to_trust_it() {
    let start = |typed: Typed| typed.file("main.py", THREE_LINES).start();
    let process = start(Typed::run(&["main:app", "--tls-dev"]));
    let ready = process.line("ready behind https://");
    let address = ready.rsplit("https://").next().unwrap().trim().parse().unwrap();
    assert!(process.stderr().contains("update-ca-certificates"), "{}", process.stderr());
    let folder = process.folder().join(".mantlet/tls-dev");
    for key in ["ca-key.pem", "localhost-key.pem"] {
        let mode = fs::metadata(folder.join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    for name in ["localhost", "127.0.0.1"] {
        let stream = Speaks::trusting(&folder.join("ca.pem")).connect(address, name).unwrap();
        assert_eq!(stream.into_client().get("/").status, 200, "{name}");
    }
    let made = fs::read(folder.join("ca.pem")).unwrap();
    let check = Command::new(env!("CARGO_BIN_EXE_mantlet"))
        .args(["config", "check"])
        .env_clear()
        .env("MANTLET_TLS__DEV", "true")
        .current_dir(process.folder())
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    let again = eventually("the file", || fs::read(folder.join("ca.pem")).ok());
    assert!(again == made, "the authority is made once");
    assert!(!String::from_utf8_lossy(&check.stderr).contains("created a certificate authority"));
}
