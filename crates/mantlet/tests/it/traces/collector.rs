//! With a collector: who is part of which trace, and what its spans say.

use std::ffi::OsString;

use serde_json::json;

use super::{PARENT, TRACE, app_in, ask, headers_with};
use crate::kit::{
    Client, Setup,
    collector::{Collector, Span},
    http2,
};

const TRUSTED: &str = "[client]\ntrusted = [\"loopback\"]\n";

/// The app sends its spans there, too.
fn variables(collector: &Collector) -> Vec<(&'static str, OsString)> {
    vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint().into()),
        ("OTEL_SERVICE_NAME", "shop".into()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".into()),
    ]
}

fn is_of_gate(span: &Span) -> bool {
    span.service == "mantlet" && span.kind == 2
}

fn is_for(path: &str) -> impl Fn(&Span) -> bool {
    let path = path.to_owned();
    move |span| is_of_gate(span) && span.attributes["url.path"] == *path
}

#[test]
fn one_trace_holds_gate_app_and_database() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().expect("a folder"));
    let gateway = app_in(&folder).config(&collector.config()).variables(variables(&collector)).start();
    assert_eq!(ask(&gateway, "/orders/21?secret=wqxj", "").json(), 42);

    let gate = collector.find("the gate's span", is_for("/orders/21"));
    let below = |parent: &Span, kind: u64, service: &str| {
        let (parent, service) = (parent.id.clone(), service.to_owned());
        collector.find("a span below", move |span| {
            span.parent == parent && span.kind == kind && span.service == service
        })
    };
    let to_app = below(&gate, 3, "mantlet");
    let app = below(&to_app, 2, "shop");
    let database = below(&app, 3, "shop");
    assert_eq!((gate.name.as_str(), gate.parent.as_str()), ("GET /orders/{order_id}", ""));
    assert_eq!((to_app.name.as_str(), database.name.as_str()), ("GET", "SELECT"));
    assert_eq!(database.scope, "opentelemetry.instrumentation.sqlite3");
    assert!([&to_app, &app, &database].iter().all(|span| span.trace == gate.trace));
    assert!(gate.from <= to_app.from && to_app.to <= gate.to && to_app.from <= app.from);
    assert_eq!(
        gate.attributes,
        json!({
            "http.request.method": "GET",
            "http.route": "/orders/{order_id}",
            "url.path": "/orders/21",
            "url.scheme": "http",
            "network.protocol.version": "1.1",
            "http.response.status_code": "200",
            "mantlet.request_id": gate.attributes["mantlet.request_id"],
            // The query.
            "mantlet.stop": "contract",
            "mantlet.code": "input-unknown",
            "mantlet.outcome": "reported",
        }),
    );
    assert_eq!(to_app.attributes, json!({"http.request.method": "GET", "http.response.status_code": "200"}));
    assert!(!gate.is_error && !to_app.is_error && gate.links.is_empty());
    assert_eq!(gate.resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(gate.resource["deployment.environment.name"], "test", "of the same place as the app");
    let of_gate: Vec<_> = collector.spans().into_iter().filter(|span| span.service == "mantlet").collect();
    assert!(!format!("{of_gate:?}").contains("wqxj"), "no query in a span of ours");
}

#[test]
fn the_trace_of_a_trusted_peer_goes_on() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().expect("a folder"));
    let config = format!("{TRUSTED}{}sample = 0\n", collector.config());
    let gateway = app_in(&folder).config(&config).start();
    let got = headers_with(&gateway, "01");
    let gate = collector.find("the gate's span", is_for("/headers"));
    assert_eq!((gate.trace.as_str(), gate.parent.as_str()), (TRACE, PARENT));
    let to_app = collector.find("the step of the app", |span| span.parent == gate.id);
    assert_eq!(got["traceparent"], format!("00-{TRACE}-{}-01", to_app.id));
    assert_eq!((&got["tracestate"], &got["baggage"]), (&"a=b".into(), &"c=d".into()));

    // What was not recorded there is not recorded here, and what begins here is not, either.
    let unsampled = headers_with(&gateway, "00")["traceparent"].as_str().expect("a header").to_owned();
    assert!(unsampled.starts_with(&format!("00-{TRACE}-")) && unsampled.ends_with("-00"), "{unsampled}");
    let own = ask(&gateway, "/headers", "").json()["traceparent"].as_str().expect("a header").to_owned();
    assert!(own.ends_with("-00") && !own.contains(TRACE), "{own}");
    gateway.end();
    assert_eq!(collector.spans().iter().filter(|span| is_of_gate(span)).count(), 1);
}

