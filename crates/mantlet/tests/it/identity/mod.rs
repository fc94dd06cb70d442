//! Apps with a login of their own, as people write them, and their ordinary traffic. In the default
//! configuration clients see no difference between the app alone and the app behind Mantlet.
//!
//! [`Running`] is such an app behind Mantlet, for other tests too: it can log in, ask an operation
//! that needs the login, and count the requests that reach the app.

mod binding;
mod disk;
mod dpop;
mod driver;
mod gates;
mod handed;
mod keys;
mod mixed;
mod places;
mod refresh;
mod session;
mod settings;
mod shapes;
mod sockets;
mod step;
mod tabs;
pub(crate) mod token;
mod tutorial;
mod users;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use self::{driver::Driver, step::Step};
use crate::kit::{Answer, App, Client, Gateway, Setup, app::apps, eventually, marker, provided};

/// An app in `tests/apps/identity`.
pub(crate) struct Subject {
    /// The file, or the folder, in which it is.
    pub(crate) name: &'static str,
    /// `module:app`.
    pub(crate) entry: &'static str,
    /// Puts what the app needs into its folder.
    pub(crate) prepare: fn(&Path),
    /// The steps of a login. They keep the credential as `token`.
    pub(crate) entrance: fn() -> Vec<Step>,
    /// The header in which clients show `{token}`.
    pub(crate) carried: &'static str,
    /// The path of a GET that needs the login and changes nothing.
    pub(crate) guarded: &'static str,
    /// The key of its tokens (HMAC); empty if there is none, or another at each start.
    pub(crate) key: &'static [u8],
    /// What clients do, in this order.
    pub(crate) traffic: fn() -> Vec<Step>,
    /// How many of these the gate refuses for `token-invalid`, in the app's own words.
    pub(crate) stopped: usize,
    /// The reasons in the gate's records of that traffic, beside refusals.
    pub(crate) recorded: &'static [&'static str],
}

/// The app's files in a folder of its own, which is its working folder.
pub(crate) struct Home {
    folder: TempDir,
}

/// The app behind Mantlet.
pub(crate) struct Running {
    pub(crate) gateway: Gateway,
    pub(crate) subject: &'static Subject,
    pub(crate) home: Home,
}

impl Home {
    pub(crate) fn of(subject: &Subject) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let source = apps().join("identity").join(subject.name);
        if source.is_dir() {
            copy(&source, folder.path());
        } else {
            fs::copy(&source, folder.path().join(subject.name)).expect("a file");
        }
        (subject.prepare)(folder.path());
        Self { folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

/// Copies what is in a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            fs::create_dir(&target).expect("a folder");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file");
        }
    }
}

impl Running {
    /// `mantlet run` with the text of this `mantlet.toml`, and the defaults for all else.
    pub(crate) fn start(subject: &'static Subject, config: &str) -> Self {
        Self::start_in(Home::of(subject), subject, |setup| setup.config(config))
    }

    /// The same in a folder in which the app may have run before.
    pub(crate) fn start_in(
        home: Home,
        subject: &'static Subject,
        set_up: impl FnOnce(Setup) -> Setup,
    ) -> Self {
        let setup = Setup::run_with(provided("MANTLET_TEST_IDENTITY"), subject.entry).by_default().heard();
        let gateway = set_up(setup.in_folder(home.folder.path())).start();
        Self { gateway, subject, home }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.gateway.addr()
    }

    pub(crate) fn driver(&self) -> Driver {
        Driver::new(self.addr(), self.home.path())
    }

    /// Logs in as a client does. Returns the credential.
    pub(crate) fn login(&self) -> String {
        let mut driver = self.driver();
        for step in (self.subject.entrance)() {
            driver.take(&step);
        }
        driver.values.remove("token").expect("the entrance keeps `token`")
    }

    /// Logs in where the account is there already.
    fn login_again(&self) -> String {
        let mut driver = self.driver();
        driver.take((self.subject.entrance)().last().expect("a login"));
        driver.values.remove("token").expect("the entrance keeps `token`")
    }

    /// A GET of the operation that needs the login, with this credential; an empty one is left out.
    pub(crate) fn guarded(&self, token: &str) -> Answer {
        self.shown(token, self.subject.guarded)
    }

    /// A GET of this target with this credential.
    pub(crate) fn shown(&self, token: &str, target: &str) -> Answer {
        let mut head = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n", self.addr());
        if !token.is_empty() {
            head += &self.subject.carried.replace("{token}", token);
            head += "\r\n";
        }
        Client::connect(self.addr()).ask(head + "\r\n")
    }

    /// Asserts that the login works, that it is needed, and that each request is counted.
    fn lets_in(&self) {
        let token = self.login();
        // With the first good token, the gate may ask the app what it does with a bad one.
        assert_eq!(self.guarded(&token).status, 200);
        let before = self.reached(self.subject.guarded);
        let answer = self.guarded(&token);
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = self.guarded("");
        assert_ne!(answer.status, 200, "{answer:?}");
        assert_eq!(self.reached(self.subject.guarded), before + 2);
    }

