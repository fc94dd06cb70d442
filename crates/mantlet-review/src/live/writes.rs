//! Whether one user changes or removes the object of another, and whether a request sets what it should not. Only
//! objects and accounts that check itself created are touched.

use http::Method;
use mantlet_contract::model::{Contract, RoleKind, Shape};
use serde_json::{Map, Value, json};

use super::{
    accounts::{self, Account},
    answers::{leaves, scalar},
    asker::{Asker, Exchange, Identity},
    ledger::{Created, Creator, Ledger, consumers},
    operations::Known,
    ownership::{Pair, Verdict, whose},
    values::Amount,
    words::{is_email, is_id, is_owner, is_password, is_role, is_user, simple},
    world::{App, Filling},
};
use crate::{
    exchange::Question,
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, Practice, live as rules},
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
    let mut judged = 0;
    for creator in creators {
        let Some(made_by) = app.known.get(creator.at) else { continue };
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
            let verdict = case.judge(asker, ledger).await;
            if verdict.is_removed {
                ledger.is_gone(object);
            }
            match verdict.verdict {
                Verdict::Found(finding) => {
                    review.found(*finding);
                    judged += 1;
                }
                Verdict::Right => judged += 1,
                Verdict::Unjudged(Some(why)) => review.unjudged(row, format!("`{}`: {why}", known.name())),
                Verdict::Unjudged(None) => {}
            }
        }
    }
    review.looked(row, "operations that change by an id, asked as two users", judged);
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

struct Judged {
    verdict: Verdict,
    is_removed: bool,
}

/// A change that was asked for: by whom, what the app answered, and whether it took.
struct Change {
    exchange: Exchange,
    is_open: bool,
    took: bool,
    is_removed: bool,
    after: Option<Exchange>,
    /// What the app answered for an object that does not exist.
    absent: Exchange,
}

impl Judged {
    fn right(is_removed: bool) -> Self {
        Self { verdict: Verdict::Right, is_removed }
    }

    fn not(why: Option<&str>) -> Self {
        Self { verdict: Verdict::Unjudged(why.map(str::to_owned)), is_removed: false }
    }
}

