//! The life of a connection around its requests: dialled, established, renewed, given up.
//!
//! - At most [`AT_ONCE`] connections are being dialled at any time, over all threads, so that a
//!   crowd of clients does not overflow the server's accept queue.
//! - In the connecting phase one attempt is made for each. Whoever is refused stays outside.
//! - Later, a connection that ended after at least one answer is replaced at once. One that ended
//!   without any is replaced after 10 ms, then 20, 40, … up to a second, and after
//!   [`FRUITLESS_LIMIT`] of those in a row its slot is given up: a server that refuses must not be
//!   hammered, and a run with a number of requests has to end.
//! - Unless the plan says that whoever loses a connection is out: then nobody can take the place of
//!   one that has gone, and who was served was served beside all others.

use std::cmp::Reverse;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::readiness::Token;
use super::slot::{Role, State};
use super::worker::{Phase, Worker};
use crate::clock::Moment;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::plan::Lost;
use crate::sources::Ports;

/// Connections being dialled at once, over all threads.
const AT_ONCE: usize = 256;

/// Connections in a row without an answer, after which a slot is given up.
const FRUITLESS_LIMIT: u8 = 8;

const SHORTEST_BACK_OFF: Duration = Duration::from_millis(10);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1);

impl<E: Exchange> Worker<'_, E> {
    /// Dials as many of the waiting slots as may be dialled now.
    pub(super) fn dial(&mut self) {
        while let Some(&Reverse((when, index))) = self.retries.peek()
            && when <= self.now
        {
            self.retries.pop();
            self.waiting.push_back(index);
        }
        let at_once = (AT_ONCE / self.common.plan.threads).max(1);
        while self.dialling < at_once
            && let Some(index) = self.waiting.pop_front()
        {
            self.dial_one(index as usize);
        }
    }

    fn dial_one(&mut self, index: usize) {
        let source = self.common.sources.pick(self.identity(index) as usize);
        let now = Moment::now();
        self.slots[index].tally.opened.get_or_insert(now);
        self.dialling += 1;
        self.slots[index].state = State::Dialling;
        let token = self.token(index);
        let ports = self.common.sources.ports_of(self.which);
        let opened = open(self.common.plan.target.address, source, ports).and_then(|socket| {
            self.readiness.add(&socket, token)?;
            Ok(socket)
        });
        self.counts.calls.controls += 1;
        match opened {
            Ok(socket) => self.slots[index].dialling(socket, now),
            Err(error) => self.not_connected(index, &error),
        }
    }

    /// connect(2) has ended, well or badly.
    pub(super) fn dialled(&mut self, index: usize) {
        let error = match &self.slots[index].socket {
            Some(socket) => socket.take_error().unwrap_or_else(Some),
            None => return,
        };
        match error {
            Some(error) => self.not_connected(index, &error),
            None => self.connected(index),
        }
    }

    fn connected(&mut self, index: usize) {
        self.look_at_clock();
        self.dialling -= 1;
        let slot = &mut self.slots[index];
        slot.state = State::Open;
        let nanos = self.now.nanos_since(slot.since);
        if self.phase != Phase::Draining {
            self.connect.record(nanos);
        }
        if let (Some(stamps), Some(socket)) = (&self.stamps, &self.slots[index].socket) {
            let _ = stamps.ask(socket);
        }
        if self.phase == Phase::Connecting {
            return;
        }
        // Only active slots get here: a silent connection that ends is not replaced.
        if self.has_nothing_to_do(index) {
            return self.retire(index);
        }
        self.counts.reconnects += u64::from(self.phase != Phase::Draining);
        self.go_on(index, self.common.plan.depth);
    }

    /// There was no connection to be had.
    #[cold]
    pub(super) fn not_connected(&mut self, index: usize, error: &io::Error) {
        self.look_at_clock();
        self.dialling -= 1;
        if self.phase != Phase::Draining {
            Fault::Connect.count(&mut self.counts.errors);
        }
        self.first_error.get_or_insert_with(|| error.to_string());
        self.replace(index);
    }

    /// The connection is of no more use, and all requests that are out are lost with it.
    #[cold]
    pub(super) fn fail(&mut self, index: usize, fault: Fault) {
        self.look_at_clock();
        if self.slots[index].out.len() > 0 {
            self.last_event = self.now;
        } else if self.phase != Phase::Draining {
            fault.count(&mut self.counts.errors);
        }
        while let Some(asked) = self.has_come(index) {
            let silence_ns = self.now.nanos_since(asked.sent.max(self.timeline.open));
            let tally = &mut self.slots[index].tally;
            tally.silence_ns = tally.silence_ns.max(silence_ns);
            self.lost(index, asked, fault);
        }
        self.replace(index);
    }

    /// Replaces a connection that has ended badly, unless the slot has nothing more to do.
    pub(super) fn replace(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        let refused = slot.state == State::Dialling && self.phase == Phase::Connecting;
        let out = refused || self.common.plan.lost == Lost::LeftOut;
        if slot.role == Role::Silent || out {
            return self.abandon(index);
        }
        if self.has_nothing_to_do(index) {
            return self.retire(index);
        }
        if self.slots[index].answered_here > 0 {
            return self.renew(index);
        }
        self.try_again_later(index);
    }

    /// While draining, a closed loop asks for nothing more; an open one still sends what was
    /// planned.
    fn has_nothing_to_do(&self, index: usize) -> bool {
        (self.phase == Phase::Draining && self.pacer.is_none()) || self.has_done_all(index)
    }

    fn try_again_later(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.fruitless += 1;
        if slot.fruitless >= FRUITLESS_LIMIT {
            return self.abandon(index);
        }
        let wait = SHORTEST_BACK_OFF * (1 << (slot.fruitless - 1));
        slot.close(State::Waiting, self.now);
        let when = self.now.after(wait.min(LONGEST_BACK_OFF));
        self.retries.push(Reverse((when, index as u32)));
    }

    /// Closes the connection and dials a new one as soon as possible.
    pub(super) fn renew(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.close(State::Waiting, self.now);
        slot.answered_here = 0;
        self.waiting.push_back(index as u32);
    }

    /// The slot has done what it had to do. Its connection stays open if it is to be held.
    pub(super) fn retire(&mut self, index: usize) {
        if self.slots[index].state == State::Open && !self.common.plan.hold.is_zero() {
            self.slots[index].state = State::Finished;
            self.unfinished -= 1;
        } else {
            self.end(index, State::Finished);
        }
    }

    fn abandon(&mut self, index: usize) {
        self.end(index, State::Abandoned);
    }

    fn end(&mut self, index: usize, state: State) {
        let slot = &mut self.slots[index];
        if slot.role == Role::Active && !slot.is_over() {
            self.unfinished -= 1;
        }
        slot.close(state, self.now);
    }

    pub(super) fn token(&self, index: usize) -> Token {
        Token { index: index as u32, generation: self.slots[index].generation }
    }
}

