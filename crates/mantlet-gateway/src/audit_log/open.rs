//! How a log goes on where it was left.
//!
//! | found | then |
//! |---|---|
//! | nothing | a new log begins |
//! | records of an earlier version, without numbers | they are set aside, and a new log begins that says so |
//! | a log that was closed | it goes on after its last seal |
//! | a log that was not closed | the lines after its last seal are read, and it goes on after them |
//! | half a line at the end | it is moved into a record, `log-recovered`, and the log goes on |
//! | the file was moved away | the log goes on in a new one, and says if records may be missing |
//! | lines, seals or the key do not fit together | they are set aside, and a new log begins that names the old one |
//!
//! Only what is wrong in the files sets them aside. What cannot be read now, is an error.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mantlet_audit::{
    Chain, Key, Seal, SealLine,
    files::{self, Folder, LONGEST, Part},
    key::PublicKey,
    read_seq, verify,
};

use super::{
    AuditConfig,
    file::{LogFile, Opened, named, open_file},
    seals::{Sealer, read_key, read_last, remove_key},
};
use crate::{
    clock,
    guarded::{self, Kind},
    journal::try_folder,
    tell,
};

/// Logs of several programs in one folder, at most.
const MOST: u32 = 64;
/// Seals that may have been made since the key could be kept last.
const SEALS: usize = 100_000;
/// The event of a record with half a line.
const RECOVERED: &str = "log-recovered";
/// Bytes of half a line in its record; a longer one is kept in a file.
const LONGEST_TORN: usize = 4 << 10;

/// Opens the log, and begins one if there is none.
pub(super) fn open(config: &AuditConfig, path: &Path) -> io::Result<LogFile> {
    // A link is followed once, so that other files are beside the real one.
    let path = if config.kind == Kind::Named {
        fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
    } else {
        path.to_owned()
    };
    let (mut number, mut is_taken) = (1, false);
    loop {
        let own = if number == 1 { path.clone() } else { named(&path, &number.to_string()) };
        let opened = open_file(&own, config.kind)?;
        if !opened.metadata()?.is_file() {
            return pipe(config, own, opened);
        }
        let places = Places::of(config, &own);
        let Claimed::Ours(lock) = places.claim() else {
            is_taken = true;
            number = next(number)?;
            continue;
        };
        if is_taken {
            tell(&format!("another Mantlet writes the audit log; this one writes `{}`", own.display()));
        } else if number > 1 {
            tell(&format!("the audit log is `{}` now", own.display()));
        }
        let length = opened.metadata()?.len();
        let whole =
            |first, length| Opened { path: own.clone(), file: opened, lock, first, length: Some(length) };
        let (before, says) = match read(&own, length, &places) {
            Ok(Left::Nothing) => return begin(config, whole(0, length), &places, None),
            Ok(Left::Log(left)) => return go_on(config, whole(left.first, left.length), &places, *left),
            Ok(Left::Earlier) => {
                (None, format!("note: `{}` has records of an earlier version", own.display()))
            }
            Err(Stop::Cannot(error)) => return Err(error),
            Err(Stop::Odd { why, origin }) => {
                let log = origin.unwrap_or_else(|| "an earlier log".to_owned());
                let says = format!("error: the audit log does not go on from {log}: {why}");
                (Some((log, why)), says)
            }
        };
        let earlier = || ("records of an earlier version".to_owned(), "they have no numbers".to_owned());
        let Some(aside) = set_aside(&own, &places) else {
            tell(&format!("{says}. It stays where it is, because it cannot be renamed"));
            number = next(number)?;
            continue;
        };
        tell(&format!("{says}. It is kept as `{}`, and a new log begins", aside.display()));
        let file = open_file(&own, config.kind)?;
        let opened = Opened { file, ..whole(0, 0) };
        return begin(config, opened, &places, Some(before.unwrap_or_else(earlier)));
    }
}

fn next(number: u32) -> io::Result<u32> {
    if number < MOST {
        Ok(number + 1)
    } else {
        Err(io::Error::other("too many programs write logs of this name"))
    }
}

/// The name of a log in the folder where its seals are.
pub(super) fn home(config: &AuditConfig, log: &Path) -> PathBuf {
    Places::of(config, log).seals.with_extension("")
}

/// A pipe or a device: who reads it keeps the log.
fn pipe(config: &AuditConfig, path: PathBuf, file: File) -> io::Result<LogFile> {
    if config.sync == super::Sync::Record {
        tell(
            "warning: `audit.fsync = \"record\"` has no effect, because the audit file is a pipe or a device",
        );
    }
    let key = Key::random().map_err(|_| no_randomness())?;
    let opened = Opened { path, file, lock: None, first: 0, length: None };
    let log = LogFile::new(config, opened, Chain::new(&key), None)?;
    Ok(begun(log, &key.public(), None))
}

