//! The schema, and how an older one becomes it.
//!
//! Migrations go forward only, one transaction each. A newer schema is refused: an older Mantlet would not keep what it
//! does not know. The way back is the backup from before the update.

use super::{Change, Store, get};
use crate::Fault;

/// The statements that lead to each schema from the one before it. One that was released never changes.
const STEPS: [(i64, &str); 3] =
    [(1, include_str!("schema/1.sql")), (2, include_str!("schema/2.sql")), (3, include_str!("schema/3.sql"))];

/// The number under which gates that start at once wait for each other (an advisory lock of PostgreSQL). Arbitrary, and
/// the same for all.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7275201917)";

pub(super) async fn bring_up_to_date(store: &Store) -> Result<(), Fault> {
    let known = STEPS.last().map_or(0, |(version, _)| *version);
    for (version, statements) in STEPS {
        let mut change = store.change().await?;
        if store.writer.is_none() {
            sqlx::query(LOCK).execute(change.on()).await?;
        }
        let found = version_of(&mut change).await?;
        if found > known {
            return Err(Fault::NewerSchema { found, known });
        }
        if found + 1 != version {
            continue;
        }
        sqlx::raw_sql(statements).execute(change.on()).await?;
        sqlx::query("UPDATE meta SET value = $1 WHERE name = 'schema'")
            .bind(version.to_string())
            .execute(change.on())
            .await?;
        change.commit().await?;
    }
    Ok(())
}

/// The version of the schema; 0 for an empty database.
async fn version_of(change: &mut Change) -> Result<i64, Fault> {
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        .execute(change.on())
        .await?;
    sqlx::query("INSERT INTO meta (name, value) VALUES ('schema', '0') ON CONFLICT (name) DO NOTHING")
        .execute(change.on())
        .await?;
    let row = sqlx::query("SELECT value FROM meta WHERE name = 'schema'").fetch_one(change.on()).await?;
    get::<String>(&row, "value")?.parse().map_err(|_| Fault::Corrupt("the version of the schema"))
}
