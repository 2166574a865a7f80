//! The HTTP proxy in every model: each side hears who else was there, and nothing that was meant
//! for the other side's connection only (RFC 9110, 7.6).

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};

use process::scripted::{GET, Scripted, everywhere, proxy, read_answer, read_head};
use process::{LONG, Server};
use socket2::{Domain, Socket, Type};

/// A connection to `server` from that address.
fn connect_from(from: IpAddr, server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::for_address(server.address), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket.connect_timeout(&server.address.into(), LONG).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.into()
}

/// Somebody else has passed it on before, and some of it is about the client's connection only.
const ASKED: &[u8] = b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Secret\r\n\
    X-Secret: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nX-Forwarded-For: 192.0.2.1\r\n\
    X-Kept: 2\r\nVia: 1.0 other\r\n\r\n";

/// The fields that a backend hears when this client asks.
fn heard(client: &mut TcpStream) -> Vec<String> {
    client.write_all(ASKED).unwrap();
    let (status, head) = read_answer(client);
    assert_eq!(status, 200, "{head}");
    let fields = head.lines().skip(1).filter(|line| !line.is_empty());
    fields.map(str::to_owned).collect()
}

fn expected(from: IpAddr) -> Vec<String> {
    let forwarded = format!("X-Forwarded-For: 192.0.2.1, {from}");
    ["Host: h", "X-Kept: 2", "Via: 1.0 other", "Via: 1.1 servers", &forwarded]
        .map(str::to_owned)
        .to_vec()
}

/// One after the other, over the same connection to the backend.
fn each_is_told_of(proxy: &Server, clients: &[IpAddr]) {
    for &from in clients {
        let mut client = connect_from(from, proxy);
        for _ in 0..2 {
            assert_eq!(heard(&mut client), expected(from));
        }
    }
}

#[test]
fn a_backend_hears_which_client_has_asked_and_through_whom() {
    let backend = Server::start("epoll-level", "http", &[]);
    let address = backend.address.to_string();
    everywhere(|model| {
        let proxy = proxy(model, &[&address], &[]);
        each_is_told_of(&proxy, &[7, 8, 7].map(|last| Ipv4Addr::new(127, 0, 0, last).into()));
    });
}

#[test]
fn and_so_it_does_of_a_client_of_ipv6() {
    let loopback = Ipv6Addr::LOCALHOST.into();
    if let Err(error) = std::net::TcpListener::bind((loopback, 0)) {
        return eprintln!("SKIPPED: no IPv6 here: {error}");
    }
    let backend = Server::start("epoll-level", "http", &[]);
    let flags = ["--backend", &backend.address.to_string()];
    everywhere(|model| {
        let proxy = Server::start_at(loopback, model, "proxy", &flags);
        each_is_told_of(&proxy, &[loopback]);
    });
}

#[test]
fn a_client_hears_through_whom_it_was_answered_and_nothing_about_their_connection() {
    everywhere(|model| {
        let backend = Scripted::answering(
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Inner\r\nX-Inner: 1\r\n\
            Keep-Alive: timeout=5\r\nContent-Length: 0\r\nX-Kept: 2\r\nDate: then\r\n\r\n",
        );
        let proxy = proxy(model, &[&backend.address], &[]);
        let mut client = proxy.connect();
        for _ in 0..2 {
            client.write_all(GET).unwrap();
            let head = read_head(&mut client);
            let fields = head.lines().skip(1).filter(|line| !line.is_empty());
            let expected = ["Content-Length: 0", "X-Kept: 2", "Date: then", "Via: 1.1 servers"];
            assert_eq!(fields.collect::<Vec<_>>(), expected, "{model}");
        }
    });
}
