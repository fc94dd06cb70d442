//! What errors tell; and the findings about what answers show that no client should see.

use std::collections::BTreeMap;

use http::Method;
use mantlet_contract::model::{Shape, ShapeId};

use super::{
    asker::{Asker, Exchange, Identity, Kept},
    operations::{Known, with_query},
    secrets::Secret,
    values::{Amount, Maker},
    world::App,
};
use crate::{
    exchange::{Answer, Question},
    finding::Finding,
    review::{Review, Row},
    rule::{Owasp, Practice, live as rules},
};

/// Operations that are asked with input that may break them.
const BROKEN: usize = 150;

/// Beginnings of what Python and databases say of their inside.
const SIGNS: [(&str, &str); 16] = [
    ("a traceback", "Traceback (most recent call last)"),
    ("a file of the app", "File \"/"),
    ("a file of the app", ".py\", line "),
    ("a file of the app", "site-packages/"),
    ("the name of an exception", "sqlalchemy.exc."),
    ("the name of an exception", "sqlite3.OperationalError"),
    ("the name of an exception", "sqlite3.IntegrityError"),
    ("the name of an exception", "psycopg2.errors."),
    ("the name of an exception", "asyncpg.exceptions"),
    ("the name of an exception", "pymysql.err."),
    ("an SQL statement", "[SQL: "),
    ("an SQL error", "near \"': syntax error"),
    ("an SQL error", "You have an error in your SQL syntax"),
    ("an SQL error", "UNIQUE constraint failed: "),
    ("an SQL error", "FOREIGN KEY constraint failed"),
    ("an SQL error", "violates foreign key constraint"),
];

/// What an error shows of the inside.
fn told(answer: &Answer) -> Option<&'static str> {
    if answer.status.is_success() || answer.status.is_redirection() {
        return None;
    }
    let text = String::from_utf8_lossy(&answer.body);
    let sign = SIGNS.iter().find(|(_, sign)| text.contains(sign)).map(|(what, _)| *what);
    sign.or_else(|| is_exception(&text).then_some("the name of an exception"))
}

/// Whether a text has the name of an exception of Python and what it says: `OverflowError: Python int too large`.
fn is_exception(text: &str) -> bool {
    let is_name = |word: &str| {
        let stem = word.strip_suffix("Error").or_else(|| word.strip_suffix("Exception"));
        stem.is_some_and(|stem| {
            stem.len() >= 2
                && stem.starts_with(|c: char| c.is_ascii_uppercase())
                && stem.bytes().all(|byte| byte.is_ascii_alphabetic())
                && stem.bytes().any(|byte| byte.is_ascii_lowercase())
        })
    };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(['(', ':']) {
        let word = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let is_call = after.starts_with(['\'', '"', ' ']) || after.starts_with("\\\"");
        if is_name(word) && is_call {
            return true;
        }
        rest = after;
    }
    false
}

/// Whether an answer is kept for [`review`], whatever secrets it shows.
pub(super) fn is_of_interest(exchange: &Exchange) -> bool {
    exchange.answer.status.is_server_error() || told(&exchange.answer).is_some()
}

/// Asks for what does not exist, with methods that nobody has, and with what may break.
pub(super) async fn provoke(app: &App<'_>, asker: &mut Asker<'_>, caller: Option<&Identity>) -> Option<()> {
    asker.ask("GET /", None, Question::get("/mantlet-check/does-not-exist")).await;
    let unknown = Method::from_bytes(b"MANTLET").ok()?;
    for known in app.known.iter().filter(|known| known.is_safe() && known.parameters.is_empty()).take(3) {
        asker.ask(&known.name(), None, Question::new(unknown.clone(), known.target(&[]))).await;
    }
    let mut left = BROKEN;
    for known in app.known.iter().filter(|known| known.is_safe()) {
        for question in breaking(known, &app.maker) {
            left = left.checked_sub(1)?;
            let caller = caller.filter(|_| known.is_secured());
            asker.ask(&known.name(), caller, question).await?;
        }
    }
    Some(())
}

