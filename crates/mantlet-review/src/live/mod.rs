//! The review of a running app.
//!
//! Without `--writes` it sends only what cannot change anything: GET, HEAD, OPTIONS and TRACE; requests that FastAPI
//! refuses before it calls a handler (see `authentication`); and a few logins that fail. With `--writes` it makes
//! accounts and objects of its own, changes those and no others, and removes them at the end, also after an operator's
//! Ctrl-C.
//!
//! An answer with 429 says nothing: what it was about is not judged.

mod accounts;
mod answers;
mod asker;
mod assignment;
mod authentication;
mod cookies;
mod errors;
mod existence;
mod functions;
mod ledger;
mod limits;
mod operations;
mod ownership;
mod people;
mod properties;
mod roles;
mod secrets;
mod sights;
mod surface;
mod telling;
mod token;
mod values;
mod words;
mod world;
mod writes;

use std::collections::BTreeSet;

use mantlet_contract::{model::Contract, objects};

use self::{
    accounts::{Account, Closed},
    asker::Asker,
    ledger::{Creator, Ledger},
    ownership::Pair,
    values::Maker,
    world::{App, Seen},
};
pub use self::{
    asker::{Credential, Identity},
    secrets::of_environment,
};
use crate::{
    client::Client,
    review::{Review, Row},
    rule::{Owasp, Practice},
};

/// What is known of the app.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    /// What it accepts and promises.
    pub contract: &'f Contract,
}

/// What the operator wants and allows.
pub struct Options<'o> {
    /// Who asks. One that is called `admin` is an administrator.
    pub identities: Vec<Identity>,
    /// Whether accounts and objects may be made, changed and removed.
    pub writes: bool,
    /// What the environment of the app has as secrets: see [`of_environment`].
    pub secrets: Vec<String>,
    /// Whether the operator has ended it: then nothing new is begun. It is asked before each request.
    pub is_over: &'o (dyn Fn() -> bool + Sync),
}

/// The rows that this reviewer judges, if it can.
const ROWS: [Row; 5] = [
    Row::Owasp(Owasp::Api1),
    Row::Owasp(Owasp::Api5),
    Row::Practice(Practice::Cors),
    Row::Practice(Practice::Https),
    Row::Practice(Practice::Limits),
];

/// Reviews a running app. `Err` says why it did not answer at all.
pub async fn review(
    facts: &Facts<'_>,
    client: Client,
    options: &Options<'_>,
    review: &mut Review,
) -> Result<(), String> {
    let contract = facts.contract;
    let tag = if options.writes { accounts::random(6) } else { "absent".to_owned() };
    let proposals = objects::find(contract).tables.into_iter().flat_map(|table| table.proposals).collect();
    let maker = Maker::new(&contract.shapes, tag);
    let app = App { known: operations::all(contract), maker, proposals };
    let mut asker = Asker::new(client, options.is_over);
    for identity in &options.identities {
        asker.hide_credential(identity);
    }
    asker.look_for(&options.secrets);
    if let Err(why) = is_there(&mut asker).await {
        for row in Row::all() {
            review.unjudged(row, format!("the running app was not asked: {why}"));
        }
        return if (options.is_over)() { Ok(()) } else { Err(why) };
    }
    let mut run =
        Run { contract, app: &app, accounts: Vec::new(), ledger: Ledger::default(), creators: Vec::new() };
    run.all(&mut asker, options, review).await;
    run.end(&mut asker, options, review).await;
    errors::review(&asker, review);
    // The handler of an operation is where its findings are mended.
    review.locate(|finding| app.known.iter().find(|known| known.name() == finding.subject)?.place());
    finish(&asker, options, review);
    Ok(())
}

/// Whether the app answers at all, or why not.
async fn is_there(asker: &mut Asker<'_>) -> Result<(), String> {
    if asker.ask("GET /", None, crate::exchange::Question::get("/")).await.is_some() {
        return Ok(());
    }
    let why = asker.silent().next().map(|(_, why)| why.to_owned());
    Err(why.unwrap_or_else(|| "it was ended before it began".to_owned()))
}