/// Begins to connect, without waiting for the outcome.
fn open(
    target: SocketAddr,
    source: Option<SocketAddr>,
    ports: Option<Ports>,
) -> io::Result<TcpStream> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(target), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        // Without this the port would be reserved for all targets at once, and run out (ip(7)).
        nix::sys::socket::setsockopt(
            &socket,
            nix::sys::socket::sockopt::IpBindAddressNoPort,
            &true,
        )?;
        socket.bind(&SockAddr::from(source))?;
    }
    if let Some(ports) = ports {
        // A kernel that does not know this option takes any port.
        let _ = choose_from(&socket, ports);
    }
    match socket.connect(&SockAddr::from(target)) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// ip(7); the constant is not in the C library's headers yet.
fn choose_from(socket: &Socket, ports: Ports) -> io::Result<()> {
    const IP_LOCAL_PORT_RANGE: libc::c_int = 51;
    let range = u32::from(ports.last) << 16 | u32::from(ports.first);
    // SAFETY: the value is a `u32` that lives through the call, and its size is given.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            IP_LOCAL_PORT_RANGE,
            ptr::from_ref(&range).cast(),
            size_of_val(&range) as libc::socklen_t,
        )
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// On a kernel without the option the port may be any.
    #[test]
    fn a_port_is_chosen_from_the_range() {
        let listener = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0"));
        let target = listener.expect("a listener").local_addr().expect("it");
        let ports = Ports { first: 40_000, last: 40_999 };
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, None).expect("one");
        if choose_from(&socket, ports).is_err() {
            return eprintln!("SKIPPED: this kernel has no IP_LOCAL_PORT_RANGE");
        }
        let opened = open(target, None, Some(ports)).expect("a connection");
        let port = opened.local_addr().expect("it").port();
        assert!((ports.first..=ports.last).contains(&port), "{port}");
    }
}
