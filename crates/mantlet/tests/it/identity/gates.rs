//! Several gates with one Redis in front of the same app: what is ended at one is ended at all.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;

use super::{
    Home, Running,
    step::{Step, next_second, post},
    tabs::STALL,
    token,
    tutorial::GROWN,
    users::USERS,
};
use crate::kit::{PATIENCE, Setup, clock::Clock, eventually, redis::Redis};

const ENFORCED: &str = "authentication.sessions = \"enforce\"\n";
/// Tests log in more often than clients may.
const RATE: &str = "[throttle]\nmode = \"off\"\n";

fn start(redis: &Redis) -> Running {
    Running::start(&GROWN, &format!("{ENFORCED}{RATE}{}", redis.config()))
}

fn status(gate: &Running, token: &str) -> u16 {
    gate.guarded(token).status
}

/// Waits until it is not accepted any more.
fn wait_for_end(gate: &Running, token: &str) {
    eventually("it is refused", || (status(gate, token) == 401).then_some(()));
}

fn log_out(gate: &Running, token: &str) {
    let step: Step = post("/logout").bearer(token).is(200, "Logged out");
    gate.driver().take(&step);
}

/// The login of a second in which there was none: tokens of one second are one text.
fn login(gate: &Running) -> String {
    gate.driver().take(&next_second());
    gate.login()
}

fn revoke(gate: &Running, arguments: &[&str]) {
    let said = gate.gateway.tell(&[&["sessions", "revoke"], arguments].concat());
    assert_eq!(said.code, Some(0), "{} {}", said.stdout, said.stderr);
}

/// A second is what is promised. One round may meet a machine that is busy; most do not.
#[test]
fn what_is_ended_at_one_gate_is_refused_at_two_others_within_a_second() {
    const ROUNDS: usize = 5;
    let redis = Redis::start();
    let gates = [(); 3].map(|()| start(&redis));
    for by_operator in [false, true] {
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            let [own, others @ ..] = [0, 1, 2].map(|number| &gates[(round + number) % 3]);
            let token = login(own);
            for gate in &gates {
                assert_eq!(status(gate, &token), 200);
            }
            if by_operator {
                revoke(own, &["--account", "johndoe"]);
            } else {
                log_out(own, &token);
            }
            let told = Instant::now();
            for gate in others {
                wait_for_end(gate, &token);
            }
            times.push(told.elapsed());
            assert_eq!(status(own, &token), 401);
        }
        times.sort_unstable();
        println!("by an operator: {by_operator}; refused everywhere after {times:?}");
        assert!(times[ROUNDS / 2] < Duration::from_secs(1), "{times:?}");
    }
}

/// What a gate knows holds, in both directions. What only others know goes to the app, until Redis is back.
#[test]
fn without_redis_each_gate_goes_by_what_it_knows() {
    let mut redis = Redis::start();
    let gates = [(); 2].map(|()| start(&redis));
    let [ended, at_both, at_first] = [(); 3].map(|()| login(&gates[0]));
    for gate in &gates {
        assert_eq!([&ended, &at_both].map(|token| status(gate, token)), [200, 200]);
    }
    log_out(&gates[0], &ended);
    wait_for_end(&gates[1], &ended);
    redis.go();

    // Sessions go on, and ends stay ends.
    for gate in &gates {
        assert_eq!([&ended, &at_both].map(|token| status(gate, token)), [401, 200]);
    }
    assert_eq!(status(&gates[0], &at_first), 200);
    // Logins and logouts work where they are made.
    let later = login(&gates[0]);
    for token in [&at_both, &at_first, &later] {
        assert_eq!(status(&gates[0], token), 200);
        log_out(&gates[0], token);
        assert_eq!(status(&gates[0], token), 401);
    }
    // The other gate was not told, and asks in vain about what it does not know: the app decides.
    assert_eq!([&at_both, &at_first, &later].map(|token| status(&gates[1], token)), [200; 3]);

    redis.come();
    for token in [&at_both, &at_first, &later] {
        wait_for_end(&gates[1], token);
    }
    assert_eq!([&ended, &later].map(|token| status(&gates[0], token)), [401, 401]);
    // What a client has done while Redis was away is in no way of what comes.
    let next = login(&gates[1]);
    for gate in &gates {
        assert_eq!(status(gate, &next), 200);
    }
}

