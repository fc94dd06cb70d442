//! What the audit file says of the gate itself: its start and its end, its configuration, its app.

use std::{cell::RefCell, process::ExitStatus};

use jiff::Timestamp;
use mantlet_controls::audit::{Actions, Outcome, Record, Sink};
use mantlet_gateway::audit_log::AuditLog;
use serde_json::{Map, Value, json};

/// Records of what the gate itself does.
#[derive(Debug)]
pub(super) struct Records {
    /// None if actions are not recorded.
    log: Option<AuditLog>,
    /// Of the configuration in force.
    digest: RefCell<String>,
    /// The app has crashed, and how, and is not ready again.
    crashed: RefCell<Option<String>>,
}

impl Records {
    /// The gate has started, with this configuration.
    pub(super) fn begin(log: &AuditLog, actions: Actions, digest: String, app: &str) -> Self {
        let log = (actions != Actions::Off).then(|| log.clone());
        let data = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "digest": digest,
            "app": app,
            "pid": std::process::id(),
        });
        let records = Self { log, digest: digest.into(), crashed: RefCell::default() };
        records.record("gate-started", Outcome::Success, data);
        records
    }

    /// Where the app's own events go, if they are recorded.
    pub(super) const fn log(&self) -> Option<&AuditLog> {
        self.log.as_ref()
    }

    /// The configuration was read again.
    pub(super) fn reloaded(&self, digest: String) {
        let former = self.digest.replace(digest);
        let digest = self.digest.borrow().clone();
        if former == digest {
            self.record("configuration-reloaded", Outcome::Success, json!({ "digest": digest }));
        } else {
            let data = json!({ "digest": digest, "former": former });
            self.record("configuration-changed", Outcome::Success, data);
        }
    }

    /// Another configuration has mistakes.
    pub(super) fn not_reloaded(&self) {
        let digest = self.digest.borrow().clone();
        self.record("configuration-refused", Outcome::Failure, json!({ "digest": digest }));
    }

    /// The app has crashed.
    pub(super) fn crashed(&self, status: Option<ExitStatus>) {
        let how = status.map_or_else(|| "not ready in time".to_owned(), |status| status.to_string());
        self.crashed.replace(Some(how));
    }

    /// The app is ready, perhaps again.
    pub(super) fn ready(&self) {
        if let Some(how) = self.crashed.take() {
            self.record("app-restarted", Outcome::Success, json!({ "crashed": how }));
        }
    }

    /// The gate ends.
    pub(super) fn end(&self, is_failure: bool) {
        let outcome = if is_failure { Outcome::Failure } else { Outcome::Success };
        self.record("gate-stopped", outcome, json!({ "pid": std::process::id() }));
    }

    fn record(&self, event: &'static str, outcome: Outcome, data: Value) {
        if let Some(log) = &self.log {
            let data = match data {
                Value::Object(data) => data,
                _ => Map::new(),
            };
            log.record(Record::of_gate(event, outcome, data, Timestamp::now()));
        }
    }
}
