//! Whether one user changes or removes the object of another. Only objects that check itself created are touched.
//!
//! The answer to a change proves nothing. A finding needs all of these:
//!
//! 1. The owner created the object in this run, and was shown it twice before.
//! 2. The app answered the other user with a success.
//! 3. After that the owner is shown the change, or the object no more.
//! 4. The object is not for all to see; or something shows whose it is; or the app refuses the other user a smaller
//!    change of such an object, and takes it of the owner.
//!
//! An operation is right if it refuses the other user, or if what it took has no effect, and takes the same of the owner.

use http::Method;
use mantlet_contract::model::{Contract, Shape, ShapeId};
use serde_json::{Value, json};

use super::{
    asker::{Asker, Exchange},
    ledger::{Created, Creator, Ledger, consumers},
    operations::Known,
    ownership::{Pair, Whose, whose},
    sights::{self, Change, Sight, change},
    values::Amount,
    words::{is_email, is_id, is_owner},
    world::{App, Filling},
};
use crate::{
    exchange::Question,
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, live as rules},
};

/// Asks as the other user for changes of objects that the owner has just created.
#[expect(clippy::too_many_arguments, reason = "each is a fact of its own")]
pub(super) async fn review(
    contract: &Contract,
    app: &App<'_>,
    asker: &mut Asker<'_>,
    pair: &Pair<'_>,
    is_ordinary: bool,
    creators: &[Creator],
    ledger: &mut Ledger,
    review: &mut Review,
) {
    let row = Row::Owasp(Owasp::Api1);
    let (mut judged, mut open) = (0, Vec::new());
    for creator in creators {
        let Some(made_by) = app.known.get(creator.at) else { continue };
        let mut verdicts = Vec::new();
        for (at, above) in consumers(app, creator, made_by) {
            let Some(known) = app.known.get(at) else { continue };
            let is_change =
                matches!(known.method, Method::PUT | Method::PATCH | Method::DELETE | Method::POST);
            if !is_change || known.purpose.is_some() || asker.is_over() {
                continue;
            }
            // An object of its own for each operation: the one before may have removed it.
            let Some(object) = ledger.create(app, asker, creator, pair.owner, pair.owner_seen, &[]).await
            else {
                continue;
            };
            let Some(created) = ledger.all.get(object).cloned() else { continue };
            let case = Case { contract, app, pair, creator, created: &created, known, above, is_ordinary };
            let Some(judgement) = case.judge(asker, ledger).await else { continue };
            if judgement.is_gone {
                ledger.is_gone(object);
            }
            verdicts.push((known, judgement.verdict));
        }
        let refused: Vec<&Known<'_>> = verdicts
            .iter()
            .filter(|(known, verdict)| matches!(verdict, Verdict::Refused) && known.is_about_itself())
            .map(|(known, _)| *known)
            .collect();
        for (known, verdict) in verdicts {
            match verdict {
                Verdict::Found(finding) => review.found(*finding),
                Verdict::Refused | Verdict::WithoutEffect => {}
                // What all see, all may be meant to change. Not if the app refuses them less than that.
                Verdict::OfAll(finding) => {
                    let smaller = refused.iter().find(|one| strength(one) <= strength(known));
                    let Some(smaller) = smaller else {
                        open.push(known.name());
                        continue;
                    };
                    let fact = format!(
                        "`{}` refuses `{}`, and takes the same of `{}`",
                        smaller.name(),
                        pair.other.name,
                        pair.owner.name
                    );
                    review.found(finding.level(Level::High).fact(fact));
                }
                Verdict::Unjudged(why) => {
                    review.unjudged(row, format!("`{}`: {why}", known.name()));
                    continue;
                }
                Verdict::Nothing => continue,
            }
            judged += 1;
        }
    }
    review.looked(row, "operations that change by an id, asked as two users", judged);
    if !open.is_empty() {
        let names = open.join("`, `");
        review.unjudged(
            row,
            format!("`{names}`: all users see such an object, and nothing says that it is its maker's alone"),
        );
    }
}

/// How much an operation does to an object: who may not change it may not remove it.
fn strength(known: &Known<'_>) -> u8 {
    u8::from(known.method == Method::DELETE)
}

