//! Backends that answer before they have read what they were sent: what becomes of the connections
//! to them.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt};
use process::scripted::{GET, OK, everywhere, proxy, read_answer, read_head};
use process::{LONG, Server, eventually, has};
use socket2::{Domain, Socket, Type};

/// By then nothing more is on its way, unless the machine is busy.
const PAUSE: Duration = Duration::from_millis(200);
/// More than lies between a proxy and a [`Reluctant`] backend in the kernel, and so little that the
/// proxy reads all of it at once.
const UPLOAD: usize = 60_000;
/// So much a proxy can read at once.
const BUFFER: [&str; 2] = ["--buffer", "1048576"];

/// A backend that accepts and reads when the test does.
struct Reluctant {
    listener: TcpListener,
    address: String,
}

/// An address of this host of which the kernel most likely remembers nothing (tcp_metrics(8)): to
/// one that could take much it sends more at once than is to fit.
fn unknown() -> [u8; 4] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let [.., a, b, c] = now.subsec_nanos().to_be_bytes();
    [127, a | 1, b, c | 1]
}

impl Reluctant {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Connections have the same, and what is sent to them waits in little memory, too.
        socket.set_recv_buffer_size(2 << 10).unwrap();
        setsockopt(&socket, sockopt::TcpMaxSeg, &536).unwrap();
        socket.bind(&SocketAddr::from((unknown(), 0)).into()).unwrap();
        socket.listen(8).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap().to_string();
        Self { listener, address }
    }

    fn accept(&self) -> TcpStream {
        let (link, _) = self.listener.accept().unwrap();
        link.set_read_timeout(Some(LONG)).unwrap();
        link
    }

    /// A client of `proxy` that has asked, and the connection over which it did.
    fn asked(&self, proxy: &Server) -> (TcpStream, TcpStream) {
        let mut client = proxy.connect();
        client.write_all(GET).unwrap();
        let mut link = self.accept();
        assert!(!read_head(&mut link).is_empty());
        (client, link)
    }
}

/// Sends an upload, and what follows it, so that the proxy finds all of it at once.
fn upload(proxy: &Server, client: &mut TcpStream, behind: &[u8]) {
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {UPLOAD}\r\n\r\n");
    proxy.signal(Signal::SIGSTOP);
    client.write_all(&[head.as_bytes(), &[b'x'; UPLOAD], behind].concat()).unwrap();
    proxy.signal(Signal::SIGCONT);
    thread::sleep(PAUSE);
}

/// Reads until nothing more comes.
fn drain(link: &mut TcpStream) {
    link.set_read_timeout(Some(PAUSE)).unwrap();
    while let Ok(1..) = link.read(&mut [0; 1 << 12]) {}
}

fn has_come(link: &TcpStream) -> bool {
    link.set_nonblocking(true).unwrap();
    let come = link.peek(&mut [0]).is_ok();
    link.set_nonblocking(false).unwrap();
    come
}

/// Whether the next request comes over `idle`. If all of the upload has found room after all, it
/// comes behind that.
fn comes_over(idle: &TcpStream, stuck: &mut TcpStream) -> bool {
    stuck.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut octets = vec![0; 1 << 16];
    let start = Instant::now();
    while start.elapsed() < LONG {
        if has_come(idle) {
            return true;
        }
        let count = stuck.read(&mut octets).unwrap_or(0);
        if octets[..count].ends_with(b"\r\n\r\n") {
            return false;
        }
    }
    panic!("it does not come");
}

/// An upload of which the proxy has taken all and has the last octets still to send, and a request
/// behind it. Says whether it came to that, and the next request could be made at all.
fn next_goes_on_at_once(model: &str) -> bool {
    let backend = Reluctant::new();
    // Or the idle connection might be another worker's.
    let alone = [&BUFFER[..], &["--workers", "1"]].concat();
    let proxy = proxy(model, &[&backend.address], &alone);
    let (mut one, mut two) = (backend.asked(&proxy), backend.asked(&proxy));
    for (client, link) in [&mut one, &mut two] {
        link.write_all(OK).unwrap();
        assert_eq!(read_answer(client), (200, "ok".into()));
    }
    let mut client = proxy.connect();
    upload(&proxy, &mut client, GET);
    eventually("the upload begins", || has_come(&one.1) || has_come(&two.1));
    let (mut stuck, mut idle) = if has_come(&one.1) { (one.1, two.1) } else { (two.1, one.1) };
    assert!(read_head(&mut stuck).starts_with("POST / "));
    stuck.write_all(OK).unwrap();
    let head = read_head(&mut client);
    if head.contains("Connection: close") {
        return false;
    }
    client.read_exact(&mut [0; 2]).unwrap();
    if !comes_over(&idle, &mut stuck) {
        return false;
    }
    assert!(read_head(&mut idle).starts_with("GET / "), "{model}: over the other connection");
    idle.write_all(OK).unwrap();
    assert_eq!(read_answer(&mut client), (200, "ok".into()), "{model}");
    true
}

/// The connection that is stuck is given up, and the next request goes over one that has waited:
/// that the first one had no room says nothing about that.
#[test]
fn the_next_request_does_not_wait_for_room_in_the_last_connection() {
    for model in ["select", "poll", "epoll-level", "epoll-edge", "epoll-oneshot", "uring"] {
        if !has(model) {
            continue;
        }
        println!("{model}");
        assert!((0..20).any(|_| next_goes_on_at_once(model)), "{model}: no upload gets stuck");
    }
}

/// The rest of an upload goes out and its answer comes in while the proxy has no turn: it finds
/// both at once.
fn waits_after_both_at_once(model: &str) -> u64 {
    let backend = Reluctant::new();
    let mut proxy = proxy(model, &[&backend.address], &BUFFER);
    let mut client = proxy.connect();
    upload(&proxy, &mut client, b"");
    let mut link = backend.accept();
    proxy.signal(Signal::SIGSTOP);
    drain(&mut link);
    link.write_all(OK).unwrap();
    proxy.signal(Signal::SIGCONT);
    assert_eq!(read_answer(&mut client), (200, "ok".into()), "{model}");
    // Whoever is woken in vain is woken thousands of times meanwhile.
    thread::sleep(PAUSE);
    proxy.stop()["waits"].as_u64().unwrap()
}

#[test]
fn one_that_is_kept_does_not_keep_the_proxy_awake() {
    everywhere(|model| {
        for _ in 0..3 {
            let waits = waits_after_both_at_once(model);
            assert!(waits < 10_000, "{model}: {waits} waits");
        }
    });
}
