//! Documents: none, at another address, of another address, very large.

use super::{Both, Case, JSON, Told};

const CASES: [(&str, &str, u16, &str); 3] = [
    ("GET", "/items/7", 200, ""),
    ("POST", "/items", 200, r#"{"name": "a"}"#),
    ("GET", "/openapi.json", 404, ""),
];

fn cases() -> Vec<Case> {
    let cases = CASES.iter().map(|(method, target, status, body)| {
        let told = if *status == 404 { Told::Audit("route-unknown", target) } else { Told::Exact };
        Case::new(method, target, *status, told).body(JSON, *body)
    });
    cases.collect()
}

#[test]
fn no_document_or_one_elsewhere() {
    Both::of("misfits.documents:none").check(&cases());
    let mut cases = cases();
    cases.push(Case::new("GET", "/api/v1/openapi.json", 200, Told::Exact));
    Both::of("misfits.documents:elsewhere").check(&cases);
}

#[test]
fn a_prefix_that_somebody_cuts_off_or_not() {
    Both::of("misfits.documents:prefixed").check(&[
        Case::new("GET", "/items/7", 200, Told::Exact),
        Case::new("GET", "/api/items/7", 200, Told::Exact),
        Case::new("POST", "/api/items", 200, Told::Exact).body(JSON, r#"{"name": "a"}"#),
        Case::new("GET", "/api/openapi.json", 200, Told::Exact),
        Case::new("GET", "/api/api/items/7", 404, Told::Audit("route-unknown", "/api/api/items/7")),
    ]);
}

#[test]
fn a_thousand_operations() {
    let both = Both::of("misfits.thousand:app");
    assert!(both.contract.shapes.len() > 1000, "{}", both.contract.shapes.len());
    let body = r#"{"name": "a", "note": null}"#;
    let put = |target| Case::new("PUT", target, 200, Told::Exact).body(JSON, body);
    let document = Case::new("GET", "/openapi.json", 200, Told::Exact);
    assert!(both.same(&document).body.len() > 2_000_000);
    both.check(&[put("/resources/0/7"), put("/resources/500/-1"), put("/resources/999/00")]);
}
