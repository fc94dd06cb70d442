//! Tokens that are bound to the browser that has logged in: copied out of it, they are refused.

use std::{net::SocketAddr, path::Path};

use rustix::process::Signal;

use super::{Home, Running, Subject, step::post, tutorial::TUTORIAL};
use crate::{
    kit::{
        Answer, Client, Gateway, Setup, browser::Browser, eventually, provided, redis::Redis, tls::Authority,
        websocket::handshake,
    },
    try_it_out,
};

pub(crate) const PAGE: Subject = Subject {
    name: "page.py",
    entry: "page:app",
    prepare: |_| (),
    entrance: || {
        vec![
            post("/login")
                .form("username=ann&password=battlement")
                .is(200, "")
                .keep("token", "/access_token"),
        ]
    },
    carried: "Authorization: Bearer {token}",
    guarded: "/me",
    key: b"5d1f6a1e0c7b4f7e9a3c2b8d6e4f1a0b5c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f",
    traffic: Vec::new,
    stopped: 0,
    recorded: &[],
};

const ENFORCE: &str = "[authentication]\nbinding = \"enforce\"\n";
const REPORT: &str = "[authentication]\nbinding = \"report\"\n";
const OWN_WORDS: &str = "{\"detail\":\"Log in first\"}";
const OWN_PAGE: &str = "Sec-Fetch-Site: same-origin\r\n";

/// A browser: what it sends beside a request of a page, and the cookie that it keeps. By default a program.
#[derive(Default)]
struct Page {
    lines: String,
    cookie: Option<String>,
}

/// What a login has handed out.
struct Login {
    token: String,
    refresh: String,
}

impl Page {
    /// With a page of the app's own origin.
    fn new() -> Self {
        Self { lines: OWN_PAGE.to_owned(), cookie: None }
    }

    fn ask(&mut self, at: SocketAddr, method: &str, target: &str, lines: &str, body: &str) -> Answer {
        let cookie = self.cookie.as_ref().map(|value| format!("Cookie: theme=dark; {value}\r\n"));
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {at}\r\n{}{}{lines}Content-Length: {}\r\n\r\n",
            self.lines,
            cookie.unwrap_or_default(),
            body.len()
        );
        let answer = Client::connect(at).ask(head + body);
        for (_, line) in answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let (pair, attributes) = line.split_once("; ").expect("attributes");
            assert!(pair.starts_with("__Host-mantlet_fp="), "{line}");
            assert_eq!(attributes, "Path=/; Max-Age=34560000; Secure; HttpOnly; SameSite=Strict");
            self.cookie = Some(pair.to_owned());
        }
        answer
    }

    fn log_in_as(&mut self, at: SocketAddr, form: &str) -> Login {
        let form_line = "Content-Type: application/x-www-form-urlencoded\r\n";
        login_of(&self.ask(at, "POST", "/login", form_line, form))
    }

    fn log_in(&mut self, at: SocketAddr) -> Login {
        self.log_in_as(at, "username=ann&password=battlement")
    }

    fn renew(&mut self, at: SocketAddr, refresh: &str) -> Answer {
        let body = format!("{{\"refresh_token\": \"{refresh}\"}}");
        self.ask(at, "POST", "/login/refresh", "Content-Type: application/json\r\n", &body)
    }

    fn me(&mut self, at: SocketAddr, token: &str) -> Answer {
        self.ask(at, "GET", "/me", &format!("Authorization: Bearer {token}\r\n"), "")
    }

    /// The answer to the handshake of a WebSocket.
    fn listen(&self, at: SocketAddr, token: &str) -> Answer {
        let cookie = self.cookie.as_ref().map(|value| format!("Cookie: {value}\r\n"));
        let lines = format!("\r\n{}{}", self.lines, cookie.unwrap_or_default());
        let mut client = Client::connect(at);
        client.send(handshake(&format!("/live?token={token}")).replacen("\r\n", &lines, 1));
        client.head()
    }

    /// So many requests with the token, which all succeed.
    fn works(&mut self, at: SocketAddr, token: &str, times: usize) {
        for _ in 0..times {
            let answer = self.me(at, token);
            assert_eq!(answer.status, 200, "{answer:?}");
            let cookie = self.cookie.as_ref().map(|_| "theme=dark");
            assert_eq!(answer.json()["cookie"].as_str(), cookie, "the app sees its own cookies alone");
        }
    }
}

fn login_of(answer: &Answer) -> Login {
    assert_eq!(answer.status, 200, "{answer:?}");
    let tokens = answer.json();
    let text = |name: &str| tokens[name].as_str().expect("text").to_owned();
    Login { token: text("access_token"), refresh: text("refresh_token") }
}

