//! API keys: made, used and revoked, before the first start and while a gate runs; and apps with keys
//! of their own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::kit::{
    Answer, Client, Gateway, Setup, Upstream,
    app::apps,
    clock::Clock,
    command::{Finished, Typed},
    eventually,
    redis::Redis,
};

const DAY: i64 = 86_400;
const PROD: &str = "environment = \"prod\"\n";
/// Each request needs a key.
const REQUIRED: &str = "environment = \"prod\"\n[api-keys]\nrequired = true\n";

fn upstream() -> Upstream {
    Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
}

fn serve(upstream: &Upstream, state: &Path, config: &str) -> Gateway {
    Setup::serve(&upstream.url()).state(state).config(config).start()
}

/// `mantlet keys` where no Mantlet runs, with this state folder.
fn alone(state: &Path, config: &str, arguments: &[&str]) -> Finished {
    let config = format!("state-folder = {:?}\n{config}", state.to_str().expect("text"));
    Typed::mantlet([&["keys"], arguments].concat()).file("mantlet.toml", &config).finish()
}

/// The key that a command has made: its output, and nothing else.
#[track_caller]
fn key_of(said: &Finished) -> String {
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(said.stdout.lines().count(), 1, "{}", said.stdout);
    assert!(!said.stderr.contains(&said.stdout), "{}", said.stderr);
    assert!(said.stderr.contains("the key is not shown again"), "{}", said.stderr);
    said.stdout.clone()
}

fn create(gate: &Gateway, arguments: &[&str]) -> String {
    key_of(&gate.tell(&[&["keys", "create"], arguments].concat()))
}

/// The third part of a key.
fn id(key: &str) -> &str {
    key.split('_').nth(2).expect("an id")
}

fn ask(gate: &Gateway, key: &str) -> Answer {
    get(gate, "/", &format!("X-API-Key: {key}\r\n"))
}

fn get(gate: &Gateway, target: &str, lines: &str) -> Answer {
    Client::connect(gate.addr()).ask(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"))
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, if answer.status == 200 { String::new() } else { answer.code() })
}

fn refused(reason: &str) -> (u16, String) {
    (401, reason.to_owned())
}

fn file_in(state: &Path) -> PathBuf {
    state.join("keys.jsonl")
}

#[test]
fn a_key_made_before_the_first_start_is_good_from_the_start() {
    let (upstream, folder) = (upstream(), tempfile::tempdir().expect("a folder"));
    let state = folder.path().join("state");
    let key = key_of(&alone(&state, PROD, &["create", "ci", "--scope", "orders:read", "--account", "ann"]));
    assert!(key.starts_with("mk_prod_") && key.len() == 71, "{key}");
    let kept = fs::read_to_string(file_in(&state)).expect("a file");
    assert!(!kept.contains(&key[19..62]), "the key itself is kept nowhere: {kept}");
    let shown = alone(&state, PROD, &["show", &key]);
    for part in ["name          ci", "account       ann", "scopes        orders:read", "last used     -"] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }

    let gate = serve(&upstream, &state, REQUIRED);
    let missing = get(&gate, "/", "");
    assert_eq!(code(&missing), refused("credentials-missing"));
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    assert_eq!(missing.json()["detail"], "Not authenticated");
    let cut = ask(&gate, &key[..key.len() - 3]);
    assert_eq!(code(&cut), refused("api-key-invalid"));
    assert_eq!(
        gate.audit_of(cut.request_id())["subject"],
        "its checksum is wrong: it was mistyped or cut off"
    );
    assert_eq!(
        code(&get(&gate, "/", "X-API-Key: wk_live_of_another_service\r\n")),
        refused("credentials-missing")
    );
    assert!(upstream.seen().is_empty(), "the app has seen none of them");

    for lines in [format!("X-API-Key: {key}\r\n"), format!("Authorization: Bearer {key}\r\n")] {
        let answer = get(&gate, "/", &lines);
        assert_eq!(answer.status, 200, "{lines}");
    }
    let seen = String::from_utf8_lossy(&upstream.seen()).to_ascii_lowercase();
    assert!(seen.matches("get / http/1.1").count() == 2, "{seen}");
    for part in ["x-api-key", "authorization", "mk_prod"] {
        assert!(!seen.contains(part), "the app does not see the key: {seen}");
    }
    let listed = gate.tell(&["keys"]);
    let row = listed.stdout.lines().nth(1).expect("a row");
    assert!(row.starts_with(&format!("{}  ci  ", id(&key))) && row.contains("good until"), "{row}");
    eventually("its use is kept", || {
        fs::read_to_string(file_in(&state)).expect("a file").contains("\"event\":\"used\"").then_some(())
    });
    let audit = gate.end().audit;
    let all = Value::from(audit).to_string();
    assert!(!all.contains("mk_prod") && !all.contains(&key[19..62]), "a record holds no key: {all}");
}

