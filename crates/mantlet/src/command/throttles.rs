//! `mantlet throttles`: names the sensitive operations of an app, and what they get.

use std::{fmt::Write as _, process::ExitCode};

use mantlet_contract::flows::{self, Found, Purpose};
use mantlet_controls::{
    throttle::{Limit, limits_of},
    units::Span,
};

use crate::{
    cli::ThrottlesArguments,
    command::contract::{Described, read},
    say::{Failure, say},
};

pub(crate) fn throttles(arguments: &ThrottlesArguments) -> Result<ExitCode, Failure> {
    let Described { name, model, .. } = read(&arguments.contract)?;
    say(report(&name, &flows::find(&model)));
    Ok(ExitCode::SUCCESS)
}

fn report(name: &str, found: &[Found]) -> String {
    let mut text = match found.len() {
        0 => format!(
            "{name} has no operation that looks sensitive: none is named by a tokenUrl, by a word such as `login`, or by its fields\n\
             rules of your own are `[[throttle.rule]]`"
        ),
        1 => format!("{name} has 1 sensitive operation"),
        count => format!("{name} has {count} sensitive operations"),
    };
    for Found { path, methods, flow } in found {
        let limits = limits_of(flow.purpose);
        // Writing to a text cannot fail.
        let _ =
            write!(text, "\n  {} {path}\n    {}: {}", methods.join(", "), purpose(flow.purpose), flow.why);
        let _ = write!(text, "\n    for each address {}", shown(limits.address));
        if let (Some(limit), Some(account)) = (limits.account, &flow.account) {
            let _ = write!(text, "; for each account (`{account}`) {}", shown(limit));
        }
    }
    text
}

fn shown(limit: Limit) -> String {
    let what = if limit.failures { " failures" } else { "" };
    format!("{}{what} in {}", limit.count, Span(limit.period))
}

const fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Login => "login",
        Purpose::Reset => "reset",
        Purpose::Verify => "verify",
        Purpose::Register => "register",
        Purpose::Redeem => "redeem",
        Purpose::Checkout => "checkout",
    }
}
