//! The socket that commands ask.

use std::io;

use mantlet_gateway::admin::Admin;

use crate::{
    config::Config,
    say::{Failure, say},
    settings::Loaded,
    state,
};

const REMEDY: &str = "set another path with `socket` under `[admin]`, or `off`";

/// Listens. The default socket is nothing that a gate could not do without; one that was asked for
/// must be there.
pub(super) fn open(loaded: &Loaded<Config>) -> Result<Option<Admin>, Failure> {
    let config = &loaded.config;
    let Some(path) = config.admin.path(&config.state_folder) else { return Ok(None) };
    let is_default = config.admin.socket.is_empty();
    let prepared = if is_default { state::prepare(&config.state_folder) } else { Ok(()) };
    let opened = prepared
        .map_err(|error| format!("its folder cannot be created ({error})"))
        .and_then(|()| Admin::open(&path).map_err(|error| why_none(&error)));
    match opened {
        Ok(admin) => Ok(Some(admin)),
        Err(why) => {
            let why = format!("cannot open the admin socket `{}`: {why}", path.display());
            if !is_default {
                return Err(Failure::new(format!("{why}\n{REMEDY}")));
            }
            say(format!("note: {why}\n{REMEDY}"));
            Ok(None)
        }
    }
}

fn why_none(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another Mantlet already serves it".to_owned(),
        io::ErrorKind::AlreadyExists => "there is a file that is not a socket".to_owned(),
        io::ErrorKind::InvalidInput => "the path is too long for a socket".to_owned(),
        io::ErrorKind::NotFound => "its folder does not exist".to_owned(),
        _ => error.to_string(),
    }
}
