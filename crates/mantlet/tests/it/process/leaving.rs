//! Clients that send a request and say no more, or leave: the app sees what it would see without a gate.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
};

use crate::kit::{
    PATIENCE,
    command::{Process, Typed},
    eventually,
};

const APP: &str = "
import asyncio
from fastapi import FastAPI, Request

app = FastAPI()


async def handled(request, name, size):
    print(f'began {name} with {size} bytes', flush=True)
    for _ in range(600):
        if await request.is_disconnected():
            return print(f'{name} knows that its client has left', flush=True)
        await asyncio.sleep(0.05)


@app.get('/quick')
async def quick():
    return 'quick'


@app.api_route('/slow/{name}', methods=['GET', 'POST', 'DELETE'])
async def slow(request: Request, name: str):
    await handled(request, name, len(await request.body()))
";

fn bare(app: &str) -> (Process, SocketAddr) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let arguments = ["-m", "uvicorn", "main:app", "--port"].map(str::to_owned);
    let arguments = arguments.into_iter().chain([address.port().to_string()]);
    let process = Typed::mantlet(arguments).program("python").file("main.py", app).start();
    process.line("Uvicorn running on");
    (process, address)
}

fn behind_the_gate(app: &str) -> (Process, SocketAddr) {
    let process = Typed::run(&[]).file("main.py", app).start();
    let address = process.ready();
    (process, address)
}

/// Sends a request and, without a pause, that nothing more will come.
fn send(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(request).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    client
}

#[test]
fn a_quick_answer_reaches_a_client_that_says_no_more() {
    for (process, address) in [bare(APP), behind_the_gate(APP)] {
        let request = b"GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut answer = String::new();
        send(address, request).read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\"quick\""), "{answer:?}");
        drop(process);
    }
}

/// The app carries a request out, has all of its body, and is told that its client is gone.
#[test]
fn a_request_is_carried_out_though_its_client_has_left() {
    for (process, address) in [bare(APP), behind_the_gate(APP)] {
        for (name, method, size) in
            [("get", "GET", 0), ("small", "POST", 3), ("large", "POST", 3_000_000), ("delete", "DELETE", 0)]
        {
            for leaves in ["half", "whole"] {
                let name = format!("{name}-{leaves}");
                let head = format!(
                    "{method} /slow/{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
                );
                let client = send(address, &[head.as_bytes(), &vec![b'x'; size]].concat());
                let open = (leaves == "half").then_some(client);
                eventually(&format!("{name} reaches the app, and its end"), || {
                    let said = process.stdout();
                    let has_begun = said.contains(&format!("began {name} with {size} bytes"));
                    (has_begun && said.contains(&format!("{name} knows that its client has left")))
                        .then_some(())
                });
                drop(open);
            }
        }
    }
}

/// One that leaves in the middle of its body has not asked for anything yet.
#[test]
fn half_a_request_is_none() {
    let (process, address) = behind_the_gate(APP);
    let client =
        send(address, b"POST /slow/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf");
    let mut answer = String::new();
    let _ = { client }.read_to_string(&mut answer);
    let mut answer = String::new();
    send(address, b"GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n").read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\"quick\""), "{answer:?}");
    assert!(!process.stdout().contains("began half"), "{}", process.stdout());
}
