//! The plan of the house, read from the paths in its files: a room imports rooms on floors below its own.

use std::path::Path;

#[path = "../../mantlet-gateway/src/houses_tests.rs"]
mod houses;

use houses::{House, check};

const HOUSES: [House; 2] = [
    House {
        folder: &[],
        floors: &[
            &["texts"],
            &["exchange", "settings"],
            &["claims", "pages", "provider", "ticket"],
            &["shared"],
            &["login", "logout"],
            &["refresh"],
        ],
        imports: 15,
    },
    House {
        folder: &["provider"],
        floors: &[&["fault", "tokens"], &["asking", "cached"], &["discovery"], &["flow"]],
        imports: 4,
    },
];

#[test]
fn a_room_imports_rooms_below_it_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    check(&HOUSES, &src, "lib", &[]);
}
