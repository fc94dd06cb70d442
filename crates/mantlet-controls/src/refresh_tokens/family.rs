//! A family: the handles that follow each other, and the app's own token behind them.
//!
//! Generations order handles, never times: a clock that is wrong can only make the grace for lost
//! answers and parallel tabs longer or shorter.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    handle::{self, FamilyId, Handle},
    seal::{Failed, HandleDigest, Key, Sealed, What},
};
use crate::config::Environment;

/// Seconds for which a handle is good again whose successor was not used: its answer was lost, or
/// another tab has asked at the same time.
pub(super) const LOST: i64 = 5 * 60;
/// Seconds for which it is good again although its successor was used.
pub(super) const PARALLEL: i64 = 10;
/// Seconds for which a family is kept whose token has no known end: 400 days after its last use,
/// the longest life of a cookie.
const REMEMBERED: i64 = 400 * 86_400;
/// Seconds for which it is known that a family has ended, and for which an app may still take a
/// token that has expired.
const LEEWAY: i64 = 3_600;

/// A family. Neither a handle nor the app's token can be read from it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Family {
    /// Names it.
    pub id: FamilyId,
    /// Grows with every change.
    pub revision: u64,
    /// That of the current handle.
    pub generation: u32,
    /// The session whose refresh token this is, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// Its account, as the operator knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Box<str>>,
    key: Key,
    current: HandleDigest,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Former>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_previous: Option<Former>,
    /// The app's own token, under the current handle.
    token: Sealed,
    /// When the current handle was made, in seconds since 1970.
    rotated: i64,
    used: i64,
    /// When the app's own token expires, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    /// When it was ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<i64>,
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Family");
        out.field("id", &self.id).field("revision", &self.revision).field("generation", &self.generation);
        out.finish_non_exhaustive()
    }
}

/// A handle that was followed by another.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Former {
    digest: HandleDigest,
    /// The handle that has followed it, under it.
    successor: Sealed,
}

/// The verdict on a handle that was made with the key of the family.
#[derive(Debug)]
pub(super) enum Verdict {
    Good(Opened),
    /// It was followed by others that were used since: a client has an old copy.
    Reused,
    /// The family was ended.
    Ended,
    /// It is newer than what is known here: another gate has made it, or what was kept was lost.
    Ahead,
    /// It was never handed out.
    Unknown,
}

/// A handle that is good, with all that it opens.
pub(super) struct Opened {
    /// The app's own token.
    pub(super) token: Zeroizing<String>,
    /// The current handle.
    pub(super) current: Zeroizing<String>,
    /// The handle that the client gets again; none if the next one is to be made.
    pub(super) again: Option<Zeroizing<String>>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("again", &self.again.is_some()).finish_non_exhaustive()
    }
}

impl Family {
    /// A new family, and its first handle.
    pub(super) fn begin(
        environment: &Environment,
        (session, account): (Option<u64>, Option<Box<str>>),
        (token, expires): (&str, Option<i64>),
        now: i64,
    ) -> Result<(Self, Zeroizing<String>), Failed> {
        let (id, key) = (FamilyId::random()?, Key::random()?);
        let first = handle::make(environment, id, 1, &key)?;
        let token = Sealed::new(What::Token, &key, &first, token)?;
        let current = HandleDigest::of(&first);
        let family = Self {
            id,
            revision: 1,
            generation: 1,
            session,
            account,
            key,
            current,
            previous: None,
            before_previous: None,
            token,
            rotated: now,
            used: now,
            expires,
            ended: None,
        };
        Ok((family, first))
    }

    /// Whether a handle was made for this family.
    pub(super) fn has_made(&self, handle: &Handle<'_>) -> bool {
        handle.family == self.id && handle.is_of(&self.key)
    }

