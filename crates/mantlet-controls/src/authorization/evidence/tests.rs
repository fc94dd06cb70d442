use std::mem::size_of;

use http::Method;

use super::*;

const NOW: i64 = 1_800_000_000;
const REQUEST: &str = "01a22abc-631e-7f05-9f91-03d52c0791d5";

fn caller(number: u32) -> [String; 1] {
    [number.to_string()]
}

fn of_rule(all: &AllEvidence) -> Arc<Evidence> {
    all.of("a rule".to_owned()).of(&Method::GET, "/notes/{id}").unwrap()
}

fn verdict(evidence: &Evidence) -> Verdict {
    evidence.counted(String::new(), true).verdict
}

/// Six answers to each of these callers.
fn own(evidence: &Evidence, callers: impl Iterator<Item = u32>, now: i64) -> Option<News> {
    let answers = callers.flat_map(|number| [number; 6]);
    let news: Vec<_> = answers.filter_map(|number| evidence.note_own(&caller(number), now, true)).collect();
    news.first().copied()
}

#[test]
fn one_caller_alone_moves_nothing() {
    let evidence = of_rule(&AllEvidence::default());
    for number in 0..1_000 {
        evidence.note_own(&caller(1), NOW, true);
        evidence.note_foreign(&caller(1), NOW, &format!("request {number}"));
        evidence.note_unclear(&caller(1), NOW, "the owner is null");
    }
    assert_eq!(verdict(&evidence), Verdict::Unknown, "it asks for everything, its own objects too");
    for number in 2..=5 {
        evidence.note_own(&caller(number), NOW, true);
    }
    assert_eq!(verdict(&evidence), Verdict::Unknown, "of its answers six count, of 30 that are needed");
    own(&evidence, 2..6, NOW);
    assert_eq!(verdict(&evidence), Verdict::Confirmed);
    let counted = evidence.counted(String::new(), true);
    assert_eq!((counted.own, counted.callers), (1_028, 5));
    assert_eq!((counted.foreign, counted.foreign_callers), (1_000, 1));
    assert_eq!((counted.unclear, counted.unclear_callers), (1_000, 1));
    assert_eq!(counted.foreign_requests, (990..1_000).map(|n| format!("request {n}")).collect::<Vec<_>>());
    assert_eq!(evidence.note_foreign(&caller(2), NOW, "another"), Some(News::Contradicted));
    assert_eq!(evidence.note_foreign(&caller(3), NOW, "another"), None, "that is not news");
    assert_eq!(verdict(&evidence), Verdict::Contradicted);
}

#[test]
fn what_a_rule_would_refuse_for_several_callers_keeps_it_from_being_confirmed() {
    let all = AllEvidence::default();
    for (name, first, second, expected) in [
        ("unclear", 1, 2, Verdict::Unclear),
        ("unclear, of one", 1, 1, Verdict::Confirmed),
        ("foreign and unclear", 0, 2, Verdict::Unclear),
        ("foreign and unclear, of one", 0, 1, Verdict::Confirmed),
    ] {
        let evidence = all.of(name.to_owned()).of(&Method::GET, "/").unwrap();
        own(&evidence, 11..16, NOW);
        if first == 0 {
            evidence.note_foreign(&caller(1), NOW, REQUEST);
        } else {
            evidence.note_unclear(&caller(first), NOW, "the owner is null");
        }
        evidence.note_unclear(&caller(second), NOW, "the owner is null");
        assert_eq!(verdict(&evidence), expected, "{name}");
        assert_eq!(own(&evidence, 11..16, NOW + WATCHED).is_some(), expected == Verdict::Confirmed);
    }
}

#[test]
fn accounts_of_an_attacker_enforce_nothing_before_others_could_contradict_it() {
    let all = AllEvidence::default();
    let evidence = of_rule(&all);
    // Five accounts, or a hundred: it takes a day.
    assert_eq!(own(&evidence, 1..101, NOW), None);
    assert_eq!(own(&evidence, 1..101, NOW + WATCHED - 1), None);
    assert!(!evidence.is_enforced());
    let counted = evidence.counted(String::new(), true);
    assert_eq!(counted.enforced_from, Timestamp::from_second(NOW + WATCHED).ok());
    // Meanwhile others share objects.
    evidence.note_foreign(&caller(1_001), NOW + 3_600, REQUEST);
    evidence.note_foreign(&caller(1_002), NOW + 3_600, REQUEST);
    assert_eq!(own(&evidence, 1..101, NOW + 2 * WATCHED), None);
    assert!(!evidence.is_enforced());
    // If none does, it is enforced, once; by a rule that is not so by itself, never.
    let other = all.of("another".to_owned()).of(&Method::GET, "/notes/{id}").unwrap();
    own(&other, 1..6, NOW);
    assert_eq!(other.note_own(&caller(1), NOW + WATCHED, false), None);
    assert_eq!(other.note_own(&caller(1), NOW + WATCHED, true), Some(News::Enforced));
    assert_eq!(other.note_own(&caller(1), NOW + WATCHED, true), None);
    assert!(other.is_enforced() && other.counted(String::new(), true).enforced);
}

