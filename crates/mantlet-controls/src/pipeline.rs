//! The road of a request, top to bottom. Reading [`admit`] is reading the product.

use std::{future::Future, panic::AssertUnwindSafe, pin::pin, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header, uri::PathAndQuery};
use http_body::Body;
use mantlet_contract::routes::Visibility;

use crate::{
    Answer, Arrival, Call, Mode, Policy, Reason, Refusal, RequestBody, Scheme, Wire,
    audit::{Record, Sink},
    call, client, contract, cors, csrf, headers, host, https, limits, origin,
    path::CanonicalPath,
    request_id::X_REQUEST_ID,
    response,
    throttle::{self, Presence},
    watch::{self, Findings, Watch},
    well_formed,
};

/// The method of the request that the wire puts in the place of one it could not accept. A client that sends it is refused.
pub const REFUSED_METHOD: &str = "MANTLET-REFUSED";

/// What stands behind the pipeline.
pub trait App<B> {
    /// The body of its answers.
    type Body: Body<Data = Bytes>;

    /// Answers a request that every stop has let through; the request is as it should be sent.
    fn call(
        self,
        call: &Call,
        request: Request<RequestBody<B>>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Refusal>> + Send;

    /// Where several gates count together, if they do.
    fn store(&self) -> Option<&Arc<dyn throttle::Store>> {
        None
    }

    /// What the app's own CORS was seen to say, lately, to the page that asks, where it asks. The app is not asked.
    fn known_cors(&self, call: &Call) -> Option<cors::Own> {
        let _ = call;
        None
    }

    /// What the app's own CORS says to a preflight, which is as the page's browser would send it before this request. Asked before
    /// such a page's request is refused as forged, and before it is refused in a way that the page has to read.
    fn own_cors(
        &mut self,
        call: &Call,
        preflight: Request<()>,
    ) -> impl Future<Output = Result<cors::Own, cors::Silence>> + Send {
        let _ = (call, preflight);
        std::future::ready(Ok(cors::Own::default()))
    }
}

/// Takes a request through every stop, to the app if it passes all, and its answer back.
///
/// A panic on the way is one request's failure: it is answered with `internal-error` and recorded.
pub async fn handle<B, A>(
    policy: &Policy,
    audit: &impl Sink,
    arrival: &Arrival,
    request: Request<B>,
    mut app: A,
) -> Response<Answer<A::Body>>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
{
    let mut request = request.map(RequestBody::new);
    // client: who is really calling. First, because every record names the caller; it refuses nothing.
    let mut call = Call::open(policy, arrival, &request);

    let outcome = {
        // Pinned where it is made: wrapped by value, this future, the largest of a request, would be copied twice.
        let walk = pin!(async {
            if let Err(ending) = admit(policy, audit, arrival, &mut call, &mut request, &mut app).await {
                call.give_back();
                // Boxed, here and in the stops, is what few requests come to: every request pays for the future's size.
                let preflight = for_words(policy, &call, &request, &ending);
                return Err(Box::pin(for_its_page(policy, &call, preflight, &mut app, ending)).await);
            }
            // responses: what the app may not answer with. First on the way back, for all else is about what is sent.
            policy.responses.prepare(&call, request.headers_mut());
            let answer = app.call(&call, request).await;
            if let Err(refusal) = &answer {
                // What the app has not answered was no failure, and what it has not seen does not count at all.
                call.unanswered(refusal.reason.is_unseen());
            }
            let mut answer = answer?;
            if let Some(refusal) = call.absent.take().filter(|_| !answer.status().is_success()) {
                return Err((*refusal).into());
            }
            // contract: what the app says of input that was left to it. A body that has to be looked into is read by `responses`.
            let is_concerned = policy.responses.concerns(&call, &mut answer);
            if !(is_concerned && call.judged.asks_for(answer.status())) {
                contract::learn(&call, audit, answer.status(), None);
            }
            if is_concerned {
                return Ok(Box::pin(policy.responses.filter(&call, audit, answer)).await?);
            }
            Ok(answer.map(|body| Answer::App { body }))
        });
        AssertUnwindSafe(walk).catch_unwind().await.unwrap_or_else(|_| Err(Reason::InternalError.into()))
    };

    let seen = note_watched(policy, &call, audit);
    let mut answer = match outcome {
        Ok(mut answer) => {
            if let Some(attempt) = &call.attempt {
                attempt.ended(answer.status(), answer.headers(), call.own_path());
            }
            if let Some(taken) = &call.taken {
                for warning in taken.answered(answer.status(), call.judged.is_confirmed(answer.status())) {
                    audit.record(Record::of_quota(&call, &warning));
                }
            }
            note_refused(policy, audit, &call, answer.status(), None);
            if let Some(standing) = &call.standing {
                standing.dress(answer.headers_mut());
            }
            // cookies: the app's own, before others are set beside them.
            let https = call.client.scheme == Scheme::Https;
            match policy.cookies.mode {
                Mode::Enforce => policy.cookies.apply(answer.headers_mut(), https),
                Mode::Report => {
                    for name in policy.cookies.news(answer.headers(), https) {
                        audit.record(Record::of_cookie(&call, name));
                    }
                }
                Mode::Off => {}
            }
            answer
        }
        Err(Ending::Redirected(location)) => response::redirect(location).map(Answer::own),
        Err(Ending::Preflight(headers)) => {
            let mut answer = response::preflight(headers).map(Answer::own);
            dress(policy, &call, &mut answer, true);
            return answer;
        }
        Err(Ending::Refused(refusal)) => {
            // audit: one record of what was decided. A client that has left was not refused.
            if refusal.repeated {
                audit.repeated(&call, refusal.reason, Mode::Enforce);
            } else if refusal.reason != Reason::BodyIncomplete || call.version == Version::HTTP_2 {
                audit.record(Record::of(&call, &refusal, Mode::Enforce).about(seen));
            }
            let mut answer = response::refuse(&call, &refusal).map(Answer::own);
            note_refused(policy, audit, &call, answer.status(), Some(refusal.reason));
            if let Some(tarpit) = policy.throttle.tarpit(&call, &refusal) {
                answer.extensions_mut().insert(tarpit);
            }
            if let Some(own) = refusal.cors {
                own.dress(answer.headers_mut());
            }
            answer
        }
    };
    // throttle: whether the client got what it asked for, for rules that only report. Last of what learns, for a refusal is an answer too.
    if let Some(counted) = &call.counted {
        counted.answered(answer.status());
    }
    // cors: refusals too, or a browser shows its user "CORS error" instead of what went wrong.
    policy.cors.dress_for(call.origin.as_ref(), answer.headers_mut());
    let own = answer.body().is_own();
    dress(policy, &call, &mut answer, own);
    answer
}

/// throttle: requests of one client at once. Asked right before the app: a client that is slow to send holds no place there. The request counts
/// until what is returned is dropped, which is when its answer has ended.
pub fn enter(policy: &Policy, audit: &impl Sink, call: &Call) -> Result<Option<Presence>, Refusal> {
    let (presence, refusal) = policy.throttle.enter(call);
    if let Some((mode, refusal)) = refusal {
        limit(audit, call, mode, refusal)?;
    }
    Ok(presence)
}

/// What a limit that is reached leads to in its mode.
fn limit(audit: &impl Sink, call: &Call, mode: Mode, refusal: Refusal) -> Result<(), Refusal> {
    match mode {
        Mode::Enforce => return Err(refusal),
        Mode::Report if refusal.repeated => audit.repeated(call, refusal.reason, mode),
        Mode::Report => audit.record(Record::of(call, &refusal, mode)),
        Mode::Off => {}
    }
    Ok(())
}

/// bans: whoever is refused again and again is shut out. After the refusal's own record, which says what for.
fn note_refused(policy: &Policy, audit: &impl Sink, call: &Call, status: StatusCode, reason: Option<Reason>) {
    if let Some(record) = policy.throttle.note_refused(call, status, reason) {
        audit.record(record);
    }
}

/// How a request ends before the app.
enum Ending {
    Refused(Refusal),
    /// To the encrypted address.
    Redirected(HeaderValue),
    /// A preflight, answered with these headers.
    Preflight(HeaderMap),
}

impl From<Refusal> for Ending {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Reason> for Ending {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason.into())
    }
}

