//! `mantlet audit`: verifies, searches, follows and exports the audit log, proves single records, and says how far the
//! log is shipped.

mod export;
mod filter;
mod follow;
mod log;
mod present;
mod prove;
mod search;
mod shipping;
mod tail;
mod verify;

use std::{path::Path, process::ExitCode};

use mantlet_page::{Proven, Search, Verified};
use serde_json::Value;

pub(super) use self::follow::Follow;
use self::log::Log;
use crate::{
    cli::{AuditAction, AuditArguments, AuditFilter},
    say::Failure,
};

pub(crate) fn audit(arguments: &AuditArguments) -> Result<ExitCode, Failure> {
    let config = arguments.config.as_deref();
    match &arguments.action {
        AuditAction::Verify(asked) => verify::verify(asked, config),
        AuditAction::Search { filter, json, files } => {
            search::search(&Log::find(files, config)?, &filter::Filter::of(filter)?, *json)
        }
        AuditAction::Tail { filter, lines, follow, json, files } => {
            let log = Log::find(files, config)?;
            tail::tail(&log, &filter::Filter::of(filter)?, *lines, *follow, *json)
        }
        AuditAction::Shipping { files } => shipping::shipping(&Log::find(files, config)?),
        AuditAction::Prove { record, files } => prove::prove(&Log::find(files, config)?, *record),
        AuditAction::Export { format, filter, files } => {
            export::export(&Log::find(files, config)?, &filter::Filter::of(filter)?, *format)
        }
    }
}

/// Whether the log of a configuration is as it was written, for the operator's page.
pub(super) fn verified(config: Option<&Path>) -> Result<Verified, Failure> {
    verify::of_config(config)
}

/// A record of it, and its proof.
pub(super) fn proven(config: Option<&Path>, seq: u64) -> Result<Proven, Failure> {
    prove::of_config(config, seq)
}

/// The last records that fit, the newest first.
pub(super) fn found(config: Option<&Path>, asked: Search) -> Result<Vec<Value>, Failure> {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let filter = AuditFilter {
        user: some(asked.user),
        ip: some(asked.ip),
        code: some(asked.code),
        event: some(asked.event),
        object: some(asked.object),
        operation: some(asked.operation),
        request: some(asked.request),
        session: some(asked.session),
        outcome: None,
        since: some(asked.since),
        until: some(asked.until),
    };
    search::of_config(config, &filter::Filter::of(&filter)?, asked.most)
}
