//! `mantlet throttles`: lists the sensitive operations of an app and their limits; `--from` is
//! `suggest`.

use std::{fmt::Write as _, process::ExitCode};

use mantlet_contract::sensitive::{self, Evidence, Place};
use mantlet_controls::{
    Mode,
    config::units::Span,
    throttle::{
        GeneralRate,
        attempts::{EffectiveLimit, Limit, SensitiveOperation},
    },
};

use super::{describe::describe, suggest::suggest};
use crate::{
    cli::ThrottlesArguments,
    config::{Checked, Reader, summary},
    contract::{
        Description,
        sensitive::{line_of, wants_account},
    },
    say::{Failure, print},
};

pub(crate) fn throttles(arguments: &ThrottlesArguments) -> Result<ExitCode, Failure> {
    if !arguments.from.is_empty() {
        return suggest(&arguments.from);
    }
    let checked = Reader::of_file(arguments.contract.config.clone())
        .read()
        .map_err(|mistakes| Failure::usage(summary(&mistakes, "it cannot be used")))?;
    let (Description { name, model, .. }, _) = describe(&arguments.contract)?;
    print(&report(&name, &checked, &sensitive::find(&model)))?;
    Ok(ExitCode::SUCCESS)
}

fn report(name: &str, checked: &Checked, found: &[sensitive::SensitiveRoute]) -> String {
    let operations = checked.policy.throttle.sensitive_operations(found);
    let mut text = match operations.iter().filter(|one| one.gets != EffectiveLimit::Unknown).count() {
        0 => format!(
            "{name} has no sensitive operations: no tokenUrl, no word such as `login` and no input shows one\n\
             name yours with `[[throttle.operation]]`; for other operations write a `[[throttle.rule]]`"
        ),
        1 => format!("{name} has 1 sensitive operation"),
        count => format!("{name} has {count} sensitive operations"),
    };
    if checked.loaded.config.throttle.mode == Mode::Off {
        let _ =
            write!(text, "\nnone of this is in force: {} switches throttles off", origin(checked, "mode"));
    }
    for SensitiveOperation { methods, path, why, section, gets } in operations {
        let place = section.map(|section| origin(checked, &format!("operation[{section}]")));
        let sections = &checked.loaded.config.throttle.operation;
        let is_named = section.and_then(|section| sections.get(section)?.purpose).is_some();
        // Writing to a text cannot fail.
        let _ = write!(text, "\n  {} {path}\n    ", methods.join(", "));
        let _ = match gets {
            EffectiveLimit::Nothing => {
                let place = place.unwrap_or_else(|| origin(checked, "sensitive"));
                write!(text, "exempt: {place} says so")
            }
            EffectiveLimit::Unknown => {
                let place = place.unwrap_or_default();
                write!(text, "no limits: {place} names no `purpose`, and the contract shows none")
            }
            EffectiveLimit::Limits {
                purpose,
                limits,
                accounts,
                mode,
                evidence,
                may_name_more,
                hides_in_part,
            } => {
                let why = match (why, place) {
                    (Some(why), None) => why,
                    (Some(why), Some(place)) if !is_named => format!("{why}; {place} changes its limits"),
                    (_, place) => format!("{} says so", place.unwrap_or_default()),
                };
                let _ =
                    write!(text, "{}: {why}\n    for each address {}", purpose.name(), shown(limits.address));
                if let (Some(limit), false) = (limits.account, accounts.is_empty()) {
                    let accounts = accounts.iter().map(Place::to_string).collect::<Vec<_>>().join("` or `");
                    let _ = write!(text, "; for each account (`{accounts}`) {}", shown(limit));
                }
                let _ = write!(
                    text,
                    "{}",
                    match (mode, evidence) {
                        (Mode::Report, Evidence::Word) =>
                            "; more are only recorded, because a word proves nothing",
                        (Mode::Report, _) => "; more are only recorded",
                        (_, Evidence::Inputs) => "; once it has answered 401, and only 401 is a failure",
                        _ => "",
                    }
                );
                if evidence == Evidence::Word && mode == Mode::Report {
                    let _ = write!(text, "\n    {}", line_of(path.as_str(), purpose, &methods));
                }
                if accounts.is_empty() && wants_account(purpose, may_name_more, evidence) {
                    let _ = write!(
                        text,
                        "\n    no account is found among its inputs, so only addresses are limited: name it with `account` under `[[throttle.operation]]`"
                    );
                }
                if !accounts.is_empty() && hides_in_part && purpose.has_accounts() {
                    let _ = write!(
                        text,
                        "\n    in one of its forms no account is found, so only addresses are limited there: name it with `account` under `[[throttle.operation]]`"
                    );
                }
                Ok(())
            }
        };
    }
    // Writing to a text cannot fail.
    let _ = write!(text, "\n  all others: {}", general(checked));
    text
}

/// What an address may ask of operations without limits of their own.
fn general(checked: &Checked) -> String {
    match checked.loaded.config.throttle.general() {
        None => {
            "each address may send as many requests as the app can carry; `throttle.rate = \"100/s\"` sets a number"
                .to_owned()
        }
        Some((rate, burst)) => {
            let key = if checked.loaded.config.throttle.rate == GeneralRate::Auto { "burst" } else { "rate" };
            format!("each address may send {rate}, and {burst} at once: {} says so", origin(checked, key))
        }
    }
}

/// Where a key of `[throttle]` was set.
fn origin(checked: &Checked, key: &str) -> String {
    checked.loaded.origins.of(&format!("throttle.{key}")).to_string()
}

fn shown(limit: Limit) -> String {
    let what = if limit.failures { " failures" } else { "" };
    format!("{}{what} in {}", limit.count, Span(limit.period))
}
