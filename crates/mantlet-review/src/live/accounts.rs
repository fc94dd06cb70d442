//! Accounts that check makes by the app's own register and login, and closes again.

use http::{HeaderName, HeaderValue, Method, header};
use mantlet_contract::sensitive::Purpose;
use serde_json::{Value, json};

use super::{
    answers::{field_of, leaves, scalar},
    asker::{Asker, Credential, Exchange, Identity},
    operations::{Known, Special},
    values::Amount,
    words::{is_email, is_password, is_user, is_username, rank_of_key, simple, singular},
    world::App,
};
use crate::exchange::Question;

/// An account that check made.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) identity: Identity,
    pub(super) username: String,
    pub(super) email: String,
    pub(super) password: String,
    /// The operation that made it, by its place in the list, and the operation that logs in, if one was needed.
    pub(super) register: usize,
    pub(super) login: Option<usize>,
    /// The keys of the account, as the app says them.
    pub(super) ids: Vec<String>,
    /// What logging in was answered.
    pub(super) logged_in: Option<Exchange>,
    /// The login took the address in the field of the name.
    by_email: bool,
}

impl Account {
    fn username_at_login(&self) -> &str {
        if self.by_email { &self.email } else { &self.username }
    }
}

/// What stands in the fields of an account.
pub(super) fn wishes_of<'w>(
    username: &'w str,
    email: &'w str,
    password: &'w str,
) -> impl Fn(&str) -> Vec<Value> + 'w {
    move |name: &str| match () {
        () if is_password(name) || matches!(simple(name).as_str(), "confirm" | "repeat") => {
            vec![json!(password)]
        }
        () if is_email(name) => vec![json!(email)],
        // Many apps take the address in a field that is called so.
        () if is_username(name) => vec![json!(username), json!(email)],
        () if simple(name) == "granttype" => vec![json!("password")],
        () if matches!(simple(name).as_str(), "scope" | "clientid" | "clientsecret") => Vec::new(),
        () if matches!(simple(name).as_str(), "acceptterms" | "terms" | "agree" | "agreed" | "consent") => {
            vec![json!(true)]
        }
        () => Vec::new(),
    }
}

/// Operations that may make accounts, the surest first.
pub(super) fn registers(app: &App<'_>) -> Vec<usize> {
    let mut found: Vec<(u8, usize)> = Vec::new();
    for (at, known) in app.known.iter().enumerate() {
        if known.method != Method::POST
            || !known.parameters.is_empty()
            || !known.operation.security.is_empty()
        {
            continue;
        }
        let fields = known.deep_fields(&app.maker);
        let has_password = fields.iter().any(|(name, _)| is_password(name));
        let has_account = fields.iter().any(|(name, _)| is_email(name) || is_username(name));
        let words = ["create", "enroll", "join", "new", "onboard", "register", "signup"];
        let is_place = is_user(&known.noun()) || words.contains(&known.noun().as_str());
        let rank = match known.purpose {
            Some(Special::Sensitive(Purpose::Register)) if has_password => 0,
            Some(Special::Sensitive(Purpose::Register)) if has_account => 3,
            // An account beside a password is classed as a login where nothing says otherwise.
            None | Some(Special::Sensitive(Purpose::Login))
                if has_password && has_account && !known.is_login(&app.known) =>
            {
                if is_place {
                    1
                } else {
                    2
                }
            }
            _ => continue,
        };
        found.push((rank, at));
    }
    found.sort_unstable();
    found.into_iter().map(|(_, at)| at).collect()
}

/// Operations that surely log in with a password. What only takes an account and a password may make one.
pub(super) fn logins(app: &App<'_>) -> Vec<usize> {
    let mut found: Vec<(u8, usize)> = Vec::new();
    for (at, known) in app.known.iter().enumerate() {
        if !known.is_login(&app.known) || known.method != Method::POST || !known.parameters.is_empty() {
            continue;
        }
        let fields = known.deep_fields(&app.maker);
        if fields.iter().any(|(name, _)| is_password(name)) {
            let is_place = is_user(&known.noun());
            found.push((u8::from(is_place), at));
        }
    }
    found.sort_unstable();
    found.into_iter().map(|(_, at)| at).collect()
}

