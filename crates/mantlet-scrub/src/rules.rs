//! What is replaced: known secrets in their spellings, and forms, in one automaton (Aho-Corasick).

use std::{collections::HashMap, fmt, ops::Range};

use aho_corasick::{
    Anchored,
    automaton::{Automaton, StateID},
    nfa::contiguous::{Builder, NFA},
};

use crate::{
    lines::{Error, Further, LineRules, plain},
    shapes::{self, Shape},
    spellings,
};

/// Bytes of a known secret below which it is not replaced.
const SHORTEST: usize = 8;
/// Bytes below which a mere word or number is not replaced.
const SHORTEST_WORD: usize = 12;
/// Bytes of a piece of a long secret. Each piece is found by itself.
const PIECE: usize = 512;
/// Bytes of a line of a private key that is found by itself.
const SHORTEST_LINE: usize = 16;

/// A secret that is known.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    /// What is shown in its place: `[secret NAME]`.
    pub name: &'k str,
    /// The secret.
    pub value: &'k [u8],
}

/// Why a known secret is not replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It has less than 8 bytes.
    Short,
    /// It has less than 12 bytes, and they are all letters or all digits: ordinary text would have it.
    Word,
    /// It is a URL without a password, and without a part that looks like a key.
    PlainUrl,
}

/// Whether a value is replaced where it is printed.
pub fn fitness(value: &[u8]) -> Result<(), Unfit> {
    let all = |is_one: fn(&u8) -> bool| value.iter().all(is_one);
    let is_word = all(u8::is_ascii_alphabetic) || all(u8::is_ascii_digit);
    match value.len() {
        ..SHORTEST => Err(Unfit::Short),
        ..SHORTEST_WORD if is_word => Err(Unfit::Word),
        _ if is_plain_url(value) => Err(Unfit::PlainUrl),
        _ => Ok(()),
    }
}

fn is_plain_url(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let Some((_, rest)) = text.split_once("://") else { return false };
    let is_key = |part: &str| part.len() >= 16 && part.bytes().any(|byte| byte.is_ascii_digit());
    !rest.contains(['@', '?']) && !rest.split(['/', '.', ':', '#']).any(is_key)
}

/// What a pattern of the automaton stands for.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    Known(usize),
    Trigger(Shape),
}

/// What is shown in place of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    Known(usize),
    Form(&'static str),
}

/// What the automaton has found.
#[derive(Debug)]
pub(crate) enum Hit {
    Known(Range<usize>, usize),
    Trigger(Range<usize>, Shape),
}

