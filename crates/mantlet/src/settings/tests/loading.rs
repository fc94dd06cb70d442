//! What is loaded, and from where.

use super::*;

#[test]
fn nothing_given_is_the_default() {
    let loaded = assert_loads(&Given::default(), |_| {});
    assert_eq!(loaded.file, None);
    assert!(loaded.notes.is_empty());
    for text in ["", "\n", "# only a comment", "\u{FEFF}"] {
        let loaded = assert_loads(&file(text), |_| {});
        assert!(loaded.file.is_some_and(|path| path.ends_with("mantlet.toml")), "{text:?}");
    }
}

#[test]
fn each_layer_overrides_the_former_key_by_key() {
    let text = "listen = '127.0.0.1:1'\nworkers = 3\ntitle = 'file'\n[limits]\nhead-size = '1 KiB'\n";
    let given = Given {
        environment: &[("MANTLET_WORKERS", "4"), ("MANTLET_TITLE", "environment"), ("HOME", "/x")],
        flags: vec![Flag::new("title", "--title", "flag"), Flag::new("limits.header-count", "--n", 9)],
        ..file(text)
    };
    let loaded = assert_loads(&given, |sample| {
        sample.listen = ([127, 0, 0, 1], 1).into();
        sample.workers = 4;
        sample.title = "flag".to_owned();
        sample.limits = Limits { head_size: Size(1), header_count: 9, idle_timeout: None };
    });
    let origins = [
        ("listen", origin_in("mantlet.toml", 1)),
        ("workers", Origin::Environment("MANTLET_WORKERS".to_owned())),
        ("title", Origin::Flag("--title".to_owned())),
        ("limits.head-size", origin_in("mantlet.toml", 5)),
        ("limits.header-count", Origin::Flag("--n".to_owned())),
        ("limits.not-there", origin_in("mantlet.toml", 4)),
        ("ratio", Origin::Default),
        ("trusted[0]", Origin::Default),
    ];
    for (key, origin) in origins {
        assert_eq!(loaded.origins.of(key), origin, "{key}");
    }
}

#[test]
fn what_a_file_leaves_out_of_a_table_keeps_its_default() {
    assert_loads(&file("[limits]\nhead-size = '4 KiB'\n"), |s| s.limits.head_size = Size(4));
    assert_loads(&file("labels.owner = 'me'"), |s| {
        s.labels.insert("owner".to_owned(), "me".to_owned());
    });
    assert_loads(&file("trusted = ['::1/128']"), |s| s.trusted = vec!["::1/128".to_owned()]);
}

#[test]
fn a_default_choice_gives_way_to_another() {
    let redis = Store::Redis("redis://x".to_owned());
    assert_loads(&file("store = 'memory'"), |s| s.store = Store::Memory);
    assert_loads(&file("store.redis = 'redis://x'"), |s| s.store = redis);
    assert_loads(&file("[store.disk]\npath = '/x'"), |s| {
        s.store = Store::Disk { path: "/x".to_owned() };
    });
    assert_loads(&file("[upstream]\nkind = 'port'\nport = 1"), |s| {
        s.upstream = Upstream::Port { port: 1, password: None };
    });
    assert_loads(&file("upstream.retries = 3"), |s| {
        s.upstream = Upstream::Socket { socket: "/run/app".to_owned(), retries: 3 };
    });
}

#[test]
fn variables_are_toml_or_else_text() {
    type Change = fn(&mut Sample);
    let rows: &[(&str, &str, Change)] = &[
        ("MANTLET_LISTEN", "127.0.0.1:80", |s| s.listen = ([127, 0, 0, 1], 80).into()),
        ("MANTLET_WORKERS", "7", |s| s.workers = 7),
        ("MANTLET_WORKERS", " 7 ", |s| s.workers = 7),
        ("MANTLET_TITLE", "123", |s| s.title = "123".to_owned()),
        ("MANTLET_TITLE", "1e5", |s| s.title = "1e5".to_owned()),
        ("MANTLET_TITLE", "007", |s| s.title = "007".to_owned()),
        ("MANTLET_TITLE", "true", |s| s.title = "true".to_owned()),
        ("MANTLET_TITLE", "2024-01-01", |s| s.title = "2024-01-01".to_owned()),
        ("MANTLET_TITLE", "[a]", |s| s.title = "[a]".to_owned()),
        ("MANTLET_TITLE", "['a', 1]", |s| s.title = "['a', 1]".to_owned()),
        ("MANTLET_TITLE", "{ a = 1 }", |s| s.title = "{ a = 1 }".to_owned()),
        ("MANTLET_TITLE", "\"quoted\"", |s| s.title = "quoted".to_owned()),
        ("MANTLET_TITLE", "", |s| s.title = String::new()),
        ("MANTLET_APP", "12", |s| s.app = Some("12".to_owned())),
        ("MANTLET_RATIO", "1", |s| s.ratio = 1.0),
        ("MANTLET_TRUSTED", "[\"a\", 'b']", |s| s.trusted = vec!["a".into(), "b".into()]),
        ("MANTLET_HEADERS__HSTS", "true", |s| s.headers.hsts = true),
        ("MANTLET_HEADERS__MODE", "off", |s| s.headers.mode = Mode::Off),
        ("MANTLET_HEADERS", "{ mode = 'off' }", |s| s.headers.mode = Mode::Off),
        ("MANTLET_LABELS__STAGE", "5", |s| s.labels = [("stage".into(), "5".into())].into()),
        ("MANTLET_STORE", "memory", |s| s.store = Store::Memory),
        ("MANTLET_HEADERS__CONTENT_SECURITY_POLICY__DOCS", "default-src 'self'", |s| {
            s.headers.content_security_policy.docs = "default-src 'self'".to_owned();
        }),
        ("MANTLET_ROUTE", "[{ path = '/x' }]", |s| {
            s.route = vec![Route {
                path: "/x".to_owned(),
                mode: Mode::Enforce,
                methods: Vec::new(),
                limits: Limits::default(),
            }];
        }),
        ("MANTLET_CONFIG", "ignored", |_| {}),
    ];
    for (name, value, change) in rows {
        let loaded = assert_loads(&variables(&[(name, value)]), change);
        assert!(loaded.notes.is_empty());
    }
}

