use http::{HeaderMap, header};

/// What an answer is, from its Content-Type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON, text, events: nothing that a browser should render, or that an element of a page loads.
    Data,
    /// XML: a browser may show it by a style sheet.
    Xml,
    /// It does not say. A browser looks at its bytes.
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

/// Types of data beside text and JSON. No element loads them.
const DATA: [&str; 20] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/jsonlines",
    "application/json-seq",
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

/// Texts that elements load: styles, scripts, captions.
const LOADED_TEXTS: [&str; 6] =
    ["text/css", "text/javascript", "text/ecmascript", "text/jscript", "text/vtt", "text/x-component"];

/// XML that a player loads, and JSON that a page does.
const LOADED_OTHERS: [&str; 3] =
    ["application/dash+xml", "application/vnd.ms-sstr+xml", "application/manifest+json"];

impl Kind {
    /// From the Content-Type alone; an HTML page counts as the app's own.
    pub fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(header::CONTENT_TYPE) else { return Self::Untyped };
        let essence = essence(value.as_bytes());
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        let starts = |prefix: &str| {
            essence.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        let ends = |suffix: &str| {
            let at = essence.len().checked_sub(suffix.len());
            at.and_then(|at| essence.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
        };
        if is("application/json") {
            Self::Data
        } else if is("text/html") || is("application/xhtml+xml") {
            Self::Page
        } else if is("image/svg+xml") {
            Self::Svg
        } else if LOADED_OTHERS.iter().any(|name| is(name)) || LOADED_TEXTS.iter().any(|name| is(name)) {
            Self::Media
        } else if ends("+xml") || ends("/xml") {
            Self::Xml
        } else if ends("+json") || ends("/json") || starts("text/") || DATA.iter().any(|name| is(name)) {
            Self::Data
        } else {
            Self::Media
        }
    }
}

/// Whether the answer is JSON, `application/problem+json` and the like included.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let essence = essence(value.as_bytes());
        let ends = |end: &[u8]| {
            essence.len() >= end.len()
                && essence.get(essence.len() - end.len()..).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        ends(b"/json") || ends(b"+json")
    })
}

/// The media type without its parameters.
fn essence(value: &[u8]) -> &[u8] {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    value.get(..end).unwrap_or_default().trim_ascii()
}
