//! Conditions about where and when a request comes.

use std::{fs, path::Path};

use crate::{
    kit::{Client, Gateway, Setup, command::Typed, eventually},
    throttle::get,
};

/// A gate that believes what this machine says of addresses.
fn gate(rules: &str) -> Gateway {
    Setup::run("logins:app").config(&format!("[client]\ntrusted = [\"loopback\"]\n{rules}")).start()
}

/// Who gets in, from these addresses.
fn statuses<const N: usize>(gateway: &Gateway, addresses: [&str; N]) -> [u16; N] {
    let mut client = Client::connect(gateway.addr());
    addresses.map(|address| get(&mut client, "/items/1", &format!("X-Forwarded-For: {address}\r\n")).status)
}

/// Replaces a file as a whole.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).expect("a file");
    fs::rename(new, file).expect("a file");
}

const OFFICE: &str = "[[authorization.allow]]\npaths = [\"/items/{item_id}\"]\nwho = [\"network:@office\"]\n\
                      [[authorization.network]]\nname = \"office\"\nranges = [\"192.0.2.1\"]\n";

#[test]
fn a_list_of_networks_is_followed_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("office.txt");
    fs::write(&file, "# Berlin\n203.0.113.0/24\n").expect("a file");
    let gateway = gate(&format!("{OFFICE}file = {:?}\n", file.display().to_string()));
    let addresses = ["203.0.113.7", "192.0.2.1", "198.51.100.7", "2001:db8::1"];
    assert_eq!(statuses(&gateway, addresses), [200, 200, 401, 401]);

    replace(&file, "198.51.100.0/24\n2001:db8::/32\n");
    gateway.wait_for("(authorization.network[0].file) was read again: 3 ranges", 1);
    assert_eq!(statuses(&gateway, addresses), [401, 200, 200, 200]);

    // Written in place, and wrong.
    fs::write(&file, "203.0.113.0/24\n203.0.113.0/240\n").expect("a file");
    gateway
        .wait_for("line 2: `203.0.113.0/240` is not a network or an address; what was read before stays", 1);
    assert_eq!(statuses(&gateway, addresses), [401, 200, 200, 200]);
    fs::remove_file(&file).expect("a file");
    gateway.wait_for("cannot be read", 1);
    assert_eq!(statuses(&gateway, addresses), [401, 200, 200, 200]);

    // As a provider publishes it.
    replace(&file, r#"{"prefixes": [{"ip_prefix": "203.0.113.0/24", "region": "x", "service": "Y"}]}"#);
    gateway.wait_for("was read again: 2 ranges", 1);
    assert_eq!(statuses(&gateway, addresses), [200, 200, 401, 401]);

    // Another configuration follows its own files.
    let other = folder.path().join("other.txt");
    fs::write(&other, "2001:db8::/32").expect("a file");
    gateway.reload(&format!(
        "[client]\ntrusted = [\"loopback\"]\n{OFFICE}file = {:?}\n",
        other.display().to_string()
    ));
    gateway.wait_for("configuration reloaded", 1);
    assert_eq!(statuses(&gateway, addresses), [401, 200, 401, 200]);
    replace(&other, "203.0.113.7");
    eventually("the other file is read", || {
        (statuses(&gateway, addresses) == [200, 200, 401, 401]).then_some(())
    });
}

#[test]
fn a_broken_list_is_a_mistake_at_the_start_and_at_a_reload() {
    let broken = format!("{OFFICE}file = \"office.txt\"\n");
    let said = Typed::mantlet(["config", "check"]).file("mantlet.toml", &broken).finish();
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    let expected = "mantlet.toml:7: authorization.network[0].file: `office.txt` cannot be read";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
    let said = Typed::mantlet(["config", "check"])
        .file("mantlet.toml", &broken)
        .file("office.txt", "10.0.0.0/8\n\noffice\n")
        .finish();
    let expected =
        "mantlet.toml:7: authorization.network[0].file: `office.txt` line 3: `office` is not a network";
    assert!(said.stderr.contains(expected), "{}", said.stderr);

    let gateway = gate(OFFICE);
    assert_eq!(statuses(&gateway, ["192.0.2.1", "192.0.2.2"]), [200, 401]);
    gateway.reload(&OFFICE.replace("@office", "@ofice"));
    gateway.wait_for("`network:@ofice`: there is no list of networks with the name `ofice`", 1);
    assert_eq!(statuses(&gateway, ["192.0.2.1", "192.0.2.2"]), [200, 401]);
}
