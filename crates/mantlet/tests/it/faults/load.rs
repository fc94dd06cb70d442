//! Under load: the app is killed, the gate is ended.

use rustix::process::{Pid, Signal, kill_process};

use crate::kit::{
    App, Setup, eventually,
    http2::{connect, get, talk},
    load::{Load, MANNERS, Manner},
    processes::descendants,
};

/// A client of each manner, twice.
fn crowd() -> Vec<Manner> {
    MANNERS.repeat(2)
}

#[test]
fn the_app_is_killed_under_load() {
    let gateway = Setup::run("recorder:app").start();
    let load = Load::start(gateway.addr(), &crowd());
    for crashes in 1..=3 {
        load.wait_for(200);
        let app = descendants(gateway.pid())[0];
        kill_process(Pid::from_raw(app.cast_signed()).unwrap(), Signal::KILL).unwrap();
        eventually("the app is ready again", || {
            (gateway.stderr().matches("is ready behind").count() > crashes).then_some(())
        });
    }
    load.wait_for(200);
    let tally = load.stop();
    println!("{tally:?}");

    let expected = ["200", "502 app-closed", "503 app-unavailable"];
    assert!(tally.answers.keys().all(|kind| expected.contains(&kind.as_str())), "{tally:?}");
    assert!(tally.count("200") >= 200 && tally.count("503 app-unavailable") > 0, "{tally:?}");
    // Only an answer that the app had begun can break off, where the client sees it: one of each client's for each crash at most.
    let seen =
        |problem: &String| problem.ends_with("in the answer") || problem.ends_with("before the answer");
    assert!(tally.broken.iter().all(seen) && tally.broken.len() <= 6, "{tally:?}");
    assert_eq!(tally.turned_away, 0);
    assert_eq!(gateway.stderr().matches("crashed (signal: 9 (SIGKILL)); restarting it").count(), 3);

    let load = Load::start(gateway.addr(), &crowd());
    load.wait_for(100);
    let tally = load.stop();
    assert!(tally.broken.is_empty() && tally.answers.len() == 1 && tally.count("200") >= 100, "{tally:?}");
    assert_eq!(gateway.end().status.code(), Some(0));
}

/// A scheduler says SIGTERM, and sends clients here for a while yet: all of them are served.
#[test]
fn row_77_sigterm_under_load_fails_no_request() {
    let upstream = format!("unix:{}", App::shared().socket().display());
    for setup in [Setup::serve(&upstream), Setup::run("recorder:app")] {
        let gateway = setup.start();
        let load = Load::start(gateway.addr(), &crowd());
        load.wait_for(200);
        gateway.signal(Signal::TERM);
        load.wait_for(200);
        let tally = load.stop();
        assert!(tally.broken.is_empty() && tally.turned_away == 0, "{tally:?}");
        assert_eq!(tally.answers.len(), 1, "{tally:?}");
        assert!(tally.count("200") >= 400, "{tally:?}");
        assert_eq!(gateway.wait().status.code(), Some(0));
    }
}

/// Over HTTP/2 clients are told to go, and what they asked before they knew is answered.
#[test]
fn row_77_sigterm_fails_no_request_over_http_2() {
    let upstream = format!("unix:{}", App::shared().socket().display());
    let gateway = Setup::serve(&upstream).start();
    let (mut answered, mut connections) = (0, 0);
    talk(async {
        while answered < 400 {
            let mut open = connect(gateway.addr()).await;
            connections += 1;
            while answered < 400 {
                // A connection that is told to end takes no more requests, but answers those that it has.
                let Ok(ready) = open.ready().await else { break };
                open = ready;
                let Ok((answer, _)) = open.send_request(get("/").body(()).unwrap(), true) else { break };
                match answer.await {
                    Ok(answer) => assert_eq!(answer.status(), 200),
                    // It crossed the last GOAWAY on its way: that says that it was not processed, and a client sends
                    // it again (RFC 9113, 6.8).
                    Err(error) => {
                        let is_left_out = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
                        assert!(is_left_out, "{error:?}");
                        break;
                    }
                }
                answered += 1;
                if answered == 200 {
                    gateway.signal(Signal::TERM);
                }
            }
        }
    });
    assert!(connections > 1, "nobody was told to go");
    assert_eq!(gateway.wait().status.code(), Some(0));
}

/// Clients that never stop are refused in the end; until then, each is answered.
#[test]
fn row_77_sigterm_under_endless_load_fails_no_request() {
    let upstream = format!("unix:{}", App::shared().socket().display());
    let gateway = Setup::serve(&upstream).config("[shutdown]\ndrain = \"6s\"").start();
    let load = Load::start(gateway.addr(), &crowd());
    load.wait_for(200);
    gateway.signal(Signal::TERM);
    let tally = load.join();
    println!("{tally:?}");
    assert!(tally.broken.is_empty(), "{tally:?}");
    assert_eq!(tally.answers.len(), 1, "{tally:?}");
    assert_eq!(tally.turned_away, crowd().len());
    assert_eq!(gateway.wait().status.code(), Some(0));
}
