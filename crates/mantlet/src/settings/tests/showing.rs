//! What `mantlet config show` prints.

use super::*;

#[test]
fn show_prints_each_value_with_its_origin() {
    let text = "\
title = \"tab\\t and \\\"quotes\\\"\"
trusted = ['10.0.0.0/8', '192.168.0.0/16', '172.16.0.0/12', 'fd00::/8', 'fe80::/10', '100.64.0.0/10']
[headers]
mode = 'report'
[labels]
'a.b' = 'x'
[[route]]
path = '/a'
methods = ['GET']
[[route]]
path = '/b'
[route.limits]
head-size = '8 KiB'
";
    let given = Given {
        environment: &[("MANTLET_LISTEN", "127.0.0.1:80")],
        flags: vec![Flag::new("workers", "--workers", 3)],
        ..file(text)
    };
    let loaded = given.load().unwrap();
    let shown = loaded.show();
    assert_eq!(shown, EXPECTED);
    let again = file(&shown).load().unwrap();
    assert_eq!(again.config, loaded.config);
}

#[test]
fn show_of_the_default_can_be_loaded_again() {
    let shown = Given::default().load().unwrap().show();
    assert!(shown.lines().filter(|line| line.contains('=')).all(|line| line.ends_with("# default")));
    assert_loads(&file(&shown), |_| {});
}

const EXPECTED: &str = r#"listen = "127.0.0.1:80"         # environment MANTLET_LISTEN
workers = 3                     # flag --workers
rate = "1/s"                    # default
title = "tab\t and \"quotes\""  # mantlet.toml:1
trusted = [                     # mantlet.toml:2
    "10.0.0.0/8",
    "192.168.0.0/16",
    "172.16.0.0/12",
    "fd00::/8",
    "fe80::/10",
    "100.64.0.0/10",
]
ratio = 0.5                     # default
api-token = "none"              # default

[limits]
head-size = "16 KiB"  # default
header-count = 77     # default

[headers]
mode = "report"  # mantlet.toml:4
hsts = false     # default

[headers.content-security-policy]
data = ""  # default
docs = ""  # default

[store.disk]
path = "/var/lib"  # default

[upstream]
kind = "socket"      # default
socket = "/run/app"  # default
retries = 1          # default

[labels]
"a.b" = "x"     # mantlet.toml:6
stage = "test"  # default

[[route]]
path = "/a"        # mantlet.toml:8
mode = "enforce"   # default
methods = ["GET"]  # mantlet.toml:9

[route.limits]
head-size = "16 KiB"  # default
header-count = 100    # default

[[route]]
path = "/b"       # mantlet.toml:11
mode = "enforce"  # default
methods = []      # default

[route.limits]
head-size = "8 KiB"  # mantlet.toml:13
header-count = 100   # default
"#;
