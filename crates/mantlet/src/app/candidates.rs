//! Where the launcher hands over what may be the key of the app's tokens: a socket in the private
//! folder, at every start of the app.
//!
//! The values stand in no file, in no variable and on no command line. Here they are overwritten
//! when they are not needed any more, and nothing is said of a document that cannot be understood:
//! what a parser says of it may have a value in it.

use std::{
    borrow::Cow,
    future::pending,
    io,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use mantlet_controls::{
    config::Secret,
    token::{Candidate, Candidates},
};
use serde::Deserialize;
use tokio::{io::AsyncReadExt as _, net::UnixStream, time::timeout};
use zeroize::Zeroizing;

/// How long one document may take. The launcher has less patience.
const PATIENCE: Duration = Duration::from_millis(500);
/// Bytes of a document: the launcher sends 2 MiB of values at most, and their names.
const LARGEST: usize = 4 << 20;
/// How many candidates are taken, and how many bytes each may have.
const MOST: usize = 2_000;
const LONGEST: usize = 8_192;

/// A socket that listens for the launcher.
#[derive(Debug)]
pub(crate) struct Hearing {
    listener: UnixListener,
    path: PathBuf,
}

/// What the launcher sends.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    candidates: Vec<Sent<'a>>,
    /// Every place in the app's code that verifies a token is known, and its key is among these.
    #[serde(default)]
    complete: bool,
}

#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    key: bool,
    /// The app's code verifies tokens with it.
    #[serde(default)]
    verifies: bool,
    /// As Base64.
    value: &'a str,
}

impl Hearing {
    /// Listens from now on, in a folder that no other user can enter.
    pub(crate) fn begin(path: PathBuf) -> io::Result<Self> {
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts in force what the launcher sends, as often as the app starts.
    pub(crate) async fn listen(&self, candidates: &Candidates) {
        let listener = self.listener.try_clone().and_then(tokio::net::UnixListener::from_std);
        let Ok(listener) = listener else { return pending().await };
        loop {
            let Ok((mut launcher, _)) = listener.accept().await else {
                // No descriptor is left, for example. The launcher does not wait for long.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let read = timeout(PATIENCE, read(&mut launcher)).await;
            if let Some((all, is_complete)) = read.ok().flatten().and_then(|document| understood(&document)) {
                candidates.put(all, is_complete);
            }
            // With the end of the connection the launcher knows that they are in force.
        }
    }
}

/// A whole document; none if it is too large or broken off.
async fn read(launcher: &mut UnixStream) -> Option<Zeroizing<Vec<u8>>> {
    let mut document = Zeroizing::new(Vec::with_capacity(64 << 10));
    loop {
        if document.len() == document.capacity() {
            // Grown by hand: `Vec` would leave the former bytes in memory as they are.
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * document.capacity()));
            larger.extend_from_slice(&document);
            document = larger;
        }
        if launcher.read_buf(&mut *document).await.ok()? == 0 {
            return Some(document);
        }
        if document.len() > LARGEST {
            return None;
        }
    }
}

