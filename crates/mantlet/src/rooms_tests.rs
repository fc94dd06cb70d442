//! The plan of the house, read from the paths in its files: a room imports rooms on floors below
//! its own.
//!
//! So every room can be read, tested and replaced with what stands below it alone, and a section
//! does not know who reads it.

use std::path::Path;

#[path = "../../mantlet-gateway/src/houses_tests.rs"]
mod houses;

use houses::{House, check};

const HOUSES: [House; 8] = [
    House {
        folder: &[],
        floors: &[
            &["say", "settings"],
            &["state", "cli"],
            &["config"],
            &["accounts", "app"],
            &["contract"],
            &["operate"],
            &["command"],
        ],
        imports: 20,
    },
    House {
        folder: &["settings"],
        floors: &[
            &["origin", "secret", "spelling", "variable"],
            &["key", "mistake", "sources"],
            &["problem", "tree"],
            &["file", "origins", "reader", "suggest", "wording"],
            &["environment", "judge", "show"],
            &["load"],
        ],
        imports: 30,
    },
    House {
        folder: &["config"],
        floors: &[
            &["keeper", "retired"],
            &["reference"],
            &[
                "adopted",
                "app_env",
                "app_output",
                "condition_files",
                "csrf_keys",
                "issuer_material",
                "login",
                "socket_path",
            ],
            &[
                "accounts", "admin", "app", "audit", "metrics", "secrets", "shutdown", "store", "tls",
                "traces",
            ],
            &["schema"],
            &["places"],
            &["gate", "read"],
        ],
        imports: 10,
    },
    House {
        folder: &["app"],
        floors: &[
            &["candidates", "environment", "folder", "interpreter", "package", "scrubbing", "status"],
            &["process"],
        ],
        imports: 5,
    },
    House {
        folder: &["contract"],
        floors: &[
            &["agreement", "report", "router", "sensitive"],
            &["effect", "read"],
            &["behind", "description", "source"],
            &["inspector", "keeper"],
        ],
        imports: 10,
    },
    House {
        folder: &["operate"],
        floors: &[
            &["admin", "alone", "certificates", "health", "metrics", "records", "signals", "traces"],
            &["parts"],
            &["events"],
            &["reload", "stop"],
            &["rotation"],
            &["run"],
            &["start"],
        ],
        imports: 10,
    },
    House {
        folder: &["command"],
        floors: &[
            &["agreement", "ask", "describe", "suggest"],
            &[
                "accounts",
                "audit",
                "bans",
                "check",
                "config",
                "contract",
                "metrics",
                "quotas",
                "rls",
                "run",
                "secrets",
                "serve",
                "keys",
                "objects",
                "sessions",
                "throttles",
            ],
            &["open"],
        ],
        imports: 5,
    },
    House {
        folder: &["command", "audit"],
        floors: &[
            &["filter", "log", "present"],
            &["export", "prove", "search", "shipping", "verify"],
            &["tail"],
            &["follow"],
        ],
        imports: 8,
    },
];

#[test]
fn a_room_imports_rooms_below_it_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    check(&HOUSES, &src, "main", &[]);
}
