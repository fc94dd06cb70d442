//! Time-based one-time passwords (RFC 6238) as second factor, and codes for the day on which the phone is lost.
//!
//! SHA-1, 30 seconds, six digits: what all apps for phones do. The step before and after the current one are accepted, and a
//! step once. The secret is sealed; the ten recovery codes have 80 random bits each, and their SHA-256 is kept.

use jiff::Timestamp;
use mantlet_controls::config::Secret;
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use crate::{
    Fault, SealingKeys,
    opaque::{self, digest},
    store::{Change, get},
    time::millis,
};

/// Bytes of a secret (RFC 4226 section 4 recommends 160 bits).
const SECRET: usize = 20;
/// Recovery codes that are handed out.
const CODES: usize = 10;
/// Bytes of a recovery code: 80 bits, 16 characters.
const CODE: usize = 10;
/// The characters of a recovery code: none is taken for another one (Crockford's base32).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What an app for phones is told.
#[derive(Debug)]
pub struct Enrolment {
    /// The secret in base32, to be typed.
    pub secret: Secret<String>,
    /// The same as a URL (`otpauth://totp/…`), for a QR code.
    pub url: Secret<String>,
}

/// What a code was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    Code,
    RecoveryCode { left: i64 },
}

fn totp(secret: &[u8]) -> Result<Totp, Fault> {
    let builder =
        Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(1).with_step_duration(30);
    builder
        .with_secret(secret.to_vec())
        .build()
        .map_err(|_| Fault::Failed("reading the secret of a second factor"))
}

/// Makes a secret, which counts for nothing before a code of it was shown. It replaces one that was never confirmed.
pub(crate) async fn enrol(
    change: &mut Change,
    keys: &SealingKeys,
    account: &str,
    (app, address): (&str, &str),
) -> Result<Enrolment, Fault> {
    let secret = opaque::random::<SECRET>()?;
    let sealed = keys.seal(&format!("totp {account}"), &secret[..])?;
    sqlx::query("DELETE FROM totp WHERE account = $1 AND confirmed IS NULL")
        .bind(account)
        .execute(change.on())
        .await?;
    sqlx::query("INSERT INTO totp (account, sealed, last_step) VALUES ($1, $2, 0)")
        .bind(account)
        .bind(sealed)
        .execute(change.on())
        .await?;
    let secret = totp(&secret[..])?.secret().to_base32();
    let label = |text: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~@".contains(&b);
        text.bytes()
            .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect::<String>()
    };
    let (app, address) = (label(app), label(address));
    let url = format!(
        "otpauth://totp/{app}:{address}?secret={secret}&issuer={app}&algorithm=SHA1&digits=6&period=30"
    );
    Ok(Enrolment { secret: Secret::new(secret), url: Secret::new(url) })
}

/// Whether an account has a second factor, and whether it is confirmed.
pub(crate) async fn state(change: &mut Change, account: &str) -> Result<Option<bool>, Fault> {
    let row = sqlx::query("SELECT confirmed FROM totp WHERE account = $1")
        .bind(account)
        .fetch_optional(change.on())
        .await?;
    row.map(|row| Ok(get::<Option<i64>>(&row, "confirmed")?.is_some())).transpose()
}

/// Confirms the secret with a code of it, and makes recovery codes.
pub(crate) async fn confirm(
    change: &mut Change,
    keys: &SealingKeys,
    now: Timestamp,
    account: &str,
    code: &str,
) -> Result<Option<Vec<Secret<String>>>, Fault> {
    if !is_code(change, keys, now, account, code).await? {
        return Ok(None);
    }
    sqlx::query("UPDATE totp SET confirmed = $1 WHERE account = $2 AND confirmed IS NULL")
        .bind(millis(now))
        .bind(account)
        .execute(change.on())
        .await?;
    recovery_codes(change, account).await.map(Some)
}

/// New recovery codes; the old ones are worth nothing.
pub(crate) async fn recovery_codes(change: &mut Change, account: &str) -> Result<Vec<Secret<String>>, Fault> {
    sqlx::query("DELETE FROM recovery_codes WHERE account = $1").bind(account).execute(change.on()).await?;
    let mut codes = Vec::new();
    for _ in 0..CODES {
        let code = spelled(&*opaque::random::<CODE>()?);
        sqlx::query("INSERT INTO recovery_codes (account, digest) VALUES ($1, $2)")
            .bind(account)
            .bind(digest(plain(&code).as_bytes()))
            .execute(change.on())
            .await?;
        codes.push(Secret::new((*code).clone()));
    }
    Ok(codes)
}

