//! Builds a list of passwords that are refused: `blocklist OUTPUT FILE…`. A file has a password or a SHA-1 in hex on each line.
//! `src/passwords/ATTRIBUTION.md` says from which files the list that comes with Mantlet was made.

use std::{env, error::Error, fs};

use mantlet_accounts::passwords::Blocklist;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let output = arguments.next().ok_or("usage: blocklist OUTPUT FILE…")?;
    let texts = arguments.map(fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    let list = Blocklist::build(texts.iter().flat_map(|text| text.lines()))?;
    println!("{output}: {} bytes", list.len());
    Ok(fs::write(output, list)?)
}
