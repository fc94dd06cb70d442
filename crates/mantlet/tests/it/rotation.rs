//! Secrets that become other ones while clients ask: no request fails, and the new ones are in force without a restart.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::kit::{
    App, Client, Setup,
    command::Typed,
    eventually,
    redis::Redis,
    tls::{Authority, Speaks},
};

const IN_FORCE: &str = "changed; what is there now is in force";
const HOST: &str = "shop.example";

fn secret(number: usize) -> String {
    format!("{number:064x}")
}

/// A token of the issuer, signed with its secret of that number.
fn token(number: usize) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"iss": "https://id.example", "aud": "shop", "sub": "alice", "exp": now + 600});
    let head = json!({"alg": "HS256", "typ": "JWT"});
    let text = format!("{}.{}", BASE64.encode(head.to_string()), BASE64.encode(claims.to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret(number).as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

/// As Kubernetes and careful people do it: the new file takes the place of the old one at once.
fn put(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

/// A request, and whether each one has a connection of its own.
#[derive(Clone)]
struct Asks {
    request: String,
    keeps: bool,
}

/// Clients over TLS, which ask until they are told to stop: what was not a 200.
struct Clients {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl Clients {
    fn start(address: SocketAddr, authority: &Path, all: &[Asks]) -> Self {
        let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let threads = all.iter().map(|asks| {
            let (stop, asked, asks) = (Arc::clone(&stop), Arc::clone(&asked), asks.clone());
            let authority = authority.to_owned();
            thread::spawn(move || {
                let mut failed = Vec::new();
                let connect = || Speaks::trusting(&authority).connect(address, HOST).unwrap().into_client();
                let mut client = connect();
                while !stop.load(Relaxed) {
                    if !asks.keeps {
                        client = connect();
                    }
                    let answer = client.ask(&asks.request);
                    if answer.status != 200 {
                        failed.push(format!("{} {:?}", answer.status, String::from_utf8_lossy(&answer.body)));
                    }
                    asked.fetch_add(1, Relaxed);
                }
                failed
            })
        });
        let threads = threads.collect();
        Self { stop, asked, threads }
    }

    /// Waits until each of them has asked some more.
    fn go_on(&self) {
        let goal = self.asked.load(Relaxed) + 20 * self.threads.len();
        eventually("the clients go on", || (self.asked.load(Relaxed) > goal).then_some(()));
    }

    fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Relaxed);
        let failed = self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        (self.asked.load(Relaxed), failed)
    }
}

fn request(method: &str, lines: &str) -> String {
    format!("{method} /rotation HTTP/1.1\r\nHost: {HOST}\r\n{lines}Content-Length: 0\r\n\r\n")
}

#[test]
fn every_key_is_replaced_under_load_and_no_request_fails() {
    const ROUNDS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    let authority = Authority::new(folder.path());
    let pair = authority.sign("tls", HOST);
    let redis = Redis::start();
    let url = |number: usize| format!("{}?user=gate&pass=p{number}", redis.url());
    redis.tell(&[&["ACL", "SETUSER", "gate", "on", ">p0", "~*", "&*", "+@all"]]);
    let (csrf, issuer, store) = (file("csrf"), file("issuer"), file("store"));
    put(&csrf, &secret(0));
    put(&issuer, &secret(0));
    put(&store, &url(0));
    let gateway = Setup::serve(&format!("unix:{}", App::shared().socket().display()))
        .config(&format!(
            "[secrets]\nwatch = \"100ms\"\n[tls]\n{}\n[csrf.token]\nsession-cookies = [\"session\"]\nkey-file = {csrf:?}\n\
             [[issuer]]\nissuer = \"https://id.example\"\naudience = [\"shop\"]\nsecret = \"file:{}\"\n\
             [store]\ntimeout = \"500ms\"\nurl = \"file:{}\"\n\
             [[throttle.rule]]\nname = \"counted\"\npaths = [\"/rotation\"]\nrate = \"1000000/s\"\nburst = 1000000\n",
            pair.config(),
            issuer.display(),
            store.display(),
        ))
        .start();
    let root = authority.file();
    let connect = || Speaks::trusting(&root).connect(gateway.addr(), HOST).unwrap();
    let page = |connect: &dyn Fn() -> Client| {
        let answer = connect().ask(request("GET", "Cookie: session=alice\r\n"));
        let mut set =
            answer.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.clone());
        let cookie = set.find_map(|value| value.strip_prefix("__Host-csrf_token=").map(str::to_owned));
        let value = cookie.expect("a token").split(';').next().unwrap().to_owned();
        format!("Cookie: session=alice; __Host-csrf_token={value}\r\nX-CSRF-Token: {value}\r\n")
    };
    let client = || connect().into_client();
    let first_page = page(&client);
    let bearer = |number| format!("Authorization: Bearer {}\r\n", token(number));
    let manners = [true, false].map(|keeps| {
        let of = |request| Asks { request, keeps };
        [of(request("POST", &first_page)), of(request("GET", &bearer(0)))]
    });
    assert_eq!(client().ask(request("GET", &bearer(1))).status, 401);
    // Sixteen clients: four of each manner.
    let all: Vec<Asks> = std::iter::repeat_n(manners.concat(), 4).flatten().collect();
    let clients = Clients::start(gateway.addr(), &root, &all);
    clients.go_on();
    for round in 1..=ROUNDS {
        let before = connect().certificate();
        // Redis takes both passwords for a while.
        redis.tell(&[&["ACL", "SETUSER", "gate", &format!(">p{round}")]]);
        put(&csrf, &secret(round));
        put(&issuer, &secret(round));
        put(&store, &url(round));
        // A certificate and its key are two files, and there is a moment between them.
        let new = authority.sign("new", HOST);
        fs::rename(new.key, &pair.key).unwrap();
        fs::rename(new.certificate, &pair.certificate).unwrap();
        eventually("the new keys are in force", || {
            let is_shown = connect().certificate() != before;
            let is_taken = client().ask(request("GET", &bearer(round))).status == 200;
            let said = gateway.stderr();
            let is_said = |key: &str| said.matches(key).count() >= round;
            (is_shown && is_taken && is_said("`csrf.token.key-file`") && is_said("`store.url`")).then_some(())
        });
        // A page that was made now has a token of the new key, and one that was open keeps its own.
        assert_eq!(client().ask(request("POST", &page(&client))).status, 200);
        redis.tell(&[
            &["ACL", "SETUSER", "gate", &format!("<p{}", round - 1)],
            &["CLIENT", "KILL", "USER", "gate"],
            &["FLUSHALL"],
        ]);
        eventually("requests are counted by the new password", || {
            assert_eq!(client().ask(request("GET", "")).status, 200);
            let size = redis.text(&["EVAL", "return tostring(redis.call('DBSIZE'))", "0"]);
            (size != "0").then_some(())
        });
        clients.go_on();
    }
    let (asked, failed) = clients.stop();
    println!("{asked} requests, {} failed", failed.len());
    assert!(failed.is_empty(), "{} of {asked}: {:?}", failed.len(), failed.first());
    let said = gateway.stderr();
    assert!(said.contains(IN_FORCE), "{said}");
    assert!(!said.contains("pass=p") && !said.contains(&secret(1)), "{said}");
}

/// What a former key has signed is accepted for as long as it is configured, and no longer.
#[test]
fn a_former_key_ends_with_the_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("issuer");
    put(&file, &secret(0));
    for (overlap, accepts) in [("0s", false), ("1h", true), ("2s", true)] {
        put(&file, &secret(0));
        let gateway = Setup::serve(&format!("unix:{}", App::shared().socket().display()))
            .config(&format!(
                "[secrets]\nwatch = \"100ms\"\noverlap = \"{overlap}\"\n\
                 [[issuer]]\nissuer = \"https://id.example\"\naudience = [\"shop\"]\nsecret = \"file:{}\"\n",
                file.display()
            ))
            .start();
        let ask = |number| {
            let lines = format!("Authorization: Bearer {}\r\n", token(number));
            Client::connect(gateway.addr()).ask(request("GET", &lines)).status
        };
        assert_eq!(ask(0), 200);
        put(&file, &secret(1));
        gateway.wait_for(IN_FORCE, 1);
        assert_eq!(ask(1), 200);
        match overlap {
            "2s" => eventually("the former key has ended", || (ask(0) == 401).then_some(())),
            _ => assert_eq!(ask(0), if accepts { 200 } else { 401 }, "{overlap}"),
        }
        assert_eq!(ask(1), 200);
    }
}

