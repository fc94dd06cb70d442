use futures_util::FutureExt;

use super::*;

fn turns(limit: usize) -> Arc<Turns> {
    let turns = Turns::new(Duration::from_mins(1), 64);
    turns.meter.put(limit);
    turns
}

/// A client in a network of its own.
fn client(own: usize) -> Client {
    Client { own, network: own }
}

/// Takes as many turns as there are without waiting.
fn all_at_once(turns: &Arc<Turns>, own: usize) -> Vec<Turn> {
    std::iter::from_fn(|| turns.take(client(own), None).now_or_never().flatten()).collect()
}

#[tokio::test]
async fn without_a_limit_nobody_waits() {
    let turns = turns(usize::MAX);
    let many: Vec<_> = (0..100).map(|_| turns.take(client(1), None).now_or_never()).collect();
    assert!(many.iter().all(|turn| matches!(turn, Some(Some(_)))));
}

#[tokio::test]
async fn of_many_clients_with_one_request_each_none_is_passed_over() {
    let turns = turns(2);
    let served = Arc::new((0..30).map(|_| AtomicUsize::new(0)).collect::<Vec<_>>());
    let clients: Vec<_> = (0..30)
        .map(|own| {
            let (turns, served) = (Arc::clone(&turns), Arc::clone(&served));
            tokio::spawn(async move {
                loop {
                    let turn = turns.take(client(own), None).await.unwrap();
                    tokio::task::yield_now().await;
                    served[own].fetch_add(1, SeqCst);
                    turn.over();
                }
            })
        })
        .collect();
    while served.iter().map(|count| count.load(SeqCst)).sum::<usize>() < 3_000 {
        tokio::task::yield_now().await;
    }
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    let counts: Vec<_> = served.iter().map(|count| count.load(SeqCst)).collect();
    assert!(counts.iter().all(|count| (80..=120).contains(count)), "{counts:?}");
}

#[tokio::test]
async fn whoever_leaves_without_an_answer_still_counts_for_a_moment() {
    let turns = turns(2);
    drop(turns.take(client(1), None).await.unwrap());
    assert_eq!(all_at_once(&turns, 1).len(), 1);
    assert_eq!(turns.at_work(turns.epoch_at(Instant::now() + 3 * EPOCH)), 0);
}

#[tokio::test]
async fn lines_take_turns() {
    let turns = turns(1);
    let first = turns.take(client(1), None).await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for own in [1, 1, 1, 2, 2] {
        let (turns, tell) = (Arc::clone(&turns), tell.clone());
        tokio::spawn(async move {
            // Both have something there already: neither is let in for being new.
            let turn = turns.wait(client(own), UNKNOWN, Duration::from_mins(1)).await.unwrap();
            tell.send(own).unwrap();
            turn.over();
        });
        tokio::task::yield_now().await;
    }
    first.over();
    let mut order = Vec::new();
    for _ in 0..5 {
        order.push(told.recv().await.unwrap());
    }
    assert_eq!(order, [1, 2, 1, 2, 1]);
    assert_eq!(turns.waiting.load(SeqCst), 0);
}

#[tokio::test]
async fn patience_ends_and_whoever_leaves_takes_no_place() {
    let turns = Turns::new(Duration::from_millis(50), 64);
    turns.meter.put(1);
    let first = turns.take(client(1), None).await.unwrap();
    assert!(turns.take(client(1), None).now_or_never().is_none(), "it waits, and leaves");
    assert!(turns.take(client(1), None).await.is_none(), "its time is over");
    first.over();
    assert!(turns.take(client(1), None).now_or_never().flatten().is_some());
}

#[tokio::test]
async fn what_waits_for_news_does_not_count_for_long() {
    let turns = turns(2);
    let long: Vec<_> = all_at_once(&turns, 1);
    assert_eq!(turns.at_work(turns.epoch_at(Instant::now())), 2);
    let later = turns.epoch_at(Instant::now() + 3 * EPOCH);
    assert_eq!(turns.at_work(later), 0);
    long.into_iter().for_each(Turn::over);
    assert_eq!(turns.at_work(later), 0, "nor is it taken off twice");
}

#[tokio::test]
async fn a_body_that_is_awaited_has_no_turn() {
    let turns = turns(1);
    let turn = turns.take(client(1), None).await.unwrap();
    let (shift, mut keeper) = Shift::new(turn, &turns, client(1));
    let poll =
        |keeper: &mut Keeper| keeper.poll_turn(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(poll(&mut keeper).is_ready());
    keeper.pause();
    let other = turns.take(client(2), None).await.unwrap();
    assert!(poll(&mut keeper).is_pending(), "it waits like others");
    other.over();
    assert_eq!(poll(&mut keeper), std::task::Poll::Ready(true));
    assert!(turns.take(client(2), None).now_or_never().is_none(), "it has the only turn");
    shift.end().unwrap().over();
    keeper.pause();
    assert_eq!(poll(&mut keeper), std::task::Poll::Ready(true), "what comes after the answer needs none");
}

#[tokio::test]
async fn what_is_quick_is_worth_waiting_for() {
    let turns = turns(usize::MAX);
    let turn = turns.take(client(1), Some(1)).await.unwrap();
    assert!(turn.lingers(Some(1)).is_some(), "nothing is known of it");
    let now = Duration::from_secs(1);
    let took =
        |kind, took| Sample { kind: Some(kind), took, alone: true, began_alone: true, waits: false, now };
    turns.meter.learn(&took(1, Duration::from_millis(5)));
    turns.meter.learn(&took(2, Duration::from_secs(20)));
    assert!(turn.lingers(Some(1)).is_some_and(|left| left <= 2 * EPOCH));
    assert_eq!(turn.lingers(Some(2)), None, "it may listen for its client");
}
