//! Whether passwords can be guessed, and whether answers tell which accounts exist. Wrong passwords are sent only for an
//! account that check made, or for one that cannot exist.

use http::{HeaderMap, header};
use mantlet_contract::sensitive::Purpose;

use super::{
    accounts::{self, Account},
    asker::{Asker, Exchange},
    operations::{Known, Special},
    values::Amount,
    words::{is_email, is_username, simple},
    world::App,
};
use crate::{
    exchange::{Answer, Question},
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, Practice, live as rules},
};

/// Wrong passwords that are sent at most.
const TRIES: usize = 40;

/// Logins at which passwords are guessed.
const LOGINS: usize = 3;

/// Tries wrong passwords, compares answers, and looks at the cookies of a login.
pub(super) async fn review(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    account: Option<&Account>,
    review: &mut Review,
) {
    let row = Row::Owasp(Owasp::Api2);
    let logins: Vec<_> = accounts::logins(app).into_iter().filter_map(|login| app.known.get(login)).collect();
    if logins.is_empty() {
        let why = "guessing of passwords: the contract has no login with a password";
        review.unjudged(row, why);
        review.unjudged(Row::Practice(Practice::Limits), why);
        return;
    }
    for login in &logins {
        cookies(app, asker, login, account, review).await;
        told(app, asker, login, account, review).await;
    }
    resets(app, asker, account, review).await;
    for login in logins.iter().take(LOGINS) {
        guesses(app, asker, login, account, review).await;
    }
}

/// A login with a wrong password.
fn wrong(app: &App<'_>, login: &Known<'_>, username: &str, email: &str, number: usize) -> Option<Question> {
    let password = format!("Wrong-{number}-Mantlet!");
    login.request(&app.maker, &[], Amount::Required, &accounts::wishes_of(username, email, &password))
}

fn is_limited(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 423 | 429) || answer.headers.contains_key(header::RETRY_AFTER)
}

async fn guesses(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    login: &Known<'_>,
    account: Option<&Account>,
    review: &mut Review,
) {
    let nobody = app.maker.text();
    let address = format!("{nobody}@example.com");
    let (username, email) =
        account.map_or((nobody.as_str(), address.as_str()), |account| (&account.username, &account.email));
    let mut last: Option<Exchange> = None;
    let mut tries = 0;
    for number in 0..TRIES {
        let Some(question) = wrong(app, login, username, email, number) else { break };
        let Some(exchange) = asker.once(&login.name(), None, question).await else { return };
        tries += 1;
        if exchange.is_success() || exchange.answer.status.is_server_error() {
            review.unjudged(
                Row::Owasp(Owasp::Api2),
                format!(
                    "`{}` answered {} to a wrong password",
                    login.name(),
                    exchange.answer.status.as_u16()
                ),
            );
            return;
        }
        // The app says no in another way than at first: it locks, or asks for more.
        let is_other = last.as_ref().is_some_and(|last| last.answer.status != exchange.answer.status);
        if is_limited(&exchange.answer) || is_other {
            review.looked(Row::Owasp(Owasp::Api2), "wrong passwords until a limit", tries);
            review.looked(Row::Practice(Practice::Limits), "wrong passwords until a limit", tries);
            return;
        }
        last = Some(exchange);
    }
    let Some(last) = last.filter(|_| tries == TRIES) else {
        review.unjudged(
            Row::Practice(Practice::Limits),
            format!("no request for `{}` could be made", login.name()),
        );
        return;
    };
    for row in [Row::Owasp(Owasp::Api2), Row::Practice(Practice::Limits)] {
        review.looked(row, "wrong passwords", tries);
    }
    // An app may limit only accounts that there are.
    let (whose, level) = match account {
        Some(_) => ("an account", Level::Medium),
        None => ("an account that does not exist", Level::Low),
    };
    let message = format!("`{}` took {TRIES} wrong passwords for {whose}, one after the other", login.name());
    let finding = Finding::new(&rules::CREDENTIALS_GUESSED, login.name(), message).level(level);
    review.found(finding.shown_by(asker.evidence(&last)).closed_by("[throttle]\nmode = \"enforce\"\n"));
}

