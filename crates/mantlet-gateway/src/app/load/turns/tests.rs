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

/// How many count as the app's work when so much time has passed.
fn at_work_in(turns: &Turns, time: Duration) -> usize {
    turns.epoch_at(Instant::now() + time);
    turns.at_work.load(SeqCst)
}

/// What an answer tells that came after so long.
fn sample(took: Duration, at_work: usize) -> Sample {
    Sample {
        kind: Some(1),
        took,
        at_work,
        began_with: at_work,
        answered: true,
        waits: false,
        now: Duration::from_secs(1),
    }
}

/// Takes as many turns as there are without waiting.
fn all_at_once(turns: &Arc<Turns>, own: usize) -> Vec<Turn> {
    std::iter::from_fn(|| turns.take(client(own), None, true).now_or_never().flatten()).collect()
}

#[tokio::test]
async fn without_a_limit_what_was_carried_is_let_in() {
    let turns = turns(usize::MAX);
    let first = all_at_once(&turns, 1);
    assert_eq!(first.len(), opening::FIRST, "nothing is known");
    // Answers that are not late let in one more each, as long as half of the bound is in use.
    for turn in first {
        turn.answered(Some(1), false);
    }
    assert_eq!(all_at_once(&turns, 1).len(), opening::FIRST + opening::FIRST / 3 + 1);
    // Who has switched it off has no such bound.
    let turns = Turns::new(Duration::ZERO, 64);
    assert_eq!(
        (0..100).filter_map(|_| turns.take(client(1), None, true).now_or_never().flatten()).count(),
        100
    );
}

#[tokio::test]
async fn an_app_that_does_not_answer_is_given_more_by_the_clock() {
    let turns = Turns::new(Duration::from_mins(1), 4_096);
    let mut there = Vec::new();
    for _ in 0..1_000 {
        let turns = Arc::clone(&turns);
        there
            .push(tokio::spawn(async move { turns.take(client(1), None, true).await.map(std::mem::forget) }));
    }
    while turns.line().len() < 1_000 - opening::FIRST {
        tokio::task::yield_now().await;
    }
    for one in there {
        assert!(one.await.unwrap().is_some());
    }
}

#[tokio::test]
async fn an_app_that_is_late_is_given_no_more_until_it_is_another_one() {
    let turns = Turns::new(Duration::from_mins(1), 4_096);
    turns.meter.learn(&sample(Duration::from_millis(10), 1));
    for _ in 0..1_000 {
        turns.meter.opening.answered(opening::FIRST, true, 0);
    }
    assert_eq!(turns.meter.limit(), opening::FIRST);
    turns.meter.put(3);
    assert_eq!(all_at_once(&turns, 1).len(), 3);
    turns.start_anew();
    assert_eq!((turns.meter.limit(), turns.meter.alone(Some(1))), (opening::FIRST, None));
}

#[tokio::test]
async fn what_was_carried_long_ago_is_forgotten_little_by_little() {
    let turns = Turns::new(Duration::from_mins(1), 4_096);
    turns.meter.opening.put(1_000);
    turns.meter.opening.narrow(Duration::from_secs(29));
    assert_eq!(turns.meter.limit(), 1_000);
    turns.meter.opening.narrow(Duration::from_secs(61));
    assert_eq!(turns.meter.limit(), 250);
    turns.meter.put(3);
    turns.epoch_at(Instant::now() + Duration::from_mins(10));
    assert_eq!(turns.meter.limit(), opening::FIRST, "and all of it in a silence");
}

#[test]
fn of_a_kind_that_was_never_alone_the_quickest_is_a_guess() {
    let turns = turns(usize::MAX);
    let [quick, slow] = [20, 50].map(Duration::from_millis);
    turns.meter.learn(&sample(slow, 40));
    turns.meter.learn(&sample(quick, 39));
    turns.meter.learn(&sample(slow, 38));
    assert_eq!(turns.meter.alone(Some(1)), Some(quick));
    turns.meter.learn(&sample(slow, 1));
    assert_eq!(turns.meter.alone(Some(1)), Some(slow), "one that was alone says better");
}