/// What is there is judged as at the start: a bad one is said, and the one before stays.
#[test]
fn a_secret_that_cannot_be_used_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("issuer");
    put(&file, &secret(0));
    let gateway = Setup::serve(&format!("unix:{}", App::shared().socket().display()))
        .config(&format!(
            "[secrets]\nwatch = \"100ms\"\n\
             [[issuer]]\nissuer = \"https://id.example\"\naudience = [\"shop\"]\nsecret = \"file:{}\"\n",
            file.display()
        ))
        .start();
    let ask = |number| {
        let lines = format!("Authorization: Bearer {}\r\n", token(number));
        Client::connect(gateway.addr()).ask(request("GET", &lines)).status
    };
    put(&file, "short");
    gateway.wait_for("the former secrets stay in force", 1);
    gateway.wait_for("is shorter than 32 bytes", 1);
    assert_eq!(ask(0), 200);
    fs::remove_file(&file).unwrap();
    gateway.wait_for("error: the file of `issuer[0].secret` is gone; what was read last stays in use", 1);
    assert_eq!(ask(0), 200);
    // The file of settings is not read again for a secret.
    fs::write(gateway.config_file(), "mode = nonsense").unwrap();
    put(&file, &secret(1));
    gateway.wait_for(IN_FORCE, 1);
    assert_eq!((ask(0), ask(1)), (200, 200));
}

/// The app has the old value in its environment, so it is told that a start is needed.
#[test]
fn a_secret_of_the_app_waits_for_its_next_start() {
    let typed = Typed::run(&[])
        .file("main.py", crate::kit::command::THREE_LINES)
        .file("mantlet.toml", "[secrets]\nwatch = \"100ms\"\n[app.env]\nKEY = \"file:key\"\n")
        .file("key", "s3cret-1");
    let process = typed.start();
    let address = process.ready();
    put(&process.folder().join("key"), "s3cret-2");
    process.line("the secret of `app.env.KEY` is another one; the app gets it when Mantlet starts again");
    assert_eq!(Client::connect(address).get("/").status, 200);
    assert!(!process.stderr().contains("s3cret"), "{}", process.stderr());
}