fn understood(document: &[u8]) -> Option<(Vec<Candidate>, bool)> {
    let Document { candidates, complete } = serde_json::from_slice(document).ok()?;
    let understood = candidates.into_iter().take(MOST).filter_map(|sent| {
        let value = Secret::new(BASE64_STANDARD.decode(sent.value).ok()?);
        (1..=LONGEST).contains(&value.expose().len()).then(|| Candidate {
            name: sent.name.into(),
            is_named_like_a_key: sent.key,
            verifies: sent.verifies,
            secret: value,
        })
    });
    Some((understood.collect(), complete))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::Shutdown,
        os::unix::net::UnixStream,
    };

    use super::*;

    /// Sends documents one after another, each as the launcher does, while the gate listens.
    async fn after(documents: &[&[u8]]) -> (u64, Vec<(String, bool, Vec<u8>)>) {
        let folder = tempfile::tempdir().unwrap();
        let hearing = Hearing::begin(folder.path().join("key.sock")).unwrap();
        let candidates = Candidates::default();
        let documents: Vec<Vec<u8>> = documents.iter().map(|&document| document.into()).collect();
        let path = hearing.path().to_owned();
        let launcher = tokio::task::spawn_blocking(move || {
            for document in documents {
                let mut gate = UnixStream::connect(&path).unwrap();
                // One that is too large is not read to its end.
                let _ = gate.write_all(&document).and_then(|()| gate.shutdown(Shutdown::Write));
                let _ = gate.read(&mut [0]);
            }
        });
        tokio::select! {
            () = hearing.listen(&candidates) => unreachable!(),
            sent = launcher => sent.unwrap(),
        }
        let (generation, (all, _)) = (candidates.generation(), candidates.get());
        let shown = all.iter().map(|candidate| {
            (candidate.name.to_string(), candidate.is_named_like_a_key, candidate.secret.expose().clone())
        });
        (generation, shown.collect())
    }

    const FIRST: &[u8] = br#"{"candidates": [
        {"name": "SECRET_KEY in main", "key": true, "value": "c2VjcmV0"},
        {"name": "a \"quoted\" name", "key": false, "value": "AP8="}
    ]}"#;

    fn first() -> Vec<(String, bool, Vec<u8>)> {
        let secret = ("SECRET_KEY in main".to_owned(), true, b"secret".to_vec());
        vec![secret, ("a \"quoted\" name".to_owned(), false, vec![0, 255])]
    }

    #[tokio::test]
    async fn what_the_launcher_sends_is_in_force_before_it_goes_on() {
        assert_eq!(after(&[]).await, (0, vec![]));
        assert_eq!(after(&[FIRST]).await, (1, first()));
    }

    #[tokio::test]
    async fn another_start_of_the_app_replaces_them() {
        let none = br#"{"candidates": []}"#;
        assert_eq!(after(&[FIRST, none]).await, (2, vec![]));
        assert_eq!(after(&[none, FIRST]).await, (2, first()));
    }

    #[tokio::test]
    async fn a_document_that_cannot_be_understood_changes_nothing() {
        let huge = format!(r#"{{"candidates": [], "more": "{}"}}"#, "x".repeat(LARGEST));
        for broken in ["", "{", "[]", r#"{"candidates": [{"name": "a"}]}"#, &huge] {
            assert_eq!(after(&[FIRST, broken.as_bytes()]).await, (1, first()), "{broken:.40}");
        }
    }

    #[tokio::test]
    async fn of_candidates_out_of_bounds_the_others_are_taken() {
        let one = |value: &str| format!(r#"{{"name": "a", "key": false, "value": "{value}"}}"#);
        let long = |length| BASE64_STANDARD.encode(vec![7; length]);
        let values = [one(""), one("?"), one(&long(LONGEST + 1)), one(&long(LONGEST))];
        let document = format!(r#"{{"candidates": [{}]}}"#, values.join(","));
        assert_eq!(after(&[document.as_bytes()]).await, (1, vec![("a".to_owned(), false, vec![7; LONGEST])]));
        let many = vec![one("AP8="); MOST + 1].join(",");
        let (_, taken) = after(&[format!(r#"{{"candidates": [{many}]}}"#).as_bytes()]).await;
        assert_eq!(taken.len(), MOST);
    }

    #[tokio::test]
    async fn a_client_that_sends_nothing_holds_up_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let hearing = Hearing::begin(folder.path().join("key.sock")).unwrap();
        let candidates = Candidates::default();
        let path = hearing.path().to_owned();
        let silent = UnixStream::connect(&path).unwrap();
        let launcher = tokio::task::spawn_blocking(move || {
            let mut gate = UnixStream::connect(path).unwrap();
            gate.write_all(FIRST).unwrap();
            gate.shutdown(Shutdown::Write).unwrap();
            gate.read(&mut [0]).unwrap()
        });
        tokio::select! {
            () = hearing.listen(&candidates) => unreachable!(),
            sent = launcher => assert_eq!(sent.unwrap(), 0),
        }
        assert_eq!(candidates.get().0.len(), 2);
        drop(silent);
    }
}
