//! Whether an ordinary user calls what is for administrators. That an operation is, only words say; so a finding needs
//! more than the words: an account that is surely ordinary, an administrator who is shown the same, or something of
//! another user in the answer.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    answers::{field_of, leaves, scalar},
    asker::{Asker, Exchange, Identity},
    ownership::Pair,
    values::Amount,
    words::{is_email, is_id, is_username},
    world::{App, Seen},
};
use crate::{
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, live as rules},
};

pub(super) async fn review(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    pair: &Pair<'_>,
    administrator: Option<(&Identity, &Seen)>,
    is_ordinary: bool,
    review: &mut Review,
) {
    let row = Row::Owasp(Owasp::Api5);
    let (mut looked, mut some) = (0, false);
    for known in app.known.iter().filter(|known| known.is_safe() && known.may_be_for_administrators()) {
        some = true;
        if asker.is_over() {
            break;
        }
        let seen = administrator.map_or(pair.owner_seen, |(_, seen)| seen);
        let Some(filling) = app.fillings(seen, known, 1).into_iter().next() else { continue };
        let Some(question) = known.request(&app.maker, &filling.values, Amount::Required, &|_| Vec::new())
        else {
            continue;
        };
        let Some(other) = asker.ask(&known.name(), Some(pair.other), question.clone()).await else {
            continue;
        };
        if other.is_throttled() {
            review.unjudged(row, format!("`{}` answered 429: too many requests", known.name()));
            continue;
        }
        let Some(nobody) = asker.ask(&known.name(), None, question.clone()).await else { continue };
        let (mut by_administrator, mut is_confirmed) = (None, true);
        if let Some((identity, _)) = administrator {
            by_administrator = asker.ask(&known.name(), Some(identity), question).await;
            is_confirmed = by_administrator.as_ref().is_some_and(Exchange::is_success);
        }
        looked += 1;
        if !other.is_success() || is_empty(&other) || !is_confirmed {
            continue;
        }
        let shown = of_the_owner(pair, &other);
        let level = match () {
            () if nobody.is_success() => Level::Critical,
            () if shown.is_some() => Level::High,
            () if known.is_for_administrators() && (is_ordinary || by_administrator.is_some()) => Level::High,
            () => Level::Low,
        };
        // What everybody is told is not for administrators, whatever its path says, unless it is of a user.
        if nobody.is_success() && shown.is_none() {
            continue;
        }
        let whom = if nobody.is_success() { "everybody" } else { &pair.other.name };
        let message = format!("`{}` answers `{whom}`", known.name());
        let mut finding =
            Finding::new(&rules::FUNCTION_OF_ADMINISTRATORS, known.name(), message).level(level);
        finding = finding.fact(match (&shown, is_ordinary && level == Level::High, &by_administrator) {
            (Some(field), ..) => format!("the answer shows `{field}` of `{}`", pair.owner.name),
            (None, true, _) => format!("`{}` is an account that check made, with no role", pair.other.name),
            (None, false, Some(_)) => "an administrator is answered in the same way".to_owned(),
            (None, false, None) => {
                "its path says that it is for administrators: this is a suspicion".to_owned()
            }
        });
        for exchange in [Some(&other), by_administrator.as_ref()].into_iter().flatten() {
            finding = finding.shown_by(asker.evidence(exchange));
        }
        review.found(finding.mended_by(rules::FUNCTION_OF_ADMINISTRATORS.remedy));
    }
    review.looked(row, "operations for administrators, asked as an ordinary user", looked);
    if !some {
        review.unjudged(row, "no operation that only reads says that it is for administrators");
    } else if looked == 0 {
        review.unjudged(row, "no operation for administrators could be asked");
    }
}

fn is_empty(exchange: &Exchange) -> bool {
    match exchange.answer.json() {
        Some(body) => leaves(&body).is_empty(),
        None => exchange.answer.body.is_empty(),
    }
}

/// The field in which an answer to the other user shows what is the owner's alone: the address, or the id of an object
/// that only the owner's own lists show.
fn of_the_owner(pair: &Pair<'_>, exchange: &Exchange) -> Option<String> {
    let body = exchange.answer.json()?;
    let own: BTreeSet<&String> = pair
        .owner_seen
        .names
        .iter()
        .filter(|name| name.len() >= 5 && !pair.other_seen.names.contains(*name))
        .collect();
    let is_it = |(place, value): (String, &Value)| {
        let text = scalar(value)?;
        let name = field_of(&place);
        let is_name = (is_email(name) || is_username(name) || is_id(name)) && own.contains(&text);
        let is_seen_anyway = pair
            .other_seen
            .items
            .iter()
            .any(|item| item.target != exchange.question.target && item.has(&text));
        (is_name && !is_seen_anyway).then(|| name.to_owned())
    };
    leaves(&body).into_iter().find_map(is_it)
}
