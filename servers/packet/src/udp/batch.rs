//! Room for many datagrams, filled and sent back by one system call each: recvmmsg(2), sendmmsg(2).
//!
//! The kernel wants arrays of headers that point to each other. They are written anew before each
//! call: that is a few hundred octets against the cost of the call, the kernel changes half of them
//! anyway, and so no pointer outlives the call that it is for.

use std::io;
use std::mem;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use nix::sys::socket::{SockaddrLike, SockaddrStorage};

/// Octets of a datagram that there is room for; what is longer is cut off, and counted by whoever
/// cares.
pub const ROOM: usize = 2_048;

/// How many datagrams one call may handle: the kernel's UIO_MAXIOV.
pub const MOST: u16 = 1_024;

/// Room for many datagrams.
#[derive(Debug)]
pub struct Batch {
    octets: Vec<[u8; ROOM]>,
    addresses: Vec<libc::sockaddr_storage>,
    /// What has come into the first of them.
    came: Vec<Came>,
    headers: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
}

#[derive(Clone, Copy, Debug)]
struct Came {
    octets: usize,
    /// Octets of the address it came from.
    address: libc::socklen_t,
    whole: Whole,
}

/// A datagram that has come.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// What it holds, as far as there was room.
    pub payload: &'a [u8],
    /// Whether all of it is there.
    pub whole: Whole,
}

/// Whether there was room for a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// All of it.
    Yes,
    /// It was longer than [`ROOM`].
    CutOff,
}

impl Whole {
    fn of(flags: libc::c_int) -> Self {
        if flags & libc::MSG_TRUNC == 0 { Self::Yes } else { Self::CutOff }
    }
}

/// What a call does when nothing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// It waits for the first datagram.
    UntilOne,
    /// It returns.
    Never,
}

/// What went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Datagrams.
    pub datagrams: u64,
    /// System calls for them.
    pub calls: u64,
}

const ADDRESS: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;

// SAFETY: the pointers in the headers are written before each call, and are used by that call only.
unsafe impl Send for Batch {}

impl Batch {
    /// Room for so many datagrams, at least one and at most [`MOST`].
    #[must_use]
    pub fn new(datagrams: u16) -> Self {
        let room = usize::from(datagrams.clamp(1, MOST));
        // SAFETY: these are structures of C, for which all zeros are a value.
        let (header, vector, address) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        Self {
            octets: vec![[0; ROOM]; room],
            addresses: vec![address; room],
            came: Vec::with_capacity(room),
            headers: vec![header; room],
            vectors: vec![vector; room],
        }
    }

