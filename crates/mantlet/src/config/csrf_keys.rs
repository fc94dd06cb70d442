//! The keys that sign tokens against cross-site request forgery.

use std::{fs, path::Path, sync::OnceLock, time::Duration};

use mantlet_controls::{
    config::Mistake,
    csrf::{
        Config,
        token::{KEY_LENGTH, Key},
    },
};

use super::retired::Retired;
use crate::{
    say::say,
    state::{self, NoSecret},
};

/// Beside the audit file.
const FILE: &str = "csrf-key";

/// The keys of the configured file, else one of our own in the state folder. None where no token is
/// asked for. Those that the file had before follow, for a while.
pub(super) fn read(
    config: &Config,
    state_folder: &Path,
    retired: &Retired,
    overlap: Duration,
) -> Result<Vec<Key>, Mistake> {
    let token = &config.token;
    if token.session_cookies.is_empty() {
        return Ok(Vec::new());
    }
    if token.key_file.is_empty() {
        return own(state_folder);
    }
    let mistake = |message: String| {
        Mistake::new("csrf.token.key-file", format!("`{}` {message}", token.key_file))
            .help("create one with `openssl rand -hex 32`")
    };
    let text =
        fs::read_to_string(&token.key_file).map_err(|error| mistake(format!("cannot be read: {error}")))?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    let keys = lines.map(|(index, line)| {
        key(line).ok_or_else(|| {
            mistake(format!(
                "has no key on line {}; a key has at least {} hexadecimal digits",
                index + 1,
                2 * KEY_LENGTH
            ))
        })
    });
    let mut keys = keys.collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(mistake("has no key".to_owned()));
    }
    for former in retired.before("csrf", text.as_bytes(), overlap) {
        let text = String::from_utf8_lossy(former.expose()).into_owned();
        keys.extend(text.lines().filter_map(|line| key(line.trim())));
    }
    Ok(keys)
}

/// Made once. Where it cannot be kept it lasts as long as this process: reloads must not void every
/// token.
fn own(state_folder: &Path) -> Result<Vec<Key>, Mistake> {
    static UNKEPT: OnceLock<String> = OnceLock::new();
    let new = state::random_text().map_err(|error| {
        Mistake::new("csrf.token.key-file", format!("cannot get random bytes for a key: {error}"))
    })?;
    let text = match state::secret(state_folder, FILE, &new) {
        Ok(text) => text,
        Err(NoSecret::Refused(error)) => {
            let file = state_folder.join(FILE);
            let text = error.to_string();
            let (why, help) = text.split_once('\n').unwrap_or((&text, "remove it; a new key is made"));
            let message = format!("`{}` is not used: {why}", file.display());
            return Err(Mistake::new("csrf.token.key-file", message).help(help));
        }
        Err(NoSecret::Unkept(error)) => UNKEPT
            .get_or_init(|| {
                say(format!(
                    "note: cannot keep the key of `csrf.token` in `{}` ({error}); after a restart, open pages are refused once\n\
                     name another folder with `state-folder`, or a file with `key-file` under `[csrf.token]`",
                    state_folder.display()
                ));
                new
            })
            .clone(),
    };
    let damaged = || {
        let file = state_folder.join(FILE);
        Mistake::new("csrf.token.key-file", format!("`{}` is damaged", file.display()))
            .help("remove it; a new key is made")
    };
    key(text.trim()).map(|key| vec![key]).ok_or_else(damaged)
}

fn key(text: &str) -> Option<Key> {
    if !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let digits =
        text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2));
    let bytes = digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect::<Option<Vec<_>>>()?;
    Key::new(&bytes)
}
