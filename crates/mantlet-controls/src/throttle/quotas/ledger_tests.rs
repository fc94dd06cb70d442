use super::*;

const NOW: UnixSeconds = 1_764_000_000;

fn key(number: u32) -> Key {
    let mut key = Key::default();
    key[..4].copy_from_slice(&number.to_be_bytes());
    key
}

fn limits(hour: u32) -> Limits {
    Limits { of: [Some(hour), None, None], warn: 80 }
}

fn take(ledger: &Ledger, number: u32, hour: u32) -> QuotaDecision {
    ledger.take(key(number), &limits(hour), NOW, || None)
}

fn accept(ledger: &Ledger, number: u32, hour: u32) -> bool {
    ledger.accept(key(number), &limits(hour))
}

fn windows(counted: &QuotaDecision) -> [Option<UnixSeconds>; 3] {
    counted.windows.map(|window| window.map(|window| window.from))
}

#[test]
fn each_window_has_its_own_end_and_none_is_counted_if_one_is_used_up() {
    let ledger = Ledger::with_room_for(1_024);
    let limits = Limits { of: [Some(2), Some(3), Some(100)], warn: 80 };
    let take = |now| ledger.take(key(1), &limits, now, || None);
    assert!(take(NOW).passes);
    assert!(take(NOW).passes);
    let refused = take(NOW);
    assert!(!refused.passes);
    let used = |counted: &QuotaDecision| counted.windows.map(|window| window.unwrap().used);
    assert_eq!(used(&refused), [2, 2, 2]);
    assert_eq!(refused.windows[0].unwrap().rest, Window::Hour.at(NOW).until - NOW);
    // The next hour begins, the day goes on.
    let later = Window::Hour.at(NOW).until;
    assert_eq!(used(&take(later)), [1, 3, 3]);
    assert!(!take(later).passes);
    assert!(take(Window::Day.at(later).until).passes);
}

#[test]
fn threads_use_up_no_more_together_than_there_is_and_one_of_them_is_warned() {
    let ledger = Ledger::with_room_for(1_024);
    let seen: Vec<_> = std::thread::scope(|scope| {
        let ask = || take(&ledger, 1, 1_000).passes.then(|| accept(&ledger, 1, 1_000));
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(move || (0..500).map(|_| ask()).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(seen.iter().flatten().count(), 1_000);
    assert_eq!(seen.iter().filter(|warns| **warns == Some(true)).count(), 1);
}

#[test]
fn what_is_given_back_leaves_nothing_behind() {
    let ledger = Ledger::with_room_for(1_024);
    for number in 0..100 {
        let counted = take(&ledger, number, 10);
        ledger.give_back(key(number), &windows(&counted));
    }
    let mut left = 0;
    ledger.each(|list| left += list.entries.len() + list.gone.len());
    assert_eq!(left, 0);
    // Given back is only what was taken in the same window.
    let counted = take(&ledger, 1, 10);
    ledger.take(key(1), &limits(10), NOW + 3_600, || None);
    ledger.give_back(key(1), &windows(&counted));
    accept(&ledger, 1, 10);
    assert_eq!(ledger.holder(key(1), NOW + 3_600).unwrap().counts[0].used, 1);
}

#[test]
fn made_up_keys_neither_grow_it_nor_free_who_is_used_up_nor_keep_anybody_out() {
    let ledger = Ledger::with_room_for(1_024);
    while take(&ledger, 0, 3).passes {}
    accept(&ledger, 0, 10);
    // A neighbour of the flood that the app knows, with little used.
    take(&ledger, 1, 3);
    accept(&ledger, 1, 10);
    for number in 2..100_000 {
        assert!(take(&ledger, number, 3).passes, "new keys are let in");
    }
    let mut held = 0;
    ledger.each(|list| held += list.entries.len());
    assert!(held <= 2_048, "{held}");
    assert!(!take(&ledger, 0, 3).passes);
    assert_eq!(ledger.holder(key(1), NOW).unwrap().counts[0].used, 1);
    // Nor do keys that the app accepts, if they have used up less.
    for number in 2..100_000 {
        take(&ledger, number, 3);
        accept(&ledger, number, 10);
    }
    assert!(!take(&ledger, 0, 3).passes);
}

#[test]
fn as_many_keys_as_it_is_made_for_are_all_remembered() {
    let ledger = Ledger::with_room_for(20_000);
    for number in 0..20_000 {
        take(&ledger, number, 3);
        accept(&ledger, number, 10);
    }
    assert_eq!(ledger.holders(NOW).len(), 20_000);
}

#[test]
fn changes_are_told_once_and_bring_another_ledger_to_the_same_state() {
    let (ledger, copy) = (Ledger::with_room_for(1_024), Ledger::with_room_for(1_024));
    let tell = || ledger.changes().into_iter().map(|change| copy.restore(change)).count();
    ledger.take(key(1), &limits(10), NOW, || Some("alice".into()));
    assert_eq!(tell(), 0, "the app has not accepted it yet");
    accept(&ledger, 1, 10);
    take(&ledger, 2, 10);
    accept(&ledger, 2, 10);
    assert_eq!(tell(), 2);
    assert_eq!(tell(), 0);
    take(&ledger, 1, 10);
    assert!(ledger.reset(key(2)));
    assert!(!ledger.reset(key(2)));
    assert_eq!(tell(), 2);
    assert_eq!(copy.holders(NOW), ledger.holders(NOW));
    assert_eq!(copy.holders(NOW)[0].counts[0].used, 2);
    let later = Window::Hour.at(NOW).until;
    assert_eq!(ledger.holders(later).len(), 0);
    assert_eq!(ledger.everything(later).len(), 1, "the clock could be set back to it");
    assert_eq!(ledger.everything(later + 3_600).len(), 0);
}
