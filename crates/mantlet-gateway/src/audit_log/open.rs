//! How a log goes on where it was left.
//!
//! | found | then |
//! |---|---|
//! | nothing | a new log begins |
//! | records of an earlier version, without numbers | they are set aside, and a new log begins |
//! | a log that was closed | it goes on after its last seal |
//! | a log that was not closed | the lines after its last seal are read, and it goes on after them |
//! | half a line at the end | it is moved into a record, `log-recovered`, and the log goes on |
//! | the file was moved away | the log goes on in a new one |
//! | lines, seals or the key do not fit together | they are set aside, and a new log begins that names the old one |

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mantlet_audit::{
    Chain, Key, Seal, SealLine,
    files::{self, LONGEST},
    key::PublicKey,
    verify,
};

use super::{
    AuditConfig,
    file::{LogFile, open_file},
    seals::{Sealer, read_key, read_last},
};
use crate::{clock, guarded, tell};

/// Logs of several programs in one folder, at most.
const MOST: u32 = 64;
/// The event of a record with half a line.
const RECOVERED: &str = "log-recovered";

/// Opens the log, and begins one if there is none.
pub(super) fn open(config: &AuditConfig, path: &Path) -> io::Result<LogFile> {
    let (path, file) = claim(config, path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        // A pipe or a device: who reads it keeps the log.
        let key = Key::random().map_err(|_| no_randomness())?;
        let chain = Chain::new(&key);
        return begun(LogFile::new(config, path, (file, 0, None), chain, None), &key.public(), None);
    }
    let places = Places::of(config, &path);
    match read(&path, &file, &places) {
        Ok(Left::Nothing) => begin(config, path, file, &places, None),
        Ok(Left::Log(left)) => go_on(config, path, file, &places, *left),
        Ok(Left::Earlier) => {
            let aside = set_aside(&path, &places);
            tell(&format!("note: `{}` has records of an earlier version. {aside}", path.display()));
            let file = open_file(&path, config.kind)?;
            begin(config, path, file, &places, None)
        }
        Err(Odd { why, origin }) => {
            let aside = set_aside(&path, &places);
            let log = origin.as_deref().unwrap_or("an earlier log");
            tell(&format!(
                "error: the audit log does not go on from {log}: {why}. {aside}A new log begins; `mantlet audit verify` will say so"
            ));
            let file = open_file(&path, config.kind)?;
            begin(config, path, file, &places, Some((log.to_owned(), why)))
        }
    }
}

/// The file that no other program writes.
fn claim(config: &AuditConfig, path: &Path) -> io::Result<(PathBuf, File)> {
    for number in 1..=MOST {
        let path = if number == 1 { path.to_owned() } else { numbered(path, number) };
        let file = open_file(&path, config.kind)?;
        if !file.metadata()?.is_file() {
            return Ok((path, file));
        }
        match file.try_lock() {
            Ok(()) => {
                if number > 1 {
                    tell(&format!(
                        "another Mantlet writes the audit log; this one writes `{}`",
                        path.display()
                    ));
                }
                return Ok((path, file));
            }
            Err(fs::TryLockError::WouldBlock) => {}
            // A file system without locks.
            Err(fs::TryLockError::Error(_)) => return Ok((path, file)),
        }
    }
    Err(io::Error::other("too many programs write logs of this name"))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("jsonl");
    path.with_extension(format!("{number}.{extension}"))
}

/// Where the seals and the key of a log are.
struct Places {
    seals: PathBuf,
    key: PathBuf,
}

impl Places {
    /// Beside the log, so that they move with it; in the state folder if nothing can be made there.
    fn of(config: &AuditConfig, log: &Path) -> Self {
        let beside = |log: &Path| Self {
            seals: files::beside(log, files::SEALS),
            key: files::beside(log, files::KEY),
        };
        let here = beside(log);
        let usable = here.key.exists() || crate::journal::try_folder(&here.key).is_ok();
        match (&config.state, log.file_name()) {
            (Some(state), Some(name)) if !usable => beside(&state.join(name)),
            _ => here,
        }
    }
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
}