    /// Judges a handle that was made for this family.
    pub(super) fn judge(&self, handle: &Handle<'_>, now: i64) -> Verdict {
        if self.ended.is_some() {
            return Verdict::Ended;
        }
        let Some(age) = self.generation.checked_sub(handle.generation) else { return Verdict::Ahead };
        let age_of_current = now.saturating_sub(self.rotated);
        let opened = match (age, &self.previous, &self.before_previous) {
            (0, ..) if self.current.is_of(handle.text) => {
                self.open(Zeroizing::new(handle.text.to_owned()), None)
            }
            (1, Some(previous), _) if previous.digest.is_of(handle.text) => {
                if age_of_current >= LOST {
                    return Verdict::Reused;
                }
                self.follow(previous, handle.text).and_then(|next| self.open(next.clone(), Some(next)))
            }
            (2, Some(previous), Some(before)) if before.digest.is_of(handle.text) => {
                if age_of_current >= PARALLEL {
                    return Verdict::Reused;
                }
                self.follow(before, handle.text)
                    .and_then(|next| self.open(self.follow(previous, &next)?, Some(next)))
            }
            (0..=2, ..) => return Verdict::Unknown,
            _ => return Verdict::Reused,
        };
        opened.map_or(Verdict::Unknown, Verdict::Good)
    }

    fn follow(&self, former: &Former, handle: &str) -> Result<Zeroizing<String>, Failed> {
        former.successor.open(What::Successor, &self.key, handle)
    }

    fn open(&self, current: Zeroizing<String>, again: Option<Zeroizing<String>>) -> Result<Opened, Failed> {
        let token = self.token.open(What::Token, &self.key, &current)?;
        Ok(Opened { token, current, again })
    }

    /// Makes the next handle, for a token that the app has handed out.
    pub(super) fn rotate(
        &self,
        environment: &Environment,
        current: &str,
        (token, expires): (&str, Option<i64>),
        now: i64,
    ) -> Result<(Self, Zeroizing<String>), Failed> {
        let generation = self.generation.checked_add(1).ok_or(Failed)?;
        let next = handle::make(environment, self.id, generation, &self.key)?;
        let successor = Sealed::new(What::Successor, &self.key, current, &next)?;
        let family = Self {
            generation,
            current: HandleDigest::of(&next),
            previous: Some(Former { digest: self.current.clone(), successor }),
            before_previous: self.previous.clone(),
            token: Sealed::new(What::Token, &self.key, &next, token)?,
            rotated: now,
            expires,
            ..self.changed(now)
        };
        Ok((family, next))
    }

    /// Keeps another token of the app under the same handles.
    pub(super) fn renew(
        &self,
        current: &str,
        (token, expires): (&str, Option<i64>),
        now: i64,
    ) -> Result<Self, Failed> {
        let token = Sealed::new(What::Token, &self.key, current, token)?;
        Ok(Self { token, expires, ..self.changed(now) })
    }

    /// The end of it.
    pub(super) fn end(&self, now: i64) -> Self {
        Self { ended: Some(now), previous: None, before_previous: None, ..self.changed(now) }
    }

    /// Whether it has ended.
    pub const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Until when it must be known, in seconds since 1970.
    pub fn needed_until(&self) -> i64 {
        let end = match (self.ended, self.expires) {
            (Some(end), _) | (None, Some(end)) => end.saturating_add(LEEWAY),
            (None, None) => self.used.saturating_add(REMEMBERED),
        };
        // Until then it could be told again by a gate that knows less.
        if self.ended.is_some() { end.saturating_add(86_400) } else { end }
    }

