//! Accounts from elsewhere: one JSON object a line.
//!
//! ```json
//! {"address": "ada@example.com", "password-hash": "$2b$12$…", "verified": true, "created": "2024-05-01T12:00:00Z"}
//! ```
//!
//! Only `address` is required. Without a hash, its owner sets a password by a reset. Without `verified`, the first login mails
//! a link. Lines are taken in batches of 500, each in one change: a process that is killed has imported whole batches, and
//! the same file can be imported again, as addresses that are there are refused.

use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Accounts, Address, Fault, opaque, passwords::format_of, store::Change, time::millis};

/// Lines of one change.
const BATCH: usize = 500;
/// Refused lines that a report names.
const MOST_NAMED: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Line {
    address: String,
    password_hash: Option<String>,
    #[serde(default)]
    verified: bool,
    #[serde(default)]
    disabled: bool,
    created: Option<Timestamp>,
}

/// What became of an import.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Accounts that were made.
    pub imported: u64,
    /// Lines that were not taken.
    pub refused: u64,
    /// The first 1,000 of them.
    pub reasons: Vec<Refused>,
}

/// A line that was not taken.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub why: String,
}

impl Report {
    fn refuse(&mut self, line: u64, why: String) {
        self.refused += 1;
        if self.reasons.len() < MOST_NAMED {
            self.reasons.push(Refused { line, why });
        }
    }
}

impl Accounts {
    /// Imports accounts. An address that is there already keeps its account.
    pub async fn import(
        &self,
        now: Timestamp,
        lines: impl Stream<Item = String> + Send,
    ) -> Result<Report, Fault> {
        let mut report = Report::default();
        let mut number = 0;
        let mut batches = std::pin::pin!(lines.chunks(BATCH));
        while let Some(batch) = batches.next().await {
            let mut change = self.store.change().await?;
            let mut imported = 0;
            for line in batch {
                number += 1;
                if line.trim().is_empty() {
                    continue;
                }
                match import_one(&mut change, now, &line).await? {
                    Ok(()) => imported += 1,
                    Err(why) => report.refuse(number, why),
                }
            }
            change.commit().await?;
            report.imported += imported;
        }
        self.mimic().await?;
        Ok(report)
    }
}

async fn import_one(change: &mut Change, now: Timestamp, line: &str) -> Result<Result<(), String>, Fault> {
    let line: Line = match serde_json::from_str(line) {
        Ok(line) => line,
        Err(error) => return Ok(Err(format!("it cannot be read: {error}"))),
    };
    let Some(address) = Address::read(&line.address) else {
        return Ok(Err("`address` is not an address of a mailbox".to_owned()));
    };
    let format = match line.password_hash.as_deref().map(format_of).transpose() {
        Ok(format) => format,
        Err(fault) => return Ok(Err(format!("`password-hash` is not taken: {fault}"))),
    };
    let created = line.created.unwrap_or(now);
    let id = opaque::id(now);
    sqlx::query(
        "INSERT INTO accounts (id, address, password, format, epoch, created, verified, disabled, password_changed) \
         VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $5)",
    )
    .bind(&id)
    .bind(address.as_written())
    .bind(line.password_hash)
    .bind(format)
    // An unverified account is forgotten some days after it was made: here, after it was imported.
    .bind(millis(if line.verified { created } else { now }))
    .bind(line.verified.then(|| millis(created)))
    .bind(line.disabled.then(|| millis(now)))
    .execute(change.on())
    .await?;
    let given = sqlx::query(
        "INSERT INTO addresses (address, account) VALUES ($1, $2) ON CONFLICT (address) DO NOTHING",
    )
    .bind(address.key())
    .bind(&id)
    .execute(change.on())
    .await?;
    if given.rows_affected() == 0 {
        sqlx::query("DELETE FROM accounts WHERE id = $1").bind(&id).execute(change.on()).await?;
        return Ok(Err("`address` has an account already".to_owned()));
    }
    Ok(Ok(()))
}
