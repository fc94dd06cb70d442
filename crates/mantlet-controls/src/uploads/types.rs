//! Declared and sniffed types of files.

use infer::MatcherType;

/// Bytes at a file's start by which its type is known.
pub(super) const SNIFFED: usize = 1024;

/// `image/*` or `application/pdf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Reads one.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (kind, subtype) = text.split_once('/')?;
        let is_token = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        (is_token(kind) && (is_token(subtype) || subtype == "*"))
            .then(|| Self(text.to_ascii_lowercase().into()))
    }

    /// Whether it names a type, which is in lower case. Browsers run XML as a page, so it must be
    /// named explicitly.
    pub(super) fn matches(&self, essence: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(kind) => essence.starts_with(kind) && !essence.ends_with("+xml"),
            None => *self.0 == *essence,
        }
    }
}

/// The type without its parameters, in lower case; none if it says nothing.
pub(super) fn essence(content_type: Option<&[u8]>) -> Option<String> {
    let text = content_type?.split(|byte| *byte == b';').next().unwrap_or_default();
    let text = String::from_utf8_lossy(text.trim_ascii()).to_ascii_lowercase();
    (!text.is_empty() && text != "application/octet-stream").then_some(text)
}

/// The type by a file's first bytes.
pub(super) fn sniff(head: &[u8]) -> Option<&'static str> {
    Some(infer::get(head)?.mime_type())
}

/// What kind of content it is; types within one are not told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Image,
    Media,
    Font,
    Pdf,
    /// Office documents are archives.
    Archive,
    Text,
    /// HTML, XML, SVG.
    Markup,
    Program,
}

/// Whether it is a page. Comments say nothing: SVG and Markdown begin with them, too.
fn is_page(head: &[u8]) -> bool {
    let mut rest = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    while let Some(comment) = rest.strip_prefix(b"<!--") {
        // If a long comment hides the rest, assume the worst.
        let Some(end) = memchr::memmem::find(comment, b"-->") else { return true };
        rest = comment.get(end + 3..).unwrap_or_default().trim_ascii_start();
    }
    sniff(rest) == Some("text/html")
}

/// Whether a file is obviously something else than it is declared to be.
pub(super) fn contradicts(declared: &str, head: &[u8]) -> bool {
    // Markdown holds HTML by its nature.
    if !matches!(declared, "text/html" | "application/xhtml+xml" | "text/markdown") && is_page(head) {
        return true;
    }
    let Some(class) = declared_class(declared) else { return false };
    let found = sniffed_class(head);
    match (class, found) {
        // PDF may begin with other bytes.
        (Class::Pdf, _) => memchr::memmem::find(head, b"%PDF-").is_none(),
        (Class::Text, Some(Class::Markup)) => false,
        // Some signatures are words: `BMW` begins as a bitmap does.
        (Class::Text, Some(_)) => is_binary(head),
        // A type that always has a signature, in a file without one.
        (Class::Image | Class::Archive, None) => infer::is_mime_supported(declared),
        (_, None) => false,
        (class, Some(found)) => class != found,
    }
}

fn declared_class(declared: &str) -> Option<Class> {
    let (kind, subtype) = declared.split_once('/')?;
    Some(match (kind, subtype) {
        (_, "html" | "xml" | "xhtml+xml" | "svg+xml") => Class::Markup,
        (_, subtype) if subtype.ends_with("+xml") => Class::Markup,
        ("image", _) => Class::Image,
        ("audio" | "video", _) => Class::Media,
        ("font", _) => Class::Font,
        ("text", _) | ("application", "json" | "x-ndjson" | "yaml") => Class::Text,
        (_, subtype) if subtype.ends_with("+json") => Class::Text,
        ("application", "pdf") => Class::Pdf,
        ("application", "zip" | "x-zip-compressed" | "gzip" | "x-gzip" | "x-7z-compressed" | "vnd.rar") => {
            Class::Archive
        }
        ("application", subtype)
            if subtype.starts_with("vnd.openxmlformats-officedocument.")
                || subtype.starts_with("vnd.oasis.opendocument.") =>
        {
            Class::Archive
        }
        _ => return None,
    })
}