/// The stops before the app, in their order.
async fn admit<B, A>(
    policy: &Policy,
    audit: &impl Sink,
    arrival: &Arrival,
    call: &mut Call,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Ending>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
{
    // bans: is this address shut out? Before anything else is judged, so that it costs next to nothing.
    policy.throttle.banned(call, request.headers(), &policy.client.trusted)?;

    // wire: is this exactly one well-formed request? Nothing else can be judged about bytes that are not.
    if let Wire::Refused(refusal) = &arrival.wire {
        return Err(refusal.clone().into());
    }
    if arrival.wire != Wire::NotAsked {
        well_formed::verify_method(request.method())?;
    }
    if arrival.wire == Wire::Unread {
        well_formed::verify(policy, request)?;
    }

    // host: one spelling, which is judged and sent. Before anything reads it.
    if policy.client.leaves_headers || !host::respell(request) {
        call.host.read_if_new(request.headers());
    } else {
        call.host.read_again(request.headers());
    }

    // path: has it one reading? Before anything that depends on where the request goes.
    let path = stop(policy.path.mode, call, audit, || CanonicalPath::of(request.uri(), &policy.path))?;
    call.path = path.unwrap_or_else(|| CanonicalPath::unjudged(request.uri(), &policy.path));
    retarget(request, call.path.target(request.uri()));
    // Where it goes, whichever of the app's root paths it is spelled with: all that follows is about that. Sent is what came.
    call.place = policy.contract.place_of(call.path.as_str(), policy.path.roots.as_ref());

    // route: what the configuration says about this path. All later stops ask it for their mode.
    call.route = policy.routes.of(&call.method, call.spellings()).clone();

    // host: is it ours? Before anything is built from its name, a redirect above all.
    verify_host(policy, audit, call, request)?;

    // transport: is it HTTPS where it must be? Before a plain request is told anything else.
    if call.client.scheme == Scheme::Http
        && let Some(target) = request.uri().path_and_query()
    {
        let host = policy.host.to_build_from(call.route.host, &call.host);
        match policy.https.verify(&call.method, host, target, call.spellings()) {
            https::Verdict::Pass => {}
            https::Verdict::Redirect(location) => return Err(Ending::Redirected(location)),
            https::Verdict::Refuse => return Err(Reason::HttpsRequired.into()),
        }
    }

    // cors: preflights end here. They carry no credentials, so nothing later could judge them.
    if let Some(judged) = policy.cors.preflight(&call.method, request.headers())
        && let Some(headers) =
            stop(policy.cors.mode, call, audit, || judged.map_err(|reason| of_origin(reason, call)))?
        && policy.cors.is_ours()
    {
        return Err(Ending::Preflight(headers));
    }

    // throttle: has this address had its share? Before anything that costs more than a look at it.
    let verdict = policy.throttle.early(call, request, app.store()).await;
    throttled(audit, call, verdict)?;

    // contract: is it an operation of the app? Before anything that depends on which one.
    let declared_cookies = operation(policy, audit, call, request)?;

    // csrf: could a foreign page have sent this with the user's cookies? After the route, which may have a mode of its own.
    let tokens = &policy.csrf.tokens;
    let names = tokens.names(declared_cookies.as_ref()).filter(|_| call.route.csrf_token != Mode::Off);
    let suspect = suspect(policy, arrival, call, request);
    let mut forged = match suspect {
        Some(suspect) => Box::pin(foreign(call, *suspect, app)).await?,
        None => None,
    };
    // What a token may still prove waits for it.
    if let Some(refusal) = forged.take_if(|refusal| {
        refusal.reason != Reason::CsrfCrossSite || names.is_none_or(|names| !tokens.may_prove(names, request))
    }) {
        stop(call.route.csrf, call, audit, || Err::<(), _>(*refusal))?;
    }

    // limits: is the body within its limit? Declared sizes here; undeclared ones are counted as they arrive. Before the first
    // stop that reads a body.
    let body_size = call.route.body_size.of(call.operation.as_ref());
    limits::declared_size(request.headers(), body_size)?;
    request.body_mut().limit_to(body_size);

    // uploads: is it a form, or compressed? Then it is watched as it passes. Before the first stop that reads a body, too.
    if watch::concerns(request.headers()) && !request.body().is_end_stream() {
        watch_body(call, request)?;
    }

    // csrf token: can the page read our cookie? The last of csrf, for it may have to look into a form.
    if let Some(names) = names {
        let held = tokens.read(names, request.headers(), call.client.scheme, csrf::is_safe(&call.method));
        // In the call at once: a refusal's answer sets the cookie too, so that the next try can succeed.
        let held = &**call.csrf.insert(Box::new(held));
        let concerns = tokens.is_configured()
            || call.operation.as_ref().is_some_and(|matched| contract::declares_cookies(&matched.route));
        if (concerns || forged.is_some()) && held.is_asked(request.headers()) {
            let verdict = Box::pin(tokens.verify(held, request)).await?.map_err(Refusal::from);
            // The token is proof of the page, whatever its origin says: no foreign page knows it.
            let (mode, verdict) = match forged.take() {
                Some(refusal) => (call.route.csrf, verdict.or(Err(*refusal))),
                None => (call.route.csrf_token, verdict),
            };
            stop(mode, call, audit, || verdict)?;
        }
        if let Some(held) = &call.csrf {
            tokens.show_to_app(held, request.headers_mut());
        }
    }
    if let Some(refusal) = forged {
        stop(call.route.csrf, call, audit, || Err::<(), _>(*refusal))?;
    }

    // throttle: has this user or account? After csrf, so that no foreign page can use up what is theirs.
    if policy.throttle.has_late(call) {
        let (verdict, attempt, taken) = Box::pin(policy.throttle.late(call, request, app.store())).await?;
        throttled(audit, call, verdict)?;
        call.attempt = attempt.map(Box::new);
        call.taken = taken.map(Box::new);
    }

    // The app learns who called from us alone. Last, so that no stop reads headers that we wrote.
    for header in
        client::prepare(request.headers_mut(), call, &policy.client, || policy.contract.folds_headers())
    {
        if policy.removed.is_new(header.name.as_str()) {
            audit.record(Record::of_removed(call, &header));
        }
    }

    // validate: does the input fit what the app accepts? The very last, for it judges what will be sent.
    if call.operation.is_some() && call.route.contract != Mode::Off {
        Box::pin(validate(policy, audit, call, request)).await?;
    }
    Ok(())
}

/// Judges the input, if an operation is known that takes some.
async fn validate<B>(
    policy: &Policy,
    audit: &impl Sink,
    call: &mut Call,
    request: &mut Request<RequestBody<B>>,
) -> Result<(), Refusal>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
{
    let mode = call.route.contract;
    let Some(matched) = &call.operation else { return Ok(()) };
    let about = (call.path.as_str(), Some(policy.csrf.tokens.field()));
    let verdict = policy.contract.input(matched, mode, &call.route.rules, about, request).await?;
    for (mode, refusal) in verdict.faults {
        if mode == Mode::Enforce {
            return Err(refusal);
        }
        let left = verdict.waits && refusal.reason == Reason::InputInvalid;
        audit.record(if left { Record::of_left(call, &refusal) } else { Record::of(call, &refusal, mode) });
    }
    if let Some(stripped) = &verdict.stripped {
        audit.record(Record::of_stripped(call, stripped));
    }
    call.judged = verdict.judged;
    Ok(())
}

/// What the rules of `[throttle]` lead to. Many refusals of one key are one record.
fn throttled(audit: &impl Sink, call: &mut Call, verdict: throttle::Verdict) -> Result<(), Refusal> {
    match (&mut call.counted, verdict.counted) {
        (Some(counted), Some(later)) => counted.and(*later),
        (counted, Some(first)) => *counted = Some(first),
        (_, None) => {}
    }
    for (mode, refusal) in verdict.faults {
        limit(audit, call, mode, refusal)?;
    }
    if let Some(standing) = verdict.standing
        && call.standing.as_ref().is_none_or(|known| standing.is_nearer_its_end_than(known))
    {
        call.standing = Some(standing);
    }
    Ok(())
}

/// Learns which operation the request is for; says which cookies the app declares as security.
fn operation<B>(
    policy: &Policy,
    audit: &impl Sink,
    call: &mut Call,
    request: &Request<B>,
) -> Result<Option<Arc<[String]>>, Refusal> {
    let (host, path, rules) = (call.host.sent(), call.path.as_str(), &call.route.rules);
    // A preflight that gets here is for the app's own CORS, which answers it whatever the path. What else the app might say to one for
    // what clients shall not know of could tell them.
    if cors::is_preflight(&call.method, request.headers()) {
        call.absent = policy.contract.absent(host, path, &call.place, rules).map(Box::new);
        return Ok(None);
    }
    let opens_websocket = call::wants_websocket(&call.method, request.version(), request.headers());
    let verdict = policy.contract.route(&call.method, opens_websocket, host, (path, &call.place), rules);
    call.operation = verdict.route;
    if let Some((mode, refusal)) = verdict.fault {
        if mode == Mode::Enforce {
            return Err(refusal);
        }
        audit.record(Record::of(call, &refusal, mode));
    }
    Ok(verdict.session_cookies)
}

/// Begins to watch a body as it passes.
fn watch_body<B>(call: &mut Call, request: &mut Request<RequestBody<B>>) -> Result<(), Reason>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
{
    // In the call at once: what is seen in the head is told too.
    let findings = Arc::clone(call.watched.insert(Arc::<Findings>::default()));
    if let Some(watch) = Watch::begin(call, request.headers(), &findings)? {
        request.body_mut().watch_with(watch);
    }
    Ok(())
}

/// Records what was seen in a body and let through; says for what it broke off, if it did.
fn note_watched(policy: &Policy, call: &Call, audit: &impl Sink) -> Option<&'static str> {
    let mut broken_off = None;
    for finding in call.watched.as_ref()?.take() {
        if finding.mode == Mode::Enforce {
            broken_off = Some(finding.what);
            continue;
        }
        let route = call.operation.as_ref().map_or("", |matched| matched.route.path.as_str());
        let name = || format!("{} {} {route}", finding.reason.code(), finding.what);
        if !finding.tolerated || policy.watched.is_new(&name()) {
            audit.record(Record::of(call, &finding.reason.into(), Mode::Report).about(Some(finding.what)));
        }
    }
    broken_off
}

