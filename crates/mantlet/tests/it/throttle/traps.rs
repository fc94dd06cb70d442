//! A path that no client of the app asks for bans its address at once, and no visitor of a page.

use serde_json::Value;

use super::{from, get};
use crate::kit::{Client, Gateway, Setup, command::Typed};

const TRAPS: &str = "[throttle.trap]\npaths = [\"/wp-login.php\", \"/.git/{rest:path}\"]\n";

fn gate(config: &str) -> Gateway {
    Setup::run("logins:app").config(config).heard().start()
}

fn events(records: &[Value]) -> Vec<(&str, &str)> {
    let about_bans = records.iter().filter(|record| record["reason"] == "client-banned");
    about_bans
        .map(|record| {
            let text = |key: &str| record[key].as_str().unwrap_or_default();
            (text("security_event"), text("remedy"))
        })
        .collect()
}

#[test]
fn a_trap_bans_its_client_and_the_app_does_not_see_it() {
    let gateway = gate(TRAPS);
    let mut scanner = from("127.0.1.1", gateway.addr());
    assert_eq!(get(&mut scanner, "/items/1", "").status, 200);
    let refused = get(&mut scanner, "/%77p-login.php?a=b", "");
    assert_eq!((refused.status, refused.code().as_str()), (403, "client-banned"));
    let wait: u32 = refused.header("retry-after").expect("it is there").parse().expect("seconds");
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    assert_eq!(get(&mut from("127.0.1.1", gateway.addr()), "/items/1", "").code(), "client-banned");
    // Another address, and another trap.
    let mut other = from("127.0.1.2", gateway.addr());
    assert_eq!(get(&mut other, "/items/1", "").status, 200);
    let post = "POST /.git/objects/pack HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(other.ask(post).code(), "client-banned");
    // Nearly a trap. Refusals alone ban no address.
    let mut third = from("127.0.1.3", gateway.addr());
    for target in ["/wp-login.php/x", "/wp-login", "/.git", "/.gitignore"] {
        assert_eq!(get(&mut third, target, "").status, 404, "{target}");
    }
    assert_eq!([(); 100].map(|()| get(&mut third, "/nothing", "").status), [404; 100]);
    assert_eq!(get(&mut third, "/items/1", "").status, 200);

    let listed = gateway.tell(&["bans"]).stdout;
    assert!(listed.contains("127.0.1.1") && listed.contains("trap /wp-login.php"), "{listed}");
    assert!(listed.contains("trap /.git/{rest:path}"), "{listed}");
    let lifted = gateway.tell(&["bans", "lift", "127.0.1.1"]);
    assert_eq!(lifted.stdout.trim(), "127.0.1.1 is no longer banned");
    assert_eq!(get(&mut scanner, "/items/1", "").status, 200);
    assert!(!gateway.stdout().contains("wp-login.php?"), "{}", gateway.stdout());
    let records = gateway.end().audit;
    let remedy = "throttle.trap.mode = \"report\"";
    assert_eq!(events(&records)[..2], [("client-banned", remedy), ("request-refused", remedy)]);
}

/// A picture, a link or a form on any page, a link in a mail, and the same where browsers do not say so.
#[test]
fn a_page_cannot_have_its_visitor_banned_by_a_trap() {
    let gateway = gate(&format!("[client]\ntrusted = [\"127.0.2.2\"]\n{TRAPS}"));
    let mut browser = from("127.0.2.1", gateway.addr());
    for headers in [
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n",
        "Sec-Fetch-Site: none\r\nSec-Fetch-User: ?1\r\n",
        "Origin: https://evil.example\r\n",
        "Referer: https://evil.example/\r\n",
        "User-Agent: Mozilla/5.0\r\nAccept-Language: de\r\n",
    ] {
        assert_eq!(get(&mut browser, "/wp-login.php", headers).status, 404, "{headers}");
    }
    let preflight = "OPTIONS /wp-login.php HTTP/1.1\r\nHost: localhost\r\nAccess-Control-Request-Method: PUT\r\n\
                     Origin: https://evil.example\r\n\r\n";
    assert_ne!(browser.ask(preflight).status, 403);
    assert_eq!(get(&mut browser, "/items/1", "").status, 200);

    // A trusted proxy is never banned, and what it names is; over HTTPS browsers say where they come from.
    let mut proxy = from("127.0.2.2", gateway.addr());
    let through = |proxy: &mut Client, target: &str, address: &str| {
        let lines =
            format!("X-Forwarded-For: {address}\r\nX-Forwarded-Proto: https\r\nAccept-Language: en\r\n");
        get(proxy, target, &lines).status
    };
    assert_eq!(through(&mut proxy, "/wp-login.php", "203.0.113.7"), 403);
    assert_eq!(
        ["203.0.113.7", "203.0.113.8"].map(|address| through(&mut proxy, "/items/1", address)),
        [403, 200]
    );
    assert_eq!(get(&mut proxy, "/wp-login.php", "").status, 404);
    assert_eq!(get(&mut proxy, "/items/1", "").status, 200);
    // What a client says of its address bans no other.
    let forged = "X-Forwarded-For: 203.0.113.8\r\n";
    assert_eq!(get(&mut from("127.0.2.3", gateway.addr()), "/wp-login.php", forged).status, 404);
    assert_eq!(through(&mut proxy, "/items/1", "203.0.113.8"), 200);
}

