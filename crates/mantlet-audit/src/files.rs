//! The files of one log, in their order.
//!
//! A log that is rotated lies in several files of one folder, whose names begin alike: `audit.jsonl`,
//! `audit.jsonl.1`, `audit.000000004711.jsonl`. Which comes first, the number of their first line says.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use crate::line::read_seq;

/// Longest line that is read, in bytes.
pub const LONGEST: u64 = 1 << 20;
/// The file of seals, beside a log and with its name.
pub const SEALS: &str = "seals";
/// The key of the next seal, beside a log and with its name.
pub const KEY: &str = "key";

/// A file of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// The number of its first line.
    pub first: u64,
}

/// The files of the log whose newest file is this one, in order. What is not a log is left out; the
/// newest file may be missing or empty.
pub fn of(newest: &Path) -> io::Result<Vec<Part>> {
    let folder = newest.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(stem) = newest.file_stem().map(OsStr::as_encoded_bytes) else { return Ok(Vec::new()) };
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = name.as_encoded_bytes().strip_prefix(stem).is_some_and(|rest| rest.starts_with(b"."));
        // A log that was set aside is another log, and so is the second of two programs in a folder.
        let is_other = name.as_encoded_bytes().strip_prefix(stem).is_some_and(|rest| {
            rest.starts_with(b".aside-")
                || rest.get(1).is_some_and(u8::is_ascii_digit) && rest.get(2) == Some(&b'.')
        });
        if is_ours && !is_other && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let path = folder.join(&name);
            parts.extend(first_of(&path)?.map(|first| Part { path, first }));
        }
    }
    parts.sort_by(|a, b| (a.first, &a.path).cmp(&(b.first, &b.path)));
    Ok(parts)
}

/// The number of the first line of a file, if it is a file of a log.
pub fn first_of(path: &Path) -> io::Result<Option<u64>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?).take(LONGEST).read_until(b'\n', &mut line)?;
    Ok(line.strip_suffix(b"\n").and_then(read_seq).map(|(first, _)| first))
}

/// Where the file of seals or the key of a log is.
pub fn beside(log: &Path, what: &str) -> PathBuf {
    log.with_extension(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::write;

    #[test]
    fn files_are_found_in_the_order_of_their_lines() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, first: u64| {
            let line = write(first, "abc", b"{}");
            fs::write(folder.path().join(name), [&line[..], b"\n"].concat()).unwrap();
        };
        put("audit.jsonl.1", 20);
        put("audit.jsonl-20261130", 10);
        put("audit.000000000000.jsonl", 0);
        put("audit.jsonl", 30);
        put("audit.2.jsonl", 0);
        put("audit.aside-7.jsonl", 0);
        put("auditor.jsonl", 0);
        fs::write(folder.path().join("audit.seals"), "{\"note\":\"\"}\n").unwrap();
        fs::write(folder.path().join("audit.jsonl.2.gz"), [31, 139, 8]).unwrap();
        fs::write(folder.path().join("audit.jsonl.3"), "").unwrap();
        let found = of(&folder.path().join("audit.jsonl")).unwrap();
        let names: Vec<_> =
            found.iter().map(|part| part.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(
            names,
            ["audit.000000000000.jsonl", "audit.jsonl-20261130", "audit.jsonl.1", "audit.jsonl"]
        );
    }
}
