//! Callers log in at an OpenID provider: a real one, in a real browser.

use mantlet_providers::Login;
use serde_json::{Value, json};

use super::site::PASSWORD;
use crate::kit::{
    Answer, Client, Gateway, Setup,
    browser::Browser,
    eventually,
    openid::Provider,
    redis::free_port,
    websocket::{CLOSE, FINAL, TEXT, WebSocket, handshake},
};

/// A gate whose callers log in at a provider.
struct Company {
    provider: Provider,
    gate: Gateway,
    base: String,
    state: tempfile::TempDir,
}

impl Company {
    /// With these lines in `[login]`, and sections after them, in which `BASE` is the address of the gate.
    fn start(lines: &str) -> Self {
        let port = free_port();
        let base = format!("http://localhost:{port}");
        let at = |path: &str| format!("{base}{path}");
        let provider = Provider::with(
            &json!({ "idTokenClaims": true, "delivers": true }),
            &json!({
                "redirect_uris": [at("/auth/callback/openid")],
                "post_logout_redirect_uris": [at("/goodbye")],
                "backchannel_logout_uri": format!("http://127.0.0.1:{port}/auth/backchannel-logout/openid"),
            }),
        );
        let state = tempfile::tempdir().expect("a folder");
        let Login { material, .. } = provider.section();
        let secret = material.expect("a secret").0.expose().clone();
        let secret = String::from_utf8(secret).expect("text");
        let gate = Setup::run("recorder:app")
            .variables(vec![("COMPANY_SECRET", secret.trim().into())])
            .state(state.path())
            .listen(&format!("127.0.0.1:{port}"))
            .config(&format!(
                "[authentication]\nprincipal-header = \"X-Mantlet-Principal\"\n\
                 principal-attributes = [\"email\", \"groups\"]\n\
                 [login]\nissuer = \"{}\"\nclient-id = \"orchard\"\nclient-secret = \"env:COMPANY_SECRET\"\n\
                 parameters = {{ prompt = \"consent\" }}\n{lines}",
                provider.issuer(),
                lines = lines.replace("BASE", &base),
            ))
            .start();
        Self { provider, gate, base, state }
    }

    fn ask(&self, request_line: &str, lines: &str) -> Answer {
        Client::connect(self.gate.addr())
            .ask(format!("{request_line} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"))
    }

    /// Opens a page of the app, and logs in as it asks for.
    fn log_in(&self, path: &str, account: &str) -> Browser {
        let mut browser = Browser::open(&format!("{}{path}", self.base));
        self.log_in_with(&mut browser, account);
        browser
    }

    /// Goes through the provider's forms.
    fn log_in_with(&self, browser: &mut Browser, account: &str) {
        browser.wait_until("document.querySelector('[name=login]') !== null");
        assert_eq!(browser.evaluate("location.origin"), Value::from(self.provider.issuer()));
        for (name, text) in [("login", account), ("password", "password")] {
            browser.evaluate(&format!("document.querySelector('[name={name}]').focus()"));
            browser.type_text(text);
        }
        browser.evaluate("document.querySelector('[type=submit]').click()");
        browser.wait_until(
            "document.querySelector('[name=login]') === null && document.querySelector('[type=submit]') !== null",
        );
        browser.evaluate("document.querySelector('[type=submit]').click()");
    }
}

/// The cookie of a gate on HTTP, as a browser has it.
fn session_of(browser: &mut Browser) -> String {
    let cookies = browser.cookies();
    let found = cookies.iter().find(|(name, _)| name == "mantlet-session");
    found.map_or_else(|| panic!("no session in {cookies:?}"), |(_, value)| value.clone())
}

#[test]
fn three_lines_lead_a_browser_to_the_provider_and_back_and_the_app_gets_a_caller() {
    let company = Company::start("allow-groups = [\"staff\"]\n");
    let mut ada = company.log_in("/orders?page=2", "ada");
    ada.wait_until("location.pathname + location.search === '/orders?page=2'");
    let said = ada.evaluate("document.body.textContent");
    let record: Value = serde_json::from_str(said.as_str().expect("the app's answer")).expect("JSON");
    let header = |name: &str| {
        let headers = record["headers"].as_array().expect("headers");
        headers.iter().find(|pair| pair[0] == name).map(|pair| pair[1].as_str().expect("text").to_owned())
    };
    let told: Value = serde_json::from_str(&header("x-mantlet-principal").expect("a caller")).expect("JSON");
    assert_eq!((&told["iss"], &told["sub"]), (&company.provider.issuer().into(), &"ada".into()));
    assert_eq!(told["attributes"], json!({ "email": "ada@example.com", "groups": ["staff", "admin"] }));
    assert_eq!(header("cookie"), None, "the session is for the gate alone");
    assert_eq!(ada.evaluate("document.cookie"), "", "no script can read it");

    // Who is in no group gets a page, and no session.
    let mut eve = company.log_in("/orders", "eve");
    eve.wait_until("document.querySelector('h1')?.textContent === 'This account may not log in here'");
    let found = eve.judged();
    assert_eq!(found["violations"], json!([]), "{found:#}");
    eve.evaluate("location.assign('/orders')");
    eve.wait_until(&format!("location.origin === '{}'", company.provider.issuer()));

    let records = company.gate.actions(&["login-succeeded", "login-failed"], 2);
    let shown: Vec<_> = records.iter().map(|record| (&record["security_event"], &record["user"])).collect();
    let user = |name: &str| Value::from(format!("{}|{name}", company.provider.issuer()));
    assert_eq!(
        shown,
        [(&"login-succeeded".into(), &user("ada")), (&"login-failed".into(), &user("eve"))],
        "{records:#?}"
    );
}

