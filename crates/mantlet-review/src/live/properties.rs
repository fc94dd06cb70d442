//! Whether answers show more of an object than the app says elsewhere that it shows.

use std::collections::{BTreeMap, BTreeSet};

use mantlet_contract::model::{Shape, ShapeId};

use super::{
    asker::Asker,
    operations::{Known, kind_of_table},
    values::Maker,
    world::{App, Seen},
};
use crate::{
    finding::Finding,
    review::{Review, Row},
    rule::{Owasp, live as rules},
};

/// The shape of one object in the answer of an operation, if it is declared.
pub(super) fn declared<'c>(maker: &Maker<'c>, known: &Known<'_>) -> Option<BTreeSet<&'c str>> {
    let response = known
        .operation
        .responses
        .iter()
        .find(|response| response.status.is_none_or(|status| status < 300))?;
    fields(maker, response.shape?, 0)
}

fn fields<'c>(maker: &Maker<'c>, shape: ShapeId, depth: usize) -> Option<BTreeSet<&'c str>> {
    if depth > 4 {
        return None;
    }
    match maker.bare(shape)? {
        Shape::Object(object) => match object.root {
            Some(root) => fields(maker, root, depth + 1),
            None => Some(maker.fields(shape).into_iter().map(|(name, _)| name).collect()),
        },
        Shape::List(of) | Shape::Set(of) | Shape::FrozenSet(of) => fields(maker, of.items?, depth + 1),
        _ => None,
    }
}

/// What an operation shows objects of.
fn kinds(known: &Known<'_>) -> Vec<String> {
    let shown = known.operation.objects.as_ref().and_then(|facts| facts.shows.as_ref());
    shown.map(|shown| kind_of_table(&shown.table)).into_iter().chain([known.noun()]).collect()
}

pub(super) fn review(app: &App<'_>, asker: &Asker<'_>, seen: [&Seen; 2], review: &mut Review) {
    let mut shown: BTreeMap<String, BTreeSet<&'_ str>> = BTreeMap::new();
    for known in app.known.iter().filter(|known| known.is_safe()) {
        if let Some(fields) = declared(&app.maker, known) {
            for kind in kinds(known) {
                shown.entry(kind).or_default().extend(fields.iter().copied());
            }
        }
    }
    let mut looked = 0;
    let mut judged = BTreeSet::new();
    for seen in seen {
        for item in &seen.items {
            let Some(known) = app.known.get(item.operation) else { continue };
            let own = kinds(known);
            let is_of_it = item.kinds.iter().any(|kind| own.contains(kind));
            let Some(fields) = own.iter().find_map(|kind| shown.get(kind)).filter(|_| is_of_it) else {
                continue;
            };
            if declared(&app.maker, known).is_some() || !judged.insert(item.operation) {
                continue;
            }
            looked += 1;
            let more: Vec<_> =
                item.object.keys().filter(|name| !fields.contains(name.as_str())).cloned().collect();
            let is_known = item.object.keys().filter(|name| fields.contains(name.as_str())).count() * 2
                > item.object.len();
            if more.is_empty() || !is_known {
                continue;
            }
            let message = format!(
                "`{}` declares no response model, and shows `{}`, which no declared model of such an object has",
                known.name(),
                more.join("`, `")
            );
            let finding = Finding::new(&rules::FIELD_NOT_DECLARED, known.name(), message);
            let exchange = seen.answers.get(&(item.operation, item.target.clone()));
            let finding = exchange
                .into_iter()
                .fold(finding, |finding, exchange| finding.shown_by(asker.evidence(exchange)));
            review.found(finding.mended_by(rules::FIELD_NOT_DECLARED.remedy));
        }
    }
    review.looked(
        Row::Owasp(Owasp::Api3),
        "answers without a declared model, held against the models of others",
        looked,
    );
}
