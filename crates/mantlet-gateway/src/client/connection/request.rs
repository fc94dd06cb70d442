//! One request of a connection: it passes the pipeline, and its response is prepared for the
//! connection.

use std::{
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::Instant,
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;
use mantlet_controls::{
    Arrival, Policy, ResponseBody, WireVerdict, authentication::Tenure, message::REFUSED_METHOD, pipeline,
    throttle::Tarpit,
};

use super::{context::Context, lasting::Lasting, websocket::Tunnel};
use crate::{
    app::{AppResponseBody, Forward, WebSocketUpgrade},
    client::response_body::{ClientResponseBody, Watched},
    connection_state::{ConnectionState, Exchange, Upgrade},
    request_body::ClientRequestBody,
    shared::Shared,
    traces::OpenSpan,
};

/// One request through the pipeline.
#[expect(clippy::manual_async_fn, reason = "an `async fn` would store the request twice")]
pub(super) fn handle(
    context: &Arc<Context>,
    mut request: Request<Incoming>,
    mut exchange: Exchange,
) -> impl Future<Output = Response<ClientResponseBody>> {
    async move {
        let version = request.version();
        let shared = &context.shared;
        let policy = shared.policy.load_full();
        let is_stand_in = version != Version::HTTP_2 && request.method() == REFUSED_METHOD;
        let arrival = Arrival {
            peer: context.peer,
            scheme: context.scheme,
            certificate: context.certificate.clone(),
            wire: match is_stand_in.then(|| context.state.verdict()).flatten() {
                Some(reason) => WireVerdict::Refused(reason.into()),
                None if version == Version::HTTP_2 => WireVerdict::Unread,
                None => WireVerdict::WellFormed,
            },
        };
        if is_stand_in {
            restore_request_line(&mut request, &context.state);
        }
        let is_get = request.method() == Method::GET;
        // A challenge before the pipeline: the authority comes in plain and under any name, and the app
        // knows nothing of it.
        let challenged = answer_to_challenge(shared, &request).filter(|_| !is_stand_in);
        let mut response = if let Some(answer) = challenged {
            answer
        } else {
            let request =
                request.map(|body| ClientRequestBody::new(body, Arc::clone(&context.state), &policy.limits));
            if policy.refresh_tokens.may_finish_without_client(request.method()) {
                lasting(context, &policy, arrival, request).await
            } else {
                let app = forward(context, &policy, None);
                let mut response = pipeline::handle(&policy, &shared.audit, &arrival, request, &app).await;
                app.hand_span_on(&mut response);
                response
            }
        };
        if let Some(Tarpit(span)) = response.extensions().get() {
            // Boxed: the future of every request would be larger for it.
            Box::pin(tokio::time::sleep(*span)).await;
        }
        if version == Version::HTTP_11 {
            // The answer itself comes now: what has not been said before it is not said any more.
            context.state.take_hints();
        }
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            context.state.set_upgrade(Upgrade::Declined);
        } else if let Some(upgrade) = response.extensions_mut().remove::<WebSocketUpgrade>() {
            let tenure = response.extensions_mut().remove::<Tenure>();
            context.set_tunnel(Tunnel::new(upgrade, &policy.limits, response.headers(), tenure));
        }
        let headers = response.headers_mut();
        if version == Version::HTTP_2 {
            headers.remove(header::CONNECTION);
        } else if response.status() != StatusCode::SWITCHING_PROTOCOLS
            && (shared.is_draining() || (response.body().is_own() && context.state.expects_body()))
        {
            // A body that will not be read ends the connection with this response; the client shall
            // know.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if is_get && response.body().size_hint().exact().is_none() && is_endless(response.headers()) {
            exchange.note_endless();
        }
        let tenure = response.extensions_mut().remove::<Tenure>();
        let watched = tenure.map(|tenure| Box::new(Watched::new(tenure, &shared.audit, &exchange)));
        let span = response.extensions_mut().remove::<Arc<OpenSpan>>();
        response.map(|body| ClientResponseBody::new(body, exchange, watched, span))
    }
}

fn forward<'a>(context: &'a Context, policy: &'a Policy, must_finish: Option<&'a AtomicBool>) -> Forward<'a> {
    let shared = &context.shared;
    Forward {
        upstream: &shared.upstream,
        connection: &context.state,
        policy,
        audit: &shared.audit,
        store: shared.store.as_ref(),
        issuers: &shared.issuer_client,
        sessions: Some(&shared.keeper),
        proofs: shared.proofs.as_ref(),
        answers: shared.answers.as_ref(),
        refresh_tokens: &shared.refresh_tokens,
        accounts: shared.config.callers.as_ref().zip(shared.config.house.as_ref()),
        must_finish,
        tracer: shared.config.tracer.as_ref(),
        span: OnceLock::new(),
        measured: shared.requests.as_ref().map(|requests| (requests, Instant::now())),
    }
}

/// Takes a request through the pipeline, which may say that its client is not waited for.
fn lasting(
    context: &Arc<Context>,
    policy: &Arc<Policy>,
    arrival: Arrival,
    request: Request<ClientRequestBody>,
) -> impl Future<Output = Response<ResponseBody<AppResponseBody>>> + use<> {
    let must_finish = Arc::<AtomicBool>::default();
    let busy = Arc::clone(&context.state.busy);
    let (context, policy, of_app) = (Arc::clone(context), Arc::clone(policy), Arc::clone(&must_finish));
    let road = async move {
        let app = forward(&context, &policy, Some(&of_app));
        let mut response = pipeline::handle(&policy, &context.shared.audit, &arrival, request, &app).await;
        app.hand_span_on(&mut response);
        response
    };
    Lasting::new(road, must_finish, busy)
}

/// Whether a response to GET continues for as long as its client wants: server-sent events, after
/// whose end a browser reconnects by itself (HTML standard, section 9.2), and the pictures of a
/// camera.
fn is_endless(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    [&b"text/event-stream"[..], b"multipart/x-mixed-replace"]
        .iter()
        .any(|endless| kind.get(..endless.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(endless)))
}

/// The response to a certificate authority that validates one of our names (RFC 8555 section 8.3),
/// if a challenge is under way.
fn answer_to_challenge(
    shared: &Shared,
    request: &Request<Incoming>,
) -> Option<Response<ResponseBody<AppResponseBody>>> {
    if *request.method() != Method::GET {
        return None;
    }
    let key_authorization = shared.tls.as_ref()?.challenges().answer(request.uri().path())?;
    let mut response = Response::new(ResponseBody::own(key_authorization));
    let octets = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, octets);
    Some(response)
}

/// Gives the stand-in the method and path of the refused request, for its record.
fn restore_request_line(request: &mut Request<Incoming>, state: &ConnectionState) {
    let Some((method, path)) = state.take_request_line() else { return };
    if let (Ok(method), Ok(uri)) = (method.parse(), path.parse()) {
        *request.method_mut() = method;
        *request.uri_mut() = uri;
    }
}
