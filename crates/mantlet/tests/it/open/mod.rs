//! The operator's page: who may see it, what it shows of real traffic, and what an act on it does.

mod doors;
mod looks;
mod views;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::{
    kit::{
        Answer, Client,
        command::{Process, Typed},
        eventually,
    },
    sessions,
};

/// A shop with one of each thing that the page shows.
const CONFIG: &str = r#"state-folder = "state"
[metrics]
listen = "127.0.0.1:0"
[authorization]
learn = true
[client]
trusted = ["127.0.0.1"]
[csrf]
mode = "report"
[audit]
seal = "1s"
[throttle.trap]
paths = ["/wp-login.php"]
[[throttle.quota]]
name = "free-plan"
day = 1000
key = ["ip"]
"#;

/// The name of an account that is markup.
const HOSTILE: &str = "<img src=x onerror=document.title='owned'>";

/// The shop behind the gate.
struct Shop {
    process: Process,
    address: SocketAddr,
}

impl Shop {
    fn open() -> Self {
        // Someone has logged in before it was started again.
        let known = sessions::HEAD.to_owned() + &sessions::login(0x00aa_bbcc_ddee_ff11, HOSTILE);
        let shop = Typed::run(&[]).shop().file("mantlet.toml", CONFIG);
        let process = shop.file("state/sessions.jsonl", &known).start();
        let address = process.ready();
        Self { process, address }
    }

    fn ask(&self, method: &str, target: &str, lines: &str, body: &str) -> Answer {
        let length = body.len();
        Client::connect(self.address).ask(format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: <script>document.title='owned'</script>\r\n\
             {lines}Content-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn login(&self, name: &str) -> String {
        let form = "Content-Type: application/x-www-form-urlencoded\r\nX-Forwarded-For: 198.51.100.7\r\n";
        let answer = self.ask("POST", "/token", form, &format!("username={name}&password={name}-password"));
        assert_eq!(answer.status, 200, "{answer:?}");
        format!("Authorization: Bearer {}\r\n", answer.json()["access_token"].as_str().expect("a token"))
    }

    /// What the page is then asked about.
    fn traffic(&self) {
        for _ in 0..20 {
            assert_eq!(self.ask("GET", "/products/1", "", "").status, 200);
        }
        let alice = self.login("alice");
        assert_eq!(self.ask("GET", "/orders/1", &alice, "").status, 200);
        // The path is a client's own words.
        let hostile = "/%3Cb%3Eowned%3C%2Fb%3E/../x";
        assert_eq!(
            self.ask("GET", hostile, "X-Forwarded-For: 203.0.113.5\r\n", "").code(),
            "path-dot-segment"
        );
        assert_eq!(self.ask("GET", "/%3Cimg%20src=x%20onerror=alert(1)%3E", "", "").status, 404);
        // A page from elsewhere, which is only reported.
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let browser = self.ask("POST", "/login", form, "username=bob&password=bob-password");
        let cookie = browser.header("set-cookie").and_then(|set| set.split(';').next()).expect("a cookie");
        let foreign = format!("{form}Cookie: {cookie}\r\nOrigin: https://evil.example\r\n");
        self.ask("POST", "/users/me/email", &foreign, "email=bob%40shop.example");
        let banned = self.ask("GET", "/wp-login.php", "X-Forwarded-For: 203.0.113.9\r\n", "");
        assert_eq!(banned.code(), "client-banned");
        let log = self.log();
        for event in ["client-banned", "request-refused", "request-would-be-refused", "log-sealed"] {
            let line = format!("\"security_event\":\"{event}\"");
            eventually(&format!("`{event}` in the log"), || {
                fs::read_to_string(&log).is_ok_and(|text| text.contains(&line)).then_some(())
            });
        }
    }

    fn log(&self) -> PathBuf {
        self.process.folder().join("state/audit.jsonl")
    }
}

/// A text as a form or a query has it.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02x}"))
}

/// `mantlet open`, running.
struct Opened {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// A person who is in.
struct Visitor {
    address: SocketAddr,
    /// Below this everything lies: `/…/`.
    folder: String,
    cookie: String,
}

impl Opened {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mantlet"))
            .arg("open")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let (input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        Self { child, input, output: BufReader::new(output) }
    }

    /// The address that it prints next.
    fn url(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        assert!(line.starts_with("http://127.0.0.1:"), "{line:?}");
        line.trim_end().to_owned()
    }

    fn press_enter(&mut self) {
        self.input.write_all(b"\n").expect("it reads");
    }

    fn visit(&mut self) -> Visitor {
        let url = self.url();
        let (address, ticket) = split(&url);
        let answer =
            Client::connect(address).ask(format!("GET {ticket} HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let folder =
            answer.header("refresh").and_then(|refresh| refresh.strip_prefix("0; url=")).expect("a place");
        let folder = folder.strip_suffix("now").expect("the first view").to_owned();
        let set = answer.header("set-cookie").expect("a cookie");
        assert!(set.ends_with(&format!("; Path={folder}; HttpOnly; SameSite=Strict")), "{set}");
        let cookie = set.split(';').next().expect("a cookie").to_owned();
        Visitor { address, folder, cookie }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address and the path of a URL.
fn split(url: &str) -> (SocketAddr, String) {
    let rest = url.strip_prefix("http://").expect("a URL");
    let (address, path) = rest.split_once('/').expect("a path");
    (address.parse().expect("an address"), format!("/{path}"))
}

impl Visitor {
    /// A request with these lines, and with `Host` and cookie only if they have them.
    fn raw(&self, method: &str, path: &str, lines: &str, body: &str) -> Answer {
        let length = body.len();
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {length}\r\n") };
        Client::connect(self.address).ask(format!("{method} {path} HTTP/1.1\r\n{lines}{length}\r\n{body}"))
    }

    /// As the browser sends it.
    fn lines(&self) -> String {
        format!("Host: {}\r\nCookie: {}\r\n", self.address, self.cookie)
    }

    fn get(&self, view: &str) -> String {
        let answer = self.raw("GET", &format!("{}{view}", self.folder), &self.lines(), "");
        assert_eq!(answer.status, 200, "{view}: {answer:?}");
        String::from_utf8(answer.body).expect("text")
    }

    /// The token that forms of this session have.
    fn form(&self) -> String {
        let page = self.get("sessions");
        let rest = page.split("name=\"form\" value=\"").nth(1).expect("a form");
        rest.split('"').next().expect("a token").to_owned()
    }

    fn post(&self, lines: &str, body: &str) -> Answer {
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.raw("POST", &format!("{}act", self.folder), &format!("{}{form}{lines}", self.lines()), body)
    }

    /// The view that an answer leads to.
    fn place(&self, answer: &Answer) -> String {
        let place = answer.header("location").expect("a place");
        place.strip_prefix(&*self.folder).expect("a view of the page").to_owned()
    }

    fn own(&self) -> String {
        format!("Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", self.address)
    }
}
