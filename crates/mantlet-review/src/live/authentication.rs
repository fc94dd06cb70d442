//! Whether what asks for a credential refuses without one, and with a forged one.
//!
//! Only requests that cannot change anything are sent:
//!
//! - To operations that read: without a credential, and with forged ones.
//! - To others, only where the app itself was read (not where a document claims something), and only requests that two
//!   things stop each for itself: the credential, which the app declares that it must have, is missing; and the input is
//!   invalid, so that FastAPI does not call the handler, whatever the app does about credentials. A forged credential is
//!   never sent to them.

use http::{HeaderName, HeaderValue, Method};
use mantlet_contract::model::{BodyKind, Contract, Location, SecurityScheme, Source, Take};

use super::{
    asker::{Asker, Credential, Exchange, Identity},
    operations::Known,
    token,
    values::Amount,
    world::{App, Seen},
};
use crate::{
    exchange::Question,
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, Practice, api, live as rules},
};

/// Operations to which forged credentials are sent.
const FORGED: usize = 40;

pub(super) async fn review(
    contract: &Contract,
    app: &App<'_>,
    asker: &mut Asker<'_>,
    owner: Option<&Identity>,
    owner_seen: &Seen,
    review: &mut Review,
) {
    let row = Row::Owasp(Owasp::Api2);
    let (mut without, mut forged, mut throttled) = (0, 0, 0);
    let mut unanswered = 0;
    for (at, known) in app.known.iter().enumerate().filter(|(_, known)| known.is_safe() && known.is_secured())
    {
        if asker.is_over() {
            break;
        }
        // An object that is there, if one is known; otherwise one of the right form.
        let values = app.fillings(owner_seen, known, 1).into_iter().next().map(|filling| filling.values);
        let values =
            values.unwrap_or_else(|| known.parameters.iter().map(|_| "1987654321".to_owned()).collect());
        let Some(question) = known.request(&app.maker, &values, Amount::Required, &|_| Vec::new()) else {
            continue;
        };
        let Some(nobody) = asker.ask(&known.name(), None, question.clone()).await else { continue };
        if nobody.is_throttled() {
            throttled += 1;
            continue;
        }
        without += 1;
        let genuine =
            owner_seen.answers.iter().find(|((one, _), exchange)| *one == at && exchange.is_success());
        if nobody.is_success() {
            open(asker, known, &nobody, genuine.map(|(_, genuine)| genuine), owner, &question, review).await;
            continue;
        }
        early(asker, known, &nobody, review);
        if forged >= FORGED || !(nobody.is_refused() || nobody.answer.status.as_u16() == 422) {
            unanswered += usize::from(!nobody.is_refused());
            continue;
        }
        forged += 1;
        for (what, credential) in credentials(known, owner) {
            let identity = Identity { name: "an attacker".to_owned(), credential };
            let Some(exchange) = asker.ask(&known.name(), Some(&identity), question.clone()).await else {
                break;
            };
            if exchange.is_success() {
                let message = format!("`{}` accepts {what}", known.name());
                let mut finding = Finding::new(&api::TOKEN_NOT_VERIFIED, known.name(), message);
                finding = finding.shown_by(asker.evidence(&exchange)).shown_by(asker.evidence(&nobody));
                review.found(finding.mended_by(api::TOKEN_NOT_VERIFIED.remedy));
                break;
            }
        }
    }
    let changing = changing(contract, app, asker, review).await;
    review.looked(row, "operations asked without a credential", without + changing);
    review.looked(row, "operations asked with forged credentials", forged);
    if without + changing == 0 {
        review.unjudged(row, "no operation declares that it asks for a credential");
    }
    if throttled > 0 {
        review.unjudged(row, format!("{throttled} operations answered 429: too many requests"));
    }
    if unanswered > 0 {
        review.unjudged(row, format!("{unanswered} operations did not say whether they refuse: the object that was asked for is not there"));
    }
    lifetime(owner, review);
}

/// An operation that declares a credential and answers without one.
async fn open(
    asker: &mut Asker<'_>,
    known: &Known<'_>,
    nobody: &Exchange,
    genuine: Option<&Exchange>,
    owner: Option<&Identity>,
    question: &Question,
    review: &mut Review,
) {
    if known.operation.security.is_empty() {
        // Only a dependency that finds out who calls, which may be so for whom it wants.
        return;
    }
    // Some operations answer everybody, and callers whom they know more.
    let is_optional = !known.must_have_credential();
    let is_personal = match (genuine, owner) {
        (Some(genuine), _) => genuine.answer.body != nobody.answer.body,
        (None, Some(owner)) => {
            let known = asker.ask(&known.name(), Some(owner), question.clone()).await;
            known.is_some_and(|known| known.answer.body != nobody.answer.body)
        }
        (None, None) => false,
    };
    if is_optional && (is_personal || owner.is_none()) {
        review.unjudged(
            Row::Owasp(Owasp::Api2),
            format!(
                "`{}` answers without a credential, and does not declare that it must have one",
                known.name()
            ),
        );
        return;
    }
    let level = if is_optional { Level::Low } else { rules::UNAUTHENTICATED.level };
    let message = format!("`{}` declares a credential, and answers without one", known.name());
    let finding = Finding::new(&rules::UNAUTHENTICATED, known.name(), message).level(level);
    review.found(finding.shown_by(asker.evidence(nobody)).mended_by(rules::UNAUTHENTICATED.remedy));
}

