//! At which stop of the pipeline a request gets a reason.

use crate::Reason;

/// The stop, by the name that ARCHITECTURE.md has for it.
#[expect(clippy::too_many_lines, reason = "a table")]
pub const fn of(reason: Reason) -> &'static str {
    match reason {
        Reason::ClientBanned => "bans",
        Reason::RequestLineMalformed
        | Reason::TargetMalformed
        | Reason::TargetTooLong
        | Reason::MethodForbidden
        | Reason::HeaderMalformed
        | Reason::HeaderFolded
        | Reason::LineEnding
        | Reason::HeadTooLarge
        | Reason::HeaderCountExceeded
        | Reason::HostMissing
        | Reason::HostRepeated
        | Reason::HostMalformed
        | Reason::HostMismatch
        | Reason::ContentLengthMalformed
        | Reason::ContentLengthRepeated
        | Reason::FramingConflict
        | Reason::TransferEncodingUnsupported
        | Reason::ChunkMalformed
        | Reason::TrailerForbidden
        | Reason::HeadTimeout
        | Reason::BodyTimeout
        | Reason::BodyIncomplete
        | Reason::Http2Flood
        | Reason::Http2Malformed
        | Reason::WebsocketMessageTooLarge
        | Reason::ProxyHeaderMalformed => "wire",
        Reason::PathDotSegment
        | Reason::PathEncoding
        | Reason::PathDoubleEncoded
        | Reason::PathControlCharacter
        | Reason::PathBackslash
        | Reason::PathEmptySegment
        | Reason::PathParameter
        | Reason::PathLookalike => "path",
        Reason::HostUnknown => "host",
        Reason::HttpsRequired => "https",
        Reason::CorsOriginDenied
        | Reason::CorsMethodDenied
        | Reason::CorsHeaderDenied
        | Reason::CorsPrivateNetworkDenied => "cors",
        Reason::RateLimited | Reason::QuotaExceeded | Reason::StoreUnavailable => "throttle",
        Reason::AuditUnavailable => "audit",
        Reason::RouteUnknown
        | Reason::RouteMethodUnknown
        | Reason::RouteHidden
        | Reason::InputInvalid
        | Reason::InputUnknown
        | Reason::InputNotJudged
        | Reason::JsonAmbiguous
        | Reason::JsonTooDeep => "contract",
        Reason::ApiKeyInvalid
        | Reason::ApiKeyOfAnotherEnvironment
        | Reason::CredentialsMissing
        | Reason::TokenInvalid
        | Reason::IssuerUnavailable
        | Reason::AccountsUnavailable
        | Reason::LogoutInvalid
        | Reason::DpopRequired
        | Reason::DpopKeyMismatch
        | Reason::DpopProofInvalid
        | Reason::DpopProofReplayed
        | Reason::DpopNonceRequired
        | Reason::DpopMemoryFull
        | Reason::SessionEnded
        | Reason::SessionExpired
        | Reason::TokenUnknown
        | Reason::TokenElsewhere => "authentication",
        Reason::AccessDenied
        | Reason::ObjectForeign
        | Reason::ObjectOwnerUnclear
        | Reason::ObjectEnumeration
        | Reason::ScopeMissing => "authorization",
        Reason::RefreshTokenInvalid
        | Reason::RefreshTokenOfAnotherEnvironment
        | Reason::RefreshTokenReused
        | Reason::RefreshTokenUnavailable => "refresh-tokens",
        Reason::CsrfCrossSite
        | Reason::WebsocketOriginDenied
        | Reason::CsrfTokenMissing
        | Reason::CsrfTokenInvalid => "csrf",
        Reason::HeaderRemoved => "client",
        Reason::MultipartMalformed
        | Reason::UploadTooLarge
        | Reason::UploadTooManyParts
        | Reason::UploadNameForbidden
        | Reason::UploadTypeForbidden => "uploads",
        Reason::ContentEncodingUnsupported | Reason::ContentEncodingMalformed | Reason::BodyBomb => {
            "encoding"
        }
        Reason::BodyTooLarge | Reason::TooManyConnections => "limits",
        Reason::AppBusy
        | Reason::AppUnavailable
        | Reason::AppClosed
        | Reason::AppInvalidResponse
        | Reason::AppTimeout => "app",
        Reason::ResponseFieldUnknown
        | Reason::ResponseFieldSensitive
        | Reason::ResponseNotJudged
        | Reason::AppErrorHidden => "responses",
        Reason::CookieAttributesMissing => "cookies",
        Reason::InternalError => "gate",
    }
}
