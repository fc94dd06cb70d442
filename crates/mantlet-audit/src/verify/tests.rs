//! The table of tamperings: what is found, without a copy of the seals and with one.

use super::*;
use crate::{Chain, Key};

/// A log as Mantlet writes it, with a seal after each six records, and the key of the next seal.
struct Log {
    lines: Vec<Vec<u8>>,
    seals: Vec<Seal>,
    key: Key,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

impl Log {
    fn write(rounds: usize) -> Self {
        let key = Key::random().unwrap();
        let mut log = Self { lines: Vec::new(), seals: Vec::new(), key };
        let mut chain = Chain::new(&log.key);
        log.push(chain.add(&opening(&log.key.public(), at(0), None)));
        for round in 0..rounds {
            for n in 0..6 {
                let record =
                    format!("{{\"time\":\"t\",\"security_event\":\"request-refused\",\"n\":{round}{n}}}");
                log.push(chain.add(record.as_bytes()));
            }
            log.seal(&mut chain, at(60 * i64::try_from(round).unwrap()));
        }
        log
    }

    fn push(&mut self, mut line: Vec<u8>) {
        line.pop();
        self.lines.push(line);
    }

    fn seal(&mut self, chain: &mut Chain, time: Timestamp) {
        let (seal, record) = chain.seal(time, &self.key).unwrap();
        self.push(chain.add(&record));
        self.key = self.key.next().unwrap();
        self.seals.push(seal);
    }

    fn verify(&self) -> Result<Proven, Fault> {
        judge(&self.lines, &[], &[])
    }

    /// With the copy of the seals of another log: the one before it was tampered with.
    fn verify_with(&self, before: &Self) -> Result<Proven, Fault> {
        judge(&self.lines, &before.seals, &[])
    }

