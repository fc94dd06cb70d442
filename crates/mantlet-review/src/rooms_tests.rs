//! The plan of the house, read from the paths in its files: a room imports rooms on floors below its own. So no
//! reviewer knows another one, and no format knows a reviewer.

use std::path::Path;

#[path = "../../mantlet-gateway/src/houses_tests.rs"]
mod houses;

use houses::{House, check};

const HOUSES: [House; 2] = [
    House {
        folder: &[],
        floors: &[
            &["rule", "secret", "wrap"],
            &["finding", "explain"],
            &["review", "exchange"],
            &["facts", "client"],
            &["baseline", "configuration", "contract", "live", "project", "proposal", "settings"],
            &["formats"],
        ],
        imports: 8,
    },
    House {
        folder: &["formats"],
        floors: &[&["escape", "json", "report"], &["github", "html", "junit", "markdown", "sarif", "text"]],
        imports: 8,
    },
];

#[test]
fn a_room_imports_rooms_below_it_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let at_root = ["Evidence", "Finding", "Fix", "Level", "Owasp", "Place", "Practice", "Review", "Rule"];
    check(&HOUSES, &src, "lib", &at_root);
}
