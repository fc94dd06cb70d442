//! The plan of the house, read from the paths in its files: a room imports rooms on floors below its own.

use std::path::Path;

#[path = "../../mantlet-gateway/src/houses_tests.rs"]
mod houses;

use houses::{House, check};

const HOUSES: [House; 3] = [
    House {
        folder: &[],
        floors: &[
            &["doors", "guard", "reasons", "remedies", "source", "text"],
            &["figures", "traffic"],
            &["chart", "frame"],
            &["answer", "views"],
            &["page"],
        ],
        imports: 15,
    },
    House { folder: &["figures"], floors: &[&["latency", "text"], &["sample"], &["history"]], imports: 4 },
    House {
        folder: &["views"],
        floors: &[&["audit", "bans", "contract", "now", "objects", "refusals", "sessions"], &["ratchet"]],
        imports: 1,
    },
];

#[test]
fn a_room_imports_rooms_below_it_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    check(&HOUSES, &src, "lib", &["Page", "Source"]);
}
