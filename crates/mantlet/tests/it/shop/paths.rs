//! Rows 35 to 45: no spelling leads to a route that is closed.

use super::{STRICT, Shop};

/// Spellings of `/internal/debug`, each with its row, and how it ends.
const SPELLINGS: [(u32, &str, u16, &str); 17] = [
    (35, "/products/../internal/debug", 400, "path-dot-segment"),
    (35, "/./internal/debug", 400, "path-dot-segment"),
    (36, "/products/%2e%2e/internal/debug", 400, "path-dot-segment"),
    (36, "/products/%2e%2e%2finternal/debug", 400, "path-dot-segment"),
    (37, "/products/%252e%252e/internal/debug", 400, "path-double-encoded"),
    (38, "//internal/debug", 400, "path-empty-segment"),
    (39, "/internal/debug;x", 400, "path-parameter"),
    (40, "/INTERNAL/debug", 404, "route-unknown"),
    (40, "/internal/debu%67", 404, "route-hidden"),
    (41, "/internal%c0%afdebug", 400, "path-encoding"),
    (42, "/internal/debug%00", 400, "path-control-character"),
    (42, "/internal/debug%0a", 400, "path-control-character"),
    (43, "/internal\\debug", 400, "path-backslash"),
    (43, "/internal%5cdebug", 400, "path-backslash"),
    (44, "/internal%ef%bc%8fdebug", 400, "path-lookalike"),
    (44, "/products/%ef%bc%8e%ef%bc%8e/internal/debug", 400, "path-lookalike"),
    (40, "/internal/debug", 404, "route-hidden"),
];

#[test]
fn rows_35_to_44_no_spelling_leads_to_the_hidden_route() {
    let shop = Shop::open(STRICT);
    shop.unreached(|| {
        for (row, target, status, code) in SPELLINGS {
            let answer = shop.get(target);
            assert_eq!(answer.status, status, "row {row}: {target}");
            shop.refused(&answer, status, code);
        }
    });
    // Not even the router's own redirect to its own spelling.
    shop.unreached(|| shop.refused(&shop.get("/internal/debug/"), 404, "route-hidden"));
}

#[test]
fn row_45_a_get_stays_a_get() {
    let shop = Shop::open(STRICT);
    let lines = "X-HTTP-Method-Override: DELETE\r\nX-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\n";
    let answer = shop.ask("GET", "/products/1", lines, b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    // No route has that method there.
    let answer = shop.ask("PATCH", "/products/1", lines, b"");
    shop.refused(&answer, 405, "route-method-unknown");
    assert_eq!(shop.get("/products/1").status, 200, "it is still there");
}

/// The same where paths are read as uvicorn reads them, by default, and one line closes the routes that are in no document.
#[test]
fn rows_35_to_44_nor_where_what_is_data_passes() {
    let shop = Shop::open("[contract]\nhidden-routes = \"reject\"\n");
    for (row, target, ..) in SPELLINGS {
        let answer = shop.get(target);
        let key = String::from_utf8_lossy(&answer.body).contains("signing_key");
        assert!(matches!(answer.status, 400 | 404) && !key, "row {row}: {target}: {answer:?}");
    }
}
