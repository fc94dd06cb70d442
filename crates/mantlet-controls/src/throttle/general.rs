//! The general rate: how many requests one address may send, whatever they are for.
//!
//! By default there is no fixed number: the gateway shares a busy app among its clients, and this
//! control only records clients that send many requests. With a number in the configuration,
//! requests beyond it are refused.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::throttle::{Policy, RateText, Tarpit, Verdict, rate::Rate, take_here};
use crate::{Call, Mode, Reason, Refusal};

/// `[throttle] rate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GeneralRate {
    /// As much as the app can carry.
    #[default]
    Auto,
    /// So much and no more.
    Fixed(RateText),
}

/// The rate above which a client is recorded while there is no fixed rate. A page that loads a
/// hundred things at once, and a test run of some thousand requests a minute, stay below it.
pub(super) const MUCH: RateText = RateText::new(100, Duration::from_secs(1));

/// Refusals of an address after which further ones are delayed: a malformed request is cheap to
/// send, but not to refuse. A page with a hundred broken links stays below it.
const REFUSALS: (u32, Duration, u32) = (20, Duration::from_secs(1), 200);
/// Where they are counted: no rule can have that name.
pub(super) const REFUSALS_TABLE: &str = "refusals of an address";

impl GeneralRate {
    /// The rate that is counted.
    pub(super) fn counted(self) -> RateText {
        match self {
            Self::Auto => MUCH,
            Self::Fixed(rate) => rate,
        }
    }
}

impl fmt::Display for GeneralRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(rate) => rate.fmt(f),
        }
    }
}

impl Serialize for GeneralRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GeneralRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let wrong =
            |()| de::Error::invalid_value(de::Unexpected::Str(&text), &"`auto` or a rate such as `100/s`");
        RateText::from_str(&text).map(Self::Fixed).map_err(wrong)
    }
}

impl Policy {
    /// Without a fixed rate, a client that sends many requests is recorded and not refused. A
    /// process of this machine is not recorded: it is a test, or the app's own.
    pub(super) fn note_much(&self, address: IpAddr, verdict: &mut Verdict) {
        if address.to_canonical().is_loopback() {
            return;
        }
        let key = self.group(address);
        if let Some(wait) = take_here(&self.client, key).wait {
            let repeated = !self.is_news(&self.client.name, key);
            let subject = Some(Arc::clone(&self.client.name));
            let remedy = Some(format!("throttle.rate = \"{MUCH}\"").into());
            let refusal = Refusal { repeated, subject, remedy, ..Refusal::retry(Reason::RateLimited, wait) };
            verdict.faults.push((Mode::Report, refusal));
        }
    }

    /// How long to delay a refusal, if at all: for a client that goes on after a refusal, or that
    /// has had many cheap ones.
    pub(crate) fn tarpit(&self, call: &Call, refusal: &Refusal) -> Option<Tarpit> {
        if self.tarpit.is_zero() {
            return None;
        }
        let goes_on = match refusal.reason {
            Reason::RateLimited | Reason::ClientBanned => refusal.repeated,
            reason => is_cheap_to_cause(reason) && self.has_had_many(call),
        };
        goes_on.then_some(Tarpit(self.tarpit))
    }

    /// Counts a refusal of an address.
    fn has_had_many(&self, call: &Call) -> bool {
        let Some(address) = call.client.address.filter(|_| self.mode == Mode::Enforce) else { return false };
        if self.is_exempt(call) || (!self.is_fixed && address.to_canonical().is_loopback()) {
            return false;
        }
        let (count, period, burst) = REFUSALS;
        Rate::new(count, period, burst).is_some_and(|rate| {
            self.refusals.take(self.refusals.key(self.group(address)), &rate).wait.is_some()
        })
    }
}

/// Whether such refusals are cheap for the client: refused before this control, for a made-up path,
/// or for exceeding its share.
const fn is_cheap_to_cause(reason: Reason) -> bool {
    // Reasons stand in the order of the pipeline.
    (reason as usize) < (Reason::RateLimited as usize)
        || matches!(
            reason,
            Reason::RouteUnknown | Reason::RouteMethodUnknown | Reason::RouteHidden | Reason::AppBusy
        )
}
