//! One credential, several texts: what an app reads alike has one digest.
//!
//! Python decodes the signature of a token leniently: characters beyond base64 and padding are
//! skipped, and the unused bits of the last character do not count. Everything before the signature
//! is signed as it is written.

use std::borrow::Cow;

/// The text of a credential by which it is known. All texts with the same signature, as Python decodes it,
/// are one.
pub(super) fn canonical(credential: &[u8]) -> Cow<'_, [u8]> {
    let Some(dot) = memchr::memrchr(b'.', credential) else { return credential.into() };
    let (signed, signature) = credential.split_at(dot + 1);
    if is_canonical(signature) {
        return credential.into();
    }
    let mut text = signed.to_vec();
    decoded(signature, &mut text);
    text.into()
}

/// Whether a signature is written as all libraries write it.
fn is_canonical(signature: &[u8]) -> bool {
    let is_own = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    signature.iter().all(is_own)
        && signature.last().is_none_or(|last| without_unused(*last, signature.len()) == *last)
}

/// Appends the characters that count for Python's `base64.urlsafe_b64decode`.
fn decoded(signature: &[u8], text: &mut Vec<u8>) {
    let (mut count, mut padding) = (0_usize, 0_usize);
    for byte in signature {
        match byte {
            b'=' if count % 4 >= 2 => {
                padding += 1;
                // What follows complete padding is not read.
                if count % 4 + padding >= 4 {
                    break;
                }
            }
            b'+' | b'/' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                text.push(match byte {
                    b'+' => b'-',
                    b'/' => b'_',
                    other => *other,
                });
                (count, padding) = (count + 1, 0);
            }
            _ => {}
        }
    }
    if let Some(last) = text.last_mut().filter(|_| count > 0) {
        *last = without_unused(*last, count);
    }
}

/// The last of so many characters, without the bits that do not count.
fn without_unused(last: u8, count: usize) -> u8 {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mask = match count % 4 {
        2 => 0b11_0000,
        3 => 0b11_1100,
        _ => return last,
    };
    let place = ALPHABET.iter().position(|byte| *byte == last);
    place.and_then(|place| ALPHABET.get(place & mask)).copied().unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_python_decodes_alike_are_one() {
        let own = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.-_AA0zQTDnNkHh0";
        assert_eq!(&*canonical(own.as_bytes()), own.as_bytes());
        assert!(matches!(canonical(own.as_bytes()), Cow::Borrowed(_)));
        for other in ["=", "==", "==more", "\u{e9}", " ", "!", "\n"] {
            assert_eq!(&*canonical(format!("{own}{other}").as_bytes()), own.as_bytes(), "{other:?}");
        }
        let (head, signature) = own.rsplit_once('.').unwrap();
        for other in [
            signature.replace('-', "+").replace('_', "/"),
            format!("{}1", &signature[..14]),
            format!("={signature}"),
        ] {
            assert_eq!(&*canonical(format!("{head}.{other}").as_bytes()), own.as_bytes(), "{other}");
        }
        for other in [
            format!("{head}.{}", &signature[1..]),
            format!("{head}.{signature}A"),
            format!("{head}x.{signature}"),
        ] {
            assert_ne!(&*canonical(other.as_bytes()), own.as_bytes(), "{other}");
        }
        for opaque in ["no-dot-at-all==", "", "."] {
            assert_eq!(&*canonical(opaque.as_bytes()), opaque.as_bytes());
        }
    }
}
