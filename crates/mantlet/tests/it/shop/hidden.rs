//! Bodies that are made so that nobody looks into them.

use std::iter::repeat_n;

use super::{COMPATIBLE, STRICT, Shop};

const SIGN_UP: &str =
    r#"{"username": "NAME", "email": "x@shop.example", "password": "long enough", "is_admin": 1}"#;

fn sign_up(name: &str) -> String {
    SIGN_UP.replace("NAME", name)
}

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// FastAPI takes no notice of a Content-Encoding: neither does what judges before it.
#[test]
fn a_content_encoding_hides_nothing() {
    let compatible = Shop::open(COMPATIBLE);
    let strict = Shop::open(STRICT);
    for (number, coding) in ["identity", "", "br", "deflate", "gzip"].into_iter().enumerate() {
        let lines = format!("Content-Type: application/json\r\nContent-Encoding: {coding}\r\n");
        let answer = strict.ask("POST", "/users", &lines, sign_up("evil").as_bytes());
        assert!((400..500).contains(&answer.status), "{coding}: {answer:?}");
        let name = format!("carol{number}");
        let answer = compatible.ask("POST", "/users", &lines, sign_up(&name).as_bytes());
        assert_eq!(answer.status, 201, "{coding}: {answer:?}");
        let invalid = compatible.ask("POST", "/users", &lines, br#"{"username": "x"}"#);
        compatible.refused(&invalid, 422, "input-invalid");
    }
    let cut =
        compatible.told().into_iter().find(|record| record["action"] == "strip").expect("what was cut out");
    assert_eq!(cut["subject"], "is_admin");
}

/// RFC 8259 section 8.1: JSON is UTF-8. What Python guesses beside it would be read by the app alone.
#[test]
fn row_49_json_in_another_encoding_passes_in_no_posture() {
    let surrogate =
        [sign_up("evil").trim_end_matches('}').as_bytes(), br#", "z": ""#, b"\xed\xa0\x80", br#""}"#]
            .concat();
    for config in [COMPATIBLE, STRICT] {
        let shop = Shop::open(config);
        shop.unreached(|| {
            shop.refused(&shop.post("/users", utf16(&sign_up("evil"))), 400, "json-ambiguous");
            shop.refused(&shop.post("/users", &surrogate), 400, "json-ambiguous");
        });
    }
}

/// Padded so that nobody looks into it: told in compatible posture, where large bodies must pass, refused in strict.
#[test]
fn a_body_too_large_to_be_judged_is_told_or_refused() {
    let mut padded = sign_up("mallory").into_bytes();
    padded.extend(repeat_n(b' ', 1 << 20));
    let compatible = Shop::open(COMPATIBLE);
    assert_eq!(compatible.post("/users", &padded).status, 201);
    let told = compatible.told();
    assert_eq!(
        (&told[0]["reason"], &told[0]["action"]),
        (&"input-not-judged".into(), &"pass".into()),
        "{told:?}"
    );
    let strict = Shop::open(STRICT);
    strict.unreached(|| strict.refused(&strict.post("/users", &padded), 413, "input-not-judged"));
}
