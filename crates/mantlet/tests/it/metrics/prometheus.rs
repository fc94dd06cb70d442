//! A real Prometheus: it scrapes gates under traffic, answers what the dashboard asks, and judges the alert rules.

use std::{
    collections::BTreeSet,
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::{ON, app_in, port, post, scrape};
use crate::kit::{
    Client, Gateway, PATIENCE, Setup, Upstream, eventually_within, provided,
    redis::{Redis, free_port},
    tls::Authority,
};

/// The key of RFC 7517, appendix A.1.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1","alg":"ES256"}]}"#;

/// What appears only once an app has handed out sessions. That it is documented is checked in its place.
const NOT_HERE: [&str; 1] = ["mantlet_sessions"];

struct Prometheus {
    folder: tempfile::TempDir,
    address: SocketAddr,
    running: Child,
}

impl Prometheus {
    fn scraping(targets: &[SocketAddr]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
        let config = format!(
            "global:\n  scrape_interval: 250ms\n  scrape_timeout: 250ms\n  evaluation_interval: 250ms\n\
             rule_files: [{}]\nscrape_configs:\n  - job_name: mantlet\n    static_configs:\n      - targets: {targets:?}\n",
            deploy("prometheus/alerts.yml").display()
        );
        fs::write(folder.path().join("prometheus.yml"), config).expect("a file");
        let mut command = Command::new(provided("MANTLET_TEST_PROMETHEUS"));
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.args(["--enable-feature=exemplar-storage", "--log.level=error"]);
        command.arg(format!("--web.listen-address={address}")).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let running = command.spawn().expect("Prometheus starts");
        let prometheus = Self { folder, address, running };
        eventually_within(2 * PATIENCE, "Prometheus is ready", || {
            std::net::TcpStream::connect(address).ok()?;
            (prometheus.get("/-/ready").0 == 200).then_some(())
        });
        prometheus
    }

    fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let answer = Client::connect(self.address).get(path);
        (answer.status, answer.body)
    }

    /// What it answers to a question: it must understand it.
    fn ask(&self, path: &str, query: &str) -> Value {
        let escaped = query.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
        let (status, body) = self.get(&format!("{path}query={escaped}"));
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((status, &answer["status"]), (200, &"success".into()), "{query}: {answer}");
        answer["data"].clone()
    }

    /// The samples for an expression.
    fn query(&self, expression: &str) -> Vec<Value> {
        let data = self.ask("/api/v1/query?", expression);
        data["result"].as_array().expect("samples").clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
        let _ = self.folder.path();
    }
}

fn deploy(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file).canonicalize().expect("a file")
}

/// Every expression of the dashboard, with its title.
fn of_dashboard() -> Vec<(String, String)> {
    let text = fs::read_to_string(deploy("grafana/mantlet.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        let expression = |target: &Value| target["expr"].as_str().expect("an expression").to_owned();
        targets.iter().map(|target| (title.clone(), expression(target))).collect::<Vec<_>>()
    };
    panels.iter().flat_map(of_panel).collect()
}

/// The names of metrics in a text. Labels of our own do not begin like one.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words
        .filter(|word| word.starts_with("mantlet_") || word.starts_with("http_server_"))
        .map(str::to_owned)
        .collect()
}

/// Two gates that have something to say of everything.
fn gates(folder: &tempfile::TempDir, redis: &Redis, keys: SocketAddr, app: &Upstream) -> [Gateway; 2] {
    let config = format!(
        "{ON}{}[audit]\nseal = \"1s\"\n[traces]\nendpoint = \"http://127.0.0.1:9\"\n\
         [contract]\ninput = \"enforce\"\n[throttle.ban]\nmode = \"enforce\"\nafter = \"1000/10m\"\n\
         [[issuer]]\nissuer = \"https://id.example\"\naudience = [\"shop\"]\njwks = \"http://{keys}/keys\"\n",
        redis.config()
    );
    let first = app_in(folder).config(&config).start();
    let pair = Authority::new(folder.path()).sign_strictly("a", "shop.example");
    let second = Setup::serve(&app.url()).config(&format!("{ON}[tls]\n{}", pair.config())).start();
    [first, second]
}

fn traffic(gateway: &Gateway) {
    for number in 1..=20 {
        assert_eq!(Client::connect(gateway.addr()).get(&format!("/orders/{number}")).status, 200);
    }
    assert_eq!(Client::connect(gateway.addr()).get("/orders/500").status, 500);
    assert_eq!(Client::connect(gateway.addr()).get("/orders/many").status, 422);
    assert_eq!(Client::connect(gateway.addr()).get("/a/../b").status, 400);
    assert_eq!(post(gateway, "/orders", "{}").status, 200);
}

