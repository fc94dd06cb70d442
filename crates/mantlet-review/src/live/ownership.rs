//! Whether one user reads the object of another.
//!
//! A finding needs all of these, so that public, shared and missing objects are not reported:
//!
//! 1. The owner reads the object.
//! 2. The other user's answer says the same of it.
//! 3. Of an object that does not exist the app says something else to the other user.
//! 4. A caller without a credential does not get it.
//! 5. No answer that the other user gets without knowing the id shows it, and their lists were read to the end.
//! 6. Something shows that it is the owner's: a list that shows it to the owner and not to the other user, a foreign key
//!    to the owner in the app's tables, or a field of the object that names the owner. Without this it is a suspicion.

use http::Method;
use mantlet_contract::model::{Contract, Owner};
use serde_json::Value;

use super::{
    answers::{Item, field_of, is_same, leaves, scalar},
    asker::{Asker, Exchange, Identity},
    existence,
    operations::{Known, Parameter, kind_of_table, with_query},
    values::Amount,
    words::{is_owner, is_private, is_user, says_that_it_is_public, simple},
    world::{App, Filling, Seen},
};
use crate::{
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, Rule, live as rules},
};

/// Objects that are tried for one operation.
const OBJECTS: usize = 4;

/// Two callers of the same rank, and what each is shown.
pub(super) struct Pair<'p> {
    pub(super) owner: &'p Identity,
    pub(super) owner_seen: &'p Seen,
    pub(super) other: &'p Identity,
    pub(super) other_seen: &'p Seen,
}

/// Whose an object is.
pub(super) struct Whose {
    /// The other user is shown it without knowing its id, or may be.
    pub(super) is_shared: bool,
    /// What shows that it is the owner's.
    pub(super) why: Option<String>,
}

/// Asks for the owner's objects as the other user.
pub(super) async fn review(
    contract: &Contract,
    app: &App<'_>,
    asker: &mut Asker<'_>,
    pair: &Pair<'_>,
    nobody: &Seen,
    is_ordinary: bool,
    review: &mut Review,
) {
    let row = Row::Owasp(Owasp::Api1);
    let (mut judged, mut without, mut of_all) = (0, Vec::new(), Vec::new());
    for known in app.known.iter().filter(|known| known.is_safe() && !known.parameters.is_empty()) {
        if asker.is_over() {
            break;
        }
        let fillings = app.fillings(pair.owner_seen, known, OBJECTS);
        let (mut is_judged, mut is_of_all) = (false, false);
        for filling in fillings {
            match one(contract, app, asker, pair, known, &filling).await {
                Verdict::Found(finding) => {
                    review.found(*finding);
                    is_judged = true;
                    break;
                }
                Verdict::Right => is_judged = true,
                Verdict::Refused(told) => {
                    is_judged = true;
                    if let Some(told) = told {
                        review.found(*told);
                    }
                }
                Verdict::OfAll => is_of_all = true,
                Verdict::Unjudged(Some(why)) => review.unjudged(row, format!("`{}`: {why}", known.name())),
                Verdict::Unjudged(None) => {}
            }
        }
        if is_judged {
            judged += 1;
        } else if is_of_all {
            of_all.push(known.name());
        } else {
            without.push(known.name());
        }
    }
    for known in app.known.iter().filter(|known| known.is_safe()) {
        if let Verdict::Found(finding) = by_query(contract, app, asker, pair, known).await {
            review.found(*finding);
            judged += 1;
        }
    }
    lists(app, asker, pair, nobody, is_ordinary, review);
    review.looked(row, "operations that read by an id, asked as two users", judged);
    if !without.is_empty() {
        review.unjudged(row, format!("no object of a user was seen for {}", some(&without)));
    }
    if !of_all.is_empty() {
        review.unjudged(row, format!("all users see the objects of {}: that says nothing", some(&of_all)));
    }
}

/// The first of these operations, and how many there are besides.
fn some(names: &[String]) -> String {
    let more = names.len().saturating_sub(5);
    let some = names.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("`, `");
    if more > 0 { format!("`{some}` and {more} more") } else { format!("`{some}`") }
}

