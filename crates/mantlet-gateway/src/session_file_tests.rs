use std::time::Instant;

use mantlet_controls::authentication::sessions::{Cause, SessionFacts, digest};

use super::*;

const HEAD: &str = "{\"mantlet-sessions\":1}\n";

fn now() -> i64 {
    clock::now().as_second()
}

fn began(id: u64) -> Event {
    let names = vec![digest(b"alice")];
    Event::Began(SessionFacts {
        id,
        account: Some("alice".into()),
        names,
        began: now(),
        address: None,
        within: None,
    })
}

fn handed_out(session: u64) -> Event {
    Event::HandedOut {
        session,
        digest: digest(&session.to_be_bytes()),
        kind: mantlet_controls::authentication::sessions::Kind::Bearer,
        cookie: None,
        at: now(),
        expires: Some(now() + 1_000),
    }
}

fn ended(session: u64) -> Event {
    Event::Ended { session, at: now(), cause: Cause::Operator, left: Vec::new() }
}

fn line(event: &Event) -> String {
    serde_json::to_string(event).unwrap() + "\n"
}

fn text(events: &[Event]) -> String {
    HEAD.to_owned() + &events.iter().map(line).collect::<String>()
}

fn open(path: &Path) -> (SessionFile, Sessions) {
    let sessions = Sessions::default();
    (SessionFile::open(path.to_owned(), sessions.clone(), true).unwrap(), sessions)
}

/// Keeps events as the gate does; whether the disk has them.
fn keep(file: &SessionFile, sessions: &Sessions, events: &[Event]) -> bool {
    for event in events {
        sessions.apply(event);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let keeper = file.keeper();
    runtime.block_on(keeper.keep_now(events.to_vec()))
}

fn is_alive(sessions: &Sessions, id: u64) -> bool {
    sessions.session(id).is_some_and(|session| session.ended().is_none())
}

#[test]
fn what_is_kept_is_on_the_disk_at_once_and_is_known_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.jsonl");
    let (file, sessions) = open(&path);
    let events = [began(1), handed_out(1), began(2), handed_out(2)];
    assert!(keep(&file, &sessions, &events));
    assert!(keep(&file, &sessions, &[ended(2)]));
    // As if the process was killed now.
    let killed = fs::read_to_string(&path).unwrap();
    assert!(killed.starts_with(HEAD) && killed.contains("\"event\":\"ended\""), "{killed}");
    assert!(!killed.contains("alice@") && killed.contains(&digest(&1_u64.to_be_bytes()).to_string()));
    file.finish();
    let (file, again) = open(&path);
    assert!(is_alive(&again, 1) && !is_alive(&again, 2));
    assert!(again.find(&digest(&2_u64.to_be_bytes())).unwrap().session.ended().is_some());
    assert_eq!(again.list(Some(&digest(b"alice"))).len(), 1);
    file.finish();
}

#[test]
fn what_nobody_waits_for_is_written_soon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.jsonl");
    let (file, sessions) = open(&path);
    let events = [began(1), handed_out(1)];
    for event in &events {
        sessions.apply(event);
    }
    file.keeper().keep_soon(events.to_vec());
    let deadline = Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
    file.finish();
    assert_eq!(open(&path).1.count(), 1);
}

#[test]
fn a_torn_tail_is_cut_off_before_anything_is_added() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.jsonl");
    let whole = text(&[began(1), handed_out(1), began(2), handed_out(2)]);
    fs::write(&path, whole.clone() + line(&ended(1)).trim_end()).unwrap();
    let (file, sessions) = open(&path);
    assert!(is_alive(&sessions, 1));
    assert!(keep(&file, &sessions, &[ended(2)]));
    file.finish();
    assert_eq!(fs::read_to_string(&path).unwrap(), whole + &line(&ended(2)));
    // Only its first line, and that not as a whole.
    fs::write(&path, "{\"mant").unwrap();
    let (file, sessions) = open(&path);
    assert!(keep(&file, &sessions, &[began(1)]));
    file.finish();
    assert!(fs::read_to_string(&path).unwrap().starts_with(HEAD));
}

#[test]
fn what_cannot_be_read_is_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.jsonl");
    let aside = folder.path().join("sessions.jsonl.unreadable");
    for text in ["somebody's notes\nand more\n", "{\"mantlet-sessions\":2}\n", &format!("{HEAD}no event\n")] {
        fs::write(&path, text).unwrap();
        let (file, sessions) = open(&path);
        assert_eq!(fs::read_to_string(&aside).unwrap(), text);
        assert!(keep(&file, &sessions, &[began(1), handed_out(1)]));
        file.finish();
    }
    // One line that is damaged costs that line alone.
    fs::remove_file(&aside).unwrap();
    let good = text(&[began(1), handed_out(1)]);
    fs::write(&path, good + "no event\n" + &line(&ended(1))).unwrap();
    let (file, sessions) = open(&path);
    file.finish();
    assert!(!aside.exists() && sessions.session(1).is_some_and(|session| session.ended().is_some()));
}

