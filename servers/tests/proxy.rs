//! The HTTP proxy in every model: what passes through, and how.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use process::scripted::{GET, OK, Scripted, ask, everywhere, proxy, read_answer, read_head};
use process::{LONG, Server, admin, eventually, models, read_to_close, reset};
use servers::models::Workers;

#[test]
fn a_client_keeps_its_connection_and_so_does_the_proxy() {
    everywhere(|model| {
        let backend = Scripted::answering(OK);
        let proxy = proxy(model, &[&backend.address], &[]);
        let mut stream = proxy.connect();
        for _ in 0..20 {
            stream.write_all(GET).unwrap();
            assert_eq!(read_answer(&mut stream), (200, "ok".into()));
        }
        stream.write_all(&GET.repeat(20)).unwrap();
        for _ in 0..20 {
            assert_eq!(read_answer(&mut stream), (200, "ok".into()));
        }
        assert_eq!(backend.connections(), 1, "one connection has served all");
    });
}

#[test]
fn clients_who_come_one_after_the_other_share_a_connection() {
    for model in models() {
        println!("{}", model.name);
        let backend = Scripted::answering(OK);
        // A reactor keeps its own; threads share them, however many there are.
        let flags = match model.workers {
            Workers::PerCpu => &["--tables", "1", "--workers", "1"][..],
            _ => &["--tables", "1"],
        };
        let proxy = proxy(model.name, &[&backend.address], flags);
        for _ in 0..12 {
            assert_eq!(ask(&proxy, GET), (200, "ok".into()));
        }
        assert_eq!(backend.connections(), 1, "one connection has served all");
    }
}

#[test]
fn a_backend_is_told_who_asks_and_the_client_through_whom() {
    let backend = Server::start("epoll-level", "http", &[]);
    let address = backend.address.to_string();
    let host = format!("Host: {address}");
    let new = "GET /echo HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n\
               Connection: close, X-Mine\r\nX-Mine: 1\r\n\r\n";
    let of_new = ["Host: h", "Via: 1.1 servers", "X-Forwarded-For: 192.0.2.1, 127.0.0.1"];
    let old = "GET /echo HTTP/1.0\r\n\r\n";
    let of_old = [host.as_str(), "Via: 1.0 servers", "X-Forwarded-For: 127.0.0.1"];
    everywhere(|model| {
        let proxy = proxy(model, &[&address], &[]);
        for (request, expected) in [(new, of_new), (old, of_old)] {
            let answer = proxy.ask(request);
            let (head, told) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("\r\nVia: 1.1 servers"), "{head}");
            let fields = told.trim_end().lines().skip(1).collect::<Vec<_>>();
            assert_eq!(fields, expected);
        }
    });
}

#[test]
fn content_passes_through_whole() {
    let backend = Server::start("epoll-level", "http", &[]);
    everywhere(|model| {
        let proxy = proxy(model, &[&backend.address.to_string()], &[]);
        let content = (0..1_000_000).map(|place| (place * 31 + place / 251) as u8);
        let content = content.collect::<Vec<_>>();
        let mut stream = proxy.connect();
        let mut writer = stream.try_clone().unwrap();
        let sent = content.clone();
        let sender = thread::spawn(move || {
            writer.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n").unwrap();
            writer.write_all(b"Transfer-Encoding: chunked\r\n\r\n").unwrap();
            for chunk in sent.chunks(33_333) {
                writer.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).unwrap();
                writer.write_all(chunk).unwrap();
                writer.write_all(b"\r\n").unwrap();
            }
            writer.write_all(b"0\r\n\r\n").unwrap();
        });
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        sender.join().unwrap();
        let head = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap() + 4;
        assert!(unchunked(&answer[head..]) == content, "the content comes back as it went");
    });
}

fn unchunked(mut octets: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let end = octets.iter().position(|&octet| octet == b'\n').unwrap();
        let line = std::str::from_utf8(&octets[..end - 1]).unwrap();
        let size = usize::from_str_radix(line, 16).unwrap();
        if size == 0 {
            return content;
        }
        content.extend_from_slice(&octets[end + 1..end + 1 + size]);
        octets = &octets[end + 3 + size..];
    }
}

