//! The last step of the pipeline: sends the request to the app, and streams the response back.

mod early;
mod framing;
mod own;
mod preflight;
mod question;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::{Body, Frame};
use hyper::{body::Incoming, client::conn::TrySendError, upgrade::OnUpgrade};
use mantlet_controls::{
    App, Call, Policy, Reason, Refusal, RequestBody,
    accounts::Callers,
    authentication::sessions::Keeper,
    call::{trace::Trace, wants_websocket},
    client,
    cors::{Own, Silence},
    dpop::SeenByAll,
    issuer::Client,
    pipeline,
    proof_of_work::SpentByAll,
    refresh_tokens,
    throttle::Store,
};
use std::{
    error::Error as _,
    future::poll_fn,
    io::{self, ErrorKind},
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, Instant},
};

use self::framing::Framing;
use super::{
    leaving::Awaited,
    load::{Permit, Place},
    pool::{Lease, Upstream},
    request_body::{AppRequestBody, Progress, Unfinished, hold},
    response_body::AppResponseBody,
};
use crate::{
    audit_log::AuditLog,
    connection_state::ConnectionState,
    house::House,
    metrics::Requests,
    request_body::ClientRequestBody,
    traces::{OpenSpan, Tracer},
};

/// How often to check whether a response has begun.
const LOOKS: usize = 3;

/// When to try again after the app could not be reached: a restart takes about that long.
const RETRY_UNAVAILABLE: Duration = Duration::from_secs(2);

/// Headers of a response that its `Connection` header cannot remove: they describe the message.
const NOT_NAMED_AWAY: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CONTENT_ENCODING, header::SET_COOKIE];

/// Who has accounts beside the app, and what answers requests for them.
pub(crate) type OwnAccounts<'a> = (&'a Arc<dyn Callers>, &'a Arc<dyn House>);

/// The app behind the gate, as one request finds it.
pub(crate) struct Forward<'a> {
    pub(crate) upstream: &'a Upstream,
    /// The client's connection.
    pub(crate) connection: &'a Arc<ConnectionState>,
    pub(crate) policy: &'a Policy,
    pub(crate) audit: &'a AuditLog,
    pub(crate) store: Option<&'a Arc<dyn Store>>,
    pub(crate) issuers: &'a Arc<dyn Client>,
    pub(crate) sessions: Option<&'a Arc<dyn Keeper>>,
    pub(crate) proofs: Option<&'a Arc<dyn SeenByAll>>,
    pub(crate) answers: Option<&'a Arc<dyn SpentByAll>>,
    pub(crate) refresh_tokens: &'a Arc<dyn refresh_tokens::Keeper>,
    /// The accounts beside the app, and what answers requests for them.
    pub(crate) accounts: Option<OwnAccounts<'a>>,
    /// Whether the request is to be finished although its client may leave; none if that is not possible.
    pub(crate) must_finish: Option<&'a AtomicBool>,
    /// When the request came, and where it is said how long it took; none if that is not measured.
    pub(crate) measured: Option<(&'a Requests, Instant)>,
    pub(crate) tracer: Option<&'a Tracer>,
    /// The steps of the request, if it is recorded.
    pub(crate) span: OnceLock<Arc<OpenSpan>>,
}

/// The app has agreed to a WebSocket. It travels in the extensions of the response that says so.
#[derive(Debug, Clone)]
pub(crate) struct WebSocketUpgrade {
    pub(crate) upgraded: OnUpgrade,
    /// Held for the life of the WebSocket.
    pub(crate) permit: Option<Arc<Permit>>,
    pub(crate) client: Option<IpAddr>,
}

