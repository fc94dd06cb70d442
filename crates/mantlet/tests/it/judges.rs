//! TLS as tools from outside judge it.

use std::{collections::BTreeMap, fs, process::Command};

use serde_json::Value;

use crate::kit::{
    App, Gateway, Setup, provided,
    tls::{Authority, Pair},
};

fn before_the_app(pair: &Pair) -> Gateway {
    let upstream = format!("unix:{}", App::shared().socket().display());
    Setup::serve(&upstream).config(&format!("[tls]\n{}", pair.config())).start()
}

/// sslyze asks for everything in the profile: the certificate and its chain, versions, suites, curves, and known holes.
/// That the authority is one of ours is all that it is told.
#[test]
fn sslyze_finds_mozillas_intermediate_profile_kept() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let strict = before_the_app(&authority.sign_strictly("strict", "localhost"));
    // One that lasts for two thousand years and does not name its authority: to show that the judge can say no, and that
    // it finds nothing else.
    let lasting = before_the_app(&authority.sign("lasting", "localhost"));

    let [strict, lasting] = [strict.addr(), lasting.addr()].map(|addr| format!("localhost:{}", addr.port()));
    let output = Command::new(provided("MANTLET_TEST_PYTHON"))
        .args(["-m", "sslyze", "--mozilla_config=intermediate", "--certinfo_ca_file"])
        .arg(authority.file())
        .args([&strict, &lasting])
        .output()
        .expect("sslyze starts");
    let report = String::from_utf8_lossy(&output.stdout);
    let (_, verdict) = report.split_once("COMPLIANCE AGAINST TLS CONFIGURATION").expect(&report);
    assert!(verdict.contains(&format!("{strict}: OK - Compliant.")), "{report}");
    assert!(verdict.contains(&format!("{lasting}: FAILED - Not compliant.")), "{report}");
    let issues: Vec<_> = verdict.lines().filter_map(|line| line.trim().strip_prefix("* ")).collect();
    let names: Vec<_> = issues.iter().filter_map(|issue| issue.split(':').next()).collect();
    assert_eq!(names, ["certificate_path_validation", "maximum_certificate_lifespan"], "{report}");
}

/// Findings of testssl.sh that are not about the server.
const NOT_OURS: [(&str, &str); 3] = [
    ("engine_problem", "the OpenSSL that testssl.sh runs has no GOST ciphers to try"),
    (
        "HSTS",
        "never for `localhost`, nor for another port than 443: plain servers beside it would be out of reach",
    ),
    // That sessions are resumed is a test of ours, beside the others of TLS.
    (
        "sessionresumption_ticket",
        "its client may leave before a ticket of TLS 1.3 has come, and then it cannot check",
    ),
];

/// Some of what must have been looked at, one or more of each part.
const LOOKED_AT: [&str; 16] = [
    "SSLv2",
    "TLS1_2",
    "TLS1_3",
    "cipherlist_STRONG",
    "PFS",
    "cipher_order",
    "cert_chain_of_trust",
    "cert_trust",
    "HSTS",
    "X-Content-Type-Options",
    "Content-Security-Policy-Report-Only",
    "heartbleed",
    "ROBOT",
    "secure_client_renego",
    "BREACH",
    "LUCKY13",
];

#[test]
fn testssl_finds_nothing_above_info() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let gateway = before_the_app(&authority.sign_strictly("a", "localhost"));
    let findings = folder.path().join("findings.json");
    let output = Command::new(provided("MANTLET_TEST_TESTSSL"))
        // Batch and quiet; no names are looked up, and nobody is asked about our authority.
        .args(["--quiet", "--color=0", "--warnings=off", "--nodns=none"])
        .arg("--add-ca")
        .arg(authority.file())
        // Protocols, kinds of ciphers, forward secrecy, preferences, defaults, headers, vulnerabilities.
        .args(["-p", "-s", "-f", "-P", "-S", "-h", "-U", "--jsonfile"])
        .arg(&findings)
        .arg(format!("https://localhost:{}/html", gateway.addr().port()))
        .current_dir(folder.path())
        .output()
        .expect("testssl.sh starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let text = fs::read_to_string(&findings).expect(&said);
    let found: Vec<BTreeMap<String, Value>> = serde_json::from_str(&text).expect(&text);
    let of = |finding: &BTreeMap<String, Value>, key: &str| finding[key].as_str().unwrap().to_owned();
    for id in LOOKED_AT {
        assert!(found.iter().any(|finding| finding["id"] == id), "it did not look at {id}:\n{said}");
    }
    let bad: Vec<_> = found
        .iter()
        .filter(|finding| !["OK", "INFO"].contains(&of(finding, "severity").as_str()))
        .filter(|finding| !NOT_OURS.iter().any(|(id, _)| finding["id"] == *id))
        .map(|finding| {
            format!("{} {}: {}", of(finding, "severity"), of(finding, "id"), of(finding, "finding"))
        })
        .collect();
    assert_eq!(bad, [""; 0], "{said}");
}