/// Where the seals, the key and the lock of a log are.
struct Places {
    seals: PathBuf,
    key: PathBuf,
    lock: PathBuf,
}

impl Places {
    /// Beside the log, so that they move with it; in the state folder if nothing can be made there, or if they
    /// are there already.
    fn of(config: &AuditConfig, log: &Path) -> Self {
        let places = |log: &Path| Self {
            seals: files::beside(log, files::SEALS),
            key: files::beside(log, files::KEY),
            lock: files::beside(log, files::LOCK),
        };
        let here = places(log);
        let Some((state, name)) = config.state.as_ref().zip(log.file_name()) else { return here };
        let there = places(&state.join(name));
        let is_here = here.key.exists() || here.seals.exists();
        let is_there = there.key.exists() || there.seals.exists();
        if is_here || (!is_there && try_folder(&here.key).is_ok()) { here } else { there }
    }

    /// Takes the lock, if no other program has it and there can be one.
    fn claim(&self) -> Claimed {
        let Ok(lock) = guarded::open_to_append(&self.lock, Kind::Own) else { return Claimed::Ours(None) };
        match lock.try_lock() {
            Ok(()) => Claimed::Ours(Some(lock)),
            Err(fs::TryLockError::WouldBlock) => Claimed::Taken,
            // A file system without locks.
            Err(fs::TryLockError::Error(_)) => Claimed::Ours(None),
        }
    }
}

/// Whose a log is.
enum Claimed {
    /// Ours, with the lock if there can be one.
    Ours(Option<File>),
    /// Another program writes it.
    Taken,
}

/// What was left of a log.
enum Left {
    Nothing,
    /// Records without numbers, as earlier versions wrote them.
    Earlier,
    Log(Box<Known>),
}

/// A log that can go on.
struct Known {
    chain: Chain,
    key: Key,
    first: u64,
    length: u64,
    /// Half a line.
    torn: Vec<u8>,
    /// Which records may be missing, and why.
    missing: Option<String>,
}

/// Why a log cannot go on.
enum Stop {
    /// What is in its files does not fit together.
    Odd { why: String, origin: Option<String> },
    /// Something cannot be read.
    Cannot(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Cannot(error)
    }
}

fn odd<T>(why: impl Into<String>, origin: Option<&str>) -> Result<T, Stop> {
    Err(Stop::Odd { why: why.into(), origin: origin.map(str::to_owned) })
}

fn read(path: &Path, length: u64, places: &Places) -> Result<Left, Stop> {
    let kept = read_last(&places.seals)?;
    let key = match read_key(&places.key) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return odd(error.to_string(), None),
        other => other?,
    };
    let key = key.map(|(key, note)| {
        if let Some(note) = note {
            tell(&format!("warning: {note}"));
        }
        key
    });
    let mut folder = Folder::of(path)?;
    match (kept, key) {
        (None, _) if length == 0 && folder.is_empty() => Ok(Left::Nothing),
        (None, None) if length > 0 && !has_numbers(path)? => Ok(Left::Earlier),
        (None, None) => odd("its key is not there", origin_in(folder).as_deref()),
        (None, Some(key)) => from_the_first_line(path, folder, key),
        (Some((_, seal)), None) => odd("its key is not there", Some(&seal.origin)),
        (Some((kept, seal)), Some(key)) => match Chain::after(&kept) {
            Some(chain) => after_a_seal(path, &mut folder, &kept, &seal, chain, key),
            None => odd("its file of seals is damaged", Some(&seal.origin)),
        },
    }
}

/// Whether any of the first lines has a number.
fn has_numbers(path: &Path) -> io::Result<bool> {
    let input = BufReader::new(guarded::open_to_read(path, Kind::Named)?).take(LONGEST);
    let mut lines = input.split(b'\n').map_while(Result::ok);
    Ok(lines.any(|line| read_seq(&line).is_some()))
}

/// What the log is called whose first file is in a folder.
fn origin_in(mut folder: Folder) -> Option<String> {
    let first = folder.take_after(0, "")?;
    let line = Lines::of(&first, 0).ok()?.next().ok()??;
    Some(Chain::named_after(&verify::key_of_opening(&line)?).origin().to_owned())
}

