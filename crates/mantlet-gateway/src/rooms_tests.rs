//! The plan of the house, read from the paths in its files: a room imports only rooms on the floors
//! below.
//!
//! So a room can be read and tested with those below it alone, and the app's shore does not depend
//! on the clients' shore.

use std::path::Path;

#[path = "houses_tests.rs"]
mod houses;

use houses::{
    House, check,
    imports::{module_of, named},
};

const HOUSES: [House; 6] = [
    House {
        folder: &[],
        floors: &[
            &["guarded", "listener", "connection_state", "clock", "metrics", "address"],
            &["journal", "tls"],
            &["fetch"],
            &[
                "audit_log",
                "condition_files",
                "evidence_file",
                "quota_file",
                "session_file",
                "key_file",
                "refresh_file",
                "wire",
                "guests",
                "house",
                "request_body",
                "traces",
            ],
            &["app_events", "store", "app", "sessions"],
            &["issuers", "keys", "refresh_tokens"],
            &["shared"],
            &["small_server"],
            &["scrape"],
            &["client", "admin"],
            &["gate"],
        ],
        imports: 25,
    },
    House {
        folder: &["admin"],
        floors: &[
            &["socket", "trouble"],
            &["accounts", "bans", "keys", "quotas", "sessions"],
            &["client", "server"],
        ],
        imports: 6,
    },
    House {
        folder: &["app"],
        floors: &[
            &["load", "lenient", "origins", "output", "socket"],
            &["request_body", "supervisor"],
            &["pool"],
            &["response_body", "leaving"],
            &["forward"],
        ],
        imports: 15,
    },
    House { folder: &["app", "load"], floors: &[&["shares"], &["turns"], &["place"]], imports: 3 },
    House {
        folder: &["client"],
        floors: &[&["response_body"], &["connection"], &["admission"], &["accept"]],
        imports: 3,
    },
    House {
        folder: &["client", "connection"],
        floors: &[
            &["clock", "linger", "lasting"],
            &["websocket"],
            &["context"],
            &["request"],
            &["http1", "http2"],
        ],
        imports: 8,
    },
];

#[test]
fn a_room_imports_rooms_below_it_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    check(&HOUSES, &src, "lib", &["tell"]);
}

#[test]
fn what_a_file_names_is_read() {
    let text = "//! crate::ghost\nuse super::{linger, shared::{self, Stage}};\n\
                use crate::{app::{Upstream, pool::Lease}, tell};\n\
                fn f() { crate::host::respell(); super::super::x(); self::y(); }\n\
                #[cfg(test)]\nuse crate::limits;";
    let module = ["client", "connection"].map(str::to_owned);
    let names: Vec<_> = named(text, &module).into_iter().map(|path| path.join("::")).collect();
    assert_eq!(
        names,
        [
            "app::Upstream",
            "app::pool::Lease",
            "client::connection::y",
            "client::linger",
            "client::shared",
            "client::shared::Stage",
            "host::respell",
            "tell",
            "x",
        ]
    );
    assert_eq!(module_of(Path::new("client/connection/mod.rs")), module);
}
