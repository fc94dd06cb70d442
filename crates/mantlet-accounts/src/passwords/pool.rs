//! Threads of their own for work that takes milliseconds of a core.
//!
//! On a thread of the gate a hash would stall each connection of its core. Here at most four run at once, which
//! bounds memory too (4 × 19 MiB), and at most 64 wait. What comes on top is refused at once, so that a flood
//! of logins does not become a queue of minutes.

use std::{
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use tokio::sync::oneshot;

use crate::Fault;

/// Threads at most. A machine with fewer cores has fewer.
const THREADS: usize = 4;
/// Jobs that wait at most.
const QUEUE: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They end when it is dropped, after the job that each has in hand.
#[derive(Debug, Clone)]
pub(super) struct Pool(SyncSender<Job>);

impl Pool {
    pub(super) fn start() -> Result<Self, Fault> {
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS);
        Self::with(threads, QUEUE)
    }

    fn with(threads: usize, queue: usize) -> Result<Self, Fault> {
        let (sender, receiver) = sync_channel::<Job>(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads {
            let jobs = receiver.clone();
            thread::Builder::new()
                .name(format!("passwords-{number}"))
                .spawn(move || {
                    while next(&jobs).is_some_and(|job| {
                        job();
                        true
                    }) {}
                })
                .map_err(|_| Fault::Failed("starting a thread for passwords"))?;
        }
        Ok(Self(sender))
    }

    /// Does work on one of the threads. Where the client has left, the work is not begun.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let (done, result) = oneshot::channel();
        let job = Box::new(move || {
            if !done.is_closed() {
                let _ = done.send(work());
            }
        });
        match self.0.try_send(job) {
            Ok(()) => result.await.map_err(|_| Fault::Failed("checking a password")),
            Err(TrySendError::Full(_)) => Err(Fault::Busy),
            Err(TrySendError::Disconnected(_)) => Err(Fault::Failed("checking a password")),
        }
    }
}

fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_into_the_queue_is_refused_at_once() {
        let pool = Pool::with(1, 1).unwrap();
        let (release, wait) = channel::<()>();
        let (begun, has_begun) = channel();
        let running = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    begun.send(()).unwrap();
                    wait.recv().unwrap();
                    1
                })
                .await
            }
        });
        // The runtime of this test has one thread, so it must let the other task send its job first.
        tokio::task::yield_now().await;
        has_begun.recv().unwrap();
        let mut waiting = Box::pin(pool.run(|| 2));
        assert!(futures_util::FutureExt::now_or_never(&mut waiting).is_none());
        assert!(matches!(pool.run(|| 3).await, Err(Fault::Busy)));
        release.send(()).unwrap();
        assert_eq!(running.await.unwrap().unwrap(), 1);
        assert_eq!(waiting.await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_job_that_panics_ends_no_thread_silently() {
        let pool = Pool::with(2, 4).unwrap();
        let failed = pool.run(|| panic!("a test")).await;
        assert!(matches!(failed, Err::<(), _>(Fault::Failed(_))));
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
    }
}
