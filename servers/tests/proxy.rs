//! The HTTP proxy in every model, before backends that do what backends do.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use process::{LONG, Server, eventually, read_to_close, reset};
use servers::models::MODELS;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn proxy(model: &str, backends: &[&str], flags: &[&str]) -> Server {
    let mut all = flags.to_vec();
    for backend in backends {
        all.extend(["--backend", backend]);
    }
    Server::start(model, "proxy", &all)
}

fn everywhere(test: impl Fn(&str)) {
    for model in MODELS {
        println!("{}", model.name);
        test(model.name);
    }
}

/// A backend that does the same with each connection; counts them, and the requests it has read.
struct Scripted {
    address: String,
    connections: Arc<AtomicUsize>,
}

impl Scripted {
    fn new(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&connections);
        let script = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                thread::spawn(move || {
                    stream.set_read_timeout(Some(LONG)).unwrap();
                    script(stream, number);
                });
            }
        });
        Self { address, connections }
    }

    /// One that answers each request, without content, alike.
    fn answering(answer: &'static [u8]) -> Self {
        Self::new(move |mut stream, _| {
            while !read_head(&mut stream).is_empty() {
                stream.write_all(answer).unwrap();
            }
        })
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The address of nobody: a port that was free a moment ago.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A head, or nothing when the other side has closed.
fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut octet) {
            Ok(1) => head.push(octet[0]),
            _ => return String::new(),
        }
    }
    String::from_utf8(head).unwrap()
}

/// An answer: its status and its content.
fn read_answer(stream: &mut TcpStream) -> (u16, String) {
    let head = read_head(stream);
    let status = head.get(9..12).unwrap_or("0").parse().unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}

fn ask(proxy: &Server, request: &[u8]) -> (u16, String) {
    let mut stream = proxy.connect();
    stream.write_all(request).unwrap();
    read_answer(&mut stream)
}

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
fn who_refuses_is_passed_over_and_where_nobody_is_left_it_says_503() {
    everywhere(|model| {
        let backend = Scripted::answering(OK);
        let half = proxy(model, &[&nobody(), &backend.address], &[]);
        for _ in 0..6 {
            assert_eq!(ask(&half, GET).0, 200);
        }
        let none = proxy(model, &[&nobody(), &nobody()], &[]);
        let mut stream = none.connect();
        stream.write_all(GET).unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("Retry-After: "), "{head}");
    });
}

#[test]
fn a_kept_connection_that_has_died_is_no_reason_to_fail() {
    everywhere(|model| {
        // Each connection answers once, and dies without a word about it.
        let backend = Scripted::new(|mut stream, _| {
            read_head(&mut stream);
            stream.write_all(OK).unwrap();
        });
        let proxy = proxy(model, &[&backend.address], &[]);
        for request in [GET, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"] {
            for _ in 0..3 {
                assert_eq!(ask(&proxy, request).0, 200);
                // The end is there before the next request.
                thread::sleep(Duration::from_millis(20));
            }
        }
    });
}

#[test]
fn a_request_is_repeated_only_where_that_does_no_harm() {
    everywhere(|model| {
        // The first connection is reset when the request has been read.
        let served = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&served);
        let backend = Scripted::new(move |mut stream, number| {
            let head = read_head(&mut stream);
            counted.fetch_add(usize::from(head.starts_with("POST")), Ordering::SeqCst);
            if number % 2 == 0 {
                return reset(stream);
            }
            stream.write_all(OK).unwrap();
            read_head(&mut stream);
        });
        let other = Scripted::answering(OK);
        let proxy = proxy(
            model,
            &[&backend.address, &other.address],
            &["--fall", "1000", "--links-max", "0"],
        );
        for _ in 0..4 {
            assert_eq!(ask(&proxy, GET).0, 200);
        }
        let post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nonce";
        let statuses = (0..8).map(|_| ask(&proxy, post).0).collect::<Vec<_>>();
        assert!(statuses.iter().all(|status| matches!(status, 200 | 502)), "{statuses:?}");
        let failed = statuses.iter().filter(|&&status| status == 502).count();
        assert!(failed > 0, "{statuses:?}");
        assert_eq!(served.load(Ordering::SeqCst), 4, "each second one went there, and once");
    });
}

