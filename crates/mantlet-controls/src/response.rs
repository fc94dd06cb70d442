//! From a refusal to its answer. The only file that knows statuses and texts.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use mantlet_contract::fault::Fault;
use serde::Serialize;

use crate::{Call, Reason, Refusal};

/// The status that a reason leads to.
pub const fn status(reason: Reason) -> StatusCode {
    use Reason as R;
    match reason {
        R::RequestLineMalformed
        | R::TargetMalformed
        | R::HeaderMalformed
        | R::HeaderFolded
        | R::LineEnding
        | R::HostMissing
        | R::HostRepeated
        | R::HostMalformed
        | R::HostMismatch
        | R::ContentLengthMalformed
        | R::ContentLengthRepeated
        | R::FramingConflict
        | R::TransferEncodingUnsupported
        | R::ChunkMalformed
        | R::TrailerForbidden
        | R::BodyIncomplete
        | R::Http2Malformed
        | R::ProxyHeaderMalformed
        | R::PathDotSegment
        | R::PathEncoding
        | R::PathDoubleEncoded
        | R::PathControlCharacter
        | R::PathBackslash
        | R::PathEmptySegment
        | R::PathParameter
        | R::PathLookalike
        | R::JsonAmbiguous
        | R::JsonTooDeep
        | R::MultipartMalformed
        | R::UploadNameForbidden
        | R::ContentEncodingMalformed
        | R::HostUnknown => StatusCode::BAD_REQUEST,
        R::ClientBanned
        | R::HttpsRequired
        | R::CorsOriginDenied
        | R::CorsMethodDenied
        | R::CorsHeaderDenied
        | R::CorsPrivateNetworkDenied
        | R::CsrfCrossSite
        | R::CsrfTokenMissing
        | R::CsrfTokenInvalid
        | R::WebsocketOriginDenied => StatusCode::FORBIDDEN,
        R::RouteUnknown | R::RouteHidden => StatusCode::NOT_FOUND,
        R::InputInvalid | R::InputUnknown => StatusCode::UNPROCESSABLE_ENTITY,
        R::RouteMethodUnknown | R::MethodForbidden => StatusCode::METHOD_NOT_ALLOWED,
        R::HeadTimeout | R::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        R::InputNotJudged
        | R::BodyTooLarge
        | R::BodyBomb
        | R::UploadTooLarge
        | R::UploadTooManyParts
        | R::WebsocketMessageTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        R::UploadTypeForbidden | R::ContentEncodingUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        R::TargetTooLong => StatusCode::URI_TOO_LONG,
        R::TooManyConnections | R::Http2Flood | R::RateLimited | R::QuotaExceeded => {
            StatusCode::TOO_MANY_REQUESTS
        }
        R::HeadTooLarge | R::HeaderCountExceeded => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        R::ResponseFieldUnknown
        | R::ResponseFieldSensitive
        | R::ResponseNotJudged
        | R::AppErrorHidden
        | R::CookieAttributesMissing
        | R::HeaderRemoved
        | R::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        R::AppClosed | R::AppInvalidResponse => StatusCode::BAD_GATEWAY,
        R::AppBusy | R::AppUnavailable | R::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        R::AppTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// What the client reads: what is wrong and, where it helps, what to do. Never a value from the request.
pub const fn detail(reason: Reason) -> &'static str {
    use Reason as R;
    match reason {
        R::ClientBanned => {
            "This address is shut out for too many refused requests; `Retry-After` says until when, and whoever runs this service can let it in earlier"
        }
        R::RequestLineMalformed => "Malformed request line: expected `METHOD /path HTTP/1.1`",
        R::TargetMalformed => {
            "Malformed request target: percent-encode every character that a URL may not hold"
        }
        R::TargetTooLong => "Request target too long",
        R::MethodForbidden => "Method not allowed",
        R::HeaderMalformed => "Malformed header: expected `Name: value` without control characters",
        R::HeaderFolded => "Malformed header: a value may not continue on the next line",
        R::LineEnding => "Malformed request: lines end in CR LF",
        R::HeadTooLarge => "Request headers too large",
        R::HeaderCountExceeded => "Too many request headers",
        R::HostMissing => "Missing Host header",
        R::HostRepeated => "More than one Host header",
        R::HostMalformed => "Malformed Host header: expected `host` or `host:port`",
        R::HostMismatch => "The request target and the Host header name different hosts",
        R::ContentLengthMalformed => "Malformed Content-Length: expected one decimal number",
        R::ContentLengthRepeated => "More than one Content-Length header",
        R::FramingConflict => "Content-Length and Transfer-Encoding exclude each other",
        R::TransferEncodingUnsupported => {
            "Unsupported Transfer-Encoding: only `chunked`, once, over HTTP/1.1"
        }
        R::ChunkMalformed => "Malformed chunked body",
        R::TrailerForbidden => "Malformed chunked body: a trailer may not carry this field",
        R::HeadTimeout => "The request headers took too long to arrive",
        R::BodyTimeout => "The request body took too long to arrive",
        R::BodyIncomplete => "The request body broke off",
        R::Http2Flood => "Too many HTTP/2 frames that bring nothing",
        R::Http2Malformed => "Malformed HTTP/2",
        R::PathDotSegment => "Refused path: it holds a `.` or `..` segment",
        R::PathEncoding => "Refused path: malformed percent-encoding, or not UTF-8",
        R::PathDoubleEncoded => "Refused path: it is percent-encoded twice",
        R::PathControlCharacter => "Refused path: it holds a control character",
        R::PathBackslash => "Refused path: it holds a backslash",
        R::PathEmptySegment => "Refused path: it begins with `//`",
        R::PathParameter => "Refused path: `;` must be percent-encoded as `%3B`",
        R::PathLookalike => "Refused path: it holds a look-alike of `.`, `/` or `\\`",
        R::HostUnknown => "Unknown host",
        R::HttpsRequired => "HTTPS required",
        R::CorsOriginDenied => "CORS: origin not allowed",
        R::CorsMethodDenied => "CORS: method not allowed",
        R::CorsHeaderDenied => "CORS: request header not allowed",
        R::CorsPrivateNetworkDenied => "CORS: access to a private network not allowed",
        // Word for word what FastAPI says.
        R::RouteUnknown | R::RouteHidden => "Not Found",
        R::RouteMethodUnknown => "Method Not Allowed",
        // Word for word what users of CSRF middleware know.
        R::CsrfCrossSite => "CSRF validation failed",
        R::WebsocketOriginDenied => "CSRF validation failed: WebSocket from a foreign page",
        R::CsrfTokenMissing => "CSRF validation failed: the request carries no token",
        R::CsrfTokenInvalid => {
            "CSRF validation failed: the token is not this session's; load the page again and retry"
        }
        R::RateLimited => "Too many requests; `Retry-After` says when to try again",
        R::QuotaExceeded => "The quota is used up; `Retry-After` says when there is a new one",
        R::StoreUnavailable => "The store of shared counters does not answer",
        R::MultipartMalformed => "Malformed multipart form",
        R::UploadTooLarge => "File too large",
        R::UploadTooManyParts => "Too many files or fields in one form",
        R::UploadNameForbidden => "File name not allowed: send a plain name, without a path",
        R::UploadTypeForbidden => {
            "File type not allowed, or the file is not of the type that it is declared to be"
        }
        R::ContentEncodingUnsupported => "Unsupported Content-Encoding",
        R::ContentEncodingMalformed => "The body is not what its Content-Encoding says",
        R::BodyBomb => "Request body too large when inflated",
        R::BodyTooLarge => "Request body too large",
        R::TooManyConnections => "Too many connections from this address",
        R::WebsocketMessageTooLarge => "WebSocket message too large",
        R::ProxyHeaderMalformed => "Missing or malformed PROXY protocol header",
        R::AppBusy => "The service is busy; try again shortly",
        R::AppUnavailable => "The service is starting or restarting; try again shortly",
        R::AppClosed => "The service closed the connection without an answer",
        R::AppInvalidResponse => "The service gave an invalid answer",
        R::AppTimeout => "The service did not answer in time",
        R::HeaderRemoved => "The service does not get a header of this name",
        R::InputInvalid => "The input does not fit what the service accepts",
        R::InputNotJudged => "The body is too large, or too costly, to be looked into",
        R::InputUnknown => "The input has a name that the service does not know",
        R::JsonAmbiguous => {
            "The JSON has more than one reading: a repeated key, `NaN`, half a character, a byte order mark, or another encoding than UTF-8"
        }
        R::JsonTooDeep => "The JSON is nested too deeply",
        R::ResponseFieldUnknown => "The answer has a field that its model does not have",
        R::ResponseFieldSensitive => "The answer has a field with the name of a secret",
        R::ResponseNotJudged => "The answer could not be looked into",
        R::AppErrorHidden => "The service failed; name the request id when you report it",
        R::CookieAttributesMissing => "A cookie lacks Secure, HttpOnly or SameSite",
        R::InternalError => "Internal error",
    }
}

/// Whether a page's own code reads this refusal and acts by it, as it would by the app's own answer.
pub(crate) const fn is_for_pages(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::InputInvalid
            | Reason::InputUnknown
            | Reason::InputNotJudged
            | Reason::JsonAmbiguous
            | Reason::JsonTooDeep
            | Reason::BodyTooLarge
            | Reason::MultipartMalformed
            | Reason::UploadTooLarge
            | Reason::UploadTooManyParts
            | Reason::UploadNameForbidden
            | Reason::UploadTypeForbidden
            | Reason::CsrfTokenMissing
            | Reason::CsrfTokenInvalid
            | Reason::RateLimited
            | Reason::QuotaExceeded
    )
}

