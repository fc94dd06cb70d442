//! A way in for the owner of an account that strangers guess at: a puzzle in the place of the wait.
//!
//! An attempt passes without the limit and the delays of its account if
//!
//! 1. it is a login, and these alone refuse it: its address and every rule let it pass,
//! 2. it brings the answer to a puzzle that was made for the accounts that it names,
//! 3. the answer was not used before, at any gate,
//! 4. fewer than `limit` attempts with an answer have failed for the account.
//!
//! An answer is used up only where it lets an attempt pass that would be refused otherwise. An attempt
//! with an answer counts for its address as any other, and makes the account wait if it fails.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use serde::{Deserialize, Serialize};

use super::{RateText, config::rate_of};
use crate::{
    Call, Refusal, Scheme,
    config::{Context, Material, Mistake},
    message::{cookie, is_navigation, is_of_this_site},
    proof_of_work::{OwnKey, ProofOfWork, SHORTEST_KEY, Sight, Spent, SpentByAll},
    refusal::{self, Page},
    throttle::rate::Rate,
};

/// The header with an answer.
pub const ANSWER: HeaderName = HeaderName::from_static("mantlet-challenge-answer");
/// The header that says how to answer, and what was wrong with the answer of the request.
pub const CHALLENGE: HeaderName = HeaderName::from_static("mantlet-challenge");

/// The cookie with an answer, which the page for people sets: over HTTP and over HTTPS.
const COOKIES: [&str; 2] = ["mantlet-challenge-answer", "__Host-mantlet-challenge-answer"];

/// The kind of the challenge, and of the answer.
const KIND: &str = "proof-of-work";
/// How long a puzzle is good: a person types the password again meanwhile.
const LIFETIME: Duration = Duration::from_mins(10);
/// The smallest and the largest number of hashes.
const WORK: RangeInclusive<u32> = 1_000..=100_000_000;

/// The `[throttle.challenge]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Whether a login that only its account's counters refuse gets a puzzle beside the time to wait.
    /// Default true.
    pub offer: bool,
    /// Hashes (SHA-256) that an answer costs at most; half as many on average. Default 1,000,000: less
    /// than a second in a browser.
    pub work: u32,
    /// Failures of an account with an answer, after which answers do not help. Default `100/day`: NIST
    /// SP 800-63B section 5.2.2 allows 100 failures in a row.
    pub limit: RateText,
    /// Where the key is that signs puzzles: `env:NAME` or `file:PATH`, with at least 32 bytes, the same
    /// for all gates. Without it each process makes its own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The key, read from where it is.
    #[serde(skip)]
    pub key_material: Option<Material>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            offer: true,
            work: 1_000_000,
            limit: RateText::new(100, Duration::from_hours(24)),
            key: String::new(),
            key_material: None,
        }
    }
}

impl Config {
    /// Checks the section; keys in mistakes are those of `[throttle]`.
    pub(super) fn check(&self, context: &Context, mistakes: &mut Vec<Mistake>) -> Option<(Challenge, Rate)> {
        let limit = rate_of(self.limit, None, "challenge.limit", mistakes);
        if !WORK.contains(&self.work) {
            let message = format!("`{}` is outside {} to {}", self.work, WORK.start(), WORK.end());
            let help = "a browser makes about a million hashes in a second";
            mistakes.push(Mistake::new("challenge.work", message).help(help));
        }
        let kept = &context.deployment.kept;
        let configured = self.key_material.as_ref().map(|key| key.0.clone());
        let Some(key) = configured.or_else(|| kept.get::<OwnKey>().get()) else {
            mistakes.push(Mistake::new("challenge.key", "cannot get random bytes for a key"));
            return None;
        };
        let Some(work) = ProofOfWork::new(key, self.work, LIFETIME) else {
            let message = format!("a key of puzzles has at least {SHORTEST_KEY} bytes");
            let help = "make one with `openssl rand -hex 32`";
            mistakes.push(Mistake::new("challenge.key", message).help(help));
            return None;
        };
        let challenge = Challenge { work, spent: kept.get::<Spent>() };
        limit.filter(|_| self.offer).map(|limit| (challenge, limit))
    }
}

/// Makes puzzles, and takes each answer once.
#[derive(Debug)]
pub(super) struct Challenge {
    work: ProofOfWork,
    spent: Spent,
}

impl Challenge {
    /// Judges the answer of a request, and uses it up if it is good.
    ///
    /// # Errors
    ///
    /// What is wrong with it; none if there is none.
    pub(super) async fn take(
        &self,
        flow: &str,
        (call, headers): (&Call, &HeaderMap),
        others: Option<&Arc<dyn SpentByAll>>,
    ) -> Result<(), Option<&'static str>> {
        let now = call.clock.time();
        let mut answers = headers.get_all(ANSWER).iter();
        let answer = match (answers.next(), answers.next()) {
            (None, _) => in_cookie(call, headers).ok_or(None)?,
            (Some(answer), None) => answer.as_bytes(),
            (Some(_), Some(_)) => return Err(Some("malformed")),
        };
        let answer = std::str::from_utf8(answer).map_err(|_| Some("malformed"))?;
        let solved = self.work.verify(flow, answer, now).map_err(|fault| Some(fault.code()))?;
        match self.spent.spend_for_all(solved, now, others).await {
            Sight::New => Ok(()),
            Sight::Again => Err(Some("used")),
            Sight::Full => Err(Some("busy")),
        }
    }

    /// Adds a puzzle to a refusal, and what was wrong with the answer before.
    pub(super) fn offer(
        &self,
        refusal: &mut Refusal,
        flow: &str,
        (call, headers): (&Call, &HeaderMap),
        wrong: Option<&'static str>,
    ) {
        let puzzle = self.work.puzzle(flow, call.clock.time());
        let Some(puzzle) = puzzle.and_then(|puzzle| serde_json::to_value(puzzle).ok()) else { return };
        let wait = refusal.headers_mut().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok());
        let wait = wait.and_then(|wait| wait.parse().ok()).unwrap_or_default();
        let page =
            is_navigation(headers).then(|| Page { back: back(call, headers), cookie: cookie_of(call), wait });
        refusal.challenge = Some(Box::new(refusal::Challenge { puzzle, page }));
        let kind = match wrong {
            None => HeaderValue::from_static(KIND),
            Some(wrong) => HeaderValue::try_from(format!("{KIND};error={wrong}"))
                .unwrap_or(HeaderValue::from_static(KIND)),
        };
        refusal.headers_mut().insert(CHALLENGE, kind);
    }
}

/// The name of the cookie on a connection of this kind.
fn cookie_of(call: &Call) -> &'static str {
    let [plain, encrypted] = COOKIES;
    if call.client.scheme == Scheme::Https { encrypted } else { plain }
}

fn in_cookie<'r>(call: &Call, headers: &'r HeaderMap) -> Option<&'r [u8]> {
    let name = cookie_of(call).as_bytes();
    cookie::pairs(headers).find(|(found, _)| *found == name).map(|(_, answer)| answer)
}

/// Removes an answer: it is for us.
pub(super) fn take_out(call: &Call, headers: &mut HeaderMap) {
    headers.remove(ANSWER);
    cookie::take_out(headers, cookie_of(call).as_bytes());
}

/// The page of this site from which a form was sent.
fn back(call: &Call, headers: &HeaderMap) -> Option<Box<str>> {
    let from: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    let is_ours = from.authority()?.as_str().eq_ignore_ascii_case(call.host.asked()?);
    let target = from.path_and_query()?.as_str();
    (is_ours && is_of_this_site(target)).then(|| target.into())
}
