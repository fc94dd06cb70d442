use super::{
    ranges::{Fault, Wanted, read},
    *,
};
use crate::{
    Context, Section,
    config::{Content, Networks},
};

const AWS: &str = r#"{
  "syncToken": "1764460800", "createDate": "2025-11-30-00-00-00",
  "prefixes": [
    {"ip_prefix": "3.4.12.4/32", "region": "eu-west-1", "service": "AMAZON", "network_border_group": "eu-west-1"},
    {"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "S3", "network_border_group": "ap-northeast-2"}
  ],
  "ipv6_prefixes": [
    {"ipv6_prefix": "2600:1f14::/35", "region": "us-west-2", "service": "AMAZON", "network_border_group": "us-west-2"}
  ]
}"#;
const GOOGLE: &str = r#"{
  "syncToken": "1764460800000", "creationTime": "2025-11-30T00:00:00.000000",
  "prefixes": [
    {"ipv4Prefix": "34.1.208.0/20", "service": "Google Cloud", "scope": "africa-south1"},
    {"ipv6Prefix": "2600:1900:8000::/44", "service": "Google Cloud", "scope": "us-east7"}
  ]
}"#;
const AZURE: &str = r#"{
  "changeNumber": 377, "cloud": "Public",
  "values": [
    {"name": "ActionGroup", "id": "ActionGroup", "properties": {"changeNumber": 45, "region": "", "regionId": 0,
     "platform": "Azure", "systemService": "ActionGroup", "addressPrefixes": ["4.145.74.52/30", "2603:1000:4:402::178/125"],
     "networkFeatures": ["API", "NSG", "UDR", "FW"]}},
    {"name": "AzureFrontDoor.Backend", "id": "AzureFrontDoor.Backend", "properties": {"changeNumber": 9,
     "region": "westeurope", "addressPrefixes": ["4.232.98.120/29"], "networkFeatures": null}}
  ]
}"#;
const LINES: &str = "\u{feff}# the office\r\n203.0.113.0/24   # Berlin\r\n\r\n198.51.100.7\nprivate\n";

fn wanted(services: &[&str], regions: &[&str]) -> Wanted {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Wanted { services: texts(services), regions: texts(regions) }
}

