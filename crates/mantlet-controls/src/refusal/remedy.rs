//! The line of configuration that would change a decision, for the operator who reads the record of it.
//!
//! For a refusal or a change it is the line that lets the request pass; for a report it is the line
//! that enforces it. It is TOML on one line, to be copied into `mantlet.toml` above its first
//! table; `route = […]` is another spelling of `[[route]]`. If no setting would accept the request,
//! there is no line.

use std::fmt::Write;

use mantlet_contract::fault::Loc;

use crate::{
    Call, Mode, Reason, Refusal,
    message::{authority, foreign, origin},
};

/// The place of a line, and its text.
enum Line {
    /// At the top.
    Top(&'static str),
    /// In a section of the operation, if it is known; else at the top.
    Route(&'static str),
    /// A list of origins, with that of the requesting page.
    Origins(&'static str),
    /// A list of hosts, with the requested one.
    Hosts(&'static str),
    /// No line would change it.
    None,
}

use Line::{Hosts, None as Nothing, Origins, Route, Top};

/// The line that changes what `mode` led to.
pub(crate) fn of(call: &Call, refusal: &Refusal, mode: Mode) -> Option<String> {
    if let Some(own) = &refusal.remedy {
        return Some(own.as_ref().to_owned()).filter(|line| !line.is_empty());
    }
    let is_of_query =
        refusal.faults.first().and_then(|fault| fault.loc.first()) == Some(&Loc::Key("query".into()));
    let line = match refusal.reason {
        Reason::InputUnknown if is_of_query => unknown_query(mode),
        reason => line(reason, mode),
    };
    let operation = call.operation.as_ref().map(|matched| matched.route.path.as_str());
    let page = Asked {
        operation,
        method: call.method.as_str(),
        origin: call.origin.as_ref().and_then(|origin| origin.to_str().ok()),
        host: call.host.sent(),
    };
    write(&line, page)
}

/// The parts of a request that a line may contain.
#[derive(Clone, Copy)]
struct Asked<'c> {
    operation: Option<&'c str>,
    method: &'c str,
    origin: Option<&'c str>,
    host: Option<&'c str>,
}

fn unknown_query(mode: Mode) -> Line {
    Route(if mode == Mode::Enforce {
        "contract.unknown-query = \"report\""
    } else {
        "contract.unknown-query = \"reject\""
    })
}

fn write(line: &Line, asked: Asked<'_>) -> Option<String> {
    match line {
        Top(text) => Some((*text).to_owned()),
        Route(text) => Some(match asked.operation {
            Some(path) => of_route(path, asked.method, text).into(),
            None => (*text).to_owned(),
        }),
        Origins(key) => {
            // A page without a name of its own (`null`) cannot be trusted by name.
            let named = asked.origin.filter(|origin| origin::is_name(origin));
            let named = named.map(|origin| format!("{key} = [{}]", quoted(origin)));
            // Any page of another site may send its callback.
            let here = asked.operation.filter(|_| key.starts_with("csrf"));
            let here = here.and_then(|_| write(&Route("csrf.mode = \"off\""), asked));
            match (named, here) {
                (Some(named), Some(here)) => Some(format!("{named} # or for this operation: {here}")),
                (None, None) if key.starts_with("csrf") => Some("csrf.mode = \"report\"".to_owned()),
                (named, here) => named.or(here),
            }
        }
        Hosts(key) => Some(format!("{key} = [{}]", quoted(&authority::listed(asked.host?)))),
        Nothing => None,
    }
}

/// The line for a known route, also a hidden one.
pub fn of_route(path: &str, method: &str, text: &str) -> Box<str> {
    // A made-up method does not belong in a record.
    if !foreign::is_known(method) {
        return format!("route = [{{ path = {}, {text} }}]", quoted(path)).into();
    }
    format!("route = [{{ path = {}, methods = [{}], {text} }}]", quoted(path), quoted(method)).into()
}

/// The line that sets `text` for a sensitive operation; none if the operation is not known.
pub(crate) fn of_sensitive(path: &str, method: &str, text: &str) -> Option<Box<str>> {
    let methods = match method {
        "POST" | "PUT" | "PATCH" => String::new(),
        other => format!("methods = [{}], ", quoted(other)),
    };
    let line = || format!("throttle.operation = [{{ paths = [{}], {methods}{text} }}]", quoted(path)).into();
    (!path.is_empty()).then(line)
}

/// A text as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                // Writing to a text cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The line that changes the effect of a reason: for `Enforce` the one that lets the request pass,
/// for other modes the one that enforces.
#[expect(clippy::too_many_lines, reason = "a table")]
fn line(reason: Reason, mode: Mode) -> Line {
    let passes = mode == Mode::Enforce;
    // The first lets pass, the second enforces.
    let either = |lets_pass: Line, enforces: Line| if passes { lets_pass } else { enforces };
    match reason {
        Reason::ClientBanned => {
            either(Top("throttle.ban.mode = \"report\""), Top("throttle.ban.mode = \"enforce\""))
        }
        Reason::TargetTooLong => Top("limits.target-length = \"63 KiB\""),
        Reason::HeadTooLarge => Top("limits.head-size = \"256 KiB\""),
        Reason::HeaderCountExceeded => Top("limits.header-count = 1000"),
        Reason::HeadTimeout => Top("limits.head-timeout = \"60s\""),
        Reason::BodyTimeout => Top("limits.body-grace = \"2m\""),
        Reason::PathParameter => either(Top("path.allow-semicolons = true"), Top("path.mode = \"enforce\"")),
        Reason::PathDotSegment
        | Reason::PathEncoding
        | Reason::PathDoubleEncoded
        | Reason::PathControlCharacter
        | Reason::PathBackslash
        | Reason::PathEmptySegment
        | Reason::PathLookalike => either(Top("path.mode = \"report\""), Top("path.mode = \"enforce\"")),
        // A list enforces, and it includes this host.
        Reason::HostUnknown => Hosts("host.allow"),
        Reason::HttpsRequired => Top("https.required = \"never\""),
        Reason::CorsOriginDenied => either(Origins("cors.origins"), Top("cors.mode = \"enforce\"")),
        Reason::CorsPrivateNetworkDenied => {
            either(Top("cors.private-network = true"), Top("cors.mode = \"enforce\""))
        }
        Reason::CorsMethodDenied | Reason::CorsHeaderDenied => {
            either(Top("cors.mode = \"report\""), Top("cors.mode = \"enforce\""))
        }
        Reason::RateLimited => either(Top("throttle.mode = \"report\""), Top("throttle.mode = \"enforce\"")),
        Reason::RouteUnknown | Reason::RouteMethodUnknown => {
            either(Top("contract.unknown-routes = \"report\""), Top("contract.unknown-routes = \"reject\""))
        }
        Reason::RouteHidden => {
            either(Route("contract.hidden-routes = \"report\""), Route("contract.hidden-routes = \"reject\""))
        }
        Reason::CsrfCrossSite | Reason::WebsocketOriginDenied => {
            either(Origins("csrf.trusted-origins"), Top("csrf.mode = \"enforce\""))
        }
        Reason::CsrfTokenMissing | Reason::CsrfTokenInvalid => {
            either(Route("csrf.token.mode = \"off\""), Route("csrf.token.mode = \"enforce\""))
        }
        Reason::ApiKeyInvalid | Reason::ApiKeyOfAnotherEnvironment => {
            either(Top("api-keys.mode = \"report\""), Top("api-keys.mode = \"enforce\""))
        }
        Reason::CredentialsMissing => {
            either(Route("api-keys.required = false"), Top("api-keys.mode = \"enforce\""))
        }
        Reason::TokenInvalid => {
            // What is only recorded, the app accepts, or its record brings the line.
            either(Top("authentication.mode = \"report\""), Nothing)
        }
        Reason::DpopRequired
        | Reason::DpopKeyMismatch
        | Reason::DpopProofInvalid
        | Reason::DpopProofReplayed
        | Reason::DpopNonceRequired => {
            // The record brings the line.
            either(Top("dpop.mode = \"report\""), Top("dpop.mode = \"enforce\""))
        }
        Reason::TokenUnknown => {
            either(Top("authentication.unknown = \"report\""), Top("authentication.unknown = \"enforce\""))
        }
        Reason::RefreshTokenInvalid
        | Reason::RefreshTokenOfAnotherEnvironment
        | Reason::RefreshTokenReused => {
            either(Top("refresh-tokens.mode = \"report\""), Top("refresh-tokens.mode = \"enforce\""))
        }
        Reason::TokenElsewhere => {
            either(Top("authentication.binding = \"report\""), Top("authentication.binding = \"enforce\""))
        }
        Reason::ScopeMissing => {
            either(Top("authorization.scopes = \"report\""), Top("authorization.scopes = \"enforce\""))
        }
        Reason::ObjectEnumeration => either(
            Top("authorization.enumeration.mode = \"report\""),
            Top("authorization.enumeration.mode = \"enforce\""),
        ),
        Reason::SessionEnded | Reason::SessionExpired => {
            either(Top("authentication.sessions = \"report\""), Top("authentication.sessions = \"enforce\""))
        }
        Reason::InputInvalid | Reason::JsonTooDeep => {
            either(Route("contract.input = \"report\""), Route("contract.input = \"enforce\""))
        }
        Reason::InputUnknown => either(
            Route("contract.unknown-fields = \"report\""),
            Route("contract.unknown-fields = \"reject\""),
        ),
        Reason::InputNotJudged => {
            either(Top("contract.judged-size = \"16 MiB\""), Top("contract.posture = \"strict\""))
        }
        Reason::JsonAmbiguous => either(
            Route("contract.ambiguous-json = \"report\""),
            Route("contract.ambiguous-json = \"reject\""),
        ),
        Reason::MultipartMalformed => {
            either(Route("uploads.mode = \"report\""), Route("uploads.mode = \"enforce\""))
        }
        Reason::UploadTooLarge => {
            either(Route("uploads.file-size = \"1 GiB\""), Route("uploads.mode = \"enforce\""))
        }
        Reason::UploadTooManyParts => {
            either(Route("uploads.files = 10000"), Route("uploads.mode = \"enforce\""))
        }
        Reason::UploadNameForbidden => {
            either(Route("uploads.unusual-names = \"report\""), Route("uploads.unusual-names = \"reject\""))
        }
        Reason::UploadTypeForbidden => either(
            Route("uploads.disguised-files = \"report\""),
            Route("uploads.disguised-files = \"reject\""),
        ),
        Reason::ContentEncodingUnsupported | Reason::ContentEncodingMalformed => {
            either(Route("encoding.unreadable = \"report\""), Route("encoding.unreadable = \"reject\""))
        }
        Reason::BodyBomb => either(Route("encoding.max-ratio = 1000"), Route("encoding.mode = \"enforce\"")),
        Reason::BodyTooLarge => Route("limits.body-size = \"64 GiB\""),
        Reason::TooManyConnections => Top("limits.connections-per-client = 16384"),
        Reason::WebsocketMessageTooLarge => Top("limits.websocket-message = \"256 MiB\""),
        Reason::ProxyHeaderMalformed => Top("client.proxy-protocol = false"),
        Reason::AppBusy => Top("app.queue-timeout = \"30s\""),
        Reason::AppTimeout => Top("app.response-timeout = \"4h\""),
        Reason::ResponseFieldUnknown => either(
            Route("responses.unknown-fields = \"report\""),
            Route("responses.unknown-fields = \"strip\""),
        ),
        Reason::ResponseFieldSensitive => either(
            Route("responses.sensitive-fields = \"report\""),
            Route("responses.sensitive-fields = \"strip\""),
        ),
        Reason::ResponseNotJudged => {
            either(Route("responses.unjudged = \"pass\""), Route("responses.unjudged = \"replace\""))
        }
        Reason::AppErrorHidden => {
            either(Route("responses.errors = \"report\""), Route("responses.errors = \"replace\""))
        }
        Reason::CookieAttributesMissing => either(Nothing, Top("cookies.mode = \"enforce\"")),
        // The client or the app must be fixed, or a command helps, or the record names the
        // operator's own rule.
        Reason::RequestLineMalformed
        | Reason::TargetMalformed
        | Reason::MethodForbidden
        | Reason::HeaderMalformed
        | Reason::HeaderFolded
        | Reason::LineEnding
        | Reason::HostMissing
        | Reason::HostRepeated
        | Reason::HostMalformed
        | Reason::HostMismatch
        | Reason::HeaderRemoved
        | Reason::ContentLengthMalformed
        | Reason::ContentLengthRepeated
        | Reason::FramingConflict
        | Reason::TransferEncodingUnsupported
        | Reason::ChunkMalformed
        | Reason::TrailerForbidden
        | Reason::BodyIncomplete
        | Reason::Http2Flood
        | Reason::Http2Malformed
        | Reason::QuotaExceeded
        | Reason::StoreUnavailable
        | Reason::AuditUnavailable
        | Reason::IssuerUnavailable
        | Reason::AccountsUnavailable
        | Reason::DpopMemoryFull
        | Reason::LogoutInvalid
        | Reason::AccessDenied // the record brings the line of its rule
        | Reason::ObjectForeign // the same
        | Reason::ObjectOwnerUnclear
        | Reason::RefreshTokenUnavailable
        | Reason::AppUnavailable
        | Reason::AppClosed
        | Reason::AppInvalidResponse
        | Reason::InternalError => Nothing,
    }
}

/// Every line that a record may contain, for an operation and without one: a configuration must
/// accept all of them.
pub fn all() -> Vec<String> {
    let mut all = Vec::new();
    for mode in [Mode::Enforce, Mode::Report] {
        let lines = Reason::ALL.iter().map(|reason| line(*reason, mode)).chain([unknown_query(mode)]);
        for line in lines {
            let hosts =
                [Some("Shop.example.:8000"), Some("[2001:DB8::1]:8000"), Some("10.244.0.5:8000"), None];
            for operation in [None, Some("/items/{item_id}/\"é\\")] {
                for (origin, host) in
                    [Some("https://front.example"), Some("capacitor://localhost"), Some("null"), None]
                        .into_iter()
                        .zip(hosts)
                {
                    all.extend(write(&line, Asked { operation, method: "POST", origin, host }));
                }
            }
        }
    }
    for text in ["contract.docs = \"reject\"", "contract.hidden-routes = \"report\""] {
        all.push(of_route("/internal", "GET", text).into());
    }
    all.extend(["drop", "keep"].map(|key| format!("client.{key} = [\"x-http-method-override\"]")));
    for (method, text) in [("POST", "purpose = \"reset\""), ("GET", "purpose = \"login\", mode = \"report\"")]
    {
        all.extend(of_sensitive("/a/{b}", method, text).map(String::from));
    }
    all.sort_unstable();
    all.dedup();
    all
}
