//! `mantlet serve`: in front of an app that runs elsewhere.

use std::process::ExitCode;

use mantlet_gateway::Address;

use crate::{
    cli::ServeArguments,
    config::Reader,
    contract::Source,
    operate::{Plan, operate},
    say::Failure,
    settings::Flag,
};

pub(crate) fn serve(arguments: &ServeArguments) -> Result<ExitCode, Failure> {
    let upstream = arguments.upstream.as_deref().map(|url| Flag::new("app.upstream", "--upstream", url));
    let mut flags = arguments.common.flags();
    flags.extend(upstream.into_iter().chain(arguments.contract.flags()));
    let reader = Reader::of_file(arguments.common.config.clone()).with_flags(flags).without_uvicorn();
    let checked = reader.read_at_start()?;
    let app = &checked.loaded.config.app;
    let address = app.address().map_err(Failure::usage)?.ok_or_else(|| {
        Failure::usage("no upstream: pass `--upstream http://HOST:PORT` or `--upstream unix:PATH`")
    })?;
    let behind = match &address {
        Address::Unix(path) => format!("unix:{}", path.display()),
        Address::Tcp(host, port) => format!("http://{host}:{port}"),
    };
    let idle_timeout = app.idle_timeout.0;
    let source = Source::of(&checked.loaded.config.contract, false);
    operate(Plan { reader, checked, address, idle_timeout, behind, source, app: None })
}
