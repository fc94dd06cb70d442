//! Measurements, which assert no time: `cargo test --release -p mantlet-sign-in --test it measured -- --ignored --nocapture
//! --test-threads=1`.

use std::time::Instant;

use mantlet_accounts::{SealingKeys, passwords::Cost};
use serde_json::json;

use crate::{
    home::{self, OTHER, now, on_both, person},
    kit::{Client, site},
};

/// Logins of each kind.
const ASKS: usize = 500;

/// Mean and variance, in microseconds, without the slowest hundredth: what the machine did meanwhile.
fn moments(times: &mut Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    times.truncate(times.len() * 99 / 100);
    let count = f64::from(u32::try_from(times.len()).unwrap());
    let mean = times.iter().sum::<f64>() / count;
    (mean, times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0) / count)
}

#[test]
#[ignore = "a measurement: minutes"]
fn logins_to_known_and_unknown_addresses_take_the_same_time() {
    on_both(async |home| {
        let keys = SealingKeys::of_file(&home.key_file()).unwrap();
        let accounts = home::open(&home.database, keys, Cost::default(), now()).await;
        person(&accounts, "known@example.com").await;
        let site = site(accounts);
        let mut client = Client::new(&site);
        let mut times = [Vec::new(), Vec::new()];
        for n in 0..ASKS {
            // In turn, the first of each pair by turns: what the machine does meanwhile hits both.
            for half in [n % 2, 1 - n % 2] {
                let address =
                    if half == 0 { "known@example.com".to_owned() } else { format!("u{n}@example.com") };
                let body = json!({"email": address, "password": OTHER});
                let start = Instant::now();
                let seen = client.post("/auth/api/login", &body).await;
                times[half].push(start.elapsed().as_secs_f64() * 1e6);
                assert_eq!(seen.status, 401);
            }
        }
        let [mut known, mut unknown] = times;
        let ((one, v1), (other, v2)) = (moments(&mut known), moments(&mut unknown));
        let t = (one - other) / (v1 + v2).sqrt();
        println!("{:?}: known {one:.0} µs, unknown {other:.0} µs, t = {t:.2}", home.database);
    });
}
