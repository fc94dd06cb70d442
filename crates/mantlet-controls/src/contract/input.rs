//! Is the input valid for the operation?

use std::time::Duration;

use http::{HeaderValue, Request, header};
use http_body::Body;
use mantlet_contract::{
    fault::{Fault, Loc},
    inputs::{Body as Input, Judgement, PathValue, Request as Parts, judge, repeats_unsayable, without},
    json::{self, Limits, ParseError},
    model::{BodyKind, Location, Operation, SecurityScheme},
    routes::Convertor,
    validate::MAX_FAULTS,
};

use super::{
    InputOrder, Matched, MissingContentType, Policy, Posture, Rules, Tolerance, Unknown, UnprovenInput,
    agreement::Judged,
};
use crate::{
    Mode, Reason, Refusal, RequestBody,
    message::{budget::Budget, media_type::is_multipart},
    operation::place,
    refusal::remedy,
};

/// Depth of nested containers that some Python can still read (3.12: 10,000).
const DEEPEST: usize = 10_000;

/// Places that are recorded of one request.
const MAX_TOLD: usize = 5;

/// `Retry-After` while too many bodies are being judged.
const RETRY_BUSY: Duration = Duration::from_secs(1);

/// The decision about an input.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The faults, with their mode.
    pub(crate) faults: Vec<(Mode, Refusal)>,
    /// The fields that were cut out of the body, if they were not reported before.
    pub(crate) stripped: Option<Refusal>,
    /// The verdict to compare the app's response with.
    pub(crate) judged: Judged,
    /// It would be refused, but the app may refuse it first in another way.
    pub(crate) waits: bool,
}

