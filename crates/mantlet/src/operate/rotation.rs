//! Secrets that become other ones while we run: seen, and put in force without a restart.
//!
//! Files are polled, because Kubernetes and systemd put links and mounts in their place, which a watch of the file
//! would not see. A file counts as changed once it has stayed the same from one look to the next, so that one which is
//! being written is not read, and if its content is another one. Servers are asked by a thread of their own.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use mantlet_secrets::{Event, Source};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{parts::Parts, reload::take_secrets};
use crate::{
    config::{Place, secret_events, watched},
    say::say,
};

/// What the app alone gets, at its start.
const OF_APP: &str = "app.env.";

/// Follows the secrets of the settings in force, for as long as it is polled.
pub(super) async fn follow(parts: &Parts<'_>) {
    let mut looks = Looks::default();
    looks.look(&files(parts));
    let mut events = secret_events();
    loop {
        let (watch, overlap) = {
            let secrets = &parts.loaded.borrow().config.secrets;
            (secrets.watch.0, secrets.overlap.0)
        };
        let pause = if watch.is_zero() { Duration::from_secs(10) } else { watch };
        let ends = parts.reader.retired.ends_in(overlap);
        let pause = ends.map_or(pause, |ends| pause.min(ends));
        let mut changed = Vec::new();
        tokio::select! {
            event = next(&mut events) => changed.extend(heard(event, &mut events)),
            () = tokio::time::sleep(pause) => {}
        }
        if events.is_none() {
            // A configuration may name a server for the first time.
            events = secret_events();
        }
        let watched = watched(&parts.loaded.borrow().config);
        let is_changed = |place: &Place| matches!(place, Place::Server(source) if changed.contains(source));
        let mut keys: Vec<String> =
            watched.iter().filter(|(_, place)| is_changed(place)).map(|(key, _)| key.clone()).collect();
        if !watch.is_zero() {
            keys.extend(looks.look(&files(parts)));
        }
        let has_ended = ends.is_some_and(|ends| ends <= pause)
            && parts.reader.retired.ends_in(overlap).is_some_and(|rest| rest.is_zero());
        take(parts, &keys, has_ended);
    }
}

/// Puts in force what can be.
fn take(parts: &Parts<'_>, keys: &[String], has_ended: bool) {
    let (of_app, ours): (Vec<&String>, Vec<&String>) = keys.iter().partition(|key| key.starts_with(OF_APP));
    for key in of_app {
        say(format!("note: the secret of `{key}` is another one; the app gets it when Mantlet starts again"));
    }
    if ours.is_empty() && !has_ended {
        return;
    }
    if take_secrets(parts) && !ours.is_empty() {
        let names: Vec<_> = ours.iter().map(|key| format!("`{key}`")).collect();
        say(format!("{} changed; what is there now is in force", names.join(", ")));
    }
}

async fn next(events: &mut Option<UnboundedReceiver<Event>>) -> Event {
    if let Some(events) = events
        && let Some(event) = events.recv().await
    {
        return event;
    }
    std::future::pending().await
}

/// Says what there is to say of this event and those that came with it: the secrets that are other ones.
fn heard(first: Event, events: &mut Option<UnboundedReceiver<Event>>) -> Vec<Source> {
    let more = std::iter::from_fn(|| events.as_mut()?.try_recv().ok());
    let changed = std::iter::once(first).chain(more).filter_map(|event| match event {
        Event::Changed(source) => Some(source),
        Event::Failed(source, why) => {
            say(format!("error: `{source}` cannot be read again: {why}\nwhat was read last stays in use"));
            None
        }
        Event::Recovered(source) => {
            say(format!("`{source}` can be read again"));
            None
        }
    });
    changed.collect()
}

fn files(parts: &Parts<'_>) -> Vec<(String, PathBuf)> {
    let watched = watched(&parts.loaded.borrow().config);
    let files = watched.into_iter().filter_map(|(key, place)| match place {
        Place::File(path) => Some((key, path)),
        Place::Server(_) => None,
    });
    files.collect()
}

/// What tells one state of a file from another: its device, number, length, and time to the nanosecond.
type Stamp = (u64, u64, u64, i64, i64);

#[derive(Debug)]
struct Look {
    stamp: Option<Stamp>,
    digest: Option<[u8; 32]>,
    /// Another state was seen at the last look.
    is_moving: bool,
}

#[derive(Debug, Default)]
struct Looks(HashMap<PathBuf, Look>);

impl Looks {
    /// The keys whose files are other ones, and have come to rest.
    fn look(&mut self, files: &[(String, PathBuf)]) -> Vec<String> {
        self.0.retain(|path, _| files.iter().any(|(_, other)| other == path));
        let (mut seen, mut changed): (Vec<&Path>, Vec<&Path>) = Default::default();
        for (key, path) in files {
            // Two keys may name one file.
            if seen.contains(&path.as_path()) {
                continue;
            }
            seen.push(path);
            let stamp = stamp(path);
            let Some(look) = self.0.get_mut(path) else {
                self.0.insert(path.clone(), Look { stamp, digest: digest(path), is_moving: false });
                continue;
            };
            if look.stamp != stamp {
                if stamp.is_none() {
                    say(format!("error: the file of `{key}` is gone; what was read last stays in use"));
                }
                (look.stamp, look.is_moving) = (stamp, true);
            } else if std::mem::take(&mut look.is_moving)
                && let Some(digest) = digest(path)
                && look.digest.replace(digest) != Some(digest)
            {
                changed.push(path);
            }
        }
        files
            .iter()
            .filter(|(_, path)| changed.contains(&path.as_path()))
            .map(|(key, _)| key.clone())
            .collect()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

fn digest(path: &Path) -> Option<[u8; 32]> {
    fs::read(path).ok().map(|bytes| Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_changed_once_it_rests_and_says_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let files = [("a.key".to_owned(), path.clone()), ("b.key".to_owned(), path.clone())];
        let mut looks = Looks::default();
        let put = |content: &str| {
            let new = folder.path().join("new");
            fs::write(&new, content).unwrap();
            fs::rename(new, &path).unwrap();
        };
        put("one");
        assert!(looks.look(&files).is_empty());
        put("two");
        assert!(looks.look(&files).is_empty(), "it may still be written");
        assert_eq!(looks.look(&files), ["a.key", "b.key"]);
        assert!(looks.look(&files).is_empty());
        put("two");
        assert!(looks.look(&files).is_empty());
        assert!(looks.look(&files).is_empty(), "it says the same");
        fs::remove_file(&path).unwrap();
        assert!(looks.look(&files).is_empty());
        assert!(looks.look(&files).is_empty(), "what is gone is not another secret");
        put("three");
        assert!(looks.look(&files).is_empty());
        assert_eq!(looks.look(&files), ["a.key", "b.key"]);
        // As Kubernetes does it: a link to another folder.
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let files = [("c.key".to_owned(), link.clone())];
        assert!(looks.look(&files).is_empty());
        fs::write(folder.path().join("other"), "four").unwrap();
        std::os::unix::fs::symlink(folder.path().join("other"), folder.path().join("new")).unwrap();
        fs::rename(folder.path().join("new"), &link).unwrap();
        assert!(looks.look(&files).is_empty());
        assert_eq!(looks.look(&files), ["c.key"]);
    }
}
