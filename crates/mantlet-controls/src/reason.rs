//! Why a request was refused: one variant a cause, each with a stable kebab-case code.
//!
//! The code is the same word in the response body, the audit record, the metrics and the docs. Codes are never
//! renamed; a test snapshots them all.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// The cause of a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason, in the order in which the pipeline can give them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code, in kebab case.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// What the reason means, in a sentence, as the docs say it.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+),)+
                }
            }
        }
    };
}

reasons! {
    /// The address is banned: it has had too many refusals (`[throttle.ban]`).
    ClientBanned = "client-banned",
    /// The request line is not `METHOD SP TARGET SP HTTP/1.x` (RFC 9112 section 3).
    RequestLineMalformed = "request-line-malformed",
    /// The request target has a form or a byte that a target may not have (RFC 9112 section 3.2).
    TargetMalformed = "target-malformed",
    /// The request target is longer than `limits.target-length`.
    TargetTooLong = "target-too-long",
    /// The method is CONNECT or TRACE, or one that Mantlet keeps for itself.
    MethodForbidden = "method-forbidden",
    /// A header line is malformed: its name, the colon, or a control character in its value (RFC 9110 section 5.5).
    HeaderMalformed = "header-malformed",
    /// A header line is folded onto a second line (RFC 9112 section 5.2).
    HeaderFolded = "header-folded",
    /// A line ends in a bare LF, or holds a bare CR (RFC 9112 section 2.2).
    LineEnding = "line-ending",
    /// The header section is larger than `limits.head-size`.
    HeadTooLarge = "head-too-large",
    /// There are more header lines than `limits.header-count`.
    HeaderCountExceeded = "header-count-exceeded",
    /// An HTTP/1.1 request has no Host header (RFC 9112 section 3.2).
    HostMissing = "host-missing",
    /// There is more than one Host header.
    HostRepeated = "host-repeated",
    /// The Host header is not a host name or address with an optional port.
    HostMalformed = "host-malformed",
    /// The host in the request target and the Host header disagree.
    HostMismatch = "host-mismatch",
    /// The Content-Length is not one decimal number.
    ContentLengthMalformed = "content-length-malformed",
    /// There is more than one Content-Length.
    ContentLengthRepeated = "content-length-repeated",
    /// Content-Length and Transfer-Encoding stand in the same request (RFC 9112 section 6.3).
    FramingConflict = "framing-conflict",
    /// The Transfer-Encoding is anything but `chunked`, once, in HTTP/1.1.
    TransferEncodingUnsupported = "transfer-encoding-unsupported",
    /// The chunked body is malformed (RFC 9112 section 7.1).
    ChunkMalformed = "chunk-malformed",
    /// A trailer carries a field that may only stand in a header section (RFC 9110 section 6.5.1).
    TrailerForbidden = "trailer-forbidden",
    /// The header section did not arrive within `limits.head-timeout`.
    HeadTimeout = "head-timeout",
    /// The body arrived more slowly than `limits.body-rate` for longer than `limits.body-grace`.
    BodyTimeout = "body-timeout",
    /// The body broke off: the client left, reset the stream, or (over HTTP/2) sent another length than it declared.
    BodyIncomplete = "body-incomplete",
    /// The connection sent more HTTP/2 frames that bring nothing, more resets, or more bytes of one header section than it may.
    Http2Flood = "http2-flood",
    /// The connection broke a rule of HTTP/2 that cannot be laid to one request alone (RFC 9113 section 5.4.1).
    Http2Malformed = "http2-malformed",
    /// The path holds a dot segment, plain or encoded.
    PathDotSegment = "path-dot-segment",
    /// The path holds a malformed percent-encoding, or bytes that are not UTF-8.
    PathEncoding = "path-encoding",
    /// The path is percent-encoded twice.
    PathDoubleEncoded = "path-double-encoded",
    /// The path holds an encoded control character.
    PathControlCharacter = "path-control-character",
    /// The path holds a backslash.
    PathBackslash = "path-backslash",
    /// The path begins with an empty segment.
    PathEmptySegment = "path-empty-segment",
    /// The path holds a path parameter (`;`).
    PathParameter = "path-parameter",
    /// The path holds a Unicode character that some software reads as `.`, `/` or `\`.
    PathLookalike = "path-lookalike",
    /// The host is not one of ours (`host.allow`).
    HostUnknown = "host-unknown",
    /// A request that changes something came unencrypted where HTTPS is required (`https.required`).
    HttpsRequired = "https-required",
    /// A preflight came from an origin that is not in `cors.origins`.
    CorsOriginDenied = "cors-origin-denied",
    /// A preflight asked for a method that is not in `cors.methods`.
    CorsMethodDenied = "cors-method-denied",
    /// A preflight asked for a request header that is not in `cors.headers`.
    CorsHeaderDenied = "cors-header-denied",
    /// A preflight came from a public network into a private one, which `cors.private-network` does not allow.
    CorsPrivateNetworkDenied = "cors-private-network-denied",
    /// A client, an account or another key of a rule has used up its rate (`[throttle]`).
    RateLimited = "rate-limited",
    /// A user, an API key or another key has used up a quota (`[[throttle.quota]]`).
    QuotaExceeded = "quota-exceeded",
    /// The store of shared counters does not answer: rules count as their `fail` says. No request is refused for it alone.
    StoreUnavailable = "store-unavailable",
    /// No route of the app has this path.
    RouteUnknown = "route-unknown",
    /// A route of the app has this path, but not for this method.
    RouteMethodUnknown = "route-method-unknown",
    /// The route is not in the app's document, or is the document itself.
    RouteHidden = "route-hidden",
    /// A foreign page sent this with the user's cookies, and its origin is not trusted (`csrf.trusted-origins`).
    CsrfCrossSite = "csrf-cross-site",
    /// A foreign page opened a WebSocket with the user's cookies, and its origin is not trusted (`csrf.trusted-origins`).
    WebsocketOriginDenied = "websocket-origin-denied",
    /// A request in the name of a session carried no token, where `csrf.token` asks for one.
    CsrfTokenMissing = "csrf-token-missing",
    /// The token is not the one in the cookie, or the cookie is not this session's.
    CsrfTokenInvalid = "csrf-token-invalid",
    /// The app does not get a header: other software writes it, or it may be taken for one that other software writes. Only recorded, once a name.
    HeaderRemoved = "header-removed",
    /// A parameter or the body does not fit what the app accepts.
    InputInvalid = "input-invalid",
    /// The body or the query has a name that the app does not know.
    InputUnknown = "input-unknown",
    /// The body could not be judged: it is larger than `contract.judged-size`, too deep, or costs too much.
    InputNotJudged = "input-not-judged",
    /// The JSON has more than one reading: a repeated key, `NaN`, half a surrogate pair, a byte order mark.
    JsonAmbiguous = "json-ambiguous",
    /// The JSON is nested deeper than Python can read.
    JsonTooDeep = "json-too-deep",
    /// A multipart form is malformed: its boundary, a part's headers, its end.
    MultipartMalformed = "multipart-malformed",
    /// A file in a form is larger than `uploads.file-size`.
    UploadTooLarge = "upload-too-large",
    /// A form has more files than `uploads.files`, or more fields than `uploads.fields`.
    UploadTooManyParts = "upload-too-many-parts",
    /// A file name in a form is a path, or no name at all (`uploads.unusual-names`).
    UploadNameForbidden = "upload-name-forbidden",
    /// A file's type is not one of `uploads.types`, or its content is not of that type.
    UploadTypeForbidden = "upload-type-forbidden",
    /// The Content-Encoding is not one that can be looked into, or there are several.
    ContentEncodingUnsupported = "content-encoding-unsupported",
    /// The body is not what its Content-Encoding says.
    ContentEncodingMalformed = "content-encoding-malformed",
    /// The body becomes more than `encoding.max-ratio` times larger when it is inflated.
    BodyBomb = "body-bomb",
    /// The body is larger than `limits.body-size`, as it comes or inflated.
    BodyTooLarge = "body-too-large",
    /// This address holds as many connections as `limits.connections-per-client` allows.
    TooManyConnections = "too-many-connections",
    /// A WebSocket message is larger than `limits.websocket-message`; the connection is closed with code 1009.
    WebsocketMessageTooLarge = "websocket-message-too-large",
    /// The connection did not begin with a PROXY protocol header, which `client.proxy-protocol` asks for.
    ProxyHeaderMalformed = "proxy-header-malformed",
    /// The app has as many requests in hand as `app.max-concurrent` allows.
    AppBusy = "app-busy",
    /// The app is not running or does not accept connections.
    AppUnavailable = "app-unavailable",
    /// The app closed the connection before it answered.
    AppClosed = "app-closed",
    /// The app answered something that is not HTTP.
    AppInvalidResponse = "app-invalid-response",
    /// The app did not answer within `app.response-timeout`.
    AppTimeout = "app-timeout",
    /// An answer has a field that the declared response model does not have (`responses`). It is cut out, or only recorded.
    ResponseFieldUnknown = "response-field-unknown",
    /// An answer has a field with the name of a secret (`responses`). It is cut out, or only recorded.
    ResponseFieldSensitive = "response-field-sensitive",
    /// A JSON answer was too large to be looked into, or in an encoding that is not known. Only recorded.
    ResponseNotJudged = "response-not-judged",
    /// The app failed: what it answered may tell of its inside, and the client got this instead.
    AppErrorHidden = "app-error-hidden",
    /// A cookie of the app lacks `Secure`, `HttpOnly` or `SameSite` (`cookies`). Only recorded, or mended; nothing is refused for it.
    CookieAttributesMissing = "cookie-attributes-missing",
    /// Mantlet itself failed. This is a defect; please report it.
    InternalError = "internal-error",
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(crate::response::detail(*self))
    }
}

