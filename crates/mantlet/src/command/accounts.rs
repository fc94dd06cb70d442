//! `mantlet accounts`: what an operator does to the accounts that Mantlet keeps. In their database itself, whether a gate
//! runs or not.

use std::{
    fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::ExitCode,
};

use futures_util::stream;
use http::Method;
use jiff::Timestamp;
use mantlet_accounts::{
    Accounts, Address,
    bulk::{Report, Summary},
    passwords::Blocklist,
};
use mantlet_controls::audit::{Actions, Outcome, Record, Sink};
use mantlet_gateway::audit_log::{AuditConfig, AuditLog};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use super::ask::Client;
use crate::{
    accounts::open,
    cli::{AccountsAction, AccountsArguments},
    config::{Config, Reader, summary},
    say::{Failure, amount, print, say, table},
    state,
};

/// Refused lines that are shown.
const SHOWN: usize = 20;

pub(crate) fn accounts(arguments: &AccountsArguments) -> Result<ExitCode, Failure> {
    let AccountsArguments { action, running } = arguments;
    if let AccountsAction::Blocklist { output, files } = action {
        print(&make_blocklist(output, files)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let loaded = Reader::of_file(running.config.clone())
        .load()
        .map_err(|mistakes| Failure::usage(summary(&mistakes, "nothing was done")))?;
    let is_import = matches!(action, AccountsAction::Import { .. });
    let desk = Desk::open(&loaded.config, running.config.as_deref(), is_import)?;
    let text = desk.run(action, running.json);
    desk.close();
    print(&text?)?;
    Ok(ExitCode::SUCCESS)
}

/// The open database.
struct Desk<'c> {
    config: &'c Config,
    /// The configuration file, if one was named.
    file: Option<&'c Path>,
    accounts: Accounts,
    runtime: Runtime,
}

impl<'c> Desk<'c> {
    fn open(config: &'c Config, file: Option<&'c Path>, makes: bool) -> Result<Self, Failure> {
        if !config.accounts.has_passwords(&config.login) {
            return Err(Failure::usage(if config.login.is_empty() {
                "the configuration has no accounts\n\
                 write `[accounts]` with `url = \"https://…\"`, or name the configuration with `--config`"
            } else {
                "callers log in at a provider, which has their accounts: there are none here\n\
                 write `passwords = true` and `url` under `[accounts]` to have both"
            }));
        }
        let folder = &config.state_folder;
        if config.accounts.database.is_empty() && !makes && !folder.exists() {
            return Err(Failure::new(format!(
                "there is no state folder `{}`, so there are no accounts\n{}",
                state::absolute(folder).display(),
                state::where_to_run(folder, file)
            )));
        }
        let failed = |error: io::Error| Failure::new(format!("the accounts cannot be opened: {error}"));
        state::prepare(folder).map_err(failed)?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(failed)?;
        let opened = runtime.block_on(open(&config.accounts, folder));
        let accounts = opened.map_err(|trouble| Failure::new(trouble.text()))?;
        Ok(Self { config, file, accounts, runtime })
    }

    fn close(self) {
        self.runtime.block_on(self.accounts.close_store());
    }

    fn run(&self, action: &AccountsAction, json: bool) -> Result<String, Failure> {
        match action {
            AccountsAction::List { after, most } => self.list(after.as_deref(), *most, json),
            AccountsAction::Show { account } => self.show(&self.find(account)?, json),
            AccountsAction::Export { account } => {
                let account = self.find(account)?;
                self.record("export", Some(&account.id))?;
                let found =
                    self.ask(self.accounts.export(&account.id))?.ok_or_else(|| unknown(&account.id))?;
                Ok(format!("{found:#}"))
            }
            AccountsAction::Disable { account } => {
                let account = self.find(account)?;
                self.ask(self.accounts.disable(Timestamp::now(), &account.id))?;
                self.record("disable", Some(&account.id))?;
                Ok(done(&account, "disabled", json))
            }
            AccountsAction::Enable { account } => {
                let account = self.find(account)?;
                self.ask(self.accounts.enable(&account.id))?;
                self.record("enable", Some(&account.id))?;
                Ok(done(&account, "enabled", json))
            }
            AccountsAction::Delete { id } => {
                let account = self.find(id)?;
                if account.id != *id {
                    return Err(Failure::usage(format!(
                        "an account is deleted by its id, which is {} here: nothing brings it back",
                        account.id
                    )));
                }
                self.ask(self.accounts.delete(Timestamp::now(), id))?;
                self.record("delete", Some(id))?;
                Ok(done(&account, "deleted", json))
            }
            AccountsAction::Import { file } => self.import(file, json),
            AccountsAction::Blocklist { output, files } => make_blocklist(output, files),
        }
    }

    fn ask<T>(&self, asked: impl Future<Output = Result<T, mantlet_accounts::Fault>>) -> Result<T, Failure> {
        self.runtime.block_on(asked).map_err(|fault| Failure::new(fault.to_string()))
    }

    /// The account of an address or an id.
    fn find(&self, named: &str) -> Result<Summary, Failure> {
        let found = match Address::read(named) {
            Some(address) => self.ask(self.accounts.find(&address))?,
            None => self.ask(self.accounts.summary(named))?,
        };
        found.ok_or_else(|| unknown(named))
    }

    fn list(&self, after: Option<&str>, most: u32, json: bool) -> Result<String, Failure> {
        let page = self.ask(self.accounts.page(after, most))?;
        if json {
            return Ok(json!(page).to_string());
        }
        if page.accounts.is_empty() {
            say(if after.is_some() { "there are no more accounts" } else { "there are no accounts" });
            return Ok(String::new());
        }
        let head = ["id", "address", "made", "last login", "state"].map(str::to_owned);
        let rows = page.accounts.iter().map(|account| {
            [
                account.id.clone(),
                account.address.escape_debug().to_string(),
                format!("{:.0}", account.created),
                account.last_login.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}")),
                state_of(account).to_owned(),
            ]
        });
        let text = table(&[head].into_iter().chain(rows).collect::<Vec<_>>());
        if let Some(next) = &page.next {
            say(format!("there are more: `mantlet accounts list --after {next}`"));
        }
        Ok(text)
    }

    fn show(&self, account: &Summary, json: bool) -> Result<String, Failure> {
        let sessions = self.ask(self.accounts.sessions(Timestamp::now(), &account.id))?;
        if json {
            return Ok(json!({ "account": account, "sessions": sessions }).to_string());
        }
        let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"));
        let rows = [
            ["account".to_owned(), account.id.clone()],
            ["address".to_owned(), account.address.escape_debug().to_string()],
            ["made".to_owned(), format!("{:.0}", account.created)],
            ["verified".to_owned(), time(account.verified)],
            ["disabled".to_owned(), time(account.disabled)],
            ["last login".to_owned(), time(account.last_login)],
            ["second factor".to_owned(), if account.has_second_factor { "yes" } else { "no" }.to_owned()],
            ["sessions".to_owned(), sessions.len().to_string()],
        ];
        Ok(table(&rows))
    }

    fn import(&self, file: &Path, json: bool) -> Result<String, Failure> {
        let unread = |error: io::Error| Failure::new(format!("`{}` cannot be read: {error}", file.display()));
        let source: Box<dyn BufRead + Send> = if file == Path::new("-") {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::new(fs::File::open(file).map_err(unread)?))
        };
        let mut trouble = None;
        let lines = source.lines().map_while(|line| line.map_err(|error| trouble = Some(error)).ok());
        let report = self.ask(self.accounts.import(Timestamp::now(), stream::iter(lines)))?;
        self.record("import", None)?;
        if let Some(error) = trouble {
            say(format!("{} were imported before that", amount_of(report.imported)));
            return Err(unread(error));
        }
        if json {
            return Ok(json!(report).to_string());
        }
        Ok(imported(&report))
    }

    /// The audit log has what was done here: of the Mantlet that runs, which forgets what it knew of the account, or else as if
    /// one had done it.
    fn record(&self, act: &str, account: Option<&str>) -> Result<(), Failure> {
        if let Some(socket) = self.config.admin.path(&self.config.state_folder) {
            let place = state::where_to_run(&self.config.state_folder, self.file);
            let parameters: Vec<_> =
                [("act", act)].into_iter().chain(account.map(|account| ("account", account))).collect();
            let told = Client::at(&socket, place)?.ask_if_it_runs(Method::POST, &["accounts"], &parameters);
            match told {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => {}
                Err(failure) => {
                    say(format!("warning: the Mantlet that runs was not told: {}", failure.into_message()));
                }
            }
        }
        let config = self.config.audit.log(&self.config.state_folder);
        if config.file.is_none() || self.config.audit.actions == Actions::Off {
            return Ok(());
        }
        match AuditLog::open(&AuditConfig { terminal: false, ..config }) {
            Ok((log, writer)) => {
                let operator = format!("uid:{}", rustix::process::getuid().as_raw());
                let what =
                    account.map_or_else(|| "accounts".to_owned(), |account| format!("the account {account}"));
                let act = format!("{act} {what}");
                log.record(Record::of_operator(&act, operator, Outcome::Success, Timestamp::now()));
                writer.finish();
            }
            Err(error) => {
                say(format!("warning: this is not in the audit log, because it cannot be written: {error}"));
            }
        }
        Ok(())
    }
}

