//! `mantlet sessions`: lists and revokes sessions.

use std::{fmt::Write as _, net::IpAddr, process::ExitCode};

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;

use super::ask::{Client, print_answer};
use crate::{
    cli::{SessionsAction, SessionsArguments},
    say::{Failure, amount, say, table},
};

/// Characters of an account that are shown.
const ACCOUNT: usize = 40;

pub(crate) fn sessions(arguments: &SessionsArguments) -> Result<ExitCode, Failure> {
    let SessionsArguments { action, account, running } = arguments;
    let account = account.as_deref();
    let of_account = account.map(|account| ("account", account));
    let parameters: Vec<_> = of_account.into_iter().collect();
    match action {
        None | Some(SessionsAction::List) => {
            let answer = Client::of(running)?.ask_with(Method::GET, &["sessions"], &parameters)?;
            print_answer(answer, running.json, |listed: &Listed| list(listed, account))
        }
        Some(SessionsAction::Revoke { session, except }) => {
            let (path, parameters) = match (session, account, except) {
                (Some(session), None, None) => (vec!["sessions", session], vec![]),
                (None, Some(_), except) => {
                    let keep = except.as_deref().map(|session| ("keep", session));
                    (vec!["sessions"], parameters.into_iter().chain(keep).collect())
                }
                (Some(_), Some(_), _) => {
                    return Err(Failure::usage("name either a session or an account with `--account`"));
                }
                (_, None, Some(_)) => return Err(Failure::usage("`--except` needs `--account`")),
                (None, None, None) => {
                    return Err(Failure::usage("name a session, or an account with `--account`"));
                }
            };
            let answer = Client::of(running)?.ask_with(Method::DELETE, &path, &parameters)?;
            print_answer(answer, running.json, revoked)
        }
    }
}

#[derive(Deserialize)]
struct Listed {
    sessions: Vec<Row>,
    count: usize,
    since: Option<Timestamp>,
    complete: bool,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    account: Option<String>,
    began: Timestamp,
    used: Timestamp,
    address: Option<IpAddr>,
    credentials: Credentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Credentials {
    access_tokens: usize,
    refresh_tokens: usize,
    cookies: usize,
}

#[derive(Deserialize)]
struct Revoked {
    ended: Vec<String>,
    durable: bool,
    shared: Option<bool>,
    complete: bool,
}

fn list(Listed { sessions, count, since, complete }: &Listed, account: Option<&str>) -> String {
    match (sessions.len(), account, since) {
        (0, Some(account), _) => say(format!("no open session of `{account}` is known")),
        (0, None, None) => say(
            "no sessions are known yet: Mantlet learns of one when the app responds to a login with a token or a cookie\n\
             it learns of none if `mode` or `sessions` under `[authentication]` is `off`",
        ),
        (0, None, Some(since)) => {
            say(format!("no session is open; Mantlet knows those that began since {since:.0}"));
        }
        _ => {}
    }
    match (complete, account) {
        (true, _) => {}
        (false, None) => say(
            "note: these are the sessions that this gate knows; `--account` also shows those of other gates",
        ),
        (false, Some(_)) => {
            say("note: the store does not respond; these are the sessions that this gate knows");
        }
    }
    if sessions.is_empty() {
        return String::new();
    }
    let head = ["session", "account", "began", "last used", "credentials", "address"].map(str::to_owned);
    let rows = sessions.iter().map(|row| {
        let account: String = row.account.as_deref().unwrap_or("-").chars().take(ACCOUNT).collect();
        let address = row.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        [
            row.id.clone(),
            account.escape_debug().to_string(),
            format!("{:.0}", row.began),
            format!("{:.0}", row.used),
            row.credentials.told(),
            address,
        ]
    });
    let mut text = table(&[head].into_iter().chain(rows).collect::<Vec<_>>());
    if sessions.len() < *count {
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "and {} more, last used before these; `--account NAME` lists those of an account",
            count - sessions.len()
        );
    }
    text
}

impl Credentials {
    fn told(&self) -> String {
        let counts = [
            (self.access_tokens, "access token"),
            (self.refresh_tokens, "refresh token"),
            (self.cookies, "cookie"),
        ];
        let known: Vec<_> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| amount(*count, name)).collect();
        if known.is_empty() { "none known".to_owned() } else { known.join(", ") }
    }
}

fn revoked(Revoked { ended, durable, shared, complete }: &Revoked) -> String {
    if !durable {
        say("note: the state folder cannot be written now\n\
             the revocation is in force, but it is lost if Mantlet ends before it can be written");
    }
    if *shared == Some(false) {
        say("note: the store does not respond: other gates learn of this when it does");
    }
    if !complete {
        say(
            "note: the store does not respond, so sessions of this account that only other gates know are not revoked\n\
             run this again when the store responds",
        );
    }
    let mut text = String::new();
    for session in ended {
        let _ = writeln!(text, "{session} is revoked");
    }
    if ended.len() > 1 {
        let _ = writeln!(text, "{} revoked", amount(ended.len(), "session"));
    }
    text
}
