//! The place of one replica.
//!
//! A seat is on the ring, where whoever chooses a replica finds it, and in the crew's list, where
//! its process is. It is the same seat: that is why the two can't disagree. The process in it
//! changes; the seat, its name and its place on the ring stay.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

use super::name::Name;
use super::record::Record;

/// A port that nobody listens on: out of service.
const NOBODY: u16 = 0;

/// The place of one replica.
#[derive(Debug)]
pub(crate) struct Seat {
    /// What it is called.
    pub(crate) name: Name,
    /// What has happened to it.
    pub(crate) record: Record,
    /// Where the process that has it listens, on the loopback interface.
    port: AtomicU16,
}

impl Seat {
    /// An empty one.
    pub(crate) fn new(name: Name) -> Self {
        Self { name, record: Record::default(), port: AtomicU16::new(NOBODY) }
    }

    /// Where its replica can be asked, if it is in service.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self.port.load(Ordering::Acquire) {
            NOBODY => None,
            port => Some((Ipv4Addr::LOCALHOST, port).into()),
        }
    }

    /// Puts a process that has answered a heartbeat into service, until the returned value is
    /// dropped.
    pub(crate) fn serve(&self, address: SocketAddr) -> InService<'_> {
        self.port.store(address.port(), Ordering::Release);
        InService(self)
    }
}

/// A process is in service as long as this lives.
#[derive(Debug)]
pub(crate) struct InService<'a>(&'a Seat);

impl Drop for InService<'_> {
    fn drop(&mut self) {
        self.0.port.store(NOBODY, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_has_an_address_as_long_as_somebody_serves_from_it() {
        let seat = Seat::new(Name::numbered(1));
        assert_eq!(seat.address(), None);
        let address = "127.0.0.1:4711".parse().unwrap();
        let service = seat.serve(address);
        assert_eq!(seat.address(), Some(address));
        drop(service);
        assert_eq!(seat.address(), None);
    }
}
