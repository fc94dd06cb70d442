//! The thread that sends spans: in batches, one at a time. What a collector does not take for the moment is sent
//! again some times, while the queue takes what comes meanwhile.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::{
    sync::mpsc::Receiver,
    time::{Instant, sleep, timeout_at},
};

use super::{
    Tracer,
    otlp::{Exporter, Failed},
    span::Span,
};

/// Requests whose spans are sent at once (OpenTelemetry's SDKs: 512 spans).
const BATCH: usize = 512;
/// How long a span waits for others.
const DELAY: Duration = Duration::from_secs(1);
/// Attempts for a batch, and how long it waits after the first; each time twice as long.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);
/// How long the last batches may take, when the gate has ended.
const LAST: Duration = Duration::from_secs(2);

/// Sends what waits, until `ends` says that the gate has ended.
pub(super) async fn run(
    exporter: &Exporter,
    mut waiting: Receiver<Span>,
    mut ends: Receiver<()>,
    tracer: &Tracer,
) {
    let mut trouble = Trouble::default();
    let mut batch = Vec::with_capacity(BATCH);
    let work = async {
        while fill(&mut waiting, &mut batch).await {
            let outcome = patiently(exporter, &batch).await;
            settle(tracer, &batch, outcome, &mut trouble);
            batch.clear();
        }
    };
    tokio::select! {
        () = work => {}
        _ = ends.recv() => {}
    }
    // What was under way is begun again.
    let deadline = Instant::now() + LAST;
    while Instant::now() < deadline && !(batch.is_empty() && waiting.is_empty()) {
        if batch.is_empty() {
            waiting.recv_many(&mut batch, BATCH).await;
        }
        let outcome = timeout_at(deadline, exporter.export(&batch)).await.unwrap_or_else(|_| {
            Err(Failed { why: "it did not answer before the end".into(), is_passing: true })
        });
        settle(tracer, &batch, outcome, &mut trouble);
        batch.clear();
    }
}

/// Takes the next spans; false if there will be none.
async fn fill(waiting: &mut Receiver<Span>, batch: &mut Vec<Span>) -> bool {
    if waiting.recv_many(batch, BATCH).await == 0 {
        return false;
    }
    let until = Instant::now() + DELAY;
    while batch.len() < BATCH {
        let room = BATCH - batch.len();
        match timeout_at(until, waiting.recv_many(batch, room)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
    }
    true
}

async fn patiently(exporter: &Exporter, batch: &[Span]) -> Result<(), Failed> {
    for attempt in 1.. {
        match exporter.export(batch).await {
            Err(failed) if failed.is_passing && attempt < ATTEMPTS => sleep(PAUSE * (1 << attempt) / 2).await,
            outcome => return outcome,
        }
    }
    Ok(())
}

/// Whether it was said that spans are lost.
#[derive(Debug, Default)]
struct Trouble(bool);

fn settle(tracer: &Tracer, batch: &[Span], outcome: Result<(), Failed>, Trouble(is_said): &mut Trouble) {
    let count: u64 = batch.iter().map(Span::count).sum();
    match outcome {
        Ok(()) => {
            tracer.0.sent.fetch_add(count, Relaxed);
            if std::mem::take(is_said) {
                crate::tell("the collector takes spans again");
            }
        }
        Err(Failed { why, .. }) => {
            tracer.0.dropped.fetch_add(count, Relaxed);
            if !std::mem::replace(is_said, true) {
                crate::tell(&format!(
                    "spans are lost: the collector does not take them: {why}; requests go on. Look at `endpoint` under `[traces]`, and at the collector; `mantlet_spans_dropped_total` counts"
                ));
            }
        }
    }
}
