//! Traces: spans as a real collector takes them, and what the app gets.

mod collector;
mod trouble;

use std::fs;

use serde_json::Value;

use crate::kit::{Answer, Client, Gateway, Setup, provided};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn app_in(folder: &tempfile::TempDir) -> Setup {
    fs::write(folder.path().join("main.py"), include_str!("main.py")).expect("a file");
    Setup::run_with(provided("MANTLET_TEST_TRACES"), "main:app").in_folder(folder.path())
}

/// Asks with these further lines in the head.
fn ask(gateway: &Gateway, path: &str, lines: &str) -> Answer {
    Client::connect(gateway.addr()).ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"))
}

/// What the app got, with what the client said of a trace.
fn headers_with(gateway: &Gateway, flags: &str) -> Value {
    let lines = format!("traceparent: 00-{TRACE}-{PARENT}-{flags}\r\ntracestate: a=b\r\nbaggage: c=d\r\n");
    ask(gateway, "/headers", &lines).json()
}

#[test]
fn without_traces_the_app_gets_what_the_client_says() {
    let folder = tempfile::tempdir().expect("a folder");
    // The variables are the app's.
    let variables = vec![("OTEL_TRACES_SAMPLER", "always_on".into()), ("OTEL_SERVICE_NAME", "shop".into())];
    let gateway = app_in(&folder).variables(variables).start();
    let got = headers_with(&gateway, "01");
    assert_eq!(got["traceparent"], format!("00-{TRACE}-{PARENT}-01"));
    assert_eq!((&got["tracestate"], &got["baggage"]), (&"a=b".into(), &"c=d".into()));
    assert!(ask(&gateway, "/headers", "").json()["traceparent"].is_null());
    let refused = ask(&gateway, "/a/../b", "");
    assert!(gateway.audit_of(refused.request_id())["trace"].is_null());
    assert!(!gateway.stderr().contains("spans"), "{}", gateway.stderr());
}

#[test]
fn what_cannot_be_used_is_said_at_start() {
    use crate::kit::command::Typed;
    for (traces, said) in [
        ("endpoint = \"grpc://a:4317\"", "is not the address of a collector"),
        ("endpoint = \"env\"", "neither `OTEL_EXPORTER_OTLP_ENDPOINT` nor"),
        ("endpoint = \"http://127.0.0.1:9\"\nsample = 2", "a number from 0 to 1"),
        ("endpoint = \"http://127.0.0.1:9\"\nsample = \"many\"", "a number from 0 to 1"),
    ] {
        let finished = Typed::mantlet(["serve", "--upstream", "http://127.0.0.1:9", "--openapi", "off"])
            .file("mantlet.toml", &format!("listen = \"127.0.0.1:0\"\n[traces]\n{traces}\n"))
            .finish();
        assert!(finished.code == Some(2) && finished.stderr.contains(said), "{traces}: {}", finished.stderr);
    }
}