impl App<ClientRequestBody> for &Forward<'_> {
    type Body = AppResponseBody;

    #[expect(clippy::too_many_lines, reason = "the steps of one exchange, in their order")]
    async fn call(
        &mut self,
        call: &Call,
        request: Request<RequestBody<ClientRequestBody>>,
    ) -> Result<Response<AppResponseBody>, Refusal> {
        let Forward { upstream, connection, policy, audit, .. } = **self;
        let (mut parts, body) = request.into_parts();
        let websocket = body.is_end_stream() && wants_websocket(&parts.method, parts.version, &parts.headers);
        leave_hop_by_hop(&mut parts.headers);
        parts.extensions.clear();
        if parts.version != Version::HTTP_11 {
            parts.version = Version::HTTP_11;
            join_cookies(&mut parts.headers);
        }
        if call.is_for_accounts {
            let Some((_, house)) = self.accounts else { return Err(Reason::InternalError.into()) };
            // Boxed: rare, and the future of every request would be larger for it.
            return Box::pin(self.answer_own(call, &**house, (parts, body))).await;
        }
        self.name_host(&mut parts.headers);
        let house = self.accounts.map(|(_, house)| house).filter(|_| own::asks_for_document(call));
        if house.is_some() {
            own::ask_plainly(&mut parts.headers);
        }
        if websocket {
            parts.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            parts.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        let client = upstream.load.client(policy.throttle.client_key(call));
        let mut body = if body.is_end_stream() {
            AppRequestBody::Empty
        } else {
            let patience = upstream.config.queue_timeout;
            let patience = (!patience.is_zero()).then_some(patience);
            let place = || upstream.load.begin_unfinished(client);
            Box::pin(hold(body, Unfinished { place, patience })).await?
        };
        // Only now, so that a client that is slow to send its body does not hold a place at the
        // app.
        let presence = pipeline::enter(policy, audit, call)?;
        let kind = kind_of(call);
        // If the client has left, only a request that may have an effect keeps its place.
        connection.let_leave(parts.method.is_safe());
        let is_whole = !matches!(body, AppRequestBody::Stream(_));
        let entered = upstream.load.enter(client, kind, is_whole).await;
        connection.let_leave(false);
        let mut place = Some(body.place(entered?.with(presence)));
        body.tell_when_sent(connection);
        let (is_head, is_get) = (parts.method == Method::HEAD, parts.method == Method::GET);
        let limit = call.response_timeout.unwrap_or(upstream.config.response_timeout);
        let mut request = Request::from_parts(parts, body);
        if call.version == Version::HTTP_11
            && !upstream.config.is_uvicorn
            && !policy.authorization.has_own(call)
        {
            // uvicorn sends none. And they would tell of an object before it is known whose it is.
            early::pass_on(&mut request, connection);
        }

        let span = self.span.get().map(|span| span.to_app(call));
        let answer = self.exchange(request, limit, &mut place).await;
        let (mut response, mut lease, permit) = match (answer, place) {
            (Ok((response, lease)), Some(place)) => (response, lease, place.answered()),
            (Ok(_), None) => return Err(Reason::InternalError.into()),
            (Err(refusal), place) => {
                if let Some(place) = place {
                    place.over();
                }
                return Err(refusal);
            }
        };
        if call.origin.is_some()
            && response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
            && let seen = &upstream.seen_origins
            && let Some(key) = seen.key_of_place(call)
        {
            seen.learn(key, response.headers());
        }
        lease.hold(permit);
        if let Some(span) = &span {
            span.answered(response.status());
        }
        match framing::mend(&mut response, is_head) {
            Ok(Framing::Plain) => {}
            Ok(Framing::Bodiless) => lease.rest(),
            Ok(Framing::Doubtful) => lease.retire(),
            Err(what) => return Err(invalid(what)),
        }
        // The version belongs to a single hop.
        *response.version_mut() = Version::HTTP_11;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !websocket {
                return Err(invalid("a switch of protocols that the request did not ask for"));
            }
            let upgrade = WebSocketUpgrade {
                upgraded: hyper::upgrade::on(&mut response),
                permit: lease.take_permit().map(Arc::new),
                client: call.client.address,
            };
            response.extensions_mut().insert(upgrade);
            return Ok(response.map(|body| AppResponseBody::new(body, lease).timed(span)));
        }
        // Some servers read the bytes after a declined upgrade as another protocol, so nothing may
        // follow. And after an exception in the app, uvicorn closes without announcing it, so a
        // later request, maybe another client's POST, would be lost.
        if websocket || response.status() == StatusCode::INTERNAL_SERVER_ERROR {
            lease.retire();
        }
        strip_hop_by_hop(response.headers_mut());
        if let Some(house) = house {
            if is_get && own::is_document(&response) {
                let (mut head, body) = response.into_parts();
                let document = Box::pin(own::read_document(body)).await?;
                lease.give_back();
                own::forget_document(&mut head.headers);
                let document = house.describe(&document, &policy.accounts);
                return Ok(Response::from_parts(head, AppResponseBody::whole(document)));
            }
            if is_head {
                own::forget_document(response.headers_mut());
            }
        }
        if response.body().size_hint().exact().is_none() {
            // Boxed: rarer than responses of a known length.
            let first = Box::pin(begin(response.body_mut())).await?;
            return Ok(response.map(|body| AppResponseBody::begun(first, body, lease).timed(span)));
        }
        Ok(response.map(|body| AppResponseBody::new(body, lease).timed(span)))
    }

    fn store(&self) -> Option<&Arc<dyn Store>> {
        self.store
    }

    fn sessions(&self) -> Option<&Arc<dyn Keeper>> {
        self.sessions
    }

    fn proofs(&self) -> Option<&Arc<dyn SeenByAll>> {
        self.proofs
    }

    fn answers(&self) -> Option<&Arc<dyn SpentByAll>> {
        self.answers
    }

    fn refresh_tokens(&self) -> Option<&Arc<dyn refresh_tokens::Keeper>> {
        Some(self.refresh_tokens)
    }

    fn trace(&self, headers: &HeaderMap, is_trusted: bool) -> Option<Trace> {
        let tracer = self.tracer?;
        let trace = Trace::begin(headers, is_trusted, tracer.sampler());
        if trace.is_sampled {
            self.span.get_or_init(|| OpenSpan::begin(tracer, &trace));
        }
        Some(trace)
    }

    fn responded(&self, call: &Call, status: StatusCode, refused: Option<Reason>) {
        let span = self.span.get();
        if let Some(span) = span {
            span.responded(call, status, refused);
        }
        if let Some((requests, began)) = self.measured {
            let route = call.operation.as_ref().map(|matched| matched.route.path.as_str());
            let error = refused.filter(|_| status.is_server_error()).map(Reason::code);
            let traced = span.map(|span| span.ids());
            requests.took((&call.method, route), (status, error), began.elapsed(), traced);
        }
    }

    fn finish_in_any_case(&mut self) {
        if let Some(must_finish) = self.must_finish {
            must_finish.store(true, Relaxed);
        }
    }

    async fn ask(&mut self, call: &Call, question: Request<()>) -> Option<Response<Bytes>> {
        // Boxed: rare, and the future of every request would be larger for it.
        Box::pin(self.ask_app(call, question)).await
    }

    async fn read(
        &mut self,
        call: &Call,
        question: Request<()>,
        most: usize,
        patience: Option<Duration>,
    ) -> Option<Response<Bytes>> {
        let usual = call.response_timeout.unwrap_or(self.upstream.config.response_timeout);
        let patience = patience.map_or(usual, |patience| patience.min(usual));
        // Boxed: rare, and the future of every request would be larger for it.
        Box::pin(self.read_app(call, question, most, patience)).await
    }

    fn callers(&self) -> Option<&Arc<dyn Callers>> {
        self.accounts.map(|(callers, _)| callers)
    }

    fn issuers(&self) -> Option<&Arc<dyn Client>> {
        Some(self.issuers)
    }

    fn known_cors(&self, call: &Call) -> Option<Own> {
        let seen = &self.upstream.seen_origins;
        seen.recall(seen.key_of_place(call)?)
    }

    /// Asks the app as a browser would, with a preflight, and remembers the result.
    async fn own_cors(&mut self, call: &Call, preflight: Request<()>) -> Result<Own, Silence> {
        // Boxed: rare, and the future of every request would be larger for it.
        Box::pin(self.ask_own_cors(call, preflight)).await
    }
}