#[test]
fn the_first_key_of_a_machine_says_where_it_is_kept() {
    let listed = Typed::mantlet(["keys"]).finish();
    let folder = listed.folder.path().join(".mantlet");
    let missing = format!("there is no state folder `{}`", folder.display());
    assert_eq!((listed.code, listed.stderr.contains(&missing)), (Some(1), true), "{}", listed.stderr);
    assert!(!folder.exists());
    let made = Typed::mantlet(["keys", "create", "ci"]).finish();
    key_of(&made);
    let home = made.folder.path();
    let file = file_in(&home.join(".mantlet"));
    for part in
        [format!("the new file `{}`", file.display()), format!("start Mantlet in `{}`", home.display())]
    {
        assert!(file.exists() && made.stderr.contains(&part), "{part}: {}", made.stderr);
    }
    let next = Typed::mantlet(["keys", "create", "reports"]).at(home).finish();
    key_of(&next);
    assert!(!next.stderr.contains("new file"), "{}", next.stderr);
}

#[test]
fn a_key_is_revoked_at_once_and_for_good() {
    let (upstream, state) = (upstream(), tempfile::tempdir().expect("a folder"));
    let gate = serve(&upstream, state.path(), PROD);
    // No key was ever made: nothing is judged, and the app sees what was sent.
    assert_eq!(ask(&gate, "mk_prod_h4k2m9qxtc_x").status, 200);
    let [ci, other] = ["ci", "reports"].map(|name| create(&gate, &[name]));
    assert_eq!([ask(&gate, &ci).status, ask(&gate, &other).status, get(&gate, "/", "").status], [200; 3]);
    // One connection goes on as it was.
    let mut kept_open = Client::connect(gate.addr());
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {ci}\r\n\r\n");
    assert_eq!(kept_open.ask(&request).status, 200);
    let said = gate.tell(&["keys", "revoke", &ci]);
    assert_eq!((said.code, &*said.stdout), (Some(0), &*format!("{} (ci) is revoked", id(&ci))));
    assert_eq!(code(&kept_open.ask(&request)), refused("api-key-invalid"));
    let answer = ask(&gate, &ci);
    assert_eq!(code(&answer), refused("api-key-invalid"));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    let record = gate.audit_of(answer.request_id());
    assert_eq!(record["subject"], format!("{} (ci) was revoked", id(&ci)));
    assert_eq!(record["remedy"], "api-keys.mode = \"report\"");
    assert_eq!(ask(&gate, &other).status, 200);
    // Once more does no harm.
    assert_eq!(gate.tell(&["keys", "revoke", id(&ci)]).code, Some(0));
    let events: Vec<_> = gate.audit(5).iter().map(|record| record["security_event"].clone()).collect();
    assert_eq!(events[..2], ["api-key-created", "api-key-created"]);
    assert_eq!(events.iter().filter(|event| **event == "api-key-revoked").count(), 1);
    gate.signal(Signal::KILL);
    gate.wait();
    let gate = serve(&upstream, state.path(), PROD);
    assert_eq!(
        [code(&ask(&gate, &ci)), code(&ask(&gate, &other))],
        [refused("api-key-invalid"), (200, String::new())]
    );
    let listed = gate.tell(&["keys", "list"]);
    assert!(listed.stdout.ends_with("and 1 key revoked or expired; `--all` lists all"), "{}", listed.stdout);
    let all = gate.tell(&["keys", "list", "--all", "--json"]);
    let all: Value = serde_json::from_str(&all.stdout).expect("JSON");
    let states: std::collections::BTreeMap<_, _> = all["keys"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|key| (key["name"].as_str(), &key["state"]))
        .collect();
    assert_eq!((states[&Some("ci")], states[&Some("reports")]), (&json!("revoked"), &json!("good")));
    // A mode and the switch for everything.
    for config in ["[api-keys]\nmode = \"report\"\n", "report-only = true\n"] {
        gate.reload(&format!("{PROD}{config}"));
        eventually("it is only reported", || (ask(&gate, &ci).status == 200).then_some(()));
    }
    gate.reload(&format!("{PROD}[api-keys]\nmode = \"off\"\n"));
    let last = eventually("it is not judged", || {
        let answer = ask(&gate, &other);
        let seen = String::from_utf8_lossy(&upstream.seen()).into_owned();
        seen.contains(&other).then_some(answer)
    });
    assert_eq!(last.status, 200);
}

