//! Whether passwords can be guessed. Wrong passwords are sent only for an account that check made, or for one that cannot
//! exist.

use http::header;

use super::{
    accounts::{self, Account},
    asker::{Asker, Exchange},
    cookies,
    operations::Known,
    telling::{self, Times},
    values::Amount,
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
/// Of these so many are followed, or led, by one for an account that does not exist, so that their times can be compared.
const TIMED: usize = 16;
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
    let mut telling = Vec::new();
    for login in &logins {
        cookies::review(app, asker, login, account, review).await;
        telling.push(telling::logins(app, asker, login, account, review).await);
    }
    telling::resets(app, asker, account, review).await;
    for (login, is_told) in logins.iter().zip(telling).take(LOGINS) {
        let mut times = account.filter(|_| !is_told).map(|_| Times::default());
        guesses(app, asker, login, account, times.as_mut(), review).await;
        if let Some(times) = times {
            times.judge(login, review);
        }
    }
}

/// A login with a wrong password.
pub(super) fn wrong(
    app: &App<'_>,
    login: &Known<'_>,
    username: &str,
    email: &str,
    number: usize,
) -> Option<Question> {
    let password = format!("Wrong-{number}-Mantlet!");
    login.request(&app.maker, &[], Amount::Required, &accounts::wishes_of(username, email, &password))
}

pub(super) fn is_limited(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 423 | 429) || answer.headers.contains_key(header::RETRY_AFTER)
}

/// A login of an account that does not exist, for its time. The app may limit that, too.
async fn strange(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    login: &Known<'_>,
    number: usize,
) -> Option<std::time::Duration> {
    let (username, email) = app.stranger();
    let question = wrong(app, login, &username, &email, number)?;
    let exchange = asker.once(&login.name(), None, question).await?;
    (!is_limited(&exchange.answer)).then(|| asker.took())
}

async fn guesses(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    login: &Known<'_>,
    account: Option<&Account>,
    mut times: Option<&mut Times>,
    review: &mut Review,
) {
    let (nobody, address) = app.stranger();
    let (username, email) =
        account.map_or((nobody.as_str(), address.as_str()), |account| (&account.username, &account.email));
    let mut last: Option<Exchange> = None;
    let mut tries = 0;
    for number in 0..TRIES {
        let Some(question) = wrong(app, login, username, email, number) else { break };
        // Now the one is first, now the other.
        let (is_timed, is_first) = (times.is_some() && number < TIMED, number % 2 == 0);
        let mut other = None;
        if is_timed && is_first {
            other = strange(app, asker, login, number).await;
        }
        let Some(exchange) = asker.once(&login.name(), None, question).await else { return };
        let took = asker.took();
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
        if is_timed && !is_first {
            other = strange(app, asker, login, number).await;
        }
        if let (Some(times), Some(other)) = (times.as_deref_mut(), other) {
            times.add(took, other);
        }
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
