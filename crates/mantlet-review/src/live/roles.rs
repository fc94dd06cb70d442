//! Whether an account gives itself a role: while it is made, and when it changes its own profile. The account is check's
//! own and made for this alone.

use http::Method;
use mantlet_contract::model::{Contract, RoleKind};
use serde_json::{Map, Value, json};

use super::{
    accounts::{self, Account},
    asker::Asker,
    assignment::{report, with_more},
    values::Amount,
    words::{is_id, is_role, is_user, simple},
    world::App,
};
use crate::{
    review::{Review, Row},
    rule::Owasp,
};

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

/// Asks for a role as an account. A second account, if one had to be made for it.
pub(super) async fn review(
    contract: &Contract,
    app: &App<'_>,
    asker: &mut Asker<'_>,
    account: &Account,
    review: &mut Review,
) -> Option<Account> {
    let row = Row::Owasp(Owasp::Api3);
    let me = app
        .known
        .iter()
        .find(|known| known.is_about_the_caller() && known.is_safe() && known.parameters.is_empty());
    let Some(me) = me else {
        review.unjudged(row, "whether an account gives itself a role: no operation says who the caller is");
        return None;
    };
    let ask_me = || me.request(&app.maker, &[], Amount::Required, &|_| Vec::new());
    let question = ask_me()?;
    let before = asker.ask(&me.name(), Some(&account.identity), question).await;
    let object = before.as_ref().filter(|before| before.is_success()).and_then(|before| before.answer.json());
    let Some(object) = object.as_ref().and_then(Value::as_object) else {
        review.unjudged(row, "whether an account gives itself a role: the app does not show the account");
        return None;
    };
    let roles: Vec<_> =
        roles(contract, object).into_iter().filter(|(name, _)| object.contains_key(name)).collect();
    if roles.is_empty() {
        review.unjudged(
            row,
            "whether an account gives itself a role: what the app shows of an account has none",
        );
        return None;
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
    made.ok()
}
