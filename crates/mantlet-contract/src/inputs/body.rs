//! How a body is read.

use crate::model::BodyKind;

/// What FastAPI makes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// As if there were none.
    Nothing,
    Json,
    Bytes,
    UrlEncoded,
    Multipart,
    /// The app decides.
    Unsure,
}

/// As FastAPI's request handler decides; `strict` is `strict_content_type` wherever the app has not set it.
pub(super) fn reading(kind: &BodyKind, content_type: Option<&[u8]>, empty: bool, strict: bool) -> Reading {
    match kind {
        BodyKind::None => Reading::Nothing,
        BodyKind::Opaque => Reading::Unsure,
        BodyKind::Json { .. } if empty => Reading::Nothing,
        BodyKind::Json { strict_content_type } => match content_type.unwrap_or_default() {
            [] if *strict_content_type || strict => Reading::Bytes,
            [] => Reading::Json,
            // `email.message` has its own ways with these.
            given if !given.is_ascii() => Reading::Unsure,
            given if is_json(given) => Reading::Json,
            _ => Reading::Bytes,
        },
        BodyKind::Form { .. } => match media_type(content_type.unwrap_or_default()).as_slice() {
            b"application/x-www-form-urlencoded" => Reading::UrlEncoded,
            b"multipart/form-data" => Reading::Multipart,
            _ => Reading::Nothing,
        },
    }
}

pub(super) fn media_type(content_type: &[u8]) -> Vec<u8> {
    content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase()
}

/// `application/json` or `application/…+json`.
fn is_json(content_type: &[u8]) -> bool {
    let media_type = media_type(content_type);
    let Some(subtype) = media_type.strip_prefix(b"application/") else { return false };
    !subtype.contains(&b'/') && (subtype == b"json" || subtype.ends_with(b"+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_says_so() {
        let kind = BodyKind::Json { strict_content_type: true };
        for (content_type, expected) in [
            (Some("application/json"), Reading::Json),
            (Some(" Application/JSON ; charset=utf-8"), Reading::Json),
            (Some("application/vnd.api+json"), Reading::Json),
            (Some("application/json/x"), Reading::Bytes),
            (Some("text/json"), Reading::Bytes),
            (Some("application/jsonx"), Reading::Bytes),
            (Some(""), Reading::Bytes),
            (None, Reading::Bytes),
        ] {
            assert_eq!(
                reading(&kind, content_type.map(str::as_bytes), false, false),
                expected,
                "{content_type:?}"
            );
        }
        let lenient = BodyKind::Json { strict_content_type: false };
        assert_eq!(reading(&lenient, None, false, false), Reading::Json);
        assert_eq!(reading(&lenient, None, false, true), Reading::Bytes);
        assert_eq!(reading(&kind, None, true, true), Reading::Nothing);
    }
}
