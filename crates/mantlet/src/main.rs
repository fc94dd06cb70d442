//! The `mantlet` command.

mod accounts;
mod app;
mod cli;
mod command;
mod config;
mod contract;
mod operate;
mod say;
mod settings;
mod state;

#[cfg(test)]
mod rooms_tests;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

// Chosen for memory: thousands of short-lived buffers of few sizes. Measured in `cargo xtask
// bench`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Run(arguments) => command::run::run(&arguments),
        Command::Serve(arguments) => command::serve::serve(&arguments),
        Command::Check(arguments) => command::check::check(&arguments),
        Command::Contract(arguments) => command::contract::contract(&arguments),
        Command::Rls(arguments) => command::rls::rls(&arguments),
        Command::Throttles(arguments) => command::throttles::throttles(&arguments),
        Command::Quotas(arguments) => command::quotas::quotas(&arguments),
        Command::Sessions(arguments) => command::sessions::sessions(&arguments),
        Command::Objects(arguments) => command::objects::objects(&arguments),
        Command::Accounts(arguments) => command::accounts::accounts(&arguments),
        Command::Keys(arguments) => command::keys::keys(&arguments),
        Command::Bans(arguments) => command::bans::bans(&arguments),
        Command::Open(arguments) => command::open::open(&arguments),
        Command::Metrics(arguments) => command::metrics::metrics(&arguments),
        Command::Secrets(arguments) => command::secrets::secrets(&arguments),
        Command::Audit(arguments) => command::audit::audit(&arguments),
        Command::Config(arguments) => command::config::config(&arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