impl Case<'_> {
    async fn judge(&self, asker: &mut Asker<'_>, ledger: &Ledger) -> Judged {
        let before = self.look(asker, self.pair.owner).await;
        let again = self.look(asker, self.pair.owner).await;
        match self.try_it(asker, ledger, [before.as_ref(), again.as_ref()]).await {
            Some(change) if change.exchange.is_throttled() => {
                Judged::not(Some("the app answered 429: too many requests"))
            }
            Some(change) if !change.exchange.is_success() => Judged::right(false),
            Some(change) => self.conclude(asker, ledger, before.as_ref(), &change),
            None => Judged::not(None),
        }
    }

    /// Asks for the change: of an object that does not exist, as nobody, and as the other user.
    async fn try_it(
        &self,
        asker: &mut Asker<'_>,
        ledger: &Ledger,
        before: [Option<&Exchange>; 2],
    ) -> Option<Change> {
        let Self { app, pair, known, created, .. } = self;
        let name = known.name();
        let values = created.values_for(self.above);
        let mut absents = values.clone();
        let absent = app.absent(known.parameters.last()?, &absents.pop()?)?;
        absents.push(absent);
        let (absent, _) = self.change(ledger, &absents, before[0])?;
        let (unknown, unknown_mark) = self.change(ledger, &values, before[0])?;
        let (question, mark) = self.change(ledger, &values, before[0])?;
        let absent = asker.ask(&name, Some(pair.other), absent).await?;
        let nobody = asker.ask(&name, None, unknown).await?;
        let mut after = None;
        if nobody.is_success() {
            after = self.look(asker, pair.owner).await;
        }
        let is_open =
            nobody.is_success() && self.took(unknown_mark.as_deref(), before, after.as_ref(), &nobody);
        let (exchange, mark) = if is_open {
            (nobody, unknown_mark)
        } else {
            let other = asker.ask(&name, Some(pair.other), question).await?;
            after = self.look(asker, pair.owner).await;
            (other, mark)
        };
        let mut took = self.took(mark.as_deref(), before, after.as_ref(), &exchange);
        if let (false, true, Some(shown)) =
            (took, exchange.is_success(), self.below(asker, mark.as_deref()).await)
        {
            (took, after) = (true, Some(shown));
        }
        let mut is_removed = self.is_removal() && took && exchange.is_success();
        if self.is_removal() && exchange.is_success() && before[0].is_none() {
            // Nothing reads it: whether it is gone is seen when its owner removes it.
            let mine = known.request(&app.maker, &values, Amount::Required, &|_| Vec::new())?;
            let mine = asker.ask(&name, Some(pair.owner), mine).await?;
            took = matches!(mine.answer.status.as_u16(), 404 | 410);
            is_removed = mine.is_success() || took;
        }
        Some(Change { exchange, is_open, took, is_removed, after, absent })
    }

    fn is_removal(&self) -> bool {
        self.known.method == Method::DELETE && self.is_about_itself()
    }

    /// Whether it is about the object, and not about something that is done with it.
    fn is_about_itself(&self) -> bool {
        self.known.path.trim_end_matches('/').ends_with('}')
    }

    fn conclude(
        &self,
        asker: &Asker<'_>,
        ledger: &Ledger,
        before: Option<&Exchange>,
        change: &Change,
    ) -> Judged {
        let Self { app, pair, known, created, .. } = self;
        let is_removed = change.is_removed;
        // Of an object that was there when the other user looked around: this one is newer.
        let mut same =
            ledger.all.iter().filter(|one| one.creator == self.creator.at && one.by == *pair.owner);
        let values = same.next().unwrap_or(created).values_for(self.above);
        let filling = Filling { values, is_mentioned: false };
        let first = ledger.all.iter().find(|one| one.creator == self.creator.at && one.by == *pair.owner);
        let object = first.and_then(|first| first.made.answer.json());
        let object = before.and_then(|before| before.answer.json()).or(object);
        let whose = whose(self.contract, app, pair, known, &filling, object.as_ref());
        let is_for_administrators = known.is_for_administrators();
        // To what all see, all may add: comments, votes, members.
        if whose.is_shared && !self.is_about_itself() && !is_for_administrators {
            return Judged::right(is_removed);
        }
        if !change.took {
            // The app takes everything, or what all may add to.
            if change.absent.is_success() || whose.is_shared {
                return Judged::right(is_removed);
            }
            let why = "the app took the request of another user, and nothing was seen to change";
            return Judged { is_removed, ..Judged::not(Some(why)) };
        }
        let level = match () {
            () if change.is_open => Level::Critical,
            () if is_for_administrators && self.is_ordinary => Level::High,
            () if is_for_administrators => Level::Low,
            () if whose.why.is_some() => Level::High,
            // All see it, and nothing says whose it is: all may change it.
            () if whose.is_shared => return Judged::right(is_removed),
            () => Level::Medium,
        };
        let rule = if is_for_administrators {
            &rules::FUNCTION_OF_ADMINISTRATORS
        } else {
            &rules::OBJECT_CHANGED_BY_ANOTHER
        };
        let verb = if self.is_removal() { "removes" } else { "changes" };
        let whom = if change.is_open { "everybody" } else { &pair.other.name };
        let message = format!("by `{}`, `{whom}` {verb} an object of `{}`", known.name(), pair.owner.name);
        let mut finding = Finding::new(rule, known.name(), message).level(level);
        finding = finding.fact(whose.why.unwrap_or_else(|| "check created it, as another user".to_owned()));
        for exchange in [before, Some(&change.exchange), change.after.as_ref()].into_iter().flatten() {
            finding = finding.shown_by(asker.evidence(exchange));
        }
        Judged { verdict: Verdict::Found(Box::new(app.closed(finding, known))), is_removed }
    }

    /// The object as a caller sees it.
    async fn look(&self, asker: &mut Asker<'_>, caller: &Identity) -> Option<Exchange> {
        let (at, above) = reader(self.app, self.creator)?;
        self.read(asker, caller, at, above).await
    }

    async fn read(
        &self,
        asker: &mut Asker<'_>,
        caller: &Identity,
        at: usize,
        above: usize,
    ) -> Option<Exchange> {
        let known = self.app.known.get(at)?;
        let question =
            known.request(&self.app.maker, &self.created.values_for(above), Amount::Required, &|_| {
                Vec::new()
            })?;
        asker.ask(&known.name(), Some(caller), question).await
    }

    /// What lies below the object, where a change that the object itself does not show leaves its mark.
    async fn below(&self, asker: &mut Asker<'_>, mark: Option<&str>) -> Option<Exchange> {
        let made_by = self.app.known.get(self.creator.at)?;
        let mark = mark?;
        for (at, above) in consumers(self.app, self.creator, made_by) {
            let is_it = |known: &&Known<'_>| {
                known.is_safe() && known.path.starts_with(self.known.path.trim_end_matches('/'))
            };
            if !self.app.known.get(at).is_some_and(|known| is_it(&known)) {
                continue;
            }
            let shown = self.read(asker, self.pair.owner, at, above).await?;
            if shown.is_success() && String::from_utf8_lossy(&shown.answer.body).contains(mark) {
                return Some(shown);
            }
        }
        None
    }

    /// A request for the operation, and a text in it that nothing else has.
    fn change(
        &self,
        ledger: &Ledger,
        values: &[String],
        object: Option<&Exchange>,
    ) -> Option<(Question, Option<String>)> {
        let (app, known, seen) = (self.app, self.known, self.pair.owner_seen);
        let now = object.and_then(|object| object.answer.json());
        let now = now.as_ref().and_then(Value::as_object);
        let fields = known.body_fields(&app.maker);
        let is_text = |(name, shape): &&(String, mantlet_contract::model::ShapeId)| {
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

    /// Whether a change took.
    fn took(
        &self,
        mark: Option<&str>,
        [before, again]: [Option<&Exchange>; 2],
        after: Option<&Exchange>,
        changed: &Exchange,
    ) -> bool {
        let Some(before) = before.filter(|before| before.is_success()) else {
            // Nothing reads the object. What the answer repeats of the change, beside the object's id, was taken.
            let text = String::from_utf8_lossy(&changed.answer.body);
            let shows_id = changed.answer.json().is_some_and(|body| {
                leaves(&body)
                    .values()
                    .any(|value| scalar(value).is_some_and(|text| text == self.created.id()))
            });
            return self.known.method != Method::DELETE
                && shows_id
                && mark.is_some_and(|mark| text.contains(mark));
        };
        let Some(after) = after else { return false };
        if !after.is_success() {
            return matches!(after.answer.status.as_u16(), 403 | 404 | 410);
        }
        if mark.is_some_and(|mark| String::from_utf8_lossy(&after.answer.body).contains(mark)) {
            return true;
        }
        let (Some(first), Some(second), Some(third)) =
            (before.answer.json(), again.and_then(|again| again.answer.json()), after.answer.json())
        else {
            return false;
        };
        let (first, second, third) = (leaves(&first), leaves(&second), leaves(&third));
        let is_steady = |place: &String| first.get(place) == second.get(place);
        third.iter().any(|(place, value)| is_steady(place) && first.get(place) != Some(value))
    }
}

/// The operation that reads one object of a creator.
fn reader(app: &App<'_>, creator: &Creator) -> Option<(usize, usize)> {
    let made_by = app.known.get(creator.at)?;
    let all = consumers(app, creator, made_by);
    all.into_iter().find(|(at, _)| {
        app.known
            .get(*at)
            .is_some_and(|known| known.is_safe() && known.path.trim_end_matches('/').ends_with('}'))
    })
}

/// Whether what a request adds to its fields is taken over: into objects, and into an account.
pub(super) async fn mass_assignment(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    pair: &Pair<'_>,
    creators: &[Creator],
    ledger: &mut Ledger,
    review: &mut Review,
) {
    let mut tried = 0;
    for creator in creators {
        if asker.is_over() {
            break;
        }
        tried += of_objects(app, asker, pair, creator, ledger, review).await.unwrap_or_default();
    }
    review.looked(Row::Owasp(Owasp::Api3), "operations asked to set a field that they do not declare", tried);
    review.looked(
        Row::Practice(Practice::Input),
        "operations asked to set a field that they do not declare",
        tried,
    );
}

/// Fields that an object shows and a request does not declare, each with another value than it has.
fn extras(object: &Map<String, Value>, declared: &[String]) -> Vec<(String, Value)> {
    let mut extras = Vec::new();
    for (name, value) in object {
        let is_declared = declared.iter().any(|one| simple(one) == simple(name));
        let words = super::words::parts(name);
        let is_of_app = words.iter().any(|word| {
            matches!(
                word.as_str(),
                "created" | "updated" | "modified" | "at" | "date" | "version" | "etag" | "url" | "hash"
            )
        });
        if is_declared || is_id(name) || is_owner(name) || is_password(name) || is_of_app {
            continue;
        }
        let other = match value {
            Value::Bool(is_set) => json!(!is_set),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => json!(whole.checked_add(4242).unwrap_or(4242)),
                None => json!(4242.5),
            },
            Value::String(_) if is_role(name) => json!("admin"),
            Value::String(_) => json!("mantlet-check"),
            _ => continue,
        };
        extras.push((name.clone(), other));
    }
    extras
}

