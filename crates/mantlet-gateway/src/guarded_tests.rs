use std::os::unix::fs::{chown, symlink};

use super::*;

fn put(path: &Path, mode: u32) {
    fs::write(path, "planted").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn who_else_may_have_had_a_hand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (mode, secret, own, named) in [
        (0o600, true, true, true),
        (0o400, true, true, true),
        (0o640, false, true, true),
        (0o660, false, true, true),
        (0o604, false, true, true),
        (0o602, false, false, false),
        (0o666, false, false, false),
    ] {
        put(&path, mode);
        for (kind, expected) in [(Kind::Secret, secret), (Kind::Own, own), (Kind::Named, named)] {
            let outcome = read(&path, kind);
            assert_eq!(outcome.is_ok(), expected, "{kind:?} {mode:o}: {outcome:?}");
            if let Err(error) = outcome {
                let says = error.to_string();
                assert!(says.contains(&format!("(mode {mode:04o})")) && says.contains("chmod"), "{says}");
            }
        }
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn files_of_another_user_are_refused() {
    if !geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    put(&path, 0o600);
    chown(&path, Some(12_345), None).unwrap();
    for kind in [Kind::Secret, Kind::Own, Kind::Named] {
        let says = open_to_append(&path, kind).unwrap_err().to_string();
        assert!(says.starts_with("it belongs to the user 12345, but Mantlet runs as the user 0"), "{says}");
        assert!(says.contains("chown 0 "), "{says}");
    }
    // And a link of theirs, whatever it leads to.
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    put(&target, 0o600);
    symlink(&target, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(12_345), None).unwrap();
    let says = open_to_append(&link, Kind::Named).unwrap_err().to_string();
    assert!(says.contains("is a symbolic link of the user 12345"), "{says}");
    let says = prepare_folder(&link.join("state")).unwrap_err().to_string();
    assert!(says.contains("is a symbolic link of the user 12345"), "{says}");
}

#[test]
fn links_are_followed_only_where_a_person_named_them() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    for is_there in [false, true] {
        if is_there {
            put(&target, 0o600);
        }
        symlink(&target, &link).unwrap();
        for kind in [Kind::Secret, Kind::Own] {
            let says = open_to_append(&link, kind).unwrap_err().to_string();
            assert!(says.starts_with("it is a symbolic link, which Mantlet does not follow"), "{says}");
        }
        assert_eq!(target.exists(), is_there, "nothing was made where it leads to");
        replace(&link, b"ours").unwrap();
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(target.exists(), is_there);
        fs::remove_file(&link).unwrap();
    }
    symlink(&target, &link).unwrap();
    open_to_append(&link, Kind::Named).unwrap().write_all(b", more").unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "planted, more");
    open_to_append(Path::new("/dev/null"), Kind::Named).unwrap();
    assert!(open_to_append(Path::new("/dev/null"), Kind::Own).is_err());
}

#[test]
fn what_is_made_is_ours_alone() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("var/state");
    assert_eq!(prepare_folder(&state).unwrap(), None);
    let file = state.join("file");
    open_to_append(&file, Kind::Secret).unwrap();
    replace(&state.join("other"), b"").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode(&state), mode(&file), mode(&state.join("other"))], [0o700, 0o600, 0o600]);
    // One that is there stays as it is.
    for (given, says) in [(0o755, None), (0o775, None), (0o777, Some("every user")), (0o1777, None)] {
        fs::set_permissions(&state, fs::Permissions::from_mode(given)).unwrap();
        assert_eq!(prepare_folder(&state).unwrap().as_deref(), says, "{given:o}");
        assert_eq!(mode(&state), given);
    }
}
