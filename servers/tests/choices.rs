//! Who is asked, through a real proxy in every model: turns, loads that come down again, addresses.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use process::{LONG, SERVERS, eventually};
use servers::models::{AtOnce, MODELS, Model};
use socket2::{Domain, Socket, Type};

/// Of the two backends, the first one.
const ONE: &str = "one";
/// The other one.
const TWO: &str = "two";

/// The models that this host has; which it has not, and why, is said.
fn offered() -> impl Iterator<Item = &'static Model> {
    MODELS.iter().filter(|model| {
        let refusal = model.refusal();
        refusal.iter().for_each(|why| eprintln!("SKIPPED: {}: {why}", model.name));
        refusal.is_none()
    })
}

/// A proxy's process, killed when dropped.
struct Proxy {
    child: Child,
    address: SocketAddr,
}

impl Proxy {
    fn start(model: &Model, policy: &str, listen: IpAddr, backends: &[impl ToString]) -> Self {
        let mut command = Command::new(SERVERS);
        let listen = SocketAddr::new(listen, 0).to_string();
        command.args(["run", "--app", "proxy", "--listen", &listen]);
        command.args(["--model", model.name, "--policy", policy]);
        for backend in backends {
            command.args(["--backend", &backend.to_string()]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening ").expect("the first line of output");
        Self { child, address: address.parse().unwrap() }
    }

    /// Asks for that path on a connection of its own from that address.
    fn send(&self, from: IpAddr, path: &str) -> TcpStream {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
        socket.connect_timeout(&self.address.into(), LONG).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(LONG)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// Who answers a client from that address.
    fn ask_from(&self, from: IpAddr) -> String {
        read_answer(self.send(from, "/"))
    }

    fn ask(&self) -> String {
        self.ask_from(self.address.ip())
    }

    /// How many of so many requests, one after the other, each of the two answers.
    fn shares(&self, requests: usize) -> [usize; 2] {
        let answers = (0..requests).map(|_| self.ask()).collect::<Vec<_>>();
        [ONE, TWO].map(|name| answers.iter().filter(|answer| *answer == name).count())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request that waits for its answer at a backend.
struct Held {
    backend: &'static str,
    stream: TcpStream,
}

impl Held {
    fn answer(mut self) {
        self.stream.write_all(&answer(self.backend, "close")).unwrap();
    }
}

fn answer(content: &str, connection: &str) -> Vec<u8> {
    let length = content.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: {connection}\r\n\r\n{content}"
    )
    .into()
}

/// The content of an answer after which the connection ends.
fn read_answer(mut stream: TcpStream) -> String {
    let answer = process::read_to_close(&mut stream);
    let (head, content) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    content.to_owned()
}

/// A backend that says its name at once; whoever asks for /slow it hands over to the test.
fn backend(name: &'static str, slow: &Sender<Held>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let slow = slow.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let slow = slow.clone();
            thread::spawn(move || serve(name, stream, &slow));
        }
    });
    address
}

fn serve(name: &'static str, mut stream: TcpStream, slow: &Sender<Held>) {
    while let Some(head) = read_head(&mut stream) {
        if head.starts_with("GET /slow ") {
            // Nobody listens any more when the test is over.
            let _ = slow.send(Held { backend: name, stream });
            return;
        }
        if stream.write_all(&answer(name, "keep-alive")).is_err() {
            return;
        }
    }
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut octet) {
            Ok(1) => head.push(octet[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
    String::from_utf8(head).ok()
}

/// Two backends, and where what is slow at them comes out.
fn two_backends() -> ([SocketAddr; 2], Receiver<Held>) {
    let (slow, held) = channel();
    ([backend(ONE, &slow), backend(TWO, &slow)], held)
}

#[test]
fn thirty_requests_in_turn_are_fifteen_for_each() {
    let (backends, _held) = two_backends();
    for model in offered() {
        let proxy = Proxy::start(model, "round-robin", Ipv4Addr::LOCALHOST.into(), &backends);
        assert_eq!(proxy.shares(30), [15, 15], "{}", model.name);
    }
}

/// The first of them takes three times as much as the second.
fn three_to_one([one, two]: [SocketAddr; 2]) -> [String; 2] {
    [format!("{one},weight=3"), two.to_string()]
}

#[test]
fn a_backend_of_three_times_the_weight_is_asked_three_times_as_often() {
    let (backends, _held) = two_backends();
    let weighted = three_to_one(backends);
    for model in offered() {
        let proxy = Proxy::start(model, "round-robin", Ipv4Addr::LOCALHOST.into(), &weighted);
        assert_eq!(proxy.shares(40), [30, 10], "{}", model.name);
    }
}

#[test]
fn a_backend_of_three_times_the_weight_has_three_times_as_much_under_way() {
    let (backends, held) = two_backends();
    let weighted = three_to_one(backends);
    for model in offered().filter(|model| model.at_once != AtOnce::One) {
        let proxy = Proxy::start(model, "least-connections", Ipv4Addr::LOCALHOST.into(), &weighted);
        let slow = (0..8).map(|_| {
            let client = proxy.send(proxy.address.ip(), "/slow");
            (held.recv_timeout(LONG).unwrap(), client)
        });
        let slow = slow.collect::<Vec<_>>();
        let at_one = slow.iter().filter(|(request, _)| request.backend == ONE).count();
        assert_eq!(at_one, 6, "{}: of 8", model.name);
        finish(slow);
    }
}

#[test]
fn two_slow_requests_keep_all_others_away_from_their_backend_until_they_end() {
    let (backends, held) = two_backends();
    for model in offered().filter(|model| model.at_once != AtOnce::One) {
        println!("{}", model.name);
        let proxy = Proxy::start(model, "least-connections", Ipv4Addr::LOCALHOST.into(), &backends);
        let mut slow = HashMap::<_, Vec<_>>::new();
        for _ in 0..4 {
            let client = proxy.send(proxy.address.ip(), "/slow");
            let request = held.recv_timeout(LONG).unwrap();
            slow.entry(request.backend).or_default().push((request, client));
        }
        assert_eq!((slow[ONE].len(), slow[TWO].len()), (2, 2), "equals in turn");
        finish(slow.remove(TWO).unwrap());
        // A client has its answer a moment before the proxy has closed its books about it.
        eventually("the first one is left alone", || proxy.shares(10) == [0, 10]);
        assert_eq!(proxy.shares(10), [0, 10]);
        finish(slow.remove(ONE).unwrap());
        eventually("it has its share again", || proxy.shares(10) == [5, 5]);
    }
}

/// Lets slow requests end, as their clients see.
fn finish(slow: Vec<(Held, TcpStream)>) {
    for (request, client) in slow {
        let backend = request.backend;
        request.answer();
        assert_eq!(read_answer(client), backend);
    }
}

/// Who answers each of these clients; all models agree about that, and it stays so.
fn homes(listen: IpAddr, clients: &[IpAddr]) -> Vec<String> {
    let (backends, _held) = two_backends();
    let mut homes = None;
    for model in offered() {
        let proxy = Proxy::start(model, "ip-hash", listen, &backends);
        for round in 0..3 {
            let found = clients.iter().map(|&from| proxy.ask_from(from)).collect::<Vec<_>>();
            let home = homes.get_or_insert_with(|| found.clone());
            assert_eq!(&found, home, "{}, round {round}", model.name);
        }
    }
    homes.unwrap()
}

fn assert_shared(homes: &[String]) {
    for name in [ONE, TWO] {
        // Of 32, 16 are expected; fewer than 5 would be a hash of less than the address.
        assert!(homes.iter().filter(|home| *home == name).count() >= 5, "{homes:?}");
    }
}

#[test]
fn a_client_is_known_by_its_address_and_stays_with_its_backend() {
    let clients = (1..=32).map(|last| Ipv4Addr::new(127, 0, 0, last).into()).collect::<Vec<_>>();
    assert_shared(&homes(Ipv4Addr::LOCALHOST.into(), &clients));
}

#[test]
fn addresses_that_differ_in_their_first_octets_only_are_told_apart() {
    let clients = (1..=32).map(|second| Ipv4Addr::new(127, second, 0, 1).into());
    assert_shared(&homes(Ipv4Addr::LOCALHOST.into(), &clients.collect::<Vec<_>>()));
}

/// Addresses for documentation (RFC 3849) that differ in one octet, which is that one.
fn documentation(place: usize, octet: u8) -> IpAddr {
    let mut octets = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).octets();
    octets[place] = octet;
    Ipv6Addr::from(octets).into()
}

/// A network of our own, with these addresses: for this thread, and for what it starts.
fn network(addresses: &[IpAddr]) -> Result<(), Errno> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    ip(&["link", "set", "lo", "up"]);
    for address in addresses {
        ip(&["address", "add", &format!("{address}/128"), "dev", "lo", "nodad"]);
    }
    Ok(())
}

fn ip(line: &[&str]) {
    let output = Command::new("ip").args(line).output().expect("ip(8), of iproute2");
    assert!(output.status.success(), "ip {line:?}: {output:?}");
}

#[test]
fn all_octets_of_an_address_of_ipv6_count() {
    let last = (1..=32).map(|octet| documentation(15, octet)).collect::<Vec<_>>();
    let subnet = (1..=32).map(|octet| documentation(7, octet)).collect::<Vec<_>>();
    // A thread of the test's own: it does not come back to the host's network.
    let tried = thread::spawn(move || {
        network(&[&last[..], &subnet].concat())?;
        assert_shared(&homes(last[0], &last));
        assert_shared(&homes(subnet[0], &subnet));
        Ok::<_, Errno>(())
    });
    match tried.join().unwrap() {
        Ok(()) => {}
        Err(Errno::EPERM) => eprintln!("SKIPPED: a network of one's own takes CAP_SYS_ADMIN"),
        Err(errno) => panic!("no network of one's own: {errno}"),
    }
}
