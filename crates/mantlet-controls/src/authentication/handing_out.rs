//! What answers of the app hand out: tokens and cookies, each in a session.

use http::{HeaderMap, header};
use serde_json::Value;

use super::{
    Policy,
    sent::{MOST_LINKS, Sent, tokens_in_text},
    sessions::{Digest, Event, Kind, SessionFacts, digest, digest_of_cookie, name_of_login, name_of_subject},
    shown::{AllShown, Shown},
};
use crate::{
    Call,
    call::Known,
    identity::{TokenUse, Verdict, tokens_in},
    message::cookie::SetCookie,
    token::unverified,
};

/// Bytes of the shortest value that can be a session: 96 bits in base64.
const SHORTEST: usize = 16;

impl Policy {
    /// New tokens in any answer, and in the address to which it sends the client, that the app's key
    /// verifies, and whom each is about.
    pub(super) fn good_tokens(
        &self,
        call: &Call,
        sent: &Sent,
        (body, location): (Option<&[u8]>, Option<&[u8]>),
    ) -> Vec<(Known, String)> {
        // Nearly all answers end here.
        let may_hold_one = |text: &[u8]| memchr::memmem::find(text, b"eyJ").is_some();
        let body = body.filter(|text| may_hold_one(text));
        let location = location.filter(|text| may_hold_one(text));
        if body.is_none() && location.is_none() {
            return Vec::new();
        }
        let pinned = self.memory.pinned();
        let Some(pinned) = &*pinned else { return Vec::new() };
        let answer: Option<Value> = body.and_then(|body| serde_json::from_slice(body).ok());
        let of_body = answer.as_ref().map(tokens_in).unwrap_or_default().into_iter();
        let of_body = of_body.filter(|(own, _)| *own == TokenUse::Access).map(|(_, token)| token);
        let of_location = location.into_iter().flat_map(tokens_in_text).take(MOST_LINKS);
        let is_new =
            |token: &str| !sent.has(token) && self.sessions.find(&digest(token.as_bytes())).is_none();
        let judged = of_body.chain(of_location).filter(|token| is_new(token));
        let good = judged.filter_map(|token| match pinned.judge(token, call.clock.time()) {
            Verdict::Good(principal) => Some((principal, token.to_owned())),
            Verdict::Bad(..) | Verdict::Unjudged => None,
        });
        good.collect()
    }

    /// Tokens in an answer that no word of the app calls a login: the way back from another provider, a
    /// link in a mail, a new token for each request. Those of the client's own account belong to its
    /// session, and those of another account to one of their own, which ends with the client's.
    pub(super) fn hand_out_found(
        &self,
        call: &Call,
        shown: Option<&Shown>,
        found: &[(Known, String)],
        now: i64,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let mut sessions: Vec<(&str, u64)> = Vec::new();
        for (principal, token) in found {
            let subject = &*principal.subject;
            let name = name_of_subject(subject);
            let shown = shown.map(|shown| &shown.session);
            let own = shown.filter(|session| session.has_name(&name)).map(|session| session.facts.id);
            let before = || self.sessions.within(shown?.facts.id, &name);
            let known = sessions.iter().find(|(known, _)| *known == subject).map(|(_, session)| *session);
            let session = own.or(known).or_else(before).unwrap_or_else(|| {
                let within = shown.map(|session| session.facts.id);
                begin(call, (Some(subject.into()), vec![name]), within, now, &mut events)
            });
            sessions.push((subject, session));
            let (kind, digest, expires) = (Kind::Bearer, digest(token.as_bytes()), principal.expires);
            events.push(Event::HandedOut { session, digest, kind, cookie: None, at: now, expires });
        }
        events
    }
}

/// What is known of a login, or of a renewal, before the app has answered.
pub(super) struct Login<'r> {
    /// The accounts that it names.
    pub(super) accounts: &'r [String],
    pub(super) sent: &'r Sent,
    /// The session that goes on.
    pub(super) renewed: Option<u64>,
    pub(super) shown: &'r AllShown,
}

