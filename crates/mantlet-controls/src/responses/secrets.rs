//! Values that only a secret can have.
//!
//! A name proves nothing: a password manager may return `password` on purpose. A value can: no app
//! shows a password's hash to a client that has a use for it, and no other text looks like one.
//! Each format here begins with the name of its scheme and ends in as many characters of salt and
//! hash as the scheme has at least, so that a sentence about `$2b$` does not match.

/// The certain kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    /// A stored password: a hash in a known format. It is there to be compared with, on the server alone.
    PasswordHash,
    /// A private key in PEM. It is handed out once, by the app that makes it, and never read back on purpose.
    PrivateKey,
}

/// How the values begin in JSON, quote and all. A search for these finds every one of them.
pub(super) const BEGINNINGS: [&str; 16] = [
    "\"$",
    "\"{",
    "\"-----BEGIN ",
    "\"pbkdf2",
    "\"PBKDF2",
    "\"scrypt",
    "\"argon2",
    "\"bcrypt",
    "\"sha1$",
    "\"sha256$",
    "\"sha512$",
    "\"sha224$",
    "\"sha384$",
    "\"md5$",
    "\"\\u0024",
    "\"\\u007b",
];

/// Longest text that is checked for a hash; longer ones are not hashes.
pub(super) const LONGEST: usize = 1024;

/// Schemes of `$scheme$…` (Modular Crypt Format and PHC strings), and how many characters salt and hash have at least.
const CRYPT: [(&str, usize); 24] = [
    // bcrypt: 22 of salt and 31 of hash after the cost; some are stored without their last characters.
    ("2a", 40),
    ("2b", 40),
    ("2x", 40),
    ("2y", 40),
    ("2", 40),
    // Argon2, scrypt and PBKDF2 as PHC strings and as passlib writes them.
    ("argon2id", 22),
    ("argon2i", 22),
    ("argon2d", 22),
    ("scrypt", 22),
    ("pbkdf2", 22),
    ("pbkdf2-sha1", 22),
    ("pbkdf2-sha256", 22),
    ("pbkdf2-sha512", 22),
    ("bcrypt-sha256", 22),
    // crypt(3): MD5, Apache's MD5, SHA-256, SHA-512, SHA-1, yescrypt and its relatives, scrypt.
    ("1", 22),
    ("apr1", 22),
    ("5", 43),
    ("6", 80),
    ("sha1", 22),
    ("y", 43),
    ("gy", 43),
    ("7", 43),
    // phpass and Drupal.
    ("P", 28),
    ("S", 40),
];

/// Schemes of `scheme$…` and `scheme:…` (Django, Werkzeug, and those who write their own).
const PLAIN: [&str; 20] = [
    "pbkdf2",
    "pbkdf2_sha1",
    "pbkdf2_sha256",
    "pbkdf2_sha512",
    "scrypt",
    "argon2",
    "argon2id",
    "argon2i",
    "bcrypt",
    "bcrypt_sha256",
    "md5",
    "sha1",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "salted_sha1",
    "hmac",
    "unsalted_md5",
    "unsalted_sha1",
];

/// Schemes of LDAP (RFC 2307) and Spring, in braces before the hash.
const BRACES: [&str; 18] = [
    "sha",
    "ssha",
    "sha256",
    "ssha256",
    "sha384",
    "ssha384",
    "sha512",
    "ssha512",
    "md5",
    "smd5",
    "crypt",
    "pbkdf2",
    "pbkdf2_sha256",
    "pbkdf2-sha512",
    "argon2",
    "bcrypt",
    "scrypt",
    "blf-crypt",
];

/// Whether only a secret can have the value.
pub(super) fn certain(text: &str) -> Option<Secret> {
    let text = text.trim();
    if is_private_key(text) {
        return Some(Secret::PrivateKey);
    }
    (text.len() <= LONGEST && is_hash(text)).then_some(Secret::PasswordHash)
}

fn is_hash(text: &str) -> bool {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return false;
    }
    if let Some(rest) = text.strip_prefix('{') {
        let Some((scheme, hash)) = rest.split_once('}') else { return false };
        let is_known = BRACES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
        return is_known && (is_hash(hash) || (hash.len() >= 22 && is_encoded(hash)));
    }
    if let Some(rest) = text.strip_prefix('$') {
        let Some((scheme, rest)) = rest.split_once('$') else { return false };
        return CRYPT.iter().any(|(known, least)| *known == scheme && is_rest(rest, *least));
    }
    let Some(end) = text.find(['$', ':']) else { return false };
    let (scheme, rest) = text.split_at(end);
    let is_known = PLAIN.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    // A plain digest has as many characters as MD5 in hexadecimal; in base64 these schemes have more than 22, and parts before it.
    is_known && rest.contains('$') && {
        let last = rest.rsplit('$').next().unwrap_or_default();
        let hash = last.rsplit(':').next().unwrap_or_default();
        is_rest(rest.trim_start_matches(['$', ':']), 22)
            && hash.len() >= 22
            && (hash.len() >= 32 || rest.matches(['$', ':']).count() >= 3)
    }
}

