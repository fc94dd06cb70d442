//! The shop, pages on other origins, and a browser that visits them.

use std::{fmt::Write, fs};

use rustix::process::Signal;
use serde_json::Value;

use crate::kit::{
    App, Gateway, Setup,
    browser::Browser,
    command::{Process, Typed},
    tls::Authority,
};

/// What a page may try; each answers what the page sees.
const SCRIPT: &str = include_str!("tries.js");

/// A row of a table: what is tried, what the page sees, which requests the app has answered and how, what was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
);

/// The shop on `shop.test`, and pages on any other name below `.test`.
pub(super) struct World {
    shop: Process,
    elsewhere: Gateway,
    browser: Browser,
    scheme: &'static str,
    token: String,
    expected: Vec<(String, Row)>,
    seen: Vec<String>,
}

impl World {
    /// The user has logged in. How the shop is started, and its configuration, depend on the port of the pages elsewhere.
    pub(super) fn https(
        prepare: impl FnOnce(Typed, u16) -> Typed,
        config: impl FnOnce(u16) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path());
        let tls = |name: &str| format!("[tls]\n{}", authority.sign(name, &format!("{name}.test")).config());
        let mut world = Self::new("https", &tls("elsewhere"), |typed, port| {
            prepare(typed, port).file("mantlet.toml", &(tls("shop") + &config(port)))
        });
        assert_eq!(world.browser.run(&log_in("/login", "answer.status")), 200);
        world
    }

    /// Without encryption, browsers do not say from which site a request comes, and a page sets the cookie itself.
    pub(super) fn http() -> Self {
        let mut world =
            Self::new("http", "", |typed, _| typed.file("mantlet.toml", "[host]\nallow = [\"shop.test\"]\n"));
        world.set_cookie();
        world
    }

    /// A cookie without `SameSite`. Chromium sends it with a foreign page's form for two minutes.
    pub(super) fn set_cookie(&mut self) {
        let page = self.own();
        self.browser.go(&page);
        self.browser.evaluate(&format!("document.cookie = 'session={}'", self.token));
    }

    fn new(scheme: &'static str, elsewhere: &str, prepare: impl FnOnce(Typed, u16) -> Typed) -> Self {
        let upstream = format!("unix:{}", App::shared().socket().display());
        let elsewhere = format!("{elsewhere}[headers]\nmode = \"off\"\n");
        let elsewhere = Setup::serve(&upstream).config(&elsewhere).start();
        let shop = prepare(Typed::run(&[]).shop(), elsewhere.addr().port()).start();
        let url = format!("{scheme}://shop.test:{}/", shop.ready().port());
        let mut browser = Browser::open_on_the_internet(&url, "MAP *.test 127.0.0.1");
        browser.go(&url);
        let token = log_in("/token", "answer.json().then((body) => body.access_token)");
        let token = browser.run(&token).as_str().expect("a token").to_owned();
        Self { shop, elsewhere, browser, scheme, token, expected: vec![], seen: vec![] }
    }

    /// Tries all that a table holds from the shop's own page.
    pub(super) fn try_own(&mut self, rows: &[Row]) {
        self.try_all(&self.own(), rows);
    }

    /// Tries all that a table holds from a page elsewhere.
    pub(super) fn try_from(&mut self, name: &str, rows: &[Row]) {
        let page = format!("{}://{name}:{}/html", self.scheme, self.elsewhere.addr().port());
        self.try_all(&page, rows);
    }

    fn own(&self) -> String {
        format!("{}://shop.test:{}/", self.scheme, self.shop.ready().port())
    }

    fn try_all(&mut self, page: &str, rows: &[Row]) {
        for row in rows {
            self.expected.push((page.to_owned(), *row));
            let cell = self.expected.len();
            self.browser.go(page);
            let seen = self.attempt(row.0, cell);
            self.seen.push(seen);
        }
    }

    fn attempt(&mut self, name: &str, cell: usize) -> String {
        let shop = self.own();
        let shop = shop.trim_end_matches('/');
        let browser = &mut self.browser;
        let tries = Value::from(format!("const SHOP = '{shop}', TOKEN = '{}';\n{SCRIPT}", self.token));
        browser.evaluate(&format!(
            "if (!document.getElementById('tries')) {{
                const script = document.createElement('script');
                script.id = 'tries';
                script.text = {tries};
                document.head.append(script);
            }}"
        ));
        if let Some(kind) = name.strip_suffix(" form submitted") {
            browser.evaluate(&format!("submit('{kind}', {cell})"));
            browser.wait_until(&format!(
                "location.href.endsWith('cell={cell}') && document.readyState === 'complete'"
            ));
            return browser
                .evaluate("performance.getEntriesByType('navigation')[0].responseStatus")
                .to_string();
        }
        let (sandboxed, name) = (name.starts_with("sandboxed "), name.trim_start_matches("sandboxed "));
        let mut promise = match name.rsplit_once(", ") {
            Some((name, credentials)) => format!("tryFetch('{name}', '{credentials}', {cell})"),
            None => format!("trySocket({cell})"),
        };
        if sandboxed {
            promise = format!("inSandbox({})", Value::from(promise));
        }
        browser.run(&promise).as_str().expect("text").to_owned()
    }

    /// Ends the shop, and compares what was seen on all sides with what the tables say.
    pub(super) fn end(self) {
        let Self { shop, browser, expected, seen, .. } = self;
        drop(browser);
        shop.signal(Signal::INT);
        let finished = shop.wait();
        let audit =
            fs::read_to_string(finished.folder.path().join(".mantlet/audit.jsonl")).unwrap_or_default();
        let mut refused = audit.lines().filter_map(|line| {
            let record: Value = serde_json::from_str(line).expect("a record is JSON");
            (record["action"] == "refuse").then(|| record["reason"].as_str().expect("a reason").to_owned())
        });
        let log = format!("{}\n{}", finished.stdout, finished.stderr);

        let (mut wanted, mut got) = (String::new(), String::new());
        for (index, ((page, row), seen)) in expected.iter().zip(&seen).enumerate() {
            let Row(name, sees, app, reasons) = row;
            writeln!(wanted, "{page} {name} | {sees} | {app} | {reasons}").unwrap();
            let count = reasons.split_whitespace().count();
            let reasons: Vec<_> = refused.by_ref().take(count).collect();
            let app = answered(&log, index + 1);
            writeln!(got, "{page} {name} | {seen} | {app} | {}", reasons.join(" ")).unwrap();
        }
        let differences: Vec<_> =
            wanted.lines().zip(got.lines()).filter(|(wanted, got)| wanted != got).collect();
        assert!(differences.is_empty(), "expected, and what was: {differences:#?}");
        assert_eq!(refused.collect::<Vec<_>>(), [""; 0], "refused beyond what the tables say");
    }
}

/// A script that logs in, and what it makes of the answer.
fn log_in(path: &str, then: &str) -> String {
    let form = "new URLSearchParams({username: 'alice', password: 'alice-password'})";
    format!("fetch('{path}', {{method: 'POST', body: {form}}}).then((answer) => {then})")
}

/// What the app has written down about a cell: methods and statuses.
fn answered(log: &str, cell: usize) -> String {
    let lines = log.lines().filter_map(|line| {
        // `INFO:     127.0.0.1:0 - "GET /orders?cell=1 HTTP/1.1" 200 OK`, `… - "WebSocket /chat?cell=2" [accepted]`
        let (method, rest) = line.split_once(" - \"")?.1.split_once(' ')?;
        let (target, outcome) = rest.split_once('"')?;
        let target = target.split(' ').next()?;
        target.ends_with(&format!("?cell={cell}")).then(|| {
            let outcome = outcome.trim().split(' ').next().unwrap_or_default();
            format!("{method} {outcome}")
        })
    });
    lines.collect::<Vec<_>>().join(", ")
}