/// A program, without any cookie.
fn elsewhere(at: SocketAddr, token: &str) -> Answer {
    let head = format!("GET /me HTTP/1.1\r\nHost: {at}\r\nAuthorization: Bearer {token}\r\n\r\n");
    Client::connect(at).ask(head)
}

fn is_refused(answer: &Answer) {
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(String::from_utf8_lossy(&answer.body), OWN_WORDS);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

/// The app in this folder, with a state folder that outlives the gate.
fn start(home: &Home, state: &Path, config: &str) -> Gateway {
    let setup = Setup::run_with(provided("MANTLET_TEST_IDENTITY"), PAGE.entry).by_default();
    setup.in_folder(home.folder.path()).state(state).config(config).start()
}

#[test]
fn by_default_there_is_no_cookie_and_nothing_is_bound() {
    let running = Running::start(&PAGE, "");
    let (at, mut page) = (running.addr(), Page::new());
    let login = page.log_in(at);
    assert_eq!(page.cookie, None);
    page.works(at, &login.token, 4);
    assert_eq!(elsewhere(at, &login.token).status, 200);
    // Whatever a client sends under that name is the app's.
    page.cookie = Some(format!("__Host-mantlet_fp={}", "A".repeat(43)));
    let seen = page.me(at, &login.token).json()["cookie"].as_str().map(str::to_owned);
    assert!(seen.is_some_and(|cookie| cookie.contains("mantlet_fp")));
    assert_eq!(running.gateway.end().count("token-elsewhere"), 0);
}

#[test]
fn a_token_that_was_copied_out_of_a_browser_is_refused_elsewhere() {
    let running = Running::start(&PAGE, ENFORCE);
    let (at, mut page) = (running.addr(), Page::new());
    let login = page.log_in(at);
    let cookie = page.cookie.clone().expect("a cookie");
    assert_eq!(cookie.len(), "__Host-mantlet_fp=".len() + 43);
    page.works(at, &login.token, 3);
    let before = running.reached("/me");
    is_refused(&elsewhere(at, &login.token));
    // With the cookie of another browser, or with one that is made up.
    let mut other = Page::new();
    other.log_in(at);
    is_refused(&other.me(at, &login.token));
    other.cookie = Some(format!("__Host-mantlet_fp={}", "A".repeat(43)));
    is_refused(&other.me(at, &login.token));
    assert_eq!(running.reached("/me"), before);
    // Where the app needs no token, it does not see this one.
    let lines = format!("Authorization: Bearer {}\r\n", login.token);
    let seen = other.ask(at, "GET", "/public", &lines, "");
    assert!(seen.status == 200 && seen.json()["authorization"].is_null(), "{seen:?}");
    page.works(at, &login.token, 2);
    assert_eq!(page.listen(at, &login.token).status, 101);
    let answer = other.listen(at, &login.token);
    assert_eq!(answer.status, 401, "{answer:?}");
    let sessions = std::fs::read_to_string(running.gateway.audit_file().with_file_name("sessions.jsonl"));
    let sessions = sessions.expect("it is there");
    assert!(sessions.contains("\"event\":\"bound\"") && !sessions.contains(&cookie[18..]), "{sessions}");
    let records = running.gateway.end().audit;
    let of_binding: Vec<_> = records.iter().filter(|record| record["reason"] == "token-elsewhere").collect();
    assert_eq!(of_binding.len(), 5, "{records:#?}");
    assert!(of_binding.iter().all(|record| record["mode"] == "enforce"), "{of_binding:#?}");
    assert_eq!(of_binding[0]["user"], "ann");
}

#[test]
fn it_can_be_recorded_alone() {
    let running = Running::start(&PAGE, REPORT);
    let (at, mut page) = (running.addr(), Page::new());
    let login = page.log_in(at);
    page.works(at, &login.token, 3);
    assert_eq!(elsewhere(at, &login.token).status, 200);
    page.works(at, &login.token, 1);
    let records = running.gateway.end().audit;
    let record = records.iter().find(|record| record["reason"] == "token-elsewhere").expect("a record");
    assert_eq!((&record["action"], &record["mode"]), (&"pass".into(), &"report".into()), "{record:#}");
    assert_eq!(record["remedy"], "authentication.binding = \"enforce\"", "{record:#}");
}

#[test]
fn who_uses_tokens_without_cookies_is_not_bound() {
    let trusted = "csrf.trusted-origins = [\"https://spa.example\"]\n";
    let running = Running::start(&PAGE, &format!("{trusted}{ENFORCE}"));
    let at = running.addr();
    // A server that renders pages has used the token before it was bound.
    let mut page = Page::new();
    let login = page.log_in(at);
    page.works(at, &login.token, 2);
    assert_eq!(elsewhere(at, &login.token).status, 200);
    page.works(at, &login.token, 4);
    assert_eq!(elsewhere(at, &login.token).status, 200);
    // Programs, pages of other origins, and what only looks like a page of the app.
    for lines in [
        "",
        "Sec-Fetch-Site: none\r\n",
        "Sec-Fetch-Site: same-site\r\nOrigin: https://spa.example\r\n",
        "Sec-Fetch-Site: cross-site\r\nOrigin: https://spa.example\r\n",
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: same-origin\r\n",
    ] {
        let mut page = Page { lines: lines.to_owned(), cookie: None };
        let login = page.log_in(at);
        assert_eq!(page.cookie, None, "{lines}");
        page.works(at, &login.token, 4);
        assert_eq!(elsewhere(at, &login.token).status, 200, "{lines}");
    }
    // A page whose `fetch` leaves cookies out.
    let mut page = Page::new();
    let login = page.log_in(at);
    page.cookie = None;
    page.works(at, &login.token, 4);
    // A name that is not of this machine, without TLS: browsers would not take the cookie.
    let body = "username=ann&password=battlement";
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: castle.example\r\n{OWN_PAGE}Content-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = Client::connect(at).ask(head);
    assert_eq!((answer.status, answer.header("set-cookie")), (200, None), "{answer:?}");
    // A failed login begins nothing.
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let answer = Page::new().ask(at, "POST", "/login", form, "username=ann&password=wrong");
    assert_eq!((answer.status, answer.header("set-cookie")), (401, None), "{answer:?}");
    assert_eq!(running.gateway.end().count("token-elsewhere"), 0);
}

#[test]
fn new_tokens_of_a_session_are_bound_as_well() {
    let running = Running::start(&PAGE, ENFORCE);
    let (at, mut page) = (running.addr(), Page::new());
    let login = page.log_in(at);
    page.works(at, &login.token, 3);
    let cookie = page.cookie.clone();
    let renewed = login_of(&page.renew(at, &login.refresh));
    assert_eq!(page.cookie, cookie, "it is the same session");
    is_refused(&elsewhere(at, &renewed.token));
    page.works(at, &renewed.token, 1);
    // The token for new tokens is of no use elsewhere, either.
    let before = running.reached("/login/refresh");
    let answer = Page::default().renew(at, &renewed.refresh);
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(running.reached("/login/refresh"), before);
    login_of(&page.renew(at, &renewed.refresh));
    assert_eq!(running.gateway.end().count("token-elsewhere"), 2);
}

#[test]
fn two_accounts_work_in_two_tabs_of_one_browser() {
    let running = Running::start(&PAGE, ENFORCE);
    let (at, mut page) = (running.addr(), Page::new());
    // What a script has planted before is of no use to it.
    let planted = format!("__Host-mantlet_fp={}", "A".repeat(43));
    page.cookie = Some(planted.clone());
    let ann = page.log_in(at);
    page.works(at, &ann.token, 3);
    let bob = page.log_in_as(at, "username=bob&password=drawbridge");
    page.works(at, &bob.token, 3);
    page.works(at, &ann.token, 3);
    let mut thief = Page { lines: String::new(), cookie: Some(planted) };
    for login in [&ann, &bob] {
        is_refused(&elsewhere(at, &login.token));
        is_refused(&thief.me(at, &login.token));
    }
    // Eight logins fit.
    for _ in 0..6 {
        page.log_in_as(at, "username=bob&password=drawbridge");
    }
    page.works(at, &ann.token, 1);
    assert_eq!(page.cookie.as_ref().map(String::len), Some("__Host-mantlet_fp=".len() + 8 * 44 - 1));
    assert_eq!(running.gateway.end().count("token-elsewhere"), 4);
}

#[test]
fn a_token_that_two_browsers_have_got_is_bound_to_none() {
    const CAROL: &str = "username=carol&password=portcullis";
    let redis = Redis::start();
    let config = format!("{}{ENFORCE}", redis.config());
    let (home, states) = (Home::of(&PAGE), [(); 2].map(|()| tempfile::tempdir().expect("a folder")));
    let [first, second] = states.each_ref().map(|state| start(&home, state.path(), &config));
    let (one, two) = (first.addr(), second.addr());
    let mut page = Page::new();
    let login = page.log_in_as(one, CAROL);
    page.works(one, &login.token, 3);
    page.works(two, &login.token, 1);
    assert_eq!(elsewhere(two, &login.token).status, 401);
    // A program logs in, and another browser.
    let mut program = Page::default();
    assert_eq!(program.log_in_as(one, CAROL).token, login.token, "the app has no other for the account");
    let mut other = Page::new();
    other.log_in_as(two, CAROL);
    assert_eq!((&program.cookie, &other.cookie), (&None, &None));
    for at in [two, one] {
        page.works(at, &login.token, 4);
        program.works(at, &login.token, 4);
        other.works(at, &login.token, 4);
    }
}

#[test]
fn a_restart_keeps_what_is_bound() {
    let (home, state) = (Home::of(&PAGE), tempfile::tempdir().expect("a folder"));
    let gateway = start(&home, state.path(), ENFORCE);
    let (mut page, mut half) = (Page::new(), Page::new());
    let bound = page.log_in(gateway.addr());
    let open = half.log_in(gateway.addr());
    half.works(gateway.addr(), &open.token, 2);
    page.works(gateway.addr(), &bound.token, 3);
    gateway.signal(Signal::KILL);
    gateway.wait();
    let gateway = start(&home, state.path(), ENFORCE);
    let at = gateway.addr();
    // The app's own words are learned anew.
    half.works(at, &open.token, 3);
    eventually("it is refused", || (elsewhere(at, &bound.token).status == 401).then_some(()));
    eventually("so is the other one", || (elsewhere(at, &open.token).status == 401).then_some(()));
    page.works(at, &bound.token, 1);
    half.works(at, &open.token, 1);
}

#[test]
fn two_gates_with_one_redis_bind_the_same() {
    let redis = Redis::start();
    let config = format!("{}{ENFORCE}", redis.config());
    let (home, states) = (Home::of(&PAGE), [(); 2].map(|()| tempfile::tempdir().expect("a folder")));
    let [first, second] = states.each_ref().map(|state| start(&home, state.path(), &config));
    let (one, two) = (first.addr(), second.addr());
    let mut page = Page::new();
    let login = page.log_in(one);
    page.works(one, &login.token, 3);
    // The second does not know it yet.
    assert_eq!(elsewhere(two, &login.token).status, 401);
    page.works(two, &login.token, 1);
    // One that the second knows as open is bound at the first.
    let login = page.log_in(one);
    page.works(two, &login.token, 1);
    page.works(one, &login.token, 3);
    assert_eq!(elsewhere(two, &login.token).status, 401);
    page.works(two, &login.token, 3);
    assert_eq!(elsewhere(one, &login.token).status, 401);
    // One that was used without the cookie at the second is bound nowhere.
    let login = page.log_in(one);
    page.works(one, &login.token, 1);
    assert_eq!(elsewhere(two, &login.token).status, 200);
    page.works(one, &login.token, 4);
    assert_eq!(elsewhere(one, &login.token).status, 200);
    // While Redis is away nothing is bound, and nothing is refused that is not known to be.
    let login = page.log_in(one);
    let recoveries = || first.stderr().matches("the store is available again").count();
    let before = recoveries();
    redis.pause(true);
    page.works(one, &login.token, 4);
    assert_eq!(elsewhere(one, &login.token).status, 200);
    page.works(two, &login.token, 1);
    redis.pause(false);
    // A token without the cookie, now that Redis responds, would decide.
    eventually("the store responds", || {
        page.works(one, &login.token, 1);
        (recoveries() > before).then_some(())
    });
    page.works(one, &login.token, 3);
    assert_eq!(elsewhere(one, &login.token).status, 401);
    page.works(two, &login.token, 1);
}

#[test]
fn a_page_in_chromium_goes_on_and_its_token_is_of_no_use_elsewhere() {
    let running = Running::start(&PAGE, ENFORCE);
    let at = running.addr();
    stays_in_the_page(at, &format!("http://{at}/"));
    stays_in_the_page(at, &format!("http://localhost:{}/", at.port()));
}

/// Logs in with a page in Chromium, goes on in it, and uses its token elsewhere.
fn stays_in_the_page(at: SocketAddr, url: &str) {
    let mut browser = Browser::open(url);
    browser.wait_until("typeof load === 'function' && document.readyState === 'complete'");
    browser.run("logIn('ann', 'battlement')");
    for _ in 0..3 {
        assert_eq!(browser.run("load()"), "ann");
    }
    assert_eq!(browser.evaluate("document.cookie"), "", "no script can read it");
    let token = browser.evaluate("localStorage.token").as_str().expect("a token").to_owned();
    is_refused(&elsewhere(at, &token));
    assert_eq!(browser.run("load()"), "ann");
    // A script cannot take the cookie's place.
    browser.evaluate("document.cookie = '__Host-mantlet_fp=known; Path=/; Secure'");
    assert_eq!(browser.run("load()"), "ann");
    // Another account in the same browser; the first token still works there.
    browser.run("logIn('bob', 'drawbridge')");
    for _ in 0..3 {
        assert_eq!(browser.run("load()"), "bob");
    }
    browser.evaluate(&format!("localStorage.token = '{token}'"));
    assert_eq!(browser.run("load()"), "ann");
    assert_eq!(browser.run("listen()"), "hello ann");
    is_refused(&elsewhere(at, &token));
    assert_eq!(Page::default().listen(at, &token).status, 401);
}

#[test]
fn over_https_a_name_on_the_internet_gets_the_cookie() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Authority::new(folder.path()).sign("castle", "castle.example");
    let running = Running::start(&PAGE, &format!("{ENFORCE}[tls]\n{}", pair.config()));
    let url = format!("https://castle.example:{}/", running.addr().port());
    let mut browser = Browser::open_on_the_internet(&url, "MAP castle.example 127.0.0.1");
    browser.wait_until("typeof load === 'function' && document.readyState === 'complete'");
    browser.run("logIn('ann', 'battlement')");
    for _ in 0..3 {
        assert_eq!(browser.run("load()"), "ann");
    }
    browser.evaluate("credentials = 'omit'");
    assert_eq!(browser.run("load()"), 401, "without its cookie the token is refused in the page itself");
    browser.evaluate("credentials = 'same-origin'");
    assert_eq!((browser.run("load()"), browser.run("listen()")), ("ann".into(), "hello ann".into()));
}