#[test]
fn an_answer_that_is_cut_is_seen_as_cut() {
    everywhere(|model| {
        for (part, whole) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"[..], false),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false),
            (b"HTTP/1.1 200 OK\r\n\r\nall of it", true),
        ] {
            let backend = Scripted::new(move |mut stream, _| {
                read_head(&mut stream);
                stream.write_all(part).unwrap();
            });
            let proxy = proxy(model, &[&backend.address], &[]);
            let mut stream = proxy.connect();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
            let answer = read_to_close(&mut stream);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            let ended = answer.ends_with("\r\n0\r\n\r\n") || answer.ends_with("half-and-half");
            assert_eq!(ended, whole, "{answer}");
        }
    });
}

#[test]
fn what_makes_no_sense_is_502_and_silence_is_504() {
    everywhere(|model| {
        for garbage in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        ] {
            let backend = Scripted::answering(garbage);
            assert_eq!(ask(&proxy(model, &[&backend.address], &[]), GET).0, 502);
        }
        let silent = Scripted::new(|mut stream, _| {
            read_head(&mut stream);
            read_head(&mut stream);
        });
        let proxy = proxy(model, &[&silent.address], &["--response-timeout", "200ms"]);
        let start = Instant::now();
        assert_eq!(ask(&proxy, GET).0, 504);
        assert!(start.elapsed() >= Duration::from_millis(200));
    });
}

#[test]
fn what_nobody_asked_for_reaches_nobody() {
    const BAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad";
    everywhere(|model| {
        for pause in [Duration::ZERO, Duration::from_millis(20)] {
            let said = Arc::<AtomicUsize>::default();
            let counted = Arc::clone(&said);
            let backend = Scripted::new(move |mut stream, _| {
                while !read_head(&mut stream).is_empty() {
                    let _ = stream.write_all(OK);
                    thread::sleep(pause);
                    let _ = stream.write_all(BAD);
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            });
            let proxy = proxy(model, &[&backend.address], &[]);
            let mut stream = proxy.connect();
            for round in 1..=4 {
                stream.write_all(GET).unwrap();
                assert_eq!(read_answer(&mut stream), (200, "ok".into()));
                eventually("it is said", || said.load(Ordering::SeqCst) == round);
            }
        }
    });
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
        let mut writer = stream.try_clone().unwrap();
        // The proxy closes at some time, and that is right.
        let sender = thread::spawn(move || writer.write_all(&vec![b'x'; 8_000_000]).is_ok());
        assert_eq!(read_answer(&mut stream), (413, "no".into()));
        drop(stream);
        sender.join().unwrap();
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
        assert!(proxy.wait().success());
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

#[test]
fn when_the_client_goes_the_backend_is_told() {
    everywhere(|model| {
        let (heard, gone) = std::sync::mpsc::channel();
        let heard = std::sync::Mutex::new(heard);
        let backend = Scripted::new(move |mut stream, _| {
            read_head(&mut stream);
            let end = stream.read(&mut [0]).map_err(|error| error.kind());
            let _ = heard.lock().unwrap().send(end);
        });
        let proxy = proxy(model, &[&backend.address], &["--response-timeout", "2s"]);
        let mut stream = proxy.connect();
        stream.write_all(GET).unwrap();
        eventually("the backend is asked", || backend.connections() == 1);
        thread::sleep(Duration::from_millis(50));
        reset(stream);
        let end = gone.recv_timeout(LONG).unwrap();
        assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
    });
}

#[test]
fn without_a_descriptor_for_a_backend_it_says_503_and_goes_on() {
    let backend = Server::start("epoll-level", "http", &[]);
    everywhere(|model| {
        let address = backend.address.to_string();
        let by = ["prlimit", "--nofile=24:24", process::SERVERS];
        let mut proxy = Server::start_by(&by, model, "proxy", &["--backend", &address]);
        let mut held = Vec::new();
        let mut statuses = Vec::new();
        for _ in 0..24 {
            let mut stream = proxy.connect();
            stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            stream.write_all(GET).unwrap();
            let head = read_head(&mut stream);
            statuses.push(head.get(9..12).unwrap_or("none").to_owned());
            held.push(stream);
        }
        let known = ["200", "503", "none"];
        assert!(statuses.iter().all(|status| known.contains(&status.as_str())), "{statuses:?}");
        drop(held);
        eventually("it answers again", || {
            let mut stream = proxy.connect();
            stream.write_all(GET).unwrap();
            read_head(&mut stream).starts_with("HTTP/1.1 200")
        });
        assert!(proxy.runs());
    });
}
