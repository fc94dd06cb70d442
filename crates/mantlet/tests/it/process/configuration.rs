//! `mantlet config`, `--help`, and mistakes in the file.

use crate::kit::command::{THREE_LINES, Typed};

const MISTAKEN: &str = "\
listen = \"127.0.0.1:0\"

[limits]
head-sise = \"8 KiB\"
body-rate = \"fast\"

[headers]
mode = \"enforced\"
";

const MISTAKES: &str = "
  mantlet.toml:4: limits.head-sise: unknown key `head-sise`
    did you mean `head-size`?
  mantlet.toml:5: limits.body-rate: expected a size such as `16 KiB`, found the text `fast`
  mantlet.toml:8: headers.mode: `enforced` is not one of `enforce`, `report`, `off`
    did you mean `enforce`?
";

#[test]
fn all_mistakes_are_reported_at_once_and_nothing_is_started() {
    let says = |consequence: &str| {
        format!("mantlet: error: 3 mistakes in the configuration; {consequence}{MISTAKES}")
    };
    for (arguments, consequence) in [
        (&["run"][..], "nothing was started"),
        (&["serve", "--upstream", "http://127.0.0.1:9"], "nothing was started"),
        (&["config", "check"], "it cannot be used"),
        (&["config", "show"], "it cannot be used"),
    ] {
        // The app would leave a file behind.
        let finished = Typed::mantlet(arguments)
            .file("mantlet.toml", MISTAKEN)
            .file("main.py", &format!("open('started', 'w')\n{THREE_LINES}"))
            .finish();
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert_eq!(finished.stderr + "\n", says(consequence), "{arguments:?}");
        let mut left: Vec<_> =
            finished.folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort_unstable();
        assert_eq!(left, ["main.py", "mantlet.toml"], "{arguments:?}");
    }
}

/// A value that fits its type may still make no sense.
#[test]
fn mistakes_of_sense_have_their_place_too() {
    let finished = Typed::mantlet(["config", "check"])
        .file(
            "mantlet.toml",
            "[client]\ntrusted = [\"10.0.0.0/8\", \"everybody\"]\n\n[[route]]\npath = \"admin\"\n",
        )
        .variable("MANTLET_LIMITS__HEAD_SIZE", "10")
        .finish();
    assert_eq!(
        finished.stderr,
        "mantlet: error: 3 mistakes in the configuration; it cannot be used
  mantlet.toml:2: client.trusted[1]: `everybody` is not a network
    write `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`, `loopback` or `private`
  mantlet.toml:5: route[0].path: `admin` has no leading `/`
    write `/admin`
  environment MANTLET_LIMITS__HEAD_SIZE: limits.head-size: `10 B` is outside 1 KiB to 256 KiB"
    );
    assert_eq!(finished.code, Some(2));
}

#[test]
fn show_tells_each_value_and_where_it_came_from() {
    let shown = |typed: Typed| {
        let finished = typed.finish();
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
        finished.stdout
    };
    let check = |stdout: &str, lines: &[(&str, &str, &str)]| {
        for (key, value, origin) in lines {
            let line = stdout.lines().find(|line| line.starts_with(&format!("{key} = ")));
            let told = line.and_then(|line| line.split_once(" = ")?.1.split_once("  # "));
            let (told, from) = told.unwrap_or_else(|| panic!("no line for {key} in\n{stdout}"));
            assert_eq!((told.trim_end(), from), (*value, *origin), "{key}");
        }
    };

    let file = "listen = \":9000\"\n[limits]\nhead-size = \"8KiB\"\nheader-count = 20\n";
    let typed = Typed::mantlet(["config", "show"]).file("mantlet.toml", file);
    let stdout = shown(
        typed.variable("MANTLET_LIMITS__HEADER_COUNT", "50").variable("MANTLET_HEADERS__NO_STORE", "false"),
    );
    check(
        &stdout,
        &[
            ("listen", "\":9000\"", "mantlet.toml:1"),
            ("head-size", "\"8 KiB\"", "mantlet.toml:3"),
            ("header-count", "50", "environment MANTLET_LIMITS__HEADER_COUNT"),
            ("target-length", "\"60 KiB\"", "default"),
            ("no-store", "false", "environment MANTLET_HEADERS__NO_STORE"),
            ("report-only", "false", "default"),
        ],
    );
    // What is shown can be loaded again, and means the same.
    let values = |stdout: &str| toml::from_str::<toml::Table>(stdout).expect("TOML");
    let again = shown(Typed::mantlet(["config", "show"]).file("mantlet.toml", &stdout));
    assert_eq!(values(&stdout), values(&again));

    let project = "[project]\nname = \"shop\"\n\n[tool.mantlet]\nlisten = \":9000\"\n";
    let stdout = shown(Typed::mantlet(["config", "show"]).file("pyproject.toml", project));
    check(&stdout, &[("listen", "\":9000\"", "pyproject.toml:5")]);
}