/// Makes an account, if the app lets everybody do that. `Err` says why there is none.
pub(super) async fn make(app: &App<'_>, asker: &mut Asker<'_>, name: &str) -> Result<Account, String> {
    make_with(app, asker, name, &[]).await
}

/// The same, with more fields than the app asks for.
pub(super) async fn make_with(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    name: &str,
    more: &[(String, Value)],
) -> Result<Account, String> {
    let username = app.maker.text();
    let email = format!("{username}@example.com");
    let password = format!("Mt!{}9Xq-{}", random(6), random(4));
    asker.hide(&password);
    let wishes = wishes_of(&username, &email, &password);
    let mut why = "the contract has no operation by which everybody can make an account".to_owned();
    for register in registers(app) {
        let Some(known) = app.known.get(register) else { continue };
        let Some(mut question) = known.request(&app.maker, &[], Amount::Required, &wishes) else { continue };
        if !more.is_empty() {
            let Ok(Value::Object(mut body)) = serde_json::from_slice(&question.body) else { continue };
            body.extend(more.iter().cloned());
            question = question.json(&Value::Object(body));
        }
        let Some(made) = asker.ask(&known.name(), None, question.clone()).await else { continue };
        if !made.is_success() {
            why = format!(
                "`{}` answered {} when an account was to be made",
                known.name(),
                made.answer.status.as_u16()
            );
            continue;
        }
        let mut account = Account {
            identity: Identity { name: name.to_owned(), credential: Credential::Cookies(String::new()) },
            ids: ids_of(&made),
            username: sent(&question, is_username).unwrap_or_else(|| username.clone()),
            email: sent(&question, is_email).unwrap_or_else(|| email.clone()),
            password: password.clone(),
            register,
            login: None,
            logged_in: None,
            by_email: false,
        };
        // An account that was made is logged in even after the operator's Ctrl-C: it could not be closed otherwise.
        let was_cleaning = asker.clean(true);
        let logged_in = log_in(app, asker, &mut account, &made).await;
        asker.clean(was_cleaning);
        if logged_in.is_some() {
            return Ok(account);
        }
        why = format!(
            "`{}` made the account `{}`, and no login took it; it may have to be confirmed first",
            known.name(),
            account.username
        );
        break;
    }
    Err(why)
}

/// What stands in a field of a body of JSON.
fn sent(question: &Question, is_it: fn(&str) -> bool) -> Option<String> {
    let body: Value = serde_json::from_slice(&question.body).ok()?;
    let found = leaves(&body).into_iter().find(|(place, _)| is_it(field_of(place)));
    found.and_then(|(_, value)| value.as_str().map(str::to_owned))
}

async fn log_in(app: &App<'_>, asker: &mut Asker<'_>, account: &mut Account, made: &Exchange) -> Option<()> {
    for login in logins(app) {
        let known = app.known.get(login)?;
        for is_email in [false, true] {
            let user = if is_email { &account.email } else { &account.username };
            let wishes = wishes_of(user, &account.email, &account.password);
            let Some(question) = known.request(&app.maker, &[], Amount::Required, &wishes) else { continue };
            let Some(answer) = asker.ask(&known.name(), None, question).await else { continue };
            if let Some(identity) = identity(app, asker, &account.identity.name, &answer).await {
                account.identity = identity;
                account.login = Some(login);
                account.by_email = is_email;
                account.logged_in = Some(answer);
                return Some(());
            }
        }
    }
    // Some apps log in whom they have just registered.
    account.identity = identity(app, asker, &account.identity.name, made).await?;
    account.logged_in = Some(made.clone());
    Some(())
}

