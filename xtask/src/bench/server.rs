//! The programs that are measured, and the backend; none outlives its [`Server`].

use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::{
    connections, instructions,
    tls::{Client, Identity},
};
use crate::{processes, shell::output};

const BACKEND: &str = include_str!("../../../bench/backend.conf");
const NGINX: &str = include_str!("../../../bench/nginx.conf");
const NGINX_TLS: &str = include_str!("../../../bench/nginx-tls.conf");
const CLIENT: &str = include_str!("../../../bench/client.cnf");
const MANTLET: &str = include_str!("../../../bench/mantlet.toml");
const SCRIPTS: [(&str, &str); 3] = [
    ("post.lua", include_str!("../../../bench/post.lua")),
    ("order.lua", include_str!("../../../bench/order.lua")),
    ("invalid-order.lua", include_str!("../../../bench/invalid-order.lua")),
];
const STACK: &str = include_str!("../../../bench/stack.py");
const LIMITED: &str = include_str!("../../../bench/limited.py");
const APP: &str = include_str!("../../../bench/app.py");
/// Where the contract of the app is.
const CONTRACT: &str = "contract.json";

/// Time that a server gets to start, and to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the servers run and what they are. All names in their configurations are relative to the folder.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) nginx: PathBuf,
    pub(super) mantlet: PathBuf,
    /// An interpreter with FastAPI.
    pub(super) python: PathBuf,
    /// An interpreter with the in-process stack.
    pub(super) stack_python: PathBuf,
    pub(super) identity: Identity,
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Plain,
    Tls,
}

