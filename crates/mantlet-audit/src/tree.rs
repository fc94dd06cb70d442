//! A Merkle tree over lines, as RFC 6962 has it.
//!
//! Only the roots of the complete subtrees on the right edge are kept, at most 64. So a log of any length
//! is added up in flat memory, and goes on where it was left.

use aws_lc_rs::digest::{Context, SHA256, digest};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The hash of a text.
pub(crate) fn sha256(text: &[u8]) -> Hash {
    hash_of(digest(&SHA256, text).as_ref())
}

/// The hash of a line as a leaf.
pub fn leaf(line: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[0]);
    context.update(line);
    hash_of(context.finish().as_ref())
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[1]);
    context.update(left);
    context.update(right);
    hash_of(context.finish().as_ref())
}

fn hash_of(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    for (to, from) in hash.iter_mut().zip(bytes) {
        *to = *from;
    }
    hash
}

/// The tree of all lines so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// The roots of the complete subtrees, the largest first: one for each bit of the size.
    edge: Vec<Hash>,
}

impl Tree {
    /// A tree that was kept; none if its parts do not fit its size.
    pub fn kept(size: u64, edge: Vec<Hash>) -> Option<Self> {
        (edge.len() == size.count_ones() as usize).then_some(Self { size, edge })
    }

    /// The number of lines.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its complete subtrees, the largest first.
    pub fn edge(&self) -> &[Hash] {
        &self.edge
    }

    /// Adds the hash of a line.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // As many subtrees end here as the size has ones at its end.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                hash = node(&left, &hash);
            }
        }
        self.edge.push(hash);
        self.size += 1;
    }

    /// The root. That of no lines is the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut parts = self.edge.iter().rev();
        let Some(last) = parts.next() else { return sha256(b"") };
        parts.fold(*last, |right, left| node(left, &right))
    }
}

/// Gathers the proof that a line is in a tree of a given size, from all its lines in order.
#[derive(Debug)]
pub struct Prover {
    /// The subtrees beside the way from the line up to the root, the lowest first: from where to where,
    /// and what was added of them so far.
    beside: Vec<(u64, u64, Tree)>,
    next: u64,
}

impl Prover {
    /// For a line by its number; none if the tree does not have it.
    pub fn new(index: u64, size: u64) -> Option<Self> {
        if index >= size {
            return None;
        }
        let (mut from, mut to) = (0, size);
        let mut beside = Vec::new();
        while to - from > 1 {
            let middle = from + largest_power_below(to - from);
            let (other_from, other_to) = if index < middle { (middle, to) } else { (from, middle) };
            beside.push((other_from, other_to, Tree::default()));
            (from, to) = if index < middle { (from, middle) } else { (middle, to) };
        }
        beside.reverse();
        Some(Self { beside, next: 0 })
    }

    /// Adds the next line.
    pub fn push(&mut self, leaf: Hash) {
        let index = self.next;
        self.next += 1;
        if let Some((.., tree)) = self.beside.iter_mut().find(|(from, to, _)| (*from..*to).contains(&index)) {
            tree.push(leaf);
        }
    }

    /// The proof, once all lines were added; none if some are missing.
    pub fn proof(&self) -> Option<Vec<Hash>> {
        let whole = self.beside.iter().all(|(from, to, tree)| tree.size() == to - from);
        whole.then(|| self.beside.iter().map(|(.., tree)| tree.root()).collect())
    }
}

/// The largest power of two below a number above one.
const fn largest_power_below(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// The root that a proof leads to, from the hash of a line; none if the proof does not fit.
pub fn root_by(proof: &[Hash], index: u64, size: u64, leaf: Hash) -> Option<Hash> {
    // RFC 9162, 2.1.3.2.
    if index >= size {
        return None;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = leaf;
    for beside in proof {
        if last == 0 {
            return None;
        }
        if place % 2 == 1 || place == last {
            hash = node(beside, &hash);
            while place.is_multiple_of(2) && place != 0 {
                place /= 2;
                last /= 2;
            }
        } else {
            hash = node(&hash, beside);
        }
        place /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves and roots of the reference implementation of RFC 6962.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.chars().map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn roots_are_those_of_the_reference() {
        let mut tree = Tree::default();
        assert_eq!(tree.root().to_vec(), bytes(ROOTS[0]));
        for (line, root) in LEAVES.iter().zip(&ROOTS[1..]) {
            tree.push(leaf(&bytes(line)));
            assert_eq!(tree.root().to_vec(), bytes(root));
            assert_eq!(Tree::kept(tree.size(), tree.edge().to_vec()), Some(tree.clone()));
        }
        assert_eq!(Tree::kept(tree.size() + 2, tree.edge().to_vec()), None);
    }

    #[test]
    fn a_proof_holds_for_its_line_in_its_tree_alone() {
        let lines: Vec<Hash> = (0..70_u8).map(|n| leaf(&[n])).collect();
        for size in 1..=lines.len() {
            let mut tree = Tree::default();
            for line in &lines[..size] {
                tree.push(*line);
            }
            for index in 0..size {
                let (at, of) = (index as u64, size as u64);
                let mut prover = Prover::new(at, of).unwrap();
                assert_eq!(prover.proof().is_some(), size == 1);
                for line in &lines[..size] {
                    prover.push(*line);
                }
                let proof = prover.proof().unwrap();
                assert_eq!(root_by(&proof, at, of, lines[index]), Some(tree.root()), "{index} of {size}");
                // Another line, another place, one step more or less.
                assert_ne!(root_by(&proof, at, of, leaf(b"another")), Some(tree.root()));
                if size > 1 {
                    assert_ne!(root_by(&proof, (at + 1) % of, of, lines[index]), Some(tree.root()));
                    assert_eq!(root_by(&proof[1..], at, of, lines[index]), None);
                }
                let more = [proof.as_slice(), &[lines[index]]].concat();
                assert_eq!(root_by(&more, at, of, lines[index]), None);
            }
        }
        assert!(Prover::new(0, 0).is_none());
        assert!(Prover::new(3, 3).is_none());
    }
}