/// Who the app says that the caller is now: by a token in the answer, or by cookies.
async fn identity(app: &App<'_>, asker: &mut Asker<'_>, name: &str, answer: &Exchange) -> Option<Identity> {
    if !(answer.is_success() || answer.answer.status.is_redirection()) {
        return None;
    }
    let mut found = Vec::new();
    if let Some(token) = token_of(&answer.answer.json().unwrap_or_default()) {
        asker.hide(&token);
        let bearer = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        let bearer = (header::AUTHORIZATION, bearer);
        let key = app.known.iter().find_map(Known::key_header);
        let key = key
            .and_then(|name| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(&token).ok()?)));
        let key_is_authorization = matches!(&key, Some((name, _)) if *name == header::AUTHORIZATION);
        let takes_bearer = key.is_none() || app.known.iter().any(Known::takes_bearer);
        let headers = [takes_bearer.then_some(bearer), key].into_iter().flatten();
        // The word before a token in `Authorization` is not always `Bearer`.
        let other = HeaderValue::try_from(format!("Token {token}")).ok();
        let other = other.filter(|_| key_is_authorization).map(|value| (header::AUTHORIZATION, value));
        found.extend(other.into_iter().chain(headers).map(|(name, value)| Credential::Header(name, value)));
    }
    let cookies = answer.answer.headers.get_all(header::SET_COOKIE).iter().filter_map(|value| {
        let (pair, _) = value.to_str().ok()?.split_once(';')?;
        pair.split_once('=').filter(|(_, value)| !value.is_empty()).map(|_| pair.to_owned())
    });
    let cookies: Vec<_> = cookies.collect();
    if !cookies.is_empty() {
        found.push(Credential::Cookies(cookies.join("; ")));
    }
    let identities: Vec<_> =
        found.into_iter().map(|credential| Identity { name: name.to_owned(), credential }).collect();
    for identity in &identities {
        asker.hide_credential(identity);
    }
    // With several, the one that the app takes.
    if identities.len() > 1 {
        for identity in &identities {
            for known in app.known.iter().filter(|known| known.is_safe() && known.is_secured()).take(3) {
                let Some(question) = known.request(&app.maker, &[], Amount::Required, &|_| Vec::new()) else {
                    continue;
                };
                if known.parameters.is_empty()
                    && asker
                        .ask(&known.name(), Some(identity), question)
                        .await
                        .is_some_and(|it| it.is_success())
                {
                    return Some(identity.clone());
                }
            }
        }
    }
    identities.into_iter().next()
}

/// The token that an answer hands over.
fn token_of(body: &Value) -> Option<String> {
    let is_token = |name: &str| {
        matches!(
            simple(name).as_str(),
            "accesstoken"
                | "token"
                | "jwt"
                | "idtoken"
                | "authtoken"
                | "sessiontoken"
                | "bearer"
                | "access"
                | "sessionid"
        )
    };
    let found = leaves(body);
    let mut tokens = found.iter().filter(|(place, _)| is_token(field_of(place)));
    let token = tokens.find_map(|(_, value)| value.as_str().filter(|text| text.len() >= 8))?;
    Some(token.strip_prefix("Bearer ").unwrap_or(token).to_owned())
}

/// The keys of what was created, as the answer says them, the surest first.
pub(super) fn ids_of(made: &Exchange) -> Vec<String> {
    let body = made.answer.json().unwrap_or_default();
    let inner = body.as_object().and_then(|map| map.values().find(|value| value.is_object()));
    let mut ids: Vec<(usize, String)> = Vec::new();
    for map in [Some(&body), inner].into_iter().flatten().filter_map(Value::as_object) {
        let ranked = map.iter().filter_map(|(name, value)| Some((rank_of_key(name)?, scalar(value)?)));
        ids.extend(ranked);
    }
    ids.sort_by_key(|(rank, _)| *rank);
    if let (true, Some(place)) = (ids.is_empty(), made.answer.header("location")) {
        let last = place.trim_end_matches('/').rsplit('/').next().filter(|last| !last.is_empty());
        ids.extend(last.map(|last| (0, last.to_owned())));
    }
    ids.into_iter().map(|(_, id)| id).collect()
}

