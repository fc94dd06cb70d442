//! What traffic has said of rules about owners, in a file that outlives the process.
//!
//! A thread of its own writes the file anew when something was added, at most every ten seconds, and at the end:
//! one line of JSON for each operation of a rule, after a first line with the format and a second one by
//! which the key of the hashes is known. Callers are in it as keyed hashes; the key is in another file.
//! The process that writes the file holds a lock beside it.

use std::{
    io,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use mantlet_controls::authorization::{AllEvidence, KeptEvidence};
use serde::{Deserialize, Serialize};

use crate::{
    clock, guarded,
    journal::{self, Claim, Claimed, Format, Loaded, Place},
    tell,
};

/// How often changes are written.
const EVERY: Duration = Duration::from_secs(10);
const FORMAT: Format = Format { name: "mantlet-evidence", holds: "evidence about rules" };

/// The line by which the key is known.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    check: u64,
}

/// The thread that writes. It ends when told to, after it has written everything.
#[derive(Debug)]
pub struct EvidenceFile {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl EvidenceFile {
    /// Reads the file, if there is one, and starts to write it. If that fails, evidence is kept in memory for
    /// as long as the process lives.
    pub fn open(path: PathBuf, evidence: AllEvidence, key: &str) -> io::Result<Self> {
        evidence.set_key(key);
        let mut writer = Writer { path, evidence, claim: Claim::default(), written: 0, complained: false };
        writer.begin();
        let (end, ended) = channel();
        let thread = std::thread::Builder::new().name("evidence".into()).spawn(move || writer.run(&ended))?;
        Ok(Self { end, thread })
    }

    /// Writes everything and ends.
    pub fn finish(self) {
        // Either fails only if the thread is gone already.
        let _ = self.end.send(());
        let _ = self.thread.join();
    }
}

struct Writer {
    path: PathBuf,
    evidence: AllEvidence,
    claim: Claim,
    /// The changes that the file has.
    written: u64,
    complained: bool,
}

impl Writer {
    /// Reads what was kept.
    fn begin(&mut self) {
        let (mut check, mut kept) = (None, Vec::new());
        let take = |line: &[u8]| {
            if check.is_none() {
                check = serde_json::from_slice::<Check>(line).ok().map(|line| line.check);
                return check.is_some();
            }
            serde_json::from_slice::<KeptEvidence>(line).map(|one| kept.push(one)).is_ok()
        };
        let found = FORMAT.load(&self.path, &mut Place::default(), take);
        let path = self.path.display();
        let why = match found {
            Loaded::Missing => return,
            Loaded::Unreadable(why) => why,
            Loaded::Found(_) if check.is_some_and(|check| check != self.evidence.check()) => {
                "it was written with another key".to_owned()
            }
            Loaded::Found(found) => {
                if found.damaged > 0 {
                    tell(&format!("lines of `{path}` that cannot be read are ignored: {}", found.damaged));
                }
                let now = clock::now().as_second();
                for one in kept {
                    self.evidence.restore(one, now);
                }
                self.written = self.evidence.changes();
                return;
            }
        };
        let is_ours = self.is_ours().unwrap_or(true);
        let (path, moved) = (self.path.display(), journal::set_aside(&self.path, is_ours));
        tell(&format!("`{path}` cannot be read: {why}; what traffic says of rules is counted anew{moved}"));
    }

    /// Takes the lock. If another Mantlet has it, that is reported once.
    fn is_ours(&mut self) -> io::Result<bool> {
        let claimed = self.claim.take(&self.path)?;
        if claimed == (Claimed::Elsewhere { is_news: true }) {
            let folder = journal::folder_of(&self.path).display();
            tell(&format!(
                "another Mantlet writes what traffic says of rules in `{folder}`; what this one counts is lost when it \
                 ends\n  set another `state-folder`"
            ));
        }
        Ok(claimed == Claimed::Here)
    }

    fn run(mut self, ended: &Receiver<()>) {
        loop {
            let is_last = !matches!(ended.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout));
            let written = self.write();
            if let Err(error) = &written
                && !self.complained
            {
                let path = self.path.display();
                tell(&format!(
                    "`{path}` cannot be written: {error}; what traffic says of rules is lost when Mantlet ends"
                ));
            }
            self.complained = written.is_err();
            if is_last {
                return;
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let changes = self.evidence.changes();
        if changes == self.written || !self.is_ours()? {
            return Ok(());
        }
        let mut text = FORMAT.head();
        push(&mut text, &Check { check: self.evidence.check() })?;
        for one in self.evidence.kept() {
            push(&mut text, &one)?;
        }
        guarded::replace(&self.path, &text)?;
        self.written = changes;
        Ok(())
    }
}

fn push(text: &mut Vec<u8>, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What the file of a run without any traffic would be: one operation, which two callers have asked.
    fn kept(now: i64, check: u64) -> String {
        let head = String::from_utf8(FORMAT.head()).unwrap();
        let line = format!(
            r#"{{"rule":"[\"/notes/{{id}}\"] response:/owner_id","method":"GET","path":"/notes/{{id}}","own":7,"own-callers":[[1,6],[2,1]],"foreign":0,"foreign-callers":[],"requests":[],"unclear":0,"unclear-callers":[],"why":null,"watched":0,"last":{now},"enforced":false}}"#
        );
        format!("{head}{{\"check\":{check}}}\n{line}\n")
    }

    fn read(path: &std::path::Path, key: &str) -> Vec<KeptEvidence> {
        let evidence = AllEvidence::default();
        EvidenceFile::open(path.to_owned(), evidence.clone(), key).unwrap().finish();
        evidence.kept()
    }

    fn check(key: &str) -> u64 {
        let evidence = AllEvidence::default();
        evidence.set_key(key);
        evidence.check()
    }

    #[test]
    fn evidence_comes_back_and_what_is_old_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence.jsonl");
        let (key, now) = ("a key", clock::now().as_second());
        assert!(read(&path, key).is_empty() && !path.exists(), "nothing is written before anything is known");
        fs::write(&path, kept(now, check(key))).unwrap();
        assert_eq!(read(&path, key).len(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), kept(now, check(key)), "nothing was added");
        fs::write(&path, kept(now - 91 * 86_400, check(key))).unwrap();
        assert!(read(&path, key).is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_kept_aside_and_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence.jsonl");
        let (key, now) = ("a key", clock::now().as_second());
        for text in ["somebody's notes\n".to_owned(), kept(now, check("another")), kept(now, 1)] {
            fs::write(&path, &text).unwrap();
            assert!(read(&path, key).is_empty(), "{text}");
            let aside = fs::read_to_string(folder.path().join("evidence.jsonl.unreadable")).unwrap();
            assert_eq!((aside, path.exists()), (text, false));
        }
    }
}