#[test]
fn a_key_ends_when_its_time_is_over_and_that_is_told_before() {
    let (upstream, state, clock) = (upstream(), tempfile::tempdir().expect("a folder"), Clock::new());
    let gate =
        Setup::serve(&upstream.url()).state(state.path()).config(PROD).variables(clock.variables()).start();
    let [usual, short, for_ever] =
        [&["usual"][..], &["short", "--expires", "2h"], &["for-ever", "--expires", "never"]]
            .map(|arguments| create(&gate, arguments));
    let statuses = || [&usual, &short, &for_ever].map(|key| ask(&gate, key).status);
    assert_eq!(statuses(), [200; 3]);
    clock.set(7_300);
    assert_eq!(statuses(), [200, 401, 200]);
    clock.set(77 * DAY);
    assert_eq!(statuses(), [200, 401, 200]);
    assert_eq!(statuses(), [200, 401, 200]);
    let warned = eventually("it is told", || {
        let records = gate.audit(1);
        records.into_iter().find(|record| record["security_event"] == "api-key-ends-soon")
    });
    assert_eq!(warned["subject"], format!("{} (usual)", id(&usual)));
    let until: Timestamp = warned["until"].as_str().and_then(|text| text.parse().ok()).expect("a time");
    let left = until.duration_since(Timestamp::now()).as_secs() - 90 * DAY;
    assert!(left.abs() < 600, "{left}");
    assert!(gate.stderr().contains("(usual) is in use, and good until"), "{}", gate.stderr());
    let listed = gate.tell(&["keys"]);
    assert!(listed.stderr.contains("`mantlet keys create` with the same name"), "{}", listed.stderr);
    clock.set(90 * DAY + 60);
    assert_eq!(statuses(), [401, 401, 200]);
    let answer = ask(&gate, &usual);
    let record = gate.audit_of(answer.request_id());
    assert_eq!(record["subject"], format!("{} (usual) has expired", id(&usual)));
    let told = gate.end().audit;
    let told = told.iter().filter(|record| record["security_event"] == "api-key-ends-soon").count();
    assert_eq!(told, 1, "once a day");
}

