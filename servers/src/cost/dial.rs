//! TCP connections over the loopback interface, by number, each with a source of its own.
//!
//! Ports are given out by address, so connections go out from 127.0.0.1, 127.0.0.2, … in turn,
//! 1,000 on each: a full address is slow to find a free port on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Socket, Type};

/// Connections from one source address.
const PER_ADDRESS: u32 = 1_000;

/// A listener on a free port.
///
/// # Errors
/// When there is none.
pub(crate) fn listener() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
}

/// Connects from the source of that number. Whoever closes such a connection resets it, so that
/// none lingers in TIME_WAIT and keeps a port.
///
/// # Errors
/// When the kernel has no descriptor, no port or no memory left: with the number.
pub(crate) fn connect(to: SocketAddr, number: u32) -> io::Result<TcpStream> {
    let connected = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_linger(Some(Duration::ZERO))?;
        socket.set_tcp_nodelay(true)?;
        // Without this the port would be reserved for all targets at once, and run out (ip(7)).
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(&source(number).into())?;
        socket.connect(&to.into())?;
        Ok(socket.into())
    };
    connected().map_err(|error: io::Error| failed(number, &error))
}

/// Takes the next connection, which must be that of `from`. It is never waited for.
///
/// # Errors
/// When it can't be had, or is somebody else's.
pub(crate) fn accept(listener: &TcpListener, from: SocketAddr) -> io::Result<TcpStream> {
    let (near, peer) = listener.accept()?;
    if peer != from {
        let words = format!("{peer} has connected to {}, which is no server", near.local_addr()?);
        return Err(io::Error::other(words));
    }
    near.set_nonblocking(true)?;
    Ok(near)
}

/// Both ends of a connection in this table: the one that is watched, and its peer.
///
/// # Errors
/// As for [`connect`] and [`accept`].
pub(crate) fn pair(listener: &TcpListener, number: u32) -> io::Result<(TcpStream, TcpStream)> {
    let far = connect(listener.local_addr()?, number)?;
    Ok((accept(listener, far.local_addr()?)?, far))
}

fn source(number: u32) -> SocketAddr {
    let address = u32::from(Ipv4Addr::LOCALHOST) + number / PER_ADDRESS;
    SocketAddr::from((Ipv4Addr::from(address), 0))
}

fn failed(number: u32, error: &io::Error) -> io::Error {
    let words = format!("connection {number} over loopback: {error}; ask for a smaller --idle");
    io::Error::new(error.kind(), words)
}

/// The descriptor's number as a count: how many there are up to it.
pub(crate) fn number(stream: &TcpStream) -> usize {
    usize::try_from(stream.as_raw_fd()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_connections_share_an_address_and_all_addresses_are_loopback() {
        assert_eq!(source(999).ip(), source(0).ip());
        assert_ne!(source(1_000).ip(), source(999).ip());
        assert!(source(1_000_000).ip().is_loopback());
    }

    #[test]
    fn a_stranger_is_not_taken_for_the_peer() {
        let listener = listener().unwrap();
        let stranger = connect(listener.local_addr().unwrap(), 0).unwrap();
        let expected = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let words = accept(&listener, expected).unwrap_err().to_string();
        assert!(words.contains(&stranger.local_addr().unwrap().to_string()), "{words}");
    }

    #[test]
    fn a_closed_connection_leaves_no_trace_on_either_side() {
        let listener = listener().unwrap();
        let (near, far) = pair(&listener, 0).unwrap();
        near.set_nonblocking(false).unwrap();
        drop(far);
        // It waits for as long as the table of another test's annex has a copy of the far end.
        let reset = near.peek(&mut [0]).unwrap_err();
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
    }
}
