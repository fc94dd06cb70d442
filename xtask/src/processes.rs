//! What a process and its children use, from `/proc`.

use std::{collections::HashMap, fs, time::Duration};

use anyhow::{Context, Result};

/// Clock ticks a second in `/proc/PID/stat`: the same on every Linux that Rust runs on.
const TICKS: u64 = 100;

/// A line of `/proc/PID/stat`, as far as it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// User and system time of all threads, also those that have ended, in ticks.
    ticks: u64,
}

/// The process and all that descend from it.
pub(crate) fn tree(root: u32) -> Result<Vec<u32>> {
    Ok(stats(root)?.into_iter().map(|(process, _)| process).collect())
}

/// User and system time of the tree so far.
pub(crate) fn cpu(root: u32) -> Result<Duration> {
    let ticks: u64 = stats(root)?.iter().map(|(_, stat)| stat.ticks).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// Proportional set size of the tree, in bytes: pages that processes share are counted once.
pub(crate) fn memory(root: u32) -> Result<u64> {
    let mut kib = 0;
    for process in tree(root)? {
        let path = format!("/proc/{process}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("`{path}` cannot be read"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let size = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kib += size.with_context(|| format!("`{path}` holds no size"))?;
    }
    Ok(kib * 1024)
}

/// The command line of a process; nothing if it has ended.
pub(crate) fn command_line(process: u32) -> Vec<String> {
    let text = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    text.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Whether a process still runs; one that has ended has no program any more, though its parent may not have noticed.
pub(crate) fn runs(process: u32) -> bool {
    fs::read_link(format!("/proc/{process}/exe")).is_ok()
}

fn stats(root: u32) -> Result<Vec<(u32, Stat)>> {
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc").context("`/proc` is needed to measure")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // Processes come and go while we look.
        let Ok(text) = fs::read_to_string(format!("/proc/{process}/stat")) else { continue };
        all.extend(parse(&text).map(|stat| (process, stat)));
    }
    let is_below = |process: u32| {
        let mut at = process;
        while at != root {
            match all.get(&at) {
                Some(stat) if stat.parent != 0 => at = stat.parent,
                _ => return false,
            }
        }
        true
    };
    Ok(all
        .iter()
        .filter(|(process, _)| is_below(**process))
        .map(|(process, stat)| (*process, *stat))
        .collect())
}

/// `proc_pid_stat(5)`. The second field is the program's name, which may hold spaces and parentheses.
fn parse(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // Fields 4, 14 and 15, counted from 1.
    let parent = u32::try_from(number(1)?).ok()?;
    Some(Stat { parent, ticks: number(11)? + number(12)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 250 50 9 9 20 0 1 0 100 1 1";
        assert_eq!(parse(line), Some(Stat { parent: 7, ticks: 300 }));
        assert_eq!(parse("42 (broken"), None);
    }

    #[test]
    fn a_tree_has_the_process_and_its_children() {
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        let found = tree(std::process::id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&std::process::id()) && found.contains(&child.id()), "{found:?}");
        assert!(!found.contains(&1));
    }
}