#[test]
fn an_answer_that_comes_before_the_request_is_over_is_passed_on() {
    everywhere(|model| {
        let backend = Scripted::new(|mut stream, _| {
            read_head(&mut stream);
            let no = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno";
            stream.write_all(no).unwrap();
            // It neither reads on nor closes.
            thread::sleep(LONG);
        });
        let proxy = proxy(model, &[&backend.address], &[]);
        let mut stream = proxy.connect();
        let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n";
        stream.write_all(head).unwrap();
        // The rest is still to come.
        stream.write_all(&[b'x'; 100_000]).unwrap();
        assert_eq!(read_answer(&mut stream), (413, "no".into()));
    });
}

#[test]
fn a_hundred_continue_comes_from_the_backend() {
    let backend = Server::start("epoll-level", "http", &[]);
    everywhere(|model| {
        let proxy = proxy(model, &[&backend.address.to_string()], &[]);
        let mut stream = proxy.connect();
        let head =
            b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
        stream.write_all(head).unwrap();
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 100 Continue\r\n"));
        stream.write_all(b"ping").unwrap();
        assert_eq!(read_answer(&mut stream), (200, "ping".into()));
    });
}

#[test]
fn a_client_that_does_not_read_costs_no_memory() {
    let backend = Server::start("epoll-level", "http", &[]);
    everywhere(|model| {
        let mut proxy = proxy(model, &[&backend.address.to_string()], &[]);
        assert_eq!(ask(&proxy, GET).0, 200);
        let before = proxy.resident();
        let mut stream = proxy.connect();
        stream.write_all(b"GET /bytes/67108864 HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        thread::sleep(Duration::from_millis(300));
        let grown = proxy.resident().saturating_sub(before);
        assert!(grown < 256 << 10, "{grown} octets more than before");
        let head = read_head(&mut stream);
        assert!(head.contains("Content-Length: 67108864"), "{head}");
        let mut left = 67_108_864;
        let mut block = vec![0; 1 << 20];
        while left > 0 {
            let count = stream.read(&mut block).unwrap();
            assert!(count > 0 && block[..count].iter().all(|&octet| octet == b'x'));
            left -= count;
        }
        let grown = proxy.resident().saturating_sub(before);
        assert!(grown < 256 << 10, "{grown} octets more than before");
        assert!(proxy.runs());
    });
}

/// Writes until nothing more fits; says how many octets did.
fn fill(stream: &mut TcpStream, octets: &[u8]) -> usize {
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut sent = 0;
    while let Ok(count) = stream.write(&octets[sent..]) {
        sent += count;
        assert!(sent < octets.len(), "it takes everything");
    }
    stream.set_write_timeout(Some(LONG)).unwrap();
    sent
}

#[test]
fn a_backend_that_does_not_read_costs_no_memory() {
    let content = vec![b'x'; 64 << 20];
    everywhere(|model| {
        let (go_on, reads) = channel::<()>();
        let reads = Mutex::new(reads);
        let backend = Scripted::new(move |mut stream, _| {
            while let head = read_head(&mut stream)
                && !head.is_empty()
            {
                if head.starts_with("POST") {
                    reads.lock().unwrap().recv().unwrap();
                    let mut rest = (&mut stream).take(64 << 20);
                    assert_eq!(io::copy(&mut rest, &mut io::sink()).unwrap(), 64 << 20);
                }
                stream.write_all(OK).unwrap();
            }
        });
        let mut proxy = proxy(model, &[&backend.address], &["--body-max", "67108864"]);
        assert_eq!(ask(&proxy, GET).0, 200);
        let before = proxy.resident();
        let mut stream = proxy.connect();
        stream
            .write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 67108864\r\n\r\n")
            .unwrap();
        let sent = fill(&mut stream, &content);
        let grown = proxy.resident().saturating_sub(before);
        assert!(grown < 256 << 10, "{grown} octets more than before, of {sent}");
        go_on.send(()).unwrap();
        stream.write_all(&content[sent..]).unwrap();
        assert_eq!(read_answer(&mut stream), (200, "ok".into()));
        let grown = proxy.resident().saturating_sub(before);
        assert!(grown < 256 << 10, "{grown} octets more than before");
        assert!(proxy.runs());
    });
}

#[test]
fn a_client_that_has_said_all_gets_its_answer() {
    everywhere(|model| {
        let backend = Scripted::answering(OK);
        let proxy = proxy(model, &[&backend.address], &[]);
        let mut stream = proxy.connect();
        stream.write_all(GET).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_answer(&mut stream), (200, "ok".into()));
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn what_was_asked_before_the_stop_is_answered() {
    everywhere(|model| {
        let backend = Scripted::new(|mut stream, _| {
            while !read_head(&mut stream).is_empty() {
                thread::sleep(Duration::from_millis(300));
                stream.write_all(OK).unwrap();
            }
        });
        let mut proxy = proxy(model, &[&backend.address], &[]);
        let mut stream = proxy.connect();
        stream.write_all(GET).unwrap();
        eventually("the backend is asked", || backend.connections() == 1);
        proxy.signal(Signal::SIGTERM);
        assert_eq!(read_answer(&mut stream), (200, "ok".into()));
        assert!(matches!(stream.read(&mut [0]), Ok(0)));
        drop(stream);
        assert!(proxy.wait().success());
    });
}

#[test]
fn a_client_that_has_got_its_last_answer_has_no_backend_any_more() {
    let backends = [Scripted::answering(OK), parting("ok!", 0)];
    everywhere(|model| {
        for backend in &backends {
            let flags = ["--backend", &backend.address, "--affinity", "connection"];
            let proxy = admin::Proxy::start(model, "proxy", &flags);
            let mut stream = proxy.connect();
            stream.write_all(GET).unwrap();
            assert_eq!(read_answer(&mut stream).0, 200);
            assert_eq!(proxy.backend(0)["open"], 1, "it stays");
            stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
            assert!(read_to_close(&mut stream).starts_with("HTTP/1.1 200 OK\r\n"));
            assert_eq!(proxy.backend(0)["open"], 0, "it has been told that this was all");
        }
    });
}

/// What becomes of a connection to a backend when it has carried an answer.
const FATES: [&str; 3] = ["it closes and says so", "it closes", "it breaks under the next request"];

/// A backend whose connections end like that.
fn parting(name: &'static str, fate: usize) -> Scripted {
    Scripted::new(move |mut stream, _| {
        read_head(&mut stream);
        let close = if fate == 0 { "Connection: close\r\n" } else { "" };
        write!(stream, "HTTP/1.1 200 OK\r\n{close}Content-Length: 3\r\n\r\n{name}").unwrap();
        if fate == 2 {
            read_head(&mut stream);
            reset(stream);
        }
    })
}

#[test]
fn a_client_that_stays_with_its_backend_does_so_whatever_becomes_of_the_connection_there() {
    everywhere(|model| {
        for (fate, why) in FATES.into_iter().enumerate() {
            let backends = ["one", "two"].map(|name| parting(name, fate));
            let addresses = backends.each_ref().map(|backend| backend.address.as_str());
            let proxy = proxy(model, &addresses, &["--affinity", "connection"]);
            let mut stream = proxy.connect();
            for _ in 0..6 {
                stream.write_all(GET).unwrap();
                assert_eq!(read_answer(&mut stream), (200, "one".into()), "{why}");
            }
        }
    });
}

#[test]
fn a_client_has_a_backend_for_a_request_or_for_as_long_as_it_stays() {
    everywhere(|model| {
        let one = Scripted::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
        let two = Scripted::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo");
        for (affinity, expected) in [("request", 2), ("connection", 1)] {
            let backends = [one.address.as_str(), &two.address];
            let proxy = proxy(model, &backends, &["--affinity", affinity]);
            let mut stream = proxy.connect();
            let mut seen = std::collections::HashSet::new();
            for _ in 0..8 {
                stream.write_all(GET).unwrap();
                seen.insert(read_answer(&mut stream).1);
            }
            assert_eq!(seen.len(), expected, "by {affinity}");
        }
    });
}
