//! Where logs are collected: a real rsyslog, and an HTTP server that can fail.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{eventually, provided, tls::Pair};

/// A process that is killed with the test.
struct Process(Option<Child>);

impl Process {
    fn start(command: &mut Command, said: &Path) -> Self {
        let said = fs::OpenOptions::new().create(true).append(true).open(said).expect("a file");
        let command = command.stdin(Stdio::null()).stdout(said.try_clone().expect("a file")).stderr(said);
        Self(Some(command.spawn().expect("it starts")))
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(self.0.as_ref().expect("it runs"));
        kill_process(pid, signal).expect("the signal is taken");
    }

    fn go(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().expect("it ends");
        }
    }

    fn wait(&mut self) {
        if let Some(mut child) = self.0.take() {
            eventually("it ends", || child.try_wait().expect("it can be asked"));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.go();
    }
}

/// A port that is free at this moment. A server that comes again has to be where it was.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// A real rsyslogd with a configuration of its own, whose files are in this folder.
pub(crate) struct Configured(Process);

impl Configured {
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        let file = folder.join("rsyslog.conf");
        let config =
            format!("global(workDirectory={:?})\n{config}", folder.to_str().expect("a path that is text"));
        fs::write(&file, config).expect("a file");
        let mut command = Command::new(provided("MANTLET_TEST_RSYSLOG"));
        command.arg("-n").arg("-f").arg(file).arg("-i").arg(folder.join("pid"));
        Self(Process::start(&mut command, &folder.join("said")))
    }

    /// Ends it in order.
    pub(crate) fn end(mut self) {
        self.0.signal(Signal::TERM);
        self.0.wait();
    }
}

/// A real rsyslogd. What comes by a way is in a file of its own, each message on a line as it came.
pub(crate) struct Rsyslog {
    folder: tempfile::TempDir,
    tcp: u16,
    tls: u16,
    process: Process,
}

impl Rsyslog {
    /// Shows this certificate, and asks clients for one of this authority.
    pub(crate) fn start(authority: &Path, pair: &Pair) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (tcp, tls, at) = (free_port(), free_port(), folder.path().display().to_string());
        let (authority, certificate, key) =
            (authority.display(), pair.certificate.display(), pair.key.display());
        // A message may be longer than the 8 KiB that are its default.
        let config = format!(
            r#"global(workDirectory="{at}" maxMessageSize="128k" defaultNetstreamDriver="gtls"
       defaultNetstreamDriverCAFile="{authority}" defaultNetstreamDriverCertFile="{certificate}"
       defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp")
module(load="imudp")
module(load="imuxsock" sysSock.use="off")
input(type="imtcp" address="127.0.0.1" port="{tcp}" streamDriver.mode="0" streamDriver.name="ptcp" ruleset="tcp")
input(type="imtcp" address="127.0.0.1" port="{tls}" streamDriver.mode="1" streamDriver.authMode="x509/certvalid" ruleset="tls")
input(type="imudp" address="127.0.0.1" port="{tcp}" ruleset="udp")
input(type="imuxsock" socket="{at}/log" ruleset="unix")
template(name="line" type="string" string="%msg%\n")
template(name="head" type="string" string="%pri% %timereported:::date-rfc3339% %hostname% %app-name% %procid% %msgid% %structured-data%\n")
ruleset(name="tcp") {{ action(type="omfile" file="{at}/tcp.jsonl" template="line") action(type="omfile" file="{at}/tcp.head" template="head") }}
ruleset(name="tls") {{ action(type="omfile" file="{at}/tls.jsonl" template="line") }}
ruleset(name="udp") {{ action(type="omfile" file="{at}/udp.jsonl" template="line") }}
ruleset(name="unix") {{ action(type="omfile" file="{at}/unix.jsonl" template="line") }}
"#
        );
        fs::write(folder.path().join("rsyslog.conf"), config).expect("a file");
        let mut rsyslog = Self { folder, tcp, tls, process: Process(None) };
        rsyslog.come();
        rsyslog
    }

    /// Starts it again, where it was.
    pub(crate) fn come(&mut self) {
        let mut command = Command::new(provided("MANTLET_TEST_RSYSLOG"));
        command.arg("-n").arg("-f").arg(self.folder.path().join("rsyslog.conf"));
        command.arg("-i").arg(self.folder.path().join("pid"));
        self.process = Process::start(&mut command, &self.folder.path().join("said"));
        eventually("rsyslog listens", || {
            let ports = [self.tcp, self.tls];
            ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()).then_some(())
        });
    }

    /// Kills it: no connection is closed in good order.
    pub(crate) fn go(&mut self) {
        self.process.go();
    }

    /// Ends it in order: what it has read is written.
    pub(crate) fn end(&mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait();
    }

    pub(crate) fn url(&self, way: &str) -> String {
        match way {
            "tcp" | "udp" => format!("syslog+{way}://127.0.0.1:{}", self.tcp),
            "tls" => format!("syslog+tls://localhost:{}", self.tls),
            _ => format!("syslog://{}/log", self.folder.path().display()),
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// An HTTP server of Python's standard library; `tests/collectors/http_collector.py` says how it may fail.
pub(crate) struct Collector {
    folder: tempfile::TempDir,
    process: Process,
    port: u16,
    is_otlp: bool,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::start_as(false)
    }

    /// One that speaks OTLP, with the types of OpenTelemetry for Python.
    pub(crate) fn of_otlp() -> Self {
        Self::start_as(true)
    }

    fn start_as(is_otlp: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut collector = Self { folder, process: Process(None), port: 0, is_otlp };
        collector.come();
        collector
    }

    /// Starts it, where it was.
    pub(crate) fn come(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/collectors/http_collector.py");
        let port = self.folder.path().join("port");
        let _ = fs::remove_file(&port);
        let python = if self.is_otlp { "MANTLET_TEST_PACKAGES" } else { "MANTLET_TEST_PYTHON" };
        let mut command = Command::new(provided(python));
        command.arg(script).arg(self.folder.path()).arg(self.port.to_string());
        command.args(self.is_otlp.then_some("otlp"));
        self.process = Process::start(&mut command, &self.folder.path().join("said"));
        self.port = eventually("the collector listens", || fs::read_to_string(&port).ok()?.parse().ok());
    }

    pub(crate) fn go(&mut self) {
        self.process.go();
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) {
        self.process.wait();
    }

    /// How it behaves from now on.
    pub(crate) fn behave(&self, mode: &str) {
        let (mode_file, new) = (self.folder.path().join("mode"), self.folder.path().join("mode.new"));
        fs::write(&new, mode).expect("a file");
        fs::rename(new, mode_file).expect("a file");
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/push", self.port)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.file_of("taken.jsonl")
    }

    pub(crate) fn file_of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it was asked in a mode so far: the path and the header of the credential.
    pub(crate) fn asked(&self, mode: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("asked")).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.strip_prefix(mode)?.strip_prefix(' '))
            .map(str::to_owned)
            .collect()
    }
}