impl Forward<'_> {
    /// Has the steps of the request end with its response.
    pub(crate) fn hand_span_on<B>(self, response: &mut Response<B>) {
        if let Some(span) = self.span.into_inner() {
            response.extensions_mut().insert(span);
        }
    }

    /// Only HTTP/1.0 may leave the host out; the app speaks 1.1 with us. It gets a host that the
    /// client did not choose: one of our names, or the address that the client connected to, which
    /// uvicorn would use.
    fn name_host(&self, headers: &mut HeaderMap) {
        if headers.contains_key(header::HOST) {
            return;
        }
        let local = self.connection.local.map(|address| address.to_string());
        let named = self.policy.host.first().or(local.as_deref()).and_then(|name| name.parse().ok());
        headers.insert(header::HOST, named.unwrap_or(HeaderValue::from_static("localhost")));
    }

    /// Sends the request on a pooled connection or a new one.
    ///
    /// It is sent again, once and on a new connection, only if the reused connection was closed
    /// before any answer, and it is a GET or HEAD without body or the app has provably read nothing
    /// of it. A request to uvicorn that could not be sent again goes on a new connection at once.
    #[expect(clippy::manual_async_fn, reason = "an `async fn` would store the request twice")]
    fn exchange(
        &self,
        request: Request<AppRequestBody>,
        limit: Duration,
        place: &mut Option<Place>,
    ) -> impl Future<Output = Result<(Response<Incoming>, Lease), Refusal>> {
        async move {
            let body = request.body().copy();
            // A new connection to our uvicorn costs less than a lost upload.
            let reused =
                if body.is_none() && self.upstream.config.is_uvicorn { None } else { self.upstream.reuse() };
            let Some(lease) = reused else {
                return Box::pin(self.exchange_anew(request, limit, place)).await;
            };
            let repeatable = matches!(*request.method(), Method::GET | Method::HEAD)
                && matches!(request.body(), AppRequestBody::Empty);
            let copy = body.map(|body| copy_of(&request, body));
            let failure = match Self::exchange_on(lease, request, limit, place).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let again = match (failure.unsent, copy) {
                (Some(unsent), _) => *unsent,
                (None, Some(copy)) if failure.died && (repeatable || failure.is_unread) => copy,
                _ => return Err(failure.refusal),
            };
            Box::pin(self.exchange_anew(again, limit, place)).await
        }
    }

    /// Sends the request on a new connection. Boxed where it is called: rare, and the future of
    /// every request would be larger for it.
    async fn exchange_anew(
        &self,
        request: Request<AppRequestBody>,
        limit: Duration,
        place: &mut Option<Place>,
    ) -> Result<(Response<Incoming>, Lease), Refusal> {
        let connected = self.upstream.connect().await;
        let lease = connected.map_err(|_| Refusal::retry(Reason::AppUnavailable, RETRY_UNAVAILABLE))?;
        Self::exchange_on(lease, request, limit, place).await.map_err(|failure| failure.refusal)
    }

    /// The request is passed on at once, so that the future need not hold it.
    fn exchange_on(
        mut lease: Lease,
        request: Request<AppRequestBody>,
        limit: Duration,
        place: &mut Option<Place>,
    ) -> impl Future<Output = Result<(Response<Incoming>, Lease), Failure>> {
        let progress = request.body().progress();
        let sending = lease.send(request);
        async move {
            let mut awaited = Awaited::new(sending, lease, place);
            match within_time(limit, progress.as_ref(), Pin::new(&mut awaited)).await {
                Some(Ok(answer)) => Ok(answer),
                Some(Err((error, lease))) => Err(Failure::of(error, &lease, progress.as_ref())),
                None => {
                    let refusal = Reason::AppTimeout.into();
                    Err(Failure { refusal, unsent: None, died: false, is_unread: false })
                }
            }
        }
    }
}

