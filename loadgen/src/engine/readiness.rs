//! epoll, as a client needs it.
//!
//! A connection is registered once, edge-triggered and for both directions, and never again: no
//! request costs an epoll_ctl(2). An edge comes when octets arrive, when connect(2) has ended, and
//! when a full send queue has room again, not with each acknowledgement, so asking for both costs
//! nothing. The price is that a reader must go on until a read comes back short (epoll(7), Q&A 9).

use std::io;
use std::net::TcpStream;
use std::ptr;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

/// The most events that one wait takes.
const EVENTS: usize = 1024;

/// The set of connections of one thread, and which of them are ready.
#[derive(Debug)]
pub(crate) struct Readiness {
    epoll: Epoll,
    events: Box<[EpollEvent]>,
}

/// A slot and which of its connections is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl Token {
    fn pack(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    fn unpack(data: u64) -> Self {
        Self { index: data as u32, generation: (data >> 32) as u32 }
    }
}

impl Readiness {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll, events: vec![EpollEvent::empty(); EVENTS].into_boxed_slice() })
    }

    /// Watches a connection from now on. Closing it ends that.
    pub(crate) fn add(&self, socket: &TcpStream, token: Token) -> io::Result<()> {
        Ok(self.epoll.add(socket, registration(token))?)
    }

    /// Asks for a new edge if the connection is ready now.
    pub(crate) fn again(&self, socket: &TcpStream, token: Token) -> io::Result<()> {
        Ok(self.epoll.modify(socket, &mut registration(token))?)
    }

    /// Waits until something is ready, for at most `timeout_ns`; says how many connections are.
    pub(crate) fn wait(&mut self, timeout_ns: u64) -> usize {
        let timeout = libc::timespec {
            tv_sec: (timeout_ns / 1_000_000_000) as libc::time_t,
            tv_nsec: (timeout_ns % 1_000_000_000) as libc::c_long,
        };
        // SAFETY: `events` is valid for writes of its length, and an `EpollEvent` is a transparent
        // `epoll_event`; `timeout` lives during the call; a null signal mask leaves it as it is.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                std::os::fd::AsRawFd::as_raw_fd(&self.epoll.0),
                self.events.as_mut_ptr(),
                self.events.len(),
                &raw const timeout,
                ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        match usize::try_from(count) {
            Ok(count) => count,
            Err(_) if Errno::last() == Errno::ENOSYS => self.wait_in_milliseconds(timeout_ns),
            Err(_) => 0,
        }
    }

    /// Linux before 5.11 has no epoll_pwait2(2).
    fn wait_in_milliseconds(&mut self, timeout_ns: u64) -> usize {
        let milliseconds = u16::try_from(timeout_ns.div_ceil(1_000_000)).unwrap_or(u16::MAX);
        self.epoll.wait(&mut self.events, milliseconds).unwrap_or(0)
    }

    /// The event at `position` of the last wait.
    pub(crate) fn event(&self, position: usize) -> (Token, EpollFlags) {
        let event = &self.events[position];
        (Token::unpack(event.data()), event.events())
    }
}

fn registration(token: Token) -> EpollEvent {
    use EpollFlags as E;
    EpollEvent::new(E::EPOLLIN | E::EPOLLOUT | E::EPOLLRDHUP | E::EPOLLET, token.pack())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        let token = Token { index: u32::MAX - 1, generation: 7 };
        assert_eq!(Token::unpack(token.pack()), token);
    }

    #[test]
    fn a_wait_ends() {
        assert_eq!(Readiness::new().expect("an epoll instance").wait(1000), 0);
    }
}
