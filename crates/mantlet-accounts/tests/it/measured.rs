//! Measurements, which assert no time: `cargo test --release -p mantlet-accounts --test it measured -- --ignored --nocapture
//! --test-threads=1`.

use std::time::{Duration, Instant};

use futures_util::stream;
use mantlet_accounts::{Accounts, SealingKeys, accounts::Login, passwords::Cost};

use crate::kit::{Home, OTHER, PASSWORD, address, later, log_in, mails, now, on_both, open, person, secret};

/// Asks of each kind.
const ASKS: usize = 500;
const ACCOUNTS: usize = 100_000;

async fn real(home: &Home) -> Accounts {
    open(&home.database, SealingKeys::of_file(&home.key_file()).unwrap(), Cost::default(), now()).await
}

/// Mean and variance, in microseconds.
fn moments(times: &[f64]) -> (f64, f64) {
    let count = f64::from(u32::try_from(times.len()).unwrap());
    let mean = times.iter().sum::<f64>() / count;
    (mean, times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0))
}

/// Welch's t of two samples, without the slowest hundredth of each: what the machine did meanwhile.
fn t_test(what: &str, mut known: Vec<f64>, mut unknown: Vec<f64>) {
    for times in [&mut known, &mut unknown] {
        times.sort_by(f64::total_cmp);
        times.truncate(times.len() * 99 / 100);
    }
    let ((one, v1), (other, v2)) = (moments(&known), moments(&unknown));
    let count = f64::from(u32::try_from(known.len()).unwrap());
    let t = (one - other) / (v1 / count + v2 / count).sqrt();
    println!(
        "{what}: known {one:.0} µs (σ {:.0}), unknown {other:.0} µs (σ {:.0}), t = {t:.2}",
        v1.sqrt(),
        v2.sqrt()
    );
}

#[test]
#[ignore = "a measurement: minutes"]
fn known_and_unknown_addresses_take_the_same_time() {
    on_both(async |home| {
        println!("{:?}", home.database);
        let accounts = real(&home).await;
        let ada = person(&accounts, "known@example.com").await;
        let asks = ["log in", "request a reset", "register", "change the address"];
        for what in asks {
            let mut times = [Vec::new(), Vec::new()];
            for n in 0..ASKS {
                // In turn, the first of each pair by turns: what the machine does meanwhile hits both.
                for half in [n % 2, 1 - n % 2] {
                    let text = if half == 0 {
                        "known@example.com".to_owned()
                    } else {
                        format!("{what}{n}@example.com")
                    };
                    let to = address(&text.replace(' ', "-"));
                    let start = Instant::now();
                    match what {
                        "log in" => drop(log_in(&accounts, now(), to.as_written(), OTHER, false).await),
                        "request a reset" => accounts.request_reset(now(), &to).await.unwrap(),
                        "register" => drop(accounts.register(now(), &to, &secret(PASSWORD)).await.unwrap()),
                        _ => {
                            let _ =
                                accounts.change_address(now(), &ada, &secret(PASSWORD), &to).await.unwrap();
                        }
                    }
                    times[half].push(start.elapsed().as_secs_f64() * 1e6);
                }
                if n % 100 == 99 {
                    mails(&accounts, now()).await;
                }
            }
            let [known, unknown] = times;
            t_test(what, known, unknown);
        }
    });
}

#[test]
#[ignore = "a measurement: a minute"]
fn a_hundred_thousand_accounts() {
    on_both(async |home| {
        println!("{:?}", home.database);
        let accounts = real(&home).await;
        person(&accounts, "ada@example.com").await;
        let row = &home.ask("SELECT password FROM accounts").await[0];
        let hash: String = sqlx::Row::get(row, 0);
        let lines = (0..ACCOUNTS).map(|n| {
            format!(r#"{{"address": "user{n}@example.com", "password-hash": "{hash}", "verified": true}}"#)
        });
        let start = Instant::now();
        let report = accounts.import(now(), stream::iter(lines.collect::<Vec<_>>())).await.unwrap();
        assert_eq!(report.imported, u64::try_from(ACCOUNTS).unwrap());
        println!("import of {ACCOUNTS}: {:.1} s", start.elapsed().as_secs_f64());
        let (mut after, mut pages, mut slowest) = (None, 0, Duration::ZERO);
        let start = Instant::now();
        loop {
            let one = Instant::now();
            let page = accounts.page(after.as_deref(), 100).await.unwrap();
            slowest = slowest.max(one.elapsed());
            pages += 1;
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        let each = start.elapsed().as_secs_f64() * 1000.0 / f64::from(pages);
        println!(
            "{pages} pages of 100: {each:.2} ms each, the slowest {:.1} ms",
            slowest.as_secs_f64() * 1000.0
        );
        let start = Instant::now();
        for n in 0..200 {
            let text = format!("user{}@example.com", n * 499);
            assert!(matches!(log_in(&accounts, later(1), &text, PASSWORD, true).await, Login::In(_)));
        }
        println!("a login, one after another: {:.1} ms", start.elapsed().as_secs_f64() * 1000.0 / 200.0);
        let accounts = std::sync::Arc::new(accounts);
        let start = Instant::now();
        for _ in 0..10 {
            let many: Vec<_> = (0..40)
                .map(|n| {
                    let accounts = accounts.clone();
                    tokio::spawn(async move {
                        log_in(&accounts, later(2), &format!("user{}@example.com", n * 2499), PASSWORD, false)
                            .await
                    })
                })
                .collect();
            for one in many {
                one.await.unwrap();
            }
        }
        println!("logins a second, 40 at once: {:.0}", 400.0 / start.elapsed().as_secs_f64());
        let start = Instant::now();
        accounts.maintain(later(3)).await.unwrap();
        println!("maintenance: {:.0} ms", start.elapsed().as_secs_f64() * 1000.0);
        let start = Instant::now();
        real(&home).await;
        println!("opening: {:.0} ms", start.elapsed().as_secs_f64() * 1000.0);
    });
}
