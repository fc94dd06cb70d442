use http::Method;

use super::{
    circumstance::Known,
    countries::{Countries, Slot},
    hours::Hours,
    mmdb_tests::database,
    ranges::Fault,
    *,
};
use crate::{Context, Section, config::Content};

/// Networks of two countries, and one that is only registered in a country.
fn countries() -> Vec<u8> {
    database(
        "Test-Country",
        &[("203.0.113.0/24", "DE"), ("198.51.100.0/24", "[AT]"), ("2001:db8::/32", "AT")],
    )
}

#[test]
fn a_country_is_that_of_the_database() {
    let read = Countries::read(&Content::new(countries())).unwrap();
    assert_eq!(read.made(), "Test-Country of 2025-11-30");
    let code = |address: &str| read.of(address.parse().unwrap());
    assert_eq!(code("203.0.113.7"), super::countries::Country::read("DE"));
    assert_eq!(code("::ffff:203.0.113.7"), super::countries::Country::read("DE"));
    assert_eq!(code("2001:db8::7"), super::countries::Country::read("AT"));
    for address in ["198.51.100.7", "192.0.2.1", "10.0.0.1", "127.0.0.1", "::1", "2001:db9::"] {
        assert_eq!(code(address), None, "{address}");
    }
    let known = Known { countries: Some(Slot::new(Some(Arc::new(read)).into())), ..Known::default() };
    // From 203.0.113.1.
    let call = super::tests::call(Method::GET, "/", None);
    for (text, expected) in [
        ("country:DE", true),
        ("country:AT", false),
        ("country in [AT, DE]", true),
        ("country in [AT,CH]", false),
        ("not country in [AT, CH] and network:203.0.113.0/24", true),
    ] {
        assert_eq!(Condition::read(text, &known).unwrap().holds(&call, None), expected, "{text}");
    }
    for text in [
        "country:UK",
        "country:de",
        "country:",
        "country",
        "country in DE",
        "country in []",
        "country = DE",
        "country:DE,AT",
    ] {
        assert!(Condition::read(text, &known).is_err(), "{text}");
    }
    let why = Condition::read("country in [DE, UK]", &known).unwrap_err();
    assert_eq!(why.message, "`country in [DE, UK]`: `UK` is not the code of a country (ISO 3166-1)");
    let why = Condition::read("country:DE", &Known::default()).unwrap_err();
    assert_eq!(why.message, "`country:DE` needs a database of countries");
}

