//! Whether answers tell which accounts exist: by what they say, or by how long they take.
//!
//! What is compared are answers for an account that check made and for one that cannot exist.

use std::time::Duration;

use mantlet_contract::sensitive::Purpose;

use super::{
    accounts::{self, Account},
    asker::{Asker, Exchange},
    limits::{is_limited, wrong},
    operations::{Known, Special},
    values::Amount,
    words::{is_email, is_password, is_username, simple},
    world::App,
};
use crate::{
    exchange::{Answer, Question},
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, live as rules},
};

const ROW: Row = Row::Owasp(Owasp::Api2);

/// Pairs of logins without which times say nothing.
const PAIRS: usize = 10;
/// Differences that a network and a busy machine make by themselves.
const MARGIN: Duration = Duration::from_millis(15);

/// Whether a login says which accounts exist. Whether it does.
pub(super) async fn logins(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    login: &Known<'_>,
    account: Option<&Account>,
    review: &mut Review,
) -> bool {
    let ask = |username: &str, email: &str| wrong(app, login, username, email, 0);
    if account.is_none()
        && let (nobody, address) = app.stranger()
        && let Some(question) = ask(&nobody, &address)
        && let Some(unknown) = asker.ask(&login.name(), None, question).await
    {
        words(asker, login, &unknown, review);
    }
    compared(app, asker, login, account, &ask, review).await
}

/// Whether a reset of a password says which accounts exist. Mail goes to example.com, which takes none.
pub(super) async fn resets(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    account: Option<&Account>,
    review: &mut Review,
) {
    let is_reset = |known: &&Known<'_>| {
        let fields = known.deep_fields(&app.maker);
        matches!(known.purpose, Some(Special::Sensitive(Purpose::Reset)))
            && known.operation.security.is_empty()
            && known.parameters.is_empty()
            && fields.len() <= 2
            && fields.iter().any(|(name, _)| is_email(name) || is_username(name))
            && !fields.iter().any(|(name, _)| {
                is_password(name) || simple(name).contains("token") || simple(name) == "code"
            })
    };
    for known in app.known.iter().filter(is_reset) {
        let ask = |username: &str, email: &str| {
            known.request(&app.maker, &[], Amount::Required, &accounts::wishes_of(username, email, ""))
        };
        compared(app, asker, known, account, &ask, review).await;
    }
}

/// Compares the answers of an operation. Whether they differ.
async fn compared(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    known: &Known<'_>,
    account: Option<&Account>,
    ask: &dyn Fn(&str, &str) -> Option<Question>,
    review: &mut Review,
) -> bool {
    let name = known.name();
    let mut unjudged = |why: &str| {
        review.unjudged(ROW, format!("whether `{name}` tells which accounts exist: {why}"));
        false
    };
    let Some(account) = account else { return unjudged("check made no account to compare with") };
    let (nobody, address) = app.stranger();
    let (Some(unknown), Some(one)) = (ask(&nobody, &address), ask(&account.username, &account.email)) else {
        return unjudged("no request for it could be made");
    };
    let Some(unknown) = asker.ask(&name, None, unknown).await else { return false };
    let Some(one) = asker.ask(&name, None, one).await else { return false };
    if is_limited(&unknown.answer) || is_limited(&one.answer) {
        return unjudged("the app limits attempts");
    }
    review.looked(ROW, "answers for an account that exists and for one that does not", 1);
    let is_told = !is_same(
        (&unknown.answer, &[&nobody, &address]),
        (&one.answer, &[&account.username, &account.email]),
    );
    if is_told {
        report(asker, known, &[&one, &unknown], review);
    }
    is_told
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

/// How long logins took for an account that exists and for one that does not, in turn.
#[derive(Debug, Default)]
pub(super) struct Times {
    existing: Vec<Duration>,
    unknown: Vec<Duration>,
}

impl Times {
    pub(super) fn add(&mut self, existing: Duration, unknown: Duration) {
        self.existing.push(existing);
        self.unknown.push(unknown);
    }

    /// Judges a login. Reports say no times: the same app gives the same bytes.
    pub(super) fn judge(mut self, login: &Known<'_>, review: &mut Review) {
        let name = login.name();
        // The first answers pay for what is made once.
        for times in [&mut self.existing, &mut self.unknown] {
            times.drain(..times.len().min(1));
            times.sort_unstable();
        }
        if self.existing.len() < PAIRS {
            let why = "the app limits attempts before enough were seen";
            review.unjudged(ROW, format!("whether the time of `{name}` tells which accounts exist: {why}"));
            return;
        }
        review.looked(ROW, "times of a login, for an account that exists and for one that does not", 1);
        let order = match () {
            () if is_apart(&self.unknown, &self.existing) => "longer",
            () if is_apart(&self.existing, &self.unknown) => "less long",
            () => return,
        };
        let message = format!("`{name}` takes {order} for an account that exists than for one that does not");
        let finding = Finding::new(&rules::ACCOUNTS_TOLD, &name, message).part("time").level(Level::Low);
        let fact = format!(
            "{PAIRS} and more logins with a wrong password for each, in turn: three quarters of the one kind took longer than three quarters of the other"
        );
        review.found(finding.fact(fact).mended_by(
            "Verify a password in any case: for an account that does not exist, against a hash that fits no password.",
        ));
    }
}

/// Whether the second times are surely longer than the first; both are sorted. Few that took long, for whatever reason, say
/// nothing: it is medians and quarters that are compared.
fn is_apart(short: &[Duration], long: &[Duration]) -> bool {
    let at = |times: &[Duration], quarters: usize| {
        times.get((times.len().saturating_sub(1)) * quarters / 4).copied().unwrap_or_default()
    };
    let (low, high) = (at(short, 2), at(long, 2));
    high.saturating_sub(low) >= MARGIN && high >= low * 3 / 2 && at(long, 1) > at(short, 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::answer;

    #[test]
    fn refusals_are_compared_without_what_they_repeat() {
        let one = answer(401, "{\"detail\": \"ann@example.com or the password is wrong\"}");
        let other = answer(401, "{\"detail\": \"bea@example.com or the password is wrong\"}");
        let names = (["ann", "ann@example.com"], ["bea", "bea@example.com"]);
        assert!(is_same((&one, &names.0), (&other, &names.1)));
        assert!(!is_same((&one, &names.0), (&answer(404, "{}"), &names.1)));
    }

    #[test]
    fn times_are_apart_only_if_most_are() {
        let times = |all: &[u64]| {
            let mut times: Vec<_> = all.iter().map(|one| Duration::from_millis(*one)).collect();
            times.sort_unstable();
            times
        };
        let fast = times(&[2, 2, 3, 2, 2, 3, 2, 2, 2, 2]);
        let slow = times(&[60, 62, 61, 60, 70, 64, 61, 60, 62, 61]);
        assert!(is_apart(&fast, &slow) && !is_apart(&slow, &fast));
        assert!(!is_apart(&slow, &slow) && !is_apart(&fast, &fast));
        // A machine that was busy now and then, for the one or for the other.
        let busy = times(&[2, 250, 3, 2, 2, 300, 2, 2, 2, 2]);
        assert!(!is_apart(&fast, &busy) && is_apart(&busy, &slow));
        // As slow as a hash, and noisy.
        let noisy = times(&[60, 90, 61, 95, 70, 64, 61, 85, 62, 61]);
        assert!(!is_apart(&slow, &noisy), "no more than half as long again");
        assert!(!is_apart(&times(&[2; 10]), &times(&[9; 10])), "what a network does");
        assert!(!is_apart(&[], &[]));
    }
}
