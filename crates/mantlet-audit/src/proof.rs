//! The proof that one record is in a sealed log, without any other record.
//!
//! In the form of [C2SP](https://c2sp.org/tlog-proof): the record, its number, hashes, and the seal.

use crate::{
    Hash, Seal, base64,
    tree::{leaf, root_by},
};

const HEAD: &str = "c2sp.org/tlog-proof@v1";
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";

/// A record, and what proves that it is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The line, without its end.
    pub line: Vec<u8>,
    /// Its number.
    pub index: u64,
    /// The hashes beside the way from it to the root.
    pub hashes: Vec<Hash>,
    /// The seal.
    pub seal: Seal,
}

impl Proof {
    /// As text.
    pub fn write(&self) -> String {
        let hashes: String = self.hashes.iter().map(|hash| base64::encode_padded(hash) + "\n").collect();
        let (line, index, seal) = (base64::encode_padded(&self.line), self.index, &self.seal.note);
        format!("{HEAD}\n{EXTRA}{line}\n{INDEX}{index}\n{hashes}\n{seal}")
    }

    /// Reads a proof, and follows it up to its seal; an error says what is wrong. Whether the seal is
    /// that of the log is the reader's to judge.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "it is not a proof that `mantlet audit prove` has written";
        let (head, note) = text.split_once("\n\n").ok_or(FORM)?;
        let mut lines = head.lines();
        if lines.next() != Some(HEAD) {
            return Err(FORM);
        }
        let line = lines.next().and_then(|line| line.strip_prefix(EXTRA)).and_then(base64::decode_padded);
        let index =
            lines.next().and_then(|line| line.strip_prefix(INDEX)).and_then(|index| index.parse().ok());
        let hashes: Option<Vec<Hash>> = lines.map(base64::decode_exact).collect();
        let (Some(line), Some(index), Some(hashes)) = (line, index, hashes) else { return Err(FORM) };
        // An editor may have taken the last line end away.
        let note = format!("{}\n", note.trim_end());
        let seal = Seal::read(&note).ok_or("its seal cannot be read")?;
        if root_by(&hashes, index, seal.size, leaf(&line)) != Some(seal.root) {
            return Err("the record is not among those that the seal covers: it or the proof was changed");
        }
        Ok(Self { line, index, hashes, seal })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{Chain, Key, tree::Prover};

    #[test]
    fn a_proof_holds_for_its_record_alone() {
        let key = Key::random().unwrap();
        let mut chain = Chain::new(&key);
        let lines: Vec<Vec<u8>> = (0..11)
            .map(|n| chain.add(format!("{{\"n\":{n}}}").as_bytes()))
            .map(|l| l[..l.len() - 1].to_vec())
            .collect();
        let (seal, _) = chain.seal(Timestamp::UNIX_EPOCH, &key).unwrap();
        for (index, line) in lines.iter().enumerate() {
            let mut prover = Prover::new(index as u64, 11).unwrap();
            for line in &lines {
                prover.push(leaf(line));
            }
            let proof = Proof {
                line: line.clone(),
                index: index as u64,
                hashes: prover.proof().unwrap(),
                seal: seal.clone(),
            };
            let text = proof.write();
            assert_eq!(Proof::read(&text), Ok(proof.clone()));
            assert!(proof.seal.is_signed_by(&key.public()));
            let other = Proof { line: b"{}".to_vec(), ..proof.clone() };
            assert!(Proof::read(&other.write()).is_err());
            let other = Proof { index: (index as u64 + 1) % 11, ..proof };
            assert!(Proof::read(&other.write()).is_err());
            assert!(Proof::read(&text.replace("index", "number")).is_err());
            assert!(Proof::read("").is_err());
        }
    }
}