#[test]
fn prometheus_scrapes_gates_and_answers_what_the_dashboard_asks() {
    let (folder, redis) = (tempfile::tempdir().expect("a folder"), Redis::start());
    let length = KEYS.len();
    let issuer = Upstream::answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{KEYS}"
    ));
    let app = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gates = gates(&folder, &redis, issuer.listen_on_tcp(), &app);
    let ports = gates.each_ref().map(|gate| port(&gate.stderr()));
    let prometheus = Prometheus::scraping(&ports);

    // Every metric that the dashboard and the rules name is there.
    let rules = fs::read_to_string(deploy("prometheus/alerts.yml")).expect("the rules");
    let dashboard = of_dashboard();
    let mut named = names(&rules);
    named.extend(dashboard.iter().flat_map(|(_, expression)| names(expression)));
    assert!(named.len() > 15, "{named:?}");
    eventually_within(2 * PATIENCE, "all metrics are there", || {
        traffic(&gates[0]);
        let pages = ports.map(scrape);
        let known: BTreeSet<_> =
            pages.iter().flat_map(|page| &page.samples).filter_map(|one| one["name"].as_str()).collect();
        let missing: Vec<_> = named
            .iter()
            .filter(|name| !known.contains(name.as_str()) && !NOT_HERE.contains(&name.as_str()))
            .collect();
        missing.is_empty().then_some(())
    });

    // It has an answer to all that the dashboard asks.
    for (title, expression) in &dashboard {
        let expression = expression.replace("$__rate_interval", "1m").replace("$instance", ".*");
        let is_here = NOT_HERE.iter().all(|name| !expression.contains(name));
        eventually_within(2 * PATIENCE, &format!("an answer to {title}: {expression}"), || {
            traffic(&gates[0]);
            (!prometheus.query(&expression).is_empty() || !is_here).then_some(())
        });
    }

    // The gate and Prometheus count alike.
    let count = |status: &str| {
        format!(
            "sum(http_server_request_duration_seconds_count{{http_response_status_code=\"{status}\",instance=\"{}\"}})",
            ports[0]
        )
    };
    let page = scrape(ports[0]);
    let own: u64 =
        page.requests().iter().filter(|(line, _)| line.ends_with(" 500")).map(|(_, count)| count).sum();
    eventually_within(2 * PATIENCE, "the same count", || {
        let found = prometheus.query(&count("500"));
        (found.first()?["value"][1].as_str()? == own.to_string()).then_some(())
    });
    let errors = prometheus
        .query("count by (error_type) (http_server_request_duration_seconds_count{error_type!=\"\"})");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["metric"]["error_type"], "500");

    // Points of the histogram lead to traces.
    let exemplars = eventually_within(2 * PATIENCE, "exemplars", || {
        let path = "/api/v1/query_exemplars?start=0&end=9999999999&";
        let found = prometheus.ask(path, "http_server_request_duration_seconds_bucket");
        Some(found.as_array()?.clone()).filter(|found| !found.is_empty())
    });
    let labels = &exemplars[0]["exemplars"][0]["labels"];
    assert_eq!(labels["trace_id"].as_str().map(str::len), Some(32), "{labels}");
    assert_eq!(labels["span_id"].as_str().map(str::len), Some(16), "{labels}");

    // The rules are in force. None fires so soon, but for the refusals that there were none of before.
    let rules = prometheus.get("/api/v1/rules").1;
    let rules: Value = serde_json::from_slice(&rules).expect("JSON");
    let rules = rules["data"]["groups"][0]["rules"].as_array().expect("rules").clone();
    assert!(rules.len() > 8 && rules.iter().all(|rule| rule["health"] != "err"), "{rules:?}");
    let firing = prometheus.query("ALERTS{alertstate=\"firing\",alertname!=\"MantletRefusalsRise\"}");
    assert!(firing.is_empty(), "{firing:?}");
}

#[test]
fn the_alert_rules_are_sound() {
    for words in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let mut promtool = Command::new(provided("MANTLET_TEST_PROMTOOL"));
        let output =
            promtool.args(words).current_dir(deploy("prometheus")).output().expect("promtool starts");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success() && said.contains("SUCCESS"), "{words:?}: {said}");
    }
}

#[test]
fn exemplars_stand_only_where_the_format_has_a_place_for_them() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!("{ON}[traces]\nendpoint = \"http://{nobody}\"\n");
    let gateway = app_in(&folder).config(&config).start();
    let metrics = port(&gateway.stderr());
    Client::connect(gateway.addr()).get("/orders/1");
    let as_text = String::from_utf8(super::scrape_as(metrics, "text/plain").body).expect("text");
    assert!(!as_text.contains("trace_id"), "{as_text}");
    super::Page::parse("text", as_text.as_bytes());
    let open = super::scrape_as(metrics, "application/openmetrics-text").body;
    super::Page::parse("openmetrics", &open);
    let open = String::from_utf8(open).expect("text");
    let point = open.lines().find(|line| line.contains(" # {trace_id=\"")).expect("an exemplar");
    assert!(point.starts_with("http_server_request_duration_seconds_bucket{"), "{point}");
}

#[test]
fn what_the_gate_has_failed_is_told_by_its_code() {
    let gateway = Setup::serve("http://127.0.0.1:9").config(ON).start();
    let metrics = port(&gateway.stderr());
    assert_eq!(Client::connect(gateway.addr()).get("/").status, 503);
    assert_eq!(Client::connect(gateway.addr()).get("/a/../b").status, 400);
    let page = scrape(metrics);
    let errors: Vec<_> = page
        .samples
        .iter()
        .filter(|one| one["name"] == "http_server_request_duration_seconds_count")
        .map(|one| {
            (one["labels"]["http_response_status_code"].as_str(), one["labels"]["error_type"].as_str())
        })
        .collect();
    assert_eq!(errors, [(Some("400"), None), (Some("503"), Some("app-unavailable"))]);
}
