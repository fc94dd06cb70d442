//! How a secret looks where it was encoded.
//!
//! | spelling | where it comes from |
//! |---|---|
//! | plain | `print`, f-strings |
//! | escaped as in JSON, once and twice | `json.dumps` with and without `ensure_ascii`; a JSON text within one |
//! | as Python writes it | `repr` of a text and of bytes, in tracebacks and `{value!r}` |
//! | percent-encoded | `urllib.parse.quote` with and without `/`, `quote_plus` |
//! | base64, both alphabets | alone or anywhere within other bytes: three alignments |
//! | hexadecimal | `bytes.hex()` |
//!
//! Letters are compared without regard to case, so that both cases of hexadecimal digits are covered.

use std::{collections::BTreeSet, fmt::Write as _};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// All spellings of a secret, each once.
pub(crate) fn of(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::from([secret.to_vec()]);
    if let Ok(text) = std::str::from_utf8(secret) {
        for ascii in [false, true] {
            let json = json(text, ascii);
            all.insert(self::json(&json, ascii).into_bytes());
            all.insert(json.into_bytes());
        }
    }
    for quote in [b'\'', b'"'] {
        all.insert(python(secret, quote, true));
        all.insert(python(secret, quote, false));
    }
    all.insert(percent(secret, b"", false));
    all.insert(percent(secret, b"/", false));
    all.insert(percent(secret, b"", true));
    for alignment in 0..3 {
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            all.insert(base64(secret, alignment, &engine));
        }
    }
    all.insert(secret.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")).into_bytes());
    all
}

/// As in JSON, without the quotes around it.
fn json(text: &str, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            letter if letter < ' ' || (ascii && !letter.is_ascii()) => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    // Writing to a text cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            letter => out.push(letter),
        }
    }
    out
}

/// As Python's `repr` writes it: of bytes if `ascii`, else of a text.
fn python(secret: &[u8], quote: u8, ascii: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(secret.len());
    for &byte in secret {
        match byte {
            b'\\' => out.extend(b"\\\\"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            byte if byte == quote => out.extend([b'\\', byte]),
            byte if byte < b' ' || byte == 0x7f || (ascii && byte > 0x7f) => {
                out.extend(format!("\\x{byte:02x}").bytes());
            }
            byte => out.push(byte),
        }
    }
    out
}

fn percent(secret: &[u8], safe: &[u8], plus: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(secret.len());
    for &byte in secret {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || safe.contains(&byte) {
            out.push(byte);
        } else if plus && byte == b' ' {
            out.push(b'+');
        } else {
            out.extend(format!("%{byte:02x}").bytes());
        }
    }
    out
}

/// The characters that depend on the secret alone, where so many bytes stand before it in its group of three.
fn base64(secret: &[u8], alignment: usize, engine: &impl Engine) -> Vec<u8> {
    let mut bytes = vec![0; alignment];
    bytes.extend(secret);
    let text = engine.encode(&bytes);
    let from = (8 * alignment).div_ceil(6);
    let to = 8 * bytes.len() / 6;
    text.as_bytes().get(from..to).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_those_of_python() {
        let all = of("pä/ss \"w\\'".as_bytes());
        for spelling in [
            "pä/ss \"w\\'",
            // json.dumps(secret), json.dumps(secret, ensure_ascii=False), json.dumps(json.dumps(secret)) inside
            r#"p\u00e4/ss \"w\\'"#,
            r#"pä/ss \"w\\'"#,
            r#"p\\u00e4/ss \\\"w\\\\'"#,
            // repr(secret), repr(secret.encode())
            r#"pä/ss "w\\\'"#,
            r#"p\xc3\xa4/ss "w\\\'"#,
            // quote(secret), quote(secret, safe=""), quote_plus(secret)
            "p%c3%a4/ss%20%22w%5c%27",
            "p%c3%a4%2fss%20%22w%5c%27",
            "p%c3%a4%2fss+%22w%5c%27",
            "70c3a42f73732022775c27",
            // b64encode(secret), b64encode(b"x" + secret), b64encode(b"xy" + secret), without what depends on more
            "cMOkL3NzICJ3XC",
            "DDpC9zcyAid1wn",
            "ww6Qvc3MgIndcJ",
        ] {
            assert!(all.contains(spelling.as_bytes()), "{spelling}");
        }
    }

    #[test]
    fn base64_is_found_at_each_alignment() {
        let secret = b"s3cret?>value";
        for before in 0..6 {
            let text = [&b"abcdef"[..before], secret, b"after"].concat();
            for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                let found = of(secret).iter().any(|spelling| {
                    encoded.as_bytes().windows(spelling.len()).any(|part| part == spelling.as_slice())
                });
                assert!(found, "{before}: {encoded}");
            }
        }
    }
}
