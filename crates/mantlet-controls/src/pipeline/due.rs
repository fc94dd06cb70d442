//! The debts of a request to the controls: counts that are kept or given back once its end is
//! known.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Policy, actions::Action, enumeration::Noted, own::Watched};
use crate::{
    Call, Mode, Reason, Refusal,
    accounts::{self, Callers},
    audit::{Record, Sink},
    authentication::{AllShown, Browser, Course, Presented, Sent},
    authorization::own::{Own, Whose},
    contract::agreement::Judged,
    csrf,
    message::Findings,
    refresh_tokens::Unwrapped,
    refusal::Faults,
    throttle,
};

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Reached {
    /// The app has not seen it.
    #[default]
    Gate,
    /// The app has it and has not answered.
    App,
    /// The app has responded, even if its response was replaced.
    Answered,
}

/// A caller that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stranger {
    /// It shows no credential.
    Anonymous,
    /// The app does not know its credential.
    Unknown,
}

/// How a request has ended.
pub(super) struct Outcome<'o> {
    /// The reason of its refusal, if it was refused.
    pub(super) reason: Option<Reason>,
    pub(super) status: StatusCode,
    pub(super) headers: &'o HeaderMap,
}

/// A caller with an account, and what keeps it.
pub(super) type WithAccount = (Arc<dyn Callers>, Arc<accounts::Caller>);

/// The debts of single controls. Each is settled once, whatever the ending.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// How far the request has come: that decides what is kept and what is given back.
    pub(super) reached: Reached,
    /// bans: a refusal counts towards one.
    pub(super) may_be_banned: bool,
    /// accounts: the caller with an account, and what keeps it.
    pub(super) account: Option<Box<WithAccount>>,
    /// attempts: an attempt, whose response decides.
    pub(super) attempt: Option<Box<throttle::Attempt>>,
    /// throttle: its counts in rules that only report, which learn its response.
    pub(super) counted: Option<Box<throttle::ReportedUse>>,
    /// quotas: its counts, until the app has responded.
    pub(super) taken: Option<Box<throttle::QuotaDebt>>,
    /// throttle: the client's standing with the rule closest to its limit, if responses say it.
    pub(super) standing: Option<Box<throttle::RateLimitStatus>>,
    /// authentication: what the app's answer can teach about tokens.
    pub(super) presented: Presented,
    /// authentication: the sessions of the request.
    pub(super) shown: AllShown,
    /// authentication: what it names of sessions, if its operation changes them.
    pub(super) course: Option<Box<Course>>,
    /// authentication: the tokens that it has sent, if its operation changes no sessions.
    pub(super) sent: Sent,
    /// authentication: its browser, if tokens are bound to browsers; and the cookie that this gets.
    pub(super) browser: Option<Box<Browser>>,
    pub(super) fingerprint: Option<HeaderValue>,
    /// refresh tokens: the request's handle, whose family waits for the answer.
    pub(super) refreshed: Option<Box<Unwrapped>>,
    /// authorization: what is recorded if the app accepts the request.
    pub(super) reported: Option<Box<Refusal>>,
    /// authorization: the app has not said who calls, although it was asked.
    pub(super) is_caller_unclear: bool,
    /// authorization: the request has no credential, or one that the app does not know.
    pub(super) stranger: Option<Stranger>,
    /// authorization: the rules about whose the object is.
    pub(super) own: Option<Box<Watched>>,
    /// authorization: who is calling and what the request names itself, if the ids in its answer are remembered.
    pub(super) noted: Option<Box<Noted>>,
    /// authorization: the rule that is compared with the answer, and changes nothing.
    pub(super) learning: Option<Arc<Own>>,
    /// authorization: what rules have found before the app had the request. It counts as evidence if the
    /// app accepts it.
    pub(super) found: Vec<(Arc<Own>, Whose)>,
    /// csrf: the request's session and token, if tokens are required.
    pub(super) csrf: Option<Box<csrf::token::Held>>,
    /// uploads, encoding: findings in the body, if it is watched.
    pub(super) findings: Option<Arc<Findings>>,
    /// audit: what the request does, if that is to be recorded.
    pub(super) action: Option<Box<Action>>,
    /// contract: the gate's verdict, to compare with the app's.
    pub(super) judged: Judged,
    /// contract: clients may not reach this. Unless the app's CORS allows the preflight, this is
    /// the response.
    pub(super) absent: Option<Box<Refusal>>,
}

impl Due {
    /// The counts of rules, and the client's standing with them.
    pub(super) fn owe(&mut self, verdict: throttle::Verdict) -> Faults {
        match (&mut self.counted, verdict.counted) {
            (Some(counted), Some(later)) => counted.and(*later),
            (counted, Some(first)) => *counted = Some(first),
            (_, None) => {}
        }
        if let Some(standing) = verdict.standing
            && self.standing.as_ref().is_none_or(|known| standing.is_nearer_its_end_than(known))
        {
            self.standing = Some(standing);
        }
        verdict.faults
    }

    /// Settles all debts.
    pub(super) fn settle(&self, policy: &Policy, call: &Call, audit: &impl Sink, outcome: &Outcome<'_>) {
        let (status, unseen) = (outcome.status, self.reached == Reached::Gate);
        if let Some(attempt) = &self.attempt {
            match self.reached {
                Reached::Answered => attempt.ended(status, outcome.headers, call.own_path()),
                // A request without the app's response is not a failure, and one that the app has
                // not seen does not count at all.
                Reached::App | Reached::Gate => attempt.unanswered(unseen),
            }
        }
        if let Some(taken) = &self.taken {
            match self.reached {
                Reached::Answered => {
                    for warning in taken.answered(status, self.judged.is_confirmed(status)) {
                        audit.record(warning.record(call));
                    }
                }
                Reached::Gate => taken.give_back(),
                Reached::App => {}
            }
        }
        if self.may_be_banned
            && let Some(record) = policy.throttle.note_refused(call, status, outcome.reason)
        {
            audit.record(record);
        }
        if let Some(counted) = &self.counted {
            counted.answered(status);
        }
    }

    /// Records findings in the body that were let through; returns the reason if the body was ended
    /// early.
    pub(super) fn tell_findings(
        &self,
        policy: &Policy,
        call: &Call,
        audit: &impl Sink,
    ) -> Option<&'static str> {
        let mut broken_off = None;
        for finding in self.findings.as_ref()?.take() {
            if finding.mode == Mode::Enforce {
                broken_off = Some(finding.what);
                continue;
            }
            let route = call.operation.as_ref().map_or("", |matched| matched.route.path.as_str());
            let name = || format!("{} {} {route}", finding.reason.code(), finding.what);
            if !finding.tolerated || policy.watched.is_new(&name()) {
                audit
                    .record(Record::of(call, &finding.reason.into(), Mode::Report).about(Some(finding.what)));
            }
        }
        broken_off
    }
}
