//! Whether one user changes or removes the account of another, or gives it a role. The account is one that check made for
//! this alone, and what became of it is seen as that account.

use http::Method;
use mantlet_contract::model::{Contract, Shape};
use serde_json::json;

use super::{
    accounts::{self, Account},
    answers::leaves,
    asker::{Asker, Exchange, Identity},
    operations::{Known, kind_of_table},
    values::Amount,
    words::{is_email, is_id, is_password, is_role, is_user, parts},
    world::App,
};
use crate::{
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, live as rules},
};

/// Accounts that are made for this at most: an operation may close one.
const MOST: usize = 6;
/// What is done to the account of another by administrators only.
const DONE: [&str; 20] = [
    "activate",
    "admin",
    "ban",
    "deactivate",
    "demote",
    "disable",
    "email",
    "enable",
    "impersonate",
    "lock",
    "permission",
    "permissions",
    "promote",
    "role",
    "roles",
    "status",
    "suspend",
    "unban",
    "unlock",
    "upgrade",
];

/// Operations that change an account which their path names. What users do to each other (to follow, to write) is not
/// among them.
fn is_about_an_account(contract: &Contract, known: &Known<'_>) -> bool {
    let table = contract.objects.as_ref().and_then(|objects| objects.user.as_ref());
    let table = table.map(|user| kind_of_table(&user.table));
    let [parameter] = known.parameters.as_slice() else { return false };
    let is_of_users = parameter.kinds.iter().any(|kind| is_user(kind) || table.as_ref() == Some(kind));
    let last = known.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let is_itself = last.starts_with('{');
    let is_done = parts(last).iter().any(|word| DONE.contains(&word.as_str()));
    let is_change = match known.method {
        Method::PUT | Method::PATCH | Method::DELETE => is_itself || is_done || known.is_for_administrators(),
        Method::POST => is_done || known.is_for_administrators() && !is_itself,
        _ => false,
    };
    is_of_users && is_change && known.purpose.is_none()
}

pub(super) async fn review(
    contract: &Contract,
    app: &App<'_>,
    asker: &mut Asker<'_>,
    other: &Identity,
    made: &mut Vec<Account>,
    review: &mut Review,
) {
    let all: Vec<_> = app.known.iter().filter(|known| is_about_an_account(contract, known)).collect();
    if all.is_empty() {
        return;
    }
    let (row, mut judged, mut left) = (Row::Owasp(Owasp::Api5), 0, MOST);
    let me = app.known.iter().find(|known| known.is_about_the_caller() && known.is_safe());
    let Some(me) = me.filter(|me| me.parameters.is_empty()) else {
        review.unjudged(row, "what users do to the accounts of others: no operation says who the caller is");
        return;
    };
    let mut victim: Option<Account> = None;
    for known in all {
        if victim.is_none() && left > 0 {
            left -= 1;
            match accounts::make(app, asker, "erin").await {
                Ok(account) => {
                    victim = Some(account.clone());
                    made.push(account);
                }
                Err(why) => {
                    review.unjudged(row, format!("what users do to the accounts of others: {why}"));
                    return;
                }
            }
        }
        let Some(account) = &victim else { break };
        match one(app, asker, me, known, other, account).await {
            Some((finding, is_gone)) => {
                judged += 1;
                if let Some(finding) = finding {
                    review.found(finding);
                }
                if is_gone {
                    victim = None;
                }
            }
            None if asker.is_over() => break,
            None => {}
        }
    }
    review.looked(row, "operations on the account of another, asked as an ordinary user", judged);
}

async fn one(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    me: &Known<'_>,
    known: &Known<'_>,
    other: &Identity,
    account: &Account,
) -> Option<(Option<Finding>, bool)> {
    let look = || me.request(&app.maker, &[], Amount::Required, &|_| Vec::new());
    let before =
        asker.ask(&me.name(), Some(&account.identity), look()?).await.filter(Exchange::is_success)?;
    let shown = before.answer.json()?;
    let id = account.ids.first().cloned().or_else(|| accounts::ids_of(&before).into_iter().next())?;
    let fields = known.body_fields(&app.maker);
    let is_text = |(name, shape): &&(String, _)| {
        let is_plain = matches!(app.maker.bare(*shape), Some(Shape::Str { .. }));
        is_plain && !is_id(name) && !is_email(name) && !is_password(name) && !is_role(name)
    };
    let marked = fields.iter().find(is_text).map(|(name, _)| name.clone());
    let was = leaves(&shown);
    let mut changed = None;
    for caller in [None, Some(other)] {
        let text = app.maker.text();
        let choices = |name: &str| {
            let shape = fields.iter().find(|(field, _)| field == name).map(|(_, shape)| *shape);
            let all = shape.map(|shape| app.maker.choices(shape)).unwrap_or_default();
            all.iter().filter(|choice| !was.values().any(|now| now == choice)).cloned().collect::<Vec<_>>()
        };
        let wishes = |name: &str| match shown.get(name) {
            _ if marked.as_deref() == Some(name) => vec![json!(text)],
            _ if is_role(name) => {
                let roles = [json!("admin"), json!("administrator"), json!(true), json!(1)];
                roles.into_iter().chain(choices(name)).collect()
            }
            Some(now) => choices(name).into_iter().chain([now.clone()]).collect(),
            None => choices(name),
        };
        // What need not be there is what changes something: a role, a name.
        let question = known.request(&app.maker, std::slice::from_ref(&id), Amount::All, &wishes);
        let question = question
            .or_else(|| known.request(&app.maker, std::slice::from_ref(&id), Amount::Required, &wishes))?;
        let exchange = asker.ask(&known.name(), caller, question).await?;
        if exchange.is_throttled() {
            return None;
        }
        let is_success = exchange.is_success();
        changed = Some(exchange);
        if is_success {
            break;
        }
    }
    let changed = changed.filter(Exchange::is_success);
    let Some(changed) = changed else { return Some((None, false)) };
    let after = asker.ask(&me.name(), Some(&account.identity), look()?).await?;
    let is_gone = matches!(after.answer.status.as_u16(), 401 | 403 | 404 | 410);
    let now = after.answer.json().unwrap_or_default();
    let is_moving =
        |place: &str| parts(place).iter().any(|word| matches!(word.as_str(), "at" | "last" | "seen"));
    let is = leaves(&now);
    let field = is.iter().find(|(place, value)| !is_moving(place) && was.get(*place) != Some(value));
    if !is_gone && (!after.is_success() || field.is_none()) {
        return Some((None, false));
    }
    let is_open = changed.caller == "nobody";
    let last = known.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let is_function = known.is_for_administrators() || !last.starts_with('{');
    let rule =
        if is_function { &rules::FUNCTION_OF_ADMINISTRATORS } else { &rules::OBJECT_CHANGED_BY_ANOTHER };
    let whom = if is_open { "everybody" } else { &other.name };
    let verb = if is_gone { "closes" } else { "changes" };
    let message = format!("by `{}`, `{whom}` {verb} the account of another", known.name());
    let mut finding = Finding::new(rule, known.name(), message);
    if is_open {
        finding = finding.level(Level::Critical);
    }
    for exchange in [&before, &changed, &after] {
        finding = finding.shown_by(asker.evidence(exchange));
    }
    Some((Some(finding.mended_by(rule.remedy)), is_gone))
}
