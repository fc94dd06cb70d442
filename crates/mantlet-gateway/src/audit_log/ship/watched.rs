//! Starts a shipper again after a pause, if it fails by a mistake of its own: one destination that has stopped
//! would not show otherwise.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{sync::watch, time::sleep};

use super::health::Health;
use crate::tell;

/// Runs what `start` makes until it ends.
pub(super) async fn run<F: Future<Output = ()>>(
    health: Arc<Health>,
    mut ends: watch::Receiver<bool>,
    pause: Duration,
    start: impl Fn() -> Result<F, String>,
) {
    let mut was_said = false;
    loop {
        // After a panic nothing of the former shipper is used but figures, and notes in files.
        let started = std::panic::catch_unwind(AssertUnwindSafe(&start));
        let why = match started.unwrap_or_else(|_| Err(mistake())) {
            Err(why) => why,
            Ok(shipper) => match AssertUnwindSafe(shipper).catch_unwind().await {
                Ok(()) => return,
                Err(_) => mistake(),
            },
        };
        health.goes_down();
        if !std::mem::replace(&mut was_said, true) {
            tell(&format!(
                "error: the audit log is not shipped to `{}`: {why}. It is tried again every {} s",
                health.name,
                pause.as_secs()
            ));
        }
        if *ends.borrow() {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            _ = ends.changed() => {}
        }
    }
}

fn mistake() -> String {
    "Mantlet has made a mistake, which the lines above show; please report it".to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;

    #[tokio::test]
    async fn a_shipper_that_panics_is_down_and_comes_again() {
        let health = Arc::new(Health::new("to"));
        let (ends, told) = watch::channel(false);
        let starts = AtomicU32::new(0);
        let up = Arc::clone(&health);
        let start = || {
            let number = starts.fetch_add(1, Relaxed);
            assert_ne!(number, 1, "the second fails before it runs");
            if number == 2 {
                return Err("no certificate".to_owned());
            }
            let (health, mut told) = (Arc::clone(&up), told.clone());
            Ok(async move {
                assert_ne!(number, 0, "the first fails");
                assert!(!health.is_up());
                told.changed().await.unwrap();
            })
        };
        let running = run(health, told.clone(), Duration::ZERO, start);
        let ending = async {
            while starts.load(Relaxed) < 4 {
                tokio::task::yield_now().await;
            }
            ends.send_replace(true);
        };
        tokio::join!(running, ending);
        assert_eq!(starts.load(Relaxed), 4);
    }

    #[tokio::test]
    async fn at_the_end_it_does_not_come_again() {
        let (_ends, told) = watch::channel(true);
        let starts = AtomicU32::new(0);
        let start = || {
            starts.fetch_add(1, Relaxed);
            Ok(async { panic!("it fails") })
        };
        run(Arc::new(Health::new("to")), told, Duration::ZERO, start).await;
        assert_eq!(starts.load(Relaxed), 1);
    }
}