/// Lists that show the other user objects that name the owner. People who work together are shown each other's; two
/// accounts that check made have nothing to do with each other.
fn lists(
    app: &App<'_>,
    asker: &Asker<'_>,
    pair: &Pair<'_>,
    nobody: &Seen,
    is_ordinary: bool,
    review: &mut Review,
) {
    for (at, known) in app.known.iter().enumerate().filter(|(_, known)| known.is_safe()) {
        let is_open = nobody.answers.iter().any(|((one, _), exchange)| *one == at && exchange.is_success());
        let names_owner = |item: &&Item| {
            item.object.iter().any(|(name, value)| {
                let is_it = |text: String| {
                    pair.owner_seen.names.contains(&text) && !pair.other_seen.names.contains(&text)
                };
                is_owner(name) && scalar(value).is_some_and(is_it)
            })
        };
        let mut items = pair.other_seen.items.iter().filter(|item| item.operation == at && item.is_listed);
        let Some(item) = items.find(names_owner).filter(|_| !is_open) else { continue };
        let private = item.object.iter().find(|(name, value)| is_private(name) && scalar(value).is_some());
        let level = if private.is_some() && is_ordinary { Level::High } else { Level::Low };
        let shown = private.map(|(name, _)| format!(", with `{name}`")).unwrap_or_default();
        let message = format!(
            "`{}` lists objects of `{}` for `{}`{shown}",
            known.name(),
            pair.owner.name,
            pair.other.name
        );
        let finding = Finding::new(rule_of(known, &rules::OBJECT_OF_ANOTHER), known.name(), message)
            .level(level)
            .part("list");
        let exchange = pair.other_seen.answers.get(&(at, item.target.clone()));
        let finding = exchange
            .into_iter()
            .fold(finding, |finding, exchange| finding.shown_by(asker.evidence(exchange)));
        review.found(app.closed(finding, known, Some(&Value::Object(item.object.clone()))));
    }
}

enum Verdict {
    Found(Box<Finding>),
    /// The other user does not get it. If an answer tells that it exists: that.
    Refused(Option<Box<Finding>>),
    /// The other user is answered without it, or about something else.
    Right,
    /// It is for all to see.
    OfAll,
    /// Nothing is known, or not enough, and why.
    Unjudged(Option<String>),
}

async fn one(
    contract: &Contract,
    app: &App<'_>,
    asker: &mut Asker<'_>,
    pair: &Pair<'_>,
    known: &Known<'_>,
    filling: &Filling,
) -> Verdict {
    let nothing = Verdict::Unjudged(None);
    let wishes = |_: &str| Vec::new();
    let name = known.name();
    let ask = |values: &[String]| known.request(&app.maker, values, Amount::Required, &wishes);
    let (Some(question), Some(last)) = (ask(&filling.values), known.parameters.last()) else {
        return nothing;
    };
    let Some(absent) = filling.values.last().and_then(|value| app.absent(last, value)) else {
        return nothing;
    };
    let mut others = filling.values.clone();
    others.pop();
    others.push(absent);
    let Some(absent) = ask(&others) else { return nothing };
    // The owner first: what the owner does not get shows nothing.
    let Some(owned) = asker.ask(&name, Some(pair.owner), question.clone()).await else { return nothing };
    if !owned.is_success() {
        return nothing;
    }
    let Some(other) = asker.ask(&name, Some(pair.other), question.clone()).await else { return nothing };
    if other.is_throttled() {
        return Verdict::Unjudged(Some("the app answered 429: too many requests".to_owned()));
    }
    if !other.is_success() {
        return Verdict::Refused(
            existence::review(asker, pair, known, [&owned, &other], [&question, &absent]).await,
        );
    }
    let Some(again) = asker.ask(&name, Some(pair.owner), question.clone()).await else { return nothing };
    let Some(nobody) = asker.ask(&name, None, question.clone()).await else { return nothing };
    let Some(absent) = asker.ask(&name, Some(pair.other), absent).await else { return nothing };
    if absent.is_throttled() || nobody.is_throttled() || again.is_throttled() {
        return Verdict::Unjudged(Some("the app answered 429: too many requests".to_owned()));
    }
    let answers = [&owned.answer, &again.answer];
    let Some(same) = is_same(answers, &other.answer, &absent.answer, &filling.values) else {
        return Verdict::Right;
    };
    let is_open = is_same(answers, &nobody.answer, &absent.answer, &filling.values).is_some();
    let object = owned.answer.json();
    let whose = whose(contract, app, pair, known, filling, object.as_ref());
    let is_user = is_of_users(contract, known);
    let shows_private = same.iter().any(|place| is_private(field_of(place)));
    // What members show each other of themselves is shared, too.
    if whose.is_shared || is_user && !shows_private {
        return Verdict::OfAll;
    }
    let (rule, level) = match (whose.why.is_some(), is_open) {
        (true, false) => (rule_of(known, &rules::OBJECT_OF_ANOTHER), Level::High),
        (false, false) => (rule_of(known, &rules::OBJECT_OF_ANOTHER), Level::Low),
        // What everybody may read may be public: only what is plainly private says something.
        (true, true) if shows_private => (&rules::OBJECT_WITHOUT_LOGIN, Level::High),
        (true, true) => (&rules::OBJECT_WITHOUT_LOGIN, Level::Low),
        (false, true) => return Verdict::OfAll,
    };
    let message = if is_open {
        format!("`{name}` shows an object of `{}` to everybody", pair.owner.name)
    } else {
        format!("`{name}` shows an object of `{}` to `{}`", pair.owner.name, pair.other.name)
    };
    let mut finding = Finding::new(rule, &name, message).level(level);
    finding = finding.fact(
        whose.why.unwrap_or_else(|| "nothing shows whose the object is: this is a suspicion".to_owned()),
    );
    for exchange in [&owned, if is_open { &nobody } else { &other }, &absent] {
        finding = finding.shown_by(asker.evidence(exchange));
    }
    Verdict::Found(Box::new(app.closed(finding, known, object.as_ref())))
}

