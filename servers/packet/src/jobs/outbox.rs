//! Messages to go out, all of a batch at once.

use std::net::{SocketAddr, UdpSocket};

use nix::sys::socket::SockaddrStorage;

use super::message::{Message, SIZE};
use crate::udp::{Then, Volley};

/// What waits to go out.
pub(super) struct Outbox {
    messages: Vec<[u8; SIZE]>,
    addresses: Vec<Option<SockaddrStorage>>,
    volley: Volley,
}

impl Outbox {
    /// Room for so many messages to a system call.
    pub(super) fn new(batch: u16) -> Self {
        Self { messages: Vec::new(), addresses: Vec::new(), volley: Volley::new(batch) }
    }

    /// Takes a message.
    pub(super) fn put(&mut self, to: SocketAddr, message: &Message) {
        self.messages.push(message.encode());
        self.addresses.push(Some(to.into()));
    }

    /// Sends all. One that can't be sent is left out: the balancer asks for it again.
    /// Returns how many system calls it took.
    pub(super) fn send(&mut self, socket: &UdpSocket) -> u64 {
        let leave_out = |_| Ok(Then::LeaveOut);
        let gone = self.volley.send(socket, &self.messages, &self.addresses, leave_out);
        self.messages.clear();
        self.addresses.clear();
        gone.map_or(0, |gone| gone.calls)
    }
}
