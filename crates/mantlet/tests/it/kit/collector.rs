//! A real OpenTelemetry collector. It passes the spans that it has taken on to us, as JSON.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

use super::{eventually, provided, redis::free_port};

pub(crate) struct Collector {
    folder: tempfile::TempDir,
    port: u16,
    running: Option<Child>,
    taken: Arc<Mutex<Vec<Span>>>,
}

/// A span as the collector has understood it.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) scope: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty if it is the first of its trace.
    pub(crate) parent: String,
    /// 1: within a program; 2: of a server; 3: of a client.
    pub(crate) kind: u64,
    pub(crate) name: String,
    /// Nanoseconds since 1970.
    pub(crate) from: u128,
    pub(crate) to: u128,
    pub(crate) attributes: Value,
    /// The resource.
    pub(crate) resource: Value,
    /// Traces and spans.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) is_error: bool,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let taken = Arc::<Mutex<Vec<Span>>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::clone(&taken);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                thread::spawn(move || take(stream, &shared));
            }
        });
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let config = format!(
            "receivers:\n  otlp:\n    protocols:\n      http:\n        endpoint: 127.0.0.1:{port}\n\
             exporters:\n  otlphttp:\n    traces_endpoint: http://{address}/\n    encoding: json\n    \
             compression: none\n    sending_queue:\n      enabled: false\n\
             service:\n  pipelines:\n    traces:\n      receivers: [otlp]\n      exporters: [otlphttp]\n"
        );
        fs::write(folder.path().join("collector.yaml"), config).expect("a file");
        let mut collector = Self { folder, port, running: None, taken };
        collector.come();
        collector
    }

    /// Starts it, again where it was.
    pub(crate) fn come(&mut self) {
        let mut command = Command::new(provided("MANTLET_TEST_OTELCOL"));
        command.args(["--config", "collector.yaml"]).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.running = Some(command.spawn().expect("the collector starts"));
        eventually("the collector listens", || TcpStream::connect(("127.0.0.1", self.port)).ok().map(drop));
    }

    /// Kills it.
    pub(crate) fn go(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `[traces]` of a configuration.
    pub(crate) fn config(&self) -> String {
        format!("[traces]\nendpoint = \"{}\"\n", self.endpoint())
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.taken.lock().expect("no test has failed with it").clone()
    }

    /// The first span like this, once it is there.
    pub(crate) fn find(&self, what: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        eventually(what, || self.spans().into_iter().find(|span| is_it(span)))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(child) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Takes what the collector passes on: requests with a length, one after another.
fn take(mut stream: TcpStream, taken: &Mutex<Vec<Span>>) {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        while let Some((head, rest)) = split(&bytes) {
            let length = head.to_ascii_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length:").and_then(|length| length.trim().parse::<usize>().ok())
            });
            let length = length.expect("the collector says how long its requests are");
            let Some(body) = rest.get(..length) else { break };
            taken.lock().expect("no test has failed with it").extend(read(body));
            bytes = rest[length..].to_vec();
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
        match stream.read(&mut piece) {
            Ok(count @ 1..) => bytes.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
}

fn split(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&bytes[..end]).into_owned(), &bytes[end + 4..]))
}

fn read(body: &[u8]) -> Vec<Span> {
    let read: Value = serde_json::from_slice(body).expect("OTLP as JSON");
    let mut spans = Vec::new();
    for of_resource in read["resourceSpans"].as_array().expect("resources") {
        let resource = attributes(&of_resource["resource"]["attributes"]);
        for of_scope in of_resource["scopeSpans"].as_array().expect("scopes") {
            for span in of_scope["spans"].as_array().expect("spans") {
                let text = |name: &str| span[name].as_str().unwrap_or_default().to_owned();
                let link = |link: &Value| {
                    let id = |name: &str| link[name].as_str().unwrap_or_default().to_owned();
                    (id("traceId"), id("spanId"))
                };
                spans.push(Span {
                    service: resource["service.name"].as_str().unwrap_or_default().to_owned(),
                    scope: of_scope["scope"]["name"].as_str().unwrap_or_default().to_owned(),
                    trace: text("traceId"),
                    id: text("spanId"),
                    parent: text("parentSpanId"),
                    kind: span["kind"].as_u64().expect("a kind"),
                    name: text("name"),
                    from: text("startTimeUnixNano").parse().expect("a time"),
                    to: text("endTimeUnixNano").parse().expect("a time"),
                    attributes: attributes(&span["attributes"]),
                    resource: resource.clone(),
                    links: span["links"].as_array().into_iter().flatten().map(link).collect(),
                    is_error: span["status"]["code"] == 2,
                });
            }
        }
    }
    spans
}

/// Attributes by name; each value as a text.
fn attributes(list: &Value) -> Value {
    let list = list.as_array().into_iter().flatten();
    let text = |value: &Value| {
        let inner = value.as_object().and_then(|inner| inner.values().next()).cloned().unwrap_or_default();
        inner.as_str().map_or_else(|| inner.to_string(), str::to_owned)
    };
    let one = |one: &Value| {
        (one["key"].as_str().unwrap_or_default().to_owned(), Value::String(text(&one["value"])))
    };
    Value::Object(list.map(one).collect())
}
