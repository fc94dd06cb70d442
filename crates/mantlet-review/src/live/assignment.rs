//! Whether what a request adds to its fields is taken over into an object.

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    asker::{Asker, Exchange},
    ledger::{Created, Creator, Ledger, consumers},
    operations::Known,
    ownership::Pair,
    sights::reader,
    values::Amount,
    words::{is_id, is_owner, is_password, is_role, simple},
    world::App,
};
use crate::{
    exchange::Question,
    finding::Finding,
    review::{Review, Row},
    rule::{Owasp, Practice, live as rules},
};

/// Sends fields that a request does not declare, for objects that check creates.
pub(super) async fn review(
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

/// The same request, with more fields in its body.
pub(super) fn with_more(question: Question, more: &[(String, Value)]) -> Option<Question> {
    let mut body: Value =
        if question.body.is_empty() { json!({}) } else { serde_json::from_slice(&question.body).ok()? };
    body.as_object_mut()?.extend(more.iter().cloned());
    Some(question.json(&body))
}

/// What took, by the last of these exchanges, which reads it back.
pub(super) fn report(
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
