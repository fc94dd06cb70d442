//! HTTPS and HSTS, as `mantlet check --target` sees them: of the real gate, with a certificate.

use std::{fs, path::PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::json;
use crate::kit::{
    App, Gateway, Setup,
    command::{Finished, THREE_LINES, Typed},
    provided,
    tls::{Authority, Pair},
};

/// The app of three lines, behind a gate that ends TLS.
struct Site {
    gate: Gateway,
    authority: PathBuf,
    _app: App,
    _folder: TempDir,
}

impl Site {
    fn new(certificate: impl Fn(&Authority) -> Pair, config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("main.py"), THREE_LINES).expect("a file");
        let (app, address) = App::of_folder(&provided("MANTLET_TEST_PYTHON"), folder.path(), "main:app");
        let authority = Authority::new(folder.path());
        let tls = certificate(&authority).config();
        let gate =
            Setup::serve(&format!("http://{address}")).config(&format!("[tls]\n{tls}{config}")).start();
        Self { gate, authority: authority.file(), _app: app, _folder: folder }
    }

    /// Reviewed, trusting the authority or not.
    fn check(&self, scheme: &str, host: Option<&str>, is_trusted: bool) -> Finished {
        let target = format!("{scheme}://{}", self.gate.addr());
        let arguments =
            ["check", "main:app", "--format", "json", "--fail-on", "medium", "--target", target.as_str()];
        let typed = Typed::mantlet(arguments).file("main.py", THREE_LINES);
        // The name by which clients know the site.
        let config = host.map(|host| format!("[host]\nallow = [\"{host}\"]\n")).unwrap_or_default();
        let typed = typed.file("mantlet.toml", &config);
        let typed = if is_trusted { typed.variable("SSL_CERT_FILE", &self.authority) } else { typed };
        typed.finish()
    }
}

const NAME: &str = "shop.example";

fn named(authority: &Authority) -> Pair {
    authority.sign("a", NAME)
}

fn addressed(authority: &Authority) -> Pair {
    authority.sign("b", "127.0.0.1")
}

/// What the row looked at, and the messages of its findings from `medium` on.
fn https(finished: &Finished) -> (Value, Vec<String>) {
    let report = json(finished);
    let rows = report["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["id"] == "https").expect("a row").clone();
    let findings = report["findings"].as_array().expect("findings").iter();
    let of_row = findings.filter(|one| one["practice"] == "https" && one["level"] == "medium");
    (row, of_row.map(|one| one["message"].as_str().expect("a message").to_owned()).collect())
}

#[test]
fn a_site_with_hsts_that_redirects_passes() {
    let site = Site::new(named, "");
    let finished = site.check("https", Some(NAME), true);
    let (row, findings) = https(&finished);
    assert_eq!(findings, [] as [&str; 0], "{}", finished.stdout);
    assert_eq!(row["looked-at"]["answers over HTTPS"], 1, "{row:#}");
    // The same port takes plain HTTP, and leads to HTTPS.
    assert_eq!(row["looked-at"]["answers over plain HTTP"], 1, "{row:#}");
    let finished = site.check("http", Some(NAME), true);
    let (row, findings) = https(&finished);
    assert_eq!(findings, [] as [&str; 0], "{}", finished.stdout);
    assert_eq!(row["looked-at"]["answers over plain HTTP"], 1, "{row:#}");
}

#[test]
fn a_site_without_hsts_or_with_a_short_one_is_found() {
    for (config, says) in [
        ("[headers]\nmode = \"off\"\n", "no `Strict-Transport-Security` is sent"),
        ("[headers.strict-transport-security]\nmax-age = \"1day\"\n", "lasts 86400 s"),
    ] {
        let finished = Site::new(named, config).check("https", Some(NAME), true);
        let (_, findings) = https(&finished);
        assert!(matches!(findings.as_slice(), [one] if one.contains(says)), "{says}: {findings:?}");
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    }
}

/// Browsers take HSTS from names alone, and so the gate sends it to names alone.
#[test]
fn an_ip_address_says_nothing_of_hsts() {
    let finished = Site::new(addressed, "").check("https", None, true);
    let (row, findings) = https(&finished);
    assert_eq!(findings, [] as [&str; 0], "{}", finished.stdout);
    assert_eq!(row["looked-at"]["answers over HTTPS"], 1, "{row:#}");
    assert!(row["not-judged"].to_string().contains("HSTS is for public names"), "{row:#}");
}

#[test]
fn a_certificate_that_cannot_be_trusted_is_said_with_what_to_do() {
    type Certificate = fn(&Authority) -> Pair;
    let of: [(Certificate, bool, &str); 3] = [
        (addressed, false, "no authority that this machine trusts has signed it"),
        (named, true, "it is for another name"),
        (|authority| authority.sign_expired("d", "127.0.0.1"), true, "it has expired"),
    ];
    for (certificate, is_trusted, says) in of {
        let finished = Site::new(certificate, "").check("https", None, is_trusted);
        assert_eq!(finished.code, Some(3), "{says}: {}", finished.stderr);
        let why = format!("the certificate of `127.0.0.1` cannot be trusted: {says}");
        assert!(finished.stderr.contains(&why), "{says}: {}", finished.stderr);
        assert_eq!(finished.stdout, "", "no report");
    }
}

/// TLS is spoken to a port that does not.
#[test]
fn plain_http_is_not_taken_for_https() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("main.py"), THREE_LINES).expect("a file");
    let (_app, address) = App::of_folder(&provided("MANTLET_TEST_PYTHON"), folder.path(), "main:app");
    let target = format!("https://{address}");
    let typed =
        Typed::mantlet(["check", "main:app", "--target", target.as_str()]).file("main.py", THREE_LINES);
    let finished = typed.finish();
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert!(finished.stderr.contains("no TLS connection to `127.0.0.1`"), "{}", finished.stderr);
}
