//! `cargo xtask demo`: the example shop behind Mantlet.
//!
//! In the end this process becomes `mantlet`, so signals and the exit code are its own. What to try is said by a second
//! process, which waits in the background until the shop is ready.

use std::{
    env,
    os::unix::{net::UnixStream, process::CommandExt},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    flags::Flags,
    processes,
    shell::{cargo, root, run, target},
    tools,
};

pub(crate) const HELP: &str = "\
Usage: cargo xtask demo [--port PORT] [--release]

Prepares the example's Python environment (target/python/shop), builds Mantlet, starts the shop behind it on
127.0.0.1:8000 and says what to try. Ctrl-C ends it.

Options:
  --port PORT   Another port
  --release     Build with optimisations: slower to build, faster to run
";

const GUIDE: &str = r#"
The shop is ready. Look at its pages in a browser:

  URL/          the shop
  URL/docs      its documentation; "Authorize" takes alice, bob or admin, with NAME-password

or use another terminal. Everything works as it does without Mantlet:

  curl -i URL/products
      an answer with security headers and a request id that the app does not set
  TOKEN=$(curl -s URL/token -d username=alice -d password=alice-password | cut -d'"' -f4)
  curl -i -H "Authorization: Bearer $TOKEN" URL/orders
      personal data: `Cache-Control: no-store`
  curl -N URL/orders/feed
      server-sent events, as they happen

but not what an attacker needs:

  curl -i URL/pictures/..%2finternal/debug
      400 path-dot-segment: a path with two readings has none
  curl -i -H 'Content-Length: 4' -H 'Transfer-Encoding: chunked' -d 0 URL/token
      400 framing-conflict: two lengths are how requests are smuggled
  curl -i -X POST -H 'X-Forwarded-For: 6.6.6.6' URL/voucher
      the app trusts this header; it gets your real address all the same

Each refusal is one line in examples/shop/.mantlet/audit.jsonl. Ctrl-C ends the demo.
"#;

pub(crate) fn demo(mut flags: Flags) -> Result<()> {
    let release = flags.has("--release");
    let port = flags.value::<u16>("--port")?.unwrap_or(8000);
    flags.end()?;

    let shop = root().join("examples/shop");
    let python = tools::environment("shop", &shop.join("requirements.txt"))?;
    let profile = if release { "release" } else { "debug" };
    let mut build = cargo(&["build", "--locked", "--package", "mantlet"]);
    if release {
        build.arg("--release");
    }
    run(&mut build)?;
    start_guide(port)?;

    let mut mantlet = Command::new(target()?.join(profile).join("mantlet"));
    mantlet.args(["run", "--listen", &format!("127.0.0.1:{port}"), "--python"]).arg(python);
    let error = mantlet.current_dir(shop).exec();
    Err(error).context("mantlet cannot be started")
}

/// Starts the guide as nobody's child: the program that this process becomes would not expect one.
fn start_guide(port: u16) -> Result<()> {
    let program = env::current_exe().context("this program does not know where it is")?;
    let mut shell = Command::new("sh");
    shell.args(["-c", r#""$0" demo-guide --port "$1" --process "$2" &"#]).arg(program);
    run(shell.args([port.to_string(), std::process::id().to_string()]))
}

/// Waits until the app accepts connections, and says what to try; ends at once if the gate has ended.
pub(crate) fn guide(mut flags: Flags) -> Result<()> {
    let port = flags.value::<u16>("--port")?.context("`--port` is missing")?;
    let gate = flags.value::<u32>("--process")?.context("`--process` is missing")?;
    while processes::runs(gate) {
        thread::sleep(Duration::from_millis(200));
        if accepts(gate)? {
            // The gate has noticed too, and says so first.
            thread::sleep(Duration::from_millis(100));
            print!("{}", GUIDE.replace("URL", &format!("http://127.0.0.1:{port}")));
            break;
        }
    }
    Ok(())
}

/// Whether the app listens on the socket that its command line names. To ask through the gate would leave a refusal in its
/// records for each time that it is too early.
fn accepts(gate: u32) -> Result<bool> {
    let lines = processes::tree(gate)?.into_iter().map(processes::command_line);
    let mut sockets = lines.filter_map(|line| line.into_iter().skip_while(|word| word != "--uds").nth(1));
    Ok(sockets.any(|socket| UnixStream::connect(socket).is_ok()))
}
