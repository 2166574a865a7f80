//! Backends that follow a script, a proxy before them, and a client's side of it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::{LONG, Server, models};

pub(crate) const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub(crate) fn proxy(model: &str, backends: &[&str], flags: &[&str]) -> Server {
    start(model, "proxy", backends, flags)
}

/// A proxy or a relay before these backends.
pub(crate) fn start(model: &str, app: &str, backends: &[&str], flags: &[&str]) -> Server {
    let mut all = flags.to_vec();
    for backend in backends {
        all.extend(["--backend", backend]);
    }
    Server::start(model, app, &all)
}

pub(crate) fn everywhere(test: impl Fn(&str)) {
    for model in models() {
        println!("{}", model.name);
        test(model.name);
    }
}

/// For tests that mostly wait: all models at once, each in a thread that has its name.
pub(crate) fn everywhere_at_once(test: impl Fn(&str) + Sync) {
    let test = &test;
    thread::scope(|scope| {
        for model in models() {
            let named = thread::Builder::new().name(model.name.to_owned());
            named.spawn_scoped(scope, move || test(model.name)).unwrap();
        }
    });
}

/// A backend that does the same with each connection; counts them, and the requests it has read.
pub(crate) struct Scripted {
    pub(crate) address: String,
    connections: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) fn new(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
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
    pub(crate) fn answering(answer: &'static [u8]) -> Self {
        Self::new(move |mut stream, _| {
            while !read_head(&mut stream).is_empty() {
                stream.write_all(answer).unwrap();
            }
        })
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The address of nobody: a port that is taken while the test runs, and at which nobody listens.
pub(crate) fn nobody() -> String {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    std::mem::forget(socket);
    address.to_string()
}

/// A backend that neither accepts nor refuses: its queue of connections is full, and the kernel
/// drops what asks for one more.
pub(crate) struct Deaf {
    pub(crate) address: String,
    _listener: Socket,
    _queue: Vec<TcpStream>,
}

impl Deaf {
    pub(crate) fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok();
        let queue = std::iter::from_fn(connect).take(64).collect::<Vec<_>>();
        assert!(queue.len() < 64, "connections to a full queue are made all the same");
        Self { address: address.to_string(), _listener: listener, _queue: queue }
    }
}

/// A head, or nothing when the other side has closed.
pub(crate) fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut octet) {
            Ok(1) => head.push(octet[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => return String::new(),
        }
    }
    String::from_utf8(head).unwrap()
}

/// An answer: its status and its content.
pub(crate) fn read_answer(stream: &mut TcpStream) -> (u16, String) {
    let head = read_head(stream);
    let status = head.get(9..12).unwrap_or("0").parse().unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}

/// The final answer, after whatever interim ones.
pub(crate) fn read_final(stream: &mut TcpStream) -> (u16, String) {
    loop {
        let answer = read_answer(stream);
        if !(100..200).contains(&answer.0) {
            return answer;
        }
    }
}

pub(crate) fn ask(proxy: &Server, request: &[u8]) -> (u16, String) {
    let mut stream = proxy.connect();
    stream.write_all(request).unwrap();
    read_answer(&mut stream)
}