/// A log that was not sealed yet, or whose file of seals is not there: all of it is read.
fn from_the_first_line(path: &Path, mut folder: Folder, key: Key) -> Result<Left, Stop> {
    let Some(first) = folder.take_after(0, "") else {
        // Half a first line may be all there is.
        let length = fs::metadata(path).map_or(0, |found| found.len());
        let half = length < LONGEST && !fs::read(path)?.contains(&b'\n');
        if folder.is_empty() && half {
            let chain = Chain::new(&key);
            let torn = fs::read(path)?;
            return Ok(Left::Log(Box::new(Known { chain, key, first: 0, length: 0, torn, missing: None })));
        }
        return odd("its first record is not there, and its file of seals is not there", None);
    };
    let mut lines = Lines::of(&first, 0)?;
    let Some(first_key) = lines.next()?.as_deref().and_then(verify::key_of_opening) else {
        return odd("its first record is not as it was written", None);
    };
    let mut chain = Chain::named_after(&first_key);
    let mut reading = Reading { due: first_key, end: None };
    let origin = chain.origin().to_owned();
    reading.part(&first, 0, &mut chain)?;
    reading.following(&mut folder, &mut chain)?;
    reading.known(path, chain, key, None, &origin)
}

fn after_a_seal(
    path: &Path,
    folder: &mut Folder,
    kept: &SealLine,
    seal: &Seal,
    mut chain: Chain,
    key: Key,
) -> Result<Left, Stop> {
    let origin = seal.origin.as_str();
    let mut reading = Reading { due: seal.next, end: None };
    let mut missing = None;
    if let Some(part) = folder.take_with(seal.size, &kept.prev, (kept.file, kept.offset))? {
        let offset = if part.first == kept.file { kept.offset } else { 0 };
        reading.part(&part, offset, &mut chain)?;
        reading.following(folder, &mut chain)?;
    } else {
        // What the line of the seal is, the seal says.
        chain.add_seal(seal);
        reading.following(folder, &mut chain)?;
        let newest = fs::metadata(path).map_or(0, |found| found.len());
        if reading.end.is_none() && newest > 0 {
            return odd(
                format!("{} records were sealed, and the file does not have the last of them", seal.size),
                Some(origin),
            );
        }
        if reading.end.is_none() && !kept.closed {
            missing = Some(format!("the file with the records after {} is not there", seal.size));
        }
    }
    reading.known(path, chain, key, missing, origin)
}

/// What is learned while lines are read.
struct Reading {
    /// The key of the next seal.
    due: PublicKey,
    /// The last file with its first number, length and half a line.
    end: Option<(PathBuf, u64, u64, Vec<u8>)>,
}

impl Reading {
    fn part(&mut self, part: &Part, offset: u64, chain: &mut Chain) -> Result<(), Stop> {
        let mut lines = Lines::of(part, offset)?;
        while let Some(line) = lines.next()? {
            let seq = chain.next_seq();
            if read_seq(&line).is_some_and(|(found, _)| found < seq) {
                // It is sealed.
                continue;
            }
            if !chain.read(&line) {
                return odd(
                    format!("record {seq} is not as it was written, or missing"),
                    Some(chain.origin()),
                );
            }
            if let Some(next) = verify::next_key_of(&line) {
                self.due = next;
            }
        }
        self.end = Some((part.path.clone(), part.first, lines.length, lines.torn));
        Ok(())
    }

    /// Goes on with the files whose first line fits.
    fn following(&mut self, folder: &mut Folder, chain: &mut Chain) -> Result<(), Stop> {
        while let Some(part) = folder.take_after(chain.next_seq(), chain.link()) {
            self.part(&part, 0, chain)?;
        }
        Ok(())
    }

    fn known(
        self,
        path: &Path,
        chain: Chain,
        key: Key,
        missing: Option<String>,
        origin: &str,
    ) -> Result<Left, Stop> {
        let key = key_due(key, &self.due, origin)?;
        let newest = fs::metadata(path).map_or(0, |found| found.len());
        let (first, length, torn) = match self.end {
            Some((file, first, length, torn)) if file == path => (first, length, torn),
            _ if newest > 0 => {
                return odd("the file has other records than those that are due", Some(origin));
            }
            _ => (chain.next_seq(), 0, Vec::new()),
        };
        Ok(Left::Log(Box::new(Known { chain, key, first, length, torn, missing })))
    }
}

/// The key that is due. It may not have been replaced for a while.
fn key_due(mut key: Key, due: &PublicKey, origin: &str) -> Result<Key, Stop> {
    for _ in 0..SEALS {
        if key.public() == *due {
            return Ok(key);
        }
        let Ok(next) = key.next() else { break };
        key = next;
    }
    odd("its key is not the one that is due", Some(origin))
}