#[test]
fn lists_are_read_as_people_and_providers_write_them() {
    for (text, services, regions, inside, outside) in [
        (LINES, &[][..], &[][..], "203.0.113.9 198.51.100.7 10.1.2.3", "198.51.100.8"),
        ("# none", &[], &[], "", "0.0.0.0 ::"),
        (r#" ["203.0.113.0/24", "2001:db8::1"]"#, &[], &[], "203.0.113.9 2001:db8::1", "2001:db8::2"),
        (AWS, &[], &[], "3.4.12.4 3.5.143.255 2600:1f14::1", "3.5.144.0"),
        (AWS, &["AMAZON"], &[], "3.4.12.4 2600:1f14::1", "3.5.140.1"),
        (AWS, &["AMAZON", "S3"], &["us-west-2", "ap-northeast-2"], "3.5.140.1 2600:1f14::1", "3.4.12.4"),
        (GOOGLE, &[], &[], "34.1.208.1 2600:1900:8000::1", "34.1.224.0"),
        (GOOGLE, &["Google Cloud"], &["us-east7"], "2600:1900:8000::1", "34.1.208.1"),
        (AZURE, &[], &[], "4.145.74.53 2603:1000:4:402::179 4.232.98.121", "4.145.74.56"),
        (AZURE, &["AzureFrontDoor.Backend"], &["westeurope"], "4.232.98.121", "4.145.74.53"),
    ] {
        let networks: Networks =
            read(text.as_bytes(), &wanted(services, regions)).unwrap().into_iter().collect();
        let has = |address: &str| networks.contains(address.parse().unwrap());
        assert!(inside.split_whitespace().all(has), "{services:?} {text}");
        assert!(!outside.split_whitespace().any(has), "{services:?} {text}");
    }
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    for (text, expected) in [
        ("10.0.0.0/8\n\n10.0.0.0/33 # no\n", "line 3: `10.0.0.0/33` is not a network or an address"),
        ("<html>\n", "line 1: `<html>` is not a network or an address"),
        ("[\"10.0.0.0/8\",\n 7]", "line 2: invalid type: integer `7`, expected a string"),
        ("[\"10.0.0.0/8\", \"x\"]", "[1]: `x` is not a network or an address"),
        ("{\"prefixes\": [", "line 1: EOF while parsing a list"),
        ("{\"hooks\": [\"10.0.0.0/8\"]}", "the JSON has none of the known forms"),
        ("{\"prefixes\": [], \"values\": []}", "the JSON has none of the known forms"),
        ("{\"prefixes\": []}", "it has no range that is wanted"),
        ("{\"prefixes\": [{\"cidr\": \"10.0.0.0/8\"}]}", "prefixes[0]: it must have one of `ip_prefix`"),
        ("{\"prefixes\": [{\"ip_prefix\": \"10/8\"}]}", "prefixes[0].ip_prefix: `10/8` is not a network"),
        (
            "{\"prefixes\": [\n\"10.0.0.0/8\"]}",
            "line 2: invalid type: string \"10.0.0.0/8\", expected an object with a range",
        ),
        (
            "{\"prefixes\": [], \"ipv6_prefixes\": [{\"ipv6_prefix\": \"::/200\"}]}",
            "ipv6_prefixes[0].ipv6_prefix: `::/200`",
        ),
        (
            "{\"values\": [{\"name\": \"A\", \"properties\": {\"addressPrefixes\": [\"::1\", \"x\"]}}]}",
            "values[0].properties.addressPrefixes[1]: `x` is not",
        ),
        ("{\"values\": [{\"name\": \"A\", \"properties\": {}}]}", "line 1: missing field `addressPrefixes`"),
    ] {
        match read(text.as_bytes(), &Wanted::default()) {
            Err(Fault::File(told)) => assert!(told.starts_with(expected), "{text}: {told}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let told = read(b"10.0.0.0/8\n\xff\n", &Wanted::default());
    assert_eq!(told, Err(Fault::File("line 2: not UTF-8".into())));
    for (text, services, regions, key) in [
        (AWS, &["S3", "CLOUDFRNT"][..], &[][..], "services[1]"),
        (AZURE, &[], &["westeurope", "mars"], "regions[1]"),
        (LINES, &["S3"], &[], "services"),
        ("[]", &[], &["x"], "regions"),
    ] {
        let told = read(text.as_bytes(), &wanted(services, regions));
        assert!(matches!(&told, Err(Fault::Wanted(own, _)) if own == key), "{key}: {told:?}");
    }
}

fn network(name: &str, ranges: &[&str], file: Option<&str>) -> NetworkConfig {
    NetworkConfig {
        name: name.into(),
        ranges: ranges.iter().map(|text| (*text).to_owned()).collect(),
        file: file.map(|_| "ranges.txt".to_owned()).unwrap_or_default(),
        content: file.map(|text| Ok(content(text))),
        ..NetworkConfig::default()
    }
}

fn content(text: &str) -> Content {
    Content::new(text.into())
}

#[test]
fn a_list_that_changes_is_in_force_and_one_that_breaks_is_not() {
    let deny = RuleConfig { who: vec!["network:@office".into()], ..RuleConfig::default() };
    let config = Config {
        deny: vec![deny],
        network: vec![network("office", &["192.0.2.1"], Some("198.51.100.7"))],
        ..Config::default()
    };
    let policy = config.check(&Context::default()).unwrap();
    // The caller of the tests.
    let call = super::tests::call(http::Method::GET, "/", None);
    let is_denied = || !policy.judge(&call, None, true).faults.is_empty();
    assert!(!is_denied());
    // A list that its writer has not filled yet opens nothing.
    let empty = "is empty; if no range is meant, write a line that says so: `# none`";
    let [file] = policy.files() else { panic!("{:?}", policy.files()) };
    assert_eq!((file.path().to_str(), file.key()), (Some("ranges.txt"), "authorization.network[0].file"));
    for (text, expected, denied) in [
        ("198.51.100.7", Ok(Taken::Unchanged), false),
        ("203.0.113.0/24", Ok(Taken::InForce("2 ranges".into())), true),
        ("203.0.113.0/240", Err("line 1: `203.0.113.0/240` is not a network or an address".into()), true),
        ("203.0.113.0/240", Ok(Taken::Unchanged), true),
        ("203.0.113.0/24", Ok(Taken::InForce("2 ranges".into())), true),
        ("", Err(empty.into()), true),
        (" \n", Err(empty.into()), true),
        ("# none\n", Ok(Taken::InForce("1 range".into())), false),
    ] {
        assert_eq!((file.take(&content(text)), is_denied()), (expected, denied), "{text}");
    }
}

#[test]
fn mistakes_in_lists_are_told_with_their_keys() {
    let labelled =
        |file| NetworkConfig { services: vec!["S3".into()], ..network("labelled", &["::1"], file) };
    let config = Config {
        allow: vec![RuleConfig {
            who: vec!["network:@ofice".into(), "not network:@office and anyone".into()],
            ..RuleConfig::default()
        }],
        network: vec![
            network("office", &["10.0.0.0/8", "x"], Some("10.0.0.0/8\ny")),
            network("office", &[], None),
            network("", &["::1"], None),
            labelled(None),
            labelled(Some("::1")),
        ],
        ..Config::default()
    };
    let mistakes = config.check(&Context::default()).unwrap_err();
    let told: Vec<_> = mistakes.iter().map(|mistake| (&*mistake.key, &*mistake.message)).collect();
    let expected = [
        ("network[0].ranges[1]", "`x` is not a network or an address"),
        ("network[0].file", "`ranges.txt` line 2: `y` is not a network or an address"),
        ("network[1].name", "`network[0]` has the name `office` too"),
        ("network[1].ranges", "it is missing, so the list is empty"),
        ("network[2].name", "`` is not a valid name"),
    ];
    for expected in &expected {
        assert!(told.contains(expected), "{expected:?}: {told:#?}");
    }
    for key in ["network[3].services", "network[4].services", "network[4].name", "allow[0].who[0]"] {
        assert!(told.iter().any(|(own, _)| *own == key), "{key}: {told:#?}");
    }
    assert_eq!(told.len(), 9, "{told:#?}");
    let of_condition = mistakes.iter().find(|mistake| mistake.key == "allow[0].who[0]").unwrap();
    assert_eq!(of_condition.message, "`network:@ofice`: there is no list of networks with the name `ofice`");
}
