//! `mantlet audit prove`: a record with what proves it, and no other record.

use std::{path::Path, process::ExitCode};

use mantlet_audit::{
    Seal,
    proof::Proof,
    read_seq,
    tree::{Prover, leaf},
    verify::seal_of,
};
use mantlet_page::Proven;

use super::log::Log;
use crate::say::{Failure, print};

pub(super) fn prove(log: &Log, record: u64) -> Result<ExitCode, Failure> {
    print(&proof_of(log, record)?)?;
    Ok(ExitCode::SUCCESS)
}

/// A record of the log of a configuration, for the operator's page.
pub(super) fn of_config(config: Option<&Path>, record: u64) -> Result<Proven, Failure> {
    let log = Log::find(&[], config)?;
    let mut found = None;
    log.lines(|_, _, line| {
        if read_seq(line).is_some_and(|(seq, _)| seq == record) {
            found = serde_json::from_slice(line).ok();
        }
        Ok(found.is_none())
    })?;
    let proof = proof_of(&log, record);
    match found {
        Some(record) => Ok(Proven { record, proof: proof.map_err(Failure::into_message) }),
        None => Err(proof.err().unwrap_or_else(|| broken(record))),
    }
}

fn proof_of(log: &Log, record: u64) -> Result<String, Failure> {
    if log.parts.is_empty() {
        return Err(Failure::usage("a pipe is read only once: name a file"));
    }
    if log.parts.first().is_some_and(|part| part.first > 0) {
        return Err(Failure::usage("the first files of the log are not here, and a proof needs all of them"));
    }
    let (seal, line) = sealed(log, record)?;
    let mut prover = Prover::new(record, seal.size).ok_or_else(|| broken(record))?;
    let mut due = 0;
    log.lines(|_, _, line| {
        prover.push(leaf(line));
        due += 1;
        Ok(due < seal.size)
    })?;
    let hashes = prover.proof().ok_or_else(|| broken(record))?;
    let proof = Proof { line, index: record, hashes, seal };
    let text = proof.write();
    if Proof::read(&text).is_err() {
        return Err(broken(record));
    }
    Ok(text)
}

/// The last seal, if it covers the record, and the record's line.
fn sealed(log: &Log, record: u64) -> Result<(Seal, Vec<u8>), Failure> {
    let (mut found, mut last, mut count) = (None, None, 0);
    log.lines(|_, _, line| {
        let seq = read_seq(line).map(|(seq, _)| seq);
        if seq == Some(record) {
            found = Some(line.to_vec());
        }
        if let Some(seal) = seal_of_line(line).filter(|seal| Some(seal.size) == seq) {
            last = Some(seal);
        }
        count = seq.map_or(count, |seq| seq + 1);
        Ok(true)
    })?;
    let line = found.ok_or_else(|| {
        Failure::new(match count {
            0 => "the log has no records".to_owned(),
            count => format!("there is no record {record}: the log has 0 to {}", count - 1),
        })
    })?;
    let seal = last.filter(|seal| seal.size > record).ok_or_else(|| {
        Failure::new(format!(
            "record {record} is not sealed yet: the next seal comes after `audit.seal` (1 min by default)"
        ))
    })?;
    Ok((seal, line))
}

/// Only lines that may be one are read as JSON.
fn seal_of_line(line: &[u8]) -> Option<Seal> {
    memchr::memmem::find(line, b"\"log-sealed\"")?;
    seal_of(line)
}

fn broken(record: u64) -> Failure {
    Failure::new(format!(
        "record {record} cannot be proven: the log is not as it was written; `mantlet audit verify` says where"
    ))
}
