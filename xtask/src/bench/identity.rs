//! What the verdict on a token costs: beside the same request without one, beside gateways that verify tokens, too, and beside the app that
//! refuses by itself.

mod app;
mod memory;

use std::{
    cell::Cell,
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::Command,
    thread,
    time::Duration,
};

use anyhow::Result;

use super::{
    connections, instructions,
    report::{self, Row},
    server::{Channel, Place, Server, free_port},
    workload::Generators,
    wrk,
};
use crate::{
    processes,
    shell::{root, run},
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
const POOL: usize = 100_000;
/// What the app tells a caller about itself.
const ME: &str = "/users/me/";

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
        text += &app::measure(&bench, rounds, seconds)?;
    }
    if wanted(of_instructions) {
        text += &counted(&bench, seconds)?;
    }
    if wanted(of_memory) {
        text += &memory::measure(&bench)?;
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
        let token = app::log_in(&server)?;
        bench.place.write("login.tokens", &format!("{token}\n"))?;
        let [_, one, new, forged] = pools("app", "login.tokens");
        let none = Pool { refused: true, ..Pool::none() };
        measured(&format!("mantlet run, {title}"), &server, ME, [none, one, new, forged])?;
    }
    let text = "\nInstructions of the gate for each request, by callgrind, and how many more than without a token. With `mantlet run`, the app refuses a\n\
                request without one, and *one token* is of its login. Callgrind's processor has no instructions for SHA: what hashes counts more than it costs.\n\n";
    Ok(report::section(text, &rows, ["", "no token", "one token", "new tokens", "forged"]))
}
