//! Datagrams by as few system calls as it takes: sendmmsg(2).
//!
//! A call stops at the first datagram that it can't send, and fails only if that is the first of
//! all. So what is wrong with it is heard from the next call, which begins with it.

use std::io::IoSlice;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

use super::batch::Gone;

/// Where the kernel's headers of datagrams are.
pub(crate) struct Volley(MultiHeaders<SockaddrStorage>);

/// What to do about a datagram that can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Leave it out, and send the others.
    LeaveOut,
    /// Try it once more.
    Again,
}

impl Volley {
    /// For at most so many datagrams to a system call.
    pub(crate) fn new(batch: u16) -> Self {
        Self(MultiHeaders::preallocate(batch.into(), None))
    }

    /// Sends all payloads, each to the address at its place, or to where the socket is connected.
    /// `refused` is asked about one that can't be sent.
    ///
    /// # Errors
    /// What `refused` says; those behind are not sent then.
    pub(crate) fn send(
        &mut self,
        socket: &UdpSocket,
        payloads: &[impl AsRef<[u8]>],
        to: &[Option<SockaddrStorage>],
        refused: impl Fn(Errno) -> Result<Then, Errno>,
    ) -> Result<Gone, Errno> {
        let (mut gone, mut next) = (Gone::default(), 0);
        while next < payloads.len() {
            gone.calls += 1;
            let sent = self.call(socket, &payloads[next..], &to[next..]);
            next += match sent {
                Ok(sent) => {
                    gone.datagrams += sent as u64;
                    sent
                }
                Err(error) => match refused(error)? {
                    Then::LeaveOut => 1,
                    Then::Again => 0,
                },
            };
        }
        Ok(gone)
    }

    /// One call; how many of them it has sent.
    fn call(
        &mut self,
        socket: &UdpSocket,
        payloads: &[impl AsRef<[u8]>],
        to: &[Option<SockaddrStorage>],
    ) -> Result<usize, Errno> {
        let slices: Vec<_> = payloads.iter().map(|it| [IoSlice::new(it.as_ref())]).collect();
        let (descriptor, flags) = (socket.as_raw_fd(), MsgFlags::empty());
        sendmmsg(descriptor, &mut self.0, &slices, to, [], flags).map(Iterator::count)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;

    fn socket() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[test]
    fn what_does_not_fit_into_a_call_goes_by_the_next() {
        let ((sender, _), (receiver, to)) = (socket(), socket());
        let payloads: Vec<[u8; 1]> = (0..7).map(|octet| [octet]).collect();
        let gone = Volley::new(3).send(&sender, &payloads, &[Some(to.into()); 7], Err).unwrap();
        assert_eq!(gone, Gone { datagrams: 7, calls: 3 });
        for expected in payloads {
            let mut octet = [0; 2];
            assert_eq!((receiver.recv(&mut octet).unwrap(), octet[0]), (1, expected[0]));
        }
    }

    #[test]
    fn one_that_cannot_be_sent_is_left_out_or_ends_it() {
        let ((sender, _), (receiver, to)) = (socket(), socket());
        // More than a datagram can hold.
        let payloads = [vec![1], vec![0; 1 << 16], vec![2]];
        let to = [Some(to.into()); 3];
        let mut volley = Volley::new(8);
        let gone = volley.send(&sender, &payloads, &to, |_| Ok(Then::LeaveOut)).unwrap();
        assert_eq!(gone, Gone { datagrams: 2, calls: 3 });
        let mut octet = [0; 2];
        for expected in [1, 2] {
            assert_eq!((receiver.recv(&mut octet).unwrap(), octet[0]), (1, expected));
        }
        assert_eq!(volley.send(&sender, &payloads, &to, Err), Err(Errno::EMSGSIZE));
    }
}