impl Place {
    /// The folder with what does not depend on a port.
    pub(super) fn prepare(&self) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        self.write("backend.conf", &fill_in(BACKEND, 0, Channel::Plain))?;
        self.write("mantlet.toml", MANTLET)?;
        for (name, text) in SCRIPTS {
            self.write(name, text)?;
        }
        self.write("app.py", APP)?;
        self.write("stack.py", STACK)?;
        self.write("limited.py", LIMITED)?;
        self.write("products.json", &products())?;
        self.write("nginx-tls.conf", NGINX_TLS)?;
        self.write("client.cnf", CLIENT)?;
        self.write("certificate.pem", &self.identity.certificate)?;
        self.write("key.pem", &self.identity.key)?;
        let filler = "x".repeat(100 * 1024 - 11);
        self.write("100k.json", &format!(r#"{{"data":"{filler}"}}"#))
    }

    pub(super) fn backend(&self) -> Result<Server> {
        let socket = self.folder.join("backend.sock");
        // Left over from a run that was killed, it would be in the way.
        let _ = fs::remove_file(&socket);
        let server = self.start("backend", 0, &mut self.nginx_with("backend.conf"))?;
        server.wait(|| UnixStream::connect(&socket).is_ok())
    }

    /// nginx as a reverse proxy.
    pub(super) fn peer(&self, channel: Channel) -> Result<Server> {
        let port = free_port()?;
        self.write("nginx.conf", &fill_in(NGINX, port, channel))?;
        let server = self.start("nginx", port, &mut self.nginx_with("nginx.conf"))?;
        self.wait_for_answer(server, channel)
    }

    /// The app, by itself.
    pub(super) fn app(&self, operations: usize) -> Result<Server> {
        let port = free_port()?;
        let mut app = Command::new(&self.python);
        app.args(["-m", "uvicorn", "app:app", "--log-level", "critical", "--port", &port.to_string()]);
        app.env("OPERATIONS", operations.to_string());
        let server = self.start("app", port, &mut app)?;
        server.wait(|| connections::is_answered(port))
    }

    /// Mantlet, with the app behind it.
    pub(super) fn run(&self, operations: usize) -> Result<Server> {
        let port = free_port()?;
        let mut mantlet = Command::new(&self.mantlet);
        mantlet.args([
            "run",
            "app:app",
            "--config",
            "mantlet.toml",
            "--listen",
            &format!("127.0.0.1:{port}"),
        ]);
        mantlet.arg("--python").arg(&self.python).env("OPERATIONS", operations.to_string());
        let server = self.start("mantlet-run", port, &mut mantlet)?;
        server.wait(|| connections::is_answered(port))
    }

    /// An app of `stack.py`, on uvicorn.
    pub(super) fn stack_app(&self, app: &str) -> Result<Server> {
        let port = free_port()?;
        let mut uvicorn = Command::new(&self.stack_python);
        uvicorn.args([
            "-m",
            "uvicorn",
            app,
            "--log-level",
            "critical",
            "--no-access-log",
            "--port",
            &port.to_string(),
        ]);
        let server = self.start("stack", port, &mut uvicorn)?;
        server.wait(|| TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    /// The bare one behind Mantlet as it is without configuration.
    pub(super) fn stack_behind_mantlet(&self) -> Result<Server> {
        self.stack_behind_mantlet_with(&[])
    }

    /// The same with settings in the environment.
    pub(super) fn stack_behind_mantlet_with(&self, settings: &[(&str, &str)]) -> Result<Server> {
        let port = free_port()?;
        let mut mantlet = Command::new(&self.mantlet);
        mantlet.args(["run", "stack:bare", "--listen", &format!("127.0.0.1:{port}")]);
        mantlet
            .arg("--python")
            .arg(&self.stack_python)
            .env("MANTLET_AUDIT__TERMINAL", "false")
            .envs(settings.iter().copied());
        // Its own configuration lies elsewhere: the one here is for other loads.
        let folder = self.folder.join("defaults");
        fs::create_dir_all(&folder)?;
        fs::copy(self.folder.join("stack.py"), folder.join("stack.py"))?;
        let server = self.start_in(&folder, "mantlet-defaults", port, &mut mantlet)?;
        server.wait(|| connections::is_ready(port))
    }

    /// Mantlet as it is without configuration, before the stand-in for an app.
    pub(super) fn defaults_before_backend(&self) -> Result<Server> {
        let port = free_port()?;
        let folder = self.folder.join("defaults");
        fs::create_dir_all(&folder)?;
        let mut mantlet = Command::new(&self.mantlet);
        mantlet.args(["serve", "--upstream", "unix:../backend.sock", "--openapi", "off"]);
        mantlet.args(["--listen", &format!("127.0.0.1:{port}")]).env("MANTLET_AUDIT__TERMINAL", "false");
        let server = self.start_in(&folder, "mantlet-before-backend", port, &mut mantlet)?;
        self.wait_for_answer(server, Channel::Plain)
    }

    /// The bare app of `limited.py` behind Mantlet, where an address may ask a thousand times: while it starts, it is asked, too.
    pub(super) fn refusing(&self) -> Result<Server> {
        let port = free_port()?;
        let config = "[throttle]\nrate = \"1/h\"\nburst = 1000\ntarpit = \"0s\"\n";
        self.write("refusing.toml", config)?;
        let mut mantlet = Command::new(&self.mantlet);
        mantlet.args(["run", "limited:bare", "--config", "refusing.toml"]);
        mantlet.args(["--listen", &format!("127.0.0.1:{port}")]);
        mantlet.arg("--python").arg(&self.stack_python).env("MANTLET_AUDIT__TERMINAL", "false");
        let server = self.start("mantlet-refusing", port, &mut mantlet)?;
        server.wait(|| connections::is_ready(port))
    }

    /// Mantlet in front of the backend, with a rule that lets everything pass; counted in Redis, if that is on a port.
    pub(super) fn counting(&self, redis: Option<u16>) -> Result<Server> {
        let port = free_port()?;
        let name = if redis.is_some() { "counting-in-redis" } else { "counting" };
        let store =
            redis.map_or_else(String::new, |port| format!("[store]\nurl = \"redis://127.0.0.1:{port}\"\n"));
        let rule = "[[throttle.rule]]\nname = \"small\"\npaths = [\"/small\"]\nrate = \"1000000/s\"\n";
        let config = format!("{store}[throttle]\nrate = \"1000000/s\"\nburst = 1000000\n{rule}");
        let file = format!("{name}.toml");
        self.write(&file, &config)?;
        let mut mantlet = Command::new(&self.mantlet);
        mantlet.args(["serve", "--upstream", "unix:backend.sock", "--openapi", "off", "--config", &file]);
        mantlet.args(["--listen", &format!("127.0.0.1:{port}")]);
        let server = self.start(name, port, &mut mantlet)?;
        self.wait_for_answer(server, Channel::Plain)
    }

    /// Redis on a port, with nothing on disk.
    pub(super) fn redis(&self) -> Result<Server> {
        let port = free_port()?;
        let mut redis =
            Command::new(crate::tools::program(&["redis-server", "valkey-server"], "redis-server")?);
        redis.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let server = self.start("redis", port, &mut redis)?;
        server.wait(|| TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    /// Writes what the app accepts and promises.
    pub(super) fn write_contract(&self, operations: usize) -> Result<()> {
        let mut mantlet = Command::new(&self.mantlet);
        mantlet.current_dir(&self.folder).args(["contract", "app:app"]).arg("--python").arg(&self.python);
        mantlet.env("OPERATIONS", operations.to_string()).stderr(Stdio::null());
        let made = mantlet.output().context("mantlet cannot be started")?;
        ensure!(made.status.success(), "`mantlet contract` failed ({})", made.status);
        self.write(CONTRACT, &String::from_utf8_lossy(&made.stdout))
    }

    /// Mantlet.
    pub(super) fn gate(&self, channel: Channel, contract: bool) -> Result<Server> {
        self.gate_by(Command::new(&self.mantlet), channel, contract)
    }

    /// Mantlet with settings in its environment; with its instructions counted, if that is wanted.
    pub(super) fn gate_with(
        &self,
        name: &'static str,
        settings: &[(&'static str, String)],
        is_counted: bool,
    ) -> Result<Server> {
        let port = free_port()?;
        let mut mantlet = if is_counted { self.counted()? } else { Command::new(&self.mantlet) };
        mantlet.args(["serve", "--upstream", "unix:backend.sock", "--config", "mantlet.toml"]);
        mantlet.args(["--openapi", "off", "--listen", &format!("127.0.0.1:{port}")]);
        mantlet.envs(settings.iter().map(|(name, value)| (name, value)));
        // Several at once, each with a folder of its own.
        mantlet.env("MANTLET_STATE_FOLDER", format!("state-{port}"));
        let server = self.start(name, port, &mut mantlet)?;
        self.wait_for_answer(server, Channel::Plain)
    }

    /// Mantlet, while its instructions are counted.
    pub(super) fn counted_gate(&self, channel: Channel, contract: bool) -> Result<Server> {
        self.gate_by(self.counted()?, channel, contract)
    }

    /// The command of a Mantlet whose instructions are counted.
    pub(super) fn counted(&self) -> Result<Command> {
        let valgrind = crate::tools::program(&["valgrind"], "valgrind")?;
        let mut mantlet = instructions::counted(&valgrind, &self.mantlet);
        // Fifty times slower, all that it does would look like a busy app.
        mantlet.env("MANTLET_APP__QUEUE_TIMEOUT", "0s");
        Ok(mantlet)
    }

    fn gate_by(&self, mut mantlet: Command, channel: Channel, contract: bool) -> Result<Server> {
        let port = free_port()?;
        mantlet.args(["serve", "--upstream", "unix:backend.sock", "--config", "mantlet.toml"]);
        mantlet.args(["--listen", &format!("127.0.0.1:{port}")]);
        if contract {
            mantlet.args(["--contract", CONTRACT]);
        } else {
            mantlet.args(["--openapi", "off"]);
        }
        if channel == Channel::Tls {
            mantlet.args(["--tls-cert", "certificate.pem", "--tls-key", "key.pem"]);
        }
        let server = self.start("mantlet", port, &mut mantlet)?;
        self.wait_for_answer(server, channel)
    }

    pub(super) fn wait_for_answer(&self, server: Server, channel: Channel) -> Result<Server> {
        let port = server.port;
        match channel {
            Channel::Plain => server.wait(|| {
                TcpStream::connect(("127.0.0.1", port))
                    .is_ok_and(|mut stream| connections::ask(&mut stream).is_ok())
            }),
            Channel::Tls => {
                let client = Client::new(&self.identity)?;
                server.wait(|| client.ask(port).is_ok())
            }
        }
    }

    /// What was measured, for the report.
    pub(super) fn versions(&self) -> Result<[String; 2]> {
        let nginx = output(Command::new(&self.nginx).arg("-v"))?;
        let mantlet = output(Command::new(&self.mantlet).arg("--version"))?;
        let nginx = nginx.trim().trim_start_matches("nginx version: ").replace('/', " ");
        Ok([mantlet.trim().to_owned(), nginx])
    }

    fn nginx_with(&self, config: &str) -> Command {
        let mut nginx = Command::new(&self.nginx);
        nginx.args(["-e", "stderr", "-p", ".", "-c", config]);
        nginx
    }

    pub(super) fn start(&self, name: &'static str, port: u16, command: &mut Command) -> Result<Server> {
        self.start_in(&self.folder, name, port, command)
    }

    pub(super) fn start_in(
        &self,
        folder: &Path,
        name: &'static str,
        port: u16,
        command: &mut Command,
    ) -> Result<Server> {
        let log = self.folder.join(name).with_extension("log");
        let file = File::create(&log)?;
        command.current_dir(folder).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        Ok(Server { name, child, port, log })
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).with_context(|| format!("`{}` cannot be written", path.display()))
    }
}

/// A running server; stopped, with all its processes, when dropped.
pub(super) struct Server {
    name: &'static str,
    child: Child,
    /// Where it listens; 0 for a unix socket.
    pub(super) port: u16,
    log: PathBuf,
}

impl Server {
    /// The process whose tree is the server.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Adds to a failure which server it was, and whether it still runs.
    pub(super) fn blamed_for(&self, error: anyhow::Error) -> anyhow::Error {
        let state = if processes::runs(self.id()) { "still runs" } else { "has ended" };
        error.context(format!("{} under load; it {state}:\n{}", self.name, tail(&self.log)))
    }

    pub(super) fn wait(mut self, is_ready: impl Fn() -> bool) -> Result<Self> {
        let started = Instant::now();
        while !is_ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at once ({status}):\n{}", self.name, tail(&self.log));
            }
            if started.elapsed() > PATIENCE {
                bail!("{} does not answer:\n{}", self.name, tail(&self.log));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(self)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Of nginx, only the master can stop the workers; killing it first would leave them behind.
        let processes = processes::tree(self.child.id()).unwrap_or_default();
        signal(self.child.id(), Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        for process in processes {
            signal(process, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// A process that has ended meanwhile needs no signal.
fn signal(process: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// 10 KiB of products, each with a field that the model does not have.
fn products() -> String {
    let product = |id: usize| {
        format!(
            r#"{{"id":{id},"name":"Pavise","description":"A shield as tall as its owner, of oak and hide","category":"shields","price_cents":9900,"stock":5,"in_stock":true,"picture":null,"supplier_price_cents":4400}}"#
        )
    };
    let all: Vec<_> = (0..10 * 1024 / product(10).len()).map(product).collect();
    format!("[{}]", all.join(","))
}

fn fill_in(template: &str, port: u16, channel: Channel) -> String {
    // As root, nginx would have its workers be somebody who may not enter this folder.
    let user = if geteuid().is_root() { "user root;" } else { "" };
    let (listen, include) = match channel {
        Channel::Plain => ("", ""),
        // Written so, newer versions understand it too.
        Channel::Tls => ("ssl http2", "include nginx-tls.conf;"),
    };
    let fill = [("user", user), ("port", &port.to_string()), ("channel", listen), ("tls", include)];
    fill.iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(10).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
