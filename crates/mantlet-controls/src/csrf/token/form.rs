//! The token in a form, found while the form arrives. Every byte is looked at once, however small the pieces are.

use memchr::memmem;

/// Longest piece of a form in which the token must stand. Larger fields, such as uploads, must come
/// after it.
pub(super) const READ_AHEAD: usize = 64 << 10;

/// Looks for one field of a form.
#[derive(Debug)]
pub(super) struct Finder<'f> {
    kind: Kind,
    field: &'f str,
    /// Where the incomplete pair or part begins.
    begin: usize,
    /// The position up to which its end was searched.
    searched: usize,
}

#[derive(Debug)]
enum Kind {
    Urlencoded,
    Multipart {
        /// The delimiter between parts: CR LF, two hyphens, the boundary.
        delimiter: Vec<u8>,
        /// Whether the first delimiter, which may come without a CR LF, has been handled.
        begun: bool,
    },
}

impl<'f> Finder<'f> {
    /// For a body of this type; `None` if it is not a form.
    pub(super) fn for_content_type(content_type: &str, field: &'f str) -> Option<Self> {
        let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let essence = essence.trim();
        let kind = if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Kind::Urlencoded
        } else if essence.eq_ignore_ascii_case("multipart/form-data") {
            let boundary = parameter(parameters, "boundary").filter(|text| !text.is_empty())?;
            Kind::Multipart { delimiter: format!("\r\n--{boundary}").into_bytes(), begun: false }
        } else {
            return None;
        };
        Some(Self { kind, field, begin: 0, searched: 0 })
    }

    /// The field's value, if it has arrived completely; `ended` if no more bytes will come.
    pub(super) fn find<'b>(&mut self, form: &'b [u8], ended: bool) -> Option<&'b [u8]> {
        if let Kind::Multipart { delimiter, begun: begun @ false } = &mut self.kind {
            let first = delimiter.get(2..).unwrap_or_default();
            if form.len() < first.len() {
                return None;
            }
            *begun = true;
            if form.starts_with(first) {
                (self.begin, self.searched) = (first.len(), first.len());
            }
        }
        let separator: &[u8] = match &self.kind {
            Kind::Urlencoded => b"&",
            Kind::Multipart { delimiter, .. } => delimiter,
        };
        loop {
            let found = memmem::find(form.get(self.searched..)?, separator).map(|at| at + self.searched);
            let end = match (found, &self.kind) {
                (Some(end), _) => end,
                (None, Kind::Urlencoded) if ended && self.begin < form.len() => form.len(),
                (None, _) => {
                    // The separator may be cut in two.
                    self.searched = form.len().saturating_sub(separator.len() - 1).max(self.searched);
                    return None;
                }
            };
            let piece = form.get(self.begin..end)?;
            self.begin = end + separator.len();
            self.searched = self.begin;
            let value = match self.kind {
                Kind::Urlencoded => value_of_pair(piece, self.field),
                Kind::Multipart { .. } => value_of_part(piece, self.field),
            };
            if value.is_some() {
                return value;
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
            let found =
                (size..form.len()).step_by(size).find_map(|end| finder.find(&form.as_bytes()[..end], false));
            let found = found.or_else(|| finder.find(form.as_bytes(), true));
            all.push(found.map(|value| String::from_utf8(value.to_vec()).unwrap()));
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
