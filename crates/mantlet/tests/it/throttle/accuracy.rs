//! As many pass as a rule says: 100 a second and 20 at once, asked twice as fast for ten seconds.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use super::get;
use crate::kit::{Client, Gateway, Setup, redis::Redis};

const RATE: f64 = 100.0;
const BURST: f64 = 20.0;
const SPAN: Duration = Duration::from_secs(10);
const RULE: &str = "[throttle]\nrate = \"100000/s\"\nburst = 100000\ntarpit = \"0s\"\n\
    [[throttle.rule]]\nname = \"shared\"\npaths = [\"/items/{id}\"]\nrate = \"100/s\"\nburst = 20\n";

/// When a request was sent, when its answer was there, and whether it passed.
type Asked = (Instant, Instant, bool);

/// Asks so many times a second: what a pause of the machine keeps back follows at once.
fn ask(address: SocketAddr, start: Instant, a_second: u32) -> Vec<Asked> {
    let mut client = Client::connect(address);
    let mut asked = Vec::new();
    for number in 0.. {
        let due = start + Duration::from_secs(1) * number / a_second;
        if due >= start + SPAN {
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        let status = get(&mut client, "/items/1", "").status;
        assert!(matches!(status, 200 | 429), "{status}");
        asked.push((sent, Instant::now(), status == 200));
    }
    asked
}

/// How many an exact bucket lets pass of requests that come at these moments.
fn ideal(mut moments: Vec<Instant>) -> f64 {
    moments.sort_unstable();
    let (mut left, mut last, mut passed) = (BURST, moments[0], 0.0);
    for moment in moments {
        left = (left + RATE * (moment - last).as_secs_f64()).min(BURST);
        last = moment;
        if left >= 1.0 {
            left -= 1.0;
            passed += 1.0;
        }
    }
    passed
}

fn assert_exact(gates: &[Gateway], tolerance: f64) {
    let start = Instant::now();
    let a_second = 200 / u32::try_from(gates.len()).expect("a few");
    let asked: Vec<Asked> = thread::scope(|scope| {
        let clients: Vec<_> = gates
            .iter()
            .map(Gateway::addr)
            .map(|addr| scope.spawn(move || ask(addr, start, a_second)))
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect()
    });
    let elapsed = asked.iter().map(|(_, answered, _)| *answered).max().expect("some") - start;
    let admitted = asked.iter().filter(|(_, _, passed)| *passed).count();
    // A request was decided between its two moments.
    let sent = ideal(asked.iter().map(|(sent, _, _)| *sent).collect());
    let answered = ideal(asked.iter().map(|(_, answered, _)| *answered).collect());
    let in_all = BURST + RATE * elapsed.as_secs_f64();
    println!(
        "{admitted} of {} admitted in {elapsed:.2?}; ideal {in_all:.0}, by the moments of the requests {sent:.0} to {answered:.0}",
        asked.len()
    );
    let admitted = admitted.to_string().parse::<f64>().expect("a number");
    assert!(admitted <= in_all * (1.0 + tolerance), "{admitted} admitted, ideal {in_all}");
    assert!(
        admitted <= sent.max(answered) * (1.0 + tolerance),
        "{admitted} admitted, ideal {sent} to {answered}"
    );
    assert!(
        admitted >= sent.min(answered) * (1.0 - tolerance),
        "{admitted} admitted, ideal {sent} to {answered}"
    );
}

#[test]
fn a_gate_admits_as_many_as_its_rule_says() {
    let gate = Setup::run("logins:app").config(RULE).start();
    assert_exact(&[gate], 0.01);
}

#[test]
fn three_gates_with_one_redis_admit_as_many_together() {
    let redis = Redis::start();
    let config = format!("threads = 1\n{}{RULE}", redis.config());
    let gates = [(); 3].map(|()| Setup::run("logins:app").config(&config).start());
    // The first request of a thread makes its connection.
    for gate in &gates {
        assert_eq!(get(&mut Client::connect(gate.addr()), "/attempts", "").status, 200);
    }
    assert_exact(&gates, 0.02);
}