fn finish(asker: &Asker<'_>, options: &Options<'_>, review: &mut Review) {
    for (operation, why) in asker.silent() {
        review.note(format!("`{operation}` did not answer, and was not asked again: {why}"));
    }
    if asker.throttled() > 0 {
        review.note(format!(
            "{} requests were refused with 429: what they were about was not judged",
            asker.throttled()
        ));
    }
    let why = match () {
        () if (options.is_over)() => "the review was ended before it was done",
        () if asker.is_spent() => "the review has sent as many requests as it may",
        () => return,
    };
    review.note(why);
    for row in ROWS {
        review.unjudged(row, why);
    }
}

struct Run<'r> {
    contract: &'r Contract,
    app: &'r App<'r>,
    accounts: Vec<Account>,
    ledger: Ledger,
    creators: Vec<Creator>,
}

impl Run<'_> {
    async fn all(&mut self, asker: &mut Asker<'_>, options: &Options<'_>, review: &mut Review) {
        let (administrators, mut users): (Vec<_>, Vec<_>) =
            options.identities.iter().cloned().partition(Identity::is_administrator);
        if options.writes {
            let given = users.len();
            for name in ["alice", "bob"].into_iter().skip(given) {
                match accounts::make(self.app, asker, name).await {
                    Ok(account) => {
                        users.push(account.identity.clone());
                        self.accounts.push(account);
                    }
                    // It was not tried, or not to its end.
                    Err(_) if asker.is_over() => break,
                    Err(why) => {
                        review.note(why.clone());
                        review.unjudged(Row::Owasp(Owasp::Api1), format!("there are no two users: {why}"));
                        break;
                    }
                }
            }
        }
        let mut nobody_seen = Seen::default();
        self.app.explore(asker, None, &mut nobody_seen).await;
        let mut owner_seen = Seen::default();
        let mut other_seen = Seen::default();
        let mut pair = users.iter();
        let (owner, other) = (pair.next().cloned(), pair.next().cloned());
        if let Some(owner) = &owner {
            self.see(asker, owner, &mut owner_seen).await;
        }
        if let Some(other) = &other {
            self.see(asker, other, &mut other_seen).await;
        }
        if let (true, Some(owner)) = (options.writes, &owner) {
            self.creators = ledger::creators(self.app);
            for (caller, seen) in [(Some(owner), &mut owner_seen), (other.as_ref(), &mut other_seen)] {
                let Some(caller) = caller else { continue };
                for creator in &self.creators {
                    self.ledger.create(self.app, asker, creator, caller, seen, &[]).await;
                }
            }
            owner_seen = self.created_by(owner);
            self.see(asker, owner, &mut owner_seen).await;
            if let Some(other) = &other {
                other_seen = self.created_by(other);
                self.see(asker, other, &mut other_seen).await;
            }
        }
        properties::review(self.app, asker, [&nobody_seen, &owner_seen], review);
        surface::review(
            self.contract,
            self.app,
            asker,
            [(None, &nobody_seen), (owner.as_ref(), &owner_seen)],
            review,
        )
        .await;
        authentication::review(self.contract, self.app, asker, owner.as_ref(), &owner_seen, review).await;
        if let (Some(owner), Some(other)) = (&owner, &other) {
            let pair = Pair { owner, owner_seen: &owner_seen, other, other_seen: &other_seen };
            self.two(asker, options, &pair, &nobody_seen, administrators.first(), review).await;
        } else {
            let why = if options.writes {
                "two users are needed, and none could be made: give them with `--as alice=…` and `--as bob=…`"
            } else {
                "two users are needed: give them with `--as alice=…` and `--as bob=…`, or allow `--writes`"
            };
            for row in [Owasp::Api1, Owasp::Api3, Owasp::Api5] {
                review.unjudged(Row::Owasp(row), why);
            }
        }
        errors::provoke(self.app, asker, owner.as_ref()).await;
        if let (true, Some(other)) = (options.writes, &other) {
            people::review(self.contract, self.app, asker, other, &mut self.accounts, review).await;
        }
        // Accounts of its own for what may end in a lock or a role.
        let mut own = None;
        if options.writes {
            match accounts::make(self.app, asker, "carol").await {
                Ok(account) => {
                    let dave = roles::review(self.contract, self.app, asker, &account, review).await;
                    self.accounts.extend(dave);
                    self.accounts.push(account);
                    own = self.accounts.last();
                }
                Err(why) => review.unjudged(
                    Row::Owasp(Owasp::Api3),
                    format!("whether an account gives itself a role: {why}"),
                ),
            }
        } else {
            review.unjudged(
                Row::Owasp(Owasp::Api3),
                "whether a request sets what it should not: allow `--writes`",
            );
        }
        // Objects first: a limit on logins may be one on all requests.
        self.ledger.clean(self.app, asker).await;
        limits::review(self.app, asker, own, review).await;
    }

    /// What a caller knows because check created it as that caller.
    fn created_by(&self, caller: &Identity) -> Seen {
        let mut seen = Seen::default();
        seen.items.extend(
            self.ledger.all.iter().filter(|created| created.by == *caller).map(ledger::Created::item),
        );
        seen
    }

    /// Explores as a caller. An account that check made is known by the names that it was made with.
    async fn see(&self, asker: &mut Asker<'_>, caller: &Identity, seen: &mut Seen) {
        if let Some(account) = self.accounts.iter().find(|account| account.identity == *caller) {
            seen.names.extend(account.ids.iter().cloned());
            seen.names.extend([account.username.clone(), account.email.clone()]);
        }
        self.app.explore(asker, Some(caller), seen).await;
    }

    async fn two(
        &mut self,
        asker: &mut Asker<'_>,
        options: &Options<'_>,
        pair: &Pair<'_>,
        nobody: &Seen,
        administrator: Option<&Identity>,
        review: &mut Review,
    ) {
        // An account that check made has no role, and nothing to do with others.
        let is_made = |identity: &Identity| self.accounts.iter().any(|account| account.identity == *identity);
        let is_ordinary = is_made(pair.other);
        ownership::review(self.contract, self.app, asker, pair, nobody, is_ordinary, review).await;
        let mut seen = Seen::default();
        if let Some(administrator) = administrator {
            self.see(asker, administrator, &mut seen).await;
        }
        let administrator = administrator.map(|administrator| (administrator, &seen));
        functions::review(self.app, asker, pair, administrator, is_ordinary, review).await;
        if !options.writes {
            review.unjudged(Row::Owasp(Owasp::Api1), "operations that change objects: allow `--writes`");
            return;
        }
        let (app, creators, ledger) = (self.app, &self.creators, &mut self.ledger);
        writes::review(self.contract, app, asker, pair, is_ordinary, creators, ledger, review).await;
        assignment::review(app, asker, pair, creators, ledger, review).await;
    }

    /// Removes what check made, and says what is left.
    async fn end(&mut self, asker: &mut Asker<'_>, options: &Options<'_>, review: &mut Review) {
        let Self { app, accounts, ledger, .. } = self;
        ledger.clean(app, asker).await;
        let witnesses = ledger.witnesses(app, asker, &options.identities).await;
        asker.clean(true);
        let (mut closed, mut open) = (BTreeSet::new(), Vec::new());
        for account in accounts.iter().rev() {
            match accounts::close(app, asker, account).await {
                Closed::Yes => {
                    closed.insert(account.identity.name.as_str());
                }
                Closed::No => open.push((account, "is still there")),
                Closed::Unknown => open.push((account, "may still be there")),
            }
        }
        asker.clean(false);
        for left in ledger.left(app, asker, &witnesses, &closed).await {
            review.note(left);
        }
        for (account, what) in open {
            let name = &account.username;
            review.note(format!("the account `{name}` that check made {what}: the app did not close it"));
        }
    }
}
