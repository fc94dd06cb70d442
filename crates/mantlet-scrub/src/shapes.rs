//! What is a secret by its form alone.
//!
//! A form counts only if ordinary text does not have it: a fixed prefix and length, or a part that decodes to what it
//! has to be. A hash of git, a UUID, an e-mail address and `user:pass` in prose have none of these forms.
//!
//! Each form begins with a *trigger*, which the one automaton of all rules finds; then a function of this folder looks
//! at the bytes from there on, once more when there are more of them.

mod authorization;
mod credentials;
mod keys;
mod pem;
mod runs;
mod token;

use std::ops::Range;

pub(crate) use runs::{Kind, Runs};

/// Bytes that a secret of a known form has at most. What is longer is replaced so far.
pub(crate) const LONGEST: usize = 16 << 10;
/// Bytes before a trigger that a verdict may depend on.
pub(crate) const CONTEXT: usize = 64;

/// A verdict on the bytes from a trigger on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    No,
    /// The bytes that follow decide.
    Open,
    /// It is one; where it ends, the bytes that follow decide.
    Begun(&'static str),
    /// What is to be replaced, and what it is.
    Found(Range<usize>, &'static str),
}

/// Bytes, whether more may follow, and their runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'t> {
    pub(crate) bytes: &'t [u8],
    pub(crate) is_whole: bool,
    pub(crate) runs: &'t Runs,
}

impl<'t> Text<'t> {
    fn from(self, at: usize) -> &'t [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    fn at(self, range: Range<usize>) -> &'t [u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    fn byte_before(self, at: usize) -> Option<u8> {
        self.bytes.get(at.checked_sub(1)?).copied()
    }

    /// Where bytes of a kind end, at most so many on; and whether that is known.
    fn run(self, from: usize, most: usize, kind: Kind) -> (usize, bool) {
        let end = self.runs.end(self.bytes, from, most, kind);
        (end, self.is_whole || end < self.bytes.len() || end - from == most)
    }

    /// Whether a control sequence of a terminal ends here, such as `ESC [ 3 5 m`, also as JSON and Python write it.
    fn is_after_control(self, at: usize) -> bool {
        let bytes = self.at(at.saturating_sub(CONTEXT / 2)..at);
        let Some((last, bytes)) = bytes.split_last() else { return false };
        let parameters =
            bytes.iter().rev().take_while(|byte| byte.is_ascii_digit() || b";:?".contains(byte)).count();
        let introducer = bytes.get(..bytes.len() - parameters).and_then(|bytes| bytes.strip_suffix(b"["));
        let begins = |bytes: &[u8]| {
            [&b"\x1b"[..], b"\\u001b", b"\\u001B", b"\\x1b", b"\\x1B", b"\\033", b"\\e"]
                .iter()
                .any(|escape| bytes.ends_with(escape))
        };
        last.is_ascii_alphabetic() && introducer.is_some_and(begins)
    }

    /// Whether a word begins here. What ends an escape or an encoded byte (`\n`, `%3D`, `\u003d`, a colour) is not a part of
    /// it, and `_` stands between words.
    fn is_start(self, at: usize) -> bool {
        let Some(before) = self.byte_before(at) else { return true };
        if before == b'_' || !Kind::Word.has(before) || self.is_after_control(at) {
            return true;
        }
        let escape = |length: usize| self.at(at.saturating_sub(length)..at);
        let is_hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
        matches!(escape(2), [b'\\', b'n' | b'r' | b't' | b'f' | b'b'])
            || matches!(escape(3), [b'%', rest @ ..] if rest.len() == 2 && is_hex(rest))
            || matches!(escape(6), [b'\\', b'u', rest @ ..] if rest.len() == 4 && is_hex(rest))
    }
}

/// The forms, each with one of its triggers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Token,
    PrivateKey,
    Key(&'static keys::Form),
    GateKey,
    Credentials(credentials::Writing),
    Scheme(authorization::Scheme),
}

/// What each form begins with. Letters match in both cases; where the case matters, the form looks again.
pub(crate) fn triggers() -> impl Iterator<Item = (&'static str, Shape)> {
    let keys = keys::FORMS.iter().map(|form| (form.prefix, Shape::Key(form)));
    let others = [
        (token::TRIGGER, Shape::Token),
        (pem::TRIGGER, Shape::PrivateKey),
        (keys::GATE_TRIGGER, Shape::GateKey),
    ];
    let credentials =
        credentials::TRIGGERS.iter().map(|(trigger, writing)| (*trigger, Shape::Credentials(*writing)));
    let schemes = authorization::TRIGGERS.iter().map(|(trigger, scheme)| (*trigger, Shape::Scheme(*scheme)));
    others.into_iter().chain(keys).chain(credentials).chain(schemes)
}

impl Shape {
    /// Judges what stands at `start`, where a trigger of this form ends at `after`.
    pub(crate) fn judge(self, text: Text<'_>, start: usize, after: usize) -> Verdict {
        match self {
            Self::Token => token::judge(text, start),
            Self::PrivateKey => pem::judge(text, start),
            Self::Key(form) => keys::judge(text, start, form),
            Self::GateKey => keys::judge_own(text, start),
            Self::Credentials(writing) => credentials::judge(text, start, after, writing),
            Self::Scheme(scheme) => authorization::judge(text, start, after, scheme),
        }
    }

    /// Whether it is the same form.
    pub(crate) fn is_same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Key(one), Self::Key(other)) => std::ptr::eq(one, other),
            (Self::Credentials(one), Self::Credentials(other)) => one == other,
            (Self::Scheme(one), Self::Scheme(other)) => one == other,
            (Self::Token, Self::Token)
            | (Self::PrivateKey, Self::PrivateKey)
            | (Self::GateKey, Self::GateKey) => true,
            _ => false,
        }
    }

    /// Of two that begin at the same byte, the lower one says more.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Scheme(_) => 2,
            _ => 1,
        }
    }
}
