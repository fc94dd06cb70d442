use super::*;
use crate::Clock;

fn subject(counts: Counts, rate: Rate) -> Subject {
    Subject { name: "watched".into(), rate, key: vec!["ip".into()], counts, rule: None }
}

fn usages(counts: Counts) -> (Usages, Arc<Usage>) {
    let usages = Usages::default();
    let rate = Rate::new(10, Duration::from_secs(1), 10).unwrap();
    let usage = usages.of(subject(counts, rate), 1 << 12, Clock::system());
    usages.begin();
    (usages, usage)
}

fn key(number: u128) -> Key {
    number.to_be_bytes()
}

/// A client's requests, each with its answer.
fn ask(usage: &Arc<Usage>, client: u128, answers: &[u16]) {
    for status in answers {
        let mut counted = ReportedUse::default();
        counted.count(usage, key(client), false, false);
        counted.answered(StatusCode::from_u16(*status).unwrap());
    }
}

#[test]
fn windows_are_the_rules_own_within_bounds() {
    let seconds = |count, secs| {
        let rate = Rate::new(count, Duration::from_secs(secs), 1).unwrap();
        Usage::new(subject(Counts::Requests, rate), 1_024, Arc::default(), Clock::system()).window.as_secs()
    };
    assert_eq!(
        [(100, 1), (5, 60), (10, 900), (5, 86_400)].map(|(count, secs)| seconds(count, secs)),
        [60, 60, 900, 3_600]
    );
}

#[test]
fn clients_that_are_mostly_turned_away_are_counted_apart() {
    let (usages, usage) = usages(Counts::Requests);
    ask(&usage, 1, &[200; 20]);
    ask(&usage, 2, &[200, 404, 304, 422]);
    ask(&usage, 3, &[404; 30]);
    ask(&usage, 4, &[401, 200, 401]);
    // A failure of the app is not the client's fault.
    ask(&usage, 5, &[500, 503]);
    let [used] = &usages.read(true)[..] else { panic!("one window") };
    assert_eq!(&*used.rule, "watched");
    let Summary { legitimate, others, window, seconds, refused, .. } = &used.summary;
    assert_eq!((*window, *seconds, *refused), (60, 0, 0));
    assert_eq!((legitimate.keys, legitimate.most, legitimate.peak), (3, 20, 20));
    assert_eq!((others.keys, others.most), (2, 30));
    assert_eq!(
        serde_json::to_value(&legitimate.requests).unwrap(),
        serde_json::json!([[2, 1], [4, 1], [20, 1]])
    );
    // What was read is forgotten.
    assert_eq!(usages.read(true), []);
}

#[test]
fn of_attempts_the_failures_are_counted() {
    let (usages, usage) = usages(Counts::Failures);
    ask(&usage, 1, &[400, 400, 200]);
    ask(&usage, 2, &[200]);
    // No failure of an attempt, though it was refused.
    ask(&usage, 3, &[422, 200]);
    ask(&usage, 4, &[401; 9]);
    let [used] = &usages.read(true)[..] else { panic!("one window") };
    let Summary { legitimate, others, .. } = &used.summary;
    assert_eq!((legitimate.keys, legitimate.most), (3, 2));
    assert_eq!((others.keys, others.most), (1, 9));
}

#[test]
fn what_is_over_the_limit_is_told_of_clients_and_requests() {
    let (usages, usage) = usages(Counts::Requests);
    for (client, is_over) in [(1, false), (1, true), (1, true), (2, false), (3, true)] {
        ReportedUse::default().count(&usage, key(client), is_over, client == 3);
    }
    let [used] = &usages.read(true)[..] else { panic!("one window") };
    let Summary { legitimate, others, refused, .. } = &used.summary;
    assert_eq!((*refused, legitimate.refused, others.refused, others.keys), (3, 1, 1, 1));
}

#[test]
fn windows_take_turns() {
    let (usages, usage) = usages(Counts::Requests);
    ask(&usage, 1, &[200; 3]);
    let mut late = ReportedUse::default();
    late.count(&usage, key(1), false, false);
    let over = usage.turn();
    ask(&usage, 1, &[200; 7]);
    // Its window is over: it must not spoil the next.
    late.answered(StatusCode::NOT_FOUND);
    assert_eq!(usage.read(over).unwrap().summary.legitimate.most, 4);
    let over = usage.turn();
    assert_eq!(usage.read(over).unwrap().summary.legitimate.most, 7);
    assert_eq!(usage.read(usage.turn()), None);
    assert_eq!(usages.read(false), [], "the minute is not over");
}

#[test]
fn a_window_is_read_the_time_after_it_ended() {
    let usages = Usages::default();
    usages.begin();
    let rate = Rate::new(10, Duration::from_secs(1), 10).unwrap();
    let usage =
        Usage::new(subject(Counts::Requests, rate), 1 << 12, Arc::clone(&usages.is_read), Clock::system());
    let usage = Arc::new(Usage { window: Duration::ZERO, ..usage });
    usages.all.lock().unwrap().push(Kept { usage: Arc::clone(&usage), over: None });
    let most = || usages.read(false).iter().map(|used| used.summary.legitimate.most).collect::<Vec<_>>();
    ask(&usage, 1, &[200; 3]);
    assert_eq!(most(), Vec::<u64>::new());
    ask(&usage, 1, &[200; 5]);
    assert_eq!([most(), most(), most()], [vec![3], vec![], vec![5]]);
}

#[test]
fn nothing_is_counted_where_nobody_reads() {
    let usages = Usages::default();
    let rate = Rate::new(10, Duration::from_secs(1), 10).unwrap();
    let usage = usages.of(subject(Counts::Requests, rate), 1 << 12, Clock::system());
    ask(&usage, 1, &[200]);
    usages.begin();
    assert_eq!(usages.read(true), []);
}

#[test]
fn a_rule_that_has_changed_begins_anew_and_the_old_one_is_told() {
    let (usages, usage) = usages(Counts::Requests);
    let same = usages.of(usage.subject.clone(), 1 << 12, Clock::system());
    assert!(Arc::ptr_eq(&usage, &same));
    ask(&usage, 1, &[200]);
    let other = usages.of(
        subject(Counts::Requests, Rate::new(20, Duration::from_secs(1), 10).unwrap()),
        1 << 12,
        Clock::system(),
    );
    ask(&other, 2, &[200; 2]);
    drop((usage, same));
    let read = usages.read(false);
    assert_eq!(read.iter().map(|used| used.summary.legitimate.most).collect::<Vec<_>>(), [1]);
    assert_eq!(usages.all.lock().unwrap().len(), 1);
}

#[test]
fn threads_lose_nothing() {
    let (usages, usage) = usages(Counts::Requests);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..250).for_each(|_| ask(&usage, 1, &[200])));
        }
    });
    let [used] = &usages.read(true)[..] else { panic!("one window") };
    assert_eq!((used.summary.legitimate.keys, used.summary.legitimate.most), (1, 1_000));
}
