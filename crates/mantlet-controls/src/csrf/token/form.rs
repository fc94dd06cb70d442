//! The token in a form, found while the form arrives. Every byte is looked at once, however small the pieces are.

use memchr::memmem;

/// Longest piece of a form in which the token must stand. What is larger, an upload, comes after it.
pub(super) const READ_AHEAD: usize = 64 << 10;

/// Looks for one field of a form.
#[derive(Debug)]
pub(super) struct Finder {
    kind: Kind,
    field: String,
    buffer: Vec<u8>,
    /// Where the pair, or the part, begins that is not complete yet.
    begin: usize,
    /// Up to where its end has been looked for.
    searched: usize,
}

#[derive(Debug)]
enum Kind {
    Urlencoded,
    /// With what stands between parts: CR LF, two hyphens, the boundary.
    Multipart(Vec<u8>),
}

impl Finder {
    /// For a body of this type; `None` if it is no form.
    pub(super) fn for_content_type(content_type: &str, field: &str) -> Option<Self> {
        let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let essence = essence.trim();
        let (kind, buffer) = if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            (Kind::Urlencoded, Vec::new())
        } else if essence.eq_ignore_ascii_case("multipart/form-data") {
            let boundary = parameter(parameters, "boundary").filter(|text| !text.is_empty())?;
            // The first delimiter has no line before it: so it gets one.
            (Kind::Multipart(format!("\r\n--{boundary}").into_bytes()), b"\r\n".to_vec())
        } else {
            return None;
        };
        Some(Self { kind, field: field.to_owned(), buffer, begin: 0, searched: 0 })
    }

    /// Takes the next bytes; the field's value as soon as it is complete.
    pub(super) fn feed(&mut self, data: &[u8]) -> Option<&[u8]> {
        self.buffer.extend_from_slice(data);
        self.find()
    }

    /// No more bytes will come: a pair may end with them.
    pub(super) fn end(&mut self) -> Option<&[u8]> {
        if matches!(self.kind, Kind::Urlencoded) {
            self.buffer.push(b'&');
        }
        self.find()
    }

    fn find(&mut self) -> Option<&[u8]> {
        let Self { kind, field, buffer, begin, searched } = self;
        let kind = &*kind;
        let separator: &[u8] = match kind {
            Kind::Urlencoded => b"&",
            Kind::Multipart(delimiter) => delimiter,
        };
        loop {
            let Some(at) = memmem::find(buffer.get(*searched..)?, separator) else {
                // The separator may be cut in two.
                *searched = buffer.len().saturating_sub(separator.len() - 1).max(*searched);
                return None;
            };
            let (start, end) = (*begin, *searched + at);
            *begin = end + separator.len();
            *searched = *begin;
            let piece = buffer.get(start..end)?;
            let value = match kind {
                Kind::Urlencoded => value_of_pair(piece, field),
                Kind::Multipart(_) => value_of_part(piece, field),
            };
            if let Some(value) = value {
                let from = start + (piece.len() - value.len());
                return buffer.get(from..end);
            }
        }
    }
}

/// The value of `name=value`. The names and values that matter have nothing to decode.
fn value_of_pair<'p>(pair: &'p [u8], field: &str) -> Option<&'p [u8]> {
    pair.strip_prefix(field.as_bytes())?.strip_prefix(b"=")
}

/// The content of a part, whose first line is the rest of the delimiter's.
fn value_of_part<'p>(part: &'p [u8], field: &str) -> Option<&'p [u8]> {
    let (head, content) = part.split_at_checked(memmem::find(part, b"\r\n\r\n")?)?;
    let head = std::str::from_utf8(head).ok()?;
    let is_it = head.split("\r\n").any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("content-disposition") && parameter(value, "name") == Some(field)
        })
    });
    if is_it { content.get(4..) } else { None }
}

/// The value of a parameter, without quotes.
fn parameter<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MULTIPART: &str = "multipart/form-data; boundary=\"xyz\"";

    /// What is found in a form that arrives in pieces of every size.
    fn found(content_type: &str, form: &str) -> Option<String> {
        let mut all = Vec::new();
        for size in 1..=form.len().max(1) {
            let mut finder = Finder::for_content_type(content_type, "csrf_token").unwrap();
            let mut found = None;
            for piece in form.as_bytes().chunks(size) {
                found = found.or_else(|| finder.feed(piece).map(<[u8]>::to_vec));
            }
            found = found.or_else(|| finder.end().map(<[u8]>::to_vec));
            all.push(found.map(|value| String::from_utf8(value).unwrap()));
        }
        all.dedup();
        assert_eq!(all.len(), 1, "{form:?} depends on how it is cut: {all:?}");
        all.remove(0)
    }

    #[test]
    fn the_field_is_found_however_the_form_is_cut() {
        let urlencoded = "application/x-www-form-urlencoded; charset=utf-8";
        for (form, value) in [
            ("csrf_token=abc", Some("abc")),
            ("a=b&csrf_token=abc&c=d", Some("abc")),
            ("csrf_token=&csrf_token=abc", Some("")),
            ("xcsrf_token=abc", None),
            ("a=csrf_token=abc", None),
            ("csrf_token", None),
            ("", None),
        ] {
            assert_eq!(found(urlencoded, form).as_deref(), value, "{form}");
        }
        let part = |disposition: &str, content: &str| {
            format!(
                "--xyz\r\nContent-Type: text/plain\r\ncontent-disposition: {disposition}\r\n\r\n{content}\r\n"
            )
        };
        let token = part("form-data; name=\"csrf_token\"", "abc");
        let file =
            part("form-data; name=\"file\"; filename=\"csrf_token\"", "\r\n--xy\r\n--\r\n\r\ncsrf_token");
        for (form, value) in [
            (format!("{token}--xyz--\r\n"), Some("abc")),
            (format!("preamble\r\n{file}{token}{file}--xyz--"), Some("abc")),
            (format!("{file}--xyz--\r\n"), None),
            (format!("--xyz--\r\n{}", "csrf_token=abc"), None),
            // Not complete: the content could go on.
            (token.clone(), None),
        ] {
            assert_eq!(found(MULTIPART, &form).as_deref(), value, "{form}");
        }
    }

    #[test]
    fn other_bodies_are_no_forms() {
        for content_type in ["application/json", "multipart/form-data", "multipart/mixed; boundary=a", ""] {
            assert!(Finder::for_content_type(content_type, "csrf_token").is_none(), "{content_type}");
        }
    }
}
