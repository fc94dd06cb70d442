//! Metrics, as a scraper reads them: each page is parsed by Prometheus' own client library.

mod prometheus;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::kit::{
    Answer, Client, Gateway, PATIENCE, Setup, Upstream, command::Typed, eventually, http2, is_of_the_log,
    provided, tls::Authority,
};

const APP: &str = r#"
import os
from fastapi import FastAPI, HTTPException

app = FastAPI()


@app.get("/orders/{order_id}")
def read(order_id: int):
    if order_id == 500:
        raise RuntimeError("an error of the app")
    return order_id


@app.post("/orders")
def create(order: dict):
    return order


@app.post("/die")
def die():
    os._exit(7)
"#;

const ON: &str = "[metrics]\nlisten = \"127.0.0.1:0\"\n";
const DAY: f64 = 86_400.0;
const DURATION: &str = "http_server_request_duration_seconds";

/// A page of metrics that another program has read.
struct Page {
    types: Value,
    samples: Vec<Value>,
}

impl Page {
    /// Parses a page in a format: `text` or `openmetrics`.
    fn parse(kind: &str, text: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("page");
        fs::write(&file, text).expect("a file");
        let output = Command::new(provided("MANTLET_TEST_PACKAGES"))
            .args(["-c", include_str!("read.py"), kind])
            .arg(&file)
            .output()
            .expect("the interpreter in MANTLET_TEST_PACKAGES starts");
        let text = String::from_utf8_lossy(text);
        assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
        let mut read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let Value::Array(samples) = read["samples"].take() else { panic!("{read}") };
        Self { types: read["types"].take(), samples }
    }

    /// The value of a sample with exactly these labels.
    fn value(&self, name: &str, labels: &Value) -> Option<f64> {
        let found = self.samples.iter().find(|one| one["name"] == name && one["labels"] == *labels);
        found.map(|one| one["value"].as_f64().expect("a number"))
    }

    /// The value of a metric without labels.
    fn single(&self, name: &str) -> Option<f64> {
        self.value(name, &json!({}))
    }

    /// How many requests there were for each method, operation and status.
    fn requests(&self) -> BTreeMap<String, u64> {
        let counts = self.samples.iter().filter(|one| one["name"] == format!("{DURATION}_count"));
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let line = |one: &Value| {
            let labels = &one["labels"];
            let names = ["http_request_method", "http_route", "http_response_status_code"];
            let [method, route, status] = names.map(|name| text(&labels[name]));
            let count = one["value"].to_string();
            let count = count.trim_end_matches(".0").parse().expect("a count");
            (format!("{method} {route} {status}"), count)
        };
        counts.map(line).collect()
    }
}

