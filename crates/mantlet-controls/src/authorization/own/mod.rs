//! Is this object the caller's?
//!
//! Defends objects that are handed out by their number alone: `GET /orders/124` with the token of
//! another customer (OWASP API1, Broken Object Level Authorization).
//!
//! A rule says where the owner of an object stands, and with which attribute of the caller it has to be
//! the same. In the path, the query or the body it is compared before the app is asked. In an answer of
//! the app it is compared before the answer is released; for a request that writes, the object is read
//! first, as the same caller.
//!
//! What is not the caller's looks like what does not exist: status, headers and body are those of the
//! app's own 404, and so is the time.

pub(crate) mod absent;
mod config;
mod glance;
mod pointer;
mod read;

use std::sync::Arc;

use http::Method;
use mantlet_contract::json::{self, Item, Json, Kind, Limits};

pub use self::config::{ListAction, OwnConfig, Unclear, Writes};
pub(super) use self::config::{check, of_config, words};
use self::{pointer::Pointer, read::Target};
use super::condition::{Condition, Input, is_missing, is_of_caller, is_same_uuid, values_of_caller};
use super::evidence::{Counted, News, RuleEvidence, operation};
use crate::{Call, Mode, Reason, Refusal, config::template::as_get};

/// A checked rule.
#[derive(Debug)]
pub(crate) struct Own {
    owner: Owner,
    /// Where the object itself names another user whose it is, too.
    also: Option<Pointer>,
    /// The attribute of the caller that has to be the same.
    equals: Box<str>,
    /// Callers for whom the rule does not count.
    unless: Vec<Condition>,
    read: Option<Target>,
    writes: Writes,
    /// Where it is not seen whose the object is.
    missing: Unclear,
    /// Where the owner is null.
    nulls: Unclear,
    /// Where the app says to this caller that it does not exist.
    absent: Unclear,
    pub(crate) mode: Mode,
    /// Where the rule stands in the configuration.
    place: Arc<str>,
    /// What traffic says of it.
    pub(super) evidence: Arc<RuleEvidence>,
    /// None if the configuration has it.
    pub(super) proposed: Option<Proposed>,
}

/// A rule that the app's tables propose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proposed {
    /// Its number, as `mantlet objects` shows it.
    pub(super) number: usize,
    /// It is enforced without a line of configuration once traffic has confirmed it for a day.
    pub(super) by_itself: bool,
}

/// Where the owner of an object stands.
#[derive(Debug)]
enum Owner {
    Input(Input),
    Body(Pointer),
    Response(Pointer),
    /// In each item of a list in the app's answer.
    Item {
        items: Pointer,
        owner: Pointer,
        list: ListAction,
        count: Option<Pointer>,
    },
}

/// Whose an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Callers,
    /// Nothing of an object is there: an empty list, a body that names no owner, a null that may pass. It
    /// passes, and proves nothing.
    Nothing,
    Foreign,
    /// Why that is not known.
    Unclear(&'static str),
    /// The app says to this caller that it does not exist.
    Absent,
}

/// The body of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent<'j> {
    Nothing,
    Json(&'j Json<'j>),
    /// It is not JSON, or too large.
    Other,
}

impl<'j> Sent<'j> {
    fn root(self) -> Option<Item<'j>> {
        match self {
            Self::Json(json) => Some(json.root()),
            Self::Nothing | Self::Other => None,
        }
    }
}

/// What has to be done before the app gets a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// It is known.
    Known(Whose),
    /// The app's answer tells.
    Answer,
    /// The object has to be read, here.
    ReadHere,
    /// Objects have to be read at these targets.
    ReadAt(Vec<String>),
}

/// What an answer of the app says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum After {
    Known(Whose),
    /// Other objects have to be read at these targets.
    ReadAt(Vec<String>),
    /// Items were removed, because of these: so many of so many; the rest.
    Removed {
        whose: Whose,
        removed: usize,
        of: usize,
        rest: Vec<u8>,
    },
}

impl Own {
    /// Whether the rule says something about this caller.
    pub(super) fn counts_for(&self, call: &Call, query: Option<&str>) -> bool {
        !self.unless.iter().any(|condition| condition.holds(call, query))
    }

    /// Whether something about the caller, which is not known by its credential, may decide it.
    pub(super) fn asks_about(&self, call: &Call) -> bool {
        is_missing(call, &self.equals) || self.unless.iter().any(|condition| condition.asks_about(call))
    }

