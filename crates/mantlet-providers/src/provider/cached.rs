//! What was asked of a provider and is kept: for a time, and longer while the provider is away.

use std::{future::Future, sync::Arc};

use tokio::sync::Mutex;

use super::fault::Away;

/// Seconds between two attempts while the provider is away.
const RETRY: i64 = 5;
/// Seconds between two questions that tokens cause.
const CAUSED: i64 = 30;

/// It is asked for by one task at a time: the others wait for that answer.
#[derive(Debug)]
pub(super) struct Cached<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    kept: Option<Kept<T>>,
    failed: Option<(i64, Away)>,
    /// When a token last caused a question.
    caused: Option<i64>,
}

#[derive(Debug)]
struct Kept<T> {
    value: Arc<T>,
    at: i64,
    fresh: i64,
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::new(State { kept: None, failed: None, caused: None }))
    }
}

/// Seconds since then. A clock that was put back makes nothing older.
fn age(now: i64, then: i64) -> i64 {
    now.saturating_sub(then).max(0)
}

impl<T> Cached<T> {
    /// The value, at most `fresh` seconds old, or `stale` seconds while the provider is away.
    pub(super) async fn get(
        &self,
        now: i64,
        fresh: i64,
        stale: i64,
        ask: impl Future<Output = Result<T, Away>> + Send,
    ) -> Result<Arc<T>, Away> {
        let mut state = self.0.lock().await;
        if let Some(kept) = state.kept.as_ref().filter(|kept| age(now, kept.at) < fresh) {
            return Ok(Arc::clone(&kept.value));
        }
        state.ask(now, stale, async { Ok((ask.await?, fresh)) }).await
    }

    /// The same where the answer itself says for how long it is fresh.
    pub(super) async fn get_for(
        &self,
        now: i64,
        stale: i64,
        ask: impl Future<Output = Result<(T, i64), Away>> + Send,
    ) -> Result<Arc<T>, Away> {
        let mut state = self.0.lock().await;
        if let Some(kept) = state.kept.as_ref().filter(|kept| age(now, kept.at) < kept.fresh) {
            return Ok(Arc::clone(&kept.value));
        }
        state.ask(now, stale, ask).await
    }

    /// Asks again, as what is kept does not do for a token: unless that has happened a moment ago, or another task has asked
    /// meanwhile.
    pub(super) async fn again(
        &self,
        now: i64,
        known: &Arc<T>,
        ask: impl Future<Output = Result<(T, i64), Away>> + Send,
    ) -> Result<Arc<T>, Away> {
        let mut state = self.0.lock().await;
        if let Some(kept) = state.kept.as_ref().filter(|kept| !Arc::ptr_eq(&kept.value, known)) {
            return Ok(Arc::clone(&kept.value));
        }
        if state.caused.is_some_and(|then| age(now, then) < CAUSED) {
            return Ok(Arc::clone(known));
        }
        state.caused = Some(now);
        let (value, fresh) = ask.await?;
        Ok(state.keep(now, value, fresh))
    }
}

impl<T> State<T> {
    async fn ask(
        &mut self,
        now: i64,
        stale: i64,
        ask: impl Future<Output = Result<(T, i64), Away>> + Send,
    ) -> Result<Arc<T>, Away> {
        let rests = self.failed.as_ref().filter(|(then, _)| age(now, *then) < RETRY);
        let asked = match rests {
            Some((_, away)) => Err(away.clone()),
            None => ask.await,
        };
        match asked {
            Ok((value, fresh)) => Ok(self.keep(now, value, fresh)),
            Err(away) => {
                if rests.is_none() {
                    self.failed = Some((now, away.clone()));
                }
                let kept = self.kept.as_ref().filter(|kept| age(now, kept.at) < stale);
                kept.map(|kept| Arc::clone(&kept.value)).ok_or(away)
            }
        }
    }

    fn keep(&mut self, now: i64, value: T, fresh: i64) -> Arc<T> {
        let value = Arc::new(value);
        self.kept = Some(Kept { value: Arc::clone(&value), at: now, fresh });
        self.failed = None;
        value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

    use super::*;

    /// A provider that counts questions, and is away while the count is told to be.
    struct Counter(AtomicI64, AtomicI64);

    impl Counter {
        async fn ask(&self) -> Result<(i64, i64), Away> {
            let count = self.0.fetch_add(1, SeqCst) + 1;
            tokio::task::yield_now().await;
            if self.1.load(SeqCst) == 0 { Ok((count, 100)) } else { Err(Away("away".into())) }
        }
    }

    #[tokio::test]
    async fn many_ask_once() {
        let (cached, counter) = (Cached::default(), Counter(AtomicI64::new(0), AtomicI64::new(0)));
        let all = (0..20).map(|_| cached.get_for(1_000, 500, counter.ask()));
        for value in futures_util::future::join_all(all).await {
            assert_eq!(*value.unwrap(), 1);
        }
        assert_eq!(*cached.get_for(1_099, 500, counter.ask()).await.unwrap(), 1);
        assert_eq!(*cached.get_for(1_100, 500, counter.ask()).await.unwrap(), 2);
        // A clock that was put back.
        assert_eq!(*cached.get_for(0, 500, counter.ask()).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn away_it_serves_for_a_time_and_is_not_asked_at_once_again() {
        let (cached, counter) = (Cached::default(), Counter(AtomicI64::new(0), AtomicI64::new(1)));
        for now in [1_000, 1_004] {
            cached.get_for(now, 500, counter.ask()).await.unwrap_err();
        }
        assert_eq!(counter.0.load(SeqCst), 1, "it rests");
        counter.1.store(0, SeqCst);
        assert_eq!(*cached.get_for(1_005, 500, counter.ask()).await.unwrap(), 2);
        counter.1.store(1, SeqCst);
        assert_eq!(*cached.get_for(1_200, 500, counter.ask()).await.unwrap(), 2, "stale");
        assert_eq!(*cached.get_for(1_201, 500, counter.ask()).await.unwrap(), 2);
        assert_eq!(counter.0.load(SeqCst), 3);
        cached.get_for(1_505, 500, counter.ask()).await.unwrap_err();
    }

    #[tokio::test]
    async fn tokens_cause_one_question_in_thirty_seconds() {
        let (cached, counter) = (Cached::default(), Counter(AtomicI64::new(0), AtomicI64::new(0)));
        let first = cached.get_for(1_000, 500, counter.ask()).await.unwrap();
        let all = (0..20).map(|_| cached.again(1_001, &first, counter.ask()));
        for value in futures_util::future::join_all(all).await {
            assert_eq!(*value.unwrap(), 2);
        }
        let second = cached.get_for(1_002, 500, counter.ask()).await.unwrap();
        assert_eq!(*cached.again(1_030, &second, counter.ask()).await.unwrap(), 2);
        assert_eq!(*cached.again(1_031, &second, counter.ask()).await.unwrap(), 3);
    }
}
