//! `mantlet sessions`: lists and revokes sessions.

use std::{fmt::Write as _, net::IpAddr, process::ExitCode};

use http::Method;
use jiff::Timestamp;
use mantlet_controls::authentication::sessions::Kind;
use serde::Deserialize;

use super::ask::{Client, print_answer};
use crate::{
    cli::{SessionsAction, SessionsArguments},
    say::{Failure, amount, say},
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
    credentials: usize,
    kinds: Vec<Kind>,
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
            "no sessions are known yet: Mantlet learns of one when the app answers a login with a token or a cookie",
        ),
        (0, None, Some(since)) => say(format!("no session is open of those that began since {since:.0}")),
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
    let mut text = String::new();
    if sessions.is_empty() {
        return text;
    }
    let shown = |row: &Row| {
        let account: String = row.account.as_deref().unwrap_or("-").chars().take(ACCOUNT).collect();
        account.escape_debug().to_string()
    };
    let width = sessions.iter().map(|row| shown(row).chars().count()).max().unwrap_or_default().max(7);
    let mut line = |[session, account, began, used, credentials, address]: [&str; 6]| {
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "{session:<16}  {account:<width$}  {began:<20}  {used:<20}  {credentials:<20}  {address}"
        );
    };
    line(["session", "account", "began", "last used", "credentials", "address"]);
    for row in sessions {
        let (began, used) = (format!("{:.0}", row.began), format!("{:.0}", row.used));
        let address = row.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        line([&row.id, &shown(row), &began, &used, &credentials(row), &address]);
    }
    if sessions.len() < *count {
        let _ = writeln!(text, "and {} that were used before", count - sessions.len());
    }
    text
}

fn credentials(Row { credentials, kinds, .. }: &Row) -> String {
    let names = kinds.iter().map(|kind| match kind {
        Kind::Bearer => "bearer",
        Kind::Refresh => "refresh",
        Kind::Cookie => "cookie",
    });
    match credentials {
        0 => "-".to_owned(),
        count => format!("{count} {}", names.collect::<Vec<_>>().join(", ")),
    }
}

fn revoked(Revoked { ended, durable, shared, complete }: &Revoked) -> String {
    if !durable {
        say(
            "note: this cannot be written to the state folder now: the revocation is in force, and lost if Mantlet \
             ends before it can be written",
        );
    }
    if *shared == Some(false) {
        say("note: the store does not respond: other gates learn of this when it does");
    }
    if !complete {
        say("note: the store does not respond: sessions of the account that only other gates know go on");
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