#[test]
fn a_trap_may_only_report_or_stand_beside_bans() {
    let gateway = gate(&format!("{TRAPS}mode = \"report\"\n"));
    let mut client = Client::connect(gateway.addr());
    assert_eq!([(); 3].map(|()| get(&mut client, "/wp-login.php", "").status), [404; 3]);
    let records = gateway.end().audit;
    let enforce = "throttle.trap.mode = \"enforce\"";
    assert_eq!(events(&records), [("client-would-be-banned", enforce)]);

    // Both ban alike, each for as long as it says; each counts for the other.
    let bans = "[throttle.ban]\nmode = \"enforce\"\nafter = \"3/10m\"\nfor = \"2h\"\n";
    let gateway = gate(&format!("{TRAPS}for = \"30m\"\n{bans}"));
    let mut scanner = from("127.0.3.1", gateway.addr());
    assert_eq!([(); 3].map(|()| get(&mut scanner, "/nothing", "").status), [404; 3]);
    let banned = get(&mut scanner, "/items/1", "");
    assert!(banned.header("retry-after").expect("seconds").parse::<u32>().expect("seconds") > 7_000);
    let mut other = from("127.0.3.2", gateway.addr());
    let banned = get(&mut other, "/wp-login.php", "");
    assert!(banned.header("retry-after").expect("seconds").parse::<u32>().expect("seconds") <= 1_800);
    assert_eq!(gateway.tell(&["bans", "lift", "all"]).code, Some(0));
    assert_eq!(get(&mut scanner, "/items/1", "").status, 200);
    assert_eq!(get(&mut other, "/items/1", "").status, 200);

    let exempt = gate(&format!("[throttle]\nexempt = [\"127.0.0.1\"]\n{TRAPS}"));
    let mut client = Client::connect(exempt.addr());
    assert_eq!(get(&mut client, "/wp-login.php", "").status, 404);
    assert_eq!(get(&mut client, "/items/1", "").status, 200);
}

#[test]
fn an_operation_of_the_app_is_not_a_trap() {
    // At the start the contract is not known yet: it is told, and bans no address.
    let gateway = gate("[throttle.trap]\npaths = [\"/.env\", \"/attempts\", \"/items/7\"]\n");
    gateway
        .wait_for("mantlet.toml:3: `throttle.trap.paths[1]` is not a trap: `/attempts` is an operation", 1);
    gateway.wait_for("`throttle.trap.paths[2]` is not a trap: `/items/{item_id}` is an operation", 1);
    let mut client = Client::connect(gateway.addr());
    for (target, status) in [("/attempts", 200), ("/items/7", 200), ("/attempts/", 307)] {
        assert_eq!(get(&mut client, target, "").status, status, "{target}");
    }
    assert_eq!(get(&mut client, "/.env", "").status, 403);
    // At a reload it is known.
    gateway.reload("[throttle.trap]\npaths = [\"/.env\", \"/attempts/\"]\n");
    gateway.wait_for("throttle.trap.paths[1]: `/attempts/` is an operation of the app: `/attempts`", 1);
    gateway.wait_for("the running one stays in force", 1);

    let wrong = "[throttle.trap]\npaths = [\"x\", \"/\", \"/favicon.ico\", \"/{a}\"]\nfor = \"0s\"\n";
    let said = Typed::mantlet(["config", "check"]).file("mantlet.toml", wrong).finish();
    for expected in [
        "mantlet.toml:2: throttle.trap.paths[0]: `x` has no leading `/`",
        "throttle.trap.paths[1]: clients ask for `/` by themselves",
        "throttle.trap.paths[2]: clients ask for `/favicon.ico` by themselves",
        "throttle.trap.paths[3]: clients ask for `/{a}` by themselves",
        "mantlet.toml:3: throttle.trap.for: `0s` is outside 1s to 400days",
    ] {
        assert!(said.stderr.contains(expected), "{expected}: {}", said.stderr);
    }
}
