//! `type; name=value; …` as python-multipart's `parse_options_header` takes it apart.

/// A header's value and its parameters. Bytes, for Python takes them as latin-1 and gives them back so.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Options {
    /// In lower case.
    pub value: Vec<u8>,
    /// In their order, names in lower case.
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// A quoted value does not end, or does not end where its parameter does.
    pub quotes_unbalanced: bool,
}

impl Options {
    /// Takes a header's value apart.
    pub fn of(header: &[u8]) -> Self {
        let mut segments = segments(header);
        let value = segments.next().map(strip).unwrap_or_default().to_ascii_lowercase();
        let mut options = Self { value, ..Self::default() };
        for segment in segments {
            let (name, value) = match memchr::memchr(b'=', segment) {
                Some(at) => {
                    let (name, value) = segment.split_at(at);
                    (strip(name).to_ascii_lowercase(), strip(value.get(1..).unwrap_or_default()))
                }
                None => (strip(segment).to_vec(), &[][..]),
            };
            options.quotes_unbalanced |= opens_only(value);
            let value = unquote(value);
            let value = if name == b"filename" { without_client_path(value) } else { value };
            options.parameters.push((name, value));
        }
        options
    }

    /// The value of a parameter; of one that comes twice the last, as Python's dict has it.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.parameters.iter().rev().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }

    /// The value of a parameter in the form of RFC 5987; as it is written, if it cannot be decoded.
    pub fn get_extended(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.get(name).map(|value| decode_extended(value).unwrap_or_else(|| value.to_vec()))
    }

    /// Whether a parameter comes more than once.
    pub fn repeats(&self, name: &[u8]) -> bool {
        self.parameters.iter().filter(|(own, _)| own == name).count() > 1
    }

    /// Whether there is `filename*=` or the like (RFC 5987) that says something else than the plain parameter: some versions ignore
    /// it, some let it win. .NET always sends both.
    pub fn is_extended(&self) -> bool {
        let says_the_same = |name: &[u8], value: &[u8]| {
            let plain = name.strip_suffix(b"*").and_then(|plain| self.get(plain));
            plain.is_some() && decode_extended(value).as_deref() == plain
        };
        self.parameters.iter().any(|(name, value)| name.contains(&b'*') && !says_the_same(name, value))
    }
}

/// Cuts at each `;` that is not within quotes; a quote after a backslash is none.
fn segments(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut before) = (false, b';');
    header.split(move |byte| {
        let cuts = *byte == b';' && !quoted;
        if *byte == b'"' && before != b'\\' {
            quoted = !quoted;
        }
        before = *byte;
        cuts
    })
}

/// `utf-8''` and percent-encoded bytes.
fn decode_extended(value: &[u8]) -> Option<Vec<u8>> {
    let (charset, rest) = value.split_first_chunk::<7>()?;
    if !charset.eq_ignore_ascii_case(b"utf-8''") {
        return None;
    }
    let mut out = Vec::with_capacity(rest.len());
    let mut rest = rest.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let mut digit = || char::from(*rest.next()?).to_digit(16);
        out.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    Some(out)
}

fn strip(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

fn is_quoted(value: &[u8]) -> bool {
    value.len() >= 2 && value.starts_with(b"\"") && value.ends_with(b"\"")
}

fn opens_only(value: &[u8]) -> bool {
    value.starts_with(b"\"") && !is_quoted(value)
}

fn unquote(value: &[u8]) -> Vec<u8> {
    if !is_quoted(value) {
        return value.to_vec();
    }
    let inner = value.get(1..value.len() - 1).unwrap_or_default();
    replace(&replace(inner, *b"\\\\", b'\\'), *b"\\\"", b'"')
}

fn replace(text: &[u8], pair: [u8; 2], with: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(&pair) {
            out.push(with);
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// Old browsers send the whole path of the client's file; python-multipart takes its last part.
fn without_client_path(name: Vec<u8>) -> Vec<u8> {
    if name.get(1..3) == Some(b":\\") || name.starts_with(b"\\\\") {
        return name.rsplit(|byte| *byte == b'\\').next().unwrap_or_default().to_vec();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_as_python_multipart_reads_them() {
        for (header, name, expected) in [
            (&b"form-data; name=\"a\""[..], &b"name"[..], Some(&b"a"[..])),
            (b"form-data; NAME = \"a;b\" ;x=1", b"name", Some(b"a;b")),
            (b"form-data; name=\"a\\\"b\"", b"name", Some(b"a\"b")),
            (b"form-data; filename=\"C:\\\\x\\\\y.png\"", b"filename", Some(b"y.png")),
            (b"form-data; filename=\"C:\\fakepath\\y.png\"", b"filename", Some(b"y.png")),
            (b"form-data; filename=\"a\"; filename=\"b\"", b"filename", Some(b"b")),
            (b"form-data; filename*=utf-8''a", b"filename", None),
            (b"form-data; filename=a b ", b"filename", Some(b"a b")),
            (b"form-data; filename=\"5\" disk.png\"", b"filename", Some(b"5\" disk.png")),
            (b"form-data; filename", b"filename", Some(b"")),
            (b"form-data; name=\"\xC3\xA9\"", b"name", Some(b"\xC3\xA9")),
        ] {
            let shown = String::from_utf8_lossy(header);
            assert_eq!(Options::of(header).get(name), expected, "{shown}");
        }
        assert!(Options::of(b"form-data; name=a; filename=\"b").quotes_unbalanced);
        assert!(Options::of(b"a; x=1; x=2").repeats(b"x"));
        for (header, expected) in [
            (&b"form-data; name=a; filename=\"x y\"; filename*=UTF-8''x%20y"[..], false),
            (b"form-data; name=a; filename=x; filename*=utf-8''%7", true),
            (b"form-data; name=a; filename=x; filename*=utf-8''y", true),
            (b"form-data; name=a; filename*=utf-8''y", true),
            (b"form-data; name*0=a", true),
        ] {
            assert_eq!(Options::of(header).is_extended(), expected, "{}", String::from_utf8_lossy(header));
        }
    }
}