/// What to ask the app before a refusal that a page has to read. The app is not asked on behalf of a client that asks too much.
fn for_words<B>(policy: &Policy, call: &Call, request: &Request<B>, ending: &Ending) -> Option<Request<()>> {
    match ending {
        Ending::Refused(refusal)
            if refusal.reason.is_for_pages()
                && !refusal.reason.is_about_amounts()
                && !policy.cors.is_ours()
                // A page of our own needs no leave.
                && !csrf::is_from_here(request.headers(), call.host.forwarded()) =>
        {
            cors::preflight(policy, call, request)
        }
        _ => None,
    }
}

/// Lets a page that has to read a refusal read it, in the app's words, where the app has the word about CORS.
async fn for_its_page<B, A: App<B>>(
    policy: &Policy,
    call: &Call,
    preflight: Option<Request<()>>,
    app: &mut A,
    mut ending: Ending,
) -> Ending {
    if let Ending::Refused(refusal) = &mut ending
        && call.origin.is_some()
        && !policy.cors.is_ours()
    {
        let own = match preflight {
            Some(preflight) => app.own_cors(call, preflight).await.ok(),
            None if refusal.reason.is_about_amounts() => app.known_cors(call),
            None => None,
        };
        refusal.cors = own.map(Box::new);
    }
    ending
}

