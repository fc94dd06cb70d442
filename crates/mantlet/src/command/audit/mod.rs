//! `mantlet audit`: verifies, searches, follows and exports the audit log, proves single records, and says how far the
//! log is shipped.

mod export;
mod filter;
mod log;
mod present;
mod prove;
mod search;
mod shipping;
mod tail;
mod verify;

use std::process::ExitCode;

use self::log::Log;
use crate::{
    cli::{AuditAction, AuditArguments},
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