/// Input that is told before the credential is asked for.
fn early(asker: &Asker<'_>, known: &Known<'_>, nobody: &Exchange, review: &mut Review) {
    if nobody.answer.status.as_u16() == 422 {
        let message =
            format!("`{}` tells a caller without a credential what is wrong with the input", known.name());
        let finding = Finding::new(&rules::INPUT_BEFORE_LOGIN, known.name(), message);
        review.found(finding.shown_by(asker.evidence(nobody)).mended_by(rules::INPUT_BEFORE_LOGIN.remedy));
    }
}

/// Credentials that no app may accept, as an operation takes them.
fn credentials(known: &Known<'_>, owner: Option<&Identity>) -> Vec<(&'static str, Credential)> {
    let genuine = owner.and_then(Identity::bearer);
    let mut found = Vec::new();
    let header =
        |name: HeaderName, value: String| Some(Credential::Header(name, HeaderValue::try_from(value).ok()?));
    let is_declared = !known.operation.security.is_empty();
    for requirement in known.operation.security.iter().flatten() {
        match &requirement.scheme {
            SecurityScheme::ApiKey { location: Location::Header, name } => {
                if let Ok(name) = HeaderName::try_from(name.as_str()) {
                    let key = header(name, "mantlet-check-0123456789".to_owned());
                    found.extend(key.map(|key| ("a key that it never gave out", key)));
                }
            }
            SecurityScheme::ApiKey { location: Location::Cookie, name } => {
                found.push((
                    "a cookie that it never gave out",
                    Credential::Cookies(format!("{name}=mantlet-check-0123456789")),
                ));
            }
            SecurityScheme::Basic => {
                let user =
                    header(http::header::AUTHORIZATION, "Basic bWFudGxldC1jaGVjazptYW50bGV0".to_owned());
                found.extend(user.map(|user| ("a user that does not exist", user)));
            }
            _ => {}
        }
    }
    if known.takes_bearer() || !is_declared {
        for (what, token) in token::forged(genuine) {
            found.extend(
                header(http::header::AUTHORIZATION, format!("Bearer {token}")).map(|token| (what, token)),
            );
        }
    }
    found
}

/// Operations that change something, with a request that cannot.
async fn changing(contract: &Contract, app: &App<'_>, asker: &mut Asker<'_>, review: &mut Review) -> usize {
    let row = Row::Owasp(Owasp::Api2);
    let all: Vec<_> = app
        .known
        .iter()
        .filter(|known| known.method != Method::GET && known.must_have_credential())
        .collect();
    if contract.source == Source::Document {
        if !all.is_empty() {
            review.unjudged(row, "operations that change something: a document is a claim, so nothing that might have an effect was sent");
        }
        return 0;
    }
    let (mut asked, mut left) = (0, 0);
    for known in all {
        if asker.is_over() {
            break;
        }
        let Some(question) = harmless(app, known) else {
            left += 1;
            continue;
        };
        let Some(exchange) = asker.ask(&known.name(), None, question).await else { continue };
        if exchange.is_throttled() {
            review.unjudged(row, format!("`{}` answered 429: too many requests", known.name()));
            continue;
        }
        asked += 1;
        early(asker, known, &exchange, review);
        if exchange.is_success() {
            let message = format!("`{}` declares a credential, and answers without one", known.name());
            let finding = Finding::new(&rules::UNAUTHENTICATED, known.name(), message);
            review
                .found(finding.shown_by(asker.evidence(&exchange)).mended_by(rules::UNAUTHENTICATED.remedy));
        }
    }
    if left > 0 {
        review.unjudged(row, format!("{left} operations that change something take no input that can be made invalid: they were not asked"));
    }
    asked
}

/// A request that FastAPI itself refuses before it calls the handler, if the contract knows one.
fn harmless(app: &App<'_>, known: &Known<'_>) -> Option<Question> {
    let mut values = Vec::new();
    let mut is_invalid = false;
    for parameter in &known.parameters {
        let bad = "mantlet-check-not-valid";
        let refuses = parameter.shape.is_some_and(|shape| !app.maker.accepts_text(shape, bad));
        is_invalid |= refuses;
        values.push(if refuses { bad.to_owned() } else { "1987654321".to_owned() });
    }
    let mut question = Question::new(known.method.clone(), known.target(&values));
    // Read as JSON, it is a text where an object is needed. What is not JSON at all FastAPI refuses before it looks for the
    // credential.
    let text = serde_json::json!("mantlet-check");
    let is_refused = known.operation.inputs.iter().any(|input| {
        let is_it = match input.take {
            Take::Whole => !app.maker.accepts(input.shape, &text),
            Take::Field { .. } => true,
            Take::Group { .. } => false,
        };
        input.location == Location::Body && input.required && is_it
    });
    if matches!(known.operation.body, BodyKind::Json { .. }) && is_refused {
        question = question.json(&text);
        is_invalid = true;
    }
    is_invalid.then_some(question)
}

/// How long the owner's token is good.
fn lifetime(owner: Option<&Identity>, review: &mut Review) {
    let row = Row::Practice(Practice::Tokens);
    let Some(claims) = owner.and_then(Identity::bearer).and_then(token::claims) else {
        review.unjudged(row, "no token was at hand whose end can be read");
        return;
    };
    review.looked(row, "tokens of the app", 1);
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let (rule, message) = match token::lifetime(&claims, now) {
        None => (&api::TOKEN_WITHOUT_END, "the token of a user has no `exp`".to_owned()),
        Some(seconds) if seconds > 90_000 => {
            (&rules::TOKEN_LASTS_LONG, format!("the token of a user lasts {} hours", seconds / 3600))
        }
        Some(_) => return,
    };
    review.found(Finding::new(rule, "tokens", message).mended_by(rule.remedy));
}