/// What every answer wears, refusals too.
fn dress<B: Body>(policy: &Policy, call: &Call, answer: &mut Response<B>, own: bool) {
    if let Some(held) = &call.csrf {
        policy.csrf.tokens.dress(held, answer);
    }
    let facts = headers::Facts {
        path: policy.headers.path_of_docs(call.spellings()),
        https: call.client.scheme == Scheme::Https,
        authenticated: call.authenticated,
        not_modified: answer.status() == StatusCode::NOT_MODIFIED,
        own,
        docs: call.operation.as_ref().map(|matched| matched.route.visibility == Visibility::Docs),
        public_host: call.client.scheme == Scheme::Https && call.host.asked().is_some_and(headers::is_public),
        loaded_as_code: call.loaded_as_code,
        empty: answer.body().size_hint().exact() == Some(0),
    };
    let answer = answer.headers_mut();
    policy.headers.apply_in(call.route.headers, answer, &facts);
    if let header::Entry::Vacant(vacant) = answer.entry(X_REQUEST_ID) {
        vacant.insert(call.request_id.header().clone());
    }
}

/// Asks a control in its mode: a refusal counts, or is recorded and forgotten, or is not asked for.
fn stop<T, E: Into<Refusal>>(
    mode: Mode,
    call: &Call,
    audit: &impl Sink,
    decide: impl FnOnce() -> Result<T, E>,
) -> Result<Option<T>, Refusal> {
    if mode == Mode::Off {
        return Ok(None);
    }
    match decide().map_err(Into::into) {
        Ok(value) => Ok(Some(value)),
        Err(refusal) if mode == Mode::Report => {
            audit.record(Record::of(call, &refusal, Mode::Report));
            Ok(None)
        }
        Err(refusal) => Err(refusal),
    }
}