    fn changed(&self, now: i64) -> Self {
        Self { revision: self.revision + 1, used: now, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000;

    /// A family after so many rotations, and all of its handles.
    fn family(rotations: u32) -> (Family, Vec<Zeroizing<String>>) {
        let environment = Environment::default();
        let (mut family, first) =
            Family::begin(&environment, (Some(1), None), ("token 1", None), START).unwrap();
        let mut handles = vec![first];
        for number in 0..rotations {
            let current = handles.last().unwrap().clone();
            let token = format!("token {}", number + 2);
            let (next, handle) = family.rotate(&environment, &current, (&token, None), START).unwrap();
            family = next;
            handles.push(handle);
        }
        (family, handles)
    }

    fn judge(family: &Family, handle: &str, later: i64) -> String {
        let read = Handle::read(handle).unwrap();
        assert!(family.has_made(&read));
        match family.judge(&read, START + later) {
            Verdict::Good(Opened { token, again, .. }) => {
                format!("{} {}", &*token, again.map_or("rotates".into(), |_| "again".to_owned()))
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn generations_decide_and_times_only_bound_the_grace() {
        let (family, handles) = family(3);
        for (at, later, verdict) in [
            (3, 0, "token 4 rotates"),
            (3, 90 * 86_400, "token 4 rotates"),
            (3, -90 * 86_400, "token 4 rotates"),
            (2, LOST - 1, "token 4 again"),
            (2, -LOST, "token 4 again"),
            (2, LOST, "Reused"),
            (1, PARALLEL - 1, "token 4 again"),
            (1, PARALLEL, "Reused"),
            (0, 0, "Reused"),
        ] {
            assert_eq!(judge(&family, &handles[at], later), verdict, "generation {at}, {later} s later");
        }
        // What is given again is what came next.
        for (at, age) in [(2, 3), (1, 2)] {
            let read = Handle::read(&handles[at]).unwrap();
            let Verdict::Good(opened) = family.judge(&read, START) else { panic!("it is good") };
            assert_eq!(opened.again.as_ref(), Some(&handles[age]));
            assert_eq!(opened.current, handles[3]);
        }
        let ended = family.end(START);
        assert!(handles.iter().all(|handle| judge(&ended, handle, 0) == "Ended"));
    }

    #[test]
    fn another_token_of_the_app_stands_behind_the_same_handles() {
        let (family, handles) = family(2);
        let renewed = family.renew(&handles[2], ("another", Some(START + 60)), START).unwrap();
        assert_eq!(judge(&renewed, &handles[1], 0), "another again");
        assert_eq!(judge(&renewed, &handles[2], 0), "another rotates");
        assert_eq!((renewed.revision, renewed.generation), (family.revision + 1, family.generation));
        assert_eq!(renewed.needed_until(), START + 60 + LEEWAY);
    }

    #[test]
    fn a_handle_that_was_never_handed_out_ends_nothing() {
        let ((known, handles), (other, foreign)) = (family(1), family(1));
        assert!(!known.has_made(&Handle::read(&foreign[1]).unwrap()));
        assert!(!other.has_made(&Handle::read(&handles[1]).unwrap()));
        // Made for a rotation that another gate has won.
        let lost = handle::make(&Environment::default(), known.id, 2, &known.key).unwrap();
        assert_eq!(judge(&known, &lost, 0), "Unknown");
        let ahead = handle::make(&Environment::default(), known.id, 3, &known.key).unwrap();
        assert_eq!(judge(&known, &ahead, 0), "Ahead");
    }

    #[test]
    fn nothing_can_be_read_from_what_is_kept() {
        let (family, handles) = family(3);
        let written = serde_json::to_string(&family).unwrap();
        for handle in &handles {
            let secret = handle.splitn(3, '_').last().unwrap();
            assert!(!written.contains(secret) && !written.contains(&secret[24..]), "{written}");
        }
        assert!(!written.contains("token 4") && !format!("{family:?}").contains("key"));
        let read: Family = serde_json::from_str(&written).unwrap();
        assert_eq!(judge(&read, &handles[2], 0), "token 4 again");
        // Its key makes handles that are known for old ones, but none that opens anything.
        let forged = handle::make(&Environment::default(), family.id, 4, &family.key).unwrap();
        assert_eq!(judge(&read, &forged, 0), "Unknown");
    }
}
