//! "Authorize" in the app's `/docs`, as a person uses it in a browser.

use serde_json::{Value, json};

use super::{
    pages::code_of,
    site::{PASSWORD, Site, bearer},
};
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

/// Waits for a field, and types into it.
fn fill(browser: &mut Browser, selector: &str, text: &str) {
    browser.wait_until(&format!("document.querySelector(`{selector}`) !== null"));
    browser.evaluate(&format!("document.querySelector(`{selector}`).focus()"));
    browser.type_text(text);
}

/// "Authorize" with a password, of which the page says that it is not enough.
fn is_told(browser: &mut Browser, password: &str, text: &str) {
    click(browser, ".auth-wrapper .authorize");
    fill(browser, "#oauth_username", ADDRESS);
    fill(browser, "#oauth_password", password);
    click(browser, ".auth-btn-wrapper .authorize");
    browser.wait_until(&format!(
        "document.querySelector('.auth-container .errors')?.innerText.includes('{text}') === true"
    ));
}

#[test]
fn a_wrong_password_is_told_there() {
    let site = site("");
    site.register(ADDRESS);
    let network = network();
    let mut browser = open(site.gate.addr(), network.addr(), "/docs");
    is_told(&mut browser, "wrong horse battery staple", "Incorrect username or password");
}

/// Swagger UI knows no second factor. The session of a browser that has logged in on the pages is enough for it.
#[test]
fn who_has_a_second_factor_logs_in_on_the_pages_and_needs_no_authorize() {
    let site = site("");
    site.register(ADDRESS);
    let own = bearer(&site.tokens(ADDRESS).access);
    let enrol =
        |what: &str, asked: &Value| site.post_json(&format!("/auth/api/second-factor/{what}"), asked, &own);
    let made = enrol("enrol", &json!({ "password": PASSWORD })).json();
    let code = code_of(made["secret"].as_str().expect("a secret"));
    let codes = enrol("confirm", &json!({ "code": code })).json();
    let code = codes["recovery_codes"][0].as_str().expect("a code");

    let network = network();
    let mut browser = open(site.gate.addr(), network.addr(), "/docs");
    is_told(&mut browser, PASSWORD, "second factor");
    browser.go(&format!("http://{}/auth/login?next=/docs", site.gate.addr()));
    fill(&mut browser, "main form [name=email]", ADDRESS);
    fill(&mut browser, "main form [name=password]", PASSWORD);
    browser.evaluate("document.querySelector('main form button').click()");
    fill(&mut browser, "main form [name=code]", code);
    browser.evaluate("document.querySelector('main form button').click()");
    browser.wait_until("location.pathname === '/docs'");
    try_out(&mut browser, "/mine", "get", None, (200, ADDRESS));
    assert_eq!(browser.violations(), &[] as &[String]);
}