#[test]
fn of_two_in_one_folder_the_second_writes_when_the_first_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.jsonl");
    fs::write(&path, text(&[began(1), handed_out(1)])).unwrap();
    let [(first, of_first), (second, of_second)] = [open(&path), open(&path)];
    assert!(is_alive(&of_second, 1), "it reads");
    let before = fs::read_to_string(&path).unwrap();
    assert!(!keep(&second, &of_second, &[began(2), handed_out(2), ended(1)]), "it does not write");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    assert!(keep(&first, &of_first, &[began(3), handed_out(3)]));
    first.finish();
    assert!(keep(&second, &of_second, &[began(4)]), "it takes over");
    assert!(is_alive(&of_second, 3), "and knows what the first has learned");
    second.finish();
    let (third, of_third) = open(&path);
    assert_eq!([1, 2, 3, 4].map(|id| is_alive(&of_third, id)), [false, true, true, true]);
    third.finish();
    // Two that begin without a file.
    fs::remove_file(&path).unwrap();
    let [(first, of_first), (second, of_second)] = [open(&path), open(&path)];
    assert!(keep(&second, &of_second, &[began(5), handed_out(5)]));
    assert!(!keep(&first, &of_first, &[began(6)]));
    second.finish();
    assert!(keep(&first, &of_first, &[began(7)]));
    assert_eq!([5, 6, 7].map(|id| is_alive(&of_first, id)), [true; 3]);
    first.finish();
    let (first, of_first) = open(&path);
    let (second, of_second) = open(&folder.path().join("others.jsonl"));
    assert_eq!([5, 6, 7].map(|id| is_alive(&of_first, id)), [true; 3]);
    first.finish();
    // One that came and went before the other has written anything.
    let other = folder.path().join("others.jsonl");
    let (third, of_third) = open(&other);
    assert!(keep(&third, &of_third, &[began(8)]));
    third.finish();
    assert!(keep(&second, &of_second, &[began(9)]));
    second.finish();
    assert_eq!([8, 9].map(|id| is_alive(&open(&other).1, id)), [true; 2]);
}

/// Waits until a process holds the lock beside a file.
fn until_it_is_held(path: &Path) {
    until(|| matches!(Claim::default().take(path), Ok(Claimed::Elsewhere { .. })));
}

fn until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_second_knows_what_the_first_writes_and_takes_over_although_it_has_nothing_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.jsonl");
    let [(first, of_first), (second, of_second)] = [open(&path), open(&path)];
    assert!(keep(&first, &of_first, &[began(1), handed_out(1), began(2), handed_out(2)]));
    until(|| is_alive(&of_second, 1) && is_alive(&of_second, 2));
    assert!(keep(&first, &of_first, &[ended(1)]));
    until(|| !is_alive(&of_second, 1));
    // The file is written anew, and added to.
    fs::remove_file(&path).unwrap();
    assert!(keep(&first, &of_first, &[began(3), handed_out(3)]));
    until(|| is_alive(&of_second, 3));
    let before = fs::read_to_string(&path).unwrap();
    first.finish();
    until_it_is_held(&path);
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    assert!(keep(&second, &of_second, &[ended(2)]));
    second.finish();
    assert_eq!(fs::read_to_string(&path).unwrap(), before + &line(&ended(2)), "it adds to the file");
}

#[test]
fn a_folder_that_is_gone_is_told_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("state");
    let path = place.join("sessions.jsonl");
    let (file, sessions) = open(&path);
    assert!(!keep(&file, &sessions, &[began(1), handed_out(1)]));
    fs::create_dir(&place).unwrap();
    assert!(keep(&file, &sessions, &[ended(1)]));
    // It is deleted while it is in use, and emptied.
    fs::remove_file(&path).unwrap();
    assert!(keep(&file, &sessions, &[began(2)]));
    fs::File::create(&path).unwrap();
    assert!(keep(&file, &sessions, &[handed_out(2)]));
    file.finish();
    let (_, again) = open(&path);
    assert!(!is_alive(&again, 1) && is_alive(&again, 2));
}

#[test]
fn a_file_that_only_grows_is_replaced_while_it_is_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.jsonl");
    let mut all = vec![began(1), handed_out(1)];
    all.extend((0..30_000).map(|second| Event::Used { session: 1, at: now() + second }));
    fs::write(&path, text(&all)).unwrap();
    let (file, sessions) = open(&path);
    let mut number = 1_u64;
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::metadata(&path).unwrap().len() > 100_000 {
        number += 1;
        assert!(keep(&file, &sessions, &[began(number), handed_out(number)]));
        assert!(Instant::now() < deadline);
    }
    assert!(keep(&file, &sessions, &[ended(1)]));
    file.finish();
    let (_, again) = open(&path);
    assert_eq!(again.count(), number);
    assert!(!is_alive(&again, 1) && (2..=number).all(|id| is_alive(&again, id)));
    assert!(!path.with_extension("jsonl.new").exists());
}

#[test]
fn without_sessions_there_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    open(&folder.path().join("sessions.jsonl")).0.finish();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