#[test]
fn a_key_of_another_environment_is_refused_and_an_alarm() {
    let (upstream, state, other) =
        (upstream(), tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let of_staging =
        key_of(&alone(other.path(), "environment = \"staging\"\n", &["create", "ci", "--expires", "never"]));
    let of_none = key_of(&alone(other.path(), "", &["create", "ci"]));
    assert!(of_staging.starts_with("mk_staging_") && of_none.starts_with("mk_live_"));
    // Also if the file was copied.
    for copied in [false, true] {
        if copied {
            fs::copy(file_in(other.path()), file_in(state.path())).expect("a copy");
        }
        let gate = serve(&upstream, state.path(), PROD);
        if !copied {
            create(&gate, &["ci"]);
        }
        let answer = ask(&gate, &of_staging);
        assert_eq!(code(&answer), refused("api-key-invalid"), "the client learns no more");
        let record = gate.audit_of(answer.request_id());
        assert_eq!(record["reason"], "api-key-of-another-environment");
        assert_eq!(record["subject"], "it is of `staging`, and this is `prod`");
        assert_eq!(code(&ask(&gate, &of_none)), refused("api-key-invalid"));
        gate.end();
    }
    assert!(upstream.seen().is_empty());
    let listed = alone(state.path(), PROD, &["list"]);
    assert!(listed.stdout.contains("refused here: only for `staging`"), "{}", listed.stdout);
    let note = "2 keys are refused, because `environment` is `prod` here";
    assert!(listed.stderr.contains(note), "{}", listed.stderr);
    let shown = alone(state.path(), PROD, &["show", id(&of_staging)]);
    assert!(shown.stdout.contains("refused here: only for `staging`"), "{}", shown.stdout);
    let shown = alone(state.path(), PROD, &["show", id(&of_staging), "--json"]);
    assert!(shown.stdout.contains("\"state\":\"of-another-environment\""), "{}", shown.stdout);
    let wrong = alone(state.path(), "environment = \"Prod!\"\n", &["list"]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("1 to 16 lower-case letters or digits, such as `prod`"),
        "{}",
        wrong.stderr
    );
}

/// The app with keys of its own, unmodified.
fn weather(config: &str, state: &Path, app_key: &str) -> Gateway {
    let setup = Setup::run("api_key:app").in_folder(&apps().join("identity")).config(config).state(state);
    setup.variables(vec![("APP_KEY", app_key.into())]).start()
}

#[test]
fn an_app_with_keys_of_its_own_goes_on_as_before() {
    let state = tempfile::tempdir().expect("a folder");
    // Keys of ours were made, but none is for this app.
    key_of(&alone(state.path(), PROD, &["create", "ci"]));
    let gate = weather(PROD, state.path(), "");
    let ann = "X-API-Key: wk_live_4fQeU0h2VtB8\r\n";
    for (target, lines, status, says) in [
        ("/weather/Paris", "", 401, "Missing API key"),
        ("/weather/Paris", ann, 200, "\"for\":\"ann\""),
        ("/weather/Paris", "x-api-key: mk_live_4fQeU0h2VtB8\r\n", 403, "Invalid API key"),
        ("/weather/Paris?api_key=wk_live_Jm3ZrT6yPc1x", "", 200, "\"for\":\"bob\""),
        ("/weather/Paris?api_key=guessed", "", 403, "Invalid API key"),
        ("/cities", ann, 200, "London"),
    ] {
        let answer = get(&gate, target, lines);
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!((answer.status, body.contains(says)), (status, true), "{target} {lines}: {body}");
    }
    let recorded: Vec<_> = gate.end().audit.into_iter().map(|one| one["reason"].clone()).collect();
    assert_eq!(recorded, ["api-key-created"], "only what was done before the start");
}

#[test]
fn clients_of_an_app_with_one_key_get_keys_of_their_own() {
    let state = tempfile::tempdir().expect("a folder");
    let config = "environment = \"prod\"\n[api-keys]\nupstream-key = \"env:APP_KEY\"\n";
    let gate = weather(config, state.path(), "wk_live_4fQeU0h2VtB8");
    let key = create(&gate, &["ci"]);
    let of_ann = |target: &str, lines: &str| {
        let answer = get(&gate, target, lines);
        assert_eq!((answer.status, &answer.json()["for"]), (200, &json!("ann")), "{target} {answer:?}");
    };
    of_ann("/weather/Paris", &format!("X-API-Key: {key}\r\n"));
    of_ann("/weather/Paris", &format!("Authorization: Bearer {key}\r\n"));
    of_ann(&format!("/weather/Paris?a=1&api_key={key}"), "");
    // A key of the app's own still is the app's business.
    of_ann("/weather/Paris", "X-API-Key: wk_live_4fQeU0h2VtB8\r\n");
    assert_eq!(get(&gate, "/weather/Paris", "").status, 401);
    gate.tell(&["keys", "revoke", id(&key)]);
    for (target, lines) in [
        ("/weather/Paris".to_owned(), format!("X-API-Key: {key}\r\n")),
        (format!("/weather/Paris?api_key={key}"), String::new()),
    ] {
        assert_eq!(code(&get(&gate, &target, &lines)), refused("api-key-invalid"), "{target}");
    }
    let shown = gate.tell(&["config", "show"]);
    assert!(shown.code != Some(0) || !shown.stdout.contains("wk_live"), "{}", shown.stdout);
    let unset = alone(state.path(), "[api-keys]\nupstream-key = \"wk_live_4fQeU0h2VtB8\"\n", &["list"]);
    assert!(!unset.stderr.contains("wk_live_4fQeU0h2VtB8"), "{}", unset.stderr);
}

#[test]
fn keys_are_required_where_the_configuration_says_so() {
    let (upstream, state) = (upstream(), tempfile::tempdir().expect("a folder"));
    let route = "[[route]]\npath = \"/reports/{id}\"\napi-keys.required = true\n";
    let gate = serve(&upstream, state.path(), &format!("{PROD}{route}"));
    // Also before the first was made.
    assert_eq!(code(&get(&gate, "/reports/1", "")), refused("credentials-missing"));
    assert_eq!(get(&gate, "/", "").status, 200);
    let key = create(&gate, &["ci"]);
    assert_eq!(get(&gate, "/reports/1", &format!("Authorization: Bearer {key}\r\n")).status, 200);
    let answer = get(&gate, "/reports/1", "Authorization: Bearer of-another-kind\r\n");
    assert_eq!(code(&answer), refused("credentials-missing"));
    // A browser's question, which has no credential, is for the app's own CORS.
    let preflight = "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n";
    let asked = Client::connect(gate.addr())
        .ask(format!("OPTIONS /reports/1 HTTP/1.1\r\nHost: localhost\r\n{preflight}\r\n"));
    assert_eq!(asked.status, 200);
    gate.reload(&format!("{REQUIRED}[[route]]\npath = \"/\"\napi-keys.required = false\n"));
    eventually("only the page needs none", || {
        let statuses = ["/", "/reports/1", "/else"].map(|path| get(&gate, path, "").status);
        (statuses == [200, 401, 401]).then_some(())
    });
}

#[test]
fn rules_and_quotas_count_by_the_caller_whichever_of_its_keys_it_shows() {
    let (upstream, state) = (upstream(), tempfile::tempdir().expect("a folder"));
    let config = "[[throttle.quota]]\nname = \"plan\"\nkey = [\"api-key\"]\nday = 3\n\
                  [[throttle.rule]]\nname = \"bearers\"\npaths = [\"/b\"]\nkey = [\"bearer\"]\nrate = \"1/h\"\n";
    let gate = serve(&upstream, state.path(), &format!("{PROD}{config}"));
    let [old, new, other] = [&["ci"][..], &["ci"], &["reports"]].map(|arguments| create(&gate, arguments));
    let statuses: Vec<_> = [&old, &old, &new, &new, &old, &other].map(|key| ask(&gate, key).status).to_vec();
    assert_eq!(statuses, [200, 200, 200, 429, 429, 200]);
    let quotas = gate.tell(&["quotas"]);
    for part in ["mantlet|ci ", "3 (100 %)", "mantlet|reports "] {
        assert!(quotas.stdout.contains(part), "{part}: {}", quotas.stdout);
    }
    assert_eq!(gate.tell(&["quotas", "reset", "plan", "mantlet|ci"]).code, Some(0));
    assert_eq!(ask(&gate, &old).status, 200);
    // The app does not see the token, and it is counted all the same.
    let bearer = |key: &str| get(&gate, "/b", &format!("Authorization: Bearer {key}\r\n")).status;
    assert_eq!([bearer(&other), bearer(&other)], [200, 429]);
}

#[test]
fn what_cannot_be_done_is_said() {
    let (upstream, state) = (upstream(), tempfile::tempdir().expect("a folder"));
    let check = |say: &dyn Fn(&[&str]) -> Finished| {
        for (arguments, code, says) in [
            (&["create", "a\nb"][..], 1, "a name has 1 to 128 characters"),
            (&["create", ""], 1, "a name has 1 to 128 characters"),
            (
                &["create", "ci", "--expires", "soon"],
                2,
                "`soon` is not a time; write `90d`, `12h` or `never`",
            ),
            (&["create", "ci", "--expires", "0s"], 1, "a key cannot expire at once"),
            (&["create", "ci", "--scope", "a b"], 2, "`a b` is not a scope; repeat `--scope`"),
            (&["create", "ci", "--scope", "a\"b"], 1, "is not a scope, such as `orders:read`"),
            (&["show", "h4k2m9qxtc"], 1, "there is no key `h4k2m9qxtc`; `mantlet keys list --all` lists all"),
            (&["revoke", "h4k2m9qxtc"], 1, "there is no key `h4k2m9qxtc`"),
        ] {
            let said = say(arguments);
            assert_eq!((said.code, &*said.stdout), (Some(code), ""), "{arguments:?}: {}", said.stderr);
            assert!(said.stderr.contains(says), "{arguments:?}: {}", said.stderr);
        }
        let none = say(&["list"]);
        assert_eq!((none.code, &*none.stdout), (Some(0), ""));
        assert!(none.stderr.contains("there are no API keys; `mantlet keys create NAME` makes one"));
    };
    check(&|arguments| alone(state.path(), "", arguments));
    let gate = serve(&upstream, state.path(), "");
    check(&|arguments| gate.tell(&[&["keys"], arguments].concat()));
    assert!(!file_in(state.path()).exists(), "nothing was made");
    let socket = state.path().join("admin.sock");
    for (request, status, says) in [
        ("PUT /keys", 405, "accepts GET, POST"),
        ("POST /keys/h4k2m9qxtc", 405, "accepts GET, DELETE"),
        ("POST /keys?nme=ci", 400, "`nme` is not a parameter here; use `name` or `account`"),
        ("POST /keys?name=ci&expires=soon", 400, "`soon` is not a time"),
    ] {
        let mut client = Client::connect_unix(socket.to_str().expect("text"));
        let answer = client.ask(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let error = answer.json()["error"].as_str().expect("an error").to_owned();
        assert_eq!((answer.status, error.contains(says)), (status, true), "{request}: {error}");
    }
    gate.end();
    // A file that is not one of keys is not treated as none.
    fs::write(file_in(state.path()), "my notes\n").expect("a file");
    let refused = alone(state.path(), "", &["create", "ci"]);
    assert!(refused.stderr.contains("cannot be read: it is not a file of API keys"), "{}", refused.stderr);
    let config = format!("state-folder = {:?}\n", state.path());
    let start = Typed::mantlet(["serve", "--upstream", "http://127.0.0.1:9", "--openapi", "off"]);
    let start = start.file("mantlet.toml", &config).finish();
    assert_eq!(start.code, Some(1));
    assert!(
        start.stderr.contains("keys.jsonl` cannot be read: it is not a file of API keys"),
        "{}",
        start.stderr
    );
}

#[test]
fn without_a_socket_keys_are_made_in_the_folder_and_learned_by_the_gate() {
    let (upstream, state) = (upstream(), tempfile::tempdir().expect("a folder"));
    let off = format!("{PROD}[admin]\nsocket = \"off\"\n");
    let gate = serve(&upstream, state.path(), &off);
    let key = key_of(&alone(state.path(), &off, &["create", "ci"]));
    eventually("the gate knows it", || {
        let revoked = key.replace("mk_prod_", "mk_prov_");
        assert_eq!(ask(&gate, &revoked).status, 200, "it is not one of ours");
        (alone(state.path(), &off, &["create", "later"]).code == Some(1)).then_some(())
    });
    let said = alone(state.path(), &off, &["revoke", id(&key)]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("a Mantlet runs that writes"), "{}", said.stderr);
    assert_eq!(ask(&gate, &key).status, 200);
    // Another gate in the same folder follows the first.
    let socket = state.path().join("second.sock");
    let second = serve(&upstream, state.path(), &format!("{PROD}[admin]\nsocket = {socket:?}\n"));
    assert_eq!(ask(&second, &key).status, 200);
    let other = second.tell(&["keys", "create", "ci"]);
    assert!(
        other.stderr.contains("another Mantlet writes the keys of this state folder"),
        "{}",
        other.stderr
    );
    gate.end();
    eventually("it takes over", || (second.tell(&["keys", "create", "ci"]).code == Some(0)).then_some(()));
    assert_eq!(second.tell(&["keys", "revoke", id(&key)]).code, Some(0));
    assert_eq!(code(&ask(&second, &key)), refused("api-key-invalid"));
}

#[test]
fn gates_with_one_redis_know_each_others_keys() {
    let mut redis = Redis::start();
    let (upstream, config) = (upstream(), format!("{PROD}{}", redis.config()));
    let states = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    // One was made before the first start.
    let before = key_of(&alone(states[0].path(), &config, &["create", "before"]));
    let [first, second] = [0, 1].map(|number: usize| serve(&upstream, states[number].path(), &config));
    let knows = |gate: &Gateway, key: &str, status: u16| {
        eventually(&format!("{key} is {status}"), || (ask(gate, key).status == status).then_some(()));
    };
    let key = create(&first, &["ci"]);
    for made in [&before, &key] {
        eventually("it is known", || second.tell(&["keys"]).stdout.contains(id(made)).then_some(()));
        assert_eq!(ask(&second, made).status, 200);
    }
    assert_eq!(second.tell(&["keys", "revoke", id(&key)]).code, Some(0));
    assert_eq!(code(&ask(&second, &key)), refused("api-key-invalid"));
    knows(&first, &key, 401);
    // It is in the file of the other by now, too.
    eventually("it is kept", || {
        fs::read_to_string(file_in(states[0].path())).expect("a file").contains("\"revoked\"").then_some(())
    });
    // Redis is away: what is known goes on, and a fresh gate says that it cannot know.
    redis.go();
    assert_eq!([&before, &key].map(|key| ask(&first, key).status), [200, 401]);
    let fresh = serve(&upstream, states[2].path(), &config);
    let answer = ask(&fresh, &before);
    assert_eq!((answer.status, answer.code()), (503, "store-unavailable".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let said = first.tell(&["keys", "revoke", id(&before)]);
    assert!(said.stderr.contains("other gates learn of this when it does"), "{}", said.stderr);
    assert_eq!(code(&ask(&first, &before)), refused("api-key-invalid"));
    assert_eq!(ask(&second, &before).status, 200);
    // It comes back, and remembers nothing.
    redis.come();
    for gate in [&second, &fresh] {
        knows(gate, &before, 401);
        assert_eq!(gate.tell(&["keys", "show", id(&before)]).code, Some(0));
    }
}
