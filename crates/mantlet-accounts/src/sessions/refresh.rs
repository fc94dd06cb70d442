//! Refresh tokens: each is good once, and a copy is noticed.
//!
//! A token is `mr_` and 75 characters of base64url: 16 bytes by which its session is found, the number of its generation, and
//! 32 random bytes. The database has digests. Of a session it knows the *newest* token, the *previous* one and the *older*
//! one before that, and keeps the successors of the last two, sealed with a key that only the token itself gives.
//!
//! What becomes of a token:
//! 1. the newest: the session rotates, and its successor is the answer;
//! 2. the previous, whose successor was not used, for five minutes after the rotation: the same successor again. An answer
//!    was lost, or two tabs have asked at once;
//! 3. the older, whose successor was used, for ten seconds after that: the same successor again. Parallel tabs;
//! 4. anything older: two clients hold tokens of this session, one of them a copy. The session ends.
//!
//! Generations decide which token is older, never times: a wrong clock can only lengthen or shorten the grace in 2 and 3.
//! One row update with `WHERE generation = …` decides who rotates. Requests of one account wait for each other, so that the
//! others find what the winner has written.

use std::time::Duration;

use aws_lc_rs::hkdf;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use mantlet_controls::config::Secret;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Begin, COLUMNS, End, Kind, LIVE, Limits, Session, end, insert, is_alive, read};
use crate::{
    Fault,
    opaque::{self, digest},
    sealed,
    store::{Change, Store, get},
    time::{age, millis},
};

/// How secret scanners know one.
const PREFIX: &str = "mr_";
const SELECTOR: usize = 16;
const GENERATION: usize = 8;

/// For how long a token is good again whose successor was not used.
const GRACE_UNUSED: Duration = Duration::from_mins(5);
/// For how long a token is good again whose successor was used.
const GRACE_USED: Duration = Duration::from_secs(10);

/// What becomes of a refresh token.
pub(crate) enum Refreshed {
    /// It is good: its successor.
    Good { session: Box<Session>, successor: Secret<String> },
    /// Its session has ended, or it was made up.
    Refused,
    /// It is a copy, or there is one. The session has ended.
    Reused(Reuse),
}

/// A session that was ended because of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reuse {
    /// The session.
    pub session: String,
    /// Its account.
    pub account: String,
    /// Whether it was this request that ended it.
    pub is_first: bool,
}

/// A token in parts.
struct Token {
    text: Secret<String>,
    selector: Zeroizing<[u8; SELECTOR]>,
    generation: i64,
}

impl Token {
    fn make(selector: Zeroizing<[u8; SELECTOR]>, generation: i64) -> Result<Self, Fault> {
        let random = opaque::random::<{ opaque::LENGTH }>()?;
        let bytes = Zeroizing::new([&selector[..], &generation.to_be_bytes(), &random[..]].concat());
        let text = Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&*bytes)));
        Ok(Self { text, selector, generation })
    }

    fn read(text: &Secret<String>) -> Option<Self> {
        let encoded = text.expose().strip_prefix(PREFIX)?;
        // Its length is known, so a long text is not decoded.
        let is_whole = encoded.len() == (SELECTOR + GENERATION + opaque::LENGTH).div_ceil(3) * 4 - 1;
        let bytes = Zeroizing::new(is_whole.then(|| URL_SAFE_NO_PAD.decode(encoded).ok())??);
        let (selector, rest) = bytes.split_first_chunk::<SELECTOR>()?;
        let (generation, _) = rest.split_first_chunk::<GENERATION>()?;
        let generation = i64::from_be_bytes(*generation);
        Some(Self { text: text.clone(), selector: Zeroizing::new(*selector), generation })
    }

    fn digest(&self) -> String {
        digest(self.text.expose().as_bytes())
    }

    /// Seals what follows this token: who reads the database cannot open it.
    fn seal(&self, session: &str, successor: &Self) -> Result<String, Fault> {
        sealed::seal_with(&self.key()?, session, successor.text.expose().as_bytes())
    }

    fn open(&self, session: &str, sealed: &str) -> Result<Secret<String>, Fault> {
        let corrupt = Fault::Corrupt("the successor of a refresh token");
        let Some(bytes) = sealed::open_with(&self.key()?, session, sealed) else { return Err(corrupt) };
        std::str::from_utf8(&bytes).map(|text| Secret::new(text.to_owned())).map_err(|_| corrupt)
    }

    fn key(&self) -> Result<aws_lc_rs::aead::LessSafeKey, Fault> {
        let failed = |_| Fault::Failed("deriving a key");
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"mantlet accounts refresh successor");
        let extracted = extracted.extract(self.text.expose().as_bytes());
        let mut bytes = Zeroizing::new([0; 32]);
        let expanded = extracted.expand(&[b"aes-256-gcm"], hkdf::HKDF_SHA256).map_err(failed)?;
        expanded.fill(&mut bytes[..]).map_err(failed)?;
        sealed::key_of(&bytes[..])
    }
}

/// A session of tokens, and its first refresh token.
pub(crate) async fn open_tokens(
    change: &mut Change,
    now: Timestamp,
    begin: Begin<'_>,
) -> Result<(Session, Secret<String>), Fault> {
    let token = Token::make(opaque::random()?, 1)?;
    let session = insert(change, now, Kind::Tokens, begin, &digest(&token.selector[..])).await?;
    sqlx::query("UPDATE sessions SET generation = 1, newest = $1 WHERE id = $2")
        .bind(token.digest())
        .bind(&session.id)
        .execute(change.on())
        .await?;
    Ok((session, token.text))
}

