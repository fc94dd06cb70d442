//! `mantlet metrics`: shows the metrics of a running Mantlet.

use std::process::ExitCode;

use http::Method;
use serde::Deserialize;

use super::ask::{Client, print_answer};
use crate::{
    cli::MetricsArguments,
    say::{Failure, say},
};

#[derive(Deserialize)]
struct Metrics {
    /// Whether requests are measured.
    requests: bool,
    text: String,
}

pub(crate) fn metrics(MetricsArguments { running }: &MetricsArguments) -> Result<ExitCode, Failure> {
    let answer = Client::of(running)?.ask(Method::GET, &["metrics"])?;
    print_answer(answer, running.json, |Metrics { requests, text }: &Metrics| {
        if !requests {
            say(
                "note: requests are not measured: set `listen` under `[metrics]`, such as `127.0.0.1:9464`, and restart Mantlet",
            );
        }
        text.clone()
    })
}
