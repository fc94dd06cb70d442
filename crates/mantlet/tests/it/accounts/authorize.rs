//! "Authorize" in the app's `/docs`, as a person uses it in a browser.

use super::site::{PASSWORD, Site};
use crate::{
    kit::{Client, Setup, browser::Browser},
    try_it_out::{authorize, click, network, open, try_out},
};

const ADDRESS: &str = "ada@example.com";

const APP: &str = "import json\nfrom fastapi import FastAPI, Request\napp = FastAPI()\n\
    @app.get('/mine')\ndef mine(request: Request):\n    return json.loads(request.headers['x-mantlet-principal'])\n\
    @app.get('/health')\ndef health(): return 'well'\n";

const MINE: &str = ".opblock-get:has([data-path=\"/mine\"])";

fn site(keys: &str) -> Site {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("main.py"), APP).expect("an app");
    let site =
        Site::of(Setup::run("main:app").in_folder(folder.path()), &format!("public = [\"/health\"]\n{keys}"));
    // It is imported by now.
    drop(folder);
    site
}

/// The policy that `/docs` is only reported to violate by default, enforced.
fn enforced() -> String {
    let site = site("");
    let answer = Client::connect(site.gate.addr()).get("/docs");
    let policy = answer.header("content-security-policy-report-only").expect("a policy").to_owned();
    format!("[headers.content-security-policy]\ndocs = {policy:?}\n")
}

fn status(browser: &mut Browser, status: u16) {
    click(browser, &format!("{MINE} .execute"));
    let shown = format!("{MINE} .live-responses-table .response .response-col_status");
    browser
        .wait_until(&format!("document.querySelector(`{shown}`)?.innerText.startsWith('{status}') === true"));
}

/// A person registers, opens `/docs`, logs in there, and asks for what is hers.
fn authorizes(site: &Site) {
    site.register(ADDRESS);
    let network = network();
    let mut browser = open(site.gate.addr(), network.addr(), "/docs");
    try_out(&mut browser, "/health", "get", None, (200, "well"));
    try_out(&mut browser, "/mine", "get", None, (401, "Not authenticated"));
    // What is public has no padlock.
    let padlocks = "document.querySelectorAll('.opblock .authorization__btn').length";
    assert_eq!(browser.evaluate(padlocks), 1);
    authorize(&mut browser, ADDRESS, PASSWORD);
    status(&mut browser, 200);
    browser.wait_until(&format!("document.querySelector(`{MINE}`).innerText.includes('{ADDRESS}')"));
    // The padlock shuts again.
    click(&mut browser, ".auth-wrapper .authorize");
    click(&mut browser, ".auth-btn-wrapper button[aria-label='Remove authorization']");
    click(&mut browser, ".auth-btn-wrapper .btn-done");
    status(&mut browser, 401);
    assert_eq!(browser.violations(), &[] as &[String]);
}

#[test]
fn a_person_logs_in_on_the_documentation_page() {
    authorizes(&site(""));
}

#[test]
fn its_policy_may_be_enforced() {
    let site = site(&enforced());
    let answer = Client::connect(site.gate.addr()).get("/docs");
    assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("script-src")));
    authorizes(&site);
}

#[test]
fn a_wrong_password_is_told_there() {
    let site = site("");
    site.register(ADDRESS);
    let network = network();
    let mut browser = open(site.gate.addr(), network.addr(), "/docs");
    click(&mut browser, ".auth-wrapper .authorize");
    for (field, text) in [("#oauth_username", ADDRESS), ("#oauth_password", "wrong horse battery staple")] {
        browser.wait_until(&format!("document.querySelector(`{field}`) !== null"));
        browser.evaluate(&format!("document.querySelector(`{field}`).focus()"));
        browser.type_text(text);
    }
    click(&mut browser, ".auth-btn-wrapper .authorize");
    browser.wait_until(
        "document.querySelector('.auth-container .errors')?.innerText.includes('Incorrect username or password') === true",
    );
}
