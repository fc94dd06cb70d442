//! The road of a request: [`inbound`] to the app, [`outbound`] back to the client. Reading the two is reading the product.

mod app;
mod arrival;
mod due;
mod inbound;
mod open;
mod outbound;
mod pages;
mod pass;
pub mod policy;
pub(crate) mod watch;

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;

#[cfg(test)]
pub(crate) use self::open::open;
pub use self::{
    app::App,
    arrival::{Arrival, Wire},
    policy::{Config, Policy},
};
use self::{
    due::{Due, Reached},
    outbound::Ended,
};
use crate::{
    Call, Reason, Refusal, RequestBody, ResponseBody, audit::Sink, contract, responses, route::RoutePolicy,
    throttle::InFlightGuard,
};

/// A request on its way, and those that it meets.
struct Road<'r, S> {
    policy: &'r Policy,
    audit: &'r S,
    /// What is known of it.
    call: Call,
    /// What the configuration says about its path.
    settings: Arc<RoutePolicy>,
    /// What it owes.
    due: Due,
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

/// Takes a request through every stop, to the app if it passes all, and its response back.
///
/// A panic on the way is one request's failure: it is answered with `internal-error` and recorded.
pub async fn handle<B, A>(
    policy: &Policy,
    audit: &impl Sink,
    arrival: &Arrival,
    request: Request<B>,
    mut app: A,
) -> Response<ResponseBody<A::Body>>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
{
    let mut request = request.map(RequestBody::new);
    // client: who is really calling. First, because every record names the caller; it refuses nothing.
    let call = open::open(policy, arrival, &request);
    let settings = Arc::clone(policy.routes.fallback());
    let mut road = Road { policy, audit, call, settings, due: Due::default() };
    let mut reached = Reached::Gate;

    let ended: Ended<A::Body> = {
        // Pinned where it is made: wrapped by value, this future, the largest of a request, would be copied twice.
        let walk = pin!(async {
            if let Err(ending) = inbound::admit(&mut road, arrival, &mut request, &mut app).await {
                // Boxed, here and in the stops, is what few requests come to: every request pays for the future's size.
                return Err(match ending {
                    Ending::Refused(mut refusal) => {
                        let (policy, call) = (road.policy, &road.call);
                        let question = pages::question(policy, call, &request, &refusal);
                        Box::pin(pages::let_read(policy, call, question, &mut app, &mut refusal)).await;
                        refusal.into()
                    }
                    other => other,
                });
            }
            ask(&mut road, request, app, &mut reached).await
        });
        AssertUnwindSafe(walk).catch_unwind().await.unwrap_or_else(|_| Err(Reason::InternalError.into()))
    };
    outbound::finish(&road, reached, ended)
}

/// Asks the app, and looks at what it answers.
async fn ask<B, A, S>(
    road: &mut Road<'_, S>,
    mut request: Request<RequestBody<B>>,
    app: A,
    reached: &mut Reached,
) -> Ended<A::Body>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    let Road { policy, audit, call, settings, due } = road;
    let trusts_documents = settings.rules.trust == contract::Trust::Document;
    let subject = responses::Subject::of(call, settings.responses, settings.rules.posture, trusts_documents);
    // responses: what the app may not answer with.
    policy.responses.prepare(&subject, request.headers_mut());
    *reached = Reached::App;
    let answer = app.call(call, request).await;
    if let Err(refusal) = &answer
        && refusal.reason.is_unseen()
    {
        *reached = Reached::Gate;
    }
    let mut answer = answer?;
    *reached = Reached::Answered;
    if let Some(refusal) = due.absent.take().filter(|_| !answer.status().is_success()) {
        return Err((*refusal).into());
    }
    // contract: what the app says of input that was left to it. A body that has to be looked into is read by `responses`.
    let status = answer.status();
    let is_asked = due.judged.asks_for(status);
    let is_concerned = policy.responses.concerns(&subject, is_asked, &mut answer);
    let learn = |said: Option<&[u8]>| contract::learn(call, &due.judged, *audit, status, said);
    if !(is_concerned && is_asked) {
        learn(None);
    }
    if is_concerned {
        let learn = |said: Option<&[u8]>| {
            if is_asked {
                learn(said);
            }
        };
        return Ok(Box::pin(policy.responses.filter(&subject, *audit, answer, learn)).await?);
    }
    Ok(answer.map(|body| ResponseBody::App { body }))
}

/// throttle: requests of one client at once. Asked right before the app, by whoever sends the request there: a client that is slow to send
/// holds no place. The request counts until what is returned is dropped, which is when its response has ended.
pub fn enter(policy: &Policy, audit: &impl Sink, call: &Call) -> Result<Option<InFlightGuard>, Refusal> {
    let (presence, faults) = policy.throttle.enter(call);
    pass::pass(audit, call, faults)?;
    Ok(presence)
}

#[cfg(test)]
mod tests;