/// Why a log cannot go on.
struct Odd {
    why: String,
    origin: Option<String>,
}

impl From<io::Error> for Odd {
    fn from(error: io::Error) -> Self {
        Self { why: error.to_string(), origin: None }
    }
}

fn odd<T>(why: impl Into<String>, origin: Option<&str>) -> Result<T, Odd> {
    Err(Odd { why: why.into(), origin: origin.map(str::to_owned) })
}

fn read(path: &Path, file: &File, places: &Places) -> Result<Left, Odd> {
    let kept = read_last(&places.seals)?;
    let key = read_key(&places.key)?;
    let length = file.metadata()?.len();
    let Some(kept) = kept else {
        return match key {
            None if length == 0 => Ok(Left::Nothing),
            None if files::first_of(path)?.is_none() => Ok(Left::Earlier),
            None => odd("its key is not there", None),
            // It was begun, and nothing was written.
            Some(_) if length == 0 && files::of(path)?.is_empty() => Ok(Left::Nothing),
            Some(_) if length == 0 => odd("its file of seals is not there", None),
            Some(key) => from_the_first_line(path, key),
        };
    };
    let Some(seal) = Seal::read(&kept.note) else { return odd("its file of seals is damaged", None) };
    let origin = Some(seal.origin.as_str());
    let Some(key) = key else { return odd("its key is not there", origin) };
    let Some(chain) = Chain::after(&kept) else { return odd("its file of seals is damaged", origin) };
    after_a_seal(path, &kept, &seal, chain, key)
}

/// A log that was not sealed yet, or whose file of seals is not there: all of it is read.
fn from_the_first_line(path: &Path, key: Key) -> Result<Left, Odd> {
    let mut lines = Lines::open(path, 0)?;
    let Some(line) = lines.next()? else {
        // Half a first line is all there is.
        return if lines.torn.is_empty() {
            Ok(Left::Nothing)
        } else {
            odd("its first line is not whole", None)
        };
    };
    let Some(first_key) = verify::key_of_opening(&line) else {
        if mantlet_audit::read_seq(&line).is_some() {
            return odd("its file of seals is not there", None);
        }
        return odd("the file has lines that are not of a log, or of an earlier version", None);
    };
    let mut chain = Chain::named_after(&first_key);
    let mut due = first_key;
    take(&mut chain, &line, &mut due)?;
    while let Some(line) = lines.next()? {
        take(&mut chain, &line, &mut due)?;
    }
    let key = key_due(key, &due, chain.origin())?;
    let (length, torn) = (lines.length, lines.torn);
    Ok(Left::Log(Box::new(Known { chain, key, first: 0, length, torn })))
}

fn after_a_seal(path: &Path, kept: &SealLine, seal: &Seal, mut chain: Chain, key: Key) -> Result<Left, Odd> {
    let origin = seal.origin.clone();
    let mut due = seal.next;
    let mut parts = files::of(path)?;
    parts.retain(|part| part.first >= kept.file);
    let mut end = (chain.next_seq(), 0, Vec::new());
    let mut is_met = false;
    for part in &parts {
        let begins_here = part.first == kept.file;
        if !begins_here && !is_met && part.first > seal.size {
            break;
        }
        let mut lines = Lines::open(&part.path, if begins_here { kept.offset } else { 0 })?;
        while let Some(line) = lines.next()? {
            if !is_met && mantlet_audit::read_seq(&line).is_some_and(|(seq, _)| seq < seal.size) {
                // The file is not as it was when it was sealed, but has all of its lines.
                continue;
            }
            take(&mut chain, &line, &mut due).map_err(|odd| Odd { origin: Some(origin.clone()), ..odd })?;
            is_met = true;
        }
        end = (part.first, lines.length, lines.torn);
    }
    if !is_met {
        // The file with the line of the seal was moved away. What that line is, the seal says.
        chain.add_seal(seal);
    }
    let key = key_due(key, &due, &origin)?;
    let is_last = parts.last().is_some_and(|part| part.path == path);
    let (first, length, torn) = if is_last { end } else { (chain.next_seq(), 0, Vec::new()) };
    Ok(Left::Log(Box::new(Known { chain, key, first, length, torn })))
}

