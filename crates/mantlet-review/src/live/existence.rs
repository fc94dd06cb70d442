//! Whether a refusal tells which objects exist: the answer for an object of another user and the one for an object that does
//! not exist must be the same.
//!
//! Each of the two is asked for twice. What differs between the same two (the time, the number of a request) says nothing, and
//! neither does the id that a request has itself.

use super::{
    asker::{Asker, Exchange},
    operations::Known,
    ownership::Pair,
};
use crate::{
    exchange::{Answer, Question},
    finding::Finding,
    rule::{Level, live as rules},
};

/// What answers tell apart.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Status,
    Body,
}

/// Compares the answer that the other user got for the owner's object with the one for an object that does not exist.
pub(super) async fn review(
    asker: &mut Asker<'_>,
    pair: &Pair<'_>,
    known: &Known<'_>,
    [owned, foreign]: [&Exchange; 2],
    [question, absent]: [&Question; 2],
) -> Option<Box<Finding>> {
    let name = known.name();
    let missing = asker.ask(&name, Some(pair.other), absent.clone()).await?;
    let foreign_again = asker.ask(&name, Some(pair.other), question.clone()).await?;
    let missing_again = asker.ask(&name, Some(pair.other), absent.clone()).await?;
    let id = |question: &Question| question.target.split(['/', '?', '&', '=']).map(str::to_owned).collect();
    let ids: [Vec<String>; 2] = [id(question), id(absent)];
    let told = told(
        [&foreign.answer, &foreign_again.answer],
        [&missing.answer, &missing_again.answer],
        [&ids[0], &ids[1]],
    )?;
    // An id that cannot be guessed is not tried.
    let is_guessed = question.target.split(['/', '?', '&', '=']).any(is_number);
    let level = if is_guessed && told == Told::Status { Level::Low } else { Level::Info };
    let (one, other) = (foreign.answer.status.as_u16(), missing.answer.status.as_u16());
    let message = match told {
        Told::Status => format!(
            "`{name}` answers {one} for an object of another user, and {other} for one that does not exist"
        ),
        Told::Body => format!(
            "`{name}` says something else of an object of another user than of one that does not exist"
        ),
    };
    let mut finding = Finding::new(&rules::OBJECTS_TOLD, &name, message).level(level);
    for exchange in [owned, foreign, &missing] {
        finding = finding.shown_by(asker.evidence(exchange));
    }
    Some(Box::new(finding.mended_by(rules::OBJECTS_TOLD.remedy)))
}

fn is_number(segment: &str) -> bool {
    !segment.is_empty() && segment.len() <= 12 && segment.bytes().all(|byte| byte.is_ascii_digit())
}

fn told(foreign: [&Answer; 2], missing: [&Answer; 2], ids: [&[String]; 2]) -> Option<Told> {
    let is_refusal = |answer: &Answer| matches!(answer.status.as_u16(), 400..=404 | 410);
    let is_steady = |[one, other]: [&Answer; 2]| one.status == other.status;
    if !foreign.into_iter().chain(missing).all(is_refusal) || !is_steady(foreign) || !is_steady(missing) {
        return None;
    }
    if foreign[0].status != missing[0].status {
        return Some(Told::Status);
    }
    // What stands in the path of both is no id. Short ids would be cut out of words.
    let plain = |answer: &Answer, own: &[String], others: &[String]| {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let own = own.iter().filter(|id| !id.is_empty() && !others.contains(id));
        own.fold(text, |text, id| text.replace(id.as_str(), "?"))
    };
    let foreign = foreign.map(|answer| plain(answer, ids[0], ids[1]));
    let missing = missing.map(|answer| plain(answer, ids[1], ids[0]));
    let is_told = foreign[0] == foreign[1] && missing[0] == missing[1] && foreign[0] != missing[0];
    is_told.then_some(Told::Body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::answer;

    #[test]
    fn refusals_that_tell() {
        let ids = [
            vec![String::new(), "orders".to_owned(), "7".to_owned()],
            vec![String::new(), "orders".to_owned(), "98".to_owned()],
        ];
        let of = |foreign: [&Answer; 2], missing: [&Answer; 2]| told(foreign, missing, [&ids[0], &ids[1]]);
        let (forbidden, none) = (answer(403, "{}"), answer(404, "{}"));
        assert_eq!(of([&forbidden; 2], [&none; 2]), Some(Told::Status));
        assert_eq!(of([&none; 2], [&none; 2]), None);
        assert_eq!(of([&answer(404, "not yours"); 2], [&answer(404, "no such order"); 2]), Some(Told::Body));
        assert_eq!(of([&answer(404, "no order 7"); 2], [&answer(404, "no order 98"); 2]), None);
        // The number of a request, a server that fails, input that is refused before.
        assert_eq!(of([&answer(404, "a"), &answer(404, "b")], [&answer(404, "c"), &answer(404, "d")]), None);
        assert_eq!(of([&answer(500, ""); 2], [&none; 2]), None);
        assert_eq!(of([&forbidden; 2], [&answer(422, "{}"); 2]), None);
        assert_eq!(of([&answer(429, ""); 2], [&none; 2]), None);
    }
}