#[test]
fn the_trace_of_another_client_is_linked_and_its_flag_not_heeded() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().expect("a folder"));
    let config = format!("{}client-address = true\n", collector.config());
    let gateway = app_in(&folder).config(&config).start();
    let got = headers_with(&gateway, "00");
    let gate = collector.find("the gate's span", is_for("/headers"));
    assert!(gate.trace != TRACE && gate.parent.is_empty());
    assert_eq!(gate.links, [(TRACE.to_owned(), PARENT.to_owned())]);
    assert_eq!(gate.attributes["client.address"], "127.0.0.1");
    assert!(got["traceparent"].as_str().is_some_and(|told| told.contains(&gate.trace)));
    assert!(got["tracestate"].is_null() && got["baggage"].is_null());
    // What is no trace is no link.
    ask(&gateway, "/orders/1", "traceparent: 00-nonsense\r\n");
    assert!(collector.find("the gate's span", is_for("/orders/1")).links.is_empty());
}

#[test]
fn a_client_cannot_have_its_requests_recorded() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().expect("a folder"));
    let gateway = app_in(&folder).config(&format!("{}sample = 0\n", collector.config())).start();
    for _ in 0..20 {
        assert!(
            headers_with(&gateway, "01")["traceparent"].as_str().is_some_and(|told| told.ends_with("-00"))
        );
    }
    // The record of a refusal names the trace all the same: the app may have logged it.
    let refused = ask(&gateway, "/a/../b", "");
    let record = gateway.audit_of(refused.request_id());
    assert_eq!(record["trace"].as_str().map(str::len), Some(32), "{record}");
    gateway.end();
    assert!(collector.spans().is_empty());
}

#[test]
fn refusals_and_reports_name_their_stop() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().expect("a folder"));
    let config = format!("{}[contract]\ninput = \"report\"\n", collector.config());
    let gateway = app_in(&folder).config(&config).start();
    let refused = ask(&gateway, "/a/../b", "");
    assert_eq!(refused.status, 400);
    ask(&gateway, "/orders/many", "");
    let decision = |span: &Span| {
        ["mantlet.stop", "mantlet.code", "mantlet.outcome"].map(|name| span.attributes[name].clone())
    };
    let of_path = collector.find("a refusal", is_for("/a/../b"));
    assert_eq!(decision(&of_path), ["path", "path-dot-segment", "refused"]);
    assert_eq!(
        (of_path.name.as_str(), of_path.is_error),
        ("GET", false),
        "the client's fault is no error of ours"
    );
    let record = gateway.audit_of(refused.request_id());
    assert_eq!(record["trace"], of_path.trace);
    assert_eq!(of_path.attributes["mantlet.request_id"], refused.request_id());
    assert!(!collector.spans().iter().any(|span| span.parent == of_path.id), "the app was not asked");
    let reported = collector.find("a report", is_for("/orders/many"));
    assert_eq!(decision(&reported), ["contract", "input-invalid", "reported"]);
    assert_eq!(reported.attributes["http.response.status_code"], "422");

    // Not even a request: its method is not told.
    Client::connect(gateway.addr()).ask("GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n");
    let malformed =
        collector.find("a malformed request", |span| span.attributes["mantlet.code"] == "header-malformed");
    assert_eq!(malformed.attributes["mantlet.stop"], "wire");
}

