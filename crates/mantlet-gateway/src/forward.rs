//! The last step of the pipeline: asks the app, and streams its answer back.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body;
use hyper::{body::Incoming, client::conn::TrySendError};
use mantlet_controls::{
    App, Call, Mode, Policy, Reason, Refusal, RequestBody,
    audit::{Record, Sink as _},
    call::wants_websocket,
    cors::Own,
    throttle::{Presence, Store},
};
use std::{pin::Pin, sync::Arc, time::Duration};

use crate::{
    body::{ClientBody, FromApp, Progress, ToApp, hold},
    connection::Context,
    tunnel::Tunnel,
    upstream::Lease,
};

/// When to try again after the app could not be reached: a restart takes about that long.
const RETRY_UNAVAILABLE: Duration = Duration::from_secs(2);
/// When to try again after the app had too much in hand.
const RETRY_BUSY: Duration = Duration::from_secs(1);

/// Headers that end at each hop (RFC 9110 section 7.6.1), and two that never had a standard.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// Headers that a `Connection` header may not name away: they carry decisions, or describe the message.
const NOT_NAMED_AWAY: [HeaderName; 13] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::HOST,
    header::ORIGIN,
    header::REFERER,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-csrf-token"),
    HeaderName::from_static("client-cert"),
];

/// The app behind the gate.
pub(crate) struct Forward<'a> {
    pub(crate) context: &'a Context,
    pub(crate) policy: &'a Policy,
}

impl App<ClientBody> for Forward<'_> {
    type Body = FromApp;

    async fn call(
        self,
        call: &Call,
        request: Request<RequestBody<ClientBody>>,
    ) -> Result<Response<FromApp>, Refusal> {
        let upstream = &self.context.shared.upstream;
        let (mut parts, body) = request.into_parts();
        let websocket = body.is_end_stream() && wants_websocket(&parts.method, parts.version, &parts.headers);
        let takes_trailers = parts.headers.get(header::TE).is_some_and(|te| te.as_bytes() == b"trailers");
        strip_hop_by_hop(&mut parts.headers);
        if takes_trailers {
            // The client's wish is met on both hops: the app's trailers pass through.
            parts.headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        parts.headers.remove(header::EXPECT);
        parts.headers.remove(header::TRAILER);
        parts.extensions.clear();
        if parts.version != Version::HTTP_11 {
            parts.version = Version::HTTP_11;
            join_cookies(&mut parts.headers);
        }
        if !parts.headers.contains_key(header::HOST) {
            // Only HTTP/1.0 may leave it out; the app speaks 1.1 with us.
            parts.headers.insert(header::HOST, HeaderValue::from_static("unknown.invalid"));
        }
        if websocket {
            parts.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            parts.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        let mut body = if body.is_end_stream() { ToApp::Empty } else { Box::pin(hold(body)).await? };
        // Only now: a client that is slow to send its body holds no place at the app.
        let busy = || Refusal::retry(Reason::AppBusy, RETRY_BUSY);
        let presence = self.enter(call)?;
        let client = upstream.shares.counter(self.policy.throttle.client_key(call));
        let flow = &self.context.flow;
        // Of those who have left, only what may have an effect keeps its place.
        flow.let_leave(parts.method.is_safe());
        let turn = upstream.turns.take(client).await.ok_or_else(busy)?;
        flow.let_leave(false);
        let Some(permit) = upstream.shares.take(client) else {
            turn.over();
            return Err(busy());
        };
        let permit = permit.with(presence);
        let is_streamed = matches!(body, ToApp::Stream(_));
        body.tell_when_sent(flow);

        let (mut response, mut lease) = match self.exchange(Request::from_parts(parts, body)).await {
            Ok(answer) => answer,
            Err(refusal) => {
                turn.over();
                return Err(refusal);
            }
        };
        turn.answered(kind_of(call), is_streamed);
        if let Some(origin) = &call.origin
            && response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
        {
            self.context.shared.seen_origins.learn(origin, response.headers());
        }
        lease.hold(permit);
        if !is_well_framed(&response) {
            return Err(Reason::AppInvalidResponse.into());
        }
        // The version is a matter of each hop.
        *response.version_mut() = Version::HTTP_11;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !websocket {
                return Err(Reason::AppInvalidResponse.into());
            }
            let upgraded = hyper::upgrade::on(&mut response);
            let tunnel = Tunnel::new(upgraded, lease.take_permit(), &self.policy.limits, call.client.address);
            self.context.flow.set_tunnel(tunnel);
            return Ok(response.map(|body| FromApp::new(body, lease)));
        }
        // Some servers read what follows a declined upgrade as another protocol: nothing shall follow. And after an exception of the
        // app uvicorn closes without having said so: what follows, maybe somebody else's POST, would be lost.
        if websocket || response.status() == StatusCode::INTERNAL_SERVER_ERROR {
            lease.retire();
        }
        strip_hop_by_hop(response.headers_mut());
        Ok(response.map(|body| FromApp::new(body, lease)))
    }

    fn store(&self) -> Option<&Arc<dyn Store>> {
        self.context.shared.store.as_ref()
    }

    fn known_cors(&self, origin: &HeaderValue) -> Option<Own> {
        self.context.shared.seen_origins.recall(origin)
    }

    /// Asks the app as a browser would, with a preflight, and remembers what it said.
    async fn own_cors(&mut self, call: &Call, origin: &HeaderValue) -> Own {
        let memory = &self.context.shared.origins;
        if let Some(known) = memory.recall(origin) {
            return known;
        }
        let Ok(target) = call.path.as_str().parse::<http::Uri>() else { return Own::default() };
        let mut preflight = Request::new(ToApp::Empty);
        *preflight.method_mut() = Method::OPTIONS;
        *preflight.uri_mut() = target;
        let headers = preflight.headers_mut();
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        headers.insert(header::ORIGIN, origin.clone());
        if let Ok(method) = HeaderValue::from_str(call.method.as_str()) {
            headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, method);
        }
        // Boxed: rare, and the future of every request would be larger for it.
        let Ok((response, _)) = Box::pin(self.exchange(preflight)).await else { return Own::default() };
        let own = Own::of(response.headers());
        memory.remember(origin, own.clone());
        own
    }
}

