//! In a terminal: a debugger in a handler works as on bare uvicorn, Ctrl-C lets requests finish, and a window that is closed ends all.

use std::net::SocketAddr;

use rustix::process::Signal;

use crate::kit::{
    Client,
    command::{Process, Typed},
    processes::wait_for_ends,
};

/// Runs a command in a terminal of its own, and types there: answers to prompts, Ctrl-C when it gets SIGINT. On SIGUSR1 the window is closed, on SIGUSR2 it gets 33 lines of 99 columns.
pub(super) const TERMINAL: &str = r#"
import ctypes, fcntl, os, pty, signal, struct, sys, termios


def end_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


behind = sys.argv[1] == "--behind"
command = sys.argv[2:] if behind else sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    end_with_parent()
    if behind:  # as `command &` in a shell
        pid = os.fork()
        if pid:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os.setpgid(0, 0)
        end_with_parent()
    os.execvp(command[0], command)

closed = False


def close(*_):
    global closed
    closed = True
    os.close(terminal)


signal.signal(signal.SIGINT, lambda *_: os.write(terminal, b"\x03"))
signal.signal(signal.SIGUSR1, close)
size = struct.pack("HHHH", 33, 99, 0, 0)
signal.signal(signal.SIGUSR2, lambda *_: fcntl.ioctl(terminal, termios.TIOCSWINSZ, size))
said = b""
while not closed:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    said += data
    for prompt, answer in ((b"(Pdb) ", b"c\n"), (b"name? ", b"Ann\n")):
        if prompt in said:
            said = b""
            os.write(terminal, answer)
    sys.stderr.buffer.write(data.replace(b"\r\n", b"\n"))
    sys.stderr.buffer.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
"#;

const APP: &str = "
from fastapi import FastAPI

app = FastAPI()
app.get('/')(lambda: 'well')


@app.get('/ask')
def ask():
    return input('name? ')


@app.get('/debug')
def debug():
    breakpoint()
    return 'went on'


@app.get('/debug-async')
async def debug_async():
    breakpoint()
    return 'went on'
";

fn in_terminal(arguments: &[&str]) -> Process {
    let arguments = ["terminal.py"].iter().chain(arguments);
    Typed::mantlet(arguments).program("python").file("terminal.py", TERMINAL).file("main.py", APP).start()
}

const GATE: [&str; 4] = [env!("CARGO_BIN_EXE_mantlet"), "run", "--listen", "127.0.0.1:0"];

fn behind_the_gate(further: &[&str]) -> (Process, SocketAddr) {
    let process = in_terminal(&[further, &GATE].concat());
    let address = process.ready();
    (process, address)
}

fn bare() -> (Process, SocketAddr) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let process = in_terminal(&["python", "-m", "uvicorn", "main:app", "--port", &port.to_string()]);
    process.line("Uvicorn running on");
    (process, ([127, 0, 0, 1], port).into())
}

#[test]
fn a_debugger_and_a_question_work_as_on_bare_uvicorn() {
    for (process, address) in [bare(), behind_the_gate(&[])] {
        for (path, says) in [
            ("/ask", "Ann"),
            ("/debug", "went on"),
            ("/", "well"),
            ("/debug-async", "went on"),
            ("/ask", "Ann"),
        ] {
            let answer = Client::connect(address).get(path);
            assert_eq!((answer.status, answer.json().as_str()), (200, Some(says)), "{path}");
        }
        if process.stderr().contains("mantlet: ") {
            // On bare uvicorn the debugger has taken Ctrl-C for itself by now.
            process.signal(Signal::INT);
            let finished = process.wait();
            assert_eq!(finished.code, Some(0), "{}", finished.stderr);
            assert!(finished.stderr.contains("Application shutdown complete."), "{}", finished.stderr);
        }
    }
}

/// Behind other commands of the terminal nothing can be read there: a handler that tries fails, and the others go on.
#[test]
fn in_the_background_a_question_finds_no_answer() {
    let (process, address) = behind_the_gate(&["--behind"]);
    for path in ["/ask", "/debug", "/debug-async"] {
        assert_eq!(Client::connect(address).get(path).status, 500, "{path}");
        assert_eq!(Client::connect(address).get("/").status, 200);
    }
    process.line("EOFError");
}

#[test]
fn another_server_is_not_stopped_either() {
    let server = ["--", "uvicorn", "main:app", "--uds", "{socket}"];
    let process = in_terminal(&[&GATE[..], &server].concat());
    let address = process.ready();
    assert_eq!(Client::connect(address).get("/ask").status, 500);
    assert_eq!(Client::connect(address).get("/").status, 200);
}

/// SIGHUP reads the configuration again, but not when it comes because the terminal is gone.
#[test]
fn a_closed_window_ends_the_gate_and_the_app() {
    let (process, address) = behind_the_gate(&[]);
    assert_eq!(Client::connect(address).get("/").status, 200);
    let started = process.descendants();
    assert_eq!(started.len(), 2, "the gate and the app");
    process.signal(Signal::USR1);
    wait_for_ends(&started);
    assert_eq!(process.wait().code, Some(0));
}
