//! Queries, forms, cookies and header values as Python's libraries decode them.

use std::borrow::Cow;

/// Names and values in their order; a name may come several times.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// `urllib.parse.parse_qsl(query, keep_blank_values=True)` of the query decoded as latin-1, as Starlette calls it. A urlencoded form is
/// read by `python-multipart` in the same way.
pub(super) fn query(raw: &[u8]) -> Pairs<'_> {
    raw.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = split(pair);
            (unquote_plus(name), unquote_plus(value))
        })
        .collect()
}

fn split(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
        None => (pair, &[]),
    }
}

/// `unquote_plus`: a plus is a blank; escapes in a run of ASCII are UTF-8 with replacements, bytes beyond ASCII are latin-1.
fn unquote_plus(raw: &[u8]) -> Cow<'_, str> {
    if !raw.iter().any(|byte| matches!(byte, b'+' | b'%' | 0x80..)) {
        return String::from_utf8_lossy(raw);
    }
    let mut out = String::with_capacity(raw.len());
    for run in raw.chunk_by(|a, b| a.is_ascii() == b.is_ascii()) {
        if run.first().is_some_and(u8::is_ascii) {
            out.push_str(&String::from_utf8_lossy(&unescape(run)));
        } else {
            out.extend(run.iter().map(|byte| char::from(*byte)));
        }
    }
    out.into()
}

/// The text of a query or a form as a whole.
pub fn unquoted(raw: &[u8]) -> Cow<'_, str> {
    unquote_plus(raw)
}

fn unescape(run: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(run.len());
    let mut rest = run;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = (*first == b'%').then(|| after.split_first_chunk::<2>()).flatten();
        let decoded = escaped.and_then(|([high, low], after)| {
            let byte = char::from(*high).to_digit(16)? * 16 + char::from(*low).to_digit(16)?;
            Some((u8::try_from(byte).ok()?, after))
        });
        match decoded {
            Some((byte, after)) => {
                bytes.push(byte);
                rest = after;
            }
            None => bytes.push(if *first == b'+' { b' ' } else { *first }),
        }
    }
    bytes
}

/// Bytes of a header as latin-1.
pub(super) fn latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.into(),
        _ => bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}

/// Starlette's `cookie_parser` over all `Cookie` headers: of a name that comes twice the last.
pub(super) fn cookies<'a>(headers: impl Iterator<Item = Cow<'a, str>>) -> Pairs<'a> {
    let mut pairs = Pairs::new();
    for header in headers {
        for chunk in header.split(';') {
            let (name, value) = chunk.split_once('=').unwrap_or(("", chunk));
            let (name, value) = (name.trim(), value.trim());
            if !(name.is_empty() && value.is_empty()) {
                pairs.push((name.to_owned().into(), unquote_cookie(value).into()));
            }
        }
    }
    pairs
}

/// `http.cookies._unquote`.
fn unquote_cookie(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let octal = after
            .get(..3)
            .filter(|digits| matches!(digits.as_bytes(), [b'0'..=b'3', b'0'..=b'7', b'0'..=b'7']));
        if let Some(byte) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            out.push(char::from(byte));
            rest = after.get(3..).unwrap_or_default();
        } else if let Some(next) = after.chars().next() {
            out.push(next);
            rest = after.get(next.len_utf8()..).unwrap_or_default();
        } else {
            out.push('\\');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        for (raw, expected) in [
            (&b"a=1&b"[..], vec![("a", "1"), ("b", "")]),
            (b"a=1&&=2&a=b=c", vec![("a", "1"), ("", "2"), ("a", "b=c")]),
            (b"a+b=%41%zz%e4%C3%A4+", vec![("a b", "A%zz\u{FFFD}\u{e4} ")]),
            (b"a;b=1\xE9%C3\xA9", vec![("a;b", "1\u{e9}\u{FFFD}\u{a9}")]),
        ] {
            let pairs: Vec<_> = query(raw);
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(pairs, expected);
        }
    }

    #[test]
    fn cookies_as_starlette_reads_them() {
        let header: Cow<'_, str> = r#"a=1; b = "x\"y\054z" ;c; a=2;=;"#.into();
        let pairs = cookies(std::iter::once(header));
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, [("a", "1"), ("b", "x\"y,z"), ("", "c"), ("a", "2")]);
    }
}