/// Puts the host to its control. Where only a trusted proxy's word makes it known, the app is sent that one.
fn verify_host<B>(
    policy: &Policy,
    audit: &impl Sink,
    call: &mut Call,
    request: &mut Request<B>,
) -> Result<(), Refusal> {
    let mode = call.route.host;
    let verify = || policy.host.verify(mode, &call.host, &call.method, call.own_path());
    let known = stop(mode, call, audit, verify)?;
    if known == Some(host::Known::AsForwarded) && mode == Mode::Enforce && !policy.client.leaves_headers {
        call.host.send_forwarded(request.headers_mut());
    }
    Ok(())
}

/// A request that a foreign page may have sent, as far as is known without asking the app.
struct Suspect {
    refusal: Refusal,
    /// What to ask the app; nothing where it does not matter.
    preflight: Option<Request<()>>,
}

fn suspect<B>(policy: &Policy, arrival: &Arrival, call: &Call, request: &Request<B>) -> Option<Box<Suspect>> {
    let facts = csrf::Facts {
        has_certificate: call.certificate.is_some(),
        forwarded_host: call.host.forwarded(),
        // Asked only of a page's request: it is dearer than the rest.
        is_local: call.origin.is_some() && client::is_local(arrival, request.headers()),
    };
    let shares = |origin: &str| policy.cors.shares_credentials_with(origin);
    let reason = policy.csrf.verify(&call.method, request.headers(), &facts, shares).err()?;
    let is_asked = call.route.csrf != Mode::Off;
    let preflight = is_asked.then(|| cors::preflight(policy, call, request)).flatten();
    // Boxed: rare, and the future of every request would be larger for it.
    Some(Box::new(Suspect { refusal: of_origin(reason, call), preflight }))
}

