//! Passwords that attackers try first.
//!
//! The list that comes with Mantlet is made from Django's list of common passwords (BSD-3-Clause) and from that of
//! zxcvbn-ts (MIT): those with eight characters or more, as shorter ones are refused anyway. `ATTRIBUTION.md`
//! beside it has the licences. It is a binary fuse filter with 32 bits an entry: a password that is not on the
//! list is taken for one that is in one of 4,000,000,000 cases.
//!
//! A larger list is built with [`Blocklist::build`] from a file of passwords, or from one of SHA-1 hashes as
//! Have I Been Pwned has them. The SHA-1 is for that format; nothing rests on it.

use std::collections::HashSet;

use sha1::{Digest, Sha1};
use sha2::Sha256;
use xorf::{BinaryFuse32, Descriptor, Filter};

use crate::Fault;

/// What the file begins with.
const MAGIC: &[u8; 16] = b"mantlet-list-1\r\n";
/// Bytes of seed and three lengths.
const HEAD: usize = 20;
/// Shorter ones are refused anyway.
const SHORTEST: usize = 8;

static COMMON: &[u8] = include_bytes!("common-passwords.bin");

/// A list of passwords that are refused.
#[derive(Debug)]
pub struct Blocklist(BinaryFuse32);

impl Blocklist {
    /// The list that comes with Mantlet: about 24,000 passwords.
    pub fn common() -> Result<Self, Fault> {
        Self::read(COMMON)
    }

    /// Reads what [`build`](Self::build) has made.
    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let unusable = || {
            Fault::Unusable(
                "the list of common passwords is not whole, or no such list: build it again".to_owned(),
            )
        };
        Self::parse(bytes).ok_or_else(unusable)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, sum) = bytes.split_last_chunk::<32>()?;
        if Sha256::digest(content)[..] != sum[..] {
            return None;
        }
        let rest = content.strip_prefix(MAGIC.as_slice())?;
        let (head, rest) = rest.split_first_chunk::<HEAD>()?;
        let (seed, lengths) = head.split_first_chunk::<8>()?;
        let ([segment_length, segment_length_mask, segment_count_length], []) = ({
            let (words, rest) = lengths.as_chunks::<4>();
            (<[[u8; 4]; 3]>::try_from(words).ok()?.map(u32::from_le_bytes), rest)
        }) else {
            return None;
        };
        let (words, []) = rest.as_chunks::<4>() else { return None };
        let fingerprints: Box<[u32]> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        let seed = u64::from_le_bytes(*seed);
        let descriptor = Descriptor { seed, segment_length, segment_length_mask, segment_count_length };
        Some(Self(BinaryFuse32 { descriptor, fingerprints }))
    }

    /// Makes a list of lines: passwords, or SHA-1 hashes in hex with or without `:` and a count. Each is taken as
    /// it is and in lower case.
    pub fn build<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<u8>, Fault> {
        let mut keys = HashSet::new();
        for line in lines.map(str::trim_end) {
            if let Some(key) = key_in_hex(line) {
                keys.insert(key);
            } else if line.chars().count() >= SHORTEST {
                keys.insert(key(line));
                keys.insert(key(&line.to_lowercase()));
            }
        }
        // In an order of its own, so that the same lines make the same file.
        let mut keys: Vec<u64> = keys.into_iter().collect();
        keys.sort_unstable();
        let built =
            BinaryFuse32::try_from(&keys).map_err(|_| Fault::Failed("building the list of passwords"))?;
        let Descriptor { seed, segment_length, segment_length_mask, segment_count_length } = built.descriptor;
        let mut bytes = [MAGIC.as_slice(), &seed.to_le_bytes()].concat();
        for length in [segment_length, segment_length_mask, segment_count_length] {
            bytes.extend_from_slice(&length.to_le_bytes());
        }
        bytes.extend(built.fingerprints.iter().flat_map(|word| word.to_le_bytes()));
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum);
        Ok(bytes)
    }

    /// Whether a password is on the list, as it is or in lower case.
    pub fn contains(&self, password: &str) -> bool {
        self.0.contains(&key(password)) || self.0.contains(&key(&password.to_lowercase()))
    }
}

fn key(password: &str) -> u64 {
    let digest = Sha1::digest(password.as_bytes());
    digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The key of a line `5BAA61E4…:3861493`.
fn key_in_hex(line: &str) -> Option<u64> {
    let hash = line.split_once(':').map_or(line, |(hash, _)| hash);
    let is_sha1 = hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_sha1.then(|| u64::from_str_radix(hash.get(..16)?, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_that_comes_with_mantlet_knows_common_passwords_and_no_others() {
        let list = Blocklist::common().unwrap();
        for password in ["password", "1234567890", "Password", "iloveyou", "qwertyuiop", "passwordpassword"] {
            assert!(list.contains(password), "{password}");
        }
        let others = (0..100_000).filter(|n| list.contains(&format!("no list has the number {n}"))).count();
        assert_eq!(others, 0);
        assert!(COMMON.len() < 200 * 1024, "{}", COMMON.len());
    }

    #[test]
    fn a_list_is_built_from_passwords_and_from_hashes() {
        // The second is SHA-1 of `correct horse battery staple`.
        let lines = ["Summer2026!", "BF5FA4FB7A4F54C1BF05EA3D2B5C0E6E2A1F0A1B:17", "short", "tr0ub4dor&3\r"];
        let bytes = Blocklist::build(lines.into_iter()).unwrap();
        assert_eq!(bytes, Blocklist::build(lines.into_iter()).unwrap());
        let list = Blocklist::read(&bytes).unwrap();
        assert!(list.contains("Summer2026!") && list.contains("SUMMER2026!") && list.contains("tr0ub4dor&3"));
        assert!(!list.contains("summer2027!") && !list.contains("short"));
        let pwned =
            Blocklist::build(["5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3861493"].into_iter()).unwrap();
        assert!(Blocklist::read(&pwned).unwrap().contains("password"));
        let mut torn = bytes.clone();
        torn.pop();
        assert!(Blocklist::read(&torn).is_err());
        torn.push(bytes.last().unwrap() ^ 1);
        assert!(Blocklist::read(&torn).is_err());
        assert!(Blocklist::read(b"").is_err());
    }
}
