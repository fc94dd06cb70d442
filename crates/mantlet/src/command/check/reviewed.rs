//! What the reviewers say of an app.

use mantlet_contract::{
    model,
    objects::{self, Place, Proposal},
};
use mantlet_controls::{Policy, operation::Contract};
use mantlet_review::{Finding, Level, Owasp, Review, review::Row, rule::api::OBJECT_WITHOUT_RULE};

use crate::contract::operations;

/// Reviews an app by its contract and its effective configuration.
///
/// TO BE REPLACED by `mantlet_review::of_app` as soon as it is there: until then this one rule is reviewed.
pub(super) fn reviewed(model: &model::Contract, policy: &Policy) -> Review {
    let mut review = Review::default();
    review.operations_known(operations(&model.router));
    let (contract, _) = Contract::compile(model);
    let found = objects::find(model);
    let row = Row::Owasp(Owasp::Api1);
    review.looked(row, "operations with an id and a login", found.with_id.len());
    if let Some(why) = found.unknown.as_ref().filter(|_| !found.with_id.is_empty()) {
        review.unjudged(row, format!("which table has the users: {why}"));
    }
    let mut unknown = 0;
    for place in &found.with_id {
        if policy.authorization.own_rules(&place.path, &place.methods, &contract) > 0 {
            continue;
        }
        let all = found.tables.iter().flat_map(|table| &table.proposals);
        match all.filter(|proposal| proposal.is_for(place)).min_by_key(|proposal| !proposal.is_sure()) {
            Some(proposal) => review.found(object_without_rule(place, proposal)),
            None => unknown += 1,
        }
    }
    if unknown > 0 {
        review.unjudged(
            row,
            format!("whose the objects of {unknown} operations are: nothing in the app says it"),
        );
    }
    review
}

fn object_without_rule(place: &Place, proposal: &Proposal) -> Finding {
    let message =
        "the id in the path chooses an object that belongs to a user, and no rule checks to which one";
    let mut finding = Finding::new(&OBJECT_WITHOUT_RULE, place.to_string(), message);
    if !proposal.is_sure() {
        finding = finding.level(Level::Low);
    }
    for fact in &proposal.evidence {
        finding = finding.fact(fact.as_str());
    }
    finding.closed_by(proposal.to_toml())
}