    /// Links and numbers all lines anew from one of them on, and seals them again with the key that a thief
    /// has found: that of the next seal.
    fn chain_anew(&mut self, from: usize, stolen: &Key) {
        let mut chain = Chain::new(stolen);
        chain = Chain::named(self.seals[0].origin.clone(), &chain);
        for line in &self.lines[..from] {
            assert!(chain.read(line));
        }
        let rest = self.lines.split_off(from);
        for line in rest {
            let record = record_of(&line);
            if event_of(&line) == Some(Event::Sealed) {
                let (_, record) = chain.seal(at(0), stolen).unwrap();
                self.push(chain.add(&record));
            } else {
                self.push(chain.add(&record));
            }
        }
    }
}

/// The record of a line, as it was before it got its number.
fn record_of(line: &[u8]) -> Vec<u8> {
    let (_, prev) = read_seq(line).unwrap();
    let head = line.iter().position(|byte| *byte == b',').unwrap() + r#","prev":"""#.len() + prev.len() + 1;
    [b"{", &line[head..]].concat()
}

fn judge(lines: &[Vec<u8>], copy: &[Seal], own: &[Seal]) -> Result<Proven, Fault> {
    let mut verifier = Verifier::new();
    if !copy.is_empty() {
        verifier.expect(copy.iter().cloned());
    }
    let own = own.to_vec();
    verifier.expect_own(own.into_iter());
    for line in lines {
        verifier.line(line)?;
    }
    verifier.end()?;
    Ok(verifier.proven().clone())
}

fn tampered(how: impl FnOnce(&mut Log)) -> (Log, Log) {
    let before = Log::write(4);
    let mut after = Log {
        lines: before.lines.clone(),
        seals: before.seals.clone(),
        key: Key::of_seed(zeroize::Zeroizing::new(*before.key.seed())).unwrap(),
    };
    how(&mut after);
    (before, after)
}

#[test]
fn a_log_as_it_was_written_is_proven() {
    let log = Log::write(4);
    let proven = log.verify().unwrap();
    assert_eq!((proven.lines, proven.seals, proven.sealed), (29, 4, 28));
    assert_eq!(proven.origin, log.seals[0].origin);
    let proven = log.verify_with(&log).unwrap();
    assert_eq!(proven.met, 4);
}

#[test]
fn each_changed_byte_is_found() {
    let log = Log::write(2);
    for index in 0..log.lines.len() {
        for byte in 0..log.lines[index].len() {
            let mut other = log.lines.clone();
            other[index][byte] ^= 1;
            // Nothing comes after the last line: what it says of a seal, a copy of the seals knows.
            let copy = if index + 1 == log.lines.len() { log.seals.as_slice() } else { &[] };
            let found = judge(&other, copy, &[]);
            let fault = found.expect_err(&format!("byte {byte} of line {index}"));
            let is_there = match fault {
                Fault::NotALine => true,
                Fault::Changed(at) | Fault::SealForged(at) => at == index as u64,
                Fault::ChangedOrNext(at) => at == index as u64 || at + 1 == index as u64,
                Fault::Missing(due, _) | Fault::Unexpected { due, .. } => due == index as u64,
                Fault::CutHead(_) => index == 0,
                // The name of the event: the seal is then none, and the next one is not due.
                Fault::Rewritten { seal, .. } => seal >= index as u64,
                _ => false,
            };
            // The first key names the log. Its seals are then forged.
            let first_key = index == 0 && matches!(fault, Fault::SealForged(_) | Fault::Changed(0));
            assert!(is_there || first_key, "byte {byte} of line {index}: {fault:?}");
        }
    }
}

#[test]
fn lines_that_were_taken_away_added_or_moved_are_found() {
    type How = fn(&mut Log);
    let table: [(&str, How, Fault); 9] = [
        ("a line deleted", |log| drop(log.lines.remove(3)), Fault::Missing(3, 4)),
        ("three lines deleted", |log| drop(log.lines.drain(3..6)), Fault::Missing(3, 6)),
        (
            "a line twice",
            |log| log.lines.insert(4, log.lines[3].clone()),
            Fault::Unexpected { found: 3, due: 4 },
        ),
        ("two lines exchanged", |log| log.lines.swap(3, 4), Fault::Missing(3, 4)),
        ("the head cut", |log| drop(log.lines.drain(..5)), Fault::CutHead(5)),
        ("a whole file in the middle", |log| drop(log.lines.drain(8..15)), Fault::Missing(8, 15)),
        ("another program's line", |log| log.lines.insert(4, b"{\"a\":1}".to_vec()), Fault::NotALine),
        ("half a line", |log| log.lines[4].truncate(20), Fault::NotALine),
        ("everything", |log| log.lines.clear(), Fault::Empty),
    ];
    for (what, how, fault) in table {
        let (before, after) = tampered(how);
        assert_eq!(after.verify(), Err(fault.clone()), "{what}");
        // With a copy of the seals, too; of nothing, it says how much is missing.
        let with = if fault == Fault::Empty { Fault::CutTail { sealed: 28, found: 0 } } else { fault };
        assert_eq!(after.verify_with(&before), Err(with), "{what}, with a copy");
    }
}

#[test]
fn a_line_that_was_linked_in_is_found() {
    // A forged line that fits the one before it: the one after it does not fit.
    let (_, after) = tampered(|log| {
        let prev = link_of(&log.lines[3]);
        let forged = crate::line::write(4, &prev, b"{\"a\":1}");
        log.lines[4] = forged;
    });
    assert_eq!(after.verify(), Err(Fault::Changed(4)));
}

#[test]
fn a_cut_tail_is_found_by_seals() {
    // By the log's own file of seals, if that was left; by a copy in any case.
    let (before, after) = tampered(|log| log.lines.truncate(17));
    assert!(after.verify().is_ok());
    assert_eq!(judge(&after.lines, &[], &before.seals), Err(Fault::CutTail { sealed: 28, found: 17 }));
    assert_eq!(after.verify_with(&before), Err(Fault::CutTail { sealed: 28, found: 17 }));
}

#[test]
fn what_a_thief_of_the_key_can_write() {
    // The key that lies on the machine is that of the next seal. It does not fit older ones.
    let (before, after) = tampered(|log| {
        let stolen = Key::of_seed(zeroize::Zeroizing::new(*log.key.seed())).unwrap();
        log.lines[10] = crate::line::write(10, "", b"{\"security_event\":\"nothing\"}");
        log.chain_anew(10, &stolen);
    });
    assert_eq!(after.verify(), Err(Fault::SealForged(14)));
    assert_eq!(after.verify_with(&before), Err(Fault::SealForged(14)));

    // Links anew, seals left as they were: they are of other lines.
    let (before, after) = tampered(|log| {
        let mut chain = Chain::named(log.seals[0].origin.clone(), &Chain::new(&log.key));
        let lines = std::mem::take(&mut log.lines);
        for (n, line) in lines.iter().enumerate() {
            let record = if n == 10 { b"{\"security_event\":\"nothing\"}".to_vec() } else { record_of(line) };
            log.push(chain.add(&record));
        }
    });
    assert_eq!(after.verify(), Err(Fault::Rewritten { seal: 14, proven: 7 }));
    assert_eq!(after.verify_with(&before), Err(Fault::Rewritten { seal: 14, proven: 7 }));

    // Links anew, and no seals at all: only a copy of them shows it.
    let (before, after) = tampered(|log| {
        let mut chain = Chain::named(log.seals[0].origin.clone(), &Chain::new(&log.key));
        let lines = std::mem::take(&mut log.lines);
        for line in lines.iter().filter(|line| event_of(line) != Some(Event::Sealed)) {
            log.push(chain.add(&record_of(line)));
        }
    });
    assert!(after.verify().is_ok());
    assert_eq!(judge(&after.lines, &[], &before.seals), Err(Fault::SealForged(7)));
    assert_eq!(after.verify_with(&before), Err(Fault::SealForged(7)));

    // After the last seal: nothing in the log shows it, and no copy of its seals either.
    let (before, after) = tampered(|log| {
        let key = Key::of_seed(zeroize::Zeroizing::new(*log.key.seed())).unwrap();
        let mut chain = Chain::named(log.seals[0].origin.clone(), &Chain::new(&key));
        for line in &log.lines {
            assert!(chain.read(line));
        }
        log.push(chain.add(b"{\"security_event\":\"forged\"}"));
        log.seal(&mut chain, at(300));
    });
    assert!(after.verify().is_ok());
    assert!(after.verify_with(&before).is_ok());
}

#[test]
fn a_log_that_was_replaced_as_a_whole_is_found_by_a_copy_alone() {
    let (before, other) = (Log::write(4), Log::write(4));
    assert!(other.verify().is_ok());
    let due = before.seals[0].origin.clone();
    assert_eq!(
        other.verify_with(&before),
        Err(Fault::OtherLog { found: other.seals[0].origin.clone(), due })
    );

    // The whole folder, as it was some time ago.
    let (before, after) = tampered(|log| {
        log.lines.truncate(15);
        log.seals.truncate(2);
    });
    assert!(judge(&after.lines, &[], &after.seals).is_ok());
    assert_eq!(after.verify_with(&before), Err(Fault::CutTail { sealed: 28, found: 15 }));
}

#[test]
fn a_copy_may_have_seals_of_other_logs() {
    let (log, other) = (Log::write(4), Log::write(2));
    let copy = [other.seals.as_slice(), &log.seals].concat();
    assert_eq!(judge(&log.lines, &copy, &[]).unwrap().met, 4);
    // Of others alone it is none.
    assert!(matches!(log.verify_with(&other), Err(Fault::OtherLog { .. })));
    // Two seals for as many lines: one of them is forged.
    let mut forged = log.seals[0].clone();
    forged.root = [0; 32];
    forged.note.push(' ');
    let copy = [log.seals.as_slice(), &[forged]].concat();
    assert_eq!(judge(&log.lines, &copy, &[]), Err(Fault::SealDiffers(7)));
}

#[test]
fn lines_before_a_known_seal_need_not_be_there() {
    let log = Log::write(4);
    let mut chain = Chain::named(log.seals[0].origin.clone(), &Chain::new(&log.key));
    for line in &log.lines[..14] {
        assert!(chain.read(line));
    }
    let kept = chain.kept(&log.seals[1], 0, 0, false);
    let mut verifier = Verifier::after(&kept).unwrap();
    assert_eq!(verifier.due(), 15);
    for line in &log.lines[15..] {
        verifier.line(line).unwrap();
    }
    verifier.end().unwrap();
    assert_eq!(verifier.proven().seals, 2);
    let odd = crate::SealLine { edge: Vec::new(), ..kept };
    assert!(Verifier::after(&odd).is_none());
}

#[test]
fn a_log_that_was_begun_after_another_says_so() {
    let key = Key::random().unwrap();
    let mut chain = Chain::new(&key);
    let before = Some(("mantlet-audit/0011223344556677".to_owned(), "its key is not there".to_owned()));
    let line = chain.add(&opening(&key.public(), at(0), before));
    let lines = [line[..line.len() - 1].to_vec()];
    assert!(matches!(judge(&lines, &[], &[]), Err(Fault::Anew { .. })));
    let mut verifier = Verifier::new();
    verifier.accept(chain.origin().to_owned());
    verifier.line(&lines[0]).unwrap();
    verifier.end().unwrap();
    let mut verifier = Verifier::new();
    verifier.accept("mantlet-audit/0011223344556677".to_owned());
    assert!(verifier.line(&lines[0]).is_err());
}