async fn of_objects(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    pair: &Pair<'_>,
    creator: &Creator,
    ledger: &mut Ledger,
    review: &mut Review,
) -> Option<usize> {
    let made_by = app.known.get(creator.at)?;
    let (reader, above) = reader(app, creator)?;
    let reader = app.known.get(reader)?;
    let owner = pair.owner;
    let mut tried = 0;
    let plain = ledger.create(app, asker, creator, owner, pair.owner_seen, &[]).await?;
    let plain = ledger.all.get(plain)?.clone();
    let look = |created: &Created| {
        reader.request(&app.maker, &created.values_for(above), Amount::Required, &|_| Vec::new())
    };
    let before = asker.ask(&reader.name(), Some(owner), look(&plain)?).await?;
    let object = before.answer.json()?.as_object()?.clone();
    let declared = |known: &Known<'_>| {
        known.body_fields(&app.maker).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    // While it is created.
    let more = extras(&object, &declared(made_by));
    if made_by.whole_body().is_some() && !more.is_empty() {
        tried += 1;
        if let Some(at) = ledger.create(app, asker, creator, owner, pair.owner_seen, &more).await {
            let created = ledger.all.get(at)?.clone();
            let after = asker.ask(&reader.name(), Some(owner), look(&created)?).await?;
            report(asker, made_by, &more, &object, &[&created.made, &after], review);
        }
    }
    // When it is changed.
    for (at, above) in consumers(app, creator, made_by) {
        let known = app.known.get(at)?;
        let is_change = matches!(known.method, Method::PUT | Method::PATCH)
            && known.path.trim_end_matches('/').ends_with('}');
        let more = extras(&object, &declared(known));
        if !is_change || known.whole_body().is_none() || more.is_empty() || known.is_for_administrators() {
            continue;
        }
        tried += 1;
        let wishes = |name: &str| object.get(name).cloned().into_iter().collect();
        let question = known.request(&app.maker, &plain.values_for(above), Amount::Required, &wishes)?;
        let question = with_more(question, &more)?;
        let Some(changed) = asker.ask(&known.name(), Some(owner), question).await else { continue };
        if changed.is_success() {
            let after = asker.ask(&reader.name(), Some(owner), look(&plain)?).await?;
            report(asker, known, &more, &object, &[&changed, &after], review);
        }
    }
    Some(tried)
}

