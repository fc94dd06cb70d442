//! Invalid JSON, read as lenient parsers read it.
//!
//! Clients strip a prefix that keeps scripts from loading a response, read several values in a row,
//! or ignore an extra comma. The filter must read whatever they can read. Otherwise a response that
//! only strict parsers reject would pass unseen.

use std::borrow::Cow;

use mantlet_contract::json::{Json, parse_first};

/// Bytes before the first value: `)]}',`, `while(1);`, the name of a JSONP callback.
const MAX_PREFIX: usize = 128;
/// Values in one response.
const MAX_VALUES: usize = 100_000;

/// The bytes of a response, with `?` in the place of each byte that is not UTF-8.
pub(super) fn as_text(body: &[u8]) -> Cow<'_, [u8]> {
    if std::str::from_utf8(body).is_ok() {
        return body.into();
    }
    let mut text = Vec::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        text.extend(chunk.invalid().iter().map(|_| b'?'));
    }
    text.into()
}

/// All values of a response, each with its place; none if a part cannot be read.
pub(super) fn values(text: &[u8]) -> Option<Vec<(usize, Json<'_>)>> {
    let mut at = start(text)?;
    let mut found = Vec::new();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if found.len() >= MAX_VALUES {
            return None;
        }
        match parse_first(rest) {
            Ok((json, end)) => {
                found.push((at, json));
                at += end;
            }
            // The end of a callback, and the like.
            Err(_) if rest.len() <= MAX_PREFIX && !rest.contains(&b'"') => break,
            Err(_) => return None,
        }
        at += between(text.get(at..).unwrap_or_default());
    }
    (!found.is_empty()).then_some(found)
}

/// Where the first value begins that has names in it.
fn start(text: &[u8]) -> Option<usize> {
    let at = text.iter().position(|byte| matches!(byte, b'{' | b'['))?;
    let before = text.get(..at)?;
    (before.len() <= MAX_PREFIX && !before.contains(&b'"')).then_some(at)
}

/// Bytes that may come between two values: blanks, the separator of RFC 7464, and prefixes that
/// keep scripts away.
fn between(rest: &[u8]) -> usize {
    let is_between = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x1e | b',' | b';' | b'&');
    rest.iter().take_while(is_between).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<usize>> {
        values(text.as_bytes()).map(|all| all.into_iter().map(|(at, _)| at).collect())
    }

    #[test]
    fn what_clients_read_is_read() {
        for (text, places) in [
            (r#"{"a": 1}"#, &[0][..]),
            (")]}',\n{\"a\": 1}", &[6]),
            (r#"for(;;);{"a": 1}"#, &[8]),
            (r#"{}&&{"a": 1}"#, &[0, 4]),
            (r#"callback({"a": 1});"#, &[9]),
            ("{\"a\": 1}\n{\"a\": 2}\n", &[0, 9]),
            ("\u{1e}{\"a\": 1}\n\u{1e}{\"a\": 2}", &[1, 11]),
            (r#"{"a": [1, 2,], "b": {"c": NaN,},}"#, &[0]),
            ("\u{feff}{\"a\": 1}", &[3]),
        ] {
            assert_eq!(read(text).as_deref(), Some(places), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_guessed() {
        for text in ["", "x", r#"{"a": "#, r#"{"a": 1} {"a": "#, r"{'a': 1}", r#""x" {"a": 1}"#] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_keep_their_place() {
        let body = b"{\"n\": \"caf\xe9\", \"a\": 1}";
        let text = as_text(body);
        assert_eq!((text.len(), text.get(10)), (body.len(), Some(&b'?')));
        assert!(values(&text).is_some());
    }
}
