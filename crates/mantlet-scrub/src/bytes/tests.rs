#![allow(clippy::unwrap_used, reason = "a test fails by panicking; the exception does not reach helpers")]

use super::*;
use crate::lines::Further;
use crate::shapes::triggers;

/// What an attacker has the app print: a trigger over and over, with a separator between. The bytes that are looked at
/// stay within a small multiple of what is printed.
#[test]
fn work_is_linear_whatever_is_printed() {
    let rules = Arc::new(Rules::new(&[], Further::default()).unwrap());
    let heads = ["eyJhbGciOiJIUzI1NiJ9.", "eyJhPz97", "-----BEGIN PRIVATE KEY-----\nMIIE"];
    let triggers = triggers().map(|(trigger, _)| trigger).chain(heads);
    for trigger in triggers {
        for separator in
            ["", "/", "=", "+", ".", "-", "_", ":", ",", "\"", "'", " ", "\n", "@", "\\", "_A", "/A@"]
        {
            let part = [trigger, separator].concat();
            let input = part.repeat((40 << 10) / part.len());
            let (mut bytes, mut out) = (Bytes::new(Arc::clone(&rules)), Vec::new());
            for part in input.as_bytes().chunks(4 << 10) {
                bytes.push(part, &mut out);
                out.clear();
            }
            let looked = bytes.runs.looked();
            assert!(looked <= 24 * input.len(), "{part}: {looked} for {}", input.len());
        }
    }
}