fn no_randomness() -> io::Error {
    io::Error::other("the system gives no random numbers")
}

fn begin(
    config: &AuditConfig,
    opened: Opened,
    places: &Places,
    before: Option<(String, String)>,
) -> io::Result<LogFile> {
    let key = Key::random().map_err(|_| no_randomness())?;
    let (chain, first_key) = (Chain::new(&key), key.public());
    // Of a log that was never written to.
    let _ = fs::remove_file(&places.seals);
    let sealer = Sealer::new(&places.seals, &places.key, key).inspect_err(unsealed).ok();
    Ok(begun(LogFile::new(config, opened, chain, sealer)?, &first_key, before))
}

fn unsealed(error: &io::Error) {
    tell(&format!(
        "warning: the audit log is not sealed, because its key cannot be kept: {error}. Lines are still linked to each other"
    ));
}

/// What cannot be written now is written later.
fn begun(mut log: LogFile, key: &PublicKey, before: Option<(String, String)>) -> LogFile {
    let now = clock::now();
    log.say_line(&verify::opening(key, now, before));
    let _ = log.flush(now);
    log
}

fn go_on(config: &AuditConfig, opened: Opened, places: &Places, left: Known) -> io::Result<LogFile> {
    let Known { chain, key, length, torn, missing, .. } = left;
    let is_begun = chain.next_seq() > 0;
    let first_key = key.public();
    let sealer = Sealer::new(&places.seals, &places.key, key).inspect_err(unsealed).ok();
    let now = clock::now();
    let torn = torn_off(&opened, length, &torn, chain.next_seq())?;
    if let Some(missing) = &missing {
        tell(&format!(
            "error: records of the audit log may be missing: {missing}. The log says so, and goes on"
        ));
    }
    let mut log = LogFile::new(config, opened, chain, sealer)?;
    if is_begun {
        log.resumed(missing, now);
    } else {
        log = begun(log, &first_key, None);
    }
    if let Some(fields) = torn {
        log.say(RECOVERED, &fields, now);
    }
    let _ = log.flush(now);
    Ok(log)
}

/// Cuts half a line off, and returns what a record says of it. A long one is kept in a file before.
fn torn_off(
    opened: &Opened,
    length: u64,
    torn: &[u8],
    seq: u64,
) -> io::Result<Option<Vec<(&'static str, String)>>> {
    if torn.is_empty() {
        return Ok(None);
    }
    let whole = opened.file.metadata()?.len().saturating_sub(length);
    let mut fields = vec![("bytes", whole.to_string())];
    if let Some(short) = torn.get(..LONGEST_TORN).filter(|_| whole > LONGEST_TORN as u64) {
        let aside = opened.path.with_extension(format!("torn-{seq}"));
        let mut from = guarded::open_to_read(&opened.path, Kind::Named)?;
        io::Seek::seek(&mut from, io::SeekFrom::Start(length))?;
        let mut to = guarded::open_to_append(&aside, Kind::Own)?;
        io::copy(&mut from, &mut to)?;
        to.flush()?;
        to.sync_data()?;
        let name = aside.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        fields.extend([("file", name), ("torn", STANDARD.encode(short))]);
    } else {
        fields.push(("torn", STANDARD.encode(torn)));
    }
    opened.file.set_len(length)?;
    Ok(Some(fields))
}

/// Moves a log aside that cannot go on, with its seals. Its key is of no use any more. None if the log cannot
/// be moved.
fn set_aside(path: &Path, places: &Places) -> Option<PathBuf> {
    let time = clock::now().as_millisecond();
    let aside = named(path, &format!("aside-{time}"));
    if fs::symlink_metadata(&aside).is_ok() || fs::rename(path, &aside).is_err() {
        return None;
    }
    let _ = fs::rename(&places.seals, files::beside(&aside, files::SEALS));
    remove_key(&places.key);
    Some(aside)
}

/// The whole lines of a file.
struct Lines {
    input: BufReader<File>,
    /// Bytes up to the end of the last whole line.
    length: u64,
    /// What comes after it, up to the longest line.
    torn: Vec<u8>,
}

impl Lines {
    fn of(part: &Part, from: u64) -> io::Result<Self> {
        let from = if part.length()? < from { 0 } else { from };
        Ok(Self { input: BufReader::new(part.from(from)?), length: from, torn: Vec::new() })
    }

    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        self.input.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            self.torn = line;
            return Ok(None);
        }
        self.length += line.len() as u64 + 1;
        Ok(Some(line))
    }
}