impl Policy {
    /// Judges a request as it will be forwarded. Reads the body ahead if needed, and cuts out
    /// fields that the app would ignore.
    pub(crate) async fn input<B>(
        &self,
        matched: &Matched,
        mode: Mode,
        rules: &Rules,
        (path, own_field): (&str, Option<&str>),
        request: &mut Request<RequestBody<B>>,
    ) -> Result<Verdict, Refusal>
    where
        B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
    {
        let route = &matched.route;
        let Some(operation) = route.operation.as_ref() else { return Ok(Verdict::default()) };
        let has_inputs = !operation.inputs.is_empty() || is_validated(&operation.body);
        let undeclared_body = undeclared_body(operation, request);
        if !has_inputs && request.uri().query().is_none() && !undeclared_body {
            // Nothing is declared, and nothing unknown came.
            return Ok(Verdict::default());
        }
        // A claim does not justify a refusal, nor does input that code of the app may change before
        // it is validated.
        let unproven = (route.rewrites || matched.unsure) && rules.unproven_input == UnprovenInput::Report;
        let mode = mode.under(!matched.contract.counts(rules) || unproven);
        let reading =
            read_ahead(operation, route.rewrites || matched.unsure, request, self.judged_size, &self.budget)
                .await?;
        let mut judgement = judge_parts(matched, operation, rules, path, request, reading == Reading::Whole);
        // An app with words of its own for what does not validate goes on saying them; and so does one
        // with words for what FastAPI raises, where its 422 would repeat what JSON cannot say.
        let fails = route.answers_unsayable
            && repeats_unsayable(&judgement.faults, request.body().ahead(), limits_of(matched));
        let its_own_words = (route.answers_invalid || fails) && rules.posture == Posture::Compatible;
        let mut verdict = Verdict::default();
        // A body that cannot be judged is reported. A body that only tries to hide, in a way that
        // no client needs, does not pass.
        let in_strict = mode.under(rules.posture == Posture::Compatible);
        // A form with files may have any size.
        let too_large = reading == Reading::TooLarge && !is_multipart(request.headers());
        let unjudged = judgement.exhausted || too_large;
        if unjudged && judgement.faults.is_empty() {
            verdict.faults.push((in_strict, Reason::InputNotJudged.into()));
        }
        // Before FastAPI reads the body, only code around it may refuse. Then FastAPI answers 400,
        // unless Python guesses another encoding.
        let as_app = matched.contract.exact && rules.input_order == InputOrder::AsApp;
        let unread = mode.under(as_app && route.refuses_first.is_some());
        // RFC 8259 section 8.1: JSON is UTF-8. Python guesses what else it could be.
        if let Some(ParseError::Encoding) = judgement.unread {
            let guessed = is_guessed(request.body().ahead());
            let line = (mode == Mode::Enforce).then_some("contract.input = \"report\"");
            let remedy = line.map(|line| remedy::of_route(route.own_path(), request.method().as_str(), line));
            let refusal = Refusal { remedy, ..Reason::JsonAmbiguous.into() };
            verdict.faults.push((if guessed { mode } else { unread }, refusal));
        }
        if !judgement.faults.is_empty() {
            // A document does not say what comes first. Without the required credential the app
            // responds with 401, whatever the input.
            if !as_app && lacks_credential(operation, request) {
                return Ok(verdict);
            }
            let first = route.refuses_first.is_some() || judgement.guarded;
            verdict.waits =
                mode == Mode::Enforce && as_app && first && !is_ours_alone(operation, rules, request);
            let mode = mode.under(its_own_words || verdict.waits);
            let mut places = places_of(&judgement.faults, matched);
            let in_part = judgement.undecided || judgement.exhausted;
            if mode == Mode::Report {
                if !fails {
                    verdict.judged = Judged::Invalid { faults: judgement.faults.as_slice().into(), in_part };
                }
                let is_news = |told: &String| {
                    self.places.is_new(&format!("{} {} {told}", request.method(), route.path))
                };
                places.retain(is_news);
            }
            if !places.is_empty() {
                let line = match (verdict.waits, mode) {
                    (true, _) => Some("contract.input-order = \"first\""),
                    (false, Mode::Report) if unproven => Some("contract.unproven-input = \"enforce\""),
                    (false, Mode::Report) if its_own_words => Some("contract.posture = \"strict\""),
                    _ => None,
                };
                let remedy = line.map(|line| remedy::of_route(&route.path, request.method().as_str(), line));
                let subject = Some(places.join("; ").into());
                let (faults, is_left) = (judgement.faults, verdict.waits);
                let refusal = Refusal { faults, is_left, subject, remedy, ..Reason::InputInvalid.into() };
                verdict.faults.push((mode, refusal));
            }
            return Ok(verdict);
        }
        let is_seen = reading == Reading::Whole || !is_validated(&operation.body);
        let is_judged = is_seen && !judgement.undecided && !judgement.exhausted;
        if is_judged && matched.is_observed(mode != Mode::Enforce || its_own_words) {
            verdict.judged = Judged::Valid;
        }
        if let Some(ParseError::Depth(_)) = judgement.unread {
            verdict.faults.push((unread, Reason::JsonTooDeep.into()));
        }
        let tolerated = |tolerance| match tolerance {
            Tolerance::Reject => Some(mode),
            Tolerance::Report => Some(Mode::Report),
            Tolerance::Allow => None,
        };
        if let (false, Some(mode)) = (judgement.odd.is_nothing(), tolerated(rules.ambiguous_json)) {
            verdict.faults.push((mode, Reason::JsonAmbiguous.into()));
        }
        if let (false, Some(mode)) = (judgement.unknown_query.is_empty(), tolerated(rules.unknown_query)) {
            let names = judgement.unknown_query.iter().take(MAX_FAULTS);
            let faults = names.map(|name| unknown(&["query", name])).collect();
            verdict.faults.push((mode, Refusal { faults, ..Reason::InputUnknown.into() }));
        }
        if undeclared_body && rules.unknown_fields != Unknown::Allow {
            let refusal = Refusal { faults: vec![unknown(&["body"])], ..Reason::InputUnknown.into() };
            verdict.faults.push((Mode::Report, refusal));
        }
        cut_ignored(&mut judgement, rules, mode, own_field, request, &mut verdict);
        // Unknown names alone are recorded only the first time for a route.
        let is_news =
            |refusal: &Refusal| self.reported.is_new(&format!("{} {}", refusal.reason.code(), route.path));
        verdict.faults.retain(|(mode, refusal)| *mode != Mode::Report || is_news(refusal));
        verdict.stripped = verdict.stripped.filter(is_news);
        Ok(verdict)
    }
}