#[test]
fn a_page_in_chromium_that_sends_no_cookies_is_not_bound() {
    let running = Running::start(&PAGE, ENFORCE);
    let at = running.addr();
    let mut browser = Browser::open(&format!("http://{at}/"));
    browser.wait_until("typeof load === 'function' && document.readyState === 'complete'");
    // At the login already, or only later.
    for (at_login, later) in [("omit", "omit"), ("same-origin", "omit"), ("omit", "same-origin")] {
        browser.evaluate(&format!("credentials = '{at_login}'"));
        browser.run("logIn('ann', 'battlement')");
        browser.evaluate(&format!("credentials = '{later}'"));
        for _ in 0..4 {
            assert_eq!(browser.run("load()"), "ann", "{at_login} {later}");
        }
        let token = browser.evaluate("localStorage.token").as_str().expect("a token").to_owned();
        assert_eq!(elsewhere(at, &token).status, 200, "{at_login} {later}");
    }
    assert_eq!(running.gateway.end().count("token-elsewhere"), 0);
}

/// Logs in with "Authorize" in `/docs`, and executes an operation five times or more. Returns the token in
/// the `curl` line that the page shows.
fn authorize_and_execute(running: &Running) -> String {
    let network = try_it_out::network();
    let mut browser = try_it_out::open(running.addr(), network.addr(), "/docs");
    try_it_out::authorize(&mut browser, "johndoe", "secret");
    let shows = (200, "johndoe@example.com");
    try_it_out::try_out(&mut browser, "/users/me/", "get", None, shows);
    let before = running.reached("/users/me/");
    let operation = ".opblock-get:has([data-path=\"/users/me/\"])";
    eventually("it is asked again", || {
        try_it_out::click(&mut browser, &format!("{operation} .execute"));
        (running.reached("/users/me/") >= before + 4).then_some(())
    });
    let status = format!("{operation} .live-responses-table .response .response-col_status");
    browser.wait_until(&format!("document.querySelector(`{status}`).innerText.startsWith('200')"));
    assert_eq!(browser.violations(), &[] as &[String]);
    let line = format!("document.querySelector(`{operation} .curl-command`).innerText");
    let token = browser.evaluate(&format!("{line}.match(/Bearer ([-.\\w]+)/)[1]"));
    token.as_str().expect("a token").to_owned()
}

#[test]
fn authorize_in_the_docs_works_by_default() {
    let running = Running::start(&TUTORIAL, "");
    let token = authorize_and_execute(&running);
    assert_eq!(running.guarded(&token).status, 200);
    assert_eq!(running.gateway.end().count("token-elsewhere"), 0);
}

#[test]
fn authorize_in_the_docs_works_where_tokens_are_bound() {
    let running = Running::start(&TUTORIAL, ENFORCE);
    let token = authorize_and_execute(&running);
    assert_eq!(running.guarded(&token).status, 401, "the browser has kept the cookie");
    assert_eq!(running.gateway.end().count("token-elsewhere"), 1);
}
