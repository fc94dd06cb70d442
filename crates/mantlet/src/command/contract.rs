//! `mantlet contract`: prints what an app accepts and returns, and reports how much of it is known.

use std::process::ExitCode;

use http::Method;
use mantlet_contract::objects::Place;
use mantlet_controls::operation::Contract;

use super::{
    agreement,
    ask::{Client, print_answer},
    describe::describe,
};
use crate::{
    cli::{DescribeArguments, Running},
    contract::{Description, Report},
    say::{Failure, print, say},
};

pub(crate) fn contract(arguments: &DescribeArguments) -> Result<ExitCode, Failure> {
    if arguments.agreement {
        return agreed(arguments);
    }
    let Description { name, from, model, json } = describe(&arguments.contract)?;
    let (contract, left) = Contract::compile(&model);
    let report = Report::new(name, from, &model, &contract, left).with_objects(&model, rules_of);
    say(report.full());
    print(&json)?;
    Ok(ExitCode::SUCCESS)
}

/// How many rules of the configuration check whose object an operation shows. None can yet.
const fn rules_of(_: &Place) -> usize {
    0
}

/// Says how often the app of the Mantlet that runs agrees with it.
fn agreed(arguments: &DescribeArguments) -> Result<ExitCode, Failure> {
    let running = Running { config: arguments.contract.config.clone(), json: arguments.json };
    let answer = Client::of(&running)?.ask(Method::GET, &["agreement"])?;
    print_answer(answer, arguments.json, agreement::table)
}