/// Whether the connection can carry another request after this refusal. It cannot if the end of the refused one is unknown.
pub const fn closes_connection(reason: Reason) -> bool {
    !matches!(
        status(reason),
        StatusCode::NOT_FOUND
            | StatusCode::FORBIDDEN
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::METHOD_NOT_ALLOWED
    ) && !matches!(
        reason,
        Reason::PathDotSegment
            | Reason::PathEncoding
            | Reason::PathDoubleEncoded
            | Reason::PathControlCharacter
            | Reason::PathBackslash
            | Reason::PathEmptySegment
            | Reason::PathParameter
            | Reason::PathLookalike
            | Reason::HostUnknown
            | Reason::RateLimited
            | Reason::QuotaExceeded
            | Reason::InputInvalid
            | Reason::InputUnknown
            | Reason::JsonAmbiguous
            | Reason::JsonTooDeep
    )
}

#[derive(Serialize)]
struct Plain<'a> {
    detail: Detail<'a>,
    code: &'a str,
    request_id: &'a str,
}

/// A text, or what FastAPI's clients know how to read.
#[derive(Serialize)]
#[serde(untagged)]
enum Detail<'a> {
    Text(&'a str),
    Faults(&'a [Fault]),
}

/// RFC 9457. The docs list the reasons by code.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
}