/// The first invalid places, in a form that may be recorded.
fn places_of(faults: &[Fault], matched: &Matched) -> Vec<String> {
    let mut places = Vec::new();
    for fault in faults {
        let told = place::told(fault, &matched.contract.declared);
        if places.len() < MAX_TOLD && !places.contains(&told) {
            places.push(told);
        }
    }
    places
}

/// Cuts fields that the app would ignore out of the body, or refuses or reports them.
fn cut_ignored<B>(
    judgement: &mut Judgement,
    rules: &Rules,
    mode: Mode,
    own_field: Option<&str>,
    request: &mut Request<RequestBody<B>>,
    verdict: &mut Verdict,
) where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    if !judgement.ignored.is_empty() {
        let body = request.body().ahead();
        let named = judgement.ignored.iter().take(MAX_FAULTS);
        let keys = named.filter_map(|member| json::key(body.get(member.clone())?));
        let faults: Vec<_> = keys.map(|key| unknown(&["body", &key])).collect();
        let refusal = Refusal { faults, ..Reason::InputUnknown.into() };
        match rules.unknown_fields {
            Unknown::Reject => verdict.faults.push((mode, refusal)),
            Unknown::Allow => {}
            Unknown::Strip if mode == Mode::Enforce => {
                let rest = json::cut(body, &judgement.ignored);
                request.body_mut().replace_ahead(&rest);
                set_length(request);
                verdict.stripped = Some(refusal);
            }
            Unknown::Strip | Unknown::Report => verdict.faults.push((Mode::Report, refusal)),
        }
    }
    // The CSRF token is ours.
    judgement.ignored_fields.retain(|(name, _)| own_field != Some(name.as_str()));
    if !judgement.ignored_fields.is_empty() {
        let named = judgement.ignored_fields.iter().take(MAX_FAULTS);
        let faults: Vec<_> = named.map(|(name, _)| unknown(&["body", name])).collect();
        let refusal = Refusal { faults, ..Reason::InputUnknown.into() };
        let spans: Vec<_> = judgement.ignored_fields.iter().map(|(_, span)| span.clone()).collect();
        let is_multipart = is_multipart(request.headers());
        let cut = (rules.unknown_fields == Unknown::Strip && mode == Mode::Enforce)
            .then(|| without(request.body().ahead(), &spans, is_multipart));
        match (rules.unknown_fields, cut.flatten()) {
            (Unknown::Reject, _) => verdict.faults.push((mode, refusal)),
            (Unknown::Allow, _) => {}
            (_, Some(rest)) => {
                request.body_mut().replace_ahead(&rest);
                set_length(request);
                verdict.stripped = Some(refusal);
            }
            (Unknown::Strip | Unknown::Report, None) => verdict.faults.push((Mode::Report, refusal)),
        }
    }
}

/// Whether Python reads these bytes in an encoding other than UTF-8 (`json.detect_encoding`).
fn is_guessed(bytes: &[u8]) -> bool {
    let begins = bytes.get(..4.min(bytes.len())).unwrap_or_default();
    begins.contains(&0) || begins.starts_with(b"\xff\xfe") || begins.starts_with(b"\xfe\xff")
}

/// Whether the app may accept input that is invalid only by a line of the configuration.
fn is_ours_alone<B>(operation: &Operation, rules: &Rules, request: &Request<B>) -> bool {
    rules.missing_content_type == MissingContentType::Reject
        && operation.body == BodyKind::Json { strict_content_type: false }
        && !request.headers().contains_key(header::CONTENT_TYPE)
}

/// Whether FastAPI reads the body by itself.
const fn is_validated(body: &BodyKind) -> bool {
    matches!(body, BodyKind::Json { .. } | BodyKind::Form { .. })
}

/// Whether there is a body, as its length says, and the app does not read it. It passes in every
/// posture: many clients send `{}` with every POST.
fn undeclared_body<B: Body>(operation: &Operation, request: &Request<B>) -> bool {
    matches!(operation.body, BodyKind::None)
        && !operation.reads_request
        && request.body().size_hint().lower() > 0
}