fn with_more(question: Question, more: &[(String, Value)]) -> Option<Question> {
    let mut body: Value =
        if question.body.is_empty() { json!({}) } else { serde_json::from_slice(&question.body).ok()? };
    body.as_object_mut()?.extend(more.iter().cloned());
    Some(question.json(&body))
}

/// What took, by the last of these exchanges, which reads it back.
fn report(
    asker: &Asker<'_>,
    known: &Known<'_>,
    more: &[(String, Value)],
    before: &Map<String, Value>,
    exchanges: &[&Exchange],
    review: &mut Review,
) {
    let Some(Value::Object(after)) = exchanges.last().and_then(|last| last.answer.json()) else { return };
    let taken: Vec<_> = more
        .iter()
        .filter(|(name, value)| {
            // 1 stands for true where a database has no other word for it.
            let is_it = |now: &Value| {
                now == value || value.as_bool().is_some_and(|is_set| now.as_i64() == Some(is_set.into()))
            };
            after.get(name).is_some_and(|now| is_it(now) && before.get(name) != Some(now))
        })
        .map(|(name, _)| name.as_str())
        .collect();
    for name in taken {
        let rule = if is_role(name) { &rules::ROLE_ASSIGNED } else { &rules::MASS_ASSIGNMENT };
        let message = format!("`{}` takes over `{name}`, which a caller should not set", known.name());
        let mut finding = Finding::new(rule, known.name(), message).part(format!("field {name}"));
        for exchange in exchanges {
            finding = finding.shown_by(asker.evidence(exchange));
        }
        review.found(finding.mended_by("forbid unknown fields in the model of the request: `model_config = ConfigDict(extra=\"forbid\")`"));
    }
}

