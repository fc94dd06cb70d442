//! Why a request was refused: one variant for each cause, with a stable kebab-case code.
//!
//! The code is the same word in the response body, the audit record, the metrics and the docs.
//! Codes are never renamed; a test snapshots them all. One table says what follows from each
//! reason, and a test compares docs/reasons.md with it.

use http::StatusCode;

/// What follows from a reason, beside its status. A trait that the table does not list does not
/// apply.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "a row of a table of independent traits")]
struct Traits {
    /// The connection can carry another request. It cannot if the end of the refused one is unknown.
    keeps_open: bool,
    /// A page's own code reads this refusal and acts on it, as on a response of the app.
    for_pages: bool,
    /// It depends on how much a client asks for, not on the single request.
    about_amounts: bool,
    /// The client is not to blame: a foreign page made its browser send this, its network is slow,
    /// or it is banned already. If requests of foreign pages counted, any page could have its
    /// visitors banned.
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

            /// The status of the refusal.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)+
                }
            }

            /// The text for the client: what is wrong and, where it helps, what to do. Never a
            /// value from the request.
            pub const fn detail(self) -> &'static str {
                match self {
                    $(Self::$name => $detail,)+
                }
            }

            /// The meaning of the reason in a sentence, for the operator.
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
    /// The address is banned after too many refused requests (`[throttle.ban]`), or after one for a trap
    /// (`[throttle.trap]`).
    ClientBanned = "client-banned", FORBIDDEN, [keeps_open, about_amounts, blameless],
        "This address is temporarily banned. Try again after `Retry-After`, or ask the operator to lift the ban";
    /// The request line is not `METHOD SP TARGET SP HTTP/1.x` (RFC 9112 section 3).
    RequestLineMalformed = "request-line-malformed", BAD_REQUEST, [],
        "Malformed request line: expected `METHOD /path HTTP/1.1`";
    /// The form of the request target, or one of its bytes, is not allowed (RFC 9112 section 3.2).
    TargetMalformed = "target-malformed", BAD_REQUEST, [],
        "Malformed request target: percent-encode characters that a URL may not contain";
    /// The request target is longer than `limits.target-length`.
    TargetTooLong = "target-too-long", URI_TOO_LONG, [],
        "Request target too long";
    /// The method is CONNECT, TRACE, or one that Mantlet reserves for itself.
    MethodForbidden = "method-forbidden", METHOD_NOT_ALLOWED, [keeps_open],
        "Method not allowed";
    /// A header line is malformed: its name, its colon, or a control character in its value (RFC
    /// 9110 section 5.5).
    HeaderMalformed = "header-malformed", BAD_REQUEST, [],
        "Malformed header: expected `Name: value` without control characters";
    /// A header continues on a second line (RFC 9112 section 5.2).
    HeaderFolded = "header-folded", BAD_REQUEST, [],
        "Malformed header: a value may not continue on another line";
    /// A line ends in a bare LF, or contains a bare CR (RFC 9112 section 2.2).
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
    /// The request has both Content-Length and Transfer-Encoding (RFC 9112 section 6.3).
    FramingConflict = "framing-conflict", BAD_REQUEST, [],
        "A request may not have both Content-Length and Transfer-Encoding";
    /// The Transfer-Encoding is not a single `chunked`, or the request is not HTTP/1.1.
    TransferEncodingUnsupported = "transfer-encoding-unsupported", BAD_REQUEST, [],
        "Unsupported Transfer-Encoding; use `chunked` once, over HTTP/1.1";
    /// The chunked body is malformed (RFC 9112 section 7.1).
    ChunkMalformed = "chunk-malformed", BAD_REQUEST, [],
        "Malformed chunked body";
    /// A trailer has a field that is allowed only in a header section (RFC 9110 section 6.5.1).
    TrailerForbidden = "trailer-forbidden", BAD_REQUEST, [],
        "This field is not allowed in a trailer; send it as a header";
    /// The header section did not arrive within `limits.head-timeout`.
    HeadTimeout = "head-timeout", REQUEST_TIMEOUT, [],
        "The request headers took too long to arrive";
    /// The body arrived more slowly than `limits.body-rate` for longer than `limits.body-grace`.
    BodyTimeout = "body-timeout", REQUEST_TIMEOUT, [],
        "The request body took too long to arrive";
    /// The body is incomplete: the client left, reset the stream, or (over HTTP/2) sent a length
    /// other than it declared.
    BodyIncomplete = "body-incomplete", BAD_REQUEST, [blameless],
        "The request body is incomplete";
    /// The connection sent too many HTTP/2 control or empty frames, too many resets, or too many
    /// bytes in one header section.
    Http2Flood = "http2-flood", TOO_MANY_REQUESTS, [],
        "Too many HTTP/2 control or empty frames";
    /// The connection broke a rule of HTTP/2, and the error concerns the whole connection (RFC 9113
    /// section 5.4.1).
    Http2Malformed = "http2-malformed", BAD_REQUEST, [],
        "Malformed HTTP/2";
    /// The path contains a `.` or `..` segment, plain or encoded.
    PathDotSegment = "path-dot-segment", BAD_REQUEST, [keeps_open],
        "Refused path: it contains a `.` or `..` segment";
    /// The path contains a malformed percent-encoding, or bytes that are not UTF-8.
    PathEncoding = "path-encoding", BAD_REQUEST, [keeps_open],
        "Refused path: its percent-encoding is malformed, or it is not UTF-8";
    /// The path is percent-encoded twice.
    PathDoubleEncoded = "path-double-encoded", BAD_REQUEST, [keeps_open],
        "Refused path: it is percent-encoded twice";
    /// The path contains an encoded control character.
    PathControlCharacter = "path-control-character", BAD_REQUEST, [keeps_open],
        "Refused path: it contains a control character";
    /// The path contains a backslash.
    PathBackslash = "path-backslash", BAD_REQUEST, [keeps_open],
        "Refused path: it contains a backslash";
    /// The path begins with an empty segment (`//`).
    PathEmptySegment = "path-empty-segment", BAD_REQUEST, [keeps_open],
        "Refused path: it begins with `//`";
    /// The path contains a path parameter (`;`).
    PathParameter = "path-parameter", BAD_REQUEST, [keeps_open],
        "Refused path: `;` must be percent-encoded as `%3B`";
    /// The path contains a Unicode character that some software reads as `.`, `/` or `\`.
    PathLookalike = "path-lookalike", BAD_REQUEST, [keeps_open],
        "Refused path: it contains a look-alike of `.`, `/` or `\\`";
    /// The host is not a known host (`host.allow`).
    HostUnknown = "host-unknown", BAD_REQUEST, [keeps_open],
        "Unknown host";
    /// A request that changes something came unencrypted, and HTTPS is required (`https.required`).
    HttpsRequired = "https-required", FORBIDDEN, [keeps_open],
        "HTTPS required; send the request to the `https` address";
    /// A preflight came from an origin that is not in `cors.origins`.
    CorsOriginDenied = "cors-origin-denied", FORBIDDEN, [keeps_open, blameless],
        "CORS: origin not allowed";
    /// A preflight asked for a method that is not in `cors.methods`.
    CorsMethodDenied = "cors-method-denied", FORBIDDEN, [keeps_open, blameless],
        "CORS: method not allowed";
    /// A preflight asked for a request header that is not in `cors.headers`.
    CorsHeaderDenied = "cors-header-denied", FORBIDDEN, [keeps_open, blameless],
        "CORS: request header not allowed";
    /// A page from a public network asked for a private one, and `cors.private-network` does not
    /// allow it.
    CorsPrivateNetworkDenied = "cors-private-network-denied", FORBIDDEN, [keeps_open, blameless],
        "CORS: access to a private network not allowed";
    /// A client, an account or another key has used up a rate (`[throttle]`).
    RateLimited = "rate-limited", TOO_MANY_REQUESTS, [keeps_open, for_pages, about_amounts, unseen],
        "Too many requests; `Retry-After` says when to try again";
    /// A user, an API key or another key has used up a quota (`[[throttle.quota]]`).
    QuotaExceeded = "quota-exceeded", TOO_MANY_REQUESTS, [keeps_open, for_pages, about_amounts],
        "The quota is used up; `Retry-After` says when the next window begins";
    /// The store of shared counters does not respond, so each rule follows its `fail`, which is only
    /// recorded. An API key that only other gates may know is refused.
    StoreUnavailable = "store-unavailable", SERVICE_UNAVAILABLE, [keeps_open, for_pages],
        "The API key cannot be verified at the moment; try again shortly";
    /// Records of requests cannot be kept, and `audit.fsync = "record"` lets no request pass without its
    /// record.
    AuditUnavailable = "audit-unavailable", SERVICE_UNAVAILABLE, [keeps_open, for_pages],
        "Temporarily unavailable; try again shortly";
    // The next three details are FastAPI's own, word for word.
    /// No route of the app has this path.
    RouteUnknown = "route-unknown", NOT_FOUND, [keeps_open],
        "Not Found";
    /// A route of the app has this path, but not for this method.
    RouteMethodUnknown = "route-method-unknown", METHOD_NOT_ALLOWED, [keeps_open],
        "Method Not Allowed";
    /// The route is not in the app's document, or serves the document itself.
    RouteHidden = "route-hidden", NOT_FOUND, [keeps_open],
        "Not Found";
    /// The API key was not made here, was revoked or has expired, or the request has two
    /// (`[api-keys]`).
    ApiKeyInvalid = "api-key-invalid", UNAUTHORIZED, [keeps_open, for_pages],
        "Invalid API key";
    /// The API key is of another `environment`: it has leaked from there, or a program has the wrong
    /// one.
    ApiKeyOfAnotherEnvironment = "api-key-of-another-environment", UNAUTHORIZED, [keeps_open, for_pages],
        "Invalid API key";
    /// The request has no credential, and `api-keys.required`, a rule of `[authorization]` or `[accounts]` demands one.
    CredentialsMissing = "credentials-missing", UNAUTHORIZED, [keeps_open, for_pages],
        "Not authenticated";
    // The detail of FastAPI's own tutorial.
    /// The token is forged, unsigned, expired or for another audience (`[authentication]`, `[[issuer]]`).
    TokenInvalid = "token-invalid", UNAUTHORIZED, [keeps_open, for_pages],
        "Could not validate credentials";
    /// The issuer of the token (`[[issuer]]`) does not answer, so its key is not known.
    IssuerUnavailable = "issuer-unavailable", SERVICE_UNAVAILABLE, [keeps_open, for_pages, unseen],
        "The token cannot be verified at the moment; try again shortly";
    /// Whether a session or an access token of `[accounts]` is good cannot be known, because the database of the accounts
    /// does not answer, or the page or operation of the accounts did not answer in time.
    AccountsUnavailable = "accounts-unavailable", SERVICE_UNAVAILABLE, [keeps_open, for_pages, unseen],
        "Accounts cannot be looked up at the moment; try again shortly";
    /// The logout token of an issuer (OIDC Back-Channel Logout) is not valid.
    LogoutInvalid = "logout-invalid", BAD_REQUEST, [keeps_open],
        "The logout token is not valid";
    /// The token is bound to a key (DPoP, `cnf.jkt`), and came without a proof, or as `Bearer`.
    DpopRequired = "dpop-required", UNAUTHORIZED, [keeps_open, for_pages],
        "The token is bound to a key; send it as `Authorization: DPoP` with a proof";
    /// The proof (DPoP) is of another key than the token, or the token is bound to no key.
    DpopKeyMismatch = "dpop-key-mismatch", UNAUTHORIZED, [keeps_open, for_pages],
        "The proof is not of the key that the token is bound to";
    /// The proof (DPoP) is malformed, not signed with its key, too old, or for another method, URL or
    /// token; or there are two.
    DpopProofInvalid = "dpop-proof-invalid", UNAUTHORIZED, [keeps_open, for_pages],
        "Invalid DPoP proof; make a new one for each request";
    /// The proof (DPoP) was used before.
    DpopProofReplayed = "dpop-proof-replayed", UNAUTHORIZED, [keeps_open, for_pages],
        "The DPoP proof was used before; make a new one for each request";
    /// The proof (DPoP) has no nonce of the gate, or an old one (`dpop.nonce-key`).
    DpopNonceRequired = "dpop-nonce-required", UNAUTHORIZED, [keeps_open, for_pages],
        "The DPoP proof needs the nonce of this response";
    /// More proofs (DPoP) came within two minutes than a gate can remember.
    DpopMemoryFull = "dpop-memory-full", SERVICE_UNAVAILABLE, [keeps_open, for_pages, unseen],
        "The DPoP proof cannot be verified at the moment; try again shortly";
    /// The session of the credential has ended: its client has logged out, its password was changed, or
    /// an operator has ended it (`authentication.sessions`).
    SessionEnded = "session-ended", UNAUTHORIZED, [keeps_open, for_pages],
        "The session has ended; log in again";
    /// The session is older than `authentication.max-age`, or was not in use for longer than
    /// `authentication.idle`.
    SessionExpired = "session-expired", UNAUTHORIZED, [keeps_open, for_pages],
        "The session has expired; log in again";
    /// The token is good, and the app has not handed it out through this gate, although it was made
    /// since the gate learns (`authentication.sessions`).
    TokenUnknown = "token-unknown", UNAUTHORIZED, [keeps_open, for_pages],
        "Could not validate credentials";
    /// The token belongs to a browser, and came without the cookie that this browser got at the login
    /// (`authentication.binding`).
    TokenElsewhere = "token-elsewhere", UNAUTHORIZED, [keeps_open, for_pages],
        "Could not validate credentials";
    /// A rule of `[authorization]` does not let this caller do this.
    AccessDenied = "access-denied", FORBIDDEN, [keeps_open, for_pages],
        "Not allowed";
    /// The object is not the caller's (`[[authorization.own]]`).
    ObjectForeign = "object-foreign", NOT_FOUND, [keeps_open, for_pages],
        "Not Found";
    /// Whose the object is could not be told (`[[authorization.own]]`).
    ObjectOwnerUnclear = "object-owner-unclear", NOT_FOUND, [keeps_open, for_pages],
        "Not Found";
    /// The caller has asked for more than `ids` different ids of one operation that no answer has shown it
    /// (`authorization.enumeration`).
    ObjectEnumeration = "object-enumeration", TOO_MANY_REQUESTS, [keeps_open, for_pages, about_amounts],
        "Too many objects that you were not shown; try again later";
    /// The token lacks scopes that the app declares for the operation (`authorization.scopes`).
    ScopeMissing = "scope-missing", FORBIDDEN, [keeps_open, for_pages],
        "Not enough permissions";
    /// The handle of a refresh token was made up, or its family or its session has ended
    /// (`[refresh-tokens]`).
    RefreshTokenInvalid = "refresh-token-invalid", UNAUTHORIZED, [keeps_open, for_pages],
        "The refresh token is not valid; log in again";
    /// The handle of a refresh token is of another `environment`: it has leaked from there, or a
    /// client talks to the wrong one.
    RefreshTokenOfAnotherEnvironment = "refresh-token-of-another-environment", UNAUTHORIZED, [keeps_open, for_pages],
        "The refresh token is not valid; log in again";
    /// An old handle of a refresh token came again, so a copy of it is in use: its family and its
    /// session have ended (`[refresh-tokens]`).
    RefreshTokenReused = "refresh-token-reused", UNAUTHORIZED, [keeps_open, for_pages],
        "The refresh token was used before; log in again";
    /// Other requests with the same handle have taken too long, or the handles of refresh tokens cannot
    /// be read or kept at the moment.
    RefreshTokenUnavailable = "refresh-token-unavailable", SERVICE_UNAVAILABLE, [keeps_open, for_pages],
        "The refresh token cannot be renewed at the moment; try again shortly";
    // The words that users of CSRF middleware know.
    /// A foreign page sent the request with the user's cookies, and its origin is not trusted
    /// (`csrf.trusted-origins`).
    CsrfCrossSite = "csrf-cross-site", FORBIDDEN, [keeps_open, blameless],
        "CSRF validation failed";
    /// A foreign page opened a WebSocket with the user's cookies, and its origin is not trusted (`csrf.trusted-origins`).
    WebsocketOriginDenied = "websocket-origin-denied", FORBIDDEN, [keeps_open, blameless],
        "CSRF validation failed: WebSocket from a foreign page";
    /// A request with a session cookie has no token, and `csrf.token` requires one.
    CsrfTokenMissing = "csrf-token-missing", FORBIDDEN, [keeps_open, for_pages, blameless],
        "CSRF validation failed: the request carries no token";
    /// The token is not the one in the cookie, or the cookie belongs to another session.
    CsrfTokenInvalid = "csrf-token-invalid", FORBIDDEN, [keeps_open, for_pages, blameless],
        "CSRF validation failed: the token belongs to another session; reload the page and try again";
    /// The app does not receive a header, because proxies write it, or because it could be confused
    /// with one that they write. Only recorded, once for each name.
    HeaderRemoved = "header-removed", INTERNAL_SERVER_ERROR, [],
        "The service does not receive this header";
    /// A parameter or the body is not valid for the app.
    InputInvalid = "input-invalid", UNPROCESSABLE_ENTITY, [keeps_open, for_pages],
        "The input is not valid";
    /// The body or the query contains an unknown name.
    InputUnknown = "input-unknown", UNPROCESSABLE_ENTITY, [keeps_open, for_pages],
        "The request contains an unknown field or parameter";
    /// The body could not be judged: it is larger than `contract.judged-size`, too deep, or too
    /// expensive.
    InputNotJudged = "input-not-judged", PAYLOAD_TOO_LARGE, [for_pages],
        "The body is too large or too expensive to validate";
    /// The JSON can be read in more than one way: a repeated key, `NaN`, half a surrogate pair, a
    /// byte order mark, or an encoding other than UTF-8.
    JsonAmbiguous = "json-ambiguous", BAD_REQUEST, [keeps_open, for_pages],
        "Ambiguous JSON: a repeated key, `NaN`, half a surrogate pair, a byte order mark, or an encoding other than UTF-8";
    /// The JSON is nested deeper than Python can read.
    JsonTooDeep = "json-too-deep", BAD_REQUEST, [keeps_open, for_pages],
        "The JSON is nested too deeply";
    /// A multipart form is malformed: its boundary, the headers of a part, or its end.
    MultipartMalformed = "multipart-malformed", BAD_REQUEST, [for_pages],
        "Malformed multipart form";
    /// A file in a form is larger than `uploads.file-size`.
    UploadTooLarge = "upload-too-large", PAYLOAD_TOO_LARGE, [for_pages],
        "File too large";
    /// A form has more files than `uploads.files`, or more fields than `uploads.fields`.
    UploadTooManyParts = "upload-too-many-parts", PAYLOAD_TOO_LARGE, [for_pages],
        "Too many files or fields in one form";
    /// A file name in a form contains `..`, is a path, is too long, or has a control character
    /// (`uploads.unusual-names`).
    UploadNameForbidden = "upload-name-forbidden", BAD_REQUEST, [for_pages],
        "File name not allowed: send a plain name, without a path";
    /// A file's type is not in `uploads.types`, or its content is of another type.
    UploadTypeForbidden = "upload-type-forbidden", UNSUPPORTED_MEDIA_TYPE, [for_pages],
        "File type not allowed, or the content does not match the declared type";
    /// Mantlet cannot decode the Content-Encoding, or there are several.
    ContentEncodingUnsupported = "content-encoding-unsupported", UNSUPPORTED_MEDIA_TYPE, [],
        "Unsupported Content-Encoding; send the body uncompressed";
    /// The body is not valid for its Content-Encoding.
    ContentEncodingMalformed = "content-encoding-malformed", BAD_REQUEST, [],
        "The body is not valid for its Content-Encoding";
    /// Inflated, the body is more than `encoding.max-ratio` times larger.
    BodyBomb = "body-bomb", PAYLOAD_TOO_LARGE, [],
        "Request body too large when inflated";
    /// The body, as sent or inflated, is larger than `limits.body-size`.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, [for_pages],
        "Request body too large";
    /// The address has as many connections as `limits.connections-per-client` allows.
    TooManyConnections = "too-many-connections", TOO_MANY_REQUESTS, [],
        "Too many connections from this address";
    /// A WebSocket message is larger than `limits.websocket-message`; the connection is closed with code 1009.
    WebsocketMessageTooLarge = "websocket-message-too-large", PAYLOAD_TOO_LARGE, [],
        "WebSocket message too large";
    /// The connection did not begin with a PROXY protocol header, which `client.proxy-protocol`
    /// requires.
    ProxyHeaderMalformed = "proxy-header-malformed", BAD_REQUEST, [],
        "Missing or malformed PROXY protocol header";
    /// The app works on as many requests as `app.max-concurrent` allows.
    AppBusy = "app-busy", SERVICE_UNAVAILABLE, [keeps_open, unseen],
        "The service is busy; try again shortly";
    /// The app is not running or does not accept connections.
    AppUnavailable = "app-unavailable", SERVICE_UNAVAILABLE, [keeps_open, unseen],
        "The service is starting or restarting; try again shortly";
    /// The app closed the connection before its response.
    AppClosed = "app-closed", BAD_GATEWAY, [keeps_open],
        "The service closed the connection without a response";
    /// The app's response is not HTTP.
    AppInvalidResponse = "app-invalid-response", BAD_GATEWAY, [keeps_open],
        "The service sent an invalid response";
    /// The app did not respond within `app.response-timeout`.
    AppTimeout = "app-timeout", GATEWAY_TIMEOUT, [keeps_open],
        "The service did not respond in time";
    /// A response has a field that its declared model does not have (`responses`). The field is cut
    /// out, or only recorded.
    ResponseFieldUnknown = "response-field-unknown", INTERNAL_SERVER_ERROR, [],
        "The response has a field that its model does not have";
    /// A response has a field with the name of a secret (`responses`). The field is cut out, or
    /// only recorded.
    ResponseFieldSensitive = "response-field-sensitive", INTERNAL_SERVER_ERROR, [],
        "The response has a field with the name of a secret";
    /// A JSON response could not be examined as a whole: it is too large, incomplete, or in an
    /// unknown encoding.
    ResponseNotJudged = "response-not-judged", INTERNAL_SERVER_ERROR, [],
        "The response could not be examined";
    /// The app failed, and its response could reveal internals, so the client got a neutral one.
    AppErrorHidden = "app-error-hidden", INTERNAL_SERVER_ERROR, [],
        "Internal server error. Quote the request id when you report it";
    /// A cookie of the app lacks `Secure`, `HttpOnly` or `SameSite` (`cookies`). Only recorded, or
    /// completed; no request is refused for it.
    CookieAttributesMissing = "cookie-attributes-missing", INTERNAL_SERVER_ERROR, [],
        "A cookie lacks Secure, HttpOnly or SameSite";
    /// Mantlet itself failed. This is a defect; please report it.
    InternalError = "internal-error", INTERNAL_SERVER_ERROR, [],
        "Internal error";
}

