//! Instructions a request, counted by callgrind: the same on a busy machine and on a quiet one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::{
    report::{self, Row},
    server::{Place, Server},
    workload::{Generators, Workload},
};
use crate::{shell::output, tools};

/// Where callgrind writes, in the folder of the place.
const COUNTS: &str = "instructions.out";

/// A server's command line, under callgrind.
pub(super) fn counted(valgrind: &Path, program: &Path) -> Command {
    let mut command = Command::new(valgrind);
    command.args(["--tool=callgrind", &format!("--callgrind-out-file={COUNTS}")]).arg(program);
    command
}

/// Instructions a request of this build and of another, in thousands.
pub(super) fn compare(
    workload: &Workload,
    generators: &Generators,
    [this, other]: [&Place; 2],
    seconds: u64,
) -> Result<Row> {
    let mut figures = Vec::new();
    for place in [this, other] {
        forget(place)?;
        let server = place.counted_gate(workload.channel(), workload.contract)?;
        let load = |seconds| workload.load(generators, place, &server, seconds);
        figures.push(of_request(place, &server, load, seconds)? / 1e3);
    }
    let [this, other] = figures[..] else { unreachable!("one figure for each place") };
    println!("{}: {this:.1} and {other:.1} thousand", workload.title);
    Ok(Row::of_instructions(workload.title, this, other))
}

/// Removes the counts of earlier servers.
pub(super) fn forget(place: &Place) -> Result<()> {
    dumps(&place.folder)?.into_iter().try_for_each(|stale| Ok(fs::remove_file(stale)?))
}

/// Instructions that a request of a load adds.
pub(super) fn of_request(
    place: &Place,
    server: &Server,
    load: impl Fn(u64) -> Result<u64>,
    seconds: u64,
) -> Result<f64> {
    // Connections are opened by both loads alike: what the longer one adds is requests.
    load(1)?;
    dump(place, server)?;
    let (few, first) = (load(seconds)?, dump(place, server)?);
    let (many, second) = (load(3 * seconds)?, dump(place, server)?);
    ensure!(many > few, "a longer load made fewer requests");
    Ok(report::float(second.saturating_sub(first)) / report::float(many - few))
}

/// Instructions since the last time, of all threads.
fn dump(place: &Place, server: &Server) -> Result<u64> {
    let before = dumps(&place.folder)?;
    let mut control = Command::new(tools::program(&["callgrind_control"], "valgrind")?);
    output(control.args(["--dump", &server.id().to_string()]))?;
    let new = dumps(&place.folder)?.into_iter().find(|file| !before.contains(file));
    let file = new.context("callgrind has written no counts")?;
    let text = fs::read_to_string(&file)?;
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    totals.with_context(|| format!("`{}` has no totals", file.display()))
}

fn dumps(folder: &Path) -> Result<Vec<PathBuf>> {
    let files: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    let is_one = |file: &PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(COUNTS) && name.len() > COUNTS.len())
    };
    Ok(files.into_iter().filter(is_one).collect())
}
