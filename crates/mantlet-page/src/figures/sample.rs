//! All figures of a moment.

use std::collections::BTreeMap;

use super::{latency::Latency, text::lines};

/// Codes of connections that are closed before there is a request: they are not in the count of requests.
const OF_CONNECTIONS: [&str; 4] =
    ["too-many-connections", "proxy-header-malformed", "http2-flood", "http2-malformed"];
/// The code of a WebSocket that is closed after its request has passed.
const OF_WEBSOCKETS: &str = "websocket-message-too-large";
/// Codes that also end streams and WebSockets, after their requests have passed. Their count does not say which.
const ALSO_OF_STREAMS: [&str; 3] = ["session-ended", "session-expired", "token-invalid"];

/// Whether a code refuses requests, and not what is before or after one.
pub(crate) fn is_of_requests(code: &str) -> bool {
    code != OF_WEBSOCKETS && !OF_CONNECTIONS.contains(&code)
}

/// How often was decided what, for one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Decided {
    pub(crate) refused: u64,
    pub(crate) reported: u64,
    pub(crate) changed: u64,
}

/// What is known of an operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Operation {
    pub(crate) requests: u64,
    /// With a status from 500 on.
    pub(crate) errors: u64,
    pub(crate) latency: Latency,
}

/// The figures of a gate at a moment; what it does not say is none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Whether requests are measured.
    pub(crate) is_measured: bool,
    pub(crate) requests: u64,
    /// Errors of the app, and not of the gate.
    pub(crate) errors: u64,
    pub(crate) latency: Latency,
    /// By method and path template.
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) decided: BTreeMap<String, Decided>,
    pub(crate) active: Option<u64>,
    pub(crate) connections: Option<u64>,
    pub(crate) is_up: Option<bool>,
    pub(crate) restarts: Option<u64>,
    pub(crate) store_is_up: Option<bool>,
    pub(crate) records: Option<u64>,
    pub(crate) lost: Option<u64>,
    /// Seconds since 1970.
    pub(crate) sealed_at: Option<u64>,
    pub(crate) certificate_ends: Option<u64>,
    pub(crate) bans: Option<u64>,
    pub(crate) sessions: Option<u64>,
    pub(crate) version: Option<String>,
}

impl Sample {
    pub(crate) fn read(text: &str, is_measured: bool) -> Self {
        let mut sample = Self { is_measured, ..Self::default() };
        // Buckets of a series follow each other, and are cumulative.
        let mut before = 0;
        for line in lines(text) {
            let count = line.count();
            match line.name {
                "http_server_request_duration_seconds_bucket" => {
                    let bound =
                        line.label("le").and_then(|bound| bound.parse().ok()).unwrap_or(f64::INFINITY);
                    for latency in
                        [&mut sample.latency, &mut sample.operations.entry(name(&line)).or_default().latency]
                    {
                        latency.add_up_to(bound, count, before);
                    }
                    before = if bound.is_finite() { count } else { 0 };
                }
                "http_server_request_duration_seconds_count" => {
                    let is_error =
                        line.label("http_response_status_code").is_some_and(|status| status.starts_with('5'));
                    let errors = if is_error { count } else { 0 };
                    // The code of a reason: the gate has failed it, which it counts as a refusal.
                    let is_of_app = line
                        .label("error_type")
                        .is_none_or(|error| error.bytes().all(|byte| byte.is_ascii_digit()));
                    let operation = sample.operations.entry(name(&line)).or_default();
                    operation.requests += count;
                    operation.errors += errors;
                    sample.requests += count;
                    sample.errors += if is_of_app { errors } else { 0 };
                }
                "mantlet_decisions_total" => {
                    let code = line.label("code").unwrap_or_default().to_owned();
                    let decided = sample.decided.entry(code).or_default();
                    match line.label("outcome") {
                        Some("refused") => decided.refused += count,
                        Some("reported") => decided.reported += count,
                        _ => decided.changed += count,
                    }
                }
                "http_server_active_requests" => sample.active = Some(count),
                "mantlet_connections" => sample.connections = Some(count),
                "mantlet_app_up" => sample.is_up = Some(count == 1),
                "mantlet_app_restarts_total" => sample.restarts = Some(count),
                "mantlet_store_up" => sample.store_is_up = Some(count == 1),
                "mantlet_audit_records_total" => sample.records = Some(count),
                "mantlet_audit_lost_total" => sample.lost = Some(count),
                "mantlet_audit_last_seal_timestamp_seconds" => sample.sealed_at = Some(count),
                "mantlet_certificate_expiry_timestamp_seconds" => sample.certificate_ends = Some(count),
                "mantlet_bans" => sample.bans = Some(count),
                "mantlet_sessions" => sample.sessions = Some(count),
                "mantlet_build_info" => sample.version = line.label("version").map(str::to_owned),
                _ => {}
            }
        }
        sample
    }

