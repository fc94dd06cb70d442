//! Access tokens (RFC 9068), the keys that sign them, and the document that says so (RFC 7517).
//!
//! A token is short-lived and says who, by which session, of which epoch. Apps and gates verify it with the published keys.
//!
//! A key signs for 90 days. The next one is published 24 hours before it signs, so that all who keep the document for a day
//! know it, and the old one stays until the last token that it has signed has ended. Keys are in the database, because several
//! gates sign with the same one, and are sealed there, because a backup of the database must not sign.

use std::time::Duration;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use mantlet_controls::config::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Fault, SealingKeys, opaque,
    sessions::Session,
    store::{Store, get, is_taken},
    time::{after, millis, span_millis},
};

const DAY: Duration = Duration::from_hours(24);
/// For how long a key signs.
const SIGNS: Duration = Duration::from_hours(90 * 24);
/// For how long a key is published before it signs.
const AHEAD: Duration = DAY;
/// For how long an old key is published beyond the end of its last token: clocks differ.
const BEYOND: Duration = Duration::from_mins(5);

/// What an access token is, apart from all other tokens (RFC 9068 section 2.1).
const TYPE: &str = "at+jwt";

/// What tokens say of where they come from.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// `iss`: the public URL of the gate.
    pub issuer: String,
    /// `aud`: the app.
    pub audience: String,
    /// How long a token is good. Default 10 minutes.
    pub lifetime: Duration,
}

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Who has issued it.
    pub iss: String,
    /// For which app.
    pub aud: String,
    /// The account.
    pub sub: String,
    /// The session.
    pub sid: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
    /// Its own id.
    pub jti: String,
    /// Scopes, apart by spaces.
    pub scope: String,
    /// The account's epoch: a token of an older one is worth nothing.
    pub ver: i64,
}

struct Key {
    number: i64,
    id: String,
    sealed: String,
    x: String,
    y: String,
    active_from: i64,
}

/// Makes the first key, and the next one when it is time. Several gates may call it at once.
pub(crate) async fn maintain(store: &Store, keys: &SealingKeys, now: Timestamp) -> Result<(), Fault> {
    let all = load(store).await?;
    let soon = after(now, AHEAD);
    // A key that signs later than tomorrow was made by a clock that went ahead. It keeps no other from being made.
    let newest = all.iter().filter(|key| key.active_from <= soon).max_by_key(|key| key.active_from);
    let active_from = match newest {
        None => millis(now),
        Some(key) => {
            let ends = key.active_from.saturating_add(span_millis(SIGNS));
            if ends > soon {
                return Ok(());
            }
            soon
        }
    };
    let number = all.iter().map(|key| key.number).max().unwrap_or(0) + 1;
    let failed = |_| Fault::Failed("making a key that signs tokens");
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(failed)?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref())
        .map_err(|_| Fault::Failed("making a key that signs tokens"))?;
    let point = pair.public_key().as_ref();
    let (x, y) = match point.split_first() {
        Some((4, rest)) if rest.len() == 64 => rest.split_at(32),
        _ => return Err(Fault::Failed("making a key that signs tokens")),
    };
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    // RFC 7638: the digest of the required members, in this order.
    let id = opaque::digest(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes());
    let mut change = store.change().await?;
    let inserted = sqlx::query(
        "INSERT INTO signing_keys (number, id, sealed, x, y, created, active_from) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(number)
    .bind(&id)
    .bind(keys.seal(&format!("signing key {id}"), document.as_ref())?)
    .bind(x)
    .bind(y)
    .bind(millis(now))
    .bind(active_from)
    .execute(change.on())
    .await;
    match inserted {
        Ok(_) => change.commit().await,
        // Another gate has made it at the same time.
        Err(error) if is_taken(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The public keys, as JSON: those that sign, those that will, and those whose tokens have not all ended.
pub(crate) async fn jwks(store: &Store, now: Timestamp, lifetime: Duration) -> Result<String, Fault> {
    let all = load(store).await?;
    let keys: Vec<_> = needed(&all, now, lifetime)
        .map(|Key { id, x, y, .. }| {
            json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": id, "x": x, "y": y})
        })
        .collect();
    Ok(json!({ "keys": keys }).to_string())
}

/// The keys of which a token may be good at a time.
fn needed(all: &[Key], now: Timestamp, lifetime: Duration) -> impl Iterator<Item = &Key> {
    all.iter().filter(move |key| {
        let successor =
            all.iter().filter(|other| other.active_from > key.active_from).map(|other| other.active_from);
        successor.min().is_none_or(|until| {
            until.saturating_add(span_millis(lifetime)).saturating_add(span_millis(BEYOND)) > millis(now)
        })
    })
}

/// What an access token says, if it is one of ours, was not changed, and has not ended. Whether its session goes on is not
/// judged here.
pub(crate) async fn verify(
    store: &Store,
    now: Timestamp,
    issuer: &Issuer,
    token: &str,
) -> Result<Option<Claims>, Fault> {
    // What is not of our making is not worth a statement.
    let Ok(header) = jsonwebtoken::decode_header(token) else { return Ok(None) };
    let is_ours = header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE))
        && header.alg == Algorithm::ES256;
    let Some(id) = header.kid.filter(|_| is_ours) else { return Ok(None) };
    let all = load(store).await?;
    let Some(key) = needed(&all, now, issuer.lifetime).find(|key| key.id == id) else { return Ok(None) };
    let key = DecodingKey::from_ec_components(&key.x, &key.y)
        .map_err(|_| Fault::Corrupt("a key that signs tokens"))?;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[&issuer.issuer]);
    validation.set_audience(&[&issuer.audience]);
    // The time is the one that was handed in.
    validation.validate_exp = false;
    let Ok(token) = jsonwebtoken::decode::<Claims>(token, &key, &validation) else { return Ok(None) };
    Ok(Some(token.claims).filter(|claims| claims.exp > now.as_second()))
}

/// An access token for a session.
pub(crate) async fn issue(
    store: &Store,
    keys: &SealingKeys,
    now: Timestamp,
    issuer: &Issuer,
    session: &Session,
) -> Result<Secret<String>, Fault> {
    let all = load(store).await?;
    let active = all.iter().filter(|key| key.active_from <= millis(now)).max_by_key(|key| key.active_from);
    // A clock that was put back: the oldest key is the one that all know.
    let key = active.or_else(|| all.iter().min_by_key(|key| key.active_from));
    let Key { id, sealed, .. } = key.ok_or(Fault::Corrupt("no key that signs tokens"))?;
    let document = keys.open(&format!("signing key {id}"), sealed)?;
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(id.clone());
    let iat = now.as_second();
    let claims = Claims {
        iss: issuer.issuer.clone(),
        aud: issuer.audience.clone(),
        sub: session.account.clone(),
        sid: session.id.clone(),
        iat,
        exp: iat.saturating_add(i64::try_from(issuer.lifetime.as_secs()).unwrap_or(i64::MAX)),
        jti: opaque::id(now),
        scope: session.scope.clone(),
        ver: session.epoch,
    };
    let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ec_der(&document));
    token.map(Secret::new).map_err(|_| Fault::Failed("signing a token"))
}

async fn load(store: &Store) -> Result<Vec<Key>, Fault> {
    let rows = sqlx::query("SELECT number, id, sealed, x, y, active_from FROM signing_keys ORDER BY number")
        .fetch_all(store.reader())
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Key {
                number: get(row, "number")?,
                id: get(row, "id")?,
                sealed: get(row, "sealed")?,
                x: get(row, "x")?,
                y: get(row, "y")?,
                active_from: get(row, "active_from")?,
            })
        })
        .collect()
}
