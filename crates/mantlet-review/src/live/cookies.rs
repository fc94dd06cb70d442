//! Whether the cookies of a login are kept from scripts and from other sites.

use http::{HeaderMap, header};

use super::{
    accounts::{self, Account},
    asker::Asker,
    operations::Known,
    values::Amount,
    words::simple,
    world::App,
};
use crate::{
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Practice, live as rules},
};

/// The cookies by which an account is known from now on.
pub(super) async fn review(
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
    use super::*;

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
