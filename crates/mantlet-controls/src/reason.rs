//! Why a request was refused: one variant a cause, each with a stable kebab-case code.
//!
//! The code is the same word in the response body, the audit record, the metrics and the docs. Codes are never
//! renamed; a test snapshots them all. All that follows from a reason stands in one table, and docs/reasons.md is checked against it.

use http::StatusCode;

/// What follows from a reason, beside its status. What is not said in the table does not hold.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "a row of a table, each a question of its own")]
struct Traits {
    /// The connection can carry another request. It cannot if the end of the refused one is unknown.
    keeps_open: bool,
    /// A page's own code reads this refusal and acts by it, as it would by the app's own answer.
    for_pages: bool,
    /// It is for how much a client asks, and not for what.
    about_amounts: bool,
    /// The client is not to blame: a foreign page has made its browser send this (or any page could have its visitors shut out), its
    /// network is slow, or it has been refused as banned.
    blameless: bool,
    /// The app cannot have seen the request.
    unseen: bool,
}

impl Traits {
    const NONE: Self =
        Self { keeps_open: false, for_pages: false, about_amounts: false, blameless: false, unseen: false };
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $status:ident, [$($held:ident),*], $detail:literal;)+) => {
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

            /// The status that it leads to.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)+
                }
            }

            /// What the client reads: what is wrong and, where it helps, what to do. Never a value from the request.
            pub const fn detail(self) -> &'static str {
                match self {
                    $(Self::$name => $detail,)+
                }
            }

            /// What the reason means, in a sentence, as the docs say it.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+),)+
                }
            }

            const fn traits(self) -> Traits {
                match self {
                    $(Self::$name => Traits { $($held: true,)* ..Traits::NONE },)+
                }
            }
        }
    };
}