struct Case<'c> {
    contract: &'c Contract,
    app: &'c App<'c>,
    pair: &'c Pair<'c>,
    creator: &'c Creator,
    created: &'c Created,
    known: &'c Known<'c>,
    above: usize,
    is_ordinary: bool,
}

enum Verdict {
    Found(Box<Finding>),
    /// The other user may not, and the owner may.
    Refused,
    /// What the other user asked for was not done.
    WithoutEffect,
    /// The other user changes what all see. It is a finding if something else says whose it is.
    OfAll(Box<Finding>),
    /// Not known, and why.
    Unjudged(String),
    /// Not known, and not worth a word.
    Nothing,
}

struct Judgement {
    verdict: Verdict,
    /// The object is not there any more.
    is_gone: bool,
}

/// A change that was asked for, and what became of the object.
struct Tried {
    exchange: Exchange,
    /// It was asked for without a credential.
    is_open: bool,
    change: Change,
    after: Option<Exchange>,
    /// What the app answered for an object that does not exist.
    absent: Exchange,
    /// What the owner would ask for, and a text in it.
    question: Question,
    mark: Option<String>,
}

impl Case<'_> {
    async fn judge(&self, asker: &mut Asker<'_>, ledger: &Ledger) -> Option<Judgement> {
        let before = [self.look(asker).await, self.look(asker).await];
        let before = before.each_ref().map(Option::as_ref);
        let tried = self.try_it(asker, ledger, before).await?;
        let is_gone = tried.change == Change::Gone;
        let of = |verdict| Judgement { verdict, is_gone };
        let status = tried.exchange.answer.status;
        Some(match () {
            () if tried.exchange.is_throttled() => {
                of(Verdict::Unjudged("the app answered 429: too many requests".to_owned()))
            }
            () if status.is_server_error() || status.is_redirection() => {
                of(Verdict::Unjudged(format!("the app answered {}", status.as_u16())))
            }
            () if tried.exchange.is_success() && tried.change != Change::None => {
                of(self.conclude(asker, ledger, before[0], &tried))
            }
            // To what all see, all may add: comments, votes, members.
            () if tried.exchange.is_success() && self.adds_to_shared(&self.whose(ledger, before[0])) => {
                of(Verdict::Nothing)
            }
            () => self.as_owner(asker, before, &tried).await,
        })
    }

    async fn look(&self, asker: &mut Asker<'_>) -> Option<Sight> {
        sights::look(self.app, asker, self.creator, self.created, Some(self.pair.owner)).await
    }

    /// Asks for the change: of an object that does not exist, as nobody, and as the other user.
    async fn try_it(
        &self,
        asker: &mut Asker<'_>,
        ledger: &Ledger,
        before: [Option<&Sight>; 2],
    ) -> Option<Tried> {
        let Self { app, pair, known, created, .. } = self;
        let name = known.name();
        let values = created.values_for(self.above);
        let mut absents = values.clone();
        let absent = app.absent(known.parameters.last()?, &absents.pop()?)?;
        absents.push(absent);
        let object = before[0].and_then(Sight::object);
        let (absent, _) = self.change(ledger, &absents, object)?;
        let (unknown, unknown_mark) = self.change(ledger, &values, object)?;
        let (question, mark) = self.change(ledger, &values, object)?;
        let absent = asker.ask(&name, Some(pair.other), absent).await?;
        let nobody = asker.ask(&name, None, unknown).await?;
        if nobody.is_success() {
            let (change, after) = self.became(asker, before, unknown_mark.as_deref()).await;
            if change != Change::None {
                return Some(Tried {
                    exchange: nobody,
                    is_open: true,
                    change,
                    after,
                    absent,
                    question,
                    mark,
                });
            }
        }
        let exchange = asker.ask(&name, Some(pair.other), question.clone()).await?;
        let (change, after) = if exchange.is_success() {
            self.became(asker, before, mark.as_deref()).await
        } else {
            (Change::None, None)
        };
        Some(Tried { exchange, is_open: false, change, after, absent, question, mark })
    }

    /// What became of the object, as its owner sees it.
    async fn became(
        &self,
        asker: &mut Asker<'_>,
        before: [Option<&Sight>; 2],
        mark: Option<&str>,
    ) -> (Change, Option<Exchange>) {
        let after = self.look(asker).await;
        let seen = change(before, after.as_ref(), mark);
        if seen != Change::None {
            return (seen, after.map(|after| after.exchange));
        }
        match self.below(asker, mark).await {
            Some(shown) => (Change::Changed, Some(shown)),
            None => (Change::None, after.map(|after| after.exchange)),
        }
    }

    /// What lies below the object, where a change that the object itself does not show leaves its mark.
    async fn below(&self, asker: &mut Asker<'_>, mark: Option<&str>) -> Option<Exchange> {
        let made_by = self.app.known.get(self.creator.at)?;
        let mark = mark?;
        for (at, above) in consumers(self.app, self.creator, made_by) {
            let path = self.known.path.trim_end_matches('/');
            let is_it = |known: &Known<'_>| known.is_safe() && known.path.starts_with(path);
            if !self.app.known.get(at).is_some_and(is_it) {
                continue;
            }
            let shown =
                sights::read(self.app, asker, self.created, Some(self.pair.owner), (at, above)).await?;
            if shown.is_success() && String::from_utf8_lossy(&shown.answer.body).contains(mark) {
                return Some(shown);
            }
        }
        None
    }

    /// The same, asked as the owner: what the app refuses to both says nothing of owners.
    async fn as_owner(&self, asker: &mut Asker<'_>, before: [Option<&Sight>; 2], tried: &Tried) -> Judgement {
        let refused = tried.exchange.answer.status.as_u16();
        let is_refusal = matches!(refused, 401 | 403 | 404 | 410);
        let kept = |verdict| Judgement { verdict, is_gone: false };
        // What a POST does is done again by another one: what it makes could not be removed.
        if self.known.method == Method::POST {
            // It refuses this user whatever the object is: for a role.
            let is_of_role = matches!(refused, 401 | 403) && tried.absent.answer.status.as_u16() == refused;
            return kept(match () {
                () if is_of_role => Verdict::Nothing,
                () if is_refusal && before[0].is_some_and(Sight::is_there) => Verdict::Refused,
                () if tried.exchange.is_success() => unseen(before),
                () => Verdict::Unjudged(format!("the app answered {refused} to another user")),
            });
        }
        let (name, owner) = (self.known.name(), self.pair.owner);
        let Some(own) = asker.ask(&name, Some(owner), tried.question.clone()).await else {
            return kept(Verdict::Nothing);
        };
        let status = own.answer.status.as_u16();
        if !own.is_success() {
            let is_gone = self.is_removal() && matches!(status, 404 | 410);
            let verdict = match () {
                // Nothing reads it. The app took the same of the other user, and now there is nothing to remove.
                () if is_gone && tried.exchange.is_success() => self.removed(asker, tried, &own),
                // It refuses everyone but administrators.
                () if self.known.is_for_administrators() => Verdict::Nothing,
                () => Verdict::Unjudged(format!("the app answered {status} to the owner, too")),
            };
            return Judgement { verdict, is_gone };
        }
        let is_gone = self.is_removal();
        let verdict = if !tried.exchange.is_success() {
            Verdict::Refused
        } else if self.became(asker, before, tried.mark.as_deref()).await.0 == Change::None {
            unseen(before)
        } else {
            Verdict::WithoutEffect
        };
        Judgement { verdict, is_gone }
    }

    fn is_removal(&self) -> bool {
        self.known.method == Method::DELETE && self.known.is_about_itself()
    }

    fn adds_to_shared(&self, whose: &Whose) -> bool {
        whose.is_shared && !self.known.is_about_itself() && !self.known.is_for_administrators()
    }

    fn conclude(&self, asker: &Asker<'_>, ledger: &Ledger, before: Option<&Sight>, tried: &Tried) -> Verdict {
        let whose = self.whose(ledger, before);
        let is_for_administrators = self.known.is_for_administrators();
        if self.adds_to_shared(&whose) {
            return Verdict::Nothing;
        }
        let level = match () {
            () if tried.is_open => Level::Critical,
            () if is_for_administrators && self.is_ordinary => Level::High,
            () if is_for_administrators => Level::Low,
            () if whose.why.is_some() => Level::High,
            () => Level::Medium,
        };
        let is_of_all = whose.is_shared && whose.why.is_none() && !tried.is_open && !is_for_administrators;
        let mut finding = self.finding(tried).level(level);
        finding = finding.fact(whose.why.unwrap_or_else(|| "check created it, as another user".to_owned()));
        let shown = [before.map(|before| &before.exchange), Some(&tried.exchange), tried.after.as_ref()];
        for exchange in shown.into_iter().flatten() {
            finding = finding.shown_by(asker.evidence(exchange));
        }
        let finding = Box::new(self.app.closed(finding, self.known, before.and_then(Sight::object)));
        if is_of_all { Verdict::OfAll(finding) } else { Verdict::Found(finding) }
    }

    /// What the other user removed, though nothing reads it: the owner finds nothing to remove.
    fn removed(&self, asker: &Asker<'_>, tried: &Tried, own: &Exchange) -> Verdict {
        if tried.absent.is_success() {
            return unseen([None, None]);
        }
        let finding = self.finding(tried).fact("check created it, as another user");
        let finding = finding
            .shown_by(asker.evidence(&tried.exchange))
            .shown_by(asker.evidence(own))
            .level(Level::Medium);
        Verdict::Found(Box::new(self.app.closed(finding, self.known, None)))
    }

    fn finding(&self, tried: &Tried) -> Finding {
        let Self { pair, known, .. } = self;
        let rule = if known.is_for_administrators() {
            &rules::FUNCTION_OF_ADMINISTRATORS
        } else {
            &rules::OBJECT_CHANGED_BY_ANOTHER
        };
        let verb = if self.is_removal() { "removes" } else { "changes" };
        let whom = if tried.is_open { "everybody" } else { &pair.other.name };
        let message = format!("by `{}`, `{whom}` {verb} an object of `{}`", known.name(), pair.owner.name);
        Finding::new(rule, known.name(), message)
    }

    /// Whose the object is: judged by one that was there when the other user looked around, for this one is newer.
    fn whose(&self, ledger: &Ledger, before: Option<&Sight>) -> Whose {
        let first =
            ledger.all.iter().find(|one| one.creator == self.creator.at && one.by == *self.pair.owner);
        let values = first.unwrap_or(self.created).values_for(self.above);
        let filling = Filling { values, is_mentioned: false };
        let object = before.and_then(Sight::object).cloned();
        let object = object.or_else(|| first.and_then(|first| first.made.answer.json()));
        whose(self.contract, self.app, self.pair, self.known, &filling, object.as_ref())
    }

    /// A request for the operation, and a text in it that nothing else has.
    fn change(
        &self,
        ledger: &Ledger,
        values: &[String],
        object: Option<&Value>,
    ) -> Option<(Question, Option<String>)> {
        let (app, known, seen) = (self.app, self.known, self.pair.owner_seen);
        let now = object.and_then(Value::as_object);
        // `{"article": {…}}`
        let inner = now.filter(|map| map.len() == 1).and_then(|map| map.values().next());
        let now = inner.and_then(Value::as_object).or(now);
        let fields = known.deep_fields(&app.maker);
        let is_text = |(name, shape): &&(String, ShapeId)| {
            let is_plain = matches!(app.maker.bare(*shape), Some(Shape::Str { pattern: None, .. }));
            is_plain
                && !is_id(name)
                && !is_owner(name)
                && !is_email(name)
                && now.is_none_or(|now| now.contains_key(name))
        };
        let marked = fields.iter().find(is_text).map(|(name, _)| name.clone());
        let text = app.maker.text();
        let wishes = |name: &str| {
            if marked.as_deref() == Some(name) {
                return vec![json!(text)];
            }
            let same = now.and_then(|now| now.get(name)).cloned().filter(|_| known.method != Method::POST);
            same.into_iter().chain(ledger.wishes(app, seen, self.pair.owner, name, None)).collect()
        };
        let question = known.request(&app.maker, values, Amount::Required, &wishes)?;
        let is_in_it = String::from_utf8_lossy(&question.body).contains(&text);
        Some((question, is_in_it.then_some(text)))
    }
}

/// The app took a request, and nothing was seen to change.
fn unseen(before: [Option<&Sight>; 2]) -> Verdict {
    let is_seen = before[0].is_some_and(Sight::is_there);
    Verdict::Unjudged(if is_seen {
        "the app took the request of another user, and nothing was seen to change".to_owned()
    } else {
        "the app took the request of another user, and no operation shows whether that had an effect"
            .to_owned()
    })
}