#[test]
fn of_a_table_and_its_key_in_variables_the_key_wins() {
    let pairs = [("MANTLET_HEADERS__MODE", "off"), ("MANTLET_HEADERS", "{mode='report',hsts=true}")];
    assert_loads(&variables(&pairs), |s| {
        s.headers.mode = Mode::Off;
        s.headers.hsts = true;
    });
}

#[test]
fn variables_of_kubernetes_are_none_of_ours() {
    let pairs = [
        ("MANTLET_SERVICE_HOST", "10.0.0.1"),
        ("MANTLET_SERVICE_PORT", "80"),
        ("MANTLET_SERVICE_PORT_HTTP", "80"),
        ("MANTLET_PORT", "tcp://10.0.0.1:80"),
        ("MANTLET_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("MANTLET_ADMIN_PORT_80_TCP_ADDR", "10.0.0.1"),
    ];
    let loaded = assert_loads(&variables(&pairs), |_| {});
    assert_eq!(loaded.notes.len(), 1);
    assert!(loaded.notes[0].starts_with("6 variables that Kubernetes sets"), "{:?}", loaded.notes);
}

#[test]
fn one_file_counts() {
    let own = b"title = 'own'".as_slice();
    let python = "[project]\nname = 'x'\n[tool.mantlet]\ntitle = 'python'\n";
    let set = |title: &str| {
        let title = title.to_owned();
        move |sample: &mut Sample| sample.title = title
    };

    let both = Given { own: Some(own), pyproject: Some(python), ..Given::default() };
    let loaded = assert_loads(&both, set("own"));
    let note = "`[tool.mantlet]` in pyproject.toml is ignored, because there is mantlet.toml";
    assert_eq!(loaded.notes, [note]);

    let loaded = assert_loads(&Given { own: None, ..both }, set("python"));
    assert_eq!(loaded.origins.of("title"), origin_in("pyproject.toml", 4));
    assert!(loaded.file.is_some_and(|path| path.ends_with("pyproject.toml")));

    let explicit = Some(("other.toml", "title = 'other'"));
    let all = Given { own: Some(own), pyproject: Some(python), explicit, ..Given::default() };
    assert!(assert_loads(&all, set("other")).notes.is_empty());

    let explicit = Some(("pyproject.toml", python));
    assert_loads(&Given { explicit, ..Given::default() }, set("python"));

    let foreign = Given { pyproject: Some("[project]\nname = 'x'\n"), ..Given::default() };
    let loaded = assert_loads(&foreign, |_| {});
    assert_eq!((loaded.file, loaded.notes.len()), (None, 0));

    let broken = Given { pyproject: Some("[project\n"), ..Given::default() };
    assert_eq!(assert_loads(&broken, |_| {}).notes.len(), 1);
}

/// What no setting resembles is another program's, or of another version: it must not keep a gate
/// from starting.
#[test]
fn variables_of_others_are_named_and_passed_over() {
    let others = [
        ("MANTLET_IMAGE_TAG", "v1"),
        ("MANTLET_VERSION", "2"),
        ("MANTLET_ENV", "live"),
        ("MANTLET_HOME", "/x"),
    ];
    let loaded = assert_loads(&variables(&others), |_| {});
    assert_eq!(
        loaded.notes,
        [
            "`MANTLET_ENV`, `MANTLET_HOME`, `MANTLET_IMAGE_TAG`, `MANTLET_VERSION` are not settings and are not used"
        ]
    );
    assert!(loaded.own_variables.is_empty(), "they are handed on: {:?}", loaded.own_variables);
}

#[test]
fn it_is_known_which_variables_are_ours_and_which_are_named() {
    let environment = [
        ("MANTLET_WORKERS", "3"),
        ("MANTLET_CONFIG", "ignored"),
        ("MANTLET_PASSWORD", "a secret of ours, by the name that the file gives it"),
        ("MANTLET_IMAGE_TAG", "v1"),
        ("DATABASE", "the app's own, too"),
    ];
    let given = Given {
        environment: &environment,
        ..file("admin-password = 'env:MANTLET_PASSWORD'\ntitle = 'env:DATABASE'\n[[route]]\npath = 'env:X'\n")
    };
    let loaded = given.load().unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(loaded.own_variables, ["MANTLET_CONFIG", "MANTLET_PASSWORD", "MANTLET_WORKERS"]);
    let mut referenced = loaded.referenced;
    referenced.sort_unstable();
    assert_eq!(referenced, ["DATABASE", "MANTLET_PASSWORD", "X"]);
}

#[test]
fn what_other_programs_are_told_ranks_lowest() {
    let adopted =
        vec![Adopted::new("WEB_CONCURRENCY", "workers", 7), Adopted::new("PORT", "listen", "127.0.0.1:1")];
    let given = Given { adopted, ..file("workers = 3\n") };
    let loaded = assert_loads(&given, |sample| {
        sample.workers = 3;
        sample.listen = ([127, 0, 0, 1], 1).into();
    });
    assert_eq!(loaded.origins.of("listen"), Origin::Environment("PORT".to_owned()));
    assert_eq!(loaded.origins.of("workers"), origin_in("mantlet.toml", 1));
}
