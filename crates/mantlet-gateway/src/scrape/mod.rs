//! Metrics of a gate, and the port where they are served.
//!
//! Each figure is read when it is asked for. A metric that cannot be filled with a true value is left out.
//! No label holds an address, a user or an id.

mod server;

use std::sync::atomic::Ordering::Relaxed;

use mantlet_controls::{Mode, throttle::bans::Bans};

pub use self::server::Scrapes;
pub(crate) use self::server::serve;
pub(crate) use crate::metrics::Format;
use crate::{
    audit_log::Health,
    clock,
    metrics::{Kind, Labels, Page, Requests},
    shared::Shared,
    tls::Tls,
};

/// All metrics of a gate.
pub(crate) fn text(shared: &Shared, format: Format) -> String {
    let mut page = Page::new(format);
    of_build(&mut page);
    if let Some(requests) = &shared.requests {
        of_requests(&mut page, requests);
    }
    of_connections(&mut page, shared);
    of_app(&mut page, shared);
    of_decisions(&mut page, shared);
    of_audit(&mut page, shared);
    of_shipping(&mut page, shared);
    of_memory(&mut page, shared);
    of_issuers(&mut page, shared);
    of_traces(&mut page, shared);
    page.end()
}

fn of_build(page: &mut Page) {
    let name = "mantlet_build_info";
    page.begin(name, Kind::Gauge, "The version of Mantlet; always 1.");
    page.sample(name, &[("version", env!("CARGO_PKG_VERSION"))], 1);
}

fn of_requests(page: &mut Page, requests: &Requests) {
    let name = "http_server_request_duration_seconds";
    let [bucket, sum, count] = ["bucket", "sum", "count"].map(|suffix| format!("{name}_{suffix}"));
    page.begin(name, Kind::Histogram, "Time from the head of a request to the head of its response.");
    for (Labels { method, route, status, error }, histogram) in requests.read() {
        let status_text = status.to_string();
        let mut labels = vec![("http_request_method", method)];
        labels.extend(route.as_deref().map(|route| ("http_route", route)));
        labels.push(("http_response_status_code", &status_text));
        // As OpenTelemetry's conventions have it: what a client did wrong is not an error of the server.
        let error = error.or((status >= 500).then_some(status_text.as_str()));
        labels.extend(error.map(|error| ("error_type", error)));
        let (up_to, all) = histogram.cumulated();
        // Whole numbers as `1.0`: so a series has one name in both formats.
        let finite = up_to.map(|(bound, value)| (format!("{:?}", bound.as_secs_f64()), value));
        let buckets = finite.chain([("+Inf".to_owned(), all)]);
        for ((bound, value), exemplar) in buckets.zip(histogram.exemplars()) {
            let labels = [&labels[..], &[("le", bound.as_str())]].concat();
            page.sample_with(&bucket, &labels, value, exemplar);
        }
        page.sample(&sum, &labels, histogram.sum.as_secs_f64());
        page.sample(&count, &labels, all);
    }
}

fn of_connections(page: &mut Page, shared: &Shared) {
    let busy: usize = shared.busy.iter().map(|busy| busy.load(Relaxed)).sum();
    let help = "Requests whose response has not ended, without endless responses.";
    page.single("http_server_active_requests", Kind::Gauge, help, busy);
    let open = shared.connections.load(Relaxed);
    page.single("mantlet_connections", Kind::Gauge, "Connections of clients.", open);
}

fn of_app(page: &mut Page, shared: &Shared) {
    let runs_app = shared.config.runs_app;
    // Requests tell whether an app that others run answers.
    let was_up = shared.health.was_up();
    let is_up = if runs_app {
        Some(was_up.unwrap_or(false))
    } else {
        was_up.map(|_| shared.upstream.trouble().borrow().is_none())
    };
    if let Some(is_up) = is_up {
        let help = "1 if the app accepts connections, else 0.";
        page.single("mantlet_app_up", Kind::Gauge, help, u8::from(is_up));
    }
    if runs_app {
        let help = "How often the app was started again after a crash.";
        page.single("mantlet_app_restarts_total", Kind::Counter, help, shared.health.restarts());
    }
    let (active, waiting) = shared.upstream.load.counts();
    let name = "mantlet_app_requests";
    page.begin(name, Kind::Gauge, "Requests that the app works on, and requests that wait for it.");
    page.sample(name, &[("state", "active")], active);
    page.sample(name, &[("state", "waiting")], waiting);
    if let Some(store) = &shared.store {
        let help = "1 if the store responded when it was last asked, else 0.";
        page.single("mantlet_store_up", Kind::Gauge, help, u8::from(store.is_up()));
    }
}

