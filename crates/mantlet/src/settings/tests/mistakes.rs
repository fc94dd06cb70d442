//! What is refused, in the words that users read.

use super::*;

#[test]
fn syntax_is_complained_of_by_line_and_column() {
    let rows = [
        ("workers = 1\nworkers = 2", "mantlet.toml:2: the key `workers` occurs twice (column 1)"),
        ("[limits]\n\n[limits]\n", "mantlet.toml:3: the key `limits` occurs twice (column 2)"),
        ("\u{FEFF}title = enforce", "mantlet.toml:1: string values must be quoted (column 9)"),
        (
            "a = é\nb = off\nc = [1, 2\nd = 3\n",
            "mantlet.toml:1: string values must be quoted (column 5)\n\
             mantlet.toml:2: string values must be quoted (column 5)\n\
             mantlet.toml:3: missing comma between array elements, expected `,` (column 10)",
        ),
        ("title = 'a", "mantlet.toml:1: invalid literal string, expected `'` (column 11)"),
    ];
    for (text, expected) in rows {
        assert_mistakes(&file(text), expected);
    }
    // The other layers are judged nevertheless.
    let given = Given { environment: &[("MANTLET_LISTN", "x")], ..file("title = x") };
    assert_eq!(given.load().unwrap_err().len(), 2);
}

#[test]
fn values_that_do_not_fit() {
    let rows = [
        ("workers = 'x'", "workers: expected a whole number, found the text `x`"),
        (
            "workers = '4'",
            "workers: expected a whole number, found the text `4`\n  write it without quotes: `4`",
        ),
        ("workers = 70000", "workers: expected a whole number from 0 to 65535, found the number `70000`"),
        ("workers = -1", "workers: expected a whole number from 0 to 65535, found the number `-1`"),
        ("workers = 1.0", "workers: expected a whole number from 0 to 65535, found the number `1.0`"),
        ("workers = 99999999999999999999", "workers: the number is too large"),
        ("workers = true", "workers: expected a whole number, found `true`"),
        ("workers = []", "workers: expected a whole number, found a list"),
        // A hint is one that would be accepted.
        ("workers = '70000'", "workers: expected a whole number, found the text `70000`"),
        (
            "rate = 100",
            "rate: expected a rate such as `100/s`, found the number `100`\n  write it in quotes: `\"100/s\"`",
        ),
        ("rate = true", "rate: expected a rate such as `100/s`, found `true`"),
        ("trusted = 5", "trusted: expected a list, found the number `5`"),
        ("[workers]", "workers: expected a whole number, found a table"),
        ("ratio = 'x'", "ratio: expected a number, found the text `x`"),
        ("title = 5", "title: expected a text, found the number `5`\n  write it in quotes: `\"5\"`"),
        ("app = true", "app: expected a text, found `true`\n  write it in quotes: `\"true\"`"),
        ("listen = 'x'", "listen: invalid socket address syntax"),
        ("listen = 80", "listen: expected an address such as `127.0.0.1:8000`, found the number `80`"),
        ("trusted = 'a'", "trusted: expected a list, found the text `a`\n  write it as a list: `[\"a\"]`"),
        (
            "trusted = ['a', 5]",
            "trusted[1]: expected a text, found the number `5`\n  write it in quotes: `\"5\"`",
        ),
        ("headers.hsts = 'yes'", "headers.hsts: expected `true` or `false`, found the text `yes`"),
        ("limits = 5", "limits: expected a table, found the number `5`"),
        ("limits = []", "limits: expected a table, found a list"),
        ("limits = ['1 KiB', 5]", "limits: expected a table, found a list"),
        (
            "limits.head-size = 'lots'",
            "limits.head-size: expected a size such as `16 KiB`, found the text `lots`",
        ),
        (
            "headers.mode = 'enfore'",
            "headers.mode: `enfore` is not one of `enforce`, `report`, `off`\n  did you mean `enforce`?",
        ),
        ("headers.mode = 'x'", "headers.mode: `x` is not one of `enforce`, `report`, `off`"),
        ("headers.mode = true", "headers.mode: expected one of `enforce`, `report`, `off`, found `true`"),
        ("store = 'redis'", "store: `redis` needs a value, written as `{ redis = … }`"),
        ("store.memory = 1", "store: `memory` takes no value, it is written as `\"memory\"`"),
        (
            "store = { redis = 1 }",
            "store.redis: expected a text, found the number `1`\n  write it in quotes: `\"1\"`",
        ),
        (
            "store = { disk = { path = 'a' }, redis = 'b' }",
            "store: expected one of `memory`, `disk`, `redis`, found a table",
        ),
        (
            "upstream.kind = 'prt'",
            "upstream.kind: `prt` is not one of `socket`, `port`\n  did you mean `port`?",
        ),
        (
            "[route]\npath = '/'",
            "route: expected a list, found a table\n  each item of a list of tables begins with its name in `[[…]]`",
        ),
        ("[[route]]\nmode = 'off'", "route[0].path: missing key `path`"),
        (
            "title = '''a\nb'''\nworkers = 1\n[labels]\n\"a.b\" = 1",
            "@5: labels.\"a.b\": expected a text, found the number `1`\n  write it in quotes: `\"1\"`",
        ),
    ];
    for (text, expected) in rows {
        let (line, expected) = match expected.strip_prefix('@') {
            Some(rest) => rest.split_once(": ").unwrap(),
            None => ("1", expected),
        };
        assert_mistakes(&file(text), &format!("mantlet.toml:{line}: {expected}"));
    }
}

