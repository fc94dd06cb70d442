//! Where a secret is: `env:NAME`, `file:PATH`, `cred:NAME`, `cmd:["PROGRAM", …]`, `vault:PATH#FIELD` or
//! `aws-sm:NAME#FIELD`.
//!
//! A secret never stands in the configuration itself. A command is run without a shell, has 5 seconds, and is
//! not asked again within 10.

use std::{
    collections::HashMap,
    env, fs,
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use mantlet_controls::config::Secret;
use mantlet_secrets::{Known, Place, ReadHere};

use super::keeper;

/// What to write in place of a secret.
pub(crate) const REMEDY: &str = "write `env:NAME`, `file:PATH`, `cred:NAME`, `cmd:[\"PROGRAM\", \"ARGUMENT\"]`, `vault:PATH#FIELD` or `aws-sm:NAME#FIELD`, and keep the secret there";
/// The same for what is needed to ask a server.
pub(crate) const REMEDY_HERE: &str = "write `env:NAME`, `file:PATH`, `cred:NAME` or `cmd:[\"PROGRAM\", \"ARGUMENT\"]`, and keep the secret there";
/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the answer of a command is good for.
const FRESH: Duration = Duration::from_secs(10);
/// Bytes of a secret, at most.
const LONGEST: u64 = 64 << 10;

/// A place where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    Variable(String),
    File(PathBuf),
    /// A file in the folder of credentials that systemd has made for this service.
    Credential(String),
    Command(Vec<String>),
    /// What a server has.
    Server(Place),
}

impl Reference {
    /// Reads a reference; none if it is not one.
    pub(crate) fn of(text: &str) -> Option<Result<Self, String>> {
        let (scheme, rest) = text.split_once(':')?;
        let named = |what: &str| {
            if rest.is_empty() { Err(format!("`{text}` names no {what}")) } else { Ok(rest.to_owned()) }
        };
        Some(match scheme {
            "env" => named("variable").map(Self::Variable),
            "file" => named("file").map(|path| Self::File(path.into())),
            "cred" => named("credential").and_then(|name| {
                let is_plain = !name.contains('/') && name != "." && name != "..";
                if is_plain {
                    Ok(Self::Credential(name))
                } else {
                    Err(format!("`{text}` is not the name of a credential"))
                }
            }),
            "cmd" => {
                match serde_json::from_str::<Vec<String>>(rest) {
                    Ok(words) if !words.is_empty() => Ok(Self::Command(words)),
                    _ => Err("a command is a list in JSON, such as `cmd:[\"sops\", \"-d\", \"key.enc\"]`"
                        .to_owned()),
                }
            }
            "vault" => Place::of_vault(rest).map(Self::Server),
            "aws-sm" => Place::of_aws(rest).map(Self::Server),
            _ => return None,
        })
    }

    /// The secret, or why there is none.
    pub(crate) fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Variable(name) => env::var(name).map(String::into_bytes).map_err(|error| match error {
                env::VarError::NotPresent => format!("the variable `{name}` is not set"),
                env::VarError::NotUnicode(_) => format!("the variable `{name}` is not text in UTF-8"),
            }),
            Self::File(path) => read_file(path),
            Self::Credential(_) => read_file(&self.path().ok_or_else(no_credentials)?),
            Self::Command(words) => asked(words),
            Self::Server(_) => self.known().map(|known| known.bytes),
        }
    }

    /// The secret, and since when there is this version of it, where a server says so.
    pub(crate) fn known(&self) -> Result<Known, String> {
        match self {
            Self::Server(place) => keeper::read(place, read_here),
            other => other.read().map(|bytes| Known { bytes, created: None }),
        }
    }

    /// The file that it is in, if it is in one.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Credential(name) => Some(PathBuf::from(env::var_os("CREDENTIALS_DIRECTORY")?).join(name)),
            Self::Variable(_) | Self::Command(_) | Self::Server(_) => None,
        }
    }
}

/// The secret at a place, which has to be a reference.
pub(crate) fn secret(place: &str) -> Result<Vec<u8>, String> {
    let reference =
        Reference::of(place).ok_or_else(|| "a secret does not belong in the configuration".to_owned())??;
    let bytes = reference.read()?;
    if bytes.is_empty() { Err(format!("`{place}` is empty")) } else { Ok(bytes) }
}

