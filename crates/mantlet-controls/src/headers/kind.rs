use http::HeaderMap;

use crate::message::media_type::{JSON_SEQUENCES, MediaType};

/// The kind of a response, from its Content-Type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON, text, events: browsers should not render them, and elements of a page do not load
    /// them.
    Data,
    /// XML: a browser may show it by a style sheet.
    Xml,
    /// Not declared. A browser guesses from the bytes.
    Untyped,
    /// FastAPI's documentation pages.
    Docs,
    /// The documentation page in which a login pop-up ends.
    DocsPopup,
    /// The app's own HTML.
    Page,
    /// Whatever else an element of a page may load: images, sound, video and streams of them, fonts, scripts, styles, PDF, downloads.
    Media,
    /// An image that can carry scripts.
    Svg,
}

/// Types of data beside text, JSON and sequences of it. No element loads them.
const DATA: [&str; 14] = [
    "application/yaml",
    "application/x-yaml",
    "application/toml",
    "application/graphql",
    "application/sql",
    "application/msgpack",
    "application/x-msgpack",
    "application/vnd.msgpack",
    "application/cbor",
    "application/protobuf",
    "application/x-protobuf",
    "application/grpc",
    "application/x-www-form-urlencoded",
    "application/jwt",
];

/// Text types that elements load: styles, scripts, captions.
const LOADED_TEXTS: [&str; 6] =
    ["text/css", "text/javascript", "text/ecmascript", "text/jscript", "text/vtt", "text/x-component"];

/// XML that a player loads, and JSON that a page loads.
const LOADED_OTHERS: [&str; 3] =
    ["application/dash+xml", "application/vnd.ms-sstr+xml", "application/manifest+json"];

impl Kind {
    /// From the Content-Type alone; an HTML page counts as the app's own.
    pub fn of(headers: &HeaderMap) -> Self {
        let Some(kind) = MediaType::of(headers) else { return Self::Untyped };
        if kind.is("application/json") {
            Self::Data
        } else if kind.is("text/html") || kind.is("application/xhtml+xml") {
            Self::Page
        } else if kind.is("image/svg+xml") {
            Self::Svg
        } else if kind.is_among(&LOADED_OTHERS) || kind.is_among(&LOADED_TEXTS) {
            Self::Media
        } else if kind.ends_with("+xml") || kind.ends_with("/xml") {
            Self::Xml
        } else if kind.is_json()
            || kind.starts_with("text/")
            || kind.is_among(&JSON_SEQUENCES)
            || kind.is_among(&DATA)
        {
            Self::Data
        } else {
            Self::Media
        }
    }
}
