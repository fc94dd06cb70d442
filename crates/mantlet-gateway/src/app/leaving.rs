//! A client that leaves before the response: the app continues to work, so the request keeps its
//! place until the app has responded.
//!
//! The end of a connection does not stop an app. Otherwise a client that opens and resets streams
//! could make it work on any number of requests. So Mantlet waits for the response to a quick
//! request in the client's place, for as long as the request would count as work. For a slow
//! request, the app learns at once that its client has left.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, client::conn::TrySendError};
use tokio::runtime::Handle;

use super::{
    load::Place,
    pool::{Lease, Sending},
    request_body::AppRequestBody,
};

/// A response that is awaited even if this is not polled any more.
pub(crate) struct Awaited<'p, F: Sending> {
    /// With its connection; none once it has ended.
    sent: Option<(Pin<Box<F>>, Lease)>,
    place: &'p mut Option<Place>,
}

impl<'p, F: Sending> Awaited<'p, F> {
    pub(crate) fn new(sending: F, lease: Lease, place: &'p mut Option<Place>) -> Self {
        Self { sent: Some((Box::pin(sending), lease)), place }
    }
}

impl<F: Sending> Future for Awaited<'_, F> {
    /// A failure comes with its connection.
    type Output = Result<(Response<Incoming>, Lease), (TrySendError<Request<AppRequestBody>>, Lease)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((sending, _)) = &mut self.sent else { return Poll::Pending };
        let Poll::Ready(outcome) = sending.as_mut().poll(cx) else { return Poll::Pending };
        let Some((_, lease)) = self.sent.take() else { return Poll::Pending };
        Poll::Ready(match outcome {
            Ok(response) => Ok((response, lease)),
            Err(error) => Err((error, lease)),
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

/// The connection ends with it: a response without a client is not read.
async fn linger<F: Sending>(sending: Pin<Box<F>>, lease: Lease, place: Place, patience: Duration) {
    match tokio::time::timeout(patience, sending).await {
        Ok(Ok(_)) => drop(place.answered()),
        Ok(Err(_)) => place.over(),
        Err(_) => place.lost(),
    }
    drop(lease);
}
