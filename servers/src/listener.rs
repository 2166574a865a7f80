//! Listening sockets, and how clients come in.
//!
//! This is the one place where listening sockets get their options, so that they are the same for
//! every model: SO_REUSEADDR, TCP_NODELAY (an accepted socket inherits it, tcp(7)), one backlog.

use std::io;
use std::net::{Shutdown, SocketAddr, SocketAddrV6, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow};
use nix::errno::Errno;
use nix::sys::socket::{SockFlag, accept4};
use socket2::{Domain, Protocol, Socket, Type};

use crate::accept_queue;
use crate::control::{Control, TICK};
use crate::drive::blocking::{limit_reads, limit_writes};
use crate::shortage;
use crate::waker::Waker;

/// A listening socket.
#[derive(Debug)]
pub struct Listener(Socket);

/// Whether calls on a socket wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// They do.
    Yes,
    /// They say EAGAIN instead.
    No,
}

/// Why accept brought no client.
#[derive(Debug)]
pub enum Refusal {
    /// There is none, or none came within a tick.
    Nobody,
    /// It is gone already, or the call was interrupted: the next one may be there.
    Gone,
    /// The process or the host has no room for it: EMFILE, ENFILE, ENOBUFS, ENOMEM.
    NoRoom(io::Error),
}

impl Listener {
    /// Takes the next client. Only the client's socket is affected by `blocking`.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn accept(&self, blocking: Blocking) -> Result<TcpStream, Refusal> {
        let flags = match blocking {
            Blocking::Yes => SockFlag::SOCK_CLOEXEC,
            Blocking::No => SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        };
        match accept4(self.0.as_raw_fd(), flags) {
            // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
            Ok(fd) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }.into()),
            // Or the socket has been retired.
            Err(Errno::EAGAIN | Errno::EINVAL) => Err(Refusal::Nobody),
            Err(errno) if shortage::is_ours(errno) => Err(Refusal::NoRoom(errno.into())),
            Err(_) => Err(Refusal::Gone),
        }
    }

    /// How many clients wait to be accepted: the last ones of a server that stops. Where the kernel
    /// does not tell, accept says when there is nobody left.
    #[must_use]
    pub fn waiting(&self) -> usize {
        accept_queue::length(self.socket()).map_or(usize::MAX, |length| length as usize)
    }

    /// Listens no more: from now on the kernel refuses who comes, and resets who waits to be
    /// accepted. If the socket only stayed unread until it is closed, clients would be connected,
    /// and wait for somebody who has stopped, for as long as others take to finish.
    pub fn retire(&self) {
        // It fails for a socket that does not listen any more.
        let _ = self.0.shutdown(Shutdown::Read);
    }

    /// The descriptor to wait for.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Makes accept wait, but no longer than a tick, so that it can notice a stop; and makes writes
    /// to its clients give up when their patience ends.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn block(&self, control: &Control) -> io::Result<()> {
        self.0.set_nonblocking(false)?;
        limit_reads(self.socket(), TICK)?;
        limit_writes(self.socket(), control.patience.write.duration())
    }

    /// Makes accept not wait.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn unblock(&self) -> io::Result<()> {
        self.0.set_nonblocking(true)
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl From<OwnedFd> for Listener {
    /// A descriptor that is a listening socket already.
    fn from(fd: OwnedFd) -> Self {
        Self(fd.into())
    }
}

/// Opens `count` sockets that listen on the same address. Several of them share the port by
/// SO_REUSEPORT; the kernel spreads the clients over them.
///
/// # Errors
/// When the address is taken or not ours, in words.
pub fn listen(address: SocketAddr, backlog: i32, count: usize) -> anyhow::Result<Vec<Listener>> {
    let mut address = address;
    if count > 1 {
        // With SO_REUSEPORT a port that another server of ours has would not count as taken.
        drop(bind(address, Sharing::No)?);
    }
    let sharing = if count > 1 { Sharing::Yes } else { Sharing::No };
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let socket = bind(address, sharing)?;
        socket.listen(backlog).with_context(|| format!("cannot listen on {address}"))?;
        address = local_address(&socket)?;
        listeners.push(Listener(socket));
    }
    Ok(listeners)
}

