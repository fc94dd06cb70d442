//! One request of a connection, answered.

use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use mantlet_controls::{Arrival, Wire, pipeline};

use super::Context;
use crate::{
    body::{ClientBody, ToClient},
    flow::{Exchange, Flow, Upgrade},
    forward::Forward,
};

/// One request through the pipeline.
pub(super) async fn answer(
    context: &Arc<Context>,
    mut request: Request<Incoming>,
    exchange: Exchange,
) -> Response<ToClient> {
    let version = request.version();
    let shared = &context.shared;
    let policy = shared.policy.load_full();
    let is_stand_in = version != Version::HTTP_2 && request.method() == pipeline::REFUSED_METHOD;
    let arrival = Arrival {
        peer: context.peer,
        scheme: context.scheme,
        wire: match is_stand_in.then(|| context.flow.verdict()).flatten() {
            Some(reason) => Wire::Refused(reason.into()),
            None if version == Version::HTTP_2 => Wire::Unread,
            None => Wire::WellFormed,
        },
    };
    if is_stand_in {
        restore_request_line(&mut request, &context.flow);
    }
    let app = Forward { context, policy: &policy };
    let request = request.map(|body| ClientBody::new(body, Arc::clone(&context.flow), &policy.limits));
    let mut response = pipeline::handle(&policy, &shared.audit, &arrival, request, app).await;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        context.flow.set_upgrade(Upgrade::Declined);
    }
    let headers = response.headers_mut();
    if version == Version::HTTP_2 {
        headers.remove(header::CONNECTION);
    } else if response.status() != StatusCode::SWITCHING_PROTOCOLS
        && (shared.is_draining() || (response.body().is_own() && context.flow.expects_body()))
    {
        // A body that nobody will read ends the connection with this answer; the client shall know.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| ToClient::new(body, exchange))
}

/// Gives the stand-in the method and path of the request it stands for, so that its record can name them.
fn restore_request_line(request: &mut Request<Incoming>, flow: &Flow) {
    let Some((method, path)) = flow.take_request_line() else { return };
    if let (Ok(method), Ok(uri)) = (method.parse(), path.parse()) {
        *request.method_mut() = method;
        *request.uri_mut() = uri;
    }
}
