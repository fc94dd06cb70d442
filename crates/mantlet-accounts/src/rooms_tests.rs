//! The plan of the house, read from the paths in its files: a room imports rooms on floors below its own.

use std::path::Path;

#[path = "../../mantlet-gateway/src/houses_tests.rs"]
mod houses;

use houses::{House, check};

const HOUSES: [House; 2] = [
    House {
        folder: &[],
        floors: &[
            &["fault", "time"],
            &["address", "opaque"],
            &["sealed"],
            &["passwords", "store"],
            &["links", "outbox", "provider_sessions", "sessions", "totp"],
            &["tokens"],
            &["accounts"],
            &["bulk"],
        ],
        imports: 20,
    },
    House { folder: &["passwords"], floors: &[&["blocklist", "hashes", "pool"], &["policy"]], imports: 1 },
];

#[test]
fn a_room_imports_rooms_below_it_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    check(&HOUSES, &src, "lib", &["Accounts", "Address", "Fault", "SealingKeys", "Secret"]);
}
