//! Row 64 in time: how long a refusal takes for an object of another user, and for one that does not exist.
//!
//! `cargo xtask test objects::time --ignored --nocapture` prints it. Nothing is asserted: times on a busy
//! machine prove nothing. `|t|` above 4.5 is what tests for leaks take for a difference (TVLA, dudect).

use std::time::Instant;

use super::{Caller, Clients, Subject, shop, table::Request, workspace};
use crate::kit::Client;

/// Pairs of a foreign object and none. With each comes another none, which shows what chance does.
const PAIRS: usize = 10_000;
/// Objects of the owner.
const OBJECTS: usize = 100;

/// Seconds.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.count()
    }

    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    fn count(&self) -> f64 {
        self.0.len() as f64
    }

    /// The variance of the mean.
    fn spread(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.0.iter().map(|time| (time - mean).powi(2)).sum();
        squares / (self.count() - 1.0) / self.count()
    }

    /// Without those that took longer than this.
    fn below(&self, limit: f64) -> Self {
        Self(self.0.iter().copied().filter(|time| *time <= limit).collect())
    }

    /// What so many hundredths of them stay below.
    fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[(sorted.len() - 1) * percent / 100]
    }
}

/// Welch's t and its degrees of freedom.
fn welch(one: &Times, other: &Times) -> (f64, f64) {
    let (a, b) = (one.spread(), other.spread());
    let freedom = (a + b).powi(2) / (a.powi(2) / (one.count() - 1.0) + b.powi(2) / (other.count() - 1.0));
    ((one.mean() - other.mean()) / (a + b).sqrt(), freedom)
}

fn compare(what: &str, one: &Times, other: &Times) {
    let limit = one.percentile(95).max(other.percentile(95));
    for (part, one, other) in
        [("all", one, other), ("without the slowest 5 %", &one.below(limit), &other.below(limit))]
    {
        let (t, freedom) = welch(one, other);
        let micros = (one.mean() - other.mean()) * 1e6;
        println!("  {what}, {part}: {micros:+.1} µs, t = {t:+.2} ({freedom:.0} degrees of freedom)");
    }
}

fn measure(subject: &Subject, caller: &Caller<'_>, clients: &Clients, name: &str, request: &Request) {
    let objects: Vec<_> = (0..OBJECTS).map(|_| (subject.make)(clients, name).id).collect();
    let mut client = Client::connect(caller.address);
    let mut times = [(); 3].map(|()| Times::default());
    let mut random = [0; 1];
    for pair in 0..PAIRS {
        getrandom::fill(&mut random).expect("a random byte");
        for step in 0..3 {
            // Each of the three comes first, second and last equally often, and nothing tells when.
            let kind = (usize::from(random[0] % 3) + if random[0] < 128 { step } else { 3 - step }) % 3;
            let id = if kind == 0 { objects[pair % OBJECTS].clone() } else { (subject.absent)() };
            let request = request.filled(name, &id);
            let start = Instant::now();
            let answer = caller.ask_on(&mut client, &request);
            let time = start.elapsed().as_secs_f64();
            assert_eq!(answer.status, 404, "{answer:?}");
            times[kind].0.push(time);
        }
    }
    let [foreign, none, another] = &times;
    let [middle, high] = [50, 95].map(|percent| foreign.percentile(percent) * 1e3);
    println!("{} {}: {PAIRS} pairs", request.method, request.target);
    println!("  a foreign one: median {middle:.2} ms, 95 % below {high:.2} ms");
    compare("a foreign one and none", foreign, none);
    compare("none and none", none, another);
}

#[test]
#[ignore = "takes minutes and asserts nothing: `cargo xtask test objects::time --ignored --nocapture`"]
fn row_64_a_foreign_object_takes_as_long_as_none() {
    let title = r#"{"title": "New"}"#;
    let of_workspace = [
        ("invoice", Request::get("/invoices/{invoice}")),
        ("note", Request::get("/notes/{note}")),
        ("note", Request::new("PATCH", "/notes/{note}").json(title)),
    ];
    let of_shop = [("order", Request::get("/orders/{order}"))];
    for (subject, requests) in [(&workspace::WORKSPACE, &of_workspace[..]), (&shop::SHOP, &of_shop)] {
        let (_home, gateway) = subject.gated(&subject.accepted());
        let clients = subject.clients(gateway.addr());
        for (name, request) in requests {
            measure(subject, &clients.named("bob"), &clients, name, request);
        }
    }
}
