//! What a decision of a rate costs in memory and time: `cargo run --release -p mantlet-controls --example throttle`.

use std::{
    fs,
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use mantlet_controls::{
    Clock, Context, Mode, Section,
    throttle::{
        Config, bans,
        rate::{Rate, Table},
    },
};

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn nanos(times: u32, mut work: impl FnMut(u32)) -> f64 {
    let start = Instant::now();
    for number in 0..times {
        work(number);
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
}

fn main() {
    let Some(rate) = Rate::new(10, Duration::from_mins(1), 10) else { return };
    let small = Table::with_room_for(1_024, Clock::system());
    let one = nanos(5_000_000, |_| {
        black_box(small.take(small.key([1_u8; 16]), &rate));
    });

    let before = resident();
    let table = Table::with_room_for(1 << 20, Clock::system());
    let fresh = resident() - before;
    let take = |number: u32| {
        black_box(table.take(table.key(u128::from(number).to_be_bytes()), &rate));
    };
    let first = nanos(1_000_000, take);
    let filled = resident() - before;
    // In an order that no cache foresees.
    let many = nanos(5_000_000, |number| take(number.wrapping_mul(2_654_435_761) % 1_000_000));

    let banned = table.key("banned");
    let Some(slow) = Rate::new(1, Duration::from_hours(24), 1) else { return };
    table.take(banned, &slow);
    let sweep = nanos(10_000_000, |number| take(1_000_000 + number));
    let still = table.take(banned, &slow).wait.is_some();
    println!("a decision, 1 key: {one:.0} ns; 1,000,000 keys: {many:.0} ns; each new key {first:.0} ns");
    println!("memory: {fresh} KiB before the first key, {filled} KiB with 1,000,000 keys");
    println!(
        "a sweep of 10,000,000 addresses: {sweep:.0} ns each, {} KiB after it; who was refused before is refused still: {still}",
        resident() - before
    );
    bans();
}

/// What bans cost a request, and whether a sweep of addresses ends a ban.
fn bans() {
    let ban = bans::Config { mode: Mode::Enforce, ..bans::Config::default() };
    let config = Config { ban, keys: 1 << 20, ..Config::default() };
    let Ok(policy) = config.check(&Context::default()) else { return };
    let Some(bans) = policy.bans() else { return };
    let address = |number: u32| IpAddr::from(Ipv4Addr::from_bits(number));
    let why = || "404 of the app".to_owned();
    let ask = |number: u32| {
        black_box(bans.left(address(number)));
    };
    let without = nanos(5_000_000, ask);
    let before = resident();
    let banned = address(u32::MAX);
    while bans.refused(banned, why).is_none() {}
    let with = nanos(5_000_000, ask);
    let sweep = nanos(10_000_000, |number| {
        black_box(bans.refused(address(number), why));
    });
    let still = bans.left(banned).is_some();
    println!("whether an address is banned: {without:.0} ns without a ban, {with:.0} ns with one");
    println!(
        "refusals of 10,000,000 addresses: {sweep:.0} ns each, {} KiB; the earlier ban still holds: {still}",
        resident() - before
    );
}
