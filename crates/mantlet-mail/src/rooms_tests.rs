//! The plan of the house, read from the paths in its files: a room imports rooms on floors below its own.

use std::path::Path;

#[path = "../../mantlet-gateway/src/houses_tests.rs"]
mod houses;

use houses::{House, check};

const HOUSES: [House; 1] = [House {
    folder: &[],
    floors: &[&["fault"], &["site", "words"], &["templates", "transport"], &["sender"], &["outbox"]],
    imports: 9,
}];

#[test]
fn a_room_imports_rooms_below_it_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    check(&HOUSES, &src, "lib", &[]);
}