/// Whether two refusals are the same but for what they repeat.
fn is_same(one: (&Answer, &[&str]), other: (&Answer, &[&str])) -> bool {
    let plain = |(answer, names): (&Answer, &[&str])| {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        // The longest first: a name may be a part of an address.
        let mut names = names.to_vec();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.iter().filter(|name| !name.is_empty()).fold(text, |text, name| text.replace(name, "?"))
    };
    one.0.status == other.0.status && plain(one) == plain(other)
}

/// Whether a login says which accounts exist.
async fn told(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    login: &Known<'_>,
    account: Option<&Account>,
    review: &mut Review,
) {
    let row = Row::Owasp(Owasp::Api2);
    let nobody = app.maker.text();
    let address = format!("{nobody}@example.com");
    let Some(question) = wrong(app, login, &nobody, &address, 0) else { return };
    let Some(unknown) = asker.ask(&login.name(), None, question).await else { return };
    let Some(account) = account else {
        review.unjudged(
            row,
            "whether a login tells which accounts exist: check made no account to compare with",
        );
        words(asker, login, &unknown, review);
        return;
    };
    let Some(question) = wrong(app, login, &account.username, &account.email, 0) else { return };
    let Some(known) = asker.ask(&login.name(), None, question).await else { return };
    if is_limited(&unknown.answer) || is_limited(&known.answer) {
        review.unjudged(row, "whether a login tells which accounts exist: the app limits attempts");
        return;
    }
    review.looked(row, "logins of an account that exists and of one that does not", 1);
    if !is_same(
        (&unknown.answer, &[&nobody, &address]),
        (&known.answer, &[&account.username, &account.email]),
    ) {
        report(asker, login, &[&known, &unknown], review);
    }
}

fn report(asker: &Asker<'_>, known: &Known<'_>, exchanges: &[&Exchange], review: &mut Review) {
    let message = format!(
        "`{}` answers differently for an account that exists and for one that does not",
        known.name()
    );
    let mut finding = Finding::new(&rules::ACCOUNTS_TOLD, known.name(), message);
    for exchange in exchanges {
        finding = finding.shown_by(asker.evidence(exchange));
    }
    review.found(finding.mended_by(rules::ACCOUNTS_TOLD.remedy));
}

/// What a refusal says of an account that does not exist.
fn words(asker: &Asker<'_>, login: &Known<'_>, unknown: &Exchange, review: &mut Review) {
    let text = String::from_utf8_lossy(&unknown.answer.body).to_lowercase();
    let says = [
        "unknown user",
        "no such user",
        "user not found",
        "user does not exist",
        "unknown email",
        "account not found",
        "no account",
    ];
    if unknown.answer.status.as_u16() == 404 || says.iter().any(|words| text.contains(words)) {
        let message = format!("`{}` seems to tell that an account does not exist", login.name());
        let finding = Finding::new(&rules::ACCOUNTS_TOLD, login.name(), message).level(Level::Low);
        review.found(finding.shown_by(asker.evidence(unknown)).mended_by(rules::ACCOUNTS_TOLD.remedy));
    }
}

/// Whether a reset of a password says which accounts exist. Mail goes to example.com, which takes none.
async fn resets(app: &App<'_>, asker: &mut Asker<'_>, account: Option<&Account>, review: &mut Review) {
    let row = Row::Owasp(Owasp::Api2);
    let is_reset = |known: &&Known<'_>| {
        let fields = known.deep_fields(&app.maker);
        matches!(known.purpose, Some(Special::Sensitive(Purpose::Reset)))
            && known.operation.security.is_empty()
            && known.parameters.is_empty()
            && fields.len() <= 2
            && fields.iter().any(|(name, _)| is_email(name) || is_username(name))
            && !fields.iter().any(|(name, _)| {
                super::words::is_password(name) || simple(name).contains("token") || simple(name) == "code"
            })
    };
    for known in app.known.iter().filter(is_reset) {
        let Some(account) = account else {
            review.unjudged(
                row,
                format!("whether `{}` tells which accounts exist: check made no account", known.name()),
            );
            continue;
        };
        let nobody = app.maker.text();
        let address = format!("{nobody}@example.com");
        let ask = |username: &str, email: &str| {
            known.request(&app.maker, &[], Amount::Required, &accounts::wishes_of(username, email, ""))
        };
        let (Some(unknown), Some(one)) = (ask(&nobody, &address), ask(&account.username, &account.email))
        else {
            continue;
        };
        let Some(unknown) = asker.ask(&known.name(), None, unknown).await else { continue };
        let Some(one) = asker.ask(&known.name(), None, one).await else { continue };
        if is_limited(&unknown.answer) || is_limited(&one.answer) {
            review.unjudged(
                row,
                format!("whether `{}` tells which accounts exist: it limits attempts", known.name()),
            );
            continue;
        }
        review.looked(row, "resets for an account that exists and for one that does not", 1);
        if !is_same(
            (&unknown.answer, &[&nobody, &address]),
            (&one.answer, &[&account.username, &account.email]),
        ) {
            report(asker, known, &[&one, &unknown], review);
        }
    }
}

