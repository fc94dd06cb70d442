use std::{fs, path::Path};

use super::eventually;

/// The children of a process, their children, and so on.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let all = parents();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        next += 1;
    }
    found.split_off(1)
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let parent = stat(pid)?.get(1)?.parse().ok()?;
        Some((pid, parent))
    });
    entries.collect()
}

/// What stands in `/proc/PID/stat` behind the name: the state, the parent, …
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(ToOwned::to_owned).collect())
}

/// Whether a process has ended; whether somebody has asked for its status does not matter.
pub(crate) fn has_ended(pid: u32) -> bool {
    stat(pid).is_none_or(|fields| fields[0] == "Z" || fields[0] == "X")
}

/// Waits until all of these have ended.
pub(crate) fn wait_for_ends(pids: &[u32]) {
    eventually(&format!("{pids:?} end"), || pids.iter().all(|pid| has_ended(*pid)).then_some(()));
}

/// What a process was started with.
pub(crate) fn command_line(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    text.split_terminator('\0').map(ToOwned::to_owned).collect()
}

/// The memory of a process at some time, and how much more it needed since.
///
/// What it needed before, to read its configuration and the app's contract, does not count, nor do pages of
/// files, such as its own program, which are read as they are needed.
#[derive(Debug)]
pub(crate) struct Footprint {
    pid: u32,
    start: u64,
    of_files: u64,
}

impl Footprint {
    pub(crate) fn of(pid: u32) -> Self {
        // The most that is counted begins with what it has now.
        fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of this user");
        let [start, of_files] = status(pid, ["VmRSS:", "RssFile:"]);
        Self { pid, start, of_files }
    }

    /// Bytes by which it grew at most. Says so under this name.
    pub(crate) fn grown(&self, what: &str) -> u64 {
        let [most, of_files] = status(self.pid, ["VmHWM:", "RssFile:"]);
        let grown = most.saturating_sub(self.start + of_files.saturating_sub(self.of_files));
        println!("{what}: memory grew from {} KiB by {} KiB at most", self.start >> 10, grown >> 10);
        grown
    }
}

fn status<const N: usize>(pid: u32, names: [&str; N]) -> [u64; N] {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    names.map(|name| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("a known field");
        let kib = line.split_ascii_whitespace().nth(1).and_then(|value| value.parse::<u64>().ok());
        kib.expect("a number") * 1024
    })
}

/// The permission bits of a file or folder.
pub(crate) fn mode(path: impl AsRef<Path>) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}
