//! What the tests stand on: the real binary, a real app, a tap between them, and clients that may misbehave.
//!
//! Nothing here sleeps for luck: what takes time is asked for until it is so, or until [`PATIENCE`] ends.

pub(crate) mod acme;
pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod clock;
pub(crate) mod collector;
pub(crate) mod collectors;
pub(crate) mod command;
pub(crate) mod gateway;
pub(crate) mod http2;
pub(crate) mod load;
pub(crate) mod oidc;
#[path = "../../../../mantlet-providers/tests/it/kit/provider.rs"]
#[expect(dead_code, reason = "the tests of the providers themselves need more of it")]
pub(crate) mod openid;
pub(crate) mod postgres;
pub(crate) mod processes;
pub(crate) mod raw;
pub(crate) mod redis;
pub(crate) mod stand;
pub(crate) mod tls;
pub(crate) mod upstream;
pub(crate) mod uvicorn;
pub(crate) mod websocket;

use std::{
    env,
    ffi::OsString,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

pub(crate) use app::App;
pub(crate) use gateway::{Gateway, Setup, is_code, is_of_action, is_of_the_log, read_all};
pub(crate) use raw::{Answer, Client};
pub(crate) use stand::Stand;
pub(crate) use upstream::Upstream;
pub(crate) use uvicorn::Uvicorn;

/// How long anything may take on a busy machine. Never a measure of how long it should.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer.
pub(crate) fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, ask)
}

/// The same, of what takes longer than all else.
pub(crate) fn eventually_within<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A path that no other test uses, by which a request is known wherever it turns up.
pub(crate) fn marker() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("/marked-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed))
}

/// Something that `cargo xtask test` provides and names in a variable.
pub(crate) fn provided(variable: &str) -> OsString {
    env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: run `cargo xtask test`"))
}