/// How much of a body has been read ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// FastAPI does not validate it, or not as it came.
    None,
    Whole,
    TooLarge,
}

/// Reads a body that FastAPI validates by itself. FastAPI ignores a Content-Encoding; the app's own
/// code may not.
async fn read_ahead<B>(
    operation: &Operation,
    rewrites: bool,
    request: &mut Request<RequestBody<B>>,
    most: usize,
    budget: &Budget,
) -> Result<Reading, Refusal>
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    let is_encoded = rewrites && request.headers().contains_key(header::CONTENT_ENCODING);
    if !is_validated(&operation.body) || is_encoded {
        return Ok(Reading::None);
    }
    let body = request.body_mut();
    if body.size_hint().lower() > most as u64 {
        return Ok(Reading::TooLarge);
    }
    while body.ahead().len() <= most {
        if !body.read_ahead().await? {
            return Ok(Reading::Whole);
        }
        if !body.hold(budget) {
            return Err(Refusal::retry(Reason::AppBusy, RETRY_BUSY));
        }
    }
    Ok(Reading::TooLarge)
}

fn limits_of(matched: &Matched) -> Limits {
    Limits { depth: DEEPEST, python: matched.contract.python }
}

fn judge_parts<B>(
    matched: &Matched,
    operation: &Operation,
    rules: &Rules,
    path: &str,
    request: &Request<RequestBody<B>>,
    whole: bool,
) -> Judgement
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    let parameters: Vec<_> = matched
        .parameters
        .iter()
        .map(|(name, convertor, place)| {
            let value = path.get(place.clone()).unwrap_or_default();
            let value = match convertor {
                Convertor::Text => PathValue::Text(value),
                Convertor::Int => PathValue::Int(value),
                Convertor::Other => PathValue::Other,
            };
            (name.as_str(), value)
        })
        .collect();
    let headers: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let body = if whole { Input::Whole(request.body().ahead()) } else { Input::Elsewhere };
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let strict_content_type = rules.missing_content_type == MissingContentType::Reject;
    let parts = Parts { path: &parameters, query, headers: &headers, body, strict_content_type };
    let limits = limits_of(matched);
    judge(operation, &matched.contract.shapes, &parts, limits)
}

/// Whether the app would refuse the request first of all, because it declares a credential and the
/// request has none. A cookie may be one that the contract does not name.
fn lacks_credential<B>(operation: &Operation, request: &Request<B>) -> bool {
    let headers = request.headers();
    let has_cookie = headers.contains_key(header::COOKIE);
    let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
    let has_scheme = |scheme: &str| {
        let given = given.split(|byte| *byte == b' ').next();
        given.is_some_and(|given| given.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    let is_there = |scheme: &SecurityScheme| match scheme {
        SecurityScheme::ApiKey { location: Location::Header, name } => headers.contains_key(name.as_str()),
        SecurityScheme::ApiKey { location: Location::Query, .. } | SecurityScheme::Other => true,
        SecurityScheme::ApiKey { .. } => has_cookie,
        SecurityScheme::Bearer { .. } => has_cookie || has_scheme("bearer"),
        SecurityScheme::Basic => has_cookie || has_scheme("basic"),
        SecurityScheme::Digest => has_cookie || has_scheme("digest"),
    };
    let mut declared = operation.security.iter().flatten().peekable();
    declared.peek().is_some() && !declared.any(|requirement| is_there(&requirement.scheme))
}

/// In Pydantic's words for a model that forbids extra fields.
fn unknown(loc: &[&str]) -> Fault {
    Fault {
        kind: "extra_forbidden".into(),
        loc: loc.iter().copied().map(Loc::from).collect(),
        msg: "Extra inputs are not permitted".into(),
        ctx: serde_json::Map::new(),
    }
}

fn set_length<B>(request: &mut Request<RequestBody<B>>) {
    let length = HeaderValue::from(request.body().ahead().len());
    if request.headers().contains_key(header::CONTENT_LENGTH) {
        request.headers_mut().insert(header::CONTENT_LENGTH, length);
    }
}
