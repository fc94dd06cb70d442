//! Which sessions a logout ends, and which cookies it leaves.

use http::{HeaderMap, header};

use super::{
    Policy,
    course::Seen,
    handing_out::begin,
    sessions::{Cause, Event, Kind, digest, digest_of_cookie, name_of_subject},
};
use crate::{Call, message::cookie::SetCookie};

impl Policy {
    /// The client has logged out.
    pub(super) fn end(&self, call: &Call, course: &Seen<'_>, headers: &HeaderMap, now: i64) -> Vec<Event> {
        let sets = headers.get_all(header::SET_COOKIE).iter();
        let sets: Vec<_> = sets.filter_map(|line| SetCookie::parse(line.as_bytes())).collect();
        let of_body = course.in_body.iter().filter_map(|token| self.sessions.find(&digest(token.as_bytes())));
        let mut ids: Vec<_> = of_body.map(|found| found.session.facts.id).collect();
        ids.extend(course.shown.ended_with(&sets, call.clock, &self.sessions));
        let mut events = Vec::new();
        // Handed out before the gate was there, and verified by the app's own key.
        if let (true, Some(stray), Some(principal)) = (ids.is_empty(), course.stray, &call.principal)
            && principal.is_of_app
            && let Some(expires) = principal.expires
        {
            let names = vec![name_of_subject(&principal.subject)];
            let session = begin(call, (Some(principal.subject.clone()), names), None, now, &mut events);
            let (kind, expires) = (Kind::Bearer, Some(expires));
            events.push(Event::HandedOut { session, digest: stray, kind, cookie: None, at: now, expires });
            ids.push(session);
        }
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let left = self.left_by(call, course, &sets, id);
            events.extend(self.ended_but(id, now, Cause::Logout, &left));
        }
        events
    }

    /// Cookies of a session that the answer to a logout leaves to the client, while it takes others back:
    /// the app uses them for something else, for example to know the browser again. But a signed token
    /// is good until it expires, and what the app declares is of its sessions. Of a cookie that the
    /// client has not sent the app has decided nothing.
    fn left_by(&self, call: &Call, course: &Seen<'_>, sets: &[SetCookie<'_>], session: u64) -> Vec<Box<str>> {
        let Some(session) = self.sessions.session(session) else { return Vec::new() };
        let known = self.sessions.credentials(&session).into_iter();
        let known: Vec<_> =
            known.filter_map(|(digest, credential)| Some((digest, credential.cookie?))).collect();
        let is_known = |set: &SetCookie<'_>| {
            let value = digest_of_cookie(set.value);
            known.iter().any(|(digest, _)| *digest == value)
        };
        let is_taken = |name: &str| sets.iter().any(|set| set.name == name.as_bytes() && !is_known(set));
        if !known.iter().any(|(_, name)| is_taken(name)) {
            return Vec::new();
        }
        let declared = call.operation.as_ref().map(|matched| &*matched.contract.session_cookies);
        let is_declared = |name: &str| declared.unwrap_or_default().iter().any(|own| own == name);
        let is_signed = |name: &str| {
            let mut values = known.iter().filter(|(_, own)| &**own == name);
            values.any(|(digest, _)| course.sent.has_digest(digest))
        };
        let mut left: Vec<Box<str>> = known.iter().map(|(_, name)| (&**name).into()).collect();
        left.sort_unstable();
        left.dedup();
        let is_sent = |name: &str| {
            let shown = course.shown.by_cookie(name.as_bytes());
            shown.is_some_and(|shown| shown.session.facts.id == session.facts.id)
        };
        left.retain(|name| is_sent(name) && !is_taken(name) && !is_declared(name) && !is_signed(name));
        left
    }
}