/// The cookies by which an account is known from now on.
async fn cookies(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    login: &Known<'_>,
    account: Option<&Account>,
    review: &mut Review,
) {
    let Some(account) = account else { return };
    let wishes = accounts::wishes_of(&account.username, &account.email, &account.password);
    let Some(question) = login.request(&app.maker, &[], Amount::Required, &wishes) else { return };
    let Some(exchange) = asker.ask(&login.name(), None, question).await else { return };
    let set = set_cookies(&exchange.answer.headers);
    if set.is_empty() || !(exchange.is_success() || exchange.answer.status.is_redirection()) {
        return;
    }
    review.looked(Row::Practice(Practice::Headers), "cookies of a login", set.len());
    for (name, attributes) in set {
        let is_called = |words: &[&str]| words.iter().any(|word| simple(&name).contains(word));
        // Scripts have to read a token against forged requests, and may read what a login sets besides.
        let is_of_session =
            is_called(&["session", "token", "auth", "sid", "jwt"]) && !is_called(&["csrf", "xsrf"]);
        let has = |attribute: &str| attributes.iter().any(|one| one.eq_ignore_ascii_case(attribute));
        let (is_readable, is_sent) = (!has("httponly"), has("samesite=none"));
        if !is_of_session || !(is_readable || is_sent) {
            continue;
        }
        let level = if is_readable { Level::Medium } else { Level::Low };
        let what = [(is_readable, "has no `HttpOnly`"), (is_sent, "is sent with requests of other sites")];
        let what: Vec<_> = what.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what).collect();
        let message = format!("the cookie `{name}` of `{}` {}", login.name(), what.join(", and "));
        let finding = Finding::new(&rules::SESSION_COOKIE, login.name(), message)
            .part(format!("cookie {name}"))
            .level(level);
        review
            .found(finding.shown_by(asker.evidence(&exchange)).closed_by("[cookies]\nmode = \"enforce\"\n"));
    }
}

fn set_cookies(headers: &HeaderMap) -> Vec<(String, Vec<String>)> {
    let all = headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.filter_map(|text| {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        (!value.is_empty()).then(|| (name.to_owned(), parts.map(|part| part.replace(' ', "")).collect()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: HeaderMap::new(), body: body.to_owned().into(), is_cut: false }
    }

    #[test]
    fn refusals_are_compared_without_what_they_repeat() {
        let one = answer(401, "{\"detail\": \"ann@example.com or the password is wrong\"}");
        let other = answer(401, "{\"detail\": \"bea@example.com or the password is wrong\"}");
        let names = (["ann", "ann@example.com"], ["bea", "bea@example.com"]);
        assert!(is_same((&one, &names.0), (&other, &names.1)));
        assert!(!is_same((&one, &names.0), (&answer(404, "{}"), &names.1)));
    }

    #[test]
    fn cookies_are_read() {
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, "session=abc; Path=/; SameSite=none; Secure".parse().unwrap());
        headers.append(header::SET_COOKIE, "old=; Max-Age=0".parse().unwrap());
        let set = set_cookies(&headers);
        assert_eq!(set.len(), 1);
        assert!(set[0].1.contains(&"SameSite=none".to_owned()));
    }
}
