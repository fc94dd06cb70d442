//! How long the static review takes: `cargo run --release --example speed -- contract.json`. It prints what was
//! found, too.

use std::{env, error::Error, fs, time::Instant};

use mantlet_contract::model::Contract;
use mantlet_controls::{Config, Policy};
use mantlet_review::{AppFacts, Gate, of_app};

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args().nth(1).ok_or("name a contract that `mantlet contract` has written")?;
    let text = fs::read_to_string(file)?;
    let begun = Instant::now();
    let contract: Contract = serde_json::from_str(&text)?;
    let read = begun.elapsed();
    let (config, policy) = (Config::default(), Policy::default());
    let gate = Gate { config: &config, policy: &policy, has_certificate: false, keeps_records: true };
    let review = of_app(AppFacts { contract: &contract, gate: Some(gate) });
    let judged = begun.elapsed();
    for finding in review.findings() {
        let place =
            finding.place.as_ref().map(|place| format!("{}:{}", place.file, place.line.unwrap_or_default()));
        let (level, rule, message) = (finding.level.name(), finding.rule.id, &finding.message);
        println!("{level:8} {rule:26} {} {message}", place.unwrap_or_default());
    }
    println!(
        "{} operations: read in {read:?}, judged in {:?}",
        review.operations(),
        judged.saturating_sub(read)
    );
    Ok(())
}
