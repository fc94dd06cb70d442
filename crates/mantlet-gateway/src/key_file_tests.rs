use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use mantlet_controls::{
    api_keys::{NewKey, State},
    config::Environment,
};
use tempfile::TempDir;

use super::*;

/// A folder, and the file in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.jsonl");
    (folder, path)
}

fn open(path: &Path) -> (ApiKeys, KeyFile) {
    let keys = ApiKeys::default();
    (keys.clone(), KeyFile::open(path.to_owned(), keys).unwrap())
}

fn new(name: &str) -> (Box<str>, Change) {
    let new = NewKey { name: name.into(), ..NewKey::default() };
    let (facts, _) = ApiKeys::default().make(&new, &Environment::default(), Timestamp::now()).unwrap();
    (facts.id.clone(), Change::Created(facts))
}

fn revoked(key: &str) -> Change {
    Change::Revoked { key: key.into(), at: 1_000 }
}

fn names(keys: &ApiKeys) -> Vec<String> {
    let mut names: Vec<_> = keys.list().iter().map(|key| key.facts.name.to_string()).collect();
    names.sort();
    names
}

fn state(keys: &ApiKeys, id: &str) -> State {
    keys.find(id).unwrap().state(&Environment::default(), Timestamp::now().as_second())
}

#[test]
fn a_command_writes_and_a_gate_reads() {
    let (_folder, path) = place();
    let ((a, made_a), (b, made_b)) = (new("a"), new("b"));
    let (keys, file) = open(&path);
    assert!(keys.is_empty() && !path.exists());
    file.add(&[made_a]).unwrap();
    drop(file);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let (keys, file) = open(&path);
    assert_eq!(names(&keys), ["a"]);
    file.add(&[made_b, revoked(&a)]).unwrap();
    drop(file);
    let (keys, _file) = open(&path);
    assert_eq!(
        (names(&keys), state(&keys, &a), state(&keys, &b)),
        (vec!["a".to_owned(), "b".to_owned()], State::Revoked, State::Good)
    );
    assert!(fs::read_to_string(&path).unwrap().starts_with("{\"mantlet-keys\":1}\n"));
}

#[test]
fn a_gate_that_does_not_write_follows_the_one_that_does() {
    let (_folder, path) = place();
    let ((a, made_a), (_, made_b)) = (new("a"), new("b"));
    // There is no file yet, so neither has the lock.
    let [(first, of_first), (second, of_second)] = [(); 2].map(|()| open(&path));
    of_first.add(std::slice::from_ref(&made_a)).unwrap();
    first.apply(&[made_a]);
    of_second.lock().tick();
    assert_eq!(names(&second), ["a"]);
    let refused = of_second.add(std::slice::from_ref(&made_b)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    of_first.add(&[revoked(&a), made_b]).unwrap();
    of_second.lock().tick();
    assert_eq!((names(&second).len(), state(&second, &a)), (2, State::Revoked));
    // It takes over.
    drop((first, of_first));
    of_second.lock().tick();
    of_second.add(&[new("c").1]).unwrap();
    drop((second, of_second));
    assert_eq!(names(&open(&path).0), ["a", "b", "c"]);
}

#[test]
fn a_line_that_was_cut_off_costs_that_line_alone() {
    let (_folder, path) = place();
    let (a, made) = new("a");
    open(&path).1.add(&[made]).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.clone() + "{\"event\":\"revoked\",\"key\":\"").unwrap();
    let (keys, file) = open(&path);
    assert_eq!(state(&keys, &a), State::Good);
    file.add(&[revoked(&a)]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&whole) && text.lines().count() == 3, "{text}");
    drop(file);
    assert_eq!(state(&open(&path).0, &a), State::Revoked);
    // Killed before the first line was whole.
    fs::write(&path, "{\"mantlet-ke").unwrap();
    let (keys, file) = open(&path);
    assert!(keys.is_empty());
    file.add(&[new("b").1]).unwrap();
    drop(file);
    assert_eq!(names(&open(&path).0), ["b"]);
}

#[test]
fn what_is_not_a_file_of_keys_is_neither_read_nor_replaced() {
    let (_folder, path) = place();
    for text in ["my notes\n", "{\"mantlet-keys\":2}\n", "{\"mantlet-sessions\":1}\n"] {
        fs::write(&path, text).unwrap();
        KeyFile::open(path.clone(), ApiKeys::default()).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    KeyFile::open(path, ApiKeys::default()).unwrap_err();
}

#[test]
fn uses_are_written_and_the_file_is_replaced_when_most_of_it_says_nothing() {
    let (_folder, path) = place();
    let (a, made) = new("a");
    open(&path).1.add(&[made]).unwrap();
    let (keys, file) = open(&path);
    file.lock().look(true).unwrap();
    for at in 1..=1_100 {
        file.add(&[Change::Used { key: a.clone(), at }]).unwrap();
        keys.apply(&[Change::Used { key: a.clone(), at }]);
    }
    let lines = fs::read_to_string(&path).unwrap().lines().count();
    assert!((3..200).contains(&lines), "{lines}");
    drop(file);
    assert_eq!(open(&path).0.find(&a).unwrap().used(), Some(1_100));
}

#[test]
fn a_file_that_was_removed_is_written_again() {
    let (_folder, path) = place();
    let (a, made) = new("a");
    let (keys, file) = open(&path);
    file.add(std::slice::from_ref(&made)).unwrap();
    keys.apply(&[made]);
    fs::remove_file(&path).unwrap();
    file.add(&[revoked(&a)]).unwrap();
    drop(file);
    assert_eq!(state(&open(&path).0, &a), State::Revoked);
}

#[test]
fn what_could_not_be_written_is_written_when_it_can_be() {
    let (folder, path) = place();
    let (a, made) = new("a");
    let (keys, file) = open(&path);
    file.add(std::slice::from_ref(&made)).unwrap();
    keys.apply(&[made]);
    // In the place of the file is something that cannot be replaced.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("x"), "").unwrap();
    keys.apply(&[revoked(&a)]);
    file.add(&[revoked(&a)]).unwrap_err();
    fs::remove_dir_all(&path).unwrap();
    file.lock().tick();
    drop(file);
    assert_eq!(state(&open(&path).0, &a), State::Revoked);
    drop(folder);
}
