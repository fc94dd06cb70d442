use futures_util::FutureExt;

use super::*;

fn turns(limit: usize) -> Arc<Turns> {
    let turns = Turns::new(Duration::from_mins(1), 64);
    turns.meter.put(limit);
    turns
}

/// Takes as many turns as there are without waiting.
fn all_at_once(turns: &Arc<Turns>, client: usize) -> Vec<Turn> {
    std::iter::from_fn(|| turns.take(client).now_or_never().flatten()).collect()
}

#[tokio::test]
async fn without_a_limit_nobody_waits() {
    let turns = turns(usize::MAX);
    let many: Vec<_> = (0..100).map(|_| turns.take(1).now_or_never()).collect();
    assert!(many.iter().all(|turn| matches!(turn, Some(Some(_)))));
}

#[tokio::test]
async fn of_many_clients_with_one_request_each_none_is_passed_over() {
    let turns = turns(2);
    let served = Arc::new((0..30).map(|_| AtomicUsize::new(0)).collect::<Vec<_>>());
    let clients: Vec<_> = (0..30)
        .map(|client| {
            let (turns, served) = (Arc::clone(&turns), Arc::clone(&served));
            tokio::spawn(async move {
                loop {
                    let turn = turns.take(client).await.unwrap();
                    tokio::task::yield_now().await;
                    served[client].fetch_add(1, SeqCst);
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
    drop(turns.take(1).await.unwrap());
    assert_eq!(all_at_once(&turns, 1).len(), 1);
    assert_eq!(turns.at_work(turns.epoch_at(Instant::now() + 3 * EPOCH)), 0);
}

#[tokio::test]
async fn lines_take_turns() {
    let turns = turns(1);
    let first = turns.take(1).await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for client in [1, 1, 1, 2, 2] {
        let (turns, tell) = (Arc::clone(&turns), tell.clone());
        tokio::spawn(async move {
            // Both have something there already: neither is let in for being new.
            let turn = turns.wait(client, Duration::from_mins(1)).await.unwrap();
            tell.send(client).unwrap();
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
    let first = turns.take(1).await.unwrap();
    assert!(turns.take(1).now_or_never().is_none(), "it waits, and leaves");
    assert!(turns.take(1).await.is_none(), "its time is over");
    first.over();
    assert!(turns.take(1).now_or_never().flatten().is_some());
}

#[test]
fn nobody_gets_all_of_the_line() {
    let mut line = Line::default();
    let mut waiting = Vec::new();
    let mut join = |line: &mut Line, client| {
        let (tell, told) = oneshot::channel();
        waiting.push(told);
        line.join(client, tell, 16)
    };
    let of_one = (0..100).filter(|_| join(&mut line, 1)).count();
    let of_two = (0..100).filter(|_| join(&mut line, 2)).count();
    assert_eq!((of_one, of_two), (14, 2));
    assert_eq!(line.order.len(), 2, "who is refused has no place there");
    drop(waiting);
    let mut tries = (0..3).map(|_| line.join(2, oneshot::channel().0, 16));
    assert!(tries.any(|joined| joined), "those who have left make room, sooner or later");
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
