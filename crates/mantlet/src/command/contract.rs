//! `mantlet contract`: prints what an app accepts and returns, and reports how much of it is known.

use std::{path::Path, process::ExitCode};

use http::Method;
use mantlet_contract::model;
use mantlet_controls::operation::Contract;

use crate::{
    cli::{ContractArguments, DescribeArguments, Running},
    command::{agreement, ask::Client, bans::understood},
    config::{Reader, is_url, summary},
    contract::{Found, Inspected, PATIENCE, Report, Trouble, inspect, read_document, read_url},
    say::{Failure, print, say},
    settings::Flag,
};

pub(crate) fn contract(arguments: &DescribeArguments) -> Result<ExitCode, Failure> {
    if arguments.agreement {
        return agreed(arguments);
    }
    let Described { name, from, model, json } = read(&arguments.contract)?;
    let (contract, left) = Contract::compile(&model);
    say(Report::new(name, from, &model, &contract, left).full());
    print(&format!("{json}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Says how often the app of the Mantlet that runs agrees with it.
fn agreed(arguments: &DescribeArguments) -> Result<ExitCode, Failure> {
    let running = Running { config: arguments.contract.config.clone(), json: arguments.json };
    let answer = Client::of(&running)?.ask(Method::GET, &["agreement"])?;
    if arguments.json {
        print(&format!("{answer}\n"))?;
    } else {
        print(&agreement::table(&understood::<agreement::Answer>(answer)?))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A contract that somebody asked for.
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) from: String,
    pub(crate) model: model::Contract,
    pub(crate) json: String,
}

/// Reads the contract of the app, or of the document, that the arguments name.
pub(crate) fn read(arguments: &ContractArguments) -> Result<Described, Failure> {
    if let Some(place) = &arguments.openapi {
        return of_document(place);
    }
    let mut flags = Vec::new();
    if let Some(app) = &arguments.app {
        flags.push(Flag::new("app.entrypoint", "APP", app.as_str()));
    }
    if let Some(python) = &arguments.python {
        flags.push(Flag::new("app.python", "--python", python.as_str()));
    }
    let checked = Reader::of_file(arguments.config.clone())
        .with_flags(flags)
        .read()
        .map_err(|mistakes| Failure::usage(summary(&mistakes, "it cannot be used")))?;
    let Inspected { name, json, contract } = inspect(&checked.loaded)?;
    Ok(Described { name, from: "read from the app".into(), model: contract, json })
}

/// The same for a document; nothing is run.
fn of_document(place: &str) -> Result<Described, Failure> {
    let read = if is_url(place) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime
            .map_err(|error| Failure::new(format!("cannot start: {error}")))?
            .block_on(read_url(place, PATIENCE))
    } else {
        read_document(Path::new(place))
    };
    let Found { model, name, from, .. } =
        read.map_err(|(Trouble::Away(why) | Trouble::Broken(why))| Failure::new(why))?;
    let json = serde_json::to_string(&model)
        .map_err(|error| Failure::new(format!("the contract cannot be written: {error}")))?;
    Ok(Described { name, from, model, json })
}
