//! `mantlet open`: the operator's page.
//!
//! The page is not in the gate. This command serves it, on the loopback address, for as long as it runs. It asks the
//! gate through the admin socket, as other commands do, and reads the files of the audit log itself. So no part of it
//! is reachable where clients are, and it is for those who may use the socket.

use std::{
    future::Future,
    io::{self, BufRead, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use http::Method;
use mantlet_gateway::{admin, small_server};
use mantlet_page::{Page, Proven, Search, Source, Verified};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::{net::TcpListener, sync::mpsc, task::spawn_blocking, time::sleep};

use super::{
    ask::Socket,
    audit::{self, Follow},
};
use crate::{
    cli::OpenArguments,
    say::{Failure, print, say},
};

/// Time for a request and its response: the verification of a large log is one.
const PATIENCE: Duration = Duration::from_mins(2);

/// The gate that runs with a configuration, and its log.
struct Gate {
    socket: Socket,
    config: Option<PathBuf>,
    follow: Arc<Mutex<Follow>>,
}

impl Source for Gate {
    async fn ask(
        &self,
        method: Method,
        segments: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<Value, String> {
        let asked = self.socket.ask_as(admin::PAGE, method, segments, parameters).await;
        asked.map_err(Failure::into_message)
    }

    fn new_records(&self) -> impl Future<Output = Result<Vec<Value>, String>> + Send {
        let follow = Arc::clone(&self.follow);
        self.read(move |config| {
            follow.lock().unwrap_or_else(PoisonError::into_inner).records(config.as_deref())
        })
    }

    fn search(&self, search: Search) -> impl Future<Output = Result<Vec<Value>, String>> + Send {
        self.read(move |config| audit::found(config.as_deref(), search))
    }

    fn verify(&self) -> impl Future<Output = Result<Verified, String>> + Send {
        self.read(|config| audit::verified(config.as_deref()))
    }

    fn record(&self, seq: u64) -> impl Future<Output = Result<Proven, String>> + Send {
        self.read(move |config| audit::proven(config.as_deref(), seq))
    }
}

impl Gate {
    /// Reads files, which takes time, where nothing else waits for it.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(Option<PathBuf>) -> Result<T, Failure> + Send + 'static,
    ) -> impl Future<Output = Result<T, String>> + Send {
        let config = self.config.clone();
        async move {
            let done = spawn_blocking(move || read(config)).await;
            done.map_err(|error| error.to_string())?.map_err(Failure::into_message)
        }
    }
}

pub(crate) fn open(arguments: &OpenArguments) -> Result<ExitCode, Failure> {
    let config = arguments.config.clone();
    let running = crate::cli::Running { config: config.clone(), json: false };
    let gate = Gate { socket: Socket::of(&running)?, config, follow: Arc::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    runtime.block_on(serve(gate, arguments))
}

async fn serve(gate: Gate, arguments: &OpenArguments) -> Result<ExitCode, Failure> {
    let page = Arc::new(Page::new(gate).map_err(no_randomness)?);
    // Where no Mantlet answers, there is nothing to look at.
    page.sample().await.map_err(Failure::new)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await.map_err(|error| {
        Failure::new(format!(
            "cannot listen on 127.0.0.1:{}: {error}\nleave `--port` out for a free one",
            arguments.port
        ))
    })?;
    let address = listener.local_addr().map_err(|error| Failure::new(format!("cannot listen: {error}")))?;
    let file = tell(&page, address, arguments.browser)?;
    let forget = async {
        sleep(Page::<Gate>::TICKET_LIFE).await;
        drop(file);
        std::future::pending::<()>().await;
    };
    let look = async {
        loop {
            sleep(Page::<Gate>::EVERY).await;
            // The page says it, when it is looked at.
            let _ = page.sample().await;
        }
    };
    let tell_again = async {
        let mut asked = presses_of_enter();
        while asked.recv().await.is_some() {
            tell(&page, address, false)?;
        }
        std::future::pending::<Result<ExitCode, Failure>>().await
    };
    let serving = small_server::serve(
        async || listener.accept().await.map(|(stream, _)| stream),
        PATIENCE,
        |stream| {
            let page = Arc::clone(&page);
            async move { small_server::converse(stream, |request| page.respond(request)).await }
        },
    );
    tokio::select! {
        () = serving => {}
        () = look => {}
        () = forget => {}
        failed = tell_again => return failed,
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a one-time address, and opens a browser with it if that is wanted: by a file that only this user can read,
/// because every user can read the arguments of a program.
fn tell(page: &Page<Gate>, address: SocketAddr, browser: bool) -> Result<Option<NamedTempFile>, Failure> {
    let ticket = page.ticket().map_err(no_randomness)?;
    let url = format!("http://{address}{ticket}");
    print(&url)?;
    say(format!(
        "the address above opens the page once, within {} seconds; Enter prints another, Ctrl-C ends the page",
        Page::<Gate>::TICKET_LIFE.as_secs()
    ));
    if !browser {
        return Ok(None);
    }
    let opened = leading_to(&url).and_then(|file| {
        let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let quiet = [Stdio::null(), Stdio::null(), Stdio::null()];
        let [input, output, errors] = quiet;
        Command::new(opener).arg(file.path()).stdin(input).stdout(output).stderr(errors).spawn().map(|_| file)
    });
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) => {
            say(format!("note: no browser was opened: {error}"));
            Ok(None)
        }
    }
}

/// A file, mode 0600, that leads a browser to an address.
fn leading_to(url: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("mantlet-").suffix(".html").tempfile()?;
    write!(
        file,
        "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=\"0; url={url}\"><title>Mantlet</title>"
    )?;
    file.flush()?;
    Ok(file)
}

/// One for each line of standard input, until that ends.
fn presses_of_enter() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    // A thread, because reading a terminal cannot be given up.
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if line.is_err() || sender.blocking_send(()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn no_randomness(error: getrandom::Error) -> Failure {
    Failure::new(format!("the system has no random bytes: {error}"))
}