fn of_decisions(page: &mut Page, shared: &Shared) {
    let name = "mantlet_decisions_total";
    page.begin(name, Kind::Counter, "Decisions about requests, by the code of the reason and the outcome.");
    for (code, outcome, count) in shared.audit.decisions().read() {
        page.sample(name, &[("code", code), ("outcome", outcome)], count);
    }
}

fn of_audit(page: &mut Page, shared: &Shared) {
    let Some(file) = shared.audit.file_progress() else { return };
    let help = "Records that were written to the audit file.";
    page.single("mantlet_audit_records_total", Kind::Counter, help, file.written);
    let help = "Records that were lost.";
    page.single("mantlet_audit_lost_total", Kind::Counter, help, file.lost);
    if let Some(sealed_at) = file.sealed_at {
        let help = "When the audit log was last sealed, since the start.";
        page.single("mantlet_audit_last_seal_timestamp_seconds", Kind::Gauge, help, sealed_at);
    }
}

fn of_shipping(page: &mut Page, shared: &Shared) {
    let all = shared.audit.shipping();
    if all.is_empty() {
        return;
    }
    let mut each = |name: &str, kind, help: &str, value: &dyn Fn(&Health) -> Option<String>| {
        page.begin(name, kind, help);
        for health in &all {
            if let Some(value) = value(health) {
                page.sample(name, &[("to", health.name.as_str())], value);
            }
        }
    };
    let help = "Audit records that were sent, those that were sent again too.";
    each("mantlet_audit_shipped_total", Kind::Counter, help, &|of| Some(of.shipped().to_string()));
    let help = "Audit records that will not be sent any more.";
    each("mantlet_audit_unshipped_total", Kind::Counter, help, &|of| Some(of.unshipped().to_string()));
    let help = "Audit records that have perhaps not arrived: each connection broke shortly after them.";
    each("mantlet_audit_ship_doubtful_total", Kind::Counter, help, &|of| Some(of.doubtful().to_string()));
    let help = "Audit records that wait to be sent.";
    each("mantlet_audit_ship_lag_records", Kind::Gauge, help, &|of| Some(of.waiting().to_string()));
    let help = "How long the oldest audit record has waited to be sent.";
    each("mantlet_audit_ship_lag_seconds", Kind::Gauge, help, &|of| Some(of.lag().as_secs_f64().to_string()));
    let help = "When audit records were last taken, since the start.";
    let name = "mantlet_audit_ship_last_success_timestamp_seconds";
    each(name, Kind::Gauge, help, &|of| of.taken_at().map(|at| at.to_string()));
    let help = "1 if the last attempt to send audit records has come through, else 0.";
    each("mantlet_audit_ship_up", Kind::Gauge, help, &|of| Some(u8::from(of.is_up()).to_string()));
}

fn of_memory(page: &mut Page, shared: &Shared) {
    let policy = shared.policy.load();
    let bans = policy.throttle.bans().filter(|bans| bans.mode() == Mode::Enforce);
    if let Some(bans) = bans.map(Bans::list) {
        page.single("mantlet_bans", Kind::Gauge, "Addresses that are banned.", bans.len());
    }
    let sessions = &shared.sessions.known;
    if sessions.began() > 0 {
        page.single("mantlet_sessions", Kind::Gauge, "Open sessions that this gate knows.", sessions.open());
    }
    if let Some(expiry) = shared.tls.as_ref().and_then(Tls::expiry) {
        let help = "When the first of the certificates in force expires.";
        page.single("mantlet_certificate_expiry_timestamp_seconds", Kind::Gauge, help, expiry);
    }
}

fn of_issuers(page: &mut Page, shared: &Shared) {
    let name = "mantlet_jwks_age_seconds";
    let now = clock::now().as_second();
    let remotes = shared.policy.load().issuer.remotes();
    let ages = remotes.iter().filter_map(|remote| Some((&*remote.issuer, remote.age(now)?)));
    let mut ages: Vec<_> = ages.collect();
    if ages.is_empty() {
        return;
    }
    ages.sort_unstable();
    // Two may have one name, for two audiences. The older keys are what an operator has to know of.
    ages.reverse();
    ages.dedup_by_key(|(issuer, _)| *issuer);
    page.begin(name, Kind::Gauge, "Time since the keys of an issuer were last fetched.");
    for (issuer, age) in ages.iter().rev() {
        page.sample(name, &[("issuer", issuer)], age);
    }
}

fn of_traces(page: &mut Page, shared: &Shared) {
    let Some(tracer) = &shared.config.tracer else { return };
    let (sent, dropped) = tracer.counts();
    page.single("mantlet_spans_total", Kind::Counter, "Spans that the collector has taken.", sent);
    let help = "Spans that were dropped because the collector is slow or away.";
    page.single("mantlet_spans_dropped_total", Kind::Counter, help, dropped);
}