/// Where the metrics are, by what was said at start.
fn port(stderr: &str) -> SocketAddr {
    let line = stderr.lines().find(|line| line.contains("metrics are at ")).expect("it is said where");
    let rest = line.rsplit("http://").next().unwrap_or_default();
    rest.trim_end_matches("/metrics").parse().expect("an address")
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

fn scrape_as(address: SocketAddr, accept: &str) -> Answer {
    Client::connect(address).ask(format!("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n"))
}

fn scrape(address: SocketAddr) -> Page {
    let answer = scrape_as(address, "text/plain");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    Page::parse("text", &answer.body)
}

fn app_in(folder: &tempfile::TempDir) -> Setup {
    fs::write(folder.path().join("main.py"), APP).expect("a file");
    Setup::run("main:app").in_folder(folder.path())
}

fn post(gateway: &Gateway, path: &str, body: &str) -> Answer {
    let length = body.len();
    Client::connect(gateway.addr()).ask(format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

/// What clients make up: none of it may come back in a label.
const MADE_UP: [&str; 4] = ["wqxj", "WQXJ", "198.51.100", "zvvk.example"];

fn make_up(gateway: &Gateway) {
    for number in 0..20 {
        for request in [
            format!("GET /wqxj{number}/{number}?wqxj=1 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: wqxj"),
            format!("WQXJ{number} /orders/{number} HTTP/1.1\r\nHost: localhost"),
            format!("GET /orders/{number} HTTP/1.1\r\nHost: zvvk.example"),
        ] {
            let from = format!("X-Forwarded-For: 198.51.100.{number}");
            Client::connect(gateway.addr()).ask(format!("{request}\r\n{from}\r\n\r\n"));
        }
    }
}

#[test]
fn requests_and_decisions_are_counted_by_operation() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!("{ON}[contract]\ninput = \"enforce\"\n[host]\nallow = [\"localhost\"]\n");
    let gateway = app_in(&folder).config(&config).start();
    let metrics = port(&gateway.stderr());

    let mut client = Client::connect(gateway.addr());
    for number in 1..=3 {
        assert_eq!(client.get(&format!("/orders/{number}")).status, 200);
    }
    assert_eq!(client.get("/orders/500").status, 500);
    assert_eq!(client.get("/orders/many").status, 422);
    assert_eq!(client.get("/nowhere").status, 404);
    assert_eq!(client.get("/a/../b").status, 400);
    assert_eq!(post(&gateway, "/orders", "{}").status, 200);
    http2::talk(async {
        let sender = http2::connect(gateway.addr()).await;
        for number in 4..=5 {
            let answer = http2::ask(&sender, http2::get(&format!("/orders/{number}")), b"").await;
            assert_eq!(answer.expect("an answer").status(), 200);
        }
    });
    // Not even a request.
    assert_eq!(Client::connect(gateway.addr()).ask("GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n").status, 400);

    let page = scrape(metrics);
    let expected = [
        ("GET - 400", 2),
        ("GET - 404", 1),
        ("GET /orders/{order_id} 200", 5),
        ("GET /orders/{order_id} 422", 1),
        ("GET /orders/{order_id} 500", 1),
        ("POST /orders 200", 1),
    ];
    assert_eq!(page.requests(), expected.map(|(line, count)| (line.to_owned(), count)).into());
    assert_eq!(page.types[DURATION], "histogram");
    // Each histogram is whole: its last bucket has all, none has fewer than the one before it.
    let labels = |bound: &str| json!({"http_request_method": "GET", "http_route": "/orders/{order_id}", "http_response_status_code": "200", "le": bound});
    let bounds = [
        "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1.0", "2.5", "5.0", "7.5",
        "10.0", "+Inf",
    ];
    let buckets = bounds.map(|bound| page.value(&format!("{DURATION}_bucket"), &labels(bound)).expect(bound));
    assert!(buckets.is_sorted() && (buckets[14] - 5.0).abs() < 0.1, "{buckets:?}");
    let mut of_all = labels("");
    of_all.as_object_mut().expect("labels").remove("le");
    let sum = page.value(&format!("{DURATION}_sum"), &of_all).expect("a sum");
    assert!(sum > 0.0 && sum < 5.0 * PATIENCE.as_secs_f64(), "{sum}");

    let decided = |code: &str, outcome: &str| {
        page.value("mantlet_decisions_total", &json!({"code": code, "outcome": outcome}))
    };
    assert_eq!(decided("input-invalid", "refused"), Some(1.0));
    assert_eq!(decided("path-dot-segment", "refused"), Some(1.0));
    assert_eq!(page.single("mantlet_app_up"), Some(1.0));
    assert_eq!(page.single("mantlet_app_restarts_total"), Some(0.0));
    assert_eq!(page.single("mantlet_audit_lost_total"), Some(0.0));
    assert_eq!(page.single("http_server_active_requests"), Some(0.0));
    assert!(page.single("mantlet_connections") >= Some(1.0));
    assert_eq!(page.value("mantlet_build_info", &json!({"version": env!("CARGO_PKG_VERSION")})), Some(1.0));
    // What there is not has no figure.
    for absent in ["mantlet_store_up", "mantlet_bans", "mantlet_certificate_expiry_timestamp_seconds"] {
        assert_eq!(page.single(absent), None, "{absent}");
    }
    // The figure is the number of records in the file.
    let written = eventually("the records are written", || {
        let written = scrape(metrics).single("mantlet_audit_records_total")?;
        let text = fs::read_to_string(gateway.audit_file()).expect("the file");
        let records = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        let count = records.filter(|record| !is_of_the_log(record)).count();
        (u32::try_from(count).ok().map(f64::from) == Some(written)).then_some(count)
    });
    assert!(written >= 3, "{written}");

    // The command says the same as the port.
    let told = gateway.tell(&["metrics"]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    assert_eq!(Page::parse("text", told.stdout.as_bytes()).requests(), page.requests());
    let as_json: Value = serde_json::from_str(&gateway.tell(&["metrics", "--json"]).stdout).expect("JSON");
    assert_eq!(as_json["requests"], true);
}

#[test]
fn no_label_holds_what_a_client_made_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!("{ON}[host]\nallow = [\"localhost\"]\n[client]\ntrusted = [\"loopback\"]\n");
    let gateway = app_in(&folder).config(&config).start();
    let metrics = port(&gateway.stderr());
    make_up(&gateway);
    let before = scrape(metrics).samples.len();
    let text = String::from_utf8(scrape_as(metrics, "*/*").body).expect("text");
    for made_up in MADE_UP {
        assert!(!text.contains(made_up), "{made_up} in {text}");
    }
    let page = scrape(metrics);
    let requests = page.requests();
    assert_eq!(requests.values().sum::<u64>(), 60, "{requests:?}");
    assert!(requests.keys().any(|line| line.starts_with("_OTHER ")), "{requests:?}");
    assert_eq!(requests.get("GET - 404"), Some(&20), "{requests:?}");
    // More of the same makes nothing new.
    make_up(&gateway);
    assert_eq!(scrape(metrics).samples.len(), before);
}

#[test]
fn a_reload_keeps_the_counters() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = app_in(&folder).config(ON).start();
    let metrics = port(&gateway.stderr());
    Client::connect(gateway.addr()).get("/orders/1");
    gateway.reload(&format!("{ON}[limits]\nhead-size = \"32 KiB\"\n"));
    gateway.wait_for("configuration reloaded", 1);
    Client::connect(gateway.addr()).get("/orders/2");
    assert_eq!(scrape(metrics).requests().get("GET /orders/{order_id} 200"), Some(&2));
}

#[test]
fn a_crash_of_the_app_is_seen() {
    let process = Typed::run(&[]).file("main.py", APP).file("mantlet.toml", ON).start();
    let (address, metrics) = (process.ready(), port(&process.stderr()));
    Client::connect(address).ask("POST /die HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    eventually("the crash is counted", || {
        (scrape(metrics).single("mantlet_app_restarts_total") == Some(1.0)).then_some(())
    });
    eventually("the app is up again", || {
        (scrape(metrics).single("mantlet_app_up") == Some(1.0)).then_some(())
    });
    assert_eq!(scrape(metrics).requests().get("POST /die 502"), Some(&1));
    let pid = i32::try_from(process.pid()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::INT).expect("it is there");
    process.wait();
}