#[test]
fn a_logout_at_the_provider_ends_the_session_here_and_a_logout_here_ends_that_there() {
    let company = Company::start("after-logout = \"/goodbye\"\n[accounts]\npublic = [\"/goodbye\"]\n");
    let mut ada = company.log_in("/orders", "ada");
    ada.wait_until("location.pathname === '/orders'");
    let cookie = format!("Cookie: mantlet-session={}\r\n", session_of(&mut ada));
    assert_eq!(company.ask("GET /orders", &cookie).status, 200);
    let mut tab = Client::connect(company.gate.addr());
    tab.send(handshake("/ws").replacen("\r\n\r\n", &format!("\r\n{cookie}\r\n"), 1));
    let mut tab = WebSocket::accepted(tab);
    tab.echo(TEXT, b"open");

    // At the provider: it tells the gate, and asks no browser to.
    ada.evaluate(&format!("location.assign('{}/session/end')", company.provider.issuer()));
    ada.wait_until("document.querySelector('[name=logout]') !== null");
    ada.evaluate("document.querySelector('[name=logout]').click()");
    eventually("the end of the session", || {
        (company.ask("GET /orders", &cookie).status == 401).then_some(())
    });
    let (first, payload) = tab.next();
    assert_eq!((first, &payload[2..]), (FINAL | CLOSE, &b"session ended"[..]));
    let records = company.gate.actions(&["logout"], 1);
    assert_eq!(records[0]["user"], format!("{}|ada", company.provider.issuer()), "{records:#?}");

    // Here: the browser ends its session there, too, and comes back.
    ada.evaluate(&format!("location.assign('{}/orders')", company.base));
    company.log_in_with(&mut ada, "ada");
    ada.wait_until("location.pathname === '/orders'");
    let cookie = format!("Cookie: mantlet-session={}\r\n", session_of(&mut ada));
    ada.evaluate("location.assign('/auth/logout')");
    ada.wait_until("document.querySelector('h1')?.textContent.startsWith('Log out of') === true");
    ada.evaluate("document.querySelector('main button').click()");
    ada.wait_until("document.querySelector('[name=logout]') !== null");
    assert_eq!(company.ask("GET /orders", &cookie).status, 401);
    ada.evaluate("document.querySelector('[name=logout]').click()");
    ada.wait_until("location.pathname === '/goodbye'");
}

#[test]
fn a_provider_that_is_away_is_said_and_ends_no_session() {
    let company = Company::start("");
    let mut ada = company.log_in("/orders", "ada");
    ada.wait_until("location.pathname === '/orders'");
    let cookie = format!("Cookie: mantlet-session={}\r\n", session_of(&mut ada));
    company.provider.kill();
    assert_eq!(company.ask("GET /orders", &cookie).status, 200);
    // A gate that has not asked it yet.
    let again = Company::start("");
    again.provider.kill();
    let away = again.ask("GET /auth/login", "Accept: text/html\r\n");
    assert_eq!((away.status, away.header("retry-after")), (503, Some("10")), "{away:?}");
    again.gate.wait_for("the provider `openid` does not respond", 1);
    let as_json = again.ask("GET /auth/login", "Accept: application/json\r\n");
    assert_eq!((as_json.status, &as_json.json()["code"]), (503, &"provider-away".into()));
    // The app's own requests get what they got.
    assert_eq!(again.ask("GET /orders", "").status, 401);
    again.provider.restart();
    // It is left alone for a while.
    eventually("the provider is back", || {
        let back = again.ask("GET /auth/login", "Accept: text/html\r\n");
        (back.status == 303).then_some(())
    });
    again.gate.wait_for("the provider `openid` responds again", 1);
}

#[test]
fn beside_passwords_the_page_to_log_in_offers_the_provider() {
    let company = Company::start("title = \"Company\"\n[accounts]\npasswords = true\nurl = \"BASE\"\n");
    let page = company.ask("GET /auth/login?next=%2Forders", "Accept: text/html\r\n");
    let text = String::from_utf8(page.body.clone()).expect("text");
    assert!(text.contains("name=\"password\""), "{text}");
    assert!(text.contains("href=\"/auth/login/openid?next=%2Forders\""), "{text}");
    assert!(text.contains("Log in with Company"), "{text}");
    let led = company.ask("GET /auth/login/openid?next=%2Forders", "");
    let to = led.header("location").expect("an address");
    assert!(to.starts_with(&company.provider.issuer()) && to.contains("code_challenge_method=S256"), "{to}");
    // The accounts' own API is there, too.
    let body = json!({ "email": "ada@example.com", "password": PASSWORD }).to_string();
    let lines = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let request = format!("POST /auth/api/register HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n{body}");
    assert_eq!(Client::connect(company.gate.addr()).ask(request).status, 202);
}

#[test]
fn without_passwords_nobody_can_register_or_guess() {
    let company = Company::start("");
    for line in ["POST /auth/api/register", "POST /auth/token", "GET /auth/register", "GET /auth/account"] {
        let answer = company.ask(line, "Content-Length: 0\r\n");
        assert_eq!(answer.status, 404, "{line}: {answer:?}");
    }
    let home = company.ask("GET /auth", "");
    assert_eq!((home.status, home.header("location")), (303, Some("/")));
    let told = company.gate.tell(&["accounts", "list"]);
    assert!(told.stderr.contains("callers log in at a provider"), "{}", told.stderr);
    assert!(company.state.path().join("accounts.db").exists());
    // A made-up cookie is not a session.
    let made_up = format!("Cookie: mantlet-session=p.{}\r\n", "A".repeat(43));
    assert_eq!(company.ask("GET /orders", &made_up).status, 401);
}
