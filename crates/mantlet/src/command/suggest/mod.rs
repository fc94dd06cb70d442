//! `mantlet throttles --from audit.jsonl`: suggests limits from the requests of clients while rules
//! only reported.
//!
//! All of standard output is TOML, so that it can be pasted; the evidence is in comments.

mod limits;
mod lines;
mod sum;

use std::{
    fmt::{self, Write as _},
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use mantlet_controls::{
    config::units::Span,
    throttle::{
        RuleConfig,
        usage::{Counts, Histogram},
    },
};

use self::{
    limits::Limit,
    sum::{Refused, Sum, Use},
};
use crate::say::{Failure, print, say};

/// With fewer clients, one in a thousand is not even one.
const ENOUGH_CLIENTS: u64 = 1_000;
/// Before a day is over, it is not known what a day is like.
const ENOUGH_TIME: u64 = 24 * 3_600;

pub(super) fn suggest(files: &[PathBuf]) -> Result<ExitCode, Failure> {
    let mut sum = Sum::default();
    for file in files {
        read(file, &mut sum)
            .map_err(|error| Failure::new(format!("`{}` cannot be read: {error}", file.display())))?;
    }
    if sum.unknown > 0 {
        let noun =
            if sum.unknown == 1 { "line is not a record and was" } else { "lines are not records and were" };
        say(format!("{} {noun} skipped", Number(sum.unknown)));
    }
    let (rules, left) = sum.rules();
    if rules.is_empty() {
        return Err(Failure::new(
            "there are no records of use, so no limits can be suggested\n\
             rules record their use while they only report: `mode = \"report\"` under `[throttle]` for the general rate\n\
             and all rules, or in a `[[throttle.rule]]`; `sensitive = \"report\"` under `[throttle]` for logins and the like; or `--report-only`",
        ));
    }
    if left > 0 {
        say(format!("{} windows of former versions of rules are left out", Number(left)));
    }
    print(&sheet(&rules))?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path, sum: &mut Sum) -> io::Result<()> {
    let take = |line: &[u8], is_whole| sum.take(line, is_whole);
    if file.as_os_str() == "-" {
        return lines::each(io::stdin().lock(), take);
    }
    lines::each(BufReader::with_capacity(1 << 18, File::open(file)?), take)
}

fn sheet(rules: &[&Use]) -> String {
    let mut text = String::from(
        "# Limits that let 99.9 % of clients pass, plus half. Clients that were mostly refused are left out.\n",
    );
    for one in rules {
        // Writing to a text cannot fail.
        let _ = section(&mut text, one);
    }
    text
}

fn section(text: &mut String, one: &Use) -> fmt::Result {
    let seen = &one.legitimate;
    let is_of_failures = one.latest.counts == Counts::Failures;
    let (window, busiest) = (span(one.latest.window), span(one.latest.window / 60));
    writeln!(text)?;
    if one.is_general() {
        writeln!(text, "[throttle]")?;
    } else if one.latest.rule.is_some() && seen.keys > 0 {
        writeln!(text, "[[throttle.rule]]")?;
    }
    let what = if is_of_failures { "failures of " } else { "" };
    let name = if one.is_general() { "the general rate" } else { &one.rule };
    let burst = if is_of_failures { String::new() } else { format!(", burst {}", one.latest.burst) };
    writeln!(text, "# {name}: {what}each {}; now {}{burst}", key(one), one.latest.rate)?;
    let windows = if one.windows == 1 { "window" } else { "windows" };
    writeln!(
        text,
        "#   {} {windows} of {window}, from {} to {} UTC; in all of them {} {}, at most {} in one",
        Number(one.windows),
        one.first.strftime("%Y-%m-%d %H:%M"),
        one.last.strftime("%Y-%m-%d %H:%M"),
        Number(seen.keys),
        if seen.keys == 1 { "client" } else { "clients" },
        Number(one.most_at_once),
    )?;
    if seen.keys > 0 {
        writeln!(text, "#   {:<24}{:>9}{:>9}{:>9}{:>9}", "", "half", "99 %", "99.9 %", "most")?;
        let counted = if is_of_failures { "failures" } else { "requests" };
        row(text, &format!("{counted} in {window}"), &seen.requests, seen.most)?;
        if !is_of_failures {
            row(text, &format!("in the busiest {busiest}"), &seen.peaks, seen.peak)?;
        }
    }
    refused(text, one)?;
    if one.others.keys > 0 {
        let (clients, were) = if one.others.keys == 1 { ("client", "was") } else { ("clients", "were") };
        let (number, most) = (Number(one.others.keys), Number(one.others.most));
        writeln!(text, "#   left out: {number} {clients} that {were} mostly refused; the most was {most}")?;
    }
    if seen.keys == 0 {
        return writeln!(text, "#   no client is left to base a limit on");
    }
    doubts(text, one)?;
    let requests = seen.requests.percentile(999).min(seen.most);
    let limit = if is_of_failures {
        limits::of_failures(requests, one.latest.window)
    } else {
        let peak = seen.peaks.percentile(999).min(seen.peak);
        limits::of_requests(requests, peak, one.latest.window, one.latest.rate.period().as_secs())
    };
    limit_of(text, one, limit)
}

fn row(text: &mut String, what: &str, of: &Histogram, most: u64) -> fmt::Result {
    write!(text, "#   {what:<24}")?;
    for thousandths in [500, 990, 999] {
        write!(text, "{:>9}", Number(of.percentile(thousandths).min(most)).to_string())?;
    }
    writeln!(text, "{:>9}", Number(most).to_string())
}

fn refused(text: &mut String, one: &Use) -> fmt::Result {
    let Refused { requests, legitimate, others } = one.refused();
    if requests == 0 {
        return writeln!(text, "#   the current limit would have refused nothing");
    }
    let (asked, these) = (Number(requests), Number(legitimate));
    write!(text, "#   the current limit would have refused {asked} requests, of {these} of these clients")?;
    if others > 0 {
        write!(text, " and of {} that are left out", Number(others))?;
    }
    writeln!(text)
}

/// Says what there is too little of.
fn doubts(text: &mut String, one: &Use) -> fmt::Result {
    let clients = one.legitimate.keys;
    if clients < ENOUGH_CLIENTS {
        let of = if clients == 1 { "one client" } else { "so few clients" };
        writeln!(text, "#   uncertain: with {of}, 99.9 % is simply the busiest")?;
    }
    if one.seconds < ENOUGH_TIME {
        let seen = Span(Duration::from_secs(one.seconds));
        writeln!(text, "#   uncertain: these are the requests of {seen}; a day or a week may be different")?;
    }
    if one.cut_short == one.windows {
        writeln!(text, "#   uncertain: no window was complete; the process ended first")?;
    }
    let (period, window) = (one.latest.rate.period().as_secs(), one.latest.window);
    if period > window {
        let (period, window) = (span(period), span(window));
        writeln!(text, "#   uncertain: windows of {window} do not show the requests of {period}")?;
    }
    Ok(())
}

fn limit_of(text: &mut String, one: &Use, limit: Limit) -> fmt::Result {
    let Limit { rate, burst } = limit;
    match &one.latest.rule {
        None if one.is_general() => writeln!(text, "rate = \"{rate}\"\nburst = {burst}"),
        None => writeln!(text, "#   suggested: \"{rate}\""),
        Some(rule) => {
            // Its mode is that of the section: what was to be learned is learned.
            let rule = RuleConfig { rate, burst: Some(burst), mode: None, ..rule.clone() };
            text.push_str(&toml::to_string(&rule).map_err(|_| fmt::Error)?);
            Ok(())
        }
    }
}

fn key(one: &Use) -> String {
    let name = |part: &String| if part == "ip" { "client address".to_owned() } else { part.clone() };
    one.latest.key.iter().map(name).collect::<Vec<_>>().join(" and ")
}

fn span(seconds: u64) -> Span {
    Span(Duration::from_secs(seconds))
}

/// A number with its thousands set apart.
struct Number(u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0, 999, 1_000, 123_456, 1_234_567].map(|number| Number(number).to_string());
        assert_eq!(shown, ["0", "999", "1,000", "123,456", "1,234,567"]);
    }
}