/// The session of a refresh token, old or new, and its account. Only who has held a token of it knows by what it is found.
pub(crate) async fn owner(store: &Store, token: &Secret<String>) -> Result<Option<(String, String)>, Fault> {
    let Some(token) = Token::read(token) else { return Ok(None) };
    let row = sqlx::query("SELECT id, account FROM sessions WHERE secret = $1 AND kind = 'tokens'")
        .bind(digest(&token.selector[..]))
        .fetch_optional(store.reader())
        .await?;
    row.map(|row| Ok((get(&row, "id")?, get(&row, "account")?))).transpose()
}

/// What is known of the tokens of a session.
struct Row {
    session: Session,
    generation: i64,
    newest: Option<String>,
    previous: Option<String>,
    previous_next: Option<String>,
    older: Option<String>,
    older_next: Option<String>,
    rotated: i64,
}

/// Uses a refresh token.
pub(crate) async fn refresh(
    store: &Store,
    now: Timestamp,
    limits: Limits,
    token: &Secret<String>,
) -> Result<(Refreshed, Option<Change>), Fault> {
    let Some(token) = Token::read(token) else { return Ok((Refreshed::Refused, None)) };
    let mut change = store.change().await?;
    let found = sqlx::query("SELECT id, account FROM sessions WHERE secret = $1")
        .bind(digest(&token.selector[..]))
        .fetch_optional(change.on())
        .await?;
    let Some(found) = found else { return Ok((Refreshed::Refused, None)) };
    let (id, account): (String, String) = (get(&found, "id")?, get(&found, "account")?);
    change.lock_account(&account).await?;
    let taken = sqlx::query("SELECT ended, reason FROM sessions WHERE id = $1")
        .bind(&id)
        .fetch_optional(change.on())
        .await?;
    let Some(taken) = taken else { return Ok((Refreshed::Refused, None)) };
    if get::<Option<i64>>(&taken, "ended")?.is_some() {
        let was_reused = get::<Option<String>>(&taken, "reason")?.as_deref() == Some(End::Reused.name());
        let reuse = Reuse { session: id, account, is_first: false };
        return Ok((if was_reused { Refreshed::Reused(reuse) } else { Refreshed::Refused }, None));
    }
    let Some(row) = load(&mut change, &id).await? else { return Ok((Refreshed::Refused, None)) };
    if !is_alive(&row.session, now, limits) {
        return Ok((Refreshed::Refused, None));
    }
    let is_it = |known: &Option<String>| {
        known.as_ref().is_some_and(|known| bool::from(known.as_bytes().ct_eq(token.digest().as_bytes())))
    };
    let since = age(now, row.rotated);
    let again = |sealed: &Option<String>| {
        let sealed =
            sealed.as_deref().ok_or(Fault::Corrupt("a session without the successor of its token"))?;
        let successor = token.open(&row.session.id, sealed)?;
        Ok::<_, Fault>(Refreshed::Good { session: Box::new(row.session.clone()), successor })
    };
    match row.generation - token.generation {
        0 if is_it(&row.newest) => return rotate(change, now, &token, row).await,
        1 if is_it(&row.previous) && since < GRACE_UNUSED => return Ok((again(&row.previous_next)?, None)),
        2 if is_it(&row.older) && since < GRACE_USED => return Ok((again(&row.older_next)?, None)),
        // Its number is right and its rest is not, or it is of a generation that is to come (the database was restored
        // from a backup): it ends nothing.
        ..=0 => return Ok((Refreshed::Refused, None)),
        1 if !is_it(&row.previous) => return Ok((Refreshed::Refused, None)),
        _ => {}
    }
    // Only who has held a token of this session knows by what it is found.
    end(&mut change, now, &account, &id, End::Reused).await?;
    Ok((Refreshed::Reused(Reuse { session: id, account, is_first: true }), Some(change)))
}

async fn load(change: &mut Change, id: &str) -> Result<Option<Row>, Fault> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS}, s.generation, s.newest, s.previous, s.previous_next, s.older, s.older_next, s.rotated \
         FROM {LIVE} AND s.kind = 'tokens' AND s.id = $1"
    )))
    .bind(id)
    .fetch_optional(change.on())
    .await?;
    let whole = |row: sqlx::any::AnyRow| {
        Ok(Row {
            session: read(&row)?,
            generation: get(&row, "generation")?,
            newest: get(&row, "newest")?,
            previous: get(&row, "previous")?,
            previous_next: get(&row, "previous_next")?,
            older: get(&row, "older")?,
            older_next: get(&row, "older_next")?,
            rotated: get(&row, "rotated")?,
        })
    };
    row.map(whole).transpose()
}

/// The next generation. The change is committed by the caller.
async fn rotate(
    mut change: Change,
    now: Timestamp,
    token: &Token,
    row: Row,
) -> Result<(Refreshed, Option<Change>), Fault> {
    let Row { mut session, generation, newest, previous, previous_next, .. } = row;
    let next = Token::make(token.selector.clone(), generation + 1)?;
    let won = sqlx::query(
        "UPDATE sessions SET generation = $1, newest = $2, previous = $3, previous_next = $4, older = $5, older_next = $6, \
         rotated = $7, seen = $8 WHERE id = $9 AND generation = $10 AND ended IS NULL",
    )
    .bind(next.generation)
    .bind(next.digest())
    .bind(newest)
    .bind(token.seal(&session.id, &next)?)
    .bind(previous)
    .bind(previous_next)
    .bind(millis(now))
    .bind(millis(session.seen.max(now)))
    .bind(&session.id)
    .bind(generation)
    .execute(change.on())
    .await?;
    if won.rows_affected() != 1 {
        return Err(Fault::Failed("rotating a refresh token"));
    }
    session.seen = session.seen.max(crate::time::of_millis(millis(now)));
    let good = Refreshed::Good { session: Box::new(session), successor: next.text };
    Ok((good, Some(change)))
}
