//! The API, by a client that people write.

use std::process::Command;

use super::{mailbox::Mailbox, site::Site};
use crate::kit::{Setup, provided, tls::Authority};

#[test]
fn httpx_lives_the_life_of_an_account() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    let (pair, mailbox) = (authority.sign_strictly("site", "localhost"), Mailbox::of(folder.path()));
    let site = Site::of(Setup::run("recorder:app"), &format!("{}[tls]\n{}", mailbox.config(), pair.config()));
    let output = Command::new(provided("MANTLET_TEST_PYTHON"))
        .args(["-c", include_str!("client.py")])
        .arg(format!("https://localhost:{}", site.gate.addr().port()))
        .args([&authority.file(), mailbox.folder()])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("the interpreter in MANTLET_TEST_PYTHON starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "done");
}