/// Codes of records that are about an event and not about a refusal. Those of what was done are
/// `audit::ACTIONS`.
pub const EVENTS: &[&str] = &[
    "token-key-found",
    "jwt-key-public",
    "jwt-key-guessable",
    "jwt-key-short",
    "api-key-created",
    "api-key-revoked",
    "api-key-ends-soon",
    "refresh-token-not-wrapped",
    "object-rule-enforced",
    "object-rule-contradicted",
    // Why a session was ended.
    "logout",
    "password-changed",
    "password-reset",
    "operator",
    "issuer",
    "reused",
];

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
    const CODES: &[&str] = &[
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
        "audit-unavailable",
        "route-unknown",
        "route-method-unknown",
        "route-hidden",
        "api-key-invalid",
        "api-key-of-another-environment",
        "credentials-missing",
        "token-invalid",
        "issuer-unavailable",
        "accounts-unavailable",
        "logout-invalid",
        "dpop-required",
        "dpop-key-mismatch",
        "dpop-proof-invalid",
        "dpop-proof-replayed",
        "dpop-nonce-required",
        "dpop-memory-full",
        "session-ended",
        "session-expired",
        "token-unknown",
        "token-elsewhere",
        "access-denied",
        "object-foreign",
        "object-owner-unclear",
        "object-enumeration",
        "scope-missing",
        "refresh-token-invalid",
        "refresh-token-of-another-environment",
        "refresh-token-reused",
        "refresh-token-unavailable",
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
    ];

    #[test]
    fn codes_are_stable() {
        let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes, CODES);
    }
}
