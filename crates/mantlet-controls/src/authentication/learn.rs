//! What answers of the app teach: the key by which it signs, and what it does with a token that is not
//! good.

use http::{HeaderMap, StatusCode, Uri};
use mantlet_contract::sensitive::Purpose;
use serde_json::Value;

use super::{
    Answers, Carrier, Course, Policy, Presented, Weakness, handing_out, is_refusal, kind_of,
    memory::Agreement, need_in, trial,
};
use crate::{
    Call, Mode,
    audit::{Record, Sink},
    identity::{TokenUse, Verdict, tokens_in},
    refusal::Words,
    token,
};

impl Policy {
    /// Whether the body of an answer is needed.
    pub(crate) fn asks_for(&self, call: &Call, presented: &Presented, status: StatusCode) -> bool {
        if self.mode == Mode::Off {
            return false;
        }
        let is_about_handshake = match presented {
            Presented::BadHandshake { target, .. } => self.asks_about_handshake(*target, status),
            _ => false,
        };
        is_about_handshake
            || (status.is_success() && hands_out_tokens(call))
            || self.asks_for_tokens(call, status)
    }

    /// Learns from an answer, and from its body where that was asked for. Returns a token by which a new
    /// key was found.
    pub(crate) fn learn(
        &self,
        call: &Call,
        presented: &Presented,
        audit: &impl Sink,
        answer: (StatusCode, &HeaderMap),
        body: Option<&[u8]>,
        course: Option<&Course>,
    ) -> Option<(Box<str>, Carrier)> {
        let (status, headers) = answer;
        match presented {
            Presented::Bad { fault, age, kind } => {
                let agreement = self.memory.agreement(*kind)?;
                if age.is_none() && status.is_success() && agreement.forged.is_accepted() {
                    audit.record(Record::of_bad_token_accepted(call, fault.text()));
                }
            }
            Presented::GoodHandshake { target } => self.learn_good_handshake(*target, status),
            Presented::BadHandshake { target, age } => {
                self.learn_bad_handshake(*target, age.is_some(), answer, body);
            }
            Presented::Nothing | Presented::Good(_) => {}
        }
        if status.is_success() && hands_out_tokens(call) {
            return self.learn_tokens(call, audit, headers, body, course?);
        }
        None
    }

    /// Learns from the tokens that the app hands out.
    fn learn_tokens(
        &self,
        call: &Call,
        audit: &impl Sink,
        headers: &HeaderMap,
        body: Option<&[u8]>,
        course: &Course,
    ) -> Option<(Box<str>, Carrier)> {
        let answer: Option<Value> = body.and_then(|body| serde_json::from_slice(body).ok());
        let tokens = answer.as_ref().map(tokens_in).unwrap_or_default().into_iter();
        let mut named = tokens.filter(|(own, _)| *own == TokenUse::Access).map(|(_, token)| token);
        let of_body = named.find(|token| token::has_its_form(token) && !course.sent.has(token));
        let of_cookies = || {
            let set = handing_out::set_cookies(call, headers).into_iter();
            let mut set = set.filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)));
            let (name, token) =
                set.find(|(_, value)| token::has_its_form(value) && !course.sent.has(value))?;
            Some((token, Carrier::Cookie(name.into())))
        };
        let (token, carrier) = of_body.map(|token| (token, Carrier::Bearer)).or_else(of_cookies)?;
        self.follow_the_app();
        let is_known = match &*self.memory.pinned() {
            Some(pinned) => !matches!(pinned.judge(token, call.clock.time()), Verdict::Bad(_, None)),
            None => false,
        };
        // The app has another key by now, if ours does not verify its own token.
        let is_new = !is_known && self.look_for_key(call, audit, token);
        let is_asked = is_new || self.where_to_ask(call, &carrier, false).is_some();
        is_asked.then(|| (token.into(), carrier))
    }

    /// Tries the candidates on a token that the app has made or accepted.
    fn look_for_key(&self, call: &Call, audit: &impl Sink, token: &str) -> bool {
        let (candidates, is_complete) = self.candidates.get();
        let (generation, guesses) = (self.candidates.generation(), self.memory.guesses());
        let found = trial::search(token, generation, &candidates, is_complete, true).or_else(|| {
            let guessed = guesses.found()?;
            trial::search(token, generation, std::slice::from_ref(&*guessed), false, false)
        });
        if found.is_none() {
            guesses.begin(token, generation);
        }
        let is_found = found.is_some();
        if let Some(found) = &found {
            let mode = self.mode.under(!found.is_only);
            let weakness = found.weakness.map(Weakness::code);
            audit.record(Record::of_key_found(call, &found.name, weakness, mode));
        }
        if is_found {
            self.memory.pin(found);
        } else {
            self.memory.is_not_the_only_one();
        }
        is_found
    }

    /// Where the app can be asked about the caller of a new token, and the way in which that operation
    /// asks for it; if it is not known yet what the app does with a forged one.
    pub(crate) fn where_to_ask(&self, call: &Call, carrier: &Carrier, begins: bool) -> Option<(Uri, u64)> {
        let contract = &call.operation.as_ref()?.contract;
        let (path, security) = contract.me()?;
        need_in(security, carrier)?;
        let kind = kind_of(security, carrier);
        let agreement = self.memory.agreement(kind)?;
        let path = path.parse().ok()?;
        let now = call.clock.time().as_second();
        (agreement.is_open() && (!begins || agreement.begin_to_ask(now))).then_some((path, kind))
    }

    /// What the app has answered: to a forged token, to one without signature, and to none, where it
    /// accepts good ones.
    pub(crate) fn has_asked(&self, kind: u64, call: &Call, audit: &impl Sink, answers: Option<&Answers>) {
        let Some(agreement) = self.memory.agreement(kind) else { return };
        if let Some(answers) = answers {
            self.note(&agreement, call, audit, answers);
        }
        agreement.has_asked();
    }

    /// There was no occasion to ask.
    pub(crate) fn did_not_ask(&self, kind: u64) {
        if let Some(agreement) = self.memory.agreement(kind) {
            agreement.did_not_ask();
        }
    }

    #[expect(clippy::unused_self, reason = "it stands beside what asks")]
    fn note(&self, agreement: &Agreement, call: &Call, audit: &impl Sink, answers: &Answers) {
        const WHAT: [&str; 2] = ["a token with another signature", "a token without a signature"];
        let Answers { bad, missing } = answers;
        if is_refusal(missing.status)
            && let Some(words) = Words::of(missing, missing)
        {
            agreement.missing.is_refused(words);
        }
        if let Some(accepted) = bad.iter().position(|said| said.status.is_success()) {
            // Where the app answers without a token, too, a bad one need not have been accepted.
            if is_refusal(missing.status) && agreement.forged.is_accepted() {
                let what = WHAT.get(accepted).copied().unwrap_or_default();
                audit.record(Record::of_bad_token_accepted(call, what));
            }
            return;
        }
        let [first, second] = bad;
        if is_refusal(first.status)
            && let Some(words) = Words::of(first, second)
        {
            agreement.forged.is_refused(words);
        }
    }
}

/// Whether an operation hands out tokens.
fn hands_out_tokens(call: &Call) -> bool {
    let sensitivity = call.operation.as_ref().and_then(|matched| matched.sensitivity(&call.method));
    sensitivity.is_some_and(|found| matches!(found.purpose, Purpose::Login | Purpose::Register))
}