impl Forward<'_> {
    /// Counts the request for its client, where that is limited.
    fn enter(&self, call: &Call) -> Result<Option<Presence>, Refusal> {
        let (presence, refusal) = self.policy.throttle.enter(call);
        match refusal {
            Some((Mode::Enforce, refusal)) => Err(refusal),
            Some((mode, refusal)) => {
                if !refusal.repeated {
                    self.context.shared.audit.record(Record::of(call, &refusal, mode));
                }
                Ok(None)
            }
            None => Ok(presence),
        }
    }

    /// Sends the request on a pooled connection or a new one.
    ///
    /// It is sent again, once and on a new connection, only if it was provably not written, or if it is a GET or HEAD
    /// without body and the reused connection was closed before any answer.
    async fn exchange(&self, request: Request<ToApp>) -> Result<(Response<Incoming>, Lease), Refusal> {
        let Some(lease) = self.context.shared.upstream.reuse() else {
            return Box::pin(self.exchange_anew(request)).await;
        };
        let repeatable =
            matches!(*request.method(), Method::GET | Method::HEAD) && matches!(request.body(), ToApp::Empty);
        let copy = repeatable.then(|| copy_of(&request));
        let failure = match self.exchange_on(lease, request).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let again = match (failure.unsent, copy) {
            (Some(unsent), _) => *unsent,
            (None, Some(copy)) if failure.died => copy,
            _ => return Err(failure.refusal),
        };
        Box::pin(self.exchange_anew(again)).await
    }

    /// Sends the request on a new connection. Boxed where it is called: rare, and the future of every request would be larger
    /// for it.
    async fn exchange_anew(&self, request: Request<ToApp>) -> Result<(Response<Incoming>, Lease), Refusal> {
        let connected = self.context.shared.upstream.connect().await;
        let lease = connected.map_err(|_| Refusal::retry(Reason::AppUnavailable, RETRY_UNAVAILABLE))?;
        self.exchange_on(lease, request).await.map_err(|failure| failure.refusal)
    }

    /// The request is handed on at once, so that the future need not hold it.
    fn exchange_on(
        &self,
        mut lease: Lease,
        request: Request<ToApp>,
    ) -> impl Future<Output = Result<(Response<Incoming>, Lease), Failure>> {
        let progress = request.body().progress();
        let sending = lease.sender.try_send_request(request);
        async move {
            let response = self.within_time(progress.as_ref(), std::pin::pin!(sending)).await;
            match response {
                Some(Ok(response)) => Ok((response, lease)),
                Some(Err(error)) => Err(Failure::of(error, lease.reused, progress.as_ref())),
                None => Err(Failure { refusal: Reason::AppTimeout.into(), unsent: None, died: false }),
            }
        }
    }

    /// Waits for the answer; the clock runs from the moment at which the request has been sent.
    async fn within_time<F: Future>(
        &self,
        progress: Option<&Progress>,
        mut sending: Pin<&mut F>,
    ) -> Option<F::Output> {
        loop {
            let limit = self.context.shared.upstream.config.response_timeout;
            match tokio::time::timeout(limit, sending.as_mut()).await {
                Ok(output) => return Some(output),
                Err(_) if progress.is_some_and(|body| body.is_under_way(limit)) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Why a connection did not bring an answer.
struct Failure {
    refusal: Refusal,
    /// The request, if not a byte of it was written.
    unsent: Option<Box<Request<ToApp>>>,
    /// The connection was a reused one and closed before any answer.
    died: bool,
}

impl Failure {
    fn of(mut error: TrySendError<Request<ToApp>>, reused: bool, progress: Option<&Progress>) -> Self {
        let unsent = error.take_message().filter(|_| reused).map(Box::new);
        let error = error.into_error();
        let reason = match progress.and_then(Progress::failure) {
            Some(reason) => reason,
            None if error.is_parse() => Reason::AppInvalidResponse,
            None => Reason::AppClosed,
        };
        Self { died: reused && reason == Reason::AppClosed, refusal: reason.into(), unsent }
    }
}

/// Requests of one operation take the app about as long.
fn kind_of(call: &Call) -> Option<usize> {
    call.operation.as_ref().map(|matched| std::ptr::from_ref(&*matched.route).addr() / size_of::<usize>())
}

fn copy_of(request: &Request<ToApp>) -> Request<ToApp> {
    let mut copy = Request::new(ToApp::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Whether it is clear where an answer ends: by its length, by `chunked` chunks, or with the connection, but never by two of them
/// (RFC 9112 section 6.3). hyper lets an answer pass that says both, and the client would believe the wrong one.
fn is_well_framed<B>(response: &Response<B>) -> bool {
    let mut codings = response.headers().get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return true };
    codings.next().is_none()
        && coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        && response.version() == Version::HTTP_11
        && !response.headers().contains_key(header::CONTENT_LENGTH)
}

/// Removes what concerns one connection only, and what its `Connection` header names.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|b| *b == b','))
            .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
            .filter(|name| !NOT_NAMED_AWAY.contains(name) && !HOP_BY_HOP.contains(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
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
    fn row_31_connection_cannot_name_away_what_decides() {
        let mut headers = headers(&[
            ("connection", "authorization, X-Request-ID , x-mine, keep-alive"),
            ("authorization", "Bearer a"),
            ("x-request-id", "1"),
            ("x-mine", "a"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut headers);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "authorization", "x-request-id"]);
    }

    #[test]
    fn split_cookies_become_one() {
        let mut headers = headers(&[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]);
        join_cookies(&mut headers);
        assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
    }
}
