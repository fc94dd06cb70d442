//! Signed notes, as [C2SP](https://c2sp.org/signed-note) has them: a text, an empty line, signatures.

use crate::{
    base64,
    key::{Key, PublicKey, is_signed_by},
    tree::sha256,
};

/// The kind of a signature: Ed25519.
const ED25519: u8 = 1;
/// What a line of a signature begins with.
const DASH: &str = "\u{2014} ";

/// A text, whose lines all end, with a signature by a key of this name.
pub(crate) fn sign(text: &str, name: &str, key: &Key) -> String {
    let mut signed = key_id(name, &key.public()).to_vec();
    signed.extend(key.sign(text.as_bytes()));
    format!("{text}\n{DASH}{name} {}\n", base64::encode_padded(&signed))
}

/// The text of a note and its signatures; none if it is not a note.
pub(crate) fn split(note: &str) -> Option<(&str, &str)> {
    let at = note.rfind("\n\n")?;
    let (text, signatures) = (note.get(..=at)?, note.get(at + 2..)?);
    let well_formed = signatures.ends_with('\n') && signatures.lines().all(|line| line.starts_with(DASH));
    well_formed.then_some((text, signatures))
}

/// Whether a key of this name has signed a note.
pub(crate) fn is_signed(note: &str, name: &str, key: &PublicKey) -> bool {
    let Some((text, signatures)) = split(note) else { return false };
    let id = key_id(name, key);
    signatures.lines().any(|line| {
        let Some((signer, signature)) = line.strip_prefix(DASH).and_then(|line| line.split_once(' ')) else {
            return false;
        };
        let signature = base64::decode_padded(signature).unwrap_or_default();
        signer == name
            && signature
                .strip_prefix(id.as_slice())
                .is_some_and(|rest| is_signed_by(key, text.as_bytes(), rest))
    })
}

fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let hash = sha256(&[name.as_bytes(), b"\n", &[ED25519], key].concat());
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// A key as other programs for signed notes take it.
pub fn verifier_key(name: &str, key: &PublicKey) -> String {
    let id = u32::from_be_bytes(key_id(name, key));
    format!("{name}+{id:08x}+{}", base64::encode_padded(&[&[ED25519], key.as_slice()].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_holds() {
        // The note and the key of the page about signed notes.
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let note = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let bytes = base64::decode_padded(key.rsplit('+').next().unwrap()).unwrap();
        let public: PublicKey = bytes[1..].try_into().unwrap();
        assert_eq!(verifier_key("PeterNeumann", &public), key);
        assert!(is_signed(note, "PeterNeumann", &public));
        assert!(!is_signed(&note.replace("think", "thunk"), "PeterNeumann", &public));
        assert!(!is_signed(note, "Another", &public));
    }

    #[test]
    fn what_was_signed_is_read() {
        let key = Key::random().unwrap();
        let note = sign("one\ntwo\n", "name", &key);
        assert_eq!(split(&note).unwrap().0, "one\ntwo\n");
        assert!(is_signed(&note, "name", &key.public()));
        assert!(!is_signed(&note, "name", &key.next().unwrap().public()));
        for broken in ["", "one\n", "one\n\nno dash\n", &note[..note.len() - 1]] {
            assert_eq!(split(broken), None, "{broken:?}");
        }
    }
}
