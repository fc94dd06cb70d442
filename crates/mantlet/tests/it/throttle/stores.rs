//! Stores that are more than one server, and one that is reached over TLS.

use super::{
    assert_made_to_wait, from, get, log_in,
    store::{ALONE, BACK, COUNTED, LOST, RULES, events, wait_for},
};
use crate::kit::{
    Client, Gateway, Setup,
    redis::Node,
    tls::{Authority, Pair},
};

fn gate(store: &str, throttle: &str) -> Gateway {
    Setup::run("logins:app")
        .config(&format!("[store]\ntimeout = \"500ms\"\n{store}\n[throttle]\n{throttle}"))
        .start()
}

fn is_told_of(gateway: Gateway) {
    let seen = events(gateway);
    assert_eq!(
        (seen.first().map(|word| &**word), seen.last().map(|word| &**word)),
        (Some(LOST), Some(BACK)),
        "{seen:?}"
    );
}

#[test]
fn a_cluster_counts_for_several_gates_and_is_missed_while_it_is_down() {
    let mut nodes = Node::cluster();
    let hosts: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let store = format!("url = \"redis+cluster://{}\"", hosts.join(","));
    let throttle = format!("{RULES}\n[[throttle.quota]]\nname = \"each\"\nkey = [\"ip\"]\nday = 1000\n");
    let gates = [gate(&store, &throttle), gate(&store, &throttle)];
    let mut clients = gates.each_ref().map(|gate| Client::connect(gate.addr()));
    wait_for(&mut clients[0], COUNTED);
    // What one has counted, the other knows: nothing passes there.
    assert_eq!(super::store::statuses(&mut clients[1]), COUNTED);
    // All that an attempt is counted by lies together.
    assert_eq!(log_in(&mut from("127.0.2.1", gates[0].addr()), "alice", "right"), 200);
    let statuses: Vec<_> = (1..=12)
        .map(|number| {
            let address = gates[number % 2].addr();
            log_in(&mut from(&format!("127.0.1.{number}"), address), "alice", "wrong")
        })
        .collect();
    assert_made_to_wait(&statuses);
    assert_eq!(log_in(&mut from("127.0.2.1", gates[1].addr()), "alice", "right"), 200);
    // Wherever a quota's keys lie, they are seen.
    let keys: Vec<_> = (0..24).map(|number| format!("127.0.3.{}", number + 1)).collect();
    for key in &keys {
        assert_eq!(get(&mut from(key, gates[0].addr()), "/attempts-of-all", "").status, 404);
    }
    let seen = gates[1].tell(&["quotas", "--json"]).stdout;
    assert!(keys.iter().all(|key| seen.contains(&format!("{key}\""))), "{seen}");
    // With one node, a cluster has lost slots and answers nothing at all.
    nodes[0].go();
    wait_for(&mut clients[0], ALONE);
    nodes[0].come();
    wait_for(&mut clients[0], COUNTED);
    let [first, second] = gates;
    is_told_of(first);
    drop(second);
}

#[test]
fn row_74_a_gate_follows_its_sentinels_to_the_next_master() {
    let (mut master, follower, sentinel) = Node::watched();
    let gateway =
        gate(&format!("url = \"redis+sentinel://127.0.0.1:1,127.0.0.1:{}/shop\"", sentinel.port), RULES);
    let mut client = Client::connect(gateway.addr());
    wait_for(&mut client, COUNTED);
    master.go();
    wait_for(&mut client, ALONE);
    wait_for(&mut client, COUNTED);
    is_told_of(gateway);
    drop(follower);
}

#[test]
fn over_tls_a_store_must_show_who_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    let Pair { certificate, key } = authority.sign("redis", "localhost");
    let redis = Node::with_tls(&certificate.to_string_lossy(), &key.to_string_lossy());
    let url = format!("url = \"rediss://localhost:{}\"", redis.port);
    let gateway = gate(&format!("{url}\nauthority = {:?}", authority.file().to_string_lossy()), RULES);
    let mut client = Client::connect(gateway.addr());
    wait_for(&mut client, COUNTED);
    assert!(events(gateway).is_empty());
    // The machine does not know this authority.
    let gateway = gate(&url, RULES);
    let mut client = Client::connect(gateway.addr());
    wait_for(&mut client, ALONE);
    let seen = events(gateway);
    assert!(seen[1].contains("certificate"), "{seen:?}");
}