/// Removes headers of a single hop. The headers that `Connection` names were removed before ours
/// were added.
fn leave_hop_by_hop(headers: &mut HeaderMap) {
    let takes_trailers = headers.get(header::TE).is_some_and(|te| te.as_bytes() == b"trailers");
    client::remove_hop_by_hop(headers, |name| *name == header::EXPECT || *name == header::TRAILER);
    if takes_trailers {
        // The client asked for trailers, so both hops pass the app's trailers.
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Waits for the response; the clock starts when all of the request has been sent.
async fn within_time<F: Future>(
    limit: Duration,
    progress: Option<&Progress>,
    mut sending: Pin<&mut F>,
) -> Option<F::Output> {
    loop {
        match tokio::time::timeout(limit, sending.as_mut()).await {
            Ok(output) => return Some(output),
            Err(_) if progress.is_some_and(|body| body.is_under_way(limit)) => {}
            Err(_) => return None,
        }
    }
}

/// Why the app's response is invalid.
fn invalid(what: impl Into<Arc<str>>) -> Refusal {
    Refusal::about(Reason::AppInvalidResponse, what)
}

/// Reads the first piece of a response of unknown length, if it has arrived already. So a response
/// that is broken from its start is replaced, and the client does not get an empty one. It does not
/// wait for a stream that has not begun.
async fn begin(body: &mut Incoming) -> Result<Option<Frame<Bytes>>, Refusal> {
    for _ in 0..LOOKS {
        match poll_fn(|cx| Poll::Ready(Pin::new(&mut *body).poll_frame(cx))).await {
            Poll::Ready(Some(Ok(frame))) => return Ok(Some(frame)),
            Poll::Ready(Some(Err(error))) => return Err(broken(&error)),
            Poll::Ready(None) => return Ok(None),
            // The connection's own task has to read first.
            Poll::Pending => tokio::task::yield_now().await,
        }
    }
    Ok(None)
}

fn broken(error: &hyper::Error) -> Refusal {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    if error.is_incomplete_message() || cause.is_some_and(|cause| cause.kind() == ErrorKind::UnexpectedEof) {
        return Reason::AppClosed.into();
    }
    invalid("a chunk is malformed")
}

/// Why a connection brought no response.
struct Failure {
    refusal: Refusal,
    /// The request, if no byte of it was written.
    unsent: Option<Box<Request<AppRequestBody>>>,
    /// The connection was reused, and closed before any response.
    died: bool,
    /// The app has provably read nothing of the request.
    is_unread: bool,
}

impl Failure {
    fn of(
        mut error: TrySendError<Request<AppRequestBody>>,
        lease: &Lease,
        progress: Option<&Progress>,
    ) -> Self {
        let unsent = error.take_message().filter(|_| lease.reused).map(Box::new);
        let error = error.into_error();
        let reason = match progress.and_then(Progress::failure) {
            Some(reason) => reason,
            None if error.is_parse() => Reason::AppInvalidResponse,
            None => Reason::AppClosed,
        };
        let refusal = match reason {
            Reason::AppInvalidResponse if error.is_parse_too_large() => {
                invalid("its head is larger than 256 KiB or has more than 512 lines")
            }
            // hyper's message, which contains nothing of the response.
            Reason::AppInvalidResponse => invalid(error.to_string()),
            _ => reason.into(),
        };
        let died = lease.reused && reason == Reason::AppClosed;
        Self { died, is_unread: lease.is_unread(), refusal, unsent }
    }
}

/// Requests of one operation take about the same time.
fn kind_of(call: &Call) -> Option<usize> {
    call.operation.as_ref().map(|matched| std::ptr::from_ref(&*matched.route).addr() / size_of::<usize>())
}

fn copy_of(request: &Request<AppRequestBody>, body: AppRequestBody) -> Request<AppRequestBody> {
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Removes from a response the headers of a single connection, and those that its `Connection`
/// header names.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<_> =
        client::named_in_connection(headers).filter(|name| !NOT_NAMED_AWAY.contains(name)).collect();
    for name in named {
        headers.remove(name);
    }
    client::remove_hop_by_hop(headers, |_| false);
}

/// HTTP/2 may split the cookie header; HTTP/1.1 must not (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(header::COOKIE).iter();
    if let (Some(first), Some(second)) = (cookies.next(), cookies.next()) {
        let pieces: Vec<&[u8]> =
            [first, second].into_iter().chain(cookies).map(HeaderValue::as_bytes).collect();
        let joined = HeaderValue::from_maybe_shared(Bytes::from(pieces.join(&b"; "[..])));
        if let Ok(joined) = joined {
            headers.insert(header::COOKIE, joined);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_is_of_the_apps_connection_ends_here() {
        let mut headers = headers(&[
            ("connection", "content-type, X-Mine, keep-alive"),
            ("content-type", "text/plain"),
            ("x-mine", "a"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("x-other", "b"),
        ]);
        strip_hop_by_hop(&mut headers);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-other"]);
    }

    #[test]
    fn split_cookies_become_one() {
        let mut headers = headers(&[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]);
        join_cookies(&mut headers);
        assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
    }
}
