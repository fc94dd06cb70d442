//! Takes one mail after another from the outbox, until told to stop.
//!
//! A mail is claimed for a time, sent, and forgotten. A process that dies between the last two sends it again: the claim
//! ends by itself. Several gates over one database share the work.

use std::{future::ready, pin::pin, time::Duration};

use jiff::Timestamp;
use mantlet_accounts::{Accounts, Fault, outbox::Kind};
use tokio::{select, sync::Notify, time::sleep};

use crate::{fault::Failure, sender::Sender};

/// For how long a mail is claimed. Longer than sending one may take.
const LEASE: Duration = Duration::from_mins(3);

/// How often the outbox is looked into, if nothing is told.
const PAUSE: Duration = Duration::from_secs(5);

/// What became of a mail. It names no address: a log of mails would be a list of who has an account.
#[derive(Debug)]
pub enum Outcome {
    /// The server has it.
    Sent {
        /// The id of the mail.
        id: String,
        /// What it is about.
        kind: Kind,
    },
    /// It is tried again.
    Deferred {
        /// The id of the mail.
        id: String,
        /// What it is about.
        kind: Kind,
        /// After how long.
        wait: Duration,
        /// Why.
        reason: String,
    },
    /// It is not tried again.
    GivenUp {
        /// The id of the mail.
        id: String,
        /// What it is about.
        kind: Kind,
        /// Why.
        reason: String,
    },
    /// The outbox cannot be read, or not be written. It is tried again.
    Unreadable(Fault),
}

/// Sends the next mail, if one waits.
pub async fn next(
    accounts: &Accounts,
    sender: &Sender,
    clock: impl Fn() -> Timestamp,
) -> Result<Option<Outcome>, Fault> {
    let Some(mail) = accounts.mails(clock(), LEASE, 1).await?.pop() else { return Ok(None) };
    let (id, kind) = (mail.id.clone(), mail.kind);
    let outcome = match sender.send(clock(), &mail).await {
        Ok(()) => {
            accounts.mail_done(&id).await?;
            Outcome::Sent { id, kind }
        }
        Err(Failure::ForGood(reason)) => {
            accounts.mail_done(&id).await?;
            Outcome::GivenUp { id, kind, reason }
        }
        Err(Failure::ForNow(reason)) => match accounts.mail_failed(clock(), &mail).await? {
            Some(wait) => Outcome::Deferred { id, kind, wait, reason },
            None => Outcome::GivenUp { id, kind, reason },
        },
    };
    Ok(Some(outcome))
}

/// Sends what waits, every few seconds and when it is woken, until `stop`. A mail that is under way is finished first.
pub async fn run(
    accounts: &Accounts,
    sender: &Sender,
    wake: &Notify,
    clock: impl Fn() -> Timestamp,
    outcomes: impl Fn(Outcome),
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    loop {
        select! {
            biased;
            () = &mut stop => return,
            () = ready(()) => {}
        }
        match next(accounts, sender, &clock).await {
            Ok(Some(outcome)) => {
                outcomes(outcome);
                continue;
            }
            Ok(None) => {}
            Err(fault) => outcomes(Outcome::Unreadable(fault)),
        }
        select! {
            () = &mut stop => return,
            () = wake.notified() => {}
            () = sleep(PAUSE) => {}
        }
    }
}
