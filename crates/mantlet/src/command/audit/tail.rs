//! `mantlet audit tail`: the last records, and those that come.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::Path,
    process::ExitCode,
    thread,
    time::Duration,
};

use mantlet_audit::files::LONGEST;

use super::{filter::Filter, log::Log, search::written};
use crate::say::Failure;

/// How often it is looked for new records.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Bytes that are read from the end at once.
const BLOCK: u64 = 64 << 10;

pub(super) fn tail(
    log: &Log,
    filter: &Filter,
    lines: usize,
    follow: bool,
    json: bool,
) -> Result<ExitCode, Failure> {
    let fail = |error: io::Error| unreadable(log, &error);
    let mut file = File::open(&log.newest).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    let (last, at) = last_lines(&mut file, length, lines, filter).map_err(fail)?;
    let mut output = io::stdout().lock();
    for line in last.iter().rev() {
        if let Some(record) = filter.fits(line)
            && !written(&mut output, line, &record, json)?
        {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let _ = output.flush();
    if follow { following(log, filter, file, at, json) } else { Ok(ExitCode::SUCCESS) }
}

/// Goes on with the records that come, until the process or its reader ends.
fn following(
    log: &Log,
    filter: &Filter,
    mut file: File,
    mut at: u64,
    json: bool,
) -> Result<ExitCode, Failure> {
    let fail = |error: io::Error| unreadable(log, &error);
    let mut output = io::stdout().lock();
    let mut next = None;
    loop {
        let mut input = BufReader::new(&file);
        input.seek(SeekFrom::Start(at)).map_err(fail)?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(fail)?;
            if line.pop_if(|byte| *byte == b'\n').is_none() {
                break;
            }
            at += read as u64;
            if let Some(record) = filter.fits(&line)
                && !written(&mut output, &line, &record, json)?
            {
                return Ok(ExitCode::SUCCESS);
            }
        }
        let _ = output.flush();
        // A file that was renamed is read to its end once more; then the new one from its beginning.
        if let Some(next) = next.take() {
            (file, at) = (next, 0);
        } else if let Some(found) = replaced(&log.newest, &file, at) {
            next = Some(found);
        } else {
            thread::sleep(LOOK_EVERY);
        }
    }
}

fn unreadable(log: &Log, error: &io::Error) -> Failure {
    Failure::new(format!("`{}` cannot be read: {error}", log.newest.display()))
}

/// The last lines that fit, the last one first, and where the next one begins.
fn last_lines(
    file: &mut File,
    length: u64,
    count: usize,
    filter: &Filter,
) -> io::Result<(Vec<Vec<u8>>, u64)> {
    let (mut found, mut rest, mut end) = (Vec::new(), Vec::new(), length);
    let mut next = None;
    while end > 0 && found.len() < count {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        Read::by_ref(file).take(end - start).read_to_end(&mut block)?;
        block.extend_from_slice(&rest);
        if next.is_none() {
            let whole = memchr::memrchr(b'\n', &block).map_or(0, |at| at + 1);
            block.truncate(whole);
            next = (whole > 0).then_some(start + whole as u64);
        }
        let mut lines: Vec<&[u8]> = block.split(|byte| *byte == b'\n').collect();
        lines.retain(|line| !line.is_empty());
        let first = if start > 0 { lines.drain(..1.min(lines.len())).next() } else { None };
        for line in lines.iter().rev() {
            if found.len() < count && filter.fits(line).is_some() {
                found.push(line.to_vec());
            }
        }
        rest = first.map(|first| [first, b"\n"].concat()).unwrap_or_default();
        end = start;
    }
    Ok((found, next.unwrap_or(0)))
}

/// The file that has taken the place of one that was renamed or cut.
pub(super) fn replaced(path: &Path, open: &File, at: u64) -> Option<File> {
    let next = File::open(path).ok()?;
    let (new, old) = (next.metadata().ok()?, open.metadata().ok()?);
    let is_other = (new.dev(), new.ino()) != (old.dev(), old.ino());
    (is_other || new.len() < at).then_some(next)
}