/// A good token that the app was not seen to hand out is refused if the operator wants that. But not if another gate may
/// have seen it, and cannot be asked.
#[test]
fn without_redis_a_token_of_another_gate_is_not_taken_for_a_made_one() {
    let (mut redis, clock) = (Redis::start(), Clock::new());
    let config = format!("authentication.unknown = \"enforce\"\n{RATE}{}", redis.config());
    let [first, second] = [(); 2].map(|()| {
        let set_up = |setup: Setup| setup.config(&config).variables(clock.variables());
        Running::start_in(Home::of(&STALL), &STALL, set_up)
    });
    // Both gates learn by now, and have for a while when these tokens are made.
    for gate in [&first, &second] {
        assert_eq!(status(gate, &gate.login()), 200);
    }
    clock.set(120);
    let [own, other] = [&first, &second].map(login);
    let made = token::with(&own, &json!({"jti": "7"}), STALL.key);
    clock.set(240);
    assert_eq!([&own, &made].map(|token| status(&first, token)), [200, 401]);
    assert_eq!([&own, &made].map(|token| status(&second, token)), [200, 401]);
    redis.go();
    assert_eq!(status(&first, &own), 200);
    assert_eq!(status(&first, &other), 200, "the other gate may have seen it");
    redis.come();
    // It has forgotten everything, and the gates tell it again.
    eventually("it can be asked again", || (status(&first, &made) == 401).then_some(()));
    eventually("it is told again", || (status(&first, &other) == 200).then_some(()));
    let records = first.gateway.end().audit;
    let refused = records.iter().filter(|record| record["action"] == "refuse");
    assert!(refused.clone().all(|record| record["reason"] == "token-unknown"), "{records:#?}");
    assert!(refused.count() > 0);
}

/// Logs out at a gate that may be killed at any moment; whether it has said so.
fn has_logged_out(address: SocketAddr, token: &str) -> bool {
    let request = format!(
        "POST /auth/jwt/logout HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    let mut line = [0; 13];
    let answered = TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        stream.read_exact(&mut line)
    });
    assert!(answered.is_err() || &line == b"HTTP/1.1 204 ", "{}", String::from_utf8_lossy(&line));
    answered.is_ok()
}

/// Clients log out while the gate is killed. The app would take all of their tokens.
#[test]
fn a_gate_that_is_killed_has_lost_no_logout_that_it_has_answered() {
    const CLIENTS: usize = 24;
    let state = tempfile::tempdir().expect("a folder");
    let set_up = |setup: Setup| setup.config(&format!("{ENFORCED}{RATE}")).state(state.path());
    let running = Running::start_in(Home::of(&USERS), &USERS, set_up);
    let tokens: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (name, password) = (format!("client-{number}@example.com"), "drawbridge");
            let account = format!(r#"{{"email": "{name}", "password": "{password}"}}"#);
            let mut driver = running.driver();
            driver.take(&post("/auth/register").json(&account).is(201, ""));
            let form = format!("username={name}&password={password}");
            driver.take(&post("/auth/jwt/login").form(&form).is(200, "").keep("token", "/access_token"));
            driver.values.remove("token").expect("a token")
        })
        .collect();
    assert!(tokens.iter().all(|token| status(&running, token) == 200));

    let answered = AtomicUsize::new(0);
    let address = running.addr();
    let are_out: Vec<bool> = thread::scope(|scope| {
        let clients: Vec<_> = tokens
            .chunks(CLIENTS / 4)
            .map(|tokens| {
                let answered = &answered;
                scope.spawn(move || {
                    let out = tokens.iter().map(|token| {
                        let is_out = has_logged_out(address, token);
                        answered.fetch_add(usize::from(is_out), Relaxed);
                        is_out
                    });
                    out.collect::<Vec<_>>()
                })
            })
            .collect();
        eventually("some are out", || (answered.load(Relaxed) >= CLIENTS / 4).then_some(()));
        running.gateway.signal(Signal::KILL);
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    });
    let Running { gateway, home, .. } = running;
    gateway.wait();

    let running = Running::start_in(home, &USERS, set_up);
    let count = are_out.iter().filter(|is_out| **is_out).count();
    println!("{count} of {CLIENTS} were out when the gate was killed");
    let seen: Vec<_> = tokens.iter().map(|token| status(&running, token)).collect();
    for (is_out, status) in are_out.iter().zip(&seen) {
        assert!(!is_out || *status == 401, "{are_out:?} {seen:?}");
    }
    // Others go on, but perhaps those whose answer was on the way.
    assert!(seen.iter().filter(|status| **status == 401).count() <= count + 4, "{are_out:?} {seen:?}");
}