#[test]
fn unknown_keys() {
    let rows = [
        ("heders = 1", "heders: unknown key `heders`\n  did you mean `headers`?"),
        ("headers.mod = 'off'", "headers.mod: unknown key `mod`\n  did you mean `mode`?"),
        ("limits.head_size = 1", "limits.head_size: unknown key `head_size`\n  did you mean `head-size`?"),
        ("limits.headSize = 1", "limits.headSize: unknown key `headSize`\n  did you mean `head-size`?"),
        (
            "limits.idle-timout = 1",
            "limits.idle-timout: unknown key `idle-timout`\n  did you mean `idle-timeout`?",
        ),
        ("head-size = 1", "head-size: unknown key `head-size`\n  `head-size` belongs under `[limits]`"),
        (
            "limits_head_size = 1",
            "limits_head_size: unknown key `limits_head_size`\n  did you mean `limits.head-size`?",
        ),
        (
            "limits.listen = 1",
            "limits.listen: unknown key `listen`\n  `listen` belongs at the top of the file, before the first `[…]`",
        ),
        (
            "limits.zzz = 1",
            "limits.zzz: unknown key `zzz`\n  known keys: `head-size`, `header-count`, `idle-timeout`",
        ),
        (
            "[tool.mantlet]\nworkers = 1",
            "tool: unknown key `tool`\n  here the keys stand without `[tool.mantlet]`",
        ),
        (
            "'a b' = 1",
            "\"a b\": unknown key `a b`\n  known keys: `listen`, `workers`, `rate`, `app`, `name`, `title`, `trusted`, `ratio`, `api-token`, `admin-password`, `limits`, `headers`, `store`, `upstream`, `labels`, `route`",
        ),
        ("upstream.sockets = ''", "upstream.sockets: unknown key `sockets`\n  did you mean `socket`?"),
        (
            "[[route]]\npath = '/'\nmethod = []",
            "@3: route[0].method: unknown key `method`\n  did you mean `methods`?",
        ),
    ];
    for (text, expected) in rows {
        let (line, expected) = match expected.strip_prefix('@') {
            Some(rest) => rest.split_once(": ").unwrap(),
            None => ("1", expected),
        };
        assert_mistakes(&file(text), &format!("mantlet.toml:{line}: {expected}"));
    }
    let python = Given { pyproject: Some("[tool.mantlet]\nhead-size = 1"), ..Given::default() };
    let expected = "pyproject.toml:2: head-size: unknown key `head-size`\n  \
                    `head-size` belongs under `[tool.mantlet.limits]`";
    assert_mistakes(&python, expected);
}