/// What may say what a user may do, with a value that gives it: what the tables say, what the app shows, and what people
/// often call it.
fn roles(contract: &Contract, me: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> = Vec::new();
    let user = contract.objects.as_ref().and_then(|objects| objects.user.as_ref());
    for role in user.iter().flat_map(|user| &user.roles) {
        let value = match role.kind {
            RoleKind::Flag => json!(true),
            RoleKind::Number => json!(1),
            RoleKind::Choice => json!(
                role.choices
                    .iter()
                    .find(|choice| choice.to_lowercase().contains("admin"))
                    .map_or("admin", String::as_str)
            ),
        };
        found.push((role.name.clone(), value));
    }
    for (name, value) in me {
        let is_known = found.iter().any(|(known, _)| known == name);
        let value = match value {
            _ if is_known => continue,
            // Many databases have 0 and 1.
            Value::Bool(false) => json!(true),
            Value::Number(number) if is_role(name) && number.as_i64() == Some(0) => json!(1),
            Value::String(now) if is_role(name) && now != "admin" => json!("admin"),
            Value::Number(number) if !is_id(name) && number.as_i64() == Some(0) => json!(4242),
            _ => continue,
        };
        found.push((name.clone(), value));
    }
    found
}

/// Whether an account gives itself a role: while it is made, and when it changes its own profile. The account is check's own
/// and made for this alone.
pub(super) async fn roles_of_account(
    contract: &Contract,
    app: &App<'_>,
    asker: &mut Asker<'_>,
    account: &Account,
    review: &mut Review,
) -> (Option<Account>, bool) {
    let row = Row::Owasp(Owasp::Api3);
    let me = app
        .known
        .iter()
        .find(|known| known.is_about_the_caller() && known.is_safe() && known.parameters.is_empty());
    let Some(me) = me else {
        review.unjudged(row, "whether an account gives itself a role: no operation says who the caller is");
        return (None, false);
    };
    let ask_me = || me.request(&app.maker, &[], Amount::Required, &|_| Vec::new());
    let Some(question) = ask_me() else { return (None, false) };
    let before = asker.ask(&me.name(), Some(&account.identity), question).await;
    let object = before.as_ref().filter(|before| before.is_success()).and_then(|before| before.answer.json());
    let Some(object) = object.as_ref().and_then(Value::as_object) else {
        review.unjudged(row, "whether an account gives itself a role: the app does not show the account");
        return (None, false);
    };
    let roles: Vec<_> =
        roles(contract, object).into_iter().filter(|(name, _)| object.contains_key(name)).collect();
    if roles.is_empty() {
        review.unjudged(
            row,
            "whether an account gives itself a role: what the app shows of an account has none",
        );
        return (None, false);
    }
    let mut tried = 0;
    for known in &app.known {
        let is_change = matches!(known.method, Method::PUT | Method::PATCH) && known.purpose.is_none();
        let last = known.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let is_own = known.parameters.is_empty()
            && matches!(
                simple(last).as_str(),
                "me" | "profile" | "account" | "self" | "myself" | "user" | "settings"
            );
        let by_id = known.parameters.len() == 1
            && last.starts_with('{')
            && known.parameters.iter().any(|parameter| parameter.kinds.iter().any(|kind| is_user(kind)));
        if !is_change || !(is_own || by_id) || known.whole_body().is_none() || known.is_for_administrators() {
            continue;
        }
        let values: Vec<String> =
            if by_id { account.ids.iter().take(1).cloned().collect() } else { Vec::new() };
        if by_id && values.is_empty() {
            continue;
        }
        // What belongs to a request stays as it is: the password above all.
        let wish = accounts::wishes_of(&account.username, &account.email, &account.password);
        let wishes = |name: &str| object.get(name).cloned().into_iter().chain(wish(name)).collect();
        let Some(question) = known.request(&app.maker, &values, Amount::Required, &wishes) else { continue };
        let declared: Vec<_> = known.body_fields(&app.maker).into_iter().map(|(name, _)| name).collect();
        let more: Vec<_> = roles
            .iter()
            // What is declared and not a role may be set: the model says so.
            .filter(|(name, _)| is_role(name) || !declared.contains(name))
            .cloned()
            .collect();
        let Some(question) = with_more(question, &more) else { continue };
        tried += 1;
        let Some(changed) = asker.ask(&known.name(), Some(&account.identity), question).await else {
            continue;
        };
        if changed.is_success()
            && let Some(question) = ask_me()
            && let Some(after) = asker.ask(&me.name(), Some(&account.identity), question).await
        {
            report(asker, known, &more, object, &[&changed, &after], review);
        }
    }
    // While it is made.
    let made = accounts::make_with(app, asker, "dave", &roles).await;
    if let (Ok(made), Some(question)) = (&made, ask_me()) {
        tried += 1;
        if let (Some(known), Some(after)) =
            (app.known.get(made.register), asker.ask(&me.name(), Some(&made.identity), question).await)
        {
            report(asker, known, &roles, object, &[&after], review);
        }
    }
    review.looked(row, "operations asked to give an account a role", tried);
    (made.ok(), true)
}
