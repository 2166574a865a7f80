//! The HTTP proxy in every model: who is late, what is said about it, and that nothing cut looks
//! whole.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use process::scripted::{GET, OK, Scripted, everywhere, proxy, read_answer, read_final, read_head};
use process::{LONG, read_to_close};

/// A client that knows no chunks: an answer without a length ends where its connection ends.
const OLD: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
const EXPECTING: &[u8] =
    b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";

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
fn nor_is_one_whose_backend_breaks_in_the_middle() {
    everywhere(|model| {
        let backend = Scripted::new(|mut stream, _| {
            read_head(&mut stream);
            let begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
            stream.write_all(begun).unwrap();
        });
        let proxy = proxy(model, &[&backend.address], &[]);
        let mut stream = proxy.connect();
        stream.write_all(OLD).unwrap();
        assert_eq!(end_of(&mut stream), Err(ErrorKind::ConnectionReset));
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

#[test]
fn a_client_that_waits_for_a_word_from_the_backend_is_not_late() {
    everywhere(|model| {
        let slow = Scripted::new(|mut stream, _| {
            read_head(&mut stream);
            // Longer than the client's content may take.
            thread::sleep(Duration::from_millis(500));
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
            stream.read_exact(&mut [0; 4]).unwrap();
            stream.write_all(OK).unwrap();
        });
        let proxy = proxy(model, &[&slow.address], &["--body-timeout", "100ms"]);
        let mut stream = proxy.connect();
        stream.write_all(EXPECTING).unwrap();
        assert_eq!(read_answer(&mut stream).0, 100);
        stream.write_all(b"once").unwrap();
        assert_eq!(read_answer(&mut stream), (200, "ok".into()));
    });
}

#[test]
fn a_backend_that_never_gives_the_word_is_late_and_a_client_that_has_it_may_be() {
    everywhere(|model| {
        for (word, status) in [(&b""[..], 504), (b"HTTP/1.1 100 Continue\r\n\r\n", 408)] {
            let backend = Scripted::new(move |mut stream, _| {
                read_head(&mut stream);
                stream.write_all(word).unwrap();
                let _ = stream.read(&mut [0]);
            });
            let flags = ["--body-timeout", "400ms", "--response-timeout", "200ms"];
            let proxy = proxy(model, &[&backend.address], &flags);
            let mut stream = proxy.connect();
            stream.write_all(EXPECTING).unwrap();
            assert_eq!(read_final(&mut stream).0, status);
        }
    });
}

#[test]
fn whoever_is_slow_with_a_later_head_is_told_as_with_the_first() {
    everywhere(|model| {
        let backend = Scripted::answering(OK);
        let proxy = proxy(model, &[&backend.address], &["--head-timeout", "200ms"]);
        for answered in 0..2 {
            let mut stream = proxy.connect();
            for _ in 0..answered {
                stream.write_all(GET).unwrap();
                assert_eq!(read_answer(&mut stream).0, 200);
            }
            stream.write_all(b"GET / HTT").unwrap();
            let answer = read_to_close(&mut stream);
            assert!(answer.starts_with("HTTP/1.1 408 "), "after {answered}: {answer}");
        }
    });
}

#[test]
fn bit_by_bit_a_backend_gets_no_more_time_for_its_answer() {
    everywhere(|model| {
        for (first, bit) in [
            (&b"HTTP/1.1 200 OK\r\nX: "[..], &b"x"[..]),
            (b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        ] {
            let backend = Scripted::new(move |mut stream, _| {
                read_head(&mut stream);
                let mut sent = stream.write_all(first);
                while sent.is_ok() {
                    thread::sleep(Duration::from_millis(150));
                    sent = stream.write_all(bit);
                }
            });
            let proxy = proxy(model, &[&backend.address], &["--response-timeout", "300ms"]);
            let mut stream = proxy.connect();
            stream.write_all(GET).unwrap();
            assert_eq!(read_final(&mut stream).0, 504);
        }
    });
}

#[test]
fn octet_by_octet_a_client_gets_no_more_time_for_a_head() {
    everywhere(|model| {
        let backend = Scripted::answering(OK);
        let proxy = proxy(model, &[&backend.address], &["--head-timeout", "300ms"]);
        let mut stream = proxy.connect();
        stream.write_all(b"GET / HTTP/1.1\r\nX: ").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let is_told = |_| {
            let _ = stream.write_all(b"x");
            stream.peek(&mut [0]).is_ok()
        };
        assert!((0..100).any(is_told), "it waits for as long as something comes");
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 408 "));
    });
}

#[test]
fn a_long_upload_takes_nothing_of_the_time_for_its_answer() {
    everywhere(|model| {
        let backend = Scripted::new(|mut stream, _| {
            read_head(&mut stream);
            stream.read_exact(&mut [0; 6]).unwrap();
            stream.write_all(OK).unwrap();
        });
        let proxy = proxy(model, &[&backend.address], &["--response-timeout", "1s"]);
        let mut stream = proxy.connect();
        stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n").unwrap();
        for _ in 0..6 {
            thread::sleep(Duration::from_millis(250));
            stream.write_all(b"x").unwrap();
        }
        assert_eq!(read_answer(&mut stream), (200, "ok".into()));
    });
}

#[test]
fn who_goes_on_sending_after_the_last_answer_is_let_go_all_the_same() {
    everywhere(|model| {
        let backend = Scripted::answering(OK);
        let proxy = proxy(model, &[&backend.address], &[]);
        let mut stream = proxy.connect();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!(read_answer(&mut stream).0, 200);
        let start = Instant::now();
        while stream.write_all(b"x").is_ok() {
            assert!(start.elapsed() < LONG / 2, "it reads for ever");
            thread::sleep(Duration::from_millis(50));
        }
    });
}
