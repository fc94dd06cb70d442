use std::net::Ipv4Addr;

use super::*;
use crate::{Context, Section};

fn bans(config: Config, keys: usize) -> Bans {
    let throttle = super::super::Config { ban: config, keys, ..super::super::Config::default() };
    throttle.check(&Context::default()).unwrap().bans.unwrap()
}

fn enforced(after: &str, duration: Duration) -> Config {
    Config { mode: Mode::Enforce, after: after.parse().unwrap(), duration: Span(duration) }
}

fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(number).into()
}

fn why() -> String {
    "404 of the app".into()
}

#[test]
fn as_many_refusals_as_the_configuration_says_and_nobody_else() {
    let bans = bans(enforced("3/10m", Duration::from_hours(1)), 1_024);
    let refused = [0; 5].map(|_| bans.refused(v4(1), why).is_some());
    assert_eq!(refused, [false, false, true, false, false]);
    assert!(bans.left(v4(1)).is_some() && bans.left(v4(2)).is_none());
    assert_eq!(bans.lift("nobody"), Lift::NoAddress);
    assert_eq!(bans.lift("0.0.0.2"), Lift::NotBanned);
    assert_eq!(bans.lift("0.0.0.1"), Lift::Lifted("0.0.0.1".into()));
    assert_eq!(bans.left(v4(1)), None);
    // All begins anew.
    assert_eq!([0; 3].map(|_| bans.refused(v4(1), why).is_some()), [false, false, true]);
    assert_eq!(bans.lift_all(), ["0.0.0.1"]);
    assert_eq!((bans.left(v4(1)), bans.list()), (None, vec![]));
}

#[test]
fn each_further_ban_is_twice_as_long_until_a_day_has_passed() {
    let bans = bans(enforced("1/10m", Duration::from_hours(1)), 1_024);
    let (key, hour, mut now) = (group(v4(1), 64), millis(Duration::from_hours(1)), 1);
    let mut hours = Vec::new();
    for _ in 0..7 {
        let span = bans.begin(key, v4(1), now, why).unwrap();
        assert_eq!(bans.begin(key, v4(1), now + millis(span) - 1, why), None, "while it lasts");
        hours.push(span.as_secs() / 3_600);
        now += millis(span) + hour;
    }
    assert_eq!(hours, [1, 2, 4, 8, 16, 24, 24]);
    let later = now + millis(REPEATED);
    assert_eq!(bans.begin(key, v4(1), later, why), Some(Duration::from_hours(1)));
    // A configured ban that is longer than the longest doubled one keeps its length.
    let longer = super::tests::bans(enforced("1/10m", Duration::from_hours(48)), 1_024);
    assert_eq!(longer.duration_of(5), Duration::from_hours(48));
}

#[test]
fn of_refusals_at_once_one_begins_the_ban() {
    let bans = bans(enforced("10/10m", Duration::from_hours(1)), 1_024);
    let begun: usize = std::thread::scope(|scope| {
        let threads =
            [(); 4].map(|()| scope.spawn(|| (0..10).filter(|_| bans.refused(v4(1), why).is_some()).count()));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((begun, bans.list()[0].count), (1, 1));
}

#[test]
fn a_sweep_of_addresses_frees_nobody() {
    let bans = bans(enforced("3/10m", Duration::from_hours(1)), 4_096);
    let (banned, nearly) = (v4(1), v4(2));
    while bans.refused(banned, why).is_none() {}
    for _ in 0..2 {
        assert_eq!(bans.refused(nearly, why), None);
    }
    for number in 1_000..1_001_000 {
        bans.refused(v4(number), why);
    }
    assert!(bans.left(banned).is_some());
    assert!(bans.refused(nearly, why).is_some());
    assert_eq!(bans.list().len(), 2);
}

#[test]
fn the_list_has_an_end_and_the_bans_have_not() {
    let bans = bans(enforced("1/10m", Duration::from_hours(1)), 1 << 17);
    for number in 0..5_000 {
        assert!(bans.refused(v4(number), why).is_some());
    }
    assert_eq!(bans.list().len(), MOST_LISTED);
    assert!((0..5_000).all(|number| bans.left(v4(number)).is_some()));
    assert!(matches!(bans.lift("0.0.0.0"), Lift::Lifted(_)), "one that is not listed any more");
}

#[test]
fn nobody_is_banned_where_the_section_only_reports_or_sleeps() {
    for (section, ban, report_only, expected) in [
        (Mode::Enforce, Mode::Enforce, false, Some(Mode::Enforce)),
        (Mode::Enforce, Mode::Enforce, true, Some(Mode::Report)),
        (Mode::Report, Mode::Enforce, false, Some(Mode::Report)),
        (Mode::Enforce, Mode::Report, false, Some(Mode::Report)),
        (Mode::Off, Mode::Enforce, false, None),
        (Mode::Enforce, Mode::Off, false, None),
    ] {
        let ban = Config { mode: ban, ..Config::default() };
        let throttle = super::super::Config { mode: section, ban, ..super::super::Config::default() };
        let policy = throttle.check(&Context { report_only, ..Context::default() }).unwrap();
        assert_eq!(policy.bans().map(Bans::mode), expected);
    }
}

#[test]
fn mistakes() {
    let throttle =
        super::super::Config { ban: enforced("0/10m", Duration::ZERO), ..super::super::Config::default() };
    let mistakes = throttle.check(&Context::default()).unwrap_err();
    let keys: Vec<_> = mistakes.into_iter().map(|mistake| mistake.key).collect();
    assert_eq!(keys, ["ban.after", "ban.for"]);
}