/// Uses a code of the app, or a recovery code. The account's row must be locked.
pub(crate) async fn show(
    change: &mut Change,
    keys: &SealingKeys,
    now: Timestamp,
    account: &str,
    code: &str,
) -> Result<Shown, Fault> {
    if is_code(change, keys, now, account, code).await? {
        return Ok(Shown::Code);
    }
    let used = sqlx::query("DELETE FROM recovery_codes WHERE account = $1 AND digest = $2")
        .bind(account)
        .bind(digest(plain(code).as_bytes()))
        .execute(change.on())
        .await?;
    if used.rows_affected() != 1 {
        return Ok(Shown::Nothing);
    }
    let left = sqlx::query("SELECT count(*) AS n FROM recovery_codes WHERE account = $1")
        .bind(account)
        .fetch_one(change.on())
        .await?;
    Ok(Shown::RecoveryCode { left: get(&left, "n")? })
}

/// Takes the second factor away.
pub(crate) async fn remove(change: &mut Change, account: &str) -> Result<(), Fault> {
    sqlx::query("DELETE FROM totp WHERE account = $1").bind(account).execute(change.on()).await?;
    sqlx::query("DELETE FROM recovery_codes WHERE account = $1").bind(account).execute(change.on()).await?;
    Ok(())
}

async fn is_code(
    change: &mut Change,
    keys: &SealingKeys,
    now: Timestamp,
    account: &str,
    code: &str,
) -> Result<bool, Fault> {
    let row = sqlx::query("SELECT sealed, last_step FROM totp WHERE account = $1")
        .bind(account)
        .fetch_optional(change.on())
        .await?;
    let Some(row) = row else { return Ok(false) };
    let secret = keys.open(&format!("totp {account}"), &get::<String>(&row, "sealed")?)?;
    let code: Zeroizing<String> = Zeroizing::new(code.chars().filter(|c| !c.is_whitespace()).collect());
    let time = u64::try_from(now.as_second()).unwrap_or(0);
    let Some(step) = totp(&secret)?.check(&code, time).and_then(|step| i64::try_from(step).ok()) else {
        return Ok(false);
    };
    // A step once: the second of two requests at the same time finds that it is not later any more.
    let used = sqlx::query("UPDATE totp SET last_step = $1 WHERE account = $2 AND last_step < $1")
        .bind(step)
        .bind(account)
        .execute(change.on())
        .await?;
    Ok(used.rows_affected() == 1)
}

/// Sixteen characters in groups of four.
fn spelled(bytes: &[u8; CODE]) -> Zeroizing<String> {
    let number = bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let mut text = Zeroizing::new(String::with_capacity(19));
    for place in (0..16).rev() {
        let digit = usize::try_from(number >> (5 * place) & 31).unwrap_or(0);
        text.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
        if place % 4 == 0 && place > 0 {
            text.push('-');
        }
    }
    text
}

/// As it is kept: without what people put between the characters, and with what they confuse.
fn plain(code: &str) -> Zeroizing<String> {
    let read = |c: char| match c.to_ascii_lowercase() {
        'o' => Some('0'),
        'i' | 'l' => Some('1'),
        c if c.is_ascii_alphanumeric() => Some(c),
        _ => None,
    };
    Zeroizing::new(code.chars().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_read_as_people_write_them() {
        let code = spelled(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(&*code, "zw00-0000-0000-0001");
        assert_eq!(*plain("ZWOO 0000 oooo 000l"), *plain(&code));
    }

    #[test]
    fn a_code_is_the_one_of_rfc_6238() {
        // Appendix B, SHA-1, without the first two of eight digits.
        let totp = totp(b"12345678901234567890").unwrap();
        assert!(totp.check("287082", 59).is_some() && totp.check("005924", 1_234_567_890).is_some());
        assert_eq!(totp.check("287082", 59 + 61), None);
    }
}
