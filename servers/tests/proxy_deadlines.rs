//! The HTTP proxy in every model: who is late, what is said about it, and that nothing cut looks whole.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc;

use nix::sys::signal::Signal;
use process::scripted::{Scripted, everywhere, proxy, read_head};
use process::LONG;

/// A client that knows no chunks: an answer without a length ends where its connection ends.
const OLD: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// How a connection ends, after whatever comes before that.
fn end_of(stream: &mut TcpStream) -> Result<usize, ErrorKind> {
    stream.read_to_end(&mut Vec::new()).map_err(|error| error.kind())
}

#[test]
fn a_client_that_is_given_up_is_not_told_that_this_was_all() {
    everywhere(|model| {
        let (given_up, is_given_up) = mpsc::channel();
        let given_up = Mutex::new(given_up);
        let backend = Scripted::new(move |mut stream, _| {
            read_head(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
            let chunk = [&b"8000\r\n"[..], &[b'x'; 0x8000], b"\r\n"].concat();
            while stream.write_all(&chunk).is_ok() {}
            let _ = given_up.lock().unwrap().send(());
        });
        let proxy = proxy(model, &[&backend.address], &["--write-timeout", "200ms"]);
        let mut stream = proxy.connect();
        stream.write_all(OLD).unwrap();
        is_given_up.recv_timeout(LONG).unwrap();
        assert_eq!(end_of(&mut stream), Err(ErrorKind::ConnectionReset));
    });
}

#[test]
fn nor_is_one_whose_proxy_is_stopped_or_killed() {
    everywhere(|model| {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let backend = Scripted::new(|mut stream, _| {
                read_head(&mut stream);
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\npart").unwrap();
                read_head(&mut stream);
            });
            let proxy = proxy(model, &[&backend.address], &["--drain-timeout", "200ms"]);
            let mut stream = proxy.connect();
            stream.write_all(OLD).unwrap();
            read_head(&mut stream);
            stream.read_exact(&mut [0; 4]).unwrap();
            proxy.signal(signal);
            assert_eq!(end_of(&mut stream), Err(ErrorKind::ConnectionReset), "{signal}");
        }
    });
}

#[test]
fn an_answer_without_a_length_that_is_whole_ends_with_an_end() {
    everywhere(|model| {
        let backend = Scripted::new(|mut stream, _| {
            read_head(&mut stream);
            let body = vec![b'x'; 1 << 20];
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            stream.write_all(&body).unwrap();
        });
        let proxy = proxy(model, &[&backend.address], &[]);
        let answer = proxy.ask("GET / HTTP/1.0\r\n\r\n");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.len(), 1 << 20);
    });
}