/// Parameters, salt and hash: nothing but what encodings of bytes and lists of numbers have, and enough of it.
fn is_rest(rest: &str, least: usize) -> bool {
    let is_part = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'/' | b'+' | b'=' | b'$' | b',' | b'-' | b'_' | b':')
    };
    rest.len() >= least && rest.bytes().all(is_part) && rest.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_encoded(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'.' | b'-' | b'_'))
}

/// PEM (RFC 7468): `-----BEGIN PRIVATE KEY-----`, `RSA PRIVATE KEY`, `OPENSSH PRIVATE KEY`, `PGP PRIVATE KEY BLOCK` and their like.
pub(super) fn is_private_key(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("-----BEGIN ") else { return false };
    let label = rest.split("-----").next().unwrap_or_default();
    label.len() <= 40 && label.trim_end_matches(" BLOCK").ends_with("PRIVATE KEY")
}

#[cfg(test)]
pub(super) const BCRYPT: &str = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_in_the_formats_that_libraries_write() {
        let hex = "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd85baa61e4c9b93f3f0682250b";
        for hash in [
            BCRYPT,
            "$2y$10$92IXUNpkjO0rOQ5byMi.Ye4oKoEa3Ro9llC/.og/at2.uheWG/igi",
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b27lw",
            "$argon2i$m=8,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b27lw",
            "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
            "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk",
            "$5$rounds=535000$2Zl5Tv1N3Zk9qSeN$EJiwkqfXvOP5Eka6AEv5.4MSnHJqtC5P8Ym4sJ3J6B8",
            "$6$rounds=656000$zwTc4Dt4Zz0mSn1L$kdSzPRaLtxK3ZkFmS8h6H7m2c1d4QpbyV3rE0w7sFQzvH1w5Lz7Q2r0o1mJj4jv7bq6O0U1fQk3c0G9V1V2Xy1",
            "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
            "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
            "$apr1$TqI9WECO$LHZB2DqRlk9nObiB6vJG9.",
            "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0",
            "pbkdf2_sha256$600000$abcdefghijkl$OH8bbk0wKs2C3ZbTfcOqU4g3HnbGc1rLVlm8wcXc5ek=",
            "pbkdf2:sha256:600000$bLgzB9tk$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd85baa61e4c9b93f3f0682250b",
            "scrypt:32768:8:1$5JYQ3h2e$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd85baa61e4c9b93f3f0682250b",
            "argon2$argon2id$v=19$m=102400,t=2,p=8$bG9uZ3NhbHQ$RdescudvJCsgt3ub+b27lw",
            "bcrypt_sha256$$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
            &format!("sha256$salt${hex}"),
            &format!("scrypt$000102030405060708090a0b0c0d0e0f${hex}"),
            "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr",
            "{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe.20cQQubK3.HZWzG3YB1tlRy.fqvM/BG",
        ] {
            assert_eq!(certain(hash), Some(Secret::PasswordHash), "{hash}");
            let begins = format!("\"{hash}");
            assert!(BEGINNINGS.iter().any(|beginning| begins.starts_with(beginning)), "{hash}");
        }
    }

    #[test]
    fn private_keys() {
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"] {
            assert_eq!(
                certain(&format!("-----BEGIN {label}-----\nMIIE")),
                Some(Secret::PrivateKey),
                "{label}"
            );
        }
        for label in ["PUBLIC KEY", "CERTIFICATE", "PGP PUBLIC KEY BLOCK"] {
            assert_eq!(certain(&format!("-----BEGIN {label}-----\nMIIE")), None, "{label}");
        }
    }

    #[test]
    fn what_only_looks_a_little_like_one() {
        for text in [
            "hunter2",
            "/workspace",
            "",
            "$2b$12$",
            "$2b$ is how a bcrypt hash begins, as everybody knows who has seen one of them",
            "$5",
            "$5 off$ everything, today only",
            "$HOME$PATH",
            "${PASSWORD}",
            "{sha}",
            "{name} has a new password, and it is a long one",
            "sha256:5baa61e4c9b93f3f0682250b6cf8331b7ee68fd85baa61e4c9b93f3f0682250b",
            "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
            "550e8400-e29b-41d4-a716-446655440000",
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "scrypt:32768:8:1",
            "bcrypt$",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        ] {
            assert_eq!(certain(text), None, "{text}");
        }
    }
}