#[test]
fn errors_are_the_servers_and_a_client_may_leave() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().expect("a folder"));
    let gateway = app_in(&folder).config(&collector.config()).start();
    assert_eq!(ask(&gateway, "/broken", "").status, 500);
    assert_eq!(ask(&gateway, "/teapot", "").status, 418);
    let error = |span: &Span| (span.is_error, span.attributes["error.type"].as_str().map(str::to_owned));
    let broken = collector.find("an error", is_for("/broken"));
    assert_eq!(error(&broken), (true, Some("500".into())));
    let teapot = collector.find("a teapot", is_for("/teapot"));
    assert_eq!(error(&teapot), (false, None));
    let to_app = collector.find("a step of the app", |span| span.parent == teapot.id);
    assert_eq!(error(&to_app), (true, Some("418".into())), "for a client any error is one");

    let mut leaving = Client::connect(gateway.addr());
    leaving.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    crate::kit::eventually("the app has it", || {
        let text = gateway.tell(&["metrics"]).stdout;
        text.contains("mantlet_app_requests{state=\"active\"} 1").then_some(())
    });
    drop(leaving);
    let left = collector.find("a client that left", is_for("/slow"));
    assert_eq!(error(&left), (true, Some("cancelled".into())));
    assert!(left.attributes["http.response.status_code"].is_null());

    // An app that is away: the gate's own code.
    let gateway = Setup::serve("http://127.0.0.1:9").config(&collector.config()).start();
    assert_eq!(Client::connect(gateway.addr()).get("/away").status, 503);
    let away = collector.find("an app that is away", is_for("/away"));
    assert_eq!(error(&away), (true, Some("app-unavailable".into())));
    assert_eq!(away.attributes["mantlet.stop"], "app");
}

#[test]
fn http2_and_the_last_spans_before_the_end() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().expect("a folder"));
    let gateway = app_in(&folder).config(&collector.config()).start();
    http2::talk(async {
        let sender = http2::connect(gateway.addr()).await;
        for number in 0..10 {
            let answer = http2::ask(&sender, http2::get(&format!("/orders/{number}")), b"").await;
            assert_eq!(answer.expect("an answer").status(), 200);
        }
    });
    gateway.end();
    let spans: Vec<_> = collector.spans().into_iter().filter(is_of_gate).collect();
    assert_eq!(spans.len(), 10);
    assert!(spans.iter().all(|span| span.attributes["network.protocol.version"] == "2"));
    let traces: std::collections::BTreeSet<_> = spans.iter().map(|span| &span.trace).collect();
    assert_eq!(traces.len(), 10);
}

#[test]
fn variables_of_opentelemetry_are_read_where_that_is_asked_for() {
    let collector = Collector::start();
    let mut variables = variables(&collector);
    variables.push(("OTEL_EXPORTER_OTLP_HEADERS", "x-a=b".into()));
    variables.push(("OTEL_TRACES_SAMPLER", "always_on".into()));
    let config = "[traces]\nendpoint = \"env\"\n";
    let gateway = Setup::serve("http://127.0.0.1:9").config(config).variables(variables).start();
    Client::connect(gateway.addr()).get("/");
    let span = collector.find("a span", |span| span.kind == 2);
    // The gate stands alone, so the name is its own.
    assert_eq!(span.service, "shop");
}

#[test]
fn a_collector_that_comes_back_gets_spans_again() {
    let mut collector = Collector::start();
    let gateway = Setup::serve("http://127.0.0.1:9").config(&collector.config()).start();
    collector.go();
    Client::connect(gateway.addr()).get("/lost");
    gateway.wait_for("spans are lost", 1);
    collector.come();
    Client::connect(gateway.addr()).get("/found");
    collector.find("a span", is_for("/found"));
    gateway.wait_for("the collector takes spans again", 1);
    assert!(!collector.spans().iter().any(|span| is_for("/lost")(span)));
}