impl Login<'_> {
    /// New credentials in its answer.
    pub(super) fn hand_out(
        &self,
        call: &Call,
        tokens: &[(TokenUse, &str)],
        cookies: &[(&str, &[u8])],
        now: i64,
    ) -> Vec<Event> {
        let mut credentials: Vec<Credential> = Vec::new();
        let mut subject = None;
        for (own, token) in tokens.iter().filter(|(_, token)| !self.sent.has(token)) {
            let kind = if *own == TokenUse::Refresh { Kind::Refresh } else { Kind::Bearer };
            let claims = unverified(token);
            let expires = claims.as_ref().and_then(|claims| claims.expires);
            subject = subject.or_else(|| claims?.subject());
            credentials.push((kind, None, digest(token.as_bytes()), expires));
        }
        for &(name, value) in cookies {
            let claims = std::str::from_utf8(value).ok().and_then(unverified);
            let expires = claims.as_ref().and_then(|claims| claims.expires);
            subject = subject.or_else(|| claims?.subject());
            credentials.push((Kind::Cookie, Some(name.into()), digest_of_cookie(value), expires));
        }
        if credentials.is_empty() {
            return Vec::new();
        }
        let mut events = Vec::new();
        let session = self.renewed.unwrap_or_else(|| {
            let mut names: Vec<_> = self.accounts.iter().map(|account| name_of_login(account)).collect();
            names.extend(subject.as_deref().map(name_of_subject));
            // A cookie that stays the same: as at a login after a registration, which had another name.
            // Beside others it is more likely one that all accounts get.
            let only = Some(&credentials).filter(|all| all.len() == 1).into_iter().flatten();
            let same = only.into_iter().find_map(|(_, cookie, digest, _)| {
                self.shown.by_cookie(cookie.as_deref()?.as_bytes()).filter(|shown| shown.digest == *digest)
            });
            names.extend(same.map(|shown| shown.session.names()).unwrap_or_default());
            let named = self.accounts.first().filter(|name| !name.is_empty());
            let account = named.map(|name| name.as_str().into()).or(subject);
            begin(call, (account, names), None, now, &mut events)
        });
        events.extend(credentials.into_iter().map(|(kind, cookie, digest, expires)| Event::HandedOut {
            session,
            digest,
            kind,
            cookie,
            at: now,
            expires,
        }));
        events
    }
}

/// A credential that the app hands out: its kind, the name of its cookie, its digest, its end.
type Credential = (Kind, Option<Box<str>>, Digest, Option<i64>);

/// Begins a session of an account with these names.
pub(super) fn begin(
    call: &Call,
    (account, names): (Option<Box<str>>, Vec<Digest>),
    within: Option<u64>,
    now: i64,
    events: &mut Vec<Event>,
) -> u64 {
    let id = new_id();
    let address = call.client.address;
    events.push(Event::Began(SessionFacts { id, account, names, began: now, address, within }));
    id
}

/// The cookies of an answer to a login that may be its session: those that the app declares, else
/// those that scripts cannot read, else the only one. A cookie with a short value is a preference.
pub(super) fn set_cookies<'h>(call: &Call, headers: &'h HeaderMap) -> Vec<(&'h str, &'h [u8])> {
    let all: Vec<_> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|line| SetCookie::parse(line.as_bytes()))
        .filter(|set| set.value.len() >= SHORTEST && !set.is_removal(call.clock))
        .filter_map(|set| Some((std::str::from_utf8(set.name).ok()?, set)))
        .collect();
    let declared =
        call.operation.as_ref().map(|matched| &*matched.contract.session_cookies).unwrap_or_default();
    let is_declared = |name: &str| declared.iter().any(|own| own == name);
    let chosen = |is_it: &dyn Fn(&str, &SetCookie<'h>) -> bool| {
        let those = all.iter().filter(|(name, set)| is_it(name, set));
        those.map(|(name, set)| (*name, set.value)).collect::<Vec<_>>()
    };
    let of_contract = chosen(&|name, _| is_declared(name));
    if !of_contract.is_empty() {
        return of_contract;
    }
    let hidden = chosen(&|_, set| set.attribute("httponly").is_some());
    if hidden.is_empty() && all.len() == 1 { chosen(&|_, _| true) } else { hidden }
}

/// A number that is not guessed.
fn new_id() -> u64 {
    let mut bytes = [0; 8];
    // Without random bytes the system has failed in every other way, too.
    let _ = getrandom::fill(&mut bytes);
    u64::from_be_bytes(bytes).max(1)
}