    /// The attributes that it is about.
    pub(super) fn attributes(&self) -> impl Iterator<Item = &str> {
        self.unless.iter().flat_map(Condition::attributes).chain([&*self.equals])
    }

    /// Whether the body of a request says something.
    pub(crate) fn asks_body(&self) -> bool {
        matches!(self.owner, Owner::Body(_)) || self.read.as_ref().is_some_and(Target::asks_body)
    }

    /// What is known before the app has the request.
    pub(crate) fn before(&self, call: &Call, query: Option<&str>, body: Sent<'_>) -> Before {
        match &self.owner {
            Owner::Input(input) => {
                let values = input.values(call, query);
                Before::Known(if values.is_empty() {
                    Whose::Unclear("the parameter is missing")
                } else if is_of_caller(call, &self.equals, &values) {
                    Whose::Callers
                } else {
                    Whose::Foreign
                })
            }
            Owner::Body(pointer) => Before::Known(match body {
                // What is not there is not set.
                Sent::Nothing => Whose::Nothing,
                Sent::Json(body) => self.whose_in_body(call, pointer, body.root()),
                Sent::Other => Whose::Unclear("the body is not JSON, or too large"),
            }),
            Owner::Item { .. } if call.opens_websocket => {
                Before::Known(Whose::Unclear("a WebSocket has no answer in which it is seen"))
            }
            Owner::Item { .. } if is_read(&call.method) => Before::Answer,
            // Nothing is read or changed of the list by itself.
            Owner::Item { .. } => Before::Known(Whose::Nothing),
            Owner::Response(_) => self.before_object(call, query, body),
        }
    }

    /// Fields may have several names: whichever are there have to name the caller.
    fn whose_in_body(&self, call: &Call, pointer: &Pointer, body: Item<'_>) -> Whose {
        let own = values_of_caller(call, &self.equals);
        let contract = call.operation.as_ref().map(|matched| &matched.contract);
        let mut all = Whose::Nothing;
        for pointer in pointer.spelled(|name| contract?.spellings(name)) {
            if pointer.is_absent(body) {
                continue;
            }
            let found = pointer.find(body).map(|found| self.whose(&own, found));
            match found.unwrap_or(Whose::Unclear("the body does not say it in one way")) {
                Whose::Foreign => return Whose::Foreign,
                Whose::Callers if all != Whose::Nothing => {}
                Whose::Nothing => {}
                other => all = other,
            }
        }
        all
    }

    fn before_object(&self, call: &Call, query: Option<&str>, body: Sent<'_>) -> Before {
        let writes = call.method != Method::GET || call.opens_websocket;
        if !is_read(&call.method) {
            match self.writes {
                Writes::ReadFirst => {}
                Writes::Answer => return Before::Answer,
                Writes::Pass => return Before::Known(Whose::Nothing),
            }
        }
        match self.read.as_ref().filter(|target| !target.asks_response()) {
            Some(target) => match target.fill(call, query, body.root(), None) {
                Ok(targets) => Before::ReadAt(targets),
                Err(why) => Before::Known(Whose::Unclear(why)),
            },
            None if call.opens_websocket => {
                Before::Known(Whose::Unclear("a WebSocket has no answer in which it is seen; name a `read`"))
            }
            None if writes => Before::ReadHere,
            None => Before::Answer,
        }
    }