    /// Fills it anew by recvmmsg(2). Returns how many datagrams have come.
    ///
    /// # Errors
    /// What the call says, `WouldBlock` if nothing has come.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, block: Block) -> io::Result<usize> {
        self.came.clear();
        let room = self.octets.len();
        (0..room).for_each(|at| self.point(at, at, ROOM, ADDRESS));
        let flags = match block {
            Block::UntilOne => libc::MSG_WAITFORONE,
            Block::Never => libc::MSG_DONTWAIT,
        };
        // SAFETY: `point` has just set so many headers to memory of this structure.
        let came = unsafe {
            let headers = self.headers.as_mut_ptr();
            libc::recvmmsg(socket.as_raw_fd(), headers, room as _, flags, ptr::null_mut())
        };
        let came = usize::try_from(came).map_err(|_| io::Error::last_os_error())?;
        self.came.extend(self.headers[..came].iter().map(|header| Came {
            octets: header.msg_len as usize,
            address: header.msg_hdr.msg_namelen,
            whole: Whole::of(header.msg_hdr.msg_flags),
        }));
        Ok(came)
    }

    /// Fills it anew with one datagram, by recvfrom(2), which waits for it. Returns 1.
    ///
    /// # Errors
    /// What the call says.
    pub fn receive_one(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.came.clear();
        let mut address = ADDRESS;
        let to = self.octets[0].as_mut_ptr().cast();
        let from = (&raw mut self.addresses[0]).cast();
        // With MSG_TRUNC it says the length of the datagram, not of the part that there is room
        // for.
        let flags = libc::MSG_TRUNC;
        // SAFETY: the pointers are to memory that lives, of the lengths that go with them.
        let octets =
            unsafe { libc::recvfrom(socket.as_raw_fd(), to, ROOM, flags, from, &raw mut address) };
        let octets = usize::try_from(octets).map_err(|_| io::Error::last_os_error())?;
        let whole = if octets > ROOM { Whole::CutOff } else { Whole::Yes };
        self.came.push(Came { octets: octets.min(ROOM), address, whole });
        Ok(1)
    }

    /// The datagrams that have come, in their order.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let both = self.octets.iter().zip(&self.came);
        both.map(|(octets, came)| Datagram { payload: &octets[..came.octets], whole: came.whole })
    }

    /// Where the datagram at `index` comes from.
    #[must_use]
    pub fn sender(&self, index: usize) -> Option<SocketAddr> {
        let length = self.came.get(index)?.address;
        let address: *const libc::sockaddr_storage = self.addresses.get(index)?;
        // SAFETY: it points to an address of `length` octets, which the kernel has filled in.
        let address = unsafe { SockaddrStorage::from_raw(address.cast(), Some(length)) }?;
        let four = address.as_sockaddr_in().map(|four| SocketAddrV4::from(*four).into());
        four.or_else(|| address.as_sockaddr_in6().map(|six| SocketAddrV6::from(*six).into()))
    }

    /// Sends those that are whole back to where they come from, by sendmmsg(2). One that can't be
    /// sent is left out: that its sender can't be reached is no reason not to answer the others.
    pub fn send_back(&mut self, socket: BorrowedFd<'_>) -> Gone {
        let whole = (0..self.came.len()).filter(|at| self.came[*at].whole == Whole::Yes);
        let whole: Vec<usize> = whole.collect();
        for (at, slot) in whole.iter().enumerate() {
            let came = self.came[*slot];
            self.point(at, *slot, came.octets, came.address);
        }
        let (mut gone, mut next) = (Gone::default(), 0);
        while next < whole.len() {
            let rest = &mut self.headers[next..whole.len()];
            let (first, count) = (rest.as_mut_ptr(), rest.len() as _);
            // SAFETY: `point` has just set so many headers to memory of this structure.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), first, count, 0) };
            let sent = usize::try_from(sent).unwrap_or(0);
            gone.calls += 1;
            gone.datagrams += sent as u64;
            // The call fails for the first one only; what it says of a later one, the next call
            // says.
            next += sent.max(1);
        }
        gone
    }

    /// Lets header `at` say: datagram `slot`, of so many octets, with an address of so many octets.
    fn point(&mut self, at: usize, slot: usize, octets: usize, address: libc::socklen_t) {
        let base = self.octets[slot].as_mut_ptr().cast();
        self.vectors[at] = libc::iovec { iov_base: base, iov_len: octets };
        let header = &mut self.headers[at].msg_hdr;
        header.msg_name = (&raw mut self.addresses[slot]).cast();
        header.msg_namelen = address;
        header.msg_iov = &raw mut self.vectors[at];
        header.msg_iovlen = 1;
        header.msg_flags = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    fn pair() -> (UdpSocket, UdpSocket) {
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        far.connect(near.local_addr().unwrap()).unwrap();
        (near, far)
    }

    #[test]
    fn a_call_takes_no_more_than_there_is_room_for_and_leaves_the_rest() {
        let (near, far) = pair();
        for octet in 0..5 {
            far.send(&[octet]).unwrap();
        }
        let mut batch = Batch::new(3);
        let mut payloads = Vec::new();
        for expected in [3, 2] {
            assert_eq!(batch.receive(near.as_fd(), Block::UntilOne).unwrap(), expected);
            payloads.extend(batch.datagrams().map(|datagram| datagram.payload.to_vec()));
            assert_eq!(batch.sender(expected - 1), Some(far.local_addr().unwrap()));
            assert_eq!(batch.sender(expected), None);
        }
        assert_eq!(payloads, [[0], [1], [2], [3], [4]]);
        let nothing = batch.receive(near.as_fd(), Block::Never).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(batch.datagrams().count(), 0);
    }

    #[test]
    fn what_is_too_long_is_cut_off_and_not_sent_back() {
        let (near, far) = pair();
        let mut batch = Batch::new(4);
        for octets in [ROOM + 1, 0, ROOM] {
            far.send(&vec![7; octets]).unwrap();
        }
        assert_eq!(batch.receive(near.as_fd(), Block::UntilOne).unwrap(), 3);
        let whole: Vec<_> = batch.datagrams().map(|datagram| datagram.whole).collect();
        assert_eq!(whole, [Whole::CutOff, Whole::Yes, Whole::Yes]);
        assert_eq!(batch.send_back(near.as_fd()), Gone { datagrams: 2, calls: 1 });
        let mut answer = [0; 2 * ROOM];
        assert_eq!([far.recv(&mut answer).unwrap(), far.recv(&mut answer).unwrap()], [0, ROOM]);
    }

    #[test]
    fn one_at_a_time_gives_the_same() {
        let (near, far) = pair();
        let mut batch = Batch::new(1);
        far.send(b"one").unwrap();
        far.send(&[0; ROOM + 9]).unwrap();
        assert_eq!(batch.receive_one(near.as_fd()).unwrap(), 1);
        assert_eq!(batch.datagrams().next().unwrap().payload, b"one");
        assert_eq!(batch.sender(0), Some(far.local_addr().unwrap()));
        assert_eq!(batch.receive_one(near.as_fd()).unwrap(), 1);
        assert_eq!(batch.datagrams().next().unwrap().whole, Whole::CutOff);
    }
}
