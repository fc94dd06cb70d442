//! Fields of a form that no input takes, and the bytes in which they stand.

use std::collections::HashSet;
use std::ops::Range;

use super::{Body, Received, Run, body, content_type};
use crate::model::{Extra, Location, Operation, Take};
use crate::multipart;
use crate::shape::{ObjectRule, Shape, Shapes};

impl Run<'_, '_> {
    /// Fields that no input takes. None are told if it is not certain which bytes are theirs.
    pub(super) fn outside_form(&self, operation: &Operation) -> Option<Vec<(String, Range<usize>)>> {
        let (Received::Form(form), Body::Whole(bytes)) = (&self.received, self.request.body) else {
            return None;
        };
        let mut taken: HashSet<&str> = HashSet::new();
        let mut models = Vec::new();
        for input in operation.inputs.iter().filter(|input| input.location == Location::Body) {
            match &input.take {
                Take::Field { names, .. } => taken.extend(names.iter().map(String::as_str)),
                Take::Group { fields, .. } => {
                    let model =
                        model(self.shapes, input.shape.0).filter(|model| model.extra == Extra::Ignore)?;
                    taken.extend(fields.iter().flat_map(|field| &field.names).map(|(_, name)| name.as_str()));
                    models.push(model);
                }
                Take::Whole => return None,
            }
        }
        let is_taken = |name: &str| {
            taken.contains(name)
                || models.iter().any(|model| model.keys.contains_key(name) || model.names.contains(name))
        };
        if form.items.iter().all(|(name, _)| is_taken(name)) {
            return None;
        }
        let content_type = content_type(self.request).unwrap_or_default();
        let spans = match body::media_type(content_type).as_slice() {
            b"application/x-www-form-urlencoded" => pairs(bytes)?,
            _ => multipart::spans(content_type, bytes)?,
        };
        if spans.len() != form.items.len() {
            return None;
        }
        let fields = form.items.iter().zip(spans);
        Some(
            fields
                .filter(|((name, _), _)| !is_taken(name))
                .map(|((name, _), span)| (name.to_string(), span))
                .collect(),
        )
    }
}

/// Where each pair of a urlencoded form stands, with the `&` after it.
fn pairs(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
    // Some versions of python-multipart take it for a separator, too.
    if memchr::memchr(b';', bytes).is_some() {
        return None;
    }
    let mut spans = Vec::new();
    let mut start = 0;
    for pair in bytes.split(|byte| *byte == b'&') {
        let end = start + pair.len();
        if !pair.is_empty() {
            spans.push(start..(end + 1).min(bytes.len()));
        }
        start = end + 1;
    }
    Some(spans)
}

/// The body of a form without these fields. None if nothing would be left of a multipart form, which not every reader takes for empty.
pub fn without(body: &[u8], fields: &[Range<usize>], is_multipart: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    let mut from = 0;
    for field in fields {
        out.extend_from_slice(body.get(from..field.start).unwrap_or_default());
        from = field.end;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    if is_multipart {
        // Parts follow each other without a gap: what is left begins with the closing boundary.
        let first = fields.first()?;
        let adjoin = fields.windows(2).all(|pair| matches!(pair, [one, next] if one.end == next.start));
        let all = adjoin && body.get(from..).is_some_and(|rest| is_closing(rest, body, first.start));
        return (!all).then_some(out);
    }
    if body.last() != Some(&b'&') && out.last() == Some(&b'&') {
        out.pop();
    }
    Some(out)
}

/// Whether nothing but the closing boundary is left after all parts, the first of which begins here.
fn is_closing(rest: &[u8], body: &[u8], first: usize) -> bool {
    let line =
        body.get(first..).and_then(|parts| parts.split(|byte| *byte == b'\r').next()).unwrap_or_default();
    let is_first =
        body.get(..first).is_some_and(|before| before.iter().all(|byte| matches!(byte, b'\r' | b'\n')));
    is_first && rest.strip_prefix(line).is_some_and(|end| end.starts_with(b"--"))
}

/// The model behind nullables and the like; none if it is something else.
fn model(shapes: &Shapes, shape: u32) -> Option<&ObjectRule> {
    let mut shape = shape;
    for _ in 0..20 {
        match shapes.get(shape) {
            Shape::Nullable(inner) | Shape::Transparent(inner) | Shape::Then(inner) => shape = *inner,
            Shape::Object(rule) => return Some(rule),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_go_with_their_separator() {
        for (body, cut, expected) in [
            ("a=1&b=2&c=3", &[0][..], "b=2&c=3"),
            ("a=1&b=2&c=3", &[1], "a=1&c=3"),
            ("a=1&b=2&c=3", &[2], "a=1&b=2"),
            ("a=1&b=2&c=3", &[1, 2], "a=1"),
            ("a=1&b=2&c=3", &[0, 1, 2], ""),
            ("a=1&&b=2&", &[1], "a=1&&"),
            ("&&a", &[0], "&"),
        ] {
            let spans = pairs(body.as_bytes()).unwrap();
            let cut: Vec<_> = cut.iter().map(|at| spans[*at].clone()).collect();
            let left = without(body.as_bytes(), &cut, false).unwrap();
            assert_eq!(String::from_utf8(left).unwrap(), expected, "{body}");
        }
        assert_eq!(pairs(b"a=1;b=2&c"), None);
    }

    #[test]
    fn parts_go_whole() {
        let part = |name: &str| {
            format!("--sep\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{name}\r\n")
        };
        let kind = b"multipart/form-data; boundary=sep";
        let body = |names: &[&str]| names.iter().map(|name| part(name)).collect::<String>() + "--sep--\r\n";
        let all = body(&["a", "b", "c"]);
        let spans = multipart::spans(kind, all.as_bytes()).unwrap();
        assert_eq!(spans.len(), 3);
        for (cut, left) in
            [(&[0][..], &["b", "c"][..]), (&[1], &["a", "c"]), (&[2], &["a", "b"]), (&[0, 2], &["b"])]
        {
            let cut: Vec<_> = cut.iter().map(|at: &usize| spans[*at].clone()).collect();
            let left = body(left);
            assert_eq!(without(all.as_bytes(), &cut, true).unwrap(), left.as_bytes());
            assert!(multipart::read(kind, left.as_bytes()).is_some());
        }
        assert_eq!(without(all.as_bytes(), &spans, true), None, "nothing would be left");
        assert_eq!(multipart::spans(kind, b"--sep--\r\n"), Some(Vec::new()));
        assert_eq!(multipart::spans(kind, b"x"), None);
    }
}
