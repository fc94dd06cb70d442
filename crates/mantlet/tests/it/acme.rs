//! Certificates that are fetched, from a real ACME server.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use rustix::process::Signal;

use crate::kit::{
    App, Client, Setup, Upstream,
    acme::{Pebble, ask},
    command::{THREE_LINES, Typed},
    processes::mode,
    tls::{Authority, Speaks},
};

const NAMES: [&str; 2] = ["shop.example", "www.shop.example"];
const ARRIVED: &str = "has arrived and is in use";

#[test]
fn a_server_that_is_away_is_waited_for_and_then_gives_a_certificate_for_both_names() {
    let mut pebble = Pebble::away();
    // For its authority, which the configuration names.
    pebble.come();
    pebble.go();
    let gateway = pebble.gate(&pebble.config(&NAMES, "contact = [\"mailto:ops@shop.example\"]")).start();
    gateway.wait_for("error: there is no certificate for shop.example, www.shop.example", 1);
    gateway.wait_for("cannot be reached: Connection refused", 1);
    gateway.wait_for("trying again in ", 1);
    // Nothing is shown in its place, and whoever asks is told.
    let refused = Speaks::trusting(&Authority::new(pebble.folder()).file());
    let error = refused.connect(gateway.addr(), NAMES[0]).err().expect("no certificate yet").to_string();
    assert!(error.contains("UnrecognisedName"), "{error}");
    // Plain requests are sent to the encrypted address all the same.
    assert_eq!(Client::connect(gateway.addr()).get("/").status, 308);

    pebble.come();
    gateway.wait_for(ARRIVED, 1);
    let root = pebble.root();
    for name in NAMES {
        let record = ask(gateway.addr(), &root, name).record();
        assert!(record["headers"].to_string().contains(r#"["x-forwarded-proto","https"]"#), "{record}");
    }
    // Nobody but an authority with a challenge speaks this protocol.
    assert!(Speaks::trusting(&root).offering("acme-tls/1").connect(gateway.addr(), NAMES[0]).is_err());
    let end = gateway.end();
    assert!(end.audit.is_empty(), "the names are hosts of ours: {:?}", end.audit);
}

#[test]
fn a_restart_uses_what_is_kept_and_kept_it_is_for_nobody_else() {
    let pebble = Pebble::start();
    let config = pebble.config(&NAMES, "");
    let shown = |gateway: &crate::kit::Gateway| {
        Speaks::trusting(&pebble.root()).connect(gateway.addr(), NAMES[1]).unwrap().certificate()
    };
    let gateway = pebble.gate(&config).start();
    gateway.wait_for(ARRIVED, 1);
    let (first, orders) = (shown(&gateway), pebble.orders());
    assert_eq!(gateway.end().status.code(), Some(0));

    let gateway = pebble.gate(&config).start();
    gateway.wait_for("the certificate for shop.example, www.shop.example is valid until", 1);
    assert_eq!((shown(&gateway), pebble.orders()), (first, orders));
    assert!(!gateway.stderr().contains("requesting"), "{}", gateway.stderr());
    let mut kept = 0;
    for entry in fs::read_dir(pebble.kept()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(entry.path()), 0o600, "{entry:?}");
        kept += 1;
    }
    assert_eq!((kept, mode(pebble.kept())), (2, 0o700), "the account and the certificate");
}

#[test]
fn http_01_is_answered_by_the_gate_on_a_further_address_and_the_rest_goes_to_https() {
    let pebble = Pebble::start();
    let tap = Upstream::before(App::shared().socket());
    let plain = pebble.plain_address();
    let config = pebble.config(&NAMES, &format!("challenge = \"http-01\"\nhttp-listen = \"{plain}\""));
    // Hosts are asked for by name only, and challenges come before that.
    let config = format!("{config}[host]\nallow = [\"shop.example\", \"www.shop.example\"]\n");
    let gateway = Setup::serve(&tap.url())
        .config(&config)
        .listen(&pebble.gate_address().to_string())
        .state(&pebble.state())
        .start();
    gateway.wait_for(ARRIVED, 1);
    assert_eq!(ask(gateway.addr(), &pebble.root(), NAMES[1]).status, 200);
    let answer = Client::connect(plain).ask("GET /x?y=1 HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    assert_eq!((answer.status, answer.header("location")), (308, Some("https://shop.example/x?y=1")));
    let answer =
        Client::connect(plain).ask("POST /x HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((answer.status, answer.code().as_str()), (403, "https-required"));
    let seen = String::from_utf8(tap.seen()).unwrap();
    assert!(seen.starts_with("GET /acme ") && !seen.contains("well-known"), "{seen}");
    assert!(gateway.end().audit.iter().all(|record| record["reason"] == "https-required"));
}

#[test]
fn http_01_is_answered_on_the_only_address_too() {
    let pebble = Pebble::start();
    let plain = pebble.plain_address();
    let config = pebble.config(&NAMES, "challenge = \"http-01\"");
    let gateway = pebble.gate(&config).listen(&plain.to_string()).start();
    gateway.wait_for(ARRIVED, 1);
    assert_eq!(ask(plain, &pebble.root(), NAMES[0]).status, 200);
}

#[test]
fn a_certificate_is_renewed_before_it_ends_and_nobody_notices() {
    // Whoever connects looks whether it is good at that moment.
    let pebble = Pebble::giving(12);
    let gateway = pebble.gate(&pebble.config(&NAMES, "")).start();
    gateway.wait_for(ARRIVED, 1);
    let (root, address, stop) = (pebble.root(), gateway.addr(), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = NAMES
        .into_iter()
        .map(|name| {
            let (root, stop) = (root.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                let (mut shown, mut answered) = (Vec::new(), 0);
                let mut open =
                    Speaks::trusting(&root).connect(address, name).expect("a handshake").into_client();
                while !stop.load(Relaxed) {
                    let stream = Speaks::trusting(&root).connect(address, name).expect("a handshake");
                    let certificate = stream.certificate();
                    if shown.last() != Some(&certificate) {
                        shown.push(certificate);
                    }
                    assert_eq!(stream.into_client().get("/new").status, 200);
                    assert_eq!(open.get("/open").status, 200, "a connection that was there before");
                    answered += 2;
                }
                (shown.len(), answered)
            })
        })
        .collect();
    gateway.wait_for(ARRIVED, 3);
    stop.store(true, Relaxed);
    for client in clients {
        let (certificates, answered) = client.join().expect("no request failed");
        println!("{answered} requests, {certificates} certificates");
        assert!(certificates >= 2 && answered > 10);
    }
}

#[test]
fn a_renewal_that_fails_is_told_and_the_present_certificate_goes_on() {
    let mut pebble = Pebble::giving(24);
    let gateway = pebble.gate(&pebble.config(&NAMES, "")).start();
    gateway.wait_for(ARRIVED, 1);
    let root = pebble.root();
    pebble.go();
    gateway.wait_for(
        "error: the certificate for shop.example, www.shop.example is not renewed yet; it expires ",
        1,
    );
    assert_eq!(ask(gateway.addr(), &root, NAMES[0]).status, 200);
    pebble.come();
    gateway.wait_for(ARRIVED, 2);
    assert_eq!(ask(gateway.addr(), &pebble.root(), NAMES[0]).status, 200);
}

#[test]
fn names_that_lead_elsewhere_are_told_and_asked_for_again_when_a_person_says_so() {
    let pebble = Pebble::start();
    pebble.names_lead_here(false);
    let authority = Authority::new(pebble.folder());
    let own = authority.sign("own", "other.example");
    let own_root = authority.file();
    let config = format!("[tls]\n{}{}", own.config(), pebble.config(&NAMES, ""));
    let own_is_shown = |gateway: &crate::kit::Gateway| {
        assert_eq!(ask(gateway.addr(), &own_root, "other.example").status, 200);
        assert!(Speaks::trusting(&own_root).connect(gateway.addr(), NAMES[0]).is_err());
    };
    let gateway = pebble.gate(&config).start();
    gateway.wait_for("could not validate ", 1);
    gateway.wait_for("shop.example: Could not resolve", 1);
    gateway.wait_for(
        "check that the A and AAAA records of each name point to this machine, and that port 443 is open",
        1,
    );
    gateway.wait_for(&format!("It listens on {}.", gateway.addr()), 1);
    gateway.wait_for("trying again in ", 1);
    own_is_shown(&gateway);
    let orders = pebble.orders();
    gateway.end();

    // A start does not ask sooner: whoever starts it again and again would use up the server's patience.
    let gateway = pebble.gate(&config).start();
    gateway.wait_for("earlier attempts have failed, and the next one is in ", 1);
    own_is_shown(&gateway);
    assert_eq!(pebble.orders(), orders);

    pebble.names_lead_here(true);
    gateway.signal(Signal::HUP);
    gateway.wait_for(ARRIVED, 1);
    let root = pebble.root();
    for name in NAMES {
        assert_eq!(ask(gateway.addr(), &root, name).status, 200);
    }
    assert_eq!(ask(gateway.addr(), &own_root, "other.example").status, 200);
}

#[test]
fn a_reload_with_other_names_fetches_another_certificate() {
    let mut pebble = Pebble::start();
    let gateway = pebble.gate(&pebble.config(&NAMES[..1], "")).start();
    gateway.wait_for(ARRIVED, 1);
    let first = pebble.root();
    let mut open = Speaks::trusting(&first).connect(gateway.addr(), NAMES[0]).unwrap().into_client();
    assert_eq!(open.get("/before").status, 200);
    // It comes back with another authority and without a memory: the account is made anew.
    pebble.go();
    pebble.come();
    gateway.reload(&pebble.config(&NAMES, ""));
    gateway.wait_for(ARRIVED, 2);
    let second = pebble.root();
    for name in NAMES {
        assert_eq!(ask(gateway.addr(), &second, name).status, 200);
    }
    assert_eq!(open.get("/after").status, 200);
    // The same again changes nothing.
    let orders = pebble.orders();
    gateway.signal(Signal::HUP);
    gateway.wait_for("mantlet: configuration reloaded", 2);
    assert_eq!(ask(gateway.addr(), &second, NAMES[0]).status, 200);
    assert_eq!(pebble.orders(), orders);
}

#[test]
fn an_attempt_under_way_is_given_up_for_other_settings() {
    let pebble = Pebble::start();
    // Takes connections, and says nothing for longer than this test lasts.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let right = pebble.config(&NAMES, "");
    let line = right.lines().find(|line| line.starts_with("directory =")).unwrap();
    let wrong = format!("directory = \"https://{}/dir\"", silent.local_addr().unwrap());
    let gateway = pebble.gate(&right.replace(line, &wrong)).start();
    gateway.wait_for("from https://127.0.0.1:", 1);
    gateway.reload(&right);
    gateway.wait_for(ARRIVED, 1);
    assert!(!gateway.stderr().contains("error"), "{}", gateway.stderr());
}

#[test]
fn a_wrong_address_and_an_unknown_authority_are_told() {
    let pebble = Pebble::start();
    let told = |config: &str, what: &str, help: &str| {
        let gateway = pebble.gate(config).start();
        gateway.wait_for(what, 1);
        gateway.wait_for(help, 1);
    };
    let right = pebble.config(&NAMES, "");
    told(&right.replace("/dir\"", "/no\""), "/no does not respond like an ACME server", "server's directory");
    let strangers = tempfile::tempdir().unwrap();
    let stranger = Authority::new(strangers.path()).file();
    let line = right.lines().find(|line| line.starts_with("directory-authority")).unwrap();
    let wrong = right.replace(line, &format!("directory-authority = {stranger:?}"));
    told(&wrong, "presents a certificate that this machine does not trust", "with `directory-authority`");
}

#[test]
fn a_certificate_that_has_ended_already_is_not_kept() {
    let pebble = Pebble::giving(1);
    let gateway = pebble.gate(&pebble.config(&NAMES, "")).start();
    gateway.wait_for("sent a certificate that has expired", 1);
    gateway.wait_for("check this machine's clock", 1);
    assert!(!pebble.kept().join("certificate.pem").exists());
    assert_eq!(pebble.orders(), 1, "it is not asked for again at once");
}

#[test]
fn mistakes_are_told_before_anything_is_asked() {
    let check = |section: &str, expected: &[&str]| {
        let text = format!("[tls.acme]\n{section}\n");
        let finished = Typed::mantlet(["config", "check"]).file("mantlet.toml", &text).finish();
        assert_eq!(finished.code, Some(2), "{section}");
        for expected in expected {
            assert!(finished.stderr.contains(expected), "{expected:?} is not in {}", finished.stderr);
        }
    };
    check(
        "domains = [\"a.example\"]",
        &[
            "tls.acme.accept-terms: the terms of the ACME server must be accepted",
            "write `accept-terms = true`",
        ],
    );
    check(
        "domains = [\"*.a.example\"]\naccept-terms = true",
        &["mantlet.toml:2: tls.acme.domains[0]: `*.a.example`: a wildcard needs DNS-01"],
    );
    check("accept-terms = true", &["tls.acme.domains: no name given"]);
    check(
        "domains = [\"a.example\"]\naccept-terms = true\ndirectory = \"ca.example\"",
        &["tls.acme.directory: `ca.example` is not the address of an ACME directory", "https://HOST/PATH"],
    );
    check(
        "domains = [\"a.example\"]\naccept-terms = true\ndirectory-authority = \"absent.pem\"",
        &["tls.acme.directory-authority: the certificate `absent.pem` cannot be read"],
    );
    check("challenge = \"dns-01\"", &["tls.acme.challenge: `dns-01` is not one of"]);
}

#[test]
fn nothing_is_asked_for_that_could_not_be_kept() {
    let config =
        "[tls.acme]\ndomains = [\"a.example\"]\naccept-terms = true\ndirectory = \"https://127.0.0.1:1/\"\n";
    let finished = Typed::run(&["main:app"])
        .file("main.py", THREE_LINES)
        .file("mantlet.toml", config)
        .file(".mantlet", "a file where the folder would be")
        .finish();
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("cannot create the state folder `.mantlet`"), "{}", finished.stderr);
}

#[test]
fn a_further_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = format!(
        "[tls.acme]\ndomains = [\"a.example\"]\naccept-terms = true\ndirectory = \"https://127.0.0.1:1/\"\n\
         http-listen = \"{address}\"\n"
    );
    let finished =
        Typed::run(&["main:app"]).file("main.py", THREE_LINES).file("mantlet.toml", &config).finish();
    assert_eq!(finished.code, Some(1));
    let said = finished.stderr;
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(said.contains("choose another address with `tls.acme.http-listen`"), "{said}");
}
