//! Which files git tracks, by its index (versions 2 to 4), without git.
//!
//! The format is described in git's `gitformat-index`. An index that is split over two files is not read.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::project::files;

/// Bytes of an index: 100,000 files take 10 MiB.
const MAX_INDEX: u64 = 256 << 20;

/// The files that are tracked below a folder, by their path in it.
pub(super) fn tracked(folder: &Path) -> Result<BTreeSet<String>, String> {
    let folder = fs::canonicalize(folder).map_err(|error| format!("the folder cannot be read: {error}"))?;
    let top = folder
        .ancestors()
        .find(|above| above.join(".git").exists())
        .ok_or("the folder is not in a git repository")?;
    let git = git_folder(&top.join(".git"))?;
    let path = git.join("index");
    if !path.exists() {
        return Ok(BTreeSet::new());
    }
    let bytes =
        files::bytes(&path, MAX_INDEX).map_err(|why| format!("the index of git cannot be read: {why}"))?;
    let entries =
        entries(&bytes, hash_length(&git)).ok_or("the index of git has a form that is not known")?;
    let below =
        folder.strip_prefix(top).map_err(|error| error.to_string())?.to_string_lossy().replace('\\', "/");
    Ok(entries
        .into_iter()
        .filter_map(|path| {
            if below.is_empty() {
                Some(path)
            } else {
                Some(path.strip_prefix(below.as_str())?.strip_prefix('/')?.to_owned())
            }
        })
        .collect())
}

/// In a worktree or a submodule, `.git` is a file that names the folder.
fn git_folder(git: &Path) -> Result<PathBuf, String> {
    if git.is_dir() {
        return Ok(git.to_owned());
    }
    let text = files::text(git, 4096)?;
    let named = text.trim().strip_prefix("gitdir:").ok_or("`.git` names no folder")?.trim();
    Ok(git.parent().unwrap_or(Path::new("")).join(named))
}

/// Bytes of an object's name: 20, or 32 in a repository with SHA-256.
fn hash_length(git: &Path) -> usize {
    let common = files::text(&git.join("commondir"), 4096)
        .map_or_else(|_| git.to_owned(), |named| git.join(named.trim()));
    let configuration = files::text(&common.join("config"), 1 << 20).unwrap_or_default().to_ascii_lowercase();
    let is_sha256 = configuration.lines().any(|line| {
        line.split_once('=')
            .is_some_and(|(key, value)| key.trim() == "objectformat" && value.trim() == "sha256")
    });
    if is_sha256 { 32 } else { 20 }
}

/// The paths of an index; none if it is not one.
fn entries(bytes: &[u8], hash: usize) -> Option<Vec<String>> {
    let rest = bytes.strip_prefix(b"DIRC")?;
    let (version, rest) = number(rest)?;
    let (count, mut rest) = number(rest)?;
    if !(2..=4).contains(&version) {
        return None;
    }
    let mut paths = Vec::new();
    let mut before: Vec<u8> = Vec::new();
    for _ in 0..count {
        let start = rest;
        // Ten numbers of the file system, the object's name, the flags.
        let flags = u16::from_be_bytes(start.get(40 + hash..42 + hash)?.try_into().ok()?);
        let mut head = 42 + hash;
        if version >= 3 && flags & 0x4000 != 0 {
            head += 2;
        }
        let mut name = start.get(head..)?;
        if version == 4 {
            let (cut, after) = variable(name)?;
            let end = after.iter().position(|byte| *byte == 0)?;
            before.truncate(before.len().checked_sub(cut)?);
            before.extend_from_slice(after.get(..end)?);
            rest = after.get(end + 1..)?;
        } else {
            let end = name.iter().position(|byte| *byte == 0)?;
            name = name.get(..end)?;
            before = name.to_vec();
            // At least one zero, up to a multiple of eight.
            let length = (head + end + 8) & !7;
            rest = start.get(length..)?;
        }
        paths.push(String::from_utf8_lossy(&before).into_owned());
    }
    // Extensions follow, then a digest. One of them says that the other entries are elsewhere.
    while rest.len() > hash {
        let (name, after) = rest.split_at_checked(4)?;
        let (length, after) = number(after)?;
        if name == b"link" {
            return None;
        }
        rest = after.get(usize::try_from(length).ok()?..)?;
    }
    Some(paths)
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*number), rest))
}

/// A number as git packs it: seven bits in each byte, and one for each further byte.
fn variable(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let mut value = usize::from(first & 0x7f);
    let mut more = first & 0x80 != 0;
    while more {
        let (next, after) = rest.split_first()?;
        value = value.checked_add(1)?.checked_mul(128)?.checked_add(usize::from(next & 0x7f))?;
        more = next & 0x80 != 0;
        rest = after;
    }
    Some((value, rest))
}
