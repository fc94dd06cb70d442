//! Answers that were used: each is good once.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::{AnswerId, Solved};

/// Answers that a gate remembers, in about 20 MB.
const MOST: usize = 1 << 19;
/// The clocks of two gates differ by less.
const CLOCKS: Duration = Duration::from_mins(1);

/// Remembers answers for several gates.
pub trait SpentByAll: Send + Sync + fmt::Debug {
    /// Whether no gate has taken this answer; from now on it counts as taken, for so long. None if the
    /// store does not respond.
    fn is_new(&self, answer: AnswerId, lifetime: Duration) -> BoxFuture<'_, Option<bool>>;
}

/// What is known of an answer by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// It was not used before; now it is.
    New,
    /// It was used before.
    Again,
    /// Nothing more can be remembered, and nothing that is remembered may be forgotten.
    Full,
}

/// The answers that this gate has taken. A clone shares them, and they outlive a policy.
///
/// INVARIANT: none is forgotten before it has expired. So there is no replay, not even under load.
#[derive(Debug, Clone, Default)]
pub struct Spent(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    /// By the second in which they expire.
    answers: BTreeMap<i64, HashSet<AnswerId>>,
    /// The latest time that was seen. A clock that is set back brings no answer back to life.
    latest: Timestamp,
}

impl Spent {
    /// Takes an answer that was verified at this time.
    pub fn spend(&self, solved: Solved, now: Timestamp) -> Sight {
        self.spend_of(MOST, solved, now)
    }

    /// The same for all gates with one store. While that does not respond, each knows its own answers.
    pub async fn spend_for_all(
        &self,
        solved: Solved,
        now: Timestamp,
        others: Option<&Arc<dyn SpentByAll>>,
    ) -> Sight {
        let sight = self.spend(solved, now);
        let (Some(others), Sight::New) = (others, sight) else { return sight };
        let lifetime = Duration::try_from(solved.expires.duration_since(now)).unwrap_or_default();
        match others.is_new(solved.id, lifetime + CLOCKS).await {
            Some(false) => Sight::Again,
            Some(true) | None => Sight::New,
        }
    }

    fn spend_of(&self, most: usize, solved: Solved, now: Timestamp) -> Sight {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.latest = remembered.latest.max(now);
        let latest = remembered.latest;
        if solved.expires <= latest {
            // It may be forgotten already.
            return Sight::Again;
        }
        let second = solved.expires.as_second();
        remembered.answers = remembered.answers.split_off(&latest.as_second());
        if remembered.answers.get(&second).is_some_and(|answers| answers.contains(&solved.id)) {
            return Sight::Again;
        }
        if remembered.answers.values().map(HashSet::len).sum::<usize>() >= most {
            return Sight::Full;
        }
        remembered.answers.entry(second).or_default().insert(solved.id);
        Sight::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn solved(id: u8, expires: i64) -> Solved {
        Solved { id: [id; 16], expires: at(expires) }
    }

    #[test]
    fn an_answer_is_new_once_whatever_the_clock_does() {
        let spent = Spent::default();
        assert_eq!(spent.spend(solved(1, 300), at(0)), Sight::New);
        assert_eq!(spent.clone().spend(solved(1, 300), at(299)), Sight::Again);
        assert_eq!(spent.spend(solved(2, 700), at(400)), Sight::New, "the first is forgotten");
        assert_eq!(spent.spend(solved(1, 300), at(10)), Sight::Again, "the clock was set back");
        assert_eq!(spent.spend(solved(2, 700), at(10)), Sight::Again);
    }

    #[test]
    fn none_is_forgotten_early_however_many_come() {
        let spent = Spent::default();
        assert!((0..4).all(|id| spent.spend_of(4, solved(id, 300), at(0)) == Sight::New));
        assert_eq!(spent.spend_of(4, solved(4, 300), at(0)), Sight::Full);
        assert!((0..4).all(|id| spent.spend_of(4, solved(id, 300), at(299)) == Sight::Again));
        assert_eq!(spent.spend_of(4, solved(4, 700), at(301)), Sight::New);
    }
}
