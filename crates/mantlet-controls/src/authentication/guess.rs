//! Keys that can be guessed: words that people put there until they choose a key, and short numbers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use arc_swap::ArcSwapOption;

use crate::{
    config::Secret,
    token::{Algorithm, Candidate, Jws, Key},
};

/// What stands before the word, and after it.
const BEFORE: [&str; 16] = [
    "",
    "a",
    "some",
    "my",
    "my super",
    "your",
    "your super",
    "our",
    "the",
    "super",
    "very",
    "top",
    "jwt",
    "app",
    "this is a",
    "this is my",
];
const WORDS: [&str; 10] = [
    "secret",
    "secret key",
    "secret token",
    "super secret key",
    "jwt secret",
    "jwt secret key",
    "jwt key",
    "private key",
    "signing key",
    "random secret key",
];
const AFTER: [&str; 12] = [
    "",
    "here",
    "123",
    "1234",
    "12345",
    "change me",
    "change this",
    "change in production",
    "change me in production",
    "change this in production",
    "for development",
    "for jwt",
];
/// What stands between words.
const BETWEEN: [&str; 4] = ["-", "_", " ", ""];
/// A number of so many digits is found in a second.
const DIGITS: usize = 6;

/// What was guessed. It is tried once for each start of the app, on a thread of its own.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    /// The start of the app for which it was tried, and one.
    tried: AtomicU64,
    found: ArcSwapOption<Candidate>,
}

impl Guesses {
    /// The key, if one was guessed.
    pub(super) fn found(&self) -> Option<Arc<Candidate>> {
        self.found.load_full()
    }

    /// Begins to guess the key of a token that the app has handed out, unless that was tried before.
    pub(super) fn begin(self: &Arc<Self>, token: &str, generation: u64) {
        let is_symmetric =
            Jws::read(token).is_ok_and(|jws| jws.algorithm.is_some_and(Algorithm::is_symmetric));
        if !is_symmetric || self.tried.swap(generation + 1, Relaxed) == generation + 1 {
            return;
        }
        let (guesses, token) = (Arc::clone(self), token.to_owned());
        let thread = thread::Builder::new().name("mantlet-guess".to_owned());
        // Without it the key stays unknown, as it was.
        let _ = thread.spawn(move || {
            let found = guess(&token).map(|text| {
                Arc::new(Candidate {
                    name: Arc::from("a text that can be guessed"),
                    is_named_like_a_key: false,
                    verifies: false,
                    secret: Secret::new(text.into_bytes()),
                })
            });
            guesses.found.store(found);
        });
    }
}

/// Whether a text is one of those that are guessed.
pub(super) fn is_guessable(text: &[u8]) -> bool {
    let is_number = (1..=DIGITS).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    is_number || usual().any(|usual| usual.as_bytes() == text)
}

fn guess(token: &str) -> Option<String> {
    let jws = Jws::read(token).ok()?;
    let is_key = |text: &String| Key::of_secret(text.as_bytes()).is_some_and(|key| jws.verify(&key).is_ok());
    usual().chain(numbers()).find(is_key)
}

/// Texts of the words above, in the ways in which people write them.
fn usual() -> impl Iterator<Item = String> {
    let words = WORDS.iter().flat_map(|word| BEFORE.iter().map(move |before| (before, word)));
    let words = words.flat_map(|(before, word)| AFTER.iter().map(move |after| [before, word, after]));
    words.flat_map(|parts| {
        let words = parts.into_iter().flat_map(|part| part.split_whitespace()).collect::<Vec<_>>();
        BETWEEN.iter().flat_map(move |between| {
            let text = words.join(between);
            [text.to_uppercase(), text]
        })
    })
}

/// All numbers of up to six digits, with zeros in front, too.
fn numbers() -> impl Iterator<Item = String> {
    let ends = std::iter::successors(Some(10_u32), |end| end.checked_mul(10));
    (1..=DIGITS).zip(ends).flat_map(|(width, end)| (0..end).map(move |number| format!("{number:0width$}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_people_put_there_and_all_short_numbers() {
        for text in ["your-super-secret-key-change-in-production", "MY_SECRET_KEY", "thisisasecret", "0042"] {
            assert!(is_guessable(text.as_bytes()), "{text}");
        }
        for text in ["0000000", "12345a", "correct horse battery staple", ""] {
            assert!(!is_guessable(text.as_bytes()), "{text}");
        }
        assert_eq!(numbers().count(), 1_111_110);
        assert!((5_000..30_000).contains(&usual().count()));
    }
}
