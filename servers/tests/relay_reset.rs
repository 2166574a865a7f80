//! A client that resets its connection while nobody wants to read from it: through a relay, the
//! backend sees a reset too, and not an end.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use process::scripted::everywhere;
use process::{LONG, Server, reset};

/// Writes until nobody takes any more.
fn fill(stream: &mut TcpStream) {
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    while stream.write(&[b'x'; 1 << 16]).is_ok() {}
}

/// Whether the other side is broken before anything has been read from it.
fn hears_of_a_reset(stream: &TcpStream) -> bool {
    const TIMEOUT: u16 = LONG.as_millis() as u16;
    let mut list = [PollFd::new(stream.as_fd(), PollFlags::POLLERR)];
    poll(&mut list, TIMEOUT).unwrap() > 0
}

/// How it has ended.
fn end(stream: &mut TcpStream) -> Result<(), ErrorKind> {
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut octets = vec![0; 1 << 16];
    loop {
        match stream.read(&mut octets) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.kind()),
        }
    }
}

#[test]
fn a_client_that_resets_when_its_upload_is_stuck_does_not_end_it() {
    everywhere(|model| {
        for way in ["copy", "splice"] {
            println!("by {way}");
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap().to_string();
            // No deadline is to come before the reset is noticed.
            let flags = ["--relay-by", way, "--backend", &address, "--write-timeout", "5m"];
            let relay = Server::start(model, "relay", &flags);
            let mut client = relay.connect();
            let (mut backend, _) = listener.accept().unwrap();
            fill(&mut client);
            reset(client);
            assert!(hears_of_a_reset(&backend), "the relay does not notice");
            assert_eq!(end(&mut backend), Err(ErrorKind::ConnectionReset));
        }
    });
}
