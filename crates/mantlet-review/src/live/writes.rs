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
    operations::{Known, Special},
    ownership::{Pair, whose},
    values::Amount,
    words::{is_email, is_id, is_owner, is_password, is_role, is_user, simple},
    world::{App, Filling, Seen},
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
            let is_change = matches!(known.method, Method::PUT | Method::PATCH | Method::DELETE | Method::POST);
            let is_special = known.purpose.is_some_and(|purpose| matches!(purpose, Special::Session(_)));
            if !is_change || is_special || asker.is_over() {
                continue;
            }
            // An object of its own for each operation: the one before may have removed it.
            let Some(object) = ledger.create(app, asker, creator, pair.owner, pair.owner_seen, &[]).await else { continue };
            let Some(created) = ledger.all.get(object).cloned() else { continue };
            let case = Case { contract, app, pair, creator, created: &created, known, above, is_ordinary };
            let verdict = case.judge(asker, ledger).await;
            if verdict.is_removed {
                ledger.is_gone(object);
            }
            match verdict.finding {
                Some(Some(finding)) => {
                    review.found(finding);
                    judged += 1;
                }
                Some(None) => judged += 1,
                None => {
                    if let Some(why) = verdict.why {
                        review.unjudged(row, format!("`{}`: {why}", known.name()));
                    }
                }
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

#[derive(Default)]
struct Judged {
    /// None: not judged.
    finding: Option<Option<Finding>>,
    is_removed: bool,
    why: Option<String>,
}

impl Judged {
    fn right(is_removed: bool) -> Self {
        Self { finding: Some(None), is_removed, why: None }
    }

    fn not(why: &str) -> Self {
        Self { why: Some(why.to_owned()), ..Self::default() }
    }
}

impl Case<'_> {
    async fn judge(&self, asker: &mut Asker<'_>, ledger: &Ledger) -> Judged {
        let Self { app, pair, known, created, .. } = self;
        let name = known.name();
        let values = created.values_for(self.above);
        let (Some(last), Some(own)) = (known.parameters.last(), values.last()) else { return Judged::default() };
        let before = self.look(asker, pair.owner).await;
        let again = self.look(asker, pair.owner).await;
        let Some(absent) = app.absent(last, own) else { return Judged::default() };
        let mut absents = values.clone();
        absents.pop();
        absents.push(absent);
        let seen = pair.owner_seen;
        let Some((absent, _)) = self.change(ledger, seen, &absents, before.as_ref()) else {
            return Judged::not("no request for it could be made");
        };
        let Some((unknown, mark_unknown)) = self.change(ledger, seen, &values, before.as_ref()) else { return Judged::default() };
        let Some((question, mark)) = self.change(ledger, seen, &values, before.as_ref()) else { return Judged::default() };
        let Some(absent) = asker.ask(&name, Some(pair.other), absent).await else { return Judged::default() };
        let Some(nobody) = asker.ask(&name, None, unknown).await else { return Judged::default() };
        let mut by = (pair.other.name.as_str(), nobody, mark_unknown);
        let mut is_open = by.1.is_success();
        if is_open {
            by.0 = "nobody";
        }
        let mut after = self.look(asker, pair.owner).await;
        if !is_open || !self.took(&by.2, before.as_ref(), again.as_ref(), after.as_ref(), &by.1) {
            is_open = false;
            let Some(other) = asker.ask(&name, Some(pair.other), question).await else { return Judged::default() };
            by = (&pair.other.name, other, mark);
            after = self.look(asker, pair.owner).await;
        }
        let (caller, changed, mark) = by;
        if changed.is_throttled() {
            return Judged::not("the app answered 429: too many requests");
        }
        if !changed.is_success() {
            return Judged::right(false);
        }
        let mut took = self.took(&mark, before.as_ref(), again.as_ref(), after.as_ref(), &changed);
        if !took {
            if let Some(shown) = self.below(asker, mark.as_deref()).await {
                (took, after) = (true, Some(shown));
            }
        }
        let is_removal = known.method == Method::DELETE && known.path.trim_end_matches('/').ends_with('}');
        let mut is_removed = is_removal && took;
        if is_removal && before.is_none() {
            // Nothing reads it: whether it is gone is seen when its owner removes it.
            let mine = known.request(&app.maker, &values, Amount::Required, &|_| Vec::new());
            if let Some(mine) = mine {
                let mine = asker.ask(&name, Some(pair.owner), mine).await;
                took = mine.as_ref().is_some_and(|mine| matches!(mine.answer.status.as_u16(), 404 | 410));
                is_removed = mine.is_some_and(|mine| mine.is_success()) || took;
            }
        }
        // Of an object that was there when the other user looked around: this one is newer.
        let mut first = ledger.all.iter().filter(|one| one.creator == self.creator.at && one.by == *pair.owner);
        let values = first.next().map_or(values, |first| first.values_for(self.above));
        let filling = Filling { values, is_mentioned: false };
        let object = before.as_ref().and_then(|before| before.answer.json()).or_else(|| created.made.answer.json());
        let whose = whose(self.contract, app, pair, known, &filling, object.as_ref());
        let is_for_administrators = known.is_for_administrators();
        // To what all see, all may add: comments, votes, members.
        let is_itself = known.path.trim_end_matches('/').ends_with('}');
        if whose.is_shared && !is_itself && !is_for_administrators {
            return Judged::right(is_removed);
        }
        if !took {
            // The app takes everything, or what all may add to.
            if absent.is_success() || whose.is_shared {
                return Judged::right(is_removed);
            }
            return Judged::not("the app took the request of another user, and nothing was seen to change");
        }
        let level = match () {
            () if is_open => Level::Critical,
            () if is_for_administrators && self.is_ordinary => Level::High,
            () if is_for_administrators => Level::Low,
            () if whose.why.is_some() => Level::High,
            // All see it, and nothing says whose it is: all may change it.
            () if whose.is_shared => return Judged::right(is_removed),
            () => Level::Medium,
        };
        let rule = if is_for_administrators { &rules::FUNCTION_OF_ADMINISTRATORS } else { &rules::OBJECT_CHANGED_BY_ANOTHER };
        let verb = if is_removal { "removes" } else { "changes" };
        let whom = if is_open { "everybody" } else { caller };
        let message = format!("by `{name}`, `{whom}` {verb} an object of `{}`", pair.owner.name);
        let mut finding = Finding::new(rule, &name, message).level(level);
        finding = finding.fact(whose.why.unwrap_or_else(|| "check created it, as another user".to_owned()));
        for exchange in [before.as_ref(), Some(&changed), after.as_ref()].into_iter().flatten() {
            finding = finding.shown_by(asker.evidence(exchange));
        }
        Judged { finding: Some(Some(finding.mended_by(rule.remedy))), is_removed, why: None }
    }

    /// The object as a caller sees it.
    async fn look(&self, asker: &mut Asker<'_>, caller: &Identity) -> Option<Exchange> {
        let (at, above) = reader(self.app, self.creator)?;
        self.read(asker, caller, at, above).await
    }

    async fn read(&self, asker: &mut Asker<'_>, caller: &Identity, at: usize, above: usize) -> Option<Exchange> {
        let known = self.app.known.get(at)?;
        let question = known.request(&self.app.maker, &self.created.values_for(above), Amount::Required, &|_| Vec::new())?;
        asker.ask(&known.name(), Some(caller), question).await
    }

    /// What lies below the object, where a change that the object itself does not show leaves its mark.
    async fn below(&self, asker: &mut Asker<'_>, mark: Option<&str>) -> Option<Exchange> {
        let made_by = self.app.known.get(self.creator.at)?;
        let mark = mark?;
        for (at, above) in consumers(self.app, self.creator, made_by) {
            let is_it = |known: &&Known<'_>| known.is_safe() && known.path.starts_with(self.known.path.trim_end_matches('/'));
            if self.app.known.get(at).filter(is_it).is_none() {
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
        seen: &Seen,
        values: &[String],
        object: Option<&Exchange>,
    ) -> Option<(Question, Option<String>)> {
        let (app, known) = (self.app, self.known);
        let now = object.and_then(|object| object.answer.json());
        let now = now.as_ref().and_then(Value::as_object);
        let fields = known.body_fields(&app.maker);
        let is_text = |(name, shape): &&(String, mantlet_contract::model::ShapeId)| {
            let is_plain = matches!(app.maker.bare(*shape), Some(Shape::Str { pattern: None, .. }));
            is_plain && !is_id(name) && !is_owner(name) && !is_email(name) && now.is_none_or(|now| now.contains_key(name))
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
        mark: &Option<String>,
        before: Option<&Exchange>,
        again: Option<&Exchange>,
        after: Option<&Exchange>,
        changed: &Exchange,
    ) -> bool {
        let Some(before) = before.filter(|before| before.is_success()) else {
            // Nothing reads the object. What the answer repeats of the change, beside the object's id, was taken.
            let text = String::from_utf8_lossy(&changed.answer.body);
            let shows_id = changed.answer.json().is_some_and(|body| {
                leaves(&body).values().any(|value| scalar(value).is_some_and(|text| text == self.created.id()))
            });
            return self.known.method != Method::DELETE && shows_id && mark.as_ref().is_some_and(|mark| text.contains(mark));
        };
        let Some(after) = after else { return false };
        if !after.is_success() {
            return matches!(after.answer.status.as_u16(), 403 | 404 | 410);
        }
        if let Some(mark) = mark {
            if String::from_utf8_lossy(&after.answer.body).contains(mark.as_str()) {
                return true;
            }
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
        app.known.get(*at).is_some_and(|known| known.is_safe() && known.path.trim_end_matches('/').ends_with('}'))
    })
}

/// Whether what a request adds to its fields is taken over: into objects, and into an account.
pub(super) async fn mass_assignment(
    contract: &Contract,
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
    let _ = contract;
    review.looked(Row::Owasp(Owasp::Api3), "operations asked to set a field that they do not declare", tried);
    review.looked(Row::Practice(Practice::Input), "operations asked to set a field that they do not declare", tried);
}

/// Fields that an object shows and a request does not declare, each with another value than it has.
fn extras(object: &Map<String, Value>, declared: &[String]) -> Vec<(String, Value)> {
    let mut extras = Vec::new();
    for (name, value) in object {
        let is_declared = declared.iter().any(|one| simple(one) == simple(name));
        let words = super::words::parts(name);
        let is_of_app = words.iter().any(|word| {
            matches!(word.as_str(), "created" | "updated" | "modified" | "at" | "date" | "version" | "etag" | "url" | "hash")
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
    let look = |created: &Created| reader.request(&app.maker, &created.values_for(above), Amount::Required, &|_| Vec::new());
    let before = asker.ask(&reader.name(), Some(owner), look(&plain)?).await?;
    let object = before.answer.json()?.as_object()?.clone();
    let declared = |known: &Known<'_>| known.body_fields(&app.maker).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
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
        let is_change = matches!(known.method, Method::PUT | Method::PATCH) && known.path.trim_end_matches('/').ends_with('}');
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
    let mut body: Value = if question.body.is_empty() { json!({}) } else { serde_json::from_slice(&question.body).ok()? };
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
            let is_it = |now: &Value| now == value || value.as_bool().is_some_and(|is_set| now.as_i64() == Some(is_set.into()));
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
            RoleKind::Choice => json!(role.choices.iter().find(|choice| choice.to_lowercase().contains("admin")).map_or("admin", String::as_str)),
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
    let me = app.known.iter().find(|known| known.is_about_the_caller() && known.is_safe() && known.parameters.is_empty());
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
    let roles: Vec<_> = roles(contract, object).into_iter().filter(|(name, _)| object.contains_key(name)).collect();
    if roles.is_empty() {
        review.unjudged(row, "whether an account gives itself a role: what the app shows of an account has none");
        return (None, false);
    }
    let mut tried = 0;
    for known in &app.known {
        let is_change = matches!(known.method, Method::PUT | Method::PATCH) && known.purpose.is_none();
        let last = known.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let is_own = known.parameters.is_empty()
            && matches!(simple(last).as_str(), "me" | "profile" | "account" | "self" | "myself" | "user" | "settings");
        let by_id = known.parameters.len() == 1
            && last.starts_with('{')
            && known.parameters.iter().any(|parameter| parameter.kinds.iter().any(|kind| is_user(kind)));
        if !is_change || !(is_own || by_id) || known.whole_body().is_none() || known.is_for_administrators() {
            continue;
        }
        let values: Vec<String> = if by_id { account.ids.iter().take(1).cloned().collect() } else { Vec::new() };
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
        let Some(changed) = asker.ask(&known.name(), Some(&account.identity), question).await else { continue };
        if let (true, Some(question)) = (changed.is_success(), ask_me()) {
            if let Some(after) = asker.ask(&me.name(), Some(&account.identity), question).await {
                report(asker, known, &more, object, &[&changed, &after], review);
            }
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
