use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use mantlet_audit::{Chain, Key, verify};

use super::*;

/// A log that is begun, with its first line.
fn begun(key: &Key) -> (Chain, Vec<u8>) {
    let mut chain = Chain::new(key);
    let opening = verify::opening(&key.public(), jiff::Timestamp::UNIX_EPOCH, None);
    let line = chain.add(&opening);
    (chain, line)
}

fn continued(chain: &mut Chain) -> Vec<u8> {
    let fields = [("log", chain.origin().to_owned())];
    chain.add(&verify::record("log-continued", jiff::Timestamp::UNIX_EPOCH, &fields))
}

fn append(file: &Path, bytes: &[u8]) {
    OpenOptions::new().create(true).append(true).open(file).unwrap().write_all(bytes).unwrap();
}

/// The numbers of all lines that are there now, and how many are missing before them.
fn all(files: &mut Files, chain: &Chain) -> (Vec<u64>, u64) {
    let (mut seqs, mut missed) = (Vec::new(), 0);
    while let Some(line) = files.next(chain.origin(), chain.next_seq()).unwrap() {
        missed += line.missed;
        seqs.push(line.seq());
    }
    (seqs, missed)
}

/// The same, after what is not there was looked for.
fn all_in_time(files: &mut Files, chain: &Chain) -> (Vec<u64>, u64) {
    let start = Instant::now();
    loop {
        let found = all(files, chain);
        if !found.0.is_empty() || start.elapsed() > 3 * PATIENCE {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn lines_are_read_across_renames_and_from_where_they_were_left() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let (mut chain, first) = begun(&Key::random().unwrap());
    let mut files = Files::new(log.clone(), None);
    assert_eq!(all(&mut files, &chain), (vec![], 0));
    append(&log, &first);
    // Half a line, and one that the writer has not counted yet.
    let second = chain.add(b"{\"n\":1}");
    let counted = chain.clone();
    let third = chain.add(b"{\"n\":2}");
    append(&log, &[&second[..], &third[..5]].concat());
    assert_eq!(all(&mut files, &counted), (vec![0, 1], 0));
    append(&log, &third[5..]);
    assert_eq!(all(&mut files, &counted), (vec![], 0));
    assert_eq!(all(&mut files, &chain), (vec![2], 0));
    let last = files.last.clone();
    // Written to before it is renamed, and twice renamed.
    for (name, expected) in [("audit.1.jsonl", [3, 4]), ("audit.2.jsonl", [5, 6])] {
        append(&log, &chain.add(b"{\"n\":3}"));
        fs::rename(&log, folder.path().join(name)).unwrap();
        append(&log, &continued(&mut chain));
        assert_eq!(all(&mut files, &chain), (expected.to_vec(), 0));
    }
    // After a start.
    let mut again = Files::new(log.clone(), last.clone());
    assert_eq!(all(&mut again, &chain), (vec![3, 4, 5, 6], 0));
    again.go_back(last);
    assert_eq!(all(&mut again, &chain), (vec![3, 4, 5, 6], 0));
    let mut all_of_it = Files::new(log, None);
    assert_eq!(all(&mut all_of_it, &chain), ((0..7).collect(), 0));
}

#[test]
fn a_file_that_is_gone_is_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let (mut chain, first) = begun(&Key::random().unwrap());
    append(&log, &first);
    let mut files = Files::new(log.clone(), None);
    assert_eq!(all(&mut files, &chain), (vec![0], 0));
    let last = files.last.clone();
    fs::remove_file(&log).unwrap();
    // The next file is gone, too.
    chain.add(b"{\"n\":1}");
    chain.add(b"{\"n\":2}");
    append(&log, &continued(&mut chain));
    append(&log, &chain.add(b"{\"n\":4}"));
    let mut after_a_start = Files::new(log, last);
    assert_eq!(all(&mut after_a_start, &chain), (vec![], 0), "it is looked for");
    assert_eq!(all_in_time(&mut after_a_start, &chain), (vec![3, 4], 2));
    assert_eq!(all_in_time(&mut files, &chain), (vec![3, 4], 2));
}

#[test]
fn a_new_log_comes_after_the_rest_of_the_one_that_was_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let (mut old, first) = begun(&Key::random().unwrap());
    append(&log, &first);
    let mut files = Files::new(log.clone(), None);
    assert_eq!(all(&mut files, &old), (vec![0], 0));
    append(&log, &[old.add(b"{\"n\":1}"), old.add(b"{\"n\":2}")].concat());
    fs::rename(&log, folder.path().join("audit.aside-1.jsonl")).unwrap();
    let (mut new, first) = begun(&Key::random().unwrap());
    append(&log, &[first, new.add(b"{\"n\":1}")].concat());
    let mut files = Files::new(log, files.last.clone());
    assert_eq!(all(&mut files, &new), (vec![1, 2], 0));
    assert_eq!(all_in_time(&mut files, &new), (vec![0, 1], 0));
    assert_eq!(files.last.as_ref().unwrap().log, new.origin());
}

#[test]
fn lines_in_place_of_those_that_a_power_failure_has_taken_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let (mut chain, first) = begun(&Key::random().unwrap());
    append(&log, &first);
    let mut shorter = chain.clone();
    append(&log, &[chain.add(b"{\"n\":1}"), chain.add(b"{\"n\":2}")].concat());
    let mut files = Files::new(log.clone(), None);
    assert_eq!(all(&mut files, &chain), (vec![0, 1, 2], 0));
    OpenOptions::new().write(true).open(&log).unwrap().set_len(first.len() as u64).unwrap();
    append(&log, &shorter.add(b"{\"other\":1}"));
    let mut files = Files::new(log, files.last.clone());
    assert_eq!(all(&mut files, &shorter), (vec![0, 1], 0));
}
