//! What a server says last arrives, also where more has come at once than its buffer holds.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use process::scripted::{everywhere, nobody, proxy};
use process::{Server, read_to_close};

/// More than a connection holds, in one piece.
const BURST: usize = 40_000;

fn post() -> Vec<u8> {
    let mut burst = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n".to_vec();
    burst.resize(BURST, b'x');
    burst
}

fn long_head() -> Vec<u8> {
    let mut burst = b"GET / HTTP/1.1\r\nHost: h\r\nLong: ".to_vec();
    burst.resize(BURST, b'x');
    burst
}

/// Sends all of `burst` before the server is there to read it, and goes on after it has answered.
/// Who has closed by then answers that with a reset.
fn is_told(server: &Server, burst: &[u8], status: &str) {
    let mut stream = server.connect();
    stream.write_all(burst).unwrap();
    let answer = read_to_close(&mut stream);
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    goes_on(stream);
}

fn goes_on(mut stream: TcpStream) {
    thread::sleep(Duration::from_millis(20));
    for _ in 0..3 {
        stream.write_all(&[b'x'; 10_000]).unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(stream.take_error().unwrap().is_none());
}

#[test]
fn a_burst_that_is_refused_is_taken_to_its_end() {
    everywhere(|model| {
        let server = Server::start(model, "http", &["--body-max", "1000"]);
        is_told(&server, &post(), "413");
        is_told(&server, &long_head(), "431");
    });
}

#[test]
fn so_is_one_that_a_proxy_refuses() {
    everywhere(|model| {
        let proxy = proxy(model, &[&nobody()], &["--body-max", "50000"]);
        is_told(&proxy, &post(), "413");
        is_told(&proxy, &long_head(), "431");
        let mut accepted = post();
        let length = accepted.windows(6).position(|octets| octets == b"100000").unwrap();
        accepted[length..length + 6].copy_from_slice(b"050000");
        is_told(&proxy, &accepted, "503");
    });
}
