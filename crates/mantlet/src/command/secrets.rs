//! `mantlet secrets check`: which secrets of the configuration exist, how old they are, and which are shared
//! with another environment. It never shows one.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{
    cli::{SecretsAction, SecretsArguments},
    config::{Reader, Reference, places, secret, summary},
    say::{Failure, amount, print, say, table},
};

/// Bytes of a fingerprint: enough to tell secrets apart, too few to find one by.
const FINGERPRINT: usize = 8;
/// Shortest salt, in bytes.
const SHORTEST_SALT: usize = 16;

/// A secret of the configuration, without the secret.
#[derive(Debug, Serialize, Deserialize)]
struct Checked {
    key: String,
    place: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    problem: Option<String>,
    /// Who else can read its file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    warning: Option<String>,
    /// Since when its file is as it is, or there is this version of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    age_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    fingerprint: Option<String>,
}

pub(crate) fn secrets(arguments: &SecretsArguments) -> Result<ExitCode, Failure> {
    let SecretsAction::Check { salt, against, json } = &arguments.action;
    let loaded = Reader::of_file(arguments.config.clone())
        .load()
        .map_err(|mistakes| Failure::usage(summary(&mistakes, "nothing was checked")))?;
    let salt = salt.as_deref().map(salt_at).transpose()?;
    // What is wrong with it is said of each secret that needs it.
    let _ = loaded.config.secrets.apply();
    let all: Vec<_> = places(&loaded.config)
        .iter()
        .map(|(key, place, reference)| checked(key, place, reference, salt.as_deref()))
        .collect();
    let shared = against.as_deref().map(|path| shared_with(path, &all)).transpose()?.unwrap_or_default();
    if *json {
        print(&serde_json::to_string_pretty(&all).unwrap_or_default())?;
    } else {
        print(&listed(&all))?;
    }
    for line in &shared {
        say(format!("error: {line}"));
    }
    let missing = all.iter().filter(|one| one.problem.is_some()).count();
    if missing > 0 {
        say(format!("error: {} cannot be read", amount(missing, "secret")));
    }
    Ok(if missing > 0 || !shared.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn checked(key: &str, place: &str, reference: &Reference, salt: Option<&[u8]>) -> Checked {
    let read = reference
        .known()
        .and_then(|known| if known.bytes.is_empty() { Err("it is empty".to_owned()) } else { Ok(known) });
    let found = reference.path().and_then(|path| fs::metadata(path).ok());
    let readers = found.as_ref().map(|found| found.permissions().mode() & 0o044);
    let since = read.as_ref().ok().and_then(|known| known.created);
    let since = since.or_else(|| found.and_then(|found| found.modified().ok()));
    Checked {
        key: key.to_owned(),
        place: place.to_owned(),
        warning: readers.filter(|others| *others > 0).map(|others| {
            let who = if others & 0o004 > 0 { "every user of this machine" } else { "its group" };
            format!("{who} can read it: `chmod 600`")
        }),
        age_seconds: since
            .and_then(|since| SystemTime::now().duration_since(since).ok())
            .map(|age| age.as_secs()),
        fingerprint: salt.zip(read.as_ref().ok()).and_then(|(salt, known)| fingerprint(salt, &known.bytes)),
        problem: read.err(),
    }
}

/// The same for the same secret and salt, and of no use without the salt.
fn fingerprint(salt: &[u8], secret: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).ok()?;
    mac.update(secret);
    let hash = mac.finalize().into_bytes();
    Some(hash.iter().take(FINGERPRINT).fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

fn salt_at(place: &str) -> Result<Vec<u8>, Failure> {
    let salt = secret(place).map_err(|why| Failure::usage(format!("--salt: {why}")))?;
    if salt.len() < SHORTEST_SALT {
        return Err(Failure::usage(format!(
            "--salt: it has less than {SHORTEST_SALT} bytes, so that short secrets could be guessed; make one with `openssl rand -hex 32`"
        )));
    }
    Ok(salt)
}

/// Which secrets another environment has, too.
fn shared_with(path: &Path, all: &[Checked]) -> Result<Vec<String>, Failure> {
    let fail = |why: String| Failure::usage(format!("--against: `{}` {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    let others: Vec<Checked> = serde_json::from_str(&text)
        .map_err(|_| fail("is not what `mantlet secrets check --salt … --json` prints".to_owned()))?;
    if others.iter().all(|other| other.fingerprint.is_none()) {
        return Err(fail("has no fingerprints: make it with the same `--salt`".to_owned()));
    }
    let same = |one: &Checked| {
        let own = one.fingerprint.as_ref()?;
        let other = others.iter().find(|other| other.fingerprint.as_ref() == Some(own))?;
        Some(format!("`{}` is the same secret as `{}` of the other environment", one.key, other.key))
    };
    Ok(all.iter().filter_map(same).collect())
}

fn listed(all: &[Checked]) -> String {
    if all.is_empty() {
        return "the configuration names no secrets\n".to_owned();
    }
    let mut rows = vec![["key", "where", "age", "state"].map(str::to_owned)];
    for one in all {
        let state = one.problem.clone().or_else(|| one.warning.clone()).unwrap_or_else(|| "ok".to_owned());
        let fingerprint = one.fingerprint.as_ref().map_or_else(String::new, |text| format!("  {text}"));
        rows.push([one.key.clone(), shown(&one.place), age(one.age_seconds), state + &fingerprint]);
    }
    table(&rows)
}

/// A command may be long, and its arguments are its own affair.
fn shown(place: &str) -> String {
    match place.strip_prefix("cmd:").and_then(|words| serde_json::from_str::<Vec<String>>(words).ok()) {
        Some(words) => format!("cmd:{}", words.first().map_or("", String::as_str)),
        None => place.to_owned(),
    }
}

fn age(seconds: Option<u64>) -> String {
    const DAY: u64 = 24 * 3600;
    match seconds.map(Duration::from_secs) {
        None => "-".to_owned(),
        Some(age) if age.as_secs() < DAY => "less than a day".to_owned(),
        Some(age) => amount(usize::try_from(age.as_secs() / DAY).unwrap_or(usize::MAX), "day"),
    }
}