reasons! {
    /// The address is banned: it has had too many refusals (`[throttle.ban]`).
    ClientBanned = "client-banned", FORBIDDEN, [keeps_open, about_amounts, blameless],
        "This address is temporarily banned after too many refused requests. Try again after `Retry-After`, or ask the operator to lift the ban";
    /// The request line is not `METHOD SP TARGET SP HTTP/1.x` (RFC 9112 section 3).
    RequestLineMalformed = "request-line-malformed", BAD_REQUEST, [],
        "Malformed request line: expected `METHOD /path HTTP/1.1`";
    /// The request target has a form or a byte that a target may not have (RFC 9112 section 3.2).
    TargetMalformed = "target-malformed", BAD_REQUEST, [],
        "Malformed request target: percent-encode characters that a URL may not contain";
    /// The request target is longer than `limits.target-length`.
    TargetTooLong = "target-too-long", URI_TOO_LONG, [],
        "Request target too long";
    /// The method is CONNECT or TRACE, or one that Mantlet keeps for itself.
    MethodForbidden = "method-forbidden", METHOD_NOT_ALLOWED, [keeps_open],
        "Method not allowed";
    /// A header line is malformed: its name, the colon, or a control character in its value (RFC 9110 section 5.5).
    HeaderMalformed = "header-malformed", BAD_REQUEST, [],
        "Malformed header: expected `Name: value` without control characters";
    /// A header line is folded onto a second line (RFC 9112 section 5.2).
    HeaderFolded = "header-folded", BAD_REQUEST, [],
        "Malformed header: a value may not continue on the next line";
    /// A line ends in a bare LF, or holds a bare CR (RFC 9112 section 2.2).
    LineEnding = "line-ending", BAD_REQUEST, [],
        "Malformed request: lines end in CR LF";
    /// The header section is larger than `limits.head-size`.
    HeadTooLarge = "head-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, [],
        "Request headers too large";
    /// There are more header lines than `limits.header-count`.
    HeaderCountExceeded = "header-count-exceeded", REQUEST_HEADER_FIELDS_TOO_LARGE, [],
        "Too many request headers";
    /// An HTTP/1.1 request has no Host header (RFC 9112 section 3.2).
    HostMissing = "host-missing", BAD_REQUEST, [],
        "Missing Host header";
    /// There is more than one Host header.
    HostRepeated = "host-repeated", BAD_REQUEST, [],
        "More than one Host header";
    /// The Host header is not a host name or address with an optional port.
    HostMalformed = "host-malformed", BAD_REQUEST, [],
        "Malformed Host header: expected `host` or `host:port`";
    /// The host in the request target and the Host header disagree.
    HostMismatch = "host-mismatch", BAD_REQUEST, [],
        "The request target and the Host header name different hosts";
    /// The Content-Length is not one decimal number.
    ContentLengthMalformed = "content-length-malformed", BAD_REQUEST, [],
        "Malformed Content-Length: expected one decimal number";
    /// There is more than one Content-Length.
    ContentLengthRepeated = "content-length-repeated", BAD_REQUEST, [],
        "More than one Content-Length header";
    /// Content-Length and Transfer-Encoding stand in the same request (RFC 9112 section 6.3).
    FramingConflict = "framing-conflict", BAD_REQUEST, [],
        "Content-Length and Transfer-Encoding exclude each other";
    /// The Transfer-Encoding is anything but `chunked`, once, in HTTP/1.1.
    TransferEncodingUnsupported = "transfer-encoding-unsupported", BAD_REQUEST, [],
        "Unsupported Transfer-Encoding: only `chunked`, once, over HTTP/1.1";
    /// The chunked body is malformed (RFC 9112 section 7.1).
    ChunkMalformed = "chunk-malformed", BAD_REQUEST, [],
        "Malformed chunked body";
    /// A trailer carries a field that may only stand in a header section (RFC 9110 section 6.5.1).
    TrailerForbidden = "trailer-forbidden", BAD_REQUEST, [],
        "Malformed chunked body: a trailer may not carry this field";
    /// The header section did not arrive within `limits.head-timeout`.
    HeadTimeout = "head-timeout", REQUEST_TIMEOUT, [],
        "The request headers took too long to arrive";
    /// The body arrived more slowly than `limits.body-rate` for longer than `limits.body-grace`.
    BodyTimeout = "body-timeout", REQUEST_TIMEOUT, [],
        "The request body took too long to arrive";
    /// The body broke off: the client left, reset the stream, or (over HTTP/2) sent another length than it declared.
    BodyIncomplete = "body-incomplete", BAD_REQUEST, [blameless],
        "The request body broke off";
    /// The connection sent more HTTP/2 frames that bring nothing, more resets, or more bytes of one header section than it may.
    Http2Flood = "http2-flood", TOO_MANY_REQUESTS, [],
        "Too many HTTP/2 control or empty frames";
    /// The connection broke a rule of HTTP/2 that cannot be laid to one request alone (RFC 9113 section 5.4.1).
    Http2Malformed = "http2-malformed", BAD_REQUEST, [],
        "Malformed HTTP/2";
    /// The path holds a dot segment, plain or encoded.
    PathDotSegment = "path-dot-segment", BAD_REQUEST, [keeps_open],
        "Refused path: it contains a `.` or `..` segment";
    /// The path holds a malformed percent-encoding, or bytes that are not UTF-8.
    PathEncoding = "path-encoding", BAD_REQUEST, [keeps_open],
        "Refused path: its percent-encoding is malformed, or it is not UTF-8";
    /// The path is percent-encoded twice.
    PathDoubleEncoded = "path-double-encoded", BAD_REQUEST, [keeps_open],
        "Refused path: it is percent-encoded twice";
    /// The path holds an encoded control character.
    PathControlCharacter = "path-control-character", BAD_REQUEST, [keeps_open],
        "Refused path: it contains a control character";
    /// The path holds a backslash.
    PathBackslash = "path-backslash", BAD_REQUEST, [keeps_open],
        "Refused path: it contains a backslash";
    /// The path begins with an empty segment.
    PathEmptySegment = "path-empty-segment", BAD_REQUEST, [keeps_open],
        "Refused path: it begins with `//`";
    /// The path holds a path parameter (`;`).
    PathParameter = "path-parameter", BAD_REQUEST, [keeps_open],
        "Refused path: `;` must be percent-encoded as `%3B`";
    /// The path holds a Unicode character that some software reads as `.`, `/` or `\`.
    PathLookalike = "path-lookalike", BAD_REQUEST, [keeps_open],
        "Refused path: it contains a look-alike of `.`, `/` or `\\`";
    /// The host is not one of ours (`host.allow`).
    HostUnknown = "host-unknown", BAD_REQUEST, [keeps_open],
        "Unknown host";
    /// A request that changes something came unencrypted where HTTPS is required (`https.required`).
    HttpsRequired = "https-required", FORBIDDEN, [keeps_open],
        "HTTPS required";
    /// A preflight came from an origin that is not in `cors.origins`.
    CorsOriginDenied = "cors-origin-denied", FORBIDDEN, [keeps_open, blameless],
        "CORS: origin not allowed";
    /// A preflight asked for a method that is not in `cors.methods`.
    CorsMethodDenied = "cors-method-denied", FORBIDDEN, [keeps_open, blameless],
        "CORS: method not allowed";
    /// A preflight asked for a request header that is not in `cors.headers`.
    CorsHeaderDenied = "cors-header-denied", FORBIDDEN, [keeps_open, blameless],
        "CORS: request header not allowed";
    /// A preflight came from a public network into a private one, which `cors.private-network` does not allow.
    CorsPrivateNetworkDenied = "cors-private-network-denied", FORBIDDEN, [keeps_open, blameless],
        "CORS: access to a private network not allowed";
    /// A client, an account or another key of a rule has used up its rate (`[throttle]`).
    RateLimited = "rate-limited", TOO_MANY_REQUESTS, [keeps_open, for_pages, about_amounts, unseen],
        "Too many requests; `Retry-After` says when to try again";
    /// A user, an API key or another key has used up a quota (`[[throttle.quota]]`).
    QuotaExceeded = "quota-exceeded", TOO_MANY_REQUESTS, [keeps_open, for_pages, about_amounts],
        "The quota is used up; `Retry-After` says when the next window begins";
    /// The store of shared counters does not answer: rules count as their `fail` says. No request is refused for it alone.
    StoreUnavailable = "store-unavailable", SERVICE_UNAVAILABLE, [keeps_open],
        "The store of shared counters does not answer";
    // Word for word what FastAPI says of these three.
    /// No route of the app has this path.
    RouteUnknown = "route-unknown", NOT_FOUND, [keeps_open],
        "Not Found";
    /// A route of the app has this path, but not for this method.
    RouteMethodUnknown = "route-method-unknown", METHOD_NOT_ALLOWED, [keeps_open],
        "Method Not Allowed";
    /// The route is not in the app's document, or is the document itself.
    RouteHidden = "route-hidden", NOT_FOUND, [keeps_open],
        "Not Found";
    // Word for word what users of CSRF middleware know.
    /// A foreign page sent this with the user's cookies, and its origin is not trusted (`csrf.trusted-origins`).
    CsrfCrossSite = "csrf-cross-site", FORBIDDEN, [keeps_open, blameless],
        "CSRF validation failed";
    /// A foreign page opened a WebSocket with the user's cookies, and its origin is not trusted (`csrf.trusted-origins`).
    WebsocketOriginDenied = "websocket-origin-denied", FORBIDDEN, [keeps_open, blameless],
        "CSRF validation failed: WebSocket from a foreign page";
    /// A request in the name of a session carried no token, where `csrf.token` asks for one.
    CsrfTokenMissing = "csrf-token-missing", FORBIDDEN, [keeps_open, for_pages, blameless],
        "CSRF validation failed: the request carries no token";
    /// The token is not the one in the cookie, or the cookie is not this session's.
    CsrfTokenInvalid = "csrf-token-invalid", FORBIDDEN, [keeps_open, for_pages, blameless],
        "CSRF validation failed: the token belongs to another session; reload the page and try again";
    /// The app does not get a header: other software writes it, or it may be taken for one that other software writes. Only recorded, once a name.
    HeaderRemoved = "header-removed", INTERNAL_SERVER_ERROR, [],
        "The service does not receive this header";
    /// A parameter or the body does not fit what the app accepts.
    InputInvalid = "input-invalid", UNPROCESSABLE_ENTITY, [keeps_open, for_pages],
        "The input is not valid";
    /// The body or the query has a name that the app does not know.
    InputUnknown = "input-unknown", UNPROCESSABLE_ENTITY, [keeps_open, for_pages],
        "The request contains an unknown field or parameter";
    /// The body could not be judged: it is larger than `contract.judged-size`, too deep, or costs too much.
    InputNotJudged = "input-not-judged", PAYLOAD_TOO_LARGE, [for_pages],
        "The body is too large or too expensive to validate";
    /// The JSON has more than one reading: a repeated key, `NaN`, half a surrogate pair, a byte order mark.
    JsonAmbiguous = "json-ambiguous", BAD_REQUEST, [keeps_open, for_pages],
        "Ambiguous JSON: a repeated key, `NaN`, half a surrogate pair, a byte order mark, or an encoding other than UTF-8";
    /// The JSON is nested deeper than Python can read.
    JsonTooDeep = "json-too-deep", BAD_REQUEST, [keeps_open, for_pages],
        "The JSON is nested too deeply";
    /// A multipart form is malformed: its boundary, a part's headers, its end.
    MultipartMalformed = "multipart-malformed", BAD_REQUEST, [for_pages],
        "Malformed multipart form";
    /// A file in a form is larger than `uploads.file-size`.
    UploadTooLarge = "upload-too-large", PAYLOAD_TOO_LARGE, [for_pages],
        "File too large";
    /// A form has more files than `uploads.files`, or more fields than `uploads.fields`.
    UploadTooManyParts = "upload-too-many-parts", PAYLOAD_TOO_LARGE, [for_pages],
        "Too many files or fields in one form";
    /// A file name in a form is a path, or no name at all (`uploads.unusual-names`).
    UploadNameForbidden = "upload-name-forbidden", BAD_REQUEST, [for_pages],
        "File name not allowed: send a plain name, without a path";
    /// A file's type is not one of `uploads.types`, or its content is not of that type.
    UploadTypeForbidden = "upload-type-forbidden", UNSUPPORTED_MEDIA_TYPE, [for_pages],
        "File type not allowed, or the content does not match the declared type";
    /// The Content-Encoding is not one that can be looked into, or there are several.
    ContentEncodingUnsupported = "content-encoding-unsupported", UNSUPPORTED_MEDIA_TYPE, [],
        "Unsupported Content-Encoding";
    /// The body is not what its Content-Encoding says.
    ContentEncodingMalformed = "content-encoding-malformed", BAD_REQUEST, [],
        "The body is not valid for its Content-Encoding";
    /// The body becomes more than `encoding.max-ratio` times larger when it is inflated.
    BodyBomb = "body-bomb", PAYLOAD_TOO_LARGE, [],
        "Request body too large when inflated";
    /// The body is larger than `limits.body-size`, as it comes or inflated.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, [for_pages],
        "Request body too large";
    /// This address holds as many connections as `limits.connections-per-client` allows.
    TooManyConnections = "too-many-connections", TOO_MANY_REQUESTS, [],
        "Too many connections from this address";
    /// A WebSocket message is larger than `limits.websocket-message`; the connection is closed with code 1009.
    WebsocketMessageTooLarge = "websocket-message-too-large", PAYLOAD_TOO_LARGE, [],
        "WebSocket message too large";
    /// The connection did not begin with a PROXY protocol header, which `client.proxy-protocol` asks for.
    ProxyHeaderMalformed = "proxy-header-malformed", BAD_REQUEST, [],
        "Missing or malformed PROXY protocol header";
    /// The app has as many requests in hand as `app.max-concurrent` allows.
    AppBusy = "app-busy", SERVICE_UNAVAILABLE, [keeps_open, unseen],
        "The service is busy; try again shortly";
    /// The app is not running or does not accept connections.
    AppUnavailable = "app-unavailable", SERVICE_UNAVAILABLE, [keeps_open, unseen],
        "The service is starting or restarting; try again shortly";
    /// The app closed the connection before it answered.
    AppClosed = "app-closed", BAD_GATEWAY, [keeps_open],
        "The service closed the connection without a response";
    /// The app answered something that is not HTTP.
    AppInvalidResponse = "app-invalid-response", BAD_GATEWAY, [keeps_open],
        "The service sent an invalid response";
    /// The app did not answer within `app.response-timeout`.
    AppTimeout = "app-timeout", GATEWAY_TIMEOUT, [keeps_open],
        "The service did not respond in time";
    /// An answer has a field that the declared response model does not have (`responses`). It is cut out, or only recorded.
    ResponseFieldUnknown = "response-field-unknown", INTERNAL_SERVER_ERROR, [],
        "The response has a field that its model does not have";
    /// An answer has a field with the name of a secret (`responses`). It is cut out, or only recorded.
    ResponseFieldSensitive = "response-field-sensitive", INTERNAL_SERVER_ERROR, [],
        "The response has a field with the name of a secret";
    /// A JSON answer was too large to be looked into, or in an encoding that is not known. Only recorded.
    ResponseNotJudged = "response-not-judged", INTERNAL_SERVER_ERROR, [],
        "The response could not be examined";
    /// The app failed: what it answered may tell of its inside, and the client got this instead.
    AppErrorHidden = "app-error-hidden", INTERNAL_SERVER_ERROR, [],
        "Internal server error. Quote the request id when you report it";
    /// A cookie of the app lacks `Secure`, `HttpOnly` or `SameSite` (`cookies`). Only recorded, or mended; nothing is refused for it.
    CookieAttributesMissing = "cookie-attributes-missing", INTERNAL_SERVER_ERROR, [],
        "A cookie lacks Secure, HttpOnly or SameSite";
    /// Mantlet itself failed. This is a defect; please report it.
    InternalError = "internal-error", INTERNAL_SERVER_ERROR, [],
        "Internal error";
}

impl Reason {
    /// Whether the connection is closed after this refusal.
    pub const fn closes_connection(self) -> bool {
        !self.traits().keeps_open
    }

    pub(crate) const fn is_for_pages(self) -> bool {
        self.traits().for_pages
    }

    pub(crate) const fn is_about_amounts(self) -> bool {
        self.traits().about_amounts
    }

    /// Whether the app cannot have seen a request that ended so.
    pub(crate) const fn is_unseen(self) -> bool {
        self.traits().unseen
    }

    /// Whether the client is to blame for a refusal that led to a status.
    pub(crate) fn is_clients_fault(self, status: StatusCode) -> bool {
        !self.traits().blameless
            && matches!(status.as_u16(), 400 | 401 | 403 | 404 | 405 | 413 | 414 | 415 | 422 | 429 | 431)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.detail())
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
