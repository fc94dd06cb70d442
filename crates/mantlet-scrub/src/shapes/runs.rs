//! Runs of bytes of one kind. Each byte of a run is looked at once for each kind, however many candidates stand in it.

use std::cell::Cell;

/// A kind of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Alphanumeric,
    Upper,
    Hex,
    /// Letters, digits and `_`.
    Name,
    /// Letters, digits, `_` and `-`: also those of base64 in URLs.
    Word,
    Dotted,
    Path,
    /// Of a value that is percent-encoded.
    Percent,
    Base64,
    /// Of base64 in either alphabet.
    EitherBase64,
    Bearer,
    /// Of the label of a PEM.
    Label,
    /// Between a name and a value.
    Sign,
}

const KINDS: usize = Kind::Sign as usize + 1;

impl Kind {
    pub(super) fn has(self, byte: u8) -> bool {
        let is_alphanumeric = byte.is_ascii_alphanumeric();
        match self {
            Self::Alphanumeric => is_alphanumeric,
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Name => is_alphanumeric || byte == b'_',
            Self::Word => is_alphanumeric || matches!(byte, b'_' | b'-'),
            Self::Dotted => is_alphanumeric || matches!(byte, b'_' | b'-' | b'.'),
            Self::Path => is_alphanumeric || byte == b'/',
            Self::Percent => is_alphanumeric || b"_-%".contains(&byte),
            Self::Base64 => is_alphanumeric || matches!(byte, b'+' | b'/' | b'='),
            Self::EitherBase64 => is_alphanumeric || b"+/=_-".contains(&byte),
            Self::Bearer => is_alphanumeric || b"+/=_-.~".contains(&byte),
            Self::Label => byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ',
            Self::Sign => b" \"'=:\\>".contains(&byte),
        }
    }
}

/// The last run of each kind, and how many bytes were looked at.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    last: [Cell<(usize, usize)>; KINDS],
    looked: Cell<usize>,
}

impl Runs {
    /// Where bytes of a kind end, at most so many on.
    pub(super) fn end(&self, bytes: &[u8], from: usize, most: usize, kind: Kind) -> usize {
        let limit = bytes.len().min(from.saturating_add(most));
        let Some(last) = self.last.get(kind as usize) else { return from };
        let (start, end) = last.get();
        let scan = |from: usize, to: usize| {
            let rest = bytes.get(from..to).unwrap_or_default();
            let length = rest.iter().take_while(|byte| kind.has(**byte)).count();
            self.look(length + 1);
            from + length
        };
        let mut at = from;
        if from < start && start < limit {
            at = scan(from, start);
            if at < start {
                return at;
            }
        }
        let is_in = start < end && (start..=end).contains(&at);
        let begin = if is_in { from.min(start) } else { from };
        at = if is_in { end } else { at };
        if at < limit {
            at = scan(at, limit);
        }
        last.set((begin, at));
        at.min(limit).max(from)
    }

    /// Counts bytes that were looked at.
    pub(crate) fn look(&self, bytes: usize) {
        self.looked.set(self.looked.get().wrapping_add(bytes));
    }

    #[cfg(test)]
    pub(crate) fn looked(&self) -> usize {
        self.looked.get()
    }

    /// So many bytes were dropped from the beginning.
    pub(crate) fn forget(&self, done: usize) {
        for last in &self.last {
            let (start, end) = last.get();
            last.set((start.saturating_sub(done), end.saturating_sub(done)));
        }
    }
}