    /// The answer to a form.
    pub(crate) fn post(&self, target: &str, form: &str) -> Answer {
        Client::connect(self.addr()).ask(format!(
            "POST {target} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            self.addr(),
            form.len()
        ))
    }

    /// The token that the app hands out for this form.
    pub(crate) fn token(&self, form: &str) -> String {
        self.post("/token", form).json()["access_token"].as_str().expect("a token").to_owned()
    }

    /// How many requests with this target have reached the app, by the log of all its workers.
    pub(crate) fn reached(&self, target: &str) -> usize {
        let marker = marker();
        Client::connect(self.addr()).get(&marker);
        // uvicorn logs a request before it answers, so earlier requests are in the log too.
        let log = eventually("the app's log has the marked request", || {
            Some(self.gateway.stdout()).filter(|log| log.contains(&marker))
        });
        let request = format!(" {target} HTTP/1.1\" ");
        log.lines().filter(|line| line.contains(&request)).count()
    }
}

/// Sends the app's traffic to the app alone, then to the app behind Mantlet. Clients see only the
/// differences that the steps name, and nothing else is refused or changed.
fn check(subject: &'static Subject) {
    check_with(&[subject]);
}

/// Sends the app's traffic to the app behind Mantlet, with the line that enforces the end of sessions: a
/// credential that was taken back does not pass, and all else is as it is without the line.
fn check_that_sessions_end(subject: &'static Subject) {
    let steps = (subject.traffic)();
    let count = steps.iter().filter(|step| step.is_taken_back).count();
    assert!(count > 0, "{}: nothing is taken back", subject.name);
    let running = Running::start(subject, "authentication.sessions = \"enforce\"\n");
    let mut driver = running.driver();
    driver.is_strict = true;
    for step in &steps {
        driver.take(step);
    }
    running.lets_in();
    let records = running.gateway.end().audit;
    let ended = records.iter().filter(|record| record["reason"] == "session-ended");
    let kept_from_the_app =
        ended.filter(|record| record["action"] == "refuse" || record["action"] == "strip");
    assert!(kept_from_the_app.count() >= count, "{records:#?}");
}

/// The same, where the same app has several entrances.
fn check_with(subjects: &[&'static Subject]) {
    let subject = *subjects.first().expect("a subject");
    let steps = (subject.traffic)();
    let home = Home::of(subject);
    let python = provided("MANTLET_TEST_IDENTITY");
    let (bare, address) = App::of_folder(&python, home.folder.path(), subject.entry);
    let mut driver = Driver::new(address, home.path());
    let alone: Vec<_> = steps.iter().map(|step| driver.take(step)).collect();
    drop(bare);
    for step in steps.iter().filter(|step| step.is_taken_back) {
        assert!(step.status < 400, "{}: the app does not accept it", step.name());
    }

    let mut running = Running::start(subject, "");
    let mut driver = running.driver();
    for (step, alone) in steps.iter().zip(alone) {
        if let (Some(alone), Some(behind)) = (alone, driver.take(step)) {
            match step.refused {
                None => alone.is_kept_in(&behind, &step.name()),
                Some(reason) => assert!(behind.body.contains(reason), "{}: {behind:#?}", step.name()),
            }
        }
    }
    for entrance in subjects {
        running.subject = entrance;
        running.lets_in();
    }

    let end = running.gateway.end();
    // Each credential that was taken back is recorded, or counted.
    let taken_back = steps.iter().filter(|step| step.is_taken_back).count();
    assert!(end.count("session-ended") >= taken_back as u64, "{:#?}", end.audit);
    let mut records = end.audit;
    records.retain(|record| record["security_event"] != "session-ended");
    records.retain(|record| !record["path"].as_str().is_some_and(|path| path.starts_with("/marked-")));
    // Only the steps that say so are refused.
    let done = records.iter().filter(|record| record["action"] != "pass");
    let done: Vec<_> = done.map(|record| record["reason"].as_str().unwrap_or_default()).collect();
    // What the gate says of bad tokens is what the app says, as seen above.
    let (bad, done): (Vec<_>, Vec<_>) = done.into_iter().partition(|reason| *reason == "token-invalid");
    assert_eq!(bad.len(), subject.stopped, "{records:#?}");
    let known: Vec<_> = steps.iter().filter_map(|step| step.refused).collect();
    assert_eq!(done, known, "{records:#?}");
    let passed = records.iter().filter(|record| record["action"] == "pass");
    let mut reasons: Vec<_> = passed.filter_map(|record| record["reason"].as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    assert_eq!(reasons, subject.recorded, "{records:#?}");
}
