//! Addresses of mailboxes, and when two of them are the same.

use std::fmt;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The most bytes of an address and of its local part (RFC 5321 section 4.5.3.1, as corrected by erratum 1690).
const MOST: usize = 254;
const MOST_LOCAL: usize = 64;

/// An address that mail can be sent to, as its owner writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    written: String,
    key: String,
}

impl Address {
    /// Reads one; nothing if it cannot be an address.
    ///
    /// Only what surely has no mailbox is refused: no `@`, an empty side, white space, control characters, angle
    /// brackets, quotes and commas, and what is too long. Whether there is a mailbox, only a mail shows.
    pub fn read(text: &str) -> Option<Self> {
        let written = ComposingNormalizerBorrowed::new_nfc().normalize(text.trim()).into_owned();
        let (local, domain) = written.rsplit_once('@')?;
        let is_whole = !local.is_empty() && !domain.is_empty() && !local.contains('@');
        let is_short = written.len() <= MOST && local.len() <= MOST_LOCAL;
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>\"(),:;[]\\".contains(c);
        let is_domain = domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-'));
        if !(is_whole && is_short && is_domain && written.chars().all(is_plain)) {
            return None;
        }
        let key = ComposingNormalizerBorrowed::new_nfc().normalize(&written.to_lowercase()).into_owned();
        Some(Self { written, key })
    }

    /// As its owner writes it: mail goes there.
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// By which it is unique: lower case, NFC.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_unique_whatever_its_case_and_its_form() {
        let key = |text| Address::read(text).map(|address| address.key().to_owned());
        assert_eq!(key(" Ada@Example.COM "), Some("ada@example.com".to_owned()));
        assert_eq!(key("JOSE\u{301}@example.com"), key("jos\u{e9}@example.com"));
        assert_eq!(Address::read("Ada@Example.com").unwrap().as_written(), "Ada@Example.com");
        assert!(key("ada@localhost").is_some());
        let too_long = format!("{}@example.com", "a".repeat(65));
        let bad = [
            "", "ada", "@b", "a@", "a@@b", "a b@c.d", "a@b..c", "a\n@b", "<a@b>", "a@b,c@d", "a@-b",
            &too_long,
        ];
        for text in bad {
            assert_eq!(key(text), None, "{text:?}");
        }
    }
}
