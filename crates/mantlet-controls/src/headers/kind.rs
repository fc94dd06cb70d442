use http::{HeaderMap, header};

/// What an answer is, from its Content-Type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON, text, events, no content: nothing a browser should render.
    Data,
    /// FastAPI's documentation pages.
    Docs,
    /// The documentation page in which a login pop-up ends.
    DocsPopup,
    /// The app's own HTML.
    Page,
    /// Images, sound, video, fonts, scripts, styles, PDF, downloads: meant to be embedded.
    Media,
    /// An image that can carry scripts.
    Svg,
}

impl Kind {
    /// From the Content-Type alone; an HTML page counts as the app's own.
    pub fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(header::CONTENT_TYPE) else { return Self::Data };
        let essence = essence(value.as_bytes());
        let starts = |prefix: &str| {
            essence.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        if is("application/json") {
            Self::Data
        } else if is("text/html") || is("application/xhtml+xml") {
            Self::Page
        } else if is("image/svg+xml") {
            Self::Svg
        } else if starts("image/")
            || starts("video/")
            || starts("audio/")
            || starts("font/")
            || is("text/css")
            || is("text/javascript")
            || is("application/javascript")
            || is("application/pdf")
            || is("application/wasm")
            || is("application/octet-stream")
        {
            Self::Media
        } else {
            Self::Data
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
