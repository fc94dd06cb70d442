//! A process that is killed in the middle of each step leaves a whole database.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{self, Command, Stdio},
    thread,
    time::Duration,
};

use mantlet_accounts::{
    Accounts, Fault, SealingKeys, Secret,
    accounts::{FactorChange, Login, Renewal, Wants},
    outbox::Kind,
    store::Database,
};

use crate::{
    accounts::code_of,
    kit::{CHEAP, Home, OTHER, PASSWORD, address, later, now, on_both, open, secret},
};

const STEPS: [&str; 16] = [
    "register",
    "verify",
    "log-in",
    "refresh",
    "reuse",
    "change-password",
    "request-reset",
    "reset",
    "change-address",
    "confirm-address",
    "undo-address",
    "enrol",
    "confirm-factor",
    "second-factor",
    "disable",
    "close",
];

/// How often each step is killed, on each database.
const KILLS: u64 = 2;

/// This test program again, which lives through accounts until it is killed.
pub(crate) struct Child(process::Child);

impl Child {
    pub(crate) fn start(home: &Home, mode: &str) -> Self {
        let url = match &home.database {
            Database::Sqlite(path) => path.display().to_string(),
            Database::Postgres(url) => url.expose().clone(),
        };
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "killed::child", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env("ACCOUNTS_MODE", mode).env("ACCOUNTS_DATABASE", url).env("ACCOUNTS_KEY", home.key_file());
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn ends_well(mut self) {
        let mut output = String::new();
        std::io::Read::read_to_string(self.0.stdout.as_mut().unwrap(), &mut output).unwrap();
        assert!(self.0.wait().unwrap().success(), "{output}");
    }

    /// Kills it (SIGKILL) some time after it has begun a step.
    fn killed_at(mut self, step: &str, delay: Duration) {
        // Kept until the child is dead: it must not end by itself because its output is closed.
        let mut output = BufReader::new(self.0.stdout.take().unwrap()).lines().map_while(Result::ok);
        let begun = output.any(|line| line.ends_with(&format!("step {step}")));
        assert!(begun, "the child has never begun `{step}`");
        thread::sleep(delay);
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_kill_in_the_middle_of_a_step_leaves_no_half_account() {
    on_both(async |home| {
        drop(home.open().await);
        for kill in 0..KILLS {
            for step in STEPS {
                // Anywhere in the step: it takes one to some milliseconds.
                let random = u64::from(uuid::Uuid::new_v4().as_bytes()[0]);
                let delay = Duration::from_micros(random * if kill % 2 == 0 { 4 } else { 30 });
                Child::start(&home, "whole").killed_at(step, delay);
                invariants(&home).await;
            }
        }
        let accounts = home.open().await;
        life(&accounts, "after the kills", true).await.unwrap();
        invariants(&home).await;
    });
}

/// Not a test: what is killed.
#[test]
#[ignore = "the tests above start it"]
fn child() {
    let Ok(mode) = env::var("ACCOUNTS_MODE") else { return };
    let database = env::var("ACCOUNTS_DATABASE").unwrap();
    let database = match database.strip_prefix("postgres:") {
        Some(_) => Database::Postgres(Secret::new(database)),
        None => Database::Sqlite(database.into()),
    };
    let keys = SealingKeys::of_file(Path::new(&env::var_os("ACCOUNTS_KEY").unwrap())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let accounts = open(&database, keys, CHEAP, now()).await;
        if mode == "shared" {
            for round in 0..24 {
                // Two processes, three addresses: they get in each other's way all the time.
                life(&accounts, &format!("shared {}", round % 3), false).await.unwrap();
            }
            return;
        }
        loop {
            life(&accounts, &format!("{}", uuid::Uuid::new_v4().simple()), true).await.unwrap();
        }
    });
}

/// The life of an account, until something does not go on because another process was quicker. Alone, it goes to its end.
pub(crate) async fn life(accounts: &Accounts, name: &str, is_alone: bool) -> Result<(), Fault> {
    let name = name.replace(' ', "-");
    let is_whole = try_life(accounts, &name).await?.is_some();
    assert!(is_whole || !is_alone, "the life of {name} has ended early");
    Ok(())
}

async fn try_life(accounts: &Accounts, name: &str) -> Result<Option<()>, Fault> {
    let step = |name: &str| println!("step {name}");
    let (own, new) = (address(&format!("{name}@example.com")), address(&format!("{name}@new.example.com")));
    let wants = Wants { tokens: true, ..Wants::default() };
    step("register");
    accounts.register(now(), &own, &secret(PASSWORD)).await?;
    let Some(link) = mailed(accounts, own.as_written(), Kind::Verify).await? else { return Ok(None) };
    step("verify");
    let Some(id) = accounts.verify(now(), &link).await? else { return Ok(None) };
    step("log-in");
    let Login::In(first) = accounts.log_in(now(), &own, &secret(PASSWORD), &wants).await? else {
        return Ok(None);
    };
    let Some(tokens) = first.tokens else { return Ok(None) };
    step("refresh");
    let Renewal::Good(_) = accounts.refresh(later(1), &tokens.refresh).await? else { return Ok(None) };
    step("reuse");
    let Renewal::Reused(_) = accounts.refresh(later(900), &tokens.refresh).await? else { return Ok(None) };
    accounts.log_in(now(), &own, &secret(PASSWORD), &wants).await?;
    step("change-password");
    accounts.change_password(now(), &id, (&secret(PASSWORD), &secret(OTHER)), None).await?;
    accounts.log_in(now(), &own, &secret(OTHER), &wants).await?;
    step("request-reset");
    accounts.request_reset(now(), &own).await?;
    let Some(link) = mailed(accounts, own.as_written(), Kind::Reset).await? else { return Ok(None) };
    step("reset");
    accounts.reset(now(), &link, &secret(PASSWORD)).await?;
    accounts.log_in(now(), &own, &secret(PASSWORD), &wants).await?;
    step("change-address");
    accounts.change_address(now(), &id, &secret(PASSWORD), &new).await?;
    let Some(link) = mailed(accounts, new.as_written(), Kind::ConfirmAddress).await? else { return Ok(None) };
    step("confirm-address");
    accounts.confirm_address(now(), &link).await?;
    let Some(undo) = mailed(accounts, own.as_written(), Kind::AddressChanged).await? else { return Ok(None) };
    accounts.log_in(now(), &new, &secret(PASSWORD), &wants).await?;
    step("undo-address");
    accounts.undo_address(now(), &undo).await?;
    let Some(link) = mailed(accounts, own.as_written(), Kind::AddressRestored).await? else {
        return Ok(None);
    };
    accounts.reset(now(), &link, &secret(PASSWORD)).await?;
    step("enrol");
    let enrolled = accounts.enrol_factor(&id, &secret(PASSWORD)).await?;
    let FactorChange::Done(enrolled) = enrolled else { return Ok(None) };
    step("confirm-factor");
    let code = secret(&code_of(enrolled.secret.expose(), now()));
    let FactorChange::Done(codes) = accounts.confirm_factor(now(), &id, &code).await? else {
        return Ok(None);
    };
    let Login::SecondFactor(ticket) = accounts.log_in(now(), &own, &secret(PASSWORD), &wants).await? else {
        return Ok(None);
    };
    step("second-factor");
    let Login::In(_) = accounts.second_factor(now(), &ticket, &codes[0]).await? else { return Ok(None) };
    step("disable");
    accounts.disable(now(), &id).await?;
    accounts.enable(&id).await?;
    step("close");
    Ok(accounts.close(now(), &id, &secret(PASSWORD)).await?.then_some(()))
}

/// The link of a mail that was just sent. Mails stay in the outbox, for the invariants.
async fn mailed(accounts: &Accounts, to: &str, kind: Kind) -> Result<Option<Secret<String>>, Fault> {
    let mails = accounts.mails(now(), Duration::from_hours(1), 1000).await?;
    let mut found = mails.into_iter().filter(|mail| mail.kind == kind && mail.address == to);
    Ok(found.next_back().and_then(|mail| mail.facts.token))
}

/// What must be true of a database at any time.
pub(crate) async fn invariants(home: &Home) {
    let broken = [
        (
            "an account has one address",
            "SELECT count(*) FROM accounts a WHERE 1 <> (SELECT count(*) FROM addresses d \
          WHERE d.account = a.id AND d.kept_until IS NULL AND d.address = lower(a.address))",
        ),
        (
            "an address has an account",
            "SELECT count(*) FROM addresses WHERE account NOT IN (SELECT id FROM accounts)",
        ),
        (
            "a live session is of its account's epoch",
            "SELECT count(*) FROM sessions s JOIN accounts a ON a.id = s.account \
          WHERE s.ended IS NULL AND (s.epoch <> a.epoch OR a.disabled IS NOT NULL OR a.verified IS NULL)",
        ),
        (
            "a session of tokens has one",
            "SELECT count(*) FROM sessions WHERE kind = 'tokens' AND (newest IS NULL OR generation < 1)",
        ),
        (
            "what follows a token is kept",
            "SELECT count(*) FROM sessions WHERE (generation > 1) <> (previous_next IS NOT NULL)",
        ),
        (
            "who has to verify was mailed",
            "SELECT count(*) FROM accounts a WHERE a.verified IS NULL AND (NOT EXISTS \
          (SELECT 1 FROM links l WHERE l.account = a.id AND l.epoch = a.epoch AND l.purpose = 'verify') OR NOT EXISTS \
          (SELECT 1 FROM outbox o WHERE o.account = a.id AND o.kind = 'verify'))",
        ),
        (
            "a link was mailed",
            "SELECT count(*) FROM links l WHERE l.purpose = 'undo-address' AND NOT EXISTS \
          (SELECT 1 FROM outbox o WHERE o.account = l.account AND o.kind = 'address-changed')",
        ),
        (
            "a second factor has recovery codes",
            "SELECT count(*) FROM totp t WHERE t.confirmed IS NOT NULL AND NOT EXISTS \
          (SELECT 1 FROM recovery_codes r WHERE r.account = t.account)",
        ),
        (
            "recovery codes have a second factor",
            "SELECT count(*) FROM recovery_codes r WHERE NOT EXISTS \
          (SELECT 1 FROM totp t WHERE t.account = r.account AND t.confirmed IS NOT NULL)",
        ),
        (
            "a closed account is gone and was told",
            "SELECT count(*) FROM closed c WHERE EXISTS (SELECT 1 FROM accounts a WHERE a.id = c.id)",
        ),
        (
            "who is closed was mailed",
            "SELECT abs((SELECT count(*) FROM closed) - (SELECT count(*) FROM outbox WHERE kind = 'closed'))",
        ),
    ];
    for (what, sql) in broken {
        assert_eq!(home.count(sql).await, 0, "{what}");
    }
    if let Database::Sqlite(path) = &home.database {
        let checked: String = sqlx::Row::get(&home.ask("PRAGMA integrity_check").await[0], 0);
        assert_eq!(checked, "ok");
        assert!(fs::metadata(path).is_ok());
    }
}
