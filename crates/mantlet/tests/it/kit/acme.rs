//! A real ACME server, Pebble, on a loopback address of its own, with a DNS in which all names lead there.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering::Relaxed},
    },
    thread,
};

use super::{
    Setup, eventually,
    gateway::Log,
    provided,
    tls::{Authority, Speaks},
};

/// Ports on an address that nobody else has.
const DIRECTORY: u16 = 14000;
const MANAGEMENT: u16 = 15000;
const GATE: u16 = 5001;
const PLAIN: u16 = 5002;

/// Where a test has its server and its gate, and the server when it runs.
pub(crate) struct Pebble {
    pub(crate) address: Ipv4Addr,
    folder: tempfile::TempDir,
    names: Arc<Names>,
    /// Seconds for which certificates are good.
    validity: u32,
    /// How many of a hundred good nonces are refused.
    bad_nonces: u8,
    running: Option<(Child, Log)>,
}

impl Pebble {
    /// Running, with certificates for months.
    pub(crate) fn start() -> Self {
        let mut pebble = Self::away();
        pebble.come();
        pebble
    }

    /// Running, with certificates for so many seconds: no time for requests that are refused.
    pub(crate) fn giving(validity: u32) -> Self {
        let mut pebble = Self::away();
        (pebble.validity, pebble.bad_nonces) = (validity, 0);
        pebble.come();
        pebble
    }

    /// Not running yet.
    pub(crate) fn away() -> Self {
        static COUNT: AtomicU16 = AtomicU16::new(1);
        let [high, low] = COUNT.fetch_add(1, Relaxed).to_be_bytes();
        // Other tests, and this one in another run, use other addresses of 127.0.0.0/8.
        let run = u8::try_from(1 + std::process::id() % 250).expect("a byte");
        let address = Ipv4Addr::new(127, run, 1 + high, low);
        let folder = tempfile::tempdir().expect("a folder");
        let (names, validity) = (Names::serve(address), 90 * 24 * 3600);
        Self { address, folder, names, validity, bad_nonces: 5, running: None }
    }

    /// Starts the server. What it knew before it has forgotten.
    pub(crate) fn come(&mut self) {
        let (folder, ca) = (self.folder.path(), self.folder.path().join("ca"));
        fs::create_dir_all(&ca).expect("a folder");
        let authority = Authority::new(&ca);
        let pair = authority.sign("pebble", &self.address.to_string());
        authority.file();
        let config = serde_json::json!({"pebble": {
            "listenAddress": format!("{}:{DIRECTORY}", self.address),
            "managementListenAddress": format!("{}:{MANAGEMENT}", self.address),
            "certificate": pair.certificate,
            "privateKey": pair.key,
            "httpPort": PLAIN,
            "tlsPort": GATE,
            "certificateValidityPeriod": self.validity,
        }});
        fs::write(folder.join("pebble.json"), config.to_string()).expect("a file");
        let mut child = Command::new(provided("MANTLET_TEST_PEBBLE"))
            .args(["-config", "pebble.json", "-dnsserver", &self.names.address.to_string()])
            .current_dir(folder)
            .env("PEBBLE_VA_NOSLEEP", "1")
            // Some of what is asked is refused, to be asked again with another nonce.
            .env("PEBBLE_WFE_NONCEREJECT", self.bad_nonces.to_string())
            // Every order has to be proved.
            .env("PEBBLE_AUTHZREUSE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble starts");
        let log = Log::follow(child.stdout.take().expect("a pipe"));
        for port in [DIRECTORY, MANAGEMENT] {
            eventually("pebble listens", || TcpStream::connect((self.address, port)).ok());
        }
        self.running = Some((child, log));
    }

