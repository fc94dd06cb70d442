//! Wycheproof's vectors for JSON Web Signatures: none of the invalid ones is accepted.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{collections::BTreeMap, fs, path::Path};

use mantlet_controls::token::{Jws, Key, KeySet};
use serde_json::Value;

/// Vectors that are called invalid, although their text is, byte for byte, that of number 357, which is called valid.
const SAME_AS_A_VALID_ONE: [u64; 2] = [367, 370];
/// Valid vectors that are refused: their header names another algorithm than their key does, an
/// algorithm that is not supported (ES512), or has a character that is not of base64url.
const REFUSED: [u64; 6] = [346, 347, 350, 351, 372, 373];

fn vectors(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wycheproof").join(file);
    let text: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    text["testGroups"].as_array().unwrap().clone()
}

fn key_of(group: &Value) -> Value {
    group.get("public").or_else(|| group.get("private")).unwrap().clone()
}

#[test]
fn signatures() {
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for group in vectors("json_web_signature_test.json") {
        let key = Key::of_jwk(&key_of(&group));
        for vector in group["tests"].as_array().unwrap() {
            let id = vector["tcId"].as_u64().unwrap();
            let token = vector["jws"].as_str().unwrap();
            let is_accepted =
                key.as_ref().is_some_and(|key| Jws::read(token).is_ok_and(|jws| jws.verify(key).is_ok()));
            let is_valid = vector["result"] == "valid" || SAME_AS_A_VALID_ONE.contains(&id);
            *counts.entry(if is_valid { "valid" } else { "invalid" }).or_default() += 1;
            if is_accepted != (is_valid && !REFUSED.contains(&id)) {
                wrong.push(format!("{id}: {} ({})", vector["comment"], vector["result"]));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(counts, BTreeMap::from([("valid", 48), ("invalid", 353)]));
}

/// Sets of keys, as an issuer publishes them; a set of one secret is read as that secret.
#[test]
fn keys() {
    let (mut valid, mut invalid, mut accepted) = (0, 0, 0);
    for group in vectors("json_web_key_test.json") {
        let set = key_of(&group);
        let published = KeySet::of_jwks(set.to_string().as_bytes()).unwrap();
        let secret = match &**set["keys"].as_array().unwrap() {
            [one] => Key::of_jwk(one).filter(Key::is_symmetric),
            _ => None,
        };
        for vector in group["tests"].as_array().unwrap() {
            let is_valid = vector["result"] == "valid";
            (valid, invalid) = (valid + u32::from(is_valid), invalid + u32::from(!is_valid));
            let Ok(jws) = Jws::read(vector["jws"].as_str().unwrap()) else { continue };
            let by_secret = secret.as_ref().is_some_and(|key| jws.verify(key).is_ok());
            let is_accepted = by_secret || published.verify(&jws).is_ok();
            assert!(is_valid || !is_accepted, "{vector}");
            accepted += u32::from(is_accepted);
        }
    }
    // The valid one of a set of secrets is refused: secrets are not published.
    assert_eq!((valid, invalid, accepted), (5, 21, 4));
}