/// Reads what is needed to ask a server, which is on this machine.
pub(super) fn read_here() -> ReadHere {
    Arc::new(|place| match Reference::of(place) {
        Some(Ok(Reference::Server(_))) | None => Err(format!("`{place}` is not a place on this machine")),
        Some(_) => secret(place),
    })
}

fn no_credentials() -> String {
    "`$CREDENTIALS_DIRECTORY` is not set: systemd sets it for a service with `LoadCredential=`".to_owned()
}

fn read_file(path: &PathBuf) -> Result<Vec<u8>, String> {
    let read = || {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    read().map(trimmed).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))
}

/// A file that a person writes ends with a line break.
fn trimmed(mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.last().is_some_and(u8::is_ascii_whitespace) {
        bytes.pop();
    }
    bytes
}

/// What a command says, or has said a moment ago.
fn asked(words: &[String]) -> Result<Vec<u8>, String> {
    type Said = HashMap<Vec<String>, (Instant, Secret<Vec<u8>>)>;
    static SAID: Mutex<Option<Said>> = Mutex::new(None);
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let said = said.get_or_insert_default();
    if let Some((_, secret)) = said.get(words).filter(|(when, _)| when.elapsed() < FRESH) {
        return Ok(secret.expose().clone());
    }
    let bytes = run(words)?;
    said.insert(words.to_vec(), (Instant::now(), Secret::new(bytes.clone())));
    Ok(bytes)
}

fn run(words: &[String]) -> Result<Vec<u8>, String> {
    let [program, arguments @ ..] = words else { return Err("the command is empty".to_owned()) };
    let fail = |why: String| format!("the command `{program}` {why}");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| fail(format!("cannot be started: {error}")))?;
    let output = child.stdout.take();
    // A thread reads, so that a command that says much is not held up.
    let reading = thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.map(|output| output.take(LONGEST).read_to_end(&mut bytes));
        read.transpose().map(|_| bytes)
    });
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(fail(format!("has not ended within {} s", PATIENCE.as_secs())));
            }
        }
    };
    if !status.success() {
        return Err(fail(format!("has failed ({status}); its own words are above")));
    }
    match reading.join() {
        Ok(Ok(bytes)) => Ok(trimmed(bytes)),
        _ => Err(fail("has said nothing that can be read".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, "s3cret\n\n").unwrap();
        assert_eq!(secret(&format!("file:{}", file.display())), Ok(b"s3cret".to_vec()));
        assert_eq!(secret("env:PATH"), Ok(env::var("PATH").unwrap().into_bytes()));
        assert_eq!(secret(r#"cmd:["printf", "a b\n"]"#), Ok(b"a b".to_vec()));
    }

    #[test]
    fn what_is_missing_is_named_and_no_secret_is() {
        for (place, says) in [
            ("s3cret", "a secret does not belong in the configuration"),
            ("https://user:s3cret@host", "a secret does not belong in the configuration"),
            ("vault:secret/shop", "`vault:secret/shop` names no field"),
            ("aws-sm:#x", "`aws-sm:#x` names no secret"),
            ("env:", "`env:` names no variable"),
            ("env:MANTLET_NO_SUCH", "the variable `MANTLET_NO_SUCH` is not set"),
            ("file:/no/such", "`/no/such` cannot be read: "),
            ("file:/dev/null", "`file:/dev/null` is empty"),
            ("cred:../x", "`cred:../x` is not the name of a credential"),
            ("cred:db", "`$CREDENTIALS_DIRECTORY` is not set"),
            ("cmd:printf x", "a command is a list in JSON"),
            ("cmd:[]", "a command is a list in JSON"),
            (r#"cmd:["false"]"#, "the command `false` has failed (exit status: 1)"),
            (r#"cmd:["/no/such"]"#, "the command `/no/such` cannot be started: "),
        ] {
            let why = secret(place).expect_err(place);
            assert!(why.starts_with(says), "{place}: {why}");
            assert!(!why.contains("s3cret"), "{why}");
        }
    }
}