/// An operation for administrators that a user calls is a function, not only an object.
fn rule_of(known: &Known<'_>, otherwise: &'static Rule) -> &'static Rule {
    if known.is_for_administrators() { &rules::FUNCTION_OF_ADMINISTRATORS } else { otherwise }
}

/// Whether an operation is about users themselves.
fn is_of_users(contract: &Contract, known: &Known<'_>) -> bool {
    let table = contract.objects.as_ref().and_then(|objects| objects.user.as_ref());
    let table = table.map(|user| kind_of_table(&user.table));
    let is_last = known.path.trim_end_matches('/').ends_with('}');
    let means = |kind: &String| is_user(kind) || table.as_ref() == Some(kind);
    is_last && known.parameters.last().is_some_and(|last| last.kinds.iter().any(means))
}

/// Whose the object is that an owner's request names.
pub(super) fn whose(
    contract: &Contract,
    app: &App<'_>,
    pair: &Pair<'_>,
    known: &Known<'_>,
    filling: &Filling,
    object: Option<&Value>,
) -> Whose {
    // There is a parameter, and the other user sees the objects of all of them: a group that both are in does not make
    // all below it shared.
    let mut is_shared = !known.parameters.is_empty();
    let mut reason = None;
    for (parameter, value) in known.parameters.iter().zip(&filling.values) {
        let facts = known.operation.objects.iter().flat_map(|facts| &facts.parameters);
        for fact in facts.filter(|fact| fact.name == parameter.name) {
            let tables = contract.objects.iter().flat_map(|objects| &objects.tables);
            for table in tables.filter(|table| table.name == fact.table) {
                if let Owner::Column { .. } | Owner::Nested { .. } | Owner::User = table.owner {
                    reason.get_or_insert(format!("each row of the table `{}` has an owner", table.name));
                }
            }
        }
        // The other user sees it without knowing its id.
        let is_seen = pair.other_seen.shows(parameter, value, &app.maker)
            || pair.other_seen.names.contains(value)
            || object.is_some_and(|object| pair.other_seen.shows_any(value, object));
        if is_seen || pair.other_seen.may_show_more(parameter) {
            continue;
        }
        is_shared = false;
        let lists = pair.owner_seen.items.iter().filter(|item| {
            item.is_listed
                && item.key(parameter, &app.maker).as_ref() == Some(value)
                && item_is_of(item, known, parameter)
        });
        for item in lists {
            let key = (item.operation, item.target.clone());
            let is_asked = pair.other_seen.answers.get(&key).is_some_and(Exchange::is_success);
            if is_asked && !pair.other_seen.cut.contains(&item.operation) {
                let list = app.known.get(item.operation).map(Known::name).unwrap_or_default();
                let (owner, other) = (&pair.owner.name, &pair.other.name);
                reason.get_or_insert(format!("`{list}` shows it to `{owner}`, and not to `{other}`"));
            }
        }
        // What users have may be for all: posts. Not so what is private.
        let shows_private = || {
            object.is_some_and(|object| {
                leaves(object)
                    .iter()
                    .any(|(place, leaf)| is_private(field_of(place)) && scalar(leaf).is_some())
            })
        };
        if pair.owner_seen.names.contains(value) && shows_private() {
            reason.get_or_insert(format!("it is of the account of `{}`, and private", pair.owner.name));
        }
    }
    let names = |(place, value): (String, &Value)| {
        let text = scalar(value)?;
        let is_it = is_owner(field_of(&place)) && pair.owner_seen.names.contains(&text);
        (is_it && !pair.other_seen.names.contains(&text)).then(|| field_of(&place).to_owned())
    };
    if let Some(field) = object.and_then(|object| leaves(object).into_iter().find_map(names)) {
        reason.get_or_insert(format!("its field `{field}` names `{}`", pair.owner.name));
    }
    let is_public = |object: &Value| {
        object
            .as_object()
            .is_some_and(|map| map.iter().any(|(name, value)| says_that_it_is_public(name, value)))
    };
    is_shared |= object.is_some_and(is_public);
    // What was only mentioned may be of a catalogue, whatever the tables say of others.
    Whose { is_shared, why: reason.filter(|_| !filling.is_mentioned) }
}