#[tokio::test]
async fn what_is_known_to_take_long_counts_for_longer() {
    let turns = turns(usize::MAX);
    turns.meter.learn(&sample(Duration::from_millis(100), 1));
    let turn = turns.take(client(1), Some(1), true).await.unwrap();
    assert_eq!(at_work_in(&turns, 6 * EPOCH), 1);
    assert_eq!(at_work_in(&turns, 20 * EPOCH), 0);
    turn.over();
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
                    let turn = turns.take(client(own), None, true).await.unwrap();
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
    drop(turns.take(client(1), None, true).await.unwrap());
    assert_eq!(all_at_once(&turns, 1).len(), 1);
    assert_eq!(at_work_in(&turns, 3 * EPOCH), 0);
}

#[tokio::test]
async fn lines_take_turns() {
    let turns = turns(1);
    let first = turns.take(client(1), None, true).await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for own in [1, 1, 1, 2, 2] {
        let (turns, tell) = (Arc::clone(&turns), tell.clone());
        tokio::spawn(async move {
            // Both have something there already: neither is let in for being new.
            let turn = turns
                .wait(client(own), Work { takes: UNKNOWN, is_whole: true }, Duration::from_mins(1))
                .await
                .unwrap();
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
    let first = turns.take(client(1), None, true).await.unwrap();
    assert!(turns.take(client(1), None, true).now_or_never().is_none(), "it waits, and leaves");
    assert!(turns.take(client(1), None, true).await.is_none(), "its time is over");
    first.over();
    assert!(turns.take(client(1), None, true).now_or_never().flatten().is_some());
}

#[tokio::test]
async fn what_waits_for_news_does_not_count_for_long() {
    let turns = turns(2);
    let long: Vec<_> = all_at_once(&turns, 1);
    assert_eq!(at_work_in(&turns, Duration::ZERO), 2);
    assert_eq!(at_work_in(&turns, 3 * EPOCH), 0);
    long.into_iter().for_each(Turn::over);
    assert_eq!(at_work_in(&turns, 3 * EPOCH), 0, "nor is it taken off twice");
}

#[tokio::test]
async fn a_body_that_is_awaited_has_no_turn() {
    let turns = turns(1);
    let turn = turns.take(client(1), None, true).await.unwrap();
    let (shift, mut keeper) = Shift::new(turn, client(1));
    let poll =
        |keeper: &mut Keeper| keeper.poll_turn(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(poll(&mut keeper).is_ready());
    keeper.pause();
    let other = turns.take(client(2), None, true).await.unwrap();
    assert!(poll(&mut keeper).is_pending(), "it waits like others");
    other.over();
    assert_eq!(poll(&mut keeper), std::task::Poll::Ready(true));
    assert!(turns.take(client(2), None, true).now_or_never().is_none(), "it has the only turn");
    shift.end().unwrap().over();
    keeper.pause();
    assert_eq!(poll(&mut keeper), std::task::Poll::Ready(true), "what comes after the answer needs none");
}

#[tokio::test]
async fn what_is_quick_is_worth_waiting_for() {
    let turns = turns(usize::MAX);
    let turn = turns.take(client(1), Some(1), true).await.unwrap();
    assert!(turn.lingers(Some(1)).is_some(), "nothing is known of it");
    turns.meter.learn(&sample(Duration::from_millis(5), 1));
    turns.meter.learn(&Sample { kind: Some(2), ..sample(Duration::from_secs(20), 1) });
    assert!(turn.lingers(Some(1)).is_some_and(|left| left <= 2 * EPOCH));
    assert_eq!(turn.lingers(Some(2)), None, "it may listen for its client");
}

#[tokio::test]
async fn those_that_wait_do_not_begin_together() {
    let turns = turns(4);
    turns.meter.learn(&sample(Duration::from_millis(200), 1));
    turns.meter.put(4);
    let mut there = Vec::new();
    for _ in 0..4 {
        there.push(turns.take(client(1), Some(1), true).await.unwrap());
    }
    let waiting: Vec<_> = (0..8)
        .map(|number| {
            let turns = Arc::clone(&turns);
            let is_whole = number % 2 == 0;
            tokio::spawn(async move {
                let turn = turns.take(client(2 + number), Some(1), is_whole).await.unwrap();
                let began = Instant::now();
                turn.over();
                (is_whole, began)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    there.into_iter().for_each(Turn::over);
    let mut began = Vec::new();
    for one in waiting {
        began.push(one.await.unwrap());
    }
    let mut whole: Vec<_> = began.iter().filter(|one| one.0).map(|one| one.1).collect();
    whole.sort_unstable();
    // Seven tenths of 200 ms, for each of four places.
    let least = Duration::from_millis(34);
    assert!(whole.windows(2).all(|pair| pair[1] - pair[0] >= least), "{whole:?}");
}