/// What is replaced. Several streams may share it.
pub struct Rules {
    automaton: NFA,
    start: StateID,
    meanings: Vec<Meaning>,
    names: Vec<String>,
    /// How many of the last bytes may be the beginning of something, in each state.
    depths: HashMap<StateID, usize>,
    lines: Option<LineRules>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Rules {
    /// The rules: what is known, as far as it is [fit](fitness), every form, and what else is asked for.
    pub fn new(known: &[Known<'_>], further: Further<'_>) -> Result<Self, Error> {
        let (mut patterns, mut meanings) = (Vec::new(), Vec::new());
        let mut names = Vec::new();
        for one in known {
            let spellings = pieces(one.value).flat_map(|piece| spellings::of(&piece));
            let before = patterns.len();
            patterns.extend(spellings);
            meanings.resize(patterns.len(), Meaning::Known(names.len()));
            if patterns.len() > before {
                names.push(one.name.chars().map(plain).collect());
            }
        }
        for (trigger, shape) in shapes::triggers() {
            patterns.push(trigger.as_bytes().to_vec());
            meanings.push(Meaning::Trigger(shape));
        }
        let automaton = Builder::new().ascii_case_insensitive(true).prefilter(false).build(&patterns);
        let automaton = automaton.map_err(|_| Error::TooMuch)?;
        let start = automaton.start_state(Anchored::No).map_err(|_| Error::TooMuch)?;
        let mut depths = HashMap::new();
        for pattern in &patterns {
            let mut state = start;
            for (index, byte) in pattern.iter().enumerate() {
                state = automaton.next_state(Anchored::No, state, *byte);
                depths.insert(state, index + 1);
            }
        }
        Ok(Self { automaton, start, meanings, names, depths, lines: LineRules::new(further)? })
    }

    pub(crate) const fn start(&self) -> StateID {
        self.start
    }

    pub(crate) const fn lines(&self) -> Option<&LineRules> {
        self.lines.as_ref()
    }

    /// Reads on from a state. `hit` is told all that ends in these bytes, the first of which is at `at`.
    pub(crate) fn read(
        &self,
        mut state: StateID,
        bytes: &[u8],
        at: usize,
        mut hit: impl FnMut(Hit),
    ) -> StateID {
        for (index, byte) in bytes.iter().enumerate() {
            state = self.automaton.next_state(Anchored::No, state, *byte);
            if self.automaton.is_special(state) && self.automaton.is_match(state) {
                let end = at + index + 1;
                for which in 0..self.automaton.match_len(state) {
                    let pattern = self.automaton.match_pattern(state, which);
                    let range = end - self.automaton.pattern_len(pattern)..end;
                    match self.meanings.get(pattern.as_usize()) {
                        Some(Meaning::Known(name)) => hit(Hit::Known(range, *name)),
                        Some(Meaning::Trigger(shape)) => hit(Hit::Trigger(range, *shape)),
                        None => {}
                    }
                }
            }
        }
        state
    }

    /// How many of the last bytes may be the beginning of something.
    pub(crate) fn depth(&self, state: StateID) -> usize {
        self.depths.get(&state).copied().unwrap_or_default()
    }

    /// Writes what is shown in place of a secret. It breaks no text in JSON.
    pub(crate) fn write(&self, label: Label, out: &mut Vec<u8>) {
        out.push(b'[');
        match label {
            Label::Form(what) => out.extend(what.bytes()),
            Label::Known(name) => {
                out.extend(b"secret ");
                out.extend(self.names.get(name).map(String::as_str).unwrap_or_default().bytes());
            }
        }
        out.push(b']');
    }
}

/// What is looked for of a secret: all of it, in pieces if it is long, and what of it is one by itself.
fn pieces(value: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut all = Vec::new();
    if fitness(value).is_ok() {
        let mut rest = value;
        while rest.len() > 2 * PIECE {
            let text = std::str::from_utf8(rest);
            let cut = text.map_or(PIECE, |text| text.floor_char_boundary(PIECE));
            let Some((piece, after)) = rest.split_at_checked(cut) else { break };
            all.push(piece.to_vec());
            rest = after;
        }
        all.push(rest.to_vec());
    }
    if let Ok(text) = std::str::from_utf8(value) {
        all.extend(passwords(text).filter(|password| fitness(password).is_ok()));
        if text.contains("PRIVATE KEY-----") {
            let lines = text.lines().map(str::trim);
            all.extend(
                lines
                    .filter(|line| line.len() >= SHORTEST_LINE && !line.contains(['-', ':']))
                    .map(|line| line.as_bytes().to_vec()),
            );
        }
    }
    all.into_iter()
}

/// The password of a URL, as it stands there and as its server reads it.
fn passwords(url: &str) -> impl Iterator<Item = Vec<u8>> {
    let userinfo = url.split_once("://").and_then(|(_, rest)| Some(rest.rsplit_once('@')?.0));
    let password = userinfo.and_then(|userinfo| Some(userinfo.split_once(':')?.1));
    let written = password.map(|password| password.as_bytes().to_vec());
    let read = written.as_deref().map(decoded).filter(|read| Some(read) != written.as_ref());
    written.into_iter().chain(read)
}

/// Percent-encoding undone.
fn decoded(text: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((&byte, after)) = rest.split_first() {
        let code = match (byte, after) {
            (b'%', [high, low, ..]) => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|code| u8::from_str_radix(code, 16).ok())
            }
            _ => None,
        };
        out.push(code.unwrap_or(byte));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    out
}