    /// What an answer of the app with this body says. `is_object`: the object itself was asked for, not
    /// that which has its owner.
    pub(crate) fn after(&self, call: &Call, query: Option<&str>, body: &[u8], is_object: bool) -> After {
        let own = values_of_caller(call, &self.equals);
        if self.is_plainly_own(body, &own, is_object) {
            return After::Known(Whose::Callers);
        }
        let limits = Limits { depth: usize::MAX, ..Limits::default() };
        let Ok(json) = json::parse(body, limits) else {
            return After::Known(Whose::Unclear("the answer is not JSON"));
        };
        match &self.owner {
            Owner::Response(pointer) => {
                let also = self.also.as_ref().filter(|_| is_object).and_then(|also| also.find(json.root()));
                if also.is_some_and(|also| names_one_of(&own, also)) {
                    return After::Known(Whose::Callers);
                }
                if let Some(target) = self.read.as_ref().filter(|target| is_object && target.asks_response())
                {
                    return match target.fill(call, query, None, Some(json.root())) {
                        Ok(targets) => After::ReadAt(targets),
                        Err(why) => After::Known(Whose::Unclear(why)),
                    };
                }
                let found = pointer.find(json.root());
                After::Known(found.map_or(UNSEEN, |found| self.whose(&own, found)))
            }
            Owner::Item { items, owner, list, count } => {
                let Some(Kind::Array(items)) = items.find(json.root()).map(Item::kind) else {
                    return After::Known(Whose::Unclear("the answer has no list there"));
                };
                let (mut cuts, of) = (Vec::new(), items.len());
                // Of what passes, and of what does not.
                let (mut passes, mut against) = (Whose::Nothing, Whose::Foreign);
                for item in items {
                    let whose = owner.find(item).map_or(UNSEEN, |found| self.whose(&own, found));
                    if self.is_against(whose) {
                        if cuts.is_empty() || whose == Whose::Foreign {
                            against = whose;
                        }
                        cuts.push(item.span());
                    } else if whose == Whose::Callers {
                        passes = whose;
                    }
                }
                if cuts.is_empty() {
                    return After::Known(passes);
                }
                if *list == ListAction::Refuse {
                    return After::Known(Whose::Foreign);
                }
                let removed = cuts.len();
                let mut rest = json::cut(body, &cuts);
                if let Some(count) = count {
                    lower(&mut rest, count, removed);
                }
                After::Removed { whose: against, removed, of, rest }
            }
            Owner::Input(_) | Owner::Body(_) => After::Known(Whose::Nothing),
        }
    }

    /// Whether a glance shows that all is the caller's. If not, it may be all the same.
    fn is_plainly_own(&self, body: &[u8], own: &[String], is_object: bool) -> bool {
        let own = glance::Values::of(own);
        match &self.owner {
            Owner::Response(owner) if !(is_object && self.leads_elsewhere()) => {
                glance::is_own(body, owner.steps(), &own)
            }
            Owner::Item { items, owner, .. } => glance::are_own(body, items.steps(), owner.steps(), &own),
            _ => false,
        }
    }

    /// Whether the owner is that of something else, to which the object leads.
    pub(crate) fn leads_elsewhere(&self) -> bool {
        self.read.as_ref().is_some_and(Target::asks_response)
    }

    fn whose(&self, own: &[String], found: Item<'_>) -> Whose {
        match found.kind() {
            _ if names_one_of(own, found) => Whose::Callers,
            // An array has several owners.
            Kind::Text(_) | Kind::Int(_) | Kind::Array(_) => Whose::Foreign,
            Kind::Null if self.nulls == Unclear::Pass => Whose::Nothing,
            Kind::Null => Whose::Unclear(NULL),
            _ => Whose::Unclear("the owner is neither a text nor a number"),
        }
    }

    /// Whether it is not the caller's, as far as this rule knows.
    pub(crate) fn is_against(&self, whose: Whose) -> bool {
        match whose {
            Whose::Callers | Whose::Nothing => false,
            Whose::Foreign => true,
            Whose::Absent => self.absent == Unclear::Refuse,
            Whose::Unclear(why) => why == NULL || self.missing == Unclear::Refuse,
        }
    }

    /// Whether a request goes on although its object does not exist.
    pub(crate) fn lets_create(&self, call: &Call) -> bool {
        self.absent == Unclear::Pass && call.method == Method::PUT
    }

    /// The refusal.
    pub(crate) fn refusal(&self, whose: Whose) -> Refusal {
        let other = if self.mode == Mode::Enforce { "report" } else { "enforce" };
        let (reason, subject, key) = match whose {
            Whose::Unclear(why) => {
                let key = if why == NULL { "nulls = \"pass\"" } else { "missing = \"pass\"" };
                (Reason::ObjectOwnerUnclear, format!("{}: {why}", self.place).into(), Some(key))
            }
            Whose::Foreign | Whose::Callers | Whose::Nothing | Whose::Absent => {
                (Reason::ObjectForeign, Arc::clone(&self.place), None)
            }
        };
        let line = match (self.proposed, key.filter(|_| self.mode == Mode::Enforce)) {
            // The configuration has no line yet.
            (Some(proposed), _) => format!("mantlet objects accept {}", proposed.number),
            (None, Some(key)) => format!("{key} # in {}", self.place),
            (None, None) => format!("mode = \"{other}\" # in {}", self.place),
        };
        Refusal {
            seems: Some(Reason::RouteUnknown),
            remedy: Some(line.into()),
            ..Refusal::about(reason, subject)
        }
    }

