//! The documentation pages as FastAPI makes them, scripts from a content delivery network and all, used as a person uses them.

use std::net::SocketAddr;

use crate::kit::{
    Client, Gateway, Setup,
    browser::Browser,
    command::{Process, Typed},
    tls::Authority,
};

/// The shop, and what stands for the network that its pages load scripts from: under the same names, so that the policy
/// judges the very addresses.
struct Documented {
    shop: Process,
    cdn: Gateway,
}

impl Documented {
    fn new() -> Self {
        Self { shop: Typed::run(&[]).shop().start(), cdn: network() }
    }

    fn open(&self, path: &str) -> Browser {
        let (shop, cdn) = (self.shop.ready(), self.cdn.addr());
        let policy = Client::connect(shop).get(path);
        let policy = policy.header("content-security-policy-report-only").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self' 'unsafe-inline' https://"),
            "{policy}"
        );
        open(shop, cdn, path)
    }
}

/// What stands for the network.
pub(crate) fn network() -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let pair = Authority::new(folder.path()).sign("cdn", "cdn.jsdelivr.net");
    Setup::run("cdn:app").config(&format!("[tls]\n{}", pair.config())).start()
}

/// Shows a page of the app at an address, with that network.
pub(crate) fn open(at: SocketAddr, network: SocketAddr, path: &str) -> Browser {
    // Everything else that the pages ask for, fonts and icons, is not there.
    let names = format!("MAP cdn.jsdelivr.net {network}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1");
    Browser::open_on_the_internet(&format!("http://{at}{path}"), &names)
}

/// Waits for an element, and clicks it.
pub(crate) fn click(browser: &mut Browser, selector: &str) {
    browser.wait_until(&format!("document.querySelector(`{selector}`) !== null"));
    browser.evaluate(&format!("document.querySelector(`{selector}`).click()"));
}

/// Waits for a field that can be filled, types over what stands in it, and leaves it.
fn fill(browser: &mut Browser, selector: &str, text: &str) {
    let field = format!("document.querySelector(`{selector}:not([disabled])`)");
    browser.wait_until(&format!("{field} !== null"));
    browser.evaluate(&format!("{field}.focus()"));
    browser.evaluate(&format!("{field}.select()"));
    browser.type_text(text);
    browser.evaluate(&format!("{field}.blur()"));
}

/// "Try it out", the fields, "Execute"; then the status and a part of the answer that the page shows.
pub(crate) fn try_out(
    browser: &mut Browser,
    path: &str,
    method: &str,
    field: Option<(&str, &str)>,
    shows: (u16, &str),
) {
    let operation = format!(".opblock-{method}:has([data-path=\"{path}\"])");
    click(browser, &format!("{operation} .opblock-summary-control"));
    click(browser, &format!("{operation} .try-out__btn"));
    if let Some((selector, text)) = field {
        fill(browser, &format!("{operation} {selector}"), text);
    }
    click(browser, &format!("{operation} .execute"));
    let answer = format!("document.querySelector(`{operation} .live-responses-table .response`)");
    let (status, text) = shows;
    browser.wait_until(&format!("{answer} !== null"));
    browser.wait_until(&format!(
        "{answer}.querySelector('.response-col_status').innerText.startsWith('{status}')"
    ));
    browser.wait_until(&format!("{answer}.innerText.includes('{text}')"));
}

/// "Authorize" logs in with a password, from the page; then the padlocks are open.
pub(crate) fn authorize(browser: &mut Browser, account: &str, password: &str) {
    click(browser, ".auth-wrapper .authorize");
    fill(browser, "#oauth_username", account);
    fill(browser, "#oauth_password", password);
    click(browser, ".auth-btn-wrapper .authorize");
    browser.wait_until("document.querySelector('.auth-btn-wrapper .authorize').innerText === 'Logout'");
    click(browser, ".auth-btn-wrapper .btn-done");
}

#[test]
fn swagger_ui_tries_it_out() {
    let documented = Documented::new();
    let mut browser = documented.open("/docs");
    let id = Some((".parameters input", "1"));
    try_out(&mut browser, "/products/{product_id}", "get", id, (200, "Longbow"));
    let body = r#"{"username": "carol", "email": "carol@mail.example", "password": "carol-password"}"#;
    try_out(&mut browser, "/users", "post", Some(("textarea", body)), (201, "\"id\""));

    authorize(&mut browser, "carol", "carol-password");
    try_out(&mut browser, "/users/me", "get", None, (200, "carol@mail.example"));
    assert_eq!(browser.violations(), &[] as &[String]);
}

#[test]
fn redoc_renders() {
    let documented = Documented::new();
    let mut browser = documented.open("/redoc");
    browser.wait_until("document.querySelectorAll('[id^=\"tag/products/operation\"]').length >= 5");
    browser.wait_until("document.body.innerText.includes(\"Archers' shop\")");
    assert_eq!(browser.violations(), &[] as &[String]);
}
