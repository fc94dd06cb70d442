//! The text of a key: `mk_ENVIRONMENT_ID_SECRET_CHECKSUM`.
//!
//! | part | what it is |
//! |---|---|
//! | `mk` | by which scanners for secrets find it, with the checksum |
//! | environment | 1 to 16 lower-case letters or digits |
//! | id | 10 characters; names the key in lists and records |
//! | secret | 32 random bytes, base64url: 43 characters, which may be `_` and `-` |
//! | checksum | CRC-32 of all before its `_`, 8 hexadecimal digits: a key that was mistyped or cut off is told from one that is not good |

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::config::{Environment, Secret};

/// What keys begin with.
const START: &str = "mk_";
/// Random bytes of a secret, and the characters that they are written with.
const SECRET: usize = 32;
const WRITTEN: usize = 43;
/// Characters of an id that we make, and of those that are read.
const ID: usize = 10;
const IDS: std::ops::RangeInclusive<usize> = 8..=12;
/// Hexadecimal digits of the checksum.
const CHECKSUM: usize = 8;
/// The alphabet of ids: none that are taken for each other (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The parts of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'t> {
    pub(super) environment: &'t str,
    pub(super) id: &'t str,
    pub(super) secret: &'t str,
}

/// A text, as far as it is a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading<'t> {
    /// It is not one of ours.
    Foreign,
    /// It begins like one, but the rest or the checksum is wrong.
    Damaged,
    /// It has the form and the checksum.
    Key(Parts<'t>),
}

/// Reads a text.
pub(super) fn read(text: &str) -> Reading<'_> {
    let Some((environment, id, rest)) = beginning(text) else { return Reading::Foreign };
    let Some((secret, rest)) = rest.split_at_checked(WRITTEN) else { return Reading::Damaged };
    let Some(sum) = rest.strip_prefix('_').filter(|sum| sum.len() == CHECKSUM) else {
        return Reading::Damaged;
    };
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let summed = text.get(..text.len() - CHECKSUM - 1).unwrap_or_default();
    if secret.bytes().all(is_base64) && sum == checksum(summed) {
        Reading::Key(Parts { environment, id, secret })
    } else {
        Reading::Damaged
    }
}

/// The id in a key or in its beginning: what an operator may have at hand of a key that has leaked.
pub fn id_of(text: &str) -> Option<&str> {
    let (_, id, _) = beginning(text).or_else(|| {
        let (environment, id) = text.strip_prefix(START)?.split_once('_')?;
        is_beginning(environment, id).then_some((environment, id, ""))
    })?;
    Some(id)
}

fn beginning(text: &str) -> Option<(&str, &str, &str)> {
    let (environment, rest) = text.strip_prefix(START)?.split_once('_')?;
    let (id, rest) = rest.split_once('_')?;
    is_beginning(environment, id).then_some((environment, id, rest))
}

fn is_beginning(environment: &str, id: &str) -> bool {
    Environment::is_name(environment) && is_id(id)
}

/// Whether a text can be the id of a key.
pub(super) fn is_id(text: &str) -> bool {
    IDS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A new key: its id, its secret part, and its text.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) secret: Zeroizing<String>,
    pub(super) text: Secret<String>,
}

/// Makes a key of random bytes.
pub(super) fn make(environment: &Environment) -> Result<Made, getrandom::Error> {
    let (mut id, mut secret) = ([0; ID], Zeroizing::new([0; SECRET]));
    getrandom::fill(&mut id)?;
    getrandom::fill(&mut secret[..])?;
    let letter = |byte: &u8| char::from(LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'0'));
    let id: String = id.iter().map(letter).collect();
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(&secret[..]));
    let text = write(environment, &id, &secret);
    Ok(Made { id, secret, text })
}

/// A key of these parts.
pub(super) fn write(environment: &Environment, id: &str, secret: &str) -> Secret<String> {
    let mut text = format!("{START}{environment}_{id}_{secret}");
    let sum = checksum(&text);
    // At once as long as it gets: a text that grows leaves a copy behind.
    text.reserve_exact(CHECKSUM + 1);
    text.push('_');
    text.push_str(&sum);
    text.into()
}

/// CRC-32 (ISO-HDLC, as in gzip), as `zlib.crc32` of Python.
fn checksum(text: &str) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    format!("{:08x}", crc.sum())
}