    /// Stops the server.
    pub(crate) fn go(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether names lead to the gate.
    pub(crate) fn names_lead_here(&self, here: bool) {
        self.names.lead_here.store(here, Relaxed);
    }

    /// `[tls.acme]` for these names, then further keys of the section.
    pub(crate) fn config(&self, domains: &[&str], further: &str) -> String {
        format!(
            "[tls.acme]\ndomains = {domains:?}\naccept-terms = true\ndirectory = \"https://{}:{DIRECTORY}/dir\"\n\
             directory-authority = \"{}\"\n{further}\n",
            self.address,
            self.folder.path().join("ca/authority.pem").display(),
        )
    }

    /// A gate where this server looks for it, with a state folder that outlives it.
    pub(crate) fn gate(&self, config: &str) -> Setup {
        let upstream = format!("unix:{}", super::App::shared().socket().display());
        Setup::serve(&upstream).config(config).listen(&self.gate_address().to_string()).state(&self.state())
    }

    /// For files of the test's own.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn gate_address(&self) -> SocketAddr {
        (self.address, GATE).into()
    }

    /// Where it looks for answers in plain.
    pub(crate) fn plain_address(&self) -> SocketAddr {
        (self.address, PLAIN).into()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The folder in which the gate keeps what this server gave it.
    pub(crate) fn kept(&self) -> PathBuf {
        self.state().join(format!("acme/{}-{DIRECTORY}-dir", self.address))
    }

    /// The authority of the certificates that it gives; another one after each start.
    pub(crate) fn root(&self) -> PathBuf {
        let stream = Speaks::trusting(&self.folder.path().join("ca/authority.pem"))
            .connect((self.address, MANAGEMENT).into(), &self.address.to_string())
            .expect("pebble speaks TLS");
        let answer = stream.into_client().get("/roots/0");
        assert_eq!(answer.status, 200);
        let file = self.folder.path().join("root.pem");
        fs::write(&file, answer.body).expect("a file");
        file
    }

    /// How many orders it has taken.
    pub(crate) fn orders(&self) -> usize {
        self.running.as_ref().map_or(0, |(_, log)| log.text().matches("Added order").count())
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        if let Some((_, log)) = &self.running
            && thread::panicking()
        {
            eprintln!("what pebble said:\n{}", log.text());
        }
        self.go();
        self.names.end();
    }
}

/// A DNS server that knows one answer.
struct Names {
    address: SocketAddr,
    lead_here: AtomicBool,
    ended: AtomicBool,
}

impl Names {
    fn serve(here: Ipv4Addr) -> Arc<Self> {
        let socket = UdpSocket::bind((here, 0)).expect("a socket");
        let address = socket.local_addr().expect("an address");
        let names = Arc::new(Self { address, lead_here: true.into(), ended: false.into() });
        let shared = Arc::clone(&names);
        thread::spawn(move || {
            let mut message = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut message) {
                if shared.ended.load(Relaxed) {
                    return;
                }
                let address = shared.lead_here.load(Relaxed).then_some(here);
                let _ = socket.send_to(&answer(&message[..length], address), from);
            }
        });
        names
    }

    fn end(&self) {
        self.ended.store(true, Relaxed);
        // Wakes the thread.
        let _ =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.send_to(&[0], self.address));
    }
}

/// The answer to a question (RFC 1035 section 4.1): one A record, or none.
fn answer(question: &[u8], address: Option<Ipv4Addr>) -> Vec<u8> {
    let name = question[12..].iter().position(|byte| *byte == 0).expect("the end of a name");
    let end = 12 + name + 5;
    let is_a = question[end - 4..end - 2] == [0, 1];
    let found = address.filter(|_| is_a);
    // Its id; a response, recursion is available; one question, perhaps one answer.
    let mut answer = [&question[..2], &[0x81, 0x80, 0, 1, 0, u8::from(found.is_some()), 0, 0, 0, 0]].concat();
    answer.extend_from_slice(&question[12..end]);
    if let Some(found) = found {
        // The name of the question, A, IN, for no time at all, four bytes.
        answer.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend_from_slice(&found.octets());
    }
    answer
}

/// A GET over TLS, on a connection of its own.
pub(crate) fn ask(address: SocketAddr, root: &Path, name: &str) -> super::Answer {
    let stream = Speaks::trusting(root).connect(address, name).expect("a handshake");
    stream.into_client().ask(format!("GET /acme HTTP/1.1\r\nHost: {name}\r\n\r\n"))
}
