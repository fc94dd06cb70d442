//! The text of a handle: `mr_ENVIRONMENT_` and 64 bytes in base64url.
//!
//! | bytes | what they are |
//! |---|---|
//! | 12 | the family |
//! | 4 | the generation |
//! | 32 | random: the handle cannot be made from what is kept |
//! | 16 | the beginning of HMAC-SHA256 of all before, the environment included, under the key of the family |
//!
//! So a handle of any generation is known for what it is, however old, and a made-up one is not: it
//! can end nothing.

use std::{fmt, str::FromStr};

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

use super::seal::{Failed, Key};
use crate::config::Environment;

/// What handles begin with.
const START: &str = "mr_";
const FAMILY: usize = 12;
const GENERATION: usize = 4;
const RANDOM: usize = 32;
const SIGNED: usize = FAMILY + GENERATION + RANDOM;
const MAC: usize = 16;
/// Characters of the bytes in base64url.
const WRITTEN: usize = (SIGNED + MAC) / 3 * 4 + 2;

/// Names a family. Random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FamilyId([u8; FAMILY]);

impl FamilyId {
    pub(super) fn random() -> Result<Self, Failed> {
        let mut bytes = [0; FAMILY];
        getrandom::fill(&mut bytes).map_err(|_| Failed)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for FamilyId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHY: &str = "expected 24 hexadecimal digits";
        let is_one = text.len() == 2 * FAMILY && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_one.then(|| u128::from_str_radix(text, 16).ok()).flatten().ok_or(WHY)?;
        let bytes = number.to_be_bytes();
        bytes.last_chunk().map(|id| Self(*id)).ok_or(WHY)
    }
}

impl Serialize for FamilyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FamilyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The parts of a handle.
pub(super) struct Handle<'t> {
    pub(super) text: &'t str,
    pub(super) environment: &'t str,
    pub(super) family: FamilyId,
    pub(super) generation: u32,
    bytes: Zeroizing<[u8; SIGNED + MAC]>,
}

impl fmt::Debug for Handle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("family", &self.family).finish_non_exhaustive()
    }
}

impl<'t> Handle<'t> {
    /// Reads a text; none if it has not the form of a handle.
    pub(super) fn read(text: &'t str) -> Option<Self> {
        let (environment, written) = text.strip_prefix(START)?.split_once('_')?;
        if !Environment::is_name(environment) || written.len() != WRITTEN {
            return None;
        }
        let mut bytes = Zeroizing::new([0; SIGNED + MAC]);
        let length = URL_SAFE_NO_PAD.decode_slice(written, &mut bytes[..]).ok()?;
        let (family, rest) = bytes.split_first_chunk().filter(|_| length == SIGNED + MAC)?;
        let (generation, _) = rest.split_first_chunk()?;
        let (family, generation) = (FamilyId(*family), u32::from_be_bytes(*generation));
        Some(Self { text, environment, family, generation, bytes })
    }

    /// Whether it was made with this key.
    pub(super) fn is_of(&self, key: &Key) -> bool {
        let Some((signed, mac)) = self.bytes.split_at_checked(SIGNED) else { return false };
        verify_slices_are_equal(&sign(self.environment, signed, key), mac).is_ok()
    }
}

/// Makes a handle.
pub(super) fn make(
    environment: &Environment,
    family: FamilyId,
    generation: u32,
    key: &Key,
) -> Result<Zeroizing<String>, Failed> {
    let mut bytes = Zeroizing::new([0; SIGNED + MAC]);
    let mut random = Zeroizing::new([0; RANDOM]);
    getrandom::fill(&mut random[..]).map_err(|_| Failed)?;
    let generation = generation.to_be_bytes();
    let signed = family.0.iter().chain(&generation).chain(random.iter());
    bytes.iter_mut().zip(signed).for_each(|(byte, from)| *byte = *from);
    let (signed, mac) = bytes.split_at_mut_checked(SIGNED).ok_or(Failed)?;
    mac.copy_from_slice(&sign(environment.as_str(), signed, key));
    // At once as long as it gets: a text that grows leaves a copy behind.
    let mut text =
        Zeroizing::new(String::with_capacity(START.len() + environment.as_str().len() + 1 + WRITTEN));
    text.push_str(START);
    text.push_str(environment.as_str());
    text.push('_');
    URL_SAFE_NO_PAD.encode_string(&bytes[..], &mut text);
    Ok(text)
}

fn sign(environment: &str, signed: &[u8], key: &Key) -> [u8; MAC] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
    context.update(START.as_bytes());
    context.update(environment.as_bytes());
    context.update(b"_");
    context.update(signed);
    context.sign().as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_known_by_its_key_and_nothing_of_it_can_be_changed() {
        let (environment, key) = ("prod".parse().unwrap(), Key::random().unwrap());
        let family = FamilyId::random().unwrap();
        let text = make(&environment, family, 7, &key).unwrap();
        let handle = Handle::read(&text).unwrap();
        assert_eq!((handle.environment, handle.family, handle.generation), ("prod", family, 7));
        assert!(handle.is_of(&key) && !handle.is_of(&Key::random().unwrap()));
        assert_eq!(family.to_string().parse(), Ok(family));
        for at in START.len()..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = if changed[at] == b'b' { b'c' } else { b'b' };
            let changed = String::from_utf8(changed).unwrap();
            let is_good = Handle::read(&changed).is_some_and(|handle| handle.is_of(&key));
            assert!(!is_good, "{changed}");
        }
        for foreign in ["", "mr_", "mr_prod_", "mr_prod_abc", "eyJh.eyJz.c2ln", &text[..text.len() - 1]] {
            assert!(Handle::read(foreign).is_none(), "{foreign}");
        }
    }
}
