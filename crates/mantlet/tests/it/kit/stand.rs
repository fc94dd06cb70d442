use serde_json::Value;

use super::{Answer, App, Client, Gateway, Setup, Upstream, marker};

/// The gateway in front of the real app, with a tap between them.
pub(crate) struct Stand {
    pub(crate) gateway: Gateway,
    pub(crate) tap: Upstream,
    /// Refusals seen so far, by request id.
    refusals: Vec<(String, String)>,
    /// Clean requests sent so far.
    clean: Vec<String>,
}

/// What every answer of Mantlet's own carries.
const SECURITY_HEADERS: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

impl Stand {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    pub(crate) fn with(config: &str) -> Self {
        let tap = Upstream::before(App::shared().socket());
        let gateway = Setup::serve(&tap.url()).config(config).start();
        Self { gateway, tap, refusals: Vec::new(), clean: Vec::new() }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.gateway.addr())
    }

    /// A request on a connection of its own that must be refused; then the connection closes.
    pub(crate) fn refuse(&mut self, request: &[u8], status: u16, code: &str) -> Answer {
        let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
        let mut client = self.connect();
        client.send(request);
        let answer = client.answer();
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{shown:?}");
        self.note(&answer);
        assert_eq!(answer.header("connection"), Some("close"), "{shown:?}");
        client.expect_closed();
        self.pass_clean();
        answer
    }

    /// A path that must be refused. The connection goes on, for where such a request ends is clear.
    pub(crate) fn refuse_path(&mut self, target: &str, code: &str) {
        let mut client = self.connect();
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let length = smuggled.len();
        let requests = [
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            format!(
                "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{smuggled}"
            ),
        ];
        for request in requests {
            let answer = client.ask(request);
            assert_eq!((answer.status, answer.code().as_str()), (400, code), "{target}");
            self.note(&answer);
            assert_eq!(answer.header("connection"), None, "{target}");
            self.pass_clean_on(&mut client);
        }
        self.pass_clean();
    }

    /// Notes a refusal, of which there must be a record in the end, and looks whether it is dressed.
    pub(crate) fn note(&mut self, answer: &Answer) {
        let body = answer.json();
        assert_eq!(body["request_id"], answer.request_id(), "the body and the header name one request");
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        for (name, value) in SECURITY_HEADERS {
            assert_eq!(answer.header(name), Some(value), "{name} of a refusal");
        }
        assert!(answer.header("permissions-policy").is_some(), "{answer:?}");
        assert!(answer.header("server").is_none(), "{answer:?}");
        self.refusals.push((answer.request_id().to_owned(), answer.code()));
    }

    /// The next clean request, on a new connection, succeeds.
    pub(crate) fn pass_clean(&mut self) {
        let mut client = self.connect();
        self.pass_clean_on(&mut client);
    }

    fn pass_clean_on(&mut self, client: &mut Client) {
        let path = marker();
        let record = client.get(&path).record();
        assert_eq!(record["path"], path.as_str());
        self.clean.push(path);
    }

    /// Ends the gateway. Not a byte but the clean requests reached the app, and there is one record for each refusal.
    pub(crate) fn nothing_else_reached_the_app(self) {
        let Self { gateway, tap, refusals, mut clean } = self;
        let records = gateway.end().audit;
        assert_eq!(records.iter().map(of_refusal).collect::<Vec<_>>(), refusals, "{records:#?}");

        let seen = tap.seen();
        let text = String::from_utf8_lossy(&seen);
        let mut heads: Vec<_> = text.split_terminator("\r\n\r\n").map(path_of).collect();
        heads.sort_unstable();
        clean.sort_unstable();
        assert_eq!(heads, clean, "what reached the app:\n{text}");
    }
}

/// The id and the reason of a record, which must be that of a request that was refused.
fn of_refusal(record: &Value) -> (String, String) {
    assert_eq!((&record["security_event"], &record["action"]), (&"request-refused".into(), &"refuse".into()));
    let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
    (text("request_id"), text("reason"))
}

/// The path of a GET; anything else is shown as it is.
fn path_of(head: &str) -> String {
    let line = head.lines().next().unwrap_or_default();
    let path = line.strip_prefix("GET ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
    path.unwrap_or(head).to_owned()
}