#[test]
fn check_says_what_it_looked_at() {
    let finished = Typed::mantlet(["config", "check"]).finish();
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (Some(0), "the configuration is valid (no file, the defaults)")
    );

    let typed = Typed::mantlet(["config", "check", "--config", "other.toml"]);
    let finished = typed.file("other.toml", "threads = 2\n").file("mantlet.toml", "thread = 2\n").finish();
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (Some(0), "the configuration is valid (other.toml)")
    );

    let finished = Typed::mantlet(["config", "check", "--config", "none.toml"]).finish();
    assert_eq!(
        (finished.code, finished.stderr.as_str()),
        (
            Some(2),
            "mantlet: error: 1 mistake in the configuration; it cannot be used\n  there is no file `none.toml`"
        )
    );
}

#[test]
fn a_file_that_is_passed_over_is_mentioned() {
    let finished = Typed::mantlet(["config", "check"])
        .file("mantlet.toml", "threads = 2\n")
        .file("pyproject.toml", "[tool.mantlet]\nthreads = 3\n")
        .finish();
    let note = "mantlet: note: `[tool.mantlet]` in pyproject.toml is ignored, because there is mantlet.toml";
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), note));
}

#[test]
fn help_and_version() {
    let output = |arguments: &[&str]| {
        let finished = Typed::mantlet(arguments).finish();
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        finished.stdout
    };
    assert_eq!(output(&["--version"]), concat!("mantlet ", env!("CARGO_PKG_VERSION")));
    let help = output(&["--help"]);
    for expected in [
        "\n  run        Start an app and stand in front of it\n",
        "\n  serve      Stand in front of an app that runs elsewhere\n",
        "\n  contract   Print what an app accepts and returns, as JSON\n",
        "\n  throttles  List the sensitive operations of an app and their limits\n",
        "\n  config     Show or check the configuration\n",
        "Start here: `mantlet run main:app`",
    ] {
        assert!(help.contains(expected), "{expected:?} in\n{help}");
    }
    for (command, expected) in [
        ("run", "mantlet run -- hypercorn main:app --bind 127.0.0.1:{port}"),
        ("serve", "mantlet serve --upstream unix:/run/app/app.sock --listen 0.0.0.0:8000"),
        ("contract", "mantlet contract main:app > contract.json"),
        ("config", "Check the configuration and report all mistakes"),
    ] {
        assert!(output(&[command, "--help"]).contains(expected), "{command}");
    }
}

#[test]
fn show_tells_what_rules_count_by() {
    let rule = "[[throttle.rule]]\nname = \"search\"\nkey = [\"user\"]\nrate = \"5/s\"\n";
    let quota = "[[throttle.quota]]\nname = \"plan\"\nkey = [\"api-key\"]\nday = 5\n";
    let said = Typed::mantlet(["config", "show"]).file("mantlet.toml", &format!("{rule}{quota}")).finish();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(!said.stdout.contains("not shown"), "{}", said.stdout);
    assert!(said.stdout.contains("key = [\"user\"]") && said.stdout.contains("key = [\"api-key\"]"));
}