/// What became of an account that was to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    Yes,
    No,
    /// The app does not say.
    Unknown,
}

/// Closes an account, or finds out whether it is closed already.
pub(super) async fn close(app: &App<'_>, asker: &mut Asker<'_>, account: &Account) -> Closed {
    let mut ids = account.ids.clone();
    let me = me(app, asker, account).await;
    if let (true, Some(me)) = (ids.is_empty(), me.as_ref().filter(|me| me.is_success())) {
        ids = ids_of(me);
    }
    let is_of_users = |known: &&Known<'_>| {
        known.method == Method::DELETE
            && known.path.split('/').any(|segment| is_user(&singular(segment)) || segment == "me")
    };
    for known in app.known.iter().filter(is_of_users) {
        let last = known.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let is_own = known.parameters.is_empty()
            && matches!(simple(last).as_str(), "me" | "account" | "self" | "myself" | "profile" | "close");
        let is_by_id = known.parameters.len() == 1 && last.starts_with('{');
        let values: Vec<Vec<String>> = match () {
            () if is_own => vec![Vec::new()],
            () if is_by_id => ids.iter().chain([&account.username]).map(|id| vec![id.clone()]).collect(),
            () => continue,
        };
        for values in values {
            let wishes = wishes_of(&account.username, &account.email, &account.password);
            let Some(question) = known.request(&app.maker, &values, Amount::Required, &wishes) else {
                continue;
            };
            let closed = asker.ask(&known.name(), Some(&account.identity), question).await;
            if closed.is_some_and(|closed| closed.is_success()) {
                return Closed::Yes;
            }
        }
    }
    // Another user may have closed it.
    if me.is_some_and(|me| me.is_success()) {
        return Closed::No;
    }
    log_in_again(app, asker, account).await
}

/// What the app says of the account to itself.
async fn me(app: &App<'_>, asker: &mut Asker<'_>, account: &Account) -> Option<Exchange> {
    let is_it = |known: &&Known<'_>| known.is_about_the_caller() && known.parameters.is_empty();
    let known = app.known.iter().find(is_it)?;
    let question = known.request(&app.maker, &[], Amount::Required, &|_| Vec::new())?;
    asker.ask(&known.name(), Some(&account.identity), question).await
}

/// Whether the app knows the account no more: its right password is refused.
async fn log_in_again(app: &App<'_>, asker: &mut Asker<'_>, account: &Account) -> Closed {
    let question = account.login.and_then(|login| app.known.get(login)).and_then(|known| {
        let user = account.username_at_login();
        let wishes = wishes_of(user, &account.email, &account.password);
        Some((known, known.request(&app.maker, &[], Amount::Required, &wishes)?))
    });
    let Some((known, question)) = question else { return Closed::Unknown };
    let Some(answer) = asker.ask(&known.name(), None, question).await else { return Closed::Unknown };
    match answer.answer.status.as_u16() {
        _ if answer.is_success() || answer.answer.status.is_redirection() => Closed::No,
        400 | 401 | 404 | 410 => Closed::Yes,
        _ => Closed::Unknown,
    }
}

/// Random letters and digits.
pub(super) fn random(length: usize) -> String {
    let mut bytes = vec![0; length];
    // Without random bytes of the system the name is the same each time, and the app may refuse it.
    let _ = getrandom::fill(&mut bytes);
    let letters = b"abcdefghijkmnpqrstuvwxyz23456789";
    bytes
        .iter()
        .filter_map(|byte| letters.get(usize::from(byte % 32)))
        .map(|byte| char::from(*byte))
        .collect()
}
