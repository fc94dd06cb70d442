//! A client that leaves before it is answered: the app works on, so its place stays taken until the
//! app has answered.
//!
//! An app is not stopped by a connection that ends; a client that opens and resets streams would
//! have it work in vain, on as much as that client likes. So the answer of a request that is quick
//! is waited for in its client's place, for as long as it would count as work. Of one that takes
//! long the app learns at once that its client has left.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, client::conn::TrySendError};
use tokio::runtime::Handle;

use super::{load::Place, pool::Lease, request_body::AppRequestBody};

/// What hyper makes of a request that is sent.
pub(crate) trait Sending:
    Future<Output = Result<Response<Incoming>, TrySendError<Request<AppRequestBody>>>> + Send + 'static
{
}

impl<F> Sending for F where
    F: Future<Output = Result<Response<Incoming>, TrySendError<Request<AppRequestBody>>>> + Send + 'static
{
}

/// An answer that is waited for, also when this is not polled any more.
pub(crate) struct Awaited<'p, F: Sending> {
    /// With the connection that it is sent on; none once it has ended.
    sent: Option<(Pin<Box<F>>, Lease)>,
    place: &'p mut Option<Place>,
}

impl<'p, F: Sending> Awaited<'p, F> {
    pub(crate) fn new(sending: F, lease: Lease, place: &'p mut Option<Place>) -> Self {
        Self { sent: Some((Box::pin(sending), lease)), place }
    }
}

impl<F: Sending> Future for Awaited<'_, F> {
    /// A failure comes with whether the connection had been used before.
    type Output = Result<(Response<Incoming>, Lease), (TrySendError<Request<AppRequestBody>>, bool)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((sending, _)) = &mut self.sent else { return Poll::Pending };
        let Poll::Ready(outcome) = sending.as_mut().poll(cx) else { return Poll::Pending };
        let Some((_, lease)) = self.sent.take() else { return Poll::Pending };
        Poll::Ready(match outcome {
            Ok(response) => Ok((response, lease)),
            Err(error) => Err((error, lease.reused)),
        })
    }
}

impl<F: Sending> Drop for Awaited<'_, F> {
    fn drop(&mut self) {
        let Some((sending, lease)) = self.sent.take() else { return };
        if let Some(patience) = self.place.as_ref().and_then(Place::lingers)
            && let (Some(place), Ok(runtime)) = (self.place.take(), Handle::try_current())
        {
            runtime.spawn(linger(sending, lease, place, patience));
        }
    }
}

/// The connection ends with it: an answer without a client is not read.
async fn linger<F: Sending>(sending: Pin<Box<F>>, lease: Lease, place: Place, patience: Duration) {
    match tokio::time::timeout(patience, sending).await {
        Ok(Ok(_)) => drop(place.answered()),
        Ok(Err(_)) => place.over(),
        Err(_) => place.lost(),
    }
    drop(lease);
}