#[test]
fn seals_and_certificates_are_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Authority::new(folder.path()).sign_strictly("a", "shop.example");
    let config = format!("{ON}[audit]\nseal = \"1s\"\n[tls]\n{}", pair.config());
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gateway = Setup::serve(&upstream.url()).config(&config).start();
    let metrics = port(&gateway.stderr());
    let page = scrape(metrics);
    assert_eq!(page.single("mantlet_app_up"), Some(1.0));
    assert_eq!(page.single("mantlet_app_restarts_total"), None, "others run it");
    // Signed for 90 days, yesterday.
    let expiry = page.single("mantlet_certificate_expiry_timestamp_seconds").expect("a certificate");
    let now = now();
    assert!((expiry - now - 89.0 * DAY).abs() < DAY / 2.0, "{expiry}, {now}");

    let sealed = eventually("the log is sealed", || {
        scrape(metrics).single("mantlet_audit_last_seal_timestamp_seconds")
    });
    assert!((now - sealed).abs() < 4.0 * PATIENCE.as_secs_f64(), "{sealed}, {now}");
}

#[test]
fn bans_are_seen() {
    let config = format!("{ON}[throttle.ban]\nmode = \"enforce\"\nafter = \"2/10m\"\n");
    let gateway = Setup::serve("http://127.0.0.1:9").config(&config).start();
    let metrics = port(&gateway.stderr());
    assert_eq!(scrape(metrics).single("mantlet_bans"), Some(0.0));
    for _ in 0..5 {
        Client::connect(gateway.addr()).get("/a/../b");
    }
    let page = scrape(metrics);
    assert_eq!(page.single("mantlet_bans"), Some(1.0));
    let banned = json!({"code": "client-banned", "outcome": "refused"});
    assert!(page.value("mantlet_decisions_total", &banned) >= Some(1.0));
}