/// The answer to a refused call, without the headers that every answer gets.
pub fn refuse(call: &Call, refusal: &Refusal) -> Response<Bytes> {
    let reason = refusal.told();
    let status = match reason {
        // RFC 9113 section 9.1.2: over HTTP/2 the client may have reused a connection for a host that is not ours.
        Reason::HostUnknown if call.version == Version::HTTP_2 => StatusCode::MISDIRECTED_REQUEST,
        reason => status(reason),
    };
    let (content_type, body) = body(call, reason, &refusal.faults, status);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    // Several refusals have statuses that caches may keep by themselves (RFC 9110 section 15.1).
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(delay) = refusal.retry_after {
        // Whole seconds, rounded up: asking to come back early would only be refused again.
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from(delay.as_secs() + u64::from(delay.subsec_nanos() > 0)),
        );
    }
    if let Some(limit) = &refusal.limit {
        limit.dress(headers);
    }
    if let Some(allow) = &refusal.allow {
        headers.insert(header::ALLOW, HeaderValue::clone(allow));
    } else if reason == Reason::MethodForbidden {
        let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        headers.insert(header::ALLOW, allow);
    }
    if closes_connection(reason) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What stands in the place of an answer by which the app would have told of its inside; the status and all else are the app's.
pub(crate) fn hide(call: &Call, status: StatusCode) -> (HeaderValue, Bytes) {
    body(call, Reason::AppErrorHidden, &[], status)
}

/// What stands in the place of an answer that could not be looked into.
pub(crate) fn unjudged(call: &Call) -> (HeaderValue, Bytes) {
    body(call, Reason::ResponseNotJudged, &[], status(Reason::ResponseNotJudged))
}

fn body(call: &Call, reason: Reason, faults: &[Fault], status: StatusCode) -> (HeaderValue, Bytes) {
    let (detail, code, request_id) = (detail(reason), reason.code(), call.request_id.as_str());
    let (content_type, body) = if call.wants_problem {
        let problem = Problem {
            r#type: format!("urn:mantlet:reason:{code}"),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail,
            code,
            request_id,
            errors: faults,
        };
        ("application/problem+json", serde_json::to_vec(&problem))
    } else {
        let detail = match faults {
            [] => Detail::Text(detail),
            faults => Detail::Faults(faults),
        };
        ("application/json", serde_json::to_vec(&Plain { detail, code, request_id }))
    };
    (HeaderValue::from_static(content_type), Bytes::from(body.unwrap_or_default()))
}

/// Sends a plain request to the encrypted address.
pub fn redirect(location: HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// The answer to a preflight that is allowed.
pub fn preflight(headers: HeaderMap) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    response
}
