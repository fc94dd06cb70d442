//! `mantlet check`: reviews an app, and prints what is weak, how that is known and what closes it.
//!
//! A mistake in the arguments ends with 2 before the app is imported. What cannot be reviewed ends with 3, and
//! without a report: no file says of an app that it passed unless it was looked at.

mod accepted;
mod project;
mod reports;
mod reviewed;

use std::process::ExitCode;

use jiff::{Timestamp, tz::Offset};
use mantlet_contract::model::Contract;
use mantlet_controls::Policy;
use mantlet_review::{
    Level, explain,
    formats::{About, Report},
    rule,
};

use self::{accepted::Acceptance, project::Project, reports::Reports, reviewed::reviewed};
use super::describe::configuration;
use crate::{
    cli::{CheckArguments, ContractArguments},
    contract::{Description, describe_document, inspect},
    say::{Failure, print},
};

/// Something was found.
const FOUND: u8 = 1;
/// A mistake in the arguments or in a file.
const USAGE: u8 = 2;
/// It could not be reviewed.
const NOT_REVIEWED: u8 = 3;

pub(crate) fn check(arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    if let Some(rule) = &arguments.explain {
        return explained(rule.as_deref());
    }
    let reports = Reports::of(arguments)?;
    let acceptance = Acceptance::of(arguments)?;
    let level = Level::ALL.into_iter().find(|level| level.name() == arguments.fail_on);
    let about = |app| About {
        mantlet: env!("CARGO_PKG_VERSION").to_owned(),
        app,
        fail_on: level.unwrap_or(Level::High),
    };

    let Read { name, model, policy, project } = read(&arguments.contract)?;
    let mut review = reviewed(&model, &policy);
    if review.operations() == 0 {
        let message = format!(
            "not reviewed: {name} has no operations\n\
             if its routes are added when it starts, or by another module, name the app that has them"
        );
        return Err(Failure::new(message).with_code(NOT_REVIEWED));
    }
    let today = Offset::UTC.to_datetime(Timestamp::now()).date();
    let accepted = acceptance.baseline().apply(&mut review, today);
    let mut report = Report::new(about(name.clone()), &review, &accepted);
    if let Some(accepted) = acceptance.add(&report, accepted)? {
        report = Report::new(about(name), &review, &accepted);
    }
    reports.write(&report, &project.repository()).map_err(|failure| failure.with_code(USAGE))?;
    Ok(ExitCode::from(if report.failed { FOUND } else { 0 }))
}

/// What is reviewed.
struct Read {
    name: String,
    model: Contract,
    policy: Policy,
    project: Project,
}

fn read(arguments: &ContractArguments) -> Result<Read, Failure> {
    let (app, python) = (arguments.app.as_deref(), arguments.python.as_deref());
    let checked = configuration(app, python, arguments.config.clone())?;
    let read = match &arguments.openapi {
        Some(place) => describe_document(place),
        None => inspect(&checked.loaded),
    };
    let Description { name, model, .. } = read.map_err(|failure| failure.with_code(NOT_REVIEWED))?;
    let project = Project::of(&checked.loaded);
    Ok(Read { name, model, policy: checked.policy, project })
}

/// A rule in words, or all of them.
fn explained(id: Option<&str>) -> Result<ExitCode, Failure> {
    let print = |text: &str| print(text).map_err(|failure| failure.with_code(USAGE));
    let Some(id) = id else {
        print(&explain::list())?;
        return Ok(ExitCode::SUCCESS);
    };
    let Some(rule) = rule::by_id(id) else {
        let near: Vec<_> = explain::nearest(id).iter().map(|near| format!("`{near}`")).collect();
        let help =
            if near.is_empty() { String::new() } else { format!("did you mean {}?\n", near.join(" or ")) };
        return Err(Failure::usage(format!(
            "there is no rule `{id}`\n{help}`mantlet check --explain` lists all rules"
        )));
    };
    print(&explain::text(rule, reports::width()))?;
    Ok(ExitCode::SUCCESS)
}
