//! A session whose two peers are sockets of the test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use clap::Parser;

use super::*;
use crate::control::{Control, Patience};
use crate::listener::Blocking;
use crate::proxy::options::Options;
use crate::proxy::site::Manners;

const SPAN: std::time::Duration = std::time::Duration::from_secs(30);

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

fn control() -> Control {
    let span = SPAN.into();
    let patience =
        Patience { head: span, body: span, idle: span, write: span, linger: span, drain: span };
    Control::new(patience, 4096)
}

/// A session for `client`, whose requests go to the backend at `address`.
fn forward(client: TcpStream, address: SocketAddr, control: &Control) -> Forward {
    let line = Line::parse_from(["proxy", "--backend", &address.to_string()]);
    let upstreams = line.options.upstreams().unwrap();
    let site = ProxySite::new(upstreams.into(), Manners::new(&line.options, SPAN));
    Forward::new(site.into(), client, Limits::default(), control.now())
}

/// A listener that is the backend, a client, and the session between them.
fn meet(control: &Control) -> (TcpListener, TcpStream, Forward) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(SPAN)).unwrap();
    let (served, _) = listener.accept().unwrap();
    let session = forward(served, address, control);
    (listener, client, session)
}

#[test]
fn an_answer_may_come_before_the_last_of_the_content_is_out() {
    let control = control();
    let mut worker = Worker::new(&control, Blocking::Yes);
    let (_backend, mut client, mut session) = meet(&control);

    client.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nonce").unwrap();
    session.read(End::Client, &mut worker).unwrap();
    let only_write = Wants { client: None, upstream: Some(Interest::Write) };
    assert_eq!(session.wants(), only_write, "nothing of the request is out");
    session.write(End::Upstream, &mut worker).unwrap();
    assert_eq!(session.output(End::Upstream), b"once");
    let either = Wants { client: None, upstream: Some(Interest::Either) };
    assert_eq!(session.wants(), either, "its content is not out");
    session.write(End::Upstream, &mut worker).unwrap();
    let only_read = Wants { client: None, upstream: Some(Interest::Read) };
    assert_eq!(session.wants(), only_read, "all of it is out");
}

/// What is left of the request would come before the next one.
#[test]
fn a_connection_with_content_that_was_not_sent_is_not_kept_for_another_request() {
    for sends_all in [true, false] {
        let control = control();
        let mut worker = Worker::new(&control, Blocking::Yes);
        let (listener, mut client, mut session) = meet(&control);
        client.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nonce").unwrap();
        session.read(End::Client, &mut worker).unwrap();
        session.write(End::Upstream, &mut worker).unwrap();
        assert_eq!(session.output(End::Upstream), b"once");
        if sends_all {
            session.write(End::Upstream, &mut worker).unwrap();
        }
        let (mut backend, _) = listener.accept().unwrap();
        backend.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        session.read(End::Upstream, &mut worker).unwrap();
        assert!(session.output(End::Client).starts_with(b"HTTP/1.1 200 OK"));
        assert_eq!(control.links().idle(), usize::from(sends_all));
        assert_eq!(session.output(End::Upstream), b"");
    }
}

#[test]
fn a_client_that_does_not_close_has_got_its_answer_and_an_end() {
    let control = control();
    let mut worker = Worker::new(&control, Blocking::Yes);
    let (listener, mut client, mut session) = meet(&control);
    // It knows no chunks: its answer is over where the connection is, and a cut would be a reset.
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    session.read(End::Client, &mut worker).unwrap();
    session.write(End::Upstream, &mut worker).unwrap();
    let (mut backend, _) = listener.accept().unwrap();
    assert!(backend.read(&mut [0; 512]).unwrap() > 0);
    // More than a client is sent before it reads: the rest waits here, in the kernel.
    let content = "x".repeat(256 << 10);
    write!(backend, "HTTP/1.1 200 OK\r\n\r\n{content}").unwrap();
    drop(backend);
    while session.wait() != Wait::Linger {
        match session.wants().client {
            Some(_) => session.write(End::Client, &mut worker).unwrap(),
            None => session.read(End::Upstream, &mut worker).unwrap(),
        };
    }
    session.expire(&mut worker);
    assert!(session.wants().is_over());
    drop(session);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    let (_, all) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(all.len(), content.len());
}

#[test]
fn an_address_of_ipv4_is_called_by_its_own_name_on_a_socket_of_ipv6() {
    let name = |address: &str| name_of(Client { address: address.parse().unwrap(), id: None });
    assert_eq!(&*name("::ffff:192.0.2.1"), "192.0.2.1");
    assert_eq!(&*name("2001:db8::1"), "2001:db8::1");
    assert_eq!(&*name("0.0.0.0"), "", "it had gone before it was asked");
}