fn done(account: &Summary, what: &str, json: bool) -> String {
    let Summary { id, address, .. } = account;
    if json {
        return json!({ what: id }).to_string();
    }
    format!("{id} ({}) is {what}", address.escape_debug())
}

fn state_of(account: &Summary) -> &'static str {
    match (account.disabled, account.verified) {
        (Some(_), _) => "disabled",
        (None, None) => "not verified",
        (None, Some(_)) => "good",
    }
}

fn amount_of(accounts: u64) -> String {
    amount(usize::try_from(accounts).unwrap_or(usize::MAX), "account")
}

fn imported(report: &Report) -> String {
    for refused in report.reasons.iter().take(SHOWN) {
        say(format!("line {}: {}", refused.line, refused.why));
    }
    let refused = match report.refused {
        0 => String::new(),
        refused => format!(", {refused} refused; `--json` lists why"),
    };
    format!("{} imported{refused}", amount_of(report.imported))
}

fn unknown(named: &str) -> Failure {
    Failure::new(format!("there is no account `{}`; `mantlet accounts list` lists all", named.escape_debug()))
}

fn make_blocklist(output: &Path, files: &[PathBuf]) -> Result<String, Failure> {
    let read = |file: &PathBuf| {
        fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("`{}` cannot be read: {error}", file.display())))
    };
    let texts = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let list = Blocklist::build(texts.iter().flat_map(|text| text.lines()));
    let list = list.map_err(|fault| Failure::new(fault.to_string()))?;
    fs::write(output, &list)
        .map_err(|error| Failure::new(format!("`{}` cannot be written: {error}", output.display())))?;
    Ok(format!("blocklist = {:?}", output.display().to_string()))
}