fn sniffed_class(head: &[u8]) -> Option<Class> {
    let found = infer::get(head)?;
    Some(match (found.matcher_type(), found.mime_type()) {
        (_, "application/pdf") => Class::Pdf,
        (_, "application/x-x509-ca-cert") => Class::Text,
        (MatcherType::Image, _) => Class::Image,
        (MatcherType::Audio | MatcherType::Video, _) => Class::Media,
        (MatcherType::Font, _) => Class::Font,
        (MatcherType::Archive | MatcherType::Doc | MatcherType::Book, _) => Class::Archive,
        (MatcherType::Text, "text/html" | "text/xml") => Class::Markup,
        (MatcherType::Text | MatcherType::App, _) => Class::Program,
        (MatcherType::Custom, _) => return None,
    })
}

/// Bytes that no text has (WHATWG MIME sniffing, section 3); UTF-16 begins with a mark.
fn is_binary(head: &[u8]) -> bool {
    let has_mark = head.starts_with(b"\xFE\xFF") || head.starts_with(b"\xFF\xFE");
    !has_mark && head.iter().any(|byte| matches!(byte, 0..=8 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR";
    const ELF: &[u8] = b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const EXE: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xFF\xFF";
    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\x08\0";

    #[test]
    fn types_that_contradict() {
        for (declared, head, expected) in [
            ("image/png", PNG, false),
            ("image/jpeg", PNG, false),
            ("image/png", &b"<html><script>alert(1)</script>"[..], true),
            ("image/png", ELF, true),
            ("image/png", EXE, true),
            ("image/png", b"GIF89a\x01\0", false),
            ("image/png", b"just text", true),
            ("image/x-unheard-of", b"just text", false),
            ("image/svg+xml", b"<!-- made by x --><svg xmlns='...'>", false),
            ("image/svg+xml", b"<svg xmlns='...'>", false),
            ("image/svg+xml", PNG, true),
            ("image/svg+xml", b"<!DOCTYPE html><script>alert(1)</script>", true),
            ("image/svg+xml", b"<!-- --> <!-- x --><script>alert(1)</script>", true),
            ("image/svg+xml", b"\xEF\xBB\xBF<html><script>alert(1)</script>", true),
            ("image/svg+xml", b"<!-- a comment that does not end", true),
            ("image/x-unheard-of", b"<html><p>", true),
            ("application/xml", b"<html><p>", true),
            ("application/x-unheard-of", b"<html><p>", true),
            ("text/html", b"<html><p>", false),
            ("application/xhtml+xml", b"<html lang=en xmlns=...>", false),
            ("text/plain", b"<?xml version='1.0'?>", false),
            ("application/pdf", b"%PDF-1.7", false),
            ("application/pdf", b"\r\n\r\n%PDF-1.4", false),
            ("application/pdf", b"MZ\x90\0", true),
            ("text/plain", b"BMW, Audi", false),
            ("text/plain", b"plain", false),
            ("text/plain", b"<!DOCTYPE html><p>", true),
            ("text/markdown", b"<p align=center>", false),
            ("text/csv", EXE, true),
            ("text/plain", b"\xFF\xFEa\0", false),
            ("application/json", b"{}", false),
            ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ZIP, false),
            ("application/zip", ZIP, false),
            ("application/zip", b"nothing of the kind", true),
            ("application/x-msdownload", EXE, false),
            ("video/mp4", b"\0\0\0\x18ftypisom", false),
            ("audio/mp4", b"\0\0\0\x18ftypisom", false),
        ] {
            let shown = String::from_utf8_lossy(head);
            assert_eq!(contradicts(declared, head), expected, "{declared} {shown}");
        }
    }

    #[test]
    fn patterns() {
        let image = Pattern::of("Image/*").unwrap();
        assert!(image.matches("image/png") && !image.matches("images/png"));
        assert!(
            !image.matches("image/svg+xml") && Pattern::of("image/svg+xml").unwrap().matches("image/svg+xml")
        );
        assert!(Pattern::of("application/pdf").unwrap().matches("application/pdf"));
        assert!(
            ["*", "image", "image/", "image/*x", "*/*", "a b/c"]
                .iter()
                .all(|text| Pattern::of(text).is_none())
        );
    }
}
