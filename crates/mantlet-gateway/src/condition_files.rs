//! Reads the files that conditions of the policy depend on again, whenever they have changed.
//!
//! Every second each file is looked at, and not read. It is read once it has not changed for a second,
//! so a file that is still being written is left alone. What cannot be used is told once, and the last
//! good content stays in force.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, sync::Arc, time::Duration};

use mantlet_controls::{
    authorization::{ConditionFile, Taken},
    config::Content,
};

use crate::tell;

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);

/// By which it is known whether a file has changed: its device, its number, its length and its time;
/// or why it cannot be looked at.
type Stamp = Result<(u64, u64, u64, i64, i64), String>;

/// A file, and what was seen of it.
struct Followed {
    file: Arc<ConditionFile>,
    /// When it was looked at last.
    last: Option<Stamp>,
    /// When it was read last. Not when the policy was made: it may have changed before the first look.
    read: Option<Stamp>,
    is_broken: bool,
}

/// Follows the files of the policy in force, for as long as it is polled.
pub(crate) async fn follow(files: impl Fn() -> Vec<Arc<ConditionFile>>) {
    let mut followed: Vec<Followed> = Vec::new();
    loop {
        let files = files();
        followed.retain(|known| files.iter().any(|file| Arc::ptr_eq(file, &known.file)));
        for file in files {
            if !followed.iter().any(|known| Arc::ptr_eq(&file, &known.file)) {
                followed.push(Followed { file, last: None, read: None, is_broken: false });
            }
        }
        for file in &mut followed {
            file.look().await;
        }
        tokio::time::sleep(EVERY).await;
    }
}

impl Followed {
    async fn look(&mut self) {
        let stamp = Some(stamp_of(self.file.path()));
        let is_settled = self.last == stamp;
        self.last.clone_from(&stamp);
        if !is_settled || self.read == stamp {
            return;
        }
        self.read = stamp;
        let (path, key) = (self.file.path().display(), self.file.key());
        // A database of countries takes its time, in which the operator is answered.
        let file = Arc::clone(&self.file);
        let taken = tokio::task::spawn_blocking(move || {
            let content = fs::read(file.path()).map(Content::new).map_err(|error| cannot_be_read(&error));
            content.and_then(|content| file.take(&content))
        });
        match taken.await.unwrap_or_else(|_| Err("cannot be used".to_owned())) {
            Ok(Taken::InForce(what)) => tell(&format!("`{path}` ({key}) was read again: {what}")),
            Ok(Taken::Unchanged) if self.is_broken => tell(&format!("`{path}` ({key}) can be read again")),
            Ok(Taken::Unchanged) => {}
            Err(what) => {
                tell(&format!("error: `{path}` ({key}) {what}; what was read before stays in force"));
                self.is_broken = true;
                return;
            }
        }
        self.is_broken = false;
    }
}

fn stamp_of(path: &Path) -> Stamp {
    let found = fs::metadata(path).map_err(|error| cannot_be_read(&error))?;
    // Not the time of its content alone: a permission may have been what was wrong.
    Ok((found.dev(), found.ino(), found.len(), found.ctime(), found.ctime_nsec()))
}

fn cannot_be_read(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}
