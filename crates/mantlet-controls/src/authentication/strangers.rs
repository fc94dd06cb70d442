//! Credentials that no gate knows, or whose session has ended, for each thread and for the rest of a
//! second: a client that shows one all the time costs the store one question a second, and not one for
//! each request.

use std::cell::RefCell;

use super::sessions::Digest;

/// Credentials that are remembered; a new one takes the place of another.
const PLACES: usize = 1_024;

thread_local! {
    /// INVARIANT: borrowed only within a function that does not await.
    static STRANGERS: RefCell<Vec<(Digest, i64)>> = RefCell::new(vec![(Digest::default(), i64::MIN); PLACES]);
}

/// Whether no gate knew a good session of a credential in this second. `now` is in seconds.
pub(super) fn is_one(digest: &Digest, now: i64) -> bool {
    STRANGERS.with_borrow(|places| places.get(place(digest)) == Some(&(*digest, now)))
}

/// Remembers that no gate knows a good session of a credential.
pub(super) fn remember(digest: Digest, now: i64) {
    STRANGERS.with_borrow_mut(|places| {
        if let Some(place) = places.get_mut(place(&digest)) {
            *place = (digest, now);
        }
    });
}

fn place(digest: &Digest) -> usize {
    let [first, second, ..] = digest.0;
    usize::from(u16::from_be_bytes([first, second])) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_remembered_for_the_rest_of_a_second() {
        let (one, another) = (Digest([1; 16]), Digest([2; 16]));
        remember(one, 10);
        assert!(is_one(&one, 10) && !is_one(&one, 11) && !is_one(&another, 10));
        let same_place = Digest(std::array::from_fn(|index| if index < 2 { 1 } else { 9 }));
        remember(same_place, 10);
        assert!(is_one(&same_place, 10) && !is_one(&one, 10));
    }
}
