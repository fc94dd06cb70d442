//! Many accounts at once: import, pages, and all that is kept of one.

mod import;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::any::AnyRow;

pub use self::import::{Refused, Report};
use crate::{Accounts, Address, Fault, store::get, time::of_millis};

/// Accounts of a page at most.
const MOST: i64 = 1000;

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Its id.
    pub id: String,
    /// Its address.
    pub address: String,
    /// When it was made.
    pub created: Timestamp,
    /// When its address was verified.
    pub verified: Option<Timestamp>,
    /// When it was disabled.
    pub disabled: Option<Timestamp>,
    /// When its owner last logged in.
    pub last_login: Option<Timestamp>,
    /// Whether it has a second factor.
    pub has_second_factor: bool,
}

/// A part of all accounts, the oldest first.
#[derive(Debug, Serialize)]
pub struct Page {
    /// The accounts.
    pub accounts: Vec<Summary>,
    /// What to ask the next page with; nothing at the end.
    pub next: Option<String>,
}

const SUMMARY: &str = "SELECT a.id, a.address, a.created, a.verified, a.disabled, a.last_login, t.confirmed \
                       FROM accounts a LEFT JOIN totp t ON t.account = a.id";

impl Accounts {
    /// A page of at most 1,000 accounts, after the one that the page before has named. It costs as much as its own rows,
    /// however many there are.
    pub async fn page(&self, after: Option<&str>, most: u32) -> Result<Page, Fault> {
        let most = i64::from(most).clamp(1, MOST);
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(format!("{SUMMARY} WHERE a.id > $1 ORDER BY a.id LIMIT $2")))
                .bind(after.unwrap_or(""))
                .bind(most + 1)
                .fetch_all(self.store.reader())
                .await?;
        let mut accounts = rows.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
        let most = usize::try_from(most).unwrap_or(1);
        let has_more = accounts.len() > most;
        accounts.truncate(most);
        let next = accounts.last().filter(|_| has_more).map(|account| account.id.clone());
        Ok(Page { accounts, next })
    }

    /// The account of an address.
    pub async fn find(&self, address: &Address) -> Result<Option<Summary>, Fault> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{SUMMARY} JOIN addresses d ON d.account = a.id WHERE d.address = $1 AND d.kept_until IS NULL"
        )))
        .bind(address.key())
        .fetch_optional(self.store.reader())
        .await?;
        row.as_ref().map(summary).transpose()
    }

    /// An account.
    pub async fn summary(&self, account: &str) -> Result<Option<Summary>, Fault> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SUMMARY} WHERE a.id = $1")))
            .bind(account)
            .fetch_optional(self.store.reader())
            .await?;
        row.as_ref().map(summary).transpose()
    }

    /// All that is kept of an account, as JSON, in one reading. Secrets are named and not shown: hashes, digests and keys are
    /// of no use to their owner, and of use to a thief of the export.
    pub async fn export(&self, account: &str) -> Result<Option<Value>, Fault> {
        let mut change = self.store.change().await?;
        let row = sqlx::query(
            "SELECT id, address, format, epoch, created, verified, disabled, password_changed, last_login, factor_failures \
             FROM accounts WHERE id = $1",
        )
        .bind(account)
        .fetch_optional(change.on())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let mut parts = serde_json::Map::new();
        for (name, select, columns) in PARTS {
            let rows = sqlx::query(select).bind(account).fetch_all(change.on()).await?;
            let shown = rows.iter().map(|row| object(row, columns)).collect::<Result<Vec<_>, _>>()?;
            parts.insert(name.to_owned(), shown.into());
        }
        let codes = sqlx::query("SELECT count(*) AS n FROM recovery_codes WHERE account = $1")
            .bind(account)
            .fetch_one(change.on())
            .await?;
        parts.insert("recovery-codes-left".to_owned(), get::<i64>(&codes, "n")?.into());
        let columns = [
            ("id", Column::Text),
            ("address", Column::Text),
            ("format", Column::Text),
            ("epoch", Column::Number),
            ("created", Column::Time),
            ("verified", Column::Time),
            ("disabled", Column::Time),
            ("password_changed", Column::Time),
            ("last_login", Column::Time),
            ("factor_failures", Column::Number),
        ];
        Ok(Some(json!({ "account": object(&row, &columns)?, "of-it": parts })))
    }
}

/// How a column is shown.
#[derive(Clone, Copy)]
enum Column {
    Text,
    Number,
    Time,
}

type Part = (&'static str, &'static str, &'static [(&'static str, Column)]);

const PARTS: [Part; 5] = [
    (
        "addresses",
        "SELECT address, kept_until FROM addresses WHERE account = $1 ORDER BY address",
        &[("address", Column::Text), ("kept_until", Column::Time)],
    ),
    (
        "sessions",
        "SELECT id, kind, device, scope, factors, created, seen, ended, reason FROM sessions WHERE account = $1 ORDER BY id",
        &[
            ("id", Column::Text),
            ("kind", Column::Text),
            ("device", Column::Text),
            ("scope", Column::Text),
            ("factors", Column::Number),
            ("created", Column::Time),
            ("seen", Column::Time),
            ("ended", Column::Time),
            ("reason", Column::Text),
        ],
    ),
    (
        "links",
        "SELECT purpose, detail, created, expires FROM links WHERE account = $1 ORDER BY created",
        &[
            ("purpose", Column::Text),
            ("detail", Column::Text),
            ("created", Column::Time),
            ("expires", Column::Time),
        ],
    ),
    (
        "mails",
        "SELECT kind, address, created FROM outbox WHERE account = $1 ORDER BY id",
        &[("kind", Column::Text), ("address", Column::Text), ("created", Column::Time)],
    ),
    ("second-factors", "SELECT confirmed FROM totp WHERE account = $1", &[("confirmed", Column::Time)]),
];

fn object(row: &AnyRow, columns: &[(&str, Column)]) -> Result<Value, Fault> {
    let mut object = serde_json::Map::new();
    for (name, column) in columns {
        let value = match column {
            Column::Text => get::<Option<String>>(row, name)?.into(),
            Column::Number => get::<Option<i64>>(row, name)?.into(),
            Column::Time => get::<Option<i64>>(row, name)?.map(|time| of_millis(time).to_string()).into(),
        };
        object.insert(name.replace('_', "-"), value);
    }
    Ok(object.into())
}

fn summary(row: &AnyRow) -> Result<Summary, Fault> {
    let time = |column| Ok::<_, Fault>(get::<Option<i64>>(row, column)?.map(of_millis));
    Ok(Summary {
        id: get(row, "id")?,
        address: get(row, "address")?,
        created: of_millis(get(row, "created")?),
        verified: time("verified")?,
        disabled: time("disabled")?,
        last_login: time("last_login")?,
        has_second_factor: time("confirmed")?.is_some(),
    })
}
