//! Conditions about where and when a request comes.

use std::{fs, path::Path};

use jiff::{Timestamp, ToSpan, Unit, tz::TimeZone};

use crate::{
    kit::{Client, Gateway, Setup, clock::Clock, command::Typed, eventually},
    throttle::get,
};

#[path = "../../../mantlet-controls/src/authorization/mmdb_tests.rs"]
mod mmdb;

/// A gate that believes what this machine says of addresses.
fn gate(rules: &str) -> Gateway {
    Setup::run("logins:app").config(&format!("[client]\ntrusted = [\"loopback\"]\n{rules}")).start()
}

/// Who gets in, from these addresses.
fn statuses<const N: usize>(gateway: &Gateway, addresses: [&str; N]) -> [u16; N] {
    let mut client = Client::connect(gateway.addr());
    addresses.map(|address| get(&mut client, "/items/1", &format!("X-Forwarded-For: {address}\r\n")).status)
}

/// Replaces a file as a whole.
fn replace(file: &Path, content: impl AsRef<[u8]>) {
    let new = file.with_extension("new");
    fs::write(&new, content).expect("a file");
    fs::rename(new, file).expect("a file");
}

const OFFICE: &str = "[[authorization.allow]]\npaths = [\"/items/{item_id}\"]\nwho = [\"network:@office\"]\n\
                      [[authorization.network]]\nname = \"office\"\nranges = [\"192.0.2.1\"]\n";

#[test]
fn a_list_of_networks_is_followed_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("office.txt");
    fs::write(&file, "# Berlin\n203.0.113.0/24\n").expect("a file");
    let gateway = gate(&format!("{OFFICE}file = {:?}\n", file.display().to_string()));
    let addresses = ["203.0.113.7", "192.0.2.1", "198.51.100.7", "2001:db8::1"];
    assert_eq!(statuses(&gateway, addresses), [200, 200, 401, 401]);

    replace(&file, "198.51.100.0/24\n2001:db8::/32\n");
    gateway.wait_for("(authorization.network[0].file) was read again: 3 ranges", 1);
    assert_eq!(statuses(&gateway, addresses), [401, 200, 200, 200]);

    // Written in place, and wrong.
    fs::write(&file, "203.0.113.0/24\n203.0.113.0/240\n").expect("a file");
    gateway
        .wait_for("line 2: `203.0.113.0/240` is not a network or an address; what was read before stays", 1);
    assert_eq!(statuses(&gateway, addresses), [401, 200, 200, 200]);
    fs::remove_file(&file).expect("a file");
    gateway.wait_for("cannot be read", 1);
    assert_eq!(statuses(&gateway, addresses), [401, 200, 200, 200]);

    // As a provider publishes it.
    replace(&file, r#"{"prefixes": [{"ip_prefix": "203.0.113.0/24", "region": "x", "service": "Y"}]}"#);
    gateway.wait_for("was read again: 2 ranges", 1);
    assert_eq!(statuses(&gateway, addresses), [200, 200, 401, 401]);

    // Another configuration follows its own files.
    let other = folder.path().join("other.txt");
    fs::write(&other, "2001:db8::/32").expect("a file");
    gateway.reload(&format!(
        "[client]\ntrusted = [\"loopback\"]\n{OFFICE}file = {:?}\n",
        other.display().to_string()
    ));
    gateway.wait_for("configuration reloaded", 1);
    assert_eq!(statuses(&gateway, addresses), [401, 200, 401, 200]);
    replace(&other, "203.0.113.7");
    eventually("the other file is read", || {
        (statuses(&gateway, addresses) == [200, 200, 401, 401]).then_some(())
    });
}

#[test]
fn a_broken_list_is_a_mistake_at_the_start_and_at_a_reload() {
    let broken = format!("{OFFICE}file = \"office.txt\"\n");
    let said = Typed::mantlet(["config", "check"]).file("mantlet.toml", &broken).finish();
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    let expected = "mantlet.toml:7: authorization.network[0].file: `office.txt` cannot be read";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
    let said = Typed::mantlet(["config", "check"])
        .file("mantlet.toml", &broken)
        .file("office.txt", "10.0.0.0/8\n\noffice\n")
        .finish();
    let expected =
        "mantlet.toml:7: authorization.network[0].file: `office.txt` line 3: `office` is not a network";
    assert!(said.stderr.contains(expected), "{}", said.stderr);

    let gateway = gate(OFFICE);
    assert_eq!(statuses(&gateway, ["192.0.2.1", "192.0.2.2"]), [200, 401]);
    gateway.reload(&OFFICE.replace("@office", "@ofice"));
    gateway.wait_for("`network:@ofice`: there is no list of networks with the name `ofice`", 1);
    assert_eq!(statuses(&gateway, ["192.0.2.1", "192.0.2.2"]), [200, 401]);
}