    /// Counts what was found of an object that the app has shown, or let be changed. Returns what that
    /// changes.
    pub(crate) fn note(&self, call: &Call, whose: Whose) -> Option<News> {
        let caller = values_of_caller(call, &self.equals);
        // Nothing is known of callers without the attribute, and what is refused proves nothing: else two
        // callers could disarm a rule.
        let is_nothing = match whose {
            Whose::Callers => false,
            Whose::Nothing | Whose::Unclear(SILENT) => true,
            Whose::Absent if self.absent == Unclear::Pass => true,
            Whose::Foreign | Whose::Unclear(_) | Whose::Absent => self.mode == Mode::Enforce,
        };
        if is_nothing || caller.is_empty() {
            return None;
        }
        let (method, path) = operation_of(call);
        let (evidence, now) = (self.evidence.of(method, path)?, call.clock.time().as_second());
        let by_itself = self.proposed.is_some_and(|proposed| proposed.by_itself);
        let news = match whose {
            Whose::Callers | Whose::Nothing => evidence.note_own(&caller, now, by_itself),
            Whose::Foreign => evidence.note_foreign(&caller, now, call.request_id.as_str()),
            Whose::Unclear(why) => evidence.note_unclear(&caller, now, why),
            Whose::Absent => evidence.note_unclear(&caller, now, "the app says that it does not exist"),
        };
        news.filter(|_| by_itself)
    }

    /// Whether the attribute of this caller is known.
    pub(crate) fn knows(&self, call: &Call) -> bool {
        !values_of_caller(call, &self.equals).is_empty()
    }

    /// Whether nothing that is found can confirm it any more.
    pub(crate) fn is_contradicted(&self, call: &Call) -> bool {
        let (method, path) = operation_of(call);
        self.evidence.of(method, path).is_none_or(|evidence| evidence.is_against())
    }

    /// Counts what an answer says that nothing depends on.
    pub(crate) fn learn(&self, call: &Call, body: &[u8]) -> Option<News> {
        match self.after(call, None, body, true) {
            After::Known(whose) | After::Removed { whose, .. } => self.note(call, whose),
            After::ReadAt(_) => None,
        }
    }

    /// What it says, in a few words.
    pub(crate) fn summary(&self, call: &Call) -> String {
        let (method, path) = operation_of(call);
        format!("{}: {}", self.place, operation(method, path))
    }

    /// What is known of it, for each operation.
    pub(super) fn counted(&self) -> Vec<Counted> {
        self.evidence.counted()
    }

    /// The place of the rule.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }
}

const NULL: &str = "the owner is null";
const UNSEEN: Whose = Whose::Unclear("the owner is not in the answer");
/// That says nothing about the object.
pub(crate) const SILENT: &str = "the app does not answer";

/// The operation of a request, by which it is counted. An unknown one is counted with all that are.
fn operation_of(call: &Call) -> (&Method, &str) {
    match &call.operation {
        Some(matched) => (as_get(&call.method).unwrap_or(&call.method), matched.route.own_path()),
        None => (&Method::GET, ""),
    }
}

/// Whether a value, or one of a list, is one of these.
fn names_one_of(own: &[String], found: Item<'_>) -> bool {
    let is_own = |text: &str| own.iter().any(|own| **own == *text || is_same_uuid(own, text));
    match found.kind() {
        Kind::Text(text) | Kind::Int(text) => is_own(text),
        Kind::Array(mut items) => {
            items.any(|item| matches!(item.kind(), Kind::Text(text) | Kind::Int(text) if is_own(text)))
        }
        _ => false,
    }
}

/// Whether a request only asks for something.
fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Lowers a number.
fn lower(body: &mut Vec<u8>, pointer: &Pointer, by: usize) {
    let Ok(json) = json::parse(body, Limits { depth: usize::MAX, ..Limits::default() }) else { return };
    let Some(found) = pointer.find(json.root()) else { return };
    let Kind::Int(text) = found.kind() else { return };
    let Ok(number) = text.parse::<u64>() else { return };
    let (span, lowered) = (found.span(), number.saturating_sub(by as u64).to_string());
    body.splice(span, lowered.into_bytes());
}

#[cfg(test)]
mod tests;