impl std::error::Error for Reason {}

#[cfg(test)]
mod tests {
    use super::Reason;

    /// Codes are an interface: dashboards and clients compare them. Change this list only to add to it.
    #[test]
    fn codes_are_stable() {
        let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(
            codes,
            [
                "client-banned",
                "request-line-malformed",
                "target-malformed",
                "target-too-long",
                "method-forbidden",
                "header-malformed",
                "header-folded",
                "line-ending",
                "head-too-large",
                "header-count-exceeded",
                "host-missing",
                "host-repeated",
                "host-malformed",
                "host-mismatch",
                "content-length-malformed",
                "content-length-repeated",
                "framing-conflict",
                "transfer-encoding-unsupported",
                "chunk-malformed",
                "trailer-forbidden",
                "head-timeout",
                "body-timeout",
                "body-incomplete",
                "http2-flood",
                "http2-malformed",
                "path-dot-segment",
                "path-encoding",
                "path-double-encoded",
                "path-control-character",
                "path-backslash",
                "path-empty-segment",
                "path-parameter",
                "path-lookalike",
                "host-unknown",
                "https-required",
                "cors-origin-denied",
                "cors-method-denied",
                "cors-header-denied",
                "cors-private-network-denied",
                "rate-limited",
                "quota-exceeded",
                "store-unavailable",
                "route-unknown",
                "route-method-unknown",
                "route-hidden",
                "csrf-cross-site",
                "websocket-origin-denied",
                "csrf-token-missing",
                "csrf-token-invalid",
                "header-removed",
                "input-invalid",
                "input-unknown",
                "input-not-judged",
                "json-ambiguous",
                "json-too-deep",
                "multipart-malformed",
                "upload-too-large",
                "upload-too-many-parts",
                "upload-name-forbidden",
                "upload-type-forbidden",
                "content-encoding-unsupported",
                "content-encoding-malformed",
                "body-bomb",
                "body-too-large",
                "too-many-connections",
                "websocket-message-too-large",
                "proxy-header-malformed",
                "app-busy",
                "app-unavailable",
                "app-closed",
                "app-invalid-response",
                "app-timeout",
                "response-field-unknown",
                "response-field-sensitive",
                "response-not-judged",
                "app-error-hidden",
                "cookie-attributes-missing",
                "internal-error",
            ]
        );
    }
}
