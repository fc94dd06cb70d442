//! The pages, as a person uses them in a browser.

use mantlet_accounts::outbox::Kind;
use serde_json::{Value, json};

use super::site::{PASSWORD, Site};
use crate::kit::browser::Browser;

const ADDRESS: &str = "ada@example.com";
const NEW_PASSWORD: &str = "another long pass phrase";

/// A browser, and the site that it shows.
struct Person<'s> {
    site: &'s Site,
    browser: Browser,
    base: String,
}

impl<'s> Person<'s> {
    /// Opens a page of the app without a login.
    fn arrive(site: &'s Site) -> Self {
        let base = format!("http://localhost:{}", site.gate.addr().port());
        let browser = Browser::open(&format!("{base}/orders"));
        let mut person = Self { site, browser, base };
        person.sees("Log in");
        person
    }

    fn go(&mut self, path: &str) {
        let url = format!("{}{path}", self.base);
        self.browser.go(&url);
    }

    /// Waits for a page by its heading, and judges what everyone has to be able to read.
    fn sees(&mut self, heading: &str) {
        let script = format!(
            "document.readyState === 'complete' && document.querySelector('h1')?.textContent === '{heading}'"
        );
        self.browser.wait_until(&script);
        for (scheme, width) in [("dark", 390), ("light", 1280)] {
            self.browser.look_as(scheme, width);
            let found = self.browser.judged();
            assert!(found["passes"].as_u64().is_some_and(|passes| passes > 10), "{heading}: {found:#}");
            assert_eq!(found["violations"], json!([]), "{heading}, {scheme}: {found:#}");
            let fits = self.browser.evaluate(&format!("document.documentElement.scrollWidth <= {width}"));
            assert_eq!(fits, Value::Bool(true), "{heading} is wider than a screen of {width}");
        }
    }

    /// Fills in the form of the page and sends it.
    fn sends(&mut self, fields: &[(&str, &str)]) {
        for (name, text) in fields {
            self.browser.evaluate(&format!("document.querySelector('main form [name={name}]').focus()"));
            self.browser.evaluate("document.activeElement.value = ''");
            self.browser.type_text(text);
        }
        self.browser.evaluate("document.querySelector('main form button').click()");
    }

    /// What the page says was done or was wrong.
    fn is_told(&mut self, text: &str) {
        self.browser
            .wait_until(&format!("document.querySelector('.said')?.textContent.includes('{text}') === true"));
    }

    /// Opens the link of the last mail of a kind, and presses its button.
    fn follows(&mut self, kind: Kind, page: &str) {
        let mails = self.site.mails();
        let mail = mails.iter().rfind(|mail| mail.kind == kind).expect("a mail");
        let token = mail.facts.token.as_ref().expect("a link").expose().clone();
        self.go(&format!("/auth/{page}?token={token}"));
    }

    fn is_at(&mut self, path: &str) {
        self.browser.wait_until(&format!("location.pathname === '{path}'"));
    }
}

/// What the app of an authenticator shows now.
fn code_of(secret: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret.replace(' ', "")).expect("base32");
    let totp = totp_rs::Builder::new().with_algorithm(totp_rs::Algorithm::SHA1).with_secret(secret).build();
    let now = jiff::Timestamp::now().as_second();
    totp.expect("a secret").generate(now.try_into().expect("a time after 1970")).to_string()
}