/// The address that `listeners` listen on.
///
/// # Errors
/// When the kernel does not tell.
pub fn address_of(listeners: &[Listener]) -> anyhow::Result<SocketAddr> {
    local_address(&listeners.first().context("no listener")?.0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Yes,
    No,
}

fn bind(address: SocketAddr, sharing: Sharing) -> anyhow::Result<Socket> {
    let open = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(sharing == Sharing::Yes)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(socket)
    };
    open().map_err(|error| anyhow!("cannot listen on {address}: {error}{}", hint(&error)))
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => " (another program has the port; port 0 takes a free one)",
        io::ErrorKind::AddrNotAvailable => " (no interface of this host has the address)",
        io::ErrorKind::PermissionDenied => " (ports below 1024 need CAP_NET_BIND_SERVICE)",
        _ => "",
    }
}

fn local_address(socket: &Socket) -> anyhow::Result<SocketAddr> {
    socket.local_addr()?.as_socket().context("not an internet address")
}

/// Reads an address to listen on, or to ask at: `127.0.0.1:8080`, `[::1]:0`,
/// `[fe80::1%veth0]:8080`, `localhost:80`.
///
/// # Errors
/// When it is not one, in words.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    if let Some((address, rest)) = text.strip_prefix('[').and_then(|text| text.split_once('%')) {
        return scoped(address, rest).ok_or_else(|| {
            format!(
                "`{text}` is not an address: [ADDRESS%INTERFACE]:PORT, with an interface of this \
                 host"
            )
        });
    }
    let mut all = text
        .to_socket_addrs()
        .map_err(|error| format!("`{text}` is not an address, HOST:PORT: {error}"))?;
    all.next().ok_or_else(|| format!("`{text}` has no address"))
}

fn scoped(address: &str, rest: &str) -> Option<SocketAddr> {
    let (interface, port) = rest.split_once("]:")?;
    let scope = match interface.parse() {
        Ok(index) => index,
        Err(_) => nix::net::if_::if_nametoindex(interface).ok()?,
    };
    Some(SocketAddrV6::new(address.parse().ok()?, port.parse().ok()?, 0, scope).into())
}

/// Where an acceptor leaves clients for a worker.
#[derive(Debug)]
pub struct Inbox {
    clients: Mutex<Vec<TcpStream>>,
    closed: AtomicBool,
    waker: Arc<Waker>,
}

impl Inbox {
    /// An empty inbox.
    ///
    /// # Errors
    /// When there is no descriptor left for its waker.
    pub fn new(control: &Control) -> io::Result<Self> {
        let waker = control.waker()?;
        Ok(Self { clients: Mutex::default(), closed: AtomicBool::new(false), waker })
    }

    /// Leaves a client, and wakes the worker.
    pub fn put(&self, client: TcpStream) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        self.waker.wake();
    }

    /// Takes all clients that have been left.
    #[must_use]
    pub fn take(&self) -> Vec<TcpStream> {
        std::mem::take(&mut self.clients.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Nobody else will come.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether nobody else will come, and nobody waits.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        // In this order: after the flag is up, nothing is put in any more.
        self.closed.load(Ordering::Acquire)
            && self.clients.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// What wakes the worker.
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_address() {
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:0", "[::1]:0"),
            ("[fe80::1%lo]:80", "[fe80::1%1]:80"),
            ("[fe80::1%7]:80", "[fe80::1%7]:80"),
        ] {
            assert_eq!(parse_address(text).unwrap().to_string(), address);
        }
    }

    #[test]
    fn says_what_an_address_must_look_like() {
        assert!(parse_address("127.0.0.1").unwrap_err().contains("HOST:PORT"));
        assert!(parse_address("[fe80::1%nosuch0]:80").unwrap_err().contains("INTERFACE"));
    }

    #[test]
    fn a_shared_port_that_somebody_has_is_taken() {
        let first = listen("127.0.0.1:0".parse().unwrap(), 16, 2).unwrap();
        let address = address_of(&first).unwrap();
        let error = listen(address, 16, 2).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("port 0"), "{error}");
    }
}
