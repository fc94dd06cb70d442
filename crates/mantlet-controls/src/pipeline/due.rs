//! What a request owes the controls: what was counted for it, to be kept or given back once its end is known.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use super::Policy;
use crate::{
    Call, Mode, Reason, Refusal,
    audit::{Record, Sink},
    contract::agreement::Judged,
    csrf,
    message::Findings,
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
    /// The app has answered, whatever became of its answer.
    Answered,
}

/// How a request has ended.
pub(super) struct Outcome<'o> {
    /// For what it was refused, if it was.
    pub(super) reason: Option<Reason>,
    pub(super) status: StatusCode,
    pub(super) headers: &'o HeaderMap,
}

/// The debts of single controls. Each is settled once, whatever the ending.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// How far the request has come: that decides what is kept and what is given back.
    pub(super) reached: Reached,
    /// bans: a refusal counts towards one.
    pub(super) may_be_banned: bool,
    /// attempts: what the answer decides, if the request tries to log in or the like.
    pub(super) attempt: Option<Box<throttle::Attempt>>,
    /// throttle: where it was counted by rules that only report: they learn how it was answered.
    pub(super) counted: Option<Box<throttle::ReportedUse>>,
    /// quotas: those that it is counted for, until the app has answered.
    pub(super) taken: Option<Box<throttle::QuotaDebt>>,
    /// throttle: where the client stands with the rule that is nearest to its end, if answers tell.
    pub(super) standing: Option<Box<throttle::RateLimitStatus>>,
    /// csrf: what the request holds of session and token, where tokens are asked for.
    pub(super) csrf: Option<Box<csrf::token::Held>>,
    /// uploads, encoding: what was seen in the body, if it is looked at.
    pub(super) findings: Option<Arc<Findings>>,
    /// contract: what the app's verdict on its input is held against.
    pub(super) judged: Judged,
    /// contract: nothing is there for clients. Whatever the app says to a preflight but that it may ask, this is the answer.
    pub(super) absent: Option<Box<Refusal>>,
}

impl Due {
    /// What rules have counted, and where the client stands with them.
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

    /// Settles all that is owed.
    pub(super) fn settle(&self, policy: &Policy, call: &Call, audit: &impl Sink, outcome: &Outcome<'_>) {
        let (status, unseen) = (outcome.status, self.reached == Reached::Gate);
        if let Some(attempt) = &self.attempt {
            match self.reached {
                Reached::Answered => attempt.ended(status, outcome.headers, call.own_path()),
                // A request that the app has not answered was not a failure, and one that it has
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

    /// Records what was seen in the body and let through; says for what it broke off, if it did.
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