fn take(chain: &mut Chain, line: &[u8], due: &mut PublicKey) -> Result<(), Odd> {
    let seq = chain.next_seq();
    if !chain.read(line) {
        return odd(format!("record {seq} is not as it was written, or missing"), Some(chain.origin()));
    }
    if let Some(next) = verify::next_key_of(line) {
        *due = next;
    }
    Ok(())
}

/// The key that is due; it may not have been replaced in time.
fn key_due(key: Key, due: &PublicKey, origin: &str) -> Result<Key, Odd> {
    if key.public() == *due {
        return Ok(key);
    }
    match key.next() {
        Ok(next) if next.public() == *due => Ok(next),
        _ => odd("its key is not the one that is due", Some(origin)),
    }
}

fn no_randomness() -> io::Error {
    io::Error::other("the system gives no random numbers")
}

fn begin(
    config: &AuditConfig,
    path: PathBuf,
    file: File,
    places: &Places,
    after: Option<(String, String)>,
) -> io::Result<LogFile> {
    let key = Key::random().map_err(|_| no_randomness())?;
    let (chain, first_key) = (Chain::new(&key), key.public());
    let sealer = Sealer::new(&places.seals, &places.key, key, &config.anchors);
    let sealer = sealer.inspect_err(unsealed).ok();
    let length = file.metadata()?.len();
    begun(LogFile::new(config, path, (file, 0, Some(length)), chain, sealer), &first_key, after)
}

fn unsealed(error: &io::Error) {
    tell(&format!(
        "warning: the audit log is not sealed, because its key cannot be kept: {error}. Lines are still linked to each other"
    ));
}

fn begun(mut log: LogFile, key: &PublicKey, after: Option<(String, String)>) -> io::Result<LogFile> {
    let now = clock::now();
    log.add(&verify::opening(key, now, after), now)?;
    log.flush(now)?;
    Ok(log)
}

fn go_on(
    config: &AuditConfig,
    path: PathBuf,
    file: File,
    places: &Places,
    left: Known,
) -> io::Result<LogFile> {
    let Known { chain, key, first, length, torn } = left;
    let sealer = Sealer::new(&places.seals, &places.key, key, &config.anchors);
    let sealer = sealer.inspect_err(unsealed).ok();
    if !torn.is_empty() {
        file.set_len(length)?;
    }
    let is_new_file = length == 0 && first > 0;
    let mut log = LogFile::new(config, path, (file, first, Some(length)), chain, sealer);
    let now = clock::now();
    if is_new_file {
        log.continued(now);
    }
    if !torn.is_empty() {
        let text = STANDARD.encode(&torn);
        log.add(&verify::record(RECOVERED, now, &[("bytes", torn.len().to_string()), ("torn", text)]), now)?;
    }
    log.flush(now)?;
    Ok(log)
}

/// Moves a log aside that cannot go on. Returns a sentence that says so.
fn set_aside(path: &Path, places: &Places) -> String {
    let time = clock::now().as_second();
    let mut moved = None;
    for part in [path, &places.seals, &places.key] {
        let extension = part.extension().and_then(|extension| extension.to_str()).unwrap_or("jsonl");
        let aside = part.with_extension(format!("aside-{time}.{extension}"));
        if fs::symlink_metadata(part).is_ok() && fs::rename(part, &aside).is_ok() {
            moved.get_or_insert(aside);
        }
    }
    moved.map_or_else(String::new, |aside| format!("It is kept as `{}`. ", aside.display()))
}

/// The whole lines of a file.
struct Lines {
    input: BufReader<File>,
    /// Bytes up to the end of the last whole line.
    length: u64,
    /// What comes after it.
    torn: Vec<u8>,
}

impl Lines {
    fn open(path: &Path, from: u64) -> io::Result<Self> {
        let mut file = guarded::open_to_read(path, guarded::Kind::Named)?;
        let from = if file.metadata()?.len() < from { 0 } else { from };
        file.seek(SeekFrom::Start(from))?;
        Ok(Self { input: BufReader::new(file), length: from, torn: Vec::new() })
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
