//! What a server says last arrives, whatever its client sends before it has read that.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use process::scripted::{GET, Scripted, everywhere, nobody, proxy, read_head};
use process::{LONG, Server, read_to_close};

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

/// More than a client that does not read is sent: the rest waits with who has written it.
const LONG_ANSWER: usize = 256 << 10;
/// More than all that lies between a client and a backend holds while the backend does not read.
const LONG_UPLOAD: usize = 8_000_000;

fn answer(status: &str, length: usize) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n").into_bytes();
    answer.extend_from_slice(b"Connection: close\r\n\r\n");
    answer.resize(answer.len() + length, b'x');
    answer
}

/// Reads to the end: that must be an end, and come after so many octets of content.
fn reads_all(stream: &mut TcpStream, status: &str, length: usize) {
    let answer = read_to_close(stream);
    let (head, content) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head}");
    assert_eq!(content.len(), length, "the whole of it comes");
}

const CLOSING: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const OLD: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// Asks for the last time, and for more all the same: in one piece with it, more than a connection
/// holds; and when the answer is out.
fn asks_for_more_and_reads_all(server: &Server, last: &[u8]) {
    for (at_once, later) in [(2_000, 0), (0, 1)] {
        let mut stream = server.connect();
        stream.write_all(&[last, &GET.repeat(at_once)].concat()).unwrap();
        thread::sleep(Duration::from_millis(100));
        stream.write_all(&GET.repeat(later)).unwrap();
        reads_all(&mut stream, "200 OK", LONG_ANSWER);
    }
}

#[test]
fn an_answer_arrives_although_its_client_has_asked_for_more() {
    everywhere(|model| {
        let server = Server::start(model, "http", &[]);
        for last in [CLOSING, OLD] {
            let path = format!("GET /bytes/{LONG_ANSWER} ");
            let last = String::from_utf8_lossy(last).replacen("GET / ", &path, 1);
            asks_for_more_and_reads_all(&server, last.as_bytes());
        }
    });
}

#[test]
fn so_does_that_of_a_backend() {
    let backend = Scripted::new(|mut stream, _| {
        read_head(&mut stream);
        stream.write_all(&answer("200 OK", LONG_ANSWER)).unwrap();
    });
    everywhere(|model| {
        let proxy = proxy(model, &[&backend.address], &[]);
        for last in [CLOSING, OLD] {
            asks_for_more_and_reads_all(&proxy, last);
        }
    });
}

#[test]
fn so_does_one_that_comes_while_the_content_of_its_request_is_stuck() {
    everywhere(|model| {
        for (status, length) in [("413 Content Too Large", 2), ("200 OK", LONG_ANSWER)] {
            let backend = Scripted::new(move |mut stream, _| {
                read_head(&mut stream);
                thread::sleep(Duration::from_millis(100));
                stream.write_all(&answer(status, length)).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                // Who closes before he has read all resets: that would be his own doing.
                thread::sleep(LONG);
            });
            let proxy = proxy(model, &[&backend.address], &[]);
            let mut stream = proxy.connect();
            let head =
                format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {LONG_UPLOAD}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&vec![b'x'; LONG_UPLOAD]).unwrap();
            reads_all(&mut stream, status, length);
        }
    });
}
