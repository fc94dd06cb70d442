use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Client, eventually,
    gateway::Log,
    provided,
    websocket::{FINAL, TEXT, WebSocket},
};

/// Findings of axe-core that keep people out.
const JUDGE: &str = r#"axe.run(document, {resultTypes: ["violations"]}).then((found) => ({
    passes: found.passes.length,
    violations: found.violations.filter((one) => ["serious", "critical"].includes(one.impact))
        .map((one) => one.id + ": " + one.nodes.slice(0, 3).map((node) => node.html + " " + node.failureSummary).join(" | ")),
}))"#;

/// Chromium without a screen, showing one page, asked over its debugging protocol.
pub(crate) struct Browser {
    running: Arc<Running>,
    socket: WebSocket,
    asked: u64,
    /// What the page was accused of so far.
    violations: Vec<String>,
}

/// It runs until its last page is dropped.
struct Running {
    process: Child,
    stderr: Log,
    /// Where it is asked.
    address: SocketAddr,
    _profile: TempDir,
}

impl Browser {
    pub(crate) fn open(url: &str) -> Self {
        Self::open_with(url, &[])
    }

    /// With names that lead to this machine and certificates of any authority, so that there are sites as on the Internet.
    pub(crate) fn open_on_the_internet(url: &str, names: &str) -> Self {
        // A page that is asked for with `http` is not tried with `https` first.
        let arguments = [
            &format!("--host-resolver-rules={names}"),
            "--ignore-certificate-errors",
            "--disable-features=HttpsUpgrades",
        ];
        Self::open_with(url, &arguments)
    }

    fn open_with(url: &str, arguments: &[&str]) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        // Cookies are sent from other sites' pages, as browsers do unless their users or makers decide otherwise.
        fs::create_dir(profile.path().join("Default")).expect("a folder");
        let preferences = json!({"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": false}});
        fs::write(profile.path().join("Default/Preferences"), preferences.to_string()).expect("a file");
        let mut process = Command::new(provided("MANTLET_TEST_CHROMIUM"))
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            // Nothing is asked of the network but the page.
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-default-apps", "--disable-extensions", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(arguments)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the browser in MANTLET_TEST_CHROMIUM starts");
        let stderr = Log::follow(process.stderr.take().expect("a pipe"));
        let line = stderr.wait_for("DevTools listening on ws://");
        let address = line.split("ws://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
        let address: SocketAddr = address.parse().expect("an address");
        let path = eventually("the browser has a page", || {
            let targets = Client::connect(address).get("/json/list").json();
            let page = targets.as_array()?.iter().find(|target| target["type"] == "page")?;
            page["webSocketDebuggerUrl"].as_str().and_then(path_of)
        });
        Self::show(Arc::new(Running { process, stderr, address, _profile: profile }), &path)
    }

    /// Another tab of the same browser, with the same cookies.
    pub(crate) fn tab(&self, url: &str) -> Self {
        let address = self.running.address;
        let request = format!("PUT /json/new?{url} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let target = Client::connect(address).ask(request).json();
        let path = target["webSocketDebuggerUrl"].as_str().and_then(path_of).expect("an address");
        Self::show(Arc::clone(&self.running), &path)
    }

    fn show(running: Arc<Running>, path: &str) -> Self {
        let socket = WebSocket::open(running.address, &format!("/{path}"));
        let mut browser = Self { running, socket, asked: 0, violations: vec![] };
        // What was logged before is told as well.
        browser.ask("Log.enable", &json!({}));
        browser
    }

    /// The value of a script in the page; null while there is none.
    pub(crate) fn evaluate(&mut self, script: &str) -> Value {
        let answer = self.ask("Runtime.evaluate", &json!({"expression": script, "returnByValue": true}));
        answer["result"]["result"]["value"].clone()
    }

    /// What a script promises.
    pub(crate) fn run(&mut self, script: &str) -> Value {
        let asked = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
        let answer = self.ask("Runtime.evaluate", &asked);
        assert!(answer["result"]["exceptionDetails"].is_null(), "{answer:#}");
        answer["result"]["result"]["value"].clone()
    }

    /// Goes to another page, if it is another.
    pub(crate) fn go(&mut self, url: &str) {
        if self.evaluate("location.href") != url {
            self.ask("Page.navigate", &json!({"url": url}));
        }
        self.wait_until(&format!("location.href === '{url}' && document.readyState === 'complete'"));
    }

    /// Looks as a reader with this colour scheme, on a screen of this width.
    pub(crate) fn look_as(&mut self, scheme: &str, width: u32) {
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", &media);
        let screen = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        self.ask("Emulation.setDeviceMetricsOverride", &screen);
    }

    /// Types into the element that has the focus.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.ask("Input.insertText", &json!({"text": text}));
    }

    /// The cookies of the page, those that no script can read included: names and values.
    pub(crate) fn cookies(&mut self) -> Vec<(String, String)> {
        let answer = self.ask("Network.getCookies", &json!({}));
        let cookies = answer["result"]["cookies"].as_array().expect("cookies").iter();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        cookies.map(|cookie| (text(&cookie["name"]), text(&cookie["value"]))).collect()
    }

    /// Waits until a script has the value `true`.
    pub(crate) fn wait_until(&mut self, script: &str) {
        eventually(&format!("`{script}` in the page"), || {
            (self.evaluate(script) == Value::Bool(true)).then_some(())
        });
    }

    /// What axe-core says of the page: how many of its rules hold, and what keeps people out.
    pub(crate) fn judged(&mut self) -> Value {
        let axe = fs::read_to_string(provided("MANTLET_TEST_AXE_CORE")).expect("axe-core");
        self.evaluate(&axe);
        self.run(JUDGE)
    }

    /// What has been found to violate a content security policy so far.
    pub(crate) fn violations(&mut self) -> &[String] {
        // Whatever was logged before this answer has arrived with it.
        self.evaluate("0");
        &self.violations
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let command = json!({"id": id, "method": method, "params": parameters});
        self.socket.send(FINAL | TEXT, command.to_string().as_bytes());
        loop {
            let (first, payload) = self.socket.next();
            assert_eq!(first, FINAL | TEXT, "{:?}", String::from_utf8_lossy(&payload));
            let message: Value = serde_json::from_slice(&payload).expect("JSON");
            let logged = message["params"]["entry"]["text"].as_str().unwrap_or_default();
            if logged.contains("Content Security Policy") {
                self.violations.push(logged.to_owned());
            }
            if message["id"] == id {
                return message;
            }
        }
    }
}

/// The part of an address behind its host.
fn path_of(url: &str) -> Option<String> {
    Some(url.splitn(4, '/').nth(3)?.to_owned())
}

impl Drop for Browser {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("violations: {:#?}", self.violations);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its other processes end with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("what the browser said:\n{}", self.stderr.text());
        }
    }
}