/// Whether an item of a list is what a parameter means.
fn item_is_of(item: &Item, known: &Known<'_>, parameter: &Parameter) -> bool {
    let path = item.target.split('?').next().unwrap_or_default();
    item.may_be(parameter) || path.trim_end_matches('/') == known.filled(&parameter.below, &[])
}

/// Asks with an id of the owner in the query.
async fn by_query(
    contract: &Contract,
    app: &App<'_>,
    asker: &mut Asker<'_>,
    pair: &Pair<'_>,
    known: &Known<'_>,
) -> Verdict {
    let nothing = Verdict::Unjudged(None);
    if !known.parameters.is_empty() || !known.is_secured() || known.method != Method::GET {
        return nothing;
    }
    for (name, shape, is_required) in known.query() {
        let plain = simple(&name);
        let is_id = plain.ends_with("id") && plain.len() > 2;
        if !is_owner(&name) && !is_id {
            continue;
        }
        let parameter = Parameter {
            below: String::new(),
            shape: Some(shape),
            kinds: super::words::noun_of_id(&name).into_iter().collect(),
            field: None,
            name: name.clone(),
        };
        let means_users = is_owner(&name);
        let names =
            pair.owner_seen.names.iter().filter(|value| means_users && app.maker.accepts_text(shape, value));
        let shown = pair.owner_seen.items.iter().filter(|item| item.is_listed && item.may_be(&parameter));
        let values = names.cloned().chain(shown.filter_map(|item| item.key(&parameter, &app.maker)));
        let values: std::collections::BTreeSet<_> = values.collect();
        for value in values.into_iter().take(2) {
            let is_seen = || pair.other_seen.shows(&parameter, &value, &app.maker);
            if pair.other_seen.names.contains(&value) || !means_users && is_seen() {
                continue;
            }
            let Some(absent) = app.absent(&parameter, &value) else { continue };
            let with = |value: &str| {
                let wishes = |asked: &str| if asked == name { vec![value.into()] } else { Vec::new() };
                let question = known.request(&app.maker, &[], Amount::Required, &wishes)?;
                Some(if is_required { question } else { with_query(question, &name, value) })
            };
            let (Some(question), Some(absent)) = (with(&value), with(&absent)) else { continue };
            let about = known.name();
            let Some(owned) = asker.ask(&about, Some(pair.owner), question.clone()).await else {
                return nothing;
            };
            let Some(other) = asker.ask(&about, Some(pair.other), question.clone()).await else {
                return nothing;
            };
            if !owned.is_success() || !other.is_success() {
                continue;
            }
            let Some(again) = asker.ask(&about, Some(pair.owner), question.clone()).await else {
                return nothing;
            };
            let Some(nobody) = asker.ask(&about, None, question).await else { return nothing };
            let Some(absent) = asker.ask(&about, Some(pair.other), absent).await else { return nothing };
            let answers = [&owned.answer, &again.answer];
            let is_same = |other: &Exchange| {
                is_same(answers, &other.answer, &absent.answer, std::slice::from_ref(&value))
            };
            let Some(same) = is_same(&other) else { continue };
            if is_same(&nobody).is_some() || nobody.is_throttled() {
                continue;
            }
            let filling = Filling { values: Vec::new(), is_mentioned: false };
            // The answer must not be what the other user is shown without the id.
            let body = owned.answer.json().unwrap_or_default();
            let is_it = |seen: &Seen, exchange: &Exchange| {
                seen.answers.iter().any(|((at, _), known)| {
                    app.known.get(*at).is_some_and(|one| one.name() == about)
                        && known.answer.body == exchange.answer.body
                })
            };
            if is_it(pair.other_seen, &other) || pair.other_seen.shows_any(&value, &body) {
                continue;
            }
            // Without the id, each is answered about themselves; or what is shown is private; or it is the owner's.
            let is_personal = means_users && !is_required && is_it(pair.owner_seen, &owned);
            let shows_private = same.iter().any(|place| is_private(field_of(place)));
            let is_owned = whose(contract, app, pair, known, &filling, Some(&body)).why.is_some();
            let is_sure = is_personal || shows_private || is_owned;
            let level = if is_sure { Level::High } else { Level::Low };
            let message = format!(
                "`{about}` with an id of `{}` in `{name}` shows `{}` what is of `{}`",
                pair.owner.name, pair.other.name, pair.owner.name
            );
            let mut finding =
                Finding::new(rule_of(known, &rules::OBJECT_OF_ANOTHER), &about, message).level(level);
            finding = finding.part(format!("parameter {name}"));
            for exchange in [&owned, &other, &absent] {
                finding = finding.shown_by(asker.evidence(exchange));
            }
            return Verdict::Found(Box::new(app.closed(finding, known, Some(&body))));
        }
    }
    nothing
}
