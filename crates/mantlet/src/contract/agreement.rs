//! How often an app and the gate agree on what is invalid, kept over restarts.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use http::Method;
use mantlet_controls::{
    call::Spellings,
    contract::{Rules, agreement::Seen},
    operation::Contract,
    route::Routes,
};
use serde::{Deserialize, Serialize};

use crate::say::say;

/// In the state folder.
pub(crate) const FILE: &str = "agreement.json";

/// What is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// Of which contract.
    identity: u64,
    operations: Vec<Seen>,
}

/// What holds for an operation.
pub(crate) fn rules_of(routes: &Routes, method: &str, path: &str) -> Rules {
    let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
    routes.of(&method, Spellings::one(path)).rules
}

/// Gives a contract what was kept of it. What cannot be read is begun anew.
pub(crate) fn recall(file: &Path, contract: &Contract) {
    let Ok(text) = fs::read(file) else { return };
    if let Ok(kept) = serde_json::from_slice::<Kept>(&text)
        && kept.identity == contract.identity()
    {
        contract.remember(&kept.operations);
    }
}

/// Keeps what has been seen.
pub(crate) fn keep(file: &Path, contract: &Contract, rules: Rules) {
    let operations: Vec<_> =
        contract.agreement(|_, _| rules).into_iter().filter(Seen::is_something).collect();
    if operations.is_empty() {
        return;
    }
    if let Err(error) = write(file, &Kept { identity: contract.identity(), operations }) {
        let file = file.display();
        say(format!("note: `{file}` cannot be written ({error}): how often the app agrees is forgotten"));
    }
}

fn write(file: &Path, kept: &Kept) -> io::Result<()> {
    let new = file.with_extension("json.new");
    let _ = fs::remove_file(&new);
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    opened.write_all(&serde_json::to_vec(kept)?)?;
    fs::rename(&new, file)
}