#[test]
fn a_person_registers_adds_a_second_step_loses_the_phone_and_ends_what_is_open_elsewhere() {
    let site = Site::start("name = \"Orchard\"\n");
    let mut ada = Person::arrive(&site);
    ada.go("/auth/register");
    ada.sees("Create an account");
    ada.sends(&[("email", ADDRESS), ("password", "short")]);
    ada.is_told("at least 15 characters");
    ada.sees("Create an account");
    ada.sends(&[("password", PASSWORD)]);
    ada.sees("Look into your mailbox");
    ada.follows(Kind::Verify, "verify");
    ada.sees("Verify your address");
    ada.sends(&[]);
    ada.is_told("Your address is verified");
    ada.go("/auth/login?next=/orders");
    ada.sends(&[("email", ADDRESS), ("password", "wrong horse battery staple")]);
    ada.is_told("do not fit together");
    ada.sends(&[("password", PASSWORD)]);
    ada.is_at("/orders");

    ada.go("/auth/account");
    ada.sees("Your account");
    ada.go("/auth/account/second-factor");
    ada.sees("Second step at login");
    ada.sends(&[("current", PASSWORD)]);
    ada.sees("Set up your authenticator app");
    assert_eq!(ada.browser.evaluate("document.querySelectorAll('.qr svg').length"), 1);
    let secret = ada.browser.evaluate("document.querySelector('code').textContent");
    ada.sends(&[("code", &code_of(secret.as_str().expect("a secret")))]);
    ada.sees("Your recovery codes");
    let codes =
        ada.browser.evaluate("Array.from(document.querySelectorAll('.codes li'), (one) => one.textContent)");
    let codes: Vec<String> = serde_json::from_value(codes).expect("codes");
    assert_eq!(codes.len(), 10, "{codes:?}");

    // The phone is lost: a recovery code opens, once.
    let mut elsewhere = Person::arrive(&site);
    elsewhere.sends(&[("email", ADDRESS), ("password", PASSWORD)]);
    elsewhere.sees("One more step");
    elsewhere.sends(&[("code", &codes[0])]);
    elsewhere.is_at("/orders");
    ada.go("/auth/logout");
    ada.sees("Log out");
    ada.sends(&[]);
    ada.is_told("You are logged out");
    ada.sends(&[("email", ADDRESS), ("password", PASSWORD)]);
    ada.sees("One more step");
    ada.sends(&[("code", &codes[0])]);
    ada.is_told("This code is not right");
    ada.sends(&[("code", &codes[1])]);
    ada.is_at("/");

    ada.go("/auth/account");
    ada.sees("Your account");
    assert_eq!(ada.browser.evaluate("document.querySelectorAll('.sessions li').length"), 2);
    ada.browser.evaluate("document.querySelector('.sessions button').click()");
    ada.is_told("The session has ended");
    // The app's page asks for a login again.
    elsewhere.browser.evaluate("location.assign('/auth/account')");
    elsewhere.sees("Log in");

    ada.go("/auth/account/password");
    ada.sees("Change your password");
    ada.sends(&[("current", PASSWORD), ("password", NEW_PASSWORD)]);
    ada.is_told("Your password was changed");
    ada.go("/auth/account/email");
    ada.sees("Change your address");
    ada.sends(&[("email", "ada@orchard.example"), ("current", NEW_PASSWORD)]);
    ada.is_told("We have sent a mail");
    ada.follows(Kind::ConfirmAddress, "confirm-address");
    ada.sees("Confirm your new address");
    ada.sends(&[]);
    ada.is_told("Your address was changed");

    ada.go("/auth/forgot");
    ada.sees("Forgot your password?");
    ada.sends(&[("email", "ada@orchard.example")]);
    ada.sees("Look into your mailbox");
    ada.follows(Kind::Reset, "reset");
    ada.sees("Set a new password");
    ada.sends(&[("password", PASSWORD)]);
    ada.is_told("Your new password is set");
    ada.sends(&[("email", "ada@orchard.example"), ("password", PASSWORD)]);
    ada.sees("One more step");
    ada.sends(&[("code", &codes[2])]);
    ada.is_at("/");
    ada.go("/auth/account/close");
    ada.sees("Delete your account");
    ada.sends(&[("current", PASSWORD)]);
    ada.is_told("Your account was deleted");
    assert!(ada.browser.violations().is_empty(), "{:?}", ada.browser.violations());
}