#[test]
fn a_country_is_looked_up_and_its_database_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("countries.mmdb");
    fs::write(&file, mmdb::database("Test", &[("203.0.113.0/24", "DE"), ("2001:db8::/32", "AT")]))
        .expect("a file");
    let rules = format!(
        "[authorization]\ncountry-database = {:?}\n\
         [[authorization.allow]]\npaths = [\"/items/{{item_id}}\"]\nwho = [\"country in [DE, AT]\", \"network:private\"]\n\
         [[authorization.deny]]\npaths = [\"/attempts\"]\nunless = [\"not country:DE\"]\n",
        file.display().to_string()
    );
    let gateway = gate(&rules);
    let addresses = ["203.0.113.7", "2001:db8::7", "198.51.100.7", "10.0.0.7"];
    assert_eq!(statuses(&gateway, addresses), [200, 200, 401, 200]);
    // What the database does not know is in no country: `not` reverses that.
    let mut client = Client::connect(gateway.addr());
    let seen = ["203.0.113.7", "198.51.100.7", "10.0.0.7"]
        .map(|address| get(&mut client, "/attempts", &format!("X-Forwarded-For: {address}\r\n")).status);
    assert_eq!(seen, [401, 200, 200]);

    replace(&file, mmdb::database("Test", &[("198.51.100.0/24", "DE"), ("203.0.113.0/24", "FR")]));
    gateway.wait_for("(authorization.country-database) was read again: Test of 2025-11-30", 1);
    assert_eq!(statuses(&gateway, addresses), [401, 401, 200, 200]);
    replace(&file, "<html>not found</html>");
    gateway.wait_for("is not a database of countries (`.mmdb`) that can be read", 1);
    gateway.wait_for("what was read before stays in force", 1);
    assert_eq!(statuses(&gateway, addresses), [401, 401, 200, 200]);

    let said = Typed::mantlet(["config", "check"])
        .file("mantlet.toml", "[authorization]\ncountry-database = \"a.mmdb\"\n")
        .file("a.mmdb", "x")
        .finish();
    let expected = "mantlet.toml:2: authorization.country-database: `a.mmdb` is not a database of countries";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
    let rule = "[[authorization.deny]]\nwho = [\"country:DE\"]\n";
    let said = Typed::mantlet(["config", "check"]).file("mantlet.toml", rule).finish();
    let expected = "mantlet.toml:2: authorization.deny[0].who[0]: `country:DE` needs a database of countries";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
}

/// The clock of the gate is set; the hours are those of Berlin.
#[test]
fn hours_are_those_of_the_gates_clock_and_of_a_place() {
    let clock = Clock::new();
    let config = "[[authorization.allow]]\npaths = [\"/items/{item_id}\"]\n\
                  who = [\"time:Mon-Fri 08:00-18:00 Europe/Berlin\", \"time:Fri 22:00-06:00 Europe/Berlin\"]\n";
    let gateway = Setup::run("logins:app").config(config).variables(clock.variables()).start();
    let berlin = TimeZone::get("Europe/Berlin").expect("the zone");
    let mut client = Client::connect(gateway.addr());
    // Days after the next Monday at midnight, hours of that day.
    for (day, hour, expected) in [
        (0, 12, 200),
        (0, 3, 401),
        (4, 17, 200),
        (4, 19, 401),
        (4, 23, 200),
        (5, 5, 200),
        (5, 7, 401),
        (5, 12, 401),
        (6, 23, 401),
        (7, 8, 200),
    ] {
        let now = Timestamp::now();
        let today = berlin.to_datetime(now).date();
        let monday = today.nth_weekday(1, jiff::civil::Weekday::Monday).expect("a Monday");
        let wanted = monday.checked_add(day.days()).expect("a day").at(hour, 30, 0, 0);
        let wanted = berlin.to_timestamp(wanted).expect("a time");
        let away = wanted.since((Unit::Second, now)).expect("a span").get_seconds();
        clock.set(away);
        assert_eq!(get(&mut client, "/items/1", "").status, expected, "{day} {hour}");
    }

    let rule = "[[authorization.deny]]\nwho = [\"time:Mon-Fri 8-18 CET\"]\n";
    let said = Typed::mantlet(["config", "check"]).file("mantlet.toml", rule).finish();
    let expected =
        "mantlet.toml:2: authorization.deny[0].who[0]: `time:Mon-Fri 8-18 CET`: `8-18` are not hours";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
}
