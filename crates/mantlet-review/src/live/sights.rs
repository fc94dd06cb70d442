//! An object that check created, as a caller sees it now. It is what proves that a change took: the app's own answer to the
//! owner, and not the answer to the change.

use http::Method;
use serde_json::Value;

use super::{
    answers::{self, leaves},
    asker::{Asker, Exchange, Identity},
    ledger::{Created, Creator, consumers, template},
    operations::Known,
    values::Amount,
    world::App,
};

/// What a caller was answered who asked for an object.
pub(super) struct Sight {
    pub(super) exchange: Exchange,
    state: State,
}

enum State {
    /// Its text, and the object if that could be read.
    There(String, Option<Value>),
    /// The caller may not see it.
    Hidden,
    Gone,
    Unknown,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is as it was, or nothing is known.
    None,
    Changed,
    Gone,
}

impl Sight {
    pub(super) const fn is_there(&self) -> bool {
        matches!(self.state, State::There(..))
    }

    /// Whether the app says that there is no such object. That a caller may not see it is something else.
    pub(super) const fn is_missing(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    pub(super) const fn object(&self) -> Option<&Value> {
        match &self.state {
            State::There(_, object) => object.as_ref(),
            State::Hidden | State::Gone | State::Unknown => None,
        }
    }

    /// Of the operation that reads the object by its id.
    fn by_id(exchange: Exchange) -> Self {
        let state = match exchange.answer.status.as_u16() {
            403 => State::Hidden,
            404 | 410 => State::Gone,
            _ if exchange.is_success() => {
                let text = String::from_utf8_lossy(&exchange.answer.body).into_owned();
                State::There(text, exchange.answer.json())
            }
            _ => State::Unknown,
        };
        Self { exchange, state }
    }

    /// Of the operation that lists such objects.
    fn in_list(exchange: Exchange, known: &Known<'_>, at: usize, id: &str, most: Option<u64>) -> Self {
        let body = exchange.answer.json().filter(|_| exchange.is_success());
        let state = body.map_or(State::Unknown, |body| {
            let items = answers::items(known, at, &exchange.question.target, &body);
            let listed = items.iter().filter(|item| item.is_listed);
            match listed.clone().find(|item| item.has(id)) {
                Some(item) => {
                    let object = Value::Object(item.object.clone());
                    State::There(object.to_string(), Some(object))
                }
                None if answers::is_whole(&body, listed.count(), most) => State::Gone,
                None => State::Unknown,
            }
        });
        Self { exchange, state }
    }
}

/// The operation that reads one object of a creator, and how many values of the creator's path it takes first.
pub(super) fn reader(app: &App<'_>, creator: &Creator) -> Option<(usize, usize)> {
    let made_by = app.known.get(creator.at)?;
    consumers(app, creator, made_by).into_iter().find(|(at, _)| {
        let known = app.known.get(*at);
        known.is_some_and(|known| known.is_safe() && known.is_about_itself())
    })
}

/// The operation that lists the objects of a creator.
fn lister(app: &App<'_>, creator: &Creator) -> Option<usize> {
    let path = template(&app.known.get(creator.at)?.path);
    app.known.iter().position(|known| known.method == Method::GET && template(&known.path) == path)
}

/// Looks at an object as a caller: by its id, or else in the list.
pub(super) async fn look(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    creator: &Creator,
    created: &Created,
    caller: Option<&Identity>,
) -> Option<Sight> {
    if let Some((at, above)) = reader(app, creator) {
        return read(app, asker, created, caller, (at, above)).await.map(Sight::by_id);
    }
    let at = lister(app, creator)?;
    let known = app.known.get(at)?;
    let (_, above) = created.values.split_last()?;
    let question = app.first_page(known, above)?;
    let exchange = asker.ask(&known.name(), caller, question).await?;
    let most = known.page_size(&app.maker).map(|(_, most)| most);
    Some(Sight::in_list(exchange, known, at, created.id(), most))
}

/// Reads an object by an operation that names it.
pub(super) async fn read(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    created: &Created,
    caller: Option<&Identity>,
    (at, above): (usize, usize),
) -> Option<Exchange> {
    let known = app.known.get(at)?;
    let question =
        known.request(&app.maker, &created.values_for(above), Amount::Required, &|_| Vec::new())?;
    asker.ask(&known.name(), caller, question).await
}

/// What became of an object that was looked at twice before: what differs between the two says nothing. The mark is a text
/// that nothing but the change has.
pub(super) fn change(before: [Option<&Sight>; 2], after: Option<&Sight>, mark: Option<&str>) -> Change {
    let [Some(Sight { state: State::There(text, first), .. }), Some(again)] = before else {
        return Change::None;
    };
    let State::There(_, second) = &again.state else { return Change::None };
    let (now, third) = match after.map(|after| &after.state) {
        Some(State::Gone) => return Change::Gone,
        // Its owner may see it no more.
        Some(State::Hidden) => return Change::Changed,
        Some(State::There(now, third)) => (now, third),
        Some(State::Unknown) | None => return Change::None,
    };
    if mark.is_some_and(|mark| now.contains(mark) && !text.contains(mark)) {
        return Change::Changed;
    }
    let (Some(first), Some(second), Some(third)) = (first, second, third) else { return Change::None };
    let (first, second, third) = (leaves(first), leaves(second), leaves(third));
    let is_steady = |place: &String| first.get(place) == second.get(place);
    let is_other = third.iter().any(|(place, value)| is_steady(place) && first.get(place) != Some(value));
    if is_other { Change::Changed } else { Change::None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exchange::{Question, answer};

    fn sight(status: u16, body: &Value) -> Sight {
        let answer = answer(status, body);
        Sight::by_id(Exchange { caller: "alice".to_owned(), question: Question::get("/"), answer })
    }

    #[test]
    fn only_what_the_owner_sees_proves_a_change() {
        let before =
            [&sight(200, &json!({"text": "a", "at": 1})), &sight(200, &json!({"text": "a", "at": 2}))];
        let of = |after: &Sight| change(before.map(Some), Some(after), Some("mark7"));
        assert_eq!(of(&sight(200, &json!({"text": "a", "at": 3}))), Change::None);
        assert_eq!(of(&sight(200, &json!({"text": "mark7", "at": 3}))), Change::Changed);
        assert_eq!(of(&sight(200, &json!({"text": "a", "at": 3, "done": true}))), Change::Changed);
        assert_eq!(of(&sight(404, &json!({}))), Change::Gone);
        assert_eq!(of(&sight(403, &json!({}))), Change::Changed, "it has another owner");
        assert_eq!(of(&sight(401, &json!({}))), Change::None, "a session that has ended");
        assert_eq!(of(&sight(500, &json!({}))), Change::None);
        let gone = sight(404, &json!({}));
        assert_eq!(change([Some(&gone), Some(&gone)], Some(&gone), None), Change::None, "it never was there");
        assert_eq!(change([None, None], Some(&gone), None), Change::None);
    }
}