/// Requests that only read, whose input passes validation and may break what comes after it.
fn breaking(known: &Known<'_>, maker: &Maker<'_>) -> Vec<Question> {
    let nothing = |_: &str| Vec::new();
    let odd = |shape: Option<ShapeId>| {
        let bare = shape.and_then(|shape| maker.bare(shape));
        let values: &[&str] = match bare {
            Some(Shape::Int { .. } | Shape::Float { .. }) => &["9223372036854775808", "-1", "1000000"],
            Some(Shape::Str { .. }) | None => &["mantlet\u{0}'check"],
            _ => &[],
        };
        values.iter().filter(move |value| shape.is_none_or(|shape| maker.accepts_text(shape, value)))
    };
    let mut found = Vec::new();
    if let [parameter] = known.parameters.as_slice() {
        found
            .extend(odd(parameter.shape).filter_map(|value| {
                known.request(maker, &[(*value).to_owned()], Amount::Required, &nothing)
            }));
    }
    if known.parameters.is_empty() {
        for (name, shape, _) in known.query().take(6) {
            for value in odd(Some(shape)) {
                let Some(question) = known.request(maker, &[], Amount::Required, &nothing) else {
                    continue;
                };
                found.push(with_query(question, &name, value));
            }
        }
    }
    found
}

/// Judges everything that was kept.
pub(super) fn review(asker: &Asker<'_>, review: &mut Review) {
    review.looked(Row::Owasp(Owasp::Api8), "answers, for what errors tell", asker.asked());
    review.looked(Row::Owasp(Owasp::Api3), "answers, for secrets in them", asker.asked());
    review.looked(Row::Practice(Practice::Input), "answers to odd input", asker.asked());
    let mut shown: BTreeMap<(String, String), (Secret, &Exchange)> = BTreeMap::new();
    for Kept { operation, exchange, secrets } in &asker.kept {
        if let Some(what) = told(&exchange.answer) {
            let finding = Finding::new(
                &rules::ERROR_TELLS,
                operation,
                format!("an error of `{operation}` shows {what}"),
            );
            let finding = finding.part(what).shown_by(asker.evidence(exchange));
            review.found(
                finding.mended_by(
                    "answer without details, and log them; `FastAPI(debug=True)` is for development",
                ),
            );
        }
        if exchange.answer.status == http::StatusCode::INTERNAL_SERVER_ERROR {
            let message = format!("`{operation}` answers 500 to a request that its contract allows");
            review.found(
                Finding::new(&rules::INPUT_BREAKS, operation, message).shown_by(asker.evidence(exchange)),
            );
        }
        for (name, secret) in secrets {
            let entry =
                shown.entry((operation.clone(), name.clone())).or_insert_with(|| (secret.clone(), exchange));
            // What everybody sees says most.
            let is_open = exchange.caller == "nobody" && entry.1.caller != "nobody";
            if secret.level > entry.0.level || secret.level == entry.0.level && is_open {
                *entry = (secret.clone(), exchange);
            }
        }
    }
    for ((operation, name), (secret, exchange)) in shown {
        let whom = if exchange.caller == "nobody" { "everybody" } else { "its caller" };
        let message = format!("the answer of `{operation}` shows `{name}` to {whom}");
        let finding = Finding::new(&rules::SECRET_SHOWN, &operation, message)
            .part(format!("field {name}"))
            .level(secret.level)
            .fact(secret.why);
        let finding = finding.shown_by(asker.evidence(exchange));
        review.found(finding.mended_by("declare a response model that leaves it out"));
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::exchange::answer;

    #[test]
    fn errors_that_tell() {
        for body in [
            "Traceback (most recent call last):\n  File \"/app/main.py\", line 3",
            "OverflowError: Python int too large to convert to SQLite INTEGER",
            "{\"error\": \"KeyError('order')\"}",
            "{\"detail\": \"(sqlite3.OperationalError) no such column\"}",
        ] {
            assert!(told(&answer(500, body.to_owned())).is_some(), "{body}");
        }
        for body in [
            "{\"detail\":\"Not Found\"}",
            "Internal Server Error",
            "{\"error\": \"ValidationError\"}",
            "Error: no",
        ] {
            assert!(told(&answer(500, body.to_owned())).is_none(), "{body}");
        }
        assert!(told(&answer(200, "Traceback (most recent call last)".to_owned())).is_none());
    }
}
