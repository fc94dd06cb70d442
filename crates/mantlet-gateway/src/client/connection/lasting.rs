//! A request that is finished although its client may leave.
//!
//! A connection drops the requests of a client that has left. Where the app would not give the same
//! answer again, the request goes on in a task of its own, and the end of the gate waits for it as
//! for any other.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tokio::runtime::Handle;

/// A request that goes on when it is dropped, if it has to be finished by then.
pub(super) struct Lasting<F: Future + Send + 'static> {
    /// None once it has ended.
    request: Option<Pin<Box<F>>>,
    must_finish: Arc<AtomicBool>,
    /// Requests under way on this thread.
    busy: Arc<AtomicUsize>,
}

impl<F: Future + Send + 'static> Lasting<F> {
    pub(super) fn new(request: F, must_finish: Arc<AtomicBool>, busy: Arc<AtomicUsize>) -> Self {
        Self { request: Some(Box::pin(request)), must_finish, busy }
    }
}

impl<F: Future + Send + 'static> Future for Lasting<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(request) = &mut self.request else { return Poll::Pending };
        let answer = request.as_mut().poll(cx);
        if answer.is_ready() {
            self.request = None;
        }
        answer
    }
}

impl<F: Future + Send + 'static> Drop for Lasting<F> {
    fn drop(&mut self) {
        let Some(request) = self.request.take().filter(|_| self.must_finish.load(Relaxed)) else { return };
        if let Ok(runtime) = Handle::try_current() {
            let busy = Busy::new(&self.busy);
            runtime.spawn(async move {
                request.await;
                drop(busy);
            });
        }
    }
}

/// Counts a request as under way.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
