//! Lines as log records of OpenTelemetry, over HTTP with protobuf (OTLP 1.x).
//!
//! The body of a record is the line itself, as a text: so it can be verified where it arrives.

use mantlet_controls::audit::Severity;
use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
    resource::v1::Resource,
};
use prost::Message;

use super::{Outcome, line::Line};
use crate::{clock, fetch::Fetched};

pub(super) const CONTENT_TYPE: &str = "application/x-protobuf";
/// What the records are records of.
const SCOPE: &str = "mantlet.audit";

pub(super) fn body(lines: &[Line]) -> Vec<u8> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let attributes = vec![
        attribute("service.name", "mantlet"),
        attribute("service.version", env!("CARGO_PKG_VERSION")),
        attribute("host.name", &host),
    ];
    let scope = InstrumentationScope {
        name: SCOPE.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let now = nanoseconds(clock::now());
    let log_records = lines.iter().map(|line| record(line, now)).collect();
    let of_scope = ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() };
    let resource = Resource { attributes, ..Resource::default() };
    let all =
        ResourceLogs { resource: Some(resource), scope_logs: vec![of_scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![all] }.encode_to_vec()
}

fn record(line: &Line, now: u64) -> LogRecord {
    let facts = line.facts();
    let (number, text) = match facts.severity() {
        Severity::High => (SeverityNumber::Error, "ERROR"),
        Severity::Medium => (SeverityNumber::Warn, "WARN"),
        Severity::Low => (SeverityNumber::Info2, "INFO2"),
        Severity::Informational => (SeverityNumber::Info, "INFO"),
    };
    LogRecord {
        time_unix_nano: facts.time().map_or(0, nanoseconds),
        observed_time_unix_nano: now,
        severity_number: number.into(),
        severity_text: text.to_owned(),
        body: Some(value(&String::from_utf8_lossy(&line.text))),
        event_name: facts.event().to_owned(),
        // The same for a record that comes twice.
        attributes: vec![attribute("log.record.uid", &format!("{}#{}", line.position.log, line.seq()))],
        trace_id: facts.trace().map_or_else(Vec::new, |trace| trace.to_be_bytes().to_vec()),
        ..LogRecord::default()
    }
}

fn attribute(key: &str, text: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value(text)), ..KeyValue::default() }
}

fn value(text: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text.to_owned())) }
}

fn nanoseconds(time: jiff::Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or_default()
}

/// A collector may have taken some records only.
pub(super) fn meaning(response: &Fetched, lines: usize) -> Outcome {
    match ExportLogsServiceResponse::decode(response.body.clone()) {
        Ok(said) => {
            let rejected = said.partial_success.map_or(0, |partial| partial.rejected_log_records);
            // No more than there were, whatever it says.
            Outcome::Taken { refused: u64::try_from(rejected).unwrap_or_default().min(lines as u64) }
        }
        Err(_) => Outcome::failed("its response is not that of an OTLP collector".to_owned()),
    }
}
