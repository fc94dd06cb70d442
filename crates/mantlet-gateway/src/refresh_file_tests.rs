use std::fs;

use serde_json::json;

use super::*;

/// A family of this number, at this revision.
fn family(number: u32, revision: u64) -> Family {
    let text = "A".repeat(43);
    let value = json!({
        "id": format!("{number:024x}"), "revision": revision, "generation": revision, "key": text, "current": text,
        "token": text, "rotated": 1_800_000_000, "used": clock::now().as_second(),
    });
    serde_json::from_value(value).unwrap()
}

fn known(file: &RefreshFile) -> Vec<(String, u64)> {
    let mut all: Vec<_> =
        file.known().all().iter().map(|family| (family.id.to_string(), family.revision)).collect();
    all.sort();
    all
}

fn is(all: &[(u32, u64)]) -> Vec<(String, u64)> {
    all.iter().map(|(number, revision)| (format!("{number:024x}"), *revision)).collect()
}

async fn keep(file: &RefreshFile, family: Family) {
    file.known().put(family.clone()).unwrap();
    assert!(file.inlet().keep_now(&family).await);
}

#[tokio::test]
async fn what_is_kept_outlives_the_process_as_it_was_last() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refresh-tokens.jsonl");
    let file = RefreshFile::open(path.clone(), true).unwrap();
    keep(&file, family(1, 1)).await;
    keep(&file, family(2, 1)).await;
    keep(&file, family(1, 2)).await;
    assert!(file.known().put(family(1, 2)).is_err(), "the first one wins");
    // As after SIGKILL: nothing is written at the end, and the last line is torn.
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 4);
    let second = folder.path().join("second.jsonl");
    fs::write(&second, text + "{\"id\":\"0000").unwrap();
    let after = RefreshFile::open(second.clone(), true).unwrap();
    assert_eq!(known(&after), is(&[(1, 2), (2, 1)]));
    keep(&after, family(2, 2)).await;
    after.finish();
    let after = RefreshFile::open(second, true).unwrap();
    assert_eq!(known(&after), is(&[(1, 2), (2, 2)]));
}

#[tokio::test]
async fn a_second_process_takes_over_what_the_first_has_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refresh-tokens.jsonl");
    let first = RefreshFile::open(path.clone(), true).unwrap();
    keep(&first, family(1, 1)).await;
    let second = RefreshFile::open(path.clone(), true).unwrap();
    keep(&first, family(1, 2)).await;
    keep(&second, family(2, 1)).await;
    first.finish();
    keep(&second, family(3, 1)).await;
    let all = is(&[(1, 2), (2, 1), (3, 1)]);
    assert_eq!(known(&second), all);
    second.finish();
    assert_eq!(known(&RefreshFile::open(path, true).unwrap()), all);
}

#[tokio::test]
async fn a_second_process_judges_by_what_the_first_has_kept_and_takes_over_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refresh-tokens.jsonl");
    let [first, second] = [(); 2].map(|()| RefreshFile::open(path.clone(), true).unwrap());
    keep(&first, family(1, 1)).await;
    second.inlet().look().await;
    assert_eq!(known(&second), is(&[(1, 1)]));
    keep(&first, family(2, 1)).await;
    keep(&first, family(1, 2)).await;
    second.inlet().look().await;
    assert_eq!(known(&second), is(&[(1, 2), (2, 1)]));
    let before = fs::read_to_string(&path).unwrap();
    first.finish();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !matches!(Claim::default().take(&path), Ok(Claimed::Elsewhere { .. })) {
        assert!(Instant::now() < deadline, "it takes over");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    keep(&second, family(2, 2)).await;
    second.finish();
    let after = fs::read_to_string(&path).unwrap();
    assert!(after.starts_with(&before) && after.lines().count() == before.lines().count() + 1, "{after}");
}

#[tokio::test]
async fn a_long_file_is_written_anew_and_a_foreign_one_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refresh-tokens.jsonl");
    fs::write(&path, "{\"mantlet-sessions\":1}\n").unwrap();
    let file = RefreshFile::open(path.clone(), true).unwrap();
    assert!(folder.path().join("refresh-tokens.jsonl.unreadable").exists());
    for revision in 1..1_100 {
        file.known().put(family(1, revision)).unwrap();
        file.inlet().keep_soon(&family(1, revision));
    }
    keep(&file, family(1, 2_000)).await;
    keep(&file, family(1, 2_001)).await;
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() < 1_100, "{}", text.lines().count());
    file.finish();
    assert_eq!(known(&RefreshFile::open(path, true).unwrap()), is(&[(1, 2_001)]));
}