/// The page and the documentation name the same metrics.
#[test]
fn every_metric_is_documented() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let docs = fs::read_to_string(docs).expect("the page");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let kinds: BTreeMap<_, _> = rows.map(|(name, rest)| (name, rest.split(' ').next())).collect();
    assert!(kinds.len() > 10, "{kinds:?}");
    let named = docs.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    for name in named.filter(|name| name.starts_with("mantlet_") || name.starts_with("http_server_")) {
        let name =
            ["_count", "_bucket", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(kinds.contains_key(name), "`{name}` is used and not explained");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = app_in(&folder).config(ON).start();
    let page = scrape_as(port(&gateway.stderr()), "*/*").body;
    let text = String::from_utf8(page).expect("text");
    let types: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    assert!(types.len() > 8, "{types:?}");
    for (name, kind) in types {
        assert_eq!(kinds.get(name).copied().flatten(), Some(kind), "{name}");
    }
}

#[test]
fn an_app_that_does_not_answer_is_down() {
    let gateway = Setup::serve("http://127.0.0.1:9").config(ON).start();
    let metrics = port(&gateway.stderr());
    let page = eventually("it was asked", || {
        let page = scrape(metrics);
        page.single("mantlet_app_up").is_some().then_some(page)
    });
    assert_eq!(page.single("mantlet_app_up"), Some(0.0));
    // A request finds it away; it is the gate's response that is counted, without an operation.
    assert_eq!(Client::connect(gateway.addr()).get("/").status, 503);
    assert_eq!(scrape(metrics).requests().get("GET - 503"), Some(&1));
}

#[test]
fn the_port_serves_metrics_and_nothing_else() {
    let gateway = Setup::serve("http://127.0.0.1:9").config(ON).start();
    let metrics = port(&gateway.stderr());
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let answer = scrape_as(metrics, prometheus);
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let open = Page::parse("openmetrics", &answer.body);
    assert_eq!(open.types["mantlet_decisions"], "counter");
    assert!(answer.body.ends_with(b"# EOF\n"));
    let head = {
        let mut client = Client::connect(metrics);
        client.send("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = client.answer_to_head();
        assert_eq!(client.rest(), b"");
        head
    };
    assert!(head.status == 200 && head.header("content-length").is_some(), "{head:?}");
    for (request, status) in [
        ("GET /", 404),
        ("GET /metrics/", 404),
        ("GET /bans", 404),
        ("DELETE /bans", 404),
        ("POST /metrics", 405),
        ("DELETE /metrics", 405),
    ] {
        let answer = Client::connect(metrics).ask(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((answer.status, answer.header("allow").is_some()), (status, status == 405), "{request}");
    }
    // Clients of the app do not find them.
    assert_eq!(Client::connect(gateway.addr()).get("/metrics").status, 503);
}

#[test]
fn metrics_are_off_by_default_and_a_public_address_is_noted() {
    let gateway = Setup::serve("http://127.0.0.1:9").start();
    Client::connect(gateway.addr()).get("/");
    assert!(!gateway.stderr().contains("metrics"), "{}", gateway.stderr());
    let told = gateway.tell(&["metrics"]);
    assert!(told.code == Some(0) && told.stderr.contains("requests are not measured"), "{}", told.stderr);
    let page = Page::parse("text", told.stdout.as_bytes());
    assert_eq!((page.requests().len(), page.types[DURATION].is_null()), (0, true));
    let unavailable = json!({"code": "app-unavailable", "outcome": "refused"});
    assert_eq!(page.value("mantlet_decisions_total", &unavailable), Some(1.0));
    gateway.end();

    let public = Setup::serve("http://127.0.0.1:9").config("[metrics]\nlisten = \":0\"\n").start();
    assert!(public.stderr().contains("note: clients may be able to read the metrics"), "{}", public.stderr());
    public.end();
    let meant = "[metrics]\nlisten = \":0\"\npublic = true\n";
    let meant = Setup::serve("http://127.0.0.1:9").config(meant).start();
    assert!(!meant.stderr().contains("note: clients"), "{}", meant.stderr());
    let taken = port(&meant.stderr()).port();

    let second = Typed::mantlet(["serve", "--upstream", "http://127.0.0.1:9", "--openapi", "off"])
        .file("mantlet.toml", &format!("listen = \"127.0.0.1:0\"\n[metrics]\nlisten = \":{taken}\"\n"))
        .finish();
    assert!(
        second.code != Some(0) && second.stderr.contains("cannot serve metrics at 0.0.0.0"),
        "{}",
        second.stderr
    );
    let wrong = Typed::mantlet(["serve", "--upstream", "http://127.0.0.1:9", "--openapi", "off"])
        .file("mantlet.toml", "[metrics]\nlisten = \"unix:/tmp/a\"\n")
        .finish();
    assert!(wrong.stderr.contains("metrics are served on a port"), "{}", wrong.stderr);
}