/// A mistake of form hides none of sense, and no hint is given that would not be taken.
#[test]
fn mistakes_of_form_and_of_sense_are_told_at_once() {
    let file = "\
listen = 8000

[throttle]
rate = 100

[limits]
head-sise = \"8 KiB\"
header-count = 5

[client]
trusted = [5, \"everybody\"]

[tls]
certificate = \"cert.pem\"
key = true
";
    let typed = Typed::mantlet(["run"]).file("mantlet.toml", file).file("main.py", THREE_LINES);
    let finished = typed.variable("MANTLET_APP__MAX_CONCURRENT", "0").finish();
    assert_eq!(
        finished.stderr,
        "mantlet: error: 8 mistakes in the configuration; nothing was started
  mantlet.toml:1: listen: expected a text, found the number `8000`
    `8000` is not an address; write `127.0.0.1:8000`, `[::]:8000` or `unix:PATH`
  mantlet.toml:4: throttle.rate: expected `auto` or a rate such as `100/s`, found the number `100`
    write it in quotes: `\"100/s\"`
  mantlet.toml:7: limits.head-sise: unknown key `head-sise`
    did you mean `head-size`?
  mantlet.toml:8: limits.header-count: `5` is outside 10 to 1000
  mantlet.toml:11: client.trusted[0]: expected a text, found the number `5`
    `5` is not a network; write `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`, `loopback` or `private`
  mantlet.toml:11: client.trusted[1]: `everybody` is not a network
    write `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`, `loopback` or `private`
  mantlet.toml:15: tls.key: expected a text
  environment MANTLET_APP__MAX_CONCURRENT: app.max-concurrent: `0` would refuse every request"
    );
    assert_eq!(finished.code, Some(2));
}

/// Nothing is made for a configuration that is not used.
#[test]
fn a_configuration_with_mistakes_leaves_nothing_behind() {
    let file = "tls.dev = true\n[csrf.token]\nsession-cookies = [\"sid\"]\n[limits]\nhead-sise = 1\n";
    let finished = Typed::mantlet(["config", "check"]).file("mantlet.toml", file).finish();
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(!finished.folder.path().join(".mantlet").exists());
}

/// What no setting resembles is another program's; what one resembles is a slip.
#[test]
fn variables_of_other_programs_do_not_stop_it() {
    let typed = |name: &str| Typed::mantlet(["config", "check"]).variable(name, "x");
    let finished = typed("MANTLET_IMAGE_TAG").finish();
    let note = "mantlet: note: `MANTLET_IMAGE_TAG` is not a setting and is not used";
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), note));
    for (name, meant) in [
        ("MANTLET_REPORTONLY", "MANTLET_REPORT_ONLY"),
        ("MANTLET_STRICT", "MANTLET_CONTRACT__POSTURE=strict"),
        ("MANTLET_TLS_KEY", "MANTLET_TLS__KEY"),
        ("MANTLET_WORKERS", "MANTLET_APP__WORKERS"),
    ] {
        let finished = typed(name).finish();
        assert_eq!(finished.code, Some(2), "{name}: {}", finished.stderr);
        assert!(finished.stderr.contains(&format!("did you mean `{meant}`?")), "{name}: {}", finished.stderr);
    }
}

#[test]
fn a_path_that_no_socket_can_have_is_a_mistake() {
    let long = format!("unix:/tmp/{}", "a".repeat(120));
    for arguments in [
        &["run", "--listen", &long][..],
        &["serve", "--upstream", &long],
        &["serve", "--upstream", "unix:a", "--listen", &long],
    ] {
        let finished = Typed::mantlet(arguments).file("main.py", THREE_LINES).finish();
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        let says = "the path has 125 bytes, but the path of a unix socket has at most 107";
        assert!(finished.stderr.contains(says), "{}", finished.stderr);
    }
}
