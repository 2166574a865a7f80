//! The far ends of the watched connections, in a table of their own.
//!
//! A poller that is handed descriptors at each wait can watch only what is in the table of the
//! thread that waits. So that all of that table is for watched ends, their peers live elsewhere;
//! the few that are to say something are handed over while they are needed (unix(7), SCM_RIGHTS).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::annex::Annex;
use super::dial;

/// Room for the one descriptor that a message carries.
const SPACE: usize = cmsg_space!(ScmRights(1));

struct Shelf {
    ends: Vec<TcpStream>,
    /// Leads to whoever has the [`FarEnds`].
    hatch: UnixStream,
}

/// Far ends, by the number of their connection.
pub(crate) struct FarEnds {
    annex: Annex<Shelf>,
    hatch: UnixStream,
    /// The annex's end of the hatch, in this table.
    _other_end: UnixStream,
}

impl FarEnds {
    /// None yet.
    ///
    /// # Errors
    /// When there is no thread or no table for them.
    pub(crate) fn open() -> io::Result<Self> {
        let (hatch, other_end) = UnixStream::pair()?;
        let annex = Annex::open(vec![other_end.as_raw_fd()], |mine| {
            let hatch = mine.into_iter().next().ok_or(io::ErrorKind::NotFound)?.into();
            Ok(Shelf { ends: Vec::new(), hatch })
        })?;
        Ok(Self { annex, hatch, _other_end: other_end })
    }

    /// Makes so many more connections to `to`, and says where they come from.
    ///
    /// # Errors
    /// As for [`dial::connect`].
    pub(crate) fn connect(&self, to: SocketAddr, count: usize) -> io::Result<Vec<SocketAddr>> {
        self.annex.ask(move |shelf| {
            let first = shelf.ends.len();
            for number in first..first + count {
                let number = u32::try_from(number).map_err(io::Error::other)?;
                shelf.ends.push(dial::connect(to, number)?);
            }
            shelf.ends[first..].iter().map(TcpStream::local_addr).collect()
        })
    }

    /// A duplicate of a far end, in the caller's table.
    ///
    /// # Errors
    /// When the table is full.
    pub(crate) fn fetch(&self, number: usize) -> io::Result<TcpStream> {
        self.annex.ask(move |shelf| {
            let end = shelf.ends.get(number).ok_or(io::ErrorKind::NotFound)?;
            let mut space = [MaybeUninit::uninit(); SPACE];
            let mut rights = SendAncillaryBuffer::new(&mut space);
            let carried = [end.as_fd()];
            rights.push(SendAncillaryMessage::ScmRights(&carried));
            sendmsg(&shelf.hatch, &[IoSlice::new(&[0])], &mut rights, SendFlags::empty())?;
            Ok(())
        })?;
        self.receive()
    }

    fn receive(&self) -> io::Result<TcpStream> {
        let mut space = [MaybeUninit::uninit(); SPACE];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let mut octet = [0];
        let mut octets = [IoSliceMut::new(&mut octet)];
        recvmsg(&self.hatch, &mut octets, &mut rights, RecvFlags::CMSG_CLOEXEC)?;
        let mut carried = rights.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut ends) => ends.next(),
            _ => None,
        });
        let full = || io::Error::other("no room in the descriptor table for a far end");
        carried.next().map(TcpStream::from).ok_or_else(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_fetched_end_is_the_peer_of_the_connection_of_its_number() {
        let listener = dial::listener().unwrap();
        let far = FarEnds::open().unwrap();
        let sources = far.connect(listener.local_addr().unwrap(), 3).unwrap();
        let near: Vec<_> =
            sources.iter().map(|from| dial::accept(&listener, *from).unwrap()).collect();
        far.fetch(1).unwrap().write_all(b"!").unwrap();
        near[1].set_nonblocking(false).unwrap();
        let mut octet = [0];
        (&near[1]).read_exact(&mut octet).unwrap();
        assert_eq!(octet, *b"!");
        for silent in [&near[0], &near[2]] {
            assert_eq!(silent.peek(&mut octet).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        assert!(far.fetch(3).is_err());
    }
}