/// A refusal for an origin, which its record shows.
fn of_origin(reason: Reason, call: &Call) -> Refusal {
    let origin = call.origin.as_ref().and_then(|origin| origin::shown(origin.to_str().ok()?));
    Refusal { subject: origin.map(Into::into), ..reason.into() }
}

/// The refusal of a suspect, if the app does not trust its page either. An answer that is not about CORS is not a word of trust; an app that cannot be
/// asked cannot be asked for more.
async fn foreign<B, A: App<B>>(
    call: &Call,
    suspect: Suspect,
    app: &mut A,
) -> Result<Option<Box<Refusal>>, Refusal> {
    let Suspect { refusal, preflight } = suspect;
    let refusal = Some(Box::new(refusal));
    let (Some(origin), Some(preflight)) = (&call.origin, preflight) else { return Ok(refusal) };
    match app.own_cors(call, preflight).await {
        Ok(own) if own.shares_credentials_with(origin) => Ok(None),
        Ok(_) | Err(cors::Silence::Unclear) => Ok(refusal),
        Err(cors::Silence::Unasked(refusal)) => Err(refusal),
    }
}

/// Makes the target origin-form: the app is asked for a path on itself, whatever form the client used.
fn retarget<B>(request: &mut Request<B>, target: Option<PathAndQuery>) {
    if let Some(target) = target {
        *request.uri_mut() = target.into();
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
