//! Mails of a gate that runs, at a mail server.

use serde_json::{Value, json};

use super::{
    mailbox::{MailServer, text_of, token_of},
    site::{PASSWORD, Site, bearer, session},
};
use crate::kit::{Setup, clock::Clock, redis::free_port};

const ADDRESS: &str = "ada@example.com";

fn config(port: u16) -> String {
    format!("name = \"Orchard\"\nmail = \"smtp://127.0.0.1:{port}\"\n")
}

fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    let headers = mail["headers"].as_array().expect("headers");
    let found = headers.iter().find(|header| header[0] == name).expect("the header");
    found[1].as_str().expect("text")
}

fn ask_to_register(site: &Site) {
    let asked = json!({ "email": ADDRESS, "password": PASSWORD });
    assert_eq!(site.post_json("/auth/api/register", &asked, "").status, 202);
}

/// The status of a login with a password.
fn log_in(site: &Site, password: &str) -> u16 {
    site.post_json("/auth/api/login", &json!({ "email": ADDRESS, "password": password }), "").status
}

fn verify(site: &Site, mail: &Value) {
    let token = token_of(&text_of(mail), "verify").expect("a link");
    // Scanners follow links: that alone does nothing.
    let page = site.get(&format!("/auth/verify?token={token}"), "Accept: text/html\r\n");
    assert_eq!(page.status, 200, "{page:?}");
    let asked = json!({ "token": token });
    assert_eq!(site.post_json("/auth/api/verify", &asked, "").status, 200);
    assert_eq!(site.post_json("/auth/api/verify", &asked, "").status, 400, "a link is good once");
    assert_eq!(log_in(site, PASSWORD), 200);
}

#[test]
fn what_a_mail_server_delivers_verifies_an_address_and_sets_a_new_password() {
    const NEW: &str = "another long pass phrase";
    let server = MailServer::start(0);
    let site = Site::start(&config(server.port));
    ask_to_register(&site);
    let mail = server.next();
    assert_eq!((&mail["from"], &mail["to"]), (&json!("no-reply@orchard.example"), &json!([ADDRESS])));
    assert!(header(&mail, "Subject").contains("Orchard"), "{mail:#}");
    assert_eq!(mail["defects"], json!([]));
    // A login that comes too early sends another link, and only that one is good.
    assert_eq!(log_in(&site, PASSWORD), 403, "not yet");
    let old = json!({ "token": token_of(&text_of(&mail), "verify").expect("a link") });
    let mail = server.next();
    assert_eq!(site.post_json("/auth/api/verify", &old, "").status, 400);
    verify(&site, &mail);
    assert_eq!(site.get("/x", &bearer(&site.tokens(ADDRESS).access)).status, 200);
    let cookie = session(&site.cookie(ADDRESS));
    assert_eq!(site.get("/x", &cookie).status, 200);

    // An address that has an account is told so in its mailbox, and nowhere else.
    ask_to_register(&site);
    assert!(token_of(&text_of(&server.next()), "verify").is_none());

    let asked = json!({ "email": ADDRESS });
    assert_eq!(site.post_json("/auth/api/reset-request", &asked, "").status, 202);
    let mail = std::iter::repeat_with(|| text_of(&server.next())).find_map(|text| token_of(&text, "reset"));
    let asked = json!({ "token": mail.expect("a link"), "password": NEW });
    assert_eq!(site.post_json("/auth/api/reset", &asked, "").status, 200);
    assert_eq!(site.get("/x", &cookie).status, 401, "a reset ends what is open");
    assert_eq!((log_in(&site, PASSWORD), log_in(&site, NEW)), (401, 200));
    assert!(text_of(&server.next()).contains("password"), "the owner is told");
}

#[test]
fn a_mail_waits_for_its_server() {
    let (clock, port) = (Clock::new(), free_port());
    let setup = Setup::run("recorder:app").variables(clock.variables());
    let site = Site::of(setup, &config(port));
    ask_to_register(&site);
    site.gate.wait_for("a mail (`verify`) was not sent", 1);
    assert!(site.gate.stderr().contains("it is tried again in 60 s"), "{}", site.gate.stderr());
    let server = MailServer::start(port);
    assert_eq!(server.count(), 0);
    // The minute is over.
    clock.set(61);
    verify(&site, &server.next());
    assert_eq!(server.count(), 1, "it came once");
}

#[test]
fn what_waits_when_the_gate_is_killed_is_sent_by_the_next_one() {
    let state = tempfile::tempdir().expect("a folder");
    let (clock, port) = (Clock::new(), free_port());
    let start = || {
        let setup = Setup::run("recorder:app").state(state.path()).variables(clock.variables());
        setup.config(&super::site::config(&config(port))).start()
    };
    let asked = json!({ "email": ADDRESS, "password": PASSWORD });
    let site = Site::around(start(), state.path());
    assert_eq!(site.post_json("/auth/api/register", &asked, "").status, 202);
    site.gate.wait_for("a mail (`verify`) was not sent", 1);
    // Dropped: SIGKILL.
    drop(site);
    let server = MailServer::start(port);
    clock.set(61);
    let site = Site::around(start(), state.path());
    verify(&site, &server.next());
}
