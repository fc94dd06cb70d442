//! `mantlet contract`: prints what an app accepts and returns, and reports how much of it is known.

use std::process::ExitCode;

use http::Method;
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
    let (Description { name, from, model, json }, policy) = describe(&arguments.contract)?;
    let (contract, left) = Contract::compile(&model);
    let report = Report::new(name, from, &model, &contract, left).with_objects(&model, |place| {
        policy
            .as_ref()
            .map_or(0, |policy| policy.authorization.own_rules(&place.path, &place.methods, &contract))
    });
    say(report.full());
    print(&json)?;
    Ok(ExitCode::SUCCESS)
}

/// Says how often the app of the Mantlet that runs agrees with it.
fn agreed(arguments: &DescribeArguments) -> Result<ExitCode, Failure> {
    let running = Running { config: arguments.contract.config.clone(), json: arguments.json };
    let answer = Client::of(&running)?.ask(Method::GET, &["agreement"])?;
    print_answer(answer, arguments.json, agreement::table)
}