    /// Connections that were refused before there was a request.
    pub(crate) fn refused_connections(&self) -> u64 {
        OF_CONNECTIONS.iter().filter_map(|code| self.decided.get(*code)).map(|decided| decided.refused).sum()
    }

    /// Whether some of the refusals may have ended a stream whose request had passed.
    pub(crate) fn may_have_ended_streams(&self) -> bool {
        ALSO_OF_STREAMS.iter().any(|code| self.decided.get(*code).is_some_and(|decided| decided.refused > 0))
    }

    /// Decisions of all codes; refused are requests alone.
    pub(crate) fn decided(&self) -> Decided {
        self.decided.iter().fold(Decided::default(), |sum, (code, one)| Decided {
            refused: sum.refused + if is_of_requests(code) { one.refused } else { 0 },
            reported: sum.reported + one.reported,
            changed: sum.changed + one.changed,
        })
    }
}

/// The operation of a line; none is known before it was looked for.
fn name(line: &super::text::Line<'_>) -> String {
    match (line.label("http_request_method"), line.label("http_route")) {
        (Some(method), Some(route)) => format!("{method} {route}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::UpTo;

    #[test]
    fn figures_are_those_of_the_gate() {
        let name = "http_server_request_duration_seconds";
        let series = |route: &str, status: u16, counts: [u64; 3]| {
            let labels = format!(
                "http_request_method=\"GET\",http_route=\"{route}\",http_response_status_code=\"{status}\""
            );
            let bucket = |bound: &str, count| format!("{name}_bucket{{{labels},le=\"{bound}\"}} {count}\n");
            bucket("0.005", counts[0])
                + &bucket("0.25", counts[1])
                + &bucket("+Inf", counts[2])
                + &format!("{name}_count{{{labels}}} {}\n", counts[2])
        };
        let gate = format!(
            "{name}_count{{http_request_method=\"GET\",http_response_status_code=\"504\",error_type=\"app-timeout\"}} 3\n\
             {name}_count{{http_request_method=\"GET\",http_response_status_code=\"503\",error_type=\"503\"}} 1\n"
        );
        let text = series("/a", 200, [6, 8, 8])
            + &series("/b", 500, [0, 1, 2])
            + &gate
            + "mantlet_decisions_total{code=\"too-many-connections\",outcome=\"refused\"} 95\n"
            + "mantlet_decisions_total{code=\"websocket-message-too-large\",outcome=\"refused\"} 2\n"
            + "mantlet_decisions_total{code=\"rate-limited\",outcome=\"refused\"} 4\nmantlet_app_up 1\nmantlet_build_info{version=\"0.1.0\"} 1\n";
        let sample = Sample::read(&text, true);
        assert_eq!((sample.requests, sample.errors, sample.latency.all()), (14, 3, 10));
        assert_eq!(sample.latency.percentile(500), Some(UpTo::Bound(0.005)));
        assert_eq!(sample.latency.percentile(950), Some(UpTo::More));
        assert_eq!(sample.operations["GET /a"].latency.percentile(990), Some(UpTo::Bound(0.25)));
        assert_eq!(sample.operations["GET /b"].errors, 2);
        assert_eq!((sample.decided().refused, sample.refused_connections()), (4, 95));
        assert_eq!((sample.is_up, sample.version.as_deref(), sample.bans), (Some(true), Some("0.1.0"), None));
    }
}
