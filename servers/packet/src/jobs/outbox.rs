//! Messages to go out: one by one, or all of a batch by sendmmsg(2).

use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

use super::message::{Message, SIZE};

/// What waits to go out.
pub(super) struct Outbox {
    messages: Vec<[u8; SIZE]>,
    addresses: Vec<Option<SockaddrStorage>>,
    headers: MultiHeaders<SockaddrStorage>,
}

impl Outbox {
    /// Room for so many messages to a system call.
    pub(super) fn new(batch: u16) -> Self {
        Self {
            messages: Vec::new(),
            addresses: Vec::new(),
            headers: MultiHeaders::preallocate(batch.into(), None),
        }
    }

    /// Takes a message.
    pub(super) fn put(&mut self, to: SocketAddr, message: &Message) {
        self.messages.push(message.encode());
        self.addresses.push(Some(to.into()));
    }

    /// Sends all. One that can't be sent is left out: the balancer asks for it again.
    /// Returns how many system calls it took.
    pub(super) fn send(&mut self, socket: &UdpSocket) -> u64 {
        let (mut next, mut calls) = (0, 0);
        while next < self.messages.len() {
            let payloads: Vec<_> =
                self.messages[next..].iter().map(|message| [IoSlice::new(message)]).collect();
            let (to, flags) = (&self.addresses[next..], MsgFlags::empty());
            let descriptor = socket.as_raw_fd();
            let sent = sendmmsg(descriptor, &mut self.headers, &payloads, to, [], flags);
            // The call fails for the first one only; what it says of a later one, the next call says.
            next += sent.map_or(1, |sent| sent.count().max(1));
            calls += 1;
        }
        self.messages.clear();
        self.addresses.clear();
        calls
    }
}
