//! `mantlet serve` before an app that comes and goes.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    thread,
};

use crate::kit::{Client, command::Typed};

/// Answers each connection once, until it is told to end by a connection that brings nothing after `over` was said.
fn answer_at(address: SocketAddr) -> thread::JoinHandle<()> {
    let listener = TcpListener::bind(address).expect("an address that is free");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut head = [0; 1024];
            let Ok(count @ 1..) = std::io::Read::read(&mut stream, &mut head) else { continue };
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
            if head[..count].starts_with(b"GET /over ") {
                return;
            }
        }
    })
}

#[test]
fn it_says_ready_when_the_app_is_and_whenever_that_changes() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let upstream = format!("http://{address}");
    let arguments = ["serve", "--upstream", &upstream, "--openapi", "off", "--listen", "127.0.0.1:0"];
    let process = Typed::mantlet(arguments).start();
    let line = process.line("does not answer yet");
    let gate = process.ready();
    assert_eq!(
        line,
        format!(
            "mantlet: {upstream} does not answer yet (Connection refused): requests get 503 until it does; then it is \
             ready behind http://{gate}"
        )
    );
    assert_eq!(Client::connect(gate).get("/").status, 503);

    let app = answer_at(address);
    process.line(&format!("mantlet: {upstream} is ready behind http://{gate}"));
    assert_eq!(Client::connect(gate).get("/").status, 200);
    Client::connect(gate).get("/over");
    app.join().unwrap();

    for _ in 0..3 {
        assert_eq!(Client::connect(gate).get("/").status, 503);
    }
    process.line(&format!(
        "mantlet: {upstream} does not answer (Connection refused): requests get 503 until it does"
    ));
    let app = answer_at(address);
    process.line(&format!("mantlet: {upstream} answers again"));
    Client::connect(gate).get("/over");
    app.join().unwrap();
    let said = process.stderr();
    assert_eq!(said.matches("requests get 503").count(), 2, "each change is said once:\n{said}");
}

#[test]
fn of_an_app_that_is_there_nothing_else_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    let arguments = ["serve", "--upstream", &upstream, "--openapi", "off", "--listen", "127.0.0.1:0"];
    let process = Typed::mantlet(arguments).start();
    let gate = process.ready();
    process.line(&format!("mantlet: {upstream} is ready behind http://{gate}"));
    assert!(!process.stderr().contains("does not answer"), "{}", process.stderr());
}

/// An app that does not take its connections at once is busy, not away: over TCP the kernel would wait for it, too.
#[test]
fn a_full_queue_of_connections_is_waited_for() {
    let server = "import socket, sys, time\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen(0)\n\
                  while True:\n    c, _ = s.accept()\n    if c.recv(65536):\n        time.sleep(0.1)\n        \
                  c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok')\n    c.close()\n";
    let arguments = ["--openapi", "off", "--", "python", "server.py", "{socket}"];
    let process = Typed::run(&arguments).file("server.py", server).start();
    let gate = process.ready();
    let clients: Vec<_> =
        (0..12).map(|_| thread::spawn(move || Client::connect(gate).get("/").status)).collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), 200);
    }
}
