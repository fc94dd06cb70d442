//! What has to be mailed: rows that are written in the change that they tell of, so that neither is without the other.
//!
//! Another part of Mantlet sends them. It claims a few for some time, sends each, and says that it was sent. What it does
//! not say is claimed again: a mail may come twice, and is never lost.
//!
//! What could not be sent waits, longer each time, and is given up after a day.
//!
//! What a mail says may hold a link that opens an account, so it is sealed.

use std::time::Duration;

use jiff::Timestamp;
use mantlet_controls::config::Secret;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::{
    Fault, SealingKeys, opaque,
    store::{Change, Store, get},
    time::{after, age, millis, of_millis},
};

/// How long a mail waits that could not be sent: for the first time, for the second, and so on. Then always the last.
const WAITS: [Duration; 5] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    LONGEST_WAIT,
];

const LONGEST_WAIT: Duration = Duration::from_hours(6);

/// A mail is given up that cannot be sent for so long, and was tried as often as there are waits: a gate that was stopped
/// for a day tries, too.
const GIVE_UP: Duration = Duration::from_hours(24);

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Confirm the address of a new account. With a link.
    Verify,
    /// The address of this account was used to register. With a link to set a new password.
    RegisteredAlready,
    /// Set a new password. With a link.
    Reset,
    /// A new password was asked for an address that has no account: to be dropped, or sent without a link.
    ResetUnknown,
    /// The password was changed.
    PasswordChanged,
    /// To the new address: confirm it. With a link.
    ConfirmAddress,
    /// To the new address, which is the one of another account: nothing happens.
    AddressTaken,
    /// To the address of today: a change was asked for.
    AddressChangeAsked,
    /// To the old address: it was changed. With a link that undoes it for seven days.
    AddressChanged,
    /// The change of the address was undone.
    AddressRestored,
    /// A refresh token came twice: the session was ended.
    RefreshReused,
    /// A second factor was set up.
    SecondFactorOn,
    /// The second factor was taken away.
    SecondFactorOff,
    /// A recovery code was used; `left` says how many are left.
    RecoveryCodeUsed,
    /// The account was closed.
    Closed,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// What a mail has to say.
#[derive(Debug, Default)]
pub struct Facts {
    /// The token of its link.
    pub token: Option<Secret<String>>,
    /// Until when the link is good.
    pub until: Option<Timestamp>,
    /// The other address that a change is about.
    pub other_address: Option<String>,
    /// Recovery codes that are left.
    pub left: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<i64>,
}

/// A mail to send.
#[derive(Debug)]
pub struct Mail {
    /// Its id: the same when it is claimed again, so that it can be the id of the message.
    pub id: String,
    /// What it is about.
    pub kind: Kind,
    /// Where it goes.
    pub address: String,
    /// What it has to say.
    pub facts: Facts,
    /// When it was written.
    pub created: Timestamp,
    /// How often it was claimed before.
    pub tries: i64,
}

/// Puts a mail into the outbox.
pub(crate) async fn put(
    change: &mut Change,
    keys: &SealingKeys,
    now: Timestamp,
    account: Option<&str>,
    (kind, address, facts): (Kind, &str, Facts),
) -> Result<(), Fault> {
    let id = opaque::id(now);
    let Facts { token, until, other_address, left } = facts;
    let token = token.as_ref().map(|token| token.expose().as_str().into());
    let written = serde_json::to_vec(&Written { token, until, other_address, left });
    let written = zeroize::Zeroizing::new(written.map_err(|_| Fault::Failed("writing a mail"))?);
    sqlx::query(
        "INSERT INTO outbox (id, kind, account, address, facts, created, claimed_until, tries) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, 0)",
    )
    .bind(&id)
    .bind(kind.name())
    .bind(account)
    .bind(address)
    .bind(keys.seal(&format!("outbox {id}"), &written)?)
    .bind(millis(now))
    .execute(change.on())
    .await?;
    Ok(())
}

/// Takes up to `most` mails, the oldest first, which no other gate gets for the time of `lease`.
pub(crate) async fn claim(
    store: &Store,
    keys: &SealingKeys,
    now: Timestamp,
    lease: Duration,
    most: i64,
) -> Result<Vec<Mail>, Fault> {
    // A claim that ends after all that is waited for was made by a clock that has been put back since.
    let (at, implausible) = (millis(now), after(now, LONGEST_WAIT.max(lease * 2)));
    let mut change = store.change().await?;
    let ids = sqlx::query(
        "SELECT id FROM outbox WHERE claimed_until <= $1 OR claimed_until > $2 ORDER BY id LIMIT $3",
    )
    .bind(at)
    .bind(implausible)
    .bind(most)
    .fetch_all(change.on())
    .await?;
    let mut mails = Vec::new();
    for id in ids {
        let id: String = get(&id, "id")?;
        let claimed = sqlx::query(
            "UPDATE outbox SET claimed_until = $3, tries = tries + 1 \
             WHERE id = $4 AND (claimed_until <= $1 OR claimed_until > $2) RETURNING kind, address, facts, created, \
             tries",
        )
        .bind(at)
        .bind(implausible)
        .bind(after(now, lease))
        .bind(&id)
        .fetch_optional(change.on())
        .await?;
        // Else another gate was first.
        if let Some(row) = claimed {
            mails.push(read(keys, id, &row)?);
        }
    }
    change.commit().await?;
    Ok(mails)
}

fn read(keys: &SealingKeys, id: String, row: &AnyRow) -> Result<Mail, Fault> {
    let kind = serde_json::from_value(get::<String>(row, "kind")?.into());
    let kind = kind.map_err(|_| Fault::Corrupt("the kind of a mail"))?;
    let facts = keys.open(&format!("outbox {id}"), &get::<String>(row, "facts")?)?;
    let Written { token, until, other_address, left } =
        serde_json::from_slice(&facts).map_err(|_| Fault::Corrupt("a mail"))?;
    let token = token.map(|token| Secret::new(token.into_owned()));
    let facts = Facts { token, until, other_address, left };
    let created = of_millis(get(row, "created")?);
    Ok(Mail { kind, address: get(row, "address")?, facts, created, tries: get::<i64>(row, "tries")? - 1, id })
}

/// A mail could not be sent. How long it waits now; none: it is given up.
pub(crate) async fn failed(store: &Store, now: Timestamp, mail: &Mail) -> Result<Option<Duration>, Fault> {
    let tried = usize::try_from(mail.tries).unwrap_or(0);
    if age(now, millis(mail.created)) >= GIVE_UP && tried >= WAITS.len() {
        done(store, &mail.id).await?;
        return Ok(None);
    }
    let wait = WAITS.get(tried).copied().unwrap_or(LONGEST_WAIT);
    let mut change = store.change().await?;
    sqlx::query("UPDATE outbox SET claimed_until = $1 WHERE id = $2")
        .bind(after(now, wait))
        .bind(&mail.id)
        .execute(change.on())
        .await?;
    change.commit().await?;
    Ok(Some(wait))
}

/// A mail was sent, or is given up.
pub(crate) async fn done(store: &Store, id: &str) -> Result<(), Fault> {
    let mut change = store.change().await?;
    sqlx::query("DELETE FROM outbox WHERE id = $1").bind(id).execute(change.on()).await?;
    change.commit().await
}