#[test]
fn a_database_that_is_damaged_or_of_another_kind_is_not_used() {
    let whole = countries();
    let mut damaged = whole.clone();
    // A pointer of the tree into nothing.
    damaged[..4].copy_from_slice(&[0xff; 4]);
    for (bytes, expected) in [
        (Vec::new(), "is not a database of countries"),
        (b"DE 203.0.113.0/24".to_vec(), "is not a database of countries"),
        (whole[..whole.len() - 40].to_vec(), "is not a database of countries"),
        (whole[100..].to_vec(), "is not a database of countries"),
        (damaged, "is not a database of countries"),
        (
            database("Test-ASN", &[("203.0.113.0/24", "[DE]")]),
            "has no `country.iso_code` in its records: it is a `Test-ASN`",
        ),
    ] {
        match Countries::read(&Content::new(bytes)) {
            Err(Fault::File(told)) => assert!(told.starts_with(expected), "{told}"),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let config = Config {
        deny: vec![RuleConfig { who: vec!["country:DE".into()], ..RuleConfig::default() }],
        country_database: "a.mmdb".into(),
        country_content: Some(Ok(Content::new(b"x".to_vec()))),
        ..Config::default()
    };
    let mistakes = config.check(&Context::default()).unwrap_err();
    let keys: Vec<_> = mistakes.iter().map(|mistake| &*mistake.key).collect();
    assert_eq!(keys, ["country-database"], "what names it is not wrong");
    for (content, expected) in
        [(None, "`a.mmdb` was not read"), (Some(Err("no".into())), "`a.mmdb` cannot be read: no")]
    {
        let config = Config { country_content: content, ..config.clone() };
        assert_eq!(config.check(&Context::default()).unwrap_err()[0].message, expected);
    }
    let config = Config { country_content: Some(Ok(Content::new(whole))), ..config };
    assert_eq!(config.check(&Context::default()).unwrap().files().len(), 1);
}

#[test]
fn hours_are_those_of_the_clocks_of_a_place() {
    for (text, time, expected) in [
        // Winter: an hour from UTC. Friday the 16th of January.
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-01-16T06:59:59Z", false),
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-01-16T07:00:00Z", true),
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-01-16T16:59:59Z", true),
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-01-16T17:00:00Z", false),
        // Summer: two. And a Saturday.
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-07-17T06:00:00Z", true),
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-07-18T06:00:00Z", false),
        // The day is that of the place.
        ("Sat 00:00-24:00 Asia/Tokyo", "2026-01-16T15:00:00Z", true),
        ("Sat 00:00-24:00 America/New_York", "2026-01-17T04:59:59Z", false),
        ("00:00-24:00 UTC", "2026-01-17T23:59:59Z", true),
        // Overnight: a night belongs to the day on which it begins.
        ("Fri 22:00-06:00 UTC", "2026-01-16T05:00:00Z", false),
        ("Fri 22:00-06:00 UTC", "2026-01-16T22:00:00Z", true),
        ("Fri 22:00-06:00 UTC", "2026-01-17T05:59:59Z", true),
        ("Fri 22:00-06:00 UTC", "2026-01-17T06:00:00Z", false),
        ("Fri 22:00-06:00 UTC", "2026-01-17T22:00:00Z", false),
        ("Sun 22:00-06:00 UTC", "2026-01-19T05:00:00Z", true),
        ("22:00-06:00 UTC", "2026-01-14T12:00:00Z", false),
        ("22:00-00:00 UTC", "2026-01-14T23:59:59Z", true),
        ("22:00-00:00 UTC", "2026-01-15T00:00:00Z", false),
        // Around the week, and lists.
        ("Fri-Mon 00:00-24:00 UTC", "2026-01-18T00:00:00Z", true),
        ("Fri-Mon 00:00-24:00 UTC", "2026-01-20T00:00:00Z", false),
        ("Mon,Wed-Thu 00:00-24:00 UTC", "2026-01-14T00:00:00Z", true),
        ("Mon,Wed-Thu 00:00-24:00 UTC", "2026-01-13T00:00:00Z", false),
        // The hour that is left out in spring, and the one that comes twice in autumn.
        ("Sun 02:00-03:00 Europe/Berlin", "2026-03-29T00:59:59Z", false),
        ("Sun 02:00-03:00 Europe/Berlin", "2026-03-29T01:00:00Z", false),
        ("Sun 01:30-03:30 Europe/Berlin", "2026-03-29T01:00:00Z", true),
        ("Sun 02:00-03:00 Europe/Berlin", "2026-10-25T00:00:00Z", true),
        ("Sun 02:00-03:00 Europe/Berlin", "2026-10-25T01:59:59Z", true),
        ("Sun 02:00-03:00 Europe/Berlin", "2026-10-25T02:00:00Z", false),
    ] {
        let hours = Hours::read(text).unwrap();
        assert_eq!(hours.has(time.parse().unwrap()), expected, "{text} at {time}");
    }
    for (text, expected) in [
        ("", "it does not have hours and a time zone"),
        ("Mon-Fri 08:00-18:00", "`Mon-Fri` are not hours"),
        ("08:00-18:00", "it does not have hours and a time zone"),
        ("Mo-Fr 08:00-18:00 UTC", "`Mo-Fr` are not days of the week"),
        ("Mon- 08:00-18:00 UTC", "`Mon-` are not days of the week"),
        ("Mon 8-18 UTC", "`8-18` are not hours"),
        ("Mon 08:00-25:00 UTC", "`08:00-25:00` are not hours"),
        ("Mon 08:60-09:00 UTC", "`08:60-09:00` are not hours"),
        ("Mon 24:00-01:00 UTC", "`24:00-01:00` are not hours"),
        ("Mon 08:00-08:00 UTC", "`08:00-08:00` are not hours"),
        (
            "Mon 08:00-18:00 Europe/Berlon",
            "`Europe/Berlon` is not a time zone, as the IANA database has them",
        ),
        ("Mon 08:00-18:00 UTC x", "it does not have hours and a time zone"),
    ] {
        let why = Hours::read(text).unwrap_err();
        assert_eq!(why.message, format!("`time:{text}`: {expected}"));
    }
    assert!(Condition::read("not time:Mon-Fri 08:00-18:00 UTC and anyone", &Known::default()).is_ok());
}
