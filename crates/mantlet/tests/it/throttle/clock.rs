//! Row 78: clocks that jump by an hour.

use super::{from, get, log_in};
use crate::kit::{Answer, Client, Gateway, Setup, clock::Clock, eventually, redis::Redis};

const HOUR: i64 = 3_600;

fn retry_after(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 429, "{answer:?}");
    answer.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds")
}

#[test]
fn row_78_a_jump_of_the_gates_clock_frees_nobody_and_locks_nobody_out() {
    let clock = Clock::new();
    let config = "[throttle]\nrate = \"3/h\"\nburst = 3\n";
    let gateway = Setup::run("logins:app").config(config).variables(clock.variables()).start();
    let mut client = Client::connect(gateway.addr());
    let statuses = [(); 4].map(|()| get(&mut client, "/items/1", "").status);
    assert_eq!(statuses, [200, 200, 200, 429]);
    for (number, jump) in (1..).zip([HOUR, -HOUR]) {
        clock.set(jump);
        // Its records show that it goes by the new time: this refusal is none of the throttle's.
        let refused = from(&format!("127.0.2.{number}"), gateway.addr()).get("/a/../b");
        let record = gateway.audit_of(refused.request_id());
        let time: jiff::Timestamp =
            record["time"].as_str().and_then(|time| time.parse().ok()).expect("a time");
        let away = time.duration_since(jiff::Timestamp::now()).as_secs();
        assert!((away - jump).abs() < 600, "{away} s away");
        let wait = retry_after(&get(&mut client, "/items/1", ""));
        assert!((600..=1_200).contains(&wait), "{wait}");
        let mut fresh = from(&format!("127.0.1.{number}"), gateway.addr());
        let statuses = [(); 4].map(|()| get(&mut fresh, "/items/1", "").status);
        assert_eq!(statuses, [200, 200, 200, 429]);
    }
}

fn gate(redis: &Redis, throttle: &str) -> Gateway {
    let throttle = format!("{}[throttle]\nrate = \"100000/s\"\nburst = 100000\n{throttle}", redis.config());
    Setup::run("logins:app").config(&throttle).start()
}

#[test]
fn row_78_redis_set_back_keeps_nobody_out_for_longer_than_the_burst_takes() {
    let clock = Clock::new();
    let redis = Redis::start_with(clock.variables());
    let gateway = gate(
        &redis,
        "[[throttle.rule]]\nname = \"quick\"\npaths = [\"/items/{id}\"]\nrate = \"1/s\"\nburst = 3\n\
         [[throttle.operation]]\npaths = [\"/token\"]\nby-address = \"1000/1m\"\nby-account = \"1000/1m\"\n",
    );
    let mut client = Client::connect(gateway.addr());
    eventually("it is used up", || (get(&mut client, "/items/1", "").status == 429).then_some(()));
    // The fourth failure makes the next one wait.
    eventually("alice has to wait", || (log_in(&mut client, "alice", "wrong") == 429).then_some(()));
    clock.set(-HOUR);
    let wait = retry_after(&get(&mut client, "/items/1", ""));
    assert!(wait <= 3, "{wait} s for a burst that takes three");
    eventually("it is free again", || (get(&mut client, "/items/1", "").status == 200).then_some(()));
    eventually("alice is free again", || (log_in(&mut client, "alice", "right") == 200).then_some(()));
}

#[test]
fn row_78_redis_set_forward_frees_one_burst() {
    let clock = Clock::new();
    let redis = Redis::start_with(clock.variables());
    let gateway = gate(
        &redis,
        "[[throttle.rule]]\nname = \"slow\"\npaths = [\"/items/{id}\"]\nrate = \"10/h\"\nburst = 3\n",
    );
    let mut client = Client::connect(gateway.addr());
    let mut admitted = || {
        let statuses = [(); 10].map(|()| get(&mut client, "/items/1", "").status);
        assert!(statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
        statuses.iter().filter(|status| **status == 200).count()
    };
    // A gate that does not wait for its store counts here: one burst more at most, and only once.
    assert!((3..=6).contains(&admitted()));
    clock.set(HOUR);
    assert_eq!(admitted(), 3);
    clock.set(100 * HOUR);
    assert_eq!(admitted(), 3);
    clock.set(0);
    assert_eq!(admitted(), 0);
}
