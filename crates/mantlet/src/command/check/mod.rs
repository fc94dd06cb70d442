//! `mantlet check`: reviews an app, and prints what is weak, how that is known and what closes it.
//!
//! A mistake in the arguments ends with 2 before the app is imported. What cannot be reviewed ends with 3, and
//! without a report: no file says of an app that it passed unless it was looked at.

mod accepted;
mod asking;
mod osv;
mod project;
mod proof;
mod reports;

use std::{fs, process::ExitCode};

use jiff::{Timestamp, tz::Offset};
use mantlet_contract::model::Contract;
use mantlet_review::{
    AppFacts, Gate, Level, Review, explain,
    formats::{About, Report},
    of_app,
    project::{self as supply, Database},
    rule,
};

use self::{
    accepted::Acceptance,
    asking::{Place, Wish, ask, target},
    osv::Service,
    project::Project,
    proof::{Proposal, compared},
    reports::Reports,
};
use super::describe::{configuration, flags};
use crate::{
    cli::{CheckArguments, ContractArguments},
    config::Checked,
    contract::{Description, describe_document, inspect},
    say::{Failure, print, say},
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
    let about = |app| About {
        mantlet: env!("CARGO_PKG_VERSION").to_owned(),
        app,
        fail_on: level_of(&arguments.fail_on),
    };

    let (wish, target) = (Wish::of(arguments)?, target(arguments)?);
    let read = read(&arguments.contract)?;
    let around = around(arguments, &read)?;
    let name = read.name.clone();
    let mut review = reviewed(&read, &read.checked);
    if review.operations() == 0 {
        let message = format!(
            "not reviewed: {name} has no operations\n\
             if its routes are added when it starts, or by another module, name the app that has them"
        );
        return Err(Failure::new(message).with_code(NOT_REVIEWED));
    }
    supply::review(&around, &mut review);
    let Read { model, checked, project, .. } = &read;
    let is_asked = arguments.asking.live || arguments.asking.writes || !wish.identities.is_empty();
    let mut alone = None;
    if arguments.closing.prove {
        let (before, after) = proven(arguments, &read, &around, &wish, review)?;
        (alone, review) = (Some(before), after);
    } else if let Some(target) = target {
        ask(Place::There(target), &checked.loaded, model, &wish, &mut review)?;
    } else if is_asked {
        ask(Place::Gated(checked.loaded.file.as_deref()), &checked.loaded, model, &wish, &mut review)?;
    }
    if arguments.closing.write && !arguments.closing.prove {
        write(&Proposal::of(&checked.loaded, &review, model, level_of(&arguments.closing.close))?)?;
    }
    let today = Offset::UTC.to_datetime(Timestamp::now()).date();
    let accepted = acceptance.baseline().apply(&mut review, today);
    let mut report = Report::new(about(name.clone()), &review, &accepted);
    if let Some(accepted) = acceptance.add(&report, accepted)? {
        report = Report::new(about(name), &review, &accepted);
    }
    if let Some(alone) = &alone {
        report = report.compared_with(alone);
        if reports.are_read() {
            print(&(compared(alone, &review) + "\n"))?;
        }
    }
    reports.write(&report, &project.repository()).map_err(|failure| failure.with_code(USAGE))?;
    Ok(ExitCode::from(if report.failed { FOUND } else { 0 }))
}

/// What is reviewed.
struct Read {
    name: String,
    model: Contract,
    checked: Checked,
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
    Ok(Read { name, model, checked, project })
}

/// The review of the app behind a gate that is configured so. Nothing is asked.
fn reviewed(read: &Read, checked: &Checked) -> Review {
    let config = &checked.loaded.config;
    let controls = config.controls(Some(&checked.listen), checked.tls.as_ref());
    let gate = Gate {
        config: &controls,
        policy: &checked.policy,
        has_certificate: checked.tls.is_some(),
        keeps_records: config.audit.log(&config.state_folder).file.is_some(),
    };
    of_app(AppFacts { contract: &read.model, gate: Some(gate) })
}

/// The project around the app, and what is known of its packages.
fn around(arguments: &CheckArguments, read: &Read) -> Result<supply::Project, Failure> {
    let mut around = supply::Project::read(read.project.folder());
    if let Some(file) = &arguments.osv_db {
        let database = Database::read(file)
            .map_err(|why| Failure::usage(format!("`--osv-db {}`: {why}", file.display())))?;
        around = around.with_advisories(database);
    }
    if let Some(url) = &arguments.osv {
        around = around.with_advisories(Service::at(url)?);
    }
    if let Some(file) = &arguments.sbom {
        let text = format!("{:#}\n", supply::sbom(&around));
        fs::write(file, text)
            .map_err(|error| Failure::usage(format!("`{}` cannot be written: {error}", file.display())))?;
    }
    Ok(around)
}

/// The app alone, then behind the gate with what closes the findings. Both reviews.
fn proven(
    arguments: &CheckArguments,
    read: &Read,
    around: &supply::Project,
    wish: &Wish,
    as_configured: Review,
) -> Result<(Review, Review), Failure> {
    let Read { model, checked, .. } = read;
    let mut alone = of_app(AppFacts { contract: model, gate: None });
    supply::review(around, &mut alone);
    ask(Place::Alone, &checked.loaded, model, wish, &mut alone)?;
    let mut found = as_configured;
    for finding in alone.findings() {
        found.found(finding.clone());
    }
    let proposal = Proposal::of(&checked.loaded, &found, model, level_of(&arguments.closing.close))?;
    let (_folder, file, proposed) = proposal.read(flags(&arguments.contract))?;
    let mut gated = reviewed(read, &proposed);
    supply::review(around, &mut gated);
    if !wish.is_over() {
        ask(Place::Gated(Some(&file)), &proposed.loaded, model, wish, &mut gated)?;
    }
    if arguments.closing.write {
        write(&proposal)?;
    } else if proposal.is_new {
        say("behind the gate: with the configuration that `--write` puts into mantlet.toml");
    }
    Ok((alone, gated))
}

fn write(proposal: &Proposal) -> Result<(), Failure> {
    if !proposal.is_new {
        say("the configuration has all that closes findings already");
        return Ok(());
    }
    let name = proposal.write()?;
    say(format!(
        "`{name}` has the configuration that closes what was found; look at it before you commit it"
    ));
    Ok(())
}

/// The level of this name. The arguments have no other.
fn level_of(name: &str) -> Level {
    Level::ALL.into_iter().find(|level| level.name() == name).unwrap_or(Level::High)
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