#[test]
fn variables_that_do_not_fit() {
    let rows = [
        ("LISTN", "x", "listn: unknown key `listn`\n  did you mean `MANTLET_LISTEN`?"),
        (
            "LIMITS_HEAD_SIZE",
            "1",
            "limits-head-size: unknown key `limits-head-size`\n  did you mean `MANTLET_LIMITS__HEAD_SIZE`?",
        ),
        ("HEAD_SIZE", "1", "head-size: unknown key `head-size`\n  did you mean `MANTLET_LIMITS__HEAD_SIZE`?"),
        ("LIMIT__HEAD_SIZE", "1", "limit: unknown key `limit`\n  did you mean `MANTLET_LIMITS__HEAD_SIZE`?"),
        (
            "LIMITS__HED_SIZE",
            "1",
            "limits.hed-size: unknown key `hed-size`\n  did you mean `MANTLET_LIMITS__HEAD_SIZE`?",
        ),
        ("Listen", "x", "the name of a variable must be in capitals\n  did you mean `MANTLET_LISTEN`?"),
        (
            "LIMITS___HEAD_SIZE",
            "1",
            "this is not the name of a key\n  `__` separates two levels of a key, and `_` stands for `-`, \
             as in `MANTLET_LIMITS__HEAD_SIZE` for `limits.head-size`",
        ),
        (
            "LIMITS__HEAD_SIZE",
            "lots",
            "limits.head-size: expected a size such as `16 KiB`, found the text `lots`",
        ),
        ("LIMITS__HEAD_SIZE", "true", "limits.head-size: expected a size such as `16 KiB`, found `true`"),
        ("RATE", "100", "rate: expected a rate such as `100/s`, found the number `100`\n  write `100/s`"),
        (
            "STRICT",
            "1",
            "this is not the name of a setting\n  did you mean `MANTLET_CONTRACT__POSTURE=strict`?",
        ),
        ("WORKERS", "many", "workers: expected a whole number, found the text `many`"),
        ("WORKERS", "", "workers: expected a whole number, found an empty text"),
        ("WORKERS", "true", "workers: expected a whole number, found `true`"),
        ("LISTEN", "8000", "listen: expected an address such as `127.0.0.1:8000`, found the number `8000`"),
        ("LIMITS", "5", "limits: expected a table, found the number `5`"),
        ("LISTEN__PORT", "5", "listen: expected an address such as `127.0.0.1:8000`, found a table"),
        (
            "TRUSTED",
            "10.0.0.0/8",
            "trusted: expected a list, found the text `10.0.0.0/8`\n  write it as a list: `[\"10.0.0.0/8\"]`",
        ),
        ("TRUSTED", "[1, 'a']", "trusted[0]: expected a text, found the number `1`"),
        (
            "ROUTE__0__PATH",
            "/",
            "route: `route` is a list, and a variable cannot reach into a list\n  \
             set the whole of `route`, or set it in the file",
        ),
    ];
    for (name, value, expected) in rows {
        let name = format!("MANTLET_{name}");
        let expected = format!("environment {name}: {expected}");
        assert_mistakes(&variables(&[(&name, value)]), &expected);
    }
    let flags = vec![Flag::new("workers", "--workers", "x"), Flag::new("limit.x", "--limit", 1)];
    assert_mistakes(
        &Given { flags, ..Given::default() },
        "flag --limit: limit: unknown key `limit`\n  did you mean `limits`?\n\
         flag --workers: workers: expected a whole number, found the text `x`",
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "\
listen = '0.0.0.0:8443'
workers = 'four'
heders = {}

[headers]
hsts = true
mod = 'report'
[limits]
head-size = 'lots'

[[route]]
path = '/a'
[[route]]
path = 5
mode = 'enfore'
[[route]]
mode = 'no'
[[route]]
path = '/b'
limits = { header-count = -1 }
";
    let given = Given {
        environment: &[
            ("MANTLET_LIMITS__IDLE_TIMEOUT", "soon"),
            ("MANTLET_WORKERS", "many"),
            ("MANTLET_LIMIT__A", "1"),
            ("MANTLET_LIMIT__B", "2"),
        ],
        flags: vec![Flag::new("title", "--title", 1)],
        ..file(text)
    };
    assert_mistakes(
        &given,
        "\
mantlet.toml:2: workers: expected a whole number, found the text `four`
mantlet.toml:3: heders: unknown key `heders`
  did you mean `headers`?
mantlet.toml:7: headers.mod: unknown key `mod`
  did you mean `mode`?
mantlet.toml:9: limits.head-size: expected a size such as `16 KiB`, found the text `lots`
mantlet.toml:14: route[1].path: expected a text, found the number `5`
  write it in quotes: `\"5\"`
mantlet.toml:15: route[1].mode: `enfore` is not one of `enforce`, `report`, `off`
  did you mean `enforce`?
mantlet.toml:17: route[2].mode: `no` is not one of `enforce`, `report`, `off`
mantlet.toml:20: route[3].limits.header-count: expected a whole number from 0 to 4294967295, found the number `-1`
environment MANTLET_LIMITS__IDLE_TIMEOUT: limits.idle-timeout: expected a size such as `16 KiB`, found the text `soon`
environment MANTLET_LIMIT__A: limit: unknown key `limit`
  did you mean `MANTLET_LIMITS__A`?
environment MANTLET_LIMIT__B: limit: unknown key `limit`
  did you mean `MANTLET_LIMITS__B`?
environment MANTLET_WORKERS: workers: expected a whole number, found the text `many`
flag --title: title: expected a text, found the number `1`
",
    );
    assert_eq!(given.load().unwrap_err().len(), 13);
}

/// What most likely was meant is in force when the rest is judged, so that the rest is judged too.
#[test]
fn what_is_left_can_be_judged() {
    let given = Given {
        environment: &[("MANTLET_RATE", "7")],
        ..file("workers = '3'\nratio = 'x'\ntrusted = [1, 'b', {}, 'c']\nheders = 1\n")
    };
    let (loaded, mistakes) = given.read();
    assert_eq!(mistakes.len(), 6, "{mistakes:?}");
    let Loaded { config, origins, .. } = loaded.expect("a configuration");
    assert_eq!((config.workers, config.rate, config.ratio), (3, Rate("7/s".into()), Sample::default().ratio));
    assert_eq!(config.trusted, ["1", "b", "c"]);
    // Its third item is the fourth that was written.
    assert_eq!(origins.locate("trusted[2]", "not a network", None).key, "trusted[3]");
    assert!(origins.is_set("workers") && !origins.is_set("ratio") && !origins.is_set("title"));
}

#[test]
fn an_older_name_is_the_same_key() {
    assert_loads(&file("name = 'x'"), |s| s.title = "x".to_owned());
    let expected = "mantlet.toml:2: title: `title` is given twice, once under an older name";
    assert_mistakes(&file("name = 'x'\ntitle = 'y'"), expected);
}

#[test]
fn a_value_that_hides_a_table_is_told() {
    let given = Given {
        environment: &[("MANTLET_LIMITS__HEADER_COUNT", "1"), ("MANTLET_LABELS", "{ a = 'b' }")],
        ..file("limits = 5\nlabels = 'x'\n")
    };
    assert_mistakes(
        &given,
        "mantlet.toml:1: limits: expected a table, found the number `5`\n\
         mantlet.toml:2: labels: expected a table, found the text `x`",
    );
    let choice = Given { environment: &[("MANTLET_STORE__REDIS", "x")], ..file("store = 'memory'") };
    assert_loads(&choice, |s| s.store = Store::Redis("x".to_owned()));
}

#[test]
fn there_is_an_end_to_mistakes() {
    let lines: Vec<String> = (0..300).map(|index| format!("unknown-{index} = 1")).collect();
    assert_eq!(file(&lines.join("\n")).load().unwrap_err().len(), 100);
}

#[test]
fn secrets_are_not_repeated() {
    let rows = [
        "api-token = 31337hunter2",
        "api-token = 31337",
        "api-token = ['31337']",
        "admin-password = '31337hunter'",
        "admin-password = 31337",
        "[headers]\nsecret-key = '31337'",
        "[secrets]\ndatabase = '31337'",
        "[[route]]\npath = '/'\npassword = '31337'",
        "[upstream]\nkind = 'port'\nport = 1\npassword = 31337",
    ];
    for text in rows {
        let mistakes = file(text).load().unwrap_err().to_string();
        assert!(!mistakes.contains("31337"), "{text}\n{mistakes}");
    }
    let port = "[upstream]\nkind = 'port'\nport = 1\n";
    assert_mistakes(&file(&format!("{port}password = 13")), "mantlet.toml:1: upstream: expected a text");
    let environment = [("MANTLET_ADMIN_PASSWORD", "31337hunter")];
    let mistakes = variables(&environment).load().unwrap_err().to_string();
    let expected =
        "environment MANTLET_ADMIN_PASSWORD: admin-password: this value does not fit (it is not shown)";
    assert_eq!(mistakes, expected);

    let given = file("api-token = '31337'\nadmin-password = 'env:ADMIN'\n");
    let shown = given.load().unwrap().show();
    assert!(!shown.contains("31337"), "{shown}");
    assert!(shown.contains("# api-token = (not shown)"), "{shown}");
    assert!(shown.contains("admin-password = \"env:ADMIN\""), "{shown}");
}

#[test]
fn a_callers_findings_say_where() {
    let text = "[[route]]\npath = '/'\n[[route]]\n\npath = 'x'\n";
    let loaded = file(text).load().unwrap();
    let found = vec![
        loaded.origins.locate("route[1].path", "must begin with `/`", Some("`/x`".to_owned())),
        loaded.origins.locate("route[0].methods", "must not be empty", None),
        loaded.origins.locate("limits.head-size", "must not be 0", None),
    ];
    assert_eq!(
        Mistakes::from(found).to_string(),
        "limits.head-size: must not be 0\n\
         mantlet.toml:1: route[0].methods: must not be empty\n\
         mantlet.toml:5: route[1].path: must begin with `/`\n  `/x`"
    );
}