#[test]
fn each_operation_is_known_by_itself() {
    let rule = AllEvidence::default().of("a rule".to_owned());
    let of = |method: Method, path: &str| rule.of(&method, path).unwrap();
    own(&of(Method::GET, "/notes/{id}"), 1..6, NOW);
    assert_eq!(verdict(&of(Method::GET, "/notes/{id}")), Verdict::Confirmed);
    for (method, path) in [(Method::DELETE, "/notes/{id}"), (Method::GET, "/other-notes/{id}")] {
        assert_eq!(verdict(&of(method, path)), Verdict::Unknown);
    }
    let counted = rule.counted();
    assert_eq!(counted.iter().map(|one| &*one.operation).collect::<Vec<_>>(), ["GET /notes/{id}"]);
}

#[test]
fn what_is_kept_comes_back_and_callers_are_known_again() {
    let (before, after, other) = (AllEvidence::default(), AllEvidence::default(), AllEvidence::default());
    for (all, key) in [(&before, "a key"), (&after, "a key"), (&other, "another")] {
        all.set_key(key);
    }
    assert_eq!((before.check() == after.check(), before.check() == other.check()), (true, false));
    let evidence = of_rule(&before);
    own(&evidence, 1..5, NOW);
    evidence.note_foreign(&caller(1), NOW, REQUEST);
    evidence.note_unclear(&caller(1), NOW + 3_600, "the owner is null");
    let kept = before.kept();
    let text = serde_json::to_string(&kept).unwrap();
    let read = || serde_json::from_str::<Vec<KeptEvidence>>(&text).unwrap();
    for one in read() {
        after.restore(one, NOW);
    }
    assert_eq!(after.kept(), kept);
    let evidence = of_rule(&after);
    assert_eq!(evidence.counted(String::new(), true), of_rule(&before).counted(String::new(), true));
    // Days later: while nothing ran, nothing could contradict it. An hour of the day is over.
    let later = NOW + 7 * WATCHED;
    own(&evidence, 1..5, later);
    assert_eq!(verdict(&evidence), Verdict::Unknown, "they are the same callers");
    evidence.note_foreign(&caller(1), later, REQUEST);
    assert_eq!(verdict(&evidence), Verdict::Unknown);
    assert_eq!(own(&evidence, 5..6, later + WATCHED - 3_601), None);
    let from = evidence.counted(String::new(), true).enforced_from;
    assert_eq!(from, Timestamp::from_second(later + WATCHED - 3_600).ok());
    assert_eq!(own(&evidence, 5..6, later + WATCHED - 3_600), Some(News::Enforced));
    // It stays enforced.
    let next = AllEvidence::default();
    for one in after.kept() {
        next.restore(one, NOW);
    }
    assert!(of_rule(&next).is_enforced());
    // A rule that says something else knows nothing of it, and what is old is forgotten.
    assert!(next.of("another rule".to_owned()).counted().is_empty());
    for one in read() {
        other.restore(one, NOW + 91 * 86_400);
    }
    assert!(other.kept().is_empty());
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let all = AllEvidence::default();
    let evidence = of_rule(&all);
    for number in 0..100_000 {
        evidence.note_own(&caller(number % 1_000), NOW, true);
        evidence.note_foreign(&caller(number % 1_000), NOW, REQUEST);
        evidence.note_unclear(&caller(number % 1_000), NOW, "the owner is null");
    }
    let seen = evidence.lock();
    assert_eq!(
        (seen.own.len(), seen.foreign_callers.len(), seen.unclear_callers.len(), seen.named.len()),
        (MOST_CALLERS, MOST_CALLERS, MOST_CALLERS, MOST_NAMED)
    );
    let bytes = seen.own.capacity() * size_of::<(u64, u8)>()
        + (seen.foreign_callers.capacity() + seen.unclear_callers.capacity()) * size_of::<u64>()
        + seen.named.capacity() * (size_of::<Box<str>>() + REQUEST.len())
        + size_of::<Evidence>();
    drop(seen);
    assert!(bytes <= 3 << 10, "{bytes} bytes");
    assert_eq!(evidence.counted(String::new(), true).foreign, 100_000);

    // Rules and operations are bounded, too; those of rules that are gone make room.
    let rule = all.of("many".to_owned());
    let known = (0..2_000).filter(|number| rule.of(&Method::GET, &format!("/{number}")).is_some()).count();
    assert_eq!(known, all::MOST - 1);
    drop((rule, evidence));
    assert!(all.of("new".to_owned()).of(&Method::GET, "/").is_some());
}
